/**
 * The structures of linux/xfrm.h that charon sends and reads, on a machine of 64 bits. An offset
 * stands here once; the readers make records of ours, and check lengths.
 */
import {
  ATTRIBUTE_AEAD, ATTRIBUTE_AUTH, ATTRIBUTE_AUTH_TRUNCATED, ATTRIBUTE_CRYPT, ATTRIBUTE_ENCAP,
  ATTRIBUTE_EXTRA_FLAGS, ATTRIBUTE_IF_ID, ATTRIBUTE_MARK, ATTRIBUTE_REPLAY, ATTRIBUTE_REPLAY_ESN,
  ATTRIBUTE_TEMPLATE, readAttributes
} from './netlink.ts'
import type { Attributes } from './netlink.ts'

export const AF_INET = 2
export const AF_INET6 = 10
export const PROTOCOL_ESP = 50
const ADDRESS_BYTES = 16
const IPV4_BYTES = 4

// struct xfrm_usersa_info
export const SA_BYTES = 224
const SA_AT_DESTINATION = 56
const SA_AT_SPI = 72
const SA_AT_PROTOCOL = 76
const SA_AT_SOURCE = 80
const SA_AT_LIFETIME = 96
export const SA_AT_CURRENT = 160
const SA_AT_REQID = 208
const SA_AT_FAMILY = 212
const SA_AT_MODE = 214
const SA_AT_REPLAY_WINDOW = 215
const SA_AT_FLAGS = 216
// struct xfrm_userspi_info: an xfrm_usersa_info and a range
const SPI_AT_MIN = 224
const SPI_AT_MAX = 228
const SPI_BYTES = 232
// struct xfrm_usersa_id
export const SA_ID_BYTES = 24
const SA_ID_AT_SPI = 16
const SA_ID_AT_FAMILY = 20
const SA_ID_AT_PROTOCOL = 22
// struct xfrm_lifetime_cfg, eight u64
const LIFETIME_AT_SOFT_BYTES = 0
const LIFETIME_AT_HARD_BYTES = 8
const LIFETIME_AT_SOFT_PACKETS = 16
const LIFETIME_AT_HARD_PACKETS = 24
const LIFETIME_AT_SOFT_SECONDS = 32
const LIFETIME_AT_HARD_SECONDS = 40
/** XFRM_INF. */
const UNLIMITED = 0xffff_ffff_ffff_ffffn
// struct xfrm_userpolicy_info
export const POLICY_BYTES = 168
export const POLICY_AT_CURRENT = 120
const POLICY_AT_DIRECTION = 160
// struct xfrm_selector
const SELECTOR_BYTES = 56
const SELECTOR_AT_SOURCE = 16
const SELECTOR_AT_FAMILY = 40
const SELECTOR_AT_PREFIX_DESTINATION = 42
const SELECTOR_AT_PREFIX_SOURCE = 43
// struct xfrm_userpolicy_id
const POLICY_ID_BYTES = 64
const POLICY_ID_AT_DIRECTION = 60
// struct xfrm_user_tmpl
const TEMPLATE_BYTES = 64
const TEMPLATE_AT_SPI = 16
const TEMPLATE_AT_PROTOCOL = 20
const TEMPLATE_AT_FAMILY = 24
// struct xfrm_lifetime_cur
export const CURRENT_BYTES = 32
// struct xfrm_user_expire: an xfrm_usersa_info and whether it is hard
const EXPIRE_AT_HARD = 224
const EXPIRE_BYTES = 232
// struct xfrm_user_mapping
const MAPPING_AT_REQID = 24
const MAPPING_AT_OLD_ADDRESS = 28
const MAPPING_AT_NEW_ADDRESS = 44
const MAPPING_AT_OLD_PORT = 60
const MAPPING_AT_NEW_PORT = 62
const MAPPING_BYTES = 64
// struct xfrm_aevent_id: an xfrm_usersa_id, source, flags, reqid
const EVENT_AT_SOURCE = 24
const EVENT_AT_FLAGS = 40
const EVENT_AT_REQID = 44
const EVENT_BYTES = 48
// struct xfrm_algo, xfrm_algo_auth, xfrm_algo_aead: name, key bits, (ICV bits,) key
const ALGORITHM_NAME_BYTES = 64
const ALGORITHM_AT_ICV_BITS = 68
const ALGORITHM_HEADER_BYTES = 68
const ALGORITHM_ICV_HEADER_BYTES = 72
// struct xfrm_encap_tmpl
const ENCAP_AT_SOURCE_PORT = 2
const ENCAP_AT_DESTINATION_PORT = 4
const ENCAP_BYTES = 24
/** UDP_ENCAP_ESPINUDP. */
const ENCAP_TYPE_ESP_IN_UDP = 2
// struct xfrm_replay_state
const REPLAY_BYTES = 12
// struct xfrm_replay_state_esn
const REPLAY_ESN_AT_OUT = 4
const REPLAY_ESN_AT_IN = 8
const REPLAY_ESN_AT_OUT_HIGH = 12
const REPLAY_ESN_AT_IN_HIGH = 16
const REPLAY_ESN_AT_WINDOW = 20
const REPLAY_ESN_BYTES = 24

