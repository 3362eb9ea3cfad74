/**
 * Bench `vpn`: what an IPsec tunnel carries from instance to instance, against a plain veth pair
 * and against strongSwan with ESP in user space at both ends. All stand at once and are measured in
 * turn, so that a busy minute of the machine hits all alike; figures are medians over the runs.
 *
 *     npm run bench -- vpn [--json] [--runs 3] [--seconds 2] [--ciphers a,b] [--systems a,b]
 *
 * CPU seconds per GB are those of the programs that carry the packets, at both ends: they say more
 * than Gbit/s where all ends of a tunnel, and others, share the cores. `memoryGrowthMB` is what the
 * data planes of the edges have grown by when offered more datagrams than they carry.
 *
 * Datagrams are offered in two ways: many to a system call, as QUIC stacks send them
 * (vpn/datagrams.py), and each by a call of its own (iperf3), whose figure is that of the calls
 * more than that of a tunnel: a plain veth pair shows it.
 */
import Table from 'cli-table3'
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { measureEsp } from './esp.ts'
import { median, significant } from './statistics.ts'
import { tcp, TICKS_PER_SECOND, udp, UDP_PAYLOAD_BYTES } from './tunnel/measure.ts'
import { buildPlain } from './tunnel/plain.ts'
import { whenReachable } from './tunnel/system.ts'
import { buildLibipsec } from './vpn/libipsec.ts'
import { sendRuns } from './vpn/datagrams.ts'
import { CIPHERS } from './vpn/system.ts'
import type { Cipher, VpnSystem } from './vpn/system.ts'
import { withVpclab } from './vpn/vpclab.ts'

const MTU = 1500
/** What fits into a tunnel. */
const DATAGRAM_BYTES = 1300
/** Rates that datagrams are offered at, bit/s: AWS's limit for a tunnel is among them. */
const RATES = [0.15e9, 0.3e9, 0.6e9, 0.9e9, 1.25e9, 1.6e9, 2e9, 2.5e9, 3e9]
const LOST_MAX = 0.01
const OVERLOAD = 3e9
const BYTES_PER_MB = 1e6
/** Of /proc/PID/stat, counted from the word behind the name; unit: ticks. */
const UTIME_WORD = 11
const STIME_WORD = 12

interface Options {
  readonly runs: number
  /** Duration of each transfer. */
  readonly seconds: number
  readonly ciphers: readonly Cipher[]
  readonly systems: readonly string[]
}

/** Of one run, by name. */
type Figures = Readonly<Record<string, number>>

interface Row { readonly system: string, readonly cipher: string, readonly figures: Figures }

export async function run (args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: 'boolean', default: false },
      runs: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '2' },
      ciphers: { type: 'string', default: CIPHERS.join() },
      systems: { type: 'string', default: '' }
    }
  })
  const options: Options = {
    runs: Number(values.runs), seconds: Number(values.seconds),
    ciphers: CIPHERS.filter((cipher) => values.ciphers.split(',').includes(cipher)),
    systems: values.systems.split(',').filter((name) => name !== '')
  }
  let memoryGrowthMB = 0
  const rows: Row[] = []
  await withSystems(async (systems, edges) => {
    const wanted = systems.filter(({ name }) =>
      options.systems.length === 0 || options.systems.includes(name))
    for (const cipher of options.ciphers) rows.push(...await measureCipher(wanted, cipher, options))
    const sealing = wanted.find(({ name }) => name === 'vpclab')
    if (sealing !== undefined) memoryGrowthMB = await overload(edges, sealing, options)
  })
  const esp = measureEsp('aes256gcm')
  const result = { ...headlineOf(rows), sealNs: esp.sealPacketNs, openNs: esp.openPacketNs,
    memoryGrowthMB: significant(memoryGrowthMB) }
  printTable(rows)
  for (const [name, value] of Object.entries(result)) console.error(`${name} ${String(value)}`)
  if (values.json) console.log(JSON.stringify({ ...result, rows }))
}

async function withSystems (
  body: (systems: readonly VpnSystem[], edges: readonly number[]) => Promise<void>
): Promise<void> {
  const plain = await buildPlain(MTU)
  try {
    const libipsec = await buildLibipsec()
    try {
      await withVpclab(async ({ edges, systems }) => {
        const alone = plain.systems.map((system) => ({ ...system, carriers: [] }))
        await body([...alone, ...libipsec.systems, ...systems], edges)
      })
    } finally {
      await libipsec.remove()
    }
  } finally {
    await plain.remove()
  }
}

