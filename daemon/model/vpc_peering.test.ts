import test from 'ava'
import { planCreateRoute, planReplaceRoute } from './route.ts'
import { routeState } from './route_table.ts'
import { planCreateSecurityGroup, planDeleteSecurityGroup } from './security_group.ts'
import { referencingVpcs, staleRules } from './security_group_reference.ts'
import { planAuthorize, planRevoke } from './security_group_rule.ts'
import type { PermissionInput } from './security_group_rule.ts'
import { planCreateTags } from './tagging.ts'
import { TEST_ACCOUNT, TEST_REGION, TestWorld } from './test_world.ts'
import { planAssociateVpcCidrBlock, planCreateVpc, planDeleteVpc, planModifyVpcAttribute } from
  './vpc.ts'
import { peeringMtu, peeringStatus, peersOf, resolvesPrivately } from './vpc_peering.ts'
import type { VpcPeeringConnection } from './vpc_peering.ts'
import {
  planAcceptPeering, planCreatePeering, planDeletePeering, planModifyPeeringOptions,
  planReapPeerings, planRejectPeering, requirePeering
} from './vpc_peering_plan.ts'
import type { CreatePeeringInput } from './vpc_peering_plan.ts'

const OTHER_ACCOUNT = '222222222222'
const OTHER_REGION = 'eu-west-1'
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** VPCs of several accounts and Regions, and peerings between them. */
class PeeringWorld extends TestWorld {
  constructor () {
    super()
    this.setQuota('vpcs-per-region', 100)
  }

  vpc (cidrBlock: string, accountId = TEST_ACCOUNT, region = TEST_REGION): string {
    return this.run(planCreateVpc(this.view(accountId, region), {
      cidrBlock, instanceTenancy: 'default', amazonProvidedIpv6CidrBlock: false, tags: {}
    }, this.context)).vpcId
  }

  request (vpcId: string, peerVpcId: string, more: Partial<CreatePeeringInput> = {}): string {
    return this.run(planCreatePeering(this.view(),
      { vpcId, peerVpcId, peerOwnerId: undefined, peerRegion: undefined, tags: {}, ...more },
      this.context))
  }

  accept (id: string, accountId = TEST_ACCOUNT, region = TEST_REGION): string {
    return this.run(planAcceptPeering(this.view(accountId, region), id, this.context))
  }

  delete (id: string, accountId = TEST_ACCOUNT): void {
    this.run(planDeletePeering(this.view(accountId), id, this.context))
  }

  peering (id: string): VpcPeeringConnection {
    const record = this.snapshot.tables.vpcPeeringConnection.get(id)
    if (record === undefined) throw new Error(`no peering ${id}`)
    return record
  }

  statusOf (id: string): string { return peeringStatus(this.peering(id), this.nowMs) }

  isVisible (id: string, accountId: string): boolean {
    return this.refusal(() => requirePeering(this.view(accountId), id, this.nowMs)) === ''
  }

  mainTable (vpcId: string): string {
    return this.snapshot.tables.routeTable.by('vpcId', vpcId)[0]?.id ?? ''
  }
}

function newWorld (): { world: PeeringWorld, a: string, b: string } {
  const world = new PeeringWorld()
  return { world, a: world.vpc('10.1.0.0/16'), b: world.vpc('10.2.0.0/16') }
}

test('a request is accepted and becomes active; both VPCs are peers then', (t) => {
  const { world, a, b } = newWorld()
  const id = world.request(a, b, { tags: { Name: 'ab' } })
  t.is(world.statusOf(id), 'pending-acceptance')
  t.deepEqual(peersOf(world.snapshot, a), [])
  world.accept(id)
  t.is(world.statusOf(id), 'active')
  t.deepEqual(peersOf(world.snapshot, a).map(({ vpcId }) => vpcId), [b])
  t.deepEqual(peersOf(world.snapshot, b).map(({ vpcId }) => vpcId), [a])
  t.is(peeringMtu(world.peering(id)), 9001)
})

