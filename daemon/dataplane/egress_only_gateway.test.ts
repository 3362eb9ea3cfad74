/**
 *     host 9: ENI 1 2001:db8:1:2::10 in a subnet    hosts 1 to 4: edges; 1, 2, 3  the internet
 *     with ::/0 to the egress-only gateway 50;      are the gateway's shard       2001:db8:ffff::10
 *     ENI 2 2001:db8:1:1::10 in one with ::/0 to the
 *     internet gateway 30, where there is one
 *
 * Four workers in memory; what one sends to another is fed to it.
 */
import test from 'ava'
import { PORT_UNDERLAY } from '../tun/descriptor.ts'
import { addressWords } from '../wire/address.ts'
import {
  PROTOCOL_ESP, PROTOCOL_ICMPV6, PROTOCOL_TCP, PROTOCOL_UDP
} from '../wire/ip_protocol.ts'
import { TCP_FLAG_ACK, TCP_FLAG_RST, TCP_FLAG_SYN } from '../wire/tcp.ts'
import { shardSlot } from './tables/host_table.ts'
import { NAT_IDLE_S } from './tables/nat_layout.ts'
import {
  HOST_GROUP_ANY, HOST_GROUP_SHARD, PORT_KIND_EGRESS_ONLY, PORT_KIND_INTERNET_GATEWAY
} from './tables/update.ts'
import { check, dstIs, goodChecksums, srcIs, ttlIs } from './testing/checker.ts'
import {
  buildTables, ENI_HIGH, GATEWAY_HIGH, hostAddress, Lab, publicAddresses
} from './testing/lab.ts'
import type { VpcSpec } from './testing/lab.ts'
import type { Sent } from './testing/memory_nic.ts'
import { ipPacket, vpcPacket } from './testing/packets.ts'

const EDGES = [1, 2, 3, 4] as const
const SHARD = [1, 2, 3] as const
const COMPUTE = 9
const SHARD_GROUP = 40
const EDGE_GROUP = 41
const IGW = 30
const EIGW = 50
const OUTSIDE = '2001:db8:ffff::10'
/** ICMPv6 types, RFC 4443. */
const UNREACHABLE = 1
const ECHO_REPLY = 129
const PRIVATE = '2001:db8:1:2::10'
const OPEN = '2001:db8:1:1::10'

const vpcOf = (hasInternetGateway: boolean): VpcSpec => ({
  vpc: 1,
  vni: 100,
  subnets: [
    { subnet: 11, cidrs: ['2001:db8:1:1::/64'],
      routes: [{ to: '2001:db8:1::/56', target: 'local' },
        { to: '::/0', target: { gateway: IGW } }] },
    { subnet: 12, cidrs: ['2001:db8:1:2::/64', '10.0.2.0/24'],
      routes: [{ to: '2001:db8:1::/56', target: 'local' },
        { to: '::/0', target: { gateway: EIGW } }] }
  ],
  enis: [
    { eni: 1, subnet: 12, host: COMPUTE, addresses: [PRIVATE, '10.0.2.10'] },
    { eni: 2, subnet: 11, host: COMPUTE, addresses: [OPEN] }
  ],
  gateways: [
    { gateway: EIGW, host: SHARD_GROUP, senders: EDGE_GROUP, mtu: 1500,
      kind: PORT_KIND_EGRESS_ONLY },
    ...hasInternetGateway
      ? [{ gateway: IGW, host: EDGE_GROUP, mtu: 1500, kind: PORT_KIND_INTERNET_GATEWAY }] : []
  ]
})

class World {
  readonly labs = new Map<number, Lab>()
  owners: readonly number[] = SHARD
  epoch = 0

