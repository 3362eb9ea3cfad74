/**
 * The metrics of a lab at one moment. Everything is read where it is counted: shared memory of the
 * workers, the flow files, the snapshot of the store; nothing here asks a worker.
 *
 *     hosts of the lab ─┬─ counters of worker and NIC ─┐
 *                       ├─ ENIs: traffic, drops, flows ├─▶ Exposition
 *     store, calls ─────┴──────────────────────────────┘
 *
 * ENIs beyond METRIC_ENIS_MAX share the series eni="other", so that sums stay right.
 */
import type { Clock } from '../../base/clock.ts'
import { readNicCounters, readWorkerCounters, WORKER_COUNTERS } from '../../dataplane/counters.ts'
import { PORTS_MAX } from '../../dataplane/tables/port_table.ts'
import type { HostAgent } from '../../host/agent.ts'
import type { Lab } from '../../host/lab.ts'
import { NOUNS } from '../../model/snapshot.ts'
import type { Snapshot } from '../../model/snapshot.ts'
import type { Replica } from '../../store/replica.ts'
import { NIC_COUNTERS } from '../../tun/counters.ts'
import { NAT_METRICS, natReadings } from '../cloudwatch/nat_readings.ts'
import type { EniTraffic } from '../admin/contract.ts'
import { dropCountsOf } from '../admin/readings.ts'
import { eniTraffic } from '../admin/routes/traffic.ts'
import type { CallMetrics } from './call_metrics.ts'
import { Exposition } from './exposition.ts'
import type { Family } from './exposition.ts'
import * as families from './families.ts'

/** ENIs with series of their own, about ten each. */
export const METRIC_ENIS_MAX = 2000
/** In place of the id of an ENI that has no series of its own. */
const OTHER_ENIS = 'other'
const NIC_COUNTER_NAMES = NIC_COUNTERS.map(({ name }) => name)

export interface MetricsSources {
  readonly lab: Lab
  readonly replica: Replica
  readonly clock: Clock
  readonly region: string
  readonly calls: CallMetrics
}

/** Commits since the daemon started; the store knows its revision alone. */
export class CommitCounts {
  commits = 0
  changes = 0

  constructor (replica: Replica) {
    replica.onCommit((_revision, changes) => {
      this.commits++
      this.changes += changes.length
    })
  }
}

/** @returns the answer to a scrape */
export async function collectMetrics (
  sources: MetricsSources, commits: CommitCounts): Promise<string> {
  const { lab, calls } = sources
  const page = new Exposition()
  addLab(page, sources, commits)
  calls.writeTo(page)
  const cpuUs = await Promise.all(lab.agents.map((agent) => agent.cpuUs()))
  lab.agents.forEach((agent, index) => { addHost(page, agent, cpuUs[index] ?? null) })
  addEnis(page, lab.agents, sources.replica.snapshot)
  addNatGateways(page, lab, sources.replica.snapshot)
  addProcess(page, sources.clock)
  return page.text()
}

function addLab (
  page: Exposition, { lab, replica, region }: MetricsSources, commits: CommitCounts
): void {
  const { revision, tables } = replica.snapshot
  page.add(families.LAB_INFO, [lab.name, region], 1)
  page.add(families.STORE_REVISION, [], revision)
  page.add(families.STORE_COMMITS, [], commits.commits)
  page.add(families.STORE_CHANGES, [], commits.changes)
  for (const noun of NOUNS) page.add(families.RECORDS, [noun], tables[noun].size)
  let groupRules = 0
  for (const { rules } of tables.securityGroup.values()) groupRules += rules.length
  let aclEntries = 0
  for (const { entries } of tables.networkAcl.values()) aclEntries += entries.length
  page.add(families.RULES, ['security-group'], groupRules)
  page.add(families.RULES, ['network-acl'], aclEntries)
}

function addHost (page: Exposition, agent: HostAgent, cpuUs: number | null): void {
  const host = agent.host.id
  page.add(families.APPLIED_REVISION, [host], agent.appliedRevision)
  if (cpuUs !== null) page.add(families.WORKER_CPU, [host], cpuUs / 1e6)
  page.add(families.WORKER_RESTARTS, [host], agent.workerRestarts)
  const worker = readWorkerCounters(agent.counters)
  families.WORKER_FAMILIES.forEach(({ family, scale }, index) => {
    page.add(family, [host], (worker[WORKER_COUNTERS[index] ?? ''] ?? 0) * scale)
  })
  const nic = readNicCounters(agent.counters, NIC_COUNTER_NAMES)
  families.NIC_FAMILIES.forEach((family, index) => {
    page.add(family, [host], nic[NIC_COUNTER_NAMES[index] ?? ''] ?? 0)
  })
  addTables(page, agent, worker['flows_live'] ?? 0)
}

