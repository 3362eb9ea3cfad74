/**
 * The live lab as resources (resource.ts): what the EC2 API describes, with names for ids.
 *
 * A name is a Name tag (a security group's own name), unique within its VPC. What has none, or one
 * that another resource got first, is named by its id, or, for an export, by a made-up name. Of two
 * with one name, the one that the file owns has it; of two that nobody owns neither does, and a
 * file that means one of them is told so. The default VPC and what is in it is not a file's, nor
 * are ENIs that gateways manage.
 */
import type {
  DhcpOptions, Instance, IpPermission, NetworkAcl, NetworkAclEntry, NetworkInterface, Route,
  RouteTable, SecurityGroup, Subnet, Tag, Vpc
} from '@aws-sdk/client-ec2'
import type { Ec2Client } from '../ec2_client.ts'
import { DEVICE_TAG, describeInstances } from '../instances.ts'
import { nameOf } from '../resolve.ts'
import { canonicalCidr, placeOf, subnetNumber } from './address.ts'
import { boundedAll } from './bounded.ts'
import {
  type AclEntry, canonicalAddresses, type Fields, keyOf, type Kind, type Resource, type RouteTarget,
  type Rule, type Zones
} from './resource.ts'
import {
  COMMANDS_TAG, DEFAULT_ACL, DEFAULT_DHCP_OPTIONS, MAIN_TABLE, NO_DHCP_OPTIONS, OWNER_TAG
} from './schema.ts'

export interface LiveResource extends Resource {
  readonly id: string
  /** Name of the file that owns it, or null. */
  readonly owner: string | null
  /** Hashes of the commands that an instance has run. */
  readonly commandsDone: readonly string[]
  /** The ENI that an instance was born with, and which no file names. */
  readonly primaryEni?: string
}

export interface LiveLab {
  readonly resources: ReadonlyMap<string, LiveResource>
  /** Keys that several resources could have, with their ids. */
  readonly ambiguous: ReadonlyMap<string, readonly string[]>
  readonly zones: Zones
  /** What a file cannot say, in sentences. */
  readonly unsaid: readonly string[]
}

export const EMPTY_LAB: LiveLab =
  { resources: new Map(), ambiguous: new Map(), zones: new Map(), unsaid: [] }

export interface ReadOptions {
  /** The file whose resources have their names before others. */
  readonly owner: string | null
  /** Made-up names, not ids, for what has none. */
  readonly madeUpNames: boolean
  /** Instances whose user data is read, by key: one call each. */
  readonly wantsUserData: (key: string) => boolean
}

/** Everything that the API describes, as it describes it. */
interface Described {
  readonly vpcs: readonly Vpc[]
  readonly subnets: readonly Subnet[]
  readonly tables: readonly RouteTable[]
  readonly groups: readonly SecurityGroup[]
  readonly acls: readonly NetworkAcl[]
  readonly dhcpOptions: readonly DhcpOptions[]
  readonly enis: readonly NetworkInterface[]
  readonly instances: readonly Instance[]
  readonly zones: Zones
}

export async function readLab (ec2: Ec2Client, options: ReadOptions): Promise<LiveLab> {
  const described = await describeAll(ec2)
  const names = new Names(options)
  nameAll(described, names)
  const reader = new Reader(described, names)
  const found: LiveResource[] = [
    ...described.dhcpOptions.map((set) => reader.dhcpOptions(set)),
    ...await boundedAll(described.vpcs, (vpc) => reader.vpc(ec2, vpc)),
    ...described.subnets.map((subnet) => reader.subnet(subnet)),
    ...described.tables.map((table) => reader.table(table)),
    ...described.groups.map((group) => reader.group(group)),
    ...described.acls.map((acl) => reader.acl(acl)),
    ...described.enis.filter((eni) => !reader.isBornWithInstance(eni))
      .map((eni) => reader.eni(eni)),
    ...await boundedAll(described.instances, (instance) =>
      reader.instance(ec2, instance, options.wantsUserData))
  ]
  return {
    resources: new Map(found.map((resource) =>
      [keyOf(resource.kind, resource.vpc, resource.name), resource])),
    ambiguous: names.ambiguous,
    zones: described.zones,
    unsaid: reader.unsaid
  }
}

