/**
 * The VPC header: Geneve, RFC 8926 §3.4 and §3.5, on UDP port 6081, so that Wireshark decodes it
 * unaided.
 *
 *     0                   1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    |Ver|  Opt Len  |O|C|    Rsvd.  |          Protocol Type        |
 *    |        Virtual Network Identifier (VNI)       |    Reserved   |
 *    |          Option Class         |      Type     |R|R|R| Length  |   type 0x01, source ENI
 *    |                        source ENI id (8 bytes)                |
 *    |          Option Class         |      Type     |R|R|R| Length  |   type 0x02, destination ENI
 *    |                      destination ENI id (8 bytes)             |
 *
 * and, where there is something to say with them, in this order:
 *
 *    0x03 flags            4 bytes  FLAG_*
 *    0x04 flow cookie      8 bytes  HyperPlane only
 *    0x06 forwarded       16 bytes  a host that the destination ENI has left sends the packet on
 *                                   (ADR 26): the underlay address that it came from, IPv4 as
 *                                   ::ffff:a.b.c.d. Who does not know the option finds that the
 *                                   outer source is not the sender's, and drops
 *    0x85 key             12 bytes  critical: key id, number; put on and taken off by the NIC
 *
 * Lengths (Opt Len, Length) are in words of 4 bytes. The top bit of a type says "critical": who
 * does not know such an option must drop the packet; any other unknown option is passed over. An
 * ENI id is its 16 significant hex digits. The receiver believes nothing it reads here: it is
 * looked up, then compared.
 *
 * The header is written word by word in host order (`Int32Array`), because cells are aligned and
 * one store per word is what the fast path can afford; the words below are therefore byte-swapped
 * once.
 */
import { loadI32, loadU16, swapU32, writeU16, writeU32 } from '../wire/bytes.ts'

export const GENEVE_UDP_PORT = 6081

export const GENEVE_AT_VERSION_OPTIONS = 0 // u8   version:2, option length:6 (words)
export const GENEVE_AT_FLAGS = 1 // u8   O:1 (control), C:1 (critical option present), reserved:6
export const GENEVE_AT_PROTOCOL = 2 // u16  EtherType of what is inside
export const GENEVE_AT_VNI = 4 // u32  VNI:24, reserved:8
export const GENEVE_HEADER_BYTES_MIN = 8
export const GENEVE_OPTION_LENGTH_MASK = 0x3f
export const GENEVE_FLAG_CONTROL = 0x80
export const GENEVE_FLAG_CRITICAL = 0x40

export const GENEVE_OPTION_AT_CLASS = 0 // u16
export const GENEVE_OPTION_AT_TYPE = 2 // u8   critical:1, type:7
export const GENEVE_OPTION_AT_LENGTH = 3 // u8   reserved:3, length:5 (words, without this header)
export const GENEVE_OPTION_HEADER_BYTES = 4
export const GENEVE_OPTION_CRITICAL = 0x80

export const ETHERTYPE_IPV4 = 0x0800
export const ETHERTYPE_IPV6 = 0x86dd

/** Experimental both in RFC 8926 §7 and in Wireshark's own class table. */
export const OPTION_CLASS_VPCLAB = 0xfff5
export const OPTION_SOURCE_ENI = 0x01 // 8 bytes
export const OPTION_DESTINATION_ENI = 0x02 // 8 bytes
export const OPTION_FLAGS = 0x03 // 4 bytes: FLAG_*
export const OPTION_FLOW_COOKIE = 0x04 // 8 bytes, HyperPlane only
export const OPTION_KEY = 0x05 // 12 bytes: key id 4, number 8; the NIC's alone, critical
export const OPTION_FORWARDED = 0x06 // 16 bytes: where it came from

export const FLAG_VIA_EDGE = 0x01
export const FLAG_VIA_TRANSIT_GATEWAY = 0x02
export const FLAG_MIRRORED = 0x04
export const FLAG_ENCRYPTED = 0x08

/** Header with the two ENI options, which every packet carries. */
export const GENEVE_BYTES = 32
export const GENEVE_WORDS = GENEVE_BYTES / 4
/** What the option of a forwarded packet takes. */
export const FORWARDED_OPTION_BYTES = 20
/** Header of a forwarded packet: the ENI options, flags, where it came from. */
export const FORWARDED_BYTES_MAX = GENEVE_BYTES + 8 + FORWARDED_OPTION_BYTES
/** Header with every option of ours. */
export const GENEVE_BYTES_MAX = GENEVE_BYTES + 8 + 12 + FORWARDED_OPTION_BYTES

/**
 * What the NIC adds where the underlay is encrypted (tun/native/wire_keys.h): options for flags and
 * key, the type of what is inside, the tag.
 */
