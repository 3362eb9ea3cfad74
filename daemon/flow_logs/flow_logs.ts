/**
 * Flow logs at work: windows open and close on every host at once, and what a closed window holds
 * becomes lines.
 *
 *     records ─ watchedInterfaces ─▶ what to watch ─▶ FlowRecordsMessage ─▶ workers
 *                                                          │ entries (dataplane/flow_records.ts)
 *     window closes: tables are exchanged ◀────────────────┘
 *       └─▶ lines per flow log ─▶ log groups at once; buckets every WINDOWS_PER_FILE windows
 *
 * An interface of a current instance family has windows of 60 s whatever interval a flow log asks
 * for (VPC User Guide, "Aggregation interval"); so has every one here. `vpcd
 * --flow-log-interval` makes windows shorter for teaching and tests, and files with them.
 *
 * A window also closes when a flow log is made or deleted, so that the first holds nothing from
 * before and the last is not lost. Tables belong to this thread and outlive a worker. A daemon that
 * is stopped closes its window; one that is killed loses it, and the next one says so (SKIPDATA):
 * it finds the mark that stands in a file while a window is open.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { Clock } from '../base/clock.ts'
import { eniIdFromBits } from '../base/ids.ts'
import {
  FlowRecordTable, RECORD_ENTRIES_MAX, recordTableBytes, VERDICT_ACCEPT
} from '../dataplane/flow_records.ts'
import type { FlowRecord } from '../dataplane/flow_records.ts'
import type { FlowRecordsMessage } from '../dataplane/tables/update.ts'
import type { AppliedChange } from '../model/commit_feed.ts'
import { planFlowLogDelivery } from '../model/flow_log.ts'
import type { FlowLog } from '../model/flow_log.ts'
import type { SharedRegion } from '../tun/shared_memory.ts'
import type { Log } from '../observe/log.ts'
import type { Replica } from '../store/replica.ts'
import type { BucketWriter } from './bucket_writer.ts'
import { LineFormat, describeFlow } from './line.ts'
import type { Window } from './line.ts'
import type { LogBatch, LogGroups } from './log_groups.ts'
import { watchedInterfaces } from './watched.ts'
import type { Watched } from './watched.ts'

/** AWS publishes to a bucket every five minutes. */
const WINDOWS_PER_FILE = 5
/** How long a worker may take to exchange tables. */
const EXCHANGE_MS_MAX = 5000
/** Entries that are made lines before other work gets its turn. */
const TURN_ENTRIES = 2000

/** What flow logs need of a host's agent. */
interface RecordingAgent {
  readonly host: { readonly id: string }
  readonly compiler: { portOf(eniId: string): number }
  setFlowRecords(message: FlowRecordsMessage): void
  /** Memory that the host's worker can map; the same again for the same name. */
  share(name: string, bytes: number): SharedRegion
}

export interface FlowLogsOptions {
  readonly agents: () => readonly RecordingAgent[]
  readonly replica: Pick<Replica, 'onCommit' | 'snapshot' | 'transact'>
  readonly clock: Clock
  readonly log: Log
  readonly logGroups: LogGroups
  readonly bucketWriter: BucketWriter
  /** Length of a window, seconds. */
  readonly windowS: number
  /** File that says since when a window is open. Its directory is that of the log groups. */
  readonly markPath: string
  /** Entries of a host's table; RECORD_ENTRIES_MAX by default. */
  readonly entriesMax?: number
}

/** One host: two tables, one of which its worker writes. */
interface Source {
  readonly agent: RecordingAgent
  table: FlowRecordTable
  spare: FlowRecordTable
  epoch: number
  /** Ports of the open window and the interfaces they stand for. */
  ports: Map<number, string>
}

interface OpenWindow {
  readonly startMs: number
  /** By ENI id; whoever was watched at some time of the window. */
  readonly watched: Map<string, Watched>
}

/** A table that no worker writes any more. */
interface Closed {
  readonly source: Source
  readonly table: FlowRecordTable
  readonly ports: ReadonlyMap<number, string>
}

export class FlowLogs {
  readonly #options: FlowLogsOptions
  readonly #sources = new Map<RecordingAgent, Source>()
  readonly #formats = new Map<string | null, LineFormat>()
  #window: OpenWindow = { startMs: 0, watched: new Map() }
  #subscription: { close(): void } | null = null
  #timer: NodeJS.Timeout | undefined
  #work: Promise<void> = Promise.resolve()
  #epoch = 0
  #windowCount = 0
  #isStopped = false
  /** A window that a killed daemon had open, ms since 1970; null when there was none. */
  #lostSinceMs: number | null = null

  constructor (options: FlowLogsOptions) {
    this.#options = options
  }

