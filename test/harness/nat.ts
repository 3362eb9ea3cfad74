/** What tests and benches of NAT gateways do again and again. */
import * as ec2 from '@aws-sdk/client-ec2'
import { eventually } from './command.ts'
import type { Lab, TestSubnet } from './lab.ts'

export interface PublicNat {
  readonly id: string
  readonly eni: string
  readonly publicIp: string
}

export interface Nat extends PublicNat {
  /** The table of the private subnet. */
  readonly routeTableId: string
}

/**
 * A public NAT gateway, to which a table of the private subnet's own leads. Precondition: the
 * public subnet has a route to an internet gateway.
 */
export async function natGateway (
  lab: Lab, publicSubnet: TestSubnet, privateSubnet: TestSubnet
): Promise<Nat> {
  const nat = await publicNatGateway(lab, publicSubnet)
  return { ...nat, routeTableId: await routeThrough(lab, nat, privateSubnet) }
}

/** A public NAT gateway, to which nothing leads yet. Precondition: as above. */
export async function publicNatGateway (lab: Lab, publicSubnet: TestSubnet): Promise<PublicNat> {
  const { AllocationId } = await lab.ec2.send(new ec2.AllocateAddressCommand({ Domain: 'vpc' }))
  const { NatGateway } = await lab.ec2.send(new ec2.CreateNatGatewayCommand(
    { SubnetId: publicSubnet.id, AllocationId }))
  const id = NatGateway?.NatGatewayId ?? ''
  await eventually('the NAT gateway is available', async () =>
    (await describe(lab, id))?.State === 'available')
  const address = (await describe(lab, id))?.NatGatewayAddresses?.[0]
  return { id, eni: address?.NetworkInterfaceId ?? '', publicIp: address?.PublicIp ?? '' }
}

/** A table of the subnet's own, with a route to the NAT gateway. @returns its id */
export async function routeThrough (
  lab: Lab, { id }: PublicNat, privateSubnet: TestSubnet
): Promise<string> {
  const { RouteTable } = await lab.ec2.send(
    new ec2.CreateRouteTableCommand({ VpcId: privateSubnet.vpc.id }))
  const RouteTableId = RouteTable?.RouteTableId ?? ''
  await lab.ec2.send(new ec2.AssociateRouteTableCommand(
    { RouteTableId, SubnetId: privateSubnet.id }))
  await lab.ec2.send(new ec2.CreateRouteCommand(
    { RouteTableId, DestinationCidrBlock: '0.0.0.0/0', NatGatewayId: id }))
  await lab.waitApplied()
  return RouteTableId
}

async function describe (lab: Lab, id: string): Promise<ec2.NatGateway | undefined> {
  const { NatGateways = [] } = await lab.ec2.send(
    new ec2.DescribeNatGatewaysCommand({ NatGatewayIds: [id] }))
  return NatGateways[0]
}
