/**
 * The resolver of a VPC: one query in, one answer out, both as bytes. RFC 1035, RFC 6891 (EDNS),
 * RFC 2308 (negative answers). Names come from zone sources (zone_source.ts); what none of them
 * holds is asked of the forwarder where there is one, and does not exist otherwise. For ENIs of
 * subnets with EnableDns64 answers about IPv6 addresses may be made of others (dns64.ts).
 *
 * Whatever stands in a query, nothing here throws and nothing grows without bound: one question,
 * ALIASES_MAX aliases, answers of at most ANSWER_BYTES_MAX bytes by UDP.
 */
import dnsPacket from 'dns-packet'
import type { Viewer } from '../viewer.ts'
import {
  asksForMade, madeOf, negativeTtl, queryForIpv4, readAnswer, standsAsItIs
} from './dns64.ts'
import type { ZoneAnswer, ZoneQuestion, ZoneRecord, ZoneSource } from './zone_source.ts'

/** Answers by UDP, whatever the client would take, bytes. VPC User Guide, "DNS quotas". */
export const ANSWER_BYTES_MAX = 4096
/** Of clients without EDNS, RFC 1035 §2.3.4. */
const PLAIN_BYTES_MAX = 512
/** Aliases followed for one query. */
export const ALIASES_MAX = 8
const HEADER_BYTES = 12
const FLAG_RESPONSE = 0x8000
const FLAG_TRUNCATED = 0x0200
const FLAGS_KEPT = 0x7900 // opcode, RD
const FLAG_RECURSION_DESIRED = 0x0100
const FLAG_RECURSION_AVAILABLE = 0x0080
const OPCODE_SHIFT = 11
const OPCODE_MASK = 0xf
const OPT_VERSION_RCODE = 1 // extended part of BADVERS
/** SOA of a zone that is nobody's. RFC 2308 §5: `minimum` is how long "no" may be kept, seconds. */
const SOA_TIMES = { serial: 1, refresh: 7200, retry: 900, expire: 1_209_600, minimum: 60 }
const SOA_TTL_S = 60

const RCODE_NOERROR = 0
const RCODE_FORMERR = 1
const RCODE_SERVFAIL = 2
const RCODE_NXDOMAIN = 3
const RCODE_NOTIMP = 4
const RCODE_REFUSED = 5

/** Asks resolvers of the machine. Bytes in, bytes out; null: no answer came, or no room. */
export type Forward = (query: Buffer) => Promise<Buffer | null>

export interface ResolverOptions {
  /** The one with the longest zone that holds the name decides; of several, the first. */
  readonly sources: readonly ZoneSource[]
  /** null: names that no source holds do not exist. */
  readonly forward: Forward | null
}

export type Transport = 'udp' | 'tcp'

interface Resolved {
  readonly rcode: number
  readonly records: readonly ZoneRecord[]
  /** Stands beside an answer without records; null: none does. */
  readonly soa: ZoneRecord | null
  /** Where an alias leads that no source holds. */
  readonly elsewhere?: ZoneQuestion
}

const REFUSED: Resolved = { rcode: RCODE_REFUSED, records: [], soa: null }
const SERVFAIL: Resolved = { rcode: RCODE_SERVFAIL, records: [], soa: null }

export class Resolver {
  readonly #options: ResolverOptions

  constructor (options: ResolverOptions) {
    this.#options = options
  }

