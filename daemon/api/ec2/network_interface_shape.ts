/**
 * ENIs at the border: what CreateNetworkInterface and RunInstances say of a new one, to the model's
 * input, and a record to what Describe shows. EC2 API Reference,
 * InstanceNetworkInterfaceSpecification, NetworkInterface.
 */
import type {
  AttachmentStatus, ConnectionTrackingSpecificationRequest, GroupIdentifier,
  InstanceNetworkInterfaceSpecification, NetworkInterface as NetworkInterfaceOutput,
  NetworkInterfaceAssociation,
  NetworkInterfacePermission as PermissionOutput, NetworkInterfaceType
} from '@aws-sdk/client-ec2'
import { AwsError } from '../../model/aws_error.ts'
import type {
  AddressRequest, ConnectionTracking, NetworkInterface, NewNetworkInterface
} from '../../model/network_interface.ts'
import { ipName } from '../../model/private_dns.ts'
import { publicAddressesOfInterface } from '../../model/public_address.ts'
import { publicNameIn } from '../../model/public_dns.ts'
import type { NetworkInterfacePermission } from '../../model/network_interface_permission.ts'
import type { Tags } from '../../model/record.ts'
import type { AccountView } from '../../model/snapshot.ts'
import { printTags } from '../../model/tag.ts'
import { zoneName } from '../../model/zone.ts'
import type { LabStatus } from './action.ts'
import { isApplied } from './applied.ts'
import type { FilterTable } from './describe.ts'

/** The parameters that CreateNetworkInterface and RunInstances have in common. */
export type NewInterfaceInput = Pick<InstanceNetworkInterfaceSpecification,
  'Description' | 'Groups' | 'InterfaceType' | 'ConnectionTrackingSpecification' |
  'PrivateIpAddress' | 'PrivateIpAddresses' | 'SecondaryPrivateIpAddressCount' |
  'Ipv4Prefixes' | 'Ipv4PrefixCount' |
  'Ipv6Addresses' | 'Ipv6AddressCount' | 'Ipv6Prefixes' | 'Ipv6PrefixCount'>

/** @throws AwsError InvalidParameterCombination, InvalidParameterValue, UnsupportedOperation */
export function newInterfaceFromInput (input: NewInterfaceInput, tags: Tags): NewNetworkInterface {
  if (input.InterfaceType !== undefined && input.InterfaceType !== 'interface') {
    throw new AwsError('UnsupportedOperation',
      `The interface type '${input.InterfaceType}' is not built in vpclab; expecting interface`)
  }
  const primaries = (input.PrivateIpAddresses ?? []).filter(({ Primary }) =>
    Primary === true).map(({ PrivateIpAddress }) => PrivateIpAddress)
  if (input.PrivateIpAddress !== undefined) primaries.push(input.PrivateIpAddress)
  if (primaries.length > 1) {
    throw new AwsError('InvalidParameterCombination',
      'Only one private IPv4 address can be the primary one; ' +
      `${primaries.join(' and ')} are given`)
  }
  const secondary = (input.PrivateIpAddresses ?? []).filter(({ Primary }) => Primary !== true)
  const ipv4 = addressRequest(secondary.map(({ PrivateIpAddress }) => PrivateIpAddress),
    input.SecondaryPrivateIpAddressCount,
    (input.Ipv4Prefixes ?? []).map(({ Ipv4Prefix }) => Ipv4Prefix), input.Ipv4PrefixCount)
  const ipv6 = addressRequest((input.Ipv6Addresses ?? []).map(({ Ipv6Address }) => Ipv6Address),
    input.Ipv6AddressCount,
    (input.Ipv6Prefixes ?? []).map(({ Ipv6Prefix }) => Ipv6Prefix), input.Ipv6PrefixCount)
  const ipv6Given = input.Ipv6Addresses ?? input.Ipv6AddressCount ?? input.Ipv6Prefixes ??
    input.Ipv6PrefixCount
  return {
    description: input.Description ?? '',
    groupIds: input.Groups ?? null,
    primaryIpv4: primaries[0] ?? null,
    ipv4: onlyOneKind(4, ipv4),
    ipv6: ipv6Given === undefined ? null : onlyOneKind(6, ipv6),
    connectionTracking: connectionTrackingFromInput(input.ConnectionTrackingSpecification),
    tags
  }
}

