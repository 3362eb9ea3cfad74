/** Prefix lists: entries, versions, refusals, and what a reference costs and does. */
import test from 'ava'
import {
  entriesOfVersion, planCreatePrefixList, planDeletePrefixList, planModifyPrefixList,
  planRestorePrefixListVersion
} from './prefix_list.ts'
import type { NewPrefixList, PrefixList, PrefixListModification } from './prefix_list.ts'
import { awsPrefixLists } from './prefix_list_aws.ts'
import { prefixListReferences, requirePrefixList } from './prefix_list_reference.ts'
import { requireRecord } from './resource_kind.ts'
import { planCreateRoute, planDeleteRoute, planReplaceRoute } from './route.ts'
import { effectiveRoutes } from './route_order.ts'
import { planCreateRouteTable } from './route_table.ts'
import type { Route } from './route_table.ts'
import { planCreateSecurityGroup } from './security_group.ts'
import { planAuthorize } from './security_group_rule.ts'
import { TestNetwork } from './test_network.ts'

const entries = (...cidrs: readonly string[]): { cidr: string, description: string }[] =>
  cidrs.map((cidr) => ({ cidr, description: '' }))

class TestLists extends TestNetwork {
  readonly listId = this.create({})
  readonly eniId = this.createInterface()
  readonly routeTableId = this.run(planCreateRouteTable(this.view(),
    { vpcId: this.vpcId, tags: {} }, this.context))
  readonly groupId = this.run(planCreateSecurityGroup(this.view(),
    { vpcId: this.vpcId, name: 'web', description: 'web', tags: {} }, this.context))

  create (changes: Partial<NewPrefixList>): string {
    return this.run(planCreatePrefixList(this.view(), {
      name: 'offices', addressFamily: 'IPv4', maxEntries: 3, entries: entries('192.0.2.0/24'),
      tags: {}, ...changes
    }, this.context))
  }

  modify (changes: Partial<PrefixListModification>): string {
    return this.refusal(() => this.run(planModifyPrefixList(this.view(), {
      prefixListId: this.listId, currentVersion: this.list.version, name: undefined,
      maxEntries: undefined, added: [], removed: [], ...changes
    })))
  }

  get list (): PrefixList { return requirePrefixList(this.view(), this.listId) }

  get cidrs (): readonly string[] { return this.list.entries.map(({ cidr }) => cidr) }

  route (destination: { ipv4?: string, prefixListId?: string }, eniId = this.eniId): string {
    return this.refusal(() => this.run(planCreateRoute(this.view(), {
      routeTableId: this.routeTableId,
      destination: { ipv4: undefined, ipv6: undefined, prefixListId: undefined, ...destination },
      target: { NetworkInterfaceId: eniId }
    })))
  }

  authorize (prefixListId: string, port = 22): string {
    return this.refusal(() => this.run(planAuthorize(this.view(), {
      groupId: this.groupId, isEgress: false, tags: {}, permissions: [{
        ipProtocol: 'tcp', fromPort: port, toPort: port, cidrIpv4: null, cidrIpv6: null,
        referencedGroupId: null, prefixListId, description: ''
      }]
    }, this.context)))
  }

  effective (): string[] {
    const table = requireRecord(this.view(), 'routeTable', this.routeTableId)
    return effectiveRoutes(this.snapshot, table)
      .map(({ cidr, route }) => `${cidr} ${route.destination}`)
  }
}

test('every change of entries is a version, and older ones are kept', (t) => {
  const net = new TestLists()
  t.is(net.modify({ added: entries('198.51.100.9/25', '203.0.113.0/24') }), '')
  t.deepEqual(net.cidrs, ['192.0.2.0/24', '198.51.100.0/25', '203.0.113.0/24'], 'canonical')
  t.is(net.modify({ removed: ['192.0.2.0/24'] }), '')
  t.is(net.list.version, 3)
  t.is(net.modify({ name: 'branches' }), '')
  t.is(net.modify({ maxEntries: 2, currentVersion: undefined }), '')
  t.like(net.list, { version: 3, name: 'branches', maxEntries: 2 }, 'no version for name and size')
  t.deepEqual(entriesOfVersion(net.snapshot, net.list, 1), entries('192.0.2.0/24'))
  t.is(net.refusal(() => entriesOfVersion(net.snapshot, net.list, 4)), 'InvalidParameterValue')
  const restore = (previousVersion: number, currentVersion: number): string => net.refusal(() =>
    net.run(planRestorePrefixListVersion(net.view(),
      { prefixListId: net.listId, previousVersion, currentVersion })))
  t.is(restore(1, 2), 'PrefixListVersionMismatch')
  t.is(restore(3, 3), 'InvalidParameterValue')
  t.is(restore(2, 3), 'PrefixListMaxEntriesExceeded', 'it was shrunk since')
  t.is(restore(1, 3), '')
  t.like(net.list, { version: 4, entries: entries('192.0.2.0/24'), lastChange: 'restore' })
})

