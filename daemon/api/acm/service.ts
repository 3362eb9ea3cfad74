/**
 * AWS Certificate Manager as a service behind the endpoint: private certificates of the lab's own
 * authorities, and imported ones. ACM API Reference. Public certificates are not built: nobody
 * outside would believe them.
 */
import { createPrivateKey } from 'node:crypto'
import type { KeyObject, X509Certificate } from 'node:crypto'
import type {
  CertificateDetail, CertificateSummary, DeleteCertificateRequest, DescribeCertificateRequest,
  DescribeCertificateResponse, ExportCertificateRequest, ExportCertificateResponse,
  GetCertificateRequest, GetCertificateResponse, ImportCertificateRequest,
  ImportCertificateResponse, ListCertificatesRequest, ListCertificatesResponse,
  ListTagsForCertificateRequest, ListTagsForCertificateResponse, RequestCertificateRequest,
  RequestCertificateResponse
} from '@aws-sdk/client-acm'
import type { Authorities } from '../../certificates/authorities.ts'
import { KEY_ALGORITHMS } from '../../certificates/private_keys.ts'
import { AwsError } from '../../model/aws_error.ts'
import {
  CERTIFICATES_MAX, certificateArn, certificatesOfCaller, certificateState, requireCertificate,
  revocationOf, usersOf
} from '../../model/certificate.ts'
import type { Certificate } from '../../model/certificate.ts'
import {
  authorityArn, certificatesOf, parseCertificate, requireAuthority
} from '../../model/certificate_authority.ts'
import { put, remove } from '../../model/snapshot.ts'
import { printTags, tagsFromInput } from '../../model/tag.ts'
import { createJsonService } from '../json_codec.ts'
import { defineOperation } from '../operation_service.ts'
import type { Operation } from '../operation_service.ts'
import type { Service } from '../service.ts'
import type { Caller } from '../sigv4.ts'

const DOMAIN_NAME = /^(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}$/i
const DOMAIN_NAME_LENGTH_MAX = 253
/** X.520: a longer name stands among the alternative names alone. */
const COMMON_NAME_LENGTH_MAX = 64
const ALTERNATIVE_NAMES_MAX = 100
const PAGE_MAX = 1000
const IDEMPOTENCY_MS = 3_600_000
const PASSPHRASE_BYTES_MIN = 4
const KEY_ALGORITHM_DEFAULT = 'RSA_2048'

export function createAcmService (authorities: Authorities): Service {
  return createJsonService({
    name: 'acm',
    targetPrefix: 'CertificateManager',
    loadClient: () => import('@aws-sdk/client-acm'),
    operations: [...makings(authorities), ...readings(authorities)]
  })
}

function makings (authorities: Authorities): Operation<object, object>[] {
  return [
    defineOperation<RequestCertificateRequest, RequestCertificateResponse>({
      name: 'RequestCertificate',
      async answer (caller, input, call) {
        const { IdempotencyToken: token = null } = input
        const before = certificatesOfCaller(authorities.snapshot, caller).find((one) =>
          token !== null && one.idempotencyToken === token &&
          one.domainName === input.DomainName && authorities.nowMs - one.createdMs < IDEMPOTENCY_MS)
        if (before !== undefined) return { CertificateArn: certificateArn(before) }
        checkCount(authorities, caller)
        const { domainName, alternativeNames } = namesOf(input)
        const authority = requireAuthority(
          authorities.snapshot, caller, authorityOf(input))
        const { result, revision } = await authorities.certify(authority, {
          caller, domainName, alternativeNames, idempotencyToken: token, endpointOf: null,
          subject: domainName.length > COMMON_NAME_LENGTH_MAX ? [] : [['CN', domainName]],
          keyAlgorithm: keyAlgorithmOf(input), tags: tagsFromInput(input.Tags ?? [])
        })
        call.revision = revision
        return { CertificateArn: certificateArn(result) }
      }
    }),
    defineOperation<ImportCertificateRequest, ImportCertificateResponse>({
      name: 'ImportCertificate',
      async answer (caller, input, call) {
        const before = input.CertificateArn === undefined ? null
          : requireCertificate(authorities.snapshot, caller, input.CertificateArn)
        if (before === null) checkCount(authorities, caller)
        else if (before.authorityId !== null) {
          throw invalid(`${certificateArn(before)} was not imported`)
        }
        const certificate = imported(authorities, caller, input, before)
        const { revision } = await authorities.transact(() =>
          ({ changes: [put('certificate', certificate)], result: null }))
        call.revision = revision
        return { CertificateArn: certificateArn(certificate) }
      }
    }),
    defineOperation<DeleteCertificateRequest, object>({
      name: 'DeleteCertificate',
      async answer (caller, input, call) {
        const { revision } = await authorities.transact(() => {
          const { snapshot } = authorities
          const certificate = requireCertificate(snapshot, caller, input.CertificateArn ?? '')
          const users = usersOf(snapshot, certificate)
          if (users.length > 0) {
            throw new AwsError('ResourceInUseException',
              `Certificate ${certificateArn(certificate)} is in use by ${users.join(', ')}`)
          }
          return { changes: [remove('certificate', certificate.id)], result: null }
        })
        call.revision = revision
        return {}
      }
    })
  ]
}