/**
 * @throws AwsError InvalidParameterValue for a negative number, MissingParameter for an item
 *   without a value
 */
export function addressRequest (addresses: readonly (string | undefined)[],
  addressCount: number | undefined,
  prefixes: readonly (string | undefined)[], prefixCount: number | undefined): AddressRequest {
  return {
    addresses: addresses.map(present), addressCount: notNegative(addressCount ?? 0),
    prefixes: prefixes.map(present), prefixCount: notNegative(prefixCount ?? 0)
  }
}

function present (text: string | undefined): string {
  if (text === undefined) throw new AwsError('MissingParameter',
    'An item of a list of addresses or prefixes has no value')
  return text
}

function notNegative (count: number): number {
  if (count >= 0) return count
  throw new AwsError('InvalidParameterValue',
    `Invalid value '${count}' for a number of addresses or prefixes; expecting 0 or more`)
}

function onlyOneKind (family: 4 | 6, request: AddressRequest): AddressRequest {
  const kinds = [request.addresses.length, request.addressCount, request.prefixes.length,
    request.prefixCount]
  if (kinds.filter((count) => count > 0).length <= 1) return request
  throw new AwsError('InvalidParameterCombination',
    `For IPv${family} give addresses, a number of addresses, ` +
    'prefixes, or a number of prefixes: only one of the four')
}

export function connectionTrackingFromInput (
  input: ConnectionTrackingSpecificationRequest | undefined): ConnectionTracking {
  return {
    tcpEstablishedTimeoutS: input?.TcpEstablishedTimeout ?? null,
    udpStreamTimeoutS: input?.UdpStreamTimeout ?? null,
    udpTimeoutS: input?.UdpTimeout ?? null
  }
}

/** `[{ GroupId, GroupName }]` */
export function printGroups (view: AccountView, groupIds: readonly string[]): GroupIdentifier[] {
  return groupIds.map((id) => ({ GroupId: id, GroupName: view.get('securityGroup', id)?.name }))
}

/** Host name of an ENI's address; absent unless the VPC gives host names. */
export function privateDnsNameOf (view: AccountView, record: NetworkInterface,
  address: string | undefined): string | undefined {
  if (address === undefined ||
    view.get('vpc', record.vpcId)?.enableDnsHostnames !== true) return undefined
  return ipName(address, record.region)
}

/** An ENI that a gateway or service has is in use, though no instance has it. */
function statusOf (record: NetworkInterface): 'available' | 'in-use' {
  return record.attachment === null && record.requesterId === null ? 'available' : 'in-use'
}

/** In EC2's words, whose an auto-assigned address is. */
const AUTO_PUBLIC_IP_OWNER = 'amazon'

/** The public address of a private one: its Elastic IP or the auto-assigned one. */
function printAssociation (view: AccountView, record: NetworkInterface,
  privateIp: string | undefined): NetworkInterfaceAssociation | undefined {
  const found = publicAddressesOfInterface(view.snapshot, record)
    .find((one) => one.privateIp === privateIp)
  if (found === undefined) return undefined
  const { publicIp, allocationId } = found
  const address = view.snapshot.tables.address.get(allocationId ?? '')
  return {
    IpOwnerId: address?.ownerId ?? AUTO_PUBLIC_IP_OWNER,
    PublicDnsName: publicNameIn(view.snapshot, record.vpcId, publicIp) ?? '',
    PublicIp: publicIp,
    AllocationId: address?.id,
    AssociationId: address?.associationId ?? undefined
  }
}

/** Public addresses of all private ones of an ENI. */
function printAssociations (
  view: AccountView, record: NetworkInterface): NetworkInterfaceAssociation[] {
  return record.privateIpAddresses.flatMap((privateIp) =>
    printAssociation(view, record, privateIp) ?? [])
}