test('an unanswered request expires after 7 days, and is seen for 2 more', (t) => {
  const { world, a, b } = newWorld()
  const id = world.request(a, b)
  world.nowMs += 7 * DAY_MS - 1
  t.is(world.statusOf(id), 'pending-acceptance')
  world.nowMs += 1
  t.is(world.statusOf(id), 'expired')
  t.is(world.refusal(() => world.accept(id)), 'InvalidStateTransition')
  t.is(world.refusal(() =>
    planRejectPeering(world.view(), id, world.context)), 'InvalidStateTransition')
  t.is(world.refusal(() => { world.delete(id) }), 'InvalidStateTransition')
  t.is(world.refusal(() => world.request(a, b)), '')
  world.nowMs += 2 * DAY_MS - 1
  t.true(world.isVisible(id, TEST_ACCOUNT))
  t.is(planReapPeerings(world.snapshot, world.nowMs).result, 0)
  world.nowMs += 1
  t.false(world.isVisible(id, TEST_ACCOUNT))
  world.run(planReapPeerings(world.snapshot, world.nowMs))
  t.is(world.snapshot.tables.vpcPeeringConnection.get(id), undefined)
})

test('between accounts the owner of the peer VPC answers, and each has tags of its own', (t) => {
  const world = new PeeringWorld()
  const a = world.vpc('10.1.0.0/16')
  const b = world.vpc('10.2.0.0/16', OTHER_ACCOUNT)
  t.is(world.refusal(() => world.request(a, b)), 'InvalidVpcID.NotFound')
  const id = world.request(a, b, { peerOwnerId: OTHER_ACCOUNT, tags: { Name: 'mine' } })
  t.is(world.refusal(() => world.accept(id)), 'OperationNotPermitted')
  t.is(world.refusal(() => { world.delete(id, OTHER_ACCOUNT) }), 'OperationNotPermitted')
  t.is(world.refusal(() => world.accept(id, '333333333333')),
    'InvalidVpcPeeringConnectionID.NotFound')
  world.run(planCreateTags(world.view(OTHER_ACCOUNT), [id], [{ Key: 'Name', Value: 'theirs' }]))
  const peering = world.peering(id)
  t.deepEqual(world.view().tagsOf(peering), { Name: 'mine' })
  t.deepEqual(world.view(OTHER_ACCOUNT).tagsOf(peering), { Name: 'theirs' })
  t.deepEqual(world.view(OTHER_ACCOUNT).list('vpcPeeringConnection').map((one) => one.id), [id])
  world.accept(id, OTHER_ACCOUNT)
  world.delete(id, OTHER_ACCOUNT)
  t.is(world.statusOf(id), 'deleted')
  world.nowMs += 2 * HOUR_MS
  t.false(world.isVisible(id, OTHER_ACCOUNT))
  t.true(world.isVisible(id, TEST_ACCOUNT))
  world.nowMs += 46 * HOUR_MS
  t.false(world.isVisible(id, TEST_ACCOUNT))
})

test('a rejected request cannot be accepted or deleted', (t) => {
  const { world, a, b } = newWorld()
  const id = world.request(a, b)
  world.run(planRejectPeering(world.view(), id, world.context))
  t.is(world.statusOf(id), 'rejected')
  t.is(world.refusal(() => world.accept(id)), 'InvalidStateTransition')
  t.is(world.refusal(() => { world.delete(id) }), 'InvalidStateTransition')
  world.nowMs += 2 * HOUR_MS
  t.false(world.isVisible(id, TEST_ACCOUNT))
})

