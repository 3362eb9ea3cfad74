/**
 * Resource ids: `<prefix>-` and 17 hex digits, of which the first is always `0`. The other 16 are
 * 64 random bits, so that an ENI's id fits an 8-byte Geneve option (encap/) as two 32-bit words.
 *
 *     eni-0 89abcdef 01234567
 *           └─ high ┘└─ low ─┘
 *
 * AWS also knows an older form of 8 digits. It is accepted where an id is only looked up (the
 * answer is then "not found"), and never made.
 */
import { assert } from './assert.ts'
import type { Random } from './random.ts'

const RANDOM_BYTES = 8
const ID_DIGITS = '(?:[0-9a-f]{8}|[0-9a-f]{17})'
const ENI_ID = /^eni-0([0-9a-f]{8})([0-9a-f]{8})$/

/**
 * @param prefix without the dash: `vpc`, `subnet-cidr-assoc`
 * @returns a fresh id such as `vpc-0a1b2c3d4e5f60718`
 */
export function newId (random: Random, prefix: string): string {
  let digits = ''
  for (const byte of random.bytes(RANDOM_BYTES)) digits += byte.toString(16).padStart(2, '0')
  assert(digits.length === 2 * RANDOM_BYTES,
    `the random source gave ${String(digits.length)} hex digits for an id, not 16`)
  return `${prefix}-0${digits}`
}

/** Whether `id` is `prefix`, a dash, and 8 or 17 lower-case hex digits. */
export function isWellFormedId (prefix: string, id: string): boolean {
  return id.startsWith(`${prefix}-`) &&
    new RegExp(`^${ID_DIGITS}$`).test(id.slice(prefix.length + 1))
}

/**
 * @returns what stands before the last dash (`subnet-cidr-assoc`), or the empty string when `id`
 *   has no id's form
 */
export function idPrefix (id: string): string {
  const dashAt = id.lastIndexOf('-')
  const prefix = id.slice(0, Math.max(dashAt, 0))
  return isWellFormedId(prefix, id) ? prefix : ''
}

/** UUID version 4, RFC 9562 §5.4. */
export function newUuid (random: Random): string {
  const bytes = Buffer.from(random.bytes(16))
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  const hex = bytes.toString('hex')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** The 64 bits of an ENI's id. */
export interface EniBits {
  /** u32, the first 8 of the 16 digits. */
  readonly high: number
  /** u32, the last 8. */
  readonly low: number
}

/** @throws an assertion for an id that is not `eni-0` and 16 hex digits: ours always are */
export function eniBits (id: string): EniBits {
  const match = ENI_ID.exec(id)
  assert(match !== null, `"${id}" is not an ENI id of 17 hex digits that begins with 0`)
  return { high: Number.parseInt(match[1], 16), low: Number.parseInt(match[2], 16) }
}

/**
 * The 64 bits of any id of ours: a gateway's stand where an ENI's do.
 * @throws an assertion for an id that is not a prefix, `-0` and 16 hex digits
 */
export function idBits (id: string): EniBits {
  return eniBits(id.replace(/^[a-z]+-/, 'eni-'))
}

/** The reverse of `eniBits`. @param high u32 @param low u32 */
export function eniIdFromBits (high: number, low: number): string {
  return `eni-0${high.toString(16).padStart(8, '0')}${low.toString(16).padStart(8, '0')}`
}

/** The reverse of `idBits`. @param prefix without the dash @param high u32 @param low u32 */
export function idFromBits (prefix: string, high: number, low: number): string {
  return eniIdFromBits(high, low).replace('eni', prefix)
}