function readings (authorities: Authorities): Operation<object, object>[] {
  const found = (caller: Caller, arn = ''): Certificate =>
    requireCertificate(authorities.snapshot, caller, arn)
  return [
    defineOperation<DescribeCertificateRequest, DescribeCertificateResponse>({
      name: 'DescribeCertificate',
      answer: (caller, input) =>
        ({ Certificate: printDetail(authorities, found(caller, input.CertificateArn)) })
    }),
    defineOperation<ListCertificatesRequest, ListCertificatesResponse>({
      name: 'ListCertificates',
      answer (caller, { CertificateStatuses: states, MaxItems: size = PAGE_MAX, ...input }) {
        const all = certificatesOfCaller(authorities.snapshot, caller).filter((one) =>
          states?.includes(certificateState(authorities.snapshot, one, authorities.nowMs)) ?? true)
        const start = input.NextToken === undefined ? 0
          : all.findIndex(({ id }) => id === input.NextToken)
        if (start === -1) throw invalid('NextToken is not one of an answer')
        return {
          CertificateSummaryList: all.slice(start, start + size)
            .map((one) => printSummary(authorities, one)),
          NextToken: all[start + size]?.id
        }
      }
    }),
    defineOperation<GetCertificateRequest, GetCertificateResponse>({
      name: 'GetCertificate',
      answer (caller, input) {
        const { certificate, chain } = found(caller, input.CertificateArn)
        return { Certificate: certificate, CertificateChain: chain === '' ? undefined : chain }
      }
    }),
    defineOperation<ExportCertificateRequest, ExportCertificateResponse>({
      name: 'ExportCertificate',
      answer (caller, input) {
        const certificate = found(caller, input.CertificateArn)
        if (certificate.authorityId === null || certificate.endpointOf !== null) {
          throw new AwsError('ValidationException',
            `Certificate ${certificateArn(certificate)} is not a private certificate that can be ` +
            'exported')
        }
        const { Passphrase: passphrase = new Uint8Array() } = input
        if (passphrase.length < PASSPHRASE_BYTES_MIN) {
          throw new AwsError('ValidationException',
            `The passphrase has fewer than ${String(PASSPHRASE_BYTES_MIN)} bytes`)
        }
        return {
          Certificate: certificate.certificate, CertificateChain: certificate.chain,
          PrivateKey: authorities.keys.encrypted(certificate.id, passphrase)
        }
      }
    }),
    defineOperation<ListTagsForCertificateRequest, ListTagsForCertificateResponse>({
      name: 'ListTagsForCertificate',
      answer: (caller, input) => ({ Tags: printTags(found(caller, input.CertificateArn).tags) })
    })
  ]
}

function checkCount ({ snapshot }: Authorities, caller: Caller): void {
  const count = certificatesOfCaller(snapshot, caller).length
  if (count < CERTIFICATES_MAX) return
  throw new AwsError('LimitExceededException',
    `The account has ${String(count)} certificates; at most ${String(CERTIFICATES_MAX)} are ` +
    'allowed')
}

function authorityOf ({ CertificateAuthorityArn: arn }: RequestCertificateRequest): string {
  if (arn !== undefined) return arn
  throw invalid('Public certificates are not built in vpclab: name a private certificate ' +
    'authority, CertificateAuthorityArn')
}

function keyAlgorithmOf ({ KeyAlgorithm: algorithm = KEY_ALGORITHM_DEFAULT }:
RequestCertificateRequest): string {
  if (KEY_ALGORITHMS.includes(algorithm)) return algorithm
  throw invalid(`KeyAlgorithm ${algorithm} is not built in vpclab: expecting ` +
    KEY_ALGORITHMS.join(', '))
}

function namesOf ({ DomainName: name = '', SubjectAlternativeNames: others = [] }:
RequestCertificateRequest): {
  readonly domainName: string
  readonly alternativeNames: readonly string[]
} {
  const all = [...new Set([name, ...others])]
  const wrong = all.find((one) => one.length > DOMAIN_NAME_LENGTH_MAX || !DOMAIN_NAME.test(one))
  if (wrong !== undefined) {
    throw new AwsError('ValidationException', `"${wrong.slice(0, 100)}" is no domain name`)
  }
  if (all.length > ALTERNATIVE_NAMES_MAX) {
    throw new AwsError('LimitExceededException',
      `A certificate has at most ${String(ALTERNATIVE_NAMES_MAX)} names`)
  }
  return { domainName: name, alternativeNames: all }
}

