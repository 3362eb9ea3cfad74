/**
 * The resource types of AWS Config whose past can be asked for, and the EC2 action that describes
 * each. AWS Config Developer Guide, "Supported resource types".
 */
import type {
  DescribeAddressesResult, DescribeCustomerGatewaysResult, DescribeDhcpOptionsResult,
  DescribeEgressOnlyInternetGatewaysResult, DescribeFlowLogsResult, DescribeInstancesResult,
  DescribeInternetGatewaysResult, DescribeManagedPrefixListsResult, DescribeNatGatewaysResult,
  DescribeNetworkAclsResult, DescribeNetworkInsightsAnalysesResult,
  DescribeNetworkInsightsPathsResult, DescribeNetworkInterfacesResult, DescribeRouteTablesResult,
  DescribeSecurityGroupsResult, DescribeSubnetsResult, DescribeTrafficMirrorFiltersResult,
  DescribeTrafficMirrorSessionsResult, DescribeTrafficMirrorTargetsResult,
  DescribeVpcPeeringConnectionsResult, DescribeVpcsResult, DescribeVpnConnectionsResult,
  DescribeVpnGatewaysResult, VpnConnection
} from '@aws-sdk/client-ec2'
import type { OwnedNoun } from '../../model/snapshot.ts'

export interface ResourceDescription {
  readonly noun: OwnedNoun
  /** EC2 action and its parameter for ids. */
  readonly action: string
  readonly idsParameter: string
  /** The one resource in the action's output; null when it is not there, or as good as gone. */
  descriptionIn(output: object): object | null
}

