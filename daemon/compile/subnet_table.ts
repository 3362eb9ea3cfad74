/** Subnets of the VPCs that the host holds: their blocks, their router, their tables. */
import { cidrPrefix, wordAt } from '../mapping/prefix.ts'
import type { Prefix } from '../mapping/prefix.ts'
import { changesField } from '../model/commit_feed.ts'
import { networkAclOfSubnet } from '../model/network_acl.ts'
import { routeTableOfSubnet } from '../model/route_table.ts'
import type { RouteTable } from '../model/route_table.ts'
import type { Subnet } from '../model/subnet.ts'
import { packPrefixes } from './compiled_table.ts'
import type { CompileContext, CompiledTable, Mark } from './compiled_table.ts'

export const subnetTable: CompiledTable = {
  name: 'subnets',

  note (change, context, mark) {
    if (change.noun === 'subnet') {
      if (changesField<'subnet'>(change, ['cidrBlock', 'ipv6CidrBlocks'])) mark(change.id)
    } else if (change.noun === 'routeTable') {
      noteAssociations(change.previous, change.record, context, mark)
    } else if (change.noun === 'networkAcl') {
      if (!changesField<'networkAcl'>(change, ['associations'])) return
      for (const { subnetId } of change.previous?.associations ?? []) mark(subnetId)
      for (const { subnetId } of change.record?.associations ?? []) mark(subnetId)
    }
  },

  keysOf (vpcId, { snapshot }) {
    return snapshot.tables.subnet.by('vpcId', vpcId).map((subnet) => subnet.id)
  },

  build (key, context, draft) {
    const { snapshot, indexes } = context
    const subnet = snapshot.tables.subnet.get(key)
    if (subnet === undefined || indexes.vpc.indexOf(subnet.vpcId) === 0) return null
    const subnetIndex = indexes.subnet.ensure(key)
    if (subnetIndex === 0) return null
    const ipv4 = subnet.cidrBlock === null ? [] : [cidrPrefix(subnet.cidrBlock)]
    const ipv6 = subnet.ipv6CidrBlocks.map(({ cidrBlock }) => cidrPrefix(cidrBlock))
    draft.subnets.push({
      subnetIndex,
      vpcIndex: indexes.vpc.indexOf(subnet.vpcId),
      routeTableIndex: routeTableIndexOf(subnet, context),
      networkAclIndex: networkAclIndexOf(subnet, context),
      cidrs: packPrefixes([...ipv4, ...ipv6]),
      routerIpv4: routerOf(ipv4[0]),
      routerIpv6: routerOf(ipv6[0])
    })
    return subnet.vpcId
  },

  remove (key, { indexes, revision }, draft) {
    draft.removedSubnets.push(indexes.subnet.retire(key, revision))
  }
}

/** A subnet follows its explicit table; all others of the VPC follow the main one. */
function noteAssociations (
  previous: RouteTable | null, record: RouteTable | null, context: CompileContext, mark: Mark
): void {
  const before = new Set(subnetsOf(previous))
  const now = new Set(subnetsOf(record))
  for (const subnetId of [...before, ...now]) {
    if (before.has(subnetId) && now.has(subnetId)) continue
    if (subnetId !== null) mark(subnetId)
    else for (const id of subnetTable.keysOf((record ?? previous)?.vpcId ?? '', context)) mark(id)
  }
}

function routeTableIndexOf (subnet: Subnet, { snapshot, indexes }: CompileContext): number {
  const table = routeTableOfSubnet(snapshot, subnet)
  return table === undefined ? 0 : indexes.routeTable.indexOf(table.id)
}

function networkAclIndexOf (subnet: Subnet, { snapshot, indexes }: CompileContext): number {
  const acl = networkAclOfSubnet(snapshot, subnet)
  return acl === undefined ? 0 : indexes.networkAcl.indexOf(acl.id)
}

/** The VPC router's address in a block, base + 1, or zeros without a block. AWS reserves it. */
function routerOf (block: Prefix | undefined): Uint32Array {
  const words = new Uint32Array(4)
  if (block === undefined) return words
  words.set(block.words)
  words[3] = wordAt(words, 3) + 1 // the base of a block of /28 or wider is even: no carry
  return words
}

/** Subnets that a table is associated with, null for the main association. */
function subnetsOf (table: RouteTable | null): (string | null)[] {
  return (table?.associations ?? []).filter(({ gatewayId }) => gatewayId === null)
    .map(({ subnetId }) => subnetId)
}
