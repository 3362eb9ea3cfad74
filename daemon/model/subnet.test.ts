/** Subnets: where one fits, what it holds back, and what its attributes and reservations may be. */
import test from 'ava'
import type { NetworkInterface } from './network_interface.ts'
import { put } from './snapshot.ts'
import type { CreateSubnetInput } from './subnet.ts'
import {
  planAssociateSubnetCidrBlock, planCreateSubnet, planCreateSubnetCidrReservation, planDeleteSubnet,
  planDeleteSubnetCidrReservation, planDisassociateSubnetCidrBlock, planModifySubnetAttribute
} from './subnet.ts'
import { TEST_REGION, TestWorld } from './test_world.ts'
import { planCreateVpc } from './vpc.ts'

/** A world with one dual-stack VPC: 10.0.0.0/16 and, the first of the pool, 2001:db8:0:100::/56. */
function newWorld (): { readonly world: TestWorld, readonly vpcId: string } {
  const world = new TestWorld()
  const { vpcId } = world.run(planCreateVpc(world.view(), {
    cidrBlock: '10.0.0.0/16', instanceTenancy: 'default', amazonProvidedIpv6CidrBlock: true,
    tags: {}
  }, world.context))
  return { world, vpcId }
}

function create (world: TestWorld, vpcId: string, changes: Partial<CreateSubnetInput>): string {
  return world.run(planCreateSubnet(world.view(), {
    vpcId, cidrBlock: undefined, ipv6CidrBlock: undefined, ipv6Native: false,
    availabilityZone: undefined, availabilityZoneId: undefined, tags: {}, ...changes
  }, world.context)).subnetId
}

/** An ENI in a subnet, with the fields that a subnet looks at. */
function addInterface (world: TestWorld, subnetId: string, ipv6Addresses: readonly string[]): void {
  const subnet = world.view().get('subnet', subnetId)
  if (subnet === undefined) throw new Error(`no subnet ${subnetId}`)
  const record = {
    id: world.newId('eni'), region: subnet.region, ownerId: subnet.ownerId, vpcId: subnet.vpcId,
    subnetId,
    ipv6Addresses, ipv6Prefixes: [], privateIpAddresses: [], ipv4Prefixes: []
  }
  world.apply([put('networkInterface', record as unknown as NetworkInterface)])
}

test('CreateSubnet refuses what does not fit', (t) => {
  const { world, vpcId } = newWorld()
  create(world, vpcId, { cidrBlock: '10.0.1.0/24', ipv6CidrBlock: '2001:db8:0:101::/64' })
  const refusals: readonly (readonly [Partial<CreateSubnetInput>, string])[] = [
    [{ cidrBlock: '10.1.0.0/24' }, 'InvalidSubnet.Range'],
    [{ cidrBlock: '10.0.0.0/15' }, 'InvalidSubnet.Range'],
    [{ cidrBlock: '10.0.0.0/29' }, 'InvalidSubnet.Range'],
    [{ cidrBlock: '10.0.1.128/25' }, 'InvalidSubnet.Conflict'],
    [{ cidrBlock: '10.0.0.0/16' }, 'InvalidSubnet.Conflict'],
    [{ cidrBlock: '10.0.2.0' }, 'InvalidParameterValue'],
    [{}, 'MissingParameter'],
    [{ vpcId: 'vpc-0123456789abcdef0', cidrBlock: '10.0.2.0/24' }, 'InvalidVpcID.NotFound'],
    [{ vpcId: 'vpc-x', cidrBlock: '10.0.2.0/24' }, 'InvalidVpcID.Malformed'],
    [{ cidrBlock: '10.0.2.0/24', ipv6CidrBlock: '2001:db8:0:101::/64' }, 'InvalidSubnet.Conflict'],
    [{ cidrBlock: '10.0.2.0/24', ipv6CidrBlock: '2001:db8:0:102::/63' }, 'InvalidParameterValue'],
    [{ cidrBlock: '10.0.2.0/24', ipv6CidrBlock: '2001:db8:0:200::/64' }, 'InvalidSubnet.Range'],
    [{ cidrBlock: '10.0.2.0/24', availabilityZone: 'us-east-1z' }, 'InvalidParameterValue'],
    [{ cidrBlock: '10.0.2.0/24', availabilityZoneId: 'euw1-az1' }, 'InvalidParameterValue'],
    [{ cidrBlock: '10.0.2.0/24', availabilityZone: 'us-east-1a', availabilityZoneId: 'use1-az1' },
      'InvalidParameterCombination'],
    [{ ipv6Native: true }, 'MissingParameter'],
    [{ ipv6Native: true, cidrBlock: '10.0.2.0/24', ipv6CidrBlock: '2001:db8:0:102::/64' },
      'InvalidParameterCombination']
  ]
  const revision = world.snapshot.revision
  for (const [input, code] of refusals) {
    t.is(world.refusal(() => create(world, vpcId, input)), code, JSON.stringify(input))
  }
  t.is(world.snapshot.revision, revision)
})

