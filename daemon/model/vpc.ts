/**
 * VPC: record and rules. AWS VPC User Guide, "VPC CIDR blocks".
 *
 * A VPC is born whole: with it come its main route table, default network ACL, default security
 * group and, the first time, the account's default DHCP options, in one transaction. Every block of
 * the VPC is a `local` route in every one of its tables; blocks and routes change together here.
 *
 * Which blocks may stand together is in model/vpc_cidr.ts.
 */
import { AwsError } from './aws_error.ts'
import { defaultDhcpOptions } from './dhcp_options.ts'
import { defaultNetworkAcl, withIpv6Entries } from './network_acl.ts'
import type { NetworkAcl } from './network_acl.ts'
import type { Plan, PlanContext } from './plan.ts'
import { checkQuota } from './quota.ts'
import type { OwnedRecord, Tags } from './record.ts'
import { requireRecord } from './resource_kind.ts'
import {
  isMainRouteTable, mainRouteTable, withLocalRoute, withoutLocalRoute
} from './route_table.ts'
import type { RouteTable } from './route_table.ts'
import { DEFAULT_GROUP_NAME, defaultSecurityGroup, withIpv6Egress } from './security_group.ts'
import type { SecurityGroup } from './security_group.ts'
import type { AccountView, Change } from './snapshot.ts'
import { put, remove } from './snapshot.ts'
import { cidrContains, formatCidr, knownCidr } from './cidr.ts'
import {
  allocateIpv6Block, checkAssociation, checkNotRouted, parsePrimaryBlock, parseSecondaryBlock
} from './vpc_cidr.ts'
import { allocateVni } from './vni.ts'
import { checkBlockAgainstPeers, peeringsOfDeletedVpc } from './vpc_peering_plan.ts'

export interface VpcCidrAssociation {
  /** `vpc-cidr-assoc-…` */
  readonly associationId: string
  /** Canonical CIDR, host bits zero. */
  readonly cidrBlock: string
}

export interface Vpc extends OwnedRecord {
  /** IPv4 blocks; the first one is the primary and is never removed. At least one. */
  readonly cidrBlocks: readonly VpcCidrAssociation[]
  /** IPv6 /56 blocks. */
  readonly ipv6CidrBlocks: readonly VpcCidrAssociation[]
  readonly instanceTenancy: 'default' | 'dedicated'
  readonly isDefault: boolean
  /** `dopt-…`, or `default` for none. */
  readonly dhcpOptionsId: string
  /** Geneve virtual network identifier, 1..2^24-1, unique in the lab, not reused within 24 h. */
  readonly vni: number
  readonly enableDnsSupport: boolean
  readonly enableDnsHostnames: boolean
  readonly enableNetworkAddressUsageMetrics: boolean
}

const ASSOCIATION_PREFIX = 'vpc-cidr-assoc'

export interface CreateVpcInput {
  /** As the caller wrote it; host bits are cleared. */
  readonly cidrBlock: string | undefined
  readonly instanceTenancy: string
  readonly amazonProvidedIpv6CidrBlock: boolean
  readonly tags: Tags
}

/** @returns the plan, and the id of the VPC */
export function planCreateVpc (view: AccountView, input: CreateVpcInput,
  context: PlanContext): Plan<{ vpcId: string }> {
  const { vpc, mainTable, changes } = newVpc(view, input, context)
  return {
    changes: [put('vpc', vpc), put('routeTable', mainTable), ...changes],
    result: { vpcId: vpc.id }
  }
}

export interface NewVpc {
  readonly vpc: Vpc
  readonly mainTable: RouteTable
  /** What else it is born with. */
  readonly changes: readonly Change[]
}