async function describeAll (ec2: Ec2Client): Promise<Described> {
  const [vpcs, subnets, tables, groups, acls, dhcpOptions, enis, instances, zones] =
    await Promise.all([
      ec2.all('DescribeVpcs', {}, (page) => page.Vpcs),
      ec2.all('DescribeSubnets', {}, (page) => page.Subnets),
      ec2.all('DescribeRouteTables', {}, (page) => page.RouteTables),
      ec2.all('DescribeSecurityGroups', {}, (page) => page.SecurityGroups),
      ec2.all('DescribeNetworkAcls', {}, (page) => page.NetworkAcls),
      ec2.all('DescribeDhcpOptions', {}, (page) => page.DhcpOptions),
      ec2.all('DescribeNetworkInterfaces', {}, (page) => page.NetworkInterfaces),
      describeInstances(ec2, {}),
      ec2.call('DescribeAvailabilityZones', {})
    ])
  const alive = instances.filter(({ State }) =>
    State?.Name !== 'terminated' && State?.Name !== 'shutting-down')
  const aliveIds = new Set(alive.map(({ InstanceId }) => InstanceId))
  const defaults = new Set(vpcs.filter(({ IsDefault }) => IsDefault).map(({ VpcId }) => VpcId))
  const isOwn = ({ VpcId }: { readonly VpcId?: string | undefined }): boolean =>
    !defaults.has(VpcId)
  return {
    vpcs: vpcs.filter(isOwn),
    subnets: subnets.filter(isOwn),
    tables: tables.filter(isOwn),
    groups: groups.filter(isOwn),
    acls: acls.filter(isOwn),
    dhcpOptions,
    enis: enis.filter((eni) => isOwn(eni) && eni.RequesterManaged !== true &&
      (eni.Attachment?.InstanceId === undefined || aliveIds.has(eni.Attachment.InstanceId))),
    instances: alive.filter(isOwn),
    zones: new Map((zones.AvailabilityZones ?? []).flatMap(({ ZoneId = '', ZoneName = '' }) => [
      [ZoneId, ZoneId], [ZoneName, ZoneId], [/\d+$/.exec(ZoneId)?.[0] ?? ZoneId, ZoneId]
    ] as const))
  }
}

interface Named {
  readonly kind: Kind
  readonly vpc: string | null
  readonly id: string
  /** Empty when it has none. */
  readonly wanted: string
  readonly owner: string | null
}

/** Gives each resource a name that no other one of its kind and VPC has. */
class Names {
  readonly ambiguous = new Map<string, readonly string[]>()
  readonly #options: ReadOptions
  readonly #byId = new Map<string, string>()
  readonly #taken = new Set<string>()