test('a subnet may lie in a later block of the VPC, and may touch its neighbour', (t) => {
  const { world, vpcId } = newWorld()
  const vpc = world.view().get('vpc', vpcId)
  if (vpc === undefined) throw new Error('the VPC')
  const block = { associationId: world.newId('vpc-cidr-assoc'), cidrBlock: '10.1.0.0/16' }
  world.apply([put('vpc', { ...vpc, cidrBlocks: [...vpc.cidrBlocks, block] })])
  t.is(world.refusal(() => create(world, vpcId, { cidrBlock: '10.1.0.0/24' })), '')
  t.is(world.refusal(() => create(world, vpcId, { cidrBlock: '10.1.1.0/24' })), '')
})

test('without a zone the one with the fewest subnets is taken', (t) => {
  const { world, vpcId } = newWorld()
  const zones = [1, 2, 3, 4, 5, 6, 7].map((third) => {
    const id = create(world, vpcId, { cidrBlock: `10.0.${String(third)}.0/24` })
    return world.view().get('subnet', id)?.zoneId
  })
  t.is(new Set(zones.slice(0, 6)).size, 6, 'us-east-1 has six')
  t.is(zones[6], zones[0])
})

test('the 201st subnet of a VPC is refused', (t) => {
  const { world, vpcId } = newWorld()
  world.setQuota('subnets-per-vpc', 2)
  create(world, vpcId, { cidrBlock: '10.0.1.0/24' })
  create(world, vpcId, { cidrBlock: '10.0.2.0/24' })
  t.is(world.refusal(() => create(world, vpcId, { cidrBlock: '10.0.3.0/24' })),
    'SubnetLimitExceeded')
})

test('an IPv6-only subnet has no IPv4 block and uses resource names', (t) => {
  const { world, vpcId } = newWorld()
  const id = create(world, vpcId, { ipv6Native: true, ipv6CidrBlock: '2001:db8:0:101::/64' })
  const subnet = world.view().get('subnet', id)
  t.is(subnet?.cidrBlock, null)
  t.is(subnet?.hostnameType, 'resource-name')
  t.true(subnet?.assignIpv6AddressOnCreation)
  const modify = (attributes: Parameters<typeof planModifySubnetAttribute>[2]): string =>
    world.refusal(() => planModifySubnetAttribute(world.view(), id, attributes))
  t.is(modify({ mapPublicIpOnLaunch: true }), 'InvalidParameterValue')
  t.is(modify({ hostnameType: 'ip-name' }), 'InvalidParameterValue')
  t.is(modify({ enableDns64: true }), '')
})

test('DeleteSubnet waits for ENIs and takes associations along', (t) => {
  const { world, vpcId } = newWorld()
  const id = create(world, vpcId, { cidrBlock: '10.0.1.0/24' })
  const [table] = world.view().by('routeTable', 'vpcId', vpcId)
  const [acl] = world.view().by('networkAcl', 'vpcId', vpcId)
  if (table === undefined || acl === undefined) throw new Error('companions')
  world.apply([
    put('routeTable', { ...table,
      associations: [...table.associations, { id: 'rtbassoc-1', subnetId: id, gatewayId: null }] }),
    put('networkAcl', { ...acl, associations: [{ id: 'aclassoc-1', subnetId: id }] })
  ])
  addInterface(world, id, [])
  t.is(world.refusal(() => planDeleteSubnet(world.view(), id)), 'DependencyViolation')
  const [networkInterface] = world.view().list('networkInterface')
  world.apply([{ noun: 'networkInterface', id: networkInterface?.id ?? '', record: null }])
  world.run(planDeleteSubnet(world.view(), id))
  t.deepEqual(world.view().list('subnet'), [])
  t.deepEqual(world.view().get('routeTable', table.id)?.associations.map((one) => one.subnetId),
    [null])
  t.deepEqual(world.view().get('networkAcl', acl.id)?.associations, [])
})

