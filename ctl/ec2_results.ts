/**
 * The EC2 actions that `vpcctl` calls, and what each answers: the SDK's own types, which cost
 * nothing at run time. (Members that are `Date` there are ISO 8601 texts here; see ec2_answer.ts.)
 * A new action is one line; the test of ec2_answer.ts then checks its names.
 */
import type {
  AssignIpv6AddressesResult, AssignPrivateIpAddressesResult, AssociateRouteTableResult,
  AssociateSubnetCidrBlockResult, AssociateVpcCidrBlockResult, AttachNetworkInterfaceResult,
  AuthorizeSecurityGroupEgressResult, AuthorizeSecurityGroupIngressResult,
  CreateDhcpOptionsResult, CreateManagedPrefixListResult, CreateNetworkAclResult,
  CreateNetworkInterfacePermissionResult,
  CreateNetworkInterfaceResult, CreateRouteTableResult, CreateSecurityGroupResult,
  CreateSubnetCidrReservationResult, CreateSubnetResult, CreateVpcResult,
  DeleteManagedPrefixListResult, DeleteNetworkInterfacePermissionResult,
  DeleteSubnetCidrReservationResult, DescribeManagedPrefixListsResult,
  DescribeStaleSecurityGroupsResult, GetManagedPrefixListAssociationsResult,
  GetManagedPrefixListEntriesResult, ModifyManagedPrefixListResult,
  RestoreManagedPrefixListVersionResult,
  DescribeAccountAttributesResult, DescribeAvailabilityZonesResult, DescribeDhcpOptionsResult,
  DescribeImagesResult, DescribeInstanceStatusResult, DescribeInstanceTypesResult,
  DescribeInstancesResult, DescribeNetworkAclsResult, DescribeNetworkInterfaceAttributeResult,
  DescribeNetworkInterfacePermissionsResult, DescribeNetworkInterfacesResult,
  DescribeRegionsResult, DescribeRouteTablesResult, DescribeSecurityGroupRulesResult,
  DescribeSecurityGroupsResult, DescribeSubnetsResult, DescribeTagsResult,
  DescribeVpcAttributeResult, DescribeVpcsResult, GetSubnetCidrReservationsResult,
  GetInstanceMetadataDefaultsResult, ModifyInstanceMetadataDefaultsResult,
  ModifyInstanceMetadataOptionsResult, ModifyPrivateDnsNameOptionsResult,
  InstanceAttribute, ModifyAvailabilityZoneGroupResult, ModifyVpcTenancyResult,
  RegisterImageResult, ReplaceNetworkAclAssociationResult, ReplaceRouteTableAssociationResult,
  Reservation,
  CreateFlowLogsResult, DeleteFlowLogsResult, DescribeFlowLogsResult,
  CreateTrafficMirrorFilterResult, CreateTrafficMirrorFilterRuleResult,
  CreateTrafficMirrorSessionResult, CreateTrafficMirrorTargetResult,
  DeleteTrafficMirrorFilterResult, DeleteTrafficMirrorFilterRuleResult,
  DeleteTrafficMirrorSessionResult, DeleteTrafficMirrorTargetResult,
  DescribeTrafficMirrorFilterRulesResult, DescribeTrafficMirrorFiltersResult,
  DescribeTrafficMirrorSessionsResult, DescribeTrafficMirrorTargetsResult,
  ModifyTrafficMirrorFilterNetworkServicesResult, ModifyTrafficMirrorFilterRuleResult,
  ModifyTrafficMirrorSessionResult,
  AcceptAddressTransferResult, AllocateAddressResult, AssignPrivateNatGatewayAddressResult,
  AssociateAddressResult, AssociateNatGatewayAddressResult, CreateDefaultSubnetResult,
  CreateDefaultVpcResult, CreateEgressOnlyInternetGatewayResult, CreateInternetGatewayResult,
  CreateNatGatewayResult, DeleteEgressOnlyInternetGatewayResult, DeleteNatGatewayResult,
  DescribeAddressTransfersResult, DescribeAddressesResult, DescribeAddressesAttributeResult,
  DescribeEgressOnlyInternetGatewaysResult, DescribeInternetGatewaysResult,
  DescribeNatGatewaysResult, DisableAddressTransferResult, DisassociateNatGatewayAddressResult,
  EnableAddressTransferResult, ModifyAddressAttributeResult, ResetAddressAttributeResult,
  UnassignPrivateNatGatewayAddressResult,
  AcceptVpcPeeringConnectionResult, CreateVpcPeeringConnectionResult,
  DeleteVpcPeeringConnectionResult, DescribeSecurityGroupReferencesResult,
  DescribeVpcPeeringConnectionsResult, ModifyVpcPeeringConnectionOptionsResult,
  RejectVpcPeeringConnectionResult,
  GetConsoleOutputResult,
  AttachVpnGatewayResult, CreateCustomerGatewayResult,
  CreateVpnConnectionResult, CreateVpnGatewayResult,
  DescribeCustomerGatewaysResult, DescribeVpnConnectionsResult,
  DescribeVpnGatewaysResult, GetActiveVpnTunnelStatusResult,
  GetVpnConnectionDeviceSampleConfigurationResult, GetVpnConnectionDeviceTypesResult,
  GetVpnTunnelReplacementStatusResult, ModifyVpnConnectionResult,
  ModifyVpnConnectionOptionsResult, ModifyVpnTunnelCertificateResult,
  ModifyVpnTunnelOptionsResult, ReplaceVpnTunnelResult,
  StartInstancesResult, StopInstancesResult, TerminateInstancesResult
} from '@aws-sdk/client-ec2'