  constructor (options: ReadOptions) { this.#options = options }

  /** @param id of a resource; undefined and ids of what is gone stay as they are */
  of (id: string | undefined): string { return this.#byId.get(id ?? '') ?? id ?? '' }

  /** All of one kind. */
  give (resources: readonly Named[]): void {
    const rivals = Map.groupBy(resources.filter(({ wanted }) => wanted !== ''),
      ({ kind, vpc, wanted }) => keyOf(kind, vpc, wanted))
    for (const [key, named] of rivals) {
      if (this.#taken.has(key)) continue // It is born with the VPC.
      const own = named.filter(({ owner }) => owner !== null && owner === this.#options.owner)
      const [first] = own.length > 0 || this.#options.madeUpNames ? [...own, ...named] : named
      if (named.length > 1 && own.length === 0 && !this.#options.madeUpNames) {
        this.ambiguous.set(key, named.map(({ id }) => id))
      } else if (first !== undefined) {
        this.take(first, first.wanted)
      }
    }
    for (const resource of resources) {
      if (!this.#byId.has(resource.id)) this.take(resource, this.#madeUp(resource))
    }
  }

  take ({ kind, vpc, id }: Pick<Named, 'kind' | 'vpc' | 'id'>, name: string): void {
    this.#byId.set(id, name)
    this.#taken.add(keyOf(kind, vpc, name))
  }

  #madeUp ({ kind, vpc, id, wanted }: Named): string {
    if (!this.#options.madeUpNames) return id
    const stem = wanted === '' ? kind : wanted
    for (let number = wanted === '' ? 1 : 2; ; number++) {
      const name = `${stem}-${String(number)}`
      if (!this.#taken.has(keyOf(kind, vpc, name))) return name
    }
  }
}

function nameAll (described: Described, names: Names): void {
  const named = <R extends { Tags?: Tag[] | undefined, TagSet?: Tag[] | undefined }>(kind: Kind,
    resources: readonly R[], idOf: (resource: R) => string | undefined,
    vpcOf: (resource: R) => string | undefined,
    wantedOf: (resource: R) => string = (resource) =>
      nameOf({ Tags: resource.Tags ?? resource.TagSet })): Named[] =>
    resources.map((resource) => ({
      kind,
      vpc: vpcOf(resource) === undefined ? null : names.of(vpcOf(resource)),
      id: idOf(resource) ?? '',
      wanted: wantedOf(resource),
      owner: tagOf(resource.Tags ?? resource.TagSet, OWNER_TAG)
    }))
  const none = (): undefined => undefined
  const awsOptions = described.dhcpOptions.find(isAwsOptions)
  if (awsOptions?.DhcpOptionsId !== undefined) {
    names.take({ kind: 'dhcp-options', vpc: null, id: awsOptions.DhcpOptionsId },
      DEFAULT_DHCP_OPTIONS)
  }
  names.give(named('dhcp-options', described.dhcpOptions, (set) => set.DhcpOptionsId, none))
  names.give(named('vpc', described.vpcs, (vpc) => vpc.VpcId, none))
  for (const { VpcId, RouteTableId = '' } of described.tables.filter(isMain)) {
    names.take({ kind: 'route-table', vpc: names.of(VpcId), id: RouteTableId }, MAIN_TABLE)
  }
  for (const { VpcId, NetworkAclId = '' } of described.acls.filter(({ IsDefault }) => IsDefault)) {
    names.take({ kind: 'network-acl', vpc: names.of(VpcId), id: NetworkAclId }, DEFAULT_ACL)
  }
  const tables = described.tables.filter((table) => !isMain(table))
  const acls = described.acls.filter(({ IsDefault }) => IsDefault !== true)
  names.give(named('subnet', described.subnets, (one) => one.SubnetId, (one) => one.VpcId))
  names.give(named('route-table', tables, (one) => one.RouteTableId, (one) => one.VpcId))
  names.give(named('network-acl', acls, (one) => one.NetworkAclId, (one) => one.VpcId))
  names.give(named('security-group', described.groups, (one) => one.GroupId, (one) => one.VpcId,
    (group) => group.GroupName ?? ''))
  names.give(named('eni', described.enis.filter((eni) => !isUnnamedPrimary(eni)),
    (one) => one.NetworkInterfaceId, (one) => one.VpcId))
  names.give(named('instance', described.instances, (one) => one.InstanceId, (one) => one.VpcId))
}

/** The set that an account has from the start: AWS's resolver, and nothing of the person's own. */
function isAwsOptions ({ DhcpConfigurations = [], Tags = [] }: DhcpOptions): boolean {
  const values = Object.fromEntries(DhcpConfigurations.map(({ Key = '', Values = [] }) =>
    [Key, Values.map(({ Value = '' }) => Value).join()]))
  return Tags.length === 0 && DhcpConfigurations.length === 2 &&
    values['domain-name-servers'] === 'AmazonProvidedDNS' &&
    /^(ec2|[\w-]+\.compute)\.internal$/.test(values['domain-name'] ?? '')
}

/** An ENI that RunInstances made: it is part of the instance in a file. */
function isUnnamedPrimary (eni: NetworkInterface): boolean {
  return eni.Attachment?.InstanceId !== undefined && eni.Attachment.DeviceIndex === 0 &&
    nameOf({ Tags: eni.TagSet }) === ''
}

function isMain (table: RouteTable): boolean {
  return table.Associations?.some(({ Main }) => Main) ?? false
}

function tagOf (tags: readonly Tag[] | undefined, key: string): string | null {
  return tags?.find((tag) => tag.Key === key)?.Value ?? null
}

/** Tags that a file may give. */
function ownTags (tags: readonly Tag[] | undefined): Fields {
  return Object.fromEntries((tags ?? [])
    .filter(({ Key = '' }) => Key !== 'Name' && !/^(aws:|vpclab:|lab-file)/i.test(Key))
    .map(({ Key = '', Value = '' }) => [Key, Value]))
}

/** The gateway or peering that a route leads to; undefined for `local` and for ENIs. */
function gatewayOf (route: Route): string | undefined {
  const id = route.NatGatewayId ?? route.EgressOnlyInternetGatewayId ??
    route.VpcPeeringConnectionId ?? route.GatewayId
  return id === 'local' || id === '' ? undefined : id
}

/** Turns each description into a resource. */
class Reader {
  readonly unsaid: string[] = []
  readonly #described: Described
  readonly #names: Names
  readonly #dhcpIds: ReadonlySet<string>
  readonly #eniIds: ReadonlySet<string>

  constructor (described: Described, names: Names) {
    this.#described = described
    this.#names = names
    this.#dhcpIds = new Set(described.dhcpOptions.map(({ DhcpOptionsId = '' }) => DhcpOptionsId))
    this.#eniIds = new Set(described.enis.map(({ NetworkInterfaceId = '' }) => NetworkInterfaceId))
  }

  isBornWithInstance (eni: NetworkInterface): boolean { return isUnnamedPrimary(eni) }

  dhcpOptions (set: DhcpOptions): LiveResource {
    const options = Object.fromEntries((set.DhcpConfigurations ?? []).map(({ Key = '', Values }) =>
      [Key, (Values ?? []).map(({ Value = '' }) => Value)]))
    return this.#resource('dhcp-options', undefined, set.DhcpOptionsId, set.Tags, { options })
  }

  async vpc (ec2: Ec2Client, vpc: Vpc): Promise<LiveResource> {
    const [support, hostnames] = await Promise.all(['enableDnsSupport', 'enableDnsHostnames'].map(
      (Attribute) => ec2.call('DescribeVpcAttribute', { VpcId: vpc.VpcId, Attribute })))
    const blocks = (vpc.CidrBlockAssociationSet ?? [])
      .filter(({ CidrBlockState }) => CidrBlockState?.State === 'associated')
      .map(({ CidrBlock = '' }) => CidrBlock).filter((block) => block !== vpc.CidrBlock)
    return this.#resource('vpc', undefined, vpc.VpcId, vpc.Tags, {
      cidr: [vpc.CidrBlock ?? '', ...blocks],
      ipv6: (vpc.Ipv6CidrBlockAssociationSet ?? []).some(isAssociated),
      'dns-support': support?.EnableDnsSupport?.Value ?? true,
      'dns-hostnames': hostnames?.EnableDnsHostnames?.Value ?? false,
      'dhcp-options': this.#dhcpIds.has(vpc.DhcpOptionsId ?? '')
        ? this.#names.of(vpc.DhcpOptionsId)
        : NO_DHCP_OPTIONS
    })
  }

  subnet (subnet: Subnet): LiveResource {
    const { SubnetId, VpcId } = subnet
    const table = this.#described.tables.find(({ Associations }) =>
      Associations?.some((association) => association.SubnetId === SubnetId))
    const acl = this.#described.acls.find(({ Associations }) =>
      Associations?.some((association) => association.SubnetId === SubnetId))
    const ipv6 = subnet.Ipv6CidrBlockAssociationSet?.find(isAssociated)?.Ipv6CidrBlock
    return this.#resource('subnet', VpcId, SubnetId, subnet.Tags, {
      ...subnet.CidrBlock === undefined || subnet.CidrBlock === ''
        ? {}
        : { cidr: subnet.CidrBlock },
      zone: subnet.AvailabilityZoneId,
      ipv6: ipv6 === undefined ? null : subnetNumber(ipv6),
      'route-table': table === undefined ? MAIN_TABLE : this.#names.of(table.RouteTableId),
      'network-acl': acl === undefined ? DEFAULT_ACL : this.#names.of(acl.NetworkAclId),
      'map-public-ip': subnet.MapPublicIpOnLaunch ?? false,
      'assign-ipv6': subnet.AssignIpv6AddressOnCreation ?? false,
      dns64: subnet.EnableDns64 ?? false
    })
  }

