/** VPCs: what comes with one, which blocks may join it, and when it can go. */
import test from 'ava'
import { put } from './snapshot.ts'
import { planCreateSubnet } from './subnet.ts'
import { TEST_ACCOUNT, TestWorld } from './test_world.ts'
import {
  planAssociateVpcCidrBlock, planCreateVpc, planDeleteVpc, planDisassociateVpcCidrBlock,
  planModifyVpcAttribute, planModifyVpcTenancy
} from './vpc.ts'
import { VNI_COUNTER, VNI_MAX } from './vni.ts'
import { IPV6_POOL_COUNTER } from './vpc_cidr.ts'

const plainVpc = {
  cidrBlock: '10.0.0.0/16', instanceTenancy: 'default', amazonProvidedIpv6CidrBlock: false, tags: {}
}

function createVpc (world: TestWorld,
  changes: Partial<Parameters<typeof planCreateVpc>[1]> = {}): string {
  return world.run(planCreateVpc(world.view(), { ...plainVpc, ...changes }, world.context)).vpcId
}

function associate (world: TestWorld, vpcId: string, cidrBlock: string): string {
  const input = { vpcId, cidrBlock, amazonProvidedIpv6CidrBlock: false }
  return world.refusal(() => world.run(
    planAssociateVpcCidrBlock(world.view(), input, world.context)))
}

test('a VPC is born with its companions, in one commit', (t) => {
  const world = new TestWorld()
  const vpcId = createVpc(world, { cidrBlock: '100.68.0.18/18' })
  const view = world.view()
  t.is(world.snapshot.revision, 1)
  t.is(view.get('vpc', vpcId)?.cidrBlocks[0]?.cidrBlock, '100.68.0.0/18', 'host bits are cleared')
  const [table] = view.by('routeTable', 'vpcId', vpcId)
  t.deepEqual(table?.routes.map((route) => route.destination), ['100.68.0.0/18'])
  t.deepEqual(table?.associations.map((one) => one.subnetId), [null])
  t.is(view.by('networkAcl', 'vpcId', vpcId).filter((acl) => acl.isDefault).length, 1)
  t.deepEqual(view.by('securityGroup', 'vpcId', vpcId).map((group) => group.name), ['default'])
  t.truthy(view.get('dhcpOptions', view.get('vpc', vpcId)?.dhcpOptionsId ?? ''))
})

test('all VPCs of an account share its default DHCP options', (t) => {
  const world = new TestWorld()
  createVpc(world)
  createVpc(world)
  t.is(world.view().list('dhcpOptions').length, 1)
})

test('two VPCs may have the same block, and never have the same VNI', (t) => {
  const world = new TestWorld()
  const ids = [createVpc(world), createVpc(world)]
  world.run(planDeleteVpc(world.view(), ids[0] ?? '', world))
  ids[0] = createVpc(world)
  const vnis = ids.map((id) => world.view().get('vpc', id)?.vni)
  t.deepEqual(vnis, [3, 2], 'the VNI of a deleted VPC does not come back')
})

test('CreateVpc is refused when the lab is out of VNIs', (t) => {
  const world = new TestWorld()
  world.apply([put('counter', { id: VNI_COUNTER, next: VNI_MAX })])
  createVpc(world)
  t.is(world.refusal(() => createVpc(world)), 'VpcLimitExceeded')
})

test('CreateVpc refuses what is no block of a VPC', (t) => {
  const world = new TestWorld()
  const refusals = {
    '10.0.0.0/15': 'InvalidVpc.Range',
    '10.0.0.0/29': 'InvalidVpc.Range',
    '169.254.0.0/16': 'InvalidVpc.Range',
    '127.0.0.0/16': 'InvalidVpc.Range',
    '239.0.0.0/16': 'InvalidVpc.Range',
    '10.0.0.0': 'InvalidParameterValue',
    '10.0.0.256/16': 'InvalidParameterValue',
    '2001:db8::/56': 'InvalidParameterValue',
    '': 'InvalidParameterValue'
  }
  for (const [cidrBlock, code] of Object.entries(refusals)) {
    t.is(world.refusal(() => createVpc(world, { cidrBlock })), code, cidrBlock)
  }
  t.is(world.refusal(() => createVpc(world, { cidrBlock: undefined })), 'MissingParameter')
  t.is(world.refusal(() => createVpc(world, { instanceTenancy: 'host' })), 'UnsupportedTenancy')
  t.is(world.refusal(() => createVpc(world, { instanceTenancy: 'x' })), 'InvalidParameterValue')
  t.is(world.snapshot.revision, 0)
})

