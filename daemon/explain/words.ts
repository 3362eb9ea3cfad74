/** Rules, routes and things in the words of people: what a step of an explanation says. */
import type { NetworkAclEntry } from '../model/network_acl.ts'
import { NETWORK_ACL_PROTOCOL_ALL } from '../model/network_acl.ts'
import { targetId } from '../model/route_target.ts'
import type { RouteTarget } from '../model/route_target.ts'
import type { SecurityGroupRule } from '../model/security_group.ts'
import type { Snapshot } from '../model/snapshot.ts'
import { PROTOCOL_ICMP, PROTOCOL_ICMPV6, protocolName } from '../wire/ip_protocol.ts'
import { hasPorts } from './made_packet.ts'
import type { PacketFields } from './made_packet.ts'

const ANY = -1

/** `sg-… (front)`: an id and the name that people gave, if any. */
export function labelOf ({ tables }: Snapshot, id: string): string {
  const group = tables.securityGroup.get(id)
  if (group !== undefined) return named(id, group.name)
  const record = tables.networkInterface.get(id) ?? tables.subnet.get(id) ??
    tables.routeTable.get(id) ?? tables.networkAcl.get(id) ?? tables.vpc.get(id) ??
    tables.instance.get(id) ?? tables.internetGateway.get(id) ??
    tables.egressOnlyInternetGateway.get(id) ?? tables.natGateway.get(id) ??
    tables.vpcPeeringConnection.get(id) ?? tables.vpnGateway.get(id)
  const name = record?.tags['Name'] ?? ''
  return named(id, name === '' ? instanceNameOf(tables, id) : name)
}

/** An ENI without a name is called as its instance is. */
function instanceNameOf (tables: Snapshot['tables'], id: string): string {
  const instanceId = tables.networkInterface.get(id)?.attachment?.instanceId
  return instanceId === undefined ? '' : tables.instance.get(instanceId)?.tags['Name'] ?? ''
}

function named (id: string, name: string): string {
  return name === '' || name === id ? id : `${id} (${name})`
}

/** `tcp port 443`, `icmp type 8`, `esp`: what of a packet rules look at besides addresses. */
export function trafficText (packet: PacketFields): string {
  const name = protocolName(packet.protocol)
  if (hasPorts(packet.protocol)) return `${name} port ${String(packet.destinationPort)}`
  return isIcmp(packet.protocol) ? `${name} type ${String(packet.icmpType)}` : name
}

/** `tcp port 443 to 10.0.0.0/16` */
export function groupRuleText (snapshot: Snapshot, rule: SecurityGroupRule): string {
  const peer = rule.cidrIpv4 ?? rule.cidrIpv6 ??
    (rule.referencedGroupId === null
      ? rule.prefixListId ?? ''
      : `members of ${labelOf(snapshot, rule.referencedGroupId)}`)
  const protocol = rule.ipProtocol === '-1' ? 'everything' : rule.ipProtocol
  return `${protocol}${rangeText(rule.ipProtocol, rule.fromPort, rule.toPort)} ` +
    `${rule.isEgress ? 'to' : 'from'} ${peer}`
}

/** `tcp ports 1024-65535 from 0.0.0.0/0` */
export function aclEntryText (entry: NetworkAclEntry): string {
  const name = entry.protocol === NETWORK_ACL_PROTOCOL_ALL
    ? 'everything'
    : protocolName(entry.protocol)
  const range = rangeText(name, entry.portFrom ?? entry.icmpType, entry.portTo ?? entry.icmpCode)
  return `${name}${range} ${entry.isEgress ? 'to' : 'from'} ` +
    (entry.cidrBlock ?? entry.ipv6CidrBlock ?? '')
}

function rangeText (protocol: string, from: number | null, to: number | null): string {
  if (from === null || from === ANY) return ''
  if (protocol.startsWith('icmp')) {
    return ` type ${String(from)}` + (to === null || to === ANY ? '' : ` code ${String(to)}`)
  }
  if (from === 0 && to === 65_535) return ''
  return from === to ? ` port ${String(from)}` : ` ports ${String(from)}-${String(to)}`
}

export function targetText (snapshot: Snapshot, target: RouteTarget): string {
  const id = targetId(target)
  return id === null ? target.kind : labelOf(snapshot, id)
}

export function isIcmp (protocol: number): boolean {
  return protocol === PROTOCOL_ICMP || protocol === PROTOCOL_ICMPV6
}

/** The block of one address. */
export function blockOf (address: string): string {
  return `${address}/${address.includes(':') ? '128' : '32'}`
}

/**
 * What an impairment does to packets of one direction: `; impaired: delay 35 ms, loss 1%`, or
 * nothing.
 * @param id of an ENI, or the name of a host
 */
export function impairmentText (
  { tables }: Snapshot, id: string, direction: 'in' | 'out'
): string {
  const impairment = tables.impairment.get(id)
  if (impairment === undefined) return ''
  if (impairment.direction !== 'both' && impairment.direction !== direction) return ''
  const { delayMs, jitterMs, rateBitsPerSecond } = impairment
  const effects = [
    delayMs === 0 ? '' : `delay ${String(delayMs)} ms`,
    jitterMs === 0 ? '' : `jitter ${String(jitterMs)} ms`,
    ...(['loss', 'corrupt', 'duplicate', 'reorder'] as const).map((name) => {
      const percent = impairment[`${name}Percent`]
      return percent === 0 ? '' : `${name} ${String(percent)}%`
    }),
    rateBitsPerSecond === 0 ? '' : `rate ${String(rateBitsPerSecond)} bit/s`
  ]
  return `; ${id} is impaired: ${effects.filter((effect) => effect !== '').join(', ')}`
}