  /** Precondition: the agents run. */
  async start (): Promise<void> {
    const { replica, clock, bucketWriter } = this.#options
    await bucketWriter.open()
    const lostSinceMs = this.#readMark()
    this.#openWindow(clock.nowMs())
    this.#lostSinceMs = lostSinceMs
    this.#subscription = replica.onCommit((_revision, changes) => { this.#onCommit(changes) })
    this.#arm()
  }

  get logGroups (): LogGroups { return this.#options.logGroups }

  /**
   * Closes the window, waits for what is on its way, and closes the log groups. What is in the
   * spool stays there. Precondition: nobody asks for events any more.
   */
  async stop (): Promise<void> {
    if (this.#isStopped) return
    this.#isStopped = true
    this.#subscription?.close()
    clearTimeout(this.#timer)
    await this.#closeWindow()
    rmSync(this.#options.markPath, { force: true })
    this.logGroups.close()
  }

  #readMark (): number | null {
    try {
      return Number(readFileSync(this.#options.markPath, 'utf8'))
    } catch {
      return null // no window was open
    }
  }

  /** Resolves when the windows that are to be closed by now have been. */
  async settled (): Promise<void> { await this.#work }

  get #windowMs (): number { return this.#options.windowS * 1000 }

  /** Windows end at multiples of their length, as a person reads a clock. */
  #arm (): void {
    const nowMs = this.#options.clock.nowMs()
    this.#timer = setTimeout(() => {
      this.#windowCount++
      void this.#closeWindow().finally(() => { if (!this.#isStopped) this.#arm() })
    }, this.#windowMs - nowMs % this.#windowMs)
  }

  // ---------------------------------------------------------------------------- what is watched

  #onCommit (changes: readonly AppliedChange[]): void {
    const isNewSet = changes.some((change) =>
      change.noun === 'flowLog' && (change.record === null || change.previous === null))
    if (isNewSet) {
      void this.#closeWindow()
      return
    }
    if (this.#options.replica.snapshot.tables.flowLog.size === 0) return
    const isOfInterest = changes.some(({ noun }) =>
      noun === 'networkInterface' || noun === 'instance' || noun === 'vpc' || noun === 'subnet')
    if (isOfInterest) this.#watchMore()
  }

  /** The same window, with other interfaces: those that left are still known when it closes. */
  #watchMore (): void {
    const now = watchedInterfaces(this.#options.replica.snapshot)
    for (const [eniId, watched] of now) this.#window.watched.set(eniId, watched)
    this.#tellWorkers(now)
  }

  #openWindow (startMs: number): void {
    const watched = watchedInterfaces(this.#options.replica.snapshot)
    this.#window = { startMs, watched }
    if (watched.size > 0) writeFileSync(this.#options.markPath, String(startMs), { mode: 0o600 })
    else rmSync(this.#options.markPath, { force: true })
    this.#tellWorkers(watched)
  }

  #tellWorkers (watched: ReadonlyMap<string, Watched>): void {
    for (const agent of this.#options.agents()) {
      const ports = portsOf(agent, watched)
      const source = this.#sources.get(agent) ?? (ports.size > 0 ? this.#addSource(agent) : null)
      if (source !== null) this.#tell(source, ports)
    }
  }

  #addSource (agent: RecordingAgent): Source {
    const { entriesMax = RECORD_ENTRIES_MAX } = this.#options
    const source: Source = {
      agent, table: newTable(agent, 'records-1', entriesMax),
      spare: newTable(agent, 'records-2', entriesMax),
      epoch: 0, ports: new Map()
    }
    this.#sources.set(agent, source)
    return source
  }

  #tell (source: Source, ports: ReadonlyMap<number, string>): void {
    for (const [port, eniId] of ports) source.ports.set(port, eniId)
    source.epoch = ++this.#epoch
    source.agent.setFlowRecords({
      kind: 'flow-records', epoch: source.epoch, table: source.table.memory,
      entriesMax: source.table.entriesMax, ports: Int32Array.from(ports.keys())
    })
  }

  // ------------------------------------------------------------------------------ windows close

  /** One after the other; resolves when the lines are where they belong. */
  async #closeWindow (): Promise<void> {
    this.#work = this.#work.then(async () => { await this.#close() }).catch((error: unknown) => {
      this.#options.log.error({ err: error }, 'a window of the flow logs could not be closed')
    })
    await this.#work
  }

