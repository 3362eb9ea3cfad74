/**
 * What control tells the services' thread, and what it hears back: plain structured-clone data.
 * The feed (feed.ts) writes it, the worker (worker.ts) reads it.
 *
 * An endpoint is one ENI on one host, by the port index that the host's data plane knows it by: the
 * only name under which its packets come. What a whole VPC shares stands in VpcData. The thread
 * hears of ENIs that are live on a host of this daemon, and of the names of their VPCs and of peers
 * that these resolve; of nothing else.
 */
import type { RecordType } from '../model/resource_record.ts'

/** Leases and options of an ENI, systems 1.13. Addresses in text form. */
export interface LeaseData {
  /** Primary IPv4 address; null for an ENI without one. */
  readonly address: string | null
  readonly prefixLength: number
  readonly router: string
  readonly ipv6Addresses: readonly string[]
  /** Host name, without its domain. */
  readonly hostName: string
  /** Empty: none is told, as with the option set `default`. */
  readonly domainNames: readonly string[]
  readonly dnsServers: readonly string[]
  readonly dnsServersIpv6: readonly string[]
  readonly ntpServers: readonly string[]
  readonly ntpServersIpv6: readonly string[]
  readonly netbiosNameServers: readonly string[]
  /** null: not told. */
  readonly netbiosNodeType: number | null
  /** Bytes. */
  readonly mtu: number
  readonly ipv6PreferredS: number
}

/** What an instance is told about itself, systems 1.17. */
export interface MetadataData {
  readonly instanceId: string
  readonly requiresToken: boolean
  readonly hopLimit: number
  readonly isEnabled: boolean
  readonly isIpv6Enabled: boolean
  /** Path below /latest/, and its text. */
  readonly leaves: readonly (readonly [string, string])[]
  /** Base64; empty for none. */
  readonly userData: string
}

export interface EndpointData {
  readonly portIndex: number
  readonly networkInterfaceId: string
  readonly vpcId: string
  readonly lease: LeaseData
  /** EnableDns64 of its subnet: names without IPv6 address get one of NAT64. */
  readonly hasDns64: boolean
  /** null: the ENI is no instance's. */
  readonly metadata: MetadataData | null
}

/** What the resolver must know of a VPC, systems 1.14. */
export interface VpcData {
  readonly vpcId: string
  readonly region: string
  readonly ipv4Blocks: readonly string[]
  /** enableDnsHostnames, with DNS support: public names lead to private addresses. */
  readonly hasDnsHostnames: boolean
  /** Peers that let their public names lead to private addresses here, systems 6.1. */
  readonly resolvedPeers: readonly string[]
}

/** Addresses of the name of one instance, `i-….<suffix>`; without any when it answers for none. */
export interface InstanceNameData {
  readonly vpcId: string
  readonly instanceId: string
  readonly ipv4: readonly string[]
  readonly ipv6: readonly string[]
}

/** Public addresses of one ENI, all of them. */
export interface PublicAddressesData {
  readonly vpcId: string
  readonly networkInterfaceId: string
  readonly addresses: readonly { readonly publicIp: string, readonly privateIp: string }[]
}

/** A private hosted zone, systems 1.15. */
export interface HostedZoneData {
  readonly zoneId: string
  /** Empty for a zone that is gone. */
  readonly name: string
  /** Those that see it, of the VPCs that the thread hears of; without any the zone is forgotten. */
  readonly vpcIds: readonly string[]
}

/** Records of one name and type in a zone; without values there are none any more. */
export interface RecordSetData {
  readonly zoneId: string
  readonly name: string
  readonly type: RecordType
  readonly ttlS: number
  /** As model/resource_record.ts reads them. */
  readonly values: readonly string[]
}

/** Everything that one revision changes. Absent means unchanged. */
export interface ServicesUpdate {
  readonly kind: 'update'
  readonly revision: number
  readonly endpoints?: readonly { readonly host: string, readonly endpoint: EndpointData }[]
  readonly removedEndpoints?: readonly { readonly host: string, readonly portIndex: number }[]
  readonly vpcs?: readonly VpcData[]
  readonly removedVpcs?: readonly string[]
  readonly instanceNames?: readonly InstanceNameData[]
  readonly publicAddresses?: readonly PublicAddressesData[]
  readonly hostedZones?: readonly HostedZoneData[]
  readonly recordSets?: readonly RecordSetData[]
}

/** Control → worker. */
export type ServicesControl =
  | ServicesUpdate
  /** Open the sockets of a host; what is open of it is closed first. */
  | { readonly kind: 'open-host', readonly host: string, readonly namespacePath: string }

/** Worker → control. */
export type ServicesMessage =
  | { readonly kind: 'applied', readonly revision: number }
  | { readonly kind: 'host-opened', readonly host: string }
  | { readonly kind: 'host-failed', readonly host: string, readonly error: string }
  | { readonly kind: 'warning', readonly message: string }

/** `workerData`. */
export interface ServicesOptions {
  /** Key of the metadata service's tokens. */
  readonly tokenKey: Uint8Array
  /** Resolvers of the machine that unknown names are asked of; empty: none are. */
  readonly forwarders: readonly string[]
  /** Whether the lab has public services (systems 4.9), whose names lead to them. */
  readonly hasPublicServices: boolean
}