test('a thousand versions are kept, then the oldest goes', (t) => {
  const net = new TestLists()
  for (let version = 1; version < 1001; version++) {
    const has = net.cidrs.includes('203.0.113.0/24')
    const code = net.modify(has ? { removed: ['203.0.113.0/24'] }
      : { added: entries('203.0.113.0/24') })
    if (code !== '') t.fail(code)
  }
  t.is(net.list.version, 1001)
  t.is(net.refusal(() => entriesOfVersion(net.snapshot, net.list, 1)), 'InvalidParameterValue')
  t.deepEqual(entriesOfVersion(net.snapshot, net.list, 2),
    entries('192.0.2.0/24', '203.0.113.0/24'))
  t.is(net.snapshot.tables.prefixListVersion.size, 999)
})

for (const [what, changes, code] of [
  ['another version', { currentVersion: 7, added: entries('10.0.0.0/8') },
    'PrefixListVersionMismatch'],
  ['no version', { currentVersion: undefined, added: entries('10.0.0.0/8') }, 'MissingParameter'],
  ['nothing', {}, 'MissingParameter'],
  ['entries and a size', { maxEntries: 9, added: entries('10.0.0.0/8') },
    'InvalidParameterCombination'],
  ['too many entries', { added: entries('10.0.0.0/8', '11.0.0.0/8', '12.0.0.0/8') },
    'PrefixListMaxEntriesExceeded'],
  ['101 entries', { added: entries(...Array.from({ length: 101 }, (_, n) => `10.${n}.0.0/16`)) },
    'InvalidParameterValue'],
  ['a block of the other family', { added: entries('2001:db8::/32') }, 'InvalidParameterValue'],
  ['a block twice', { added: entries('10.0.0.0/8', '10.1.2.3/8') }, 'InvalidParameterValue'],
  ['a block that comes and goes', { added: entries('192.0.2.0/24'), removed: ['192.0.2.0/24'] },
    'InvalidParameterValue'],
  ['the removal of what is not there', { removed: ['10.0.0.0/8'] },
    'InvalidPrefixListModification'],
  ['an entry that is there', { added: entries('192.0.2.0/24') }, 'InvalidPrefixListModification'],
  ['a size of 0', { maxEntries: 0 }, 'InvalidParameterValue'],
  ['a size of 1001', { maxEntries: 1001 }, 'InvalidParameterValue'],
  ['a name of AWS', { name: 'com.amazonaws.mine' }, 'InvalidParameterValue'],
  ['another description', { added: [{ cidr: '192.0.2.0/24', description: 'home' }] }, '']
] as readonly (readonly [string, Partial<PrefixListModification>, string])[]) {
  test(`a list changed by ${what} is ${code === '' ? 'another' : `refused: ${code}`}`, (t) => {
    t.is(new TestLists().modify(changes), code)
  })
}

test('a new list has a family, a size and a place in the quota', (t) => {
  const net = new TestLists()
  t.is(net.refusal(() => net.create({ addressFamily: 'IPv5' })), 'InvalidParameterValue')
  t.is(net.refusal(() => net.create({ maxEntries: 1, entries: entries('10.0.0.0/8',
    '11.0.0.0/8') })), 'PrefixListMaxEntriesExceeded')
  net.setQuota('prefix-lists-per-region', 1)
  t.is(net.refusal(() => net.create({})), 'ResourceLimitExceeded')
})

test('the lists of AWS are there for everybody and nobody changes them', (t) => {
  const net = new TestLists()
  const [s3] = awsPrefixLists('us-east-1')
  const id = s3?.id ?? ''
  t.is(s3?.name, 'com.amazonaws.us-east-1.s3')
  t.not(awsPrefixLists('eu-west-1')[0]?.id, id)
  t.is(requirePrefixList(net.view(), id).ownerId, 'AWS')
  t.is(net.modify({ prefixListId: id, name: 'mine' }), 'UnauthorizedOperation')
  t.is(net.refusal(() => planDeletePrefixList(net.view(), { prefixListId: id })),
    'UnauthorizedOperation')
  t.is(net.refusal(() => requirePrefixList(net.view('222222222222'), net.listId)),
    'InvalidPrefixListID.NotFound')
  t.is(net.authorize(id), '')
})

