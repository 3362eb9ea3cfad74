/**
 * The DHCPv6 server of a subnet, systems 1.7: RFC 8415 with one identity association per client,
 * whose addresses are all that the ENI has. As with DHCP nothing is remembered.
 *
 *     0 message type │ 1 transaction id, 3 bytes │ 4 options: code 2, length 2, value
 */
import type { Socket } from 'node:dgram'
import { addressWords } from '../../wire/address.ts'
import type { LeaseData } from '../update.ts'
import type { Viewer } from '../viewer.ts'
import { u16, u32 } from './message.ts'

const HEADER_BYTES = 4
const OPTION_HEADER_BYTES = 4
const SOLICIT = 1
const ADVERTISE = 2
const REQUEST = 3
const CONFIRM = 4
const RENEW = 5
const REBIND = 6
const REPLY = 7
const RELEASE = 8
const DECLINE = 9
const INFORMATION_REQUEST = 11

const OPTION_CLIENT_ID = 1
const OPTION_SERVER_ID = 2
const OPTION_IA_NA = 3
const OPTION_IA_ADDRESS = 5
const OPTION_STATUS = 13
const OPTION_RAPID_COMMIT = 14
const OPTION_DNS_SERVERS = 23
const OPTION_DOMAIN_LIST = 24
const OPTION_SNTP_SERVERS = 31
const STATUS_SUCCESS = 0
const STATUS_NO_ADDRESSES = 2
const STATUS_NO_BINDING = 3
const STATUS_NOT_ON_LINK = 4
/** EC2's addresses are valid for so much longer than preferred, seconds. */
const VALID_BEYOND_PREFERRED_S = 310
const UINT32_MAX = 0xffff_ffff
const IAID_BYTES = 4
const IA_HEADER_BYTES = 12
const ADDRESS_BYTES = 16
/** Identity associations answered in one message. */
const ASSOCIATIONS_MAX = 4
/** DUID-LL (RFC 8415 §11.4) of the router, whose link-local address all subnets share. */
const SERVER_DUID = Buffer.from('00030001' + '020000ec0002', 'hex')
const LABEL_BYTES_MAX = 63

interface Option { readonly code: number, readonly value: Buffer }

/** @returns null when the server keeps silent */
export function answerDhcpIpv6 (bytes: Buffer, lease: LeaseData): Buffer | null {
  const options = bytes.length < HEADER_BYTES ? null : readOptions(bytes, HEADER_BYTES)
  if (options === null) return null
  const type = bytes.readUInt8(0)
  const clientId = find(options, OPTION_CLIENT_ID)
  const serverId = find(options, OPTION_SERVER_ID)
  if (clientId === undefined && type !== INFORMATION_REQUEST) return null
  if (serverId !== undefined && !serverId.equals(SERVER_DUID)) return null
  const isCommitted = type !== SOLICIT || find(options, OPTION_RAPID_COMMIT) !== undefined
  const content = contentOf(type, options, lease)
  if (content === null) return null
  const head = Buffer.from(bytes.subarray(0, HEADER_BYTES))
  head.writeUInt8(isCommitted ? REPLY : ADVERTISE, 0)
  return Buffer.concat([
    head,
    option(OPTION_SERVER_ID, SERVER_DUID),
    ...clientId === undefined ? [] : [option(OPTION_CLIENT_ID, clientId)],
    ...type === SOLICIT && isCommitted ? [option(OPTION_RAPID_COMMIT, Buffer.alloc(0))] : [],
    ...content
  ])
}

function contentOf (type: number, options: readonly Option[], lease: LeaseData): Buffer[] | null {
  const associations = options.filter(({ code, value }) =>
    code === OPTION_IA_NA && value.length >= IA_HEADER_BYTES).slice(0, ASSOCIATIONS_MAX)
  switch (type) {
    case SOLICIT: case REQUEST: case RENEW: case REBIND:
      return [
        ...associations.map(({ value }, index) => association(value, index === 0 ? lease : null)),
        ...settings(lease)
      ]
    case CONFIRM: {
      const isHere = associations.every(({ value }) => holdsOnly(value, lease))
      return [status(isHere ? STATUS_SUCCESS : STATUS_NOT_ON_LINK)]
    }
    case RELEASE: case DECLINE:
      return [
        ...associations.map(({ value }) => option(OPTION_IA_NA, Buffer.concat([
          value.subarray(0, IAID_BYTES), u32(0), u32(0), status(STATUS_NO_BINDING)]))),
        status(STATUS_SUCCESS)
      ]
    case INFORMATION_REQUEST: return settings(lease)
    default: return null
  }
}

