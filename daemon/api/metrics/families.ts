/**
 * Every metric that a lab has, with its unit in its name and one sentence of help. docs/metrics.md
 * lists them, and tools/grafana/ draws them; a test holds the three together.
 *
 * Values come from counters that exist anyway (dataplane/counters.ts, tun/counters.ts) and are read
 * at a scrape: a metric costs the data plane nothing.
 */
import { WORKER_COUNTERS } from '../../dataplane/counters.ts'
import { NIC_COUNTERS } from '../../tun/counters.ts'
import type { Family } from './exposition.ts'

const HOST = ['host'] as const
const ENI = ['host', 'eni'] as const

function counter (name: string, labels: readonly string[], help: string): Family {
  return { name: `vpclab_${name}_total`, type: 'counter', help, labels }
}

function gauge (name: string, labels: readonly string[], help: string): Family {
  return { name: `vpclab_${name}`, type: 'gauge', help, labels }
}

// The lab.
export const LAB_INFO = gauge('lab_info', ['lab', 'region'], 'Always 1: which lab it is.')
export const STORE_REVISION = gauge('store_revision', [], 'Newest revision of the store.')
export const APPLIED_REVISION =
  gauge('applied_revision', HOST, 'Newest revision that is in force on the host.')
export const STORE_COMMITS =
  counter('store_commits', [], 'Transactions committed since the daemon started.')
export const STORE_CHANGES =
  counter('store_changes', [], 'Records written or removed by those transactions.')
export const RECORDS = gauge('records', ['noun'], 'Records of the store.')
export const RULES = gauge('policy_rules', ['kind'],
  'Rules of all security groups, and entries of all network ACLs.')
export const ENIS_TOGETHER = gauge('metrics_enis_together', [],
  'ENIs that have no series of their own, and are counted as eni="other".')

// Calls.
export const API_CALLS = counter('api_calls', ['service', 'action', 'code'],
  'Calls of the AWS endpoint; the code is OK or that of the refusal.')
export const API_SECONDS: Family = {
  name: 'vpclab_api_call_duration_seconds', type: 'histogram', labels: ['service', 'action'],
  help: 'Time from a call\'s arrival to its decision.'
}

// ENIs.
export const ENI_INFO = gauge('eni_info', [...ENI, 'eni_name', 'instance', 'instance_name'],
  'Always 1: whose ENI it is.')
export const EGRESS_PACKETS =
  counter('eni_egress_packets', ENI, 'Packets that left the ENI, as they are on a wire.')
export const EGRESS_BYTES =
  counter('eni_egress_bytes', ENI, 'Bytes that left the ENI, from the IP header on.')
export const INGRESS_PACKETS =
  counter('eni_ingress_packets', ENI, 'Packets that entered the ENI, as they are on a wire.')
export const INGRESS_BYTES =
  counter('eni_ingress_bytes', ENI, 'Bytes that entered the ENI, from the IP header on.')
export const ENI_FLOWS = gauge('eni_flows', ENI, 'Conversations of the ENI now.')
export const DROPPED_PACKETS = counter('dropped_packets', [...ENI, 'reason'],
  'Packets dropped, by reason; eni is empty where none can be named.')

// Tables.
export const TABLE_ENTRIES = gauge('table_entries', ['host', 'table'], 'Entries in use.')
export const TABLE_ENTRIES_MAX =
  gauge('table_entries_max', ['host', 'table'], 'Entries that the table has room for.')
export const MAPPING_EVENTS = counter('mapping_events', ['host', 'event'],
  'Shards preloaded, questions answered, those answered with nothing, answers corrected.')

export const NAT_COUNT = counter('nat_gateway', ['host', 'nat_gateway', 'count'],
  'What a HyperPlane node counted of a NAT gateway, by the name of CloudWatch\'s metric.')
export const NAT_ACTIVE = gauge('nat_gateway_active_connections', ['host', 'nat_gateway'],
  'Flows of a NAT gateway that a HyperPlane node owns now.')
// Threads.
export const WORKER_CPU = counter('worker_cpu_seconds', HOST,
  'CPU time of the data plane\'s thread: at work, and spinning for packets.')
export const WORKER_RESTARTS =
  gauge('worker_restarts', HOST, 'Times that the data plane\'s thread was lately started again.')
