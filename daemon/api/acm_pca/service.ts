/**
 * AWS Private CA as a service behind the endpoint: private certificate authorities, and what they
 * sign. AWS Private CA API Reference. What it is for here: certificates of VPN connections.
 *
 * Revocation lists are not published: IKE of the lab's gateways knows them at once.
 */
import { X509Certificate } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { KEY_ALGORITHMS } from '../../certificates/private_keys.ts'
import { ATTRIBUTES, REVOCATION_REASONS } from '../../certificates/authorities.ts'
import type { Authorities } from '../../certificates/authorities.ts'
import type { Profile } from '../../certificates/openssl.ts'
import { AwsError } from '../../model/aws_error.ts'
import {
  AUTHORITIES_MAX, authoritiesOf, authorityArn, certificatesOf, chainOf, expiryMs, isChain,
  issuedArn, parseCertificate, requireActive, requireAuthority, requireIssued
} from '../../model/certificate_authority.ts'
import type { AuthorityType, CertificateAuthority } from '../../model/certificate_authority.ts'
import { put } from '../../model/snapshot.ts'
import { tagsFromInput } from '../../model/tag.ts'
import type { TagInput } from '../../model/tag.ts'
import { createJsonService } from '../json_codec.ts'
import { defineOperation } from '../operation_service.ts'
import type { Operation } from '../operation_service.ts'
import type { Service } from '../service.ts'
import type { Caller } from '../sigv4.ts'

const SIGNING_ALGORITHMS: readonly string[] = [
  'SHA256WITHECDSA', 'SHA384WITHECDSA', 'SHA512WITHECDSA', 'SHA256WITHRSA', 'SHA384WITHRSA',
  'SHA512WITHRSA'
]
/** X.520's bounds; all that have none here have 64. */
const ATTRIBUTE_LENGTHS: Readonly<Record<string, number>> =
  { Country: 2, State: 128, Locality: 128, Pseudonym: 128, Surname: 40, GivenName: 16,
    Initials: 5, GenerationQualifier: 3 }
const ATTRIBUTE_LENGTH_DEFAULT = 64
/** A second call with the same token within it answers as the first one did. */
const IDEMPOTENCY_MS = 300_000
const PAGE_MAX = 1000

interface OfAuthority { readonly CertificateAuthorityArn: string }

interface Validity { readonly Value: number, readonly Type: string }

interface CreateInput {
  readonly CertificateAuthorityConfiguration: {
    readonly KeyAlgorithm: string
    readonly SigningAlgorithm: string
    readonly Subject: Readonly<Record<string, string>>
    readonly CsrExtensions?: object
  }
  readonly CertificateAuthorityType: string
  readonly RevocationConfiguration?: RevocationInput
  readonly IdempotencyToken?: string
  readonly Tags?: readonly TagInput[]
  readonly UsageMode?: string
}

interface RevocationInput {
  readonly CrlConfiguration?: { readonly Enabled: boolean }
  readonly OcspConfiguration?: { readonly Enabled: boolean }
}

interface RevokeInput extends OfAuthority {
  readonly CertificateSerial: string
  readonly RevocationReason: string
}

interface UpdateInput extends OfAuthority {
  readonly Status?: string
  readonly RevocationConfiguration?: RevocationInput
}

interface ImportInput extends OfAuthority {
  readonly Certificate: Uint8Array
  readonly CertificateChain?: Uint8Array
}

interface IssueInput extends OfAuthority {
  readonly Csr: Uint8Array
  readonly SigningAlgorithm: string
  readonly Validity: Validity
  readonly TemplateArn?: string
  readonly ValidityNotBefore?: Validity
  readonly IdempotencyToken?: string
  readonly ApiPassthrough?: object
}

export function createAcmPcaService (authorities: Authorities): Service {
  return createJsonService({
    name: 'acm-pca',
    targetPrefix: 'ACMPrivateCA',
    loadClient: () => import('./schemas.ts'),
    operations: [...lifeCycle(authorities), ...signing(authorities), ...readings(authorities)]
  })
}

