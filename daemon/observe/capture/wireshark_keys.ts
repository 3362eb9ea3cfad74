/**
 * Keys of SAs as Wireshark reads them: lines of its ESP SA table (the file `esp_sa` of a profile,
 * `-o uat:esp_sa:…` of tshark).
 *
 *     protocol, source, destination, SPI, encryption, its key, authentication, its key
 *
 * The key of AES-GCM is followed by the salt (RFC 4106 §8.1). IKE's own keys are not here: charon
 * gives them to nobody but its log.
 */
import type { EspHash, EspSa, EspTransform } from '../../tun/esp_sa.ts'
import { formatAddress } from '../../wire/address.ts'
import { readU32 } from '../../wire/bytes.ts'

const HASHES: Readonly<Record<EspHash, string>> = {
  sha1: 'HMAC-SHA-1-96 [RFC2404]',
  sha256: 'HMAC-SHA-256-128 [RFC4868]',
  sha384: 'HMAC-SHA-384-192 [RFC4868]',
  sha512: 'HMAC-SHA-512-256 [RFC4868]'
}

/** A line of the table, without its end. */
export function wiresharkKeyLine ({ source, destination, spi, transform }: EspSa): string {
  return [
    destination.length === 4 ? 'IPv4' : 'IPv6', address(source), address(destination),
    `0x${(spi >>> 0).toString(16).padStart(8, '0')}`, ...algorithms(transform)
  ].map((field) => `"${field}"`).join(',')
}

function algorithms (transform: EspTransform): readonly string[] {
  if (transform.kind === 'aes-gcm') {
    const { key, salt, icvBytes } = transform
    return [`AES-GCM with ${String(icvBytes)} octet ICV [RFC4106]`, hex(key, salt), 'NULL', '']
  }
  const { key, hash, hashKey } = transform
  return ['AES-CBC [RFC3602]', hex(key), HASHES[hash], hex(hashKey)]
}

function hex (...parts: readonly Uint8Array[]): string {
  return `0x${Buffer.concat(parts).toString('hex')}`
}

/** @param bytes 4 or 16 */
function address (bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.')
  return formatAddress(Uint32Array.from([0, 4, 8, 12], (at) => readU32(bytes, at)))
}
