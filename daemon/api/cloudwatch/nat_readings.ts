/**
 * What the HyperPlane nodes have counted of each NAT gateway, for CloudWatch and for Prometheus:
 * one reading per gateway and node, since each node counts what passes it.
 */
import { readNatCounts } from '../../dataplane/counters.ts'
import { NAT_COUNTS } from '../../dataplane/hyperplane/nat_counts.ts'
import type { Lab } from '../../host/lab.ts'
import type { Snapshot } from '../../model/snapshot.ts'

export interface NatReading {
  readonly host: string
  readonly natGatewayId: string
  readonly accountId: string
  readonly region: string
  /** In the order of NAT_METRICS. */
  readonly values: readonly number[]
}

interface NatMetric {
  readonly name: string
  readonly unit: 'Bytes' | 'Count'
  /** True: a number of now; otherwise one that rises. */
  readonly isGauge: boolean
}

/** In the order of a reading's values. Names are AWS's. */
export const NAT_METRICS: readonly NatMetric[] =
  [...NAT_COUNTS, 'PacketsDropCount'].map((name) => ({
    name,
    unit: name.startsWith('Bytes') ? 'Bytes' : 'Count',
    isGauge: name === 'ActiveConnectionCount'
  }))

export function natReadings (lab: Lab, snapshot: Snapshot): NatReading[] {
  return [...snapshot.tables.natGateway.values()].flatMap((gateway) => {
    const eni = gateway.networkInterfaceId
    if (eni === null) return []
    return lab.agents.flatMap((agent) => {
      const port = agent.compiler.portOf(eni)
      if (port === 0 || !agent.host.roles.includes('hyperplane')) return []
      const dropped = agent.drops.list().filter(({ networkInterfaceId }) =>
        networkInterfaceId === eni).reduce((sum, { packets }) => sum + packets, 0)
      return [{
        host: agent.host.id,
        natGatewayId: gateway.id,
        accountId: gateway.ownerId,
        region: gateway.region,
        values: [...readNatCounts(agent.counters, port), dropped]
      }]
    })
  })
}
