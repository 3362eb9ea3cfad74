/**
 * Instances at the border: what RunInstances asks for, to the model's input, and a record to what
 * Describe shows. EC2 API Reference, RunInstances, Instance.
 */
import type {
  Instance as InstanceOutput, InstanceNetworkInterface, InstanceNetworkInterfaceAssociation,
  InstanceNetworkInterfaceSpecification, InstanceState as StateOutput,
  NetworkInterfaceAssociation, Placement, RunInstancesRequest, _InstanceType
} from '@aws-sdk/client-ec2'
import { AwsError } from '../../model/aws_error.ts'
import { deviceFromSpecifications } from '../../model/instance_device.ts'
import { interfacesOfInstance, REASON_SEPARATOR } from '../../model/instance.ts'
import type { Instance, InstanceState } from '../../model/instance.ts'
import { shutdownBehavior } from '../../model/instance_attribute.ts'
import type { LaunchInput, LaunchInterface } from '../../model/instance_launch.ts'
import { metadataOptionsOf } from '../../model/instance_metadata.ts'
import { findInstanceType, INSTANCE_TYPE_DEFAULT } from '../../model/instance_type.ts'
import { HOST_IMAGE, ROOT_DEVICE_NAME, imageById } from '../../model/image.ts'
import type { NetworkInterface } from '../../model/network_interface.ts'
import { publicAddressesOfInterface } from '../../model/public_address.ts'
import { publicNameIn } from '../../model/public_dns.ts'
import { ipName, resourceName } from '../../model/private_dns.ts'
import type { AccountView } from '../../model/snapshot.ts'
import { printTags, tagsFromSpecifications } from '../../model/tag.ts'
import { zoneFromInput, zoneName } from '../../model/zone.ts'
import type { LabStatus } from './action.ts'
import type { FilterTable } from './describe.ts'
import {
  METADATA_FILTERS, metadataFromInput, printDnsOptions, printMetadataOptions
} from './instance_options_shape.ts'
import {
  networkInterfaceFilters, newInterfaceFromInput, printGroups, printNetworkInterface
} from './network_interface_shape.ts'
import { refuseUnbuilt } from './unbuilt.ts'

const RESOURCES = ['instance', 'network-interface'] as const

/** @throws AwsError for parameters that exclude each other, bad values, and what is not built */
export function launchFromInput (view: AccountView, input: RunInstancesRequest): LaunchInput {
  refuseUnbuilt('RunInstances', { ...input, Monitoring: input.Monitoring?.Enabled }, [
    'ImageId', 'InstanceType', 'Ipv6AddressCount', 'Ipv6Addresses', 'KeyName', 'MaxCount',
    'MinCount', 'Placement',
    'SecurityGroupIds', 'SecurityGroups', 'SubnetId', 'UserData', 'TagSpecifications',
    'PrivateDnsNameOptions', 'MetadataOptions',
    'DisableApiStop', 'DisableApiTermination', 'InstanceInitiatedShutdownBehavior',
    'PrivateIpAddress', 'NetworkInterfaces'])
  const { ImageId, MinCount, MaxCount, Placement: placement = {},
    PrivateDnsNameOptions: names = {} } = input
  if (ImageId === undefined) throw new AwsError('MissingParameter',
    'The request must contain the parameter ImageId')
  if (MinCount === undefined || MaxCount === undefined) throw new AwsError('MissingParameter',
    'The request must contain the parameters MinCount and MaxCount')
  refuseUnbuilt('RunInstances Placement', placement.Tenancy === 'default'
    ? { ...placement, Tenancy: undefined } : placement,
    ['AvailabilityZone', 'AvailabilityZoneId', 'HostId'])
  refuseUnbuilt('RunInstances PrivateDnsNameOptions', names,
    ['HostnameType', 'EnableResourceNameDnsARecord', 'EnableResourceNameDnsAAAARecord'])
  const device = deviceFromSpecifications(input.TagSpecifications ?? [])
  const specifications = device.rest
  return {
    minCount: MinCount, maxCount: MaxCount, imageId: ImageId, instanceType: input.InstanceType ??
      INSTANCE_TYPE_DEFAULT,
    keyName: input.KeyName ?? null,
    zoneId: zoneFromInput(view, placement.AvailabilityZone, placement.AvailabilityZoneId)?.id ??
      null,
    hostName: placement.HostId ?? null,
    interfaces: interfacesFromInput(view, input,
      tagsFromSpecifications(specifications, 'network-interface', RESOURCES)),
    userData: input.UserData ?? '', clientToken: input.ClientToken ?? '',
    disableApiTermination: input.DisableApiTermination ?? false,
    disableApiStop: input.DisableApiStop ?? false,
    instanceInitiatedShutdownBehavior: shutdownBehavior(input.InstanceInitiatedShutdownBehavior ??
      'stop'),
    dnsNames: {
      hostnameType: names.HostnameType,
      enableResourceNameDnsARecord: names.EnableResourceNameDnsARecord,
      enableResourceNameDnsAaaaRecord: names.EnableResourceNameDnsAAAARecord
    },
    metadata: metadataFromInput(input.MetadataOptions ?? {}),
    tags: { ...tagsFromSpecifications(specifications, 'instance', RESOURCES), ...device.tags }
  }
}

