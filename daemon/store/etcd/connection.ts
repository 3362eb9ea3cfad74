/**
 * The way to one member of an etcd: gRPC by @grpc/grpc-js, which is told by rpc.proto what the
 * store asks for. Which member is asked, and when it is another's turn, client.ts says.
 */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { checkServerIdentity } from 'node:tls'
import * as grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { VpclabError } from '../../base/errors.ts'
import type { EtcdTarget } from './target.ts'

/** How soon a member that says nothing while it is asked is taken for gone, ms. */
const KEEPALIVE_MS = 5000
const KEEPALIVE_TIMEOUT_MS = 2000
/** Server name of members that have none, but an address: RFC 6066, section 3. */
const SNI = 'etcd'

export interface WireKeyValue {
  readonly key: Buffer
  readonly value: Buffer
  readonly mod_revision: number
  readonly version: number
}

export interface WireWatchResponse {
  readonly created: boolean
  readonly canceled: boolean
  readonly compact_revision: number
  readonly cancel_reason: string
  readonly events: readonly { readonly type: 'PUT' | 'DELETE', readonly kv: WireKeyValue }[]
}

export type Unary<Reply> = (request: object, metadata: grpc.Metadata, options: grpc.CallOptions,
  callback: (error: grpc.ServiceError | null, reply: Reply) => void) => unknown

type Stream<Reply> = (metadata: grpc.Metadata, options?: grpc.CallOptions) =>
grpc.ClientDuplexStream<object, Reply>

export interface WireRangeResponse {
  readonly header: { readonly revision: number }
  readonly kvs: readonly WireKeyValue[]
  readonly more: boolean
}

export interface WireTxnResponse {
  readonly succeeded: boolean
  readonly responses: readonly { readonly response_range?: { readonly kvs: WireKeyValue[] } }[]
}

interface Services {
  readonly KV: {
    readonly Range: Unary<WireRangeResponse>
    readonly Txn: Unary<WireTxnResponse>
  }
  readonly Watch: { readonly Watch: Stream<WireWatchResponse> }
  readonly Lease: {
    readonly LeaseGrant: Unary<object>
    readonly LeaseRevoke: Unary<object>
    readonly LeaseKeepAlive: Stream<{ readonly TTL: number }>
  }
}

type ClientClass<Client> =
  new (address: string, credentials: grpc.ChannelCredentials, options: object) => Client

const { etcdserverpb } = grpc.loadPackageDefinition(loadSync(
  join(import.meta.dirname, 'rpc.proto'),
  { keepCase: true, longs: Number, enums: String, defaults: true })) as unknown as
    { etcdserverpb: { [Name in keyof Services]: ClientClass<Services[Name]> } }

export interface Connection {
  /** `host:port` */
  readonly member: string
  readonly kv: Services['KV']
  readonly watch: Services['Watch']
  readonly lease: Services['Lease']
  /** Takes no further calls. Streams that there are go on until they end. */
  close(): void
}

/** What proves to a member who calls, and to the caller who the member is. */
export interface Keys {
  readonly ca: Buffer
  readonly cert: Buffer | null
  readonly key: Buffer | null
  /** Common name of the certificate, which is the user's where etcd asks for one. */
  readonly user: string | null
}

/** @throws VpclabError VPCLAB_ERR_CONFIG when a file cannot be read, or is no certificate */
export function readKeys ({ ca, cert, key }: NonNullable<EtcdTarget['tls']>): Keys {
  const read = <Held>(path: string, use: (file: Buffer) => Held): Held => {
    try {
      return use(readFileSync(path))
    } catch (cause) {
      const message = `Cannot read "${path}", which etcd is to be reached with`
      throw new VpclabError('VPCLAB_ERR_CONFIG', message, { cause })
    }
  }
  const whole = (file: Buffer): Buffer => file
  return {
    ca: read(ca, whole),
    cert: cert === null ? null : read(cert, whole),
    key: key === null ? null : read(key, whole),
    user: cert === null ? null : read(cert, commonName)
  }
}

/** @param member `host:port` @param keys null without TLS */
export function connectTo (member: string, keys: Keys | null): Connection {
  const host = member.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
  const credentials = keys === null ? grpc.credentials.createInsecure()
    : grpc.credentials.createSsl(keys.ca, keys.key, keys.cert,
      { checkServerIdentity: (_name, certificate) => checkServerIdentity(host, certificate) })
  const options = {
    'grpc.max_receive_message_length': -1,
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    // A connection that is made anew is a new one, not what is left of the one before.
    'grpc.use_local_subchannel_pool': 1,
    ...isIP(host) === 0 ? {} : { 'grpc.ssl_target_name_override': SNI }
  }
  const channel = new grpc.Channel(member, credentials, options)
  const client = <Name extends keyof Services>(name: Name): Services[Name] =>
    new etcdserverpb[name](member, credentials, { channelOverride: channel })
  return {
    member, kv: client('KV'), watch: client('Watch'), lease: client('Lease'),
    close: () => { channel.close() }
  }
}

function commonName (pem: Buffer): string | null {
  return /^CN=(.*)$/m.exec(new X509Certificate(pem).subject)?.[1] ?? null
}
