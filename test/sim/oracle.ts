/**
 * Whom a packet may reach, from records alone and by AWS's words: written anew for the simulation,
 * and slow. It knows UDP over IPv4 between instances, in a VPC or over a peering.
 *
 *     sender      lives there, has the address, its groups let it out, its subnet's ACL and routes
 *                 lead to the receiver
 *     receiver    lives there, has the address, knows the sender's place, ACL and groups let it in
 */
import { ipv4Contains } from './ipv4.ts'
import type { NetworkAcl } from '../../daemon/model/network_acl.ts'
import type { NetworkInterface } from '../../daemon/model/network_interface.ts'
import type { SecurityGroupRule } from '../../daemon/model/security_group.ts'
import type { Subnet } from '../../daemon/model/subnet.ts'
import type { View } from './history.ts'

const PROTOCOL_UDP = 17

export interface Flow {
  readonly from: string
  readonly to: string
  readonly port: number
}

interface Live {
  readonly eni: NetworkInterface
  readonly hostName: string
}

/** ENIs that live, and who has an address: `vpc/address`. */
interface Places {
  readonly byEni: ReadonlyMap<string, Live>
  readonly byAddress: ReadonlyMap<string, Live>
}

const known = new WeakMap<View, Places>()

export function placesOf (view: View): Places {
  const found = known.get(view)
  if (found !== undefined) return found
  const byEni = new Map<string, Live>()
  const byAddress = new Map<string, Live>()
  for (const eni of view.networkInterface.values()) {
    const instance = view.instance.get(eni.attachment?.instanceId ?? '')
    if (instance?.goal !== 'running' || instance.hostName === null) continue
    const live = { eni, hostName: instance.hostName }
    byEni.set(eni.id, live)
    for (const address of eni.privateIpAddresses) byAddress.set(`${eni.vpcId}/${address}`, live)
  }
  const places = { byEni, byAddress }
  known.set(view, places)
  return places
}

/** ENI that the sender's host sends the packet to, security groups aside; null: none. */
export function nextHop (
  view: View, eniId: string, hostName: string, flow: Flow): string | null {
  const sender = placesOf(view).byEni.get(eniId)
  if (sender?.hostName !== hostName) return null
  const { eni } = sender
  if (eni.sourceDestCheck && !eni.privateIpAddresses.includes(flow.from)) return null
  const subnet = view.subnet.get(eni.subnetId)
  if (subnet === undefined) return null
  const { cidrBlock } = subnet
  const owner = (vpcId: string): string | null =>
    placesOf(view).byAddress.get(`${vpcId}/${flow.to}`)?.eni.id ?? null
  if (cidrBlock !== null && ipv4Contains(cidrBlock, flow.to)) return owner(eni.vpcId)
  if (!aclAllows(view, subnet, true, flow.to, flow.port)) return null
  const route = routeOf(view, subnet, flow.to)
  if (route?.kind === 'local') return owner(eni.vpcId)
  if (route?.kind === 'network-interface') {
    const target = placesOf(view).byEni.get(route.networkInterfaceId)
    return target?.eni.vpcId === eni.vpcId ? target.eni.id : null
  }
  if (route?.kind !== 'vpc-peering-connection') return null
  const peer = peerOf(view, route.vpcPeeringConnectionId, eni.vpcId)
  return peer !== null && isInside(view, peer, flow.to) ? owner(peer) : null
}

/** Whether the receiver's host takes the packet in for it, security groups aside. */
export function takesIn (
  view: View, eniId: string, hostName: string, senderId: string, senderHost: string, flow: Flow
): boolean {
  const receiver = placesOf(view).byEni.get(eniId)
  const sender = placesOf(view).byEni.get(senderId)
  if (receiver?.hostName !== hostName || sender?.hostName !== senderHost) return false
  const { eni } = receiver
  if (eni.sourceDestCheck && !eni.privateIpAddresses.includes(flow.to)) return false
  const isPeer = sender.eni.vpcId !== eni.vpcId
  if (isPeer && (!arePeers(view, sender.eni.vpcId, eni.vpcId) ||
    !isInside(view, eni.vpcId, flow.to))) return false
  const subnet = view.subnet.get(eni.subnetId)
  if (subnet === undefined) return false
  return sender.eni.subnetId === eni.subnetId ||
    aclAllows(view, subnet, false, flow.from, flow.port)
}

