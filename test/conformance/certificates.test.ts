/**
 * Private certificates with the stock AWS command line, as the guides of AWS Private CA and of
 * Site-to-Site VPN go:
 *
 *     root ─▶ subordinate ─▶ certificate of the customer gateway
 *                       └──▶ one for AWS's side of each tunnel
 */
import { X509Certificate, createPrivateKey } from 'node:crypto'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { ACM, ACM_PCA, JsonClient } from '../../ctl/json_client.ts'
import { CtlError } from '../../ctl/exit_codes.ts'
import { systemClock } from '../../daemon/base/clock.ts'
import { makeAuthority } from '../harness/certificates.ts'
import { command, eventually } from '../harness/command.ts'
import { commandLine } from './command_line.ts'
import { ALICE, openEndpoint } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

const TEMPLATES = 'arn:aws:acm-pca:::template'
const PASSPHRASE = 'correct horse battery'

/** The command lines of one test. */
class Session {
  readonly endpoint: Endpoint
  readonly #t: ExecutionContext

  constructor (t: ExecutionContext, endpoint: Endpoint) {
    this.endpoint = endpoint
    this.#t = t
  }

  async call<T> (service: string, ...words: string[]): Promise<T> {
    const { code, output, message } = await commandLine(this.endpoint, service)(...words)
    this.#t.is(code, '', `${words.join(' ')}: ${message ?? ''}`)
    return output as T
  }

  async refusal (service: string, ...words: string[]): Promise<string> {
    return (await commandLine(this.endpoint, service)(...words)).code
  }

  file (name: string, content: string): string {
    const path = join(this.endpoint.directory, name)
    writeFileSync(path, content)
    return path
  }

  async create (type: string, name: string): Promise<string> {
    const configuration = this.file('ca_config.json', JSON.stringify({
      KeyAlgorithm: 'EC_prime256v1', SigningAlgorithm: 'SHA256WITHECDSA',
      Subject: { Country: 'US', Organization: 'Example / Corp', CommonName: name }
    }))
    const { CertificateAuthorityArn: arn } = await this.call<{ CertificateAuthorityArn: string }>(
      'acm-pca', 'create-certificate-authority', '--certificate-authority-configuration',
      `file://${configuration}`, '--certificate-authority-type', type,
      '--idempotency-token', name)
    return arn
  }

  /** A certificate for the request of `subject`. */
  async issue (issuer: string, csr: string, template: string, days = 365): Promise<string> {
    const { CertificateArn: arn } = await this.call<{ CertificateArn: string }>('acm-pca',
      'issue-certificate', '--certificate-authority-arn', issuer,
      '--csr', `fileb://${this.file('request.csr', csr)}`, '--signing-algorithm', 'SHA256WITHECDSA',
      '--template-arn', `${TEMPLATES}/${template}/V1`,
      '--validity', `Value=${String(days)},Type=DAYS`)
    return arn
  }

  async csrOf (authority: string): Promise<string> {
    return (await this.call<{ Csr: string }>('acm-pca', 'get-certificate-authority-csr',
      '--certificate-authority-arn', authority)).Csr
  }

  /** Makes an authority active. */
  async activate (subject: string, issuer: string, template: string, days: number): Promise<void> {
    const arn = await this.issue(issuer, await this.csrOf(subject), template, days)
    const { Certificate, CertificateChain = '' } = await this.call<Certified>('acm-pca',
      'get-certificate', '--certificate-authority-arn', issuer, '--certificate-arn', arn)
    const chain = CertificateChain === '' ? []
      : ['--certificate-chain', `fileb://${this.file('chain.pem', CertificateChain)}`]
    await this.call('acm-pca', 'import-certificate-authority-certificate',
      '--certificate-authority-arn', subject,
      '--certificate', `fileb://${this.file('certificate.pem', Certificate)}`, ...chain)
  }

  /** @returns the ARN of an authority below a root, both ACTIVE */
  async subordinate (): Promise<string> {
    const root = await this.create('ROOT', 'root')
    await this.activate(root, root, 'RootCACertificate', 3650)
    const subordinate = await this.create('SUBORDINATE', 'vpn')
    await this.activate(subordinate, root, 'SubordinateCACertificate_PathLen0', 1825)
    return subordinate
  }
}

interface Certified { readonly Certificate: string, readonly CertificateChain?: string }
interface Detail {
  readonly Status: string
  readonly Type: string
  readonly Serial: string
  readonly CertificateAuthorityArn?: string
}

