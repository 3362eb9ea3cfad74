/**
 * answer_dns.ts NAME ADDRESS: a resolver on UDP port 53 that knows one name, and nothing of any
 * other.
 */
import { createSocket } from 'node:dgram'
import dnsPacket from 'dns-packet'

const [known = '', address = ''] = process.argv.slice(2)
const RCODE_NXDOMAIN = 3

const socket = createSocket('udp4')
socket.on('message', (query, peer) => {
  const { id, questions = [] } = dnsPacket.decode(query)
  const [question] = questions
  const isKnown = question?.name.toLowerCase() === known
  socket.send(dnsPacket.encode({
    type: 'response', id: id ?? 0, questions,
    flags: dnsPacket.RECURSION_DESIRED | dnsPacket.RECURSION_AVAILABLE |
      (isKnown ? 0 : RCODE_NXDOMAIN),
    answers: isKnown && question.type === 'A'
      ? [{ name: known, type: 'A', ttl: 60, data: address }] : []
  }), peer.port, peer.address)
})
socket.bind(53)