  /**
   * @param udpBytesMax what the ENI takes in one datagram; not asked for TCP
   * @returns the answer, or a promise of one that is asked elsewhere; null for what is no query
   */
  answer (
    query: Buffer, viewer: Viewer, transport: Transport, udpBytesMax: number
  ): Buffer | null | Promise<Buffer | null> {
    if (query.length < HEADER_BYTES) return null
    const flags = query.readUInt16BE(2)
    if ((flags & FLAG_RESPONSE) !== 0) return null
    if (((flags >>> OPCODE_SHIFT) & OPCODE_MASK) !== 0) return headerOnly(query, RCODE_NOTIMP)
    let packet: dnsPacket.Packet
    try {
      packet = dnsPacket.decode(query)
    } catch {
      return headerOnly(query, RCODE_FORMERR)
    }
    const [question, ...others] = packet.questions ?? []
    if (question === undefined || others.length > 0) return headerOnly(query, RCODE_FORMERR)
    const edns = packet.additionals?.find((one) => one.type === 'OPT') as
      dnsPacket.OptAnswer & { ednsVersion?: number } | undefined
    const limit = transport === 'tcp' ? 0xffff
      : Math.min(ANSWER_BYTES_MAX, udpBytesMax,
        Math.max(PLAIN_BYTES_MAX, edns?.udpPayloadSize ?? 0))
    const reply = new Reply(packet, question, edns !== undefined, limit)
    if ((edns?.ednsVersion ?? 0) !== 0) return reply.badVersion()
    // "We do not support non-recursive queries", nor classes other than the Internet's.
    if ((flags & FLAG_RECURSION_DESIRED) === 0 || question.class !== 'IN') {
      return reply.encode(REFUSED)
    }
    const asked = { name: question.name.toLowerCase().replace(/\.$/, ''), type: question.type }
    const mayMake = viewer.endpoint.hasDns64 && asksForMade(asked.type, flags, edns)
    const resolved = this.#resolve(asked, viewer)
    const { forward } = this.#options
    if (resolved?.elsewhere !== undefined && forward !== null) {
      const { elsewhere } = resolved
      return (mayMake ? makeBehindAlias(forward, resolved, elsewhere)
        : followElsewhere(forward, resolved, elsewhere)).then((whole) => reply.encode(whole))
    }
    if (resolved !== null) {
      return reply.encode(mayMake ? this.#withMade(resolved, asked.name, viewer) : resolved)
    }
    if (forward === null) {
      return reply.encode({ rcode: RCODE_NXDOMAIN, records: [], soa: soaRecord('') })
    }
    return mayMake ? makeElsewhere(forward, query, reply)
      : forward(query).then((answer) => reply.passOn(answer))
  }

  /** DNS64 for a name that a source holds. */
  #withMade (resolved: Resolved, name: string, viewer: Viewer): Resolved {
    if (standsAsItIs(resolved)) return resolved
    const made = madeOf(this.#resolve({ name, type: 'A' }, viewer)?.records ?? [],
      SOA_TIMES.minimum)
    return made === null ? resolved : { rcode: RCODE_NOERROR, records: made, soa: null }
  }

  /** @returns null when no source holds the name */
  #resolve (asked: ZoneQuestion, viewer: Viewer): Resolved | null {
    const records: ZoneRecord[] = []
    let question = asked
    for (let aliases = 0; aliases <= ALIASES_MAX; aliases++) {
      const found = this.#ask(question, viewer)
      if (found === null) {
        return aliases === 0 ? null
          : { rcode: RCODE_NOERROR, records, soa: null, elsewhere: question }
      }
      records.push(...found.records)
      const alias = found.records.find(({ type }) => type === 'CNAME')
      if (alias === undefined || asked.type === 'CNAME' || asked.type === 'ANY') {
        return {
          rcode: found.nameExists ? RCODE_NOERROR : RCODE_NXDOMAIN, records,
          soa: found.records.length > 0 ? null : found.soa ?? soaRecord(found.zone)
        }
      }
      question = { name: String(alias.data).toLowerCase(), type: asked.type }
    }
    return SERVFAIL
  }

  #ask (question: ZoneQuestion, viewer: Viewer): ZoneAnswer | null {
    let best: ZoneAnswer | null = null
    for (const source of this.#options.sources) {
      const answer = source.answer(question, viewer)
      if (answer !== null && (best === null || answer.zone.length > best.zone.length)) best = answer
    }
    return best
  }
}

/** One answer under way: what of the query goes back into it. */
class Reply {
  readonly #packet: dnsPacket.Packet
  readonly #question: dnsPacket.Question
  readonly #hasEdns: boolean
  readonly #bytesMax: number

  constructor (
    packet: dnsPacket.Packet, question: dnsPacket.Question, hasEdns: boolean, bytesMax: number
  ) {
    this.#packet = packet
    this.#question = question
    this.#hasEdns = hasEdns
    this.#bytesMax = bytesMax
  }

