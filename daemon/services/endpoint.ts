/**
 * What the services tell one ENI, from records. Pure: the feed (feed.ts) decides when.
 *
 * The options are those of the DHCP option set that the VPC has now, so that clients hear of
 * another set when they renew. AWS VPC User Guide, "DHCP option sets in Amazon VPC".
 */
import { formatAddress, knownCidr, parseAddress } from '../model/cidr.ts'
import type { Cidr } from '../model/cidr.ts'
import { AMAZON_PROVIDED_DNS } from '../model/dhcp_options.ts'
import type { Instance } from '../model/instance.ts'
import { metadataOptionsOf } from '../model/instance_metadata.ts'
import type { NetworkInterface } from '../model/network_interface.ts'
import { ipName, resolverAddress, resourceName } from '../model/private_dns.ts'
import type { Snapshot } from '../model/snapshot.ts'
import type { Vpc } from '../model/vpc.ts'
import { metadataLeaves } from './metadata/leaves.ts'
import type { EndpointData, LeaseData, MetadataData } from './update.ts'

/** "The Route 53 Resolver" for IPv6, and what DHCPv6 tells in its place. */
export const RESOLVER_IPV6 = 'fd00:ec2::253'
/** Of ipv6-address-preferred-lease-time, seconds. */
const IPV6_PREFERRED_S_DEFAULT = 140

/**
 * @param mtu bytes, of the ENI's device
 * @param metadata of its instance: the same for all of the instance's ENIs
 * @returns null when its VPC or subnet is not there
 */
export function endpointOf (
  snapshot: Snapshot, eni: NetworkInterface, portIndex: number, mtu: number,
  metadata: MetadataData | null
): EndpointData | null {
  const vpc = snapshot.tables.vpc.get(eni.vpcId)
  const lease = vpc === undefined ? null : leaseOf(snapshot, eni, vpc, mtu)
  if (lease === null) return null
  return {
    portIndex, networkInterfaceId: eni.id, vpcId: eni.vpcId, lease, metadata,
    hasDns64: snapshot.tables.subnet.get(eni.subnetId)?.enableDns64 ?? false
  }
}

function leaseOf (
  snapshot: Snapshot, eni: NetworkInterface, vpc: Vpc, mtu: number
): LeaseData | null {
  const subnet = snapshot.tables.subnet.get(eni.subnetId)
  if (subnet === undefined) return null
  const [address = null] = eni.privateIpAddresses
  const block = subnet.cidrBlock === null ? null : knownCidr(subnet.cidrBlock)
  const options = snapshot.tables.dhcpOptions.get(vpc.dhcpOptionsId)?.options ?? {}
  const dns = dnsServers(vpc, options['domain-name-servers'] ?? [])
  const ntp = options['ntp-servers'] ?? []
  const [nodeType] = options['netbios-node-type'] ?? []
  const [preferred] = options['ipv6-address-preferred-lease-time'] ?? []
  return {
    address: block === null ? null : address,
    prefixLength: block?.prefixLength ?? 0,
    router: block === null ? '' : routerOf(block),
    ipv6Addresses: eni.ipv6Addresses,
    hostName: hostNameOf(snapshot, eni),
    domainNames: options['domain-name'] ?? [],
    dnsServers: dns.filter(isIpv4),
    dnsServersIpv6: dns.filter((server) => !isIpv4(server)),
    ntpServers: ntp.filter(isIpv4),
    ntpServersIpv6: ntp.filter((server) => !isIpv4(server)),
    netbiosNameServers: options['netbios-name-servers'] ?? [],
    netbiosNodeType: nodeType === undefined ? null : Number(nodeType),
    mtu,
    ipv6PreferredS: preferred === undefined ? IPV6_PREFERRED_S_DEFAULT : Number(preferred)
  }
}

function isIpv4 (address: string): boolean { return parseAddress(address)?.family === 4 }

function routerOf ({ family, first }: Cidr): string {
  return formatAddress({ family, value: first + 1n })
}

/** Each server in the place that the option set gives it. */
function dnsServers (vpc: Vpc, given: readonly string[]): string[] {
  return given.flatMap((server) => {
    if (server !== AMAZON_PROVIDED_DNS) return [server]
    return vpc.enableDnsSupport ? [resolverAddress(vpc), RESOLVER_IPV6] : []
  })
}

/** What the instance is called (`ip-10-0-1-10`), or would be with the ENI as its first. */
function hostNameOf (snapshot: Snapshot, eni: NetworkInterface): string {
  const instance = snapshot.tables.instance.get(eni.attachment?.instanceId ?? '')
  const [address] = eni.privateIpAddresses
  const name = instance !== undefined &&
    (instance.hostnameType === 'resource-name' || address === undefined)
    ? resourceName(instance.id, eni.region)
    : ipName(address ?? '', eni.region)
  return name.split('.')[0] ?? ''
}

export function metadataOf (snapshot: Snapshot, instance: Instance): MetadataData {
  const options = metadataOptionsOf(instance)
  return {
    instanceId: instance.id,
    requiresToken: options.httpTokens === 'required',
    hopLimit: options.httpPutResponseHopLimit,
    isEnabled: options.httpEndpoint === 'enabled',
    isIpv6Enabled: options.httpProtocolIpv6 === 'enabled',
    leaves: metadataLeaves(snapshot, instance),
    userData: instance.userData
  }
}
