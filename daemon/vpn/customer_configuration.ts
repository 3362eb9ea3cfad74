/**
 * CustomerGatewayConfiguration: what DescribeVpnConnections tells the customer's side in XML, as
 * AWS writes it. AWS Site-to-Site VPN User Guide, "Download the configuration file".
 *
 * The algorithms that it names are one choice that AWS's side accepts (proposal.ts); the samples
 * for devices have the same.
 */
import type { CustomerGateway } from '../model/customer_gateway.ts'
import type { VpnConnection } from '../model/vpn_connection.ts'
import { VPN_TYPE } from '../model/vpn_gateway.ts'
import type { VpnGateway } from '../model/vpn_gateway.ts'
import { insideAddresses, tunnelOptions } from '../model/vpn_tunnel.ts'
import type { VpnTunnel } from '../model/vpn_tunnel.ts'
import { phase1Proposal, phase2Proposal } from './proposal.ts'
import type { IkeVersion } from './proposal.ts'

/** BGP's hold time that AWS asks for, seconds. */
export const HOLD_TIME_S = 30
/** Seconds without traffic after which AWS tells the device to ask, and how often it asks. */
export const DPD = { intervalS: 10, retries: 3 } as const
/** Segment size that fits a tunnel of the recommended MTU of 1,399 bytes and more. */
export const TCP_MSS = 1379
const NETWORK_MASK = '255.255.255.252'

/** A connection with its two gateways. */
export interface VpnParts {
  readonly connection: VpnConnection
  readonly gateway: VpnGateway
  readonly customer: CustomerGateway
  /** IPv4 blocks of the gateway's VPC. */
  readonly vpcCidrs: readonly string[]
}

/** AWS's names in this document for its own names of algorithms. */
const ENCRYPTION: Readonly<Record<string, string>> = {
  'AES128': 'aes-128-cbc', 'AES256': 'aes-256-cbc', 'AES128-GCM-16': 'aes-128-gcm-16',
  'AES256-GCM-16': 'aes-256-gcm-16'
}
const IKE_INTEGRITY: Readonly<Record<string, string>> =
  { 'SHA1': 'sha1', 'SHA2-256': 'sha2-256', 'SHA2-384': 'sha2-384', 'SHA2-512': 'sha2-512' }
const ESP_INTEGRITY: Readonly<Record<string, string>> = {
  'SHA1': 'hmac-sha1-96', 'SHA2-256': 'hmac-sha2-256-128', 'SHA2-384': 'hmac-sha2-384-192',
  'SHA2-512': 'hmac-sha2-512-256'
}

/** An element: its name, and text or elements. */
type Node = readonly [name: string, content: string | readonly Node[]]

/** @returns the document, with secrets */
export function customerConfiguration (parts: VpnParts): string {
  const { connection, gateway, customer } = parts
  const nodes: readonly Node[] = [
    ['customer_gateway_id', customer.id],
    ['vpn_gateway_id', gateway.id],
    ['vpn_connection_type', VPN_TYPE],
    ...connection.staticRoutesOnly
      ? [['vpn_connection_attributes', 'NoBGPVPNConnection'] as const] : [],
    ...connection.tunnels.map((tunnel): Node => ['ipsec_tunnel', tunnelNodes(parts, tunnel)])
  ]
  return '<?xml version="1.0" encoding="UTF-8"?>\n' +
    `<vpn_connection id="${connection.id}">\n${write(nodes, '  ')}</vpn_connection>`
}

function tunnelNodes ({ connection, gateway, customer }: VpnParts, tunnel: VpnTunnel): Node[] {
  const inside = insideAddresses(tunnel)
  const { outsideIpAddress, preSharedKey } = tunnel
  const isStatic = connection.staticRoutesOnly
  const options = tunnelOptions(tunnel)
  const [phase1, phase2] = [phase1Proposal(options, preferredVersion(tunnel)),
    phase2Proposal(options)]
  return [
    ['customer_gateway',
      endNodes(customer.ipAddress ?? '0.0.0.0', inside.customer, isStatic ? null
        : customer.bgpAsn)],
    ['vpn_gateway',
      endNodes(outsideIpAddress, inside.aws, isStatic ? null : gateway.amazonSideAsn)],
    ['ike', [
      ['authentication_protocol', IKE_INTEGRITY[phase1.integrity] ?? ''],
      ['encryption_protocol', ENCRYPTION[phase1.encryption] ?? ''],
      ['lifetime', String(options.phase1LifetimeSeconds)],
      ['perfect_forward_secrecy', `group${String(phase1.dhGroup)}`],
      ['mode', 'main'],
      ...preSharedKey === null ? [] : [['pre_shared_key', preSharedKey] as const]
    ]],
    ['ipsec', [
      ['protocol', 'esp'],
      ['authentication_protocol', ESP_INTEGRITY[phase2.integrity] ?? ''],
      ['encryption_protocol', ENCRYPTION[phase2.encryption] ?? ''],
      ['lifetime', String(options.phase2LifetimeSeconds)],
      ['perfect_forward_secrecy', `group${String(phase2.dhGroup)}`],
      ['mode', 'tunnel'],
      ['clear_df_bit', 'true'],
      ['fragmentation_before_encryption', 'true'],
      ['tcp_mss_adjustment', String(TCP_MSS)],
      ['dead_peer_detection',
        [['interval', String(DPD.intervalS)], ['retries', String(DPD.retries)]]]
    ]]
  ]
}

/** One end of a tunnel. @param asn null: no BGP */
function endNodes (outside: string, inside: string, asn: number | null): Node[] {
  return [
    ['tunnel_outside_address', [['ip_address', outside]]],
    ['tunnel_inside_address', [
      ['ip_address', inside],
      ['network_mask', NETWORK_MASK],
      ['network_cidr', '30']
    ]],
    ...asn === null ? []
      : [['bgp', [['asn', String(asn)], ['hold_time', String(HOLD_TIME_S)]]] as const]
  ]
}

/** IKEv2 where AWS's side takes it. */
export function preferredVersion (tunnel: VpnTunnel): IkeVersion {
  return tunnelOptions(tunnel).ikeVersions.includes('ikev2') ? 'ikev2' : 'ikev1'
}

function write (nodes: readonly Node[], indent: string): string {
  return nodes.map(([name, content]) => typeof content === 'string'
    ? `${indent}<${name}>${content}</${name}>\n`
    : `${indent}<${name}>\n${write(content, `${indent}  `)}${indent}</${name}>\n`).join('')
}
