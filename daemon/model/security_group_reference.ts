/**
 * Rules that name a group (systems 3.2): which groups a rule may name, when it is stale, and who
 * names a group from the other side of a peering. VPC Peering Guide, "Update your security groups
 * to reference peer security groups".
 *
 *     same VPC                                  always
 *     VPC peered in the same Region, active     also of another account: UserId and GroupId, or
 *                                               `account/sg-id` where a call takes only one text
 *     anything else                             InvalidGroup.NotFound
 *
 * A rule outlives the peering and the group that it names: then it is stale and matches nothing.
 */
import { AwsError } from './aws_error.ts'
import { checkIdForm, notFound } from './resource_kind.ts'
import type { SecurityGroup, SecurityGroupRule } from './security_group.ts'
import type { AccountView, Snapshot } from './snapshot.ts'
import { activePeering, groupsReach, isSameRegion, peersOf } from './vpc_peering.ts'

/** What a rule remembers of a group in another VPC, for when that is gone. */
export interface PeerGroup {
  readonly ownerId: string
  readonly vpcId: string
  readonly vpcPeeringConnectionId: string
}

export interface GroupReference {
  readonly groupId: string
  /** Set when the group is in another VPC. */
  readonly peer: PeerGroup | undefined
}

/**
 * The group that a rule of `group` is to name.
 * @param text a group id, or `account/sg-id`
 * @param ownerId account of the group; the caller's own when undefined
 * @throws AwsError InvalidGroupId.Malformed, InvalidGroup.NotFound
 */
export function requireReference (view: AccountView, group: SecurityGroup, text: string,
  ownerId?: string): GroupReference {
  const { groupId, owner } = splitReference(text)
  checkIdForm('securityGroup', groupId)
  const found = view.snapshot.tables.securityGroup.get(groupId)
  const wanted = ownerId ?? owner ?? view.accountId
  if (found?.ownerId !== wanted || found.region !== view.region) {
    throw notFound('securityGroup', groupId)
  }
  if (found.vpcId === group.vpcId) return { groupId, peer: undefined }
  const peering = activePeering(view.snapshot, group.vpcId, found.vpcId)
  if (peering === undefined || !isSameRegion(peering)) {
    throw new AwsError('InvalidGroup.NotFound',
      'You have specified two resources that belong to different networks: ' +
      `${group.id} (${group.vpcId}) and ${found.id} (${found.vpcId}), and no active peering in ` +
      'one Region connects them')
  }
  return {
    groupId,
    peer: { ownerId: found.ownerId, vpcId: found.vpcId, vpcPeeringConnectionId: peering.id }
  }
}

/** The two parts of `account/sg-id`. */
export function splitReference (
  text: string): { readonly groupId: string, readonly owner: string | undefined } {
  const slashAt = text.indexOf('/')
  return slashAt === -1
    ? { groupId: text, owner: undefined }
    : { groupId: text.slice(slashAt + 1), owner: text.slice(0, slashAt) }
}

/** Whether the rule of a group in `vpcId` names a group that is gone or that it reaches no more. */
export function isStaleRule (snapshot: Snapshot, vpcId: string,
  { referencedGroupId }: SecurityGroupRule): boolean {
  if (referencedGroupId === null) return false
  const peer = snapshot.tables.securityGroup.get(referencedGroupId)
  return peer === undefined || !groupsReach(snapshot, vpcId, peer.vpcId)
}

/** The group's rules that are stale. VPC Peering Guide, "Work with stale security group rules". */
export function staleRules (snapshot: Snapshot, group: SecurityGroup): SecurityGroupRule[] {
  return group.rules.filter((rule) => isStaleRule(snapshot, group.vpcId, rule))
}

export interface ReferencingVpc {
  readonly vpcId: string
  readonly vpcPeeringConnectionId: string
}

/** VPCs at the other end of an active peering whose groups have rules that name the group. */
export function referencingVpcs (snapshot: Snapshot, group: SecurityGroup): ReferencingVpc[] {
  return peersOf(snapshot, group.vpcId)
    .filter(({ vpcId, isSameRegion }) => isSameRegion &&
      snapshot.tables.securityGroup.by('vpcId', vpcId).some(({ rules }) =>
        rules.some(({ referencedGroupId }) => referencedGroupId === group.id)))
    .map(({ vpcId, peering }) => ({ vpcId, vpcPeeringConnectionId: peering.id }))
}
