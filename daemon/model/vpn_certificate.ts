/**
 * The certificates of a tunnel whose customer gateway is told by one. AWS Site-to-Site VPN User
 * Guide, "Tunnel authentication options":
 *
 *     root ─▶ subordinate authority ──┬─▶ certificate of the customer gateway (CertificateArn)
 *                                     └─▶ certificate of AWS's side, one for each tunnel
 *
 * The device may prove itself with any certificate that this authority has issued, so that one can
 * be renewed without a call. AWS's side gets its own from the lab (certificates/endpoints.ts).
 */
import { findCertificate } from './certificate.ts'
import type { Certificate } from './certificate.ts'
import { chainOf } from './certificate_authority.ts'
import type { CertificateAuthority } from './certificate_authority.ts'
import type { Change, Snapshot } from './snapshot.ts'
import { put, remove } from './snapshot.ts'
import type { CustomerGateway } from './customer_gateway.ts'
import type { VpnConnection } from './vpn_connection.ts'
import { tunnelKey } from './vpn_status.ts'

/**
 * The authority that has issued the certificate of a customer gateway.
 * @returns why there is none, in words for people
 */
export function authorityOfGateway (snapshot: Snapshot,
  { certificateArn, ownerId, region }: CustomerGateway): CertificateAuthority | string {
  const certificate = findCertificate(
    snapshot, { accountId: ownerId, region }, certificateArn ?? '')
  if (certificate === undefined) {
    return `AWS Certificate Manager has no certificate ${certificateArn ?? ''}`
  }
  const authority = snapshot.tables.certificateAuthority.get(certificate.authorityId ?? '')
  return authority ??
    `${certificateArn ?? ''} was imported: a private certificate authority must have issued it`
}

/** The certificate of AWS's side of a tunnel; undefined: it is still to be made. */
export function endpointCertificate ({ tables }: Snapshot,
  { id }: Pick<VpnConnection, 'id'>, outsideIpAddress: string): Certificate | undefined {
  return tables.certificate.by('endpointOf', tunnelKey(id, outsideIpAddress)).at(-1)
}

/** AWS's side gets another certificate; the one that it has serves until then. */
export function renewEndpointCertificate (
  snapshot: Snapshot, connection: Pick<VpnConnection, 'id'>, outsideIpAddress: string): Change[] {
  const certificate = endpointCertificate(snapshot, connection, outsideIpAddress)
  return certificate === undefined ? []
    : [put('certificate', { ...certificate, isToBeRenewed: true })]
}

/** What goes with a connection, or with the authority that it had. */
export function dropEndpointCertificates ({ tables }: Snapshot,
  { id }: Pick<VpnConnection, 'id'>, outsideIpAddresses: readonly string[]): Change[] {
  return outsideIpAddresses.flatMap((outside) =>
    tables.certificate.by('endpointOf', tunnelKey(id, outside))
      .map((certificate) => remove('certificate', certificate.id)))
}

/** Revocation lists of an authority and of those above it, PEM. */
export function revocationLists (
  { tables }: Snapshot, authority: CertificateAuthority): string[] {
  const chain = chainOf(authority)
  return tables.certificateAuthority.by('accountId', authority.accountId)
    .filter(({ certificate }) => certificate !== null && chain.includes(certificate))
    .flatMap(({ revocationList }) => revocationList ?? [])
}

/** How AWS's side of a tunnel calls itself, RFC 4514 the other way round. @param at 0 or 1 */
export function endpointName (vpnConnectionId: string, at: number):
(readonly [attribute: string, value: string])[] {
  return [['C', 'US'], ['ST', 'WA'], ['L', 'Seattle'], ['O', 'Amazon.com'], ['OU', 'AWS'],
    ['CN', `${vpnConnectionId}.endpoint-${String(at)}`]]
}

/** The same as text, as strongSwan writes and reads it. */
export function endpointIdentity (vpnConnectionId: string, at: number): string {
  return endpointName(vpnConnectionId, at).map((pair) => pair.join('=')).join(', ')
}
