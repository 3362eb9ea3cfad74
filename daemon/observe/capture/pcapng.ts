/**
 * Writes pcapng: "PCAP Now Generic (pcapng) Capture File Format", draft-ietf-opsawg-pcapng, little
 * endian, one section.
 *
 *     Section Header │ Interface Description (one per capture point) │ Name Resolution │
 *     Enhanced Packet … │ Interface Statistics (one per capture point)
 *
 *     block   type:4  length:4  body (padded to 4)  length:4
 *     option  code:2  length:2  value (padded to 4) … code 0
 *
 * An Interface Description may come anywhere before the first packet of its interface, so points
 * join while a capture runs. Blocks are gathered in one piece of memory; `flush` hands out a copy
 * of what has been gathered. Packet data begins at a multiple of 4 of that memory.
 */
import { assert } from '../../base/assert.ts'

/** LINKTYPE_RAW: the packet begins with an IPv4 or IPv6 header. */
const LINKTYPE_RAW = 101
/** if_tsresol: 10^-9 s. */
const NANOSECONDS = 9

const BLOCK_SECTION_HEADER = 0x0a0d0d0a
const BLOCK_INTERFACE_DESCRIPTION = 1
const BLOCK_NAME_RESOLUTION = 4
const BLOCK_INTERFACE_STATISTICS = 5
const BLOCK_ENHANCED_PACKET = 6
const BYTE_ORDER_MAGIC = 0x1a2b3c4d

const OPTION_COMMENT = 1
const SHB_HARDWARE = 2
const SHB_OS = 3
const SHB_USERAPPL = 4
const IF_NAME = 2
const IF_DESCRIPTION = 3
const IF_TSRESOL = 9
const IF_OS = 12
const IF_HARDWARE = 15
const EPB_FLAGS = 2
const EPB_DROPCOUNT = 4
const ISB_STARTTIME = 2
const ISB_ENDTIME = 3
const ISB_IFRECV = 4
const ISB_IFDROP = 5
const ISB_USRDELIV = 8
const NRB_RECORD_IPV4 = 1
const NRB_RECORD_IPV6 = 2

/** Bytes of an Enhanced Packet block before the packet's own. */
const PACKET_AT_DATA = 28
/** The longest frame: a super-packet that could not be cut, in the headers of the underlay. */
export const FRAME_BYTES_MAX = 66_048
/** Longest text of an option, bytes; longer ones are cut. */
const TEXT_BYTES_MAX = 4096
/** Memory for blocks. Above FLUSH_BYTES they are handed out. */
const GATHER_BYTES = 2 ** 20
const FLUSH_BYTES = GATHER_BYTES - 2 * FRAME_BYTES_MAX
/** Names of one Name Resolution block; more make another block. */
const NAMES_PER_BLOCK = 500

export interface InterfaceDescription {
  readonly name: string
  readonly description: string
  /** Who captures there: an option of its own in the file. */
  readonly hardware: string
  readonly os: string
  /** Most bytes of a packet; 0 for all. */
  readonly snapLength: number
}

/** What is said of a packet whose bytes are already in place. */
export interface PacketFacts {
  readonly interfaceId: number
  /** ns since 1970. */
  readonly timeNs: bigint
  /** epb_flags: 1 inbound, 2 outbound. */
  readonly direction: number
  readonly capturedBytes: number
  readonly originalBytes: number
  /** Packets of the interface lost since its last one. */
  readonly lost: number
  /** Empty for none. */
  readonly comment: string
}

export interface InterfaceStatistics {
  readonly interfaceId: number
  readonly startNs: bigint
  readonly endNs: bigint
  readonly received: number
  readonly lost: number
  readonly delivered: number
}

/** An address (4 or 16 bytes) and what it is called. */
export interface AddressName { readonly address: Uint8Array, readonly name: string }

export class PcapngWriter {
  /** The blocks so far; frames are written here, at what `packetAt` says. */
  readonly bytes = new Uint8Array(GATHER_BYTES)
  readonly #view = new DataView(this.bytes.buffer)
  readonly #write: (chunk: Uint8Array) => void
  readonly #text = new TextEncoder()
  #used = 0

  /** @param write takes over each chunk */
  constructor (write: (chunk: Uint8Array) => void) {
    this.#write = write
  }

