/** NAT gateways: what they are made of, why they fail, and what they leave. */
import test from 'ava'
import { planDisassociateAddress } from './address_association.ts'
import { planDeleteNatGateway, NAT_GATEWAY_LINGER_MS } from './nat_gateway.ts'
import {
  planAssignPrivateNatGatewayAddress, planAssociateNatGatewayAddress,
  planDisassociateNatGatewayAddress, planNatGatewayTimers, planUnassignPrivateNatGatewayAddress
} from './nat_gateway_address.ts'
import { planDeleteNetworkInterface } from './network_interface.ts'
import { publicAddressesOf } from './public_address.ts'
import { planCreateRoute } from './route.ts'
import { planCreateRouteTable, routeState } from './route_table.ts'
import { planDeleteSubnet } from './subnet.ts'
import { PublicNetwork } from './test_public_network.ts'

class Net extends PublicNetwork {
  delete (natGatewayId: string): string {
    return this.refusal(() =>
      this.run(planDeleteNatGateway(this.view(), { natGatewayId }, this.context)))
  }

  addEips (natGatewayId: string, ...allocationIds: string[]): string {
    return this.refusal(() => this.run(planAssociateNatGatewayAddress(this.view(),
      { natGatewayId, allocationIds, privateIpAddresses: [] }, this.context)))
  }

  assign (natGatewayId: string, count: number | undefined,
    privateIpAddresses: string[] = []): string {
    return this.refusal(() => this.run(planAssignPrivateNatGatewayAddress(this.view(),
      { natGatewayId, privateIpAddresses, count })))
  }

  pass (ms: number): void {
    this.nowMs += ms
    this.run(planNatGatewayTimers(this.snapshot, this.context))
  }
}

test('a public gateway has a managed ENI and its Elastic IP', (t) => {
  const net = new Net()
  const eip = net.allocate()
  const nat = net.nat(net.createNat({ allocationId: eip }))
  t.is(nat.state, 'available')
  const eni = net.interfaceOf(nat.networkInterfaceId ?? '')
  t.like(eni, { interfaceType: 'nat_gateway', groupIds: [], sourceDestCheck: false })
  t.deepEqual(nat.addresses.map(({ privateIp, publicIp, isPrimary, status }) =>
    [privateIp, publicIp, isPrimary, status]),
  [[eni.privateIpAddresses[0], net.address(eip).publicIp, true, 'succeeded']])
  t.deepEqual(publicAddressesOf(net.snapshot, net.vpcId).map(({ networkInterfaceId }) =>
    networkInterfaceId), [eni.id])
  t.is(net.refusal(() => planDeleteNetworkInterface(net.view(), { networkInterfaceId: eni.id })),
    'OperationNotPermitted')
  t.is(net.refusal(() => planDisassociateAddress(net.view(),
    { associationId: net.address(eip).associationId ?? '', publicIp: undefined })), 'AuthFailure')
  t.is(net.giveAddress(eip, net.createInterface()), 'AuthFailure')
  t.is(net.detach(), 'DependencyViolation')
  t.is(net.refusal(() => planDeleteSubnet(net.view(), net.subnetId)), 'DependencyViolation')
})

test('what is wrong with the request is refused', (t) => {
  const net = new Net()
  const eip = net.allocate()
  const refusals = [
    ['MissingParameter', {}],
    ['InvalidParameterValue', { connectivityType: 'secret' }],
    ['InvalidParameterCombination', { connectivityType: 'private', allocationId: eip }],
    ['InvalidAllocationID.NotFound', { allocationId: 'eipalloc-0aaaaaaaaaaaaaaaa' }],
    ['InvalidSubnetID.NotFound', { allocationId: eip, subnetId: 'subnet-0aaaaaaaaaaaaaaaa' }],
    ['InvalidParameterValue', { allocationId: eip, secondaryAllocationIds: [eip] }],
    ['InvalidParameterCombination', { allocationId: eip, secondaryPrivateIpAddressCount: 2 }],
    ['InvalidParameterValue', { connectivityType: 'private', secondaryPrivateIpAddressCount: 0 }],
    ['PrivateIpAddressLimitExceeded',
      { connectivityType: 'private', secondaryPrivateIpAddressCount: 8 }],
    ['AddressLimitExceeded',
      { allocationId: eip, secondaryAllocationIds: [net.allocate(), net.allocate()] }]
  ] as const
  for (const [code, changes] of refusals) {
    t.is(net.refusal(() => net.createNat(changes)), code, JSON.stringify(changes))
  }
  t.is(net.view().list('natGateway').length, 0)
})

test('what is wrong with the place makes a gateway that failed', (t) => {
  const net = new Net()
  const used = net.allocate()
  net.giveAddress(used, net.createInterface())
  const inUse = net.nat(net.createNat({ allocationId: used }))
  t.like(inUse, { state: 'failed', failureCode: 'Resource.AlreadyAssociated',
    networkInterfaceId: null })
  net.disassociate(used)
  net.detach()
  t.is(net.nat(net.createNat({ allocationId: used })).failureCode, 'Gateway.NotAttached')
  t.is(net.address(used).associationId, null)
  for (let n = 0; n < 11; n++) net.createInterface({ subnetId: net.otherSubnetId })
  t.is(net.nat(net.createNat({ connectivityType: 'private', subnetId: net.otherSubnetId }))
    .failureCode, 'InsufficientFreeAddressesInSubnet')
})