test('overlapping blocks and unknown VPCs of others make a request fail', (t) => {
  const { world, a } = newWorld()
  const twin = world.vpc('10.1.128.0/17')
  const overlapping = world.request(a, twin)
  t.is(world.statusOf(overlapping), 'failed')
  const unknown = world.request(a, 'vpc-0123456789abcdef0', { peerOwnerId: OTHER_ACCOUNT })
  t.is(world.statusOf(unknown), 'failed')
  t.false(world.isVisible(unknown, OTHER_ACCOUNT))
  t.is(world.refusal(() => world.accept(overlapping)), 'InvalidStateTransition')
  world.nowMs += 2 * HOUR_MS
  t.false(world.isVisible(overlapping, TEST_ACCOUNT))
})

test('refusals of a request', (t) => {
  const { world, a, b } = newWorld()
  t.is(world.refusal(() => world.request(a, a)), 'InvalidParameterValue')
  t.is(world.refusal(() => world.request(a, '')), 'MissingParameter')
  t.is(world.refusal(() => world.request(a, 'vpc-x')), 'InvalidVpcID.Malformed')
  t.is(world.refusal(() => world.request('vpc-0123456789abcdef0', b)), 'InvalidVpcID.NotFound')
  t.is(world.refusal(() => world.request(a, b, { peerOwnerId: 'me' })), 'InvalidParameterValue')
  t.is(world.refusal(() => world.request(a, b, { peerRegion: 'mars-1' })), 'InvalidParameterValue')
  world.request(a, b)
  t.is(world.refusal(() => world.request(b, a)), 'VpcPeeringConnectionAlreadyExists')
})

test('quotas of outstanding requests and of active peerings', (t) => {
  const { world, a, b } = newWorld()
  const c = world.vpc('10.3.0.0/16')
  world.setQuota('outstanding-peering-requests', 1)
  const ab = world.request(a, b)
  t.is(world.refusal(() => world.request(a, c)), 'OutstandingVpcPeeringConnectionLimitExceeded')
  world.setQuota('active-peerings-per-vpc', 1)
  world.accept(ab)
  t.is(world.refusal(() => world.request(a, c)), 'VpcPeeringConnectionsPerVpcLimitExceeded')
  const cb = world.request(c, b)
  t.is(world.refusal(() => world.accept(cb)), 'VpcPeeringConnectionsPerVpcLimitExceeded')
})

test('across Regions the accepter answers in its own Region, and packets have 1500 bytes', (t) => {
  const world = new PeeringWorld()
  const a = world.vpc('10.1.0.0/16')
  const b = world.vpc('10.2.0.0/16', TEST_ACCOUNT, OTHER_REGION)
  const id = world.request(a, b, { peerRegion: OTHER_REGION })
  t.is(world.refusal(() => world.accept(id)), 'OperationNotPermitted')
  world.accept(id, TEST_ACCOUNT, OTHER_REGION)
  t.is(world.statusOf(id), 'active')
  t.is(peeringMtu(world.peering(id)), 1500)
  t.is(world.view().list('vpcPeeringConnection').length, 1)
  t.is(world.view(TEST_ACCOUNT, OTHER_REGION).list('vpcPeeringConnection').length, 1)
  t.is(world.refusal(() => planModifyPeeringOptions(world.view(),
    { id, requester: undefined, accepter: false }, world.context)), 'OperationNotPermitted')
})

test('new blocks: none while a request is pending, none that overlaps an active peer', (t) => {
  const { world, a, b } = newWorld()
  const add = (vpcId: string, cidrBlock: string): void => {
    world.run(planAssociateVpcCidrBlock(world.view(),
      { vpcId, cidrBlock, amazonProvidedIpv6CidrBlock: false }, world.context))
  }
  const lost = world.request(a, b)
  t.is(world.refusal(() => { add(a, '10.9.0.0/16') }), 'OperationNotPermitted')
  add(b, '10.8.0.0/16')
  t.is(world.statusOf(lost), 'pending-acceptance')
  add(b, '10.1.0.0/17')
  t.is(world.statusOf(lost), 'failed')
  const c = world.vpc('10.3.0.0/16')
  world.accept(world.request(a, c))
  t.is(world.refusal(() => { add(c, '10.1.0.0/24') }), 'InvalidVpc.Range')
  t.is(world.refusal(() => { add(a, '10.3.0.0/24') }), 'InvalidVpc.Range')
  t.is(world.refusal(() => { add(a, '10.9.0.0/16') }), '')
})

