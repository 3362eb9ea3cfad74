/**
 * The decoder against hand-written answers, and its naming rules against the SDK's schema: every
 * member of every answer that vpcctl reads is built as XML and must come back under the SDK's name
 * and kind.
 */
import * as sdk from '@aws-sdk/client-ec2'
import test from 'ava'
import { decodeAnswer, decodeError, type AnswerValue } from './ec2_answer.ts'
import type { Ec2Action } from './ec2_results.ts'

const NAMESPACE = 'xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"'

test('decodeAnswer gives SDK names, booleans, numbers and lists', (t) => {
  const answer = decodeAnswer('DescribeSubnets', `<?xml version="1.0" encoding="UTF-8"?>
    <DescribeSubnetsResponse ${NAMESPACE}>
      <requestId>7a62c49f</requestId>
      <subnetSet>
        <item>
          <subnetId>subnet-1</subnetId>
          <availableIpAddressCount>251</availableIpAddressCount>
          <defaultForAz>false</defaultForAz>
          <ownerId>000000000012</ownerId>
          <tagSet><item><key>Name</key><value>true</value></item></tagSet>
          <ipv6CidrBlockAssociationSet/>
        </item>
      </subnetSet>
    </DescribeSubnetsResponse>`)
  t.deepEqual(answer, {
    Subnets: [{
      SubnetId: 'subnet-1',
      AvailableIpAddressCount: 251,
      DefaultForAz: false,
      OwnerId: '000000000012',
      Tags: [{ Key: 'Name', Value: 'true' }],
      Ipv6CidrBlockAssociationSet: []
    }]
  })
})

test('decodeAnswer keeps lists of text, entities and empty texts', (t) => {
  const answer = decodeAnswer('AssignIpv6Addresses', `<AssignIpv6AddressesResponse ${NAMESPACE}>
    <networkInterfaceId>eni-1</networkInterfaceId>
    <assignedIpv6Addresses><item>2001:db8::5</item></assignedIpv6Addresses>
    <description>a &lt;b&gt; &amp; c</description><platform></platform>
    </AssignIpv6AddressesResponse>`)
  t.deepEqual(answer, {
    NetworkInterfaceId: 'eni-1',
    AssignedIpv6Addresses: ['2001:db8::5'],
    Description: 'a <b> & c',
    Platform: ''
  })
})

test('decodeAnswer refuses what is no answer to the action', (t) => {
  t.throws(() => decodeAnswer('CreateVpc', '<html><body>502</body></html>'),
    { message: /holds no <CreateVpcResponse>: <html>/ })
  t.throws(() => decodeAnswer('CreateVpc', ''), { message: /holds no <CreateVpcResponse>/ })
})

test('decodeError gives AWS\'s code and message', (t) => {
  const error = decodeError('CreateVpc', 400, `<?xml version="1.0" encoding="UTF-8"?>
    <Response><Errors><Error><Code>InvalidVpc.Range</Code>
    <Message>The CIDR '10.0.0.0/8' is invalid.</Message></Error></Errors>
    <RequestID>1</RequestID></Response>`)
  t.is(error.code, 'InvalidVpc.Range')
  t.is(error.message, 'The CIDR \'10.0.0.0/8\' is invalid.')
  t.is(error.exitCode, 1)
})

test('decodeError says what was received when it is no EC2 error', (t) => {
  const error = decodeError('CreateVpc', 502, 'Bad\n  gateway')
  t.is(error.code, 'InvalidAnswer')
  t.is(error.message, 'CreateVpc was answered with HTTP status 502: Bad gateway')
})

