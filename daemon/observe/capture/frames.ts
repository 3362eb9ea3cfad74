/**
 * Frames out of captured packets: a super-packet as the packets that it is on the wire, each with
 * its lengths, sequence numbers, flags and checksums; checksums finished that the guest left to its
 * device; and at the underlay the outer headers, which only the kernel ever sees.
 *
 *     record   [ VPC header ][ IP │ TCP │ payload of up to 64 KB           ]
 *     frames   [ outer IP │ UDP │ VPC header │ IP │ TCP │ payload of gsoSize ] …
 *
 * The cutting is that of the NIC (tun/native/segment.c): IPv4 identifications count up, FIN and PSH
 * stand in the last segment, CWR in the first. Outer headers say what the sockets are set to: TTL
 * 64, DF, identification 0, ports of the descriptor, and a checksum, which the wire may lack.
 *
 * A packet that was not copied whole keeps the checksum it had; tools verify none of these.
 */
import {
  RECORD_CSUM, RECORD_CSUM_FIELD, RECORD_DIRECTION, RECORD_GSO_SIZE, RECORD_GSO_TYPE,
  RECORD_HEADER_BYTES, RECORD_PACKET_BYTES, RECORD_PEER_ADDRESS, RECORD_SOURCE_PORT,
  RECORD_TOTAL_BYTES, RECORD_TRAFFIC_CLASS, DIRECTION_OUTBOUND
} from '../../dataplane/capture_ring.ts'
import type { CaptureRingReader } from '../../dataplane/capture_ring.ts'
import { GENEVE_UDP_PORT } from '../../encap/geneve.ts'
import { CSUM_NEEDED, GSO_ECN, GSO_NONE, GSO_UDP } from '../../tun/descriptor.ts'
import { ADDRESS_WORDS, isIpv4Words } from '../../wire/address.ts'
import { readU16, readU32, writeU16, writeU32 } from '../../wire/bytes.ts'
import { checksumAdd, checksumFinish, checksumFold, pseudoHeaderSum } from '../../wire/checksum.ts'
import { PROTOCOL_TCP, PROTOCOL_UDP } from '../../wire/ip_protocol.ts'
import {
  IPV4_ADDRESS_BYTES, IPV4_AT_DST, IPV4_AT_FRAGMENT, IPV4_AT_IDENTIFICATION,
  IPV4_AT_PROTOCOL, IPV4_AT_SRC, IPV4_AT_TOTAL_LENGTH, IPV4_AT_TRAFFIC_CLASS, IPV4_AT_TTL,
  IPV4_AT_VERSION_IHL, IPV4_FLAG_DONT_FRAGMENT, IPV4_FRAGMENT_OFFSET_MASK, IPV4_HEADER_BYTES_MIN,
  IPV4_VERSION, ipv4HeaderBytes, ipv4WriteChecksum
} from '../../wire/ipv4.ts'
import {
  IPV6_ADDRESS_BYTES, IPV6_AT_DST, IPV6_AT_HOP_LIMIT, IPV6_AT_NEXT_HEADER, IPV6_AT_PAYLOAD_LENGTH,
  IPV6_AT_SRC, IPV6_HEADER_BYTES, IPV6_VERSION, ipv6FragmentOffsetBytes, ipv6SetTrafficClass,
  ipv6Walk
} from '../../wire/ipv6.ts'
import type { Ipv6Walk } from '../../wire/ipv6.ts'
import {
  TCP_AT_CHECKSUM, TCP_AT_DATA_OFFSET, TCP_AT_FLAGS, TCP_AT_SEQUENCE, TCP_FLAG_CWR, TCP_FLAG_FIN,
  TCP_FLAG_PSH, TCP_HEADER_BYTES_MIN
} from '../../wire/tcp.ts'
import {
  UDP_AT_CHECKSUM, UDP_AT_DST_PORT, UDP_AT_LENGTH, UDP_AT_SRC_PORT, UDP_HEADER_BYTES
} from '../../wire/udp.ts'

