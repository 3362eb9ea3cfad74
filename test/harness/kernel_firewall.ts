/**
 * Two routers of the kernel between two ends, each with an nftables ruleset, so that the kernel and
 * its own connection tracking judge packets in the place of the product:
 *
 *     client ────── near ────── far ────── server
 *     ends: packets are sent and seen whole, by test/harness/programs/packet_end.py
 *
 * Nothing but those packets is on the wires: the ends have no addresses, so their kernels answer
 * nothing, and the routers know every neighbour by heart. A packet is judged by the arrival of a
 * marker that was sent right behind it, the same way: by then it has arrived, or never will.
 */
import { spawn } from 'node:child_process'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { command, inside } from './command.ts'
import type { Namespaces } from './namespaces.ts'

/** Devices of a router: to its end, and to the other router. */
export const INSIDE = 'inside'
export const OUTSIDE = 'outside'
/** UDP port that every ruleset must let pass, from and to everywhere. */
export const MARKER_PORT = 9999
/** Last bytes of every packet, by which it is known again. */
export const TAG_BYTES = 8

const END_DEVICE = 'eth0'
const PROGRAM = new URL('programs/packet_end.py', import.meta.url).pathname
/** Addresses between the routers, of near and far. */
const BETWEEN = { 4: ['100.64.0.1', '100.64.0.2'], 6: ['fd00::1', 'fd00::2'] } as const

/** What lies behind one router. */
export interface EndSpec {
  /** Blocks, one of each family. */
  readonly blocks: readonly string[]
  /** Addresses in those blocks. */
  readonly addresses: readonly string[]
}

type Router = 'near' | 'far'

/** A program that sends lines as packets and prints a line for each packet that arrives. */
class End {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #lines: AsyncIterator<string>