  /** Hands out what has been gathered. */
  flush (): void {
    if (this.#used === 0) return
    this.#write(this.bytes.slice(0, this.#used))
    this.#used = 0
  }

  sectionHeader (application: string, hardware: string, os: string): void {
    const at = this.#begin(BLOCK_SECTION_HEADER)
    this.#u32(BYTE_ORDER_MAGIC)
    this.#u16(1)
    this.#u16(0)
    this.#u64(-1n) // length of the section: not known
    this.#textOption(SHB_HARDWARE, hardware)
    this.#textOption(SHB_OS, os)
    this.#textOption(SHB_USERAPPL, application)
    this.#u32(0)
    this.#end(at)
  }

  /** The interface's id is the number of those described before it. */
  interfaceDescription (description: InterfaceDescription): void {
    const at = this.#begin(BLOCK_INTERFACE_DESCRIPTION)
    this.#u16(LINKTYPE_RAW)
    this.#u16(0)
    this.#u32(description.snapLength)
    this.#textOption(IF_NAME, description.name)
    this.#textOption(IF_DESCRIPTION, description.description)
    this.#option(IF_TSRESOL, 1)
    this.bytes[this.#used] = NANOSECONDS
    this.#advance(1)
    this.#textOption(IF_OS, description.os)
    this.#textOption(IF_HARDWARE, description.hardware)
    this.#u32(0)
    this.#end(at)
  }

  nameResolution (names: readonly AddressName[]): void {
    for (let from = 0; from < names.length; from += NAMES_PER_BLOCK) {
      const at = this.#begin(BLOCK_NAME_RESOLUTION)
      for (const { address, name } of names.slice(from, from + NAMES_PER_BLOCK)) {
        const text = this.#text.encode(`${name}\0`)
        this.#option(address.length === 4 ? NRB_RECORD_IPV4 : NRB_RECORD_IPV6,
          address.length + text.length)
        this.bytes.set(address, this.#used)
        this.bytes.set(text, this.#used + address.length)
        this.#advance(address.length + text.length)
      }
      this.#u32(0) // end of records
      this.#end(at)
    }
  }

  /** Names nothing: a block that only shows whether the reader is still there. */
  emptyBlock (): void {
    const at = this.#begin(BLOCK_NAME_RESOLUTION)
    this.#u32(0)
    this.#end(at)
  }

  /** Where the bytes of the next packet go: FRAME_BYTES_MAX are free. */
  packetAt (): number {
    this.#makeRoom()
    return this.#used + PACKET_AT_DATA
  }

  /** Makes a block of the bytes at `packetAt`. */
  packet (facts: PacketFacts): void {
    const at = this.#begin(BLOCK_ENHANCED_PACKET)
    this.#u32(facts.interfaceId)
    this.#time(facts.timeNs)
    this.#u32(facts.capturedBytes)
    this.#u32(facts.originalBytes)
    assert(this.#used === at + PACKET_AT_DATA, 'the bytes of a packet stand where its block says')
    this.#advance(facts.capturedBytes)
    if (facts.comment !== '') this.#textOption(OPTION_COMMENT, facts.comment)
    this.#option(EPB_FLAGS, 4)
    this.#u32(facts.direction)
    if (facts.lost > 0) {
      this.#option(EPB_DROPCOUNT, 8)
      this.#u64(BigInt(facts.lost))
    }
    this.#u32(0)
    this.#end(at)
  }

  interfaceStatistics (statistics: InterfaceStatistics): void {
    const at = this.#begin(BLOCK_INTERFACE_STATISTICS)
    this.#u32(statistics.interfaceId)
    this.#time(statistics.endNs)
    this.#option(ISB_STARTTIME, 8)
    this.#time(statistics.startNs)
    this.#option(ISB_ENDTIME, 8)
    this.#time(statistics.endNs)
    for (const [code, value] of [
      [ISB_IFRECV, statistics.received], [ISB_IFDROP, statistics.lost],
      [ISB_USRDELIV, statistics.delivered]
    ] as const) {
      this.#option(code, 8)
      this.#u64(BigInt(value))
    }
    this.#u32(0)
    this.#end(at)
  }

  /** @returns the offset of the block, for #end */
  #begin (type: number): number {
    this.#makeRoom()
    const at = this.#used
    this.#u32(type)
    this.#u32(0)
    return at
  }

  #end (at: number): void {
    const blockBytes = this.#used + 4 - at
    this.#u32(blockBytes)
    this.#view.setUint32(at + 4, blockBytes, true)
  }

  #makeRoom (): void {
    if (this.#used > FLUSH_BYTES) this.flush()
  }

  #option (code: number, valueBytes: number): void {
    this.#u16(code)
    this.#u16(valueBytes)
  }

  #textOption (code: number, text: string): void {
    const encoded = this.#text.encode(text).subarray(0, TEXT_BYTES_MAX)
    this.#option(code, encoded.length)
    this.bytes.set(encoded, this.#used)
    this.#advance(encoded.length)
  }

  /** Passes over a value and its padding, which is zeros. */
  #advance (valueBytes: number): void {
    const end = this.#used + ((valueBytes + 3) & -4)
    this.bytes.fill(0, this.#used + valueBytes, end)
    this.#used = end
  }

  #u16 (value: number): void {
    this.#view.setUint16(this.#used, value, true)
    this.#used += 2
  }

  #u32 (value: number): void {
    this.#view.setUint32(this.#used, value, true)
    this.#used += 4
  }

  #u64 (value: bigint): void {
    this.#view.setBigInt64(this.#used, value, true)
    this.#used += 8
  }

  /** The upper half of a time stands first. */
  #time (timeNs: bigint): void {
    this.#u32(Number(timeNs >> 32n))
    this.#u32(Number(timeNs & 0xffff_ffffn))
  }
}
