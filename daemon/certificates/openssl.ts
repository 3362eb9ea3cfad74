/**
 * What an X.509 authority does, by Debian's openssl: requests, certificates, revocation lists.
 * RFC 5280, RFC 2986. Keys are named by their file, and never leave it.
 *
 *     subject ─ req ─▶ CSR ─ ca ─▶ certificate        ca -gencrl ─▶ CRL
 *
 * `openssl ca` wants a database: it gets a folder of its own each time, since what was issued is
 * in the lab's records. Nothing of a caller's gets into a configuration file.
 */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { VpclabError } from '../base/errors.ts'
import type { Random } from '../base/random.ts'

const execute = promisify(execFile)
const SERIAL_BYTES = 16
/** Longest run of the program: a key of RSA signs within milliseconds. */
const TIMEOUT_MS = 30_000
/** Most characters of its complaint that an error repeats. */
const COMPLAINT_CHARACTERS_MAX = 300

/** Extensions by kind of certificate; AWS Private CA User Guide, "Template definitions". */
export type Profile =
  | { readonly kind: 'root' }
  /** `pathLength`: authorities that may stand below it. */
  | { readonly kind: 'subordinate', readonly pathLength: number }
  | { readonly kind: 'end-entity', readonly usages: readonly ('serverAuth' | 'clientAuth')[] }

/** Attributes of a name in order: `C`, `O`, `CN` … and their values. */
export type SubjectName = readonly (readonly [attribute: string, value: string])[]

export interface Issue {
  /** Key of the authority; its certificate, or null: it signs its own. */
  readonly keyPath: string
  readonly authority: string | null
  readonly csr: string
  /** Hex digits. */
  readonly serial: string
  readonly notBeforeMs: number
  readonly notAfterMs: number
  readonly profile: Profile
  readonly digest: string
}

export interface Revoked {
  readonly serial: string
  readonly atMs: number
  /** RFC 5280 §5.3.1, as openssl writes it; null: unspecified. */
  readonly reason: string | null
}

const CONFIG = `[ca]
default_ca = lab
[lab]
database = index.txt
new_certs_dir = .
serial = serial
crlnumber = crlnumber
policy = any
preserve = yes
unique_subject = no
copy_extensions = copy
[any]
${['countryName', 'stateOrProvinceName', 'localityName', 'organizationName',
  'organizationalUnitName', 'commonName', 'serialNumber', 'title', 'surname', 'givenName',
  'initials', 'pseudonym', 'generationQualifier', 'dnQualifier', 'emailAddress', 'domainComponent']
  .map((attribute) => `${attribute} = optional\n`).join('')}`

/** Days until a revocation list is to be renewed: it is made anew with every revocation. */
const LIST_DAYS = '3650'

function extensionsOf (profile: Profile): string {
  const isAuthority = profile.kind !== 'end-entity'
  const constraints = profile.kind === 'root' ? 'CA:TRUE'
    : profile.kind === 'subordinate' ? `CA:TRUE, pathlen:${String(profile.pathLength)}`
      : 'CA:FALSE'
  return `[extensions]
basicConstraints = critical, ${constraints}
subjectKeyIdentifier = hash
${profile.kind === 'root' ? '' : 'authorityKeyIdentifier = keyid:always\n'}keyUsage = critical, ${
  isAuthority ? 'digitalSignature, keyCertSign, cRLSign' : 'digitalSignature, keyEncipherment'}
${isAuthority ? '' : `extendedKeyUsage = ${profile.usages.join(', ')}\n`}`
}

/** Positive, and always of the same length: RFC 5280 §4.1.2.2. @returns hex */
export function newSerial (random: Random): string {
  const bytes = Buffer.from(random.bytes(SERIAL_BYTES))
  bytes.writeUInt8((bytes.readUInt8(0) & 0x3f) | 0x40, 0)
  return bytes.toString('hex')
}

/**
 * A request for a certificate. The key proves that it is the subject's.
 * @param alternativeNames DNS names, checked
 * @throws VpclabError VPCLAB_ERR_COMMAND
 */