/** `attaching` until every agent has applied the record's newest change. */
function attachmentStatus (view: AccountView, record: NetworkInterface,
  lab: LabStatus): AttachmentStatus {
  return isApplied(view, 'networkInterface', record.id, lab) ? 'attached' : 'attaching'
}

export function printNetworkInterface (view: AccountView, record: NetworkInterface,
  lab: LabStatus): NetworkInterfaceOutput {
  const [primary] = record.privateIpAddresses
  const association = printAssociation(view, record, primary)
  return {
    ...(association !== undefined && { Association: association }),
    ...(record.attachment !== null && { Attachment: printAttachment(view, record, lab) }),
    ...printConnectionTracking(record),
    AvailabilityZone: zoneName(view, record.zoneId),
    AvailabilityZoneId: record.zoneId,
    Description: record.description,
    Groups: printGroups(view, record.groupIds),
    InterfaceType: record.interfaceType as NetworkInterfaceType,
    Ipv6Addresses: record.ipv6Addresses.map((Ipv6Address) =>
      ({ Ipv6Address, IsPrimaryIpv6: false })),
    MacAddress: record.macAddress,
    NetworkInterfaceId: record.id,
    OwnerId: record.ownerId,
    PrivateDnsName: privateDnsNameOf(view, record, primary),
    PrivateIpAddress: primary,
    PrivateIpAddresses: record.privateIpAddresses.map((PrivateIpAddress, at) => ({
      Primary: at === 0, PrivateDnsName: privateDnsNameOf(view, record, PrivateIpAddress),
      PrivateIpAddress, Association: printAssociation(view, record, PrivateIpAddress)
    })),
    Ipv4Prefixes: record.ipv4Prefixes.map((Ipv4Prefix) => ({ Ipv4Prefix })),
    Ipv6Prefixes: record.ipv6Prefixes.map((Ipv6Prefix) => ({ Ipv6Prefix })),
    RequesterId: record.requesterId ?? undefined,
    RequesterManaged: record.requesterId !== null,
    SourceDestCheck: record.sourceDestCheck,
    Status: statusOf(record),
    SubnetId: record.subnetId,
    TagSet: printTags(record.tags),
    VpcId: record.vpcId,
    Ipv6Native: primary === undefined,
    ...(record.ipv6Addresses.length > 0 && { Ipv6Address: record.ipv6Addresses[0] })
  }
}

/** Another account, when that one attached the ENI by permission. */
function instanceOwner (view: AccountView, { attachment }: NetworkInterface): string | undefined {
  return view.snapshot.tables.instance.get(attachment?.instanceId ?? '')?.ownerId
}

export function printAttachment (view: AccountView, record: NetworkInterface,
  lab: LabStatus): NetworkInterfaceOutput['Attachment'] {
  const { attachment } = record
  if (attachment === null) return undefined
  return {
    AttachTime: new Date(attachment.attachedMs),
    AttachmentId: attachment.id,
    DeleteOnTermination: attachment.deleteOnTermination,
    DeviceIndex: attachment.deviceIndex,
    NetworkCardIndex: 0,
    InstanceId: attachment.instanceId,
    InstanceOwnerId: instanceOwner(view, record),
    Status: attachmentStatus(view, record, lab)
  }
}

function printConnectionTracking (record: NetworkInterface): Pick<NetworkInterfaceOutput,
  'ConnectionTrackingConfiguration'> {
  const { tcpEstablishedTimeoutS, udpStreamTimeoutS, udpTimeoutS } = record
  if (tcpEstablishedTimeoutS === null && udpStreamTimeoutS === null &&
    udpTimeoutS === null) return {}
  return {
    ConnectionTrackingConfiguration: {
      TcpEstablishedTimeout: tcpEstablishedTimeoutS ?? undefined,
      UdpStreamTimeout: udpStreamTimeoutS ?? undefined,
      UdpTimeout: udpTimeoutS ?? undefined
    }
  }
}

/** Permissions of AWS services are not built. */
const nothing = (): undefined => undefined

