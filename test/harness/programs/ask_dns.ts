/**
 * ask_dns.ts SERVER COUNT SPREAD_MS: sends COUNT queries to a resolver, evenly over SPREAD_MS, and
 * prints as JSON how many were sent and answered, and how many seconds the sending took.
 */
import { createSocket } from 'node:dgram'

const [server = '', countText = '', spreadText = ''] = process.argv.slice(2)
const count = Number(countText)
const spreadMs = Number(spreadText)
/** How long after the last answer the next one is still waited for, ms. */
const QUIET_MS = 1000

/** A query for `ip-10-0-1-10.ec2.internal`, type A, with an id. */
function query (id: number): Buffer {
  const labels = ['ip-10-0-1-10', 'ec2', 'internal'].map((label) =>
    Buffer.concat([Buffer.of(label.length), Buffer.from(label)]))
  return Buffer.concat([
    Buffer.of(id >>> 8, id & 0xff, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0), ...labels,
    Buffer.of(0, 0, 1, 0, 1)
  ])
}

const socket = createSocket({ type: 'udp4', recvBufferSize: 4_194_304 })
let sent = 0
let answered = 0
let seconds = 0
const startMs = performance.now()

function finish (): void {
  process.stdout.write(JSON.stringify({ sent, answered, seconds }))
  socket.close()
}

let quiet: NodeJS.Timeout | undefined
socket.on('message', () => {
  answered++
  if (sent === count) {
    clearTimeout(quiet)
    quiet = setTimeout(finish, QUIET_MS)
  }
})

function send (): void {
  const due = Math.min(count, Math.ceil((performance.now() - startMs) / spreadMs * count))
  while (sent < due) socket.send(query(sent++), 53, server)
  seconds = (performance.now() - startMs) / 1000
  if (sent < count) setTimeout(send, 5)
  else quiet = setTimeout(finish, QUIET_MS)
}

send()