export const ENCRYPTION_BYTES = 8 + 16 + 2 + 16

/** Outer IPv4 (20), UDP (8) and Geneve with the ENI options. */
export const OVERHEAD_IPV4_BYTES = 20 + 8 + GENEVE_BYTES
/** Outer IPv6 (40), UDP (8) and Geneve with the ENI options. */
export const OVERHEAD_IPV6_BYTES = 40 + 8 + GENEVE_BYTES

/** Bytes around an inner packet on the underlay. */
export function overheadBytes (overIpv6: boolean, isEncrypted: boolean): number {
  return (overIpv6 ? OVERHEAD_IPV6_BYTES : OVERHEAD_IPV4_BYTES) +
    (isEncrypted ? ENCRYPTION_BYTES : 0)
}

// Where the words of the fixed form stand.
export const GENEVE_WORD_FIRST = 0
export const GENEVE_WORD_VNI = 1
export const GENEVE_WORD_SOURCE_OPTION = 2
export const GENEVE_WORD_SOURCE_ENI = 3 // 2 words
export const GENEVE_WORD_DESTINATION_OPTION = 5
export const GENEVE_WORD_DESTINATION_ENI = 6 // 2 words

const ENI_OPTION_WORDS = 2
/**
 * Option length 6 words, no flag (neither option is critical), protocol IPv4 or IPv6. Host order.
 */
export const FIRST_WORD_IPV4 = swapU32(0x06000000 | ETHERTYPE_IPV4)
export const FIRST_WORD_IPV6 = swapU32(0x06000000 | ETHERTYPE_IPV6)
const SOURCE_OPTION_WORD_WIRE =
  (OPTION_CLASS_VPCLAB << 16) | (OPTION_SOURCE_ENI << 8) | ENI_OPTION_WORDS
const DESTINATION_OPTION_WORD_WIRE =
  (OPTION_CLASS_VPCLAB << 16) | (OPTION_DESTINATION_ENI << 8) | ENI_OPTION_WORDS
export const SOURCE_OPTION_WORD = swapU32(SOURCE_OPTION_WORD_WIRE)
export const DESTINATION_OPTION_WORD = swapU32(DESTINATION_OPTION_WORD_WIRE)
const FIRST_WORD_IPV4_WIRE = 0x06000000 | ETHERTYPE_IPV4
const FIRST_WORD_IPV6_WIRE = 0x06000000 | ETHERTYPE_IPV6

// The usual form, as own copies of this module: V8 folds those, exported ones are loaded at each
// use.
const USUAL_BYTES = GENEVE_BYTES
const USUAL_AT_VNI = GENEVE_AT_VNI
const USUAL_AT_SOURCE = 4 * GENEVE_WORD_SOURCE_OPTION
const USUAL_AT_DESTINATION = 4 * GENEVE_WORD_DESTINATION_OPTION

/** What decodeGeneve found. One object, used again for every packet; ids and VNI are int32. */
export interface GeneveFields {
  vni: number
  sourceEniHigh: number
  sourceEniLow: number
  destinationEniHigh: number
  destinationEniLow: number
  /** FLAG_* bits, 0 without the option. */
  flags: number
  cookieHigh: number
  cookieLow: number
  /** 1: another host has forwarded the packet. */
  isForwarded: number
  /** Then, and only then: the underlay address that it came from, int32 words. */
  forwarded0: number
  forwarded1: number
  forwarded2: number
  forwarded3: number
  /** Offset of the inner IP header. */
  innerAt: number
  /** ETHERTYPE_IPV4 or ETHERTYPE_IPV6. */
  etherType: number
}

/** Fields that say nothing. */
export function newGeneveFields (): GeneveFields {
  return {
    vni: 0, sourceEniHigh: 0, sourceEniLow: 0, destinationEniHigh: 0, destinationEniLow: 0,
    flags: 0, cookieHigh: 0, cookieLow: 0, isForwarded: 0, forwarded0: 0, forwarded1: 0,
    forwarded2: 0, forwarded3: 0, innerAt: 0, etherType: 0
  }
}

export const GENEVE_OK = 0
/** Cut short, or options that do not add up, or an ENI option missing. */
export const GENEVE_MALFORMED = 1
/** Version is not 0, the control bit is set, or the protocol type is not IP. */
export const GENEVE_VERSION = 2
export const GENEVE_CRITICAL_OPTION = 3

/**
 * Reads a VPC header of hostile bytes. Writes all of `fields` that mean something when the answer
 * is GENEVE_OK.
 * @param end first offset after the bytes at hand
 * @returns GENEVE_*
 */