test('the sixth VPC of a Region is refused until the quota is raised', (t) => {
  const world = new TestWorld()
  for (let count = 0; count < 5; count++) createVpc(world)
  t.is(world.refusal(() => createVpc(world)), 'VpcLimitExceeded')
  const elsewhere = world.view(TEST_ACCOUNT, 'eu-west-1')
  world.run(planCreateVpc(elsewhere, plainVpc, world.context))
  world.setQuota('vpcs-per-region', 6)
  t.is(world.refusal(() => createVpc(world)), '')
  t.is(world.refusal(() => createVpc(world)), 'VpcLimitExceeded')
})

// [blocks the VPC has, primary first] [block to add] code
const associations: readonly (readonly [readonly string[], string, string])[] = [
  [['10.0.0.0/16'], '10.1.0.0/16', ''],
  [['10.0.0.0/16'], '10.0.128.0/17', 'InvalidVpc.Range'],
  [['10.0.0.0/16'], '172.16.0.0/16', 'InvalidVpc.Range'],
  [['10.0.0.0/16'], '192.168.0.0/16', 'InvalidVpc.Range'],
  [['10.0.0.0/16'], '198.19.0.0/16', 'InvalidVpc.Range'],
  [['10.0.0.0/16'], '100.64.0.0/16', ''],
  [['10.0.0.0/16'], '203.0.113.0/24', ''],
  [['10.0.0.0/16', '10.2.0.0/16', '100.64.0.0/16'], '203.0.113.0/24', ''],
  [['10.0.0.0/16', '100.64.0.0/16'], '10.2.0.0/16', 'InvalidVpc.Range'],
  [['10.0.0.0/16', '203.0.113.0/24'], '10.2.0.0/16', 'InvalidVpc.Range'],
  [['10.1.0.0/16'], '10.0.0.0/24', 'InvalidVpc.Range'],
  [['10.2.0.0/16'], '10.0.0.0/24', ''],
  [['10.2.0.0/16', '10.1.0.0/24'], '10.0.1.0/24', 'InvalidVpc.Range'],
  [['172.16.0.0/16'], '172.17.0.0/16', ''],
  [['172.16.0.0/16'], '172.31.0.0/16', 'InvalidVpc.Range'],
  [['172.16.0.0/16'], '10.0.0.0/16', 'InvalidVpc.Range'],
  [['192.168.0.0/24'], '192.168.1.0/24', ''],
  [['192.168.0.0/24'], '172.16.0.0/24', 'InvalidVpc.Range'],
  [['198.19.0.0/24'], '198.19.1.0/24', ''],
  [['198.19.0.0/24'], '203.0.113.0/24', ''],
  [['198.19.0.0/24', '203.0.113.0/24'], '198.19.1.0/24', 'InvalidVpc.Range'],
  [['198.19.0.0/24'], '10.0.0.0/24', 'InvalidVpc.Range'],
  [['203.0.113.0/24'], '10.0.0.0/24', 'InvalidVpc.Range'],
  [['203.0.113.0/24'], '198.19.0.0/24', 'InvalidVpc.Range'],
  [['203.0.113.0/24'], '100.64.0.0/16', ''],
  [['100.64.0.0/16'], '192.168.0.0/16', 'InvalidVpc.Range'],
  [['100.64.0.0/16'], '169.254.0.0/24', 'InvalidVpc.Range'],
  [['10.0.0.0/16'], '10.2.0.0/8', 'InvalidVpcRange'],
  [['10.0.0.0/16'], '10.2.0.0', 'InvalidParameterValue']
]

for (const [blocks, added, code] of associations) {
  test(`a VPC of ${blocks.join(' and ')} ${code === '' ? 'takes' : 'refuses'} ${added}`, (t) => {
    const world = new TestWorld()
    const [cidrBlock, ...more] = blocks
    const vpcId = createVpc(world, { cidrBlock })
    for (const block of more) t.is(associate(world, vpcId, block), '')
    t.is(associate(world, vpcId, added), code)
  })
}