test('a VPC with an active peering or an unanswered request is not deleted', (t) => {
  const { world, a, b } = newWorld()
  const id = world.request(a, b)
  t.is(world.refusal(() => planDeleteVpc(world.view(), b, world)), 'DependencyViolation')
  world.accept(id)
  t.is(world.refusal(() => planDeleteVpc(world.view(), a, world)), 'DependencyViolation')
  world.delete(id)
  const again = world.request(a, b)
  world.run(planDeleteVpc(world.view(), a, world))
  t.is(world.statusOf(again), 'deleted')
  t.is(world.refusal(() => planDeleteVpc(world.view(), b, world)), '')
})

test('DNS options: each owner for its own VPC, active, with hostnames on', (t) => {
  const { world, a, b } = newWorld()
  const id = world.request(a, b)
  const modify = (requester?: boolean, accepter?: boolean): void => {
    world.run(planModifyPeeringOptions(world.view(), { id, requester, accepter }, world.context))
  }
  t.is(world.refusal(() => { modify(true) }), 'OperationNotPermitted')
  world.accept(id)
  t.is(world.refusal(() => { modify() }), 'MissingParameter')
  t.is(world.refusal(() => { modify(undefined, true) }),
    'InvalidVpcPeeringConnectionState.DnsHostnamesDisabled')
  world.run(planModifyVpcAttribute(world.view(), b, { enableDnsHostnames: true }))
  modify(undefined, true)
  t.true(resolvesPrivately(world.snapshot, a, b))
  t.false(resolvesPrivately(world.snapshot, b, a))
  world.delete(id)
  t.false(resolvesPrivately(world.snapshot, a, b))
})

test('routes: a blackhole until active and after deletion, never into the VPC itself', (t) => {
  const { world, a, b } = newWorld()
  const id = world.request(a, b)
  const route = (vpcId: string, ipv4: string, pcx = id): void => {
    world.run(planCreateRoute(world.view(), {
      routeTableId: world.mainTable(vpcId), target: { VpcPeeringConnectionId: pcx },
      destination: { ipv4, ipv6: undefined, prefixListId: undefined }
    }))
  }
  const state = (): string => {
    const { routes = [] } = world.view().get('routeTable', world.mainTable(a)) ?? {}
    const found = routes.find(({ destination }) => destination === '10.2.0.0/16')
    return found === undefined ? 'none' : routeState(world.snapshot, a, found)
  }
  route(a, '10.2.0.0/16')
  t.is(state(), 'blackhole')
  world.accept(id)
  t.is(state(), 'active')
  const c = world.vpc('10.3.0.0/16')
  t.is(world.refusal(() => { route(c, '10.2.0.0/16') }), 'InvalidParameterValue')
  t.is(world.refusal(() => { route(a, '10.1.1.0/24') }), 'InvalidParameterValue')
  t.is(world.refusal(() => planReplaceRoute(world.view(), {
    routeTableId: world.mainTable(a), target: { VpcPeeringConnectionId: id }, localTarget: false,
    destination: { ipv4: '10.1.0.0/16', ipv6: undefined, prefixListId: undefined }
  })), 'InvalidParameterValue')
  t.is(world.refusal(() => { route(a, '10.4.0.0/16', 'pcx-0123456789abcdef0') }),
    'InvalidVpcPeeringConnectionID.NotFound')
  world.delete(id)
  t.is(state(), 'blackhole')
  t.is(world.refusal(() => { route(b, '10.1.0.0/16') }), 'InvalidVpcPeeringConnectionID.NotFound')
})

