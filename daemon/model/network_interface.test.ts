/** ENIs: what one is made with, what may change, and where it can be attached. */
import test from 'ava'
import { put } from './snapshot.ts'
import {
  macAddressOf, planCreateNetworkInterface, planDeleteNetworkInterface
} from './network_interface.ts'
import type { NewNetworkInterface } from './network_interface.ts'
import { planAssignAddresses, planUnassignAddresses } from './network_interface_address.ts'
import type { AddressRequest } from './network_interface.ts'
import {
  planAttachNetworkInterface, planDetachNetworkInterface
} from './network_interface_attachment.ts'
import {
  planModifyNetworkInterfaceAttribute, planResetNetworkInterfaceAttribute
} from './network_interface_attribute.ts'
import type { ModifyInput } from './network_interface_attribute.ts'
import { planInstanceReached } from './instance_agent.ts'
import { planModifySubnetAttribute } from './subnet.ts'
import { planCreateSecurityGroup } from './security_group.ts'
import { NEW_INTERFACE, TestNetwork } from './test_network.ts'
import { planStopInstances } from './instance.ts'

const NONE: AddressRequest = { addresses: [], addressCount: 0, prefixes: [], prefixCount: 0 }

/** A running instance in `subnetId`. */
function runningInstance (net: TestNetwork, instanceType = 'm5.large'): string {
  const [id = ''] = net.launch({ instanceType })
  const hostName = net.view().get('instance', id)?.hostName ?? ''
  net.run(planInstanceReached(net.snapshot, hostName, id, 'running', net.context))
  return id
}

function attach (net: TestNetwork, networkInterfaceId: string, instanceId: string,
  deviceIndex: number): string {
  const input = { networkInterfaceId, instanceId, deviceIndex }
  return net.refusal(() => net.run(planAttachNetworkInterface(net.view(), input, net.context)))
}

test('a new ENI gets the lowest address, a MAC of its id, the default group and the check on',
  (t) => {
  const net = new TestNetwork()
  const id = net.createInterface()
  const record = net.interfaceOf(id)
  t.deepEqual(record.privateIpAddresses, ['10.0.1.4'])
  t.deepEqual(record.ipv6Addresses, [])
  t.is(record.macAddress, macAddressOf(id))
  t.regex(record.macAddress, /^02(:[0-9a-f]{2}){5}$/)
  t.true(record.sourceDestCheck)
  t.deepEqual(record.groupIds.map((groupId) => net.view().get('securityGroup', groupId)?.name),
    ['default'])
})

test('IPv6 is assigned on creation when the subnet says so, unless the call says otherwise',
  (t) => {
  const net = new TestNetwork()
  net.run(planModifySubnetAttribute(net.view(), net.subnetId,
    { assignIpv6AddressOnCreation: true }))
  t.deepEqual(net.interfaceOf(net.createInterface()).ipv6Addresses, ['2001:db8:0:100::4'])
  t.deepEqual(net.interfaceOf(net.createInterface({ ipv6: NONE })).ipv6Addresses, [])
})

test('addresses asked for by value are not taken by the automatic choice of the same call', (t) => {
  const net = new TestNetwork()
  const id = net.createInterface({ ipv4: { ...NONE, addresses: ['10.0.1.4'] } })
  t.deepEqual(net.interfaceOf(id).privateIpAddresses, ['10.0.1.5', '10.0.1.4'],
    'the primary one stands first')
})

for (const [what, changes, code] of [
  ['an unknown subnet', { subnetId: 'subnet-0aaaaaaaaaaaaaaaa' }, 'InvalidSubnetID.NotFound'],
  ['a malformed subnet id', { subnetId: 'subnet-xyz' }, 'InvalidSubnetID.Malformed'],
  ['an unknown group', { groupIds: ['sg-0aaaaaaaaaaaaaaaa'] }, 'InvalidSecurityGroupID.NotFound'],
  ['an address of another subnet', { primaryIpv4: '10.0.2.5' }, 'InvalidParameterValue'],
  ['IPv6 where the subnet has none', { ipv6: { ...NONE, addressCount: 1 }, other: true },
    'InvalidParameterValue'],
  ['a description of 256 characters', { description: 'x'.repeat(256) }, 'InvalidParameterValue'],
  ['a UDP timeout of 61 s', { connectionTracking: { tcpEstablishedTimeoutS: null,
    udpStreamTimeoutS: null, udpTimeoutS: 61 } },
    'InvalidParameterValue'],
  ['all that is right', { connectionTracking: { tcpEstablishedTimeoutS: 350, udpStreamTimeoutS: 180,
    udpTimeoutS: 60 } }, '']
] as readonly (readonly [string,
  Partial<NewNetworkInterface> & { subnetId?: string, other?: boolean }, string])[]) {
  test(`CreateNetworkInterface with ${what} is ${code === '' ? 'granted' : `refused with ${code}`}`,
    (t) => {
    const net = new TestNetwork()
    const input = { ...NEW_INTERFACE, subnetId: changes.other === true ? net.otherSubnetId
      : net.subnetId, ...changes }
    t.is(net.refusal(() => planCreateNetworkInterface(net.view(), input, net.context)), code)
  })
}

