/** What passes: counters of every ENI and host at one moment. Rates are the reader's to make. */
import { eniIdFromBits } from '../../../base/ids.ts'
import { readTraffic } from '../../../dataplane/counters.ts'
import type { HostAgent } from '../../../host/agent.ts'
import type { Snapshot } from '../../../model/snapshot.ts'
import type { EniTraffic, HostTraffic, TrafficAnswer } from '../contract.ts'
import { ownerOf } from '../eni_owner.ts'
import { countersOf, dropCountsOf } from '../readings.ts'
import type { AddRoutes } from '../route.ts'

export const addTrafficRoutes: AddRoutes = (server, { lab, replica, clock }) => {
  server.get('/traffic', async (): Promise<TrafficAnswer> => {
    const cpuUs = await Promise.all(lab.agents.map((agent) => agent.cpuUs()))
    return {
      timeMs: clock.nowMs(),
      monotonicMs: clock.monotonicMs(),
      hosts: lab.agents.map((agent, index) => hostTraffic(agent, cpuUs[index] ?? null)),
      enis: lab.agents.flatMap((agent) => eniTraffic(agent, replica.snapshot))
    }
  })
}

function hostTraffic (agent: HostAgent, cpuUs: number | null): HostTraffic {
  const counters = countersOf(agent)
  const counter = (name: string): number => counters[name] ?? 0
  const drops: Record<string, number> = {}
  for (const { reason, packets } of dropCountsOf(agent)) {
    drops[reason] = (drops[reason] ?? 0) + packets
  }
  return {
    host: agent.host.id,
    zoneId: agent.host.zoneId,
    wireMode: agent.wireMode,
    cpuUs,
    flows: counter('worker-flows-live'),
    underlayTxPackets: counter('underlay-tx-packets'),
    underlayTxBytes: counter('underlay-tx-bytes'),
    underlayRxPackets: counter('underlay-rx-packets'),
    underlayRxBytes: counter('underlay-rx-bytes'),
    fastPathPackets: counter('worker-fast-path-packets'),
    slowPathPackets: counter('worker-slow-path-packets'),
    drops
  }
}

/** Every ENI that has a port on the host now. */
export function eniTraffic (agent: HostAgent, snapshot: Snapshot): EniTraffic[] {
  const drops = new Map<string | null, Record<string, number>>()
  for (const { eni, reason, packets } of dropCountsOf(agent)) {
    drops.set(eni, { ...drops.get(eni), [reason]: packets })
  }
  const flows = new Map(agent.flowReader.countByEni().map((entry) =>
    [eniIdFromBits(entry.eniIdHigh, entry.eniIdLow), entry.flows]))
  return snapshot.tables.instance.by('hostName', agent.host.id)
    .flatMap(({ id }) => snapshot.tables.networkInterface.by('attachment.instanceId', id))
    .flatMap(({ id: eni }) => {
      const port = agent.compiler.portOf(eni)
      return port === 0
        ? []
        : [{
            host: agent.host.id,
            eni,
            ...ownerOf(snapshot, eni),
            ...readTraffic(agent.counters, port),
            flows: flows.get(eni) ?? 0,
            drops: drops.get(eni) ?? {}
          }]
    })
}