function lifeCycle (authorities: Authorities): Operation<object, object>[] {
  return [
    defineOperation<CreateInput, object>({
      name: 'CreateCertificateAuthority',
      async answer (caller, input, call) {
        const { accountId, region } = caller
        const all = authoritiesOf(authorities.snapshot, caller)
        const { IdempotencyToken: token = null, CertificateAuthorityType: type } = input
        const before = all.find((one) => token !== null && one.idempotencyToken === token &&
          authorities.nowMs - one.createdMs < IDEMPOTENCY_MS)
        if (before !== undefined) return { CertificateAuthorityArn: authorityArn(before) }
        if (all.length >= AUTHORITIES_MAX) {
          throw new AwsError('LimitExceededException',
            `The account has ${String(all.length)} certificate authorities; at most ` +
            `${String(AUTHORITIES_MAX)} are allowed`)
        }
        refuseRevocation(input.RevocationConfiguration)
        const { result, revision } = await authorities.create({
          accountId, region, type: authorityType(type), tags: tagsFromInput(input.Tags ?? []),
          idempotencyToken: token, ...configurationOf(input)
        })
        call.revision = revision
        return { CertificateAuthorityArn: authorityArn(result) }
      }
    }),
    defineOperation<ImportInput, object>({
      name: 'ImportCertificateAuthorityCertificate',
      async answer (caller, input, call) {
        const text = (bytes: Uint8Array = new Uint8Array()): string => Buffer.from(bytes).toString()
        const { revision } = await authorities.transact(() => {
          const authority = found(authorities, caller, input)
          const { certificate, chain } = checkImported(authority,
            authorities.keys.publicKey(authority.id), text(input.Certificate),
            text(input.CertificateChain))
          const changed: CertificateAuthority = { ...authority, state: 'ACTIVE', certificate,
            chain, changedMs: authorities.nowMs }
          return { changes: [put('certificateAuthority', changed)], result: null }
        })
        call.revision = revision
        return {}
      }
    }),
    stateOperation(authorities, 'UpdateCertificateAuthority', (authority, input) => {
      refuseRevocation(input.RevocationConfiguration)
      const { Status: status = authority.state } = input
      const isSwitch = (status === 'ACTIVE' || status === 'DISABLED') &&
        authority.certificate !== null && authority.state !== 'DELETED'
      if (isSwitch) return status
      throw new AwsError('InvalidStateException', `${authorityArn(authority)} is ` +
        `${authority.state} and cannot become ${status}`)
    }),
    stateOperation(authorities, 'DeleteCertificateAuthority', (authority) => {
      if (authority.state !== 'ACTIVE' && authority.state !== 'DELETED') return 'DELETED'
      throw new AwsError('InvalidStateException', `${authorityArn(authority)} is ` +
        `${authority.state}; an authority is DISABLED before it is deleted`)
    })
  ]
}

/** An operation that changes an authority's state and answers nothing. */
function stateOperation (authorities: Authorities, name: string,
  next: (authority: CertificateAuthority, input: UpdateInput) => CertificateAuthority['state']):
Operation<object, object> {
  return defineOperation<UpdateInput, object>({
    name,
    async answer (caller, input, call) {
      const { revision } = await authorities.transact(() => {
        const authority = found(authorities, caller, input)
        const changed: CertificateAuthority =
          { ...authority, state: next(authority, input), changedMs: authorities.nowMs }
        return { changes: [put('certificateAuthority', changed)], result: null }
      })
      call.revision = revision
      return {}
    }
  })
}

