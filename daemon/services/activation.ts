/**
 * Windows licence activation, systems 1.18: a port that accepts and says no. What asks is a DCE/RPC
 * client (C706 §12.6.4.5); it is answered `bind_nak`, reason "not specified", and the connection is
 * closed. A key management service is nothing that a lab could be.
 */
import { createServer } from 'node:net'
import type { Server } from 'node:net'

/** Connections to one activation address of a host at once. */
export const ACTIVATION_CONNECTIONS_MAX = 256
const IDLE_MS_MAX = 5000
/** Version 5.0, bind_nak, whole, little-endian, 24 bytes, call 1; reason 0, one version: 5.0. */
const BIND_NAK = Buffer.from('05000d03100000001800000001000000' + '0000010500000000', 'hex')

/** A server that does not listen yet. */
export function createActivationServer (): Server {
  const server = createServer((connection) => {
    connection.on('error', () => undefined)
    connection.setTimeout(IDLE_MS_MAX, () => { connection.destroy() })
    connection.once('data', () => { connection.end(BIND_NAK) })
  })
  server.maxConnections = ACTIVATION_CONNECTIONS_MAX
  return server
}
