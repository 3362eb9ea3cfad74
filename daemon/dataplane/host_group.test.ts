/**
 *     host 1 (this)              hosts 2, 3, 4: group 20 (any), group 21 (shard of three slots)
 *     ENI 1  10.0.1.10 ──▶ gateway 9 of group 20
 *                      ──▶ ENI 5 10.0.2.50 of group 21
 */
import test from 'ava'
import { PORT_UNDERLAY } from '../tun/descriptor.ts'
import { addressWords } from '../wire/address.ts'
import { readU16 } from '../wire/bytes.ts'
import { PROTOCOL_UDP } from '../wire/ip_protocol.ts'
import {
  buildTables, ENI_HIGH, GATEWAY_HIGH, hostAddress, Lab, THIS_HOST
} from './testing/lab.ts'
import type { VpcSpec } from './testing/lab.ts'
import { ipPacket, vpcPacket } from './testing/packets.ts'
import { shardSlot } from './tables/host_table.ts'
import { HOST_GROUP_ANY, HOST_GROUP_SHARD } from './tables/update.ts'

const ANY = 20
const SHARD = 21

const VPC: VpcSpec = {
  vpc: 1,
  vni: 100,
  subnets: [
    { subnet: 11, cidrs: ['10.0.1.0/24'], routers: { ipv4: '10.0.1.1' }, routes: [
      { to: '10.0.0.0/16', target: 'local' },
      { to: '0.0.0.0/0', target: { gateway: 9 } },
      { to: '198.18.0.0/15', target: { eni: 5 } }
    ] },
    { subnet: 12, cidrs: ['10.0.2.0/24'], routes: [{ to: '10.0.0.0/16', target: 'local' }] }
  ],
  enis: [
    { eni: 1, subnet: 11, host: THIS_HOST, addresses: ['10.0.1.10'] },
    { eni: 5, subnet: 12, host: SHARD, addresses: ['10.0.2.50'] }
  ],
  gateways: [{ gateway: 9, host: ANY, mtu: 1500 }]
}

function newLab (any: readonly number[] = [2, 3, 4], shard: readonly number[] = [2, 3, 4]): Lab {
  const lab = new Lab()
  lab.apply({
    ...buildTables([VPC], 4),
    hostGroups: [
      { hostIndex: ANY, kind: HOST_GROUP_ANY, members: Uint32Array.from(any) },
      { hostIndex: SHARD, kind: HOST_GROUP_SHARD, members: Uint32Array.from(shard) }
    ]
  })
  lab.takeSent()
  return lab
}

/** Hosts that packets from ENI 1 go to, one for each source port. */
function peers (lab: Lab, dst: string, srcPorts: readonly number[], dstPort = 80): number[] {
  return srcPorts.map((srcPort) => {
    lab.nic.feed({
      nicPort: lab.nicPort(1),
      packet: ipPacket({ src: '10.0.1.10', dst, srcPort, dstPort, protocol: PROTOCOL_UDP })
    })
    lab.pass()
    return lab.takeSent()[0]?.outer?.peer ?? 0
  })
}

const MANY = Array.from({ length: 60 }, (_none, index) => 40_000 + index)

test('flows to a group of which any member serves spread, and each keeps its member', (t) => {
  const lab = newLab()
  const first = peers(lab, '198.51.100.10', MANY)
  t.deepEqual([...new Set(first)].sort(), [2, 3, 4])
  t.deepEqual(peers(lab, '198.51.100.10', MANY), first)
  t.deepEqual(lab.drops(), {})
})

test('the flows of a resource to one destination meet in one slot of its shard', (t) => {
  const lab = newLab()
  t.is(new Set(peers(lab, '198.18.0.1', MANY)).size, 1)
  const byPort = MANY.map((port) => peers(lab, '198.18.0.1', [40_000], port)[0])
  t.deepEqual([...new Set(byPort)].sort(), [2, 3, 4])
})

test('what comes to an address of the resource meets the flows that went out by it', (t) => {
  const lab = newLab()
  const words = addressWords('10.0.1.10')
  for (const port of MANY) {
    // To 10.0.2.50 itself: the outside end is the sender.
    const slot = shardSlot(words[0] | 0, words[1] | 0, words[2] | 0, words[3] | 0, port,
      PROTOCOL_UDP, ENI_HIGH, 5, 3)
    t.is(peers(lab, '10.0.2.50', [port])[0], slot + 2)
  }
})

test('when members change, cached picks are made again', (t) => {
  const lab = newLab()
  peers(lab, '198.51.100.10', MANY)
  lab.toWorker.push({ kind: 'tables', revision: 2, hostGroups: [
    { hostIndex: ANY, kind: HOST_GROUP_ANY, members: Uint32Array.of(3) }
  ] })
  t.deepEqual([...new Set(peers(lab, '198.51.100.10', MANY))], [3])
  lab.toWorker.push({ kind: 'tables', revision: 3, hostGroups: [
    { hostIndex: ANY, kind: HOST_GROUP_ANY, members: new Uint32Array(0) }
  ] })
  t.deepEqual(peers(lab, '198.51.100.10', [40_000]), [0])
  t.deepEqual(lab.drops(), { '1/gateway-down': 1 })
})

test('a packet larger than the gateway takes is answered by its MTU', (t) => {
  const lab = newLab()
  const send = (payloadBytes: number, dontFragment: boolean): number => {
    lab.nic.feed({ nicPort: lab.nicPort(1), packet: ipPacket({
      src: '10.0.1.10', dst: '198.51.100.10', protocol: PROTOCOL_UDP, payloadBytes, dontFragment
    }) })
    lab.pass()
    const sent = lab.takeSent()
    const answer = sent.find(({ outer }) => outer === null)
    return answer === undefined ? -sent.length
      : readU16(answer.packet, 26)
  }
  t.is(send(1472, true), -1)
  t.is(send(1473, true), 1500)
  t.is(send(1473, false), -2, 'in two fragments')
})

test('each member of a group may speak for the resource, and nobody else', (t) => {
  for (const [host, source, drop] of [
    [2, 'gateway', null], [4, 'gateway', null], [2, 'eni', null], [4, 'eni', null],
    [5, 'gateway', 'bad-host'], [5, 'eni', 'bad-host']
  ] as const) {
    const lab = newLab()
    const src = source === 'gateway' ? '198.51.100.10' : '10.0.2.50'
    lab.nic.feed({
      nicPort: PORT_UNDERLAY,
      source: addressWords(hostAddress(host)),
      packet: vpcPacket({
        vni: 100,
        sourceEni: source === 'gateway' ? [GATEWAY_HIGH, 9] : [ENI_HIGH, 5],
        destinationEni: [ENI_HIGH, 1]
      }, ipPacket({ src, dst: '10.0.1.10' }))
    })
    lab.pass()
    t.is(lab.takeSent().length, drop === null ? 1 : 0, `host ${String(host)}, ${source}`)
    t.deepEqual(lab.drops(), drop === null ? {} : { [`1/${drop}`]: 1 })
  }
})