export function decodeGeneve (
  view: DataView, at: number, end: number, fields: GeneveFields
): number {
  if (end - at > USUAL_BYTES) {
    // The form that our own senders write: two ENI options and nothing else.
    const first = loadI32(view, at)
    if ((first === FIRST_WORD_IPV4_WIRE || first === FIRST_WORD_IPV6_WIRE) &&
      loadI32(view, at + USUAL_AT_SOURCE) === SOURCE_OPTION_WORD_WIRE &&
      loadI32(view, at + USUAL_AT_DESTINATION) === DESTINATION_OPTION_WORD_WIRE) {
      fields.vni = loadI32(view, at + USUAL_AT_VNI) >>> 8
      fields.sourceEniHigh = loadI32(view, at + USUAL_AT_SOURCE + 4)
      fields.sourceEniLow = loadI32(view, at + USUAL_AT_SOURCE + 8)
      fields.destinationEniHigh = loadI32(view, at + USUAL_AT_DESTINATION + 4)
      fields.destinationEniLow = loadI32(view, at + USUAL_AT_DESTINATION + 8)
      fields.flags = 0
      fields.cookieHigh = 0
      fields.cookieLow = 0
      fields.isForwarded = 0
      fields.innerAt = at + USUAL_BYTES
      fields.etherType = first & 0xffff
      return GENEVE_OK
    }
  }
  return decodeGeneveOptions(view, at, end, fields)
}

/** The general form: options in any order, with any length, known or not. */
function decodeGeneveOptions (
  view: DataView, at: number, end: number, fields: GeneveFields
): number {
  if (end - at < GENEVE_HEADER_BYTES_MIN) return GENEVE_MALFORMED
  const versionOptions = view.getUint8(at + GENEVE_AT_VERSION_OPTIONS)
  if ((versionOptions >>> 6) !== 0) return GENEVE_VERSION
  if ((view.getUint8(at + GENEVE_AT_FLAGS) & GENEVE_FLAG_CONTROL) !== 0) return GENEVE_VERSION
  const etherType = loadU16(view, at + GENEVE_AT_PROTOCOL)
  if (etherType !== ETHERTYPE_IPV4 && etherType !== ETHERTYPE_IPV6) return GENEVE_VERSION
  const optionsEnd = at + GENEVE_HEADER_BYTES_MIN +
    ((versionOptions & GENEVE_OPTION_LENGTH_MASK) << 2)
  if (optionsEnd >= end) return GENEVE_MALFORMED
  fields.vni = loadI32(view, at + GENEVE_AT_VNI) >>> 8
  fields.flags = 0
  fields.cookieHigh = 0
  fields.cookieLow = 0
  fields.isForwarded = 0
  fields.innerAt = optionsEnd
  fields.etherType = etherType
  let seenOptions = 0 // bit n: option type n of ours was read
  let here = at + GENEVE_HEADER_BYTES_MIN
  while (here < optionsEnd) { // at most 63 turns: each takes 4 bytes or more
    const type = view.getUint8(here + GENEVE_OPTION_AT_TYPE)
    const dataAt = here + GENEVE_OPTION_HEADER_BYTES
    const next = dataAt + ((view.getUint8(here + GENEVE_OPTION_AT_LENGTH) & 0x1f) << 2)
    if (next > optionsEnd) return GENEVE_MALFORMED
    const option = type & ~GENEVE_OPTION_CRITICAL
    const dataBytes = loadU16(view, here + GENEVE_OPTION_AT_CLASS) === OPTION_CLASS_VPCLAB
      ? optionBytes(option) : 0
    if (dataBytes === 0) {
      if ((type & GENEVE_OPTION_CRITICAL) !== 0) return GENEVE_CRITICAL_OPTION
    } else {
      // An option given twice would have two readings.
      if ((seenOptions & (1 << option)) !== 0) return GENEVE_MALFORMED
      if (next - dataAt !== dataBytes) return GENEVE_MALFORMED
      seenOptions |= 1 << option
      readOption(view, dataAt, option, fields)
    }
    here = next
  }
  const both = (1 << OPTION_SOURCE_ENI) | (1 << OPTION_DESTINATION_ENI)
  return (seenOptions & both) === both ? GENEVE_OK : GENEVE_MALFORMED
}

/** Data bytes of an option of ours that a router reads; 0 for any other. */
function optionBytes (option: number): number {
  switch (option) {
    case OPTION_SOURCE_ENI:
    case OPTION_DESTINATION_ENI:
    case OPTION_FLOW_COOKIE: return 8
    case OPTION_FLAGS: return 4
    case OPTION_FORWARDED: return 16
    default: return 0
  }
}

