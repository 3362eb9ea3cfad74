/**
 * Every change of the lab as a stream of lines, for any number of readers (EVENT_READERS_MAX).
 * docs/events.md describes the lines.
 *
 *     Replica ── commit ──▶ EventFeed ── lines, made once ──▶ EventReader ── pulled ──▶ socket
 *     Lab ──── applied ──▶     │                                  ▲
 *     Snapshot ── records, as they are when a reader comes ───────┘
 *
 * A reader takes its records and joins the feed in one turn of the event loop, between two commits,
 * so that nothing is missed or told twice. Records never change, so a reader that is slow through
 * its initial state holds references to old records, not copies.
 *
 * What a reader has not fetched waits for it, up to EVENTS_WAITING_BYTES_MAX. Beyond that it gets
 * what waits, a last line `overflow`, and the end; the daemon waits for nobody. One commit is taken
 * whole if nothing else waits, however long it is.
 */
import { Readable } from 'node:stream'
import type { Clock } from '../../base/clock.ts'
import type { AppliedChange } from '../../model/commit_feed.ts'
import { NOUNS } from '../../model/snapshot.ts'
import type { Noun, Snapshot } from '../../model/snapshot.ts'
import type { EventLine, SyncedEvent } from './contract.ts'
import { Refusal } from './route.ts'
import { withoutSecrets } from './secret_fields.ts'

/** Readers at once; more is refused with 503. */
export const EVENT_READERS_MAX = 64
/** Characters of lines that wait for one reader; a reader beyond it is cut off. */
export const EVENTS_WAITING_BYTES_MAX = 16 * 1024 * 1024
/** ms that a reader has for the rest of its lines when the daemon stops. */
const EVENTS_CLOSE_MS_MAX = 1000
/** Characters that are handed to the socket at once. */
const CHUNK_LENGTH = 64 * 1024

/** What the feed follows; Replica and Lab are this. */
export interface EventSources {
  readonly replica: {
    readonly snapshot: Snapshot
    onCommit (listener: (revision: number, changes: readonly AppliedChange[]) => void): unknown
  }
  readonly lab: {
    readonly agents: readonly {
      readonly host: { readonly id: string }
      readonly appliedRevision: number
    }[]
    readonly appliedRevision: number
    onApplied (listener: () => void): unknown
  }
  readonly clock: Clock
}

/** What a reader wants to hear of; null for all. `applied` and `synced` are told to everybody. */
export interface EventFilter {
  readonly noun: Noun | null
  readonly id: string | null
  /** Whether the stream begins with the records that are there. */
  readonly initial: boolean
}

interface Told {
  readonly line: string
  /** null: for every reader. */
  readonly about: { readonly noun: Noun, readonly id: string } | null
}

export class EventFeed {
  readonly #sources: EventSources
  readonly #readers = new Set<EventReader>()
  /** Newest applied revision told, by host; `all` for the lab. */
  readonly #applied = new Map<string, number>()
  /** Newest revision whose changes were told. */
  #revision: number

