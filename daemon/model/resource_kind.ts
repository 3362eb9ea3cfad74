/**
 * What EC2 calls each kind of resource: the prefix of its ids, its name in tag filters, and its
 * error codes. The codes are irregular on AWS; they are copied, not derived.
 *
 * Source: EC2 API Reference, "Error codes for the Amazon EC2 API"; TagSpecification,
 * `ResourceType`.
 */
import { isWellFormedId } from '../base/ids.ts'
import { AwsError } from './aws_error.ts'
import type { AccountView, NounRecords, OwnedNoun } from './snapshot.ts'

export interface ResourceKind {
  /** Id prefix without the dash. */
  readonly prefix: string
  /** As TagSpecifications and DescribeTags name it; null for what carries no tags. */
  readonly resourceType: string | null
  /** As EC2's messages name it: `The vpc ID 'vpc-…' does not exist`. */
  readonly label: string
  readonly malformedCode: string
  readonly notFoundCode: string
}

export const RESOURCE_KINDS: { readonly [N in OwnedNoun]: ResourceKind } = {
  vpc: {
    prefix: 'vpc', resourceType: 'vpc', label: 'vpc ID',
    malformedCode: 'InvalidVpcID.Malformed', notFoundCode: 'InvalidVpcID.NotFound'
  },
  subnet: {
    prefix: 'subnet', resourceType: 'subnet', label: 'subnet ID',
    malformedCode: 'InvalidSubnetID.Malformed', notFoundCode: 'InvalidSubnetID.NotFound'
  },
  networkInterface: {
    prefix: 'eni', resourceType: 'network-interface', label: 'networkInterface ID',
    malformedCode: 'InvalidNetworkInterfaceId.Malformed',
    notFoundCode: 'InvalidNetworkInterfaceID.NotFound'
  },
  networkInterfacePermission: {
    prefix: 'eni-perm', resourceType: null, label: 'network interface permission ID',
    malformedCode: 'InvalidPermissionID.Malformed', notFoundCode: 'InvalidPermissionID.NotFound'
  },
  instance: {
    prefix: 'i', resourceType: 'instance', label: 'instance ID',
    malformedCode: 'InvalidInstanceID.Malformed', notFoundCode: 'InvalidInstanceID.NotFound'
  },
  image: {
    prefix: 'ami', resourceType: 'image', label: 'image id',
    malformedCode: 'InvalidAMIID.Malformed', notFoundCode: 'InvalidAMIID.NotFound'
  },
  routeTable: {
    prefix: 'rtb', resourceType: 'route-table', label: 'routeTable ID',
    malformedCode: 'InvalidRouteTableId.Malformed', notFoundCode: 'InvalidRouteTableID.NotFound'
  },
  internetGateway: {
    prefix: 'igw', resourceType: 'internet-gateway', label: 'internetGateway ID',
    malformedCode: 'InvalidInternetGatewayId.Malformed',
    notFoundCode: 'InvalidInternetGatewayID.NotFound'
  },
  egressOnlyInternetGateway: {
    prefix: 'eigw', resourceType: 'egress-only-internet-gateway',
    label: 'egress-only internet gateway ID',
    malformedCode: 'InvalidEgressOnlyInternetGatewayId.Malformed',
    notFoundCode: 'InvalidGatewayID.NotFound'
  },
  natGateway: {
    prefix: 'nat', resourceType: 'natgateway', label: 'NatGateway ID',
    malformedCode: 'NatGatewayMalformed', notFoundCode: 'NatGatewayNotFound'
  },
  address: {
    prefix: 'eipalloc', resourceType: 'elastic-ip', label: 'allocation ID',
    malformedCode: 'InvalidAllocationID.Malformed', notFoundCode: 'InvalidAllocationID.NotFound'
  },
  securityGroup: {
    prefix: 'sg', resourceType: 'security-group', label: 'security group',
    malformedCode: 'InvalidGroupId.Malformed', notFoundCode: 'InvalidGroup.NotFound'
  },
  networkAcl: {
    prefix: 'acl', resourceType: 'network-acl', label: 'networkAcl ID',
    malformedCode: 'InvalidNetworkAclId.Malformed', notFoundCode: 'InvalidNetworkAclID.NotFound'
  },
  vpcPeeringConnection: {
    prefix: 'pcx', resourceType: 'vpc-peering-connection', label: 'vpcPeeringConnection ID',
    malformedCode: 'InvalidVpcPeeringConnectionId.Malformed',
    notFoundCode: 'InvalidVpcPeeringConnectionID.NotFound'
  },
  vpnGateway: {
    prefix: 'vgw', resourceType: 'vpn-gateway', label: 'vpnGateway ID',
    malformedCode: 'InvalidVpnGatewayID.Malformed', notFoundCode: 'InvalidVpnGatewayID.NotFound'
  },
  customerGateway: {
    prefix: 'cgw', resourceType: 'customer-gateway', label: 'customerGateway ID',
    malformedCode: 'InvalidCustomerGatewayId.Malformed',
    notFoundCode: 'InvalidCustomerGatewayID.NotFound'
  },
  vpnConnection: {
    prefix: 'vpn', resourceType: 'vpn-connection', label: 'vpnConnection ID',
    malformedCode: 'InvalidVpnConnectionID.Malformed',
    notFoundCode: 'InvalidVpnConnectionID.NotFound'
  },
  prefixList: {
    prefix: 'pl', resourceType: 'prefix-list', label: 'prefix list ID',
    malformedCode: 'InvalidPrefixListId.Malformed', notFoundCode: 'InvalidPrefixListID.NotFound'
  },
  trafficMirrorTarget: {
    prefix: 'tmt', resourceType: 'traffic-mirror-target', label: 'traffic mirror target ID',
    malformedCode: 'InvalidTrafficMirrorTargetId.Malformed',
    notFoundCode: 'InvalidTrafficMirrorTargetId.NotFound'
  },
  trafficMirrorFilter: {
    prefix: 'tmf', resourceType: 'traffic-mirror-filter', label: 'traffic mirror filter ID',
    malformedCode: 'InvalidTrafficMirrorFilterId.Malformed',
    notFoundCode: 'InvalidTrafficMirrorFilterId.NotFound'
  },
  trafficMirrorFilterRule: {
    prefix: 'tmfr', resourceType: 'traffic-mirror-filter-rule',
    label: 'traffic mirror filter rule ID',
    malformedCode: 'InvalidTrafficMirrorFilterRuleId.Malformed',
    notFoundCode: 'InvalidTrafficMirrorFilterRuleId.NotFound'
  },
  trafficMirrorSession: {
    prefix: 'tms', resourceType: 'traffic-mirror-session', label: 'traffic mirror session ID',
    malformedCode: 'InvalidTrafficMirrorSessionId.Malformed',
    notFoundCode: 'InvalidTrafficMirrorSessionId.NotFound'
  },
  networkInsightsPath: {
    prefix: 'nip', resourceType: 'network-insights-path', label: 'network insights path ID',
    malformedCode: 'InvalidNetworkInsightsPathId.Malformed',
    notFoundCode: 'InvalidNetworkInsightsPathId.NotFound'
  },
  networkInsightsAnalysis: {
    prefix: 'nia', resourceType: 'network-insights-analysis',
    label: 'network insights analysis ID',
    malformedCode: 'InvalidNetworkInsightsAnalysisId.Malformed',
    notFoundCode: 'InvalidNetworkInsightsAnalysisId.NotFound'
  },
  dhcpOptions: {
    prefix: 'dopt', resourceType: 'dhcp-options', label: 'dhcpOptions ID',
    malformedCode: 'InvalidDhcpOptionsId.Malformed', notFoundCode: 'InvalidDhcpOptionID.NotFound'
  },
  flowLog: {
    prefix: 'fl', resourceType: 'vpc-flow-log', label: 'flow log ID',
    malformedCode: 'InvalidFlowLogId.Malformed', notFoundCode: 'InvalidFlowLogId.NotFound'
  }
}

