/**
 * Calls on VPC peering connections: request, accept, reject, delete, options; and what a peering
 * forbids its VPCs. EC2 API Reference, CreateVpcPeeringConnection and those beside it; VPC Peering
 * Guide, "VPC peering limitations".
 *
 * A request that can never come about (no such VPC, blocks that overlap) is made all the same, and
 * has `failed`: so the requester learns nothing about VPCs that are not his.
 */
import { isAccountId } from './account.ts'
import { AwsError } from './aws_error.ts'
import type { Plan, PlanContext } from './plan.ts'
import { checkQuota } from './quota.ts'
import type { Tags } from './record.ts'
import { findRegion } from './region.ts'
import { checkIdForm, notFound, requireRecord } from './resource_kind.ts'
import type { AccountView, Change, Snapshot } from './snapshot.ts'
import { put, remove } from './snapshot.ts'
import type { Vpc } from './vpc.ts'
import {
  blocksOf, isPeeringOver, otherSide, overlappingBlock, peeringsOfVpc, peeringStatus,
  peeringVisibleUntilMs, peersOf
} from './vpc_peering.ts'
import type { PeeringSide, VpcPeeringConnection } from './vpc_peering.ts'

const NOUN = 'vpcPeeringConnection'

/**
 * A peering that the caller sees, as requester or accepter.
 * @throws AwsError InvalidVpcPeeringConnectionId.Malformed, InvalidVpcPeeringConnectionID.NotFound
 */
export function requirePeering (view: AccountView, id: string,
  nowMs: number): VpcPeeringConnection {
  const peering = requireRecord(view, NOUN, id)
  if (nowMs >= peeringVisibleUntilMs(peering, view, nowMs)) throw notFound(NOUN, id)
  return peering
}

export interface CreatePeeringInput {
  readonly vpcId: string
  readonly peerVpcId: string | undefined
  /** The caller's own when undefined. */
  readonly peerOwnerId: string | undefined
  readonly peerRegion: string | undefined
  readonly tags: Tags
}

/**
 * CreateVpcPeeringConnection.
 * @returns the id of the request
 * @throws AwsError InvalidVpcID.*, MissingParameter, InvalidParameterValue,
 *   VpcPeeringConnectionAlreadyExists, OutstandingVpcPeeringConnectionLimitExceeded,
 *   VpcPeeringConnectionsPerVpcLimitExceeded
 */
export function planCreatePeering (view: AccountView, input: CreatePeeringInput,
  context: PlanContext): Plan<string> {
  const vpc = requireRecord(view, 'vpc', input.vpcId)
  const { peer, accepter } = findPeer(view, input)
  if (accepter.vpcId === vpc.id) {
    throw new AwsError('InvalidParameterValue',
      `The VPC '${vpc.id}' cannot be peered with itself`)
  }
  refuseSecond(view.snapshot, vpc.id, accepter.vpcId, context.nowMs)
  const outstanding = view.list(NOUN).filter((one) => view.owns(one) &&
    peeringStatus(one, context.nowMs) === 'pending-acceptance')
  checkQuota(view.snapshot, 'outstanding-peering-requests', outstanding.length + 1)
  checkActiveQuota(view.snapshot, vpc.id)
  const fails = peer === null || overlappingBlock(blocksOf(vpc), blocksOf(peer)) !== undefined
  const peering: VpcPeeringConnection = {
    id: context.newId('pcx'), region: view.region, ownerId: view.accountId, tags: input.tags,
    requester: {
      vpcId: vpc.id, ownerId: view.accountId, region: view.region,
      allowDnsResolutionFromRemoteVpc: false
    },
    accepter, accepterTags: {}, createdMs: context.nowMs, endedMs: null, endedBy: null,
    status: 'pending-acceptance', statusRevision: nextRevision(view)
  }
  return {
    changes: [put(NOUN, fails ? failed(peering, view, context.nowMs) : peering)],
    result: peering.id
  }
}