  constructor (hasInternetGateway = false) {
    for (const host of EDGES) {
      const lab = new Lab({ host, natCapacity: 256 })
      lab.nowMs = host * 1000
      lab.apply({
        ...buildTables([vpcOf(hasInternetGateway)], COMPUTE, 1, host),
        hostGroups: [
          { hostIndex: SHARD_GROUP, kind: HOST_GROUP_SHARD, members: Uint32Array.from(SHARD) },
          { hostIndex: EDGE_GROUP, kind: HOST_GROUP_ANY, members: Uint32Array.from(EDGES) }
        ],
        publicAddresses: [publicAddresses([['2001:db8:1::/56', null, 1]])]
      })
      lab.toWorker.push(
        { kind: 'open-uplink', namespacePath: '/run/netns/internet', deviceName: 'edge' })
      lab.pass()
      lab.takeSent()
      this.labs.set(host, lab)
    }
    this.assign(SHARD)
  }

  /** Control's word: who owns which slot. */
  assign (owners: readonly number[]): void {
    this.owners = owners
    this.epoch++
    const nodes = SHARD.filter((host) => this.labs.has(host))
    for (const [host, lab] of this.labs) {
      lab.toWorker.push({
        kind: 'tables',
        revision: this.epoch + 1,
        hostGroups: [
          { hostIndex: SHARD_GROUP, kind: HOST_GROUP_SHARD, members: Uint32Array.from(owners) }
        ],
        shards: nodes.every((node) => node !== host) ? [] : [{
          eniIdHigh: GATEWAY_HIGH,
          eniIdLow: EIGW,
          epoch: this.epoch,
          owners: Uint32Array.from(owners),
          ownerEpochs: new Uint32Array(owners.length).fill(this.epoch),
          replicas: Uint32Array.from(nodes),
          joinedEpochs: new Uint32Array(nodes.length),
          addresses: new Uint32Array(0)
        }]
      })
    }
    this.settle()
  }

  /** Lets the edges talk until nobody has anything to say. @returns what left for elsewhere */
  settle (): Sent[] {
    const left: Sent[] = []
    for (let turn = 0; turn < 40; turn++) {
      for (const [host, lab] of this.labs) {
        lab.pass()
        for (const sent of lab.takeSent()) {
          const peer = sent.outer === null ? undefined : this.labs.get(sent.outer.peer)
          if (peer === undefined || sent.outer === null) {
            left.push(sent)
            continue
          }
          const packet = new Uint8Array(sent.outer.header.length + sent.packet.length)
          packet.set(sent.outer.header)
          packet.set(sent.packet, sent.outer.header.length)
          peer.nic.feed(
            { nicPort: PORT_UNDERLAY, source: addressWords(hostAddress(host)), packet })
        }
      }
    }
    return left
  }

  ownerOf (port: number, protocol = PROTOCOL_TCP): number {
    const [w0, w1, w2, w3] = addressWords(OUTSIDE)
    return this.owners[
      shardSlot(w0 | 0, w1 | 0, w2 | 0, w3 | 0, port, protocol, GATEWAY_HIGH | 0, EIGW, 3)]
  }

  lab (host: number): Lab {
    const lab = this.labs.get(host)
    if (lab === undefined) throw new Error(`host ${String(host)} is down`)
    return lab
  }

  /** What ENI 1 sends to the egress-only gateway, or another one to another gateway. */
  out (inner: Uint8Array, host: number, eni = 1, gateway = EIGW): Sent[] {
    this.lab(host).nic.feed({
      nicPort: PORT_UNDERLAY,
      source: addressWords(hostAddress(COMPUTE)),
      packet: vpcPacket(
        { vni: 100, sourceEni: [ENI_HIGH, eni], destinationEni: [GATEWAY_HIGH, gateway] }, inner)
    })
    return this.settle()
  }

  /** What comes from the internet, by any edge. */
  back (packet: Uint8Array, host = 1): Sent[] {
    const lab = this.lab(host)
    lab.nic.feed({ nicPort: lab.loop.tables.uplinkNicPort, packet })
    return this.settle()
  }