async function open (t: ExecutionContext): Promise<Session> {
  const endpoint = await openEndpoint()
  t.teardown(async () => { await endpoint.close() })
  return new Session(t, endpoint)
}

test('root, subordinate, private certificate, customer gateway, endpoints: as the guide goes',
  async (t) => {
    const here = await open(t)
    const subordinate = await here.subordinate()
    const { acm, refusal } = connect(t, here.endpoint)
    const { CertificateArn: arn } = await here.call<{ CertificateArn: string }>('acm',
      'request-certificate', '--domain-name', 'branch.example.com',
      '--certificate-authority-arn', subordinate, '--idempotency-token', '1')
    const describe = async (): Promise<Detail> => (await acm<{ Certificate: Detail }>(
      'DescribeCertificate', { CertificateArn: arn })).Certificate
    const detail = await describe()
    t.like(detail, { Status: 'ISSUED', Type: 'PRIVATE', CertificateAuthorityArn: subordinate })
    const exported = await here.call<Certified & { readonly PrivateKey: string }>('acm',
      'export-certificate', '--certificate-arn', arn,
      '--passphrase', `fileb://${here.file('passphrase', PASSPHRASE)}`)
    const certificate = new X509Certificate(exported.Certificate)
    t.true(certificate.checkPrivateKey(
      createPrivateKey({ key: exported.PrivateKey, passphrase: PASSPHRASE })))
    await verifies(t, here, exported, 'branch.example.com')

    const { CustomerGateway: { CustomerGatewayId: cgw } } = await here.call<
      { CustomerGateway: { CustomerGatewayId: string } }>('ec2', 'create-customer-gateway',
      '--type', 'ipsec.1', '--certificate-arn', arn, '--bgp-asn', '65010')
    const { VpnGateway: { VpnGatewayId: vgw } } = await here.call<
      { VpnGateway: { VpnGatewayId: string } }>('ec2', 'create-vpn-gateway', '--type', 'ipsec.1')
    const join = ['create-vpn-connection', '--type', 'ipsec.1', '--customer-gateway-id', cgw,
      '--vpn-gateway-id', vgw]
    t.is(await here.refusal('ec2', ...join, '--options',
      'TunnelOptions=[{PreSharedKey=good.key_12},{}]'), 'InvalidParameterCombination')
    const { VpnConnection: { VpnConnectionId: vpn } } = await here.call<
      { VpnConnection: { VpnConnectionId: string } }>('ec2', ...join)
    const first = await endpointsOf(here, vpn)
    t.deepEqual(first.map(({ CertificateArn }) => here.endpoint.snapshot.tables.certificate
      .get(CertificateArn?.split('/')[1] ?? '')?.domainName),
    [`${vpn}.endpoint-0`, `${vpn}.endpoint-1`])
    await here.call('ec2', 'modify-vpn-tunnel-certificate', '--vpn-connection-id', vpn,
      '--vpn-tunnel-outside-ip-address', first[0]?.OutsideIpAddress ?? '')
    const second = await endpointsOf(here, vpn)
    t.not(second[0]?.CertificateArn, first[0]?.CertificateArn, 'renewed')
    t.is(second[1]?.CertificateArn, first[1]?.CertificateArn)

    t.is(await refusal(acm('DeleteCertificate', { CertificateArn: arn })),
      'ResourceInUseException')
    t.is(await refusal(acm('ExportCertificate', { CertificateArn: second[0]?.CertificateArn,
      Passphrase: base64(PASSPHRASE) })), 'ValidationException', 'it stays at AWS')
    await here.call('acm-pca', 'revoke-certificate', '--certificate-authority-arn', subordinate,
      '--certificate-serial', detail.Serial, '--revocation-reason', 'KEY_COMPROMISE')
    t.is((await describe()).Status, 'REVOKED')
    await isListed(t, here, detail.Serial)
    keepsKeys(t, here.endpoint, exported.PrivateKey)
  })

interface Telemetry { readonly OutsideIpAddress: string, readonly CertificateArn?: string }

/** Once both tunnels have their certificate. */
async function endpointsOf (here: Session, vpn: string): Promise<readonly Telemetry[]> {
  await eventually('certificates of AWS\'s side', () =>
    [...here.endpoint.snapshot.tables.certificate.values()]
      .filter(({ endpointOf }) => endpointOf !== null).length === 2)
  const { VpnConnections: [one] } = await here.call<
    { VpnConnections: { VgwTelemetry: Telemetry[] }[] }>('ec2', 'describe-vpn-connections',
    '--vpn-connection-ids', vpn)
  return one?.VgwTelemetry ?? []
}