/** The other VPC as the call names it; null where there is none such. */
function findPeer (view: AccountView, { peerVpcId, peerOwnerId, peerRegion }: CreatePeeringInput):
{ readonly peer: Vpc | null, readonly accepter: PeeringSide } {
  const ownerId = peerOwnerId ?? view.accountId
  const region = peerRegion ?? view.region
  if (peerVpcId === undefined || peerVpcId === '') {
    throw new AwsError('MissingParameter', 'The request must contain the parameter peerVpcId')
  }
  checkIdForm('vpc', peerVpcId)
  if (!isAccountId(ownerId)) {
    throw new AwsError('InvalidParameterValue',
      `Value (${ownerId}) for parameter peerOwnerId is invalid: expecting an account id of 12 ` +
      'digits')
  }
  if (findRegion(region) === undefined) {
    throw new AwsError('InvalidParameterValue',
      `Value (${region}) for parameter peerRegion is invalid: there is no such Region`)
  }
  const found = view.snapshot.tables.vpc.get(peerVpcId)
  const peer = found?.ownerId === ownerId && found.region === region ? found : null
  if (peer === null && ownerId === view.accountId && region === view.region) {
    throw notFound('vpc', peerVpcId)
  }
  const accepter = { vpcId: peerVpcId, ownerId, region, allowDnsResolutionFromRemoteVpc: false }
  return { peer, accepter }
}

/** Two VPCs have one peering, whoever asked for it. */
function refuseSecond (snapshot: Snapshot, vpcId: string, peerVpcId: string,
  nowMs: number): void {
  const other = peeringsOfVpc(snapshot, vpcId).find((peering) =>
    otherSide(peering, vpcId).vpcId === peerVpcId && isOpen(peering, nowMs))
  if (other === undefined) return
  throw new AwsError('VpcPeeringConnectionAlreadyExists',
    `A VPC peering connection between ${vpcId} and ${peerVpcId} already exists: ${other.id} is ` +
    other.status)
}

function isOpen (peering: VpcPeeringConnection, nowMs: number): boolean {
  const status = peeringStatus(peering, nowMs)
  return status === 'pending-acceptance' || status === 'active'
}

function checkActiveQuota (snapshot: Snapshot, vpcId: string): void {
  checkQuota(snapshot, 'active-peerings-per-vpc', peersOf(snapshot, vpcId).length + 1)
}

/** The revision that a plan's commit has, or one below it. */
function nextRevision ({ snapshot }: AccountView): number { return snapshot.revision + 1 }

function failed (peering: VpcPeeringConnection, view: AccountView,
  nowMs: number): VpcPeeringConnection {
  return { ...peering, status: 'failed', statusRevision: nextRevision(view), endedMs: nowMs }
}

/**
 * AcceptVpcPeeringConnection: by the accepter, in the accepter's Region.
 * @returns the id
 * @throws AwsError InvalidVpcPeeringConnectionID.NotFound, OperationNotPermitted,
 *   InvalidStateTransition, VpcPeeringConnectionsPerVpcLimitExceeded
 */
export function planAcceptPeering (view: AccountView, id: string,
  { nowMs }: PlanContext): Plan<string> {
  const peering = requireAnswerable(view, id, 'accepted', nowMs)
  checkActiveQuota(view.snapshot, peering.requester.vpcId)
  checkActiveQuota(view.snapshot, peering.accepter.vpcId)
  const active: VpcPeeringConnection =
    { ...peering, status: 'active', statusRevision: nextRevision(view) }
  return { changes: [put(NOUN, active)], result: id }
}

/**
 * RejectVpcPeeringConnection: by the accepter.
 * @throws AwsError as planAcceptPeering
 */
export function planRejectPeering (view: AccountView, id: string,
  { nowMs }: PlanContext): Plan<null> {
  const peering = requireAnswerable(view, id, 'rejected', nowMs)
  return { changes: [put(NOUN, ended(peering, 'rejected', view, nowMs))], result: null }
}

