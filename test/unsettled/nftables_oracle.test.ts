/**
 * An oracle that shares nothing with the product: random security groups and network ACLs are
 * translated to an nftables ruleset, and the kernel judges the same packets, its own connection
 * tracking in the place of ours.
 *
 *     client ── near: nft with the policy of ── far: nft with the policy of ── server
 *     10.0.1.10       the client's ENI               the server's ENI           10.0.2.20
 *
 * Two routers, because each ENI tracks connections of its own. Groups let pass what is established,
 * ACLs never ask. The other judges are the product's: two workers in memory with the same rules,
 * and the explainer.
 */
import test from 'ava'
import fc from 'fast-check'
import { spawn } from 'node:child_process'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import {
  attached, newHost, newInstance, newInterface, newNetworkAcl, newRouteTable, newSecurityGroup,
  newSubnet, newVpc, World
} from '../../daemon/compile/test_world.ts'
import { Explainer } from '../../daemon/explain/explainer.ts'
import { answerTo, openingPacket } from '../../daemon/explain/made_packet.ts'
import type { PacketFields } from '../../daemon/explain/made_packet.ts'
import { SimulatedHosts, TEST_CLOCK } from '../../daemon/explain/testing/simulated_hosts.ts'
import { Directory } from '../../daemon/mapping/directory.ts'
import { command, inside, NODE } from '../harness/command.ts'
import { Namespaces } from '../harness/namespaces.ts'

/** Networks, and packets of each. */
const SEED = 7_331
const NETWORKS = 20
const PACKETS = 24

const CLIENT = '10.0.1.10'
const SERVER = '10.0.2.20'
const PORTS = [53, 80, 443] as const
/** Two for each network: what the kernel remembers of one is no business of the next. */
const SOURCE_PORTS = Array.from({ length: 2 * NETWORKS }, (_port, index) => 40_000 + index)
const UDP = 17
const BLOCKS = ['0.0.0.0/0', '10.0.0.0/16', '10.0.1.0/24', '10.0.2.0/24', '10.0.2.20/32',
  '10.0.1.10/32'] as const

const ruleDraw = fc.record({
  isEgress: fc.boolean(), allow: fc.boolean(), isAll: fc.boolean(),
  from: fc.constantFrom(...PORTS, 1024, SOURCE_PORTS[NETWORKS]!), block: fc.constantFrom(...BLOCKS),
  isRange: fc.boolean()
})
const rulesDraw = fc.array(ruleDraw, { maxLength: 4 })
const networkDraw = fc.record({
  clientGroup: rulesDraw, serverGroup: rulesDraw,
  clientAcl: fc.option(rulesDraw, { freq: 2 }), serverAcl: fc.option(rulesDraw, { freq: 2 })
})
const packetDraw = fc.record({
  isFromClient: fc.boolean(),
  port: fc.constantFrom(...PORTS),
  source: fc.nat(1), isAnswer: fc.boolean()
})
type NetworkDraw = typeof networkDraw extends fc.Arbitrary<infer T> ? T : never
type RuleDraw = NetworkDraw['clientGroup'][number]
type PacketDraw = typeof packetDraw extends fc.Arbitrary<infer T> ? T : never

const PORT_MAX = 65_535

// ----------------------------------------------------------------------------------- the product

function worldOf (draw: NetworkDraw): { readonly world: World, readonly enis: readonly string[] } {
  const world = new World()
  for (const host of [1, 2]) world.put('host', newHost(host))
  const vpc = world.put('vpc', newVpc(1))
  const subnets = [1, 2].map((n) => world.put('subnet', newSubnet(n, vpc.id)))
  world.put('routeTable', { ...newRouteTable(1, vpc.id),
    associations: subnets.map(({ id }, index) =>
      ({ id: `rtbassoc-${String(index)}`, subnetId: id, gatewayId: null })) })
  const open: RuleDraw[] = [true, false].map((isEgress) =>
    ({ isEgress, allow: true, isAll: true, from: 53, block: '0.0.0.0/0', isRange: false }))
  const ends = [[draw.clientGroup, draw.clientAcl], [draw.serverGroup, draw.serverAcl]] as const
  const enis = ends.map(([group, acl], index) => {
    const subnet = subnets[index]!
    const groupId = world.put('securityGroup', { ...newSecurityGroup(index + 1, vpc.id),
      rules: group.map((rule, place) => ({
        id: `sgr-${String(index)}${String(place)}`, isEgress: rule.isEgress,
        ipProtocol: rule.isAll ? '-1' : 'udp', ...portsOf(rule),
        cidrIpv4: rule.block, cidrIpv6: null, referencedGroupId: null, prefixListId: null,
        description: '', tags: {}
      })) }).id
    world.put('networkAcl', {
      ...newNetworkAcl(index + 1, vpc.id, false),
      associations: [{ id: `aclassoc-${String(index)}`, subnetId: subnet.id }],
      entries: (acl ?? open).map((rule, place) => ({
        ruleNumber: (place + 1) * 10, isEgress: rule.isEgress,
        action: rule.allow ? 'allow' as const : 'deny' as const, protocol: rule.isAll ? -1 : UDP,
        cidrBlock: rule.block, ipv6CidrBlock: null, icmpType: null, icmpCode: null,
        portFrom: portsOf(rule).fromPort, portTo: portsOf(rule).toPort
      }))
    })
    const host = `host-${String(index + 1)}`
    const instance = world.put('instance', newInstance(index + 1, subnet, host))
    const eni = newInterface(index + 1, subnet, index === 0 ? CLIENT : SERVER)
    return world.put('networkInterface',
      { ...attached(eni, instance.id), groupIds: [groupId] }).id
  })
  world.commit()
  return { world, enis }
}

