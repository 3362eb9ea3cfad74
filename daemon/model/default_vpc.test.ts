/** The VPC that an account starts with. */
import test from 'ava'
import { defaultVpcOf, planCreateDefaultSubnet, planCreateDefaultVpc } from './default_vpc.ts'
import { planDeleteSubnet } from './subnet.ts'
import { PublicNetwork } from './test_public_network.ts'

class Net extends PublicNetwork {
  createDefault (): string { return this.run(planCreateDefaultVpc(this.view(), this.context)) }

  createDefaultSubnet (zoneId?: string): string {
    return this.refusal(() => this.run(planCreateDefaultSubnet(this.view(),
      { availabilityZone: undefined, availabilityZoneId: zoneId }, this.context)))
  }
}

test('a default VPC has a /20 per zone, an open door and public instances', (t) => {
  const net = new Net()
  const id = net.createDefault()
  t.like(defaultVpcOf(net.view()),
    { id, isDefault: true, enableDnsSupport: true, enableDnsHostnames: true })
  const subnets = net.view().by('subnet', 'vpcId', id)
  t.deepEqual(subnets.map(({ cidrBlock }) => cidrBlock), ['172.31.0.0/20', '172.31.16.0/20'])
  t.deepEqual(subnets.map(({ zoneId }) => zoneId).toSorted(), ['use1-az1', 'use1-az2'])
  t.true(subnets.every(({ isDefault, mapPublicIpOnLaunch }) => isDefault && mapPublicIpOnLaunch))
  const [table] = net.view().by('routeTable', 'vpcId', id)
  const [gateway] = net.view().by('internetGateway', 'vpcId', id)
  t.like(table?.routes.at(-1), { destination: '0.0.0.0/0',
    target: { kind: 'internet-gateway', gatewayId: gateway?.id ?? '' } })
})

test('there is one, and a default subnet per zone', (t) => {
  const net = new Net()
  t.is(net.createDefaultSubnet('use1-az1'), 'DefaultVpcDoesNotExist')
  const id = net.createDefault()
  t.is(net.refusal(() => net.createDefault()), 'DefaultVpcAlreadyExists')
  t.is(net.createDefaultSubnet('use1-az1'), 'DefaultSubnetAlreadyExistsInAvailabilityZone')
  t.is(net.createDefaultSubnet(), 'MissingParameter')
  t.is(net.createDefaultSubnet('use1-az9'), 'InvalidParameterValue')
  const [first] = net.view().by('subnet', 'vpcId', id)
  net.run(planDeleteSubnet(net.view(), first?.id ?? ''))
  t.is(net.createDefaultSubnet(first?.zoneId), '')
  t.deepEqual(net.view().by('subnet', 'vpcId', id).map(({ cidrBlock }) => cidrBlock),
    ['172.31.16.0/20', '172.31.0.0/20'])
})

test('a launch without a subnet stands in the default VPC and has a public address', (t) => {
  const net = new Net()
  t.is(net.refusal(() => net.launch({}, { subnetId: null })), 'VPCIdNotSpecified')
  const id = net.createDefault()
  const [instanceId = ''] = net.launch({}, { subnetId: null })
  const [eni] = net.view().by('networkInterface', 'vpcId', id)
  t.is(eni?.attachment?.instanceId, instanceId)
  t.not(eni?.autoPublicIp, null)
})
