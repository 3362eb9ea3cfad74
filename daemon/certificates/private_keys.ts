/**
 * Private keys of the lab's certificate authorities and certificates: one file each, and nowhere
 * else. No record, no log and no audit trail has one.
 *
 *     <directory> 0700 / <id>.pem 0600     PKCS #8, by the id of the record that it belongs to
 */
import { createPrivateKey, createPublicKey, generateKeyPair } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const generate = promisify(generateKeyPair)
const CURVES: Readonly<Record<string, string>> =
  { EC_prime256v1: 'P-256', EC_secp384r1: 'P-384', EC_secp521r1: 'P-521' }
const MODULUS_BITS: Readonly<Record<string, number>> =
  { RSA_2048: 2048, RSA_3072: 3072, RSA_4096: 4096 }
const SUFFIX = '.pem'

/** AWS's names of the algorithms that keys are made for. */
export const KEY_ALGORITHMS: readonly string[] =
  [...Object.keys(MODULUS_BITS), ...Object.keys(CURVES)]

export class PrivateKeys {
  readonly directory: string

  constructor (directory: string) { this.directory = directory }

  /** Makes a key. @param algorithm one of KEY_ALGORITHMS */
  async create (id: string, algorithm: string): Promise<void> {
    const bits = MODULUS_BITS[algorithm]
    const { privateKey } = bits === undefined
      ? await generate('ec', { namedCurve: CURVES[algorithm] ?? '' })
      : await generate('rsa', { modulusLength: bits })
    this.keep(id, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())
  }

  /** @param pem PKCS #8 */
  keep (id: string, pem: string): void {
    mkdirSync(this.directory, { recursive: true, mode: 0o700 })
    writeFileSync(this.path(id), pem, { mode: 0o600 })
  }

  path (id: string): string { return join(this.directory, `${id}${SUFFIX}`) }

  /** @returns null where there is none */
  read (id: string): string | null {
    try {
      return readFileSync(this.path(id), 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
      throw error
    }
  }

  /** Precondition: there is a key. */
  publicKey (id: string): KeyObject { return createPublicKey(readFileSync(this.path(id))) }

  /** PKCS #8 again, which only the passphrase opens. Precondition: there is a key. */
  encrypted (id: string, passphrase: Uint8Array): string {
    return createPrivateKey(readFileSync(this.path(id))).export({
      type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: Buffer.from(passphrase)
    }).toString()
  }

  /** Harmless when there is none. */
  remove (id: string): void { rmSync(this.path(id), { force: true }) }

  /** Removes the keys whose record is gone. */
  sweep (isWanted: (id: string) => boolean): void {
    mkdirSync(this.directory, { recursive: true, mode: 0o700 })
    for (const name of readdirSync(this.directory)) {
      if (!name.endsWith(SUFFIX) || isWanted(name.slice(0, -SUFFIX.length))) continue
      rmSync(join(this.directory, name), { force: true })
    }
  }
}
