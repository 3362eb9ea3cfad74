/**
 * Answers of the EC2 API: XML in, plain objects out, with the names and kinds that the AWS SDKs and
 * the `aws` CLI use, so that what a person knows from there holds for `vpcctl --json`.
 *
 * Three rules and their exceptions do it without the SDK's schema (which takes a second to load;
 * the test walks that schema and proves every rule for every action that vpcctl calls):
 *
 *     name   first letter upper case: `vpcId` → `VpcId`          exceptions: NAMES
 *     list   an element with `<item>` children, or named `…Set`  exceptions: LISTS
 *     kind   `true`, `false` → boolean, else text                exceptions: NUMBERS, TEXTS
 *
 * Times stay texts (ISO 8601).
 */
import { createRequire } from 'node:module'
import type { XMLParser as XMLParserClass } from 'fast-xml-parser'
import { CtlError } from './exit_codes.ts'

// The package's CommonJS form is one file: 3 ms to load, against 30 ms for its many ES modules.
const { XMLParser } = createRequire(import.meta.url)('fast-xml-parser') as {
  XMLParser: typeof XMLParserClass
}

/** Element name, or `parent/element` where AWS uses one element name for several members. */
const NAMES: Readonly<Record<string, string>> = {
  accountAttributeSet: 'AccountAttributes',
  addressesSet: 'Addresses',
  addressSet: 'Addresses',
  addressTransferSet: 'AddressTransfers',
  assignedIpv4PrefixSet: 'AssignedIpv4Prefixes',
  assignedIpv6PrefixSet: 'AssignedIpv6Prefixes',
  assignedPrivateIpAddressesSet: 'AssignedPrivateIpAddresses',
  associatedSubnetSet: 'AssociatedSubnets',
  associationSet: 'Associations',
  attachedApplianceSet: 'AttachedAppliances',
  attachmentSet: 'Attachments',
  attributeValueSet: 'AttributeValues',
  availabilityZoneInfo: 'AvailabilityZones',
  blockDeviceMapping: 'BlockDeviceMappings',
  'networkAcl/default': 'IsDefault',
  'networkAclSet/default': 'IsDefault',
  'AttachVpnGatewayResponse/attachment': 'VpcAttachment',
  customerGatewaySet: 'CustomerGateways',
  deleteSnapshotResultSet: 'DeleteSnapshotResults',
  dhcpConfigurationSet: 'DhcpConfigurations',
  dhcpOptionsSet: 'DhcpOptions',
  dnsName: 'PublicDnsName',
  egressFilterRuleSet: 'EgressFilterRules',
  egressOnlyInternetGatewaySet: 'EgressOnlyInternetGateways',
  entrySet: 'Entries',
  eventsSet: 'Events',
  flowLogIdSet: 'FlowLogIds',
  flowLogSet: 'FlowLogs',
  geographySet: 'Geography',
  groupDescription: 'Description',
  groups: 'UserIdGroupPairs',
  groupSet: 'Groups',
  'instancesSet/groupSet': 'SecurityGroups',
  imageOwnerId: 'OwnerId',
  imagesSet: 'Images',
  imageState: 'State',
  imageWatermarkSet: 'ImageWatermarks',
  ingressFilterRuleSet: 'IngressFilterRules',
  instancesSet: 'Instances',
  'StartInstancesResponse/instancesSet': 'StartingInstances',
  'StopInstancesResponse/instancesSet': 'StoppingInstances',
  'TerminateInstancesResponse/instancesSet': 'TerminatingInstances',
  instanceState: 'State',
  'instanceStatusSet/instanceState': 'InstanceState',
  instanceStatusSet: 'InstanceStatuses',
  instanceTypeSet: 'InstanceTypes',
  internetGatewaySet: 'InternetGateways',
  interfaceTypeSet: 'InterfaceTypes',
  ikeVersionSet: 'IkeVersions',
  'instancesSet/ipAddress': 'PublicIpAddress',
  ipv4PrefixSet: 'Ipv4Prefixes',
  ipv6AddressesSet: 'Ipv6Addresses',
  ipv6PrefixSet: 'Ipv6Prefixes',
  isPublic: 'Public',
  'DescribeInstanceAttributeResponse/kernel': 'KernelId',
  messageSet: 'Messages',
  natGatewayAddressSet: 'NatGatewayAddresses',
  natGatewaySet: 'NatGateways',
  networkAclSet: 'NetworkAcls',
  networkInterfaceSet: 'NetworkInterfaces',
  networkServiceSet: 'NetworkServices',
  prefixListAssociationSet: 'PrefixListAssociations',
  prefixListSet: 'PrefixLists',
  privateIpAddressesSet: 'PrivateIpAddresses',
  productCode: 'ProductCodeId',
  propagatingVgwSet: 'PropagatingVgws',
  'DescribeInstanceAttributeResponse/ramdisk': 'RamdiskId',
  'ptrRecordUpdate/reason': 'Reason',
  phase1DHGroupNumberSet: 'Phase1DHGroupNumbers',
  phase1EncryptionAlgorithmSet: 'Phase1EncryptionAlgorithms',
  phase1IntegrityAlgorithmSet: 'Phase1IntegrityAlgorithms',
  phase2DHGroupNumberSet: 'Phase2DHGroupNumbers',
  phase2EncryptionAlgorithmSet: 'Phase2EncryptionAlgorithms',
  phase2IntegrityAlgorithmSet: 'Phase2IntegrityAlgorithms',
  reason: 'StateTransitionReason',
  regionEndpoint: 'Endpoint',
  regionInfo: 'Regions',
  reservationSet: 'Reservations',
  'ModifyVpcTenancyResponse/return': 'ReturnValue',
  revokedSecurityGroupRuleSet: 'RevokedSecurityGroupRules',
  routeSet: 'Routes',
  routeTableSet: 'RouteTables',
  securityGroupInfo: 'SecurityGroups',
  securityGroupRuleSet: 'SecurityGroupRules',
  subGeographySet: 'SubGeography',
  subnetIpv4CidrReservationSet: 'SubnetIpv4CidrReservations',
  subnetIpv6CidrReservationSet: 'SubnetIpv6CidrReservations',
  subnetSet: 'Subnets',
  supportedInstanceTypeSet: 'SupportedInstanceTypes',
  // In NetworkInterface alone the SDK kept the wire's name.
  'DescribeNetworkInterfacesResponse/networkInterfaceSet/tagSet': 'TagSet',
  'networkInterface/tagSet': 'TagSet',
  tagFieldSpecificationSet: 'TagFieldSpecifications',
  tagKeySet: 'TagKeys',
  tagSet: 'Tags',
  trafficMirrorFilterRuleSet: 'TrafficMirrorFilterRules',
  trafficMirrorFilterSet: 'TrafficMirrorFilters',
  trafficMirrorSessionSet: 'TrafficMirrorSessions',
  trafficMirrorTargetSet: 'TrafficMirrorTargets',
  tunnelOptionSet: 'TunnelOptions',
  'productCodes/type': 'ProductCodeType',
  unassignedIpv6PrefixSet: 'UnassignedIpv6Prefixes',
  unknownIpPermissionSet: 'UnknownIpPermissions',
  unsupportedInstanceTypeSet: 'UnsupportedInstanceTypes',
  valueSet: 'Values',
  vpcPeeringConnectionSet: 'VpcPeeringConnections',
  vpcSet: 'Vpcs',
  'vpnGateway/attachments': 'VpcAttachments',
  'vpnGatewaySet/attachments': 'VpcAttachments',
  vpnConnectionDeviceTypeSet: 'VpnConnectionDeviceTypes',
  vpnConnectionSet: 'VpnConnections',
  vpnGatewaySet: 'VpnGateways',
  zoneState: 'State'
}

