/**
 * Sends whole IPv4 packets, headers included, from the namespace it runs in:
 * `send_ipv4.ts <hex>…`. The source address may be anybody's. Uses the npm package raw-socket.
 */
import raw from 'raw-socket'

const DESTINATION_AT = 16
const DESTINATION_END = 20

const socket = raw.createSocket({ protocol: raw.Protocol.UDP })
socket.setOption(raw.SocketLevel.IPPROTO_IP, raw.SocketOption.IP_HDRINCL, 1)
for (const text of process.argv.slice(2)) {
  const packet = Buffer.from(text, 'hex')
  const destination = packet.subarray(DESTINATION_AT, DESTINATION_END).join('.')
  await new Promise<void>((resolve, reject) => {
    socket.send(packet, 0, packet.length, destination, (error) => {
      if (error === null) resolve()
      else reject(error)
    })
  })
}
socket.close()
