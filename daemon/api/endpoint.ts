/**
 * The AWS endpoint over HTTP: one address for every service.
 *
 *     POST /                       a call; parameters in the body
 *     GET  /?Action=…              a call; parameters in the query, usually presigned
 *     POST /service/…/operation/…  a call of the protocol RPC v2 CBOR
 *     any  /2013-04-01/…           a call of a service that names resources by paths: Route 53
 *     POST /_vpclab/reset          signed like a call of EC2; empties the lab (JSON answer)
 *
 * This file turns HTTP into a signed request, finds the service that the signature names, and turns
 * every error into that service's error document; the rest is sigv4.ts (who) and the service
 * (service.ts). Nothing is answered before it is signed. When a call is decided, whatever its end,
 * `onCall` hears of it, and then its caller does.
 */
import fastify from 'fastify'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import type { Clock } from '../base/clock.ts'
import { VpclabError } from '../base/errors.ts'
import { newUuid } from '../base/ids.ts'
import type { Random } from '../base/random.ts'
import { AwsError } from '../model/aws_error.ts'
import { CBOR_CONTENT_TYPE } from './cbor_codec.ts'
import type { KeyRing } from './key_ring.ts'
import { type Body, Call, type Service } from './service.ts'
import type { SignedRequest } from './sigv4.ts'
import { authenticate, claimedService } from './sigv4.ts'

/**
 * Bytes of a request's body. The largest that EC2 takes is some tens of KB of user data in
 * base64.
 */
export const BODY_BYTES_MAX = 1024 * 1024

const MS_PER_SECOND = 1000
/** Of a write that nobody took: another machine runs the lab, or the store is out of reach. */
const STORE_CODES: readonly string[] = ['VPCLAB_ERR_STORE', 'VPCLAB_ERR_LAB_RUNNING']

export interface ResetResult {
  /** Revision of the transaction that emptied the lab. */
  readonly revision: number
  /** How many records it removed. */
  readonly removed: number
}

export interface EndpointDependencies {
  /** The first one answers what names none. */
  readonly services: readonly [Service, ...Service[]]
  readonly keyRing: KeyRing
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** Hears of every call when it is decided, before it is answered; must not throw. */
  readonly onCall: (call: Call, durationMs: number) => void
  /** Since when the store cannot be reached: what is read is as old. */
  readonly unreachableSinceMs?: () => number | null
  /** Empties everything but the hosts. */
  readonly reset: () => Promise<ResetResult>
}

/**
 * The server, not yet listening: `await server.listen({ host: '127.0.0.1', port })` starts it,
 * `close()` ends it. It does not care what it listens on; loopback is the caller's decision.
 */
