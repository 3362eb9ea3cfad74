/**
 * A picture of the lab before it is written in a language: boxes in boxes, nodes in boxes, edges
 * between them. `mermaid.ts` and `dot.ts` write it.
 *
 *     underlay ▭ host-1, host-2
 *     VPC ▭ zone ▭ subnet ▭ ENI            subnet ──▶ its route table
 *         ▭ route tables, gateways          route table ──▶ the target of a route (red: blackhole)
 *     connections ▭ peerings, VPN connections, customer gateways       VPC ── peering ── VPC
 *                                           virtual private gateway ── VPN ── customer gateway
 *
 * Ids of a drawing are its own (`eni1`, `subnet2`): they need no escaping in any language, and a
 * picture without ids of resources is the same text each time a lab is built anew.
 */
import { oneLine } from '../print/one_line.ts'
import type {
  Graph, GraphConnections, GraphGateway, GraphHost, GraphInterface, GraphRouteTable, GraphSubnet,
  GraphVpc, GraphVpnConnection, GraphZone
} from './model.ts'

export type BoxKind = 'underlay' | 'vpc' | 'zone' | 'subnet' | 'connections'
export type NodeKind = 'host' | 'table' | 'gateway' | 'running' | 'idle' | 'empty'
export type EdgeKind = 'association' | 'route' | 'blackhole' | 'same-instance' | 'connection'

export interface Box {
  readonly id: string
  readonly kind: BoxKind
  readonly lines: readonly string[]
  readonly boxes: readonly Box[]
  readonly nodes: readonly Node[]
}

export interface Node {
  readonly id: string
  readonly kind: NodeKind
  readonly lines: readonly string[]
}

/** From and to are ids of nodes; `from` may be that of a box. */
export interface Edge {
  readonly from: string
  readonly to: string
  readonly kind: EdgeKind
  /** Empty for none. */
  readonly label: string
}

export interface Drawing {
  readonly title: string
  readonly boxes: readonly Box[]
  readonly edges: readonly Edge[]
}

export interface DrawingOptions {
  /** Whether ids of resources are written beside their names. */
  readonly ids: boolean
}

/** What no XML can hold, besides control characters and halves of surrogates. */
const NO_TEXT = /[\ufffe\uffff]/g

export function drawGraph (graph: Graph, options: DrawingOptions): Drawing {
  const draughtsman = new Draughtsman(options)
  return draughtsman.draw(graph)
}

class Draughtsman {
  readonly #options: DrawingOptions
  readonly #counts = new Map<string, number>()
  /** Id of a resource → id in the drawing. */
  readonly #drawn = new Map<string, string>()
  readonly #edges: Edge[] = []

