/**
 * What would let a packet pass: one sentence, and the `vpcctl` command that does it, as narrow as
 * the packet allows. Where several things would do, it is the one that changes least.
 */
import {
  DROP_BLACKHOLE, DROP_DESTINATION_CHECK, DROP_NAT_IDLE, DROP_NAT_NO_FLOW,
  DROP_NETWORK_ACL_EGRESS, DROP_NETWORK_ACL_INGRESS, DROP_NO_MAPPING, DROP_NO_PUBLIC_ADDRESS,
  DROP_NO_ROUTE, DROP_PARTITIONED, DROP_PEER_TRANSIT, DROP_PORT_CLOSED, DROP_PORT_UNKNOWN,
  DROP_SECURITY_GROUP_EGRESS, DROP_SECURITY_GROUP_INGRESS, DROP_SOURCE_SPOOFED, DROP_TOO_BIG
} from '../dataplane/drop_reason.ts'
import type { Snapshot } from '../model/snapshot.ts'
import { routeBehind } from '../model/route_order.ts'
import { cidrPrefix, prefixCovers } from '../mapping/prefix.ts'
import { blocksOf, peersOf } from '../model/vpc_peering.ts'
import { addressWords } from '../wire/address.ts'
import { protocolName } from '../wire/ip_protocol.ts'
import { ownsAddress } from './ends.ts'
import type { Remedy } from './explanation.ts'
import { CLIENT_PORT, hasPorts } from './made_packet.ts'
import type { PacketFields } from './made_packet.ts'
import type { Passed } from './steps.ts'
import { blockOf, isIcmp, labelOf } from './words.ts'

/** Number of an ACL's first rule, and the distance of those that follow, as the console has it. */
const ACL_NUMBER_STEP = 100
const ACL_NUMBER_MAX = 32_766
/** Ports that answers go to: NAT gateways and load balancers use all of them. */
const ANSWER_PORTS = '1024-65535'
const ANSWER_PORT_MIN = 1024

/** @param side the one that dropped it */
export function remedyOf (side: Passed): Remedy {
  switch (side.drop) {
    case DROP_SECURITY_GROUP_EGRESS: case DROP_SECURITY_GROUP_INGRESS: return allowByGroup(side)
    case DROP_NETWORK_ACL_EGRESS: case DROP_NETWORK_ACL_INGRESS: return allowByAcl(side)
    case DROP_NO_ROUTE: return addRoute(side)
    case DROP_BLACKHOLE: return fillBlackhole(side)
    case DROP_NO_MAPPING: return giveAddress(side)
    case DROP_SOURCE_SPOOFED: case DROP_DESTINATION_CHECK: return {
      text: 'An ENI that routes or answers for other addresses needs the check off.',
      command: `vpcctl eni set ${side.eni} --source-dest-check off`
    }
    case DROP_NO_PUBLIC_ADDRESS: return none('Associate an Elastic IP with the source ("vpcctl ' +
      'address allocate", "vpcctl address associate"), or send by a NAT gateway.')
    case DROP_PARTITIONED: return {
      text: 'The two hosts are cut off from each other on purpose.',
      command: `vpcctl heal ${side.view.host.id} ${side.view.nextHop(side.p).host}`
    }
    case DROP_PORT_CLOSED: return startOwner(side.snapshot, side.eni)
    case DROP_PEER_TRANSIT: return none('A peering gives no transit: neither gateways nor ' +
      'other peers of the peer VPC. Peer the two VPCs directly, or use a gateway of the own VPC.')
    case DROP_PORT_UNKNOWN: return none('Nothing is known to be wrong: a real packet tells, and ' +
      '"vpcctl drops" whether the gateway drops it.')
    case DROP_NAT_NO_FLOW: return none('Only what was opened from inside is answered. To be ' +
      'reached from outside, an instance needs a public address and an internet gateway.')
    case DROP_NAT_IDLE: return none('A connection that stands passes; one that was idle for ' +
      '350 s is gone, and has to be opened anew.')
    case DROP_TOO_BIG: return none(`Send at most ${String(side.p.mtu)} bytes, or without DF.`)
    default: return none('No setting of the lab lets such a packet pass.')
  }
}

/** For an ENI that no packet can leave or reach: its instance does not run. */
export function startOwner (snapshot: Snapshot, eni: string): Remedy {
  const record = snapshot.tables.networkInterface.get(eni)
  const instanceId = record?.attachment?.instanceId
  if (instanceId === undefined) {
    return { text: `${labelOf(snapshot, eni)} is attached to nothing.`,
      command: `vpcctl eni attach ${eni} <instance>` }
  }
  const state = snapshot.tables.instance.get(instanceId)?.state ?? 'terminated'
  return state === 'stopped' || state === 'stopping'
    ? { text: `${labelOf(snapshot, instanceId)} is ${state}.`,
        command: `vpcctl instance start ${instanceId}` }
    : { text: `${labelOf(snapshot, instanceId)} is ${state}, and its device is not open yet.`,
        command: `vpcctl wait instance ${instanceId}` }
}

function none (text: string): Remedy { return { text, command: null } }

/** `--protocol tcp --port 443 --cidr 10.0.2.20/32` */
function ruleOptions (packet: PacketFields, peer: string): string {
  const port = hasPorts(packet.protocol) ? ` --port ${portsOf(packet)}` : ''
  return `--protocol ${protocolName(packet.protocol)}${port} --cidr ${blockOf(peer)}`
}