const OUTER_TTL = 64

/** One captured record; made once and loaded again and again. */
export class Frames {
  /** Frames that the record is. */
  count = 0
  /** Of the frame that `write` has written: its bytes on the wire. */
  originalBytes = 0
  /** Of the same: how many of them are there. */
  capturedBytes = 0
  /** IPV4_VERSION, IPV6_VERSION, or what stood there instead. */
  version = 0
  /** Upper-layer protocol; -1 when it cannot be told. */
  protocol = -1
  /** Start of the packet, of its upper layer, and of its payload, in the ring. */
  packetAt = 0
  l4At = 0
  /** True when ports can be read at `l4At`. */
  hasPorts = false
  #payloadAt = 0
  #word = 0
  #headerAt = 0
  #headerBytes = 0
  #packetBytes = 0
  #totalBytes = 0
  #gsoSize = 0
  #isUdp = false
  readonly #ring: CaptureRingReader
  readonly #view: DataView
  readonly #underlayAddress: Uint32Array
  readonly #walk: Ipv6Walk = { protocol: 0, l4At: 0, fragmentAt: 0 }

  /** @param underlayAddress [4] outer address of the host that the ring is of */
  constructor (ring: CaptureRingReader, underlayAddress: Uint32Array) {
    this.#ring = ring
    this.#view = new DataView(ring.bytes.buffer, ring.bytes.byteOffset, ring.bytes.byteLength)
    this.#underlayAddress = underlayAddress
  }