function portsOf (rule: RuleDraw): { fromPort: number | null, toPort: number | null } {
  if (rule.isAll) return { fromPort: null, toPort: null }
  return { fromPort: rule.from, toPort: rule.isRange ? PORT_MAX : rule.from }
}

function packetOf (
  { isFromClient, port, source, isAnswer }: PacketDraw, network: number
): PacketFields {
  const opening = openingPacket({
    source: isFromClient ? CLIENT : SERVER, destination: isFromClient ? SERVER : CLIENT,
    protocol: UDP, sourcePort: SOURCE_PORTS[2 * network + source]!, destinationPort: port
  })
  return isAnswer ? answerTo(opening) : opening
}

// ------------------------------------------------------------------------------------ the kernel

/** Everything that one end's router asks, as AWS orders it; its answers pass the groups. */
function rulesetOf (group: readonly RuleDraw[], acl: readonly RuleDraw[] | null): string {
  const chains = [true, false].map((isEgress) => `
  chain group_${way(isEgress)} {
    ct state established,related return
${linesOf(group.filter((rule) => rule.isEgress === isEgress), 'return')}    drop
  }
  chain acl_${way(isEgress)} {
${acl === null ? '    return\n' : linesOf(acl.filter((rule) => rule.isEgress === isEgress))}    drop
  }`)
  return `flush ruleset
table ip oracle {${chains.join('')}
  chain forward {
    type filter hook forward priority 0; policy accept;
    udp dport ${String(MARKER_PORT)} accept
    iifname "${INSIDE}" jump group_out
    iifname "${INSIDE}" jump acl_out
    iifname "${OUTSIDE}" jump acl_in
    iifname "${OUTSIDE}" jump group_in
  }
}
`
}

function way (isEgress: boolean): string { return isEgress ? 'out' : 'in' }

/** @param verdict what a match means; the rule's own when left out */
function linesOf (rules: readonly RuleDraw[], verdict?: string): string {
  return rules.map((rule) =>
    `    ${matchOf(rule)} ${verdict ?? (rule.allow ? 'return' : 'drop')}\n`).join('')
}

function matchOf (rule: RuleDraw): string {
  const address = `ip ${rule.isEgress ? 'daddr' : 'saddr'} ${rule.block}`
  if (rule.isAll) return address
  const ports = rule.isRange ? `${String(rule.from)}-${String(PORT_MAX)}` : String(rule.from)
  return `${address} udp dport ${ports}`
}

/** Devices of a router: to its instance, and to the other router. */
const INSIDE = 'inside'
const OUTSIDE = 'outside'
/** Always let through: what came before it on the same way has arrived when it does, or never. */
const MARKER_PORT = 9999

/**
 * Has a socket on each port; `send <from> <address> <to> <text>` on standard input sends, and what
 * arrives is printed.
 */
const PEER = `
  const dgram = require('node:dgram')
  const sockets = new Map()
  for (const port of [${[...PORTS, ...SOURCE_PORTS, MARKER_PORT].join(', ')}]) {
    const socket = dgram.createSocket('udp4')
    // What came before a marker may stand in another socket: those are read first.
    const print = (data) => console.log('got ' + data)
    socket.on('message', port === ${String(MARKER_PORT)}
      ? (data) => setImmediate(print, data) : print)
    sockets.set(port, socket)
  }
  const bound = [...sockets].map(([port, socket]) =>
    new Promise((resolve) => socket.bind(port, resolve)))
  Promise.all(bound).then(() => console.log('ready'))
  require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
    const [from, address, to, text] = line.split(' ')
    sockets.get(Number(from)).send(text, Number(to), address)
  })`

/** A program that answers lines with lines, in a namespace; on one CPU, so that order is kept. */
class Peer {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #lines: AsyncIterator<string>