/** Elements that are lists although their names do not end in `Set`; needed when they are empty. */
const LISTS: ReadonlySet<string> = new Set([
  'assignedIpv6Addresses', 'availabilityZoneInfo', 'bandwidthWeightings', 'blockDeviceMapping',
  'details', 'groups', 'ipPermissions', 'ipPermissionsEgress', 'ipRanges', 'ipv6Ranges',
  'networkCards', 'networkInterfacePermissions', 'prefixListIds', 'productCodes', 'regionInfo',
  'attachments', 'routes', 'vgwTelemetry',
  'securityGroupInfo', 'supportedArchitectures', 'supportedBootModes', 'supportedFeatures',
  'supportedRootDeviceTypes', 'supportedStrategies', 'supportedUsageClasses', 'supportedVersions',
  'supportedVirtualizationTypes', 'unassignedIpv6Addresses', 'unsuccessful'
])

/** Elements with an integer inside; `parent/element` as in NAMES. */
const NUMBERS: ReadonlySet<string> = new Set([
  'acceptedRouteCount', 'amazonSideAsn', 'dpdTimeoutSeconds', 'phase1DHGroup',
  'phase1DHGroupNumberSet/value', 'phase1LifetimeSeconds', 'phase2DHGroup',
  'phase2DHGroupNumberSet/value', 'phase2LifetimeSeconds', 'rekeyFuzzPercentage',
  'rekeyMarginTimeSeconds', 'replayWindowSize',
  'additionalFlexibleNetworkInterfaces', 'amiLaunchIndex', 'availableIpAddressCount',
  'baselineBandwidthInGbps', 'coreCount', 'currentState/code', 'defaultCores',
  'defaultEnaQueueCountPerInterface', 'defaultNetworkCardIndex', 'defaultTcpEstablishedTimeout',
  'defaultThreadsPerCore', 'defaultUdpStreamTimeout', 'defaultUdpTimeout', 'defaultVCpus',
  'deviceIndex', 'ebsCardIndex', 'enableLniAtDeviceIndex', 'enaQueueCount', 'fromPort',
  'httpPutResponseHopLimit', 'icmpTypeCode/code', 'icmpTypeCode/type', 'instanceState/code',
  'ipv4AddressesPerInterface', 'ipv4AddressesPerSecondaryInterface', 'ipv6AddressesPerInterface',
  'maxAggregationInterval', 'maxEntries', 'maximumEfaInterfaces', 'maximumEnaQueueCount',
  'maximumEnaQueueCountPerInterface',
  'maximumNetworkCards', 'maximumNetworkInterfaces', 'maximumSecondaryNetworkInterfaces',
  'networkCardIndex', 'packetLength', 'partitionNumber', 'peakBandwidthInGbps',
  'portRange/from', 'portRange/to',
  'prefixList/version', 'prefixListSet/version',
  'previousState/code', 'ruleNumber', 'sizeInMiB', 'sustainedClockSpeedInGhz',
  'sessionNumber', 'tcpEstablishedTimeout', 'threadsPerCore', 'toPort',
  'trafficMirrorFilterRule/protocol', 'trafficMirrorFilterRuleSet/protocol',
  'ingressFilterRuleSet/protocol', 'egressFilterRuleSet/protocol', 'udpStreamTimeout', 'udpTimeout',
  'virtualNetworkId'
])