  /** Takes up the record at `at` of the ring. */
  load (at: number): void {
    const { words } = this.#ring
    this.#word = at >>> 2
    this.#headerAt = this.#ring.contentAt(at)
    this.#headerBytes = words[this.#word + RECORD_HEADER_BYTES]!
    this.packetAt = this.#headerAt + this.#headerBytes
    this.#packetBytes = words[this.#word + RECORD_PACKET_BYTES]!
    this.#totalBytes = words[this.#word + RECORD_TOTAL_BYTES]!
    this.#gsoSize = words[this.#word + RECORD_GSO_SIZE]!
    const gsoType = words[this.#word + RECORD_GSO_TYPE]! & ~GSO_ECN
    this.#isUdp = gsoType === GSO_UDP
    this.#parse()
    this.count = 1
    if (gsoType === GSO_NONE || this.#gsoSize <= 0 || !this.#findPayload()) return
    const payloadBytes = this.packetAt + this.#totalBytes - this.#payloadAt
    this.count = Math.max(1, Math.ceil(payloadBytes / this.#gsoSize))
  }

  /** Finds the upper layer of what may be hostile bytes. */
  #parse (): void {
    const { bytes } = this.#ring
    const at = this.packetAt
    const end = at + this.#packetBytes
    this.protocol = -1
    this.hasPorts = false
    this.version = this.#packetBytes === 0 ? 0 : bytes[at]! >>> 4
    let isLater = false
    if (this.version === IPV4_VERSION && this.#packetBytes >= IPV4_HEADER_BYTES_MIN) {
      this.protocol = bytes[at + IPV4_AT_PROTOCOL]!
      this.l4At = at + ipv4HeaderBytes(bytes, at)
      isLater = (readU16(bytes, at + IPV4_AT_FRAGMENT) & IPV4_FRAGMENT_OFFSET_MASK) !== 0
    } else if (this.version === IPV6_VERSION && this.#packetBytes >= IPV6_HEADER_BYTES &&
      ipv6Walk(this.#view, at, end, this.#walk)) {
      this.protocol = this.#walk.protocol
      this.l4At = this.#walk.l4At
      isLater = this.#walk.fragmentAt >= 0 &&
        ipv6FragmentOffsetBytes(this.#view, this.#walk.fragmentAt) !== 0
    }
    this.hasPorts = !isLater && this.l4At + 4 <= end &&
      (this.protocol === PROTOCOL_TCP || this.protocol === PROTOCOL_UDP)
  }

  /** @returns false when the headers are not those that the kind of super-packet asks for */
  #findPayload (): boolean {
    if (!this.hasPorts || (this.protocol === PROTOCOL_UDP) !== this.#isUdp) return false
    const end = this.packetAt + this.#packetBytes
    if (this.#isUdp) {
      this.#payloadAt = this.l4At + UDP_HEADER_BYTES
      return this.#payloadAt <= end
    }
    if (this.l4At + TCP_HEADER_BYTES_MIN > end) return false
    this.#payloadAt = this.l4At +
      ((this.#ring.bytes[this.l4At + TCP_AT_DATA_OFFSET]! >>> 4) << 2)
    return this.#payloadAt <= end
  }

  /**
   * Writes frame number `index` to `at` of `out`, a multiple of 4, and sets `originalBytes` and
   * `capturedBytes`.
   * @param snapBytes most bytes of a frame; the memory behind it is written to nevertheless
   */
  write (index: number, out: Uint8Array, at: number, snapBytes: number): void {
    const outerBytes = this.#headerBytes === 0 ? 0 : this.#outerBytes()
    const innerAt = at + outerBytes + this.#headerBytes
    const isCut = this.count > 1
    const innerBytes = isCut
      ? this.#writeSegment(index, out, innerAt)
      : this.#writeWhole(out, innerAt)
    const heldBytes = isCut ? innerBytes : this.#packetBytes
    if (outerBytes > 0) {
      const { bytes } = this.#ring
      out.set(bytes.subarray(this.#headerAt, this.packetAt), at + outerBytes)
      this.#writeOuter(out, at, this.#headerBytes + innerBytes, heldBytes === innerBytes)
    }
    this.originalBytes = outerBytes + this.#headerBytes + innerBytes
    this.capturedBytes = Math.min(outerBytes + this.#headerBytes + heldBytes, snapBytes)
  }

  /** @returns bytes of the packet, of which those captured are written */
  #writeWhole (out: Uint8Array, at: number): number {
    const { bytes, words } = this.#ring
    out.set(bytes.subarray(this.packetAt, this.packetAt + this.#packetBytes), at)
    const isWhole = this.#packetBytes === this.#totalBytes
    if (isWhole && (words[this.#word + RECORD_CSUM]! & CSUM_NEEDED) !== 0) {
      const field = words[this.#word + RECORD_CSUM_FIELD]!
      const startAt = at + (field & 0xffff)
      // The field holds the sum of the pseudo-header, which is therefore summed with the rest.
      const sum = sumOf(out, startAt, at + this.#totalBytes - startAt)
      writeL4Checksum(out, startAt + (field >>> 16), sum, this.protocol)
    }
    return this.#totalBytes
  }

  /** @returns bytes of the segment */
  #writeSegment (index: number, out: Uint8Array, at: number): number {
    const { bytes } = this.#ring
    const headersBytes = this.#payloadAt - this.packetAt
    const sentBytes = index * this.#gsoSize
    const leftBytes = this.#totalBytes - headersBytes - sentBytes
    const payloadBytes = Math.min(this.#gsoSize, leftBytes)
    const from = this.#payloadAt + sentBytes
    out.set(bytes.subarray(this.packetAt, this.#payloadAt), at)
    out.set(bytes.subarray(from, from + payloadBytes), at + headersBytes)
    const totalBytes = headersBytes + payloadBytes
    const l4At = at + this.l4At - this.packetAt
    const l4Bytes = at + totalBytes - l4At
    this.#writeIpLength(out, at, totalBytes, index)
    let checksumAt = l4At + UDP_AT_CHECKSUM
    if (this.#isUdp) {
      writeU16(out, l4At + UDP_AT_LENGTH, l4Bytes)
    } else {
      checksumAt = l4At + TCP_AT_CHECKSUM
      const sequence = readU32(out, l4At + TCP_AT_SEQUENCE)
      writeU32(out, l4At + TCP_AT_SEQUENCE, (sequence + sentBytes) >>> 0)
      if (index > 0) out[l4At + TCP_AT_FLAGS]! &= ~TCP_FLAG_CWR
      if (payloadBytes < leftBytes) out[l4At + TCP_AT_FLAGS]! &= ~(TCP_FLAG_FIN | TCP_FLAG_PSH)
    }
    writeU16(out, checksumAt, 0)
    const [addressAt, addressBytes] = this.version === IPV4_VERSION
      ? [at + IPV4_AT_SRC, IPV4_ADDRESS_BYTES] as const
      : [at + IPV6_AT_SRC, IPV6_ADDRESS_BYTES] as const
    const pseudo = pseudoHeaderSum(out, addressAt, 2 * addressBytes, this.protocol, l4Bytes)
    writeL4Checksum(out, checksumAt, pseudo + sumOf(out, l4At, l4Bytes), this.protocol)
    return totalBytes
  }

  #writeIpLength (out: Uint8Array, at: number, totalBytes: number, index: number): void {
    if (this.version === IPV6_VERSION) {
      writeU16(out, at + IPV6_AT_PAYLOAD_LENGTH, totalBytes - IPV6_HEADER_BYTES)
      return
    }
    writeU16(out, at + IPV4_AT_TOTAL_LENGTH, totalBytes)
    writeU16(out, at + IPV4_AT_IDENTIFICATION, readU16(out, at + IPV4_AT_IDENTIFICATION) + index)
    ipv4WriteChecksum(out, at, ipv4HeaderBytes(out, at))
  }

  // ---------------------------------------------------------------------------------- underlay

  #isOverIpv4 (): boolean {
    const [w0, w1, w2] = this.#underlayAddress as unknown as [number, number, number]
    return isIpv4Words(w0 | 0, w1 | 0, w2 | 0)
  }

  #outerBytes (): number {
    return (this.#isOverIpv4() ? IPV4_HEADER_BYTES_MIN : IPV6_HEADER_BYTES) + UDP_HEADER_BYTES
  }

  /** @param contentBytes VPC header and packet; `isWhole` when all of them are at hand */
  #writeOuter (out: Uint8Array, at: number, contentBytes: number, isWhole: boolean): void {
    const { words } = this.#ring
    const ipBytes = this.#outerBytes() - UDP_HEADER_BYTES
    const udpAt = at + ipBytes
    const udpBytes = UDP_HEADER_BYTES + contentBytes
    writeU16(out, udpAt + UDP_AT_SRC_PORT, words[this.#word + RECORD_SOURCE_PORT]!)
    writeU16(out, udpAt + UDP_AT_DST_PORT, GENEVE_UDP_PORT)
    writeU16(out, udpAt + UDP_AT_LENGTH, udpBytes)
    writeU16(out, udpAt + UDP_AT_CHECKSUM, 0)
    const [sourceAt, addressBytes] = ipBytes === IPV6_HEADER_BYTES
      ? this.#writeOuterIpv6(out, at, udpBytes)
      : this.#writeOuterIpv4(out, at, udpBytes)
    if (!isWhole) return
    const pseudo = pseudoHeaderSum(out, sourceAt, 2 * addressBytes, PROTOCOL_UDP, udpBytes)
    writeL4Checksum(out, udpAt + UDP_AT_CHECKSUM, pseudo + sumOf(out, udpAt, udpBytes),
      PROTOCOL_UDP)
  }

  /** @returns where the addresses stand and how long each is */
  #writeOuterIpv4 (out: Uint8Array, at: number, udpBytes: number): readonly [number, number] {
    out.fill(0, at, at + IPV4_HEADER_BYTES_MIN)
    out[at + IPV4_AT_VERSION_IHL] = (IPV4_VERSION << 4) | (IPV4_HEADER_BYTES_MIN >>> 2)
    out[at + IPV4_AT_TRAFFIC_CLASS] = this.#ring.words[this.#word + RECORD_TRAFFIC_CLASS]!
    writeU16(out, at + IPV4_AT_TOTAL_LENGTH, IPV4_HEADER_BYTES_MIN + udpBytes)
    writeU16(out, at + IPV4_AT_FRAGMENT, IPV4_FLAG_DONT_FRAGMENT)
    out[at + IPV4_AT_TTL] = OUTER_TTL
    out[at + IPV4_AT_PROTOCOL] = PROTOCOL_UDP
    const peerWord = this.#word + RECORD_PEER_ADDRESS + ADDRESS_WORDS - 1
    this.#writeEnds((own, peer) => {
      writeU32(out, at + own, this.#underlayAddress[ADDRESS_WORDS - 1]!)
      writeU32(out, at + peer, this.#ring.words[peerWord]!)
    }, IPV4_AT_SRC, IPV4_AT_DST)
    ipv4WriteChecksum(out, at, IPV4_HEADER_BYTES_MIN)
    return [at + IPV4_AT_SRC, IPV4_ADDRESS_BYTES]
  }

  #writeOuterIpv6 (out: Uint8Array, at: number, udpBytes: number): readonly [number, number] {
    out.fill(0, at, at + IPV6_HEADER_BYTES)
    out[at] = IPV6_VERSION << 4
    ipv6SetTrafficClass(out, at, this.#ring.words[this.#word + RECORD_TRAFFIC_CLASS]!)
    writeU16(out, at + IPV6_AT_PAYLOAD_LENGTH, udpBytes)
    out[at + IPV6_AT_NEXT_HEADER] = PROTOCOL_UDP
    out[at + IPV6_AT_HOP_LIMIT] = OUTER_TTL
    this.#writeEnds((own, peer) => {
      for (let word = 0; word < ADDRESS_WORDS; word++) {
        writeU32(out, at + own + 4 * word, this.#underlayAddress[word]!)
        writeU32(out, at + peer + 4 * word,
          this.#ring.words[this.#word + RECORD_PEER_ADDRESS + word]!)
      }
    }, IPV6_AT_SRC, IPV6_AT_DST)
    return [at + IPV6_AT_SRC, IPV6_ADDRESS_BYTES]
  }

  /** Calls with the offsets of this host's address and of the other's. */
  #writeEnds (
    write: (ownOffset: number, peerOffset: number) => void, source: number, destination: number
  ): void {
    const isOutbound = this.#ring.words[this.#word + RECORD_DIRECTION] === DIRECTION_OUTBOUND
    if (isOutbound) write(source, destination)
    else write(destination, source)
  }
}

/** Writes the checksum of a sum; UDP has 0xffff for 0, which means "none" (RFC 768). */
function writeL4Checksum (out: Uint8Array, at: number, sum: number, protocol: number): void {
  const checksum = checksumFinish(sum)
  writeU16(out, at, checksum === 0 && protocol === PROTOCOL_UDP ? 0xffff : checksum)
}

/**
 * Sum of `count` bytes for a checksum, as checksumAdd makes it, four bytes at a time: a sum of
 * words in the machine's own order comes out the same up to a byte swap (RFC 1071 §2 B), and every
 * machine that this runs on is little-endian.
 */
function sumOf (bytes: Uint8Array, at: number, count: number): number {
  if (((bytes.byteOffset + at) & 3) !== 0) return checksumAdd(0, bytes, at, count)
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, count >>> 2)
  // Two sums of halves stay below 2^31 for the longest frame and need no carry.
  let low = 0
  let high = 0
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!
    low += word & 0xffff
    high += word >>> 16
  }
  const folded = checksumFold(low + high)
  const swapped = ((folded & 0xff) << 8) | (folded >>> 8)
  return checksumAdd(swapped, bytes, at + (count & ~3), count & 3)
}