/** A request that the caller may accept or reject. */
function requireAnswerable (view: AccountView, id: string, answer: 'accepted' | 'rejected',
  nowMs: number): VpcPeeringConnection {
  const peering = requirePeering(view, id, nowMs)
  const { ownerId, region } = peering.accepter
  if (ownerId !== view.accountId) {
    throw new AwsError('OperationNotPermitted',
      `The VPC peering connection ${id} can be ${answer} by the owner of ` +
      `${peering.accepter.vpcId} only, account ${ownerId}`)
  }
  if (region !== view.region) {
    throw new AwsError('OperationNotPermitted',
      `Incorrect region (${view.region}) specified for this request. VPC peering connection ` +
      `${id} must be ${answer} in region ${region}`)
  }
  const status = peeringStatus(peering, nowMs)
  if (status !== 'pending-acceptance') throw wrongState(peering, answer, status)
  return peering
}

function wrongState ({ id }: VpcPeeringConnection, wanted: string, status: string): AwsError {
  return new AwsError('InvalidStateTransition',
    `The VPC peering connection ${id} cannot be ${wanted}: it is in the state ${status}`)
}

function ended (peering: VpcPeeringConnection, status: 'rejected' | 'deleted', view: AccountView,
  nowMs: number): VpcPeeringConnection {
  return {
    ...peering, status, statusRevision: nextRevision(view), endedMs: nowMs,
    endedBy: view.accountId
  }
}

/**
 * DeleteVpcPeeringConnection: an active one by either side, a request by the requester. Routes to
 * it stay, as blackholes; rules that name groups of the other side become stale.
 * @throws AwsError InvalidVpcPeeringConnectionID.NotFound, OperationNotPermitted,
 *   InvalidStateTransition
 */
export function planDeletePeering (view: AccountView, id: string,
  { nowMs }: PlanContext): Plan<null> {
  const peering = requirePeering(view, id, nowMs)
  const status = peeringStatus(peering, nowMs)
  if (!isOpen(peering, nowMs)) throw wrongState(peering, 'deleted', status)
  if (status === 'pending-acceptance' && peering.ownerId !== view.accountId) {
    throw new AwsError('OperationNotPermitted',
      `The VPC peering connection ${id} is pending acceptance: its requester, account ` +
      `${peering.ownerId}, can delete it; reject it instead`)
  }
  return { changes: [put(NOUN, ended(peering, 'deleted', view, nowMs))], result: null }
}

/** Options of each side; undefined leaves one as it is. */
export interface PeeringOptionsInput {
  readonly id: string
  /** AllowDnsResolutionFromRemoteVpc */
  readonly requester: boolean | undefined
  readonly accepter: boolean | undefined
}

/**
 * ModifyVpcPeeringConnectionOptions: each owner changes the option of its own VPC.
 * @returns the id
 * @throws AwsError InvalidVpcPeeringConnectionID.NotFound, OperationNotPermitted (not active, or
 *   the other owner's side), MissingParameter,
 *   InvalidVpcPeeringConnectionState.DnsHostnamesDisabled
 */
export function planModifyPeeringOptions (view: AccountView, input: PeeringOptionsInput,
  { nowMs }: PlanContext): Plan<string> {
  const peering = requirePeering(view, input.id, nowMs)
  const { id, status, requester, accepter } = peering
  if (input.requester === undefined && input.accepter === undefined) {
    throw new AwsError('MissingParameter', 'The request must contain ' +
      'RequesterPeeringConnectionOptions or AccepterPeeringConnectionOptions')
  }
  if (status !== 'active') {
    throw new AwsError('OperationNotPermitted',
      `The options of ${id} cannot be modified in the state ${peeringStatus(peering, nowMs)}: ` +
      'expecting active')
  }
  const changed: VpcPeeringConnection = {
    ...peering,
    requester: withOption(view, peering, requester, input.requester),
    accepter: withOption(view, peering, accepter, input.accepter)
  }
  return { changes: [put(NOUN, changed)], result: id }
}

