/**
 * What to look at when packets were dropped for a reason: one sentence each, with the names of what
 * the packets met. Counters know the ENI and the reason but not the destination; where that is what
 * a person needs next, the sentence names the capture that shows it.
 *
 *     eni-… (a) ─▶ its subnet ─▶ the route table, ACL of it ┐
 *              └▶ its security groups, its addresses        ├▶ sentence
 *                                               the host ───┘
 */
import type { NetworkInterface } from '../../model/network_interface.ts'
import { routeState, targetId } from '../../model/route_target.ts'
import { routeTableOfSubnet } from '../../model/route_table.ts'
import type { RouteTable } from '../../model/route_table.ts'
import type { Snapshot } from '../../model/snapshot.ts'
import { ownerOf } from './eni_owner.ts'

/** Destinations, groups, addresses that one sentence names; more are counted. */
const NAMED_MAX = 4
/** A name that can stand in a command as it is. */
const PLAIN_NAME = /^[\w.-]+$/

/** Where packets were dropped. */
interface Place {
  readonly snapshot: Snapshot
  readonly host: string
  /** Undefined where no ENI can be named, or where it is gone. */
  readonly eni: NetworkInterface | undefined
  /** The route table of the ENI's subnet. */
  readonly routeTable: RouteTable | undefined
  /** The command that shows the packets. */
  readonly capture: string
}

/**
 * @param reason name in DROP_REASONS
 * @param eni null where no ENI can be named
 */
export function dropAdvice (
  snapshot: Snapshot, host: string, eni: string | null, reason: string
): string {
  const record = eni === null ? undefined : snapshot.tables.networkInterface.get(eni)
  const subnet = record && snapshot.tables.subnet.get(record.subnetId)
  const advice = ADVICE[reason]
  return advice === undefined
    ? ''
    : advice({
      snapshot,
      host,
      eni: record,
      routeTable: subnet && routeTableOfSubnet(snapshot, subnet),
      capture: `"vpcctl capture ${captureName(snapshot, host, eni)} --drops-only"`
    })
}

type Advice = (place: Place) => string

const seePackets: Advice = ({ capture }) => `${capture} shows the packets.`
const notOurs: Advice = ({ host, capture }) =>
  `Something on the underlay of ${host} speaks another protocol, or damages packets: ${capture}.`
const movedOn: Advice = ({ host }) =>
  'A few of these are normal while an ENI moves, starts or stops. If they go on, ' +
  `compare "vpcctl lab status" of ${host} with "vpcctl mapping get".`
const checkIsOn = (what: string): Advice => ({ eni, capture }) =>
  `${labelOf(eni)} has ${few([...eni?.privateIpAddresses ?? [], ...eni?.ipv6Addresses ?? []])}; ` +
  `${what}: "vpcctl eni set ${eni?.id ?? '<eni>'} --source-dest-check off". ${capture} shows ` +
  'the addresses.'
const groups = (direction: string): Advice => ({ eni, snapshot, capture }) =>
  `No ${direction} rule of ${few((eni?.groupIds ?? []).map((id) =>
    named(id, snapshot.tables.securityGroup.get(id)?.name ?? '')))} allows it. ` +
  `${capture} shows the packets.`
const acl = (direction: string): Advice => ({ eni, snapshot, capture }) =>
  `See the ${direction} rules of the network ACL of ${subnetLabel(snapshot, eni)}, and remember ` +
  `the answers: ACLs keep no state. ${capture} shows the packets.`