/** Parameters of the launch that describe its only interface, and so exclude NetworkInterfaces. */
const INTERFACE_PARAMETERS = ['SubnetId', 'SecurityGroupIds', 'SecurityGroups', 'PrivateIpAddress',
  'Ipv6Addresses', 'Ipv6AddressCount'] as const

/** @param tags of the ENIs that the launch makes */
function interfacesFromInput (
  view: AccountView, input: RunInstancesRequest, tags: LaunchInterface['tags']): LaunchInterface[] {
  if (input.NetworkInterfaces !== undefined) {
    const both = INTERFACE_PARAMETERS.find((parameter) => input[parameter] !== undefined)
    if (both !== undefined) {
      throw new AwsError('InvalidParameterCombination',
        `Network interfaces and an instance-level ${both} may not be specified on the same request`)
    }
    return input.NetworkInterfaces.map((spec) => interfaceFromInput(spec, tags))
  }
  const groupIds = [...(input.SecurityGroupIds ?? []), ...groupIdsOfNames(view, input)]
  return [{
    ...newInterfaceFromInput({
      Groups: groupIds, PrivateIpAddress: input.PrivateIpAddress,
      Ipv6Addresses: input.Ipv6Addresses, Ipv6AddressCount: input.Ipv6AddressCount
    }, tags),
    deviceIndex: 0, networkInterfaceId: null, subnetId: input.SubnetId ?? null,
    associatePublicIp: null, deleteOnTermination: null
  }]
}

function interfaceFromInput (spec: InstanceNetworkInterfaceSpecification,
  tags: LaunchInterface['tags']): LaunchInterface {
  refuseUnbuilt('RunInstances NetworkInterface', { ...spec,
    NetworkCardIndex: spec.NetworkCardIndex === 0 ? undefined : spec.NetworkCardIndex }, [
    'AssociatePublicIpAddress', 'DeleteOnTermination', 'Description', 'DeviceIndex', 'Groups',
    'Ipv6AddressCount', 'Ipv6Addresses', 'NetworkInterfaceId',
    'PrivateIpAddress', 'PrivateIpAddresses', 'SecondaryPrivateIpAddressCount', 'SubnetId',
    'InterfaceType', 'Ipv4Prefixes',
    'Ipv4PrefixCount', 'Ipv6Prefixes', 'Ipv6PrefixCount', 'ConnectionTrackingSpecification'])
  if (spec.DeviceIndex === undefined) {
    throw new AwsError('InvalidParameterValue', 'Each network interface requires a device index.')
  }
  return {
    ...newInterfaceFromInput(spec, tags),
    deviceIndex: spec.DeviceIndex, networkInterfaceId: spec.NetworkInterfaceId ?? null,
    subnetId: spec.SubnetId ?? null, associatePublicIp: spec.AssociatePublicIpAddress ?? null,
    deleteOnTermination: spec.DeleteOnTermination ?? null
  }
}