export const PROCESS_CPU: Family = {
  name: 'process_cpu_seconds_total', type: 'counter', labels: [],
  help: 'CPU time of the daemon with all its threads.'
}
export const PROCESS_MEMORY: Family = {
  name: 'process_resident_memory_bytes', type: 'gauge', labels: [],
  help: 'Resident memory of the daemon.'
}
export const PROCESS_START: Family = {
  name: 'process_start_time_seconds', type: 'gauge', labels: [],
  help: 'When the daemon started, seconds since 1970.'
}

export interface ScaledFamily {
  readonly family: Family
  /** Value = counter × scale. */
  readonly scale: number
}

type WorkerCounterName = (typeof WORKER_COUNTERS)[number]

/** Of each counter of a worker, in one sentence. A name in `_ms` becomes one in seconds. */
const WORKER_HELP: Readonly<Partial<Record<WorkerCounterName, string>>> = {
  fast_path_packets: 'Descriptors that a cached decision served.',
  slow_path_packets: 'Descriptors that took the slow path.',
  bursts: 'Passes of the loop that received something.',
  flow_table_full: 'Flows that found no room in the table: refused if tracked, else uncached.',
  flows_expired: 'Flows that ended by idling.',
  flows_live: 'Flows now.',
  parked_packets: 'Descriptors that waited for a mapping.',
  resolve_requests: 'Mappings asked of control.',
  icmp_errors_sent: 'ICMP "too big" answers.',
  icmp_errors_suppressed: 'ICMP answers not sent, for their rate or because none is allowed.',
  fragments_sent: 'IPv4 fragments made on the host.',
  table_updates: 'Updates of tables applied.',
  flow_ports_full: 'ENIs for which the flow file had no room.',
  flows_created: 'Flows that began.',
  mirrored_packets: 'Copies made by traffic mirroring.',
  held_packets: 'Descriptors that waited for other HyperPlane nodes.',
  nat_flows_live: 'Flows of HyperPlane resources on the node, copies included.',
  nat_flows_alone: 'Flows that began without a second node to keep a copy.',
  nat_copies_refused: 'Copies of flows for which the node had no room.',
  nat_retransmits: 'Datagrams between HyperPlane nodes that were sent again.',
  forwarded_packets: 'Packets for ENIs that had moved, sent on to their new host.',
  running_ms: 'Time since the data plane\'s thread began.',
  waiting_ms: 'Of that, time in bursts that found nothing at once: spinning or asleep.'
}

const GAUGES: readonly WorkerCounterName[] = ['flows_live', 'nat_flows_live']

/** In the order of WORKER_COUNTERS. */
export const WORKER_FAMILIES: readonly ScaledFamily[] = WORKER_COUNTERS.map((name) => {
  const help = WORKER_HELP[name] ?? `Worker counter ${name}.`
  if (GAUGES.includes(name)) return { family: gauge(`worker_${name}`, HOST, help), scale: 1 }
  return name.endsWith('_ms')
    ? { family: counter(`worker_${name.replace(/_ms$/, '_seconds')}`, HOST, help), scale: 1e-3 }
    : { family: counter(`worker_${name}`, HOST, help), scale: 1 }
})

/** In the order of NIC_COUNTERS. */
export const NIC_FAMILIES: readonly Family[] = NIC_COUNTERS.map(({ name, meaning }) =>
  counter(`nic_${name.replaceAll('-', '_')}`, HOST, meaning))

/** All of them, in the order in which docs/metrics.md has them. */
export const FAMILIES: readonly Family[] = [
  LAB_INFO, STORE_REVISION, APPLIED_REVISION, STORE_COMMITS, STORE_CHANGES, RECORDS, RULES,
  ENIS_TOGETHER, API_CALLS, API_SECONDS, ENI_INFO, EGRESS_PACKETS, EGRESS_BYTES, INGRESS_PACKETS,
  INGRESS_BYTES, ENI_FLOWS, DROPPED_PACKETS, NAT_COUNT, NAT_ACTIVE, TABLE_ENTRIES,
  TABLE_ENTRIES_MAX, MAPPING_EVENTS,
  WORKER_CPU, WORKER_RESTARTS, PROCESS_CPU, PROCESS_MEMORY, PROCESS_START,
  ...WORKER_FAMILIES.map(({ family }) => family), ...NIC_FAMILIES
]
