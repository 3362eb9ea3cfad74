/**
 * What rules cost, in events: they are read for a conversation's first packet, and never again for
 * its packets, however many there are (bench/policy.ts has the seconds).
 *
 *     host 1 (this)                           host 2
 *     ENI 1  10.0.1.10  groups 1 and 2        ENI 2  10.0.2.20
 */
import test from 'ava'
import { PROTOCOL_TCP } from '../wire/ip_protocol.ts'
import { TCP_FLAG_ACK, TCP_FLAG_SYN } from '../wire/tcp.ts'
import { PORT_UNDERLAY } from '../tun/descriptor.ts'
import { addressWords } from '../wire/address.ts'
import { COUNT_FAST_PATH, COUNT_SLOW_PATH } from './counters.ts'
import { RuleList } from './tables/rule_list.ts'
import { buildTables, ENI_HIGH, hostAddress, Lab } from './testing/lab.ts'
import type { PolicySpec, RuleSpec, VpcSpec } from './testing/lab.ts'
import { ipPacket, vpcPacket } from './testing/packets.ts'

const VNI = 100
const PACKETS = 50
const LOCAL = '10.0.1.10'
const REMOTE = '10.0.2.20'
const TRACKED: RuleSpec = { protocol: PROTOCOL_TCP, from: 80, peer: '10.0.0.0/16' }
const OTHER: RuleSpec = { protocol: PROTOCOL_TCP, from: 81, peer: { group: 2 } }
const ALL: RuleSpec = { peer: '0.0.0.0/0' }
const ACL: PolicySpec = { index: 1, inbound: [ALL], outbound: [OTHER, ALL] }

function vpcOf (last: RuleSpec): VpcSpec {
  return {
    vpc: 1,
    vni: VNI,
    subnets: [1, 2].map((subnet) => ({
      subnet, cidrs: [`10.0.${String(subnet)}.0/24`], networkAcl: ACL.index,
      routes: [{ to: '10.0.0.0/16', target: 'local' }]
    })),
    enis: [
      { eni: 1, subnet: 1, host: 1, addresses: [LOCAL], groups: [1, 2] },
      { eni: 2, subnet: 2, host: 2, addresses: [REMOTE], groups: [2] }
    ],
    groups: [
      { index: 1, inbound: [], outbound: [OTHER] },
      { index: 2, inbound: last === ALL ? [ALL] : [], outbound: [OTHER, last] }
    ],
    networkAcls: [ACL]
  }
}

/** Counts how often a list of rules is read from here on, until the test ends. */
function countReadings (restore: (undo: () => void) => void): { count: number } {
  const readings = { count: 0 }
  const next = Reflect.get<RuleList, 'next'>(RuleList.prototype, 'next')
  RuleList.prototype.next = function (...args: Parameters<RuleList['next']>): number {
    readings.count++
    return next.apply(this, args)
  }
  restore(() => { RuleList.prototype.next = next })
  return readings
}

function leave (lab: Lab, tcpFlags: number): void {
  lab.nic.feed({
    nicPort: lab.nicPort(1),
    packet: ipPacket({ src: LOCAL, dst: REMOTE, protocol: PROTOCOL_TCP, tcpFlags })
  })
  lab.pass()
}

function enter (lab: Lab, tcpFlags: number): void {
  lab.nic.feed({
    nicPort: PORT_UNDERLAY,
    source: addressWords(hostAddress(2)),
    packet: vpcPacket({ vni: VNI, sourceEni: [ENI_HIGH, 2], destinationEni: [ENI_HIGH, 1] },
      ipPacket({ src: REMOTE, dst: LOCAL, protocol: PROTOCOL_TCP, srcPort: 80, dstPort: 40_000,
        tcpFlags }))
  })
  lab.pass()
}

for (const [name, last] of [['a tracked', TRACKED], ['an untracked', ALL]] as const) {
  test.serial(`no rule is read for the packets of ${name} connection that stands`, (t) => {
    const lab = new Lab()
    lab.apply(buildTables([vpcOf(last)], 2))
    const readings = countReadings((undo) => { t.teardown(undo) })
    leave(lab, TCP_FLAG_SYN)
    t.true(readings.count > 0, 'the first packet is judged')
    enter(lab, TCP_FLAG_SYN | TCP_FLAG_ACK)
    leave(lab, TCP_FLAG_ACK)
    enter(lab, TCP_FLAG_ACK)
    t.is(lab.takeSent().length, 4)

    const before = readings.count
    const { counters } = lab.loop.router
    const [fast, slow] = [counters.words[COUNT_FAST_PATH], counters.words[COUNT_SLOW_PATH]]
    for (let packet = 0; packet < PACKETS; packet++) {
      leave(lab, TCP_FLAG_ACK)
      enter(lab, TCP_FLAG_ACK)
    }
    t.is(lab.takeSent().length, 2 * PACKETS)
    t.is(readings.count - before, 0, 'rules are not read')
    t.is(counters.words[COUNT_FAST_PATH] - fast, 2 * PACKETS)
    t.is(counters.words[COUNT_SLOW_PATH] - slow, 0)
  })
}

test.serial('a changed rule costs one look more at each direction of a tracked connection', (t) => {
  const lab = new Lab()
  lab.apply(buildTables([vpcOf(TRACKED)], 2))
  leave(lab, TCP_FLAG_SYN)
  enter(lab, TCP_FLAG_SYN | TCP_FLAG_ACK)
  const readings = countReadings((undo) => { t.teardown(undo) })
  lab.toWorker.push(buildTables([vpcOf(TRACKED)], 2, 2))
  for (let packet = 0; packet < PACKETS; packet++) {
    leave(lab, TCP_FLAG_ACK)
    enter(lab, TCP_FLAG_ACK)
  }
  // The ACL, once each way. The group has tracked the connection and is not asked.
  t.is(readings.count, 2)
})
