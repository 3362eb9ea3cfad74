/**
 * Instance: record, life cycle and rules. AWS EC2 User Guide, "Instance lifecycle".
 *
 * The API writes `goal`; the agent of `hostName` works towards it and writes `state`. Between the
 * two lies the kernel: a namespace, one TUN per ENI, and the user data.
 *
 *      pending ──▶ running ──▶ stopping ──▶ stopped ──▶ pending
 *         │           │                        │
 *         └───────────┴──▶ shutting-down ──▶ terminated ──▶ (record removed after an hour)
 *
 * The API moves an instance to the states that end in a wait (pending, stopping, shutting-down);
 * the agent moves it out of them (model/instance_agent.ts). A stopped instance is on no host, so
 * terminating it needs no agent and is done at once. RunInstances stands in
 * model/instance_launch.ts.
 */
import { AwsError } from './aws_error.ts'
import { refuseForeign } from './instance_guest.ts'
import type { Guest } from './instance_guest.ts'
import type { MetadataOptions } from './instance_metadata.ts'
import { removalOf } from './network_interface.ts'
import type { NetworkInterface } from './network_interface.ts'
import { assignPublicIp } from './instance_public_ip.ts'
import { placeInstances } from './placement.ts'
import type { Plan, PlanContext } from './plan.ts'
import { PublicAddressPool } from './public_address_pool.ts'
import type { OwnedRecord } from './record.ts'
import { requireRecord } from './resource_kind.ts'
import { put } from './snapshot.ts'
import type { AccountView, Change, Snapshot } from './snapshot.ts'

export type InstanceState =
  'pending' | 'running' | 'stopping' | 'stopped' | 'shutting-down' | 'terminated'

export interface Instance extends OwnedRecord {
  readonly reservationId: string
  /** Requested with ClientToken; empty for none. */
  readonly clientToken: string
  readonly launchIndex: number
  /** `ami-…` of model/image.ts. */
  readonly imageId: string
  readonly instanceType: string
  readonly keyName: string | null
  /** Empty once terminated, as is `subnetId`: the VPC may be gone before the record is. */
  readonly vpcId: string
  readonly subnetId: string
  readonly zoneId: string
  /** Host that runs it, or null while stopped or terminated. */
  readonly hostName: string | null
  readonly state: InstanceState
  /** What the user asked for last. */
  readonly goal: 'running' | 'stopped' | 'terminated'
  /** Raw user data, base64 as the API carries it; empty for none. Runs at first boot. */
  readonly userData: string
  /** How often the instance has come up; user data runs when it goes from 0 to 1. */
  readonly bootCount: number
  /** Counts RebootInstances; the agent restarts the namespace's processes when it rises. */
  readonly rebootCount: number
  readonly disableApiTermination: boolean
  readonly disableApiStop: boolean
  readonly instanceInitiatedShutdownBehavior: 'stop' | 'terminate'
  readonly hostnameType: 'ip-name' | 'resource-name'
  /** Absent: false (model/instance_dns.ts). */
  readonly enableResourceNameDnsARecord?: boolean
  readonly enableResourceNameDnsAaaaRecord?: boolean
  /** Absent: EC2's defaults (model/instance_metadata.ts). */
  readonly metadataOptions?: MetadataOptions
  readonly launchedMs: number
  /** When the state last changed. */
  readonly stateChangedMs: number
  /** `Client.UserInitiatedShutdown: …`, `Server.InternalError: …`; empty for none. */
  readonly stateReason: string
  /** Each start gives the primary ENI a public IPv4 address; absent: none does. */
  readonly assignsPublicIp?: boolean
  /** Absent: the machine's own root file system, in a namespace of the lab. */
  readonly guest?: Guest
}

/** How long a terminated instance is still described. */
export const TERMINATED_LINGER_MS = 3_600_000

/** A `stateReason` is a code, this separator and a message; the API shows the two apart. */
export const REASON_SEPARATOR = ': '
export const REASON_USER_SHUTDOWN = 'Client.UserInitiatedShutdown: User initiated shutdown'

/** ENIs attached to an instance, in order of device index. */
export function interfacesOfInstance (snapshot: Snapshot, instance: Instance): NetworkInterface[] {
  return snapshot.tables.networkInterface.by('attachment.instanceId', instance.id)
    .sort((a, b) => (a.attachment?.deviceIndex ?? 0) - (b.attachment?.deviceIndex ?? 0))
}

/** One instance of a life-cycle call: what it was and what it is now. */
export interface InstanceStateChange {
  readonly instanceId: string
  readonly previousState: InstanceState
  readonly currentState: InstanceState
}

/**
 * What one instance of a life-cycle call comes to: its new record and other changes, or nothing.
 */
interface Step {
  readonly instance: Instance
  readonly changes: readonly Change[]
}

function planEach (view: AccountView, instanceIds: readonly string[],
  step: (instance: Instance) => Step): Plan<InstanceStateChange[]> {
  const changes: Change[] = []
  const result: InstanceStateChange[] = []
  for (const id of new Set(instanceIds)) {
    const previous = requireRecord(view, 'instance', id)
    const next = step(previous)
    changes.push(...next.changes)
    result.push({ instanceId: id, previousState: previous.state,
      currentState: next.instance.state })
  }
  return { changes, result }
}