// XFRM_STATE_*
export const FLAG_NO_ECN = 1
/** The outer header has no DF; otherwise DF is the inner packet's. */
export const FLAG_NO_PMTU_DISCOVERY = 4
export const FLAG_ESN = 128
// XFRM_SA_XFLAG_*
export const EXTRA_FLAG_DO_NOT_ENCAPSULATE_DSCP = 1

// XFRM_POLICY_IN, OUT; what charon says of FWD is what it says of IN
export const POLICY_IN = 0
export const POLICY_OUT = 1

/** How an SA is found: `<destination in hex>/<protocol>/<spi>`. */
export type SaKey = string

function saKey (destination: Buffer, protocol: number, spi: number): SaKey {
  return `${destination.toString('hex')}/${String(protocol)}/${spi.toString(16)}`
}

/** Key of a structure that begins with an xfrm_usersa_id; null when it is cut short. */
export function readSaId (body: Buffer): SaKey | null {
  if (body.length < SA_ID_BYTES) return null
  return saKey(addressAt(body, 0, body.readUInt16LE(SA_ID_AT_FAMILY)),
    body.readUInt8(SA_ID_AT_PROTOCOL), body.readUInt32BE(SA_ID_AT_SPI))
}

/** The address at `at`: 4 or 16 bytes. */
function addressAt (body: Buffer, at: number, family: number): Buffer {
  return body.subarray(at, at + (family === AF_INET6 ? ADDRESS_BYTES : IPV4_BYTES))
}

/** Limits of an SA; null: none. Seconds count from its installation. */
export interface Lifetime {
  readonly softBytes: number | null
  readonly hardBytes: number | null
  readonly softPackets: number | null
  readonly hardPackets: number | null
  readonly softSeconds: number | null
  readonly hardSeconds: number | null
}

export interface Algorithm {
  /** The kernel's name: `rfc4106(gcm(aes))`, `cbc(aes)`, `hmac(sha256)`. */
  readonly name: string
  readonly key: Buffer
  /** Bits of the tag; 0: none is named, for a cipher or for a hash with its usual length. */
  readonly icvBits: number
}

/** What NEWSA and UPDSA say. Buffers are views of the message. */
export interface SaRequest {
  readonly key: SaKey
  readonly family: number
  readonly protocol: number
  readonly spi: number
  /** 4 or 16 bytes. */
  readonly source: Buffer
  readonly destination: Buffer
  readonly reqid: number
  readonly isTunnel: boolean
  readonly flags: number
  readonly extraFlags: number
  readonly lifetime: Lifetime
  /** Packets; 0: none (outbound). */
  readonly replayWindow: number
  readonly esn: boolean
  /** Where the numbers stand: more than 0 when an SA is moved to another address. */
  readonly outSequence: bigint
  readonly inSequence: bigint
  readonly aead: Algorithm | null
  readonly cipher: Algorithm | null
  readonly integrity: Algorithm | null
  /** ESP in UDP; null: protocol 50. */
  readonly encapsulation: { readonly sourcePort: number, readonly destinationPort: number } | null
  readonly ifId: number
}

