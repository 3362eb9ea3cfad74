/**
 * Route tables of the VPCs that the host holds. What a route comes to (`routeState`) is decided
 * here, at compile time: a table is built again when an ENI that it names is attached, detached or
 * deleted, or its instance starts or stops, and when a prefix list that it names changes. Which
 * route has a prefix that several want: model/route_order.ts.
 *
 * A gateway adds its target kind in `addTarget`, and in `note` what makes its state change.
 */
import { idBits } from '../base/ids.ts'
import {
  TARGET_BLACKHOLE, TARGET_GATEWAY, TARGET_LOCAL, TARGET_NETWORK_INTERFACE, TARGET_PEERING
} from '../dataplane/tables/update.ts'
import { cidrPrefix } from '../mapping/prefix.ts'
import { changesField } from '../model/commit_feed.ts'
import { isPrefixListId } from '../model/prefix_list_reference.ts'
import { effectiveRoutes } from '../model/route_order.ts'
import { routeState, targetId } from '../model/route_target.ts'
import type { RouteTarget } from '../model/route_target.ts'
import type { Route, RouteTable } from '../model/route_table.ts'
import { otherSide } from '../model/vpc_peering.ts'
import { heldVpcIndex, packPrefixes } from './compiled_table.ts'
import type { CompileContext, CompiledTable } from './compiled_table.ts'
import { vpnGatewaysOf } from './vpn_table.ts'

export const routeTableTable: CompiledTable = {
  name: 'routeTables',

  note (change, { directory, routeTargets, snapshot }, mark) {
    if (change.noun === 'routeTable') {
      if (changesField<'routeTable'>(change, ['routes', 'propagatingVgwIds'])) mark(change.id)
    } else if (change.noun === 'prefixList') {
      if (!changesField<'prefixList'>(change, ['entries'])) return
      for (const id of routeTargets.sourcesOf(change.id)) mark(id)
    } else if (change.noun === 'networkInterface') {
      if (!changesField<'networkInterface'>(change, ['attachment'])) return
      for (const id of routeTargets.sourcesOf(change.id)) mark(id)
    } else if (change.noun === 'vpcPeeringConnection') {
      if (!changesField<'vpcPeeringConnection'>(change, ['status'])) return
      for (const id of routeTargets.sourcesOf(change.id)) mark(id)
    } else if (change.noun === 'internetGateway') {
      if (!changesField<'internetGateway'>(change, ['vpcId'])) return
      for (const id of routeTargets.sourcesOf(change.id)) mark(id)
    } else if (change.noun === 'vpnGateway') {
      if (!changesField<'vpnGateway'>(change, ['vpcId'])) return
      for (const id of routeTargets.sourcesOf(change.id)) mark(id)
    } else if (change.noun === 'vpnConnection' || change.noun === 'ipsecSession' ||
      change.noun === 'bgpSession') {
      for (const gatewayId of vpnGatewaysOf(change, snapshot)) {
        for (const id of routeTargets.sourcesOf(gatewayId)) mark(id)
      }
    } else if (change.noun === 'egressOnlyInternetGateway') {
      if (change.record !== null && change.previous !== null) return
      for (const id of routeTargets.sourcesOf(change.id)) mark(id)
    } else if (change.noun === 'natGateway') {
      if (!changesField<'natGateway'>(change, ['state', 'networkInterfaceId'])) return
      for (const id of routeTargets.sourcesOf(change.id)) mark(id)
    } else if (change.noun === 'instance') {
      if (!changesField<'instance'>(change, ['hostName', 'goal', 'state'])) return
      for (const eniId of directory.interfacesOfInstance(change.id)) {
        for (const id of routeTargets.sourcesOf(eniId)) mark(id)
      }
    }
  },

  keysOf (vpcId, { snapshot }) {
    return snapshot.tables.routeTable.by('vpcId', vpcId).map((table) => table.id)
  },

  build (key, context, draft) {
    const { snapshot, indexes, routeTargets } = context
    const table = snapshot.tables.routeTable.get(key)
    if (table === undefined || heldVpcIndex(table.vpcId, context) === 0) return null
    const routeTableIndex = indexes.routeTable.ensure(key)
    if (routeTableIndex === 0) return null
    const routes = effectiveRoutes(snapshot, table)
    const targets = new TargetList(routes.length, table.vpcId, context)
    for (const { route } of routes) {
      targets.add(route, routeState(snapshot, table.vpcId, route) === 'blackhole')
    }
    routeTargets.set(key, namesOf(table))
    draft.routeTables.push({
      routeTableIndex,
      vpcIndex: indexes.vpc.indexOf(table.vpcId),
      destinations: packPrefixes(routes.map(({ cidr }) => cidrPrefix(cidr))),
      targetKind: targets.kinds,
      targetArgument: targets.arguments,
      targetEnis: targets.packEnis()
    })
    return table.vpcId
  },

  remove (key, { indexes, routeTargets, revision }, draft) {
    routeTargets.delete(key)
    draft.removedRouteTables.push(indexes.routeTable.retire(key, revision))
  }
}