/** Every action of Ec2Results; the type makes this list complete. */
const ACTIONS: Readonly<Record<Ec2Action, true>> = {
  AttachVpnGateway: true, CreateCustomerGateway: true, CreateVpnConnection: true,
  CreateVpnConnectionRoute: true, CreateVpnGateway: true, DeleteCustomerGateway: true,
  DeleteVpnConnection: true, DeleteVpnConnectionRoute: true, DeleteVpnGateway: true,
  DescribeCustomerGateways: true, DescribeVpnConnections: true, DescribeVpnGateways: true,
  DetachVpnGateway: true, DisableVgwRoutePropagation: true, EnableVgwRoutePropagation: true,
  GetActiveVpnTunnelStatus: true, GetVpnConnectionDeviceSampleConfiguration: true,
  GetVpnConnectionDeviceTypes: true, GetVpnTunnelReplacementStatus: true,
  ModifyVpnConnection: true, ModifyVpnConnectionOptions: true, ModifyVpnTunnelCertificate: true,
  ModifyVpnTunnelOptions: true, ReplaceVpnTunnel: true,
  AcceptAddressTransfer: true, AllocateAddress: true, AssignPrivateNatGatewayAddress: true,
  AssociateAddress: true, AssociateNatGatewayAddress: true, CreateDefaultSubnet: true,
  CreateDefaultVpc: true, CreateEgressOnlyInternetGateway: true, CreateInternetGateway: true,
  CreateNatGateway: true, DeleteEgressOnlyInternetGateway: true, DeleteNatGateway: true,
  DescribeAddressTransfers: true, DescribeAddresses: true, DescribeAddressesAttribute: true,
  DescribeEgressOnlyInternetGateways: true, DescribeInternetGateways: true,
  DescribeNatGateways: true, DisableAddressTransfer: true, DisassociateNatGatewayAddress: true,
  EnableAddressTransfer: true, ModifyAddressAttribute: true, ResetAddressAttribute: true,
  UnassignPrivateNatGatewayAddress: true, AttachInternetGateway: true,
  DeleteInternetGateway: true, DetachInternetGateway: true, DisassociateAddress: true,
  ReleaseAddress: true,
  AcceptVpcPeeringConnection: true, CreateVpcPeeringConnection: true,
  DeleteVpcPeeringConnection: true, DescribeSecurityGroupReferences: true,
  DescribeVpcPeeringConnections: true, ModifyVpcPeeringConnectionOptions: true,
  RejectVpcPeeringConnection: true,
  AssignIpv6Addresses: true, AssignPrivateIpAddresses: true, AssociateDhcpOptions: true,
  AssociateRouteTable: true, AssociateSubnetCidrBlock: true, AssociateVpcCidrBlock: true,
  AttachNetworkInterface: true, AuthorizeSecurityGroupEgress: true,
  AuthorizeSecurityGroupIngress: true, CreateDhcpOptions: true, CreateNetworkAcl: true,
  CreateNetworkAclEntry: true, CreateNetworkInterface: true,
  CreateNetworkInterfacePermission: true, CreateRoute: true, CreateRouteTable: true,
  CreateSecurityGroup: true, CreateSubnet: true, CreateSubnetCidrReservation: true,
  CreateTags: true, CreateVpc: true, DeleteDhcpOptions: true, DeleteNetworkAcl: true,
  DeleteNetworkAclEntry: true, DeleteNetworkInterface: true,
  DeleteNetworkInterfacePermission: true, DeleteRoute: true, DeleteRouteTable: true,
  DeleteSecurityGroup: true, DeleteSubnet: true, DeleteSubnetCidrReservation: true,
  DeleteTags: true, DeleteVpc: true, DeregisterImage: true, DescribeAccountAttributes: true,
  DescribeAvailabilityZones: true, DescribeDhcpOptions: true, DescribeImages: true,
  CreateFlowLogs: true, DeleteFlowLogs: true, DescribeFlowLogs: true,
  DescribeInstanceAttribute: true, DescribeInstanceStatus: true, DescribeInstanceTypes: true,
  DescribeInstances: true, DescribeNetworkAcls: true, DescribeNetworkInterfaceAttribute: true,
  DescribeNetworkInterfacePermissions: true, DescribeNetworkInterfaces: true,
  DescribeRegions: true, DescribeRouteTables: true, DescribeSecurityGroupRules: true,
  DescribeSecurityGroups: true, DescribeSubnets: true, DescribeTags: true,
  DescribeVpcAttribute: true, DescribeVpcs: true, DetachNetworkInterface: true,
  DisassociateRouteTable: true, DisassociateSubnetCidrBlock: true, DisassociateVpcCidrBlock: true,
  GetSubnetCidrReservations: true, ModifyAvailabilityZoneGroup: true,
  GetInstanceMetadataDefaults: true, ModifyInstanceMetadataDefaults: true,
  ModifyInstanceMetadataOptions: true, ModifyPrivateDnsNameOptions: true,
  ModifyInstanceAttribute: true, ModifyNetworkInterfaceAttribute: true,
  ModifySubnetAttribute: true, ModifyVpcAttribute: true, ModifyVpcTenancy: true,
  RebootInstances: true, RegisterImage: true, ReplaceNetworkAclAssociation: true,
  ReplaceNetworkAclEntry: true, ReplaceRoute: true, ReplaceRouteTableAssociation: true,
  ResetNetworkInterfaceAttribute: true, RevokeSecurityGroupEgress: true,
  RevokeSecurityGroupIngress: true, RunInstances: true, StartInstances: true, StopInstances: true,
  CreateTrafficMirrorFilter: true, CreateTrafficMirrorFilterRule: true,
  CreateTrafficMirrorSession: true, CreateTrafficMirrorTarget: true,
  DeleteTrafficMirrorFilter: true, DeleteTrafficMirrorFilterRule: true,
  DeleteTrafficMirrorSession: true, DeleteTrafficMirrorTarget: true,
  DescribeTrafficMirrorFilterRules: true, DescribeTrafficMirrorFilters: true,
  DescribeTrafficMirrorSessions: true, DescribeTrafficMirrorTargets: true,
  ModifyTrafficMirrorFilterNetworkServices: true, ModifyTrafficMirrorFilterRule: true,
  ModifyTrafficMirrorSession: true,
  TerminateInstances: true, UnassignIpv6Addresses: true, UnassignPrivateIpAddresses: true,
  CreateManagedPrefixList: true, DeleteManagedPrefixList: true,
  DescribeManagedPrefixLists: true, DescribeStaleSecurityGroups: true,
  GetConsoleOutput: true,
  GetManagedPrefixListAssociations: true, GetManagedPrefixListEntries: true,
  ModifyManagedPrefixList: true, ModifySecurityGroupRules: true,
  RestoreManagedPrefixListVersion: true, UpdateSecurityGroupRuleDescriptionsEgress: true,
  UpdateSecurityGroupRuleDescriptionsIngress: true
}

