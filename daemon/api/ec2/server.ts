/**
 * The EC2 endpoint over HTTP: one path, one form body, one XML answer.
 *
 *     POST /                  a call; parameters in the body
 *     GET  /?Action=…         a call; parameters in the query, usually presigned
 *     POST /_vpclab/reset     signed like a call; empties the lab (JSON answer)
 *
 * This file turns HTTP into a signed request and every error into EC2's error document; the rest is
 * sigv4.ts (who), query_codec.ts (what) and runner.ts (does it). Nothing is answered before it is
 * signed.
 */
import fastify from 'fastify'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import { VpclabError } from '../../base/errors.ts'
import type { Random } from '../../base/random.ts'
import { AwsError } from '../../model/aws_error.ts'
import type { Action } from './action.ts'
import type { KeyRing } from './key_ring.ts'
import { parseParameters } from './query_codec.ts'
import type { RunnerDependencies } from './runner.ts'
import { ActionRunner } from './runner.ts'
import type { Caller, SignedRequest } from './sigv4.ts'
import { authenticate } from './sigv4.ts'
import { writeError } from './xml_writer.ts'

/**
 * Bytes of a request's body. The largest that EC2 takes is some tens of KB of user data in
 * base64.
 */
export const BODY_BYTES_MAX = 1024 * 1024

export interface ResetResult {
  /** Revision of the transaction that emptied the lab. */
  readonly revision: number
  /** How many records it removed. */
  readonly removed: number
}

export interface Ec2ServerDependencies extends RunnerDependencies {
  readonly actions: readonly Action[]
  readonly keyRing: KeyRing
  readonly log: Logger
  /** Empties everything but the hosts. */
  readonly reset: () => Promise<ResetResult>
}

/**
 * The server, not yet listening: `await server.listen({ host: '127.0.0.1', port })` starts it,
 * `close()` ends it. It does not care what it listens on; loopback is the caller's decision.
 */
export function createEc2Server (dependencies: Ec2ServerDependencies): FastifyInstance {
  const { keyRing, clock, random, log } = dependencies
  const runner = new ActionRunner(dependencies.actions, dependencies)
  const server = fastify({ bodyLimit: BODY_BYTES_MAX })
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('*', { parseAs: 'string' },
    (_request, body, done) => { done(null, body) })

  const call = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const startMs = clock.monotonicMs()
    const requestId = newRequestId(random)
    let action = ''
    let caller: Caller | null = null
    let refusal: AwsError | null = null
    try {
      const signed = signedRequest(request)
      caller = await authenticate(signed, keyRing, clock.nowMs())
      const parameters = parseParameters(
        signed.method === 'GET' ? withoutSignature(signed.query) : signed.body)
      action = parameters.get('Action') ?? ''
      await sendXml(reply, requestId, 200, await runner.run(caller, parameters, requestId))
    } catch (error) {
      refusal = refusalOf(error, log, requestId)
      await sendXml(reply, requestId, refusal.status, writeError(refusal, requestId))
    }
    log.debug({
      requestId, action, accountId: caller?.accountId, region: caller?.region, code: refusal?.code,
      durationMs: clock.monotonicMs() - startMs
    }, 'ec2 call')
  }
  server.get('/', call)
  server.post('/', call)

  server.post('/_vpclab/reset', async (request, reply) => {
    const requestId = newRequestId(random)
    try {
      await authenticate(signedRequest(request), keyRing, clock.nowMs())
      return await dependencies.reset()
    } catch (error) {
      const refusal = refusalOf(error, log, requestId)
      return await sendXml(reply, requestId, refusal.status, writeError(refusal, requestId))
    }
  })

  const refuse = (reply: FastifyReply, status: number, message: string): FastifyReply => {
    const requestId = newRequestId(random)
    return sendXml(reply, requestId, status,
      writeError(new AwsError('InvalidRequest', message), requestId))
  }
  server.setNotFoundHandler((_request, reply) =>
    refuse(reply, 404, 'EC2 calls are POST / and GET /; POST /_vpclab/reset empties the lab'))
  server.setErrorHandler((error, _request, reply) => {
    // What fastify refuses before a handler runs: a body that is too large or cut off.
    const message = error instanceof Error ? error.message : String(error)
    return refuse(reply, 400, `The request is invalid: ${message}`)
  })
  return server
}

function sendXml (
  reply: FastifyReply, requestId: string, status: number, xml: string): FastifyReply {
  return reply.code(status)
    .header('content-type', 'text/xml;charset=UTF-8')
    .header('x-amzn-requestid', requestId)
    .send(xml)
}

function signedRequest (request: FastifyRequest): SignedRequest {
  const queryAt = request.url.indexOf('?')
  return {
    method: request.method,
    path: queryAt === -1 ? request.url : request.url.slice(0, queryAt),
    query: queryAt === -1 ? '' : request.url.slice(queryAt + 1),
    headers: request.headers,
    body: typeof request.body === 'string' ? request.body : ''
  }
}

/** The parameters of a presigned call are all but those of the signature. */
function withoutSignature (query: string): string {
  const parameters = new URLSearchParams(query)
  for (const name of [...parameters.keys()]) {
    if (name.startsWith('X-Amz-')) parameters.delete(name)
  }
  return parameters.toString()
}

/** What a caller is told: its own mistake in full, ours without the inside. */
function refusalOf (error: unknown, log: Logger, requestId: string): AwsError {
  if (error instanceof AwsError) return error
  if (error instanceof VpclabError && error.code === 'VPCLAB_ERR_STORE_CONFLICT') {
    return new AwsError('Unavailable',
      'The server is overloaded and cannot handle the request. Try again.')
  }
  log.error({ err: error, requestId }, 'ec2 call failed')
  return new AwsError('InternalError',
    `An internal error has occurred. The log of vpcd has it under request ${requestId}.`)
}

/** UUID version 4, RFC 9562 §5.4. */
function newRequestId (random: Random): string {
  const bytes = Buffer.from(random.bytes(16))
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  const hex = bytes.toString('hex')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
