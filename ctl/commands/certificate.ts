/**
 * `vpcctl certificate …`: private certificate authorities and the certificates of customer
 * gateways. AWS Site-to-Site VPN User Guide, "Tunnel authentication options". From nothing to a
 * device's files:
 *
 *     create-authority ─▶ root, and a subordinate signed by it: both ACTIVE
 *     request          ─▶ a certificate of the subordinate, for a customer gateway
 *     export           ─▶ certificate.pem private_key.pem subordinate.pem root.pem
 */
import type { CertificateSummary } from '@aws-sdk/client-acm'
import { createPrivateKey, randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { jsonClient } from '../audit_events.ts'
import { type Command, defineCommand } from '../command.ts'
import type { Context } from '../context.ts'
import { CtlError, usageError } from '../exit_codes.ts'
import { ACM, ACM_PCA, type JsonClient } from '../json_client.ts'
import type { Column } from '../print/table.ts'

const TEMPLATES = 'arn:aws:acm-pca:::template'
/** A subordinate ends before its root does. */
const YEARS = { root: 10, subordinate: 5 } as const
const CONFIGURATION = { KeyAlgorithm: 'RSA_2048', SigningAlgorithm: 'SHA256WITHRSA' }
const SECRET_FILE = 0o600

interface Authority {
  readonly Arn: string
  readonly Type: string
  readonly Status: string
  readonly NotAfter?: number
  readonly CertificateAuthorityConfiguration: { readonly Subject: { readonly CommonName?: string } }
}
/** Answers as they come: times are numbers. */
type Summary = Omit<CertificateSummary, 'NotAfter'> & { readonly NotAfter?: number }
interface Certified { readonly Certificate: string, readonly CertificateChain?: string }

const nameOf = ({ CertificateAuthorityConfiguration: { Subject } }: Authority): string =>
  Subject.CommonName ?? ''
const day = (seconds = 0): string => seconds === 0 ? ''
  : new Date(seconds * 1000).toISOString().slice(0, 10)
const base64 = (text: string): string => Buffer.from(text).toString('base64')

const AUTHORITY_COLUMNS: readonly Column<Authority>[] = [
  { header: 'authority', value: nameOf },
  { header: 'type', value: ({ Type }) => Type },
  { header: 'status', value: ({ Status }) => Status },
  { header: 'until', value: ({ NotAfter }) => day(NotAfter) },
  { header: 'arn', value: ({ Arn }) => Arn, shrinks: true }
]

const COLUMNS: readonly Column<Summary>[] = [
  { header: 'domain', value: ({ DomainName }) => DomainName ?? '' },
  { header: 'type', value: ({ Type }) => Type ?? '' },
  { header: 'status', value: ({ Status }) => Status ?? '' },
  { header: 'in use', value: ({ InUse }) => InUse === true ? 'yes' : 'no' },
  { header: 'until', value: ({ NotAfter }) => day(NotAfter) },
  { header: 'arn', value: ({ CertificateArn }) => CertificateArn ?? '', shrinks: true }
]

const CERTIFICATE_ARGUMENT = { syntax: '<certificate>', description: 'ARN or domain name' }

async function authoritiesOf (client: JsonClient): Promise<readonly Authority[]> {
  const { CertificateAuthorities: all } =
    await client.call<{ CertificateAuthorities: readonly Authority[] }>(
      ACM_PCA, 'ListCertificateAuthorities', {})
  return all
}

async function certificatesOf (client: JsonClient): Promise<readonly Summary[]> {
  const { CertificateSummaryList: all } =
    await client.call<{ CertificateSummaryList: readonly Summary[] }>(ACM, 'ListCertificates', {})
  return all
}

/** The one of `all` that is named by its ARN, or by `nameOf`. */
function pick<One> (what: string, text: string, all: readonly One[],
  namesOf: (one: One) => readonly (string | undefined)[]): One {
  const [found, ...more] = all.filter((one) => namesOf(one).includes(text))
  if (found === undefined) {
    throw new CtlError('NameNotFound', `No ${what} is called "${text}"`)
  }
  if (more.length > 0) {
    throw new CtlError('NameAmbiguous', `Several of ${what} are called "${text}": name one by ` +
      'its ARN')
  }
  return found
}

/** Authorities that sign certificates of VPNs: those that are no root. */
async function issuer (client: JsonClient, text: string | undefined): Promise<Authority> {
  const all = (await authoritiesOf(client)).filter(({ Status }) => Status === 'ACTIVE')
  if (text !== undefined) {
    return pick('active certificate authority', text, all, (one) => [one.Arn, nameOf(one)])
  }
  const [only, ...more] = all.filter(({ Type }) => Type === 'SUBORDINATE')
  if (only !== undefined && more.length === 0) return only
  throw new CtlError(only === undefined ? 'NameNotFound' : 'NameAmbiguous', only === undefined
    ? 'There is no certificate authority: "vpcctl certificate create-authority" makes one'
    : 'There are several certificate authorities: name one with --authority')
}

async function certificateArn (client: JsonClient, text: string): Promise<string> {
  if (text.startsWith('arn:')) return text
  return pick('certificate', text, await certificatesOf(client),
    ({ CertificateArn, DomainName }) => [CertificateArn, DomainName]).CertificateArn ?? ''
}

async function makeAuthority (client: JsonClient, name: string,
  type: 'ROOT' | 'SUBORDINATE', root: string | null): Promise<string> {
  const { CertificateAuthorityArn: arn } = await client.call<{ CertificateAuthorityArn: string }>(
    ACM_PCA, 'CreateCertificateAuthority', {
      CertificateAuthorityConfiguration: { ...CONFIGURATION, Subject: { CommonName: name } },
      CertificateAuthorityType: type
    })
  const self = { CertificateAuthorityArn: arn }
  const signer = { CertificateAuthorityArn: root ?? arn }
  const { Csr } =
    await client.call<{ Csr: string }>(ACM_PCA, 'GetCertificateAuthorityCsr', self)
  const { CertificateArn } = await client.call<{ CertificateArn: string }>(
    ACM_PCA, 'IssueCertificate', {
      ...signer, Csr: base64(Csr), SigningAlgorithm: CONFIGURATION.SigningAlgorithm,
      TemplateArn: `${TEMPLATES}/${root === null ? 'RootCACertificate'
        : 'SubordinateCACertificate_PathLen0'}/V1`,
      Validity: { Type: 'YEARS', Value: root === null ? YEARS.root : YEARS.subordinate }
    })
  const { Certificate, CertificateChain } = await client.call<Certified>(
    ACM_PCA, 'GetCertificate', { ...signer, CertificateArn })
  await client.call(ACM_PCA, 'ImportCertificateAuthorityCertificate', {
    ...self, Certificate: base64(Certificate),
    ...CertificateChain === undefined ? {} : { CertificateChain: base64(CertificateChain) }
  })
  return arn
}

const authorityCommands: readonly Command[] = [
  defineCommand({
    name: 'create-authority',
    summary: 'Create a root, and a subordinate authority that it has signed',
    action: 'CreateCertificateAuthority, GetCertificateAuthorityCsr, IssueCertificate, ' +
      'GetCertificate, ImportCertificateAuthorityCertificate (AWS Private CA)',
    arguments: [{ syntax: '<name>', description: 'common name of the subordinate' }],
    examples: ['vpcctl certificate create-authority vpn.example.com'],
    async run (context, input) {
      const client = await jsonClient(context)
      const name = input.argument('name')
      const root = await makeAuthority(client, `${name} root`, 'ROOT', null)
      const arn = await makeAuthority(client, name, 'SUBORDINATE', root)
      const all = await authoritiesOf(client)
      context.output.rows(all.filter(({ Arn }) => Arn === arn || Arn === root),
        AUTHORITY_COLUMNS, ({ Arn }) => Arn)
    }
  }),
  defineCommand({
    name: 'authorities',
    summary: 'List certificate authorities',
    action: 'ListCertificateAuthorities (AWS Private CA)',
    examples: ['vpcctl certificate authorities'],
    async run (context) {
      context.output.rows(
        await authoritiesOf(await jsonClient(context)), AUTHORITY_COLUMNS, ({ Arn }) => Arn)
    }
  })
]

const certificateCommands: readonly Command[] = [
  defineCommand({
    name: 'request',
    summary: 'Have an authority issue a certificate, for a customer gateway say',
    action: 'RequestCertificate (ACM)',
    arguments: [{ syntax: '<domain>', description: 'whom it is for: branch.example.com' }],
    options: [{
      flags: '--authority <authority>',
      description: 'ARN or name (default: the one active subordinate)'
    }],
    examples: [
      'vpcctl certificate request branch.example.com',
      'vpcctl cgw create --certificate "$(vpcctl certificate request b.example.com -q)"'
    ],
    async run (context, input) {
      const client = await jsonClient(context)
      const { Arn } = await issuer(client, input.text('authority'))
      const { CertificateArn: arn } = await client.call<{ CertificateArn: string }>(ACM,
        'RequestCertificate',
        { DomainName: input.argument('domain'), CertificateAuthorityArn: Arn })
      const made = (await certificatesOf(client)).find(({ CertificateArn }) =>
        CertificateArn === arn) ?? {}
      context.output.row(made, COLUMNS, ({ CertificateArn }) => CertificateArn)
    }
  }),
  defineCommand({
    name: 'list',
    summary: "List certificates, those of AWS's side of tunnels too",
    action: 'ListCertificates (ACM)',
    examples: ['vpcctl certificate list'],
    async run (context) {
      context.output.rows(await certificatesOf(await jsonClient(context)), COLUMNS,
        ({ CertificateArn }) => CertificateArn)
    }
  }),
  defineCommand({
    name: 'show',
    summary: 'Show everything about a certificate',
    action: 'DescribeCertificate (ACM)',
    arguments: [CERTIFICATE_ARGUMENT],
    examples: ['vpcctl certificate show branch.example.com'],
    async run (context, input) {
      const client = await jsonClient(context)
      const arn = await certificateArn(client, input.argument('certificate'))
      const { Certificate: detail } = await client.call<{ Certificate: object }>(ACM,
        'DescribeCertificate', { CertificateArn: arn })
      context.output.tree(detail, arn)
    }
  }),
  defineCommand({
    name: 'export',
    summary: 'Write what a device needs: its certificate, its key, its authorities',
    action: 'ExportCertificate (ACM)',
    arguments: [CERTIFICATE_ARGUMENT,
      { syntax: '<directory>', description: 'made when it is not there' }],
    note: 'The private key is written as it is, readable for its owner alone.',
    examples: ['vpcctl certificate export branch.example.com ./branch'],
    run: exportCertificate
  }),
  defineCommand({
    name: 'revoke',
    summary: 'Revoke a certificate: IKE believes it no more',
    action: 'RevokeCertificate (AWS Private CA), by DescribeCertificate (ACM)',
    arguments: [CERTIFICATE_ARGUMENT],
    options: [{
      flags: '--reason <reason>', description: 'why (default: UNSPECIFIED)',
      values: ['UNSPECIFIED', 'KEY_COMPROMISE', 'CERTIFICATE_AUTHORITY_COMPROMISE',
        'AFFILIATION_CHANGED', 'SUPERSEDED', 'CESSATION_OF_OPERATION', 'PRIVILEGE_WITHDRAWN',
        'A_A_COMPROMISE']
    }],
    examples: ['vpcctl certificate revoke branch.example.com --reason KEY_COMPROMISE'],
    async run (context, input) {
      const client = await jsonClient(context)
      const arn = await certificateArn(client, input.argument('certificate'))
      const { Certificate: { Serial, CertificateAuthorityArn } } = await client.call<
        { Certificate: { Serial: string, CertificateAuthorityArn?: string } }>(
        ACM, 'DescribeCertificate', { CertificateArn: arn })
      if (CertificateAuthorityArn === undefined) {
        throw usageError(`${arn} was imported: no authority here can revoke it`)
      }
      await client.call(ACM_PCA, 'RevokeCertificate', { CertificateAuthorityArn,
        CertificateSerial: Serial, RevocationReason: input.text('reason') ?? 'UNSPECIFIED' })
      context.output.done(`Revoked ${arn}.`, { CertificateArn: arn })
    }
  }),
  defineCommand({
    name: 'delete',
    summary: 'Delete a certificate that nothing uses, and its key',
    action: 'DeleteCertificate (ACM)',
    arguments: [CERTIFICATE_ARGUMENT],
    examples: ['vpcctl certificate delete branch.example.com'],
    async run (context, input) {
      const client = await jsonClient(context)
      const arn = await certificateArn(client, input.argument('certificate'))
      await client.call(ACM, 'DeleteCertificate', { CertificateArn: arn })
      context.output.done(`Deleted ${arn}.`, { CertificateArn: arn })
    }
  })
]

/** On its way the key is encrypted, as ACM wants it. */
async function exportCertificate (
  context: Context, input: Parameters<Command['run']>[1]): Promise<void> {
  const client = await jsonClient(context)
  const arn = await certificateArn(client, input.argument('certificate'))
  const passphrase = randomBytes(24).toString('base64')
  const { Certificate, CertificateChain = '', PrivateKey } = await client.call<
    Certified & { readonly PrivateKey: string }>(ACM, 'ExportCertificate',
    { CertificateArn: arn, Passphrase: base64(passphrase) })
  const directory = input.argument('directory')
  const write = (name: string, content: string, mode = 0o644): void => {
    writeFileSync(join(directory, name), content, { mode })
  }
  const chain = CertificateChain.split(/(?<=-----END CERTIFICATE-----\n)/)
  mkdirSync(directory, { recursive: true })
  write('certificate.pem', Certificate)
  write('subordinate.pem', chain.slice(0, -1).join(''))
  write('root.pem', chain.at(-1) ?? '')
  write('private_key.pem', createPrivateKey({ key: PrivateKey, passphrase })
    .export({ type: 'pkcs8', format: 'pem' }).toString(), SECRET_FILE)
  context.output.done(
    `Wrote certificate.pem, private_key.pem, subordinate.pem and root.pem to ${directory}.`,
    { CertificateArn: arn, Directory: directory })
}

export const allCertificateCommands: readonly Command[] =
  [...authorityCommands, ...certificateCommands]
