/**
 * What the IPsec engine is to be told of each tunnel, from the records. The engine's own terms are
 * its own; this is where the two meet:
 *
 *     records ──▶ tunnelSettings ──▶ IPsec engine ──▶ planIpsecSession (model/vpn_status.ts)
 *
 * A tunnel whose settings differ from those of the revision before is to begin anew; `replacedMs`
 * is among them, so that a replaced endpoint does as well. LocalIpv4NetworkCidr is the customer's
 * side and RemoteIpv4NetworkCidr AWS's: names of the API, seen from the device.
 */
import { certificatesOf as parseChain } from '../model/certificate_authority.ts'
import { knownAddress } from '../model/cidr.ts'
import type { CustomerGateway } from '../model/customer_gateway.ts'
import type { Snapshot } from '../model/snapshot.ts'
import {
  authorityOfGateway, endpointCertificate, endpointIdentity, revocationLists
} from '../model/vpn_certificate.ts'
import type { VpnConnection } from '../model/vpn_connection.ts'
import { insideAddresses, tunnelOptions } from '../model/vpn_tunnel.ts'
import type { TunnelOptions } from '../model/vpn_tunnel.ts'

export interface TunnelSettings extends TunnelOptions {
  readonly vpnConnectionId: string
  readonly vpnGatewayId: string
  /** AWS's end; it names the tunnel, and is its identity in IKE. */
  readonly outsideIpAddress: string
  /** Unique in the lab while the tunnel is there: the outside address, as the data plane has it. */
  readonly number: number
  /** The device's address and identity; null: known by its certificate alone. */
  readonly peerIpAddress: string | null
  /** Secret; null: certificates. */
  readonly preSharedKey: string | null
  readonly certificates: TunnelCertificates | null
  /** Inside addresses of AWS's end and the customer's, of one /30. */
  readonly insideAddresses: { readonly aws: string, readonly customer: string }
  /** Traffic selectors: AWS's side and the customer's. */
  readonly awsNetwork: string
  readonly customerNetwork: string
  readonly replacedMs: number | null
}

/** What a tunnel without a pre-shared key is proved by. PEM texts; keys are not in records. */
export interface TunnelCertificates {
  /** How AWS's side calls itself. */
  readonly identity: string
  /** Names the key; null: AWS's side has no certificate yet. */
  readonly endpoint: { readonly id: string, readonly certificate: string } | null
  readonly issuer: string
  readonly chain: readonly string[]
  readonly revocationLists: readonly string[]
}

/** All tunnels of a lab, in order of connection. */
export function tunnelSettings (snapshot: Snapshot): TunnelSettings[] {
  const { tables } = snapshot
  return [...tables.vpnConnection.values()].flatMap((connection) => {
    const customer = tables.customerGateway.get(connection.customerGatewayId)
    if (connection.state === 'deleted' || customer === undefined) return []
    return connection.tunnels.map((tunnel, at): TunnelSettings => ({
      ...tunnelOptions(tunnel),
      vpnConnectionId: connection.id, vpnGatewayId: connection.vpnGatewayId,
      outsideIpAddress: tunnel.outsideIpAddress,
      number: Number(knownAddress(tunnel.outsideIpAddress).value),
      peerIpAddress: customer.ipAddress, preSharedKey: tunnel.preSharedKey,
      certificates: certificatesOf(snapshot, customer, connection, at),
      insideAddresses: insideAddresses(tunnel),
      awsNetwork: connection.remoteIpv4NetworkCidr,
      customerNetwork: connection.localIpv4NetworkCidr, replacedMs: tunnel.replacedMs
    }))
  })
}

/** @returns null where there is no authority: vpn_certificate.ts says why */
function certificatesOf (snapshot: Snapshot, customer: CustomerGateway, connection: VpnConnection,
  at: number): TunnelCertificates | null {
  if (customer.certificateArn === null) return null
  const authority = authorityOfGateway(snapshot, customer)
  if (typeof authority === 'string' || authority.certificate === null) return null
  const endpoint =
    endpointCertificate(snapshot, connection, connection.tunnels[at]?.outsideIpAddress ?? '')
  return {
    identity: endpointIdentity(connection.id, at),
    endpoint: endpoint === undefined ? null
      : { id: endpoint.id, certificate: endpoint.certificate },
    issuer: authority.certificate, chain: parseChain(authority.chain),
    revocationLists: revocationLists(snapshot, authority)
  }
}
