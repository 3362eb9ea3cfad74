/**
 * The metadata of an instance as paths and texts, systems 1.17. EC2 User Guide, "Instance metadata
 * categories". Paths are those below /latest/; what lies on the way to one is a directory
 * (tree.ts). A category without a value has no path: asking for it is answered 404.
 */
import { interfacesOfInstance } from '../../model/instance.ts'
import type { Instance } from '../../model/instance.ts'
import { metadataOptionsOf } from '../../model/instance_metadata.ts'
import type { NetworkInterface } from '../../model/network_interface.ts'
import { ipName, publicName, resourceName } from '../../model/private_dns.ts'
import { publicAddressesOfInterface } from '../../model/public_address.ts'
import { AccountView } from '../../model/snapshot.ts'
import type { Snapshot } from '../../model/snapshot.ts'
import { zoneName } from '../../model/zone.ts'

type Leaves = [string, string][]

const META_DATA = 'meta-data/'
const DOCUMENT_VERSION = '2017-09-30'
const DOMAIN = 'amazonaws.com'

/** In the order of their paths. */
export function metadataLeaves (
  snapshot: Snapshot, instance: Instance
): readonly [string, string][] {
  const interfaces = interfacesOfInstance(snapshot, instance)
  const zone = zoneName(new AccountView(snapshot, instance.ownerId, instance.region),
    instance.zoneId)
  const leaves: Leaves = [
    ...instanceLeaves(instance, interfaces[0], zone),
    ...publicLeaves(snapshot, instance, interfaces[0], ''),
    ...interfaces.flatMap((eni) => interfaceLeaves(snapshot, instance, eni)),
    ...tagLeaves(instance)
  ]
  if (interfaces[0] !== undefined) {
    leaves.push(['security-groups', groupNames(snapshot, interfaces[0])])
  }
  return [
    ...leaves.map(([path, text]): [string, string] => [META_DATA + path, text]),
    ['dynamic/instance-identity/document', identityDocument(instance, interfaces[0], zone)] as
      [string, string]
  ].toSorted(([a], [b]) => a < b ? -1 : 1)
}

function hostName (instance: Instance, eni: NetworkInterface | undefined): string {
  const [address] = eni?.privateIpAddresses ?? []
  return instance.hostnameType === 'ip-name' && address !== undefined
    ? ipName(address, instance.region)
    : resourceName(instance.id, instance.region)
}

function instanceLeaves (
  instance: Instance, primary: NetworkInterface | undefined, zone: string
): Leaves {
  const leaves: Leaves = [
    ['ami-id', instance.imageId],
    ['ami-launch-index', String(instance.launchIndex)],
    ['hostname', hostName(instance, primary)],
    ['instance-action', 'none'],
    ['instance-id', instance.id],
    ['instance-life-cycle', 'on-demand'],
    ['instance-type', instance.instanceType],
    ['local-hostname', hostName(instance, primary)],
    ['placement/availability-zone', zone],
    ['placement/availability-zone-id', instance.zoneId],
    ['placement/region', instance.region],
    ['reservation-id', instance.reservationId],
    ['services/domain', DOMAIN],
    ['services/partition', 'aws']
  ]
  const [ipv4] = primary?.privateIpAddresses ?? []
  const [ipv6] = primary?.ipv6Addresses ?? []
  if (ipv4 !== undefined) leaves.push(['local-ipv4', ipv4])
  if (ipv6 !== undefined) leaves.push(['ipv6', ipv6])
  if (primary !== undefined) leaves.push(['mac', primary.macAddress])
  return leaves
}

