/**
 * The EC2 actions that `vpcctl` calls, and what each answers: the SDK's own types, which cost
 * nothing at run time. (Members that are `Date` there are ISO 8601 texts here; see ec2_answer.ts.)
 * A new action is one line; the test of ec2_answer.ts then checks its names.
 */
import type {
  AssignIpv6AddressesResult, AssignPrivateIpAddressesResult, AssociateRouteTableResult,
  AssociateSubnetCidrBlockResult, AssociateVpcCidrBlockResult, AttachNetworkInterfaceResult,
  AuthorizeSecurityGroupEgressResult, AuthorizeSecurityGroupIngressResult,
  CreateNetworkInterfaceResult, CreateRouteTableResult, CreateSecurityGroupResult,
  CreateSubnetResult, CreateVpcResult, DescribeAvailabilityZonesResult, DescribeInstancesResult,
  DescribeNetworkInterfacesResult, DescribeRouteTablesResult, DescribeSecurityGroupsResult,
  DescribeSubnetsResult, DescribeTagsResult, DescribeVpcsResult,
  ReplaceRouteTableAssociationResult, Reservation, StartInstancesResult, StopInstancesResult,
  TerminateInstancesResult
} from '@aws-sdk/client-ec2'

/** Calls that answer with nothing worth reading (`return` is always true). */
type Nothing = Readonly<Record<string, never>>

export interface Ec2Results {
  AssignIpv6Addresses: AssignIpv6AddressesResult
  AssignPrivateIpAddresses: AssignPrivateIpAddressesResult
  AssociateRouteTable: AssociateRouteTableResult
  AssociateSubnetCidrBlock: AssociateSubnetCidrBlockResult
  AssociateVpcCidrBlock: AssociateVpcCidrBlockResult
  AttachNetworkInterface: AttachNetworkInterfaceResult
  AuthorizeSecurityGroupEgress: AuthorizeSecurityGroupEgressResult
  AuthorizeSecurityGroupIngress: AuthorizeSecurityGroupIngressResult
  CreateNetworkInterface: CreateNetworkInterfaceResult
  CreateRoute: Nothing
  CreateRouteTable: CreateRouteTableResult
  CreateSecurityGroup: CreateSecurityGroupResult
  CreateSubnet: CreateSubnetResult
  CreateTags: Nothing
  CreateVpc: CreateVpcResult
  DeleteNetworkInterface: Nothing
  DeleteRoute: Nothing
  DeleteRouteTable: Nothing
  DeleteSecurityGroup: Nothing
  DeleteSubnet: Nothing
  DeleteTags: Nothing
  DeleteVpc: Nothing
  DescribeAvailabilityZones: DescribeAvailabilityZonesResult
  DescribeInstances: DescribeInstancesResult
  DescribeNetworkInterfaces: DescribeNetworkInterfacesResult
  DescribeRouteTables: DescribeRouteTablesResult
  DescribeSecurityGroups: DescribeSecurityGroupsResult
  DescribeSubnets: DescribeSubnetsResult
  DescribeTags: DescribeTagsResult
  DescribeVpcs: DescribeVpcsResult
  DetachNetworkInterface: Nothing
  DisassociateRouteTable: Nothing
  DisassociateSubnetCidrBlock: Nothing
  DisassociateVpcCidrBlock: Nothing
  ModifyNetworkInterfaceAttribute: Nothing
  ModifySubnetAttribute: Nothing
  ModifyVpcAttribute: Nothing
  RebootInstances: Nothing
  ReplaceRoute: Nothing
  ReplaceRouteTableAssociation: ReplaceRouteTableAssociationResult
  RevokeSecurityGroupEgress: Nothing
  RevokeSecurityGroupIngress: Nothing
  RunInstances: Reservation
  StartInstances: StartInstancesResult
  StopInstances: StopInstancesResult
  TerminateInstances: TerminateInstancesResult
  UnassignIpv6Addresses: Nothing
  UnassignPrivateIpAddresses: Nothing
}

export type Ec2Action = keyof Ec2Results
