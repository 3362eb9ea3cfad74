/**
 * Private certificate authorities, as AWS Private CA has them: AWS Private CA API Reference. Their
 * keys are not here (certificates/private_keys.ts), and certificates are signed elsewhere
 * (certificates/openssl.ts): a record keeps what is public.
 *
 *     create ─▶ PENDING_CERTIFICATE ─ import its certificate ─▶ ACTIVE ◀─▶ DISABLED ─▶ DELETED
 *                └ its CSR is signed by itself (a root) or by another authority
 *
 * Every certificate that it has issued is a record, by serial number; the revocation list is made
 * anew with each revocation.
 */
import { X509Certificate } from 'node:crypto'
import { AwsError } from './aws_error.ts'
import type { Tags } from './record.ts'
import type { Snapshot } from './snapshot.ts'

export type AuthorityType = 'ROOT' | 'SUBORDINATE'

export interface CertificateAuthority {
  /** UUID: the end of its ARN, and the name of its key. */
  readonly id: string
  readonly accountId: string
  readonly region: string
  readonly tags: Tags
  readonly type: AuthorityType
  /** Attributes of its name in AWS's words, in order. */
  readonly subject: readonly (readonly [attribute: string, value: string])[]
  readonly keyAlgorithm: string
  readonly signingAlgorithm: string
  readonly state: 'PENDING_CERTIFICATE' | 'ACTIVE' | 'DISABLED' | 'DELETED'
  /** PEM texts; no certificate yet: null. The chain is without its own, empty for a root. */
  readonly csr: string
  readonly certificate: string | null
  readonly chain: string
  /** PEM; null: nothing was revoked. */
  readonly revocationList: string | null
  readonly idempotencyToken: string | null
  readonly createdMs: number
  readonly changedMs: number
}

/** A certificate that an authority has issued. */
export interface IssuedCertificate {
  /** Serial number: 32 hex digits, small letters. */
  readonly id: string
  readonly authorityId: string
  /** PEM. */
  readonly certificate: string
  readonly idempotencyToken: string | null
  readonly issuedMs: number
  /** null: it is good until it ends. */
  readonly revoked: { readonly atMs: number, readonly reason: string } | null
}

/** Whose call it is. */
export interface CertificateCaller {
  readonly accountId: string
  readonly region: string
}

/** Authorities of an account in a Region. AWS Private CA quotas. */
export const AUTHORITIES_MAX = 200

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g

/** The certificates of a PEM text, in order; the text of anything else is passed over. */
export function certificatesOf (pem: string): string[] {
  return [...pem.matchAll(PEM_CERTIFICATE)].map(([text]) => `${text}\n`)
}

/** What node:crypto reads of a certificate; null: it is none. */
export function parseCertificate (pem: string): X509Certificate | null {
  try {
    return new X509Certificate(pem)
  } catch {
    return null
  }
}

/** @returns whether each certificate was signed by the one behind it, and the last by itself */
export function isChain (pems: readonly string[]): boolean {
  const parsed = pems.map(parseCertificate)
  return parsed.length > 0 && parsed.every((one, at) => {
    const issuer = at + 1 < parsed.length ? parsed[at + 1] : one
    return one !== null && issuer !== null && issuer !== undefined && one.checkIssued(issuer) &&
      one.verify(issuer.publicKey)
  })
}

export function authorityArn ({ id, region, accountId }:
Pick<CertificateAuthority, 'id' | 'region' | 'accountId'>): string {
  return `arn:aws:acm-pca:${region}:${accountId}:certificate-authority/${id}`
}

const AUTHORITY_ARN =
  /^arn:aws[a-z-]*:acm-pca:([a-z0-9-]+):(\d{12}):certificate-authority\/([0-9a-f-]{36})$/
const ISSUED_ARN = /^(.+)\/certificate\/([0-9a-f]{32})$/

/** @throws AwsError InvalidArnException, ResourceNotFoundException */
export function requireAuthority (snapshot: Snapshot, caller: CertificateCaller,
  arn: string): CertificateAuthority {
  const [, region, accountId, id = ''] = AUTHORITY_ARN.exec(arn) ?? []
  if (region === undefined) {
    throw new AwsError('InvalidArnException', `"${arn.slice(0, 200)}" is no ARN of a ` +
      'certificate authority')
  }
  const authority = snapshot.tables.certificateAuthority.get(id)
  if (authority !== undefined && region === caller.region && accountId === caller.accountId &&
    authority.accountId === accountId && authority.region === region) return authority
  throw new AwsError('ResourceNotFoundException', `Could not find ${arn}`)
}

export function issuedArn (authority: CertificateAuthority, serial: string): string {
  return `${authorityArn(authority)}/certificate/${serial}`
}

/** @throws AwsError InvalidArnException, ResourceNotFoundException */
export function requireIssued (
  snapshot: Snapshot, authority: CertificateAuthority, arn: string): IssuedCertificate {
  const [, ofAuthority, serial = ''] = ISSUED_ARN.exec(arn) ?? []
  if (ofAuthority !== authorityArn(authority)) {
    throw new AwsError('InvalidArnException',
      `"${arn.slice(0, 300)}" is no ARN of a certificate of ${authorityArn(authority)}`)
  }
  const issued = snapshot.tables.issuedCertificate.get(serial)
  if (issued?.authorityId === authority.id) return issued
  throw new AwsError('ResourceNotFoundException', `Could not find ${arn}`)
}

/** Authorities of a caller, in order of creation. */
export function authoritiesOf (snapshot: Snapshot,
  { accountId, region }: CertificateCaller): CertificateAuthority[] {
  return snapshot.tables.certificateAuthority.by('accountId', accountId)
    .filter((one) => one.region === region)
}

/** @throws AwsError InvalidStateException */
export function requireActive (authority: CertificateAuthority): {
  readonly certificate: string
} {
  const { state, certificate } = authority
  if (state === 'ACTIVE' && certificate !== null) return { certificate }
  throw new AwsError('InvalidStateException',
    `The certificate authority ${authorityArn(authority)} is ${state}; it must be ACTIVE`)
}

/** Its own certificate and those above it, PEM. */
export function chainOf ({ certificate, chain }: CertificateAuthority): string {
  return `${certificate ?? ''}${chain}`
}

/** End of a certificate's validity, ms since 1970. */
export function expiryMs (pem: string): number {
  return Date.parse(parseCertificate(pem)?.validTo ?? '')
}