/** @returns null when the structure is cut short or of an unknown family */
export function readSa (body: Buffer): SaRequest | null {
  if (body.length < SA_BYTES) return null
  const family = body.readUInt16LE(SA_AT_FAMILY)
  if (family !== AF_INET && family !== AF_INET6) return null
  const attributes = readAttributes(body, SA_BYTES)
  const protocol = body.readUInt8(SA_AT_PROTOCOL)
  const spi = body.readUInt32BE(SA_AT_SPI)
  const destination = addressAt(body, SA_AT_DESTINATION, family)
  const flags = body.readUInt8(SA_AT_FLAGS)
  return {
    key: saKey(destination, protocol, spi),
    family,
    protocol,
    spi,
    source: addressAt(body, SA_AT_SOURCE, family),
    destination,
    reqid: body.readUInt32LE(SA_AT_REQID),
    isTunnel: body.readUInt8(SA_AT_MODE) === 1,
    flags,
    extraFlags: readU32(attributes, ATTRIBUTE_EXTRA_FLAGS),
    lifetime: readLifetime(body.subarray(SA_AT_LIFETIME)),
    ...readReplay(attributes, body.readUInt8(SA_AT_REPLAY_WINDOW), flags),
    aead: readAlgorithm(attributes.get(ATTRIBUTE_AEAD), null),
    cipher: readAlgorithm(attributes.get(ATTRIBUTE_CRYPT), 0),
    integrity: readAlgorithm(attributes.get(ATTRIBUTE_AUTH_TRUNCATED), null) ??
      readAlgorithm(attributes.get(ATTRIBUTE_AUTH), 0),
    encapsulation: readEncapsulation(attributes.get(ATTRIBUTE_ENCAP)),
    ifId: readU32(attributes, ATTRIBUTE_IF_ID)
  }
}

function readU32 (attributes: Attributes, type: number): number {
  const value = attributes.get(type)
  return value !== undefined && value.length >= 4 ? value.readUInt32LE(0) : 0
}

function readLifetime (at: Buffer): Lifetime {
  // charon writes 0 seconds for "no limit", the kernel's own tools write XFRM_INF.
  const limit = (offset: number, none: bigint): number | null => {
    const value = at.readBigUInt64LE(offset)
    return value === UNLIMITED || value === none ? null : Number(value)
  }
  return {
    softBytes: limit(LIFETIME_AT_SOFT_BYTES, UNLIMITED),
    hardBytes: limit(LIFETIME_AT_HARD_BYTES, UNLIMITED),
    softPackets: limit(LIFETIME_AT_SOFT_PACKETS, UNLIMITED),
    hardPackets: limit(LIFETIME_AT_HARD_PACKETS, UNLIMITED),
    softSeconds: limit(LIFETIME_AT_SOFT_SECONDS, 0n),
    hardSeconds: limit(LIFETIME_AT_HARD_SECONDS, 0n)
  }
}

function readReplay (attributes: Attributes, window: number, flags: number):
Pick<SaRequest, 'replayWindow' | 'esn' | 'outSequence' | 'inSequence'> {
  const extended = attributes.get(ATTRIBUTE_REPLAY_ESN)
  const esn = (flags & FLAG_ESN) !== 0
  if (extended !== undefined && extended.length >= REPLAY_ESN_BYTES) {
    const number = (low: number, high: number): bigint =>
      BigInt(extended.readUInt32LE(low)) | (BigInt(extended.readUInt32LE(high)) << 32n)
    return {
      replayWindow: extended.readUInt32LE(REPLAY_ESN_AT_WINDOW),
      esn,
      outSequence: number(REPLAY_ESN_AT_OUT, REPLAY_ESN_AT_OUT_HIGH),
      inSequence: number(REPLAY_ESN_AT_IN, REPLAY_ESN_AT_IN_HIGH)
    }
  }
  const plain = attributes.get(ATTRIBUTE_REPLAY)
  const has = plain !== undefined && plain.length >= REPLAY_BYTES
  return {
    replayWindow: window,
    esn,
    outSequence: has ? BigInt(plain.readUInt32LE(0)) : 0n,
    inSequence: has ? BigInt(plain.readUInt32LE(4)) : 0n
  }
}

