/**
 * Bench `tunnel`: what instances get out of the overlay, against other ways to join two hosts.
 *
 * Every system of one MTU stands at once, over an underlay of its own of the same form, and the
 * runs alternate: run 1 of all systems, then run 2 of all … so that a busy minute of the machine
 * hits all alike. Figures are medians over the runs; only ratios within one run of this program
 * mean anything, since machines and minutes differ by a half.
 *
 *     npm run bench -- tunnel [--json] [--runs 3] [--seconds 2] [--mtu 1500,9000] [--systems a,b]
 */
import Table from 'cli-table3'
import { parseArgs } from 'node:util'
import { median, significant } from './statistics.ts'
import { measure, type TunnelFigures } from './tunnel/measure.ts'
import { buildNebula } from './tunnel/nebula.ts'
import { buildPlain } from './tunnel/plain.ts'
import {
  type BuiltSystems, type SystemBuilder, type TunnelSystem, whenReachable
} from './tunnel/system.ts'
import { buildVpclab, buildVpclabEncrypted } from './tunnel/vpclab.ts'
import { buildVxlan } from './tunnel/vxlan.ts'
import { buildWireguard } from './tunnel/wireguard.ts'

const BUILDERS: Readonly<Record<string, SystemBuilder>> = {
  'plain-veth': buildPlain,
  'kernel-vxlan': buildVxlan,
  'vpclab': buildVpclab,
  'vpclab-encrypted': buildVpclabEncrypted,
  'nebula': buildNebula,
  'wireguard-go': buildWireguard
}

/** The MTU whose figures make the ratios. */
export const RATIO_MTU = 1500

interface TunnelResult extends TunnelFigures {
  readonly system: string
  readonly path: 'two-hosts' | 'one-host'
  readonly mtu: number
}

interface TunnelOptions {
  readonly runs: number
  readonly seconds: number
  readonly mtus: readonly number[]
  readonly systems: readonly string[]
}

export async function run (args: readonly string[]): Promise<void> {
  const options = readOptions(args)
  const { results, ratios } = await measureTunnels(options)
  if (options.json) console.log(JSON.stringify({ results, ratios }))
}

/** Measures, and prints for people. */
export async function measureTunnels (options: TunnelOptions): Promise<{
  readonly results: readonly TunnelResult[]
  readonly ratios: Readonly<Record<string, number>>
}> {
  const results: TunnelResult[] = []
  for (const mtu of options.mtus) results.push(...await measureMtu(mtu, options))
  const ratios = ratiosOf(results.filter((result) => result.mtu === RATIO_MTU))
  printTable(results)
  for (const [name, value] of Object.entries(ratios)) console.error(`${name} ${String(value)}`)
  return { results, ratios }
}

function readOptions (args: readonly string[]): TunnelOptions & { readonly json: boolean } {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: 'boolean', default: false },
      runs: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '2' },
      mtu: { type: 'string', default: '1500,9000' },
      systems: { type: 'string', default: Object.keys(BUILDERS).join() }
    }
  })
  const systems = values.systems.split(',')
  const unknown = systems.find((name) => BUILDERS[name] === undefined)
  if (unknown !== undefined) {
    throw new Error(`Cannot measure "${unknown}": the systems are ${Object.keys(BUILDERS).join()}`)
  }
  return {
    json: values.json,
    runs: Number(values.runs),
    seconds: Number(values.seconds),
    mtus: values.mtu.split(',').map(Number),
    systems
  }
}

