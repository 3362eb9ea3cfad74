/**
 * DNS on the sockets of a host: datagrams, in batches, and messages on connections, each with its
 * length before it (RFC 7766). Who asks is known from the address that the packet came from.
 */
import type { Socket as DatagramSocket } from 'node:dgram'
import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import type { DatagramBatch } from '../../tun/datagrams.ts'
import { formatAddress } from '../../wire/address.ts'
import type { AddressWords, Viewer } from '../viewer.ts'
import type { Resolver } from './resolver.ts'

/** Connections to the resolver of a host at once; more are closed at once. About 10 KB each. */
export const DNS_CONNECTIONS_MAX = 1024
/** How long a connection may be idle, ms. */
const IDLE_MS_MAX = 10_000
const LENGTH_BYTES = 2
/** Of a query on a connection; nobody needs more for one question. */
export const QUERY_BYTES_MAX = 4096
/** IPv6 and UDP headers: what of an ENI's MTU is no answer. */
const HEADERS_BYTES = 48
/** Answers waiting to be written to one connection, bytes; beyond it, it is closed. */
const BACKLOG_BYTES_MAX = 1_048_576

export type ViewerOf = (address: string | AddressWords) => Viewer | null

/** A socket that Node watches, by its descriptor too. */
export interface WatchedSocket { readonly socket: DatagramSocket, readonly fd: number }

/** @param batch of the thread; what it holds is gone at the end of the turn */
export function serveDatagrams (
  { socket, fd }: WatchedSocket, resolver: Resolver, viewerOf: ViewerOf, batch: DatagramBatch
): void {
  const answerTo = (query: Buffer, viewer: Viewer | null): ReturnType<Resolver['answer']> =>
    viewer === null ? null
      : resolver.answer(query, viewer, 'udp', viewer.endpoint.lease.mtu - HEADERS_BYTES)
  const sendLate = (answer: Promise<Buffer | null>, port: number, address: string): void => {
    void answer.then((late) => {
      if (late !== null) socket.send(late, port, address)
    })
  }
  socket.on('message', (query, peer) => {
    const first = answerTo(query, viewerOf(peer.address))
    if (Buffer.isBuffer(first)) socket.send(first, peer.port, peer.address)
    else if (first !== null) sendLate(first, peer.port, peer.address)
    const count = batch.receive(fd)
    for (let index = 0; index < count; index++) {
      const sender = batch.sender(index)
      const answer = answerTo(batch.datagram(index), viewerOf(sender))
      if (Buffer.isBuffer(answer)) batch.answer(index, answer)
      else if (answer !== null) {
        sendLate(answer, batch.senderPort(index), formatAddress(Uint32Array.from(sender)))
      }
    }
    batch.send(fd)
  })
}

/** A server that does not listen yet. */
export function createDnsServer (resolver: Resolver, viewerOf: ViewerOf): Server {
  const server = createServer((connection) => {
    connection.on('error', () => undefined) // a client that goes away
    connection.setTimeout(IDLE_MS_MAX, () => { connection.destroy() })
    const viewer = viewerOf(connection.remoteAddress ?? '')
    if (viewer === null) connection.destroy()
    else serveConnection(connection, resolver, viewer)
  })
  server.maxConnections = DNS_CONNECTIONS_MAX
  return server
}

function serveConnection (connection: Socket, resolver: Resolver, viewer: Viewer): void {
  let held = Buffer.alloc(0)
  connection.on('data', (data) => {
    held = Buffer.concat([held, data])
    while (held.length >= LENGTH_BYTES) {
      const end = LENGTH_BYTES + held.readUInt16BE(0)
      if (end > LENGTH_BYTES + QUERY_BYTES_MAX) {
        connection.destroy()
        return
      }
      if (held.length < end) break
      const query = held.subarray(LENGTH_BYTES, end)
      held = held.subarray(end)
      void Promise.resolve(resolver.answer(query, viewer, 'tcp', 0)).then((answer) => {
        if (answer === null || connection.destroyed) return
        if (connection.writableLength > BACKLOG_BYTES_MAX) connection.destroy()
        else connection.write(withLength(answer))
      })
    }
  })
}

function withLength (answer: Buffer): Buffer {
  const length = Buffer.alloc(LENGTH_BYTES)
  length.writeUInt16BE(answer.length, 0)
  return Buffer.concat([length, answer])
}