/** `value` elements that are booleans, by their parent: elsewhere a value is a text (TEXTS). */
const BOOLEAN_VALUES: ReadonlySet<string> = new Set([
  'disableApiStop', 'disableApiTermination', 'ebsOptimized', 'enableDnsHostnames',
  'enableDnsSupport', 'enableNetworkAddressUsageMetrics', 'enaSupport', 'sourceDestCheck'
])

/** Elements whose text may read `true` without being a boolean: what people write themselves. */
const TEXTS: ReadonlySet<string> = new Set([
  'key', 'value', 'description', 'groupName', 'groupDescription', 'keyName', 'clientToken'
])

export type AnswerValue = string | number | boolean | AnswerObject | readonly AnswerValue[]
export interface AnswerObject { readonly [name: string]: AnswerValue }

/** What the XML parser gives: text, or child elements by name, `item` always a list. */
type Parsed = string | { readonly [element: string]: Parsed | readonly Parsed[] }

/** The members of the answer to `action`, without the id of the request. */
export function decodeAnswer (action: string, xml: string): AnswerObject {
  const root = `${action}Response`
  const content = parseXml(xml)[root]
  if (content === undefined) {
    throw new CtlError('InvalidAnswer',
      `The answer to ${action} holds no <${root}>: ${excerpt(xml)}`)
  }
  if (typeof content === 'string') return {}
  const members = Object.entries(decodeMembers([root], content))
  return Object.fromEntries(members.filter(([name]) => name !== 'RequestId'))
}