/** All systems over one underlay MTU, each with its medians. */
async function measureMtu (mtu: number, options: TunnelOptions): Promise<TunnelResult[]> {
  const built: BuiltSystems[] = []
  try {
    for (const name of options.systems) {
      const systems = await BUILDERS[name]!(mtu)
      if (systems === null) console.error(`${name} is not installed: left out`)
      else built.push(systems)
    }
    const systems = built.flatMap((one) => one.systems)
    for (const system of systems) await whenReachable(system)
    const runs = new Map<TunnelSystem, TunnelFigures[]>(systems.map((system) => [system, []]))
    for (let number = 1; number <= options.runs; number++) {
      for (const [system, figures] of runs) {
        console.error(`MTU ${String(mtu)}, run ${String(number)}: ${system.name}, ${system.path}`)
        figures.push(await measure(system, options.seconds))
      }
    }
    return [...runs].map(([{ name, path }, figures]) => (
      { system: name, path, mtu, ...medians(figures) }))
  } finally {
    for (const one of built) await one.remove()
  }
}

function medians (runs: readonly TunnelFigures[]): TunnelFigures {
  const fields = Object.keys(runs[0]!) as (keyof TunnelFigures)[]
  return Object.fromEntries(fields.map((field) => (
    [field, significant(median(runs.map((figures) => figures[field])), 4)]
  ))) as unknown as TunnelFigures
}

/**
 * vpclab as a multiple of kernel VXLAN and of nebula, and encrypted as one of itself in clear; of
 * what was not measured there is none.
 */
function ratiosOf (results: readonly TunnelResult[]): Record<string, number> {
  const find = (system: string, path: string): TunnelResult | undefined =>
    results.find((result) => result.system === system && result.path === path)
  const vxlan = find('kernel-vxlan', 'two-hosts')
  const twoHosts = find('vpclab', 'two-hosts')
  const oneHost = find('vpclab', 'one-host')
  const nebula = find('nebula', 'two-hosts')
  const encrypted = find('vpclab-encrypted', 'two-hosts')
  const ratio = (field: keyof TunnelFigures, one?: TunnelResult, other?: TunnelResult):
  number | undefined => one === undefined || other === undefined
    ? undefined : significant(one[field] / other[field])
  const ratios = {
    tcp1VsVxlan: ratio('tcp1Gbps', twoHosts, vxlan),
    tcp4VsVxlan: ratio('tcp4Gbps', twoHosts, vxlan),
    sameHostTcp1VsVxlan: ratio('tcp1Gbps', oneHost, vxlan),
    udp64VsVxlan: ratio('udp64Pps', twoHosts, vxlan),
    rttVsVxlan: ratio('rttUs', twoHosts, vxlan),
    tcp1VsNebula: ratio('tcp1Gbps', twoHosts, nebula),
    encryptedVsClear: ratio('tcp1Gbps', encrypted, twoHosts),
    encryptedVsNebula: ratio('tcp1Gbps', encrypted, nebula)
  }
  return Object.fromEntries(
    Object.entries(ratios).flatMap(([name, value]) => value === undefined ? [] : [[name, value]]))
}

function printTable (results: readonly TunnelResult[]): void {
  const table = new Table({
    head: [
      'MTU', 'system', 'path', 'TCP 1 Gbit/s', '→ / ←', 'TCP 4 Gbit/s', '→ / ←', 'UDP 64 B kpps',
      'RTT µs', 'CPU s/GB'
    ],
    style: { head: [], border: [] }
  })
  for (const result of results) {
    const vxlan = results.find(
      (other) => other.system === 'kernel-vxlan' && other.mtu === result.mtu)
    const relative = (field: keyof TunnelFigures, scale = 1): string => {
      const value = String(significant(result[field] / scale))
      if (vxlan === undefined) return value
      return `${value} (×${(result[field] / vxlan[field]).toFixed(2)})`
    }
    const bothWays = (forward: number, reverse: number): string =>
      `${String(forward)} / ${String(reverse)}`
    table.push([
      result.mtu, result.system, result.path,
      relative('tcp1Gbps'), bothWays(result.tcp1ForwardGbps, result.tcp1ReverseGbps),
      relative('tcp4Gbps'), bothWays(result.tcp4ForwardGbps, result.tcp4ReverseGbps),
      relative('udp64Pps', 1000), relative('rttUs'), relative('cpuSecondsPerGB')
    ])
  }
  console.error(table.toString())
}
