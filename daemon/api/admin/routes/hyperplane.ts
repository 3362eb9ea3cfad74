/** Who serves which HyperPlane resource, and how many flows each node owns. */
import { readNatCounts } from '../../../dataplane/counters.ts'
import { NAT_COUNT_ACTIVE } from '../../../dataplane/hyperplane/nat_counts.ts'
import type { HyperplaneAnswer } from '../contract.ts'
import type { AddRoutes } from '../route.ts'

export const addHyperplaneRoutes: AddRoutes = (server, { lab, replica }) => {
  server.get('/hyperplane', (): HyperplaneAnswer => {
    const { tables } = replica.snapshot
    return {
      nodes: (lab.hyperplane.cell?.nodes ?? []).map((name) =>
        ({ name, isUp: lab.hyperplane.cell?.isLive(name) ?? false })),
      shards: [...tables.hyperplaneShard.values()].map((record) => ({
        resource: tables.natGateway.by('networkInterfaceId', record.id)[0]?.id ?? record.id,
        networkInterfaceId: record.id,
        shard: record.shard,
        owners: record.owners,
        replicas: record.replicas,
        complete: record.complete,
        epoch: record.epoch,
        flows: lab.agents.reduce((sum, agent) => {
          const port = agent.compiler.portOf(record.id)
          return port === 0 ? sum
            : sum + (readNatCounts(agent.counters, port)[NAT_COUNT_ACTIVE] ?? 0)
        }, 0)
      }))
    }
  })
}