export const RESOURCE_DESCRIPTIONS: Readonly<Record<string, ResourceDescription>> = {
  'AWS::EC2::CustomerGateway': {
    noun: 'customerGateway', action: 'DescribeCustomerGateways',
    idsParameter: 'CustomerGatewayIds',
    descriptionIn: ({ CustomerGateways: [gateway] = [] }: DescribeCustomerGatewaysResult) =>
      alive(gateway)
  },
  'AWS::EC2::DHCPOptions': {
    noun: 'dhcpOptions', action: 'DescribeDhcpOptions', idsParameter: 'DhcpOptionsIds',
    descriptionIn: ({ DhcpOptions: [options] = [] }: DescribeDhcpOptionsResult) => options ?? null
  },
  'AWS::EC2::EgressOnlyInternetGateway': {
    noun: 'egressOnlyInternetGateway', action: 'DescribeEgressOnlyInternetGateways',
    idsParameter: 'EgressOnlyInternetGatewayIds',
    descriptionIn: ({ EgressOnlyInternetGateways: [gateway] = [] }:
    DescribeEgressOnlyInternetGatewaysResult) => gateway ?? null
  },
  'AWS::EC2::EIP': {
    noun: 'address', action: 'DescribeAddresses', idsParameter: 'AllocationIds',
    descriptionIn: ({ Addresses: [address] = [] }: DescribeAddressesResult) => address ?? null
  },
  'AWS::EC2::FlowLog': {
    noun: 'flowLog', action: 'DescribeFlowLogs', idsParameter: 'FlowLogIds',
    descriptionIn: ({ FlowLogs: [log] = [] }: DescribeFlowLogsResult) => log ?? null
  },
  'AWS::EC2::Instance': {
    noun: 'instance', action: 'DescribeInstances', idsParameter: 'InstanceIds',
    descriptionIn: ({ Reservations: [reservation] = [] }: DescribeInstancesResult) => {
      const [instance] = reservation?.Instances ?? []
      // Config counts a terminated instance as deleted, as long as EC2 still shows it.
      return instance?.State?.Name === 'terminated' ? null : instance ?? null
    }
  },
  'AWS::EC2::InternetGateway': {
    noun: 'internetGateway', action: 'DescribeInternetGateways',
    idsParameter: 'InternetGatewayIds',
    descriptionIn: ({ InternetGateways: [gateway] = [] }: DescribeInternetGatewaysResult) =>
      gateway ?? null
  },
  'AWS::EC2::NatGateway': {
    noun: 'natGateway', action: 'DescribeNatGateways', idsParameter: 'NatGatewayIds',
    descriptionIn: ({ NatGateways: [gateway] = [] }: DescribeNatGatewaysResult) => alive(gateway)
  },
  'AWS::EC2::NetworkAcl': {
    noun: 'networkAcl', action: 'DescribeNetworkAcls', idsParameter: 'NetworkAclIds',
    descriptionIn: ({ NetworkAcls: [acl] = [] }: DescribeNetworkAclsResult) => acl ?? null
  },
  'AWS::EC2::NetworkInsightsAnalysis': {
    noun: 'networkInsightsAnalysis', action: 'DescribeNetworkInsightsAnalyses',
    idsParameter: 'NetworkInsightsAnalysisIds',
    descriptionIn: ({ NetworkInsightsAnalyses: [analysis] = [] }:
    DescribeNetworkInsightsAnalysesResult) => analysis ?? null
  },
  'AWS::EC2::NetworkInsightsPath': {
    noun: 'networkInsightsPath', action: 'DescribeNetworkInsightsPaths',
    idsParameter: 'NetworkInsightsPathIds',
    descriptionIn: ({ NetworkInsightsPaths: [path] = [] }: DescribeNetworkInsightsPathsResult) =>
      path ?? null
  },
  'AWS::EC2::NetworkInterface': {
    noun: 'networkInterface', action: 'DescribeNetworkInterfaces',
    idsParameter: 'NetworkInterfaceIds',
    descriptionIn: ({ NetworkInterfaces: [eni] = [] }: DescribeNetworkInterfacesResult) =>
      eni ?? null
  },
  'AWS::EC2::PrefixList': {
    noun: 'prefixList', action: 'DescribeManagedPrefixLists', idsParameter: 'PrefixListIds',
    descriptionIn: ({ PrefixLists: [list] = [] }: DescribeManagedPrefixListsResult) => list ?? null
  },
  'AWS::EC2::RouteTable': {
    noun: 'routeTable', action: 'DescribeRouteTables', idsParameter: 'RouteTableIds',
    descriptionIn: ({ RouteTables: [table] = [] }: DescribeRouteTablesResult) => table ?? null
  },
  'AWS::EC2::SecurityGroup': {
    noun: 'securityGroup', action: 'DescribeSecurityGroups', idsParameter: 'GroupIds',
    descriptionIn: ({ SecurityGroups: [group] = [] }: DescribeSecurityGroupsResult) =>
      group ?? null
  },
  'AWS::EC2::Subnet': {
    noun: 'subnet', action: 'DescribeSubnets', idsParameter: 'SubnetIds',
    descriptionIn: ({ Subnets: [subnet] = [] }: DescribeSubnetsResult) => subnet ?? null
  },
  'AWS::EC2::TrafficMirrorFilter': {
    noun: 'trafficMirrorFilter', action: 'DescribeTrafficMirrorFilters',
    idsParameter: 'TrafficMirrorFilterIds',
    descriptionIn: ({ TrafficMirrorFilters: [filter] = [] }: DescribeTrafficMirrorFiltersResult) =>
      filter ?? null
  },
  'AWS::EC2::TrafficMirrorSession': {
    noun: 'trafficMirrorSession', action: 'DescribeTrafficMirrorSessions',
    idsParameter: 'TrafficMirrorSessionIds',
    descriptionIn: ({ TrafficMirrorSessions: [session] = [] }:
    DescribeTrafficMirrorSessionsResult) => session ?? null
  },
  'AWS::EC2::TrafficMirrorTarget': {
    noun: 'trafficMirrorTarget', action: 'DescribeTrafficMirrorTargets',
    idsParameter: 'TrafficMirrorTargetIds',
    descriptionIn: ({ TrafficMirrorTargets: [target] = [] }: DescribeTrafficMirrorTargetsResult) =>
      target ?? null
  },
  'AWS::EC2::VPC': {
    noun: 'vpc', action: 'DescribeVpcs', idsParameter: 'VpcIds',
    descriptionIn: ({ Vpcs: [vpc] = [] }: DescribeVpcsResult) => vpc ?? null
  },
  'AWS::EC2::VPCPeeringConnection': {
    noun: 'vpcPeeringConnection', action: 'DescribeVpcPeeringConnections',
    idsParameter: 'VpcPeeringConnectionIds',
    descriptionIn: ({ VpcPeeringConnections: [peering] = [] }:
    DescribeVpcPeeringConnectionsResult) => peering ?? null
  },
  'AWS::EC2::VPNConnection': {
    noun: 'vpnConnection', action: 'DescribeVpnConnections', idsParameter: 'VpnConnectionIds',
    descriptionIn: ({ VpnConnections: [connection] = [] }: DescribeVpnConnectionsResult) =>
      alive(connection === undefined ? undefined : withoutKeys(connection))
  },
  'AWS::EC2::VPNGateway': {
    noun: 'vpnGateway', action: 'DescribeVpnGateways', idsParameter: 'VpnGatewayIds',
    descriptionIn: ({ VpnGateways: [gateway] = [] }: DescribeVpnGatewaysResult) => alive(gateway)
  }
}

/** What is deleted is gone for Config, as long as EC2 still shows it. */
function alive (thing: { readonly State?: string | undefined } | undefined): object | null {
  return thing === undefined || thing.State?.startsWith('delet') === true ? null : thing
}

/** The past shows no pre-shared keys, and no telemetry: that is no change of the resource. */
function withoutKeys (connection: VpnConnection): VpnConnection {
  const { Options } = connection
  return {
    ...connection, CustomerGatewayConfiguration: undefined, VgwTelemetry: undefined,
    Options: { ...Options, TunnelOptions: Options?.TunnelOptions?.map((tunnel) =>
      ({ ...tunnel, PreSharedKey: undefined })) }
  }
}
