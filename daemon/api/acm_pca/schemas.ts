/**
 * The wire shapes of AWS Private CA, in the form that a client package of the SDK has them
 * (api/schema.ts): releases of @aws-sdk/client-acm-pca with schemas are not in every registry. AWS
 * Private CA API Reference, 2017-08-22; what is built, with all members of its requests.
 */
const NAMESPACE = 'com.amazonaws.acmpca'
const TEXT = 0
const NUMBER = 1
const FLAG = 2
const TIME = 4
const BLOB = 21
const NOTHING = 'unit'

type Schema = unknown

/** @param required how many of the members, from the first on, must be given */
const structure = (name: string, required: number, members: Readonly<Record<string, Schema>>):
readonly Schema[] =>
  [3, NAMESPACE, name, 0, Object.keys(members), Object.values(members), required]
const list = (name: string, item: Schema): readonly Schema[] => [1, NAMESPACE, name, 0, item]
const operation = (name: string, input: Schema, output: Schema = NOTHING): readonly Schema[] =>
  [9, NAMESPACE, name, 0, () => input, () => output]

const Subject = structure('ASN1Subject', 0, {
  Country: TEXT, Organization: TEXT, OrganizationalUnit: TEXT, DistinguishedNameQualifier: TEXT,
  State: TEXT, CommonName: TEXT, SerialNumber: TEXT, Locality: TEXT, Title: TEXT, Surname: TEXT,
  GivenName: TEXT, Initials: TEXT, Pseudonym: TEXT, GenerationQualifier: TEXT,
  CustomAttributes: list('CustomAttributeList', structure('CustomAttribute', 2,
    { ObjectIdentifier: TEXT, Value: TEXT }))
})
/** What nobody asks for inside is not described. */
const Opaque = structure('Opaque', 0, {})
const Configuration = structure('CertificateAuthorityConfiguration', 3, {
  KeyAlgorithm: TEXT, SigningAlgorithm: TEXT, Subject, CsrExtensions: Opaque
})
const Revocation = structure('RevocationConfiguration', 0, {
  CrlConfiguration: structure('CrlConfiguration', 1, { Enabled: FLAG }),
  OcspConfiguration: structure('OcspConfiguration', 1, { Enabled: FLAG })
})
const Tags = list('TagList', structure('Tag', 1, { Key: TEXT, Value: TEXT }))
const Authority = structure('CertificateAuthority', 0, {
  Arn: TEXT, OwnerAccount: TEXT, CreatedAt: TIME, LastStateChangeAt: TIME, Type: TEXT,
  Serial: TEXT, Status: TEXT, NotBefore: TIME, NotAfter: TIME,
  CertificateAuthorityConfiguration: Configuration, RevocationConfiguration: Revocation,
  KeyStorageSecurityStandard: TEXT, UsageMode: TEXT
})
const Validity = structure('Validity', 2, { Value: NUMBER, Type: TEXT })
const OfAuthority = structure('OfAuthority', 1, { CertificateAuthorityArn: TEXT })
const Certified = structure('Certified', 0, { Certificate: TEXT, CertificateChain: TEXT })

export const CreateCertificateAuthority$ = operation('CreateCertificateAuthority',
  structure('CreateCertificateAuthorityRequest', 2, {
    CertificateAuthorityConfiguration: Configuration, CertificateAuthorityType: TEXT,
    RevocationConfiguration: Revocation, IdempotencyToken: TEXT, KeyStorageSecurityStandard: TEXT,
    Tags, UsageMode: TEXT
  }),
  structure('CreateCertificateAuthorityResponse', 0, { CertificateAuthorityArn: TEXT }))

export const DescribeCertificateAuthority$ = operation('DescribeCertificateAuthority', OfAuthority,
  structure('DescribeCertificateAuthorityResponse', 0, { CertificateAuthority: Authority }))

export const ListCertificateAuthorities$ = operation('ListCertificateAuthorities',
  structure('ListCertificateAuthoritiesRequest', 0,
    { MaxResults: NUMBER, NextToken: TEXT, ResourceOwner: TEXT }),
  structure('ListCertificateAuthoritiesResponse', 0, {
    NextToken: TEXT, CertificateAuthorities: list('CertificateAuthorities', Authority)
  }))

export const GetCertificateAuthorityCsr$ = operation('GetCertificateAuthorityCsr', OfAuthority,
  structure('GetCertificateAuthorityCsrResponse', 0, { Csr: TEXT }))

export const IssueCertificate$ = operation('IssueCertificate',
  structure('IssueCertificateRequest', 4, {
    CertificateAuthorityArn: TEXT, Csr: BLOB, SigningAlgorithm: TEXT, Validity,
    TemplateArn: TEXT, ValidityNotBefore: Validity, IdempotencyToken: TEXT, ApiPassthrough: Opaque
  }),
  structure('IssueCertificateResponse', 0, { CertificateArn: TEXT }))

export const GetCertificate$ = operation('GetCertificate',
  structure('GetCertificateRequest', 2, { CertificateAuthorityArn: TEXT, CertificateArn: TEXT }),
  Certified)

export const ImportCertificateAuthorityCertificate$ = operation(
  'ImportCertificateAuthorityCertificate',
  structure('ImportCertificateAuthorityCertificateRequest', 2, {
    CertificateAuthorityArn: TEXT, Certificate: BLOB, CertificateChain: BLOB
  }))

export const GetCertificateAuthorityCertificate$ = operation('GetCertificateAuthorityCertificate',
  OfAuthority, Certified)

export const RevokeCertificate$ = operation('RevokeCertificate',
  structure('RevokeCertificateRequest', 3, {
    CertificateAuthorityArn: TEXT, CertificateSerial: TEXT, RevocationReason: TEXT
  }))

export const UpdateCertificateAuthority$ = operation('UpdateCertificateAuthority',
  structure('UpdateCertificateAuthorityRequest', 1, {
    CertificateAuthorityArn: TEXT, Status: TEXT, RevocationConfiguration: Revocation
  }))

export const DeleteCertificateAuthority$ = operation('DeleteCertificateAuthority',
  structure('DeleteCertificateAuthorityRequest', 1, {
    CertificateAuthorityArn: TEXT, PermanentDeletionTimeInDays: NUMBER
  }))