function signing (authorities: Authorities): Operation<object, object>[] {
  return [
    defineOperation<IssueInput, object>({
      name: 'IssueCertificate',
      async answer (caller, input, call) {
        const authority = found(authorities, caller, input)
        const { IdempotencyToken: token = null } = input
        const before = authorities.snapshot.tables.issuedCertificate
          .by('authorityId', authority.id).find((one) => token !== null &&
            one.idempotencyToken === token && authorities.nowMs - one.issuedMs < IDEMPOTENCY_MS)
        if (before !== undefined) return { CertificateArn: issuedArn(authority, before.id) }
        const { result, revision } = await authorities.issue(authority, {
          csr: Buffer.from(input.Csr).toString(), idempotencyToken: token,
          signingAlgorithm: oneOf('SigningAlgorithm', input.SigningAlgorithm, SIGNING_ALGORITHMS),
          profile: checkedProfile(authority, input), ...validityOf(authority, input, authorities)
        })
        call.revision = revision
        return { CertificateArn: issuedArn(authority, result.id) }
      }
    }),
    defineOperation<RevokeInput, object>({
      name: 'RevokeCertificate',
      async answer (caller, input, call) {
        const authority = found(authorities, caller, input)
        const reason = oneOf('RevocationReason', input.RevocationReason,
          [...REVOCATION_REASONS.keys()])
        const serial = input.CertificateSerial.replaceAll(':', '').toLowerCase().padStart(32, '0')
        const { revision } = await authorities.revoke(authority.id, serial, reason)
        call.revision = revision
        return {}
      }
    })
  ]
}

function readings (authorities: Authorities): Operation<object, object>[] {
  return [
    defineOperation<OfAuthority, object>({
      name: 'DescribeCertificateAuthority',
      answer: (caller, input) => ({
        CertificateAuthority: printAuthority(found(authorities, caller, input), authorities.nowMs)
      })
    }),
    defineOperation<{ readonly MaxResults?: number, readonly NextToken?: string }, object>({
      name: 'ListCertificateAuthorities',
      answer (caller, { MaxResults: size = PAGE_MAX, NextToken: token }) {
        const all = authoritiesOf(authorities.snapshot, caller)
        const start = token === undefined ? 0 : all.findIndex(({ id }) => id === token)
        if (start === -1) {
          throw new AwsError('InvalidNextTokenException', 'NextToken is not one of an answer')
        }
        return {
          CertificateAuthorities: all.slice(start, start + size)
            .map((one) => printAuthority(one, authorities.nowMs)),
          NextToken: all[start + size]?.id
        }
      }
    }),
    defineOperation<OfAuthority, object>({
      name: 'GetCertificateAuthorityCsr',
      answer: (caller, input) => ({ Csr: found(authorities, caller, input).csr })
    }),
    defineOperation<OfAuthority & { readonly CertificateArn: string }, object>({
      name: 'GetCertificate',
      answer (caller, input) {
        const authority = found(authorities, caller, input)
        const { certificate } =
          requireIssued(authorities.snapshot, authority, input.CertificateArn)
        return { Certificate: certificate,
          CertificateChain: isChain([certificate]) ? undefined : chainOf(authority) }
      }
    }),
    defineOperation<OfAuthority, object>({
      name: 'GetCertificateAuthorityCertificate',
      answer (caller, input) {
        const authority = found(authorities, caller, input)
        if (authority.certificate === null) requireActive(authority)
        const { certificate, chain } = authority
        return { Certificate: certificate, CertificateChain: chain === '' ? undefined : chain }
      }
    })
  ]
}

function found (authorities: Authorities, caller: Caller,
  { CertificateAuthorityArn: arn }: OfAuthority): CertificateAuthority {
  return requireAuthority(authorities.snapshot, caller, arn)
}

function oneOf (name: string, value: string, known: readonly string[]): string {
  if (known.includes(value)) return value
  throw invalid(`Value '${value.slice(0, 64)}' for ${name} is not built in vpclab or not valid: ` +
    `expecting ${known.join(', ')}`)
}

function authorityType (type: string): AuthorityType {
  return oneOf('CertificateAuthorityType', type, ['ROOT', 'SUBORDINATE']) as AuthorityType
}

function refuseRevocation (configuration: RevocationInput = {}): void {
  const { CrlConfiguration: list, OcspConfiguration: ocsp } = configuration
  if (list?.Enabled !== true && ocsp?.Enabled !== true) return
  throw invalid('Publishing of revocations is not built in vpclab: the lab\'s gateways know them ' +
    'without. Leave RevocationConfiguration out')
}

