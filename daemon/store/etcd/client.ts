/**
 * A client of etcd's API, version 3, as far as the store needs it: ranges, guarded transactions,
 * leases, and watches (etcd documentation, "API reference"; rpc.proto).
 *
 *     call ──▶ member 1 ✕ no answer, no leader      a member that is stopped, or cut off from the
 *          └─▶ member 2 ── answer ──▶               others, keeps its connections: what it fails at
 *     watch of member 1 ──▶ ended, for member 2     is asked of the next one, and watches follow
 *
 * Every member is asked as one that has a leader (`hasleader`): one without says so at once, and
 * ends its watches, instead of saying nothing.
 *
 * Where etcd has authentication enabled, the common name of the client's certificate is its user.
 *
 * Keys and values are text here, revisions are numbers: 2^53 of them last for ever.
 */
import * as grpc from '@grpc/grpc-js'
import type { Clock } from '../../base/clock.ts'
import { VpclabError } from '../../base/errors.ts'
import { connectTo, readKeys } from './connection.ts'
import type {
  Connection, Keys, Unary, WireKeyValue, WireRangeResponse, WireTxnResponse, WireWatchResponse
} from './connection.ts'
import type { EtcdTarget } from './target.ts'

/** How long one member has for an answer, ms. */
const ANSWER_MS_MAX = 2000
/** How long members are asked in turn, ms. */
export const ASK_MS_MAX = 4000
/** Pause before the next one is asked, ms. */
const TURN_MS = 200
/** Keys of one answer: a long range is read in pages of one revision. */
const PAGE_KEYS = 1000

export interface KeyValue {
  readonly key: string
  readonly value: string
  readonly modRevision: number
  /** How often the key was written; 1 when it was made. */
  readonly version: number
}

export interface Range {
  /** Revision of etcd that the keys are of. */
  readonly revision: number
  readonly kvs: readonly KeyValue[]
}

export type TxnWrite =
  /** With a `lease` the key goes when the lease ends. */
  | { readonly kind: 'put', readonly key: string, readonly value: string, readonly lease?: number }
  | { readonly kind: 'delete', readonly key: string }

/** How often a key has been written, 0 for none that is there; or what it holds. */
export type Guard =
  | { readonly key: string, readonly version: number }
  | { readonly key: string, readonly value: string }

export interface Txn {
  /** The transaction takes place only while all of them hold. */
  readonly guards: readonly Guard[]
  readonly writes: readonly TxnWrite[]
  /** Key whose value is wanted when it does not take place. */
  readonly orRead?: string
}

export interface TxnOutcome {
  readonly succeeded: boolean
  /** Of `orRead`; null: there is none, or it was not asked for. */
  readonly read: string | null
}

/** A change, in the order in which etcd made it; a deletion has no value. */
export interface WatchEvent {
  readonly kv: KeyValue
  readonly isDeletion: boolean
}

export interface WatchListener {
  /** etcd has taken the watch: what happens from now on is told. */
  began(): void
  /** All events of one or more revisions, never a part of one. */
  events(events: readonly WatchEvent[]): void
  /** The watch is over. `compacted`: of what was asked for, this revision is the oldest left. */
  ended(reason: string, compacted: number | null): void
}

interface Watching {
  readonly connection: Connection
  readonly end: (reason: string) => void
}

/** A call of one member. */
type Ask<Reply> = (connection: Connection, ...call: Parameters<Unary<Reply>>) => unknown

export class EtcdClient {
  readonly #clock: Clock
  readonly #target: EtcdTarget
  readonly #keys: Keys | null
  readonly #watches = new Set<Watching>()
  /** Which of the members is asked. */
  #turn = 0
  #connection: Connection | null = null
  #closed = false

  /** @throws VpclabError VPCLAB_ERR_CONFIG when a file of its keys cannot be read */
  constructor (target: EtcdTarget, clock: Clock) {
    this.#clock = clock
    this.#target = target
    this.#keys = target.tls === null ? null : readKeys(target.tls)
  }