/** For every plan that makes a VPC. @throws AwsError as CreateVpc */
export function newVpc (view: AccountView, input: CreateVpcInput, context: PlanContext): NewVpc {
  const cidrBlock = parsePrimaryBlock(input.cidrBlock)
  const instanceTenancy = checkTenancy(input.instanceTenancy)
  checkQuota(view.snapshot, 'vpcs-per-region', view.list('vpc').length + 1)
  const changes: Change[] = []
  const ipv6CidrBlocks: VpcCidrAssociation[] = []
  if (input.amazonProvidedIpv6CidrBlock) {
    const { cidrBlock, change } = allocateIpv6Block(view.snapshot)
    changes.push(change)
    ipv6CidrBlocks.push({ associationId: context.newId(ASSOCIATION_PREFIX), cidrBlock })
  }
  const vni = allocateVni(view.snapshot)
  const dhcpOptions = defaultDhcpOptions(view, context)
  if (view.get('dhcpOptions', dhcpOptions.id) === undefined) {
    changes.push(put('dhcpOptions', dhcpOptions))
  }
  const vpc: Vpc = {
    id: context.newId('vpc'), region: view.region, ownerId: view.accountId, tags: input.tags,
    cidrBlocks: [{ associationId: context.newId(ASSOCIATION_PREFIX), cidrBlock }],
    ipv6CidrBlocks, instanceTenancy, isDefault: false,
    dhcpOptionsId: dhcpOptions.id, vni: vni.value,
    enableDnsSupport: true, enableDnsHostnames: false, enableNetworkAddressUsageMetrics: false
  }
  const { mainTable, ...filters } = companions(vpc, view, context)
  changes.push(vni.change, put('networkAcl', filters.acl), put('securityGroup', filters.group))
  return { vpc, mainTable, changes }
}

/** What every VPC is born with. */
function companions (vpc: Vpc, view: AccountView, context: PlanContext): {
  readonly mainTable: RouteTable
  readonly acl: NetworkAcl
  readonly group: SecurityGroup
} {
  const hasIpv6 = vpc.ipv6CidrBlocks.length > 0
  let mainTable = mainRouteTable(vpc.id, view, context)
  for (const { cidrBlock } of [...vpc.cidrBlocks, ...vpc.ipv6CidrBlocks]) {
    mainTable = withLocalRoute(mainTable, cidrBlock)
  }
  const acl = defaultNetworkAcl(vpc.id, view, context)
  const group = defaultSecurityGroup(vpc.id, view, context)
  return {
    mainTable,
    acl: hasIpv6 ? withIpv6Entries(acl) : acl,
    group: hasIpv6 ? withIpv6Egress(group, context) : group
  }
}

function checkTenancy (tenancy: string): 'default' | 'dedicated' {
  if (tenancy === 'default' || tenancy === 'dedicated') return tenancy
  if (tenancy === 'host') {
    throw new AwsError('UnsupportedTenancy',
      "A VPC cannot have the instance tenancy 'host'; expecting default or dedicated")
  }
  throw new AwsError('InvalidParameterValue',
    `Value (${tenancy}) for parameter instanceTenancy is invalid. Expecting default or dedicated.`)
}

/**
 * Deletes the VPC and what it was born with.
 * @throws AwsError DependencyViolation while anything else is in it
 */
export function planDeleteVpc (view: AccountView, vpcId: string,
  { nowMs }: Pick<PlanContext, 'nowMs'>): Plan<null> {
  const vpc = requireRecord(view, 'vpc', vpcId)
  const tables = view.by('routeTable', 'vpcId', vpcId)
  const acls = view.by('networkAcl', 'vpcId', vpcId)
  const groups = view.by('securityGroup', 'vpcId', vpcId)
  const others = [
    ...view.by('subnet', 'vpcId', vpcId),
    ...view.by('networkInterface', 'vpcId', vpcId),
    ...view.by('internetGateway', 'vpcId', vpcId),
    ...view.by('egressOnlyInternetGateway', 'vpcId', vpcId),
    ...view.by('vpnGateway', 'vpcId', vpcId),
    ...tables.filter((table) => !isMainRouteTable(table)),
    ...acls.filter(({ isDefault }) => !isDefault),
    ...groups.filter(({ name }) => name !== DEFAULT_GROUP_NAME)
  ]
  if (others.length > 0) {
    throw new AwsError('DependencyViolation',
      `The vpc '${vpcId}' has dependencies and cannot be deleted: ${others[0]?.id ?? ''}` +
      (others.length > 1 ? ` and ${String(others.length - 1)} more` : ''))
  }
  return {
    changes: [
      ...peeringsOfDeletedVpc(view, vpcId, nowMs),
      ...tables.map(({ id }) => remove('routeTable', id)),
      ...acls.map(({ id }) => remove('networkAcl', id)),
      ...groups.map(({ id }) => remove('securityGroup', id)),
      remove('vpc', vpc.id)
    ],
    result: null
  }
}

