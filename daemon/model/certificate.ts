/**
 * Certificates of AWS Certificate Manager: ACM API Reference. Private ones were issued by an
 * authority of the lab, others imported. Keys are not here (certificates/private_keys.ts).
 *
 * A customer gateway is told by one, and AWS's side of each of its tunnels has one of its own, made
 * by the same authority (`endpointOf`): AWS Site-to-Site VPN User Guide, "Tunnel authentication
 * options".
 */
import { AwsError } from './aws_error.ts'
import { expiryMs, parseCertificate } from './certificate_authority.ts'
import type { CertificateCaller } from './certificate_authority.ts'
import type { Tags } from './record.ts'
import type { Snapshot } from './snapshot.ts'

export interface Certificate {
  /** UUID: the end of its ARN, and the name of its key. */
  readonly id: string
  readonly accountId: string
  readonly region: string
  readonly tags: Tags
  readonly domainName: string
  readonly subjectAlternativeNames: readonly string[]
  readonly keyAlgorithm: string
  /** Authority of the lab that issued it; null: it was imported. */
  readonly authorityId: string | null
  /** PEM texts. The chain begins with the issuer. */
  readonly certificate: string
  readonly chain: string
  /** Tunnel whose AWS's side it is for (`tunnelKey`); null: somebody asked for it. */
  readonly endpointOf: string | null
  /** Another one is to take its place. */
  readonly isToBeRenewed: boolean
  readonly idempotencyToken: string | null
  readonly createdMs: number
}

/** Certificates of an account in a Region. ACM quotas. */
export const CERTIFICATES_MAX = 2500

const CERTIFICATE_ARN =
  /^arn:aws[a-z-]*:acm:([a-z0-9-]+):(\d{12}):certificate\/([A-Za-z0-9-]{1,64})$/

export function certificateArn ({ id, region, accountId }:
Pick<Certificate, 'id' | 'region' | 'accountId'>): string {
  return `arn:aws:acm:${region}:${accountId}:certificate/${id}`
}

export function isCertificateArn (arn: string): boolean { return CERTIFICATE_ARN.test(arn) }

/** Precondition: isCertificateArn. */
export function findCertificate (
  snapshot: Snapshot, caller: CertificateCaller, arn: string): Certificate | undefined {
  const [, region, accountId, id = ''] = CERTIFICATE_ARN.exec(arn) ?? []
  const certificate = snapshot.tables.certificate.get(id)
  return certificate !== undefined && certificate.accountId === accountId &&
    certificate.region === region && accountId === caller.accountId && region === caller.region
    ? certificate : undefined
}

/** @throws AwsError InvalidArnException, ResourceNotFoundException */
export function requireCertificate (
  snapshot: Snapshot, caller: CertificateCaller, arn: string): Certificate {
  if (!isCertificateArn(arn)) {
    throw new AwsError('InvalidArnException',
      `"${arn.slice(0, 200)}" is no ARN of a certificate of AWS Certificate Manager`)
  }
  const certificate = findCertificate(snapshot, caller, arn)
  if (certificate !== undefined) return certificate
  throw new AwsError('ResourceNotFoundException', `Could not find certificate ${arn}`)
}

/** Certificates of a caller, in order of creation. */
export function certificatesOfCaller (
  snapshot: Snapshot, { accountId, region }: CertificateCaller): Certificate[] {
  return snapshot.tables.certificate.by('accountId', accountId)
    .filter((one) => one.region === region)
}

/** ARNs and ids of what uses a certificate. */
export function usersOf ({ tables }: Snapshot, certificate: Certificate): string[] {
  const { accountId, region, endpointOf } = certificate
  const arn = certificateArn(certificate)
  const gateways = tables.customerGateway.by('ownerId', accountId)
    .filter((one) => one.certificateArn === arn && one.state === 'available')
    .map(({ id }) => `arn:aws:ec2:${region}:${accountId}:customer-gateway/${id}`)
  const [connectionId] = endpointOf?.split(':') ?? []
  return connectionId === undefined ? gateways
    : [...gateways, `arn:aws:ec2:${region}:${accountId}:vpn-connection/${connectionId}`]
}

export type CertificateState = 'ISSUED' | 'EXPIRED' | 'REVOKED'

/** A certificate that was revoked at its authority is REVOKED here, too. */
export function certificateState (
  snapshot: Snapshot, certificate: Certificate, nowMs: number): CertificateState {
  if (revocationOf(snapshot, certificate) !== null) return 'REVOKED'
  return nowMs > expiryMs(certificate.certificate) ? 'EXPIRED' : 'ISSUED'
}

export function revocationOf ({ tables }: Snapshot, { certificate, authorityId }: Certificate):
{ readonly atMs: number, readonly reason: string } | null {
  const serial = parseCertificate(certificate)?.serialNumber.toLowerCase().padStart(32, '0') ?? ''
  const issued = tables.issuedCertificate.get(serial)
  return issued !== undefined && issued.authorityId === authorityId ? issued.revoked : null
}
