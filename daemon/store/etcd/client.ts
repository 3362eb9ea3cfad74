/**
 * A client of etcd's API, version 3, as far as the store needs it: ranges, guarded transactions,
 * and a watch (etcd documentation, "API reference"; rpc.proto). gRPC by @grpc/grpc-js, which finds
 * another member when one does not answer.
 *
 * Keys and values are text here, revisions are numbers: 2^53 of them last for ever.
 */
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { checkServerIdentity } from 'node:tls'
import type { PeerCertificate } from 'node:tls'
import * as grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import type { Clock } from '../../base/clock.ts'
import { VpclabError } from '../../base/errors.ts'
import type { EtcdTarget } from './target.ts'

/** How long one call may take, ms. */
export const CALL_MS_MAX = 5000
/** How long a member is asked again when nothing comes of it, ms. */
const KEEPALIVE_MS = 5000
const RECONNECT_MS_MAX = 2000
/** Server name of members that have none, but an address: RFC 6066, section 3. */
const SNI = 'etcd'
/** Keys of one answer: a long range is read in pages of one revision. */
const PAGE_KEYS = 5000

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

interface WireKeyValue {
  readonly key: Buffer
  readonly value: Buffer
  readonly mod_revision: number
  readonly version: number
}

interface WireWatchResponse {
  readonly created: boolean
  readonly canceled: boolean
  readonly compact_revision: number
  readonly cancel_reason: string
  readonly events: readonly { readonly type: 'PUT' | 'DELETE', readonly kv: WireKeyValue }[]
}

type Unary<Reply> = (request: object, options: grpc.CallOptions,
  callback: (error: grpc.ServiceError | null, reply: Reply) => void) => grpc.ClientUnaryCall

interface KvClient extends grpc.Client {
  Range: Unary<{
    readonly header: { readonly revision: number }
    readonly kvs: readonly WireKeyValue[]
    readonly more: boolean
  }>
  Txn: Unary<{
    readonly succeeded: boolean
    readonly responses: readonly { readonly response_range?: { readonly kvs: WireKeyValue[] } }[]
  }>
}

interface LeaseClient extends grpc.Client {
  LeaseGrant: Unary<object>
  LeaseRevoke: Unary<object>
  LeaseKeepAlive: () => grpc.ClientDuplexStream<object, { readonly TTL: number }>
}

interface WatchClient extends grpc.Client {
  Watch: (metadata: grpc.Metadata) => grpc.ClientDuplexStream<object, WireWatchResponse>
}

type ClientClass<Client> =
  new (address: string, credentials: grpc.ChannelCredentials, options: object) => Client

export class EtcdClient {
  readonly #clock: Clock
  readonly #kv: KvClient
  readonly #watch: WatchClient
  readonly #lease: LeaseClient

  /** @throws VpclabError VPCLAB_ERR_CONFIG when a file of its keys cannot be read */
  constructor ({ members, tls }: EtcdTarget, clock: Clock) {
    this.#clock = clock
    const definition = loadSync(join(import.meta.dirname, 'rpc.proto'),
      { keepCase: true, longs: Number, enums: String, defaults: true })
    const { etcdserverpb } = grpc.loadPackageDefinition(definition) as unknown as {
      etcdserverpb: {
        KV: ClientClass<KvClient>
        Watch: ClientClass<WatchClient>
        Lease: ClientClass<LeaseClient>
      }
    }
    const options = {
      'grpc.max_receive_message_length': -1,
      'grpc.keepalive_time_ms': KEEPALIVE_MS,
      'grpc.keepalive_timeout_ms': KEEPALIVE_MS,
      'grpc.keepalive_permit_without_calls': 1,
      'grpc.max_reconnect_backoff_ms': RECONNECT_MS_MAX,
      'grpc.initial_reconnect_backoff_ms': 100,
      ...isIP(hostOf(members[0] ?? '')) === 0 ? {} : { 'grpc.ssl_target_name_override': SNI }
    }
    const target = targetOf(members)
    const credentials = credentialsOf(tls, members)
    this.#kv = new etcdserverpb.KV(target, credentials, options)
    this.#watch = new etcdserverpb.Watch(target, credentials, options)
    this.#lease = new etcdserverpb.Lease(target, credentials, options)
  }

