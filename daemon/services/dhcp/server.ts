/**
 * The DHCP server of a subnet, systems 1.13: RFC 2131 §4.3 with one address per client, the primary
 * one of the ENI that asks. Nothing is leased and nothing remembered: the records say whose the
 * address is, so a lease can only be confirmed or, where a client wants another address, refused.
 */
import type { Socket } from 'node:dgram'
import type { LeaseData } from '../update.ts'
import { broadcastAddressOf } from '../viewer.ts'
import type { Viewer } from '../viewer.ts'
import {
  DHCP_ACK, DHCP_DISCOVER, DHCP_INFORM, DHCP_NAK, DHCP_OFFER, DHCP_REQUEST, OPTION_CLIENT_ID,
  OPTION_DNS_SERVERS, OPTION_DOMAIN_NAME, OPTION_HOST_NAME, OPTION_LEASE_TIME, OPTION_MESSAGE_TYPE,
  OPTION_MTU, OPTION_NETBIOS_NODE_TYPE, OPTION_NETBIOS_SERVERS, OPTION_NTP_SERVERS,
  OPTION_PARAMETER_LIST, OPTION_REBINDING_TIME, OPTION_RENEWAL_TIME, OPTION_REQUESTED_ADDRESS,
  OPTION_ROUTER, OPTION_SERVER_ID, OPTION_SUBNET_MASK, addressAt, addressBytes, readDhcp, u16, u32,
  u8, writeDhcp
} from './message.ts'
import type { DhcpRequest } from './message.ts'

/** EC2's leases; clients renew after half, RFC 2131 §4.4.5. */
export const LEASE_S = 3600
const RENEWAL_S = LEASE_S / 2
const REBINDING_S = LEASE_S * 7 / 8
const NO_ADDRESS = '0.0.0.0'
const ADDRESS_BYTES = 4
const MASK_BITS = 32

export interface DhcpAnswer {
  readonly message: Buffer
  /** A refusal goes to everybody: who asked may not have the address that it asked from. */
  readonly isBroadcast: boolean
}

/** @returns null when the server keeps silent */
export function answerDhcp (bytes: Buffer, lease: LeaseData): DhcpAnswer | null {
  const request = readDhcp(bytes)
  if (request === null || lease.address === null) return null
  switch (request.options.get(OPTION_MESSAGE_TYPE)?.[0]) {
    case DHCP_DISCOVER: return reply(request, lease, lease.address, DHCP_OFFER)
    case DHCP_REQUEST: return answerRequest(request, lease, lease.address)
    case DHCP_INFORM: return reply(request, lease, NO_ADDRESS, DHCP_ACK)
    default: return null // DECLINE and RELEASE change nothing here
  }
}

function answerRequest (
  request: DhcpRequest, lease: LeaseData, address: string
): DhcpAnswer | null {
  const server = optionAddress(request, OPTION_SERVER_ID)
  if (server !== null && server !== lease.router) return null // another server was chosen
  const wanted = optionAddress(request, OPTION_REQUESTED_ADDRESS) ??
    (request.clientAddress === NO_ADDRESS ? null : request.clientAddress)
  return wanted === address
    ? reply(request, lease, address, DHCP_ACK)
    : reply(request, lease, NO_ADDRESS, DHCP_NAK)
}

function optionAddress ({ options }: DhcpRequest, code: number): string | null {
  const value = options.get(code)
  return value === undefined || value.length < ADDRESS_BYTES ? null : addressAt(value, 0)
}

function reply (
  request: DhcpRequest, lease: LeaseData, yourAddress: string, type: number
): DhcpAnswer {
  const options: [number, Buffer][] = [
    [OPTION_MESSAGE_TYPE, u8(type)],
    [OPTION_SERVER_ID, addressBytes([lease.router])]
  ]
  // RFC 6842: what the client calls itself comes back.
  const clientId = request.options.get(OPTION_CLIENT_ID)
  if (clientId !== undefined) options.push([OPTION_CLIENT_ID, clientId])
  if (type !== DHCP_NAK) {
    if (yourAddress !== NO_ADDRESS) options.push(...leaseTimes())
    options.push(...settings(request, lease))
  }
  return {
    message: writeDhcp({ request, yourAddress, options }), isBroadcast: type === DHCP_NAK
  }
}

function leaseTimes (): [number, Buffer][] {
  return [
    [OPTION_LEASE_TIME, u32(LEASE_S)],
    [OPTION_RENEWAL_TIME, u32(RENEWAL_S)],
    [OPTION_REBINDING_TIME, u32(REBINDING_S)]
  ]
}

/** What the option set of the VPC says. */
function settings (request: DhcpRequest, lease: LeaseData): [number, Buffer][] {
  const options: [number, Buffer][] = [
    [OPTION_SUBNET_MASK, maskBytes(lease.prefixLength)],
    [OPTION_ROUTER, addressBytes([lease.router])],
    [OPTION_MTU, u16(lease.mtu)]
  ]
  const servers: readonly [number, readonly string[]][] = [
    [OPTION_DNS_SERVERS, lease.dnsServers], [OPTION_NTP_SERVERS, lease.ntpServers],
    [OPTION_NETBIOS_SERVERS, lease.netbiosNameServers]
  ]
  for (const [code, addresses] of servers) {
    if (addresses.length > 0) options.push([code, addressBytes(addresses)])
  }
  if (lease.netbiosNodeType !== null) {
    options.push([OPTION_NETBIOS_NODE_TYPE, u8(lease.netbiosNodeType)])
  }
  if (lease.domainNames.length > 0) {
    options.push([OPTION_DOMAIN_NAME, Buffer.from(lease.domainNames.join(' '))])
  }
  if (request.options.get(OPTION_PARAMETER_LIST)?.includes(OPTION_HOST_NAME) === true) {
    options.push([OPTION_HOST_NAME, Buffer.from(lease.hostName)])
  }
  return options
}

function maskBytes (prefixLength: number): Buffer {
  return u32(prefixLength === 0 ? 0 : (-1 << (MASK_BITS - prefixLength)) >>> 0)
}

export function serveDhcp (socket: Socket, viewerOf: (address: string) => Viewer | null): void {
  socket.on('message', (message, peer) => {
    const viewer = viewerOf(peer.address)
    const answer = viewer === null ? null : answerDhcp(message, viewer.endpoint.lease)
    if (answer === null) return
    socket.send(answer.message, peer.port,
      answer.isBroadcast ? broadcastAddressOf(peer.address) : peer.address)
  })
}
