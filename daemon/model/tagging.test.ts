/** Tags: what one may be, and what CreateTags and DeleteTags do to things that exist. */
import test from 'ava'
import { planCreateSubnet, planCreateSubnetCidrReservation } from './subnet.ts'
import { checkTagKey, tagsFromInput, tagsFromSpecifications } from './tag.ts'
import { listTagged, planCreateTags, planDeleteTags, planStackTags } from './tagging.ts'
import { TestWorld } from './test_world.ts'
import { planCreateVpc } from './vpc.ts'

function newWorld (): { readonly world: TestWorld, readonly vpcId: string } {
  const world = new TestWorld()
  const { vpcId } = world.run(planCreateVpc(world.view(), {
    cidrBlock: '10.0.0.0/16', instanceTenancy: 'default', amazonProvidedIpv6CidrBlock: false,
    tags: { Name: 'a', Old: '' }
  }, world.context))
  return { world, vpcId }
}

test('a tag key is 1 to 128 characters and not the system\'s', (t) => {
  const world = new TestWorld()
  t.is(world.refusal(() => { checkTagKey('a'.repeat(128)) }), '')
  t.is(world.refusal(() => { checkTagKey('a'.repeat(129)) }), 'InvalidParameterValue')
  t.is(world.refusal(() => { checkTagKey('') }), 'InvalidTagKey.Malformed')
  t.is(world.refusal(() => { checkTagKey('aws:x') }), 'InvalidParameterValue')
  t.is(world.refusal(() => { checkTagKey('AWS:x') }), 'InvalidParameterValue')
  t.is(world.refusal(() => { checkTagKey('vpclab:vni') }), 'InvalidParameterValue')
  t.is(world.refusal(() => { checkTagKey('awsome') }), '')
})

test('tags of one call are checked together', (t) => {
  const world = new TestWorld()
  const many = (count: number): { Key: string }[] =>
    Array.from({ length: count }, (_, at) => ({ Key: String(at) }))
  t.is(Object.keys(tagsFromInput(many(50))).length, 50)
  t.is(world.refusal(() => tagsFromInput(many(51))), 'TagLimitExceeded')
  t.is(world.refusal(() => tagsFromInput([{ Key: 'a' }, { Key: 'a' }])), 'InvalidParameterValue')
  t.is(world.refusal(() => tagsFromInput([{ Value: 'a' }])), 'MissingParameter')
  t.is(world.refusal(() => tagsFromInput([{ Key: 'a', Value: 'v'.repeat(257) }])),
    'InvalidParameterValue')
  t.deepEqual(Object.entries(tagsFromInput([{ Key: '__proto__', Value: 'x' }])),
    [['__proto__', 'x']])
})

test('a tag specification is for what the call makes', (t) => {
  const world = new TestWorld()
  const specification = (ResourceType: string) =>
    ({ ResourceType, Tags: [{ Key: 'k', Value: 'v' }] })
  t.deepEqual(tagsFromSpecifications([specification('vpc')], 'vpc'), { k: 'v' })
  t.deepEqual(tagsFromSpecifications(undefined, 'vpc'), {})
  t.deepEqual(tagsFromSpecifications([specification('instance')], 'volume', ['instance', 'volume']),
    {})
  t.is(world.refusal(() => tagsFromSpecifications([specification('subnet')], 'vpc')),
    'InvalidParameterValue')
  t.is(world.refusal(
    () => tagsFromSpecifications([specification('vpc'), specification('vpc')], 'vpc')),
    'InvalidParameterValue')
})

test('CreateTags changes all resources or none', (t) => {
  const { world, vpcId } = newWorld()
  const [table] = world.view().list('routeTable')
  const ids = [vpcId, table?.id ?? '']
  world.run(planCreateTags(world.view(), ids, [{ Key: 'Name', Value: 'b' }]))
  t.deepEqual(world.view().get('vpc', vpcId)?.tags, { Name: 'b', Old: '' })
  t.deepEqual(world.view().get('routeTable', ids[1] ?? '')?.tags, { Name: 'b' })
  for (const absent of ['vpc-0123456789abcdef0', 'nothing', 'sgr-0123456789abcdef0',
    'xyz-0123456789abcdef0']) {
    t.is(world.refusal(() => planCreateTags(world.view(), [vpcId, absent], [{ Key: 'k' }])),
      'InvalidID', absent)
  }
  t.is(world.refusal(() => planCreateTags(world.view('222222222222'), [vpcId], [{ Key: 'k' }])),
    'InvalidID')
  const most = Array.from({ length: 49 }, (_, at) => ({ Key: String(at) }))
  t.is(world.refusal(() => planCreateTags(world.view(), [vpcId], most)), 'TagLimitExceeded',
    '49 and Name and Old')
})

test('parts of a record are tagged on their own', (t) => {
  const { world, vpcId } = newWorld()
  const { subnetId } = world.run(planCreateSubnet(world.view(), {
    vpcId, cidrBlock: '10.0.1.0/24', ipv6CidrBlock: undefined, ipv6Native: false,
    availabilityZone: undefined, availabilityZoneId: undefined, tags: {}
  }, world.context))
  const { reservationId } = world.run(planCreateSubnetCidrReservation(world.view(),
    { subnetId, cidr: '10.0.1.16/28', reservationType: 'prefix', description: '', tags: {} },
      world.context))
  const [group] = world.view().list('securityGroup')
  const ids = [group?.id ?? '', group?.rules[0]?.id ?? '', group?.rules[1]?.id ?? '', subnetId,
    reservationId]
  world.run(planCreateTags(world.view(), ids, [{ Key: 'k', Value: 'v' }]))
  const tagged = listTagged(world.view()).filter((one) => one.tags['k'] === 'v')
  t.deepEqual(tagged.map((one) => one.id).sort(), ids.sort())
  t.deepEqual([...new Set(tagged.map((one) => one.resourceType))].sort(),
    ['security-group', 'security-group-rule', 'subnet', 'subnet-cidr-reservation'])
})

test('DeleteTags goes by key, by key and value, or takes all', (t) => {
  const { world, vpcId } = newWorld()
  const left = (input: Parameters<typeof planDeleteTags>[2]): string[] => {
    const { changes } = planDeleteTags(world.view(), [vpcId], input)
    const [change] = changes
    return change?.noun === 'vpc' ? Object.keys(change.record?.tags ?? {}) : []
  }
  t.deepEqual(left([{ Key: 'Name' }]), ['Old'])
  t.deepEqual(left([{ Key: 'Name', Value: 'b' }]), ['Name', 'Old'], 'another value')
  t.deepEqual(left([{ Key: 'Old', Value: '' }]), ['Name'], 'the empty value')
  t.deepEqual(left([{ Key: 'Absent' }]), ['Name', 'Old'])
  t.deepEqual(left(undefined), [])
})

test('tags of the system are given by stacks, do not count, and stay when all others go', (t) => {
  const { world, vpcId } = newWorld()
  const many = Object.fromEntries(Array.from({ length: 49 }, (_, at) => [String(at), '']))
  world.run(planStackTags(world.view(), vpcId,
    { ...many, 'aws:cloudformation:stack-name': 's' }, ['Name']))
  const keys = (): string[] => Object.keys(world.snapshot.tables.vpc.get(vpcId)?.tags ?? {})
  t.is(keys().length, 51)
  t.false(keys().includes('Name'))
  world.run(planDeleteTags(world.view(), [vpcId], undefined))
  t.deepEqual(keys(), ['aws:cloudformation:stack-name'])
})
