/**
 * Windows without a data plane: the agent of a host is one whose worker takes up at once what it is
 * told, and notes the packets of the test.
 */
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { systemClock } from '../base/clock.ts'
import { eniBits } from '../base/ids.ts'
import { DROP_NONE, DROP_SECURITY_GROUP_INGRESS } from '../dataplane/drop_reason.ts'
import { FlowRecorder } from '../dataplane/flow_records.ts'
import { PacketContext } from '../dataplane/packet.ts'
import { EGRESS, INGRESS } from '../dataplane/tables/flow_layout.ts'
import { PortTable } from '../dataplane/tables/port_table.ts'
import type { FlowRecordsMessage } from '../dataplane/tables/update.ts'
import type { CommitListener } from '../model/commit_feed.ts'
import { planCreateFlowLogs, planDeleteFlowLogs } from '../model/flow_log.ts'
import type { TrafficType } from '../model/flow_log.ts'
import { TestNetwork } from '../model/test_network.ts'
import { threadRegion } from '../tun/shared_memory.ts'
import { addressWords } from '../wire/address.ts'
import { BucketWriter } from './bucket_writer.ts'
import { FlowLogs } from './flow_logs.ts'
import { LogGroups } from './log_groups.ts'

const PORT = 1
const NOW_MS = Date.UTC(2026, 2, 1, 10, 20, 30)
const ENTRIES_MAX = 8

class World extends TestNetwork {
  readonly eniId: string
  readonly flowLogs: FlowLogs
  /** Stands while a window is open. */
  readonly markPath: string
  recorder: FlowRecorder | null = null
  readonly #ports = new PortTable()
  readonly #groupsPath: string
  #listener: CommitListener = () => undefined

  constructor (t: ExecutionContext) {
    super()
    const directory = mkdtempSync(join(tmpdir(), 'vpclab-flow-logs-'))
    t.teardown(() => { rmSync(directory, { recursive: true }) })
    this.markPath = join(directory, 'open_window')
    this.#groupsPath = join(directory, 'groups.sqlite')
    this.launch({ hostName: 'host-1' })
    this.eniId = this.view().list('networkInterface')[0]?.id ?? ''
    const { high, low } = eniBits(this.eniId)
    this.#ports.eniHigh[PORT] = high
    this.#ports.eniLow[PORT] = low
    this.flowLogs = this.#flowLogs()
    t.teardown(async () => { await this.flowLogs.stop() })
  }