test('a group of another VPC, a sixth group and the quota are refused', (t) => {
  const net = new TestNetwork()
  const otherVpcId = net.createVpc()
  const newGroup = (vpcId: string, name: string): string =>
    net.run(planCreateSecurityGroup(net.view(), { vpcId, name, description: 'x', tags: {} },
      net.context))
  t.is(net.refusal(() => net.createInterface({ groupIds: [newGroup(otherVpcId, 'far')] })),
    'InvalidParameter')
  const groupIds = Array.from({ length: 6 }, (_, at) => newGroup(net.vpcId, `g${at}`))
  t.is(net.refusal(() => net.createInterface({ groupIds })),
    'SecurityGroupsPerInterfaceLimitExceeded')
  t.is(net.refusal(() => net.createInterface({ groupIds: groupIds.slice(0, 5) })), '')
  net.setQuota('network-interfaces-per-region', 1)
  t.is(net.refusal(() => net.createInterface()), 'NetworkInterfaceLimitExceeded')
})

test('an ENI attaches in its zone and VPC, once, at a free index, within the limits of the type',
  (t) => {
  const net = new TestNetwork()
  const instanceId = runningInstance(net, 't3.micro')
  const first = net.createInterface()
  t.is(attach(net, net.createInterface({ subnetId: net.otherSubnetId }), instanceId, 1),
    'InvalidParameterCombination')
  const farSubnet = net.createSubnet('10.0.9.0/24', 'use1-az1', undefined, net.createVpc())
  t.is(attach(net, net.createInterface({ subnetId: farSubnet }), instanceId, 1),
    'InvalidParameterCombination')
  t.is(attach(net, first, instanceId, 0), 'InvalidParameterValue',
    'the primary interface has index 0')
  t.is(attach(net, first, 'i-0aaaaaaaaaaaaaaaa', 1), 'InvalidInstanceID.NotFound')
  const big = net.createInterface({ ipv4: { ...NONE, addressCount: 2 } })
  t.is(attach(net, big, instanceId, 1), 'PrivateIpAddressLimitExceeded',
    'a t3.micro has 2 addresses per interface')
  t.is(attach(net, first, instanceId, 1), '')
  t.is(attach(net, first, instanceId, 2), 'InvalidNetworkInterface.InUse')
  t.is(attach(net, net.createInterface(), instanceId, 2), 'AttachmentLimitExceeded',
    'a t3.micro has 2 interfaces')
})

test('an ENI attaches to a stopped instance but not to one that is stopping', (t) => {
  const net = new TestNetwork()
  const instanceId = runningInstance(net)
  const id = net.createInterface()
  const hostName = net.view().get('instance', instanceId)?.hostName ?? ''
  net.run(planStopInstances(net.view(), { instanceIds: [instanceId] }, net.context))
  t.is(attach(net, id, instanceId, 1), 'IncorrectInstanceState')
  net.run(planInstanceReached(net.snapshot, hostName, instanceId, 'stopped', net.context))
  t.is(attach(net, id, instanceId, 1), '')
})

test('a secondary ENI detaches and can then be deleted; the primary one does neither', (t) => {
  const net = new TestNetwork()
  const instanceId = runningInstance(net)
  const id = net.createInterface()
  attach(net, id, instanceId, 1)
  t.is(net.refusal(() => planDeleteNetworkInterface(net.view(), { networkInterfaceId: id })),
    'InvalidNetworkInterface.InUse')
  const detach = (attachmentId: string): string =>
    net.refusal(() => net.run(planDetachNetworkInterface(net.view(), { attachmentId })))
  const primary = net.view().list('networkInterface').find(({ attachment }) =>
    attachment?.deviceIndex === 0)
  t.is(detach(primary?.attachment?.id ?? ''), 'OperationNotPermitted')
  t.is(detach('eni-attach-0aaaaaaaaaaaaaaaa'), 'InvalidAttachmentID.NotFound')
  t.is(detach(net.interfaceOf(id).attachment?.id ?? ''), '')
  net.run(planDeleteNetworkInterface(net.view(), { networkInterfaceId: id }))
  t.is(net.view().get('networkInterface', id), undefined)
})

test('a device index is a whole number from 0 to 99, and free', (t) => {
  const net = new TestNetwork()
  const instanceId = runningInstance(net)
  t.is(attach(net, net.createInterface(), instanceId, -1), 'InvalidParameterValue')
  t.is(attach(net, net.createInterface(), instanceId, 100), 'InvalidParameterValue')
  t.is(attach(net, net.createInterface(), instanceId, 0), 'InvalidParameterValue', 'in use')
  t.is(attach(net, net.createInterface(), instanceId, 99), '')
})