function readOption (view: DataView, dataAt: number, option: number, fields: GeneveFields): void {
  const word = loadI32(view, dataAt)
  if (option === OPTION_SOURCE_ENI) {
    fields.sourceEniHigh = word
    fields.sourceEniLow = loadI32(view, dataAt + 4)
  } else if (option === OPTION_DESTINATION_ENI) {
    fields.destinationEniHigh = word
    fields.destinationEniLow = loadI32(view, dataAt + 4)
  } else if (option === OPTION_FLAGS) {
    fields.flags = word
  } else if (option === OPTION_FORWARDED) {
    fields.isForwarded = 1
    fields.forwarded0 = word
    fields.forwarded1 = loadI32(view, dataAt + 4)
    fields.forwarded2 = loadI32(view, dataAt + 8)
    fields.forwarded3 = loadI32(view, dataAt + 12)
  } else {
    fields.cookieHigh = word
    fields.cookieLow = loadI32(view, dataAt + 4)
  }
}

/**
 * Writes a VPC header with options chosen by what `fields` holds: the ENI options always, flags and
 * cookie when they are not 0, where it came from when it is forwarded. `innerAt` is not read.
 * @returns bytes written, GENEVE_BYTES..GENEVE_BYTES_MAX
 */
export function encodeGeneve (
  bytes: Uint8Array, at: number, fields: Readonly<GeneveFields>
): number {
  let here = at + GENEVE_HEADER_BYTES_MIN
  here = writeOption(bytes, here, OPTION_SOURCE_ENI, 8, fields.sourceEniHigh, fields.sourceEniLow)
  here = writeOption(bytes, here, OPTION_DESTINATION_ENI, 8, fields.destinationEniHigh,
    fields.destinationEniLow)
  if (fields.flags !== 0) here = writeOption(bytes, here, OPTION_FLAGS, 4, fields.flags, 0)
  if (fields.cookieHigh !== 0 || fields.cookieLow !== 0) {
    here = writeOption(bytes, here, OPTION_FLOW_COOKIE, 8, fields.cookieHigh, fields.cookieLow)
  }
  if (fields.isForwarded !== 0) here = writeForwarded(bytes, here, fields)
  bytes[at + GENEVE_AT_VERSION_OPTIONS] = (here - at - GENEVE_HEADER_BYTES_MIN) >>> 2
  bytes[at + GENEVE_AT_FLAGS] = 0
  writeU16(bytes, at + GENEVE_AT_PROTOCOL, fields.etherType)
  writeU32(bytes, at + GENEVE_AT_VNI, fields.vni << 8)
  return here - at
}

function writeOption (
  bytes: Uint8Array, at: number, option: number, dataBytes: number, word0: number, word1: number
): number {
  writeU16(bytes, at + GENEVE_OPTION_AT_CLASS, OPTION_CLASS_VPCLAB)
  bytes[at + GENEVE_OPTION_AT_TYPE] = option
  bytes[at + GENEVE_OPTION_AT_LENGTH] = dataBytes >>> 2
  writeU32(bytes, at + GENEVE_OPTION_HEADER_BYTES, word0)
  if (dataBytes > 4) writeU32(bytes, at + GENEVE_OPTION_HEADER_BYTES + 4, word1)
  return at + GENEVE_OPTION_HEADER_BYTES + dataBytes
}

/** @returns offset after the option */
function writeForwarded (
  bytes: Uint8Array, at: number, fields: Readonly<GeneveFields>
): number {
  writeOption(bytes, at, OPTION_FORWARDED, 16, fields.forwarded0, fields.forwarded1)
  const restAt = at + GENEVE_OPTION_HEADER_BYTES + 8
  writeU32(bytes, restAt, fields.forwarded2)
  writeU32(bytes, restAt + 4, fields.forwarded3)
  return at + FORWARDED_OPTION_BYTES
}

const SOURCE_PORT_MIN = 49_152
const SOURCE_PORT_BITS = 14

/**
 * Outer UDP source port of a flow, 49152..65535 (RFC 8926 §3.3): the same for every packet of the
 * flow and after a restart, so that the underlay keeps a flow in order and spreads flows. Not
 * seeded: nothing is looked up by it. `ports` is source << 16 | destination.
 */
export function outerSourcePort (addressHash: number, ports: number, protocol: number): number {
  let hash = addressHash ^ Math.imul(ports, 0x9e3779b1) ^ Math.imul(protocol, 0x7feb352d)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  hash ^= hash >>> 16
  return SOURCE_PORT_MIN + (hash & ((1 << SOURCE_PORT_BITS) - 1))
}

/** Mixes one more word into the address hash of outerSourcePort; order matters. */
export function mixAddressWord (hash: number, word: number): number {
  const mixed = Math.imul(hash ^ word, 0x01000193)
  return mixed ^ (mixed >>> 15)
}
