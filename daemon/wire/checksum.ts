/**
 * The Internet checksum: RFC 1071 (computing it), RFC 1624 (updating it).
 *
 * A sum is kept as a plain number and folded at the end: with 16-bit words added one by one it
 * stays exact far beyond the longest packet (65,575 bytes give at most 2^31). An incremental update
 * costs the same for any packet length, and it keeps a checksum that was wrong wrong, which a
 * router must.
 */
import { loadI32 } from './bytes.ts'

/**
 * Adds `count` bytes to a running sum. An odd last byte counts as the high half of a word (RFC 1071
 * §1), so only the last piece of something may have an odd length.
 */
export function checksumAdd (sum: number, bytes: Uint8Array, at: number, count: number): number {
  const evenEnd = at + (count & ~1)
  for (; at < evenEnd; at += 2) sum += (bytes[at] << 8) | bytes[at + 1]
  if ((count & 1) !== 0) sum += bytes[at] << 8
  return sum
}

/** Folds a sum below 2^48 into 16 bits, not inverted. */
export function checksumFold (sum: number): number {
  while (sum > 0xffff) sum = (sum % 0x10000) + Math.floor(sum / 0x10000)
  return sum
}

/** The checksum to write for a sum: folded and inverted, u16. */
export function checksumFinish (sum: number): number {
  return ~checksumFold(sum) & 0xffff
}

/**
 * Checksum over a contiguous range whose checksum field holds 0; or, over a range with its
 * checksum, 0 when good.
 */
export function checksumOf (bytes: Uint8Array, at: number, count: number): number {
  return checksumFinish(checksumAdd(0, bytes, at, count))
}

/**
 * Checksum after one 16-bit word of the covered data changes: RFC 1624 §3, eqn. 3. All values u16.
 * Precondition: the covered data is not all zero (true for any IPv4 header and any pseudo-header).
 * UDP: the caller writes 0xffff when the result is 0, and leaves a field that was 0 alone (RFC
 * 768).
 */
export function checksumReplaceU16 (checksum: number, oldWord: number, newWord: number): number {
  let sum = (~checksum & 0xffff) + (~oldWord & 0xffff) + newWord // at most 0x2fffd
  sum = (sum & 0xffff) + (sum >>> 16) // at most 0x10000: one carry may be left
  sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

/** The same for a 32-bit word at an even offset. */
export function checksumReplaceU32 (checksum: number, oldValue: number, newValue: number): number {
  const high = checksumReplaceU16(checksum, oldValue >>> 16, newValue >>> 16)
  return checksumReplaceU16(high, oldValue & 0xffff, newValue & 0xffff)
}

/**
 * Sum of the pseudo-header of TCP, UDP or ICMPv6 (RFC 9293 §3.1, RFC 8200 §8.1), not folded. The
 * two addresses stand side by side in both IP headers.
 * @param addressesAt where the source address starts
 * @param addressesBytes 8 (IPv4) or 32 (IPv6)
 * @param length bytes of the L4 header and payload
 */
export function pseudoHeaderSum (
  bytes: Uint8Array, addressesAt: number, addressesBytes: number, protocol: number, length: number
): number {
  return checksumAdd(0, bytes, addressesAt, addressesBytes) + protocol + (length >>> 16) +
    (length & 0xffff)
}

/**
 * Whether the 20..60 bytes of an IPv4 header sum up (RFC 791 §3.1). `count` is a multiple of 4. The
 * fixed part is unrolled: it is all that most packets have.
 */
export function ipv4HeaderSumIsGood (view: DataView, at: number, count: number): boolean {
  let sum = halves(loadI32(view, at)) + halves(loadI32(view, at + 4)) +
    halves(loadI32(view, at + 8)) +
    halves(loadI32(view, at + 12)) + halves(loadI32(view, at + 16))
  for (let offset = 20; offset < count; offset += 4) sum += halves(loadI32(view, at + offset))
  sum = (sum & 0xffff) + (sum >>> 16)
  return ((sum & 0xffff) + (sum >>> 16)) === 0xffff
}

/** Sum of the two 16-bit words of 32 bits. */
function halves (word: number): number {
  return (word & 0xffff) + (word >>> 16)
}