export function createEndpoint (dependencies: EndpointDependencies): FastifyInstance {
  const { keyRing, clock, random, log, onCall } = dependencies
  const [defaultService] = dependencies.services
  const services = new Map(dependencies.services.map((service) => [service.name, service]))
  const server = fastify({ bodyLimit: BODY_BYTES_MAX })
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('*', { parseAs: 'string' },
    (_request, body, done) => { done(null, body) })
  server.addContentTypeParser(CBOR_CONTENT_TYPE, { parseAs: 'buffer' },
    (_request, body, done) => { done(null, body) })

  const identify = async (call: Call): Promise<Service> => {
    const service = services.get(claimedService(call.request))
    call.service = service ?? null
    call.caller = await authenticate(call.request, [...services.keys()], keyRing, clock.nowMs())
    return service ?? defaultService
  }
  const respond = async (call: Call): Promise<Body> => {
    try {
      const service = await identify(call)
      return await service.call(call)
    } catch (error) {
      call.refusal = refusalOf(error, log, call.requestId)
      return (call.service ?? defaultService).refuse(call.refusal, call.requestId, call)
    }
  }
  const answer = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const call = new Call(newUuid(random), signedRequest(request), request.ip,
      clock.nowMs())
    const started = clock.monotonicMs()
    const body = await respond(call)
    // The trail has the call before the caller has its answer.
    onCall(call, clock.monotonicMs() - started)
    reply.headers(ageOf(dependencies))
    await send(reply, call.requestId, call.refusal?.status ?? body.status ?? 200, body)
    log.debug({
      requestId: call.requestId, service: call.service?.name, action: call.action,
      accountId: call.caller?.accountId, region: call.caller?.region, code: call.refusal?.code,
      durationMs: clock.monotonicMs() - started
    }, 'api call')
  }
  server.get('/', answer)
  server.post('/', answer)
  server.post('/service/:service/operation/:operation', answer)
  for (const { pathPrefix } of dependencies.services) {
    if (pathPrefix !== undefined) server.all(`${pathPrefix}*`, answer)
  }

  server.post('/_vpclab/reset', async (request, reply) => {
    const requestId = newUuid(random)
    try {
      const { name } = defaultService
      await authenticate(signedRequest(request), [name], keyRing, clock.nowMs())
      return await dependencies.reset()
    } catch (error) {
      const refusal = refusalOf(error, log, requestId)
      return await send(reply, requestId, refusal.status,
        defaultService.refuse(refusal, requestId))
    }
  })

  const refuse = (reply: FastifyReply, status: number, message: string): FastifyReply => {
    const requestId = newUuid(random)
    return send(reply, requestId, status,
      defaultService.refuse(new AwsError('InvalidRequest', message), requestId))
  }
  server.setNotFoundHandler((_request, reply) =>
    refuse(reply, 404, 'API calls are POST / and GET /; POST /_vpclab/reset empties the lab'))
  server.setErrorHandler((error, _request, reply) => {
    // What fastify refuses before a handler runs: a body that is too large or cut off.
    const message = error instanceof Error ? error.message : String(error)
    return refuse(reply, 400, `The request is invalid: ${message}`)
  })
  return server
}

function send (
  reply: FastifyReply, requestId: string, status: number, body: Body): FastifyReply {
  return reply.code(status)
    .header('content-type', body.contentType)
    .header('x-amzn-requestid', requestId)
    .headers(body.headers ?? {})
    .send(body.content)
}

/** RFC 9111 §5.1: seconds since what is answered was known to be so. */
function ageOf ({ clock, unreachableSinceMs }: EndpointDependencies): Record<string, string> {
  const sinceMs = unreachableSinceMs?.() ?? null
  return sinceMs === null ? {}
    : { age: String(Math.ceil((clock.nowMs() - sinceMs) / MS_PER_SECOND)) }
}

function signedRequest (request: FastifyRequest): SignedRequest {
  const queryAt = request.url.indexOf('?')
  return {
    method: request.method,
    path: queryAt === -1 ? request.url : request.url.slice(0, queryAt),
    query: queryAt === -1 ? '' : request.url.slice(queryAt + 1),
    headers: request.headers,
    body: isBody(request.body) ? request.body : ''
  }
}

function isBody (body: unknown): body is SignedRequest['body'] {
  return typeof body === 'string' || body instanceof Uint8Array
}

/** What a caller is told: its own mistake in full, ours without the inside. */
function refusalOf (error: unknown, log: Logger, requestId: string): AwsError {
  if (error instanceof AwsError) return error
  if (error instanceof VpclabError && error.code === 'VPCLAB_ERR_STORE_CONFLICT') {
    return new AwsError('Unavailable',
      'The server is overloaded and cannot handle the request. Try again.')
  }
  log.error({ err: error, requestId }, 'api call failed')
  if (error instanceof VpclabError && STORE_CODES.includes(error.code)) {
    return new AwsError('Unavailable', 'The store takes no writes at the moment. Try again. ' +
      `The log of vpcd has the reason under request ${requestId}.`)
  }
  return new AwsError('InternalError',
    `An internal error has occurred. The log of vpcd has it under request ${requestId}.`)
}