function configurationOf ({ CertificateAuthorityConfiguration: given, UsageMode: mode }:
CreateInput): Pick<CertificateAuthority, 'keyAlgorithm' | 'signingAlgorithm' | 'subject'> {
  if (given.CsrExtensions !== undefined) throw invalid('CsrExtensions is not built in vpclab')
  if (mode !== undefined) oneOf('UsageMode', mode, ['GENERAL_PURPOSE'])
  const keyAlgorithm = oneOf('KeyAlgorithm', given.KeyAlgorithm, KEY_ALGORITHMS)
  const signingAlgorithm =
    oneOf('SigningAlgorithm', given.SigningAlgorithm, SIGNING_ALGORITHMS)
  const subject = Object.keys(ATTRIBUTES).flatMap((name) => {
    const value = given.Subject[name]
    return value === undefined ? [] : [[name, checkAttribute(name, value)] as const]
  })
  if (given.Subject['CustomAttributes'] !== undefined) {
    throw invalid('CustomAttributes is not built in vpclab')
  }
  if (subject.length === 0) throw invalid('Subject has no attribute')
  return { keyAlgorithm, signingAlgorithm, subject }
}

function checkAttribute (name: string, value: string): string {
  const max = ATTRIBUTE_LENGTHS[name] ?? ATTRIBUTE_LENGTH_DEFAULT
  const isGood = value.length <= max && value !== '' && !/\p{Cc}/u.test(value) &&
    (name !== 'Country' || /^[A-Z]{2}$/.test(value))
  if (isGood) return value
  throw invalid(`The value of Subject.${name} is not valid: expecting ` + (name === 'Country'
    ? 'two capital letters' : `1 to ${String(max)} printable characters`))
}

const TEMPLATE = /^arn:aws[a-z-]*:acm-pca:::template\/(\w+)\/V1$/
const PROFILES: Readonly<Record<string, Profile>> = {
  RootCACertificate: { kind: 'root' },
  SubordinateCACertificate_PathLen0: { kind: 'subordinate', pathLength: 0 },
  SubordinateCACertificate_PathLen1: { kind: 'subordinate', pathLength: 1 },
  SubordinateCACertificate_PathLen2: { kind: 'subordinate', pathLength: 2 },
  SubordinateCACertificate_PathLen3: { kind: 'subordinate', pathLength: 3 },
  EndEntityCertificate: { kind: 'end-entity', usages: ['serverAuth', 'clientAuth'] },
  EndEntityServerAuthCertificate: { kind: 'end-entity', usages: ['serverAuth'] },
  EndEntityClientAuthCertificate: { kind: 'end-entity', usages: ['clientAuth'] }
}
const TEMPLATE_DEFAULT = 'arn:aws:acm-pca:::template/EndEntityCertificate/V1'

function checkedProfile (authority: CertificateAuthority,
  { TemplateArn: arn = TEMPLATE_DEFAULT, ApiPassthrough: passthrough }: IssueInput): Profile {
  if (passthrough !== undefined) throw invalid('ApiPassthrough is not built in vpclab')
  const profile = PROFILES[TEMPLATE.exec(arn)?.[1] ?? '']
  if (profile === undefined) {
    throw invalid(`The template ${arn.slice(0, 100)} is not built in vpclab; there are ` +
      Object.keys(PROFILES).map((name) => `${name}/V1`).join(', '))
  }
  if (profile.kind !== 'root') return profile
  if (authority.type === 'ROOT' && authority.certificate === null) return profile
  throw invalid('The template RootCACertificate/V1 is for the own certificate of a root that has ' +
    'none yet')
}

const DAY_MS = 86_400_000
const DAYS_MS: Readonly<Record<string, number>> =
  { DAYS: DAY_MS, MONTHS: 30 * DAY_MS, YEARS: 365 * DAY_MS }
const LAST_MS = Date.UTC(9999, 11, 31, 23, 59, 59)

/** @throws AwsError InvalidArgsException, ValidationException beyond the authority's own life */
function validityOf (authority: CertificateAuthority, input: IssueInput,
  { nowMs }: Pick<Authorities, 'nowMs'>): {
    readonly notBeforeMs: number | null
    readonly notAfterMs: number
  } {
  const { Validity: end, ValidityNotBefore: start } = input
  const notAfterMs = momentOf(end, nowMs)
  const notBeforeMs = start === undefined ? null : momentOf(start, nowMs)
  if (!(notAfterMs > (notBeforeMs ?? nowMs)) || notAfterMs > LAST_MS) {
    throw invalid('Validity ends before it begins, or lies behind us')
  }
  const limitMs = authority.certificate === null ? LAST_MS : expiryMs(authority.certificate)
  if (notAfterMs <= limitMs) return { notBeforeMs, notAfterMs }
  throw new AwsError('ValidationException', 'The certificate would outlive the certificate ' +
    `authority, which ends at ${new Date(limitMs).toISOString()}`)
}