test('rules name groups of an active peer, of another account too, and become stale', (t) => {
  const world = new PeeringWorld()
  const a = world.vpc('10.1.0.0/16')
  const b = world.vpc('10.2.0.0/16', OTHER_ACCOUNT)
  const group = (vpcId: string, accountId = TEST_ACCOUNT): string =>
    world.run(planCreateSecurityGroup(world.view(accountId),
      { vpcId, name: 'web', description: 'web', tags: {} }, world.context))
  const ours = group(a)
  const theirs = group(b, OTHER_ACCOUNT)
  const permission = (referencedGroupId: string, referencedOwnerId?: string): PermissionInput => ({
    ipProtocol: 'tcp', fromPort: 80, toPort: 80, cidrIpv4: null, cidrIpv6: null,
    referencedGroupId, referencedOwnerId, prefixListId: null, description: ''
  })
  const authorize = (one: PermissionInput): void => {
    world.run(planAuthorize(world.view(),
      { groupId: ours, isEgress: false, permissions: [one], tags: {} }, world.context))
  }
  const id = world.request(a, b, { peerOwnerId: OTHER_ACCOUNT })
  const byOwner = permission(theirs, OTHER_ACCOUNT)
  t.is(world.refusal(() => { authorize(byOwner) }), 'InvalidGroup.NotFound')
  world.accept(id, OTHER_ACCOUNT)
  t.is(world.refusal(() => { authorize(permission(theirs)) }), 'InvalidGroup.NotFound')
  authorize(permission(`${OTHER_ACCOUNT}/${theirs}`))
  t.is(world.refusal(() => { authorize(byOwner) }), 'InvalidPermission.Duplicate')
  const record = (accountId: string, groupId: string) => {
    const found = world.view(accountId).get('securityGroup', groupId)
    if (found === undefined) throw new Error(`no group ${groupId}`)
    return found
  }
  t.deepEqual(record(TEST_ACCOUNT, ours).rules[1]?.referencedPeer,
    { ownerId: OTHER_ACCOUNT, vpcId: b, vpcPeeringConnectionId: id })
  t.deepEqual(referencingVpcs(world.snapshot, record(OTHER_ACCOUNT, theirs)),
    [{ vpcId: a, vpcPeeringConnectionId: id }])
  t.deepEqual(staleRules(world.snapshot, record(TEST_ACCOUNT, ours)), [])
  world.delete(id)
  t.is(staleRules(world.snapshot, record(TEST_ACCOUNT, ours)).length, 1)
  t.deepEqual(referencingVpcs(world.snapshot, record(OTHER_ACCOUNT, theirs)), [])
  // Nobody is held back by a rule of the other side, and the stale rule can be taken away.
  t.is(world.refusal(() => planDeleteSecurityGroup(world.view(OTHER_ACCOUNT),
    { groupId: theirs })), '')
  world.run(planRevoke(world.view(),
    { groupId: ours, isEgress: false, permissions: [byOwner], ruleIds: [] }))
  t.deepEqual(staleRules(world.snapshot, record(TEST_ACCOUNT, ours)), [])
})

test('groups of a peer in another Region cannot be named', (t) => {
  const world = new PeeringWorld()
  const a = world.vpc('10.1.0.0/16')
  const b = world.vpc('10.2.0.0/16', TEST_ACCOUNT, OTHER_REGION)
  world.accept(world.request(a, b, { peerRegion: OTHER_REGION }), TEST_ACCOUNT, OTHER_REGION)
  const [theirs] = world.snapshot.tables.securityGroup.by('vpcId', b)
  const [ours] = world.snapshot.tables.securityGroup.by('vpcId', a)
  t.is(world.refusal(() => planAuthorize(world.view(), {
    groupId: ours?.id ?? '', isEgress: false, tags: {},
    permissions: [{
      ipProtocol: '-1', fromPort: undefined, toPort: undefined, cidrIpv4: null, cidrIpv6: null,
      referencedGroupId: theirs?.id ?? '', prefixListId: null, description: ''
    }]
  }, world.context)), 'InvalidGroup.NotFound')
})
