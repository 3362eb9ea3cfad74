/** Elastic IPs, auto-assigned public addresses, transfers: who has which, and when it goes. */
import test from 'ava'
import { planReleaseAddress } from './address.ts'
import { planDisassociateAddress } from './address_association.ts'
import {
  planAcceptAddressTransfer, planDisableAddressTransfer, planEnableAddressTransfer,
  planModifyAddressAttribute, planResetAddressAttribute
} from './address_transfer.ts'
import { planStartInstances, planStopInstances, planTerminateInstances } from './instance.ts'
import { planInstanceReached } from './instance_agent.ts'
import type { ReachedState } from './instance_agent.ts'
import { planDeleteNetworkInterface } from './network_interface.ts'
import type { NetworkInterface } from './network_interface.ts'
import { planAssignAddresses, planUnassignAddresses } from './network_interface_address.ts'
import { planAttachNetworkInterface } from './network_interface_attachment.ts'
import { publicAddressesOf } from './public_address.ts'
import { planModifySubnetAttribute } from './subnet.ts'
import { PublicNetwork } from './test_public_network.ts'
import { TEST_ACCOUNT } from './test_world.ts'

const OTHER_ACCOUNT = '222222222222'

class Net extends PublicNetwork {
  release (allocationId: string, networkBorderGroup?: string): string {
    return this.refusal(() => this.run(planReleaseAddress(this.view(),
      { allocationId, publicIp: undefined, networkBorderGroup })))
  }

  reach (instanceId: string, reached: ReachedState): void {
    const host = this.snapshot.tables.instance.get(instanceId)?.hostName ?? ''
    this.run(planInstanceReached(this.snapshot, host, instanceId, reached, this.context))
  }

  primary (instanceId: string): NetworkInterface {
    const [record] = this.view().by('networkInterface', 'vpcId', this.vpcId)
      .filter(({ attachment }) => attachment?.instanceId === instanceId)
    if (record === undefined) throw new Error(`${instanceId} has no ENI`)
    return record
  }

  /** A running instance with a public address. */
  launchPublic (): string {
    const [id = ''] = this.launch({}, { associatePublicIp: true })
    this.reach(id, 'running')
    return id
  }

  stop (instanceId: string): void {
    this.run(planStopInstances(this.view(), { instanceIds: [instanceId] }, this.context))
    this.reach(instanceId, 'stopped')
  }

  start (instanceId: string): void {
    this.run(planStartInstances(this.view(), { instanceIds: [instanceId] }, this.context))
    this.reach(instanceId, 'running')
  }
}

test('addresses are chosen in turn, and one can be asked for', (t) => {
  const net = new Net()
  const first = net.allocate()
  t.is(net.address(first).publicIp, '203.0.113.1')
  t.is(net.release(first), '')
  t.is(net.address(net.allocate()).publicIp, '203.0.113.2', 'not the one that just came back')
  t.is(net.address(net.allocate('203.0.113.1')).publicIp, '203.0.113.1', 'recovered')
  t.is(net.refusal(() => net.allocate('203.0.113.1')), 'InvalidAddress.NotFound')
  t.is(net.refusal(() => net.allocate('203.0.113.255')), 'InvalidAddress.NotFound')
  t.is(net.refusal(() => net.allocate('198.51.100.7')), 'InvalidAddress.NotFound')
  t.is(net.refusal(() => net.allocate('public')), 'InvalidAddress.Malformed')
})

test('the sixth address is refused, and the last one of the pool is given out once', (t) => {
  const net = new Net()
  for (let n = 0; n < 5; n++) net.allocate()
  t.is(net.refusal(() => net.allocate()), 'AddressLimitExceeded')
  net.setQuota('elastic-ips-per-region', 300)
  const all = new Set<string>()
  for (let n = 5; n < 254; n++) all.add(net.address(net.allocate()).publicIp)
  t.is(all.size, 249)
  t.is(net.refusal(() => net.allocate()), 'InsufficientAddressCapacity')
})

test('an address that is in use is not released', (t) => {
  const net = new Net()
  const eip = net.allocate()
  net.giveAddress(eip, net.createInterface())
  t.is(net.release(eip), 'InvalidIPAddress.InUse')
  net.disassociate(eip)
  t.is(net.release(eip, 'eu-west-1'), 'InvalidParameterCombination')
  t.is(net.release(eip, 'us-east-1'), '')
  t.is(net.release(eip), 'InvalidAllocationID.NotFound')
})

