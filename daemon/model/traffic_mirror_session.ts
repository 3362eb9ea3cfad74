/**
 * Traffic mirror session: copies packets of a source ENI that a filter accepts to a target. Of
 * several sessions of one source the one with the lowest number is asked first, and a packet is
 * copied once. AWS, "Traffic Mirroring", "Traffic mirror sessions".
 */
import { AwsError } from './aws_error.ts'
import { checkDescription } from './network_interface.ts'
import type { Plan, PlanContext } from './plan.ts'
import { checkQuota } from './quota.ts'
import type { OwnedRecord, Tags } from './record.ts'
import { requireRecord } from './resource_kind.ts'
import { put, remove } from './snapshot.ts'
import type { AccountView } from './snapshot.ts'
import { removedFields } from './traffic_mirror_filter.ts'
import { refuseTargetInterface, requireMirrorInterface } from './traffic_mirror_target.ts'

export interface TrafficMirrorSession extends OwnedRecord {
  /** The source. */
  readonly networkInterfaceId: string
  readonly targetId: string
  readonly filterId: string
  /** 1..SESSION_NUMBER_MAX, unique per source; lower first. */
  readonly sessionNumber: number
  /** Bytes that a copy keeps after the VXLAN header; null: all of the packet. */
  readonly packetLength: number | null
  /** VXLAN network identifier, 24 bits. */
  readonly virtualNetworkId: number
  readonly description: string
}

export const SESSION_NUMBER_MAX = 32_766
const VIRTUAL_NETWORK_ID_MAX = 0xffffff
/** [lab] AWS names no bound for ENI targets: the largest Ethernet frame of an IPv4 packet. */
const PACKET_LENGTH_MAX = 65_549
/** Draws of a virtual network id: with 10,000 in use, one fails once in 1,600. */
const VIRTUAL_NETWORK_ID_DRAWS_MAX = 16

export interface SessionInput {
  readonly targetId: string
  readonly filterId: string
  readonly sessionNumber: number
  readonly packetLength: number | null
  /** null: one that no other session of the account has. */
  readonly virtualNetworkId: number | null
  readonly description: string
}

/**
 * CreateTrafficMirrorSession.
 * @returns the id of the new session
 * @throws AwsError Invalid….NotFound of source, target and filter, NetworkInterfaceNotSupported,
 *   InterfaceInUseByTrafficMirrorTarget, InvalidParameterValue,
 *   TrafficMirrorSessionsPerInterfaceLimitExceeded, TrafficMirrorSourcesPerTargetLimitExceeded,
 *   TrafficMirrorSessionLimitExceeded
 */
export function planCreateTrafficMirrorSession (view: AccountView,
  input: SessionInput & { readonly networkInterfaceId: string, readonly tags: Tags },
  context: PlanContext): Plan<string> {
  const networkInterfaceId = requireMirrorInterface(view, input.networkInterfaceId)
  refuseTargetInterface(view, networkInterfaceId)
  const session: TrafficMirrorSession = {
    id: context.newId('tms'), region: view.region, ownerId: view.accountId, tags: input.tags,
    networkInterfaceId, ...checkSession(view, input, networkInterfaceId, null, context)
  }
  const ofSource = view.by('trafficMirrorSession', 'networkInterfaceId', networkInterfaceId)
  checkQuota(view.snapshot, 'traffic-mirror-sessions-per-source', ofSource.length + 1)
  checkQuota(view.snapshot, 'traffic-mirror-sessions-per-region',
    view.list('trafficMirrorSession').length + 1)
  return { changes: [put('trafficMirrorSession', session)], result: session.id }
}

/** Fields that ModifyTrafficMirrorSession takes away. */
const SESSION_FIELDS_REMOVABLE: Readonly<Record<string, Partial<SessionInput>>> = {
  'packet-length': { packetLength: null },
  description: { description: '' },
  'virtual-network-id': { virtualNetworkId: null }
}

/**
 * ModifyTrafficMirrorSession: what the call does not name stays.
 * @throws AwsError InvalidTrafficMirrorSessionId.NotFound, and as planCreateTrafficMirrorSession
 */
