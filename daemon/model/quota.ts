/**
 * Quotas: the one table of how many of each thing there may be, with AWS's default of the day the
 * feature was described. A `quotaOverride` record raises or lowers one
 * for the whole lab; nothing else does.
 *
 * Source: AWS VPC User Guide, "Amazon VPC quotas".
 */
import { AwsError } from './aws_error.ts'
import type { Snapshot } from './snapshot.ts'

export interface Quota {
  readonly value: number
  /** EC2's code when the quota is reached. */
  readonly code: string
  /** For the refusal: "The maximum number of … has been reached". */
  readonly what: string
}

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
    value: 50, code: 'RouteLimitExceeded', what: 'routes of a route table and family'
  },
  'network-interfaces-per-region': {
    value: 5000, code: 'NetworkInterfaceLimitExceeded', what: 'network interfaces'
  },
  'security-groups-per-network-interface': {
    value: 5, code: 'SecurityGroupsPerInterfaceLimitExceeded',
    what: 'security groups of a network interface'
  },
  'security-groups-per-region': {
    value: 2500, code: 'SecurityGroupLimitExceeded', what: 'security groups'
  },
  'rules-per-security-group': {
    value: 60, code: 'RulesPerSecurityGroupLimitExceeded',
    what: 'rules of a security group and direction'
  },
  'network-acls-per-vpc': {
    value: 200, code: 'NetworkAclLimitExceeded', what: 'network ACLs of a VPC'
  },
  'rules-per-network-acl': {
    value: 20, code: 'NetworkAclEntryLimitExceeded', what: 'rules of a network ACL and direction'
  },
  'dhcp-options-per-region': {
    value: 100, code: 'DhcpOptionsLimitExceeded', what: 'DHCP option sets'
  },
  'instances-per-region': { value: 1000, code: 'InstanceLimitExceeded', what: 'instances' }
} as const satisfies Record<string, Quota>

export type QuotaName = keyof typeof QUOTAS

export const QUOTA_NAMES = Object.keys(QUOTAS) as readonly QuotaName[]

export function isQuotaName (name: string): name is QuotaName { return Object.hasOwn(QUOTAS, name) }

/** The quota in force. */
export function quota (snapshot: Snapshot, name: QuotaName): number {
  return snapshot.tables.quotaOverride.get(name)?.value ?? QUOTAS[name].value
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
