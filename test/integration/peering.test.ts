/**
 * Peered VPCs with real packets: who reaches whom, and what a peering never gives.
 *
 *     B 10.2.0.0/16 ──pcx── A 10.1.0.0/16 ──pcx── C 10.3.0.0/16
 *     b on host-2           a on host-1           c on host-1
 */
import test from 'ava'
import * as ec2 from '@aws-sdk/client-ec2'
import type { Instance } from '../harness/instance.ts'
import { elasticIp, internetGateway, OUTSIDE } from '../harness/internet.ts'
import type { Lab, TestVpc } from '../harness/lab.ts'
import { eventually } from '../harness/command.ts'
import { natGateway } from '../harness/nat.ts'
import { withLab } from '../harness/with_lab.ts'

interface Side {
  readonly vpc: TestVpc
  readonly instance: Instance
  readonly subnet: string
  /** The VPC's only security group and main route table. */
  readonly group: string
  readonly table: string
}

/** An EC2 client of the lab for another Region. */
function clientOf (lab: Lab, region: string): ec2.EC2Client {
  return new ec2.EC2Client({
    endpoint: lab.ec2.config.endpoint!, region, credentials: lab.ec2.config.credentials
  })
}

async function build (lab: Lab, cidr: string, host: string,
  client = lab.ec2, zone = 'use1-az1'): Promise<Side> {
  const { Vpc: made } = await client.send(new ec2.CreateVpcCommand({ CidrBlock: cidr }))
  const vpc = { id: made?.VpcId ?? '', cidr, ipv6Cidr: '' }
  const { Subnet } = await client.send(new ec2.CreateSubnetCommand({
    VpcId: vpc.id, CidrBlock: cidr.replace('.0.0/16', '.1.0/24'), AvailabilityZoneId: zone
  }))
  const Filters = [{ Name: 'vpc-id', Values: [vpc.id] }]
  const { SecurityGroups } = await client.send(new ec2.DescribeSecurityGroupsCommand({ Filters }))
  const { RouteTables } = await client.send(new ec2.DescribeRouteTablesCommand({ Filters }))
  const subnet = { id: Subnet?.SubnetId ?? '', vpc, cidr, ipv6Cidr: '' }
  return {
    vpc,
    subnet: subnet.id,
    instance: await lab.instance(subnet, {
      host, address: cidr.replace('.0.0/16', '.1.10'), client
    }),
    group: SecurityGroups?.[0]?.GroupId ?? '',
    table: RouteTables?.[0]?.RouteTableId ?? ''
  }
}

async function peer (lab: Lab, one: Side, other: Side): Promise<string> {
  const { VpcPeeringConnection: made } = await lab.ec2.send(
    new ec2.CreateVpcPeeringConnectionCommand({ VpcId: one.vpc.id, PeerVpcId: other.vpc.id }))
  const id = made?.VpcPeeringConnectionId ?? ''
  await lab.ec2.send(new ec2.AcceptVpcPeeringConnectionCommand({ VpcPeeringConnectionId: id }))
  return id
}

async function route (side: Side, destination: string, peering: string,
  client: ec2.EC2Client): Promise<void> {
  await client.send(new ec2.CreateRouteCommand({
    RouteTableId: side.table, DestinationCidrBlock: destination, VpcPeeringConnectionId: peering
  }))
}

async function allow (side: Side, permission: ec2.IpPermission,
  client: ec2.EC2Client): Promise<void> {
  await client.send(new ec2.AuthorizeSecurityGroupIngressCommand(
    { GroupId: side.group, IpPermissions: [permission] }))
}

const PING: ec2.IpPermission =
  { IpProtocol: 'icmp', FromPort: -1, ToPort: -1, IpRanges: [{ CidrIp: '10.0.0.0/8' }] }

