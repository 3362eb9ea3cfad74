/**
 * Certificates by which the hosts know each other when they agree on keys of the underlay. The
 * lab's own authority makes them; where there are several machines, an authority of the operator's
 * does, and its files are named by flags.
 *
 *     <state>/agents/ 0700    ca.pem, <host>.pem 0600: private keys
 *                             ca.crt, <host>.crt
 *
 * The name of a host is the DNS name in its certificate.
 */
import { X509Certificate } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../base/clock.ts'
import type { Clock } from '../base/clock.ts'
import { VpclabError } from '../base/errors.ts'
import { systemRandom } from '../base/random.ts'
import type { Random } from '../base/random.ts'
import { issueCertificate, makeRequest, newSerial } from '../certificates/openssl.ts'
import type { Profile } from '../certificates/openssl.ts'
import { PrivateKeys } from '../certificates/private_keys.ts'
import type { Identity } from './key_agreement.ts'
import type { LabConfig } from './lab_config.ts'
import { agentsDirectory } from './paths.ts'

const AUTHORITY = 'ca'
const ALGORITHM = 'EC_prime256v1'
const DAY_MS = 86_400_000
const VALID_DAYS = 3650
/** A certificate that ends sooner is made anew. */
const RENEWAL_DAYS = 90
/** Before now a certificate begins: clocks differ. */
const BACKDATE_MS = 3_600_000

export interface AgentFiles {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/** @throws VpclabError VPCLAB_ERR_CONFIG when a file cannot be read */
export function readIdentity (files: AgentFiles): Identity {
  const read = (flag: string, path: string): string => {
    try {
      return readFileSync(path, 'utf8')
    } catch (error) {
      throw new VpclabError('VPCLAB_ERR_CONFIG',
        `The file "${path}" of ${flag} cannot be read: ${(error as Error).message}`,
        { cause: error })
    }
  }
  return {
    ca: read('--agent-ca', files.ca),
    cert: read('--agent-cert', files.cert),
    key: read('--agent-key', files.key)
  }
}

/** By what each host of a daemon proves to others who it is. */
export function identities (lab: string, config: LabConfig): (host: string) => Promise<Identity> {
  const { agentCa: ca, agentCert: cert, agentKey: key } = config
  if (ca !== null && cert !== null && key !== null) {
    const identity = readIdentity({ ca, cert, key })
    return async () => await Promise.resolve(identity)
  }
  const certificates =
    new AgentCertificates(agentsDirectory(lab), systemClock, systemRandom)
  return async (host) => await certificates.identityOf(host)
}

export class AgentCertificates {
  readonly #keys: PrivateKeys
  readonly #clock: Clock
  readonly #random: Random
  #authority: Promise<string> | null = null
  /** Made once, however often a host begins. */
  readonly #identities = new Map<string, Promise<Identity>>()

  constructor (directory: string, clock: Clock, random: Random) {
    this.#keys = new PrivateKeys(directory)
    this.#clock = clock
    this.#random = random
  }

  /** @throws VpclabError VPCLAB_ERR_COMMAND */
  async identityOf (host: string): Promise<Identity> {
    const made = this.#identities.get(host) ?? this.#make(host)
    this.#identities.set(host, made)
    return await made
  }

  async #make (host: string): Promise<Identity> {
    this.#authority ??= this.#open(AUTHORITY, { kind: 'root' }, [], null)
    const ca = await this.#authority
    const cert = await this.#open(
      host, { kind: 'end-entity', usages: ['serverAuth', 'clientAuth'] }, [host], ca)
    return { ca, cert, key: this.#keys.read(host) ?? '' }
  }

  async #open (
    name: string, profile: Profile, names: readonly string[], authority: string | null
  ): Promise<string> {
    const path = join(this.#keys.directory, `${name}.crt`)
    const known = read(path)
    if (known !== null && this.#isGood(name, known, authority ?? known)) return known
    await this.#keys.create(name, ALGORITHM)
    const nowMs = this.#clock.nowMs()
    const made = await issueCertificate(this.#keys.directory, {
      keyPath: this.#keys.path(authority === null ? name : AUTHORITY), authority, profile,
      csr: await makeRequest(this.#keys.path(name), [['CN', `vpclab ${name}`]], names),
      serial: newSerial(this.#random),
      notBeforeMs: nowMs - BACKDATE_MS, notAfterMs: nowMs + VALID_DAYS * DAY_MS, digest: 'sha256'
    })
    writeFileSync(path, made, { mode: 0o600 })
    return made
  }

  #isGood (name: string, pem: string, authority: string): boolean {
    const certificate = new X509Certificate(pem)
    return this.#keys.read(name) !== null &&
      certificate.verify(new X509Certificate(authority).publicKey) &&
      Date.parse(certificate.validTo) > this.#clock.nowMs() + RENEWAL_DAYS * DAY_MS
  }
}

function read (path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
