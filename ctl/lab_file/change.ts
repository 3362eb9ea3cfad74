/**
 * What a changed field of a resource is in calls of the EC2 API. Lists and maps become the calls
 * for what is missing and what is too much, so that what stays is not disturbed.
 */
import type { QueryInput } from '../ec2_query.ts'
import { describeInstances, waitForInstances } from '../instances.ts'
import { addressAt, subnetIpv6Cidr } from './address.ts'
import type { LiveResource } from './live.ts'
import { type FieldChange, RESTARTING } from './plan.ts'
import {
  type AclEntry, canonicalJson, type Fields, type Kind, type Resource, type RouteTarget, type Rule
} from './resource.ts'
import { DEFAULT_ACL, MAIN_TABLE, NO_DHCP_OPTIONS, OWNER_TAG } from './schema.ts'
import type { Session } from './session.ts'

type Change = (session: Session, live: LiveResource, change: FieldChange,
  resource: Resource) => Promise<void>

/** Carries out every change of one resource, in order. */
export async function changeResource (session: Session, resource: Resource, live: LiveResource,
  changes: readonly FieldChange[]): Promise<void> {
  for (const change of changes) {
    if (live.kind === 'instance' && RESTARTING.has(change.field)) continue
    const change_ = FIELD_CHANGES[live.kind][change.field] ?? COMMON[change.field]
    if (change_ === undefined) throw new Error(`${live.kind} has no field ${change.field}`)
    await change_(session, live, change, resource)
  }
  if (live.kind === 'instance') await restart(session, resource, live, changes)
}

const COMMON: Readonly<Record<string, Change>> = {
  tags: async ({ ec2 }, { id }, { from, to }) => {
    const before = (from ?? {}) as Readonly<Record<string, string>>
    const after = to as Readonly<Record<string, string>>
    const gone = Object.keys(before).filter((key) => after[key] === undefined)
    const come = Object.entries(after).filter(([key, value]) => before[key] !== value)
    if (gone.length > 0) {
      await ec2.call('DeleteTags', { ResourceId: [id], Tag: gone.map((Key) => ({ Key })) })
    }
    if (come.length > 0) {
      await ec2.call('CreateTags',
        { ResourceId: [id], Tag: come.map(([Key, Value]) => ({ Key, Value })) })
    }
  },
  [OWNER_TAG]: async ({ ec2, owner }, { id }) => {
    await ec2.call('CreateTags', { ResourceId: [id], Tag: [{ Key: OWNER_TAG, Value: owner }] })
  }
}

const INTERFACE_CHANGES: Readonly<Record<string, Change>> = {
  'addresses': changeAddresses,
  'ipv6': changeIpv6Addresses,
  'groups': async (session, live, { to }) => {
    await modifyInterface(session, live, {
      SecurityGroupId: session.ids('security-group', live.vpc, to as readonly string[])
    })
  },
  'source-dest-check': async (session, live, { to }) => {
    await modifyInterface(session, live, { SourceDestCheck: { Value: to === true } })
  },
  'description': async (session, live, { to }) => {
    await modifyInterface(session, live, { Description: { Value: String(to) } })
  }
}

const FIELD_CHANGES: Readonly<Record<Kind, Readonly<Record<string, Change>>>> = {
  'dhcp-options': {},
  'vpc': {
    'cidr': changeVpcBlocks,
    'ipv6': changeVpcIpv6,
    'dns-support': async ({ ec2 }, { id }, { to }) => {
      await ec2.call('ModifyVpcAttribute', { VpcId: id, EnableDnsSupport: { Value: to === true } })
    },
    'dns-hostnames': async ({ ec2 }, { id }, { to }) => {
      await ec2.call('ModifyVpcAttribute',
        { VpcId: id, EnableDnsHostnames: { Value: to === true } })
    },
    'dhcp-options': async (session, { id }, { to }) => {
      // EC2's own word for none is "default".
      const DhcpOptionsId =
        to === NO_DHCP_OPTIONS ? 'default' : session.id('dhcp-options', null, String(to))
      await session.ec2.call('AssociateDhcpOptions', { VpcId: id, DhcpOptionsId })
    }
  },
  'subnet': {
    'ipv6': changeSubnetIpv6,
    'route-table': changeTableAssociation,
    'network-acl': changeAclAssociation,
    'map-public-ip': subnetAttribute('MapPublicIpOnLaunch'),
    'assign-ipv6': subnetAttribute('AssignIpv6AddressOnCreation'),
    'dns64': subnetAttribute('EnableDns64')
  },
  'route-table': { routes: changeRoutes },
  'security-group': { ingress: changeRules('Ingress'), egress: changeRules('Egress') },
  'network-acl': { ingress: changeEntries(false), egress: changeEntries(true) },
  'eni': INTERFACE_CHANGES,
  'instance': { ...INTERFACE_CHANGES, enis: changeAttachments }
}

