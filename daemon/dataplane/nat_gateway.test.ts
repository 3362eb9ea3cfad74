/**
 *     host 9: ENI 1 10.0.2.10        hosts 1, 2, 3: edges and HyperPlane nodes      the internet
 *     private subnet 10.0.2.0/24     IGW 30; NAT gateway: ENI 50 10.0.1.9           198.51.100.10
 *                                    in 10.0.1.0/24, 203.0.113.9, shard 1, 2, 3
 *
 * Three workers in memory; what one sends to another is fed to it.
 */
import test from 'ava'
import { CSUM_NEEDED, GSO_TCPV4, PORT_UNDERLAY } from '../tun/descriptor.ts'
import { addressWords } from '../wire/address.ts'
import { readU16, readU32, writeU16 } from '../wire/bytes.ts'
import { checksumFold, pseudoHeaderSum } from '../wire/checksum.ts'
import { ICMP_DESTINATION_UNREACHABLE } from '../wire/icmp.ts'
import { PROTOCOL_ESP, PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP } from '../wire/ip_protocol.ts'
import { TCP_FLAG_ACK, TCP_FLAG_RST, TCP_FLAG_SYN } from '../wire/tcp.ts'
import { shardSlot } from './tables/host_table.ts'
import { NAT_IDLE_S, NAT_PORT_MIN } from './tables/nat_layout.ts'
import {
  HOST_GROUP_SHARD, PORT_KIND_INTERNET_GATEWAY, PORT_KIND_NAT_GATEWAY
} from './tables/update.ts'
import type { TableUpdate } from './tables/update.ts'
import { check, dstIs, goodChecksums, srcIs, ttlIs } from './testing/checker.ts'
import {
  buildTables, ENI_HIGH, hostAddress, Lab, portOf, publicAddresses
} from './testing/lab.ts'
import type { PolicySpec, RouteSpec, VpcSpec } from './testing/lab.ts'
import type { Sent } from './testing/memory_nic.ts'
import { ipPacket, vpcPacket } from './testing/packets.ts'

const NODES = [1, 2, 3] as const
const COMPUTE = 9
const GROUP = 40
const IGW = 30
const NAT = 50
const OUTSIDE = '198.51.100.10'
const PUBLIC = '203.0.113.9'

const LOCAL: RouteSpec = { to: '10.0.0.0/16', target: 'local' }

const vpcOf = (acls: readonly PolicySpec[], acl?: number): VpcSpec => ({
  vpc: 1,
  vni: 100,
  subnets: [
    { subnet: 11, cidrs: ['10.0.1.0/24'], routers: { ipv4: '10.0.1.1' },
      ...(acl === undefined ? {} : { networkAcl: acl }),
      routes: [LOCAL, { to: '0.0.0.0/0', target: { gateway: IGW } }] },
    { subnet: 12, cidrs: ['10.0.2.0/24'],
      routes: [LOCAL, { to: '0.0.0.0/0', target: { eni: NAT } }] }
  ],
  enis: [
    { eni: 1, subnet: 12, host: COMPUTE, addresses: ['10.0.2.10'] },
    { eni: 2, subnet: 12, host: COMPUTE, addresses: ['10.0.2.11'] },
    { eni: NAT, subnet: 11, host: GROUP, addresses: ['10.0.1.9'] }
  ],
  gateways: [{ gateway: IGW, host: 41, mtu: 1500, kind: PORT_KIND_INTERNET_GATEWAY }],
  networkAcls: acls
})

interface WorldOptions {
  readonly nodes?: readonly number[]
  readonly capacity?: number
  readonly acls?: readonly PolicySpec[]
  readonly acl?: number
}

class World {
  readonly labs = new Map<number, Lab>()
  owners: readonly number[] = NODES
  epoch = 0
  readonly #capacity: number
  readonly #vpc: VpcSpec

  constructor (options: WorldOptions = {}) {
    this.#capacity = options.capacity ?? 256
    this.#vpc = vpcOf(options.acls ?? [], options.acl)
    for (const host of options.nodes ?? NODES) this.start(host)
    this.assign(this.owners.map((owner) => this.labs.has(owner) ? owner : [...this.labs.keys()][0]))
  }