test('an ENI that a service manages refuses whatever is asked of it', (t) => {
  const net = new TestNetwork()
  const networkInterfaceId = net.createInterface()
  const instanceId = runningInstance(net)
  net.apply([put('networkInterface', {
    ...net.interfaceOf(networkInterfaceId), requesterId: 'vpclab-nat', interfaceType: 'nat_gateway'
  })])
  const calls = [
    () => planDeleteNetworkInterface(net.view(), { networkInterfaceId }),
    () => planAttachNetworkInterface(net.view(), { networkInterfaceId, instanceId, deviceIndex: 1 },
      net.context),
    () => planResetNetworkInterfaceAttribute(net.view(), { networkInterfaceId }),
    () => planAssignAddresses(net.view(), 4,
      { networkInterfaceId, request: { ...NONE, addressCount: 1 }, allowReassignment: false })
  ]
  t.deepEqual(calls.map((call) => net.refusal(call)),
    new Array(calls.length).fill('OperationNotPermitted'))
})

test('secondary addresses come by number and by value, up to the limit of the instance type',
  (t) => {
  const net = new TestNetwork()
  const instanceId = runningInstance(net, 't3.small')
  const networkInterfaceId = net.createInterface()
  attach(net, networkInterfaceId, instanceId, 1)
  const assign = (request: Partial<AddressRequest>): string =>
    net.refusal(() => net.run(planAssignAddresses(net.view(), 4,
    { networkInterfaceId, request: { ...NONE, ...request }, allowReassignment: false })))
  t.is(assign({ addresses: ['10.0.1.50'] }), '')
  t.is(assign({ addressCount: 1, addresses: ['10.0.1.60'] }), 'InvalidParameterCombination')
  t.is(assign({}), 'MissingParameter')
  t.is(assign({ addresses: ['10.0.1.50'] }), 'Resource.AlreadyAssigned')
  t.is(assign({ addressCount: 3 }), 'PrivateIpAddressLimitExceeded',
    'a t3.small has 4 addresses per interface')
  t.is(assign({ prefixCount: 1 }), '')
  t.is(assign({ addressCount: 1 }), '', 'the prefix counts as one')
  t.is(assign({ addressCount: 1 }), 'PrivateIpAddressLimitExceeded')
})

test('an address moves to another ENI with AllowReassignment only, and never a primary one',
  (t) => {
  const net = new TestNetwork()
  const from = net.createInterface({ ipv4: { ...NONE, addresses: ['10.0.1.77'] } })
  const to = net.createInterface()
  const take = (address: string, allowReassignment: boolean): string =>
    net.refusal(() => net.run(planAssignAddresses(net.view(), 4,
    { networkInterfaceId: to, request: { ...NONE, addresses: [address] }, allowReassignment })))
  t.is(take('10.0.1.77', false), 'InvalidIPAddress.InUse')
  t.is(take(net.interfaceOf(from).privateIpAddresses[0] ?? '', true), 'InvalidIPAddress.InUse')
  t.is(take('10.0.1.77', true), '')
  t.is(net.interfaceOf(from).privateIpAddresses.length, 1)
  t.is(net.interfaceOf(to).privateIpAddresses[1], '10.0.1.77')
})

test('secondary addresses and prefixes are unassigned, the primary address is not', (t) => {
  const net = new TestNetwork()
  const networkInterfaceId = net.createInterface({ ipv4: { ...NONE, addresses: ['10.0.1.77'] } })
  const unassign = (address: string): string =>
    net.refusal(() => net.run(planUnassignAddresses(net.view(), 4,
    { networkInterfaceId, addresses: [address], prefixes: [] })))
  t.is(unassign('10.0.1.4'), 'InvalidParameterValue')
  t.is(unassign('10.0.1.78'), 'InvalidParameterValue')
  t.is(unassign('10.0.1.77'), '')
  t.is(unassign('10.0.1.77'), 'InvalidParameterValue')
})

test('ModifyNetworkInterfaceAttribute changes exactly one attribute', (t) => {
  const net = new TestNetwork()
  const networkInterfaceId = net.createInterface()
  const nothing: ModifyInput = {
    networkInterfaceId, description: undefined, sourceDestCheck: undefined, groupIds: undefined,
    attachment: undefined, connectionTracking: undefined
  }
  const modify = (changes: Partial<ModifyInput>): string =>
    net.refusal(() => net.run(planModifyNetworkInterfaceAttribute(net.view(),
      { ...nothing, ...changes })))
  t.is(modify({}), 'MissingParameter')
  t.is(modify({ description: 'a', sourceDestCheck: false }), 'InvalidParameterCombination')
  t.is(modify({ groupIds: [] }), 'InvalidParameterValue')
  t.is(modify({ groupIds: ['sg-0aaaaaaaaaaaaaaaa'] }), 'InvalidGroup.NotFound')
  t.is(modify({ attachment: { attachmentId: 'eni-attach-0aaaaaaaaaaaaaaaa',
    deleteOnTermination: true } }), 'InvalidAttachmentID.NotFound')
  t.is(modify({ sourceDestCheck: false }), '')
  t.false(net.interfaceOf(networkInterfaceId).sourceDestCheck)
  net.run(planResetNetworkInterfaceAttribute(net.view(), { networkInterfaceId }))
  t.true(net.interfaceOf(networkInterfaceId).sourceDestCheck)
})
