/**
 * DHCP messages, RFC 2131 §2 and RFC 2132. `dhcp` and its like on npm are unmaintained, and open
 * sockets of their own; what a server of one address needs of the format is this file (ADR 15).
 *
 *     0 op │ 1 htype │ 2 hlen │ 3 hops │ 4 xid │ 8 secs │ 10 flags
 *     12 ciaddr │ 16 yiaddr │ 20 siaddr │ 24 giaddr │ 28 chaddr, 16 bytes
 *     44 sname, 64 bytes │ 108 file, 128 bytes │ 236 magic cookie
 *     240 options: code, length, value
 */

const AT_OP = 0
const AT_HARDWARE_TYPE = 1
const AT_HARDWARE_LENGTH = 2
const AT_XID = 4
const AT_FLAGS = 10
const AT_CIADDR = 12
const AT_YIADDR = 16
const AT_GIADDR = 24
const AT_CHADDR = 28
const CHADDR_BYTES = 16
const AT_MAGIC = 236
const AT_OPTIONS = 240
const MAGIC = 0x63825363
const OP_REQUEST = 1
const OP_REPLY = 2
/** The shortest message of BOOTP, which some clients insist on (RFC 1542 §2.1), bytes. */
const MESSAGE_BYTES_MIN = 300
/** What any client takes, RFC 2131 §2, bytes. */
export const DHCP_MESSAGE_BYTES_MAX = 576 - 28

export const OPTION_PAD = 0
export const OPTION_SUBNET_MASK = 1
export const OPTION_ROUTER = 3
export const OPTION_DNS_SERVERS = 6
export const OPTION_HOST_NAME = 12
export const OPTION_DOMAIN_NAME = 15
export const OPTION_MTU = 26
export const OPTION_NTP_SERVERS = 42
export const OPTION_NETBIOS_SERVERS = 44
export const OPTION_NETBIOS_NODE_TYPE = 46
export const OPTION_REQUESTED_ADDRESS = 50
export const OPTION_LEASE_TIME = 51
export const OPTION_MESSAGE_TYPE = 53
export const OPTION_SERVER_ID = 54
export const OPTION_PARAMETER_LIST = 55
export const OPTION_RENEWAL_TIME = 58
export const OPTION_REBINDING_TIME = 59
export const OPTION_CLIENT_ID = 61
export const OPTION_END = 255
const OPTION_BYTES_MAX = 255

export const DHCP_DISCOVER = 1
export const DHCP_OFFER = 2
export const DHCP_REQUEST = 3
export const DHCP_ACK = 5
export const DHCP_NAK = 6
export const DHCP_INFORM = 8

/** What of a client's message a server acts on. */
export interface DhcpRequest {
  readonly hardwareType: number
  readonly hardwareLength: number
  readonly xid: number
  readonly flags: number
  /** Dotted; 0.0.0.0 for none. */
  readonly clientAddress: string
  readonly relayAddress: string
  readonly hardwareAddress: Buffer
  /** Option code → value; of an option that is given in pieces, all of it (RFC 3396). */
  readonly options: ReadonlyMap<number, Buffer>
}

export interface DhcpReply {
  readonly request: DhcpRequest
  /** Dotted. */
  readonly yourAddress: string
  /** In the order in which they are written. */
  readonly options: readonly (readonly [number, Buffer])[]
}

/** @returns null for anything that is no message of a client */
export function readDhcp (bytes: Buffer): DhcpRequest | null {
  if (bytes.length < AT_OPTIONS || bytes.readUInt8(AT_OP) !== OP_REQUEST ||
    bytes.readUInt32BE(AT_MAGIC) !== MAGIC) return null
  const hardwareLength = bytes.readUInt8(AT_HARDWARE_LENGTH)
  const options = readOptions(bytes)
  if (hardwareLength > CHADDR_BYTES || options === null) return null
  return {
    hardwareType: bytes.readUInt8(AT_HARDWARE_TYPE),
    hardwareLength,
    xid: bytes.readUInt32BE(AT_XID),
    flags: bytes.readUInt16BE(AT_FLAGS),
    clientAddress: addressAt(bytes, AT_CIADDR),
    relayAddress: addressAt(bytes, AT_GIADDR),
    hardwareAddress: bytes.subarray(AT_CHADDR, AT_CHADDR + CHADDR_BYTES),
    options
  }
}

function readOptions (bytes: Buffer): Map<number, Buffer> | null {
  const options = new Map<number, Buffer>()
  let at = AT_OPTIONS
  while (at < bytes.length) {
    const code = bytes.readUInt8(at)
    if (code === OPTION_END) break
    if (code === OPTION_PAD) {
      at++
      continue
    }
    if (at + 2 > bytes.length) return null
    const end = at + 2 + bytes.readUInt8(at + 1)
    if (end > bytes.length) return null
    const value = bytes.subarray(at + 2, end)
    const held = options.get(code)
    options.set(code, held === undefined ? value : Buffer.concat([held, value]))
    at = end
  }
  return options
}

/** Options that do not fit into what any client takes are left out, the last ones first. */
export function writeDhcp ({ request, yourAddress, options }: DhcpReply): Buffer {
  const bytes = Buffer.alloc(DHCP_MESSAGE_BYTES_MAX)
  bytes.writeUInt8(OP_REPLY, AT_OP)
  bytes.writeUInt8(request.hardwareType, AT_HARDWARE_TYPE)
  bytes.writeUInt8(request.hardwareLength, AT_HARDWARE_LENGTH)
  bytes.writeUInt32BE(request.xid, AT_XID)
  bytes.writeUInt16BE(request.flags, AT_FLAGS)
  addressBytes([request.clientAddress]).copy(bytes, AT_CIADDR)
  addressBytes([yourAddress]).copy(bytes, AT_YIADDR)
  addressBytes([request.relayAddress]).copy(bytes, AT_GIADDR)
  request.hardwareAddress.copy(bytes, AT_CHADDR)
  bytes.writeUInt32BE(MAGIC, AT_MAGIC)
  let at = AT_OPTIONS
  for (const [code, value] of options) {
    if (value.length > OPTION_BYTES_MAX || at + 2 + value.length + 1 > bytes.length) continue
    bytes.writeUInt8(code, at)
    bytes.writeUInt8(value.length, at + 1)
    value.copy(bytes, at + 2)
    at += 2 + value.length
  }
  bytes.writeUInt8(OPTION_END, at)
  return bytes.subarray(0, Math.max(MESSAGE_BYTES_MIN, at + 1))
}

export function addressAt (bytes: Buffer, at: number): string {
  return [...bytes.subarray(at, at + 4)].join('.')
}

/** @param addresses dotted */
export function addressBytes (addresses: readonly string[]): Buffer {
  return Buffer.from(addresses.flatMap((address) => address.split('.').map(Number)))
}

export function u8 (value: number): Buffer { return Buffer.of(value) }

export function u16 (value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value, 0)
  return bytes
}

export function u32 (value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value, 0)
  return bytes
}