/** Keeps the key. */
function imported (authorities: Authorities, { accountId, region }: Caller,
  input: ImportCertificateRequest, before: Certificate | null): Certificate {
  const text = (bytes: Uint8Array = new Uint8Array()): string => Buffer.from(bytes).toString()
  const [certificate = ''] = certificatesOf(text(input.Certificate))
  const parsed = parseCertificate(certificate)
  const key = privateKey(text(input.PrivateKey))
  if (parsed === null) throw invalidImport('The certificate is no PEM certificate')
  if (key === null) throw invalidImport('The private key is no PEM key without a passphrase')
  if (!parsed.checkPrivateKey(key)) {
    throw invalidImport('The private key is not that of the certificate')
  }
  const id = before?.id ?? authorities.newId()
  authorities.keys.keep(id, key.export({ type: 'pkcs8', format: 'pem' }) as string)
  const names = (parsed.subjectAltName ?? '').split(', ')
    .flatMap((one) => one.startsWith('DNS:') ? [one.slice('DNS:'.length)] : [])
  return {
    id, accountId, region, authorityId: null, certificate, endpointOf: null,
    isToBeRenewed: false,
    chain: certificatesOf(text(input.CertificateChain)).join(''),
    domainName: commonNameOf(parsed) ?? names[0] ?? '', subjectAlternativeNames: names,
    keyAlgorithm: keyAlgorithmOfKey(key), idempotencyToken: null,
    tags: before?.tags ?? tagsFromInput(input.Tags ?? []), createdMs: authorities.nowMs
  }
}

function privateKey (pem: string): KeyObject | null {
  try {
    return createPrivateKey(pem)
  } catch {
    return null
  }
}

function commonNameOf ({ subject }: X509Certificate): string | undefined {
  return subject.split('\n').find((one) => one.startsWith('CN='))?.slice('CN='.length)
}

function keyAlgorithmOfKey ({ asymmetricKeyType: type, asymmetricKeyDetails: details }:
KeyObject): string {
  return type === 'rsa' ? `RSA_${String(details?.modulusLength ?? 0)}`
    : `EC_${details?.namedCurve ?? String(type)}`
}

function printDetail (authorities: Authorities, certificate: Certificate): CertificateDetail {
  const { snapshot } = authorities
  const parsed = parseCertificate(certificate.certificate)
  const revoked = revocationOf(snapshot, certificate)
  const authority = certificate.authorityId === null ? undefined
    : snapshot.tables.certificateAuthority.get(certificate.authorityId)
  const created = new Date(certificate.createdMs)
  return {
    CertificateArn: certificateArn(certificate), DomainName: certificate.domainName,
    SubjectAlternativeNames: [...certificate.subjectAlternativeNames],
    Serial: parsed?.serialNumber.toLowerCase().replace(/..(?=.)/g, '$&:'),
    Subject: parsed?.subject.replaceAll('\n', ','),
    Issuer: parsed?.issuer.split('\n').find((one) => one.startsWith('O='))?.slice('O='.length),
    ...certificate.authorityId === null ? { ImportedAt: created }
      : { CreatedAt: created, IssuedAt: created },
    Status: certificateState(snapshot, certificate, authorities.nowMs),
    ...revoked !== null && {
      RevokedAt: new Date(revoked.atMs),
      RevocationReason: revoked.reason as CertificateDetail['RevocationReason']
    },
    NotBefore: new Date(parsed?.validFrom ?? 0), NotAfter: new Date(parsed?.validTo ?? 0),
    KeyAlgorithm: certificate.keyAlgorithm as CertificateDetail['KeyAlgorithm'],
    InUseBy: usersOf(snapshot, certificate),
    Type: certificate.authorityId === null ? 'IMPORTED' : 'PRIVATE',
    ...authority !== undefined && { CertificateAuthorityArn: authorityArn(authority) },
    RenewalEligibility: 'INELIGIBLE'
  }
}

function printSummary (authorities: Authorities, certificate: Certificate): CertificateSummary {
  const { CertificateArn, DomainName, Status, Type, KeyAlgorithm, InUseBy = [], NotBefore,
    NotAfter, CreatedAt, IssuedAt, ImportedAt, RevokedAt, RenewalEligibility } =
    printDetail(authorities, certificate)
  return { CertificateArn, DomainName, Status, Type, KeyAlgorithm, NotBefore, NotAfter, CreatedAt,
    IssuedAt, ImportedAt, RevokedAt, RenewalEligibility, InUse: InUseBy.length > 0,
    SubjectAlternativeNameSummaries: [...certificate.subjectAlternativeNames] }
}

function invalid (message: string): AwsError {
  return new AwsError('InvalidParameterException', message)
}

function invalidImport (message: string): AwsError {
  return new AwsError('ValidationException', message)
}