/** Groups by name are those of the default VPC, as EC2 has it. */
function groupIdsOfNames (view: AccountView,
  { SecurityGroups: names = [], SubnetId }: RunInstancesRequest): string[] {
  if (names.length > 0 && SubnetId !== undefined) {
    throw new AwsError('InvalidParameterCombination',
      'The parameter groupName cannot be used with the parameter subnet')
  }
  const vpcId = view.list('vpc').find(({ isDefault }) => isDefault)?.id
  return names.map((name) => {
    const group = view.list('securityGroup').find((candidate) => candidate.vpcId === vpcId &&
      candidate.name === name)
    if (group === undefined) throw new AwsError('InvalidGroup.NotFound',
      `The security group '${name}' does not exist in the default VPC`)
    return group.id
  })
}

/** EC2 API Reference, InstanceState: the low byte. */
const STATE_CODES: Readonly<Record<InstanceState, number>> = {
  pending: 0, running: 16, 'shutting-down': 32, terminated: 48, stopping: 64, stopped: 80
}

export function printState (state: InstanceState): StateOutput {
 return { Code: STATE_CODES[state],
  Name: state }
}

function privateDnsNameOf (instance: Instance,
  primary: NetworkInterface | undefined): string | undefined {
  if (primary === undefined) return undefined
  const [address] = primary.privateIpAddresses
  return instance.hostnameType === 'ip-name' && address !== undefined
    ? ipName(address, instance.region)
    : resourceName(instance.id, instance.region)
}

/** The public address of an instance: that of its primary private one. */
function publicIpOf (
  view: AccountView, primary: NetworkInterface | undefined): string | undefined {
  if (primary === undefined) return undefined
  return publicAddressesOfInterface(view.snapshot, primary)
    .find(({ privateIp }) => privateIp === primary.privateIpAddresses[0])?.publicIp
}

function publicDnsNameOf (
  view: AccountView, primary: NetworkInterface | undefined): string | undefined {
  const publicIp = publicIpOf(view, primary)
  return primary === undefined || publicIp === undefined ? undefined
    : publicNameIn(view.snapshot, primary.vpcId, publicIp)
}

function reasonOf ({ stateReason }: Instance): { readonly code: string
  readonly message: string } | undefined {
  const at = stateReason.indexOf(REASON_SEPARATOR)
  return at === -1 ? undefined
    : { code: stateReason.slice(0, at), message: stateReason.slice(at + REASON_SEPARATOR.length) }
}

/** `User initiated (2026-01-31 12:00:00 GMT)`; empty when nobody asked for the state. */
function transitionReason (instance: Instance): string {
  if (reasonOf(instance) === undefined) return ''
  return `User initiated (${new Date(instance.stateChangedMs).toISOString().slice(0,
    19).replace('T', ' ')} GMT)`
}