export function planModifyTrafficMirrorSession (view: AccountView,
  input: {
    readonly sessionId: string
    readonly changes: Partial<SessionInput>
    readonly removeFields: readonly string[]
  }, context: PlanContext): Plan<string> {
  const old = requireRecord(view, 'trafficMirrorSession', input.sessionId)
  const wanted: SessionInput = { ...old, ...input.changes,
    ...removedFields(input.removeFields, SESSION_FIELDS_REMOVABLE) }
  const session: TrafficMirrorSession = {
    ...old, ...checkSession(view, wanted, old.networkInterfaceId, old.id, context)
  }
  return { changes: [put('trafficMirrorSession', session)], result: session.id }
}

/**
 * DeleteTrafficMirrorSession.
 * @throws AwsError InvalidTrafficMirrorSessionId.NotFound
 */
export function planDeleteTrafficMirrorSession (view: AccountView,
  input: { readonly sessionId: string }): Plan<string> {
  const { id } = requireRecord(view, 'trafficMirrorSession', input.sessionId)
  return { changes: [remove('trafficMirrorSession', id)], result: id }
}

type CheckedSession = Omit<TrafficMirrorSession, keyof OwnedRecord | 'networkInterfaceId'>

/** @param ownId of the session that is modified, or null */
function checkSession (view: AccountView, input: SessionInput, networkInterfaceId: string,
  ownId: string | null, context: PlanContext): CheckedSession {
  checkDescription(input.description)
  const target = requireRecord(view, 'trafficMirrorTarget', input.targetId)
  const filter = requireRecord(view, 'trafficMirrorFilter', input.filterId)
  const { sessionNumber, packetLength, virtualNetworkId } = input
  checkRange('SessionNumber', sessionNumber, 1, SESSION_NUMBER_MAX)
  if (packetLength !== null) checkRange('PacketLength', packetLength, 1, PACKET_LENGTH_MAX)
  if (virtualNetworkId !== null) {
    checkRange('VirtualNetworkId', virtualNetworkId, 0, VIRTUAL_NETWORK_ID_MAX)
  }
  const same = view.by('trafficMirrorSession', 'networkInterfaceId', networkInterfaceId)
    .find((other) => other.id !== ownId && other.sessionNumber === sessionNumber)
  if (same !== undefined) {
    throw new AwsError('InvalidParameterValue', `Session number ${sessionNumber} is in use on ` +
      `network interface '${networkInterfaceId}': ${same.id}`)
  }
  checkSources(view, target.id, networkInterfaceId)
  return {
    targetId: target.id, filterId: filter.id, sessionNumber, packetLength,
    virtualNetworkId: virtualNetworkId ?? freeVirtualNetworkId(view, context),
    description: input.description
  }
}

function checkRange (name: string, value: number, min: number, max: number): void {
  if (value >= min && value <= max) return
  throw new AwsError('InvalidParameterValue',
    `Invalid value '${value}' for ${name}; expecting ${min} to ${max}`)
}

/** [lab] The quota of small instance types for all. */
function checkSources (view: AccountView, targetId: string, networkInterfaceId: string): void {
  const sources = new Set(view.by('trafficMirrorSession', 'targetId', targetId)
    .map((session) => session.networkInterfaceId))
  sources.add(networkInterfaceId)
  checkQuota(view.snapshot, 'traffic-mirror-sources-per-target', sources.size)
}

/** Random digits of a fresh id, until no session of the account has them. */
function freeVirtualNetworkId (view: AccountView, context: PlanContext): number {
  const used = new Set(view.list('trafficMirrorSession').map((one) => one.virtualNetworkId))
  for (let draws = 0; draws < VIRTUAL_NETWORK_ID_DRAWS_MAX; draws++) {
    const drawn = Number.parseInt(context.newId('tms').slice(-6), 16)
    if (drawn !== 0 && !used.has(drawn)) return drawn
  }
  throw new Error(`Invariant broken: ${VIRTUAL_NETWORK_ID_DRAWS_MAX} random virtual network ids ` +
    'are all in use')
}