async function changeVpcBlocks ({ ec2 }: Session, { id }: LiveResource,
  { to }: FieldChange): Promise<void> {
  const wanted = to as readonly string[]
  const { Vpcs } = await ec2.call('DescribeVpcs', { VpcId: [id] })
  const associated = (Vpcs?.[0]?.CidrBlockAssociationSet ?? [])
    .filter(({ CidrBlockState }) => CidrBlockState?.State === 'associated')
  for (const { AssociationId, CidrBlock = '' } of associated) {
    if (!wanted.includes(CidrBlock)) await ec2.call('DisassociateVpcCidrBlock', { AssociationId })
  }
  for (const block of wanted) {
    if (associated.some(({ CidrBlock }) => CidrBlock === block)) continue
    await ec2.call('AssociateVpcCidrBlock', { VpcId: id, CidrBlock: block })
  }
}

async function changeVpcIpv6 ({ ec2 }: Session, { id }: LiveResource,
  { to }: FieldChange): Promise<void> {
  if (to === true) {
    await ec2.call('AssociateVpcCidrBlock', { VpcId: id, AmazonProvidedIpv6CidrBlock: true })
    return
  }
  const { Vpcs } = await ec2.call('DescribeVpcs', { VpcId: [id] })
  for (const association of Vpcs?.[0]?.Ipv6CidrBlockAssociationSet ?? []) {
    if (association.Ipv6CidrBlockState?.State !== 'associated') continue
    await ec2.call('DisassociateVpcCidrBlock', { AssociationId: association.AssociationId })
  }
}

async function changeSubnetIpv6 (session: Session, live: LiveResource,
  { to }: FieldChange): Promise<void> {
  const { ec2 } = session
  const { Subnets } = await ec2.call('DescribeSubnets', { SubnetId: [live.id] })
  for (const association of Subnets?.[0]?.Ipv6CidrBlockAssociationSet ?? []) {
    if (association.Ipv6CidrBlockState?.State !== 'associated') continue
    await ec2.call('DisassociateSubnetCidrBlock', { AssociationId: association.AssociationId })
  }
  await ec2.call('AssociateSubnetCidrBlock', {
    SubnetId: live.id,
    Ipv6CidrBlock: subnetIpv6Cidr(await session.ipv6Block(session.vpcId(live)), Number(to))
  })
}

async function changeTableAssociation (session: Session, live: LiveResource,
  { to }: FieldChange): Promise<void> {
  const { ec2 } = session
  const tables = await ec2.all('DescribeRouteTables',
    { Filter: [{ Name: 'association.subnet-id', Value: [live.id] }] }, (page) => page.RouteTables)
  const AssociationId = tables.flatMap(({ Associations }) => Associations ?? [])
    .find(({ SubnetId }) => SubnetId === live.id)?.RouteTableAssociationId
  if (to === MAIN_TABLE) {
    if (AssociationId !== undefined) await ec2.call('DisassociateRouteTable', { AssociationId })
    return
  }
  const RouteTableId = session.id('route-table', live.vpc, String(to))
  if (AssociationId === undefined) {
    await ec2.call('AssociateRouteTable', { RouteTableId, SubnetId: live.id })
  } else {
    await ec2.call('ReplaceRouteTableAssociation', { RouteTableId, AssociationId })
  }
}

async function changeAclAssociation (session: Session, live: LiveResource,
  { to }: FieldChange): Promise<void> {
  await moveToAcl(session, live.id, session.id('network-acl', live.vpc, String(to)))
}

/** Puts a subnet under an ACL: there is always one that it is under. */
export async function moveToAcl ({ ec2 }: Session, subnetId: string,
  NetworkAclId: string): Promise<void> {
  const acls = await ec2.all('DescribeNetworkAcls',
    { Filter: [{ Name: 'association.subnet-id', Value: [subnetId] }] }, (page) => page.NetworkAcls)
  const AssociationId = acls.flatMap(({ Associations }) => Associations ?? [])
    .find(({ SubnetId }) => SubnetId === subnetId)?.NetworkAclAssociationId
  await ec2.call('ReplaceNetworkAclAssociation', { AssociationId, NetworkAclId })
}

/** The default network ACL of a VPC. */
export function defaultAcl (session: Session, vpc: string | null): string {
  return session.id('network-acl', vpc, DEFAULT_ACL)
}

function subnetAttribute (attribute: string): Change {
  return async ({ ec2 }, { id }, { to }) => {
    await ec2.call('ModifySubnetAttribute',
      { SubnetId: id, [attribute]: { Value: to === true } })
  }
}

