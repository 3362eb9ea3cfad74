/**
 * Bench `scale`: what size costs.
 *
 *     npm run bench -- scale [--json] [--no-lab] [--runs 3] [--seconds 2]
 *
 *     invalidationP99Ms    from the commit that moves an ENI to the swapped tables of the last host
 *                          that holds its VPC; HOSTS hosts take turns on one core here, so a
 *                          machine with more is faster
 *     lookupNs             a mapping found in a worker's tables, any of a VPC's 10,000
 *     bytesPerMapping      memory of a worker, by mapping that it holds
 *     restartToForwardMs   a daemon that was killed: from the start of the next to the first packet
 *                          (needs root; --no-lab leaves it out)
 *     writesPerSecond      transactions, one after another: embedded store, one etcd on loopback
 *     encryptedVsClear, encryptedVsNebula    throughput of the encrypted underlay, by the bench
 *                          `tunnel` with its --runs and --seconds; null with --no-lab, and against
 *                          nebula where it is not installed
 *
 * Besides it says how long 5,000 VPCs with 10,000 routes take to load on HOSTS hosts, and what one
 * change of a route then builds.
 */
import { parseArgs } from 'node:util'
import { runInNewContext } from 'node:vm'
import { setFlagsFromString } from 'node:v8'
import { buildTables, Lab } from '../daemon/dataplane/testing/lab.ts'
import type { MappingTable } from '../daemon/dataplane/tables/mapping_table.ts'
import { addressWords } from '../daemon/wire/address.ts'
import { Fleet } from './scale/fleet.ts'
import { MAPPINGS, measureRestart } from './scale/restart.ts'
import { measureWrites } from './scale/writes.ts'
import { significant } from './statistics.ts'
import { RATIO_MTU, measureTunnels } from './tunnel.ts'

const HOSTS = 100
const VPCS = 10
const ENIS_PER_VPC = 10_000
const WARM_UP_MOVES = 50
const MOVES = 300
const LOOKUPS = 2_000_000
/** Of the worker whose memory is measured. */
const MAPPINGS_HELD = 16_000
/** Targets, with which the figures are printed. */
const INVALIDATION_TARGET_MS = 100
const LOOKUP_TARGET_NS = 1000
const RESTART_TARGET_MS = 2000
/** Systems of the bench `tunnel` that the encrypted underlay is set beside. */
const TUNNELS = ['vpclab', 'vpclab-encrypted', 'nebula']

export async function run (args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      'json': { type: 'boolean', default: false },
      'no-lab': { type: 'boolean', default: false },
      'runs': { type: 'string', default: '3' },
      'seconds': { type: 'string', default: '2' }
    }
  })
  const withLab = !values['no-lab']
  const bytesPerMapping = Math.round(memoryPerMapping())
  const moved = measureMoves()
  say(`a moved ENI is known to all of ${String(HOSTS)} hosts that hold its VPC, ` +
    `${String(moved.mappings)} mappings`, moved.invalidationP99Ms, 'ms at p99',
  INVALIDATION_TARGET_MS)
  say('a mapping is found', moved.lookupNs, 'ns', LOOKUP_TARGET_NS)
  say('a mapping takes', bytesPerMapping, 'bytes of a worker')
  loadVpcs()
  const writesPerSecond = await measureWrites()
  say('writes a second, embedded store', significant(writesPerSecond.sqlite), '')
  say('writes a second, etcd', significant(writesPerSecond.etcd), '')
  const restartToForwardMs = withLab ? significant(await measureRestart()) : null
  say(`a killed daemon with ${String(MAPPINGS)} mappings forwards again after`,
    restartToForwardMs, 'ms', RESTART_TARGET_MS)
  const ratios = !withLab ? {} : (await measureTunnels({
    runs: Number(values.runs), seconds: Number(values.seconds), mtus: [RATIO_MTU], systems: TUNNELS
  })).ratios
  if (!values.json) return
  const { invalidationP99Ms, lookupNs } = moved
  console.log(JSON.stringify({
    invalidationP99Ms, lookupNs, bytesPerMapping,
    encryptedVsClear: ratios['encryptedVsClear'] ?? null,
    encryptedVsNebula: ratios['encryptedVsNebula'] ?? null,
    restartToForwardMs,
    writesPerSecond: {
      sqlite: significant(writesPerSecond.sqlite), etcd: significant(writesPerSecond.etcd)
    }
  }))
}

function say (what: string, value: number | null, unit: string, target?: number): void {
  const goal = target === undefined ? '' : ` (target ${String(target)})`
  console.error(`${what}: ${value === null ? 'not measured' : `${String(value)} ${unit}`}${goal}`)
}