  table (table: RouteTable): LiveResource {
    const routes = Object.fromEntries((table.Routes ?? [])
      .filter((route) => route.GatewayId !== 'local' &&
        route.DestinationPrefixListId === undefined && gatewayOf(route) === undefined)
      .map((route) => [
        canonicalCidr(route.DestinationCidrBlock ?? route.DestinationIpv6CidrBlock ?? '::/0'),
        this.#target(route)
      ]))
    const resource =
      this.#resource('route-table', table.VpcId, table.RouteTableId, table.Tags, { routes })
    for (const [destination, target] of Object.entries(routes)) {
      if ('gone' in target) {
        this.unsaid.push(`the route to ${destination} in the route table "${resource.name}" of ` +
          `the VPC "${resource.vpc ?? ''}": its target ${target.gone} is gone`)
      }
    }
    for (const route of table.Routes ?? []) {
      const gateway = gatewayOf(route)
      if (gateway === undefined) continue
      this.unsaid.push(`the route to ${gateway} in the route table "${resource.name}" of the VPC ` +
        `"${resource.vpc ?? ''}": files have neither gateways nor peerings`)
    }
    for (const { DestinationPrefixListId: list } of table.Routes ?? []) {
      if (list === undefined) continue
      this.unsaid.push(`the route to ${list} in the route table "${resource.name}" of the VPC ` +
        `"${resource.vpc ?? ''}": files have no prefix lists`)
    }
    return resource
  }

