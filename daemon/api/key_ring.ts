/**
 * Access keys: who may call, with which secret, as which account.
 *
 *     AKIDEXAMPLE:secret:123456789012     one key; several by comma or line, `#` begins a comment
 *
 * Keys come from `VPCLAB_ACCESS_KEYS`, from a file that the user names, and from the lab's own
 * credentials file. When all three are empty the first key is made and put into the last one,
 * readable by its owner only. Keys are compared exactly; a key given twice must say the same.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { VpclabError } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import { isAccountId } from '../model/account.ts'

export interface AccessKey {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** 12 digits. */
  readonly accountId: string
}

/** The account of a key that the lab makes itself: the one of AWS's examples. */
export const ACCOUNT_ID_DEFAULT = '123456789012'

const ACCESS_KEY_ID = /^[\w]{3,128}$/
const SECRET_ACCESS_KEY = /^[^\s:,#]{1,128}$/

export class KeyRing {
  readonly #keys: ReadonlyMap<string, AccessKey>
  /** The key that `vpcctl env` prints. */
  readonly first: AccessKey

  /**
   * @param keys at least one
   * @throws VpclabError VPCLAB_ERR_CONFIG without a key, or when one key id has two meanings
   */
  constructor (keys: readonly AccessKey[]) {
    const [first] = keys
    if (first === undefined) {
      throw new VpclabError('VPCLAB_ERR_CONFIG', 'no access key is given: give at least one')
    }
    this.first = first
    const byId = new Map<string, AccessKey>()
    for (const key of keys) {
      const other = byId.get(key.accessKeyId)
      if (other !== undefined && formatAccessKey(other) !== formatAccessKey(key)) {
        throw new VpclabError('VPCLAB_ERR_CONFIG',
          `access key ${key.accessKeyId} is given twice with different secrets or accounts`)
      }
      byId.set(key.accessKeyId, key)
    }
    this.#keys = byId
  }

  /** Each account that has a key, once. */
  get accountIds (): string[] {
    return [...new Set([...this.#keys.values()].map(({ accountId }) => accountId))]
  }

  find (accessKeyId: string): AccessKey | undefined { return this.#keys.get(accessKeyId) }
}

/**
 * @param origin where the text is from, for refusals: a path or a variable's name
 * @throws VpclabError VPCLAB_ERR_CONFIG for an entry that is not `id:secret:account`
 */
export function parseAccessKeys (text: string, origin: string): AccessKey[] {
  const keys: AccessKey[] = []
  for (const line of text.split('\n')) {
    for (const part of line.replace(/#.*/, '').split(',')) {
      const entry = part.trim()
      if (entry === '') continue
      const [accessKeyId = '', secretAccessKey = '', accountId = '', ...rest] = entry.split(':')
      if (!ACCESS_KEY_ID.test(accessKeyId) || !SECRET_ACCESS_KEY.test(secretAccessKey) ||
        !isAccountId(accountId) || rest.length > 0) {
        throw new VpclabError('VPCLAB_ERR_CONFIG',
          `access key ${String(keys.length + 1)} of ${origin} is not of the form <access key ` +
          'id>:<secret>:<12-digit account id>')
      }
      keys.push({ accessKeyId, secretAccessKey, accountId })
    }
  }
  return keys
}

export function formatAccessKey (key: AccessKey): string {
  return `${key.accessKeyId}:${key.secretAccessKey}:${key.accountId}`
}

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** A fresh key in AWS's form: `AKIA` and 16 characters, and a secret of 40. */
export function generateAccessKey (random: Random, accountId: string): AccessKey {
  let accessKeyId = 'AKIA'
  for (const byte of random.bytes(16)) accessKeyId += BASE32.charAt(byte & 31)
  return {
    accessKeyId, secretAccessKey: Buffer.from(random.bytes(30)).toString('base64'), accountId
  }
}

export interface KeyRingOptions {
  /** The value of VPCLAB_ACCESS_KEYS. */
  readonly environment: string | undefined
  /** A file that the user names. */
  readonly accessKeysPath: string | undefined
  /** The lab's own file; made with a fresh key when there is no key at all. */
  readonly credentialsPath: string
  readonly random: Random
}

/** All keys of a lab, those of the environment first. @throws VpclabError VPCLAB_ERR_CONFIG */
export function openKeyRing (options: KeyRingOptions): KeyRing {
  const keys = parseAccessKeys(options.environment ?? '', 'VPCLAB_ACCESS_KEYS')
  if (options.accessKeysPath !== undefined) keys.push(...readAccessKeys(options.accessKeysPath))
  if (existsSync(options.credentialsPath)) keys.push(...readAccessKeys(options.credentialsPath))
  if (keys.length === 0) {
    const key = generateAccessKey(options.random, ACCOUNT_ID_DEFAULT)
    mkdirSync(dirname(options.credentialsPath), { recursive: true })
    writeFileSync(options.credentialsPath, `${formatAccessKey(key)}\n`, { mode: 0o600 })
    chmodSync(options.credentialsPath, 0o600)
    keys.push(key)
  }
  return new KeyRing(keys)
}

function readAccessKeys (path: string): AccessKey[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new VpclabError('VPCLAB_ERR_CONFIG', `the access key file ${path} cannot be read`,
      { cause: error })
  }
  return parseAccessKeys(text, path)
}