/** Every system with one cipher; what has none, or no choice, with the first one alone. */
async function measureCipher (
  systems: readonly VpnSystem[], cipher: Cipher, options: Options): Promise<Row[]> {
  const isFirst = cipher === options.ciphers[0]
  const taken = systems.filter(({ use }) => isFirst || use !== undefined)
  const runs = new Map<VpnSystem, Figures[]>(taken.map((system) => [system, []]))
  for (let number = 1; number <= options.runs; number++) {
    for (const [system, figures] of runs) {
      await system.use?.(cipher)
      await whenReachable(system)
      if (number === 1) await tcp(system, 1, ['-P', '1']) // code is compiled as it runs
      const one = await measure(system, options, isFirst)
      figures.push(one)
      console.error(`run ${String(number)}, ${system.name}, ${cipher}: ` +
        Object.entries(one).map(([name, value]) => `${name} ${String(significant(value))}`).join())
    }
  }
  return [...runs].map(([{ name, use }, figures]) => ({
    system: name, cipher: use === undefined && name === 'plain-veth' ? '-' : cipher,
    figures: Object.fromEntries(Object.keys(figures[0]!).map((key) =>
      [key, significant(median(figures.map((one) => one[key]!)))]))
  }))
}

async function measure (
  system: VpnSystem, { seconds }: Options, isWhole: boolean): Promise<Figures> {
  const before = cpuSeconds(system.carriers)
  const forward = await tcp(system, seconds, ['-P', '1'])
  const reverse = await tcp(system, seconds, ['-P', '1', '-R'])
  const bytes = (forward.gbps + reverse.gbps) * seconds * 1e9 / 8
  const one = {
    tcp1Gbps: (forward.gbps + reverse.gbps) / 2,
    cpuSecondsPerGB: (cpuSeconds(system.carriers) - before) / (bytes / 1e9)
  }
  if (!isWhole) return one
  return {
    ...one,
    tcp4Gbps: (await tcp(system, seconds, ['-P', '4'])).gbps,
    udpGbps: await udpWithoutLoss((rate) => sendRuns(system, seconds, DATAGRAM_BYTES, rate)),
    udpSinglyGbps: await udpWithoutLoss((rate) => udp(system, seconds, DATAGRAM_BYTES, rate)),
    udp64Pps: (await udp(system, seconds, UDP_PAYLOAD_BYTES, 0)).receivedPerSecond
  }
}

function sumOf (pids: readonly number[], read: (pid: number) => number): number {
  return pids.reduce((sum, pid) => sum + read(pid), 0)
}

/** User and system time of processes, s. */
function cpuSeconds (pids: readonly number[]): number {
  return sumOf(pids, (pid) => {
    const [, fields = ''] = readFileSync(`/proc/${String(pid)}/stat`, 'utf8').split(') ')
    const words = fields.split(' ')
    return Number(words[UTIME_WORD]) + Number(words[STIME_WORD])
  }) / TICKS_PER_SECOND
}

/** Gbit/s that arrive at the highest rate of which less than LOST_MAX is lost. */
async function udpWithoutLoss (
  offer: (rate: number) => Promise<{ readonly gbps: number, readonly lost: number }>
): Promise<number> {
  let best = 0
  for (const rate of RATES) {
    const { gbps, lost } = await offer(rate)
    if (lost >= LOST_MAX) return best
    best = gbps
  }
  return best
}

/** Offers more than a tunnel carries. @returns by how many MB the edges' processes have grown */
async function overload (
  edges: readonly number[], system: VpnSystem, { seconds }: Options): Promise<number> {
  const resident = (): number => sumOf(edges, (pid) =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))?.[1])
  ) * 1024 / BYTES_PER_MB
  await udp(system, seconds, DATAGRAM_BYTES, OVERLOAD)
  const before = resident()
  await udp(system, 2 * seconds, DATAGRAM_BYTES, OVERLOAD)
  return resident() - before
}

function headlineOf (rows: readonly Row[]): Record<string, number> {
  const find = (system: string): Figures =>
    rows.find((row) => row.system === system)?.figures ?? {}
  const [vpclab, libipsec, veth] =
    [find('vpclab behind NAT'), find('strongSwan libipsec'), find('plain-veth')]
  return {
    tcp1Gbps: vpclab['tcp1Gbps'] ?? NaN,
    tcp4Gbps: vpclab['tcp4Gbps'] ?? NaN,
    libipsecTcp1Gbps: libipsec['tcp1Gbps'] ?? NaN,
    vethTcp1Gbps: veth['tcp1Gbps'] ?? NaN,
    udpGbpsUnder1PercentLoss: vpclab['udpGbps'] ?? NaN
  }
}

function printTable (rows: readonly Row[]): void {
  const columns = [
    ['tcp1Gbps', 'TCP 1 Gbit/s'], ['tcp4Gbps', 'TCP 4 Gbit/s'], ['cpuSecondsPerGB', 'CPU s/GB'],
    ['udpGbps', 'UDP 1300 B Gbit/s'], ['udpSinglyGbps', 'by a call each'],
    ['udp64Pps', 'UDP 64 B /s']
  ] as const
  const table = new Table({
    head: ['system', 'ESP', ...columns.map(([, title]) => title)],
    style: { head: [], border: [] }
  })
  for (const { system, cipher, figures } of rows) {
    table.push([system, cipher, ...columns.map(([name]) => String(figures[name] ?? ''))])
  }
  console.error(table.toString())
}