export interface AssociateVpcCidrBlockInput {
  readonly vpcId: string
  readonly cidrBlock: string | undefined
  readonly amazonProvidedIpv6CidrBlock: boolean
}

export interface AssociateVpcCidrBlockResult {
  readonly vpcId: string
  readonly associationId: string
  readonly cidrBlock: string
}

/**
 * Adds an IPv4 block, or a /56 of the IPv6 pool, and its `local` route to every table of the VPC.
 */
export function planAssociateVpcCidrBlock (view: AccountView, input: AssociateVpcCidrBlockInput,
  context: PlanContext): Plan<AssociateVpcCidrBlockResult> {
  if (input.cidrBlock !== undefined && input.amazonProvidedIpv6CidrBlock) {
    throw new AwsError('InvalidParameterCombination',
      'The parameters cidrBlock and amazonProvidedIpv6CidrBlock cannot be used together')
  }
  const vpc = requireRecord(view, 'vpc', input.vpcId)
  const associationId = context.newId(ASSOCIATION_PREFIX)
  if (input.amazonProvidedIpv6CidrBlock) return planAssociateIpv6(view, vpc, associationId, context)
  if (input.cidrBlock === undefined) {
    throw new AwsError('MissingParameter',
      'The request must contain the parameter cidrBlock or amazonProvidedIpv6CidrBlock')
  }
  const cidrBlock = parseSecondaryBlock(input.cidrBlock)
  checkQuota(view.snapshot, 'ipv4-cidr-blocks-per-vpc', vpc.cidrBlocks.length + 1)
  const tables = view.by('routeTable', 'vpcId', vpc.id)
  checkAssociation(vpc, tables, cidrBlock)
  const changed: Vpc = { ...vpc, cidrBlocks: [...vpc.cidrBlocks, { associationId, cidrBlock }] }
  return {
    changes: [
      ...checkBlockAgainstPeers(view, vpc, cidrBlock, context.nowMs),
      put('vpc', changed),
      ...tables.map((table) => put('routeTable', withLocalRoute(table, cidrBlock)))
    ],
    result: { vpcId: vpc.id, associationId, cidrBlock }
  }
}

function planAssociateIpv6 (view: AccountView, vpc: Vpc, associationId: string,
  context: PlanContext): Plan<AssociateVpcCidrBlockResult> {
  checkQuota(view.snapshot, 'ipv6-cidr-blocks-per-vpc', vpc.ipv6CidrBlocks.length + 1)
  const { cidrBlock, change } = allocateIpv6Block(view.snapshot)
  const tables = view.by('routeTable', 'vpcId', vpc.id)
  checkNotRouted(tables, knownCidr(cidrBlock))
  const changes: Change[] = [
    ...checkBlockAgainstPeers(view, vpc, cidrBlock, context.nowMs),
    change,
    put('vpc', { ...vpc, ipv6CidrBlocks: [...vpc.ipv6CidrBlocks, { associationId, cidrBlock }] })
  ]
  for (const table of tables) changes.push(put('routeTable', withLocalRoute(table, cidrBlock)))
  if (vpc.ipv6CidrBlocks.length === 0) {
    for (const acl of view.by('networkAcl', 'vpcId', vpc.id)) {
      const next = withIpv6Entries(acl)
      if (next !== acl) changes.push(put('networkAcl', next))
    }
    for (const group of view.by('securityGroup', 'vpcId', vpc.id)) {
      const next = withIpv6Egress(group, context)
      if (next !== group) changes.push(put('securityGroup', next))
    }
  }
  return { changes, result: { vpcId: vpc.id, associationId, cidrBlock } }
}