/** The refusal in an answer with an HTTP status of 400 or more. */
export function decodeError (action: string, status: number, xml: string): CtlError {
  try {
    const response = parseXml(xml)['Response'] as { Errors: { Error: Record<string, string> } }
    const { Code: code, Message: message } = response.Errors.Error
    if (code !== undefined) return new CtlError(code, message ?? '')
  } catch {
    // Not an error of the EC2 API: what was received is all there is to say.
  }
  return new CtlError('InvalidAnswer',
    `${action} was answered with HTTP status ${String(status)}: ${excerpt(xml)}`)
}

function parseXml (xml: string): Readonly<Record<string, Parsed | undefined>> {
  const parser = new XMLParser({
    ignoreAttributes: true,
    ignoreDeclaration: true,
    parseTagValue: false,
    trimValues: false,
    processEntities: true,
    htmlEntities: true,
    isArray: (name) => name === 'item'
  })
  try {
    return parser.parse(xml) as Record<string, Parsed>
  } catch (error) {
    throw new CtlError('InvalidAnswer',
      `The answer is no XML (${(error as Error).message}): ${excerpt(xml)}`)
  }
}

/** @param path elements from the root to the object, without `item` */
function decodeMembers (path: readonly string[], parsed: Exclude<Parsed, string>): AnswerObject {
  const members: Record<string, AnswerValue> = {}
  for (const [element, value] of Object.entries(parsed)) {
    if (element === '#text') continue // White space between elements.
    members[lookUp(path, element, NAMES) ?? capitalize(element)] =
      decodeValue(path, element, value as Parsed)
  }
  return members
}

function decodeValue (path: readonly string[], element: string, value: Parsed): AnswerValue {
  if (typeof value !== 'string') {
    const inside = [...path, element]
    const items = value['item'] as readonly Parsed[] | undefined
    if (items === undefined) return decodeMembers(inside, value)
    return items.map((item) => typeof item === 'string' ? item : decodeMembers(inside, item))
  }
  if (value.trim() === '' && (element.endsWith('Set') || LISTS.has(element))) return []
  const parent = path.at(-1) ?? ''
  if (NUMBERS.has(element) || NUMBERS.has(`${parent}/${element}`)) return Number(value)
  const isText = TEXTS.has(element) && !(element === 'value' && BOOLEAN_VALUES.has(parent))
  return !isText && (value === 'true' || value === 'false') ? value === 'true' : value
}

/** The entry of the longest path that ends in `element`, at most three elements. */
function lookUp (path: readonly string[], element: string,
  table: Readonly<Record<string, string>>): string | undefined {
  const parent = path.at(-1) ?? ''
  return table[`${path.at(-2) ?? ''}/${parent}/${element}`] ??
    table[`${parent}/${element}`] ?? table[element]
}

function capitalize (name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1)
}

function excerpt (text: string): string {
  const flat = text.replace(/\s+/g, ' ').trim()
  return flat === '' ? '(empty)' : flat.length > 200 ? `${flat.slice(0, 200)}…` : flat
}