  /**
   * All keys that begin with `prefix`, in the order of their names.
   * @throws VpclabError VPCLAB_ERR_STORE
   */
  async range (prefix: string): Promise<Range> {
    const kvs: KeyValue[] = []
    const end = endOf(prefix)
    let from = Buffer.from(prefix)
    let revision = 0
    for (;;) {
      const reply = await this.#call(this.#kv, this.#kv.Range,
        { key: from, range_end: end, limit: PAGE_KEYS, revision })
      revision ||= reply.header.revision
      kvs.push(...reply.kvs.map(keyValue))
      const last = reply.kvs.at(-1)
      if (!reply.more || last === undefined) return { revision, kvs }
      from = Buffer.concat([last.key, Buffer.of(0)])
    }
  }

  /**
   * @throws VpclabError VPCLAB_ERR_STORE; `isUnknown` tells whether it may have taken place
   */
  async txn ({ guards, writes, orRead }: Txn): Promise<TxnOutcome> {
    const { succeeded, responses } = await this.#call(this.#kv, this.#kv.Txn, {
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
    await this.#call(this.#lease, this.#lease.LeaseGrant, { ID: id, TTL: ttlSeconds })
  }

  /** @throws VpclabError VPCLAB_ERR_STORE */
  async revokeLease (id: number): Promise<void> {
    await this.#call(this.#lease, this.#lease.LeaseRevoke, { ID: id })
  }

  /** Prolongs a lease once. @returns the seconds it has now; 0: it has ended */
  async keepLease (id: number): Promise<number> {
    const stream = this.#lease.LeaseKeepAlive()
    try {
      return await new Promise((resolve, reject) => {
        stream.on('data', ({ TTL }: { TTL: number }) => { resolve(TTL) })
        stream.on('error', reject)
        stream.on('end', () => { reject(new Error('the member has ended it')) })
        stream.write({ ID: id })
      })
    } finally {
      stream.on('error', () => undefined)
      stream.cancel()
    }
  }

  /** Follows all keys that begin with `prefix` from a revision of etcd on. @returns ends it */
  watch (prefix: string, fromRevision: number, listener: WatchListener): () => void {
    // A member that is cut off from its peers ends the watch, instead of telling nothing.
    const metadata = new grpc.Metadata()
    metadata.set('hasleader', 'true')
    const stream = this.#watch.Watch(metadata)
    let isOver = false
    const end = (reason: string, compacted: number | null): void => {
      if (isOver) return
      isOver = true
      stream.cancel()
      listener.ended(reason, compacted)
    }
    stream.on('data', (response: WireWatchResponse) => {
      if (isOver) return
      if (response.canceled) {
        end(response.cancel_reason,
          response.compact_revision === 0 ? null : response.compact_revision)
      } else if (response.created) listener.began()
      else if (response.events.length > 0) {
        listener.events(response.events.map(({ type, kv }) =>
          ({ kv: keyValue(kv), isDeletion: type === 'DELETE' })))
      }
    })
    stream.on('error', (error) => { end(error.message, null) })
    stream.on('end', () => { end('the member has ended it', null) })
    stream.write({ create_request:
      { key: Buffer.from(prefix), range_end: endOf(prefix), start_revision: fromRevision } })
    return () => {
      isOver = true
      stream.cancel()
    }
  }

  close (): void {
    this.#kv.close()
    this.#watch.close()
    this.#lease.close()
  }

  async #call<Reply> (
    client: grpc.Client, method: Unary<Reply>, request: object): Promise<Reply> {
    const deadline = this.#clock.nowMs() + CALL_MS_MAX
    return await new Promise((resolve, reject) => {
      method.call(client, request, { deadline }, (error, reply) => {
        if (error === null) resolve(reply)
        else {
          const message = `etcd: ${error.details}${hintOf(error)}`
          reject(new VpclabError('VPCLAB_ERR_STORE', message, { cause: error }))
        }
      })
    })
  }
}

/** Whether a call that failed may have had its effect. */
export function isUnknown (error: unknown): boolean {
  const { code } = (error as Error).cause as Partial<grpc.ServiceError>
  return code === grpc.status.UNAVAILABLE || code === grpc.status.DEADLINE_EXCEEDED ||
    code === grpc.status.CANCELLED || code === grpc.status.INTERNAL || code === grpc.status.UNKNOWN
}

/** What would help, where etcd's own words do not say it. */
function hintOf ({ details }: grpc.ServiceError): string {
  if (/too many operations/.test(details)) return '; start its members with --max-txn-ops=100000'
  if (/request is too large/.test(details)) return '; raise --max-request-bytes of its members'
  return ''
}

/** Several members of one address family are one target; names only one by one. */
function targetOf (members: readonly string[]): string {
  const [only = ''] = members
  if (members.length === 1) return only
  if (members.every((member) => /^[\d.]+:\d+$/.test(member))) return `ipv4:${members.join(',')}`
  if (members.every((member) => /^\[[\da-f:.]+\]:\d+$/i.test(member))) {
    return `ipv6:${members.join(',')}`
  }
  throw new VpclabError('VPCLAB_ERR_CONFIG', 'Several members of an etcd are named by address, ' +
    `all IPv4 or all IPv6: "${members.join(',')}"`)
}

function credentialsOf (
  tls: EtcdTarget['tls'], members: readonly string[]): grpc.ChannelCredentials {
  if (tls === null) return grpc.credentials.createInsecure()
  const [ca, key, cert] = [tls.ca, tls.key, tls.cert].map((path) => {
    try {
      return path === null ? null : readFileSync(path)
    } catch (cause) {
      const message = `Cannot read "${String(path)}", which etcd is to be reached with`
      throw new VpclabError('VPCLAB_ERR_CONFIG', message, { cause })
    }
  })
  return grpc.credentials.createSsl(ca, key, cert, {
    checkServerIdentity: (_name, certificate) => identityFault(members, certificate)
  })
}

/** @param member `host:port` */
function hostOf (member: string): string {
  return member.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
}

/** gRPC asks for the first member's name, whichever it has reached; that of each will do. */
function identityFault (
  members: readonly string[], certificate: PeerCertificate): Error | undefined {
  const faults = members.map((member) => checkServerIdentity(hostOf(member), certificate))
  return faults.includes(undefined) ? undefined : faults[0]
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