/** The record in another state. */
function inState (instance: Instance, nowMs: number, fields: Partial<Instance>): Step {
  const next: Instance = { ...instance, ...fields, stateChangedMs: nowMs }
  return { instance: next, changes: [put('instance', next)] }
}

const unchanged = (instance: Instance): Step => ({ instance, changes: [] })

/**
 * What terminating leaves: ENIs with DeleteOnTermination are deleted, the others detached, the
 * record stays for TERMINATED_LINGER_MS without VPC and host.
 */
export function terminate (snapshot: Snapshot, instance: Instance, nowMs: number): Step {
  const interfaces = interfacesOfInstance(snapshot, instance).flatMap((networkInterface) =>
    networkInterface.attachment?.deleteOnTermination === true
      ? removalOf(snapshot, networkInterface.id)
      : put('networkInterface', { ...networkInterface, attachment: null, autoPublicIp: null }))
  const last = inState(instance, nowMs,
    { state: 'terminated', goal: 'terminated', hostName: null, vpcId: '', subnetId: '' })
  return { instance: last.instance, changes: [...interfaces, ...last.changes] }
}

/**
 * TerminateInstances. All or none.
 * @throws AwsError InvalidInstanceID.*, OperationNotPermitted with termination protection
 */
export function planTerminateInstances (view: AccountView,
  input: { readonly instanceIds: readonly string[] },
  context: PlanContext): Plan<InstanceStateChange[]> {
  return planEach(view, input.instanceIds, (instance) => {
    if (instance.state === 'terminated' ||
      instance.state === 'shutting-down') return unchanged(instance)
    if (instance.disableApiTermination) {
      throw new AwsError('OperationNotPermitted',
        `The instance '${instance.id}' may not be terminated. ` +
        "Modify its 'disableApiTermination' instance attribute and try again.")
    }
    const ending: Instance = { ...instance, goal: 'terminated', stateReason: REASON_USER_SHUTDOWN }
    return instance.hostName === null
      ? terminate(view.snapshot, ending, context.nowMs)
      : inState(ending, context.nowMs, { state: 'shutting-down' })
  })
}

/**
 * StopInstances. All or none.
 * @throws AwsError InvalidInstanceID.*, IncorrectInstanceState, OperationNotPermitted with stop
 *   protection
 */
export function planStopInstances (view: AccountView,
  input: { readonly instanceIds: readonly string[] },
  context: PlanContext): Plan<InstanceStateChange[]> {
  return planEach(view, input.instanceIds, (instance) => {
    if (instance.state === 'stopping' || instance.state === 'stopped') return unchanged(instance)
    if (instance.state !== 'running') throw incorrectState(instance, 'stopped')
    if (instance.disableApiStop) {
      throw new AwsError('OperationNotPermitted',
        `The instance '${instance.id}' may not be stopped. ` +
        "Modify its 'disableApiStop' instance attribute and try again.")
    }
    return inState(instance, context.nowMs,
      { state: 'stopping', goal: 'stopped', stateReason: REASON_USER_SHUTDOWN })
  })
}

/**
 * StartInstances. Each gets a host again, perhaps another one, and another public address if it had
 * one. All or none.
 * @throws AwsError InvalidInstanceID.*, IncorrectInstanceState, InsufficientInstanceCapacity,
 *   InsufficientAddressCapacity
 */
export function planStartInstances (view: AccountView,
  input: { readonly instanceIds: readonly string[] },
  context: PlanContext): Plan<InstanceStateChange[]> {
  const starting = new Map<string, string[]>() // zone id → hosts already given out by this call
  const pool = new PublicAddressPool(view.snapshot)
  const plan = planEach(view, input.instanceIds, (instance) => {
    if (instance.state === 'pending' || instance.state === 'running') return unchanged(instance)
    if (instance.state !== 'stopped') throw incorrectState(instance, 'started')
    const taken = starting.get(instance.zoneId) ?? []
    const [hostName] = placeInstances(view, {
      zoneId: instance.zoneId, minCount: 1, maxCount: 1, hostName: null,
      instanceType: instance.instanceType, taken
    })
    if (hostName === undefined) throw new Error('placeInstances returned fewer hosts than asked ' +
      'for')
    starting.set(instance.zoneId, [...taken, hostName])
    const step = inState(instance, context.nowMs, {
      state: 'pending', goal: 'running', hostName, stateReason: '', launchedMs: context.nowMs
    })
    return { ...step, changes: [...step.changes, ...assignPublicIp(view, instance, pool)] }
  })
  return { ...plan, changes: [...plan.changes, ...pool.changes()] }
}

/**
 * RebootInstances: the agent restarts what runs inside; host, addresses and flows stay.
 * @throws AwsError InvalidInstanceID.*, IncorrectInstanceState, UnsupportedOperation
 */
export function planRebootInstances (view: AccountView,
  input: { readonly instanceIds: readonly string[] }
): Plan<InstanceStateChange[]> {
  return planEach(view, input.instanceIds, (instance) => {
    if (instance.state !== 'running') throw incorrectState(instance, 'rebooted')
    refuseForeign(instance, 'rebooted')
    const next: Instance = { ...instance, rebootCount: instance.rebootCount + 1 }
    return { instance: next, changes: [put('instance', next)] }
  })
}

function incorrectState (instance: Instance, done: string): AwsError {
  return new AwsError('IncorrectInstanceState',
    `The instance '${instance.id}' is not in a state from ` +
    `which it can be ${done}: it is ${instance.state}`)
}