export async function makeRequest (keyPath: string, subject: SubjectName,
  alternativeNames: readonly string[] = []): Promise<string> {
  const name = subject.map(([attribute, value]) =>
    `/${attribute}=${value.replace(/[\\/+]/g, '\\$&')}`).join('')
  const names = alternativeNames.map((one) => `DNS:${one}`).join(',')
  return await openssl('/', ['req', '-new', '-config', '/dev/null', '-utf8',
    '-key', keyPath, '-subj', name === '' ? '/' : name,
    ...names === '' ? [] : ['-addext', `subjectAltName=${names}`]])
}

/** @throws VpclabError VPCLAB_ERR_COMMAND when the request is none, or its signature is wrong */
export async function issueCertificate (directory: string, issue: Issue): Promise<string> {
  return await inFolder(directory, async (folder) => {
    const put = filesOf(folder)
    put('request.pem', issue.csr)
    put('index.txt', '')
    put('serial', `${issue.serial}\n`)
    put('openssl.cnf', CONFIG + extensionsOf(issue.profile))
    const authority = issue.authority === null ? ['-selfsign']
      : ['-cert', put('authority.pem', issue.authority)]
    await openssl(folder, ['ca', '-batch', '-notext', '-config', 'openssl.cnf',
      '-in', 'request.pem', '-out', 'certificate.pem', '-keyfile', issue.keyPath, ...authority,
      '-startdate', timeOf(issue.notBeforeMs), '-enddate', timeOf(issue.notAfterMs),
      '-md', issue.digest, '-extensions', 'extensions'])
    return readFileSync(join(folder, 'certificate.pem'), 'utf8')
  })
}

/** @param number of the list: the newer one has the higher */
export async function makeRevocationList (directory: string, list: {
  readonly keyPath: string
  readonly authority: string
  readonly digest: string
  readonly number: number
  readonly revoked: readonly Revoked[]
}): Promise<string> {
  return await inFolder(directory, async (folder) => {
    const put = filesOf(folder)
    put('index.txt', list.revoked.map(({ serial, atMs, reason }) =>
      ['R', FAR_END, `${shortTimeOf(atMs)}${reason === null ? '' : `,${reason}`}`,
        evenDigits(serial), 'unknown', '/CN=-'].join('\t') + '\n').join(''))
    put('crlnumber', `${evenDigits(list.number.toString(16))}\n`)
    put('openssl.cnf', `${CONFIG}[list]\nauthorityKeyIdentifier = keyid:always\n`)
    await openssl(folder, ['ca', '-gencrl', '-config', 'openssl.cnf', '-keyfile', list.keyPath,
      '-cert', put('authority.pem', list.authority), '-crldays', LIST_DAYS, '-md', list.digest,
      '-crlexts', 'list', '-out', 'list.pem'])
    return readFileSync(join(folder, 'list.pem'), 'utf8')
  })
}

/** End of validity in a database of which only revocations are read. */
const FAR_END = '491231235959Z'

/** `20261130033238Z` */
function timeOf (ms: number): string {
  return `${new Date(ms).toISOString().replace(/\.\d+Z$/, '').replace(/\D/g, '')}Z`
}

function shortTimeOf (ms: number): string { return timeOf(ms).slice(2) }

function evenDigits (hex: string): string {
  return (hex.length % 2 === 0 ? hex : `0${hex}`).toUpperCase()
}

function filesOf (folder: string): (name: string, content: string) => string {
  return (name, content) => {
    writeFileSync(join(folder, name), content, { mode: 0o600 })
    return name
  }
}

async function inFolder<Result> (
  directory: string, body: (folder: string) => Promise<Result>): Promise<Result> {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const folder = mkdtempSync(join(directory, 'openssl-'))
  try {
    return await body(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** @throws VpclabError VPCLAB_ERR_COMMAND */
async function openssl (folder: string, args: readonly string[]): Promise<string> {
  try {
    return (await execute('openssl', args, { cwd: folder, timeout: TIMEOUT_MS })).stdout
  } catch (error) {
    const { stderr = '' } = error as { readonly stderr?: string }
    throw new VpclabError('VPCLAB_ERR_COMMAND', `openssl ${args[0] ?? ''} failed: ` +
      (stderr.trim() === '' ? (error as Error).message : stderr.trim())
        .slice(-COMPLAINT_CHARACTERS_MAX), { cause: error })
  }
}
