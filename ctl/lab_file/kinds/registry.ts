/** Every kind of resource that a lab file knows, in the order in which plans name them. */
import type { Resource } from '../resource.ts'
import { CUSTOMER_GATEWAY } from './customer_gateway.ts'
import { DHCP_OPTIONS } from './dhcp_options.ts'
import { EGRESS_ONLY_INTERNET_GATEWAY } from './egress_only_internet_gateway.ts'
import { ELASTIC_IP } from './elastic_ip.ts'
import { ENI } from './eni.ts'
import { HOSTED_ZONE } from './hosted_zone.ts'
import { INSTANCE } from './instance.ts'
import { INTERNET_GATEWAY } from './internet_gateway.ts'
import type { LabKind } from './kind.ts'
import { NAT_GATEWAY } from './nat_gateway.ts'
import { NETWORK_ACL } from './network_acl.ts'
import { PEERING } from './peering.ts'
import { ROUTE_TABLE } from './route_table.ts'
import { SECURITY_GROUP } from './security_group.ts'
import { SUBNET } from './subnet.ts'
import { VPC } from './vpc.ts'
import { VPN_CONNECTION } from './vpn_connection.ts'
import { VPN_GATEWAY } from './vpn_gateway.ts'

const BY_NAME = {
  'dhcp-options': DHCP_OPTIONS,
  'elastic-ip': ELASTIC_IP,
  'vpc': VPC,
  'subnet': SUBNET,
  'route-table': ROUTE_TABLE,
  'security-group': SECURITY_GROUP,
  'network-acl': NETWORK_ACL,
  'egress-only-internet-gateway': EGRESS_ONLY_INTERNET_GATEWAY,
  'nat-gateway': NAT_GATEWAY,
  'eni': ENI,
  'instance': INSTANCE,
  'internet-gateway': INTERNET_GATEWAY,
  'peering': PEERING,
  'vpn-gateway': VPN_GATEWAY,
  'customer-gateway': CUSTOMER_GATEWAY,
  'vpn-connection': VPN_CONNECTION,
  'hosted-zone': HOSTED_ZONE
} as const satisfies Readonly<Record<string, LabKind>>

export type Kind = keyof typeof BY_NAME
export const KINDS: Readonly<Record<Kind, LabKind>> = BY_NAME
export const KIND_NAMES = Object.keys(BY_NAME) as readonly Kind[]

/** Kinds whose parts stand in a VPC of the file. */
export const VPC_KINDS = KIND_NAMES.filter((kind) => KINDS[kind].place === 'vpc')
/** Kinds whose parts stand beside the VPCs, the VPCs among them. */
export const FILE_KINDS = KIND_NAMES.filter((kind) => KINDS[kind].place === 'file')

/** The kind whose parts stand under a key. */
export function kindOfSection (kinds: readonly Kind[], section: string): Kind | undefined {
  return kinds.find((kind) => KINDS[kind].section === section)
}

/** Things that come with the first VPC, or with each: neither made nor deleted, only changed. */
export function isBorn ({ kind, name }: Pick<Resource, 'kind' | 'name'>): boolean {
  return KINDS[kind].born === name
}