/** Whether rules of the ENI's groups let the packet out, or in. */
export function groupsAllow (view: View, eniId: string, isEgress: boolean, flow: Flow): boolean {
  const eni = view.networkInterface.get(eniId)
  const peer = isEgress ? flow.to : flow.from
  return eni?.groupIds.some((id) => view.securityGroup.get(id)?.rules.some((rule) =>
    rule.isEgress === isEgress && ruleMatches(view, eni.vpcId, rule, peer, flow.port))) ?? false
}

function ruleMatches (
  view: View, vpcId: string, rule: SecurityGroupRule, peer: string, port: number): boolean {
  if (rule.ipProtocol !== '-1') {
    const { fromPort, toPort } = rule
    if (rule.ipProtocol !== 'udp' || port < (fromPort ?? 0) || port > (toPort ?? 0)) return false
  }
  if (rule.cidrIpv4 !== null) return ipv4Contains(rule.cidrIpv4, peer)
  const group = view.securityGroup.get(rule.referencedGroupId ?? '')
  if (group === undefined) return false
  if (group.vpcId !== vpcId && !arePeers(view, group.vpcId, vpcId)) return false
  const member = placesOf(view).byAddress.get(`${group.vpcId}/${peer}`)
  return member?.eni.groupIds.includes(group.id) === true
}

function aclAllows (
  view: View, subnet: Subnet, isEgress: boolean, peer: string, port: number): boolean {
  const acls = [...view.networkAcl.values()].filter(({ vpcId }) => vpcId === subnet.vpcId)
  const acl: NetworkAcl | undefined = acls.find(({ associations }) =>
    associations.some(({ subnetId }) => subnetId === subnet.id)) ??
    acls.find(({ isDefault }) => isDefault)
  const entries = (acl?.entries ?? []).filter((entry) => entry.isEgress === isEgress)
  const first = entries.toSorted((a, b) => a.ruleNumber - b.ruleNumber).find((entry) =>
    (entry.protocol === -1 || entry.protocol === PROTOCOL_UDP &&
      port >= (entry.portFrom ?? 0) && port <= (entry.portTo ?? 0)) &&
    entry.cidrBlock !== null && ipv4Contains(entry.cidrBlock, peer))
  return first?.action === 'allow'
}

type Target = { readonly kind: 'local' } |
  { readonly kind: 'network-interface', readonly networkInterfaceId: string } |
  { readonly kind: 'vpc-peering-connection', readonly vpcPeeringConnectionId: string }

function routeOf (view: View, subnet: Subnet, to: string): Target | null {
  const tables = [...view.routeTable.values()].filter(({ vpcId }) => vpcId === subnet.vpcId)
  const table = tables.find(({ associations }) =>
    associations.some(({ subnetId }) => subnetId === subnet.id)) ??
    tables.find(({ associations }) => associations.some(({ subnetId, gatewayId }) =>
      subnetId === null && gatewayId === null))
  const length = (cidr: string): number => Number(cidr.slice(cidr.indexOf('/') + 1))
  const [best] = (table?.routes ?? []).filter(({ destination }) => ipv4Contains(destination, to))
    .sort((a, b) => length(b.destination) - length(a.destination))
  return (best?.target ?? null) as Target | null
}

function peerOf (view: View, peeringId: string, vpcId: string): string | null {
  const peering = view.vpcPeeringConnection.get(peeringId)
  if (peering?.status !== 'active') return null
  const { requester, accepter } = peering
  return requester.vpcId === vpcId ? accepter.vpcId : requester.vpcId
}

function arePeers (view: View, one: string, other: string): boolean {
  return [...view.vpcPeeringConnection.keys()].some((id) => {
    const { requester, accepter } = view.vpcPeeringConnection.get(id)!
    return [requester.vpcId, accepter.vpcId].includes(one) && peerOf(view, id, one) === other
  })
}

function isInside (view: View, vpcId: string, address: string): boolean {
  return view.vpc.get(vpcId)?.cidrBlocks.some(({ cidrBlock }) =>
    ipv4Contains(cidrBlock, address)) === true
}
