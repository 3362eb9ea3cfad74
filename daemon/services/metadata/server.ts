/**
 * The instance metadata service, systems 1.17: HTTP at 169.254.169.254 and fd00:ec2::254. Which
 * instance asks is known from where its packets came, never from what it says.
 *
 *     PUT /latest/api/token     a token; the answer lives HttpPutResponseHopLimit hops
 *     GET, HEAD                 with a token (version 2), or without where that is allowed
 *
 * EC2 User Guide, "Use the Instance Metadata Service to access instance metadata".
 */
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Clock } from '../../base/clock.ts'
import { setHopLimit } from '../../tun/sockets.ts'
import type { MetadataData } from '../update.ts'
import type { Viewer } from '../viewer.ts'
import { TOKEN_TTL_S_MAX, TOKEN_TTL_S_MIN, makeToken, tokenSecondsLeft } from './token.ts'
import { readTree } from './tree.ts'

/** Connections to the service of a host at once; more are closed at once. About 20 KB each. */
export const METADATA_CONNECTIONS_MAX = 2048
/** Bytes of a request's headers. */
export const METADATA_HEADER_BYTES_MAX = 16_384
/** How long a request may take to come, and a connection to be idle, ms. */
const REQUEST_MS_MAX = 10_000
const IDLE_MS_MAX = 15_000
const USER_DATA_PATH = '/latest/user-data'
const TOKEN_PATH = '/latest/api/token'
const HEADER_TOKEN = 'x-aws-ec2-metadata-token'
const HEADER_TTL = 'x-aws-ec2-metadata-token-ttl-seconds'
/** Of everything but a token's answer. */
const HOPS_DEFAULT = 64

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request', 401: 'Unauthorized', 403: 'Forbidden', 404: 'Not Found',
  405: 'Method Not Allowed'
}

export interface MetadataServerOptions {
  readonly family: 'ipv4' | 'ipv6'
  readonly clock: Clock
  readonly tokenKey: Uint8Array
  /** Who has an address of the services' namespace. */
  readonly viewerOf: (address: string) => Viewer | null
}

/** What an answer is made of. */
export interface MetadataAnswer {
  readonly status: number
  readonly body: string | Buffer
  readonly headers?: Readonly<Record<string, string>>
  /** Hops that the answer is to live. */
  readonly hops: number
}

/** A server that does not listen yet. */
export function createMetadataServer (options: MetadataServerOptions): Server {
  const { family } = options
  const server = createServer({
    maxHeaderSize: METADATA_HEADER_BYTES_MAX, requestTimeout: REQUEST_MS_MAX,
    headersTimeout: REQUEST_MS_MAX, keepAliveTimeout: IDLE_MS_MAX
  }, (request, response) => {
    const data = metadataOfPeer(request.socket, options)
    request.resume()
    if (data === null) {
      request.socket.destroy()
      return
    }
    send(response, request, answerRequest(request, data, options), family)
  })
  server.maxConnections = METADATA_CONNECTIONS_MAX
  server.setTimeout(IDLE_MS_MAX)
  return server
}

/** null: nobody to answer. The IPv6 endpoint is not there unless it was switched on. */
function metadataOfPeer (
  socket: Socket, { family, viewerOf }: MetadataServerOptions
): MetadataData | null {
  const data = viewerOf(socket.remoteAddress ?? '')?.endpoint.metadata ?? null
  return data === null || (family === 'ipv6' && !data.isIpv6Enabled) ? null : data
}

/** The part of a request that decides. */
export type MetadataRequest = Pick<IncomingMessage, 'method' | 'url' | 'headers'>

/** What the service says to a request of an instance. */
export function answerRequest (
  request: MetadataRequest, data: MetadataData,
  { clock, tokenKey }: Pick<MetadataServerOptions, 'clock' | 'tokenKey'>
): MetadataAnswer {
  if (!data.isEnabled) return refusal(403)
  const [path = ''] = (request.url ?? '').split('?')
  const nowMs = clock.nowMs()
  if (request.method === 'PUT') {
    return path === TOKEN_PATH ? answerToken(request, data, tokenKey, nowMs) : refusal(405)
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') return refusal(405)
  const token = request.headers[HEADER_TOKEN]
  if (token === undefined ? data.requiresToken
    : tokenSecondsLeft(tokenKey, data.instanceId, nowMs, String(token)) === 0) return refusal(401)
  if (path === USER_DATA_PATH || path === `${USER_DATA_PATH}/`) {
    return data.userData === '' ? refusal(404) : {
      status: 200, body: Buffer.from(data.userData, 'base64'), hops: HOPS_DEFAULT,
      headers: { 'Content-Type': 'application/octet-stream' }
    }
  }
  const body = readTree(new Map([...data.leaves, ...userDataLeaf(data)]), path)
  return body === null ? refusal(404) : { status: 200, body, hops: HOPS_DEFAULT }
}

/** So that it is listed; its path is answered before. */
function userDataLeaf ({ userData }: MetadataData): [string, string][] {
  return userData === '' ? [] : [['user-data', '']]
}

function answerToken (
  { headers }: MetadataRequest, data: MetadataData, key: Uint8Array, nowMs: number
): MetadataAnswer {
  // A proxy that hands requests on for others must not get a token for them.
  if (headers['x-forwarded-for'] !== undefined) return refusal(403)
  const text = headers[HEADER_TTL]
  const ttlS = typeof text === 'string' && /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (ttlS < TOKEN_TTL_S_MIN || ttlS > TOKEN_TTL_S_MAX) return refusal(400)
  return {
    status: 200, body: makeToken(key, data.instanceId, nowMs, ttlS), hops: data.hopLimit,
    headers: { [HEADER_TTL]: String(ttlS) }
  }
}

function refusal (status: number): MetadataAnswer {
  const reason = `${String(status)} - ${REASONS[status] ?? ''}`
  return {
    status, hops: HOPS_DEFAULT, headers: { 'Content-Type': 'text/html' },
    body: `<?xml version="1.0" encoding="iso-8859-1"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"
 "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head>
  <title>${reason}</title>
 </head>
 <body>
  <h1>${reason}</h1>
 </body>
</html>
`
  }
}

function send (
  response: ServerResponse, request: IncomingMessage, answer: MetadataAnswer,
  family: 'ipv4' | 'ipv6'
): void {
  limitHops(request.socket, family, answer.hops)
  response.writeHead(answer.status, {
    'Content-Type': 'text/plain', Server: 'EC2ws', 'Content-Length': Buffer.byteLength(answer.body),
    ...answer.headers
  })
  response.end(request.method === 'HEAD' ? undefined : answer.body)
}

/** Of what the connection sends from here on. Node shows the descriptor of a TCP handle. */
function limitHops (socket: Socket, family: 'ipv4' | 'ipv6', hops: number): void {
  const { _handle: handle } = socket as Socket & { _handle?: { readonly fd?: number } | null }
  const fd = handle?.fd ?? -1
  if (fd >= 0) setHopLimit(fd, family, hops)
  else socket.destroy() // gone already: nothing may leave with more hops than allowed
}