/** By name in DROP_REASONS; every reason has one (drop_advice.test.ts). */
export const ADVICE: Readonly<Record<string, Advice>> = {
  'malformed': ({ eni, capture }) =>
    `What runs in ${labelOf(eni)} builds packets that no receiver would take: ${capture}.`,
  'fragment-invalid': seePackets,
  'source-spoofed': checkIsOn('what routes or answers for other addresses needs the check off'),
  'multicast': () => 'A VPC carries unicast alone; AWS drops these too.',
  'link-local': ({ capture }) =>
    `No service answers at that link-local address here. ${capture} shows which it was.`,
  'no-route': noRoute,
  'blackhole': blackhole,
  'no-mapping': ({ eni, capture }) =>
    `Nothing that runs in ${eni?.vpcId ?? 'the VPC'} has the address: is it stopped, or another ` +
    `one? ${capture} shows the destination, "vpcctl eni list" who has which.`,
  'mapping-queue-full': ({ host }) =>
    `The daemon answers ${host} slower than packets come: "vpcctl cache" shows the questions.`,
  'mapping-timeout': ({ host }) =>
    `The daemon was too busy, or down, to answer ${host}: look at its log and "vpcctl cache".`,
  'ttl-expired': ({ capture }) =>
    'traceroute does this on purpose; otherwise two route tables send the packet in a circle. ' +
    `${capture} shows the destination.`,
  'too-big': ({ capture }) => 'The sender ignores "fragmentation needed", or something filters ' +
    `it: compare the MTU inside with that of the path. ${capture} shows the packets.`,
  'geneve-malformed': notOurs,
  'geneve-version': notOurs,
  'geneve-critical-option': notOurs,
  'vni-unknown': notOurs,
  'eni-not-here': movedOn,
  'vni-mismatch': movedOn,
  'bad-host': ({ host }) =>
    `Another host, or somebody on the underlay of ${host}, speaks for an ENI that is not its own.`,
  'bad-forwarder': ({ host }) =>
    `Another host, or somebody on the underlay of ${host}, says that it forwards packets for an ` +
    'ENI that it has not had a moment ago.',
  'destination-check': checkIsOn('what receives for other addresses needs the check off'),
  'port-closed': ({ eni }) =>
    `Does the instance of ${labelOf(eni)} run, and is its device up? ` +
    `"vpcctl instance show ${eni?.attachment?.instanceId ?? '<instance>'}" and its log tell.`,
  'underlay-error': ({ host }) => `The underlay-tx-… counters of ${host} say which error: ` +
    '"vpcctl lab status --json".',
  'security-group-egress': groups('outbound'),
  'security-group-ingress': groups('inbound'),
  'network-acl-egress': acl('outbound'),
  'network-acl-ingress': acl('inbound'),
  'port-unknown': movedOn,
  'service-spoofed': ({ eni }) =>
    `What runs in ${labelOf(eni)} plays a DHCP server or router: turn that off.`,
  'congestion-mark': ({ host }) => `The underlay of ${host} is congested; the sender sees the ` +
    'loss, as RFC 6040 wants.',
  'transmit-queue-full': ({ host }) =>
    `${host} had more to send at once than it takes; senders slow down by themselves.`,
  'connection-table-full': ({ host }) =>
    `${host} has no room for more connections: "vpcctl flows --host ${host}" shows whose they are.`,
  'mirror-target': ({ eni }) => `The target of a mirror session of ${labelOf(eni)} is gone, ` +
    'stopped, or in another VPC: "vpcctl mirror list" and "vpcctl mirror-target list" show them.',
  'link-local-allowance': ({ eni }) => `${labelOf(eni)} asks DNS, metadata and time more often ` +
    'than EC2 answers (`linklocal_allowance_exceeded`): keep answers, or ask from another ENI.',
  'mac-spoofed': ({ eni }) => `Frames of ${labelOf(eni)} have another source MAC than the ENI ` +
    '("vpcctl eni show"): a bridge or a nested guest inside has to use NAT.',
  ethertype: ({ eni }) => `${labelOf(eni)} sends VLAN tags, LLDP, STP or the like: a VPC carries ` +
    'IP alone, as on AWS. "tcpdump -e -i eth0 not ip and not ip6 and not arp" inside shows them.',
  'arp-refused': ({ eni }) => `${labelOf(eni)} announces itself, or asks for an address outside ` +
    'its subnet (or its own): "tcpdump -i eth0 arp" inside shows it. Nothing is lost by that.',
  'mirror-queue-full': ({ eni }) => `${labelOf(eni)} sends and receives faster than its copies ` +
    'leave; a filter with fewer rules, or fewer bytes of each packet, makes less of them.',
  'no-public-address': ({ capture }) => 'An internet gateway sends on what has an Elastic IP, an ' +
    'auto-assigned public address, or an IPv6 address of its VPC: associate one with the source. ' +
    `${capture} shows the packets.`,
  'martian': ({ capture }) => 'Private and reserved addresses end at an internet gateway, both ' +
    `ways: ${capture} shows who uses them.`,
  'public-address-unknown': ({ host }) => 'Somebody on the internet calls an address that no VPC ' +
    `has now: "vpcctl capture ${host} --drops-only" shows which.`,
  'gateway-down': () => 'Every edge that serves the gateway is down, or the lab has none ' +
    '("vpcctl lab up --edges 3" makes a new lab with some): "vpcctl lab status" shows them.',
  'vpn-no-tunnel': () => 'The tunnel that has the route went down just now: "vpcctl vpn ' +
    'status" says why, and which other one is up.',
  'vpn-no-route': () => 'A virtual private gateway sends to the prefixes that a tunnel which is ' +
    'up has learned or was given: "vpcctl vpn routes" shows them, "vpcctl vpn status" the tunnels.',
  'vpn-source': ({ capture }) => 'The network behind the customer gateway has addresses of the ' +
    `VPC: ${capture} shows whose.`,
  'vpn-selector': () => 'The networks of the VPN connection ("vpcctl vpn networks" changes them) ' +
    'leave the packet out.',
  'esp-no-sa': () => 'The device at the other end uses keys that are no more; it makes new ones ' +
    'when it notices: "vpcctl vpn status".',
  'esp-malformed': ({ host }) => 'What is no whole ESP packet is sent to the outside address of ' +
    `a tunnel: "vpcctl capture ${host} --drops-only" shows it.`,
  'esp-replay': () => 'Packets were doubled or delayed on the internet; a ReplayWindowSize of up ' +
    'to 2,048 forgives more ("vpcctl vpn tunnel").',
  'esp-authentication': () => 'Somebody forges packets of a tunnel, or the path damages them.',
  'esp-expired': () => 'The two ends did not make new keys in time: "vpcctl vpn status".',
  'peer-transit': ({ eni, snapshot, routeTable }) =>
    `A route of ${subnetLabel(snapshot, eni)} leads to a peering for addresses that the peer VPC ` +
    'does not have: it gives neither its gateways nor its other peers. "vpcctl route-table show ' +
    `${routeTable?.id ?? '<route table>'}" shows the route.`,
  'nat-protocol': ({ capture }) =>
    `NAT and egress-only gateways carry TCP, UDP and ICMP echo: ${capture} shows what else was ` +
    'sent.',
  'nat-fragment': ({ capture }) => 'Send TCP and ICMP in packets that fit the path (1,500 bytes ' +
    `to the internet): ${capture} shows the fragments.`,
  'nat-no-flow': ({ capture }) => 'Nothing is opened from outside through a NAT or egress-only ' +
    'gateway: give the instance an address of its own, or its subnet a route to an internet ' +
    `gateway. ${capture} shows who calls.`,
  'nat-idle': () => 'The connection was silent for 350 s, or lost with its nodes: the client was ' +
    'reset and has to connect again. TCP keepalives below 350 s keep it.',
  'port-allocation': () => 'One address has 55,000 flows to one destination: give the NAT ' +
    'gateway another address ("vpcctl nat-gateway add-address"), or let clients reuse connections.',
  'nat-table-full': ({ host }) => `${host} keeps as many flows as it has room for: end some, or ` +
    'wait until idle ones have ended (350 s).',
  'nat-capacity': ({ capture }) => 'A NAT or egress-only gateway opens 10,000 flows a second at ' +
    'each of its three nodes, and keeps as many there as leave room for others: flows that stand ' +
    `go on. ${capture} shows who opens so many; another gateway has nodes of its own.`,
  'impaired-loss': ({ eni, host }) => 'That is asked for: "vpcctl impair" shows how much, ' +
    `"vpcctl impair ${eni?.id ?? host} --clear" (or the host at either end) ends it.`,
  'impair-queue-full': ({ eni, host }) => 'Senders are faster than the rate, or more is on its ' +
    `way than "vpcctl impair ${eni?.id ?? host} … --limit" lets wait: bits per second × delay ÷ ` +
    '8 ÷ bytes of a packet.',
  'partitioned': ({ host }) => `"vpcctl partition" shows whom ${host} is cut off from, "vpcctl ` +
    'heal" ends it.',
  'underlay-no-key': ({ host }) => `${host} has not agreed on keys with the other host (yet): ` +
    '"vpcctl underlay pairs" shows with which, the log of vpcd why.',
  'underlay-unencrypted': ({ host }) =>
    `Somebody on the underlay of ${host} sends in clear: a host that does not encrypt, or none.`,
  'underlay-unknown-key': ({ host }) => 'A few are packets that came late, after new keys; more ' +
    `are of somebody on the underlay of ${host} who has none. "vpcctl underlay pairs" shows keys.`,
  'underlay-replay': ({ host }) =>
    `Somebody on the underlay of ${host} sends packets again, or the network delays them.`,
  'underlay-authentication': ({ host }) =>
    `Somebody forges packets on the underlay of ${host}, or the network damages them.`,
  replication: ({ host }) => `${host} got no answer of the resource\'s other nodes in time: ` +
    '"vpcctl hyperplane shards" shows them, "vpcctl lab status" whether they run.'
}