export function printInstance (view: AccountView, instance: Instance,
  lab: LabStatus): InstanceOutput {
  const interfaces = interfacesOfInstance(view.snapshot, instance)
  const [primary] = interfaces
  const reason = reasonOf(instance)
  return {
    ...printHardware(view, instance),
    InstanceId: instance.id,
    ImageId: instance.imageId,
    InstanceType: instance.instanceType as _InstanceType,
    State: printState(instance.state),
    StateTransitionReason: transitionReason(instance),
    StateReason: reason && { Code: reason.code, Message: reason.message },
    ClientToken: instance.clientToken,
    KeyName: instance.keyName ?? undefined,
    AmiLaunchIndex: instance.launchIndex,
    LaunchTime: new Date(instance.launchedMs),
    Placement: printPlacement(view, instance),
    Monitoring: { State: 'disabled' },
    Tags: printTags(instance.tags),
    ProductCodes: [],
    BlockDeviceMappings: [],
    NetworkInterfaces: interfaces.map((record) => printInterface(view, record, lab)),
    SecurityGroups: printGroups(view, primary?.groupIds ?? []),
    PrivateDnsName: privateDnsNameOf(instance, primary) ?? '',
    PublicDnsName: publicDnsNameOf(view, primary) ?? '',
    ...(primary !== undefined && {
      VpcId: instance.vpcId,
      SubnetId: instance.subnetId,
      PrivateIpAddress: primary.privateIpAddresses[0],
      PublicIpAddress: publicIpOf(view, primary),
      Ipv6Address: primary.ipv6Addresses[0],
      SourceDestCheck: primary.sourceDestCheck,
      PrivateDnsNameOptions: printDnsOptions(instance)
    }),
    MetadataOptions: printMetadataOptions(metadataOptionsOf(instance))
  }
}

function printHardware (view: AccountView, instance: Instance): InstanceOutput {
  const image = imageById(view, instance.imageId) ?? HOST_IMAGE
  const { hypervisor } = findInstanceType(instance.instanceType)
  return {
    Architecture: image.architecture,
    RootDeviceName: ROOT_DEVICE_NAME,
    RootDeviceType: 'ebs',
    VirtualizationType: 'hvm',
    Hypervisor: 'xen',
    // EC2 says xen of Nitro instances too; DescribeInstanceTypes tells them apart
    EbsOptimized: false,
    EnaSupport: hypervisor === 'nitro',
    PlatformDetails: 'Linux/UNIX'
  }
}

function printPlacement (view: AccountView, instance: Instance): Placement {
  return {
    AvailabilityZone: zoneName(view, instance.zoneId), AvailabilityZoneId: instance.zoneId,
    GroupName: '', Tenancy: 'default', HostId: instance.hostName ?? undefined
  }
}

/** An ENI inside DescribeInstances: whose instance it is attached to goes without saying there. */
function printInterface (view: AccountView, record: NetworkInterface,
  lab: LabStatus): InstanceNetworkInterface {
  const whole = printNetworkInterface(view, record, lab)
  return {
    Association: printAssociation(whole.Association),
    Attachment: whole.Attachment && {
      AttachTime: whole.Attachment.AttachTime,
      AttachmentId: whole.Attachment.AttachmentId,
      DeleteOnTermination: whole.Attachment.DeleteOnTermination,
      DeviceIndex: whole.Attachment.DeviceIndex,
      NetworkCardIndex: whole.Attachment.NetworkCardIndex,
      Status: whole.Attachment.Status
    },
    Description: whole.Description,
    Groups: whole.Groups,
    InterfaceType: whole.InterfaceType,
    Ipv4Prefixes: whole.Ipv4Prefixes,
    Ipv6Addresses: whole.Ipv6Addresses,
    Ipv6Prefixes: whole.Ipv6Prefixes,
    MacAddress: whole.MacAddress,
    NetworkInterfaceId: whole.NetworkInterfaceId,
    OwnerId: whole.OwnerId,
    PrivateDnsName: whole.PrivateDnsName,
    PrivateIpAddress: whole.PrivateIpAddress,
    PrivateIpAddresses: whole.PrivateIpAddresses?.map((address) =>
      ({ ...address, Association: printAssociation(address.Association) })),
    SourceDestCheck: whole.SourceDestCheck,
    Status: whole.Status,
    SubnetId: whole.SubnetId,
    VpcId: whole.VpcId
  }
}

/** Without the ids, which DescribeInstances does not show. */
function printAssociation (association: NetworkInterfaceAssociation | undefined):
InstanceNetworkInterfaceAssociation | undefined {
  return association && {
    IpOwnerId: association.IpOwnerId, PublicDnsName: association.PublicDnsName,
    PublicIp: association.PublicIp
  }
}