/** TARGET_* of a target that is up. */
function kindOf (target: RouteTarget): number {
  switch (target.kind) {
    case 'local': return TARGET_LOCAL
    case 'network-interface': case 'nat-gateway': return TARGET_NETWORK_INTERFACE
    case 'internet-gateway': case 'egress-only-internet-gateway': case 'vpn-gateway':
      return TARGET_GATEWAY
    case 'vpc-peering-connection': return TARGET_PEERING
  }
}

/**
 * Targets, propagating gateways and prefix lists that a table names, those without effect included.
 */
function namesOf ({ routes, propagatingVgwIds = [] }: RouteTable): string[] {
  const names = routes.flatMap(({ destination, target }) => [
    ...isPrefixListId(destination) ? [destination] : [],
    ...[targetId(target) ?? []].flat()
  ])
  return [...new Set([...names, ...propagatingVgwIds])]
}

/** The targets of a table's effective routes, each once. */
class TargetList {
  /** ENIs and gateways that routes name, blackholes included. */
  readonly eniIds: string[] = []
  readonly kinds: Uint8Array
  readonly arguments: Uint32Array
  #count = 0

  readonly #vpcId: string
  readonly #context: CompileContext

  constructor (routeCount: number, vpcId: string, context: CompileContext) {
    this.#vpcId = vpcId
    this.#context = context
    this.kinds = new Uint8Array(routeCount)
    this.arguments = new Uint32Array(routeCount)
  }

  add (route: Route, isBlackhole: boolean): void {
    const at = this.#count++
    const argument = this.#argumentOf(route.target)
    const isLost = route.target.kind === 'vpc-peering-connection' && argument === 0
    this.kinds[at] = isBlackhole || isLost ? TARGET_BLACKHOLE : kindOf(route.target)
    if (this.kinds[at] !== TARGET_BLACKHOLE) this.arguments[at] = argument
  }

  packEnis (): Uint32Array {
    return Uint32Array.from(this.eniIds.flatMap((id) => {
      const { high, low } = idBits(id)
      return [high, low]
    }))
  }

  /** Index of a peer VPC, position of any other target. */
  #argumentOf (target: RouteTarget): number {
    if (target.kind === 'vpc-peering-connection') {
      return this.#peerIndex(target.vpcPeeringConnectionId)
    }
    const id = this.#placeOf(target)
    return id === null ? 0 : this.#positionOf(id)
  }

  /** What packets are sent to: of a NAT gateway, its ENI. */
  #placeOf (target: RouteTarget): string | null {
    if (target.kind !== 'nat-gateway') return targetId(target)
    return this.#context.snapshot.tables.natGateway.get(target.natGatewayId)
      ?.networkInterfaceId ?? null
  }

  /** @returns index of the VPC at the other end, or 0 */
  #peerIndex (peeringId: string): number {
    const { snapshot, indexes } = this.#context
    const peering = snapshot.tables.vpcPeeringConnection.get(peeringId)
    return peering === undefined ? 0
      : indexes.vpc.indexOf(otherSide(peering, this.#vpcId).vpcId)
  }

  #positionOf (eniId: string): number {
    const known = this.eniIds.indexOf(eniId)
    return known === -1 ? this.eniIds.push(eniId) - 1 : known
  }
}
