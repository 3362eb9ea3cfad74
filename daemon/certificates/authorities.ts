/**
 * The work of certificate authorities: keys in files, signatures by openssl, records in the store.
 *
 *     create    key, CSR                  ─▶ certificateAuthority
 *     issue     CSR ─ authority's key     ─▶ issuedCertificate
 *     certify   key, CSR ─ authority's key ─▶ issuedCertificate, certificate
 *     revoke    revocation list           ─▶ issuedCertificate, certificateAuthority
 *
 * A key is written before the record that needs it; one whose record is not there is swept away.
 */
import type { Clock } from '../base/clock.ts'
import { newUuid } from '../base/ids.ts'
import type { Random } from '../base/random.ts'
import { AwsError } from '../model/aws_error.ts'
import type { Certificate } from '../model/certificate.ts'
import { chainOf, expiryMs, requireActive } from '../model/certificate_authority.ts'
import type {
  CertificateAuthority, CertificateCaller, IssuedCertificate
} from '../model/certificate_authority.ts'
import type { Ledger } from '../model/ledger.ts'
import type { Plan } from '../model/plan.ts'
import type { Tags } from '../model/record.ts'
import { put } from '../model/snapshot.ts'
import type { Change, Snapshot } from '../model/snapshot.ts'
import { issueCertificate, makeRequest, makeRevocationList, newSerial } from './openssl.ts'
import type { Profile, SubjectName } from './openssl.ts'
import type { PrivateKeys } from './private_keys.ts'

/** AWS's certificates begin before they are asked for: clocks differ. */
const BACKDATE_MS = 3_600_000
const DAY_MS = 86_400_000
/** ACM User Guide: private certificates are good for 13 months. */
const PRIVATE_CERTIFICATE_DAYS = 395
/** AWS's names of a subject's attributes, and openssl's. */
export const ATTRIBUTES: Readonly<Record<string, string>> = {
  Country: 'C', Organization: 'O', OrganizationalUnit: 'OU',
  DistinguishedNameQualifier: 'dnQualifier', State: 'ST', CommonName: 'CN',
  SerialNumber: 'serialNumber', Locality: 'L', Title: 'title',
  Surname: 'SN', GivenName: 'GN', Initials: 'initials', Pseudonym: 'pseudonym',
  GenerationQualifier: 'generationQualifier'
}
/** RFC 5280 §5.3.1: AWS's reasons, and openssl's. */
export const REVOCATION_REASONS: ReadonlyMap<string, string | null> = new Map([
  ['UNSPECIFIED', null], ['KEY_COMPROMISE', 'keyCompromise'],
  ['CERTIFICATE_AUTHORITY_COMPROMISE', 'CACompromise'],
  ['AFFILIATION_CHANGED', 'affiliationChanged'], ['SUPERSEDED', 'superseded'],
  ['CESSATION_OF_OPERATION', 'cessationOfOperation'],
  ['PRIVILEGE_WITHDRAWN', 'privilegeWithdrawn'], ['A_A_COMPROMISE', 'AACompromise']
])

export interface IssueInput {
  readonly csr: string
  readonly profile: Profile
  /** `SHA256WITHRSA` */
  readonly signingAlgorithm: string
  /** null: an hour ago. */
  readonly notBeforeMs: number | null
  readonly notAfterMs: number
  readonly idempotencyToken: string | null
}

export interface CertifyInput {
  readonly caller: CertificateCaller
  readonly subject: SubjectName
  readonly domainName: string
  /** DNS names. */
  readonly alternativeNames: readonly string[]
  readonly keyAlgorithm: string
  readonly tags: Tags
  readonly endpointOf: string | null
  readonly idempotencyToken: string | null
}

/** What a commit made: its result, and its revision. */
export interface Done<Result> {
  readonly result: Result
  readonly revision: number
}

export interface AuthoritiesOptions {
  readonly keys: PrivateKeys
  readonly ledger: Ledger
  readonly clock: Clock
  readonly random: Random
}

export class Authorities {
  readonly keys: PrivateKeys
  readonly #options: AuthoritiesOptions
  /** Revocations of one authority follow each other: each list has all that were before. */
  #revoking: Promise<unknown> = Promise.resolve()

  constructor (options: AuthoritiesOptions) {
    this.#options = options
    this.keys = options.keys
  }

