/**
 * The admin API over the lab's unix socket: contract.ts says what it answers, this file says from
 * where. It reads what is there and starts nothing but a reset and a stop; all else goes through
 * the EC2 endpoint. Who can open the socket (root) may do everything.
 */
import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import { VpclabError } from '../../base/errors.ts'
import type { HostAgent } from '../../host/agent.ts'
import type { Lab } from '../../host/lab.ts'
import type { LabConfig } from '../../host/lab_config.ts'
import { namespaceName } from '../../host/paths.ts'
import { parseAddress } from '../../model/cidr.ts'
import type { Log } from '../../observe/log.ts'
import type { Replica } from '../../store/replica.ts'
import type { KeyRing } from '../ec2/key_ring.ts'
import type {
  AdminError, CacheAnswer, CredentialsAnswer, DropsAnswer, FlowsAnswer, HostStatus, InstanceAnswer,
    LabStatusAnswer,
  MappingAnswer, ResetAnswer, WaitAnswer
} from './contract.ts'
import { countersOf, dropsOf, flowsOf } from './readings.ts'

/** Longest wait that one request may ask for. */
export const WAIT_MS_MAX = 600_000
const WAIT_MS_DEFAULT = 30_000
/** Flows that one request is answered with, when it does not say. */
const FLOWS_DEFAULT = 1000
export const FLOWS_MAX = 100_000

export interface AdminServerOptions {
  readonly lab: Lab
  readonly replica: Replica
  readonly keyRing: KeyRing
  readonly config: LabConfig
  readonly endpointUrl: string
  readonly log: Log
  /** Stops the daemon, soon. */
  readonly stop: () => void
}

/** A refusal with a status of its own. */
class Refusal extends Error {
  readonly status: number
  readonly code: string
  constructor (status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

interface Query { readonly [name: string]: string | undefined }

/** The server, not yet listening. */
export function createAdminServer (options: AdminServerOptions): FastifyInstance {
  const { lab, replica, keyRing, config, endpointUrl, log } = options
  const server = fastify()
  server.get('/status', (): LabStatusAnswer => statusOf(options))
  server.get('/credentials', (): CredentialsAnswer => {
    const { accessKeyId, secretAccessKey, accountId } = keyRing.first
    return { endpointUrl, region: config.region, accessKeyId, secretAccessKey, accountId }
  })
  server.get<{ Querystring: Query }>('/wait', async ({ query }): Promise<WaitAnswer> => {
    const revision = numberOf(query, 'revision', replica.snapshot.revision, Number.MAX_SAFE_INTEGER)
    const timeoutMs = numberOf(query, 'timeoutMs', WAIT_MS_DEFAULT, WAIT_MS_MAX)
    return { appliedRevision: await lab.waitApplied(revision, timeoutMs) }
  })
  server.get<{ Querystring: Query }>('/drops', ({ query }): DropsAnswer => {
    const drops = lab.agents.flatMap((agent) => dropsOf(agent))
    const { eni } = query
    return { drops: eni === undefined ? drops : drops.filter((drop) => drop.eni === eni) }
  })
  server.get<{ Querystring: Query }>('/flows', ({ query }): FlowsAnswer => {
    const limit = numberOf(query, 'limit', FLOWS_DEFAULT, FLOWS_MAX)
    const flows = lab.agents.flatMap((agent) => flowsOf(agent, query['eni'] ?? null, limit))
    return { flows: flows.slice(0, limit) }
  })
  server.get<{ Querystring: Query }>('/mapping', ({ query }): MappingAnswer =>
    mappingOf(lab, query))
  server.get('/cache', (): CacheAnswer =>
    ({ hosts: lab.agents.map((agent) => agent.cacheStatistics()) }))
  server.get<{ Params: { readonly id: string } }>('/instances/:id', ({ params }): InstanceAnswer =>
    instanceOf(options, params.id))
  server.post('/reset', async (): Promise<ResetAnswer> => await lab.reset())
  server.post('/stop', () => {
    setImmediate(options.stop)
    return { stopping: true }
  })
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

function statusOf ({ lab, replica, endpointUrl, config }: AdminServerOptions): LabStatusAnswer {
  const instances: Record<string, number> = {}
  for (const instance of replica.snapshot.tables.instance.values()) {
    instances[instance.state] = (instances[instance.state] ?? 0) + 1
  }
  return {
    lab: lab.name,
    pid: process.pid,
    endpointUrl,
    region: config.region,
    revision: replica.snapshot.revision,
    appliedRevision: lab.appliedRevision,
    hosts: lab.agents.map(hostStatus),
    instances
  }
}

function hostStatus (agent: HostAgent): HostStatus {
  const counters = countersOf(agent)
  return {
    name: agent.host.id,
    zoneId: agent.host.zoneId,
    namespace: agent.namespace,
    underlayAddress: agent.host.underlayAddress,
    appliedRevision: agent.appliedRevision,
    wireMode: agent.wireMode,
    ports: agent.openPortCount,
    flows: counters['worker-flows-live'] ?? 0,
    counters,
    features: agent.features
  }
}

function instanceOf ({ lab, replica }: AdminServerOptions, id: string): InstanceAnswer {
  const instance = replica.snapshot.tables.instance.get(id)
  if (instance === undefined) {
    throw new Refusal(404, 'InvalidInstanceID.NotFound', `The instance ID '${id}' does not exist`)
  }
  const { hostName: host, state } = instance
  return { id, namespace: namespaceName(lab.name, id), host, state }
}

function mappingOf (lab: Lab, query: Query): MappingAnswer {
  const vpc = query['vpc'] ?? ''
  const address = query['address'] ?? ''
  if (parseAddress(address) === null) throw new Refusal(
    400, 'InvalidParameterValue', `"${address}" is not an IP address`)
  const entry = lab.directory.resolve(vpc, address)
  if (entry === null) throw new Refusal(
    404, 'NotFound', `No interface of ${vpc} that runs has the address ${address}`)
  return {
    vpc,
    address,
    eni: entry.networkInterfaceId,
    host: entry.hostName,
    underlayAddress: entry.underlayAddress,
    subnet: entry.subnetId,
    macAddress: entry.macAddress,
    generation: entry.generation
  }
}

function numberOf (query: Query, name: string, otherwise: number, max: number): number {
  const text = query[name]
  if (text === undefined) return otherwise
  const value = Number(text)
  if (!/^\d+$/.test(text) || value > max) {
    throw new Refusal(400, 'InvalidParameterValue',
      `The value "${text}" of ${name} is not a whole number up to ${String(max)}`)
  }
  return value
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