test('an association wants an internet gateway, an ENI and one of its addresses', (t) => {
  const net = new Net()
  const [eip, eni] = [net.allocate(), net.createInterface()]
  t.is(net.giveAddress(eip, eni, { privateIpAddress: '10.0.1.99' }), 'InvalidParameterValue')
  t.is(net.giveAddress(eip, undefined), 'MissingParameter')
  t.is(net.giveAddress(eip, eni, { instanceId: 'i-0aaaaaaaaaaaaaaaa' }),
    'InvalidParameterCombination')
  t.is(net.giveAddress(eip, eni, { publicIp: '203.0.113.1' }), 'InvalidParameterCombination')
  t.is(net.giveAddress('eipalloc-0aaaaaaaaaaaaaaaa', eni), 'InvalidAllocationID.NotFound')
  net.detach()
  t.is(net.giveAddress(eip, eni), 'Gateway.NotAttached')
})

test('an instance stands for its only ENI, once it is up', (t) => {
  const net = new Net()
  const eip = net.allocate()
  const [instanceId = ''] = net.launch()
  t.is(net.giveAddress(eip, undefined, { instanceId }), 'InvalidInstanceID')
  net.reach(instanceId, 'running')
  t.is(net.giveAddress(eip, undefined, { instanceId }), '')
  t.is(net.address(eip).networkInterfaceId, net.primary(instanceId).id)
  net.run(planAttachNetworkInterface(net.view(),
    { networkInterfaceId: net.createInterface(), instanceId, deviceIndex: 1 }, net.context))
  t.is(net.giveAddress(eip, undefined, { instanceId }), 'InvalidInstanceID')
})

test('a move takes the address from the one and gives it to the other', (t) => {
  const net = new Net()
  const [eip, a, b] = [net.allocate(), net.createInterface(), net.createInterface()]
  t.is(net.giveAddress(eip, a), '')
  const { associationId } = net.address(eip)
  t.is(net.giveAddress(eip, a), '')
  t.is(net.address(eip).associationId, associationId, 'the same again changes nothing')
  t.is(net.giveAddress(eip, b, { allowReassociation: false }), 'Resource.AlreadyAssociated')
  t.is(net.giveAddress(eip, b), '')
  t.deepEqual(publicAddressesOf(net.snapshot, net.vpcId).map(({ networkInterfaceId }) =>
    networkInterfaceId), [b])
  const second = net.allocate()
  t.is(net.giveAddress(second, b, { allowReassociation: false }), 'Resource.AlreadyAssociated')
  t.is(net.giveAddress(second, b), '')
  t.is(net.address(eip).associationId, null, 'one Elastic IP per private address')
})

test('an Elastic IP goes where its private address goes', (t) => {
  const net = new Net()
  const [eip, a, b] = [net.allocate(), net.createInterface(), net.createInterface()]
  const request = { addresses: ['10.0.1.50'], addressCount: 0, prefixes: [], prefixCount: 0 }
  net.run(planAssignAddresses(net.view(), 4,
    { networkInterfaceId: a, request, allowReassignment: false }))
  t.is(net.giveAddress(eip, a, { privateIpAddress: '10.0.1.50' }), '')
  net.run(planAssignAddresses(net.view(), 4,
    { networkInterfaceId: b, request, allowReassignment: true }))
  t.is(net.address(eip).networkInterfaceId, b)
  net.run(planUnassignAddresses(net.view(), 4,
    { networkInterfaceId: b, addresses: ['10.0.1.50'], prefixes: [] }))
  t.is(net.address(eip).associationId, null)
  t.is(net.giveAddress(eip, b), '')
  net.run(planDeleteNetworkInterface(net.view(), { networkInterfaceId: b }))
  t.is(net.address(eip).networkInterfaceId, null)
})

test('another account\'s address is not to be had', (t) => {
  const net = new Net()
  const theirs = net.snapshot.tables.address.get(net.allocate(undefined, OTHER_ACCOUNT))
  const { id = '', publicIp = '' } = theirs ?? {}
  t.is(net.release(id), 'InvalidAllocationID.NotFound')
  const disassociate = (address: string): string => net.refusal(() =>
    planDisassociateAddress(net.view(), { associationId: undefined, publicIp: address }))
  t.is(disassociate(publicIp), 'AuthFailure')
  t.is(disassociate('203.0.113.77'), 'InvalidAddress.NotFound')
  t.is(net.refusal(() => planDisassociateAddress(net.view(),
    { associationId: 'eipassoc-0aaaaaaaaaaaaaaaa', publicIp: undefined })),
  'InvalidAssociationID.NotFound')
})

test('an auto-assigned address lives with the running instance', (t) => {
  const net = new Net()
  const id = net.launchPublic()
  const first = net.primary(id).autoPublicIp
  t.regex(first ?? '', /^203\.0\.113\.\d+$/)
  t.is(net.detach(), 'DependencyViolation', 'it is a mapped address')
  net.stop(id)
  t.is(net.primary(id).autoPublicIp, null)
  net.start(id)
  const second = net.primary(id).autoPublicIp
  t.true(second !== null && second !== first)
  net.run(planTerminateInstances(net.view(), { instanceIds: [id] }, net.context))
  net.reach(id, 'terminated')
  t.deepEqual(publicAddressesOf(net.snapshot, net.vpcId), [])
})

