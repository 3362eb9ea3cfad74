/**
 * DNS64, RFC 6147, for ENIs of subnets with EnableDns64: a name that has IPv4 addresses and no IPv6
 * address gets one for each, 64:ff9b::/96 with the IPv4 address at its end, which a NAT gateway
 * reaches (dataplane/steps/nat64.ts).
 *
 *     AAAA? ──▶ an AAAA record, or no such name        stands as it is
 *               anything else ──▶ A? ──▶ none          the answer about AAAA stands
 *                                        some          AAAA made of them, aliases kept
 *
 * Who validates by himself (DO and CD) is told nothing that is made up. Pure functions; the
 * resolver asks.
 */
import dnsPacket from 'dns-packet'
import { addressWords, formatAddress } from '../../wire/address.ts'
import { NAT64_WORD } from '../../wire/nat64.ts'
import type { ZoneRecord } from './zone_source.ts'

/** Of made records where the zone does not tell how long "no" may be kept, seconds: §5.1.7. */
const DNS64_TTL_S_MAX = 600

const FLAG_CHECKING_DISABLED = 0x0010
const HEADER_BYTES = 12
const LABEL_BYTES_MAX = 63
const TYPE_A = 1
const RCODE_MASK = 0xf
const RCODE_NXDOMAIN = 3
/** ::ffff:0:0/96 is no address that anybody could send to: §5.1.4. */
const EXCLUDED = '::ffff:'

/** Whether a query is one whose answer may be made. */
export function asksForMade (
  type: string, flags: number, edns: { readonly flag_do?: boolean } | undefined
): boolean {
  return type === 'AAAA' && !((flags & FLAG_CHECKING_DISABLED) !== 0 && edns?.flag_do === true)
}

/** Whether records hold an IPv6 address that is one. */
function hasIpv6 (records: readonly Pick<ZoneRecord, 'type' | 'data'>[]): boolean {
  return records.some(({ type, data }) => type === 'AAAA' && !String(data).startsWith(EXCLUDED))
}

/**
 * What is told in place of records about A; null when there is no address among them.
 * @param ttlMax how long the zone lets "no IPv6" be kept, seconds
 */
export function madeOf (records: readonly ZoneRecord[], ttlMax: number): ZoneRecord[] | null {
  if (!records.some(({ type }) => type === 'A')) return null
  return records.filter(({ type }) => type === 'A' || type === 'CNAME').map((record) => (
    record.type === 'CNAME' ? record
      : { ...record, type: 'AAAA', ttl: Math.min(record.ttl, ttlMax),
        data: inNat64(String(record.data)) }))
}

/** An IPv4 address behind the well-known prefix. */
function inNat64 (ipv4: string): string {
  return formatAddress(Uint32Array.of(NAT64_WORD, 0, 0, addressWords(ipv4)[3] ?? 0))
}

/** The same query about A. Precondition: it was decoded, and has one question. */
export function queryForIpv4 (query: Buffer): Buffer | null {
  let at = HEADER_BYTES
  while (at < query.length && query[at] !== 0) { // ends: each label takes a byte or more
    if ((query[at] ?? 0) > LABEL_BYTES_MAX) return null
    at += 1 + (query[at] ?? 0)
  }
  if (at + 3 > query.length) return null
  const copy = Buffer.from(query)
  copy.writeUInt16BE(TYPE_A, at + 1)
  return copy
}

/** Seconds that "no IPv6" may be kept, by the SOA beside it. RFC 2308 §5. */
export function negativeTtl (soa: ZoneRecord | null): number {
  if (soa === null) return DNS64_TTL_S_MAX
  const { minimum = 0 } = soa.data as { readonly minimum?: number }
  return Math.min(soa.ttl, minimum)
}

/** What another resolver has answered. */
export interface Heard {
  readonly rcode: number
  readonly records: readonly ZoneRecord[]
  /** Of the zone, beside an answer without records. */
  readonly soa: ZoneRecord | null
}

/** @returns null for what cannot be read */
export function readAnswer (answer: Buffer): Heard | null {
  try {
    const { flags = 0, answers = [], authorities = [] } = dnsPacket.decode(answer)
    return {
      rcode: flags & RCODE_MASK,
      records: answers.filter((one) => one.type !== 'OPT') as ZoneRecord[],
      soa: authorities.find((one) => one.type === 'SOA') as ZoneRecord | undefined ?? null
    }
  } catch {
    return null
  }
}

/** Whether an answer about AAAA stands, whatever is known about A: §5.1.1, §5.1.2. */
export function standsAsItIs ({ rcode, records }: Pick<Heard, 'rcode' | 'records'>): boolean {
  return rcode === RCODE_NXDOMAIN || hasIpv6(records)
}
