/**
 * Values of resource records, as Route 53 takes them: the presentation format of zone files. Route
 * 53 Developer Guide, "Supported DNS record types"; RFC 1035 §5.
 *
 *     A      192.0.2.1                       MX    10 mail.example.com
 *     AAAA   2001:db8::1                     SRV   10 5 80 host.example.com
 *     CNAME, NS, PTR   host.example.com      CAA   0 issue "ca.example.com"
 *     TXT    "a text" "and \"another\""      SOA   ns-0.example.com host.example.com 1 7200 900 …
 *
 * `parseRecordValue` is what both ends use: a change is refused by it, the resolver answers from
 * it.
 */
import { parseAddress } from './cidr.ts'
import { parseDomainName } from './domain_name.ts'

export const RECORD_TYPES =
  ['A', 'AAAA', 'CAA', 'CNAME', 'MX', 'NS', 'PTR', 'SOA', 'SRV', 'TXT'] as const
export type RecordType = (typeof RECORD_TYPES)[number]

/** Bytes of one text of a TXT record, RFC 1035 §3.3. */
export const TEXT_BYTES_MAX = 255
/** Characters of one value, as Route 53 has it. */
export const VALUE_LENGTH_MAX = 4000

/** What a value says, in the members that dns-packet encodes. Names are kept as zones keep them. */
export type RecordData =
  | string
  /** Texts of a TXT record, a character per byte. */
  | readonly string[]
  | { readonly preference: number, readonly exchange: string }
  | SrvData
  | { readonly flags: number, readonly tag: string, readonly value: string }
  | SoaData

interface SrvData {
  readonly priority: number
  readonly weight: number
  readonly port: number
  readonly target: string
}

export interface SoaData {
  readonly mname: string
  readonly rname: string
  readonly serial: number
  /** Seconds, as those below. */
  readonly refresh: number
  readonly retry: number
  readonly expire: number
  /** How long "no" may be kept, RFC 2308 §5. */
  readonly minimum: number
}

/** Route 53's name of a fault, and what it says of it. */
export class ValueFault {
  readonly name: string
  readonly text: string

  constructor (name: string, text: string) {
    this.name = name
    this.text = text
  }
}

export function isRecordType (type: string): type is RecordType {
  return (RECORD_TYPES as readonly string[]).includes(type)
}

/** @returns what is wrong with a value, where something is */
export function parseRecordValue (type: RecordType, text: string): RecordData | ValueFault {
  if (text.length > VALUE_LENGTH_MAX) {
    return new ValueFault('ValueTooLong',
      `Value has more than ${String(VALUE_LENGTH_MAX)} characters`)
  }
  return PARSERS[type](text)
}

type Parser = (text: string) => RecordData | ValueFault

const PARSERS: { readonly [T in RecordType]: Parser } = {
  A: addressParser(4, 'ARRDATAIllegalIPv4Address', 'Value is not a valid IPv4 address'),
  AAAA: addressParser(6, 'AAAARRDATAIllegalIPv6Address', 'Value is not a valid IPv6 address'),
  CAA: parseCaa,
  CNAME: parseName,
  MX: parseMx,
  NS: parseName,
  PTR: parseName,
  SOA: parseSoa,
  SRV: parseSrv,
  TXT: parseTxt
}

function addressParser (family: 4 | 6, fault: string, message: string): Parser {
  return (text) => parseAddress(text)?.family === family ? text : new ValueFault(fault, message)
}

function parseName (text: string): string | ValueFault {
  return parseDomainName(text) ?? new ValueFault('DomainNameInvalid',
    'Value is not a valid domain name')
}

function parseMx (text: string): RecordData | ValueFault {
  const { numbers: [preference = NaN], name: exchange } = numbersThenName(text, 1)
  return Number.isNaN(preference) || exchange === null
    ? new ValueFault('MXRRDATAInvalid', 'Value should be a priority and a domain name')
    : { preference, exchange }
}