test('an Elastic IP replaces the auto-assigned address for good', (t) => {
  const net = new Net()
  const id = net.launchPublic()
  const eip = net.allocate()
  t.is(net.giveAddress(eip, net.primary(id).id), '')
  t.deepEqual(publicAddressesOf(net.snapshot, net.vpcId).map(({ allocationId }) => allocationId),
    [eip])
  net.stop(id)
  net.start(id)
  t.is(net.primary(id).autoPublicIp, null, 'a start gives none beside an Elastic IP')
  net.disassociate(eip)
  t.deepEqual(publicAddressesOf(net.snapshot, net.vpcId), [])
})

test('the subnet gives public addresses unless the launch says otherwise', (t) => {
  const net = new Net()
  const [plain = ''] = net.launch()
  net.run(planModifySubnetAttribute(net.view(), net.subnetId, { mapPublicIpOnLaunch: true }))
  const [mapped = ''] = net.launch()
  const [declined = ''] = net.launch({}, { associatePublicIp: false })
  t.deepEqual([plain, mapped, declined].map((id) => net.primary(id).autoPublicIp !== null),
    [false, true, false])
})

test('a public address at launch is for one new ENI', (t) => {
  const net = new Net()
  const networkInterfaceId = net.createInterface()
  t.is(net.refusal(() => net.launch({}, { associatePublicIp: true, networkInterfaceId,
    subnetId: null })), 'InvalidParameterCombination')
})

test('a transfer is offered, and accepted by that account while the address is free', (t) => {
  const net = new Net()
  const eip = net.allocate()
  const { publicIp } = net.address(eip)
  const offer = (accountId: string): string => net.refusal(() => net.run(
    planEnableAddressTransfer(net.view(), { allocationId: eip, accountId }, net.context)))
  const accept = (accountId: string): string => net.refusal(() => net.run(
    planAcceptAddressTransfer(net.view(accountId), { publicIp, tags: {} }, net.context)))
  t.is(accept(OTHER_ACCOUNT), 'InvalidTransfer.NotFound')
  t.is(offer('12'), 'InvalidParameterValue')
  t.is(offer(TEST_ACCOUNT), 'InvalidParameterValue')
  t.is(offer(OTHER_ACCOUNT), '')
  t.is(accept('333333333333'), 'InvalidTransfer.NotFound')
  net.giveAddress(eip, net.createInterface())
  t.is(accept(OTHER_ACCOUNT), 'InvalidTransfer.AddressAssociated')
  net.disassociate(eip)
  net.run(planModifyAddressAttribute(net.view(), { allocationId: eip, domainName: 'a.example' }))
  t.is(accept(OTHER_ACCOUNT), 'InvalidTransfer.AddressCustomPtrSet')
  net.run(planResetAddressAttribute(net.view(), { allocationId: eip }))
  t.is(accept(OTHER_ACCOUNT), '')
  t.deepEqual(net.view(OTHER_ACCOUNT).list('address').map((one) => one.publicIp), [publicIp])
  t.is(net.release(eip), 'InvalidAllocationID.NotFound')
})

test('an offer ends when it is withdrawn or seven days old', (t) => {
  const net = new Net()
  const eip = net.allocate()
  const { publicIp } = net.address(eip)
  const offer = (): void => {
    net.run(planEnableAddressTransfer(net.view(),
      { allocationId: eip, accountId: OTHER_ACCOUNT }, net.context))
  }
  const accept = (): string => net.refusal(() =>
    planAcceptAddressTransfer(net.view(OTHER_ACCOUNT), { publicIp, tags: {} }, net.context))
  const withdraw = (): string => net.refusal(() => net.run(
    planDisableAddressTransfer(net.view(), { allocationId: eip }, net.context)))
  t.is(withdraw(), 'InvalidTransfer.NotFound')
  offer()
  t.is(withdraw(), '')
  t.is(accept(), 'InvalidTransfer.NotFound')
  offer()
  net.nowMs += 7 * 24 * 3_600_000
  t.is(accept(), 'InvalidTransfer.NotFound')
})

test('an address with a host name is locked', (t) => {
  const net = new Net()
  const eip = net.allocate()
  const name = (domainName: string): string => net.refusal(() => net.run(
    planModifyAddressAttribute(net.view(), { allocationId: eip, domainName })))
  t.is(name('not a name'), 'InvalidParameterValue')
  t.is(name('mail.example.com'), '')
  t.is(net.address(eip).domainName, 'mail.example.com.')
  t.is(net.release(eip), 'InvalidAddress.Locked')
  net.run(planResetAddressAttribute(net.view(), { allocationId: eip }))
  t.is(net.release(eip), '')
})