/** Removes a block that is not the primary one and holds no subnet. */
export function planDisassociateVpcCidrBlock (view: AccountView,
  associationId: string): Plan<AssociateVpcCidrBlockResult> {
  const vpc = view.list('vpc').find(({ cidrBlocks, ipv6CidrBlocks }) =>
    [...cidrBlocks, ...ipv6CidrBlocks].some((block) => block.associationId === associationId))
  const block = vpc === undefined
    ? undefined
    : [...vpc.cidrBlocks, ...vpc.ipv6CidrBlocks].find((one) => one.associationId === associationId)
  if (vpc === undefined || block === undefined) {
    throw new AwsError('InvalidVpcCidrBlockAssociationID.NotFound',
      `The vpc CIDR block association ID '${associationId}' does not exist`)
  }
  if (vpc.cidrBlocks[0] === block) {
    throw new AwsError('OperationNotPermitted',
      `The vpc CIDR block with association ID ${associationId} may not be disassociated: it is ` +
      'the primary IPv4 CIDR block of the VPC')
  }
  const range = knownCidr(block.cidrBlock)
  for (const subnet of view.by('subnet', 'vpcId', vpc.id)) {
    const inside = [subnet.cidrBlock, ...subnet.ipv6CidrBlocks.map((one) => one.cidrBlock)]
      .some((cidr) => cidr !== null && cidrContains(range, knownCidr(cidr)))
    if (inside) {
      throw new AwsError('DependencyViolation',
        `The vpc CIDR block ${block.cidrBlock} has dependencies and cannot be disassociated: ` +
        `subnet ${subnet.id} lies in it`)
    }
  }
  const without = (blocks: readonly VpcCidrAssociation[]): VpcCidrAssociation[] =>
    blocks.filter((one) => one !== block)
  const changed: Vpc = {
    ...vpc, cidrBlocks: without(vpc.cidrBlocks), ipv6CidrBlocks: without(vpc.ipv6CidrBlocks)
  }
  const tables = view.by('routeTable', 'vpcId', vpc.id)
  return {
    changes: [
      put('vpc', changed),
      ...tables.map((table) => put('routeTable', withoutLocalRoute(table, formatCidr(range))))
    ],
    result: { vpcId: vpc.id, associationId, cidrBlock: block.cidrBlock }
  }
}

/** The attributes that ModifyVpcAttribute changes, one at a time. */
export interface VpcAttributes {
  readonly enableDnsSupport?: boolean | undefined
  readonly enableDnsHostnames?: boolean | undefined
  readonly enableNetworkAddressUsageMetrics?: boolean | undefined
}

export function planModifyVpcAttribute (view: AccountView, vpcId: string,
  attributes: VpcAttributes): Plan<null> {
  const vpc = requireRecord(view, 'vpc', vpcId)
  const given = Object.entries(attributes).filter(([, value]) => value !== undefined)
  if (given.length !== 1) {
    throw new AwsError('InvalidParameterCombination', given.length === 0
      ? 'No attributes specified.'
      : `Fields for multiple attribute types specified: ${given.map(([name]) => name).join(', ')}`)
  }
  if (attributes.enableDnsHostnames === true && !vpc.enableDnsSupport) {
    throw new AwsError('InvalidParameterCombination',
      `DNS hostnames cannot be enabled for ${vpcId} while its attribute enableDnsSupport is false`)
  }
  return { changes: [put('vpc', { ...vpc, ...Object.fromEntries(given) })], result: null }
}

/** A dedicated VPC can become a default one, never the reverse. */
export function planModifyVpcTenancy (view: AccountView, vpcId: string,
  instanceTenancy: string): Plan<null> {
  const vpc = requireRecord(view, 'vpc', vpcId)
  if (instanceTenancy !== 'default') {
    throw new AwsError('InvalidParameterValue',
      `Value (${instanceTenancy}) for parameter instanceTenancy is invalid. The tenancy of a ` +
      'VPC can be changed to default only.')
  }
  return { changes: [put('vpc', { ...vpc, instanceTenancy })], result: null }
}