test.serial('A reaches B and C, B does not reach C nor the internet through A, until it is deleted',
  withLab({}, async (t, lab) => {
    const a = await build(lab, '10.1.0.0/16', 'host-1')
    const b = await build(lab, '10.2.0.0/16', 'host-2')
    const c = await build(lab, '10.3.0.0/16', 'host-1')
    const [ab, ac] = [await peer(lab, a, b), await peer(lab, c, a)]
    await route(a, b.vpc.cidr, ab, lab.ec2)
    await route(a, c.vpc.cidr, ac, lab.ec2)
    await route(b, a.vpc.cidr, ab, lab.ec2)
    await route(b, c.vpc.cidr, ab, lab.ec2)
    await route(b, '0.0.0.0/0', ab, lab.ec2)
    await route(c, a.vpc.cidr, ac, lab.ec2)
    for (const side of [a, b, c]) await allow(side, PING, lab.ec2)
    await lab.waitApplied()

    t.is((await a.instance.ping(b.instance.ipv4)).received, 5)
    t.is((await b.instance.ping(a.instance.ipv4)).received, 5)
    t.is((await a.instance.ping(c.instance.ipv4)).received, 5)
    t.is((await c.instance.ping(a.instance.ipv4)).received, 5)
    t.is((await a.instance.ping(b.instance.ipv4, 3, '-M', 'do', '-s', '8973')).received, 3)
    t.is((await b.instance.ping(c.instance.ipv4)).received, 0, 'a third VPC')
    await lab.waitDrops(b.instance.eni, 'peer-transit', 5)
    t.not((await b.instance.try('curl', '-s', '-m', '1', 'http://198.51.100.10/')).code, 0)
    await eventually('the drop of what was for the internet', async () =>
      await lab.drops(b.instance.eni, 'peer-transit') > 5)

    await lab.ec2.send(
      new ec2.DeleteVpcPeeringConnectionCommand({ VpcPeeringConnectionId: ab }))
    await lab.waitApplied()
    t.is((await a.instance.ping(b.instance.ipv4)).received, 0)
    await lab.waitDrops(a.instance.eni, 'blackhole', 5)
    t.is((await a.instance.ping(c.instance.ipv4)).received, 5, 'the other peering goes on')
  }))

test.serial('a peer lends neither its internet gateway nor its NAT gateway',
  withLab({ edges: 3 }, async (t, lab) => {
    const a = await build(lab, '10.1.0.0/16', 'host-1')
    const b = await build(lab, '10.2.0.0/16', 'host-2')
    await internetGateway(lab, b.vpc)
    const publicIp = await elasticIp(lab, b.instance)
    const inside = await lab.subnet(b.vpc, '10.2.2.0/24')
    const nat = await natGateway(lab, { ...inside, id: b.subnet }, inside)
    const behindNat = await lab.instance(inside, { host: 'host-2' })
    const pcx = await peer(lab, a, b)
    await route(a, '0.0.0.0/0', pcx, lab.ec2)
    await route(b, a.vpc.cidr, pcx, lab.ec2)
    for (const side of [a, b]) await allow(side, PING, lab.ec2)
    await lab.waitApplied()

    t.is((await b.instance.ping(OUTSIDE, 2)).received, 2, 'the peer itself: by its gateway')
    t.is((await behindNat.ping(OUTSIDE, 2)).received, 2, 'and by its NAT gateway')
    t.is((await a.instance.ping(b.instance.ipv4, 2)).received, 2, 'an address of the peer')
    for (const [index, address] of [OUTSIDE, publicIp.address, nat.publicIp].entries()) {
      t.is((await a.instance.ping(address, 2)).received, 0, address)
      await lab.waitDrops(a.instance.eni, 'peer-transit', 2 * (index + 1))
    }
  }))

test.serial('rules name groups of the peer, and are stale when the peering is gone',
  withLab({}, async (t, lab) => {
    const a = await build(lab, '10.1.0.0/16', 'host-1')
    const b = await build(lab, '10.2.0.0/16', 'host-2')
    const pcx = await peer(lab, a, b)
    await route(a, b.vpc.cidr, pcx, lab.ec2)
    await route(b, a.vpc.cidr, pcx, lab.ec2)
    await lab.waitApplied()
    t.is((await a.instance.ping(b.instance.ipv4)).received, 0)
    await lab.waitDrops(b.instance.eni, 'security-group-ingress', 5)
    await allow(b, { IpProtocol: '-1', UserIdGroupPairs: [{ GroupId: a.group }] }, lab.ec2)
    await lab.waitApplied()
    t.is((await a.instance.ping(b.instance.ipv4)).received, 5)
    const { SecurityGroupReferenceSet } = await lab.ec2.send(
      new ec2.DescribeSecurityGroupReferencesCommand({ GroupId: [a.group] }))
    t.deepEqual(SecurityGroupReferenceSet, [{ GroupId: a.group, ReferencingVpcId: b.vpc.id,
      VpcPeeringConnectionId: pcx }])
    const stale = async (): Promise<(string | undefined)[]> => (await lab.ec2.send(
      new ec2.DescribeStaleSecurityGroupsCommand({ VpcId: b.vpc.id })))
      .StaleSecurityGroupSet?.map(({ GroupId }) => GroupId) ?? []
    t.deepEqual(await stale(), [])
    await lab.ec2.send(
      new ec2.DeleteVpcPeeringConnectionCommand({ VpcPeeringConnectionId: pcx }))
    t.deepEqual(await stale(), [b.group])
  }))