  constructor (options: DrawingOptions) { this.#options = options }

  draw (graph: Graph): Drawing {
    const vpcs = graph.vpcs.map((vpc) => this.#vpc(vpc))
    const connections = this.#connections(graph.connections)
    for (const vpc of graph.vpcs) this.#connect(vpc)
    this.#join(graph.connections)
    const underlay = graph.hosts.length === 0 ? [] : [this.#underlay(graph.hosts)]
    return {
      title: text(`vpclab ${graph.lab}, ${graph.region}`),
      boxes: [...vpcs, ...connections.nodes.length === 0 ? [] : [connections], ...underlay],
      edges: this.#edges
    }
  }

  #underlay (hosts: readonly GraphHost[]): Box {
    return {
      id: 'underlay',
      kind: 'underlay',
      lines: ['underlay'],
      boxes: [],
      nodes: hosts.map(({ name, zoneId, underlayAddress, interfaces }) => ({
        id: this.#newId('host', name),
        kind: 'host',
        lines: texts([name, zoneId, underlayAddress,
          interfaces === 1 ? '1 ENI' : `${String(interfaces)} ENIs`])
      }))
    }
  }

  #vpc (vpc: GraphVpc): Box {
    return {
      id: this.#newId('vpc', vpc.id),
      kind: 'vpc',
      lines: texts([this.#label('VPC', vpc), vpc.cidrBlocks.join(', ')]),
      boxes: vpc.zones.map((zone) => this.#zone(zone)),
      nodes: [...vpc.routeTables.map((table) => this.#table(table)),
        ...vpc.gateways.map((gateway) => this.#gateway(gateway, []))]
    }
  }

  #connections (connections: GraphConnections): Box {
    const { peerings, vpnConnections, gateways, customerGateways } = connections
    return {
      id: 'connections',
      kind: 'connections',
      lines: ['connections'],
      boxes: [],
      nodes: [
        ...peerings.map((peering) => this.#gateway({ ...peering, kind: 'peering' },
          peering.state === 'active' ? [] : [peering.state])),
        ...vpnConnections.map((connection) =>
          this.#gateway({ ...connection, kind: 'VPN connection' }, this.#tunnels(connection))),
        ...gateways.map((gateway) => this.#gateway(gateway, [])),
        ...customerGateways.map(({ address, asn, ...gateway }) =>
          this.#gateway({ ...gateway, kind: 'customer gateway' }, [address, `ASN ${asn}`]))
      ]
    }
  }

  /** What is another one each time a lab is built is left out with the ids. */
  #tunnels ({ routing, tunnels }: GraphVpnConnection): string[] {
    return [
      `${routing} routes`,
      ...this.#options.ids
        ? tunnels.map(({ outsideAddress, insideCidr, isUp }, index) =>
            `tunnel ${String(index + 1)} ${outsideAddress} ${insideCidr} ${isUp ? 'up' : 'down'}`)
        : []
    ]
  }

  #zone (zone: GraphZone): Box {
    return {
      id: this.#newId('zone', ''),
      kind: 'zone',
      lines: texts([`${zone.zoneName} (${zone.zoneId})`]),
      boxes: zone.subnets.map((subnet) => this.#subnet(subnet)),
      nodes: []
    }
  }

  #subnet (subnet: GraphSubnet): Box {
    const nodes = subnet.interfaces.map((one) => this.#interface(one))
    return {
      id: this.#newId('subnet', subnet.id),
      kind: 'subnet',
      lines: texts([this.#label('subnet', subnet), subnet.cidrBlocks.join(', ')]),
      boxes: [],
      nodes: nodes.length > 0
        ? nodes
        : [{ id: this.#newId('empty', ''), kind: 'empty', lines: ['no ENI'] }]
    }
  }

  #gateway (gateway: GraphGateway, addresses: readonly string[]): Node {
    const label = this.#label(gateway.kind, gateway)
    return {
      id: this.#newId('gateway', gateway.id),
      kind: 'gateway',
      lines: texts([...label === gateway.kind ? [] : [gateway.kind], label, ...addresses])
    }
  }

  #interface (one: GraphInterface): Node {
    const { instance, natGateway } = one
    const addresses = [...one.addresses, ...one.publicAddresses.map((ip) => `public ${ip}`)]
    if (natGateway !== null) return this.#gateway(natGateway, addresses)
    const isUp = instance?.state === 'running'
    const where = instance === null
      ? 'not attached'
      : `${instance.state}${instance.host === null ? '' : ` on ${instance.host}`}`
    return {
      id: this.#newId('eni', one.id),
      kind: isUp ? 'running' : 'idle',
      lines: texts([
        ...instance === null ? [] : [this.#label('instance', instance)],
        where,
        (one.deviceIndex === null ? '' : `eth${String(one.deviceIndex)} `) +
          this.#label('ENI', one),
        ...addresses
      ])
    }
  }

  #table (table: GraphRouteTable): Node {
    return {
      id: this.#newId('table', table.id),
      kind: 'table',
      lines: texts([
        this.#label('route table', table) + (table.isMain ? ' (main)' : ''),
        ...table.routes.map(({ destination, target, state }) =>
          `${destination} → ${this.#target(target)}${state === 'active' ? '' : ' (blackhole)'}`)
      ])
    }
  }

  #connect (vpc: GraphVpc): void {
    for (const { subnets } of vpc.zones) {
      for (const { id, routeTableId, interfaces } of subnets) {
        this.#edge(id, routeTableId, 'association', '')
        for (const { id: eni, instance, deviceIndex } of interfaces) {
          if (instance === null || deviceIndex === 0) continue
          this.#edge(primaryOf(vpc, instance.id), eni, 'same-instance', '')
        }
      }
    }
    for (const { id, routes } of vpc.routeTables) {
      for (const { destination, target, state } of routes) {
        this.#edge(id, target, state === 'active' ? 'route' : 'blackhole', text(destination))
      }
    }
  }

  #join ({ peerings, vpnConnections }: GraphConnections): void {
    for (const { id, requesterVpcId, accepterVpcId } of peerings) {
      this.#edge(requesterVpcId, id, 'connection', 'requester')
      this.#edge(accepterVpcId, id, 'connection', 'accepter')
    }
    for (const { id, vpnGatewayId, customerGatewayId } of vpnConnections) {
      this.#edge(vpnGatewayId, id, 'connection', '')
      this.#edge(id, customerGatewayId, 'connection', '')
    }
  }

  /** Draws nothing where one end is not in the picture: a target that is gone, `local`. */
  #edge (from: string | null, to: string | null, kind: EdgeKind, label: string): void {
    const [fromId, toId] = [this.#drawn.get(from ?? ''), this.#drawn.get(to ?? '')]
    if (fromId === undefined || toId === undefined) return
    this.#edges.push({ from: fromId, to: toId, kind, label })
  }

  #label (word: string, { id, name }: { readonly id: string, readonly name: string }): string {
    if (!this.#options.ids) return name === '' ? word : name
    return name === '' ? id : `${name} ${id}`
  }

  #target (target: string): string {
    if (this.#options.ids || !target.includes('-')) return target
    return target.slice(0, target.lastIndexOf('-'))
  }

  #newId (prefix: string, resourceId: string): string {
    const count = (this.#counts.get(prefix) ?? 0) + 1
    this.#counts.set(prefix, count)
    const id = `${prefix}${String(count)}`
    if (resourceId !== '') this.#drawn.set(resourceId, id)
    return id
  }
}

function primaryOf (vpc: GraphVpc, instanceId: string): string | null {
  const interfaces = vpc.zones.flatMap(({ subnets }) =>
    subnets.flatMap((subnet) => subnet.interfaces))
  return interfaces.find(({ instance, deviceIndex }) =>
    instance?.id === instanceId && deviceIndex === 0)?.id ?? null
}

function texts (lines: readonly string[]): string[] {
  return lines.filter((line) => line !== '').map(text)
}

function text (line: string): string { return oneLine(line).toWellFormed().replace(NO_TEXT, '?') }