/** Parts of an answer that belong to features vpclab does not have; their names are not kept. */
const NOT_READ = new Set([
  'BlockDeviceMappings', 'EbsInfo', 'ElasticGpuAssociations',
  'ElasticInferenceAcceleratorAssociations', 'FpgaInfo', 'GpuInfo', 'InferenceAcceleratorInfo',
  'InstanceStorageInfo', 'Licenses', 'MediaAcceleratorInfo', 'MetricCategoryIds', 'NeuronInfo',
  'SecondaryInterfaces', 'ValidCores', 'ValidThreadsPerCore'
])

// Kinds of Smithy schemas as the SDK writes them: [kind, namespace, name, traits, ...].
const KIND_LIST = 1
const KIND_STRUCTURE = 3
const SCALAR_NUMBER = 1
const SCALAR_BOOLEAN = 2

type Traits = Readonly<Record<string, unknown>>
type Schema = number | readonly unknown[] | (() => Schema)

for (const action of Object.keys(ACTIONS)) {
  test(`decodeAnswer agrees with the SDK's schema of ${action}`, (t) => {
    const operation = (sdk as unknown as Record<string, readonly unknown[]>)[`${action}$`] ?? []
    for (const listItems of [1, 0] as const) {
      const { xml, expected } = sample(operation[5] as Schema, listItems, [])
      t.deepEqual(decodeAnswer(action, `<${action}Response>${xml}</${action}Response>`),
        typeof expected === 'object' ? expected : {}) // Some actions answer with nothing.
    }
  })
}

/** XML of a value with every member, and what the decoder must make of it. */
function sample (given: Schema, listItems: 0 | 1,
  open: readonly string[]): { xml: string, expected: AnswerValue } {
  const schema = resolve(given)
  if (schema === SCALAR_NUMBER) return { xml: '7', expected: 7 }
  if (schema === SCALAR_BOOLEAN) return { xml: 'true', expected: true }
  if (typeof schema === 'number') return { xml: 'text', expected: 'text' }
  if (schema[0] === KIND_LIST) {
    if (listItems === 0) return { xml: '', expected: [] }
    const item = sample(schema[4] as Schema, listItems, open)
    return { xml: `<item>${item.xml}</item>`, expected: [item.expected] }
  }
  if (schema[0] !== KIND_STRUCTURE) return { xml: 'text', expected: 'text' }
  const name = schema[2] as string
  const expected: Record<string, AnswerValue> = {}
  let xml = ''
  if (open.includes(name)) return { xml: 'text', expected: 'text' }
  const memberNames = schema[4] as string[]
  const memberSchemas = schema[5] as Schema[]
  memberNames.forEach((memberName, index) => {
    if (NOT_READ.has(memberName)) return
    const { element, inner } = member(memberName, memberSchemas[index] ?? 0)
    const value = sample(inner, listItems, [...open, name])
    xml += `<${element}>${value.xml}</${element}>`
    expected[memberName] = value.expected
  })
  return { xml, expected }
}

/** A member is a schema, or a pair of a schema and its traits. */
function member (name: string, schema: Schema): { element: string, inner: Schema } {
  if (Array.isArray(schema) && schema.length === 2 && typeof schema[1] === 'object') {
    const traits = schema[1] as Traits
    return { element: traits['xmlName'] as string | undefined ?? name, inner: schema[0] as Schema }
  }
  return { element: name, inner: schema }
}

/** The schema behind references and pairs with traits. */
function resolve (schema: Schema): number | readonly unknown[] {
  let resolved = schema
  for (;;) {
    if (typeof resolved === 'function') resolved = resolved()
    else if (Array.isArray(resolved) && resolved.length === 2) resolved = resolved[0] as Schema
    else return resolved as number | readonly unknown[]
  }
}