function primaryOf (instance: Instance, view: AccountView): NetworkInterface | undefined {
  return interfacesOfInstance(view.snapshot, instance)[0]
}

/** `network-interface.<filter of DescribeNetworkInterfaces>`, over all ENIs of the instance. */
function interfaceFilters (lab: LabStatus): FilterTable<Instance> {
  return Object.fromEntries(Object.entries(networkInterfaceFilters(lab)).map(([name, valueOf]) => [
    `network-interface.${name}`,
    (instance: Instance, view: AccountView) =>
      interfacesOfInstance(view.snapshot, instance).flatMap((record) => valueOf(record, view))
  ]))
}

const nothing = (): undefined => undefined

/** EC2 API Reference, DescribeInstances: filters of what an instance here has. */
export function instanceFilters (lab: LabStatus): FilterTable<Instance> {
  return {
    ...interfaceFilters(lab),
    architecture: (instance, view) => printHardware(view, instance).Architecture,
    'availability-zone': ({ zoneId }, view) => zoneName(view, zoneId),
    'availability-zone-id': ({ zoneId }) => zoneId,
    'client-token': ({ clientToken }) => clientToken,
    'dns-name': (instance, view) => publicDnsNameOf(view, primaryOf(instance, view)),
    'ebs-optimized': (instance, view) => printHardware(view, instance).EbsOptimized,
    'ena-support': (instance, view) => printHardware(view, instance).EnaSupport,
    'host-id': ({ hostName }) => hostName,
    hypervisor: (instance, view) => printHardware(view, instance).Hypervisor,
    'image-id': ({ imageId }) => imageId,
    'instance-id': ({ id }) => id,
    'instance-lifecycle': nothing,
    'instance-state-code': ({ state }) => STATE_CODES[state],
    'instance-state-name': ({ state }) => state,
    'instance-type': ({ instanceType }) => instanceType,
    'instance.group-id': (instance, view) => primaryOf(instance, view)?.groupIds,
    'instance.group-name': (instance, view) =>
      printGroups(view, primaryOf(instance, view)?.groupIds ?? [])
        .map(({ GroupName }) => GroupName),
    'ip-address': (instance, view) => publicIpOf(view, primaryOf(instance, view)),
    'ipv6-address': (instance, view) =>
      interfacesOfInstance(view.snapshot, instance).flatMap(({ ipv6Addresses }) => ipv6Addresses),
    'key-name': ({ keyName }) => keyName,
    'launch-index': ({ launchIndex }) => launchIndex,
    'launch-time': ({ launchedMs }) => new Date(launchedMs).toISOString(),
    ...METADATA_FILTERS,
    'monitoring-state': () => 'disabled',
    'owner-id': ({ ownerId }) => ownerId,
    platform: nothing,
    'platform-details': (instance, view) => printHardware(view, instance).PlatformDetails,
    'private-dns-name': (instance, view) => privateDnsNameOf(instance, primaryOf(instance, view)),
    'private-dns-name-options.hostname-type': ({ hostnameType }) => hostnameType,
    'private-ip-address': (instance, view) => primaryOf(instance, view)?.privateIpAddresses[0],
    reason: transitionReason,
    'requester-id': nothing,
    'reservation-id': ({ reservationId }) => reservationId,
    'root-device-name': () => ROOT_DEVICE_NAME,
    'root-device-type': (instance, view) => printHardware(view, instance).RootDeviceType,
    'source-dest-check': (instance, view) => primaryOf(instance, view)?.sourceDestCheck,
    'state-reason-code': (instance) => reasonOf(instance)?.code,
    'state-reason-message': (instance) => reasonOf(instance)?.message,
    'subnet-id': ({ subnetId }) => subnetId,
    tenancy: () => 'default',
    'virtualization-type': (instance, view) => printHardware(view, instance).VirtualizationType,
    'vpc-id': ({ vpcId }) => vpcId
  }
}