  encode ({ rcode, records, soa }: Resolved): Buffer {
    try {
      const whole = this.#encode(rcode, 0, records as dnsPacket.Answer[],
        soa === null ? [] : [soa as dnsPacket.Answer], 0)
      return whole.length <= this.#bytesMax ? whole
        : this.#encode(rcode, FLAG_TRUNCATED, [], [], 0)
    } catch {
      // A record, or a name in the question, that cannot be written.
      return this.#encode(RCODE_SERVFAIL, 0, [], [], 0, [])
    }
  }

  badVersion (): Buffer { return this.#encode(RCODE_NOERROR, 0, [], [], OPT_VERSION_RCODE) }

  servfail (): Buffer { return this.encode(SERVFAIL) }

  /** @param answer of another resolver to the same query; null: none came */
  passOn (answer: Buffer | null): Buffer {
    if (answer === null) return this.servfail()
    return answer.length <= this.#bytesMax ? answer
      : this.#encode(RCODE_NOERROR, FLAG_TRUNCATED, [], [], 0)
  }

  #encode (
    rcode: number, flags: number, answers: dnsPacket.Answer[], authorities: dnsPacket.Answer[],
    extendedRcode: number, questions: dnsPacket.Question[] = [this.#question]
  ): Buffer {
    const additionals = this.#hasEdns ? [optRecord(extendedRcode)] : []
    return dnsPacket.encode({
      type: 'response',
      id: this.#packet.id ?? 0,
      flags: ((this.#packet.flags ?? 0) & FLAGS_KEPT) | FLAG_RECURSION_AVAILABLE | flags | rcode,
      questions, answers, authorities, additionals
    })
  }
}

function optRecord (extendedRcode: number): dnsPacket.Answer {
  return {
    type: 'OPT', name: '.', udpPayloadSize: ANSWER_BYTES_MAX, extendedRcode, ednsVersion: 0,
    flags: 0, flag_do: false, options: []
  } as unknown as dnsPacket.Answer
}

/** Of a zone that has no records of its own. */
function soaRecord (zone: string): ZoneRecord {
  const below = zone === '' ? '' : `.${zone}`
  return {
    type: 'SOA', name: zone === '' ? '.' : zone, ttl: SOA_TTL_S,
    data: { mname: `ns0${below}`, rname: `hostmaster${below}`, ...SOA_TIMES }
  }
}

/** An answer to what cannot be read: the id, and why. */
function headerOnly (query: Buffer, rcode: number): Buffer {
  const answer = Buffer.alloc(HEADER_BYTES)
  query.copy(answer, 0, 0, 2)
  answer.writeUInt16BE(FLAG_RESPONSE | (query.readUInt16BE(2) & FLAGS_KEPT) |
    FLAG_RECURSION_AVAILABLE | rcode, 2)
  return answer
}

/** DNS64 for a name that is asked elsewhere. What does not answer about AAAA may about A. */
async function makeElsewhere (forward: Forward, query: Buffer, reply: Reply): Promise<Buffer> {
  const answer = await forward(query)
  const heard = answer === null ? null : readAnswer(answer)
  const second = heard !== null && standsAsItIs(heard) ? null : queryForIpv4(query)
  const ipv4 = second === null ? null : await forward(second)
  const made = ipv4 === null ? null
    : madeOf(readAnswer(ipv4)?.records ?? [], negativeTtl(heard?.soa ?? null))
  return made === null ? reply.passOn(answer)
    : reply.encode({ rcode: RCODE_NOERROR, records: made, soa: null })
}

/** Asks elsewhere for what an alias leads to, and answers with both. */
async function followElsewhere (
  forward: Forward, { records }: Resolved, { name, type }: ZoneQuestion
): Promise<Resolved> {
  const query = writeQuery(name, type)
  const answer = query === null ? null : await forward(query)
  const heard = answer === null ? null : readAnswer(answer)
  if (heard === null) return SERVFAIL
  return { rcode: heard.rcode, records: [...records, ...heard.records],
    soa: heard.records.length > 0 ? null : heard.soa }
}

/** DNS64 for a name whose alias leads elsewhere. */
async function makeBehindAlias (
  forward: Forward, resolved: Resolved, elsewhere: ZoneQuestion
): Promise<Resolved> {
  const whole = await followElsewhere(forward, resolved, elsewhere)
  if (standsAsItIs(whole)) return whole
  const ipv4 = await followElsewhere(forward, resolved, { ...elsewhere, type: 'A' })
  const made = madeOf(ipv4.records, negativeTtl(whole.soa))
  return made === null ? whole : { rcode: RCODE_NOERROR, records: made, soa: null }
}

/** @returns null for a name or a type that cannot be written */
function writeQuery (name: string, type: string): Buffer | null {
  try {
    return dnsPacket.encode({
      type: 'query', id: 0, flags: FLAG_RECURSION_DESIRED,
      questions: [{ name, type: type as 'A', class: 'IN' }], additionals: [optRecord(0)]
    })
  } catch {
    return null
  }
}
