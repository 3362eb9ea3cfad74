/**
 * From the kernel's names of algorithms to ours. What is not here is refused, so that IKE gives up
 * the child instead of agreeing on keys that nobody uses; charon is configured with these alone.
 */
import type { EspHash, EspTransform } from '../../tun/esp_sa.ts'
import type { Algorithm, SaRequest } from './structures.ts'

const GCM_NAME = 'rfc4106(gcm(aes))'
const GCM_SALT_BYTES = 4
const GCM_ICV_BITS: readonly number[] = [64, 96, 128]
const AES_KEY_BYTES: readonly number[] = [16, 24, 32]

interface HashRow {
  readonly hash: EspHash
  readonly keyBytes: number
  readonly icvBits: number
  /** What the kernel uses when the length is not named: for SHA2-256 that of a draft. */
  readonly unnamedIcvBits: number
}
const SHA1: HashRow = { hash: 'sha1', keyBytes: 20, icvBits: 96, unnamedIcvBits: 96 }
const SHA256: HashRow = { hash: 'sha256', keyBytes: 32, icvBits: 128, unnamedIcvBits: 96 }
const SHA384: HashRow = { hash: 'sha384', keyBytes: 48, icvBits: 192, unnamedIcvBits: 192 }
const SHA512: HashRow = { hash: 'sha512', keyBytes: 64, icvBits: 256, unnamedIcvBits: 256 }

/** RFC 2404, RFC 4868 §2.6; charon has used both spellings of each. */
const HASHES: Readonly<Record<string, HashRow>> = {
  'sha1': SHA1,
  'hmac(sha1)': SHA1,
  'sha256': SHA256,
  'hmac(sha256)': SHA256,
  'sha384': SHA384,
  'hmac(sha384)': SHA384,
  'sha512': SHA512,
  'hmac(sha512)': SHA512
}

/** @returns null for a combination that the data plane does not have; keys are copies */
export function readTransform (sa: SaRequest): EspTransform | null {
  if (sa.aead !== null) return readGcm(sa.aead)
  if (sa.cipher === null || sa.integrity === null) return null
  const row = HASHES[sa.integrity.name]
  const isCbc = sa.cipher.name === 'aes' || sa.cipher.name === 'cbc(aes)'
  if (!isCbc || row === undefined || !AES_KEY_BYTES.includes(sa.cipher.key.length)) return null
  const icvBits = sa.integrity.icvBits === 0 ? row.unnamedIcvBits : sa.integrity.icvBits
  if (sa.integrity.key.length !== row.keyBytes || icvBits !== row.icvBits) return null
  return {
    kind: 'aes-cbc',
    key: Uint8Array.from(sa.cipher.key),
    hash: row.hash,
    hashKey: Uint8Array.from(sa.integrity.key),
    icvBytes: row.icvBits / 8
  }
}

function readGcm (aead: Algorithm): EspTransform | null {
  const keyBytes = aead.key.length - GCM_SALT_BYTES
  if (aead.name !== GCM_NAME || !AES_KEY_BYTES.includes(keyBytes)) return null
  if (!GCM_ICV_BITS.includes(aead.icvBits)) return null
  return {
    kind: 'aes-gcm',
    key: Uint8Array.from(aead.key.subarray(0, keyBytes)),
    salt: Uint8Array.from(aead.key.subarray(keyBytes)),
    icvBytes: aead.icvBits / 8
  }
}
