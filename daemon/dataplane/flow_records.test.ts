import test from 'ava'
import { assert } from '../base/assert.ts'
import { TCP_FLAG_ACK, TCP_FLAG_FIN, TCP_FLAG_PSH, TCP_FLAG_SYN } from '../wire/tcp.ts'
import {
  DROP_BLACKHOLE, DROP_DESTINATION_CHECK, DROP_NETWORK_ACL_EGRESS, DROP_NONE,
  DROP_SECURITY_GROUP_INGRESS, DROP_SOURCE_SPOOFED
} from './drop_reason.ts'
import { FlowRecordTable, FlowRecorder, VERDICT_ACCEPT, VERDICT_REJECT } from './flow_records.ts'
import type { FlowRecord } from './flow_records.ts'
import { PacketContext } from './packet.ts'
import { EGRESS, INGRESS } from './tables/flow_layout.ts'
import { PortTable } from './tables/port_table.ts'

const PORT = 3
const OTHER_PORT = 4
const NOW_MS = 1_700_000_000_000

interface World { readonly table: FlowRecordTable, readonly recorder: FlowRecorder }

function open (entriesMax = 64): World {
  const table = new FlowRecordTable(entriesMax)
  const recorder = new FlowRecorder(new PortTable(), 1)
  take(recorder, table, 1)
  recorder.nowMs = NOW_MS
  return { table, recorder }
}

function take (recorder: FlowRecorder, table: FlowRecordTable, epoch: number): void {
  recorder.configure({
    kind: 'flow-records', epoch, table: table.memory, entriesMax: table.entriesMax,
    ports: Int32Array.of(PORT)
  }, table.memory as SharedArrayBuffer)
}

/** A TCP packet from 10.0.0.1 to 10.0.0.`to`. */
function packet (to = 2, tcpFlags = TCP_FLAG_ACK): PacketContext {
  const p = new PacketContext()
  p.protocol = 6
  p.tcpFlags = tcpFlags
  p.src2 = 0xffff
  p.src3 = 0x0a000001
  p.dst2 = 0xffff
  p.dst3 = 0x0a000000 | to
  p.ports = (40_000 << 16) | 80
  return p
}

function only (table: FlowRecordTable): FlowRecord {
  const [record, ...more] = table.records()
  assert(more.length === 0, 'there is one record')
  return record
}

test('a conversation is one entry that counts packets, bytes, flags and times', (t) => {
  const { table, recorder } = open()
  recorder.note(packet(2, TCP_FLAG_SYN), PORT, EGRESS, DROP_NONE, 1, 60)
  recorder.note(packet(2, TCP_FLAG_ACK), PORT, EGRESS, DROP_NONE, 40, 60_000)
  recorder.nowMs = NOW_MS + 5000
  recorder.note(packet(2, TCP_FLAG_ACK | TCP_FLAG_FIN), PORT, EGRESS, DROP_NONE, 1, 52)
  const { packets, bytes, tcpFlags, firstMs, lastMs, sourcePort, destinationPort, verdict } =
    only(table)
  t.deepEqual({ packets, bytes, tcpFlags, firstMs, lastMs }, {
    packets: 42, bytes: 60_112, tcpFlags: 3, firstMs: NOW_MS, lastMs: NOW_MS + 5000
  })
  t.deepEqual([sourcePort, destinationPort, verdict], [40_000, 80, VERDICT_ACCEPT])
})

test('an ACK counts only beside a SYN', (t) => {
  const { table, recorder } = open()
  recorder.note(packet(2, TCP_FLAG_SYN | TCP_FLAG_ACK), PORT, INGRESS, DROP_NONE, 1, 60)
  recorder.note(packet(3, TCP_FLAG_ACK), PORT, INGRESS, DROP_NONE, 1, 52)
  recorder.note(packet(4, TCP_FLAG_ACK | TCP_FLAG_PSH), PORT, INGRESS, DROP_NONE, 1, 90)
  t.deepEqual([...table.records()].map(({ tcpFlags }) => tcpFlags), [18, 0, 8])
})

test('ICMP of two addresses is one conversation without ports', (t) => {
  const { table, recorder } = open()
  for (const identifier of [1, 2]) {
    const p = packet()
    p.protocol = 1
    p.ports = (identifier << 16) | identifier
    recorder.note(p, PORT, EGRESS, DROP_NONE, 1, 84)
  }
  const { packets, sourcePort, destinationPort } = only(table)
  t.deepEqual([packets, sourcePort, destinationPort], [2, 0, 0])
})

test('only groups and ACLs refuse, and what they were not asked about is not noted', (t) => {
  const { table, recorder } = open()
  recorder.note(packet(2), PORT, INGRESS, DROP_SECURITY_GROUP_INGRESS, 1, 60)
  recorder.note(packet(3), PORT, EGRESS, DROP_NETWORK_ACL_EGRESS, 1, 60)
  recorder.note(packet(4), PORT, EGRESS, DROP_BLACKHOLE, 1, 60)
  recorder.note(packet(5), PORT, EGRESS, DROP_SOURCE_SPOOFED, 1, 60)
  recorder.note(packet(6), PORT, INGRESS, DROP_DESTINATION_CHECK, 1, 60)
  recorder.note(packet(7), OTHER_PORT, EGRESS, DROP_NONE, 1, 60)
  t.deepEqual([...table.records()].map(({ verdict, direction }) => [verdict, direction]),
    [[VERDICT_REJECT, INGRESS], [VERDICT_REJECT, EGRESS], [VERDICT_ACCEPT, EGRESS]])
})

test('a full table counts what it loses, and a scan does not push out what is accepted', (t) => {
  const { table, recorder } = open(64)
  for (let to = 1; to <= 40; to++) {
    recorder.note(packet(to), PORT, INGRESS, DROP_SECURITY_GROUP_INGRESS, 2, 60)
  }
  t.is([...table.records()].length, 16)
  t.is(table.lost(PORT), 24 * 2)
  for (let to = 1; to <= 48; to++) recorder.note(packet(to), PORT, INGRESS, DROP_NONE, 1, 60)
  t.is([...table.records()].length, 64)
  t.is(table.lost(PORT), 48)
  recorder.note(packet(60), PORT, INGRESS, DROP_NONE, 3, 60)
  t.is(table.lost(PORT), 51)
})

test('a new worker goes on in the table, another table starts empty', (t) => {
  const { table, recorder } = open()
  recorder.note(packet(), PORT, EGRESS, DROP_NONE, 1, 60)
  const next = new FlowRecorder(new PortTable(), 1)
  take(next, table, 2)
  t.is(table.epoch, 2)
  next.note(packet(), PORT, EGRESS, DROP_NONE, 2, 120)
  t.is(only(table).packets, 3)
  const other = new FlowRecordTable(64)
  take(next, other, 3)
  next.note(packet(), PORT, EGRESS, DROP_NONE, 5, 300)
  t.is(only(table).packets, 3)
  t.is(only(other).packets, 5)
  table.clear()
  t.deepEqual([...table.records()], [])
})