function withOption (view: AccountView, { id }: VpcPeeringConnection, side: PeeringSide,
  allow: boolean | undefined): PeeringSide {
  if (allow === undefined) return side
  if (side.ownerId !== view.accountId || side.region !== view.region) {
    throw new AwsError('OperationNotPermitted',
      `The options of ${side.vpcId} in ${id} can be modified by account ${side.ownerId} in ` +
      `${side.region} only`)
  }
  const vpc = view.get('vpc', side.vpcId)
  if (allow && (vpc?.enableDnsHostnames !== true || !vpc.enableDnsSupport)) {
    throw new AwsError('InvalidVpcPeeringConnectionState.DnsHostnamesDisabled',
      `The VPC ${side.vpcId} has DNS hostnames or DNS support disabled: enable both to let the ` +
      'other VPC resolve its names')
  }
  return { ...side, allowDnsResolutionFromRemoteVpc: allow }
}

/**
 * What a new block of a VPC means for its peerings. VPC User Guide, "VPC CIDR blocks", on VPC
 * peering connections.
 * @returns requests to this VPC that the block makes fail
 * @throws AwsError OperationNotPermitted while a request of its own is pending, InvalidVpc.Range
 *   for a block that overlaps one of an active peer
 */
export function checkBlockAgainstPeers (view: AccountView, vpc: Vpc, cidrBlock: string,
  nowMs: number): Change[] {
  const changes: Change[] = []
  for (const peering of peeringsOfVpc(view.snapshot, vpc.id)) {
    if (!isOpen(peering, nowMs)) continue
    const other = view.snapshot.tables.vpc.get(otherSide(peering, vpc.id).vpcId)
    if (peering.status === 'pending-acceptance' && peering.requester.vpcId === vpc.id) {
      throw new AwsError('OperationNotPermitted',
        `No block can be added to ${vpc.id} while its peering request ${peering.id} is pending ` +
        'acceptance: delete the request first, or have it accepted')
    }
    const overlapped = other && overlappingBlock(blocksOf(other), [cidrBlock])
    if (overlapped === undefined) continue
    if (peering.status === 'active') {
      throw new AwsError('InvalidVpc.Range',
        `The CIDR '${cidrBlock}' conflicts with the CIDR '${overlapped}' of ${other?.id ?? ''}, ` +
        `with which ${vpc.id} is peered (${peering.id})`)
    }
    changes.push(put(NOUN, failed(peering, view, nowMs)))
  }
  return changes
}

/**
 * What becomes of a VPC's peerings when it is deleted: its own requests go with it.
 * @throws AwsError DependencyViolation for an active peering, or a request that waits for its
 *   answer
 */
export function peeringsOfDeletedVpc (view: AccountView, vpcId: string, nowMs: number): Change[] {
  const changes: Change[] = []
  for (const peering of peeringsOfVpc(view.snapshot, vpcId)) {
    if (!isOpen(peering, nowMs)) continue
    if (peering.status === 'active' || peering.accepter.vpcId === vpcId) {
      throw new AwsError('DependencyViolation',
        `The vpc '${vpcId}' has dependencies and cannot be deleted: ${peering.id} is ` +
        peering.status)
    }
    changes.push(put(NOUN, ended(peering, 'deleted', view, nowMs)))
  }
  return changes
}

/** Removes the records of peerings that nobody sees any more. */
export function planReapPeerings (snapshot: Snapshot, nowMs: number): Plan<number> {
  const changes = [...snapshot.tables.vpcPeeringConnection.values()]
    .filter((peering) => isPeeringOver(peering, nowMs))
    .map(({ id }) => remove(NOUN, id))
  return { changes, result: changes.length }
}
