/**
 * What the data plane of a host has counted, in the words of the admin API. All of it is read from
 * shared memory: nothing here asks the worker, which is busy with packets.
 */
import { type EniBits, eniBits, eniIdFromBits } from '../../base/ids.ts'
import type { HostAgent } from '../../host/agent.ts'
import { readNicCounters, readWorkerCounters } from '../../dataplane/counters.ts'
import { DROP_REASONS } from '../../dataplane/drop_reason.ts'
import { describeAction } from '../../dataplane/flow_reader.ts'
import { NIC_COUNTERS } from '../../tun/counters.ts'
import { protocolName } from '../../wire/ip_protocol.ts'
import type { Snapshot } from '../../model/snapshot.ts'
import type { DropsAnswer, FlowsAnswer } from './contract.ts'
import { dropAdvice } from './drop_advice.ts'
import { ownerOf } from './eni_owner.ts'

const NIC_COUNTER_NAMES = NIC_COUNTERS.map((counter) => counter.name)
const MEANINGS = new Map(DROP_REASONS.map(({ name, meaning }) => [name, meaning]))
const ENI_ID = /^eni-0[0-9a-f]{16}$/
/** No ENI has it: ids are random, and this one is not given out. */
const NO_ENI = { high: 0, low: 0 }

export interface DropCount {
  readonly eni: string | null
  /** Name in DROP_REASONS. */
  readonly reason: string
  readonly packets: number
}

/** Drops of one host, by ENI and reason: the bare counts. */
export function dropCountsOf (agent: HostAgent): DropCount[] {
  return agent.drops.list().map(({ networkInterfaceId, reason, packets }) =>
    ({ eni: networkInterfaceId, reason: reasonName(reason), packets }))
}

/** Drops of one host with what a person needs to understand them. */
export function dropsOf (agent: HostAgent, snapshot: Snapshot): DropsAnswer['drops'] {
  const host = agent.host.id
  return dropCountsOf(agent).map(({ eni, reason, packets }) => ({
    host,
    eni,
    ...ownerOf(snapshot, eni),
    reason,
    meaning: MEANINGS.get(reason) ?? '',
    advice: dropAdvice(snapshot, host, eni, reason),
    packets
  }))
}

function reasonName (reason: number): string {
  return DROP_REASONS[reason]?.name ?? `reason-${String(reason)}`
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

/** Which flows are wanted; undefined for all. */
export interface FlowFilter {
  readonly eni: string | undefined
  /** Those of every ENI of this instance. */
  readonly instance: string | undefined
  /** As protocolName writes it. */
  readonly protocol: string | undefined
}

/** Flows of one host. */
export function flowsOf (
  agent: HostAgent, snapshot: Snapshot, filter: FlowFilter, limit: number
): FlowsAnswer['flows'] {
  const { compiler } = agent
  const nameOf = (hostIndex: number): string => compiler.idOf('host', hostIndex) ??
    `host number ${String(hostIndex)}`
  return agent.flowReader.list(limit, acceptance(snapshot, filter)).map((flow) => {
    const eni = eniIdFromBits(flow.eniIdHigh, flow.eniIdLow)
    return {
      host: agent.host.id,
      eni,
      ...ownerOf(snapshot, eni),
      protocol: protocolName(flow.protocol),
      localAddress: flow.localAddress,
      localPort: flow.localPort,
      remoteAddress: flow.remoteAddress,
      remotePort: flow.remotePort,
      egressPackets: flow.egress.packets,
      egressBytes: flow.egress.bytes,
      ingressPackets: flow.ingress.packets,
      ingressBytes: flow.ingress.bytes,
      egressIcmpErrors: flow.egress.icmpErrors,
      ingressIcmpErrors: flow.ingress.icmpErrors,
      idleMs: flow.idleMs,
      egressAction: describeAction(flow.egress, nameOf),
      ingressAction: describeAction(flow.ingress, nameOf)
    }
  })
}

function acceptance (
  snapshot: Snapshot, { eni, instance, protocol }: FlowFilter
): (high: number, low: number, protocol: number) => boolean {
  const ids = instance === undefined
    ? null
    : snapshot.tables.networkInterface.by('attachment.instanceId', instance).map(({ id }) => id)
  const bits = ids === null
    ? eni === undefined ? null : [bitsOf(eni)]
    : ids.filter((id) => eni === undefined || id === eni).map(bitsOf)
  return (high, low, number) =>
    (bits === null || bits.some((one) => one.high === high && one.low === low)) &&
    (protocol === undefined || protocolName(number) === protocol)
}

function bitsOf (eni: string): EniBits { return ENI_ID.test(eni) ? eniBits(eni) : NO_ENI }