  start (host: number): void {
    const lab = new Lab({ host, natCapacity: this.#capacity })
    lab.nowMs = host * 1000 // lives of nodes differ
    lab.apply(this.#tables(host))
    lab.toWorker.push(
      { kind: 'open-uplink', namespacePath: '/run/netns/internet', deviceName: 'edge' })
    lab.pass()
    lab.takeSent()
    this.labs.set(host, lab)
  }

  #tables (host: number): TableUpdate {
    const vpc = this.#vpc
    const tables = buildTables([vpc], COMPUTE, 1, host)
    const [, , eni] = vpc.enis
    return {
      ...tables,
      hostGroups: [{ hostIndex: GROUP, kind: HOST_GROUP_SHARD, members: Uint32Array.from(NODES) },
        { hostIndex: 41, kind: 1, members: Uint32Array.from(NODES) }],
      ports: [...tables.ports ?? [],
        { ...portOf(vpc, eni, NAT), kind: PORT_KIND_NAT_GATEWAY, sourceDestCheck: false }],
      publicAddresses: [publicAddresses([[PUBLIC, '10.0.1.9', 1]])]
    }
  }

  /** Control's word: who owns which slot, among those that live. */
  assign (owners: readonly number[]): void {
    this.owners = owners
    this.epoch++
    const nodes = [...this.labs.keys()]
    for (const lab of this.labs.values()) {
      lab.toWorker.push({
        kind: 'tables',
        revision: this.epoch + 1,
        hostGroups: [
          { hostIndex: GROUP, kind: HOST_GROUP_SHARD, members: Uint32Array.from(owners) }
        ],
        shards: [{
          eniIdHigh: ENI_HIGH,
          eniIdLow: NAT,
          epoch: this.epoch,
          owners: Uint32Array.from(owners),
          replicas: Uint32Array.from(nodes),
          joinedEpochs: new Uint32Array(nodes.length),
          addresses: addressWords('10.0.1.9')
        }]
      })
    }
    this.settle()
  }

  /** Lets the nodes talk until nobody has anything to say. @returns what left for elsewhere */
  settle (): { host: number, sent: Sent }[] {
    const left: { host: number, sent: Sent }[] = []
    for (let turn = 0; turn < 40; turn++) {
      for (const [host, lab] of this.labs) {
        lab.pass()
        for (const sent of lab.takeSent()) {
          const peer = sent.outer === null ? undefined : this.labs.get(sent.outer.peer)
          if (peer === undefined) left.push({ host, sent })
          else this.#carry(host, peer, sent)
        }
      }
    }
    return left
  }

  #carry (from: number, to: Lab, sent: Sent): void {
    const header = sent.outer?.header ?? new Uint8Array(0)
    const packet = new Uint8Array(header.length + sent.packet.length)
    packet.set(header)
    packet.set(sent.packet, header.length)
    to.nic.feed({ nicPort: PORT_UNDERLAY, source: addressWords(hostAddress(from)), packet })
  }

  ownerOf (port: number, protocol = PROTOCOL_TCP, outside = OUTSIDE): number {
    const [w0, w1, w2, w3] = addressWords(outside)
    return this.owners[
      shardSlot(w0 | 0, w1 | 0, w2 | 0, w3 | 0, port, protocol, ENI_HIGH | 0, NAT, 3)]
  }

  lab (host: number): Lab {
    const lab = this.labs.get(host)
    if (lab === undefined) throw new Error(`host ${String(host)} is down`)
    return lab
  }

  /** What an ENI of the compute host sends through the gateway, to the owner of its slot. */
  out (inner: Uint8Array, host: number, eni = 1): Sent[] {
    this.lab(host).nic.feed({
      nicPort: PORT_UNDERLAY,
      source: addressWords(hostAddress(COMPUTE)),
      packet: vpcPacket(
        { vni: 100, sourceEni: [ENI_HIGH, eni], destinationEni: [ENI_HIGH, NAT] }, inner)
    })
    return this.settle().map(({ sent }) => sent)
  }

  /** What comes from the internet, by any edge. */
  back (packet: Uint8Array, host = 1): Sent[] {
    const lab = this.lab(host)
    lab.nic.feed({ nicPort: lab.loop.tables.uplinkNicPort, packet })
    return this.settle().map(({ sent }) => sent)
  }

  drops (): Record<string, number> {
    return Object.assign({}, ...[...this.labs.values()].map((lab) => lab.drops())) as
      Record<string, number>
  }
}

const syn = (srcPort = 5000, dstPort = 80, src = '10.0.2.10'): Uint8Array => ipPacket(
  { src, dst: OUTSIDE, srcPort, dstPort, tcpFlags: TCP_FLAG_SYN, payloadBytes: 0 })
const sourcePort = (packet: Uint8Array): number => readU16(packet, 20)
const destinationPort = (packet: Uint8Array): number => readU16(packet, 22)

test('a connection goes out with the gateway\'s address and comes back to its instance', (t) => {
  const world = new World()
  const [sent] = world.out(syn(), world.ownerOf(80))
  check(t, sent.packet, srcIs(PUBLIC), dstIs(OUTSIDE), ttlIs(63), goodChecksums())
  t.is(sent.outer, null, 'to the uplink')
  const port = sourcePort(sent.packet)
  t.true(port >= NAT_PORT_MIN)
  for (const edge of NODES) {
    const [answer] = world.back(ipPacket({ src: OUTSIDE, dst: PUBLIC, srcPort: 80, dstPort: port,
      tcpFlags: TCP_FLAG_SYN | TCP_FLAG_ACK, payloadBytes: 0 }), edge)
    t.is(answer.outer?.peer, COMPUTE, 'whichever edge it comes by')
    check(t, answer.packet, srcIs(OUTSIDE), dstIs('10.0.2.10'), goodChecksums())
    t.is(destinationPort(answer.packet), 5000)
  }
  t.deepEqual(world.drops(), {})
})

test('the first packet waits until every other node has the flow', (t) => {
  const world = new World()
  const owner = world.ownerOf(80)
  const lab = world.lab(owner)
  lab.nic.feed({
    nicPort: PORT_UNDERLAY,
    source: addressWords(hostAddress(COMPUTE)),
    packet: vpcPacket(
      { vni: 100, sourceEni: [ENI_HIGH, 1], destinationEni: [ENI_HIGH, NAT] }, syn())
  })
  lab.pass()
  lab.pass()
  const sent = lab.takeSent()
  t.true(sent.length > 0 && sent.every(({ outer }) => outer !== null && outer.peer <= 3),
    'messages to other nodes, and nothing to the internet')
  t.is(lab.loop.router.node.holding.count, 1)
})

test('flows to one destination have ports of their own, whoever opens them', (t) => {
  const world = new World()
  const owner = world.ownerOf(80)
  const ports = Array.from({ length: 40 }, (_n, index) => {
    const [sent] = world.out(syn(5000 + (index >> 1), 80, `10.0.2.${String(10 + (index & 1))}`),
      owner, 1 + (index & 1))
    return sourcePort(sent.packet)
  })
  t.is(new Set(ports).size, 40)
})

test('when a node dies its flows go on at another one, with the same ports', (t) => {
  const world = new World()
  const owner = world.ownerOf(80)
  const before = world.out(syn(), owner).map(({ packet }) => sourcePort(packet))
  world.labs.delete(owner)
  const heir = NODES.find((node) => node !== owner) ?? 0
  world.assign(world.owners.map((node) => node === owner ? heir : node))
  t.is(world.ownerOf(80), heir)
  const data = ipPacket({ src: '10.0.2.10', dst: OUTSIDE, srcPort: 5000, dstPort: 80 })
  t.deepEqual(world.out(data, heir).map(({ packet }) => sourcePort(packet)), before)
  const [answer] = world.back(ipPacket(
    { src: OUTSIDE, dst: PUBLIC, srcPort: 80, dstPort: before[0] }), heir)
  check(t, answer.packet, dstIs('10.0.2.10'), goodChecksums())
})

test('a single node carries flows alone, and says so', (t) => {
  const world = new World({ nodes: [2] })
  const [sent] = world.out(syn(), 2)
  check(t, sent.packet, srcIs(PUBLIC), goodChecksums())
  t.is(world.lab(2).loop.tables.hyperplane?.counts.alone, 1)
})

test('UDP and echo have flows; nothing else is carried', (t) => {
  const world = new World()
  const [datagram] = world.out(ipPacket({ src: '10.0.2.10', dst: OUTSIDE, protocol: PROTOCOL_UDP,
    srcPort: 4000, dstPort: 53 }), world.ownerOf(53, PROTOCOL_UDP))
  check(t, datagram.packet, srcIs(PUBLIC), goodChecksums())
  const [ping] = world.out(ipPacket({ src: '10.0.2.10', dst: OUTSIDE, protocol: PROTOCOL_ICMP,
    icmpId: 77 }), world.ownerOf(0, PROTOCOL_ICMP))
  check(t, ping.packet, srcIs(PUBLIC), goodChecksums())
  const id = readU16(ping.packet, 24)
  const [pong] = world.back(ipPacket(
    { src: OUTSIDE, dst: PUBLIC, protocol: PROTOCOL_ICMP, icmpType: 0, icmpId: id }))
  check(t, pong.packet, dstIs('10.0.2.10'), goodChecksums())
  t.is(readU16(pong.packet, 24), 77)
  const esp = ipPacket({ src: '10.0.2.10', dst: OUTSIDE, protocol: PROTOCOL_ESP })
  t.deepEqual(world.out(esp, 1), [])
  t.is(world.drops()[`${String(NAT)}/nat-protocol`], 1)
})

test('nothing is opened from outside, and the gateway does not answer ping', (t) => {
  const world = new World()
  t.deepEqual(world.back(ipPacket({ src: OUTSIDE, dst: PUBLIC, srcPort: 9, dstPort: 22,
    tcpFlags: TCP_FLAG_SYN })), [])
  t.deepEqual(world.back(ipPacket({ src: OUTSIDE, dst: PUBLIC, protocol: PROTOCOL_ICMP })), [])
})

test('an ICMP error about a flow goes to its instance and speaks of what that sent', (t) => {
  const world = new World()
  const inner = ipPacket({ src: '10.0.2.10', dst: OUTSIDE, protocol: PROTOCOL_UDP, srcPort: 4000,
    dstPort: 53, payloadBytes: 0 })
  const [sent] = world.out(inner, world.ownerOf(53, PROTOCOL_UDP))
  const error = icmpError('198.51.100.1', PUBLIC, sent.packet)
  const [answer] = world.back(error)
  check(t, answer.packet, srcIs('198.51.100.1'), dstIs('10.0.2.10'), goodChecksums())
  const quoted = answer.packet.slice(28)
  t.is(readU32(quoted, 12), addressWords('10.0.2.10')[3], 'quoted source')
  t.is(readU16(quoted, 20), 4000, 'quoted port')
  t.is(readU16(quoted, 26), readU16(inner, 26), 'quoted checksum')
})

/** Port unreachable about `packet`. */
function icmpError (src: string, dst: string, packet: Uint8Array): Uint8Array {
  const error = ipPacket({ src, dst, protocol: PROTOCOL_ICMP,
    icmpType: ICMP_DESTINATION_UNREACHABLE, payloadBytes: packet.length })
  error.set(packet, 28)
  error[21] = 3
  writeU16(error, 22, 0)
  let sum = 0
  for (let at = 20; at < error.length; at += 2) sum += (error[at] << 8) | (error[at + 1] ?? 0)
  writeU16(error, 22, ~checksumFold(sum) & 0xffff)
  return error
}

test('fragments: UDP\'s are carried after the first one, TCP\'s and ICMP\'s are not', (t) => {
  const world = new World()
  const owner = world.ownerOf(53, PROTOCOL_UDP)
  const common = { src: '10.0.2.10', dst: OUTSIDE, srcPort: 4000, dstPort: 53, identification: 9 }
  const first = world.out(ipPacket({ ...common, protocol: PROTOCOL_UDP, payloadBytes: 64,
    fragment: { offsetBytes: 0, more: true } }), owner)
  t.is(first.length, 1)
  const [later] = world.out(ipPacket({ ...common, protocol: PROTOCOL_UDP, payloadBytes: 64,
    fragment: { offsetBytes: 72, more: false } }), owner)
  check(t, later.packet, srcIs(PUBLIC))
  for (const protocol of [PROTOCOL_TCP, PROTOCOL_ICMP]) {
    t.deepEqual(world.out(ipPacket({ ...common, protocol,
      payloadBytes: protocol === PROTOCOL_TCP ? 60 : 64,
      fragment: { offsetBytes: 0, more: true } }), owner), [])
  }
  t.is(world.drops()[`${String(NAT)}/nat-fragment`], 2)
})

test('a packet of a connection that idled out is reset, not carried', (t) => {
  const world = new World()
  const owner = world.ownerOf(80)
  world.out(syn(), owner)
  for (const lab of world.labs.values()) lab.nowMs += NAT_IDLE_S * 1000 + 1000
  world.settle()
  const data = ipPacket({ src: '10.0.2.10', dst: OUTSIDE, srcPort: 5000, dstPort: 80 })
  const [reset] = world.out(data, owner)
  t.is(reset.outer?.peer, COMPUTE)
  check(t, reset.packet, srcIs(OUTSIDE), dstIs('10.0.2.10'), goodChecksums())
  t.is(reset.packet[33] & (TCP_FLAG_RST | 1), TCP_FLAG_RST, 'RST, no FIN')
  t.is(readU32(reset.packet, 24), readU32(data, 28), 'its sequence number is what was acknowledged')
  t.is(world.drops()[`${String(NAT)}/nat-idle`], 1)
})

test('what is too large is answered, from the router of the gateway\'s subnet', (t) => {
  const world = new World()
  const big = ipPacket({ src: '10.0.2.10', dst: OUTSIDE, protocol: PROTOCOL_UDP, srcPort: 4000,
    dstPort: 53, payloadBytes: 1600, dontFragment: true })
  const [answer] = world.out(big, world.ownerOf(53, PROTOCOL_UDP))
  t.is(answer.outer?.peer, COMPUTE)
  check(t, answer.packet, srcIs('10.0.1.1'), dstIs('10.0.2.10'), goodChecksums())
  t.is(readU16(answer.packet, 26), 1500, 'next-hop MTU')
  t.deepEqual(answer.packet.slice(28, 56), big.slice(0, 28), 'quoted as it was sent')
})

test('a SYN\'s MSS is lowered to what the internet takes', (t) => {
  const world = new World()
  const packet = ipPacket({ src: '10.0.2.10', dst: OUTSIDE, srcPort: 5000, dstPort: 80,
    tcpFlags: TCP_FLAG_SYN, payloadBytes: 4 })
  packet[32] = 6 << 4 // the payload is now an option: MSS 8961
  packet.set([2, 4, 0x23, 0x01], 40)
  writeU16(packet, 36, 0)
  const sum = pseudoHeaderSum(packet, 12, 8, PROTOCOL_TCP, 24)
  let whole = sum
  for (let at = 20; at < packet.length; at += 2) whole += readU16(packet, at)
  writeU16(packet, 36, ~checksumFold(whole) & 0xffff)
  const [sent] = world.out(packet, world.ownerOf(80))
  check(t, sent.packet, goodChecksums())
  t.is(readU16(sent.packet, 42), 1460)
})

test('a super-packet is translated by one rewrite of its headers', (t) => {
  const world = new World()
  const owner = world.ownerOf(80)
  const [opened] = world.out(syn(), owner)
  const inner = ipPacket({ src: '10.0.2.10', dst: OUTSIDE, srcPort: 5000, dstPort: 80,
    payloadBytes: 4000 })
  const pseudo = (packet: Uint8Array): number =>
    checksumFold(pseudoHeaderSum(packet, 12, 8, PROTOCOL_TCP, packet.length - 20))
  writeU16(inner, 36, pseudo(inner))
  world.lab(owner).nic.feed({
    nicPort: PORT_UNDERLAY,
    source: addressWords(hostAddress(COMPUTE)),
    packet: vpcPacket(
      { vni: 100, sourceEni: [ENI_HIGH, 1], destinationEni: [ENI_HIGH, NAT] }, inner),
    gsoType: GSO_TCPV4, gsoSize: 1000, segments: 4, csum: CSUM_NEEDED, csumField: 20 | (16 << 16)
  })
  const [{ sent }] = world.settle()
  check(t, sent.packet, srcIs(PUBLIC))
  t.is(sourcePort(sent.packet), sourcePort(opened.packet))
  t.is(sent.gsoSize, 1000)
  t.is(readU16(sent.packet, 36), pseudo(sent.packet))
})

test('the ACL of the gateway\'s subnet holds in both directions', (t) => {
  const deny = (index: number, inbound: string): PolicySpec => ({
    index, inbound: [{ peer: inbound, deny: true }, { peer: '0.0.0.0/0' }],
    outbound: [{ peer: '0.0.0.0/0' }]
  })
  const inward = new World({ acls: [deny(7, '10.0.2.0/24')], acl: 7 })
  t.deepEqual(inward.out(syn(), inward.ownerOf(80)), [])
  t.is(inward.drops()[`${String(NAT)}/network-acl-ingress`], 1)
  const answers = new World({ acls: [deny(7, '198.51.100.0/24')], acl: 7 })
  const [sent] = answers.out(syn(), answers.ownerOf(80))
  t.deepEqual(answers.back(ipPacket({ src: OUTSIDE, dst: PUBLIC, srcPort: 80,
    dstPort: sourcePort(sent.packet) })), [])
})

test('messages of a host that is no node are not believed', (t) => {
  const world = new World()
  const lab = world.lab(1)
  const message = new Uint8Array(64)
  message[1] = 0x80
  writeU16(message, 2, 0x88b5)
  writeU16(message, 8, 0x4850)
  writeU16(message, 10, 1)
  lab.nic.feed({ nicPort: PORT_UNDERLAY, source: addressWords('192.0.2.200'), packet: message })
  lab.pass()
  t.is(lab.drops()['0/bad-host'], 1)
})
