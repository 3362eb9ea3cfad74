/**
 * GET /metrics for Prometheus, on a port of its own (`--metrics-port`), on loopback alone, without
 * a signature. The AWS endpoint has no such door: nothing there is answered before it is signed,
 * and it may be bound to an address that others reach.
 *
 * A scrape that arrives while another is answered gets the same answer.
 */
import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import { collectMetrics, CommitCounts } from './collect.ts'
import type { MetricsSources } from './collect.ts'
import { CONTENT_TYPE } from './exposition.ts'

/** The only address that metrics are served on. */
export const METRICS_ADDRESS = '127.0.0.1'
export const METRICS_PATH = '/metrics'

/** The server, not yet listening. It counts commits from now on. */
export function createMetricsServer (sources: MetricsSources): FastifyInstance {
  const commits = new CommitCounts(sources.replica)
  const server = fastify()
  let running: Promise<string> | null = null
  server.get(METRICS_PATH, async (_request, reply) => {
    running ??= collectMetrics(sources, commits).finally(() => { running = null })
    return await reply.type(CONTENT_TYPE).send(await running)
  })
  server.setNotFoundHandler((_request, reply) =>
    reply.code(404).type('text/plain').send(`Metrics are at ${METRICS_PATH}\n`))
  return server
}
