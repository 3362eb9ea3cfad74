/**
 * Explanations as a person types and reads them: `tcp 10.0.2.20:443` in, and out
 *
 *     host-1  eni-… (web) sends
 *       + security-groups   outbound rule sgr-… of sg-… (web) allows everything to 0.0.0.0/0 …
 *       x network-acl       outbound entry 50 of acl-… denies tcp port 443 to 10.0.2.0/24
 *     Dropped on host-1: network-acl-egress. …
 *     Allow it with an entry of acl-… before 50.
 *       vpcctl network-acl add-rule acl-… egress 49 allow --protocol tcp --port 443 --cidr …
 */
import { isIP } from 'node:net'
import type { Obstacle, Side, Walk, WalkedPacket } from '../daemon/api/admin/contract.ts'
import type { Context } from './context.ts'
import { CtlError, usageError } from './exit_codes.ts'
import type { Output } from './print/output.ts'
import { oneLine } from './print/one_line.ts'
import { wrapText } from './print/wrap.ts'
import { INSTANCE, NameNotFound, NETWORK_INTERFACE, resolveId } from './resolve.ts'

const END_KINDS = [INSTANCE, NETWORK_INTERFACE]
const PROTOCOLS_WITH_PORTS = ['tcp', 'udp']
const PORT_MAX = 65_535

/** Marks of a step: passed, without a say, dropped there. */
const MARKS = { passed: '+', skipped: '-', dropped: 'x' } as const

/** `10.0.2.20:443`, `[2001:db8::1]:443`, an address, a name, `db:443`. */
export function parseEnd (text: string): { readonly end: string, readonly port?: number } {
  const bracketed = /^\[(.+)\](?::(\d+))?$/.exec(text)
  const plain = isIP(text) !== 0 ? [text, text] : /^(.*?)(?::(\d+))?$/.exec(text)
  const [, end = text, port] = bracketed ?? plain ?? []
  return port === undefined ? { end } : { end, port: parsePort(port, text) }
}

/** `tcp/443`, `icmp`, `50` */
export function parseTraffic (text: string): { readonly protocol: string, readonly port?: number } {
  const [protocol = '', port, ...rest] = text.split('/')
  if (rest.length > 0 || protocol === '') {
    throw usageError(`traffic is "tcp/443", "udp/53", "icmp" or a protocol number, not "${text}"`)
  }
  if (port === undefined) {
    if (PROTOCOLS_WITH_PORTS.includes(protocol)) {
      throw usageError(`${protocol} needs a port: "${protocol}/443"`)
    }
    return { protocol }
  }
  return { protocol, port: parsePort(port, text) }
}

function parsePort (text: string, whole: string): number {
  const port = Number(text)
  if (/^\d+$/.test(text) && port <= PORT_MAX) return port
  throw usageError(`a port is a number up to ${String(PORT_MAX)}, not "${text}" of "${whole}"`)
}

/**
 * The id of an instance or ENI, or the address, that `reference` means.
 * @throws CtlError NameNotFound, NameAmbiguous
 */
export async function resolveEnd (context: Context, reference: string): Promise<string> {
  if (isIP(reference) !== 0) return reference
  if (END_KINDS.some(({ idPrefix }) => reference.startsWith(idPrefix))) return reference
  const ec2 = await context.ec2()
  const ids = await Promise.all(END_KINDS.map(async (kind) => {
    try {
      return await resolveId(ec2, kind, reference)
    } catch (error) {
      if (error instanceof NameNotFound) return null
      throw error
    }
  }))
  // An instance and its ENI may well have one name: the instance is meant.
  const [id] = ids.filter((found) => found !== null)
  if (id === undefined) {
    throw new CtlError('NameNotFound', 'No instance or network interface has the Name tag ' +
      `"${reference}", and it is no IP address`)
  }
  return id
}

/** `tcp 10.0.1.10:32768 → 10.0.2.20:443` */
export function packetText (packet: WalkedPacket): string {
  const { protocol, source, destination, sourcePort, destinationPort } = packet
  const withPort = (address: string, port: number): string =>
    PROTOCOLS_WITH_PORTS.includes(protocol)
      ? `${address.includes(':') ? `[${address}]` : address}:${String(port)}`
      : address
  return `${protocol} ${withPort(source, sourcePort)} → ${withPort(destination, destinationPort)}`
}

/** Every step, and how it ends. */
export function printWalk (output: Output, walk: Walk): void {
  output.text(packetText(walk.packet))
  for (const side of walk.sides) printSide(output, side)
  if (walk.service !== null) output.text(`Answered by the ${walk.service} service of the VPC.`)
  else if (walk.obstacle === null) output.text(`Delivered to ${walk.deliveredTo ?? ''}.`)
  else printObstacle(output, walk.obstacle)
}

function printSide (output: Output, { host, eni, direction, steps }: Side): void {
  output.text(`${host}  ${eni} ${direction === 'egress' ? 'sends' : 'receives'}`)
  const widest = Math.max(...steps.map(({ step }) => step.length))
  for (const { step, verdict, text } of steps) {
    const head = `  ${MARKS[verdict]} ${step.padEnd(widest)}  `
    const [first = '', ...more] = wrapText(oneLine(text), output.width - head.length).split('\n')
    output.text(head + first)
    for (const line of more) output.text(' '.repeat(head.length) + line)
  }
}

/** What stopped it, and what would change that. */
export function printObstacle (output: Output, obstacle: Obstacle): void {
  const where = obstacle.host === null ? '' : ` on ${obstacle.host}`
  const sentence = `Dropped at ${obstacle.eni}${where}: ${obstacle.reason}. ${obstacle.meaning}`
  output.text(wrapText(sentence, output.width))
  printRemedy(output, obstacle)
}

export function printRemedy (output: Output, { remedy }: Obstacle): void {
  output.text(wrapText(oneLine(remedy.text), output.width))
  if (remedy.command !== null) output.text(`  ${remedy.command}`)
}
