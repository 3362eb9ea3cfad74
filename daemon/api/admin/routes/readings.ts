/** What the data plane and the mapping service know at this moment. */
import { DROP_REASONS } from '../../../dataplane/drop_reason.ts'
import type { Lab } from '../../../host/lab.ts'
import { parseAddress } from '../../../model/cidr.ts'
import { protocolName } from '../../../wire/ip_protocol.ts'
import type { CacheAnswer, DropsAnswer, FlowsAnswer, MappingAnswer } from '../contract.ts'
import { dropsOf, flowsOf } from '../readings.ts'
import { type AddRoutes, numberOf, type Query, Refusal } from '../route.ts'

/** Flows that one request is answered with, when it does not say. */
const FLOWS_DEFAULT = 1000
export const FLOWS_MAX = 100_000

export const addReadingRoutes: AddRoutes = (server, { lab, replica }) => {
  server.get<{ Querystring: Query }>('/drops', ({ query }): DropsAnswer => {
    const drops = lab.agents.flatMap((agent) => dropsOf(agent, replica.snapshot))
    const { eni } = query
    const reason = reasonOf(query)
    return {
      drops: drops.filter((drop) =>
        (eni ?? drop.eni) === drop.eni && (reason ?? drop.reason) === drop.reason)
    }
  })
  server.get<{ Querystring: Query }>('/flows', ({ query }): FlowsAnswer => {
    const limit = numberOf(query, 'limit', FLOWS_DEFAULT, FLOWS_MAX)
    const { eni, instance, host } = query
    const protocol = protocolOf(query)
    const flows = lab.agents.filter((agent) => host === undefined || agent.host.id === host)
      .flatMap((agent) => flowsOf(agent, replica.snapshot, { eni, instance, protocol }, limit))
    return { flows: flows.slice(0, limit) }
  })
  server.get<{ Querystring: Query }>('/mapping', ({ query }): MappingAnswer =>
    mappingOf(lab, query))
  server.get('/cache', (): CacheAnswer =>
    ({ hosts: lab.agents.map((agent) => agent.cacheStatistics()) }))
}

/** @throws Refusal InvalidParameterValue for a reason that is none */
function reasonOf ({ reason }: Query): string | undefined {
  const names = DROP_REASONS.slice(1).map(({ name }) => name)
  if (reason === undefined || names.includes(reason)) return reason
  throw new Refusal(400, 'InvalidParameterValue',
    `The value "${reason}" of reason is not one of ${names.join(', ')}`)
}

/**
 * The protocol as protocolName writes it, from that name or from its number.
 * @throws Refusal InvalidParameterValue
 */
function protocolOf ({ protocol }: Query): string | undefined {
  if (protocol === undefined) return undefined
  const names = Array.from({ length: 256 }, (_, number) => protocolName(number))
  const name = /^\d+$/.test(protocol) ? names[Number(protocol)] : protocol.toLowerCase()
  if (name !== undefined && names.includes(name)) return name
  throw new Refusal(400, 'InvalidParameterValue', `The value "${protocol}" of protocol is not ` +
    `${names.filter((one) => !/^\d/.test(one)).join(', ')} or a number up to 255`)
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
