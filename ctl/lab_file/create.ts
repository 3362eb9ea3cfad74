/**
 * One Create call for each kind of resource. A new resource gets what EC2 takes at creation alone,
 * and what others need of it (blocks, addresses); the rest is a change of the next round.
 */
import type { QueryInput } from '../ec2_query.ts'
import { DEVICE_TAG } from '../instances.ts'
import { addressAt, subnetIpv6Cidr } from './address.ts'
import { type Fields, type Kind, KINDS, type Resource } from './resource.ts'
import type { Session } from './session.ts'

type Create = (session: Session, resource: Resource) => Promise<string | undefined>

/** @returns the id of the new resource */
export async function createResource (session: Session, resource: Resource): Promise<string> {
  return session.made(resource, await CREATES[resource.kind](session, resource))
}

const CREATES: Readonly<Record<Kind, Create>> = {
  'dhcp-options': createDhcpOptions,
  'vpc': createVpc,
  'subnet': createSubnet,
  'route-table': async (session, resource) => {
    const { RouteTable } = await session.ec2.call('CreateRouteTable',
      { VpcId: session.vpcId(resource), ...session.tagsFor('route-table', resource) })
    return RouteTable?.RouteTableId
  },
  'security-group': async (session, resource) => {
    const { GroupId } = await session.ec2.call('CreateSecurityGroup', {
      VpcId: session.vpcId(resource),
      GroupName: resource.name,
      GroupDescription: resource.fields['description'] as string | undefined ?? resource.name,
      ...session.tagsFor('security-group', resource)
    })
    return GroupId
  },
  'network-acl': async (session, resource) => {
    const { NetworkAcl } = await session.ec2.call('CreateNetworkAcl',
      { VpcId: session.vpcId(resource), ...session.tagsFor('network-acl', resource) })
    return NetworkAcl?.NetworkAclId
  },
  'eni': async (session, resource) => {
    const { NetworkInterface } = await session.ec2.call('CreateNetworkInterface', {
      ...await interfaceInput(session, resource),
      Description: resource.fields['description'] as string | undefined,
      ...session.tagsFor('network-interface', resource)
    })
    return NetworkInterface?.NetworkInterfaceId
  },
  'instance': runInstance
}

async function createDhcpOptions (session: Session, resource: Resource) {
  const options = resource.fields['options'] as Readonly<Record<string, readonly string[]>>
  const { DhcpOptions } = await session.ec2.call('CreateDhcpOptions', {
    DhcpConfiguration: Object.entries(options).map(([Key, Value]) => ({ Key, Value })),
    ...session.tagsFor('dhcp-options', resource)
  })
  return DhcpOptions?.DhcpOptionsId
}

async function createVpc (session: Session, resource: Resource) {
  const [CidrBlock, ...further] = resource.fields['cidr'] as readonly string[]
  const { Vpc } = await session.ec2.call('CreateVpc', {
    CidrBlock,
    AmazonProvidedIpv6CidrBlock: resource.fields['ipv6'] === true || undefined,
    ...session.tagsFor('vpc', resource)
  })
  for (const block of further) {
    await session.ec2.call('AssociateVpcCidrBlock', { VpcId: Vpc?.VpcId, CidrBlock: block })
  }
  return Vpc?.VpcId
}

async function createSubnet (session: Session, resource: Resource) {
  const { cidr, zone, ipv6 } =
    resource.fields as { cidr?: string, zone?: string, ipv6?: number | null }
  const VpcId = session.vpcId(resource)
  const { Subnet } = await session.ec2.call('CreateSubnet', {
    VpcId,
    CidrBlock: cidr,
    Ipv6Native: cidr === undefined || undefined,
    Ipv6CidrBlock: typeof ipv6 === 'number'
      ? subnetIpv6Cidr(await session.ipv6Block(VpcId), ipv6)
      : undefined,
    AvailabilityZoneId: zone,
    ...session.tagsFor('subnet', resource)
  })
  return Subnet?.SubnetId
}

interface InterfaceFields {
  readonly subnet: string
  readonly address?: string
  readonly addresses?: readonly string[]
  readonly ipv6?: true | readonly string[]
  readonly groups?: readonly string[]
}

/** Secondary addresses without a primary one come later: EC2 would make the first the primary. */
async function interfaceInput (session: Session, { vpc, fields }: Resource): Promise<QueryInput> {
  const { subnet, address, addresses = [], ipv6, groups } =
    fields as unknown as InterfaceFields
  const SubnetId = session.id('subnet', vpc, subnet)
  const places = Array.isArray(ipv6) ? ipv6 as readonly string[] : []
  const block = places.length > 0 ? await session.subnetIpv6Block(SubnetId) : ''
  return {
    SubnetId,
    PrivateIpAddresses: address === undefined
      ? undefined
      : [address, ...addresses].map((PrivateIpAddress, index) =>
          ({ PrivateIpAddress, Primary: index === 0 })),
    Ipv6AddressCount: ipv6 === true ? 1 : undefined,
    Ipv6Addresses: places.map((place) => ({ Ipv6Address: addressAt(block, place) })),
    SecurityGroupId: groups === undefined ? undefined : session.ids('security-group', vpc, groups)
  }
}

async function runInstance (session: Session, resource: Resource) {
  const { vpc, fields } = resource
  const enis = session.ids('eni', vpc, fields['enis'] as readonly string[] | undefined ?? [])
  const own = fields['subnet'] === null ? [] : [await interfaceInput(session, resource)]
  const interfaces: QueryInput[] = [...own, ...enis.map((NetworkInterfaceId) =>
    ({ NetworkInterfaceId }))]
  const { host, 'user-data': userData } = fields as { 'host'?: string, 'user-data'?: string }
  const { Instances } = await session.ec2.call('RunInstances', {
    ImageId: String(valueOf(fields, 'image')),
    InstanceType: String(valueOf(fields, 'type')),
    MinCount: 1,
    MaxCount: 1,
    NetworkInterface: interfaces.map((input, DeviceIndex) => ({ ...input, DeviceIndex })),
    Placement: host === undefined ? undefined : { HostId: host },
    UserData: userData === undefined || userData === ''
      ? undefined
      : Buffer.from(userData).toString('base64'),
    ...session.tagsFor('instance', resource,
      fields['device'] === 'tap' ? { [DEVICE_TAG]: 'tap' } : {})
  })
  return Instances?.[0]?.InstanceId
}

function valueOf (fields: Fields, field: string): unknown {
  return fields[field] ?? KINDS.instance.created[field]
}