/** @param at path of the directory that holds them */
function publicLeaves (
  snapshot: Snapshot, instance: Instance, eni: NetworkInterface | undefined, at: string
): Leaves {
  const [primary] = eni?.privateIpAddresses ?? []
  const own = eni === undefined ? [] : publicAddressesOfInterface(snapshot, eni)
  const first = own.find(({ privateIp }) => privateIp === primary)
  const leaves: Leaves = []
  if (at === '') {
    if (first !== undefined) leaves.push(['public-ipv4', first.publicIp])
  } else {
    if (own.length > 0) {
      leaves.push([`${at}public-ipv4s`, own.map(({ publicIp }) => publicIp).join('\n')])
    }
    for (const { publicIp, privateIp } of own) {
      leaves.push([`${at}ipv4-associations/${publicIp}`, privateIp])
    }
  }
  const vpc = snapshot.tables.vpc.get(instance.vpcId)
  if (first !== undefined && vpc?.enableDnsSupport === true && vpc.enableDnsHostnames) {
    leaves.push([`${at}public-hostname`, publicName(first.publicIp, instance.region)])
  }
  return leaves
}

function interfaceLeaves (
  snapshot: Snapshot, instance: Instance, eni: NetworkInterface
): Leaves {
  const at = `network/interfaces/macs/${eni.macAddress}/`
  const subnet = snapshot.tables.subnet.get(eni.subnetId)
  const vpc = snapshot.tables.vpc.get(eni.vpcId)
  const [primary] = eni.privateIpAddresses
  const values: Readonly<Record<string, string | undefined>> = {
    'device-number': String(eni.attachment?.deviceIndex ?? 0),
    'interface-id': eni.id,
    mac: eni.macAddress,
    'owner-id': eni.ownerId,
    'local-hostname': primary === undefined ? undefined : ipName(primary, eni.region),
    'local-ipv4s': lines(eni.privateIpAddresses),
    ipv6s: lines(eni.ipv6Addresses),
    'ipv4-prefix': lines(eni.ipv4Prefixes),
    'ipv6-prefix': lines(eni.ipv6Prefixes),
    'security-group-ids': lines(eni.groupIds),
    'security-groups': groupNames(snapshot, eni),
    'subnet-id': eni.subnetId,
    'subnet-ipv4-cidr-block': subnet?.cidrBlock ?? undefined,
    'subnet-ipv6-cidr-blocks': lines(blocks(subnet?.ipv6CidrBlocks)),
    'vpc-id': eni.vpcId,
    'vpc-ipv4-cidr-block': vpc?.cidrBlocks[0]?.cidrBlock,
    'vpc-ipv4-cidr-blocks': lines(blocks(vpc?.cidrBlocks)),
    'vpc-ipv6-cidr-blocks': lines(blocks(vpc?.ipv6CidrBlocks))
  }
  return [
    ...Object.entries(values).flatMap(([name, text]): Leaves =>
      text === undefined ? [] : [[at + name, text]]),
    ...publicLeaves(snapshot, instance, eni, at)
  ]
}

function blocks (associations: readonly { readonly cidrBlock: string }[] = []): string[] {
  return associations.map(({ cidrBlock }) => cidrBlock)
}

function lines (values: readonly string[]): string | undefined {
  return values.length === 0 ? undefined : values.join('\n')
}

function groupNames (snapshot: Snapshot, eni: NetworkInterface): string {
  return eni.groupIds.map((id) => snapshot.tables.securityGroup.get(id)?.name ?? id).join('\n')
}

function tagLeaves (instance: Instance): Leaves {
  if (metadataOptionsOf(instance).instanceMetadataTags !== 'enabled') return []
  return Object.entries(instance.tags).map(([key, value]) => [`tags/instance/${key}`, value])
}

/** EC2 User Guide, "Instance identity documents". */
function identityDocument (
  instance: Instance, primary: NetworkInterface | undefined, zone: string
): string {
  return JSON.stringify({
    accountId: instance.ownerId,
    architecture: 'x86_64',
    availabilityZone: zone,
    billingProducts: null,
    devpayProductCodes: null,
    marketplaceProductCodes: null,
    imageId: instance.imageId,
    instanceId: instance.id,
    instanceType: instance.instanceType,
    kernelId: null,
    pendingTime: new Date(instance.launchedMs).toISOString().replace(/\.\d+Z$/, 'Z'),
    privateIp: primary?.privateIpAddresses[0] ?? null,
    ramdiskId: null,
    region: instance.region,
    version: DOCUMENT_VERSION
  }, null, 2)
}