test('ModifySubnetAttribute changes exactly one attribute', (t) => {
  const { world, vpcId } = newWorld()
  const id = create(world, vpcId, { cidrBlock: '10.0.1.0/24' })
  const modify = (attributes: Parameters<typeof planModifySubnetAttribute>[2]): string =>
    world.refusal(() => world.run(planModifySubnetAttribute(world.view(), id, attributes)))
  t.is(modify({}), 'InvalidParameterCombination')
  t.is(modify({ mapPublicIpOnLaunch: true, enableDns64: true }), 'InvalidParameterCombination')
  for (const name of
    ['assignIpv6AddressOnCreation', 'enableDns64', 'enableResourceNameDnsAaaaRecord']) {
    t.is(modify({ [name]: true }), 'InvalidParameterValue', `${name}: it has no IPv6 block`)
    t.is(modify({ [name]: false }), '')
  }
  t.is(modify({ hostnameType: 'x' }), 'InvalidParameterValue')
  t.is(modify({ hostnameType: 'resource-name' }), '')
  t.is(world.view().get('subnet', id)?.hostnameType, 'resource-name')
})

test('a subnet has one IPv6 block, which goes when no ENI uses it', (t) => {
  const { world, vpcId } = newWorld()
  const id = create(world, vpcId, { cidrBlock: '10.0.1.0/24' })
  const associate = (block: string): string => world.refusal(() =>
    world.run(planAssociateSubnetCidrBlock(world.view(), id, block, world.context)))
  t.is(associate('2001:db8:0:101::/64'), '')
  t.is(associate('2001:db8:0:102::/64'), 'CidrLimitExceeded')
  world.run(planModifySubnetAttribute(world.view(), id, { assignIpv6AddressOnCreation: true }))
  world.run(planModifySubnetAttribute(world.view(), id, { enableDns64: true }))
  const [block] = world.view().get('subnet', id)?.ipv6CidrBlocks ?? []
  addInterface(world, id, ['2001:db8:0:101::5'])
  const disassociate = (): string => world.refusal(() =>
    world.run(planDisassociateSubnetCidrBlock(world.view(), block?.associationId ?? '')))
  t.is(disassociate(), 'DependencyViolation')
  const [networkInterface] = world.view().list('networkInterface')
  world.apply([{ noun: 'networkInterface', id: networkInterface?.id ?? '', record: null }])
  t.is(disassociate(), '')
  t.is(disassociate(), 'InvalidSubnetCidrBlockAssociationID.NotFound')
  const { assignIpv6AddressOnCreation, enableDns64 } = world.view().get('subnet', id) ?? {}
  t.deepEqual([assignIpv6AddressOnCreation, enableDns64], [false, false])
})

test('CIDR reservations lie in the subnet and do not overlap', (t) => {
  const { world, vpcId } = newWorld()
  const id = create(world, vpcId,
    { cidrBlock: '10.0.1.0/24', ipv6CidrBlock: '2001:db8:0:101::/64' })
  const reserve = (cidr: string, reservationType = 'prefix'): string => world.refusal(() =>
    world.run(planCreateSubnetCidrReservation(world.view(),
      { subnetId: id, cidr, reservationType, description: '', tags: {} }, world.context)))
  t.is(reserve('10.0.1.16/28'), '')
  t.is(reserve('2001:db8:0:101:8000::/65', 'explicit'), '')
  t.is(reserve('10.0.1.0/27'), 'InvalidParameterValue', 'overlap')
  t.is(reserve('10.0.2.0/28'), 'InvalidParameterValue', 'outside')
  t.is(reserve('10.0.1.64/28', 'x'), 'InvalidParameterValue')
  const [reservation] = world.view().get('subnet', id)?.cidrReservations ?? []
  const reservationId = reservation?.id ?? ''
  t.is(world.run(planDeleteSubnetCidrReservation(world.view(), reservationId)).reservation.cidr,
    '10.0.1.16/28')
  t.is(world.refusal(() => planDeleteSubnetCidrReservation(world.view(), reservationId)),
    'InvalidSubnetCidrReservationID.NotFound')
  t.is(world.view(undefined, TEST_REGION).get('subnet', id)?.cidrReservations.length, 1)
})
