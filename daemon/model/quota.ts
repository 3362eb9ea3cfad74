/**
 * Quotas: the one table of how many of each thing there may be. AWS has raised some defaults since
 * the features were described; a lab takes one profile of them:
 *
 *     seed      as described: `value`; a lab that says nothing has it
 *     current   as AWS has it today: `current`, where that differs
 *
 * What a lab has instead of the seed, by its profile or by name, are `quotaOverride` records.
 *
 * Source: AWS VPC User Guide, "Amazon VPC quotas"; Route 53 Developer Guide, "Quotas".
 */
import { AwsError } from './aws_error.ts'
import type { Snapshot } from './snapshot.ts'

export const QUOTA_PROFILES = ['seed', 'current'] as const
export type QuotaProfile = (typeof QUOTA_PROFILES)[number]
export const QUOTA_PROFILE_DEFAULT: QuotaProfile = 'seed'

export interface Quota {
  readonly value: number
  /** AWS's default of today, where it is another. */
  readonly current?: number
  /** EC2's code when the quota is reached. */
  readonly code: string
  /** For the refusal: "The maximum number of … has been reached". */
  readonly what: string
  /** As far as it can be raised, where that is bounded. */
  readonly max?: number
}

/**
 * Rules that an ENI may have by its groups: quota of groups times quota of rules. VPC User Guide,
 * "Amazon VPC quotas", security groups.
 */
const RULES_PER_NETWORK_INTERFACE_MAX = 1000

export const QUOTAS = {
  'vpcs-per-region': { value: 5, code: 'VpcLimitExceeded', what: 'VPCs' },
  'ipv4-cidr-blocks-per-vpc': {
    value: 5, code: 'CidrLimitExceeded', what: 'IPv4 CIDR blocks of a VPC'
  },
  'ipv6-cidr-blocks-per-vpc': {
    value: 5, code: 'CidrLimitExceeded', what: 'IPv6 CIDR blocks of a VPC'
  },
  'subnets-per-vpc': { value: 200, code: 'SubnetLimitExceeded', what: 'subnets of a VPC' },
  'route-tables-per-vpc': {
    value: 200, code: 'RouteTableLimitExceeded', what: 'route tables of a VPC'
  },
  'routes-per-route-table': {
    value: 50, current: 500, code: 'RouteLimitExceeded',
    what: 'routes of a route table and family', max: 1000
  },
  'internet-gateways-per-region': {
    value: 5, code: 'InternetGatewayLimitExceeded', what: 'internet gateways'
  },
  'egress-only-internet-gateways-per-region': {
    value: 5, code: 'EgressOnlyInternetGatewayLimitExceeded',
    what: 'egress-only internet gateways'
  },
  'elastic-ips-per-region': {
    value: 5, code: 'AddressLimitExceeded', what: 'Elastic IP addresses'
  },
  'nat-gateways-per-zone': {
    value: 5, code: 'NatGatewayLimitExceeded', what: 'NAT gateways of an Availability Zone'
  },
  'elastic-ips-per-nat-gateway': {
    value: 2, code: 'AddressLimitExceeded', what: 'Elastic IP addresses of a NAT gateway', max: 8
  },
  'private-ips-per-nat-gateway': {
    value: 8, code: 'PrivateIpAddressLimitExceeded', what: 'addresses of a NAT gateway', max: 8
  },
  'network-interfaces-per-region': {
    value: 5000, code: 'NetworkInterfaceLimitExceeded', what: 'network interfaces'
  },
  'security-groups-per-network-interface': {
    value: 5, code: 'SecurityGroupsPerInterfaceLimitExceeded',
    what: 'security groups of a network interface', max: 16
  },
  'security-groups-per-region': {
    value: 2500, code: 'SecurityGroupLimitExceeded', what: 'security groups'
  },
  'rules-per-security-group': {
    value: 60, code: 'RulesPerSecurityGroupLimitExceeded',
    what: 'rules of a security group, direction and family'
  },
  'prefix-lists-per-region': {
    value: 100, code: 'ResourceLimitExceeded', what: 'prefix lists'
  },
  'network-insights-paths-per-region': {
    value: 1000, code: 'ResourceLimitExceeded', what: 'network insights paths'
  },
  'network-insights-analyses-per-region': {
    value: 1000, code: 'ResourceLimitExceeded', what: 'network insights analyses'
  },
  'network-acls-per-vpc': {
    value: 200, code: 'NetworkAclLimitExceeded', what: 'network ACLs of a VPC'
  },
  'rules-per-network-acl': {
    value: 20, code: 'NetworkAclEntryLimitExceeded',
    what: 'rules of a network ACL, direction and family', max: 40
  },
  'active-peerings-per-vpc': {
    value: 50, code: 'VpcPeeringConnectionsPerVpcLimitExceeded',
    what: 'active VPC peering connections of a VPC', max: 125
  },
  'outstanding-peering-requests': {
    value: 25, code: 'OutstandingVpcPeeringConnectionLimitExceeded',
    what: 'outstanding VPC peering connection requests'
  },
  'vpn-gateways-per-region': {
    value: 5, code: 'VpnGatewayLimitExceeded', what: 'virtual private gateways'
  },
  'customer-gateways-per-region': {
    value: 50, code: 'CustomerGatewayLimitExceeded', what: 'customer gateways'
  },
  'vpn-connections-per-region': {
    value: 50, code: 'VpnConnectionLimitExceeded', what: 'VPN connections'
  },
  'vpn-connections-per-gateway': {
    value: 10, code: 'VpnConnectionLimitExceeded',
    what: 'VPN connections of a virtual private gateway'
  },
  'static-routes-per-vpn-connection': {
    value: 100, code: 'RouteLimitExceeded', what: 'static routes of a VPN connection', max: 100
  },
  'propagated-routes-per-route-table': {
    value: 100, code: 'RouteLimitExceeded', what: 'propagated routes of a route table', max: 100
  },
  'dhcp-options-per-region': {
    value: 100, code: 'DhcpOptionsLimitExceeded', what: 'DHCP option sets'
  },
  'flow-logs-per-resource': {
    value: 2, code: 'FlowLogsLimitExceeded', what: 'flow logs of a VPC, subnet or interface'
  },
  'traffic-mirror-targets-per-region': {
    value: 10_000, code: 'TrafficMirrorTargetLimitExceeded', what: 'traffic mirror targets'
  },
  'traffic-mirror-filters-per-region': {
    value: 10_000, code: 'TrafficMirrorFilterLimitExceeded', what: 'traffic mirror filters'
  },
  'traffic-mirror-rules-per-filter': {
    value: 10, code: 'TrafficMirrorFilterRuleLimitExceeded',
    what: 'rules of a traffic mirror filter'
  },
  'traffic-mirror-sessions-per-region': {
    value: 10_000, code: 'TrafficMirrorSessionLimitExceeded', what: 'traffic mirror sessions'
  },
  'traffic-mirror-sessions-per-source': {
    value: 3, code: 'TrafficMirrorSessionsPerInterfaceLimitExceeded',
    what: 'traffic mirror sessions of a source'
  },
  'traffic-mirror-sources-per-target': {
    value: 10, code: 'TrafficMirrorSourcesPerTargetLimitExceeded',
    what: 'sources of a traffic mirror target'
  },
  'images-per-region': { value: 1000, code: 'ResourceLimitExceeded', what: 'images' },
  'instances-per-region': { value: 1000, code: 'InstanceLimitExceeded', what: 'instances' },
  'stacks-per-region': { value: 2000, code: 'LimitExceededException', what: 'stacks' },
  'hosted-zones-per-account': { value: 500, code: 'TooManyHostedZones', what: 'hosted zones' },
  'vpcs-per-hosted-zone': {
    value: 300, code: 'LimitsExceeded', what: 'VPCs of a private hosted zone'
  },
  'records-per-hosted-zone': {
    value: 10_000, code: 'InvalidChangeBatch', what: 'resource record sets of a hosted zone'
  }
} as const satisfies Record<string, Quota>