/** @param icvBits null: it stands in the structure */
function readAlgorithm (value: Buffer | undefined, icvBits: number | null): Algorithm | null {
  const headerBytes = icvBits === null ? ALGORITHM_ICV_HEADER_BYTES : ALGORITHM_HEADER_BYTES
  if (value === undefined || value.length < headerBytes) return null
  const keyBytes = Math.ceil(value.readUInt32LE(ALGORITHM_NAME_BYTES) / 8)
  if (headerBytes + keyBytes > value.length) return null
  const [name = ''] = value.toString('latin1', 0, ALGORITHM_NAME_BYTES).split('\0')
  return {
    name,
    key: value.subarray(headerBytes, headerBytes + keyBytes),
    icvBits: icvBits ?? value.readUInt32LE(ALGORITHM_AT_ICV_BITS)
  }
}

function readEncapsulation (value: Buffer | undefined): SaRequest['encapsulation'] {
  if (value === undefined || value.length < ENCAP_BYTES) return null
  if (value.readUInt16LE(0) !== ENCAP_TYPE_ESP_IN_UDP) return null
  return {
    sourcePort: value.readUInt16BE(ENCAP_AT_SOURCE_PORT),
    destinationPort: value.readUInt16BE(ENCAP_AT_DESTINATION_PORT)
  }
}

/** What ALLOCSPI asks: a free number of the range, for this destination. */
export interface SpiRequest {
  readonly sa: SaRequest
  readonly min: number
  readonly max: number
}

export function readSpiRequest (body: Buffer): SpiRequest | null {
  if (body.length < SPI_BYTES) return null
  const sa = readSa(body)
  const min = body.readUInt32LE(SPI_AT_MIN)
  const max = body.readUInt32LE(SPI_AT_MAX)
  return sa === null || min > max ? null : { sa, min, max }
}

/** Key of the SA of `sa` with another SPI. */
export function keyWithSpi (sa: SaRequest, spi: number): SaKey {
  return saKey(sa.destination, sa.protocol, spi)
}

/** A copy of an xfrm_usersa_info with this SPI. */
export function withSpi (body: Buffer, spi: number): Buffer {
  const out = Buffer.from(body.subarray(0, SA_BYTES))
  out.writeUInt32BE(spi, SA_AT_SPI)
  return out
}

/** What a policy message is about, and, of NEWPOLICY and UPDPOLICY, what it says. */
export interface PolicyRequest {
  /** Selector, direction, mark and if_id. */
  readonly key: string
  readonly direction: number
  readonly ifId: number
  /** Of the packets that it is about. 4 or 16 bytes, and bits. */
  readonly source: Buffer
  readonly sourcePrefixLength: number
  readonly destination: Buffer
  readonly destinationPrefixLength: number
  /** It has a template: packets pass a tunnel. Otherwise they are let through or blocked. */
  readonly isTunnel: boolean
  /** SA that the template names; null: none, or without SPI. */
  readonly template: SaKey | null
}

/** Reads an xfrm_userpolicy_info. */
export function readPolicy (body: Buffer): PolicyRequest | null {
  return readPolicyAt(body, POLICY_BYTES, POLICY_AT_DIRECTION)
}

/** Reads an xfrm_userpolicy_id. */
export function readPolicyId (body: Buffer): PolicyRequest | null {
  return readPolicyAt(body, POLICY_ID_BYTES, POLICY_ID_AT_DIRECTION)
}

function readPolicyAt (body: Buffer, bytes: number, directionAt: number): PolicyRequest | null {
  if (body.length < bytes) return null
  const attributes = readAttributes(body, bytes)
  const direction = body.readUInt8(directionAt)
  const ifId = readU32(attributes, ATTRIBUTE_IF_ID)
  const mark = attributes.get(ATTRIBUTE_MARK)?.toString('hex') ?? ''
  const selector = body.toString('hex', 0, SELECTOR_BYTES)
  const family = body.readUInt16LE(SELECTOR_AT_FAMILY)
  return {
    key: `${selector}/${String(direction)}/${mark}/${String(ifId)}`,
    direction,
    ifId,
    source: Buffer.from(addressAt(body, SELECTOR_AT_SOURCE, family)),
    sourcePrefixLength: body.readUInt8(SELECTOR_AT_PREFIX_SOURCE),
    destination: Buffer.from(addressAt(body, 0, family)),
    destinationPrefixLength: body.readUInt8(SELECTOR_AT_PREFIX_DESTINATION),
    isTunnel: attributes.has(ATTRIBUTE_TEMPLATE),
    template: readTemplate(attributes.get(ATTRIBUTE_TEMPLATE))
  }
}