  constructor (sources: EventSources) {
    this.#sources = sources
    this.#revision = sources.replica.snapshot.revision
    sources.replica.onCommit((revision, changes) => { this.#onCommit(revision, changes) })
    sources.lab.onApplied(() => { if (this.#readers.size > 0) this.#tellApplied() })
  }

  get readerCount (): number { return this.#readers.size }

  /**
   * A new reader, which leaves when its stream is destroyed.
   * @throws Refusal 503 TooManyReaders
   */
  open (filter: EventFilter): Readable {
    if (this.#readers.size >= EVENT_READERS_MAX) {
      throw new Refusal(503, 'TooManyReaders', `${String(EVENT_READERS_MAX)} readers follow the ` +
        'events of this lab already: end one of them')
    }
    // What was applied while nobody listened is no news.
    this.#tellApplied()
    const { snapshot } = this.#sources.replica
    const records = filter.initial ? recordsOf(snapshot, filter) : []
    const reader = new EventReader({
      filter, records, synced: this.#synced(), onLeave: () => { this.#readers.delete(reader) }
    })
    this.#readers.add(reader)
    return reader
  }

  /** Ends every stream. */
  close (): void {
    for (const reader of this.#readers) reader.stop(this.#revision)
  }

  #synced (): SyncedEvent {
    const { lab, replica } = this.#sources
    return {
      type: 'synced',
      revision: replica.snapshot.revision,
      appliedRevision: lab.appliedRevision,
      hosts: Object.fromEntries(lab.agents.map((agent) => [agent.host.id, agent.appliedRevision]))
    }
  }

  #onCommit (revision: number, changes: readonly AppliedChange[]): void {
    if (this.#readers.size > 0) {
      const time = this.#time()
      this.#tell(changes.map((change) => ({
        line: lineOf(changeEvent(revision, time, change)),
        about: { noun: change.noun, id: change.id }
      })))
    }
    this.#revision = revision
    if (this.#readers.size > 0) this.#tellApplied()
  }

  /** A host's revision is told after the changes that it applied, and only when it rises. */
  #tellApplied (): void {
    const { lab } = this.#sources
    for (const agent of lab.agents) this.#tellIfRisen(agent.host.id, agent.appliedRevision)
    this.#tellIfRisen('all', lab.appliedRevision)
  }

  #tellIfRisen (host: string, appliedRevision: number): void {
    const revision = Math.min(appliedRevision, this.#revision)
    if (revision <= (this.#applied.get(host) ?? 0)) return
    this.#applied.set(host, revision)
    const line = lineOf({ type: 'applied', revision, time: this.#time(), host })
    this.#tell([{ line, about: null }])
  }

  #tell (lines: readonly Told[]): void {
    for (const reader of this.#readers) reader.offer(lines, this.#revision)
  }

  #time (): string { return new Date(this.#sources.clock.nowMs()).toISOString() }
}

interface StoredRecord {
  readonly noun: Noun
  readonly id: string
  readonly revision: number
  readonly record: object
}

interface ReaderOptions {
  readonly filter: EventFilter
  readonly records: readonly StoredRecord[]
  readonly synced: SyncedEvent
  readonly onLeave: () => void
}

class EventReader extends Readable {
  readonly #options: ReaderOptions
  readonly #initial: Iterator<string>
  #waiting: string[] = []
  #waitingLength = 0
  #isHungry = false
  #isEnding = false

  constructor (options: ReaderOptions) {
    super({ highWaterMark: CHUNK_LENGTH })
    this.#options = options
    this.#initial = initialLines(options)
  }

  /** @param revision the newest that was told before these lines */
  offer (lines: readonly Told[], revision: number): void {
    if (this.#isEnding) return
    const wanted = lines.filter(({ about }) => about === null || wants(this.#options.filter, about))
      .map(({ line }) => line)
    if (wanted.length === 0) return
    const length = wanted.reduce((sum, line) => sum + line.length, 0)
    if (this.#waitingLength > 0 && this.#waitingLength + length > EVENTS_WAITING_BYTES_MAX) {
      this.#end(lineOf({
        type: 'overflow',
        revision,
        message: `More than ${String(EVENTS_WAITING_BYTES_MAX)} bytes waited for this reader. ` +
          'Begin anew: the initial state has everything'
      }))
      return
    }
    for (const line of wanted) this.#waiting.push(line)
    this.#waitingLength += length
    this.#feed()
  }

  /** The daemon stops. A reader that does not fetch the rest soon is cut off. */
  stop (revision: number): void {
    this.#end(lineOf({ type: 'stopped', revision }))
  }

  #end (lastLine: string): void {
    if (this.#isEnding) return
    this.#isEnding = true
    this.#waiting.push(lastLine)
    this.#feed()
    // One that does not read its last line either gives its place to somebody else.
    setTimeout(() => { this.destroy() }, EVENTS_CLOSE_MS_MAX).unref()
  }

  #feed (): void {
    if (this.#isHungry) this._read()
  }

  override _read (): void {
    const chunk = this.#nextChunk()
    this.#isHungry = chunk === ''
    if (chunk !== '') this.push(chunk)
    else if (this.#isEnding) this.push(null)
  }

  #nextChunk (): string {
    let chunk = ''
    while (chunk.length < CHUNK_LENGTH) {
      const next = this.#initial.next()
      if (next.done === true) break
      chunk += next.value
    }
    if (chunk !== '') return chunk
    let count = 0
    while (count < this.#waiting.length && chunk.length < CHUNK_LENGTH) {
      chunk += this.#waiting[count] ?? ''
      count++
    }
    this.#waiting.splice(0, count)
    this.#waitingLength = Math.max(0, this.#waitingLength - chunk.length)
    return chunk
  }

  override _destroy (error: Error | null, done: (error?: Error | null) => void): void {
    this.#waiting = []
    this.#options.onLeave()
    done(error)
  }
}

function * initialLines ({ records, synced }: ReaderOptions): Iterator<string> {
  for (const { noun, id, revision, record } of records) {
    yield lineOf({ type: 'initial', revision, noun, id, record: withoutSecrets(noun, record) })
  }
  yield lineOf(synced)
}

/** In the order of NOUNS, each noun in order of creation. */
function recordsOf ({ tables }: Snapshot, filter: EventFilter): StoredRecord[] {
  return NOUNS.filter((noun) => filter.noun === null || filter.noun === noun).flatMap((noun) => {
    const table = tables[noun]
    return [...table.values()]
      .filter(({ id }) => wants(filter, { noun, id }))
      .map((record) =>
        ({ noun, id: record.id, revision: table.createRevision(record.id), record }))
  })
}

function wants (filter: EventFilter, { noun, id }: { noun: Noun, id: string }): boolean {
  return (filter.noun === null || filter.noun === noun) && (filter.id === null || filter.id === id)
}

function changeEvent (
  revision: number, time: string, { noun, id, record, previous }: AppliedChange
): EventLine {
  return {
    type: 'change',
    revision,
    time,
    noun,
    id,
    change: previous === null ? 'created' : record === null ? 'deleted' : 'changed',
    record: record === null ? null : withoutSecrets(noun, record),
    ...previous === null ? {} : { previous: withoutSecrets(noun, previous) }
  }
}

function lineOf (event: EventLine): string { return `${JSON.stringify(event)}\n` }