test('a block adds its local route to every table, and takes it along', (t) => {
  const world = new TestWorld()
  const vpcId = createVpc(world)
  const [main] = world.view().by('routeTable', 'vpcId', vpcId)
  if (main === undefined) throw new Error('a VPC has a main route table')
  world.apply([put('routeTable', { ...main, id: world.newId('rtb'), associations: [] })])
  t.is(associate(world, vpcId, '10.1.0.0/16'), '')
  const destinations = (): string[][] => world.view().by('routeTable', 'vpcId', vpcId)
    .map((table) => table.routes.map((route) => route.destination))
  t.deepEqual(destinations(), [['10.0.0.0/16', '10.1.0.0/16'], ['10.0.0.0/16', '10.1.0.0/16']])
  const added = world.view().get('vpc', vpcId)?.cidrBlocks[1]?.associationId ?? ''
  world.run(planDisassociateVpcCidrBlock(world.view(), added))
  t.deepEqual(destinations(), [['10.0.0.0/16'], ['10.0.0.0/16']])
})

test('a block may not equal or contain a destination that is routed already', (t) => {
  const world = new TestWorld()
  const vpcId = createVpc(world)
  const [main] = world.view().by('routeTable', 'vpcId', vpcId)
  if (main === undefined) throw new Error('a VPC has a main route table')
  const target = { kind: 'network-interface', networkInterfaceId: world.newId('eni') } as const
  const route = { destination: '10.9.1.0/24', target, origin: 'CreateRoute' } as const
  world.apply([put('routeTable', { ...main, routes: [...main.routes, route] })])
  t.is(associate(world, vpcId, '10.9.1.0/24'), 'InvalidVpc.Range')
  t.is(associate(world, vpcId, '10.9.0.0/16'), 'InvalidVpc.Range')
  t.is(associate(world, vpcId, '10.9.1.0/25'), '')
  const ipv6 = (): string => world.refusal(() => world.run(planAssociateVpcCidrBlock(world.view(),
    { vpcId, cidrBlock: undefined, amazonProvidedIpv6CidrBlock: true }, world.context)))
  const [table] = world.view().by('routeTable', 'vpcId', vpcId)
  if (table === undefined) throw new Error('a VPC has a main route table')
  const ipv6Route = { ...route, destination: '2001:db8:0:100::/56' }
  world.apply([put('routeTable', { ...table, routes: [...table.routes, ipv6Route] })])
  t.is(ipv6(), 'InvalidVpc.Range', 'the pool gives this block next')
  world.apply([put('routeTable', table)])
  t.is(ipv6(), '')
})

test('the sixth IPv4 block of a VPC is refused', (t) => {
  const world = new TestWorld()
  const vpcId = createVpc(world)
  for (const second of [1, 2, 3, 4]) t.is(associate(world, vpcId, `10.${String(second)}.0.0/16`),
    '')
  t.is(associate(world, vpcId, '10.5.0.0/16'), 'CidrLimitExceeded')
})

test('blocks that are needed stay: the primary one, and one that a subnet lies in', (t) => {
  const world = new TestWorld()
  const vpcId = createVpc(world)
  associate(world, vpcId, '10.1.0.0/16')
  const [primary, second] = world.view().get('vpc', vpcId)?.cidrBlocks ?? []
  const disassociate = (id = ''): string =>
    world.refusal(() => world.run(planDisassociateVpcCidrBlock(world.view(), id)))
  t.is(disassociate(primary?.associationId), 'OperationNotPermitted')
  t.is(disassociate('vpc-cidr-assoc-0123456789abcdef0'),
    'InvalidVpcCidrBlockAssociationID.NotFound')
  world.run(planCreateSubnet(world.view(), {
    vpcId, cidrBlock: '10.1.2.0/24', ipv6CidrBlock: undefined, ipv6Native: false,
    availabilityZone: undefined, availabilityZoneId: undefined, tags: {}
  }, world.context))
  t.is(disassociate(second?.associationId), 'DependencyViolation')
})

test('IPv6 blocks are /56 of the pool, each given out once', (t) => {
  const world = new TestWorld()
  const vpcId = createVpc(world, { amazonProvidedIpv6CidrBlock: true })
  const more = { vpcId, cidrBlock: undefined, amazonProvidedIpv6CidrBlock: true }
  world.run(planAssociateVpcCidrBlock(world.view(), more, world.context))
  const blocks = world.view().get('vpc', vpcId)?.ipv6CidrBlocks ?? []
  t.deepEqual(blocks.map((block) => block.cidrBlock),
    ['2001:db8:0:100::/56', '2001:db8:0:200::/56'])
  world.run(planDisassociateVpcCidrBlock(world.view(), blocks[0]?.associationId ?? ''))
  t.is(world.run(planAssociateVpcCidrBlock(world.view(), more, world.context)).cidrBlock,
    '2001:db8:0:300::/56')
  t.is(world.refusal(() => planAssociateVpcCidrBlock(world.view(),
    { ...more, cidrBlock: '10.1.0.0/16' }, world.context)), 'InvalidParameterCombination')
  world.apply([put('counter', { id: IPV6_POOL_COUNTER, next: 2 ** 24 })])
  t.is(world.refusal(() => planAssociateVpcCidrBlock(world.view(), more, world.context)),
    'InsufficientCidrBlocks')
})

