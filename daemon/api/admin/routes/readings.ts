/** What the data plane and the mapping service know at this moment. */
import type { Lab } from '../../../host/lab.ts'
import { parseAddress } from '../../../model/cidr.ts'
import type { CacheAnswer, DropsAnswer, FlowsAnswer, MappingAnswer } from '../contract.ts'
import { dropsOf, flowsOf } from '../readings.ts'
import { type AddRoutes, numberOf, type Query, Refusal } from '../route.ts'

/** Flows that one request is answered with, when it does not say. */
const FLOWS_DEFAULT = 1000
export const FLOWS_MAX = 100_000

export const addReadingRoutes: AddRoutes = (server, { lab }) => {
  server.get<{ Querystring: Query }>('/drops', ({ query }): DropsAnswer => {
    const drops = lab.agents.flatMap((agent) => dropsOf(agent))
    const { eni } = query
    return { drops: eni === undefined ? drops : drops.filter((drop) => drop.eni === eni) }
  })
  server.get<{ Querystring: Query }>('/flows', ({ query }): FlowsAnswer => {
    const limit = numberOf(query, 'limit', FLOWS_DEFAULT, FLOWS_MAX)
    const flows = lab.agents.flatMap((agent) => flowsOf(agent, query['eni'] ?? null, limit))
    return { flows: flows.slice(0, limit) }
  })
  server.get<{ Querystring: Query }>('/mapping', ({ query }): MappingAnswer =>
    mappingOf(lab, query))
  server.get('/cache', (): CacheAnswer =>
    ({ hosts: lab.agents.map((agent) => agent.cacheStatistics()) }))
}

function mappingOf (lab: Lab, query: Query): MappingAnswer {
  const vpc = query['vpc'] ?? ''
  const address = query['address'] ?? ''
  if (parseAddress(address) === null) throw new Refusal(
    400, 'InvalidParameterValue', `"${address}" is not an IP address`)
  const entry = lab.directory.resolve(vpc, address)
  if (entry === null) throw new Refusal(
    404, 'NotFound', `No interface of ${vpc} that runs has the address ${address}`)
  return {
    vpc,
    address,
    eni: entry.networkInterfaceId,
    host: entry.hostName,
    underlayAddress: entry.underlayAddress,
    subnet: entry.subnetId,
    macAddress: entry.macAddress,
    generation: entry.generation
  }
}