/** By the stock openssl: the chain leads to the root, and the name is there. */
async function verifies (t: ExecutionContext, here: Session,
  { Certificate, CertificateChain = '' }: Certified, name: string): Promise<void> {
  const [subordinate = '', root = ''] = CertificateChain.split(/(?<=-----END CERTIFICATE-----\n)/)
  t.regex(await command('openssl', 'verify', '-x509_strict', '-verify_hostname', name,
    '-CAfile', here.file('root.pem', root), '-untrusted', here.file('sub.pem', subordinate),
    here.file('leaf.pem', Certificate)), /OK/)
}

/** In the list of its authority, as the stock openssl reads it. */
async function isListed (t: ExecutionContext, here: Session, serial: string): Promise<void> {
  const list = [...here.endpoint.snapshot.tables.certificateAuthority.values()]
    .flatMap(({ revocationList }) => revocationList ?? []).join('')
  const text = await command('openssl', 'crl', '-noout', '-text', '-in', here.file('crl.pem', list))
  t.true(text.includes(`Serial Number: ${serial.replaceAll(':', '').toUpperCase()}`), text)
  t.regex(text, /Authority Key Identifier/)
  t.regex(text, /Key Compromise/)
}

/** Private keys are in files that root alone reads, and nowhere else. */
function keepsKeys (t: ExecutionContext, { directory, snapshot }: Endpoint, pem: string): void {
  const keys = join(directory, 'private_keys')
  const names = readdirSync(keys)
  const { certificate, certificateAuthority } = snapshot.tables
  t.deepEqual(names.sort(), [...certificate.values(), ...certificateAuthority.values()]
    .map(({ id }) => `${id}.pem`).sort())
  t.is(statSync(keys).mode & 0o777, 0o700)
  for (const name of names) t.is(statSync(join(keys, name)).mode & 0o777, 0o600)
  const secrets = [pem.split('\n')[2] ?? '', Buffer.from(PASSPHRASE).toString('base64'),
    ...names.map((name) => readFileSync(join(keys, name), 'utf8').split('\n')[1] ?? '')]
  for (const [path, text] of filesBelow(directory)) {
    if (path.startsWith(keys) || /passphrase$|\.key$/.test(path)) continue
    for (const secret of secrets) t.false(text.includes(secret), path)
  }
}

function filesBelow (directory: string): (readonly [path: string, text: string])[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => [path, readFileSync(path, 'latin1')])
}

const CONFIGURATION = {
  KeyAlgorithm: 'EC_prime256v1', SigningAlgorithm: 'SHA256WITHECDSA',
  Subject: { CommonName: 'root' }
}