test.serial('a peering across Regions carries packets of 1500 bytes',
  withLab({ hosts: 'host-1:use1-az1,host-2:euw1-az1' }, async (t, lab) => {
    const europe = clientOf(lab, 'eu-west-1')
    t.teardown(() => { europe.destroy() })
    const a = await build(lab, '10.1.0.0/16', 'host-1')
    const b = await build(lab, '10.2.0.0/16', 'host-2', europe, 'euw1-az1')
    const { VpcPeeringConnection: made } = await lab.ec2.send(
      new ec2.CreateVpcPeeringConnectionCommand(
        { VpcId: a.vpc.id, PeerVpcId: b.vpc.id, PeerRegion: 'eu-west-1' }))
    const pcx = made?.VpcPeeringConnectionId ?? ''
    const accept = new ec2.AcceptVpcPeeringConnectionCommand({ VpcPeeringConnectionId: pcx })
    await t.throwsAsync(lab.ec2.send(accept), { name: 'OperationNotPermitted' })
    await europe.send(accept)
    await route(a, b.vpc.cidr, pcx, lab.ec2)
    await route(b, a.vpc.cidr, pcx, europe)
    await allow(a, PING, lab.ec2)
    await allow(b, PING, europe)
    await lab.waitApplied()
    t.is((await a.instance.ping(b.instance.ipv4, 3, '-M', 'do', '-s', '1472')).received, 3)
    const tooBig =
      await a.instance.try('ping', '-c', '1', '-W', '1', '-M', 'do', '-s', '1473', b.instance.ipv4)
    t.regex(tooBig.stdout, /mtu ?= ?1500/i)
    t.is((await b.instance.ping(a.instance.ipv4, 3, '-M', 'dont', '-s', '4000')).received, 3)
  }))

test.serial('a public name of a peer leads to its private address where the peer allows it',
  withLab({ edges: 1 }, async (t, lab) => {
    const one = await build(lab, '10.1.0.0/16', 'host-1')
    const other = await build(lab, '10.2.0.0/16', 'host-2')
    for (const { vpc } of [one, other]) {
      await lab.ec2.send(new ec2.ModifyVpcAttributeCommand(
        { VpcId: vpc.id, EnableDnsHostnames: { Value: true } }))
    }
    await internetGateway(lab, other.vpc)
    const { address } = await elasticIp(lab, other.instance)
    const name = `ec2-${address.replaceAll('.', '-')}.compute-1.amazonaws.com`
    const asked = async (from: Instance): Promise<string> => (await from.exec(
      'dig', '+short', '+tries=1', '+time=5', '@169.254.169.253', name)).trim()
    const allow = async (id: string, isOn: boolean): Promise<void> => {
      await lab.ec2.send(new ec2.ModifyVpcPeeringConnectionOptionsCommand({
        VpcPeeringConnectionId: id,
        AccepterPeeringConnectionOptions: { AllowDnsResolutionFromRemoteVpc: isOn }
      }))
      await lab.waitApplied()
    }
    t.is(await asked(other.instance), '10.2.1.10')
    const id = await peer(lab, one, other)
    await lab.waitApplied()
    t.is(await asked(one.instance), address, 'not without the option')
    await allow(id, true)
    t.is(await asked(one.instance), '10.2.1.10')
    await allow(id, false)
    t.is(await asked(one.instance), address)
    await allow(id, true)
    await lab.ec2.send(new ec2.DeleteVpcPeeringConnectionCommand({ VpcPeeringConnectionId: id }))
    await lab.waitApplied()
    t.is(await asked(one.instance), address, 'nor without the peering')
  }))
