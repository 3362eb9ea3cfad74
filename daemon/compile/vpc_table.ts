/**
 * VPCs of which the host holds a live ENI or a gateway, and the peers of these: an agent does not
 * even know that another VPC exists. Of a peer it learns VNI, blocks and mappings, and what its own
 * rules name (security_group_table.ts).
 *
 *     held    VNI, blocks, peers, gateways     subnets, routes, groups, ACLs, ports, mappings
 *     peer    VNI, blocks                      mappings
 *
 * A virtual private gateway without a VPC is served in a network of its own, which is a VPC here.
 */
import { cidrPrefix } from '../mapping/prefix.ts'
import { changesField } from '../model/commit_feed.ts'
import { blocksOf, peeringMtu, peersOf } from '../model/vpc_peering.ts'
import type { PeerVpc } from '../model/vpc_peering.ts'
import type { Vpc } from '../model/vpc.ts'
import { networkOfGateway } from '../model/vpn_gateway.ts'
import { NO_VPC, packPrefixes } from './compiled_table.ts'
import type { CompileContext, CompiledTable, UpdateDraft } from './compiled_table.ts'
import { gatewaysOf } from './gateway_port.ts'

/** How much of a VPC a host is to know. */
export type VpcKnowledge = 'held' | 'peer' | 'none'

export function knowledgeOf (vpcId: string,
  { hostName, snapshot, directory }: CompileContext): VpcKnowledge {
  if (directory.holds(hostName, vpcId)) return 'held'
  return peersOf(snapshot, vpcId).some((peer) => directory.holds(hostName, peer.vpcId))
    ? 'peer'
    : 'none'
}

/** VPCs whose knowledge may change when the host begins or ceases to hold one. */
export function concernedBy (vpcId: string, { snapshot }: CompileContext): string[] {
  return [vpcId, ...peersOf(snapshot, vpcId).map((peer) => peer.vpcId)]
}

/** The VPC's resolver has the address base + 2 of its first block. */
const RESOLVER_OFFSET = 2

/** [4] address of the VPC's resolver; zeros when there is no VPC. */
export function resolverWords (vpc: Vpc | undefined): Uint32Array {
  const block = vpc?.cidrBlocks[0]?.cidrBlock
  const words = new Uint32Array(4)
  if (block === undefined) return words
  words.set(cidrPrefix(block).words)
  words[3]! += RESOLVER_OFFSET
  return words
}

export const vpcTable: CompiledTable = {
  name: 'vpcs',

  note (change, _context, mark) {
    if (change.noun === 'vpc') {
      const fields = ['vni', 'cidrBlocks', 'ipv6CidrBlocks', 'enableDnsSupport'] as const
      if (changesField<'vpc'>(change, fields)) mark(change.id)
    } else if (change.noun === 'vpcPeeringConnection') {
      if (!changesField<'vpcPeeringConnection'>(change, ['status'])) return
      const peering = change.record ?? change.previous
      for (const side of [peering?.requester, peering?.accepter]) if (side) mark(side.vpcId)
    } else if (change.noun === 'vpnGateway') {
      const networks = [change.previous, change.record]
        .map((gateway) => gateway === null ? null : networkOfGateway(gateway))
      if (networks[0] === networks[1]) return
      for (const network of networks) if (network !== null) mark(network)
    } else if (change.noun === 'internetGateway') {
      const vpcIds = new Set([change.previous?.vpcId, change.record?.vpcId])
      if (vpcIds.size < 2) return
      for (const vpcId of vpcIds) if (typeof vpcId === 'string') mark(vpcId)
    } else if (change.noun === 'egressOnlyInternetGateway') {
      const vpcId = (change.record ?? change.previous)?.vpcId
      if (vpcId !== undefined && (change.record === null || change.previous === null)) mark(vpcId)
    }
  },

  noteMoves (touch, _context, mark) {
    for (const vpcId of touch.completeness) mark(vpcId)
  },

  keysOf (vpcId) {
    return vpcId === NO_VPC ? [] : [vpcId]
  },

  build (key, context, draft) {
    const { snapshot, directory, indexes } = context
    const vpc = snapshot.tables.vpc.get(key)
    const knowledge = knowledgeOf(key, context)
    if (vpc === undefined) return buildOwnNetwork(key, context, draft)
    if (knowledge === 'none') return null
    const vpcIndex = indexes.vpc.ensure(key)
    if (vpcIndex === 0) return null
    draft.vpcs.push({
      vpcIndex,
      vni: vpc.vni,
      mappingsComplete: directory.isComplete(key),
      blocks: packPrefixes(blocksOf(vpc).map(cidrPrefix)),
      peers: packPeers(knowledge === 'held' ? peersOf(snapshot, key) : [], context),
      resolver: resolverWords(vpc.enableDnsSupport ? vpc : undefined),
      gateways: knowledge === 'held' ? gatewaysOf(key, context) : new Uint32Array(0)
    })
    return key
  },

  remove (key, { indexes, revision }, draft) {
    draft.removedVpcs.push(indexes.vpc.retire(key, revision))
  }
}

/** The network of a virtual private gateway without a VPC: nothing is in it but the gateway. */
function buildOwnNetwork (
  key: string, context: CompileContext, draft: UpdateDraft): string | null {
  const { snapshot, hostName, directory, indexes } = context
  const gateway = snapshot.tables.vpnGateway.get(key)
  if (gateway?.vni === undefined || networkOfGateway(gateway) !== key ||
    !directory.holds(hostName, key)) return null
  const vpcIndex = indexes.vpc.ensure(key)
  if (vpcIndex === 0) return null
  draft.vpcs.push({
    vpcIndex, vni: gateway.vni, mappingsComplete: true, blocks: packPrefixes([]),
    peers: new Uint32Array(0), resolver: resolverWords(undefined),
    gateways: gatewaysOf(key, context)
  })
  return key
}

/** [n × PEER_WORDS]; a peer that gets no index is left out. */
function packPeers (peers: readonly PeerVpc[],
  { snapshot, indexes }: CompileContext): Uint32Array {
  return Uint32Array.from(peers.flatMap(({ vpcId, peering }) => {
    const vpcIndex = snapshot.tables.vpc.get(vpcId) === undefined ? 0 : indexes.vpc.ensure(vpcId)
    return vpcIndex === 0 ? [] : [vpcIndex, peeringMtu(peering)]
  }))
}
