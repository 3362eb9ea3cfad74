/**
 * VPC peering connection: record, life cycle, look-ups. What changes one stands in
 * vpc_peering_plan.ts. AWS VPC Peering Guide, "VPC peering basics", "VPC peering connection
 * lifecycle".
 *
 *     pending-acceptance ──accept──▶ active ──delete──▶ deleted
 *        │   │   └──reject──▶ rejected
 *        │   └──7 days──▶ expired        └──delete by the requester──▶ deleted
 *        └──overlapping block, no such VPC──▶ failed
 *
 * One record serves both sides: its owner is the requester, `accepter` is the other one, and each
 * has tags and an option of its own. `expired` is derived from the time. `initiating-request`,
 * `provisioning` and `deleting` are what the API shows until hosts have applied the change.
 *
 * What has ended stays visible for a while, to the side that ended it shorter than to the other:
 *
 *     failed                2 h, requester only
 *     expired               2 days
 *     rejected, deleted     2 h who did it, 2 days the other; 2 h where both are one account
 */
import { cidrsOverlap, knownCidr } from './cidr.ts'
import type { OwnedRecord, Tags } from './record.ts'
import type { AccountView, Snapshot } from './snapshot.ts'
import type { Vpc } from './vpc.ts'

export interface PeeringSide {
  readonly vpcId: string
  readonly ownerId: string
  readonly region: string
  /** Names of this VPC are private addresses for who asks from the other one. */
  readonly allowDnsResolutionFromRemoteVpc: boolean
}

export type PeeringStatus = 'pending-acceptance' | 'active' | 'rejected' | 'deleted' | 'failed'

/** Owner, Region and tags are the requester's. */
export interface VpcPeeringConnection extends OwnedRecord {
  readonly requester: PeeringSide
  readonly accepter: PeeringSide
  readonly accepterTags: Tags
  readonly status: PeeringStatus
  /** Revision from which on the status holds: hosts that have it act on it. */
  readonly statusRevision: number
  readonly createdMs: number
  /** When it was rejected or deleted, or failed; null before. */
  readonly endedMs: number | null
  /** Account that rejected or deleted it. */
  readonly endedBy: string | null
}

export const PENDING_ACCEPTANCE_MS = 7 * 24 * 3_600_000
export const ENDED_VISIBLE_MS = 2 * 3_600_000
/** To the side that did not end it. */
export const ENDED_VISIBLE_OTHER_MS = 48 * 3_600_000

/** Largest packet through a peering, bytes. VPC User Guide, "Network MTU". */
export const PEERING_MTU = 9_001
export const INTER_REGION_PEERING_MTU = 1_500

/** The status at a time: a request that nobody answered has expired. */
export function peeringStatus (
  { status, createdMs }: VpcPeeringConnection, nowMs: number): PeeringStatus | 'expired' {
  return status === 'pending-acceptance' && nowMs >= createdMs + PENDING_ACCEPTANCE_MS
    ? 'expired'
    : status
}

/** When it ceases to be visible to an account in a Region; Infinity while it lasts. */
export function peeringVisibleUntilMs (
  peering: VpcPeeringConnection, view: AccountView, nowMs: number): number {
  const { requester, accepter, createdMs, endedMs, endedBy } = peering
  switch (peeringStatus(peering, nowMs)) {
    case 'pending-acceptance': case 'active': return Infinity
    case 'expired': return createdMs + PENDING_ACCEPTANCE_MS + ENDED_VISIBLE_OTHER_MS
    case 'failed': return view.owns(peering) ? (endedMs ?? 0) + ENDED_VISIBLE_MS : 0
    case 'rejected': case 'deleted': {
      const isShort = requester.ownerId === accepter.ownerId || endedBy === view.accountId
      return (endedMs ?? 0) + (isShort ? ENDED_VISIBLE_MS : ENDED_VISIBLE_OTHER_MS)
    }
  }
}