/** EC2 API Reference, DescribeNetworkInterfaces: all filters. */
export function networkInterfaceFilters (lab: LabStatus): FilterTable<NetworkInterface> {
  return {
    'addresses.association.owner-id': (record, view) =>
      printAssociations(view, record).map(({ IpOwnerId }) => IpOwnerId),
    'addresses.association.public-ip': (record, view) =>
      printAssociations(view, record).map(({ PublicIp }) => PublicIp),
    'addresses.primary': ({ privateIpAddresses }) =>
      privateIpAddresses.map((_address, at) => at === 0),
    'addresses.private-ip-address': ({ privateIpAddresses }) => privateIpAddresses,
    'association.allocation-id': (record, view) =>
      printAssociations(view, record).map(({ AllocationId }) => AllocationId),
    'association.association-id': (record, view) =>
      printAssociations(view, record).map(({ AssociationId }) => AssociationId),
    'association.ip-owner-id': (record, view) =>
      printAssociations(view, record).map(({ IpOwnerId }) => IpOwnerId),
    'association.public-dns-name': (record, view) =>
      printAssociations(view, record).map(({ PublicDnsName }) => PublicDnsName),
    'association.public-ip': (record, view) =>
      printAssociations(view, record).map(({ PublicIp }) => PublicIp),
    'attachment.attach-time': ({ attachment }) => attachment &&
      new Date(attachment.attachedMs).toISOString(),
    'attachment.attachment-id': ({ attachment }) => attachment?.id,
    'attachment.delete-on-termination': ({ attachment }) => attachment?.deleteOnTermination,
    'attachment.device-index': ({ attachment }) => attachment?.deviceIndex,
    'attachment.instance-id': ({ attachment }) => attachment?.instanceId,
    'attachment.instance-owner-id': (record, view) => instanceOwner(view, record),
    'attachment.status': (record, view) =>
      record.attachment && attachmentStatus(view, record, lab),
    'availability-zone': ({ zoneId }, view) => zoneName(view, zoneId),
    'availability-zone-id': ({ zoneId }) => zoneId,
    description: ({ description }) => description,
    'group-id': ({ groupIds }) => groupIds,
    'group-name': ({ groupIds }, view) =>
      groupIds.map((id) => view.get('securityGroup', id)?.name),
    'interface-type': ({ interfaceType }) => interfaceType,
    'ipv6-addresses.ipv6-address': ({ ipv6Addresses }) => ipv6Addresses,
    'mac-address': ({ macAddress }) => macAddress,
    'network-interface-id': ({ id }) => id,
    'owner-id': ({ ownerId }) => ownerId,
    'private-dns-name': (record, view) =>
      privateDnsNameOf(view, record, record.privateIpAddresses[0]),
    'private-ip-address': ({ privateIpAddresses }) => privateIpAddresses,
    'requester-id': ({ requesterId }) => requesterId,
    'requester-managed': ({ requesterId }) => requesterId !== null,
    'source-dest-check': ({ sourceDestCheck }) => sourceDestCheck,
    status: statusOf,
    'subnet-id': ({ subnetId }) => subnetId,
    'vpc-id': ({ vpcId }) => vpcId
  }
}

/** `granted` from the commit on: nothing has to be applied for it. */
export function printPermission (record: NetworkInterfacePermission): PermissionOutput {
  return {
    NetworkInterfacePermissionId: record.id,
    NetworkInterfaceId: record.networkInterfaceId,
    AwsAccountId: record.awsAccountId,
    Permission: record.permission,
    PermissionState: { State: 'granted' }
  }
}

/** EC2 API Reference, DescribeNetworkInterfacePermissions: all filters. */
export const PERMISSION_FILTERS: FilterTable<NetworkInterfacePermission> = {
  'network-interface-permission.network-interface-permission-id': ({ id }) => id,
  'network-interface-permission.network-interface-id': ({ networkInterfaceId }) =>
    networkInterfaceId,
  'network-interface-permission.aws-account-id': ({ awsAccountId }) => awsAccountId,
  'network-interface-permission.aws-service': nothing,
  'network-interface-permission.permission': ({ permission }) => permission
}