  #target ({ NetworkInterfaceId = '', InstanceId, GatewayId }: Route): RouteTarget {
    const eni = this.#described.enis.find((one) => one.NetworkInterfaceId === NetworkInterfaceId)
    if (eni !== undefined && !isUnnamedPrimary(eni)) {
      return { eni: this.#names.of(NetworkInterfaceId) }
    }
    const instance = eni?.Attachment?.InstanceId ?? InstanceId
    return instance === undefined || !this.#eniIds.has(NetworkInterfaceId)
      ? { gone: NetworkInterfaceId || (GatewayId ?? 'unknown') }
      : { instance: this.#names.of(instance) }
  }

  group (group: SecurityGroup): LiveResource {
    const permissions = [...group.IpPermissions ?? [], ...group.IpPermissionsEgress ?? []]
    for (const { PrefixListId: list = '' } of permissions.flatMap((one) =>
      one.PrefixListIds ?? [])) {
      this.unsaid.push(`the rule for ${list} in the security group "${group.GroupName ?? ''}": ` +
        'files have no prefix lists')
    }
    for (const pair of permissions.flatMap((one) => one.UserIdGroupPairs ?? [])) {
      if (pair.VpcPeeringConnectionId === undefined) continue
      this.unsaid.push(`the rule for ${pair.GroupId ?? ''} in the security group ` +
        `"${group.GroupName ?? ''}": files have no peerings`)
    }
    return this.#resource('security-group', group.VpcId, group.GroupId, group.Tags, {
      description: group.Description ?? '',
      ingress: (group.IpPermissions ?? []).flatMap((permission) => this.#rules(permission)),
      egress: (group.IpPermissionsEgress ?? []).flatMap((permission) => this.#rules(permission))
    })
  }

  #rules (permission: IpPermission): Rule[] {
    const { IpProtocol: protocol = '-1', FromPort: from = -1, ToPort: to = -1 } = permission
    return [
      ...(permission.IpRanges ?? []).map(({ CidrIp = '', Description = '' }) =>
        ({ peer: CidrIp, description: Description })),
      ...(permission.Ipv6Ranges ?? []).map(({ CidrIpv6 = '', Description = '' }) =>
        ({ peer: canonicalCidr(CidrIpv6), description: Description })),
      ...(permission.UserIdGroupPairs ?? []).filter((pair) =>
        pair.VpcPeeringConnectionId === undefined).map(({ GroupId, Description = '' }) =>
        ({ peer: this.#names.of(GroupId), description: Description }))
    ].map((peer) => ({ protocol, from, to, ...peer }))
  }

  acl (acl: NetworkAcl): LiveResource {
    const side = (egress: boolean): Readonly<Record<string, AclEntry>> =>
      Object.fromEntries((acl.Entries ?? [])
        .filter(({ Egress, RuleNumber = 0 }) => Egress === egress && RuleNumber < 32_767)
        .map((entry) => [String(entry.RuleNumber), aclEntry(entry)]))
    return this.#resource('network-acl', acl.VpcId, acl.NetworkAclId, acl.Tags,
      { ingress: side(false), egress: side(true) })
  }

  eni (eni: NetworkInterface): LiveResource {
    return this.#resource('eni', eni.VpcId, eni.NetworkInterfaceId, eni.TagSet,
      { ...this.#interfaceFields(eni), description: eni.Description ?? '' })
  }

  #interfaceFields (eni: NetworkInterface): Fields {
    return {
      subnet: this.#names.of(eni.SubnetId),
      address: eni.PrivateIpAddress,
      addresses: canonicalAddresses((eni.PrivateIpAddresses ?? [])
        .filter(({ Primary }) => Primary !== true)
        .map(({ PrivateIpAddress }) => PrivateIpAddress)),
      ipv6: canonicalAddresses((eni.Ipv6Addresses ?? []).map(({ Ipv6Address }) => Ipv6Address))
        .map(placeOf),
      groups: (eni.Groups ?? []).map(({ GroupId }) => this.#names.of(GroupId)),
      'source-dest-check': eni.SourceDestCheck ?? true
    }
  }

  async instance (ec2: Ec2Client, instance: Instance,
    wantsUserData: ReadOptions['wantsUserData']): Promise<LiveResource> {
    const { InstanceId = '', VpcId } = instance
    const attached = this.#described.enis
      .filter(({ Attachment }) => Attachment?.InstanceId === InstanceId)
      .toSorted((one, other) =>
        (one.Attachment?.DeviceIndex ?? 0) - (other.Attachment?.DeviceIndex ?? 0))
    const primary = attached.find(isUnnamedPrimary)
    const key = keyOf('instance', this.#names.of(VpcId), this.#names.of(InstanceId))
    const userData = wantsUserData(key) ? await readUserData(ec2, InstanceId) : undefined
    const state = instance.State?.Name
    const resource = this.#resource('instance', VpcId, InstanceId, instance.Tags, {
      ...primary === undefined ? { subnet: null } : this.#interfaceFields(primary),
      enis: attached.filter((eni) => eni !== primary)
        .map(({ NetworkInterfaceId }) => this.#names.of(NetworkInterfaceId)),
      image: instance.ImageId,
      device: tagOf(instance.Tags, DEVICE_TAG) ?? 'tun',
      type: instance.InstanceType,
      host: instance.Placement?.HostId,
      ...userData === undefined ? {} : { 'user-data': userData },
      state: state === 'stopping' || state === 'stopped' ? 'stopped' : 'running'
    })
    return {
      ...resource,
      commandsDone: (tagOf(instance.Tags, COMMANDS_TAG) ?? '').split(' ')
        .filter((hash) => hash !== ''),
      ...primary?.NetworkInterfaceId === undefined
        ? {}
        : { primaryEni: primary.NetworkInterfaceId }
    }
  }

  #resource (kind: Kind, vpcId: string | undefined, id = '', tags: readonly Tag[] | undefined,
    fields: Fields): LiveResource {
    return {
      kind,
      vpc: vpcId === undefined ? null : this.#names.of(vpcId),
      name: this.#names.of(id),
      id,
      owner: tagOf(tags, OWNER_TAG),
      commandsDone: [],
      fields: { ...fields, tags: ownTags(tags) }
    }
  }
}

function isAssociated (
  association: { Ipv6CidrBlockState?: { State?: string | undefined } | undefined }
): boolean {
  return association.Ipv6CidrBlockState?.State === 'associated'
}

function aclEntry (entry: NetworkAclEntry): AclEntry {
  return {
    action: entry.RuleAction ?? 'deny',
    protocol: entry.Protocol ?? '-1',
    from: entry.PortRange?.From ?? entry.IcmpTypeCode?.Type ?? -1,
    to: entry.PortRange?.To ?? entry.IcmpTypeCode?.Code ?? -1,
    cidr: canonicalCidr(entry.CidrBlock ?? entry.Ipv6CidrBlock ?? '::/0')
  }
}

async function readUserData (ec2: Ec2Client, id: string): Promise<string> {
  const { UserData } = await ec2.call('DescribeInstanceAttribute',
    { InstanceId: id, Attribute: 'userData' })
  return Buffer.from(UserData?.Value ?? '', 'base64').toString('utf8')
}