/** The same services without the command line, which takes a second for each call. */
function connect (t: ExecutionContext, endpoint: Endpoint): {
  readonly pca: <T>(operation: string, input: object) => Promise<T>
  readonly acm: <T>(operation: string, input: object) => Promise<T>
  readonly refusal: (call: Promise<unknown>) => Promise<string>
} {
  const client = new JsonClient(
    { endpointUrl: endpoint.url, region: 'us-east-1', clock: systemClock, ...ALICE })
  return {
    pca: (operation, input) => client.call(ACM_PCA, operation, input),
    acm: (operation, input) => client.call(ACM, operation, input),
    refusal: async (call) => {
      const error = await t.throwsAsync(call, { instanceOf: CtlError })
      return error.code
    }
  }
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')

test('what an authority does not do is refused', async (t) => {
  const { pca, acm, refusal } = connect(t, (await open(t)).endpoint)
  const creation = { CertificateAuthorityConfiguration: CONFIGURATION,
    CertificateAuthorityType: 'ROOT', IdempotencyToken: '1' }
  const create = async (): Promise<string> => (await pca<{ CertificateAuthorityArn: string }>(
    'CreateCertificateAuthority', creation)).CertificateAuthorityArn
  const root = { CertificateAuthorityArn: await create() }
  t.is(await create(), root.CertificateAuthorityArn, 'the same token is the same authority')
  t.is(await refusal(pca('CreateCertificateAuthority', { ...creation, IdempotencyToken: '2',
    RevocationConfiguration: { CrlConfiguration: { Enabled: true } } })), 'InvalidArgsException')
  const status = async (): Promise<string> =>
    (await pca<{ CertificateAuthority: { Status: string } }>('DescribeCertificateAuthority', root))
      .CertificateAuthority.Status
  t.is(await status(), 'PENDING_CERTIFICATE')
  const { Csr } = await pca<{ Csr: string }>('GetCertificateAuthorityCsr', root)
  const order = { ...root, Csr: base64(Csr), SigningAlgorithm: 'SHA256WITHECDSA',
    Validity: { Value: 1, Type: 'DAYS' } }
  const issue = (changes: object): Promise<{ CertificateArn: string }> =>
    pca('IssueCertificate', { ...order, ...changes })
  t.is(await refusal(issue({})), 'InvalidStateException', 'it has no certificate yet')
  const { CertificateArn } = await issue(
    { TemplateArn: `${TEMPLATES}/RootCACertificate/V1`, Validity: { Value: 7, Type: 'DAYS' } })
  const { Certificate } =
    await pca<Certified>('GetCertificate', { ...root, CertificateArn })
  const install = (pem: string): Promise<unknown> =>
    pca('ImportCertificateAuthorityCertificate', { ...root, Certificate: base64(pem) })
  t.is(await refusal(install('x')), 'MalformedCertificateException')
  await install(Certificate)
  t.is(await status(), 'ACTIVE')
  t.is(await refusal(issue({ Validity: { Value: 8, Type: 'DAYS' } })), 'ValidationException',
    'it would outlive its authority')
  t.is(await refusal(issue({ Validity: { Value: 1, Type: 'ABSOLUTE' } })), 'InvalidArgsException')
  t.is(await refusal(issue({ TemplateArn: `${TEMPLATES}/Other/V1` })), 'InvalidArgsException')
  t.is(await refusal(issue({ SigningAlgorithm: 'SHA256WITHRSA' })), 'InvalidArgsException')
  t.is(await refusal(issue({ Csr: base64('no request') })), 'MalformedCSRException')
  t.is(await refusal(pca('GetCertificateAuthorityCsr', { CertificateAuthorityArn:
    root.CertificateAuthorityArn.replace(/[^/]+$/, '00000000-0000-4000-8000-000000000000') })),
  'ResourceNotFoundException')
  t.is(await refusal(pca('RevokeCertificate', { ...root, CertificateSerial: '01',
    RevocationReason: 'SUPERSEDED' })), 'ResourceNotFoundException')
  t.is(await refusal(pca('DeleteCertificateAuthority', root)), 'InvalidStateException')
  const request = (changes: object): Promise<string> =>
    refusal(acm('RequestCertificate', { DomainName: 'a.example.com', ...changes }))
  t.is(await request({}), 'InvalidParameterException', 'nobody would believe a public one')
  t.is(await request({ ...root, DomainName: '-x-' }), 'ValidationException')
  await pca('UpdateCertificateAuthority', { ...root, Status: 'DISABLED' })
  t.is(await request(root), 'InvalidStateException')
  await pca('DeleteCertificateAuthority', root)
  t.is(await status(), 'DELETED')
})

test('a certificate from elsewhere is imported with its key, and is no customer gateway\'s',
  async (t) => {
    const { endpoint } = await open(t)
    const { acm, refusal } = connect(t, endpoint)
    const { certificate, privateKey } = await makeAuthority(endpoint.directory, 'elsewhere')
    const { CertificateArn: arn } = await acm<{ CertificateArn: string }>('ImportCertificate',
      { Certificate: base64(certificate), PrivateKey: base64(privateKey) })
    const { CertificateSummaryList: list } =
      await acm<{ CertificateSummaryList: readonly object[] }>('ListCertificates', {})
    t.like(list[0], { CertificateArn: arn, DomainName: 'elsewhere', Type: 'IMPORTED',
      InUse: false })
    t.is(await refusal(acm('ImportCertificate',
      { Certificate: base64(certificate), PrivateKey: base64(certificate) })),
    'ValidationException')
    t.is((await commandLine(endpoint)('create-customer-gateway', '--type', 'ipsec.1',
      '--certificate-arn', arn, '--bgp-asn', '65010')).code, 'InvalidParameterValue')
    keepsKeys(t, endpoint, privateKey)
    await acm('DeleteCertificate', { CertificateArn: arn })
    await eventually('no key is left', () =>
      readdirSync(join(endpoint.directory, 'private_keys')).length === 0)
  })
