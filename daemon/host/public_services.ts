/**
 * The public services zone of a lab, systems 4.9: stand-ins for what AWS has outside of every VPC,
 * on the lab's internet. They answer HTTP at addresses of the prefixes that AWS's prefix lists
 * name, under the names that every VPC's resolver knows (services/dns/public_service_names.ts),
 * and write down who called: what a VPC's packets look like from outside is what one comes for.
 *
 *     instance ─▶ internet or NAT gateway ─▶ edge ─▶ <lab>-internet-router
 *                                                      lo 198.51.100.193  S3
 *                                                         198.51.100.209  DynamoDB
 *
 * The sockets are the daemon's, in the router's namespace; they cost nothing until somebody asks.
 */
import { statSync } from 'node:fs'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Clock } from '../base/clock.ts'
import { PUBLIC_SERVICES, publicServiceAddress } from '../model/prefix_list_aws.ts'
import type { PublicService } from '../model/prefix_list_aws.ts'
import { openSocket } from '../tun/sockets.ts'
import { OBJECT_BYTES_MAX, ObjectStore, refusal } from './object_store.ts'
import type { ObjectAnswer } from './object_store.ts'

/** Requests that the log keeps; the oldest go. */
export const ACCESS_LOG_MAX = 1000
/** Connections to each service at once; more are closed at once. */
export const PUBLIC_CONNECTIONS_MAX = 256
const HEADER_BYTES_MAX = 16_384
const REQUEST_MS_MAX = 10_000
/** Characters of a text that the log keeps. */
const LOGGED_LENGTH_MAX = 256
const HTTP_PORT = 80
const BACKLOG = 128

/** One request, as the service saw it. */
export interface PublicAccess {
  readonly timeMs: number
  readonly service: PublicService
  /** Address and port that the request came from. */
  readonly caller: string
  readonly callerPort: number
  readonly method: string
  /** Name that was asked for, without a port. */
  readonly host: string
  readonly path: string
  readonly status: number
}

export class PublicServices {
  readonly #clock: Clock
  readonly #onError: (error: Error) => void
  readonly #objects = new ObjectStore()
  readonly #accesses: PublicAccess[] = []
  readonly #servers: Server[] = []
  /** Which namespace the sockets are in: its name may come to mean another one. */
  #namespaceInode = 0

  constructor (clock: Clock, onError: (error: Error) => void) {
    this.#clock = clock
    this.#onError = onError
  }

  /** Oldest first. */
  get accesses (): readonly PublicAccess[] { return this.#accesses }

  /**
   * Opens the sockets in the router's namespace, unless that is done.
   * @throws VpclabError VPCLAB_ERR_SYSCALL
   */
  ensure (namespacePath: string): void {
    const { ino } = statSync(namespacePath)
    if (this.#namespaceInode === ino) return
    this.close()
    for (const service of PUBLIC_SERVICES) {
      const fd = openSocket(namespacePath, 'stream', publicServiceAddress(service), HTTP_PORT)
      const server = createServer(
        { maxHeaderSize: HEADER_BYTES_MAX, requestTimeout: REQUEST_MS_MAX },
        (request, response) => { this.#answer(service, request, response) })
      server.maxConnections = PUBLIC_CONNECTIONS_MAX
      server.on('error', this.#onError)
      server.listen({ fd, backlog: BACKLOG })
      this.#servers.push(server)
    }
    this.#namespaceInode = ino
  }

  close (): void {
    for (const server of this.#servers) {
      server.close()
      server.closeAllConnections()
    }
    this.#servers.length = 0
    this.#namespaceInode = 0
  }

  #answer (service: PublicService, request: IncomingMessage, response: ServerResponse): void {
    const parts: Buffer[] = []
    let bytes = 0
    request.on('data', (part: Buffer) => {
      bytes += part.length
      if (bytes <= OBJECT_BYTES_MAX) parts.push(part)
      else parts.length = 0
    })
    request.on('error', () => undefined) // a caller that goes away
    request.on('end', () => {
      const [path = ''] = (request.url ?? '').split('?')
      const host = (request.headers.host ?? '').replace(/:\d+$/, '')
      const method = request.method ?? ''
      const answer = bytes > OBJECT_BYTES_MAX ? refusal(400, 'EntityTooLarge')
        : service === 'dynamodb' ? healthy(host)
          : this.#objects.answer({ method, host, path, body: Buffer.concat(parts) })
      this.#note(service, request, { method, host, path, status: answer.status })
      response.writeHead(answer.status,
        { 'content-type': answer.contentType, 'content-length': answer.body.length })
      response.end(method === 'HEAD' ? undefined : answer.body)
    })
  }

  #note (service: PublicService, { socket }: IncomingMessage,
    seen: Pick<PublicAccess, 'method' | 'host' | 'path' | 'status'>): void {
    if (this.#accesses.length >= ACCESS_LOG_MAX) this.#accesses.shift()
    this.#accesses.push({
      timeMs: this.#clock.nowMs(), service, caller: socket.remoteAddress ?? '',
      callerPort: socket.remotePort ?? 0, ...seen,
      host: seen.host.slice(0, LOGGED_LENGTH_MAX), path: seen.path.slice(0, LOGGED_LENGTH_MAX)
    })
  }
}

/** What DynamoDB says to who does not speak its protocol. */
function healthy (host: string): ObjectAnswer {
  return {
    status: 200, contentType: 'text/plain',
    body: Buffer.from(`healthy: ${host.slice(0, LOGGED_LENGTH_MAX)}`)
  }
}