test('the sixth gateway of a zone is refused, failed and deleted ones do not count', (t) => {
  const net = new Net()
  const create = (): string => net.createNat({ connectivityType: 'private' })
  const [first = ''] = Array.from({ length: 5 }, create)
  t.is(net.refusal(create), 'NatGatewayLimitExceeded')
  t.is(net.refusal(() => net.createNat({ connectivityType: 'private',
    subnetId: net.otherSubnetId })), '')
  t.is(net.delete(first), '')
  t.is(net.refusal(create), '')
})

test('of IPv6, what NAT64 reaches can be routed to a NAT gateway, and nothing else', (t) => {
  const net = new Net()
  const natGatewayId = net.createNat({ allocationId: net.allocate() })
  const routeTableId =
    net.run(planCreateRouteTable(net.view(), { vpcId: net.vpcId, tags: {} }, net.context))
  const route = (ipv6: string): string => net.refusal(() => net.run(
    planCreateRoute(net.view(), { routeTableId, target: { NatGatewayId: natGatewayId },
      destination: { ipv4: undefined, ipv6, prefixListId: undefined } })))
  t.is(route('64:ff9b::/96'), '')
  t.is(route('64:ff9b::c633:6400/120'), '')
  for (const ipv6 of ['::/0', '64:ff9b::/64', '64:ff9b:1::/48', '2001:db8::/32']) {
    t.is(route(ipv6), 'InvalidParameterValue', ipv6)
  }
})

test('a deleted gateway keeps its Elastic IP for the account and leaves blackholes', (t) => {
  const net = new Net()
  const eip = net.allocate()
  const id = net.createNat({ allocationId: eip })
  const routeTableId =
    net.run(planCreateRouteTable(net.view(), { vpcId: net.vpcId, tags: {} }, net.context))
  const route = (natGatewayId: string): string => net.refusal(() => net.run(
    planCreateRoute(net.view(), { routeTableId, target: { NatGatewayId: natGatewayId },
      destination: { ipv4: '0.0.0.0/0', ipv6: undefined, prefixListId: undefined } })))
  t.is(route('nat-0aaaaaaaaaaaaaaaa'), 'InvalidNatGatewayID.NotFound')
  t.is(route(id), '')
  const state = (): string => routeState(net.snapshot, net.vpcId,
    { target: { kind: 'nat-gateway', natGatewayId: id } })
  t.is(state(), 'active')
  const eniId = net.nat(id).networkInterfaceId ?? ''
  t.is(net.delete(id), '')
  t.is(state(), 'blackhole')
  t.is(net.view().get('networkInterface', eniId), undefined)
  t.is(net.address(eip).associationId, null)
  t.is(net.delete(id), 'NatGatewayNotFound')
  net.pass(NAT_GATEWAY_LINGER_MS - 1)
  t.is(net.nat(id).state, 'deleted', 'it is described for an hour')
  net.pass(1)
  t.is(net.view().get('natGateway', id), undefined)
})

test('a secondary Elastic IP joins at once and leaves when it is drained', (t) => {
  const net = new Net()
  const [first, second, third] = [net.allocate(), net.allocate(), net.allocate()]
  const id = net.createNat({ allocationId: first })
  t.is(net.addEips(id, first), 'Resource.AlreadyAssociated')
  t.is(net.addEips(id, second), '')
  t.is(net.addEips(id, third), 'AddressLimitExceeded')
  const leave = (eip: string, maxDrainDurationS?: number): string => net.refusal(() => net.run(
    planDisassociateNatGatewayAddress(net.view(), { natGatewayId: id,
      names: [net.address(eip).associationId ?? ''], maxDrainDurationS }, net.context)))
  t.is(leave(first), 'InvalidParameterValue', 'the primary one stays')
  t.is(leave(third), 'InvalidAssociationID.NotFound')
  t.is(leave(second, 4001), 'InvalidParameterValue')
  t.is(leave(second), '')
  t.is(net.nat(id).addresses[1]?.status, 'disassociating')
  net.pass(349_999)
  t.is(net.nat(id).addresses.length, 2)
  net.pass(1)
  t.is(net.nat(id).addresses.length, 1)
  t.is(net.address(second).associationId, null)
  t.is(net.interfaceOf(net.nat(id).networkInterfaceId ?? '').privateIpAddresses.length, 1)
})

test('a private gateway has up to eight addresses', (t) => {
  const net = new Net()
  const id = net.createNat({ connectivityType: 'private', secondaryPrivateIpAddressCount: 2 })
  t.is(net.nat(id).addresses.length, 3)
  t.is(net.assign(id, undefined, ['10.0.1.77']), '')
  t.is(net.assign(id, undefined, ['10.0.1.77']), 'InvalidIPAddress.InUse')
  t.is(net.assign(id, 5), 'PrivateIpAddressLimitExceeded')
  t.is(net.assign(id, 4), '')
  t.is(net.addEips(id, net.allocate()), 'InvalidParameterCombination')
  const unassign = (name: string): string => net.refusal(() => net.run(
    planUnassignPrivateNatGatewayAddress(net.view(),
      { natGatewayId: id, names: [name], maxDrainDurationS: 1 }, net.context)))
  t.is(unassign('10.0.1.200'), 'InvalidParameterValue')
  t.is(unassign('10.0.1.77'), '')
  net.pass(1000)
  t.is(net.nat(id).addresses.length, 7)
  t.is(net.delete(id), '')
  t.is(net.assign(id, 1), 'IncorrectState')
})