function noRoute ({ eni, snapshot, routeTable, capture }: Place): string {
  if (routeTable === undefined) return `${labelOf(eni)} has no route table now. ${capture}`
  return `${subnetLabel(snapshot, eni)} goes by ${recordLabel(routeTable)}, which knows ` +
    `${few(routeTable.routes.map(({ destination }) => destination))} alone. ${capture} shows the ` +
    `destination, "vpcctl route-table add-route ${routeTable.id} …" adds a route.`
}

function blackhole ({ eni, snapshot, routeTable, capture }: Place): string {
  const holes = (routeTable?.routes ?? [])
    .filter((route) => routeState(snapshot, routeTable?.vpcId ?? '', route) === 'blackhole')
    .map(({ destination, target }) => `${destination} → ${targetId(target) ?? target.kind}`)
  if (routeTable === undefined || holes.length === 0) {
    return `${subnetLabel(snapshot, eni)} has no blackhole route any more: these are past.`
  }
  return `Blackholes of ${recordLabel(routeTable)}: ${few(holes)}. Start or attach the target, ` +
    `or replace the route. ${capture} shows the packets.`
}

/** What `vpcctl capture` takes for the place: a plain name if there is one, else an id. */
function captureName (snapshot: Snapshot, host: string, eni: string | null): string {
  const { instanceName } = ownerOf(snapshot, eni)
  return PLAIN_NAME.test(instanceName) ? instanceName : eni ?? host
}

function labelOf (eni: NetworkInterface | undefined): string {
  return eni === undefined ? 'the ENI' : recordLabel(eni)
}

function subnetLabel (snapshot: Snapshot, eni: NetworkInterface | undefined): string {
  const subnet = eni && snapshot.tables.subnet.get(eni.subnetId)
  return subnet === undefined ? 'the subnet' : recordLabel(subnet)
}

function recordLabel (
  { id, tags }: { readonly id: string, readonly tags: Readonly<Record<string, string>> }
): string {
  return named(id, tags['Name'] ?? '')
}

function named (id: string, name: string): string { return name === '' ? id : `${id} (${name})` }

function few (items: readonly string[]): string {
  if (items.length === 0) return 'none'
  const more = items.length - NAMED_MAX
  return items.slice(0, NAMED_MAX).join(', ') + (more > 0 ? ` and ${String(more)} more` : '')
}