  #flowLogs (): FlowLogs {
    const log = pino({ level: 'silent' })
    const agents = [{
      host: { id: 'host-1' }, compiler: { portOf: () => PORT },
      setFlowRecords: (message: FlowRecordsMessage) => { this.#takeUp(message) },
      share: (_name: string, bytes: number) => threadRegion(bytes)
    }]
    return new FlowLogs({
      agents: () => agents,
      replica: {
        snapshot: this.snapshot,
        transact: async (plan) => await this.transact(plan),
        onCommit: (listener) => {
          this.#listener = listener
          return { close: () => { this.#listener = () => undefined } }
        }
      },
      clock: { ...systemClock, nowMs: () => NOW_MS }, log,
      logGroups: new LogGroups(this.#groupsPath),
      bucketWriter: new BucketWriter({
        directory: `${this.markPath}.buckets`, spoolDirectory: `${this.markPath}.spool`, log
      }),
      windowS: 60, markPath: this.markPath, entriesMax: ENTRIES_MAX
    })
  }

  #takeUp (message: FlowRecordsMessage): void {
    if (message.table === null) {
      this.recorder = null
      return
    }
    this.recorder ??= new FlowRecorder(this.#ports, 1)
    this.recorder.configure(message, message.table as SharedArrayBuffer)
    this.recorder.nowMs = NOW_MS
  }

  /** As the EC2 API does it. */
  log (trafficType: TrafficType): string {
    const { ids: [id = ''] } = this.run(planCreateFlowLogs(this.view(), {
      resourceIds: [this.vpcId], resourceType: 'VPC', trafficType, destinationType: null,
      logDestination: null, logGroupName: 'flows', format: null, aggregationIntervalS: null,
      permissionArn: 'arn:aws:iam::111111111111:role/flow-logs', fileFormat: null,
      hiveCompatible: false, perHour: false, tags: {}
    }, this.context))
    this.#committed(id)
    return id
  }

  deleteLog (id: string): void {
    const previous = this.view().get('flowLog', id) ?? null
    this.run(planDeleteFlowLogs(this.view(), { flowLogIds: [id] }))
    this.#listener(this.snapshot.revision, [{ noun: 'flowLog', id, record: null, previous }])
  }

  #committed (id: string): void {
    const record = this.view().get('flowLog', id) ?? null
    this.#listener(this.snapshot.revision, [{ noun: 'flowLog', id, record, previous: null }])
  }

  /** A UDP packet between the ENI and 10.0.2.`host`. */
  pass (host: number, direction: number, reason = DROP_NONE): void {
    const p = new PacketContext()
    const own = addressWords(this.interfaceOf(this.eniId).privateIpAddresses[0] ?? '')[3] ?? 0
    const other = (addressWords('10.0.2.0')[3] ?? 0) + host
    p.protocol = 17
    p.src2 = 0xffff
    p.dst2 = 0xffff
    p.src3 = direction === EGRESS ? own : other
    p.dst3 = direction === EGRESS ? other : own
    this.recorder?.note(p, PORT, direction, reason, 1, 100)
  }

  /** Lines of a stream of the ENI. Precondition: the flow logs have stopped. */
  lines (type: string): string[] {
    const groups = new LogGroups(this.#groupsPath)
    const group = groups.group('111111111111', 'us-east-1', 'flows')
    const streams = group === undefined ? [] : groups.streams(group)
    const streamIds = streams.filter(({ name }) => name === `${this.eniId}-${type}`)
      .map(({ id }) => id)
    const events = groups.events({
      streamIds, startMs: 0, endMs: Infinity, from: null, towards: 'newer', limit: 100
    })
    groups.close()
    return events.map(({ message }) => message)
  }
}

/** Action and status of lines. */
function endsOf (lines: readonly string[]): string[] {
  return lines.map((line) => line.split(' ').slice(12).join(' '))
}

test('a window that is closed by the end of the daemon is delivered, by kind of traffic',
  async (t) => {
    const world = new World(t)
    await world.flowLogs.start()
    t.is(world.recorder, null, 'nothing is recorded while nothing is logged')
    world.log('ALL')
    await world.flowLogs.settled()
    world.log('REJECT')
    await world.flowLogs.settled()
    world.pass(4, EGRESS)
    world.pass(4, EGRESS)
    world.pass(5, INGRESS, DROP_SECURITY_GROUP_INGRESS)
    t.true(existsSync(world.markPath))
    await world.flowLogs.stop()
    t.false(existsSync(world.markPath))
    t.deepEqual(endsOf(world.lines('all')), ['- NODATA', 'ACCEPT OK', 'REJECT OK'])
    t.deepEqual(endsOf(world.lines('reject')), ['REJECT OK'])
    t.regex(world.lines('all')[1] ?? '', / 10\.0\.2\.4 0 0 17 2 200 /)
  })

test('what found no room in a window is told of', async (t) => {
  const world = new World(t)
  await world.flowLogs.start()
  world.log('ALL')
  await world.flowLogs.settled()
  for (let host = 1; host <= ENTRIES_MAX + 2; host++) world.pass(3 + host, EGRESS)
  await world.flowLogs.stop()
  t.deepEqual(endsOf(world.lines('all')),
    [...Array.from({ length: ENTRIES_MAX }, () => 'ACCEPT OK'), '- SKIPDATA'])
})

test('deleting a flow log delivers what there is, and ends the recording', async (t) => {
  const world = new World(t)
  await world.flowLogs.start()
  const id = world.log('ALL')
  await world.flowLogs.settled()
  world.pass(4, INGRESS)
  world.deleteLog(id)
  await world.flowLogs.settled()
  t.is(world.recorder, null)
  t.false(existsSync(world.markPath))
  await world.flowLogs.stop()
  t.deepEqual(endsOf(world.lines('all')), ['ACCEPT OK'])
})

test('a window that a killed daemon had open is told of by the next one', async (t) => {
  const world = new World(t)
  world.log('ALL')
  const lostSinceMs = NOW_MS - 5000
  writeFileSync(world.markPath, String(lostSinceMs))
  await world.flowLogs.start()
  world.pass(4, INGRESS)
  await world.flowLogs.stop()
  const lines = world.lines('all')
  t.deepEqual(endsOf(lines), ['- SKIPDATA', 'ACCEPT OK'])
  t.deepEqual(lines[0]?.split(' ').slice(10, 12),
    [String(lostSinceMs / 1000), String(NOW_MS / 1000)])
})