/** Whether nobody sees it any more. */
export function isPeeringOver (peering: VpcPeeringConnection, nowMs: number): boolean {
  const status = peeringStatus(peering, nowMs)
  if (status === 'pending-acceptance' || status === 'active') return false
  const endedMs = peering.endedMs ?? peering.createdMs + PENDING_ACCEPTANCE_MS
  return nowMs >= endedMs + ENDED_VISIBLE_OTHER_MS
}

/** All peering connections of a VPC, whatever has become of them. */
export function peeringsOfVpc (snapshot: Snapshot, vpcId: string): VpcPeeringConnection[] {
  const table = snapshot.tables.vpcPeeringConnection
  return [...table.by('requester.vpcId', vpcId), ...table.by('accepter.vpcId', vpcId)]
}

/** A VPC at the other end of an active peering. */
export interface PeerVpc {
  readonly vpcId: string
  readonly peering: VpcPeeringConnection
  /** Group references reach the peer, and packets of PEERING_MTU. */
  readonly isSameRegion: boolean
}

/** The VPCs that a VPC exchanges packets with, in order of their peerings' ids. */
export function peersOf (snapshot: Snapshot, vpcId: string): PeerVpc[] {
  return peeringsOfVpc(snapshot, vpcId).filter(({ status }) => status === 'active')
    .sort((a, b) => a.id < b.id ? -1 : 1)
    .map((peering) => ({
      vpcId: otherSide(peering, vpcId).vpcId, peering, isSameRegion: isSameRegion(peering)
    }))
}

/** The active peering between two VPCs, or undefined. */
export function activePeering (snapshot: Snapshot, vpcId: string,
  otherVpcId: string): VpcPeeringConnection | undefined {
  return peeringsOfVpc(snapshot, vpcId).find((peering) =>
    peering.status === 'active' && otherSide(peering, vpcId).vpcId === otherVpcId)
}

/** Whether rules of groups of one VPC may name groups of the other: active, in one Region. */
export function groupsReach (snapshot: Snapshot, vpcId: string, otherVpcId: string): boolean {
  if (vpcId === otherVpcId) return true
  const peering = activePeering(snapshot, vpcId, otherVpcId)
  return peering !== undefined && isSameRegion(peering)
}

export function isSameRegion ({ requester, accepter }: VpcPeeringConnection): boolean {
  return requester.region === accepter.region
}

export function peeringMtu (peering: VpcPeeringConnection): number {
  return isSameRegion(peering) ? PEERING_MTU : INTER_REGION_PEERING_MTU
}

/** Precondition: `vpcId` is one of its VPCs. */
export function ownSide ({ requester, accepter }: VpcPeeringConnection,
  vpcId: string): PeeringSide {
  return requester.vpcId === vpcId ? requester : accepter
}

/** Precondition: `vpcId` is one of its VPCs. */
export function otherSide ({ requester, accepter }: VpcPeeringConnection,
  vpcId: string): PeeringSide {
  return requester.vpcId === vpcId ? accepter : requester
}

/**
 * Whether the resolver of a VPC answers the public name of an address of another VPC with the
 * private address. VPC Peering Guide, "DNS resolution for a VPC peering connection".
 * @param vpcId where the question is asked
 * @param otherVpcId which has the address that is meant
 */
export function resolvesPrivately (snapshot: Snapshot, vpcId: string,
  otherVpcId: string): boolean {
  if (vpcId === otherVpcId) return true
  const peering = activePeering(snapshot, vpcId, otherVpcId)
  return peering !== undefined && ownSide(peering, otherVpcId).allowDnsResolutionFromRemoteVpc
}

/** All blocks of a VPC, of both families. */
export function blocksOf ({ cidrBlocks, ipv6CidrBlocks }: Vpc): string[] {
  return [...cidrBlocks, ...ipv6CidrBlocks].map(({ cidrBlock }) => cidrBlock)
}

/** The first block of a list that overlaps one of another list; undefined when none does. */
export function overlappingBlock (
  blocks: readonly string[], others: readonly string[]): string | undefined {
  const ranges = others.map(knownCidr)
  return blocks.find((block) => {
    const cidr = knownCidr(block)
    return ranges.some((range) => range.family === cidr.family && cidrsOverlap(range, cidr))
  })
}
