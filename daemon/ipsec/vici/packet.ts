/**
 * Packets of VICI on their stream: a length, a type, for some types a name, and a message.
 *
 *     u32 length of what follows │ u8 type │ [ u8 length, name ] │ message
 *
 * Requests and event registrations are answered in their order, without a number: one connection
 * has one of them under way at a time (client.ts).
 */
import { decodeMessage, encodeMessage, encodeName, viciError } from './message.ts'
import type { ViciMessage } from './message.ts'

export const PACKET_REQUEST = 0 // named
export const PACKET_RESPONSE = 1
export const PACKET_UNKNOWN_COMMAND = 2
export const PACKET_EVENT_REGISTER = 3 // named
export const PACKET_EVENT_UNREGISTER = 4 // named
export const PACKET_EVENT_CONFIRM = 5
export const PACKET_EVENT_UNKNOWN = 6
export const PACKET_EVENT = 7 // named

const LENGTH_BYTES = 4
/** Of one packet; charon's own limit is 512 KB. */
export const PACKET_BYTES_MAX = 512 * 1024

export interface ViciPacket {
  /** PACKET_*. */
  readonly type: number
  /** Of a command or an event; empty for a type that has none. */
  readonly name: string
  readonly message: ViciMessage
}

function isNamed (type: number): boolean {
  return type === PACKET_REQUEST || type === PACKET_EVENT_REGISTER ||
    type === PACKET_EVENT_UNREGISTER || type === PACKET_EVENT
}

/** @throws VpclabError VPCLAB_ERR_CHARON for a packet over PACKET_BYTES_MAX */
export function encodePacket (packet: ViciPacket): Buffer {
  const name = isNamed(packet.type) ? encodeName(packet.name) : Buffer.alloc(0)
  const message = encodeMessage(packet.message)
  const lengthBytes = 1 + name.length + message.length
  if (lengthBytes > PACKET_BYTES_MAX) {
    throw viciError(`Cannot send "${packet.name}": ${String(lengthBytes)} bytes are more than ` +
      `the ${String(PACKET_BYTES_MAX)} that charon takes`)
  }
  const head = Buffer.alloc(LENGTH_BYTES + 1)
  head.writeUInt32BE(lengthBytes, 0)
  head.writeUInt8(packet.type, LENGTH_BYTES)
  return Buffer.concat([head, name, message])
}

/** Puts packets together from the pieces in which a stream brings them. */
export class PacketReader {
  #pending = Buffer.alloc(0)

  /**
   * @returns the packets that are now complete, in their order
   * @throws VpclabError VPCLAB_ERR_CHARON when the stream carries no packets; it has no use then
   */
  push (chunk: Uint8Array): ViciPacket[] {
    this.#pending = Buffer.concat([this.#pending, chunk])
    const packets: ViciPacket[] = []
    for (;;) {
      if (this.#pending.length < LENGTH_BYTES) return packets
      const lengthBytes = this.#pending.readUInt32BE(0)
      if (lengthBytes === 0 || lengthBytes > PACKET_BYTES_MAX) {
        throw viciError(`A packet of ${String(lengthBytes)} bytes: the stream is no VICI`)
      }
      const end = LENGTH_BYTES + lengthBytes
      if (this.#pending.length < end) return packets
      packets.push(decodePacket(this.#pending.subarray(LENGTH_BYTES, end)))
      this.#pending = this.#pending.subarray(end)
    }
  }
}

/** @param bytes without the length */
function decodePacket (bytes: Buffer): ViciPacket {
  const type = bytes.readUInt8(0)
  if (!isNamed(type)) return { type, name: '', message: decodeMessage(bytes.subarray(1)) }
  const nameBytes = bytes[1] ?? 0
  if (2 + nameBytes > bytes.length) throw viciError('The name of a packet is cut short')
  return {
    type,
    name: bytes.toString('utf8', 2, 2 + nameBytes),
    message: decodeMessage(bytes.subarray(2 + nameBytes))
  }
}
