/**
 * The admin API over the lab's unix socket: contract.ts says what it answers, `routes/` from where.
 * What the EC2 API can do is not here. Who can open the socket (root) may do everything.
 */
import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import { VpclabError } from '../../base/errors.ts'
import type { AdminError } from './contract.ts'
import { type AddRoutes, type AdminServerOptions, Refusal } from './route.ts'
import { addAuditRoutes } from './routes/audit.ts'
import { addEventRoutes } from './routes/events.ts'
import { addCaptureRoutes } from './routes/capture.ts'
import { addGuestRoutes } from './routes/guests.ts'
import { addHyperplaneRoutes } from './routes/hyperplane.ts'
import { addImpairmentRoutes } from './routes/impairments.ts'
import { addUnderlayRoutes } from './routes/underlay.ts'
import { addInternetRoutes } from './routes/internet.ts'
import { addLabRoutes } from './routes/lab.ts'
import { addQuotaRoutes } from './routes/quotas.ts'
import { addReadingRoutes } from './routes/readings.ts'
import { addTraceRoutes } from './routes/trace.ts'
import { addTrafficRoutes } from './routes/traffic.ts'
import { addVpnRoutes } from './routes/vpn.ts'

const ROUTES: readonly AddRoutes[] = [
  addAuditRoutes,
  addCaptureRoutes,
  addEventRoutes,
  addGuestRoutes,
  addHyperplaneRoutes,
  addImpairmentRoutes,
  addUnderlayRoutes,
  addInternetRoutes,
  addLabRoutes,
  addQuotaRoutes,
  addReadingRoutes,
  addTraceRoutes,
  addTrafficRoutes,
  addVpnRoutes
]

/** The server, not yet listening. */
export function createAdminServer (options: AdminServerOptions): FastifyInstance {
  const { log } = options
  const server = fastify()
  for (const addRoutes of ROUTES) addRoutes(server, options)
  server.setNotFoundHandler((request, reply) =>
    reply.code(404).send({
      code: 'NotFound', message: `The admin API has no ${request.method} ${request.url}`
    } satisfies AdminError))
  server.setErrorHandler((error, request, reply) => {
    const { status, body } = answerTo(error)
    if (status === 500) log.error({ err: error, url: request.url }, 'admin call failed')
    return reply.code(status).send(body)
  })
  return server
}

function answerTo (error: unknown): { readonly status: number, readonly body: AdminError } {
  if (error instanceof Refusal) return { status: error.status,
    body: { code: error.code, message: error.message } }
  if (error instanceof VpclabError) {
    return { status: error.code === 'VPCLAB_ERR_TIMEOUT' ? 408 : 500,
      body: { code: error.code, message: error.message } }
  }
  const message = error instanceof Error ? error.message : String(error)
  return { status: 500, body: { code: 'InternalError', message } }
}