test('the first IPv6 block opens the unmodified default ACL and group, and routes itself', (t) => {
  const world = new TestWorld()
  const vpcId = createVpc(world)
  const input = { vpcId, cidrBlock: undefined, amazonProvidedIpv6CidrBlock: true }
  world.run(planAssociateVpcCidrBlock(world.view(), input, world.context))
  const view = world.view()
  t.true(view.by('networkAcl', 'vpcId', vpcId)[0]?.entries.some(
    (entry) => entry.ipv6CidrBlock === '::/0'))
  t.true(view.by('securityGroup', 'vpcId', vpcId)[0]?.rules.some(
    (rule) => rule.cidrIpv6 === '::/0'))
  t.true(view.by('routeTable', 'vpcId', vpcId)[0]?.routes.some(
    (route) => route.destination === '2001:db8:0:100::/56'))
})

test('DeleteVpc takes the companions along and nothing else', (t) => {
  const world = new TestWorld()
  const vpcId = createVpc(world)
  const other = createVpc(world)
  world.run(planDeleteVpc(world.view(), vpcId, world))
  const view = world.view()
  t.deepEqual(view.list('vpc').map((vpc) => vpc.id), [other])
  for (const noun of ['routeTable', 'networkAcl', 'securityGroup'] as const) {
    t.deepEqual(view.list(noun).map((record) => record.vpcId), [other], noun)
  }
  t.is(world.refusal(() => planDeleteVpc(world.view(), vpcId, world)), 'InvalidVpcID.NotFound')
})

test('DeleteVpc is refused while something of the user is in the VPC', (t) => {
  const world = new TestWorld()
  const vpcId = createVpc(world)
  const view = world.view()
  const [table] = view.by('routeTable', 'vpcId', vpcId)
  const [acl] = view.by('networkAcl', 'vpcId', vpcId)
  const [group] = view.by('securityGroup', 'vpcId', vpcId)
  if (table === undefined || acl === undefined || group === undefined) throw new Error('companions')
  const things = [
    put('routeTable', { ...table, id: world.newId('rtb'), associations: [] }),
    put('networkAcl', { ...acl, id: world.newId('acl'), isDefault: false }),
    put('securityGroup', { ...group, id: world.newId('sg'), name: 'web' })
  ]
  for (const thing of things) {
    world.apply([thing])
    t.is(world.refusal(() => planDeleteVpc(world.view(), vpcId, world)), 'DependencyViolation',
      thing.noun)
    world.apply([{ ...thing, record: null }])
  }
  t.is(world.refusal(() => planDeleteVpc(world.view(), vpcId, world)), '')
})

test('ModifyVpcAttribute changes exactly one attribute', (t) => {
  const world = new TestWorld()
  const vpcId = createVpc(world)
  const modify = (attributes: Parameters<typeof planModifyVpcAttribute>[2]): string =>
    world.refusal(() => world.run(planModifyVpcAttribute(world.view(), vpcId, attributes)))
  t.is(modify({ enableDnsHostnames: true, enableDnsSupport: undefined }), '')
  t.true(world.view().get('vpc', vpcId)?.enableDnsHostnames)
  t.is(modify({}), 'InvalidParameterCombination')
  t.is(modify({ enableDnsHostnames: true, enableDnsSupport: true }), 'InvalidParameterCombination')
  t.is(modify({ enableDnsSupport: false }), '')
  t.is(modify({ enableDnsHostnames: true }), 'InvalidParameterCombination')
})

test('a dedicated VPC becomes a default one, never the reverse', (t) => {
  const world = new TestWorld()
  const vpcId = createVpc(world, { instanceTenancy: 'dedicated' })
  t.is(world.refusal(() => planModifyVpcTenancy(world.view(), vpcId, 'dedicated')),
    'InvalidParameterValue')
  world.run(planModifyVpcTenancy(world.view(), vpcId, 'default'))
  t.is(world.view().get('vpc', vpcId)?.instanceTenancy, 'default')
})