  get snapshot (): Snapshot { return this.#options.ledger.snapshot }
  get nowMs (): number { return this.#options.clock.nowMs() }

  newId (): string { return newUuid(this.#options.random) }

  async transact<Result> (plan: () => Plan<Result>): Promise<Done<Result>> {
    return await this.#options.ledger.transact(plan)
  }

  async create (input: Pick<CertificateAuthority, 'accountId' | 'region' | 'tags' | 'type' |
  'subject' | 'keyAlgorithm' | 'signingAlgorithm' | 'idempotencyToken'>):
  Promise<Done<CertificateAuthority>> {
    const id = this.newId()
    await this.keys.create(id, input.keyAlgorithm)
    const csr = await makeRequest(this.keys.path(id),
      input.subject.map(([name, value]) => [ATTRIBUTES[name] ?? name, value]))
    const authority: CertificateAuthority = {
      id, ...input, state: 'PENDING_CERTIFICATE', csr, certificate: null, chain: '',
      revocationList: null, createdMs: this.nowMs, changedMs: this.nowMs
    }
    return await this.transact(() =>
      ({ changes: [put('certificateAuthority', authority)], result: authority }))
  }

  /** @throws AwsError InvalidStateException, InvalidArgsException, MalformedCSRException */
  async issue (
    authority: CertificateAuthority, input: IssueInput): Promise<Done<IssuedCertificate>> {
    const issued = await this.#sign(authority, input)
    return await this.transact(() =>
      ({ changes: [put('issuedCertificate', issued)], result: issued }))
  }

  /**
   * A certificate with a key of its own.
   * @param also what else is committed with it; it may throw, and then nothing is
   * @throws AwsError InvalidStateException
   */
  async certify (authority: CertificateAuthority, input: CertifyInput,
    also: (certificate: Certificate) => readonly Change[] = () => []): Promise<Done<Certificate>> {
    const { caller: { accountId, region }, subject, alternativeNames, ...rest } = input
    const { certificate: ofAuthority } = requireActive(authority)
    const id = this.newId()
    await this.keys.create(id, input.keyAlgorithm)
    const issued = await this.#sign(authority, {
      csr: await makeRequest(this.keys.path(id), subject, alternativeNames),
      profile: { kind: 'end-entity', usages: ['serverAuth', 'clientAuth'] },
      signingAlgorithm: authority.signingAlgorithm, notBeforeMs: null, idempotencyToken: null,
      notAfterMs: Math.min(this.nowMs + PRIVATE_CERTIFICATE_DAYS * DAY_MS, expiryMs(ofAuthority))
    })
    const certificate: Certificate = {
      id, accountId, region, authorityId: authority.id, certificate: issued.certificate,
      chain: chainOf(authority), subjectAlternativeNames: alternativeNames,
      isToBeRenewed: false, createdMs: this.nowMs, ...rest
    }
    return await this.transact(() => ({
      changes: [put('issuedCertificate', issued), put('certificate', certificate),
        ...also(certificate)],
      result: certificate
    }))
  }

  /** @throws AwsError InvalidStateException, RequestAlreadyProcessedException */
  async revoke (authorityId: string, serial: string, reason: string): Promise<Done<null>> {
    const revoking = this.#revoking.then(() => this.#revoke(authorityId, serial, reason))
    this.#revoking = revoking.catch(() => undefined)
    return await revoking
  }

  /** @throws AwsError InvalidStateException when another machine of the lab has the key */
  #keyPath (authorityId: string): string {
    if (this.keys.read(authorityId) !== null) return this.keys.path(authorityId)
    throw new AwsError('InvalidStateException', `The private key of ${authorityId} is not on ` +
      'this machine: call the endpoint of the one that the authority was made on')
  }

  async #revoke (authorityId: string, serial: string, reason: string): Promise<Done<null>> {
    const { tables } = this.snapshot
    const authority = tables.certificateAuthority.get(authorityId)
    const issued = tables.issuedCertificate.get(serial)
    if (authority === undefined || issued?.authorityId !== authorityId) {
      throw new AwsError('ResourceNotFoundException',
        `The authority has issued no certificate with serial number ${serial}`)
    }
    if (issued.revoked !== null) {
      throw new AwsError('RequestAlreadyProcessedException',
        `The certificate with serial number ${serial} was revoked before`)
    }
    const { certificate } = requireActive(authority)
    const revoked = { ...issued, revoked: { atMs: this.nowMs, reason } }
    const all = tables.issuedCertificate.by('authorityId', authorityId)
      .filter((one) => one.revoked !== null)
    const revocationList = await makeRevocationList(this.keys.directory, {
      keyPath: this.#keyPath(authorityId), authority: certificate,
      digest: digestOf(authority.signingAlgorithm), number: all.length + 1,
      revoked: [...all, revoked].map(({ id, revoked: how }) => ({
        serial: id, atMs: how?.atMs ?? 0, reason: REVOCATION_REASONS.get(how?.reason ?? '') ?? null
      }))
    })
    return await this.transact(() => {
      const now = this.snapshot.tables.certificateAuthority.get(authorityId)
      return {
        changes: now === undefined ? [] : [put('issuedCertificate', revoked),
          put('certificateAuthority', { ...now, revocationList })],
        result: null
      }
    })
  }

  async #sign (authority: CertificateAuthority, input: IssueInput): Promise<IssuedCertificate> {
    const isRoot = input.profile.kind === 'root'
    if (!isRoot) requireActive(authority)
    const family = authority.keyAlgorithm.startsWith('RSA_') ? 'WITHRSA' : 'WITHECDSA'
    if (!input.signingAlgorithm.endsWith(family)) {
      throw new AwsError('InvalidArgsException', 'The signing algorithm ' +
        `${input.signingAlgorithm} does not fit the key of the authority, ` +
        authority.keyAlgorithm)
    }
    const serial = newSerial(this.#options.random)
    const certificate = await issueCertificate(this.keys.directory, {
      keyPath: this.#keyPath(authority.id), authority: isRoot ? null : authority.certificate,
      csr: input.csr, serial, profile: input.profile, digest: digestOf(input.signingAlgorithm),
      notBeforeMs: input.notBeforeMs ?? this.nowMs - BACKDATE_MS, notAfterMs: input.notAfterMs
    }).catch((error: unknown) => {
      throw new AwsError('MalformedCSRException',
        `No certificate could be made of the request: ${(error as Error).message}`)
    })
    return {
      id: serial, authorityId: authority.id, certificate, issuedMs: this.nowMs, revoked: null,
      idempotencyToken: input.idempotencyToken
    }
  }
}

function digestOf (signingAlgorithm: string): string {
  return signingAlgorithm.replace(/WITH.*$/, '').toLowerCase()
}