function addTables (page: Exposition, agent: HostAgent, flows: number): void {
  const host = agent.host.id
  const { mappings, preloads, resolves, negative, invalidations } = agent.cacheStatistics()
  for (const [table, entries] of Object.entries({ flows, ports: agent.openPortCount, mappings })) {
    page.add(families.TABLE_ENTRIES, [host, table], entries)
  }
  // Mappings have no bound of their own: docs/limits.md bounds what is preloaded, and what is kept.
  page.add(families.TABLE_ENTRIES_MAX, [host, 'flows'], agent.flowCapacity)
  page.add(families.TABLE_ENTRIES_MAX, [host, 'ports'], PORTS_MAX - 1)
  for (const [event, count] of Object.entries({ preloads, resolves, negative, invalidations })) {
    page.add(families.MAPPING_EVENTS, [host, event], count)
  }
}

/** Sums of a counter by its labels: several ENIs may share a series. */
class Sums {
  readonly #sums = new Map<string, { readonly values: readonly string[], sum: number }>()

  add (values: readonly string[], amount: number): void {
    const key = values.join(' ')
    const entry = this.#sums.get(key) ?? { values, sum: 0 }
    entry.sum += amount
    this.#sums.set(key, entry)
  }

  writeTo (page: Exposition, family: Family): void {
    for (const { values, sum } of this.#sums.values()) page.add(family, values, sum)
  }
}

const OF_EACH_ENI: readonly (readonly [Family, (eni: EniTraffic) => number])[] = [
  [families.EGRESS_PACKETS, (eni) => eni.egressPackets],
  [families.EGRESS_BYTES, (eni) => eni.egressBytes],
  [families.INGRESS_PACKETS, (eni) => eni.ingressPackets],
  [families.INGRESS_BYTES, (eni) => eni.ingressBytes],
  [families.ENI_FLOWS, (eni) => eni.flows]
]

function addEnis (page: Exposition, agents: readonly HostAgent[], snapshot: Snapshot): void {
  const traffic = agents.flatMap((agent) => eniTraffic(agent, snapshot))
  const drops = agents.flatMap((agent) =>
    dropCountsOf(agent).map((drop) => ({ host: agent.host.id, ...drop })))
  const ids = new Set([...traffic, ...drops].map(({ eni }) => eni).filter((eni) => eni !== null))
  const named = new Set([...ids].toSorted().slice(0, METRIC_ENIS_MAX))
  const labelOf = (eni: string): string => named.has(eni) ? eni : OTHER_ENIS
  page.add(families.ENIS_TOGETHER, [], ids.size - named.size)
  for (const { host, eni, eniName, instance, instanceName } of traffic) {
    if (!named.has(eni)) continue
    page.add(families.ENI_INFO, [host, eni, eniName, instance ?? '', instanceName], 1)
  }
  for (const [family, valueOf] of OF_EACH_ENI) {
    const sums = new Sums()
    for (const eni of traffic) sums.add([eni.host, labelOf(eni.eni)], valueOf(eni))
    sums.writeTo(page, family)
  }
  const sums = new Sums()
  for (const { host, eni, reason, packets } of drops) {
    sums.add([host, eni === null ? '' : labelOf(eni), reason], packets)
  }
  sums.writeTo(page, families.DROPPED_PACKETS)
}

function addNatGateways (page: Exposition, lab: Lab, snapshot: Snapshot): void {
  for (const { host, natGatewayId, values } of natReadings(lab, snapshot)) {
    NAT_METRICS.forEach(({ name, isGauge }, at) => {
      if (isGauge) page.add(families.NAT_ACTIVE, [host, natGatewayId], values[at] ?? 0)
      else page.add(families.NAT_COUNT, [host, natGatewayId, name], values[at] ?? 0)
    })
  }
}

function addProcess (page: Exposition, clock: Clock): void {
  const { user, system } = process.cpuUsage()
  page.add(families.PROCESS_CPU, [], (user + system) / 1e6)
  page.add(families.PROCESS_MEMORY, [], process.memoryUsage.rss())
  page.add(families.PROCESS_START, [], clock.nowMs() / 1000 - process.uptime())
}