  drops (): Record<string, number> {
    return Object.assign({}, ...[...this.labs.values()].map((lab) => lab.drops())) as
      Record<string, number>
  }
}

const syn = ipPacket({ src: PRIVATE, dst: OUTSIDE, srcPort: 5000, dstPort: 80,
  tcpFlags: TCP_FLAG_SYN, payloadBytes: 0 })
const synAck = (dst: string, dstPort = 5000): Uint8Array => ipPacket({ src: OUTSIDE, dst,
  srcPort: 80, dstPort, tcpFlags: TCP_FLAG_SYN | TCP_FLAG_ACK, payloadBytes: 0, ttl: 60 })
const synIn = (dst: string): Uint8Array => ipPacket({ src: OUTSIDE, dst, srcPort: 9999,
  dstPort: 22, tcpFlags: TCP_FLAG_SYN, payloadBytes: 0 })

for (const hasInternetGateway of [false, true]) {
  const where = hasInternetGateway ? 'beside an internet gateway' : 'alone'

  test(`a connection goes out unchanged, and its answers come back by any edge, ${where}`, (t) => {
    const world = new World(hasInternetGateway)
    const [sent, ...more] = world.out(syn, world.ownerOf(80))
    t.is(more.length, 0)
    t.is(sent.outer, null, 'to the uplink')
    t.deepEqual(sent.packet, syn, 'nothing is changed')
    for (const edge of EDGES) {
      const [answer] = world.back(synAck(PRIVATE), edge)
      t.is(answer.outer?.peer, COMPUTE, 'whichever edge it comes by')
      check(t, answer.packet, srcIs(OUTSIDE), dstIs(PRIVATE), ttlIs(59), goodChecksums())
    }
    t.deepEqual(world.drops(), {})
  })

  test(`nothing is opened from outside, ${where}`, (t) => {
    const world = new World(hasInternetGateway)
    for (const edge of EDGES) t.deepEqual(world.back(synIn(PRIVATE), edge), [])
    t.deepEqual(world.back(ipPacket(
      { src: OUTSIDE, dst: PRIVATE, protocol: PROTOCOL_UDP, srcPort: 53, dstPort: 4000 })), [])
    t.deepEqual(world.back(ipPacket({ src: OUTSIDE, dst: PRIVATE, protocol: PROTOCOL_ICMPV6 })), [])
    const dropped = Object.entries(world.drops())
    t.true(dropped.length > 0 && dropped.every(([key]) => key === `${String(EIGW)}/nat-no-flow`))
  })
}

test('beside it, the internet gateway serves the subnets that lead there, either way', (t) => {
  const world = new World(true)
  const [entered] = world.back(synIn(OPEN), 4)
  t.is(entered.outer?.peer, COMPUTE)
  check(t, entered.packet, dstIs(OPEN), goodChecksums())
  const [left] = world.out(ipPacket({ src: OPEN, dst: OUTSIDE, srcPort: 22, dstPort: 9999 }), 1, 2,
    IGW)
  t.is(left.outer, null)
  t.deepEqual(world.drops(), {})
})

test('UDP and echo have flows; IPv4 and other protocols are not carried', (t) => {
  const world = new World()
  const datagram = ipPacket({ src: PRIVATE, dst: OUTSIDE, protocol: PROTOCOL_UDP, srcPort: 4000,
    dstPort: 53 })
  t.is(world.out(datagram, world.ownerOf(53, PROTOCOL_UDP)).length, 1)
  const [reply] = world.back(ipPacket({ src: OUTSIDE, dst: PRIVATE, protocol: PROTOCOL_UDP,
    srcPort: 53, dstPort: 4000 }), 4)
  check(t, reply.packet, dstIs(PRIVATE), goodChecksums())
  const ping = ipPacket({ src: PRIVATE, dst: OUTSIDE, protocol: PROTOCOL_ICMPV6, icmpId: 77 })
  t.is(world.out(ping, world.ownerOf(0, PROTOCOL_ICMPV6)).length, 1)
  const pong = (icmpId: number): Uint8Array => ipPacket({ src: OUTSIDE, dst: PRIVATE,
    protocol: PROTOCOL_ICMPV6, icmpType: ECHO_REPLY, icmpId })
  t.is(world.back(pong(77), 4)[0].outer?.peer, COMPUTE)
  t.deepEqual(world.back(pong(78), 4), [])
  t.deepEqual(world.out(
    ipPacket({ src: PRIVATE, dst: OUTSIDE, protocol: PROTOCOL_ESP }), 1), [])
  t.deepEqual(world.out(ipPacket({ src: '10.0.2.10', dst: '198.51.100.10' }), 1), [])
  t.is(world.drops()[`${String(EIGW)}/nat-protocol`], 2)
})

