/**
 * Sends UDP datagrams from the namespace it runs in: `send_udp.ts <address> <port> <hex>…`, each
 * argument after the port one datagram's payload. Tests forge packets with it.
 */
import { createSocket } from 'node:dgram'
import { isIPv6 } from 'node:net'

const [address = '', port = '', ...payloads] = process.argv.slice(2)
const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4')
for (const payload of payloads) {
  await new Promise<void>((resolve, reject) => {
    socket.send(Buffer.from(payload, 'hex'), Number(port), address, (error) => {
      if (error === null) resolve()
      else reject(error)
    })
  })
}
socket.close()