  constructor (namespace: string, routerMac: string) {
    this.#child =
      spawn('ip', inside(namespace, ['python3', PROGRAM, END_DEVICE, routerMac]))
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  send (packets: readonly Uint8Array[]): void {
    this.#child.stdin.write(packets.map((one) => `${Buffer.from(one).toString('hex')}\n`).join(''))
  }

  /** The lines up to one, without it. */
  async until (last: string): Promise<string[]> {
    const lines: string[] = []
    for (;;) {
      const { value, done } = await this.#lines.next() as { value: string, done?: boolean }
      if (done === true) throw new Error(`an end stopped before it said "${last}"`)
      if (value === last) return lines
      lines.push(value)
    }
  }

  close (): void { this.#child.kill() }
}

export class KernelFirewall {
  readonly #net: Namespaces
  readonly #ends: { readonly client: End, readonly server: End }
  readonly #directory = mkdtempSync(join(tmpdir(), 'vpclab-oracle-'))

  private constructor (net: Namespaces, client: End, server: End) {
    this.#net = net
    this.#ends = { client, server }
  }

  /** @param net namespaces `client`, `near`, `far` and `server`, as they were made */
  static async open (net: Namespaces, client: EndSpec, server: EndSpec): Promise<KernelFirewall> {
    const clientMacs = await wire(net, 'client', END_DEVICE, 'near', INSIDE)
    const serverMacs = await wire(net, 'server', END_DEVICE, 'far', INSIDE)
    const [nearMac, farMac] = await wire(net, 'near', OUTSIDE, 'far', OUTSIDE)
    await setUpRouter(net, 'near', client, clientMacs[0], server, farMac)
    await setUpRouter(net, 'far', server, serverMacs[0], client, nearMac)
    const firewall = new KernelFirewall(net, new End(net.name('client'), clientMacs[1]),
      new End(net.name('server'), serverMacs[1]))
    await firewall.#ends.client.until('ready')
    await firewall.#ends.server.until('ready')
    return firewall
  }

  /** Gives both routers new rules. What they track of connections stays. */
  async load (rulesets: Readonly<Record<Router, string>>): Promise<void> {
    await Promise.all(Object.entries(rulesets).map(async ([router, ruleset]) => {
      const file = join(this.#directory, router)
      writeFileSync(file, ruleset)
      await succeed(this.#net, router as Router, 'nft', '-f', file)
    }))
  }

  /**
   * Sends a packet.
   * @param marker a packet of the same way to MARKER_PORT; the tags of both are their own
   * @returns whether it arrived
   */
  async judge (
    from: 'client' | 'server', packet: Uint8Array, marker: Uint8Array
  ): Promise<boolean> {
    this.#ends[from].send([packet, marker])
    const receiver = this.#ends[from === 'client' ? 'server' : 'client']
    return (await receiver.until(tagOf(marker))).includes(tagOf(packet))
  }

  close (): void {
    this.#ends.client.close()
    this.#ends.server.close()
    rmSync(this.#directory, { recursive: true })
  }
}

function tagOf (packet: Uint8Array): string {
  return Buffer.from(packet.subarray(packet.length - TAG_BYTES)).toString('hex')
}

/** Joins two namespaces. @returns the hardware addresses of both ends */
async function wire (
  net: Namespaces, left: string, leftDevice: string, right: string, rightDevice: string
): Promise<[string, string]> {
  await command('ip', 'link', 'add', leftDevice, 'netns', net.name(left), 'type', 'veth',
    'peer', 'name', rightDevice, 'netns', net.name(right))
  const macs: string[] = []
  for (const [end, device] of [[left, leftDevice], [right, rightDevice]] as const) {
    await net.ip(end, 'link', 'set', device, 'up')
    const [link] = JSON.parse(await net.ip(end, '-j', 'link', 'show', 'dev', device)) as
      { address: string }[]
    macs.push(link?.address ?? '')
  }
  return [macs[0] ?? '', macs[1] ?? '']
}

/** Makes the kernel load its connection tracking, whose settings are not there before. */
const TRACKING = `table inet tracking {
  chain forward { type filter hook forward priority 0; ct state established accept; }
}`
/**
 * Checksums above IP are not looked at, nor are TCP's sequence numbers: the packets have none that
 * are right.
 */
const SETTINGS = [
  'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1',
  'net.netfilter.nf_conntrack_checksum=0', 'net.netfilter.nf_conntrack_tcp_be_liberal=1'
]

async function setUpRouter (
  net: Namespaces, router: Router, own: EndSpec, ownMac: string, other: EndSpec, otherMac: string
): Promise<void> {
  await succeed(net, router, 'nft', TRACKING)
  await succeed(net, router, 'sysctl', '-qw', ...SETTINGS)
  const side = router === 'near' ? 0 : 1
  const neighbour = (address: string, mac: string, device: string): Promise<string> =>
    net.ip(router, 'neighbour', 'add', address, 'lladdr', mac, 'dev', device, 'nud', 'permanent')
  for (const family of [4, 6] as const) {
    const isFamily = (text: string): boolean => text.includes(':') === (family === 6)
    const length = family === 4 ? '30' : '64'
    await net.ip(router, 'address', 'add', `${BETWEEN[family][side]}/${length}`, 'dev', OUTSIDE,
      ...family === 6 ? ['nodad'] : [])
    await neighbour(BETWEEN[family][1 - side] ?? '', otherMac, OUTSIDE)
    for (const block of own.blocks.filter(isFamily)) {
      await net.ip(router, 'route', 'add', block, 'dev', INSIDE)
    }
    for (const block of other.blocks.filter(isFamily)) {
      await net.ip(router, 'route', 'add', block, 'via', BETWEEN[family][1 - side] ?? '')
    }
    for (const address of own.addresses.filter(isFamily)) {
      await neighbour(address, ownMac, INSIDE)
    }
  }
}

async function succeed (net: Namespaces, router: Router, ...program: string[]): Promise<void> {
  const { code, stderr } = await net.run(router, ...program)
  if (code !== 0) throw new Error(`"${program.join(' ')}": ${stderr}`)
}