  async #close (): Promise<void> {
    const endMs = this.#options.clock.nowMs()
    const lostSinceMs = this.#lostSinceMs
    this.#lostSinceMs = null
    const window = { startMs: lostSinceMs ?? this.#window.startMs, endMs }
    const { watched } = this.#window
    const closed = this.#exchangeTables()
    this.#openWindow(endMs)
    await this.#takenUp()
    const lines = new LineCollector(watched, window, (format) => this.#format(format))
    for (const one of closed) await this.#collect(one, lines)
    if (lostSinceMs !== null) for (const eniId of watched.keys()) lines.skipped(eniId)
    lines.finish()
    await this.#deliver(lines)
    await this.#publish(lines, endMs)
    this.#release()
  }

  #exchangeTables (): Closed[] {
    return [...this.#sources.values()].map((source) => {
      const { table, ports } = source
      source.table = source.spare
      source.spare = table
      source.ports = new Map()
      return { source, table, ports }
    })
  }

  /** Resolves when every worker writes its new table, or it is not worth waiting. */
  async #takenUp (): Promise<void> {
    const { clock, log } = this.#options
    const deadlineMs = clock.monotonicMs() + EXCHANGE_MS_MAX
    for (;;) {
      const late = [...this.#sources.values()].find(({ table, epoch }) => table.epoch !== epoch)
      if (late === undefined) return
      if (clock.monotonicMs() > deadlineMs) {
        // What it still writes into the old table is found there when that one is next in use.
        log.warn({ host: late.agent.host.id }, 'a data plane is late with its flow records')
        return
      }
      await new Promise((resolve) => { setTimeout(resolve, 1) })
    }
  }

  async #collect ({ table, ports }: Closed, lines: LineCollector): Promise<void> {
    let entries = 0
    for (const record of table.records()) {
      lines.add(record)
      if (++entries % TURN_ENTRIES === 0) await new Promise((resolve) => { setImmediate(resolve) })
    }
    for (const [port, eniId] of ports) if (table.lost(port) > 0) lines.skipped(eniId)
    table.clear()
  }

  #format (format: string | null): LineFormat {
    const known = this.#formats.get(format) ?? new LineFormat(format)
    this.#formats.set(format, known)
    return known
  }

  // ---------------------------------------------------------------------------------- delivery

  async #deliver (lines: LineCollector): Promise<void> {
    for (const { flowLog, byEni } of lines.byFlowLog.values()) {
      let error: string | null = null
      try {
        if (flowLog.destination.type === 's3') await this.#toSpool(flowLog, byEni, lines)
        else this.#toLogGroup(flowLog, flowLog.destination.logGroupName, byEni)
      } catch (cause) {
        error = deliveryErrorOf(cause)
        this.#options.log.error({ err: cause, flowLog: flowLog.id },
          'lines of a flow log could not be delivered')
      }
      await this.#noteDelivery(flowLog.id, error)
    }
  }

  async #toSpool (
    flowLog: FlowLog, byEni: ReadonlyMap<string, readonly Line[]>, lines: LineCollector
  ): Promise<void> {
    const texts = [...byEni.values()].flat().map(({ text }) => text)
    const { header } = this.#format(flowLog.format)
    const isFull = await this.#options.bucketWriter.append(flowLog, header, texts)
    if (isFull) lines.full.add(flowLog.id)
  }

  #toLogGroup (
    flowLog: FlowLog, groupName: string, byEni: ReadonlyMap<string, readonly Line[]>
  ): void {
    const batches = [...byEni].map(([eniId, lines]): LogBatch => ({
      accountId: flowLog.ownerId, region: flowLog.region, groupName,
      streamName: `${eniId}-${flowLog.trafficType.toLowerCase()}`,
      events: lines.map(({ atMs, text }) => ({ atMs, message: text }))
    }))
    this.#options.logGroups.append(batches, this.#options.clock.nowMs())
  }

  /** DeliverLogsStatus; written when it changes. */
  async #noteDelivery (flowLogId: string, error: string | null): Promise<void> {
    const { replica } = this.#options
    const flowLogs = replica.snapshot.tables.flowLog
    if ((flowLogs.get(flowLogId)?.deliveryError ?? null) === error) return
    await replica.transact(() => {
      const flowLog = flowLogs.get(flowLogId)
      return flowLog === undefined
        ? { changes: [], result: null }
        : planFlowLogDelivery(flowLog, error)
    })
  }

  /** Files of those that are due: five windows are over, too large, or their flow log is gone. */
  async #publish (lines: LineCollector, nowMs: number): Promise<void> {
    const { bucketWriter, replica, log } = this.#options
    const isTime = this.#windowCount >= WINDOWS_PER_FILE
    if (isTime) this.#windowCount = 0
    const isGone = (id: string): boolean => replica.snapshot.tables.flowLog.get(id) === undefined
    for (const id of await bucketWriter.spooled()) {
      if (!isTime && !isGone(id) && !lines.full.has(id)) continue
      try {
        await bucketWriter.publish(id, nowMs)
      } catch (error) {
        log.error({ err: error, flowLog: id }, 'a file of a flow log could not be published')
        await this.#noteDelivery(id, deliveryErrorOf(error))
      }
    }
    await bucketWriter.forget(isGone)
  }

  /** Workers of whose ENIs none is watched record nothing, at no cost. */
  #release (): void {
    for (const [agent, source] of this.#sources) {
      if (source.ports.size > 0) continue
      this.#sources.delete(agent)
      agent.setFlowRecords({
        kind: 'flow-records', epoch: ++this.#epoch, table: null, entriesMax: 0,
        ports: new Int32Array(0)
      })
    }
  }
}