function readTemplate (value: Buffer | undefined): SaKey | null {
  if (value === undefined || value.length < TEMPLATE_BYTES) return null
  const spi = value.readUInt32BE(TEMPLATE_AT_SPI)
  if (spi === 0) return null
  return saKey(addressAt(value, 0, value.readUInt16LE(TEMPLATE_AT_FAMILY)),
    value.readUInt8(TEMPLATE_AT_PROTOCOL), spi)
}

/** Times of day in seconds, 0: never. */
export interface Current {
  readonly bytes: number
  readonly packets: number
  readonly addSeconds: number
  readonly useSeconds: number
}

export function writeCurrent (current: Current): Buffer {
  const out = Buffer.alloc(CURRENT_BYTES)
  const values = [current.bytes, current.packets, current.addSeconds, current.useSeconds]
  values.forEach((value, index) => { out.writeBigUInt64LE(BigInt(Math.trunc(value)), 8 * index) })
  return out
}

/** Body of EXPIRE. @param body of the SA, as it was installed */
export function writeExpire (body: Buffer, isHard: boolean): Buffer {
  const out = Buffer.alloc(EXPIRE_BYTES)
  body.copy(out, 0, 0, SA_BYTES)
  out.writeUInt8(isHard ? 1 : 0, EXPIRE_AT_HARD)
  return out
}

/** Body of MAPPING: packets of the peer come from another address or port now. */
export function writeMapping (sa: SaRequest, address: Buffer, port: number): Buffer {
  const out = Buffer.alloc(MAPPING_BYTES)
  sa.destination.copy(out, 0)
  out.writeUInt32BE(sa.spi, SA_ID_AT_SPI)
  out.writeUInt16LE(sa.family, SA_ID_AT_FAMILY)
  out.writeUInt8(sa.protocol, SA_ID_AT_PROTOCOL)
  out.writeUInt32LE(sa.reqid, MAPPING_AT_REQID)
  sa.source.copy(out, MAPPING_AT_OLD_ADDRESS)
  address.copy(out, MAPPING_AT_NEW_ADDRESS)
  out.writeUInt16BE(sa.encapsulation?.sourcePort ?? 0, MAPPING_AT_OLD_PORT)
  out.writeUInt16BE(port, MAPPING_AT_NEW_PORT)
  return out
}

/** Structure of NEWAE, before its attributes. @param request body of the GETAE */
export function writeEventId (request: Buffer, sa: SaRequest): Buffer {
  const out = Buffer.alloc(EVENT_BYTES)
  request.copy(out, 0, 0, SA_ID_BYTES)
  sa.source.copy(out, EVENT_AT_SOURCE)
  if (request.length >= EVENT_BYTES) {
    request.copy(out, EVENT_AT_FLAGS, EVENT_AT_FLAGS, EVENT_AT_REQID)
  }
  out.writeUInt32LE(sa.reqid, EVENT_AT_REQID)
  return out
}

export function writeReplay (outSequence: bigint, inSequence: bigint): Buffer {
  const out = Buffer.alloc(REPLAY_BYTES, 0xff)
  out.writeUInt32LE(Number(outSequence & 0xffff_ffffn), 0)
  out.writeUInt32LE(Number(inSequence & 0xffff_ffffn), 4)
  return out
}

/** @param installed the attribute of the SA; its bitmap becomes "all seen" */
export function writeReplayEsn (
  installed: Buffer, outSequence: bigint, inSequence: bigint): Buffer {
  const out = Buffer.alloc(installed.length, 0xff)
  installed.copy(out, 0, 0, REPLAY_ESN_BYTES)
  out.writeUInt32LE(Number(outSequence & 0xffff_ffffn), REPLAY_ESN_AT_OUT)
  out.writeUInt32LE(Number(inSequence & 0xffff_ffffn), REPLAY_ESN_AT_IN)
  out.writeUInt32LE(Number(outSequence >> 32n), REPLAY_ESN_AT_OUT_HIGH)
  out.writeUInt32LE(Number(inSequence >> 32n), REPLAY_ESN_AT_IN_HIGH)
  return out
}