  /**
   * All keys that begin with `prefix`, in the order of their names, as a majority has them.
   * @throws VpclabError VPCLAB_ERR_STORE
   */
  async range (prefix: string): Promise<Range> {
    const kvs: KeyValue[] = []
    const end = endOf(prefix)
    let from = Buffer.from(prefix)
    let revision = 0
    for (;;) {
      const page = { key: from, range_end: end, limit: PAGE_KEYS, revision }
      const reply = await persist(this.#clock, ASK_MS_MAX, async () =>
        await this.#call<WireRangeResponse>(({ kv }, ...call) => kv.Range(...call), page))
      revision ||= reply.header.revision
      kvs.push(...reply.kvs.map(keyValue))
      const last = reply.kvs.at(-1)
      if (!reply.more || last === undefined) return { revision, kvs }
      from = Buffer.concat([last.key, Buffer.of(0)])
    }
  }

  /**
   * Asks one member, once: whoever asks knows whether it may be asked again (`persist`).
   * @throws VpclabError VPCLAB_ERR_STORE; `isUnknown` tells whether it may have taken place
   */
  async txn ({ guards, writes, orRead }: Txn): Promise<TxnOutcome> {
    const ask: Ask<WireTxnResponse> = ({ kv }, ...call) => kv.Txn(...call)
    const { succeeded, responses } = await this.#call(ask, {
      compare: guards.map((guard) => ({
        result: 'EQUAL', key: Buffer.from(guard.key),
        ...'version' in guard ? { target: 'VERSION', version: guard.version }
          : { target: 'VALUE', value: Buffer.from(guard.value) }
      })),
      success: writes.map((write) => write.kind === 'put'
        ? { request_put: { key: Buffer.from(write.key), value: Buffer.from(write.value),
          lease: write.lease ?? 0 } }
        : { request_delete_range: { key: Buffer.from(write.key) } }),
      failure: orRead === undefined ? [] : [{ request_range: { key: Buffer.from(orRead) } }]
    })
    const kv = succeeded ? undefined : responses[0]?.response_range?.kvs[0]
    return { succeeded, read: kv === undefined ? null : keyValue(kv).value }
  }

  /** @param id chosen by the caller, below 2^53 @throws VpclabError VPCLAB_ERR_STORE */
  async grantLease (id: number, ttlSeconds: number): Promise<void> {
    await persist(this.#clock, ASK_MS_MAX, async () => {
      try {
        await this.#call(({ lease }, ...call) => lease.LeaseGrant(...call),
          { ID: id, TTL: ttlSeconds })
      } catch (error) {
        // By a try whose answer was lost.
        if (!/lease already exists/.test((error as Error).message)) throw error
      }
    })
  }

  /** @throws VpclabError VPCLAB_ERR_STORE */
  async revokeLease (id: number): Promise<void> {
    await this.#call(({ lease }, ...call) => lease.LeaseRevoke(...call), { ID: id })
  }

  /**
   * Prolongs a lease once.
   * @returns the seconds it has now; 0: it has ended
   * @throws VpclabError VPCLAB_ERR_STORE
   */
  async keepLease (id: number): Promise<number> {
    const ask: Ask<{ readonly TTL: number }> = (
      { lease }, request, metadata, options, callback) => {
      const stream = lease.LeaseKeepAlive(metadata, options)
      let isOver = false
      const give = (error: grpc.ServiceError | null, reply = { TTL: 0 }): void => {
        // The end that follows is our own doing.
        if (isOver) return
        isOver = true
        stream.cancel()
        callback(error, reply)
      }
      stream.on('data', (reply: { readonly TTL: number }) => { give(null, reply) })
      stream.on('error', (error: grpc.ServiceError) => { give(error) })
      stream.on('end', () => {
        give(Object.assign(new Error('ended'), {
          code: grpc.status.UNAVAILABLE, details: 'the member has ended it',
          metadata: new grpc.Metadata()
        }))
      })
      stream.write(request)
    }
    const { TTL } = await persist(this.#clock, ASK_MS_MAX, async () =>
      await this.#call(ask, { ID: id }))
    return TTL
  }

  /**
   * Follows all keys that begin with `prefix` from a revision of etcd on, by one member: the watch
   * ends with it, and when others answer in its stead.
   * @returns ends it
   */
  watch (prefix: string, fromRevision: number, listener: WatchListener): () => void {
    const connection = this.#connected()
    const stream = connection.watch.Watch(asLed())
    const stop = (): void => {
      clearTimeout(timer)
      this.#watches.delete(watching)
      stream.cancel()
    }
    const end = (reason: string, compacted: number | null = null): void => {
      if (!this.#watches.has(watching)) return
      stop()
      listener.ended(this.#explained(connection, reason), compacted)
    }
    const watching = { connection, end }
    this.#watches.add(watching)
    const fail = (reason: string): void => {
      if (!this.#watches.has(watching)) return
      this.#leave(connection)
      end(reason)
    }
    const timer = setTimeout(() => { fail('the member does not answer') }, ANSWER_MS_MAX)
    stream.on('data', (response: WireWatchResponse) => {
      if (!this.#watches.has(watching)) return
      clearTimeout(timer)
      if (response.canceled) {
        end(response.cancel_reason,
          response.compact_revision === 0 ? null : response.compact_revision)
      } else if (response.created) listener.began()
      else if (response.events.length > 0) {
        listener.events(response.events.map(({ type, kv }) =>
          ({ kv: keyValue(kv), isDeletion: type === 'DELETE' })))
      }
    })
    stream.on('error', ({ details }: grpc.ServiceError) => { fail(details) })
    stream.on('end', () => { fail('the member has ended it') })
    stream.write({ create_request:
      { key: Buffer.from(prefix), range_end: endOf(prefix), start_revision: fromRevision } })
    return stop
  }

  close (): void {
    this.#closed = true
    this.#connection?.close()
  }

  #connected (): Connection {
    if (this.#closed) throw new VpclabError('VPCLAB_ERR_STORE', 'The way to etcd is closed')
    const { members } = this.#target
    this.#connection ??= connectTo(members[this.#turn % members.length] ?? '', this.#keys)
    return this.#connection
  }

  /** The next one is asked from now on. */
  #leave (connection: Connection): void {
    if (this.#connection !== connection) return
    connection.close()
    this.#connection = null
    this.#turn++
  }

  /** A member has answered: what others were watched for is asked of it. */
  #answered (connection: Connection): void {
    if (this.#connection !== connection) return
    for (const watch of [...this.#watches]) {
      if (watch.connection !== connection) watch.end('another member answers in its stead')
    }
  }

  async #call<Reply> (ask: Ask<Reply>, request: object): Promise<Reply> {
    const connection = this.#connected()
    const deadline = this.#clock.nowMs() + ANSWER_MS_MAX
    return await new Promise((resolve, reject) => {
      ask(connection, request, asLed(), { deadline }, (cause, reply) => {
        if (cause === null) {
          this.#answered(connection)
          resolve(reply)
          return
        }
        const message = this.#explained(connection, cause.details)
        const error = new VpclabError('VPCLAB_ERR_STORE', message, { cause })
        if (isUnknown(error)) this.#leave(connection)
        reject(error)
      })
    })
  }

  /** What a member says, and what would help where its own words do not say it. */
  #explained ({ member }: Connection, details: string): string {
    const { prefix } = this.#target
    const user = this.#keys?.user ?? null
    const hint = [
      [/too many operations/, 'start its members with --max-txn-ops=100000'],
      [/request is too large/, 'raise --max-request-bytes of its members'],
      [/permission denied/i, `the user ${JSON.stringify(user)}, by the common name of ` +
        `${String(this.#target.tls?.cert)}, wants a role with readwrite of the prefix "${prefix}"`],
      [/user name is empty/, 'it has authentication enabled: give it a certificate by ' +
        '"?ca=FILE&cert=FILE&key=FILE", whose common name is a user that may read and write ' +
        `the prefix "${prefix}"`]
    ] as const
    const found = hint.find(([words]) => words.test(details))?.[1]
    const said = details.replace(/^rpc error: code = \w+ desc = | Resolution note: $/g, '')
    return `etcd at ${member}: ${said}${found === undefined ? '' : `; ${found}`}`
  }
}

/** Asks again, and thereby other members, while it is unknown what has become of what was asked. */
export async function persist<Reply> (
  clock: Clock, msMax: number, ask: () => Promise<Reply>): Promise<Reply> {
  const untilMs = clock.monotonicMs() + msMax
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (!isUnknown(error) || clock.monotonicMs() > untilMs) throw error
    }
    await new Promise((resolve) => { setTimeout(resolve, TURN_MS) })
  }
}

/** Whether a call that failed may have had its effect. */
export function isUnknown (error: unknown): boolean {
  const code = ((error as Error).cause as Partial<grpc.ServiceError> | undefined)?.code
  return code === grpc.status.UNAVAILABLE || code === grpc.status.DEADLINE_EXCEEDED ||
    code === grpc.status.CANCELLED || code === grpc.status.INTERNAL || code === grpc.status.UNKNOWN
}

/** Of calls that only a member with a leader takes. */
function asLed (): grpc.Metadata {
  const metadata = new grpc.Metadata()
  metadata.set('hasleader', 'true')
  return metadata
}

/** The first key after all that begin with `prefix`. */
function endOf (prefix: string): Buffer {
  const bytes = Buffer.from(prefix)
  const last = bytes.length - 1
  bytes.writeUInt8(bytes.readUInt8(last) + 1, last)
  return bytes
}

function keyValue ({ key, value, mod_revision: modRevision, version }: WireKeyValue): KeyValue {
  return { key: key.toString(), value: value.toString(), modRevision, version }
}