function portsOf (
  agent: RecordingAgent, watched: ReadonlyMap<string, Watched>
): Map<number, string> {
  const ports = new Map<number, string>()
  for (const { eniId, hostName } of watched.values()) {
    const port = hostName === agent.host.id ? agent.compiler.portOf(eniId) : 0
    if (port !== 0) ports.set(port, eniId)
  }
  return ports
}

/** EC2 API Reference, FlowLog: DeliverLogsErrorMessage. */
function deliveryErrorOf (cause: unknown): string {
  const { code } = cause as NodeJS.ErrnoException
  return code === 'EACCES' || code === 'EPERM' || code === 'EROFS'
    ? 'Access error'
    : 'Unknown error'
}

interface Line { readonly atMs: number, readonly text: string }

interface FlowLogLines {
  readonly flowLog: FlowLog
  /** Every interface of the flow log, also one without lines yet. */
  readonly byEni: Map<string, Line[]>
}

/** The lines of one closed window. */
class LineCollector {
  readonly byFlowLog = new Map<string, FlowLogLines>()
  /** Flow logs whose spool is full. */
  readonly full = new Set<string>()
  readonly #watched: ReadonlyMap<string, Watched>
  readonly #window: Window
  readonly #formatOf: (format: string | null) => LineFormat

  constructor (watched: ReadonlyMap<string, Watched>, window: Window,
    formatOf: (format: string | null) => LineFormat) {
    this.#watched = watched
    this.#window = window
    this.#formatOf = formatOf
    for (const { eniId, flowLogs } of watched.values()) {
      for (const flowLog of flowLogs) {
        const lines = this.byFlowLog.get(flowLog.id) ?? { flowLog, byEni: new Map() }
        lines.byEni.set(eniId, [])
        this.byFlowLog.set(flowLog.id, lines)
      }
    }
  }

  add (record: FlowRecord): void {
    const watched = this.#watched.get(eniIdFromBits(record.eniIdHigh, record.eniIdLow))
    const values = watched === undefined ? null : describeFlow(record, watched)
    if (watched === undefined || values === null) return
    const verdict = record.verdict === VERDICT_ACCEPT ? 'ACCEPT' : 'REJECT'
    for (const flowLog of watched.flowLogs) {
      if (flowLog.trafficType !== 'ALL' && flowLog.trafficType !== verdict) continue
      const text = this.#formatOf(flowLog.format).line(values)
      this.#push(flowLog, watched.eniId, record.firstMs, text)
    }
  }

  /** Something of the interface was lost. */
  skipped (eniId: string): void {
    const watched = this.#watched.get(eniId)
    for (const flowLog of watched?.flowLogs ?? []) this.#pushEmpty(flowLog, eniId, 'SKIPDATA')
  }

  /** Says of each interface without lines that there was nothing. */
  finish (): void {
    for (const { flowLog, byEni } of this.byFlowLog.values()) {
      for (const [eniId, lines] of byEni) {
        if (lines.length === 0) this.#pushEmpty(flowLog, eniId, 'NODATA')
      }
    }
  }

  #pushEmpty (flowLog: FlowLog, eniId: string, status: 'NODATA' | 'SKIPDATA'): void {
    const watched = this.#watched.get(eniId)
    if (watched === undefined) return
    this.#push(flowLog, eniId, this.#window.startMs,
      this.#formatOf(flowLog.format).emptyLine(watched, this.#window, status))
  }

  #push (flowLog: FlowLog, eniId: string, firstMs: number, text: string): void {
    // An event of a log group has the time that its line says: whole seconds.
    const atMs = Math.floor(firstMs / 1000) * 1000
    this.byFlowLog.get(flowLog.id)?.byEni.get(eniId)?.push({ atMs, text })
  }
}

function newTable (agent: RecordingAgent, name: string, entriesMax: number): FlowRecordTable {
  return new FlowRecordTable(entriesMax, agent.share(name, recordTableBytes(entriesMax)))
}
