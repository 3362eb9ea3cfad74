/**
 * Netlink messages of family XFRM: their frame, their attributes, and the numbers that name them
 * (linux/netlink.h, linux/xfrm.h). Words are in the machine's byte order, which is little-endian on
 * every machine that vpclab runs on; addresses, SPIs and ports are big-endian.
 *
 *     u32 length │ u16 type │ u16 flags │ u32 sequence │ u32 pid │ structure │ attributes …
 *     attribute: u16 length, u16 type, value, padded to 4 bytes
 */

export const NLMSG_NOOP = 1
export const NLMSG_ERROR = 2

// XFRM_MSG_*
export const MESSAGE_NEWSA = 16
export const MESSAGE_DELSA = 17
export const MESSAGE_GETSA = 18
export const MESSAGE_NEWPOLICY = 19
export const MESSAGE_DELPOLICY = 20
export const MESSAGE_GETPOLICY = 21
export const MESSAGE_ALLOCSPI = 22
export const MESSAGE_EXPIRE = 24
export const MESSAGE_UPDPOLICY = 25
export const MESSAGE_UPDSA = 26
export const MESSAGE_FLUSHSA = 28
export const MESSAGE_FLUSHPOLICY = 29
export const MESSAGE_NEWAE = 30
export const MESSAGE_GETAE = 31
export const MESSAGE_NEWSPDINFO = 36
export const MESSAGE_GETSPDINFO = 37
export const MESSAGE_MAPPING = 38

// XFRMA_*
export const ATTRIBUTE_AUTH = 1
export const ATTRIBUTE_CRYPT = 2
export const ATTRIBUTE_ENCAP = 4
export const ATTRIBUTE_TEMPLATE = 5
export const ATTRIBUTE_LIFETIME = 9
export const ATTRIBUTE_REPLAY = 10
export const ATTRIBUTE_AEAD = 18
export const ATTRIBUTE_AUTH_TRUNCATED = 20
export const ATTRIBUTE_MARK = 21
export const ATTRIBUTE_REPLAY_ESN = 23
export const ATTRIBUTE_EXTRA_FLAGS = 24
export const ATTRIBUTE_LAST_USED = 27
export const ATTRIBUTE_IF_ID = 31
/** XFRMA_SPD_IPV4_HTHRESH and its twin for IPv6, in an answer to GETSPDINFO. */
export const ATTRIBUTE_SPD_IPV4_THRESHOLD = 3
export const ATTRIBUTE_SPD_IPV6_THRESHOLD = 4

// Error numbers of Linux, negated as an answer carries them.
export const ENOENT = -2
export const ESRCH = -3
export const ENOMEM = -12
export const EEXIST = -17
export const EINVAL = -22
export const ENOSYS = -38
export const EOPNOTSUPP = -95

export const NETLINK_HEADER_BYTES = 16
const ATTRIBUTE_HEADER_BYTES = 4
/** Of one message; charon's own buffer has 4,096 or a page. */
export const NETLINK_BYTES_MAX = 65_536

export interface NetlinkMessage {
  readonly type: number
  readonly flags: number
  readonly sequence: number
  readonly pid: number
  /** Structure and attributes. */
  readonly body: Buffer
  /** The message as it came, with its header. */
  readonly raw: Buffer
}

const align = (bytes: number): number => (bytes + 3) & ~3

/** @param raw a whole message of at least NETLINK_HEADER_BYTES */
export function readNetlink (raw: Buffer): NetlinkMessage {
  return {
    type: raw.readUInt16LE(4),
    flags: raw.readUInt16LE(6),
    sequence: raw.readUInt32LE(8),
    pid: raw.readUInt32LE(12),
    body: raw.subarray(NETLINK_HEADER_BYTES),
    raw
  }
}

export function writeNetlink (
  type: number, sequence: number, pid: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  const header = Buffer.alloc(NETLINK_HEADER_BYTES)
  header.writeUInt32LE(NETLINK_HEADER_BYTES + body.length, 0)
  header.writeUInt16LE(type, 4)
  header.writeUInt32LE(sequence, 8)
  header.writeUInt32LE(pid, 12)
  return Buffer.concat([header, body])
}

/** An acknowledgment, or an error. @param error 0, or a negated error number */
export function writeAnswer (request: NetlinkMessage, error: number): Buffer {
  const code = Buffer.alloc(4)
  code.writeInt32LE(error)
  return writeNetlink(NLMSG_ERROR, request.sequence, request.pid, code,
    request.raw.subarray(0, NETLINK_HEADER_BYTES))
}

export type Attributes = ReadonlyMap<number, Buffer>

/** Attributes of `body` from byte `at` on; a broken one ends the list, as in the kernel. */
export function readAttributes (body: Buffer, at: number): Attributes {
  const found = new Map<number, Buffer>()
  while (at + ATTRIBUTE_HEADER_BYTES <= body.length) {
    const lengthBytes = body.readUInt16LE(at)
    if (lengthBytes < ATTRIBUTE_HEADER_BYTES || at + lengthBytes > body.length) break
    found.set(body.readUInt16LE(at + 2), body.subarray(at + ATTRIBUTE_HEADER_BYTES,
      at + lengthBytes))
    at += align(lengthBytes)
  }
  return found
}

export function writeAttribute (type: number, value: Buffer): Buffer {
  const bytes = Buffer.alloc(ATTRIBUTE_HEADER_BYTES + align(value.length))
  bytes.writeUInt16LE(ATTRIBUTE_HEADER_BYTES + value.length, 0)
  bytes.writeUInt16LE(type, 2)
  value.copy(bytes, ATTRIBUTE_HEADER_BYTES)
  return bytes
}

/** Finds the messages of a stream. */
export class NetlinkReader {
  #pending = Buffer.alloc(0)

  /** @returns the messages that are now whole; null when the stream carries none */
  push (chunk: Buffer): NetlinkMessage[] | null {
    this.#pending = Buffer.concat([this.#pending, chunk])
    const messages: NetlinkMessage[] = []
    while (this.#pending.length >= NETLINK_HEADER_BYTES) {
      const lengthBytes = this.#pending.readUInt32LE(0)
      if (lengthBytes < NETLINK_HEADER_BYTES || lengthBytes > NETLINK_BYTES_MAX) return null
      if (this.#pending.length < lengthBytes) break
      messages.push(readNetlink(this.#pending.subarray(0, lengthBytes)))
      this.#pending = this.#pending.subarray(lengthBytes)
    }
    return messages
  }
}