function measureMoves (): {
  readonly mappings: number
  readonly invalidationP99Ms: number
  readonly lookupNs: number
} {
  const fleet = new Fleet(
    { hosts: HOSTS, vpcs: VPCS, enisPerVpc: ENIS_PER_VPC, routesPerVpc: 0, withWorkers: true })
  const instances = [...fleet.world.snapshot.tables.instance.values()]
  const tookMs: number[] = []
  for (let count = 0; count < WARM_UP_MOVES + MOVES; count++) {
    const instance = instances[(count * 7919) % instances.length]
    if (instance === undefined) continue
    fleet.move(instance)
    const ms = fleet.commit()
    if (count >= WARM_UP_MOVES) tookMs.push(ms)
  }
  const p99 = tookMs.sort((a, b) => a - b)[Math.ceil(tookMs.length * 0.99) - 1] ?? NaN
  return {
    mappings: fleet.mappingCount, invalidationP99Ms: significant(p99),
    lookupNs: significant(lookUp(fleet))
  }
}

/** @returns ns of one look-up among all that the first host has */
function lookUp (fleet: Fleet): number {
  const [host] = fleet.hosts
  const vpc = fleet.world.list('vpc')
    .map(({ id }) => [1, 2, 3].find((index) => host?.compiler.idOf('vpc', index) === id))
    .find((index) => index !== undefined)
  const mappings: MappingTable | undefined = host?.lab?.loop.tables.vpcs.get(vpc ?? 0)?.mappings
  const vpcId = host?.compiler.idOf('vpc', vpc ?? 0)
  const words = [...fleet.world.snapshot.tables.networkInterface.values()]
    .filter((eni) => eni.vpcId === vpcId)
    .flatMap(({ privateIpAddresses }) => privateIpAddresses.map((text) => addressWords(text)))
  if (mappings === undefined) throw new Error('the first host holds no VPC')
  const found = { eniHigh: 0, eniLow: 0, hostIndex: 0, subnetIndex: 0 }
  let hits = 0
  let startMs = 0
  for (const isMeasured of [false, true]) {
    startMs = performance.now()
    hits = 0
    for (let count = 0; count < LOOKUPS; count++) {
      const address = words[(count * 7919) % words.length]!
      const [w0, w1, w2, w3] = [address[0]!, address[1]!, address[2]!, address[3]!]
      if (mappings.find(w0 | 0, w1 | 0, w2 | 0, w3 | 0, found)) hits++
    }
    if (!isMeasured && hits !== LOOKUPS) throw new Error(`${String(hits)} look-ups found something`)
  }
  return (performance.now() - startMs) * 1e6 / LOOKUPS
}

/** @returns bytes that a worker takes more for each mapping of its tables */
function memoryPerMapping (): number {
  const enis = Array.from({ length: MAPPINGS_HELD }, (_eni, index) => ({
    eni: index + 1, subnet: 1, host: 2,
    addresses: [`10.0.${String(index >> 8)}.${String(index & 255)}`]
  }))
  const subnets = [{ subnet: 1, cidrs: ['10.0.0.0/16'], routes: [] }]
  const update = buildTables([{ vpc: 1, vni: 1, subnets, enis }], 2)
  const lab = new Lab()
  lab.pass()
  const emptyBytes = usedBytes()
  lab.toWorker.push(structuredClone(update))
  lab.pass()
  const bytes = usedBytes() - emptyBytes
  // Both have been there all the time.
  if (lab.loop.tables.vpcs.get(1) === undefined || update.mappings === undefined) return NaN
  return bytes / MAPPINGS_HELD
}

/** What is in use after all that is garbage has gone. */
function usedBytes (): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** How long many VPCs take to load, and what one change then builds. */
function loadVpcs (): void {
  const startMs = performance.now()
  const fleet =
    new Fleet({ hosts: HOSTS, vpcs: 5000, enisPerVpc: 1, routesPerVpc: 1, withWorkers: false })
  const seconds = significant((performance.now() - startMs) / 1000)
  console.error(`5000 VPCs with ${String(fleet.routeCount)} routes load on ${String(HOSTS)} ` +
    `hosts in ${String(seconds)} s`)
  const before = fleet.built()
  const [table] = fleet.world.list('routeTable')
  if (table === undefined) return
  fleet.world.put('routeTable', { ...table, routes: table.routes.slice(0, -1) })
  const ms = significant(fleet.commit())
  const built = Object.entries(fleet.built())
    .map(([name, count]) => [name, count - before[name as keyof typeof before]] as const)
    .filter(([, count]) => count > 0).map(([name, count]) => `${String(count)} of ${name}`)
  console.error(`a route of one of them then builds ${built.join(', ')} (target: 1 of ` +
    `routeTables), in ${String(ms)} ms`)
}