async function changeRoutes (session: Session, live: LiveResource,
  { from, to }: FieldChange): Promise<void> {
  const before = (from ?? {}) as Readonly<Record<string, RouteTarget>>
  const after = to as Readonly<Record<string, RouteTarget>>
  const RouteTableId = live.id
  for (const destination of Object.keys(before)) {
    if (after[destination] !== undefined) continue
    await session.ec2.call('DeleteRoute', { RouteTableId, ...destinationInput(destination) })
  }
  for (const [destination, target] of Object.entries(after)) {
    const old = before[destination]
    if (canonicalJson(old) === canonicalJson(target)) continue
    await session.ec2.call(old === undefined ? 'CreateRoute' : 'ReplaceRoute',
      { RouteTableId, ...destinationInput(destination), ...targetInput(session, live, target) })
  }
}

function destinationInput (destination: string): QueryInput {
  return destination.includes(':')
    ? { DestinationIpv6CidrBlock: destination }
    : { DestinationCidrBlock: destination }
}

function targetInput (session: Session, { vpc }: LiveResource, target: RouteTarget): QueryInput {
  return 'eni' in target
    ? { NetworkInterfaceId: session.id('eni', vpc, target.eni) }
    : 'instance' in target
      ? { InstanceId: session.id('instance', vpc, target.instance) }
      : {}
}

function changeRules (direction: 'Ingress' | 'Egress'): Change {
  return async (session, live, { from, to }) => {
    const before = (from ?? []) as readonly Rule[]
    const after = to as readonly Rule[]
    const without = (rules: readonly Rule[], others: readonly Rule[]): Rule[] => {
      const known = new Set(others.map(canonicalJson))
      return rules.filter((rule) => !known.has(canonicalJson(rule)))
    }
    const gone = without(before, after)
    const come = without(after, before)
    const input = (rules: readonly Rule[]): QueryInput => ({
      GroupId: live.id, IpPermissions: rules.map((rule) => permission(session, live, rule))
    })
    if (gone.length > 0) {
      await session.ec2.call(`RevokeSecurityGroup${direction}`, input(gone))
    }
    if (come.length > 0) {
      await session.ec2.call(`AuthorizeSecurityGroup${direction}`, input(come))
    }
  }
}

function permission (session: Session, { vpc }: LiveResource, rule: Rule): QueryInput {
  const Description = rule.description === '' ? undefined : rule.description
  const hasPorts = rule.protocol !== '-1' && (rule.from !== -1 || rule.protocol.startsWith('icmp'))
  return {
    IpProtocol: rule.protocol,
    FromPort: hasPorts ? rule.from : undefined,
    ToPort: hasPorts ? rule.to : undefined,
    ...!rule.peer.includes('/')
      ? { Groups: [{ GroupId: groupId(session, vpc, rule.peer), Description }] }
      : rule.peer.includes(':')
        ? { Ipv6Ranges: [{ CidrIpv6: rule.peer, Description }] }
        : { IpRanges: [{ CidrIp: rule.peer, Description }] }
  }
}

/** Rules that somebody else wrote may name groups by id: those of other VPCs, or without a name. */
function groupId (session: Session, vpc: string | null, peer: string): string {
  return peer.startsWith('sg-') ? peer : session.id('security-group', vpc, peer)
}

function changeEntries (Egress: boolean): Change {
  return async ({ ec2 }, { id }, { from, to }) => {
    const before = (from ?? {}) as Readonly<Record<string, AclEntry>>
    const after = to as Readonly<Record<string, AclEntry>>
    const entry = (number: string): QueryInput =>
      ({ NetworkAclId: id, RuleNumber: Number(number), Egress })
    for (const number of Object.keys(before)) {
      if (after[number] === undefined) await ec2.call('DeleteNetworkAclEntry', entry(number))
    }
    for (const [number, wanted] of Object.entries(after)) {
      const old = before[number]
      if (canonicalJson(old) === canonicalJson(wanted)) continue
      await ec2.call(old === undefined ? 'CreateNetworkAclEntry' : 'ReplaceNetworkAclEntry',
        { ...entry(number), ...entryInput(wanted) })
    }
  }
}

const ICMP_NUMBERS: ReadonlySet<string> = new Set(['1', '58'])

function entryInput ({ action, protocol, from, to, cidr }: AclEntry): QueryInput {
  return {
    RuleAction: action,
    Protocol: protocol,
    ...cidr.includes(':') ? { Ipv6CidrBlock: cidr } : { CidrBlock: cidr },
    ...ICMP_NUMBERS.has(protocol)
      ? { Icmp: { Type: from, Code: to } }
      : from === -1 ? {} : { PortRange: { From: from, To: to } }
  }
}

