/**
 * Answers of the resolver, per second, of one host over all of its ENIs: each of ENIS instances
 * keeps WINDOW queries under way to VPC base + 2, below what an ENI may send (1,024 a second), and
 * every answer is counted. One process asks for all of them, by a socket in each instance's
 * namespace: what it takes of the CPU is taken from the host that answers.
 */
import { createSocket } from 'node:dgram'
import type { Socket } from 'node:dgram'
import { openSocket } from '../../daemon/tun/sockets.ts'
import { Lab } from '../../test/harness/lab.ts'
import type { Instance } from '../../test/harness/instance.ts'
import type { EdgeOptions } from '../edge.ts'
import { median } from '../statistics.ts'

const ENIS = 32
const QUERIES_PER_SECOND = 1000 // of each ENI, below its allowance
const RESOLVER = '10.0.0.2'
const DNS_PORT = 53
/** Queries of an ENI without an answer yet. */
const WINDOW = 8
/** How often ENIs that wait for their next query, or for an answer that is lost, are looked at. */
const TICK_MS = 5
const LOST_MS = 1000
const ID_AT = 0
const RCODE_AT = 3
const RCODE_MASK = 0xf

/** A query for `ip-10-0-1-10.ec2.internal`, type A, without its id. */
const QUERY = Buffer.concat([
  Buffer.of(0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0),
  ...['ip-10-0-1-10', 'ec2', 'internal'].map((label) =>
    Buffer.concat([Buffer.of(label.length), Buffer.from(label)])),
  Buffer.of(0, 0, 1, 0, 1)
])

interface Asker {
  readonly socket: Socket
  sent: number
  waiting: number
  /** When the last answer came, ms. */
  heardMs: number
}

/** @returns answers per second, over all ENIs of a host */
export async function measureDns (
  { runs, seconds }: EdgeOptions
): Promise<Readonly<Record<string, number>>> {
  const lab = await Lab.start({ hosts: 'host-1:use1-az1' })
  try {
    const vpc = await lab.vpc('10.0.0.0/16')
    const subnet = await lab.subnet(vpc, '10.0.1.0/24')
    const instances = await lab.instances(subnet, { count: ENIS })
    await measureOnce(instances, seconds) // the engine compiles what is hot
    const rates: number[] = []
    for (let run = 0; run < runs; run++) rates.push(await measureOnce(instances, seconds))
    return { dnsAnswersPerSecond: median(rates) }
  } finally {
    await lab.down()
  }
}

async function measureOnce (instances: readonly Instance[], seconds: number): Promise<number> {
  let answers = 0
  const startMs = performance.now()
  const askers = instances.map(({ namespace, ipv4 }): Asker => {
    const fd = openSocket(`/run/netns/${namespace}`, 'datagram', ipv4, 0)
    const asker: Asker =
      { socket: createSocket('udp4'), sent: 0, waiting: 0, heardMs: startMs }
    asker.socket.on('message', (answer) => {
      if ((answer.readUInt8(RCODE_AT) & RCODE_MASK) === 0) answers++
      asker.waiting--
      asker.heardMs = performance.now()
      ask(asker, startMs)
    })
    asker.socket.bind({ fd })
    return asker
  })
  let elapsedMs = 0
  while (elapsedMs < seconds * 1000) {
    for (const asker of askers) {
      if (performance.now() - asker.heardMs > LOST_MS) asker.waiting = 0
      ask(asker, startMs)
    }
    await new Promise((resolve) => { setTimeout(resolve, TICK_MS) })
    elapsedMs = performance.now() - startMs
  }
  const rate = answers / elapsedMs * 1000
  for (const { socket } of askers) socket.close()
  return rate
}

/** Sends what is due and fits into the window. */
function ask (asker: Asker, startMs: number): void {
  const due = (performance.now() - startMs) / 1000 * QUERIES_PER_SECOND
  while (asker.sent < due && asker.waiting < WINDOW) {
    const query = Buffer.from(QUERY)
    query.writeUInt16BE(asker.sent & 0xffff, ID_AT)
    asker.sent++
    asker.waiting++
    asker.socket.send(query, DNS_PORT, RESOLVER)
  }
}
