/** RunInstances: where instances land, what they are made of, and what is refused. */
import test from 'ava'
import { planRunInstances } from './instance_launch.ts'
import type { LaunchInput, LaunchInterface } from './instance_launch.ts'
import { LAUNCH, LAUNCH_INTERFACE, SLOTS_PER_HOST, TestNetwork } from './test_network.ts'

function hostsOf (net: TestNetwork): (string | null)[] {
  return net.view().list('instance').map(({ hostName }) => hostName)
}

test('a launched instance is pending on a host and has one ENI that goes with it', (t) => {
  const net = new TestNetwork()
  const [id = ''] = net.launch()
  const instance = net.view().get('instance', id)
  t.like(instance, { state: 'pending', goal: 'running', bootCount: 0, hostName: 'host-1',
    subnetId: net.subnetId })
  const [primary, ...more] = net.view().list('networkInterface')
  t.like(primary?.attachment, { instanceId: id, deviceIndex: 0, deleteOnTermination: true })
  t.deepEqual(primary?.privateIpAddresses, ['10.0.1.4'])
  t.deepEqual(more, [])
})

test('instances go to the least loaded host of the zone, ties by name', (t) => {
  const net = new TestNetwork()
  net.launch({ hostName: 'host-2' })
  net.launch()
  net.launch()
  t.deepEqual(hostsOf(net), ['host-2', 'host-1', 'host-1'])
  t.is(net.refusal(() => net.launch({ hostName: 'host-3' })), 'InvalidHostID.NotFound',
    'another zone')
})

test('a launch takes what there is between MinCount and MaxCount', (t) => {
  const net = new TestNetwork()
  const slots = 2 * SLOTS_PER_HOST
  t.is(net.refusal(() => net.launch({ minCount: slots + 1, maxCount: slots + 1 })),
    'InsufficientInstanceCapacity')
  t.is(hostsOf(net).length, 0, 'a refused launch leaves nothing')
  t.is(net.launch({ minCount: 1, maxCount: slots + 5 }).length, slots)
  t.is(net.refusal(() => net.launch()), 'InsufficientInstanceCapacity')
  t.deepEqual(net.view().list('instance').map(({ launchIndex }) => launchIndex), [0, 1, 2, 3])
})

test('a subnet that runs full ends a launch above MinCount and refuses one below', (t) => {
  const net = new TestNetwork()
  for (let n = 0; n < 10; n++) net.createInterface({ subnetId: net.otherSubnetId })
  const two = { subnetId: net.otherSubnetId }
  t.is(net.refusal(() => net.launch({ minCount: 2, maxCount: 2 }, two)),
    'InsufficientFreeAddressesInSubnet')
  t.is(net.launch({ minCount: 1, maxCount: 2 }, two).length, 1)
})

test('an ENI that exists is attached and stays when the instance goes', (t) => {
  const net = new TestNetwork()
  const networkInterfaceId = net.createInterface()
  const [id = ''] = net.launch({}, { subnetId: null, networkInterfaceId })
  t.like(net.interfaceOf(networkInterfaceId).attachment,
    { instanceId: id, deviceIndex: 0, deleteOnTermination: false })
  t.is(net.refusal(() => net.launch({}, { subnetId: null, networkInterfaceId })),
    'InvalidNetworkInterface.InUse')
})

test('an ENI cannot be two interfaces of one instance', (t) => {
  const net = new TestNetwork()
  const networkInterfaceId = net.createInterface()
  const interfaces = [0, 1].map((deviceIndex) =>
    ({ ...LAUNCH_INTERFACE, deviceIndex, networkInterfaceId }))
  t.is(net.refusal(() => net.launch({ interfaces })), 'InvalidParameterCombination')
})

test('several interfaces of one instance may lie in several subnets of its zone', (t) => {
  const net = new TestNetwork()
  const second = net.createSubnet('10.0.3.0/24', 'use1-az1')
  const interfaces = [
    { ...LAUNCH_INTERFACE, deviceIndex: 1, subnetId: second },
    { ...LAUNCH_INTERFACE, subnetId: net.subnetId }
  ]
  const [id = ''] = net.launch({ interfaces })
  t.is(net.view().get('instance', id)?.subnetId, net.subnetId, 'that of the primary interface')
  t.is(net.view().list('networkInterface').length, 2)
})

const ONE_MORE: LaunchInterface = { ...LAUNCH_INTERFACE, deviceIndex: 1 }

for (const [what, launch, primary, code] of [
  ['an unknown image', { imageId: 'ami-0aaaaaaaaaaaaaaaa' }, {}, 'InvalidAMIID.NotFound'],
  ['a malformed image id', { imageId: 'ami-1' }, {}, 'InvalidAMIID.Malformed'],
  ['the image by its id', { imageId: 'ami-00000000000000001' }, {}, ''],
  ['an unknown type', { instanceType: 'm5.tiny' }, {}, 'InvalidParameterValue'],
  ['MinCount 0', { minCount: 0 }, {}, 'InvalidParameterValue'],
  ['MaxCount below MinCount', { minCount: 2, maxCount: 1 }, {}, 'InvalidParameterValue'],
  ['one address for two instances', { maxCount: 2 }, { primaryIpv4: '10.0.1.9' },
    'InvalidParameterCombination'],
  ['an address for one instance', {}, { primaryIpv4: '10.0.1.9' }, ''],
  ['a zone that is not the subnet\'s', { zoneId: 'use1-az2' }, {}, 'InvalidParameterValue'],
  ['no subnet and no default VPC', {}, { subnetId: null }, 'VPCIdNotSpecified'],
  ['no device index 0', {}, { deviceIndex: 1 }, 'InvalidParameterCombination'],
  ['an unknown group', {}, { groupIds: ['sg-0aaaaaaaaaaaaaaaa'] }, 'InvalidGroup.NotFound'],
  ['an unknown ENI', {}, { subnetId: null, networkInterfaceId: 'eni-0aaaaaaaaaaaaaaaa' },
    'InvalidNetworkInterfaceID.NotFound'],
  ['user data that is not base64', { userData: '#!/bin/sh' }, {}, 'InvalidUserData.Malformed'],
  ['16 KB of user data', { userData: Buffer.alloc(16_384).toString('base64') }, {}, ''],
  ['more than 16 KB of user data', { userData: Buffer.alloc(16_385).toString('base64') }, {},
    'InvalidParameterValue'],
  ['the same device index twice', { interfaces: [ONE_MORE, ONE_MORE] }, {},
    'InvalidParameterValue'],
  ['more interfaces than the type has', { instanceType: 't3.micro',
    interfaces: [0, 1, 2].map((deviceIndex) => ({ ...ONE_MORE, deviceIndex })) },
    {}, 'AttachmentLimitExceeded']
] as readonly (readonly [string, Partial<LaunchInput>, Partial<LaunchInterface>, string])[]) {
  test(`RunInstances with ${what} is ${code === '' ? 'granted' : `refused with ${code}`}`, (t) => {
    const net = new TestNetwork()
    const interfaces = [{ ...LAUNCH_INTERFACE, subnetId: net.subnetId, ...primary }]
    t.is(net.refusal(() =>
      planRunInstances(net.view(), { ...LAUNCH, interfaces, ...launch }, net.context)), code)
  })
}

test('the quota counts instances that are not terminated', (t) => {
  const net = new TestNetwork()
  net.setQuota('instances-per-region', 1)
  net.launch()
  t.is(net.refusal(() => net.launch()), 'InstanceLimitExceeded')
})