/** The ENI behind an interface's fields: itself, or the one an instance was born with. */
function interfaceId (live: LiveResource): string { return live.primaryEni ?? live.id }

async function modifyInterface ({ ec2 }: Session, live: LiveResource,
  attribute: QueryInput): Promise<void> {
  await ec2.call('ModifyNetworkInterfaceAttribute',
    { NetworkInterfaceId: interfaceId(live), ...attribute })
}

async function changeAddresses ({ ec2 }: Session, live: LiveResource,
  { from, to }: FieldChange): Promise<void> {
  const before = (from ?? []) as readonly string[]
  const after = to as readonly string[]
  const NetworkInterfaceId = interfaceId(live)
  const gone = before.filter((address) => !after.includes(address))
  const come = after.filter((address) => !before.includes(address))
  if (gone.length > 0) {
    await ec2.call('UnassignPrivateIpAddresses', { NetworkInterfaceId, PrivateIpAddress: gone })
  }
  if (come.length > 0) {
    await ec2.call('AssignPrivateIpAddresses', { NetworkInterfaceId, PrivateIpAddress: come })
  }
}

async function changeIpv6Addresses (session: Session, live: LiveResource,
  { from, to }: FieldChange): Promise<void> {
  const NetworkInterfaceId = interfaceId(live)
  if (to === true) {
    await session.ec2.call('AssignIpv6Addresses', { NetworkInterfaceId, Ipv6AddressCount: 1 })
    return
  }
  const before = (from ?? []) as readonly string[]
  const after = to as readonly string[]
  const block = await session.subnetIpv6Block(
    session.id('subnet', live.vpc, String(live.fields['subnet'])))
  const full = (places: readonly string[]): string[] =>
    places.map((place) => addressAt(block, place))
  const gone = before.filter((place) => !after.includes(place))
  const come = after.filter((place) => !before.includes(place))
  if (gone.length > 0) {
    await session.ec2.call('UnassignIpv6Addresses',
      { NetworkInterfaceId, Ipv6Addresses: full(gone) })
  }
  if (come.length > 0) {
    await session.ec2.call('AssignIpv6Addresses',
      { NetworkInterfaceId, Ipv6Addresses: full(come) })
  }
}

/** ENIs behind eth0: those too many or in another place are detached, those missing attached. */
async function changeAttachments (session: Session, live: LiveResource,
  { from, to }: FieldChange): Promise<void> {
  const before = (from ?? []) as readonly string[]
  const after = to as readonly string[]
  const firstIndex = live.primaryEni === undefined ? 0 : 1
  const stays = (name: string): boolean => before.indexOf(name) === after.indexOf(name)
  for (const name of before.filter((one) => !stays(one))) {
    await detach(session, session.id('eni', live.vpc, name))
  }
  for (const [index, name] of after.entries()) {
    if (stays(name)) continue
    await session.ec2.call('AttachNetworkInterface', {
      InstanceId: live.id,
      NetworkInterfaceId: session.id('eni', live.vpc, name),
      DeviceIndex: firstIndex + index
    })
  }
}

/** Detaches an ENI if it is attached. */
export async function detach ({ ec2 }: Session, NetworkInterfaceId: string): Promise<void> {
  const { NetworkInterfaces } =
    await ec2.call('DescribeNetworkInterfaces', { NetworkInterfaceId: [NetworkInterfaceId] })
  const AttachmentId = NetworkInterfaces?.[0]?.Attachment?.AttachmentId
  if (AttachmentId !== undefined) await ec2.call('DetachNetworkInterface', { AttachmentId })
}

/** Type and user data need a stopped instance; it runs again when the file says so. */
async function restart (session: Session, { fields }: Resource, { id }: LiveResource,
  changes: readonly FieldChange[]): Promise<void> {
  const { context, ec2, timeoutMs } = session
  const restarting = changes.filter(({ field }) => RESTARTING.has(field))
  if (restarting.length === 0) return
  const [instance] = await describeInstances(ec2, { InstanceId: [id] })
  if (instance?.State?.Name !== 'stopped') {
    await ec2.call('StopInstances', { InstanceId: [id] })
    await waitForInstances(context, ec2, [id], 'stopped', timeoutMs)
  }
  for (const { field, to } of restarting) {
    const attribute: Fields = field === 'type'
      ? { InstanceType: { Value: to } }
      : { UserData: { Value: Buffer.from(String(to)).toString('base64') } }
    if (field === 'state') continue
    await ec2.call('ModifyInstanceAttribute', { InstanceId: id, ...attribute })
  }
  if (fields['state'] === 'running') await ec2.call('StartInstances', { InstanceId: [id] })
}