/** @param lease null: the client asks for more than one association, and there is one */
function association (asked: Buffer, lease: LeaseData | null): Buffer {
  const iaid = asked.subarray(0, IAID_BYTES)
  if (lease === null || lease.ipv6Addresses.length === 0) {
    return option(OPTION_IA_NA,
      Buffer.concat([iaid, u32(0), u32(0), status(STATUS_NO_ADDRESSES)]))
  }
  const preferredS = lease.ipv6PreferredS
  const validS = Math.min(preferredS + VALID_BEYOND_PREFERRED_S, UINT32_MAX)
  const addresses = lease.ipv6Addresses.map((address) => option(OPTION_IA_ADDRESS,
    Buffer.concat([ipv6Bytes(address), u32(preferredS), u32(validS)])))
  // RFC 8415 §21.4: half, and eight tenths, of the preferred lifetime.
  return option(OPTION_IA_NA, Buffer.concat([
    iaid, u32(Math.floor(preferredS / 2)), u32(Math.floor(preferredS * 0.8)), ...addresses]))
}

function holdsOnly (value: Buffer, { ipv6Addresses }: LeaseData): boolean {
  const held = ipv6Addresses.map((address) => ipv6Bytes(address))
  const named = (readOptions(value, IA_HEADER_BYTES) ?? [])
    .filter((one) => one.code === OPTION_IA_ADDRESS && one.value.length >= ADDRESS_BYTES)
  return named.every((one) =>
    held.some((address) => address.equals(one.value.subarray(0, ADDRESS_BYTES))))
}

function settings (lease: LeaseData): Buffer[] {
  const options: Buffer[] = []
  const servers: readonly [number, readonly string[]][] = [
    [OPTION_DNS_SERVERS, lease.dnsServersIpv6], [OPTION_SNTP_SERVERS, lease.ntpServersIpv6]
  ]
  for (const [code, addresses] of servers) {
    if (addresses.length > 0) options.push(option(code, Buffer.concat(addresses.map(ipv6Bytes))))
  }
  const domains = lease.domainNames.flatMap((name) => name.split(' ')).map(domainBytes)
  if (domains.length > 0) options.push(option(OPTION_DOMAIN_LIST, Buffer.concat(domains)))
  return options
}

function domainBytes (name: string): Buffer {
  const labels = name.split('.').filter((label) => label !== '' && label.length <= LABEL_BYTES_MAX)
  return Buffer.concat([...labels.map((label) =>
    Buffer.concat([Buffer.of(label.length), Buffer.from(label)])), Buffer.of(0)])
}

function ipv6Bytes (address: string): Buffer {
  return Buffer.concat([...addressWords(address)].map(u32))
}

function status (code: number): Buffer { return option(OPTION_STATUS, u16(code)) }

function option (code: number, value: Buffer): Buffer {
  return Buffer.concat([u16(code), u16(value.length), value])
}

function find (options: readonly Option[], wanted: number): Buffer | undefined {
  return options.find(({ code }) => code === wanted)?.value
}

/** @returns null when one of them is cut short */
function readOptions (bytes: Buffer, from: number): Option[] | null {
  const options: Option[] = []
  let at = from
  while (at < bytes.length) {
    if (at + OPTION_HEADER_BYTES > bytes.length) return null
    const end = at + OPTION_HEADER_BYTES + bytes.readUInt16BE(at + 2)
    if (end > bytes.length) return null
    options.push({
      code: bytes.readUInt16BE(at), value: bytes.subarray(at + OPTION_HEADER_BYTES, end)
    })
    at = end
  }
  return options
}

export function serveDhcpIpv6 (
  socket: Socket, viewerOf: (address: string) => Viewer | null
): void {
  socket.on('message', (message, peer) => {
    const viewer = viewerOf(peer.address)
    const answer = viewer === null ? null : answerDhcpIpv6(message, viewer.endpoint.lease)
    if (answer !== null) socket.send(answer, peer.port, peer.address)
  })
}
