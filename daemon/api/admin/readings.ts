/**
 * What the data plane of a host has counted, in the words of the admin API. All of it is read from
 * shared memory: nothing here asks the worker, which is busy with packets.
 */
import { eniBits, eniIdFromBits } from '../../base/ids.ts'
import type { HostAgent } from '../../host/agent.ts'
import { readNicCounters, readWorkerCounters } from '../../dataplane/counters.ts'
import { DROP_REASONS } from '../../dataplane/drop_reason.ts'
import { describeAction } from '../../dataplane/flow_reader.ts'
import { NIC_COUNTERS } from '../../tun/counters.ts'
import { protocolName } from '../../wire/ip_protocol.ts'
import type { DropsAnswer, FlowsAnswer } from './contract.ts'

const NIC_COUNTER_NAMES = NIC_COUNTERS.map((counter) => counter.name)
const ENI_ID = /^eni-0[0-9a-f]{16}$/
/** No ENI has it: ids are random, and this one is not given out. */
const NO_ENI = { high: 0, low: 0 }

/** Drops of one host, by ENI and reason. */
export function dropsOf (agent: HostAgent): DropsAnswer['drops'] {
  return agent.drops.list().map(({ networkInterfaceId, reason, packets }) => ({
    host: agent.host.id,
    eni: networkInterfaceId,
    reason: DROP_REASONS[reason]?.name ?? `reason-${String(reason)}`,
    meaning: DROP_REASONS[reason]?.meaning ?? '',
    packets
  }))
}

/**
 * Counters of the NIC by name, and those of the worker (dataplane/counters.ts) as `worker-<name>`.
 */
export function countersOf (agent: HostAgent): Record<string, number> {
  const counters = readNicCounters(agent.counters, NIC_COUNTER_NAMES)
  for (const [name, value] of Object.entries(readWorkerCounters(agent.counters))) {
    counters[`worker-${name.replaceAll('_', '-')}`] = value
  }
  return counters
}

/**
 * Flows of one host.
 * @param eni only those of this ENI; null for all
 */
export function flowsOf (
  agent: HostAgent, eni: string | null, limit: number
): FlowsAnswer['flows'] {
  const wanted = eni === null ? null : ENI_ID.test(eni) ? eniBits(eni) : NO_ENI
  const { compiler } = agent
  const nameOf = (hostIndex: number): string => compiler.idOf('host', hostIndex) ??
    `host number ${String(hostIndex)}`
  return agent.flowReader.list(
    limit, (high, low) => wanted === null || (high === wanted.high && low === wanted.low))
    .map((flow) => ({
      host: agent.host.id,
      eni: eniIdFromBits(flow.eniIdHigh, flow.eniIdLow),
      protocol: protocolName(flow.protocol),
      localAddress: flow.localAddress,
      localPort: flow.localPort,
      remoteAddress: flow.remoteAddress,
      remotePort: flow.remotePort,
      egressPackets: flow.egress.packets,
      egressBytes: flow.egress.bytes,
      ingressPackets: flow.ingress.packets,
      ingressBytes: flow.ingress.bytes,
      idleMs: flow.idleMs,
      egressAction: describeAction(flow.egress, nameOf),
      ingressAction: describeAction(flow.ingress, nameOf)
    }))
}
