/**
 * Gateways: where they are served, for the hosts that send to them; and as ports, for the hosts
 * that serve them.
 *
 *     every host of the VPC   VpcData.gateways: id → group of hosts, MTU
 *     each edge               PortData: what comes to the gateway's id is taken up here
 */
import { idBits, idFromBits } from '../base/ids.ts'
import {
  PORT_KIND_EGRESS_ONLY, PORT_KIND_INTERNET_GATEWAY, PORT_KIND_NAT_GATEWAY, PORT_KIND_VPN_GATEWAY
} from '../dataplane/tables/update.ts'
import type { PortData } from '../dataplane/tables/update.ts'
import { INTERNET_MTU } from '../dataplane/steps/internet_gateway.ts'
import { shardGroup } from '../mapping/shard_group.ts'
import { internetGatewayOf } from '../model/internet_gateway.ts'
import { routeTableOfGateway } from '../model/route_table.ts'
import type { RouteTable } from '../model/route_table.ts'
import { networkOfGateway, vpnGatewayOf } from '../model/vpn_gateway.ts'
import type { CompileContext, Mark, UpdateDraft } from './compiled_table.ts'
import { EDGE_GROUP, tunnelGroup } from './host_group_table.ts'

/**
 * Largest packet to a virtual private gateway, bytes: what a tunnel's outside takes. The tunnel
 * itself takes less, and fragments; it does not say so (no path MTU discovery over a VPN).
 */
const VPN_MTU = 1500

const GATEWAY_ID = /^(?:igw|eigw|vgw)-/

/** Whether the key of a port is a gateway's id, not an ENI's. */
export function isGatewayId (id: string): boolean { return GATEWAY_ID.test(id) }

/** [n × GATEWAY_WORDS] gateways of a VPC, or of a gateway's own network, for VpcData. */
export function gatewaysOf (vpcId: string, { snapshot, indexes }: CompileContext): Uint32Array {
  const edges = indexes.host.indexOf(EDGE_GROUP)
  const gateways: number[] = []
  const internet = internetGatewayOf(snapshot, vpcId)
  if (internet !== undefined) {
    const { high, low } = idBits(internet.id)
    gateways.push(high, low, edges, INTERNET_MTU, edges)
  }
  for (const { id } of snapshot.tables.egressOnlyInternetGateway.by('vpcId', vpcId)) {
    const { high, low } = idBits(id)
    gateways.push(high, low, indexes.host.indexOf(shardGroup(id)), INTERNET_MTU, edges)
  }
  const vpn = vpnGatewayOf(snapshot, vpcId) ?? snapshot.tables.vpnGateway.get(vpcId)
  if (vpn !== undefined) {
    const { high, low } = idBits(vpn.id)
    gateways.push(high, low, indexes.host.indexOf(tunnelGroup(vpn.id)), VPN_MTU, edges)
  }
  return Uint32Array.from(gateways)
}

/** As CompiledTable.build. */
export function buildGatewayPort (
  key: string, context: CompileContext, draft: UpdateDraft
): string | null {
  const { hostName, snapshot, directory, indexes } = context
  const { egressOnlyInternetGateway, internetGateway, vpnGateway } = snapshot.tables
  const vpn = vpnGateway.get(key)
  const vpcId = vpn !== undefined ? networkOfGateway(vpn)
    : (egressOnlyInternetGateway.get(key) ?? internetGateway.get(key))?.vpcId ?? null
  if (vpcId === null || !isServedHere(key, vpcId, hostName, directory)) return null
  const vpcIndex = indexes.vpc.indexOf(vpcId)
  const portIndex = vpcIndex === 0 ? 0 : indexes.port.ensure(key)
  if (portIndex === 0) return null
  const { high: eniIdHigh, low: eniIdLow } = idBits(key)
  const table = routeTableOfGateway(snapshot, vpcId, key)
  draft.ports.push({
    portIndex,
    kind: kindOf(key),
    eniIdHigh,
    eniIdLow,
    vpcIndex,
    subnetIndex: 0,
    routeTableIndex: table === undefined ? 0 : indexes.routeTable.indexOf(table.id),
    sourceDestCheck: false,
    addresses: new Uint32Array(0),
    mtu: key.startsWith('vgw-') ? VPN_MTU : INTERNET_MTU,
    securityGroups: new Uint32Array(0),
    tcpEstablishedTimeoutS: 0,
    udpStreamTimeoutS: 0,
    udpTimeoutS: 0
  })
  return vpcId
}

/** PORT_KIND_* of a gateway, by its id. */
function kindOf (id: string): number {
  if (id.startsWith('igw-')) return PORT_KIND_INTERNET_GATEWAY
  return id.startsWith('vgw-') ? PORT_KIND_VPN_GATEWAY : PORT_KIND_EGRESS_ONLY
}

/** Marks gateways that a route table has come to, or has left. */
export function noteGatewayTable (
  previous: RouteTable | null, record: RouteTable | null, mark: Mark
): void {
  for (const table of [previous, record]) {
    for (const { gatewayId } of table?.associations ?? []) if (gatewayId !== null) mark(gatewayId)
  }
}

function isServedHere (
  id: string, vpcId: string, hostName: string, directory: CompileContext['directory']
): boolean {
  for (const port of directory.interfacesOn(hostName, vpcId)) if (port === id) return true
  return false
}

/** Id of the record behind a port. */
export function recordOfPort (
  { kind, eniIdHigh, eniIdLow }: Pick<PortData, 'kind' | 'eniIdHigh' | 'eniIdLow'>
): string {
  switch (kind) {
    case PORT_KIND_INTERNET_GATEWAY: return idFromBits('igw', eniIdHigh, eniIdLow)
    case PORT_KIND_EGRESS_ONLY: return idFromBits('eigw', eniIdHigh, eniIdLow)
    case PORT_KIND_VPN_GATEWAY: return idFromBits('vgw', eniIdHigh, eniIdLow)
    case PORT_KIND_NAT_GATEWAY: // served under the id of its ENI
    default: return idFromBits('eni', eniIdHigh, eniIdLow)
  }
}