export const OWNED_NOUNS = Object.keys(RESOURCE_KINDS) as readonly OwnedNoun[]

/** Refuses an id that cannot be one of this noun. */
export function checkIdForm (noun: OwnedNoun, id: string): void {
  const kind = RESOURCE_KINDS[noun]
  if (isWellFormedId(kind.prefix, id)) return
  throw new AwsError(kind.malformedCode,
    `Invalid id: "${id}" (expecting "${kind.prefix}-" and 8 or 17 hexadecimal digits)`)
}

/** The `.NotFound` of a noun, for one id or several. */
export function notFound (noun: OwnedNoun, ...ids: readonly string[]): AwsError {
  const kind = RESOURCE_KINDS[noun]
  const list = ids.join(', ')
  return new AwsError(kind.notFoundCode, ids.length === 1
    ? `The ${kind.label} '${list}' does not exist`
    : `The ${kind.label}s '${list}' do not exist`)
}

/**
 * The caller's record of that id.
 * @throws AwsError malformed or not found; another account's or Region's record is not found
 */
export function requireRecord<N extends OwnedNoun> (view: AccountView, noun: N,
  id: string): NounRecords[N] {
  checkIdForm(noun, id)
  const record = view.get(noun, id)
  if (record === undefined) throw notFound(noun, id)
  return record
}