  constructor (namespace: string) {
    this.#child = spawn('ip', inside(namespace, ['taskset', '-c', '0', NODE, '-e', PEER]))
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  send (from: number, address: string, to: number, text: string): void {
    this.#child.stdin.write(`${String(from)} ${address} ${String(to)} ${text}\n`)
  }

  /** The lines up to one, without it. */
  async until (last: string): Promise<string[]> {
    const lines: string[] = []
    for (;;) {
      const { value, done } = await this.#lines.next() as { value: string, done?: boolean }
      if (done === true) throw new Error(`the peer ended before it said "${last}"`)
      if (value === last) return lines
      lines.push(value)
    }
  }

  close (): void { this.#child.kill() }
}

/** The four namespaces, and a peer at either end. */
class Kernel {
  readonly #net: Namespaces
  readonly #client: Peer
  readonly #server: Peer
  readonly #directory = mkdtempSync(join(tmpdir(), 'vpclab-oracle-'))
  #count = 0

  private constructor (net: Namespaces) {
    this.#net = net
    this.#client = new Peer(net.name('client'))
    this.#server = new Peer(net.name('server'))
  }

  static async open (net: Namespaces): Promise<Kernel> {
    await link(net, 'client', 'eth0', `${CLIENT}/24`, 'near', INSIDE, '10.0.1.1/24')
    await link(net, 'near', OUTSIDE, '100.64.0.1/30', 'far', OUTSIDE, '100.64.0.2/30')
    await link(net, 'server', 'eth0', `${SERVER}/24`, 'far', INSIDE, '10.0.2.1/24')
    await net.ip('client', 'route', 'add', 'default', 'via', '10.0.1.1')
    await net.ip('server', 'route', 'add', 'default', 'via', '10.0.2.1')
    await net.ip('near', 'route', 'add', '10.0.2.0/24', 'via', '100.64.0.2')
    await net.ip('far', 'route', 'add', '10.0.1.0/24', 'via', '100.64.0.1')
    for (const router of ['near', 'far']) {
      await net.run(router, 'sysctl', '-qw', 'net.ipv4.ip_forward=1')
    }
    const kernel = new Kernel(net)
    await kernel.#client.until('ready')
    await kernel.#server.until('ready')
    return kernel
  }

  /** New rules. */
  async load (draw: NetworkDraw): Promise<void> {
    const rulesets = [['near', rulesetOf(draw.clientGroup, draw.clientAcl)],
      ['far', rulesetOf(draw.serverGroup, draw.serverAcl)]] as const
    for (const [router, ruleset] of rulesets) {
      const file = join(this.#directory, router)
      writeFileSync(file, ruleset)
      const { code, stderr } = await this.#net.run(router, 'nft', '-f', file)
      if (code !== 0) throw new Error(`nft refuses:\n${ruleset}\n${stderr}`)
    }
  }

  /** Sends a packet. @returns whether it arrived */
  async judge (packet: PacketFields): Promise<boolean> {
    const isFromClient = packet.source === CLIENT
    const [sender, receiver] =
      isFromClient ? [this.#client, this.#server] : [this.#server, this.#client]
    const text = String(++this.#count)
    sender.send(packet.sourcePort, packet.destination, packet.destinationPort, text)
    sender.send(MARKER_PORT, packet.destination, MARKER_PORT, `marker-${text}`)
    return (await receiver.until(`got marker-${text}`)).includes(`got ${text}`)
  }

  close (): void {
    this.#client.close()
    this.#server.close()
    rmSync(this.#directory, { recursive: true })
  }
}

async function link (
  net: Namespaces, left: string, leftDevice: string, leftAddress: string,
  right: string, rightDevice: string, rightAddress: string
): Promise<void> {
  await command('ip', 'link', 'add', leftDevice, 'netns', net.name(left), 'type', 'veth',
    'peer', 'name', rightDevice, 'netns', net.name(right))
  const ends = [[left, leftDevice, leftAddress], [right, rightDevice, rightAddress]] as const
  for (const [end, device, address] of ends) {
    await net.ip(end, 'address', 'add', address, 'dev', device)
    await net.ip(end, 'link', 'set', device, 'up')
  }
}

// -------------------------------------------------------------------------------------- the test

test('the kernel judges packets as groups and ACLs do', async (t) => {
  await using net = await Namespaces.create('client', 'near', 'far', 'server')
  const kernel = await Kernel.open(net)
  t.teardown(() => { kernel.close() })
  const networks = fc.sample(
    fc.tuple(networkDraw, fc.array(packetDraw, { minLength: PACKETS, maxLength: PACKETS })),
    { seed: SEED, numRuns: NETWORKS })
  const passed = { yes: 0, no: 0 }
  for (const [number, [network, packets]] of networks.entries()) {
    await kernel.load(network)
    const { world: { snapshot }, enis } = worldOf(network)
    const directory = new Directory(snapshot)
    const hosts = new SimulatedHosts(snapshot, directory, true)
    const explainer = new Explainer({ snapshot, directory, clock: TEST_CLOCK, live: hosts.live })
    for (const draw of packets) {
      const packet = packetOf(draw, number)
      const eni = packet.source === CLIENT ? enis[0]! : enis[1]!
      const walk = explainer.trace(eni, packet)
      const ours = hosts.send(eni, packet).deliveredTo !== null
      const theirs = await kernel.judge(packet)
      const what = `network ${String(number)}: ${JSON.stringify(packet)}`
      t.is(ours, theirs, `${what}: the kernel ${theirs ? 'lets it pass' : 'drops it'}; ` +
        (walk?.obstacle?.text ?? ''))
      t.is(walk?.obstacle === null, theirs, what)
      passed[theirs ? 'yes' : 'no']++
    }
  }
  t.true(passed.yes > PACKETS && passed.no > PACKETS,
    `both verdicts are common: ${JSON.stringify(passed)}`)
})