test('a reference costs the size of the list, and the size cannot outgrow the quota', (t) => {
  const net = new TestLists()
  net.setQuota('routes-per-route-table', 4)
  net.setQuota('rules-per-security-group', 7)
  t.is(net.route({ prefixListId: net.listId }), '')
  t.is(net.route({ prefixListId: net.listId }), 'RouteAlreadyExists')
  t.is(net.route({ ipv4: '203.0.113.0/24' }), '')
  t.is(net.route({ ipv4: '198.51.100.0/24' }), 'RouteLimitExceeded')
  t.is(net.modify({ maxEntries: 4 }), 'RouteLimitExceeded')
  net.setQuota('routes-per-route-table', 50)
  t.is(net.authorize(net.listId), '')
  t.is(net.authorize(net.listId), 'InvalidPermission.Duplicate')
  t.is(net.authorize(net.listId, 80), '')
  t.is(net.authorize(net.listId, 443), 'RulesPerSecurityGroupLimitExceeded')
  t.is(net.modify({ maxEntries: 4 }), 'RulesPerSecurityGroupLimitExceeded')
  net.setQuota('rules-per-security-group', 8)
  t.is(net.modify({ maxEntries: 4 }), '')
})

test('a list that is referred to stays', (t) => {
  const net = new TestLists()
  net.modify({ removed: ['192.0.2.0/24'] })
  net.route({ prefixListId: net.listId })
  net.authorize(net.listId)
  const remove = (): string => net.refusal(() =>
    net.run(planDeletePrefixList(net.view(), { prefixListId: net.listId })))
  t.is(remove(), 'DependencyViolation')
  t.deepEqual(prefixListReferences(net.snapshot, 'us-east-1', net.listId)
    .map(({ resourceId }) => resourceId), [net.groupId, net.routeTableId])
  const destination = { ipv4: undefined, ipv6: undefined, prefixListId: net.listId }
  const { routeTableId } = net
  const other = net.createInterface()
  net.run(planReplaceRoute(net.view(), { routeTableId, destination, localTarget: false,
    target: { NetworkInterfaceId: other } }))
  net.run(planDeleteRoute(net.view(), { routeTableId, destination }))
  const group = requireRecord(net.view(), 'securityGroup', net.groupId)
  net.apply([{ noun: 'securityGroup', id: group.id, record: { ...group, rules: [] } }])
  t.is(remove(), '')
  t.is(net.snapshot.tables.prefixListVersion.size, 0, 'with its versions')
})

test('routes of one prefix: local, then static, then prefix list, then propagated', (t) => {
  const net = new TestLists()
  net.modify({ maxEntries: 10 })
  net.modify({ added: entries('10.0.0.0/16', '10.0.1.0/24', '203.0.113.0/24', '198.51.100.0/24',
    '169.254.169.0/24') })
  net.route({ prefixListId: net.listId })
  net.route({ ipv4: '203.0.113.0/24' })
  const table = requireRecord(net.view(), 'routeTable', net.routeTableId)
  const propagated = ['198.51.100.0/24', '198.51.100.0/25', '10.0.2.0/24', '203.0.113.0/24',
    '172.16.0.0/12'].map((destination): Route => ({
    destination, origin: 'EnableVgwRoutePropagation',
    target: { kind: 'network-interface', networkInterfaceId: net.eniId } }))
  net.apply([{ noun: 'routeTable', id: table.id,
    record: { ...table, routes: [...propagated, ...table.routes] } }])
  t.deepEqual(net.effective(), [
    '10.0.0.0/16 10.0.0.0/16', '2001:db8:0:100::/56 2001:db8:0:100::/56',
    '203.0.113.0/24 203.0.113.0/24',
    `192.0.2.0/24 ${net.listId}`, `198.51.100.0/24 ${net.listId}`,
    '198.51.100.0/25 198.51.100.0/25', '172.16.0.0/12 172.16.0.0/12'
  ])
})

test('of two lists with one block the route that was made first wins', (t) => {
  const net = new TestLists()
  const other = net.create({ name: 'other' })
  net.route({ prefixListId: other })
  net.route({ prefixListId: net.listId })
  t.true(net.effective().includes(`192.0.2.0/24 ${other}`))
  t.false(net.effective().includes(`192.0.2.0/24 ${net.listId}`))
})