test('an ICMP error about a flow reaches its instance; about nothing, nobody', (t) => {
  const world = new World()
  const sent = ipPacket({ src: PRIVATE, dst: OUTSIDE, protocol: PROTOCOL_UDP, srcPort: 4000,
    dstPort: 53, payloadBytes: 8 })
  const other = ipPacket({ src: PRIVATE, dst: OUTSIDE, protocol: PROTOCOL_UDP, srcPort: 4001,
    dstPort: 53, payloadBytes: 8 })
  world.out(sent, world.ownerOf(53, PROTOCOL_UDP))
  world.settle()
  const answers = (quoted: Uint8Array): Sent[] => {
    const error = ipPacket({ src: OUTSIDE, dst: PRIVATE, protocol: PROTOCOL_ICMPV6,
      icmpType: UNREACHABLE, payloadBytes: quoted.length })
    error.set(quoted, 48)
    return world.back(error, 4)
  }
  t.deepEqual(answers(sent).map(({ outer }) => outer?.peer), [COMPUTE])
  t.deepEqual(answers(other), [])
})

test('only addresses of the VPC leave, and nothing for what the internet does not route', (t) => {
  const world = new World()
  t.deepEqual(world.out(ipPacket({ src: '2001:db8:9::1', dst: OUTSIDE, srcPort: 1, dstPort: 80,
    tcpFlags: TCP_FLAG_SYN }), world.ownerOf(80)), [])
  t.deepEqual(world.out(ipPacket({ src: PRIVATE, dst: 'fd00::1', srcPort: 1, dstPort: 80,
    tcpFlags: TCP_FLAG_SYN }), 1), [])
  t.deepEqual(Object.values(world.drops()), [1, 1])
})

test('a connection that idled out is reset inside and closed outside', (t) => {
  const world = new World()
  const owner = world.ownerOf(80)
  world.out(syn, owner)
  for (const lab of world.labs.values()) lab.nowMs += NAT_IDLE_S * 1000 + 1000
  world.settle()
  t.deepEqual(world.back(synAck(PRIVATE)), [])
  const [reset] = world.out(
    ipPacket({ src: PRIVATE, dst: OUTSIDE, srcPort: 5000, dstPort: 80 }), owner)
  t.is(reset.outer?.peer, COMPUTE)
  check(t, reset.packet, srcIs(OUTSIDE), dstIs(PRIVATE), goodChecksums())
  t.is(reset.packet[53] & TCP_FLAG_RST, TCP_FLAG_RST)
})

test('when a node dies its flows go on at another one', (t) => {
  const world = new World()
  const owner = world.ownerOf(80)
  world.out(syn, owner)
  world.labs.delete(owner)
  const heir = SHARD.find((node) => node !== owner) ?? 0
  world.assign(world.owners.map((node) => node === owner ? heir : node))
  t.is(world.back(synAck(PRIVATE), 4)[0].outer?.peer, COMPUTE)
  t.is(world.out(
    ipPacket({ src: PRIVATE, dst: OUTSIDE, srcPort: 5000, dstPort: 80 }), heir).length, 1)
})
