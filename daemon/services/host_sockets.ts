/**
 * All sockets of one host's services, in the namespace that their TUN leads to. Which address and
 * port is which service's stands in dataplane/link_local_service.ts.
 */
import { createSocket } from 'node:dgram'
import type { Socket as DatagramSocket } from 'node:dgram'
import type { Server, Socket } from 'node:net'
import type { Clock } from '../base/clock.ts'
import {
  ACTIVATION_PORT, DNS_PORT, HTTP_PORT, NTP_PORT, OCTET_ACTIVATION_250, OCTET_ACTIVATION_251,
  OCTET_DHCP, OCTET_DNS, OCTET_DNS_VPC, OCTET_METADATA, OCTET_TIME, WORD_DHCPV6, WORD_DNS,
  WORD_METADATA, WORD_TIME
} from '../dataplane/link_local_service.ts'
import type { DatagramBatch } from '../tun/datagrams.ts'
import { openSocket } from '../tun/sockets.ts'
import { DHCP_SERVER_PORT, DHCPV6_SERVER_PORT } from '../wire/udp.ts'
import { createActivationServer } from './activation.ts'
import { serviceIpv4, serviceIpv6 } from './address.ts'
import { serveDhcp } from './dhcp/server.ts'
import { serveDhcpIpv6 } from './dhcp/server_ipv6.ts'
import type { Resolver } from './dns/resolver.ts'
import { createDnsServer, serveDatagrams } from './dns/server.ts'
import type { ViewerOf, WatchedSocket } from './dns/server.ts'
import { createMetadataServer } from './metadata/server.ts'
import { serveTime } from './time.ts'
import { portOfAddress } from './viewer.ts'

/** Connections that wait to be accepted, per listening socket. */
const BACKLOG = 511

export interface HostSocketsOptions {
  readonly namespacePath: string
  readonly clock: Clock
  readonly tokenKey: Uint8Array
  readonly resolver: Resolver
  readonly viewerOf: ViewerOf
  /** Of the thread. */
  readonly batch: DatagramBatch
  /** A socket of the host ended by itself. */
  readonly onError: (error: Error) => void
}

export class HostSockets {
  readonly #options: HostSocketsOptions
  readonly #datagrams: DatagramSocket[] = []
  readonly #servers: Server[] = []
  /** Connections by the port index of their ENI. */
  readonly #connections = new Map<number, Set<Socket>>()

  /**
   * Opens everything, or nothing.
   * @throws VpclabError VPCLAB_ERR_SYSCALL
   */
  constructor (options: HostSocketsOptions) {
    this.#options = options
    try {
      this.#open()
    } catch (error) {
      this.close()
      throw error
    }
  }

  #open (): void {
    const { clock, tokenKey, resolver, viewerOf, batch } = this.#options
    for (const address of [
      serviceIpv4(OCTET_DNS), serviceIpv4(OCTET_DNS_VPC), serviceIpv6(WORD_DNS)
    ]) {
      serveDatagrams(this.#datagram(address, DNS_PORT), resolver, viewerOf, batch)
      this.#listen(createDnsServer(resolver, viewerOf), address, DNS_PORT)
    }
    for (const address of [serviceIpv4(OCTET_TIME), serviceIpv6(WORD_TIME)]) {
      serveTime(this.#datagram(address, NTP_PORT).socket, clock)
    }
    serveDhcp(this.#datagram(serviceIpv4(OCTET_DHCP), DHCP_SERVER_PORT).socket, viewerOf)
    serveDhcpIpv6(
      this.#datagram(serviceIpv6(WORD_DHCPV6), DHCPV6_SERVER_PORT).socket, viewerOf)
    const metadata = [
      ['ipv4', serviceIpv4(OCTET_METADATA)], ['ipv6', serviceIpv6(WORD_METADATA)]
    ] as const
    for (const [family, address] of metadata) {
      this.#listen(createMetadataServer({ family, clock, tokenKey, viewerOf }), address, HTTP_PORT)
    }
    for (const octet of [OCTET_ACTIVATION_250, OCTET_ACTIVATION_251]) {
      this.#listen(createActivationServer(), serviceIpv4(octet), ACTIVATION_PORT)
    }
  }

  #datagram (address: string, port: number): WatchedSocket {
    const fd = openSocket(this.#options.namespacePath, 'datagram', address, port)
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
    socket.on('error', this.#options.onError)
    socket.bind({ fd })
    this.#datagrams.push(socket)
    return { socket, fd }
  }

  #listen (server: Server, address: string, port: number): void {
    const fd = openSocket(this.#options.namespacePath, 'stream', address, port)
    server.on('error', this.#options.onError)
    server.on('connection', (connection: Socket) => { this.#remember(connection) })
    server.listen({ fd, backlog: BACKLOG })
    this.#servers.push(server)
  }

  #remember (connection: Socket): void {
    const portIndex = portOfAddress(connection.remoteAddress ?? '')
    const held = this.#connections.get(portIndex) ?? new Set()
    this.#connections.set(portIndex, held)
    held.add(connection)
    connection.on('close', () => {
      held.delete(connection)
      if (held.size === 0) this.#connections.delete(portIndex)
    })
  }

  /** Ends every connection of an ENI that is gone. */
  forget (portIndex: number): void {
    for (const connection of this.#connections.get(portIndex) ?? []) connection.resetAndDestroy()
  }

  close (): void {
    for (const socket of this.#datagrams) socket.close()
    for (const server of this.#servers) server.close()
    for (const held of this.#connections.values()) for (const one of held) one.destroy()
    this.#datagrams.length = 0
    this.#servers.length = 0
  }
}