function parseSrv (text: string): RecordData | ValueFault {
  const { numbers: [priority = NaN, weight = NaN, port = NaN], name: target } =
    numbersThenName(text, 3)
  return Number.isNaN(priority + weight + port) || target === null
    ? new ValueFault('SRVRRDATAInvalid',
      'Value should be a priority, a weight, a port and a domain name')
    : { priority, weight, port, target }
}

const U16_MAX = 0xffff
const U32_MAX = 0xffff_ffff

/** `count` numbers of 16 bits, and a name: NaN and null where they are none. */
function numbersThenName (text: string, count: number):
{ readonly numbers: readonly number[], readonly name: string | null } {
  const parts = text.trim().split(/\s+/)
  return {
    numbers: Array.from({ length: count }, (_none, at) => numberOf(parts[at], U16_MAX)),
    name: parts.length === count + 1 ? parseDomainName(parts[count] ?? '') : null
  }
}

function numberOf (text = '', max: number): number {
  return /^\d{1,10}$/.test(text) && Number(text) <= max ? Number(text) : NaN
}

function parseSoa (text: string): RecordData | ValueFault {
  const [mname = '', rname = '', ...times] = text.trim().split(/\s+/)
  const [serial = NaN, refresh = NaN, retry = NaN, expire = NaN, minimum = NaN] =
    times.map((one) => numberOf(one, U32_MAX))
  const names = [parseDomainName(mname), parseDomainName(rname)]
  if (times.length !== 5 || names.includes(null) ||
    Number.isNaN(serial + refresh + retry + expire + minimum)) {
    return new ValueFault('SOARRDATAInvalid',
      'Value should be two domain names and five numbers')
  }
  const [first, second] = names
  return { mname: first ?? '', rname: second ?? '', serial, refresh, retry, expire, minimum }
}

const CAA = /^(\d{1,3})\s+([A-Za-z0-9]{1,15})\s+(.*)$/s
const CAA_FLAGS_MAX = 255

function parseCaa (text: string): RecordData | ValueFault {
  const [, flagsText = '', tag = '', quoted = ''] = CAA.exec(text.trim()) ?? []
  const flags = numberOf(flagsText, CAA_FLAGS_MAX)
  const texts = parseTexts(quoted)
  const [value, ...more] = texts instanceof ValueFault ? [] : texts
  return Number.isNaN(flags) || value === undefined || more.length > 0
    ? new ValueFault('CAARRDATAInvalid',
      'Value should be flags, a tag and a text in quotation marks')
    : { flags, tag: tag.toLowerCase(), value }
}

function parseTxt (text: string): RecordData | ValueFault { return parseTexts(text) }

/** One text in quotation marks, with `\"`, `\\` and `\ooo` in it, and the space before the next. */
const QUOTED = /\s*"((?:[^"\\]|\\["\\]|\\[0-7]{3})*)"\s*/y

function parseTexts (text: string): readonly string[] | ValueFault {
  const texts: string[] = []
  QUOTED.lastIndex = 0
  while (QUOTED.lastIndex < text.length) {
    const inside = QUOTED.exec(text)?.[1]
    if (inside === undefined) return NOT_QUOTED
    const bytes = inside.replace(/\\([0-7]{3}|.)/gs, (_escape, what: string) =>
      what.length === 3 ? String.fromCharCode(parseInt(what, 8)) : what)
    if (!/^[\0-\xff]*$/.test(bytes)) {
      return new ValueFault('InvalidCharacterString',
        'Value has a character that is not ASCII: write its bytes as \\ooo')
    }
    if (bytes.length > TEXT_BYTES_MAX) {
      return new ValueFault('CharacterStringTooLong',
        `Value has a text of more than ${String(TEXT_BYTES_MAX)} characters`)
    }
    texts.push(bytes)
  }
  return texts.length === 0 ? NOT_QUOTED : texts
}

const NOT_QUOTED =
  new ValueFault('InvalidCharacterString', 'Value should be enclosed in quotation marks')