/** Calls that answer with nothing worth reading (`return` is always true). */
type Nothing = Readonly<Record<string, never>>

export interface Ec2Results {
  AcceptAddressTransfer: AcceptAddressTransferResult
  AcceptVpcPeeringConnection: AcceptVpcPeeringConnectionResult
  AllocateAddress: AllocateAddressResult
  AssignIpv6Addresses: AssignIpv6AddressesResult
  AssignPrivateIpAddresses: AssignPrivateIpAddressesResult
  AssignPrivateNatGatewayAddress: AssignPrivateNatGatewayAddressResult
  AssociateAddress: AssociateAddressResult
  AssociateDhcpOptions: Nothing
  AssociateNatGatewayAddress: AssociateNatGatewayAddressResult
  AssociateRouteTable: AssociateRouteTableResult
  AssociateSubnetCidrBlock: AssociateSubnetCidrBlockResult
  AssociateVpcCidrBlock: AssociateVpcCidrBlockResult
  AttachInternetGateway: Nothing
  AttachNetworkInterface: AttachNetworkInterfaceResult
  AttachVpnGateway: AttachVpnGatewayResult
  AuthorizeSecurityGroupEgress: AuthorizeSecurityGroupEgressResult
  AuthorizeSecurityGroupIngress: AuthorizeSecurityGroupIngressResult
  CreateCustomerGateway: CreateCustomerGatewayResult
  CreateDefaultSubnet: CreateDefaultSubnetResult
  CreateDefaultVpc: CreateDefaultVpcResult
  CreateDhcpOptions: CreateDhcpOptionsResult
  CreateEgressOnlyInternetGateway: CreateEgressOnlyInternetGatewayResult
  CreateFlowLogs: CreateFlowLogsResult
  CreateInternetGateway: CreateInternetGatewayResult
  CreateManagedPrefixList: CreateManagedPrefixListResult
  CreateNatGateway: CreateNatGatewayResult
  CreateNetworkAcl: CreateNetworkAclResult
  CreateNetworkAclEntry: Nothing
  CreateNetworkInterface: CreateNetworkInterfaceResult
  CreateNetworkInterfacePermission: CreateNetworkInterfacePermissionResult
  CreateRoute: Nothing
  CreateRouteTable: CreateRouteTableResult
  CreateSecurityGroup: CreateSecurityGroupResult
  CreateSubnet: CreateSubnetResult
  CreateSubnetCidrReservation: CreateSubnetCidrReservationResult
  CreateTags: Nothing
  CreateTrafficMirrorFilter: CreateTrafficMirrorFilterResult
  CreateTrafficMirrorFilterRule: CreateTrafficMirrorFilterRuleResult
  CreateTrafficMirrorSession: CreateTrafficMirrorSessionResult
  CreateTrafficMirrorTarget: CreateTrafficMirrorTargetResult
  CreateVpc: CreateVpcResult
  CreateVpcPeeringConnection: CreateVpcPeeringConnectionResult
  CreateVpnConnection: CreateVpnConnectionResult
  CreateVpnConnectionRoute: Nothing
  CreateVpnGateway: CreateVpnGatewayResult
  DeleteCustomerGateway: Nothing
  DeleteDhcpOptions: Nothing
  DeleteEgressOnlyInternetGateway: DeleteEgressOnlyInternetGatewayResult
  DeleteFlowLogs: DeleteFlowLogsResult
  DeleteInternetGateway: Nothing
  DeleteManagedPrefixList: DeleteManagedPrefixListResult
  DeleteNatGateway: DeleteNatGatewayResult
  DeleteNetworkAcl: Nothing
  DeleteNetworkAclEntry: Nothing
  DeleteNetworkInterface: Nothing
  DeleteNetworkInterfacePermission: DeleteNetworkInterfacePermissionResult
  DeleteRoute: Nothing
  DeleteRouteTable: Nothing
  DeleteSecurityGroup: Nothing
  DeleteSubnet: Nothing
  DeleteSubnetCidrReservation: DeleteSubnetCidrReservationResult
  DeleteTags: Nothing
  DeleteTrafficMirrorFilter: DeleteTrafficMirrorFilterResult
  DeleteTrafficMirrorFilterRule: DeleteTrafficMirrorFilterRuleResult
  DeleteTrafficMirrorSession: DeleteTrafficMirrorSessionResult
  DeleteTrafficMirrorTarget: DeleteTrafficMirrorTargetResult
  DeleteVpc: Nothing
  DeleteVpcPeeringConnection: DeleteVpcPeeringConnectionResult
  DeleteVpnConnection: Nothing
  DeleteVpnConnectionRoute: Nothing
  DeleteVpnGateway: Nothing
  DeregisterImage: Nothing
  DescribeAccountAttributes: DescribeAccountAttributesResult
  DescribeAddressTransfers: DescribeAddressTransfersResult
  DescribeAddresses: DescribeAddressesResult
  DescribeAddressesAttribute: DescribeAddressesAttributeResult
  DescribeAvailabilityZones: DescribeAvailabilityZonesResult
  DescribeCustomerGateways: DescribeCustomerGatewaysResult
  DescribeDhcpOptions: DescribeDhcpOptionsResult
  DescribeEgressOnlyInternetGateways: DescribeEgressOnlyInternetGatewaysResult
  DescribeFlowLogs: DescribeFlowLogsResult
  DescribeImages: DescribeImagesResult
  DescribeInstanceAttribute: InstanceAttribute
  DescribeInstanceStatus: DescribeInstanceStatusResult
  DescribeInstanceTypes: DescribeInstanceTypesResult
  DescribeInstances: DescribeInstancesResult
  DescribeInternetGateways: DescribeInternetGatewaysResult
  DescribeManagedPrefixLists: DescribeManagedPrefixListsResult
  DescribeNatGateways: DescribeNatGatewaysResult
  DescribeNetworkAcls: DescribeNetworkAclsResult
  DescribeNetworkInterfaceAttribute: DescribeNetworkInterfaceAttributeResult
  DescribeNetworkInterfacePermissions: DescribeNetworkInterfacePermissionsResult
  DescribeNetworkInterfaces: DescribeNetworkInterfacesResult
  DescribeRegions: DescribeRegionsResult
  DescribeRouteTables: DescribeRouteTablesResult
  DescribeSecurityGroupReferences: DescribeSecurityGroupReferencesResult
  DescribeSecurityGroupRules: DescribeSecurityGroupRulesResult
  DescribeSecurityGroups: DescribeSecurityGroupsResult
  DescribeStaleSecurityGroups: DescribeStaleSecurityGroupsResult
  DescribeSubnets: DescribeSubnetsResult
  DescribeTags: DescribeTagsResult
  DescribeTrafficMirrorFilterRules: DescribeTrafficMirrorFilterRulesResult
  DescribeTrafficMirrorFilters: DescribeTrafficMirrorFiltersResult
  DescribeTrafficMirrorSessions: DescribeTrafficMirrorSessionsResult
  DescribeTrafficMirrorTargets: DescribeTrafficMirrorTargetsResult
  DescribeVpcAttribute: DescribeVpcAttributeResult
  DescribeVpcPeeringConnections: DescribeVpcPeeringConnectionsResult
  DescribeVpcs: DescribeVpcsResult
  DescribeVpnConnections: DescribeVpnConnectionsResult
  DescribeVpnGateways: DescribeVpnGatewaysResult
  DetachInternetGateway: Nothing
  DetachNetworkInterface: Nothing
  DetachVpnGateway: Nothing
  DisableAddressTransfer: DisableAddressTransferResult
  DisableVgwRoutePropagation: Nothing
  DisassociateAddress: Nothing
  DisassociateNatGatewayAddress: DisassociateNatGatewayAddressResult
  DisassociateRouteTable: Nothing
  DisassociateSubnetCidrBlock: Nothing
  DisassociateVpcCidrBlock: Nothing
  EnableAddressTransfer: EnableAddressTransferResult
  EnableVgwRoutePropagation: Nothing
  GetActiveVpnTunnelStatus: GetActiveVpnTunnelStatusResult
  GetConsoleOutput: GetConsoleOutputResult
  GetInstanceMetadataDefaults: GetInstanceMetadataDefaultsResult
  GetManagedPrefixListAssociations: GetManagedPrefixListAssociationsResult
  GetManagedPrefixListEntries: GetManagedPrefixListEntriesResult
  GetSubnetCidrReservations: GetSubnetCidrReservationsResult
  GetVpnConnectionDeviceSampleConfiguration: GetVpnConnectionDeviceSampleConfigurationResult
  GetVpnConnectionDeviceTypes: GetVpnConnectionDeviceTypesResult
  GetVpnTunnelReplacementStatus: GetVpnTunnelReplacementStatusResult
  ModifyAddressAttribute: ModifyAddressAttributeResult
  ModifyAvailabilityZoneGroup: ModifyAvailabilityZoneGroupResult
  ModifyInstanceAttribute: Nothing
  ModifyInstanceMetadataDefaults: ModifyInstanceMetadataDefaultsResult
  ModifyInstanceMetadataOptions: ModifyInstanceMetadataOptionsResult
  ModifyManagedPrefixList: ModifyManagedPrefixListResult
  ModifyNetworkInterfaceAttribute: Nothing
  ModifyPrivateDnsNameOptions: ModifyPrivateDnsNameOptionsResult
  ModifySecurityGroupRules: Nothing
  ModifySubnetAttribute: Nothing
  ModifyTrafficMirrorFilterNetworkServices: ModifyTrafficMirrorFilterNetworkServicesResult
  ModifyTrafficMirrorFilterRule: ModifyTrafficMirrorFilterRuleResult
  ModifyTrafficMirrorSession: ModifyTrafficMirrorSessionResult
  ModifyVpcAttribute: Nothing
  ModifyVpcPeeringConnectionOptions: ModifyVpcPeeringConnectionOptionsResult
  ModifyVpcTenancy: ModifyVpcTenancyResult
  ModifyVpnConnection: ModifyVpnConnectionResult
  ModifyVpnConnectionOptions: ModifyVpnConnectionOptionsResult
  ModifyVpnTunnelCertificate: ModifyVpnTunnelCertificateResult
  ModifyVpnTunnelOptions: ModifyVpnTunnelOptionsResult
  RebootInstances: Nothing
  RegisterImage: RegisterImageResult
  RejectVpcPeeringConnection: RejectVpcPeeringConnectionResult
  ReleaseAddress: Nothing
  ReplaceNetworkAclAssociation: ReplaceNetworkAclAssociationResult
  ReplaceNetworkAclEntry: Nothing
  ReplaceRoute: Nothing
  ReplaceRouteTableAssociation: ReplaceRouteTableAssociationResult
  ReplaceVpnTunnel: ReplaceVpnTunnelResult
  ResetAddressAttribute: ResetAddressAttributeResult
  ResetNetworkInterfaceAttribute: Nothing
  RestoreManagedPrefixListVersion: RestoreManagedPrefixListVersionResult
  RevokeSecurityGroupEgress: Nothing
  RevokeSecurityGroupIngress: Nothing
  RunInstances: Reservation
  StartInstances: StartInstancesResult
  StopInstances: StopInstancesResult
  TerminateInstances: TerminateInstancesResult
  UnassignIpv6Addresses: Nothing
  UnassignPrivateIpAddresses: Nothing
  UnassignPrivateNatGatewayAddress: UnassignPrivateNatGatewayAddressResult
  UpdateSecurityGroupRuleDescriptionsEgress: Nothing
  UpdateSecurityGroupRuleDescriptionsIngress: Nothing
}

export type Ec2Action = keyof Ec2Results
