/**
 * `vpcctl capture` under real traffic, read by stock tshark and capinfos.
 *
 *     host-1 ─ a (10.0.1.x, "a")  ══ Geneve ══  b (10.0.2.x, "b") ─ host-2
 *               └ ENI ┘  └ underlay ┘              └ ENI ┘
 *
 *     route table of 10.0.1.0/24:   192.0.2.0/24 → an ENI that is attached to nothing
 */
import test from 'ava'
import type { ExecutionContext } from 'ava'
import * as ec2 from '@aws-sdk/client-ec2'
import { spawn } from 'node:child_process'
import { createWriteStream, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { Background, command, eventually, ROOT } from '../harness/command.ts'
import type { Instance } from '../harness/instance.ts'
import type { Lab } from '../harness/lab.ts'
import { withLab } from '../harness/with_lab.ts'

const VPCCTL = join(ROOT, 'bin/vpcctl')
const BLACKHOLED = '192.0.2.9'
const VERIFY_CHECKSUMS = ['ip', 'udp', 'tcp'].flatMap(
  (protocol) => ['-o', `${protocol}.check_checksum:TRUE`])
const BROKEN_FRAMES = ['_ws.malformed', ...['ip', 'udp', 'tcp', 'icmp', 'icmpv6'].map(
  (protocol) => `${protocol}.checksum.status == 0`)].join(' || ')

interface Network {
  readonly vpcId: string
  readonly a: Instance
  readonly b: Instance
}

async function build (lab: Lab): Promise<Network> {
  const vpc = await lab.vpc('10.0.0.0/16')
  const one = await lab.subnet(vpc, '10.0.1.0/24')
  const two = await lab.subnet(vpc, '10.0.2.0/24')
  const a = await lab.instance(one, { host: 'host-1' })
  const b = await lab.instance(two, { host: 'host-2' })
  for (const [instance, Value] of [[a, 'a'], [b, 'b']] as const) {
    await lab.ec2.send(new ec2.CreateTagsCommand({
      Resources: [instance.id], Tags: [{ Key: 'Name', Value }]
    }))
  }
  const { NetworkInterface } =
    await lab.ec2.send(new ec2.CreateNetworkInterfaceCommand({ SubnetId: two.id }))
  const { RouteTable } = await lab.ec2.send(new ec2.CreateRouteTableCommand({ VpcId: vpc.id }))
  const RouteTableId = RouteTable?.RouteTableId ?? ''
  await lab.ec2.send(new ec2.AssociateRouteTableCommand({ RouteTableId, SubnetId: one.id }))
  await lab.ec2.send(new ec2.CreateRouteCommand({
    RouteTableId,
    DestinationCidrBlock: '192.0.2.0/24',
    NetworkInterfaceId: NetworkInterface?.NetworkInterfaceId ?? ''
  }))
  await lab.waitApplied()
  return { vpcId: vpc.id, a, b }
}

/** `vpcctl capture … -w FILE` that has begun. */
class Run implements AsyncDisposable {
  readonly file: string
  readonly #directory: string
  readonly #vpcctl: Background

  private constructor (directory: string, vpcctl: Background) {
    this.#directory = directory
    this.file = join(directory, 'capture.pcapng')
    this.#vpcctl = vpcctl
  }

  static async start (lab: Lab, ...args: readonly string[]): Promise<Run> {
    const directory = mkdtempSync(join(tmpdir(), 'vpclab-capture-'))
    const vpcctl = new Background(VPCCTL, [
      '--lab', lab.name, 'capture', ...args, '-w', join(directory, 'capture.pcapng')])
    const run = new Run(directory, vpcctl)
    try {
      await vpcctl.printed('Capturing on')
      return run
    } catch (error) {
      await run[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Ends it as a person does. @returns what its closing line tells */
  async end (signal: NodeJS.Signals = 'SIGINT'): Promise<{ captured: number, lost: number }> {
    return totalsOf(await this.#vpcctl.stop(signal))
  }

  /** Waits until it ends by itself. */
  async ended (): Promise<{ captured: number, lost: number }> {
    await this.#vpcctl.ended()
    return totalsOf(this.#vpcctl.output)
  }

  async fields (filter: string, ...names: readonly string[]): Promise<string[][]> {
    const output = await command('tshark', '-n', '-r', this.file, '-Y', filter, '-T', 'fields',
      ...names.flatMap((name) => ['-e', name]))
    return output.split('\n').filter((line) => line !== '').map((line) => line.split('\t'))
  }

  async brokenFrames (): Promise<string> {
    return await command('tshark', '-r', this.file, ...VERIFY_CHECKSUMS, '-Y', BROKEN_FRAMES)
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    await this.#vpcctl.stop('SIGKILL')
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

function totalsOf (output: string): { captured: number, lost: number } {
  const match = /(\d+) packets captured, (\d+) lost/.exec(output)
  if (match === null) throw new Error(`no totals in: ${output}`)
  return { captured: Number(match[1]), lost: Number(match[2]) }
}

/** @returns bytes of the stream that arrived */
async function iperf (a: Instance, b: Instance, amount: string): Promise<number> {
  const server = await b.iperfServer()
  const report = JSON.parse(await a.exec('iperf3', '-c', b.ipv4, '-n', amount, '-J')) as {
    readonly end: { readonly sum_received: { readonly bytes: number } }
  }
  await server.ended()
  return report.end.sum_received.bytes
}

async function seesEveryPoint (t: ExecutionContext, lab: Lab, network: Network): Promise<void> {
  const { vpcId, a, b } = network
  await using run = await Run.start(lab, 'a', 'host-1', vpcId)
  t.is((await a.ping(b.ipv4, 1)).received, 1)
  t.is((await a.ping(BLACKHOLED, 1)).received, 0)
  const arrivedBytes = await iperf(a, b, '3M')
  t.is((await lab.hostStatus('host-1')).wireMode, 'offload', 'a capture leaves the wire alone')
  const totals = await run.end()
  t.is(totals.lost, 0)
  t.is(await run.brokenFrames(), '')

  const [pointA, pointB] = [`${a.eni} (a)`, `${b.eni} (b)`]
  t.deepEqual(await run.fields(`icmp && ip.dst != ${BLACKHOLED}`, 'frame.interface_name',
    'frame.packet_flags_direction', 'icmp.type', 'ip.ttl', 'geneve.option.class'), [
    [pointA, '0x00000002', '8', '64', ''],
    ['host-1 underlay', '0x00000002', '8', '64,63', '0xfff5,0xfff5'],
    [pointB, '0x00000001', '8', '63', ''],
    [pointB, '0x00000002', '0', '64', ''],
    ['host-1 underlay', '0x00000001', '0', '64,63', '0xfff5,0xfff5'],
    [pointA, '0x00000001', '0', '63', '']
  ], 'in the order of their travel')
  t.deepEqual(await run.fields(`ip.dst == ${BLACKHOLED}`, 'frame.interface_name',
    'frame.comment'), [[pointA, 'dropped: blackhole: The most specific route points at a target ' +
    'that is gone or stopped.']])

  for (const filter of [`frame.interface_name == "${pointA}"`, 'geneve',
    `frame.interface_name == "${pointB}"`]) {
    const segments = await run.fields(`${filter} && ip.src == ${a.ipv4} && tcp.len > 0`, 'tcp.len')
    const sum = segments.reduce((bytes, [length]) => bytes + Number(length), 0)
    t.true(sum >= arrivedBytes, `${filter}: ${String(sum)} bytes of the stream`)
    t.true(segments.every(([length]) => Number(length) <= 8961), `${filter}: frames, no lumps`)
  }
  t.regex(await command('capinfos', run.file), /Strict time order: +True/)
  const resolved = await command('tshark', '-N', 'n', '-r', run.file, '-c', '1', '-T', 'fields',
    '-e', 'ip.src_host', '-e', 'ip.dst_host')
  t.is(resolved, 'a\tb\n')
}

async function choosesPackets (t: ExecutionContext, lab: Lab, network: Network): Promise<void> {
  const { a, b } = network
  await using drops = await Run.start(lab, a.id, '--drops-only')
  await using inbound = await Run.start(lab, a.eni, '--direction', 'in', '--protocol', 'icmp',
    '--count', '2', '--snaplen', '64')
  await a.ping(b.ipv4, 2)
  await a.ping(BLACKHOLED, 3)
  t.deepEqual(await inbound.ended(), { captured: 2, lost: 0 }, 'it ends by itself')
  t.deepEqual(await inbound.fields('icmp', 'icmp.type', 'frame.cap_len', 'frame.len'),
    [['0', '64', '84'], ['0', '64', '84']])
  t.deepEqual(await drops.end('SIGTERM'), { captured: 3, lost: 0 })
}

/** Sum of isb_ifdrop of the Interface Statistics blocks at the end of a file. */
function lostInStatistics (file: string): number {
  const INTERFACE_STATISTICS = 5
  const ISB_IFDROP = 5
  const bytes = readFileSync(file)
  let lost = 0
  let end = bytes.length
  for (;;) {
    const at = end - bytes.readUInt32LE(end - 4)
    if (bytes.readUInt32LE(at) !== INTERFACE_STATISTICS) return lost
    for (let option = at + 20; bytes.readUInt16LE(option) !== 0;) {
      if (bytes.readUInt16LE(option) === ISB_IFDROP) {
        lost += Number(bytes.readBigUInt64LE(option + 4))
      }
      option += 4 + ((bytes.readUInt16LE(option + 2) + 3) & -4)
    }
    end = at
  }
}

/** Nobody reads: what finds no room is lost to the capture alone, and told in the file. */
async function losesForSlowReaders (
  t: ExecutionContext, lab: Lab, { a, b, vpcId }: Network): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'vpclab-capture-'))
  const file = join(directory, 'slow.pcapng')
  const child = spawn(VPCCTL, ['--lab', lab.name, 'capture', vpcId, '--host', b.ipv4],
    { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => { said += chunk.toString() })
  try {
    await eventually('the capture has begun', () => said.includes('Capturing on'))
    await iperf(a, b, '600M')
    t.deepEqual(await a.ping(b.ipv4, 20), { sent: 20, received: 20 })
    const written = pipeline(child.stdout, createWriteStream(file))
    child.kill('SIGINT')
    await written
    await eventually('the totals', () => said.includes('lost'))
    const totals = totalsOf(said)
    t.true(totals.lost > 0, `${String(totals.lost)} lost`)
    t.is(lostInStatistics(file), totals.lost, 'the file counts them')
  } finally {
    child.kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  }
}

test.serial('vpcctl capture shows frames at every point, and loses nothing but its own',
  withLab({}, async (t, lab) => {
    const network = await build(lab)
    await seesEveryPoint(t, lab, network)
    await choosesPackets(t, lab, network)
    await losesForSlowReaders(t, lab, network)
  }))