export type QuotaName = keyof typeof QUOTAS

export const QUOTA_NAMES = Object.keys(QUOTAS) as readonly QuotaName[]

export function isQuotaName (name: string): name is QuotaName { return Object.hasOwn(QUOTAS, name) }

/** What a quota is while nothing overrides it by name. */
export function quotaDefault (name: QuotaName, profile: QuotaProfile): number {
  const { value, current = value }: Quota = QUOTAS[name]
  return profile === 'current' ? current : value
}

/**
 * The overrides of a lab, by the name of their quota: what differs from the seed.
 * @param values quotas that the lab was given by name; they come before its profile
 */
export function quotaOverrides (profile: QuotaProfile,
  values: Readonly<Record<string, number>>): ReadonlyMap<QuotaName, number> {
  const overrides = new Map<QuotaName, number>()
  for (const name of QUOTA_NAMES) {
    const value = values[name] ?? quotaDefault(name, profile)
    if (value !== QUOTAS[name].value) overrides.set(name, value)
  }
  return overrides
}

/** The quota in force. */
export function quota (snapshot: Snapshot, name: QuotaName): number {
  return snapshot.tables.quotaOverride.get(name)?.value ?? QUOTAS[name].value
}

/**
 * What is wrong with the values that quotas are to have (by name; the others keep the defaults of
 * the profile), in a sentence; null when nothing is.
 */
export function quotaFault (values: Readonly<Record<string, number>>,
  profile = QUOTA_PROFILE_DEFAULT): string | null {
  const valueOf = (name: QuotaName): number => values[name] ?? quotaDefault(name, profile)
  for (const name of QUOTA_NAMES) {
    const { max = Infinity }: Quota = QUOTAS[name]
    if (valueOf(name) > max) {
      return `${name} can be ${String(max)} at most, and not ${String(valueOf(name))}`
    }
  }
  const groups = valueOf('security-groups-per-network-interface')
  const rules = valueOf('rules-per-security-group')
  if (groups * rules <= RULES_PER_NETWORK_INTERFACE_MAX) return null
  return `security-groups-per-network-interface (${String(groups)}) times ` +
    `rules-per-security-group (${String(rules)}) is above ` +
    `${String(RULES_PER_NETWORK_INTERFACE_MAX)}, the most rules that an ENI can have`
}

/**
 * Refuses when `count` things, those asked for included, are more than the quota allows.
 * @throws AwsError with the quota's code
 */
export function checkQuota (snapshot: Snapshot, name: QuotaName, count: number): void {
  const allowed = quota(snapshot, name)
  if (count <= allowed) return
  throw new AwsError(QUOTAS[name].code,
    `The maximum number of ${QUOTAS[name].what} has been reached: ${String(count)} would exceed ` +
    `${String(allowed)} (quota ${name})`)
}
