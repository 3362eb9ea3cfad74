/**
 * The agent's half of an instance's life: it reports what it has reached in the kernel, and these
 * plans move the record. They work on the whole Snapshot, for an agent serves all accounts.
 *
 *     goal (API) ──▶ agent works on namespace and TUNs ──▶ planInstanceReached ──▶ state
 *
 * A report may come late: the user may have asked for something else meanwhile. A report that no
 * longer fits the state changes nothing, and the agent looks at the goal again.
 */
import { REASON_SEPARATOR, TERMINATED_LINGER_MS, terminate } from './instance.ts'
import type { Instance, InstanceState } from './instance.ts'
import { releasePublicIp } from './instance_public_ip.ts'
import type { Plan, PlanContext } from './plan.ts'
import { put, remove } from './snapshot.ts'
import type { Change, Snapshot } from './snapshot.ts'

/** What an agent can have reached with an instance. */
export type ReachedState = 'running' | 'stopped' | 'terminated'

/** States from which each report moves an instance. */
const LEAVES: Readonly<Record<ReachedState, InstanceState>> = {
  running: 'pending', stopped: 'stopping', terminated: 'shutting-down'
}

type AgentContext = Pick<PlanContext, 'nowMs'>

/**
 * `host` reports that an instance is up, stopped or gone. Stopping and terminating free the host's
 * slot and the auto-assigned public address; terminating also deletes or detaches the ENIs.
 * @returns the state after the plan; null when there is no such instance
 */
export function planInstanceReached (snapshot: Snapshot, hostName: string, instanceId: string,
  reached: ReachedState, context: AgentContext): Plan<InstanceState | null> {
  const instance = snapshot.tables.instance.get(instanceId)
  if (instance === undefined) return { changes: [], result: null }
  if (instance.state !== LEAVES[reached] || instance.hostName !== hostName) {
    return { changes: [], result: instance.state }
  }
  if (reached === 'terminated') {
    return { changes: terminate(snapshot, instance, context.nowMs).changes, result: reached }
  }
  const next: Instance = reached === 'running'
    ? { ...instance, state: 'running', bootCount: instance.bootCount + 1,
      stateChangedMs: context.nowMs }
    : { ...instance, state: 'stopped', hostName: null, stateChangedMs: context.nowMs }
  const freed = reached === 'stopped' ? releasePublicIp(snapshot, instanceId) : []
  return { changes: [put('instance', next), ...freed], result: next.state }
}

/**
 * `host` reports that it cannot bring an instance up. One that has never been up is terminated, as
 * AWS does with a failed launch; one that has been up before goes back to stopped.
 * @param why one sentence, shown as the message of StateReason
 * @returns the state after the plan; null when there is no such instance
 */
export function planInstanceFailed (snapshot: Snapshot, hostName: string, instanceId: string,
  why: string, context: AgentContext): Plan<InstanceState | null> {
  const instance = snapshot.tables.instance.get(instanceId)
  if (instance === undefined) return { changes: [], result: null }
  if (instance.state !== 'pending' || instance.hostName !== hostName) {
    return { changes: [], result: instance.state }
  }
  const failed: Instance =
    { ...instance, stateReason: `Server.InternalError${REASON_SEPARATOR}${why}` }
  if (instance.bootCount === 0) {
    return { changes: terminate(snapshot, failed, context.nowMs).changes, result: 'terminated' }
  }
  const stopped: Instance =
    { ...failed, state: 'stopped', goal: 'stopped', hostName: null, stateChangedMs: context.nowMs }
  return { changes: [put('instance', stopped), ...releasePublicIp(snapshot, instanceId)],
    result: 'stopped' }
}

/**
 * The host found that the namespace of a foreign guest is no longer where it was. The instance is
 * terminated; its host then takes away what is left.
 * @returns the state after the plan; null when there is no such instance
 */
export function planGuestEnded (snapshot: Snapshot, hostName: string, instanceId: string,
  context: AgentContext): Plan<InstanceState | null> {
  const instance = snapshot.tables.instance.get(instanceId)
  if (instance === undefined) return { changes: [], result: null }
  if (instance.hostName !== hostName || instance.guest?.kind !== 'namespace') {
    return { changes: [], result: instance.state }
  }
  const { label, path } = instance.guest
  const ended: Instance = {
    ...instance,
    stateReason: `Client.InstanceInitiatedShutdown${REASON_SEPARATOR}` +
      `The attached ${label} ended: its namespace is no longer at ${path}`
  }
  return { changes: terminate(snapshot, ended, context.nowMs).changes, result: 'terminated' }
}

/**
 * The host found that a virtual machine has ended by itself: it stops, or is terminated, as its
 * instance-initiated shutdown behavior says.
 * @returns the state after the plan; null when there is no such instance
 */
export function planVmEnded (snapshot: Snapshot, hostName: string, instanceId: string,
  context: AgentContext): Plan<InstanceState | null> {
  const instance = snapshot.tables.instance.get(instanceId)
  if (instance === undefined) return { changes: [], result: null }
  if (instance.hostName !== hostName || instance.state !== 'running') {
    return { changes: [], result: instance.state }
  }
  const stateReason =
    `Client.InstanceInitiatedShutdown${REASON_SEPARATOR}Instance initiated shutdown`
  const isFinal = instance.instanceInitiatedShutdownBehavior === 'terminate'
  const ended: Instance = {
    ...instance, stateReason, state: isFinal ? 'shutting-down' : 'stopping',
    goal: isFinal ? 'terminated' : 'stopped', stateChangedMs: context.nowMs
  }
  return { changes: [put('instance', ended)], result: ended.state }
}

/** Removes the records of instances that were terminated TERMINATED_LINGER_MS ago or longer. */
export function planReapTerminated (snapshot: Snapshot, context: AgentContext): Plan<number> {
  const changes: Change[] = []
  for (const instance of snapshot.tables.instance.values()) {
    if (instance.state !== 'terminated') continue
    if (context.nowMs - instance.stateChangedMs >= TERMINATED_LINGER_MS) {
      changes.push(remove('instance', instance.id))
    }
  }
  return { changes, result: changes.length }
}
