/** The lab as a whole: how it stands, waiting for it, emptying and stopping it. */
import type { HostAgent } from '../../../host/agent.ts'
import { guestPid } from '../../../host/instance_guest.ts'
import { rootPid } from '../../../host/instance_root.ts'
import type { Lab } from '../../../host/lab.ts'
import { namespaceName, vmConsolePath } from '../../../host/paths.ts'
import type { Instance } from '../../../model/instance.ts'
import type {
  CredentialsAnswer, HostStatus, InstanceAnswer, LabStatusAnswer, ResetAnswer, WaitAnswer
} from '../contract.ts'
import { countersOf } from '../readings.ts'
import { type AddRoutes, type AdminServerOptions, numberOf, type Query, Refusal } from '../route.ts'

/** Longest wait that one request may ask for. */
export const WAIT_MS_MAX = 600_000
const WAIT_MS_DEFAULT = 30_000

export const addLabRoutes: AddRoutes = (server, options) => {
  const { lab, replica, keyRing, config, endpointUrl } = options
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
  server.get<{ Params: { readonly id: string } }>('/instances/:id', ({ params }): InstanceAnswer =>
    instanceOf(options, params.id))
  server.post('/reset', async (): Promise<ResetAnswer> => await lab.reset())
  server.post('/stop', () => {
    setImmediate(options.stop)
    return { stopping: true }
  })
}

function statusOf (options: AdminServerOptions): LabStatusAnswer {
  const { lab, replica, endpointUrl, metricsUrl, config } = options
  const sinceMs = options.engine.unreachableSinceMs
  const instances: Record<string, number> = {}
  for (const instance of replica.snapshot.tables.instance.values()) {
    instances[instance.state] = (instances[instance.state] ?? 0) + 1
  }
  return {
    lab: lab.name,
    pid: process.pid,
    endpointUrl,
    metricsUrl,
    region: config.region,
    revision: replica.snapshot.revision,
    appliedRevision: lab.appliedRevision,
    storeUnreachableSince: sinceMs === null ? null : new Date(sinceMs).toISOString(),
    storeUnreachableReason: options.engine.unreachableReason,
    machines: lab.machines(),
    hosts: lab.agents.map(hostStatus),
    instances
  }
}

function hostStatus (agent: HostAgent): HostStatus {
  const counters = countersOf(agent)
  return {
    name: agent.host.id,
    roles: agent.host.roles,
    pid: agent.pid,
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

/** Process that stands for the inside of an instance, where there is more than a network. */
function pidOf (lab: Lab, { id, guest, state }: Instance): number | null {
  if (guest === undefined) return null
  if (guest.kind === 'namespace') return guestPid(guest)
  if (guest.kind === 'vm') return null
  const pid = rootPid(lab.name, id)
  if (pid !== null || state !== 'running') return pid
  throw new Refusal(503, 'VPCLAB_ERR_AGENT',
    `The root file system of ${id} is being built: try again in a moment`)
}

function instanceOf ({ lab, replica }: AdminServerOptions, id: string): InstanceAnswer {
  const instance = replica.snapshot.tables.instance.get(id)
  if (instance === undefined) {
    throw new Refusal(404, 'InvalidInstanceID.NotFound', `The instance ID '${id}' does not exist`)
  }
  const { hostName: host, state } = instance
  return { id, namespace: namespaceName(lab.name, id), pid: pidOf(lab, instance),
    consolePath: instance.guest?.kind === 'vm' ? vmConsolePath(lab.name, id) : null, host, state }
}