/** The port; for an answer, which goes to a port that the client chose, all such ports. */
function portsOf ({ sourcePort, destinationPort }: PacketFields): string {
  const isAnswer = destinationPort >= CLIENT_PORT && sourcePort < ANSWER_PORT_MIN
  return isAnswer ? ANSWER_PORTS : String(destinationPort)
}

function allowByGroup ({ snapshot, eni, direction, packet }: Passed): Remedy {
  const groups = snapshot.tables.networkInterface.get(eni)?.groupIds ?? []
  const [group] = groups
  if (group === undefined) return none(`${labelOf(snapshot, eni)} has no security group.`)
  const peer = direction === 'egress' ? packet.destination : packet.source
  return {
    text: `Allow it with a rule of ${labelOf(snapshot, group)}.`,
    command: `vpcctl security-group authorize-${direction} ${group} ${ruleOptions(packet, peer)}`
  }
}

function allowByAcl (side: Passed): Remedy {
  const { view, p, snapshot, direction, packet } = side
  const { acl, entry } = view.aclRule(p, direction === 'egress' ? 0 : 1)
  const peer = direction === 'egress' ? packet.destination : packet.source
  const icmp = isIcmp(packet.protocol) ? ` --icmp ${String(packet.icmpType)}` : ''
  const { number, isFree } = aclNumber(side, acl, entry)
  const verb = isFree ? 'add-rule' : 'replace-rule'
  return {
    text: entry === null
      ? `Allow it with an entry of ${labelOf(snapshot, acl)}.`
      : `Allow it with an entry of ${labelOf(snapshot, acl)} before ${entry}.`,
    command: `vpcctl network-acl ${verb} ${acl} ${direction} ${String(number)} allow ` +
      `${ruleOptions(packet, peer)}${icmp}`
  }
}

/** A number that comes before `entry`, or after all for null; that of `entry` when none is free. */
function aclNumber (
  { snapshot, direction }: Passed, acl: string, entry: string | null
): { readonly number: number, readonly isFree: boolean } {
  const entries = snapshot.tables.networkAcl.get(acl)?.entries ?? []
  const used = new Set(entries.filter(({ isEgress }) => isEgress === (direction === 'egress'))
    .map(({ ruleNumber }) => ruleNumber))
  if (entry === null) {
    const last = Math.max(0, ...used)
    const next = (Math.floor(last / ACL_NUMBER_STEP) + 1) * ACL_NUMBER_STEP
    return { number: Math.min(next, ACL_NUMBER_MAX), isFree: !used.has(ACL_NUMBER_MAX) }
  }
  for (let number = Number(entry) - 1; number > 0; number--) {
    if (!used.has(number)) return { number, isFree: true }
  }
  return { number: Number(entry), isFree: false }
}

function addRoute ({ view, p, packet, snapshot, eni }: Passed): Remedy {
  const { table } = view.route(p)
  const vpcId = snapshot.tables.networkInterface.get(eni)?.vpcId ?? ''
  const peer = peersOf(snapshot, vpcId).find((one) =>
    holdsAddress(snapshot, one.vpcId, packet.destination))
  if (peer !== undefined) {
    return {
      text: `The address is in the peer VPC ${labelOf(snapshot, peer.vpcId)}: a route must lead ` +
        'to the peering.',
      command: `vpcctl route-table add-route ${table} ${blockOf(packet.destination)} ` +
        `--peering ${peer.peering.id}`
    }
  }
  return {
    text: 'The address is outside the VPC: a route must lead to an ENI that passes it on.',
    command: `vpcctl route-table add-route ${table} ${blockOf(packet.destination)} --eni <eni>`
  }
}

function fillBlackhole ({ view, p, snapshot }: Passed): Remedy {
  const { table, destination } = view.route(p)
  const route = routeBehind(snapshot, table, destination)
  const eni = route?.target.kind === 'network-interface' ? route.target.networkInterfaceId : ''
  if (snapshot.tables.networkInterface.get(eni) !== undefined) return startOwner(snapshot, eni)
  const peering = route?.target.kind === 'vpc-peering-connection'
    ? route.target.vpcPeeringConnectionId
    : ''
  if (snapshot.tables.vpcPeeringConnection.get(peering)?.status === 'pending-acceptance') {
    return { text: `${labelOf(snapshot, peering)} is pending acceptance.`,
      command: `vpcctl peering accept ${peering}` }
  }
  return {
    text: `The target of ${destination ?? 'the route'} is gone.`,
    command: `vpcctl route-table delete-route ${table} ${route?.destination ?? destination ?? ''}`
  }
}

/** Whether an address is inside a block of a VPC. */
function holdsAddress (snapshot: Snapshot, vpcId: string, address: string): boolean {
  const vpc = snapshot.tables.vpc.get(vpcId)
  return vpc !== undefined && blocksOf(vpc).some((block) =>
    prefixCovers(cidrPrefix(block), addressWords(address)))
}

function giveAddress ({ view, p, snapshot, eni, packet }: Passed): Remedy {
  const { networkInterface } = snapshot.tables
  const vpcId = view.peerOf(p) ?? networkInterface.get(eni)?.vpcId ?? ''
  const owner = networkInterface.by('vpcId', vpcId)
    .find((one) => ownsAddress(one, packet.destination))
  if (owner !== undefined) return startOwner(snapshot, owner.id)
  return none(`Nothing in ${labelOf(snapshot, vpcId)} has ${packet.destination}: "vpcctl eni ` +
    'list" shows who has which address.')
}