function momentOf ({ Type: type, Value: value }: Validity, nowMs: number): number {
  const unitMs = DAYS_MS[type]
  if (unitMs !== undefined) return nowMs + value * unitMs
  if (type === 'ABSOLUTE') return value * 1000
  const [, year, ...rest] =
    /^(\d{2}|\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})$/.exec(String(value).padStart(12, '0')) ?? []
  if (type !== 'END_DATE' || year === undefined) {
    throw invalid(`A validity of type ${type.slice(0, 32)} and value ${String(value)} is not ` +
      'valid: expecting DAYS, MONTHS, YEARS, ABSOLUTE (seconds since 1970) or END_DATE ' +
      '(YYYYMMDDHHMMSS)')
  }
  const [month = 0, day = 0, hour = 0, minute = 0, second = 0] = rest.map(Number)
  const century = year.length === 4 ? 0 : Number(year) < 50 ? 2000 : 1900
  return Date.UTC(century + Number(year), month - 1, day, hour, minute, second)
}

/**
 * The certificate that an authority is to have, and its chain.
 * @throws AwsError MalformedCertificateException, CertificateMismatchException,
 *   InvalidStateException, InvalidRequestException
 */
function checkImported (
  authority: CertificateAuthority, publicKey: KeyObject, pem: string, chainPem: string
): Pick<CertificateAuthority, 'chain'> & { readonly certificate: string } {
  if (authority.state === 'DELETED') {
    throw new AwsError('InvalidStateException', `${authorityArn(authority)} is DELETED`)
  }
  const [certificate = ''] = certificatesOf(pem)
  const parsed = parseCertificate(certificate)
  if (parsed === null) {
    throw new AwsError('MalformedCertificateException', 'The certificate is no PEM certificate')
  }
  if (!parsed.ca) {
    throw new AwsError('MalformedCertificateException',
      'The certificate is not one of an authority: its basic constraints say CA:FALSE')
  }
  if (!parsed.publicKey.equals(publicKey)) {
    throw new AwsError('CertificateMismatchException',
      'The certificate is not for the key of this certificate authority')
  }
  const chain = certificatesOf(chainPem)
  if (authority.type === 'ROOT' && chain.length > 0) {
    throw new AwsError('InvalidRequestException', 'A root has no certificate chain')
  }
  if (!isChain([certificate, ...chain])) {
    throw new AwsError('CertificateMismatchException', 'The certificate and its chain do not ' +
      'lead to a root, each signed by the next')
  }
  return { certificate, chain: chain.join('') }
}

function printAuthority (authority: CertificateAuthority, nowMs: number): object {
  const { certificate, subject } = authority
  const parsed = certificate === null ? null : new X509Certificate(certificate)
  const hasEnded = parsed !== null && Date.parse(parsed.validTo) < nowMs
  return {
    Arn: authorityArn(authority), OwnerAccount: authority.accountId,
    CreatedAt: new Date(authority.createdMs), LastStateChangeAt: new Date(authority.changedMs),
    Type: authority.type, Status: authority.state === 'ACTIVE' && hasEnded ? 'EXPIRED'
      : authority.state,
    ...parsed !== null && {
      Serial: parsed.serialNumber.toLowerCase(), NotBefore: new Date(parsed.validFrom),
      NotAfter: new Date(parsed.validTo)
    },
    CertificateAuthorityConfiguration: {
      KeyAlgorithm: authority.keyAlgorithm, SigningAlgorithm: authority.signingAlgorithm,
      Subject: Object.fromEntries(subject)
    },
    RevocationConfiguration: { CrlConfiguration: { Enabled: false } },
    UsageMode: 'GENERAL_PURPOSE'
  }
}

function invalid (message: string): AwsError {
  return new AwsError('InvalidArgsException', message)
}
