/**
 * Explains packets: which way one would go now, step by step and host by host, and whether two ends
 * can talk. Nothing is sent, and nothing that a packet meets is changed.
 *
 *     trace    one packet, with the conversations that the hosts remember at this moment
 *     reach    a new conversation: the packet that opens it, and the answer
 *
 * The answers are those of the slow path (host_view.ts); explainer.property.test.ts holds them
 * against routers that get the same packets. Views of hosts are kept until the records change.
 */
import type { Clock } from '../base/clock.ts'
import { isGatewayId } from '../compile/gateway_port.ts'
import { ACTION_DELIVER, ACTION_SEAL, ACTION_SERVICE, ACTION_UPLINK } from '../dataplane/action.ts'
import { DROP_NONE, DROP_PARTITIONED, DROP_REASONS } from '../dataplane/drop_reason.ts'
import { SERVICE_NAMES } from '../dataplane/link_local_service.ts'
import { EGRESS, INGRESS } from '../dataplane/tables/flow_layout.ts'
import type { Directory } from '../mapping/directory.ts'
import { addressPrefix } from '../mapping/prefix.ts'
import { partitionId } from '../model/impairment.ts'
import { isEdge } from '../model/lab.ts'
import type { Snapshot } from '../model/snapshot.ts'
import { protocolName } from '../wire/ip_protocol.ts'
import type { Obstacle, Reach, Side, Walk, WalkedPacket } from './explanation.ts'
import { HostView } from './host_view.ts'
import type { Passage } from './host_view.ts'
import { answerTo, fieldsOf, openingPacket } from './made_packet.ts'
import type { Opening, PacketFields } from './made_packet.ts'
import { remedyOf, startOwner } from './remedy.ts'
import { stepsOf } from './steps.ts'
import type { Passed } from './steps.ts'
import { labelOf } from './words.ts'

/** What the running hosts know besides records. */
export interface LiveHosts {
  /** Whether the device of an ENI is open. */
  isOpen: (host: string, eni: string) => boolean
  /**
   * The conversation of a packet at an ENI, if the host remembers one.
   * @param direction EGRESS or INGRESS, as the ENI sees the packet
   */
  conversationOf: (host: string, eni: string, packet: PacketFields, direction: number) =>
  { readonly isTracked: boolean } | null
}

/** Hosts of which nothing is known but the records: every device is open, no flow is there. */
export const RECORDS_ALONE: LiveHosts = { isOpen: () => true, conversationOf: () => null }

export interface ExplainerOptions {
  readonly snapshot: Snapshot
  readonly directory: Directory
  readonly clock: Clock
  readonly live: LiveHosts
}

/** An ENI that is on a host now, and the view of that host. */
interface Place { readonly view: HostView, readonly eni: string }

type Memory = 'present' | 'new'

/** Gateways and ENIs that one packet may pass. */
const HOPS_MAX = 8
/** In place of a gateway, where no VPC has the address. */
const NO_GATEWAY = 'igw-none'

export class Explainer {
  readonly #options: ExplainerOptions
  readonly #views = new Map<string, HostView>()

  constructor (options: ExplainerOptions) {
    this.#options = options
  }

  /** Revision that the next explanation is of. */
  get revision (): number { return this.#options.snapshot.revision }

  /**
   * The way of one packet that leaves an ENI, as the hosts would treat it now.
   * @param isOpening judge it as the first of its conversation, whatever the hosts remember
   * @returns null when the ENI is on no host: its instance does not run
   */
  trace (eni: string, packet: PacketFields, isOpening = false): Walk | null {
    const from = this.#placeOf(eni)
    const memory = isOpening ? 'new' : 'present'
    return from === null ? null
      : this.#forgetting(() => plain(this.#walk(from, packet, memory)))
  }

  /**
   * Whether a new conversation can be opened, and answered.
   * @param eni that opens it; `opening.source` is one of its addresses
   * @param target ENI that is meant; null when whoever has the address is
   */
  reach (eni: string, opening: Opening, target: string | null): Reach {
    const from = this.#placeOf(eni)
    if (from === null) return this.#notRunning(eni)
    if (target !== null && this.#placeOf(target) === null) return this.#notRunning(target)
    return this.#forgetting(() => this.#converse(from, openingPacket(opening), target))
  }

  #converse (from: Place, opening: PacketFields, target: string | null): Reach {
    const { snapshot, directory } = this.#options
    const forward = this.#walk(from, opening, 'new')
    if (forward.service !== null) return answeredHere(forward, forward.service)
    if (forward.deliveredTo === null) return refused(forward, null)
    if (isGatewayId(forward.deliveredTo)) return this.#answerFromOutside(from, forward)
    // The receiver's VPC: across a peering, the peer.
    const vpcId = snapshot.tables.networkInterface.get(forward.deliveredTo)?.vpcId ?? ''
    const owner = directory.find(vpcId, addressPrefix(opening.destination).words)
    const meant = target ?? owner?.networkInterfaceId ?? publicOwner(snapshot, opening.destination)
    const to = this.#placeOf(forward.deliveredTo)
    if (forward.deliveredTo !== meant || to === null) return passedOn(snapshot, forward)
    const answer = this.#walk(to, answerTo(forward.arrived), 'new')
    if (answer.deliveredTo === null) return refused(forward, answer)
    if (answer.deliveredTo !== from.eni) return passedOn(snapshot, forward, answer)
    return { verdict: 'yes', text: 'The packet that opens it and its answer arrive.',
      forward: plain(forward), answer: plain(answer), obstacle: null }
  }

  /**
   * It has left for the internet, or for the other end of a VPN; whether somebody there answers is
   * not the lab's to know.
   */
  #answerFromOutside (from: Place, forward: Walked): Reach {
    const gateway = forward.deliveredTo ?? ''
    const isVpn = gateway.startsWith('vgw-')
    const answer = this.#walkIn(answerTo(forward.arrived), isVpn ? gateway : null)
    if (answer === null) return refused(forward, null)
    if (answer.deliveredTo === null) return refused(forward, answer)
    if (answer.deliveredTo !== from.eni) return passedOn(this.#options.snapshot, forward, answer)
    const way = isVpn ? 'by a VPN tunnel' : 'for the internet'
    const text = `The packet that opens it leaves ${way}, and an answer from there arrives.`
    return { verdict: 'yes', text, forward: plain(forward), answer: plain(answer), obstacle: null }
  }

  /** One packet from an ENI to where it ends. @param memory whose conversations count */
  #walk (from: Place, packet: PacketFields, memory: Memory): Walked {
    const { view, eni } = from
    if (memory === 'present') this.#bring(from, packet, EGRESS)
    const left = view.leave(eni, packet)
    const sender = this.#side(from, 'egress', packet, left, null)
    const sides = [sideOf(sender)]
    if (left.drop !== DROP_NONE) return stopped(packet, sides, sender)
    if (left.p.action === ACTION_SERVICE) {
      const service = SERVICE_NAMES[left.p.target] ?? null
      return { packet: inWords(packet), sides, deliveredTo: null, service, obstacle: null,
        arrived: packet }
    }
    // As the router does, before the packet enters: an ENI may speak to itself.
    view.remember(left.p, EGRESS)
    return this.#carry(packet, sides, sender, from, left, routed(packet, left), memory)
  }

  /**
   * One packet from the internet, by an edge that is up; null when there is none.
   * @param vpnGateway whose tunnel it comes by; null: by none
   */
  #walkIn (packet: PacketFields, vpnGateway: string | null): Walked | null {
    const edge = [...this.#options.snapshot.tables.host.values()]
      .find((host) => isEdge(host) && host.isDown !== true)
    const view = edge === undefined ? null : this.#viewOf(edge.id)
    if (view === null) return null
    const arrived = vpnGateway === null ? view.arrive(packet)
      : view.arriveByTunnel(vpnGateway, packet)
    const gateway = { view, eni: view.portId(arrived.p) ?? NO_GATEWAY }
    const told = this.#side(gateway, 'ingress', packet, arrived, null)
    const sides = [sideOf(told)]
    if (arrived.drop !== DROP_NONE) return stopped(packet, sides, told)
    return this.#carry(packet, sides, told, gateway, arrived,
      routed(translated(packet, arrived), arrived), 'new')
  }

  /** From a side that has sent the packet on, over gateways, to its end. */
  #carry (packet: PacketFields, sides: Side[], lastTold: Told, lastFrom: Place, lastLeft: Passage,
    lastFields: PacketFields, memory: Memory): Walked {
    let [told, from, left, fields] = [lastTold, lastFrom, lastLeft, lastFields]
    let [toldFields, toldFromHost] = [packet, null as string | null]
    for (let hop = 0; hop < HOPS_MAX; hop++) {
      const next = from.view.nextHop(left.p)
      const nextView = this.#viewOf(next.host)
      if (nextView === null) return stopped(packet, sides, told)
      if (this.#isCutOff(from.view, nextView)) {
        told = this.#side({ view: from.view, eni: told.eni }, told.direction, toldFields,
          { p: left.p, drop: DROP_PARTITIONED }, toldFromHost)
        sides.splice(-1, 1, sideOf(told))
        return stopped(packet, sides, told)
      }
      const to = { view: nextView, eni: next.eni }
      const isGateway = nextView.isGateway(next.eni)
      if (memory === 'present' && !isGateway) this.#bring(to, fields, INGRESS)
      const entered = left.p.action === ACTION_DELIVER
        ? from.view.enterLocally(left, fields)
        : nextView.enter(from.view, left, from.eni, fields)
      const fromHost = nextView === from.view ? null : from.view.host.id
      const direction = isGateway && !nextView.isInward(entered.p) ? 'egress' : 'ingress'
      told = this.#side(to, direction, fields, entered, fromHost)
      toldFields = fields
      toldFromHost = fromHost
      sides.push(sideOf(told))
      if (entered.drop !== DROP_NONE) return stopped(packet, sides, told)
      const walk = { packet: inWords(packet), sides, deliveredTo: next.eni, service: null,
        obstacle: null }
      if (!isGateway) {
        nextView.remember(entered.p, INGRESS)
        return { ...walk, arrived: fields }
      }
      fields = translated(fields, entered)
      const { action } = entered.p
      if (action === ACTION_UPLINK || action === ACTION_SEAL) return { ...walk, arrived: fields }
      from = { view: nextView, eni: nextView.portId(entered.p) ?? next.eni }
      fields = routed(fields, entered)
      left = entered
    }
    return stopped(packet, sides, told)
  }

  #isCutOff (one: HostView, other: HostView): boolean {
    const { partition } = this.#options.snapshot.tables
    return partition.get(partitionId(one.host.id, other.host.id)) !== undefined
  }

  /** Takes the packet's conversation over from the real flow table. */
  #bring ({ view, eni }: Place, packet: PacketFields, direction: number): void {
    if (!view.has(eni)) return
    const known = this.#options.live.conversationOf(view.host.id, eni, packet, direction)
    if (known !== null) view.bring(eni, packet, direction, known.isTracked)
  }

  #side ({ view, eni }: Place, direction: Passed['direction'], packet: PacketFields,
    { p, drop }: Passage, fromHost: string | null): Told {
    const passed: Passed =
      { view, snapshot: this.#options.snapshot, eni, direction, packet, p, drop, fromHost }
    const steps = stepsOf(passed)
    return { host: view.host.id, eni, direction, steps,
      obstacle: drop === DROP_NONE ? null : obstacleOf(passed, steps) }
  }

  #notRunning (eni: string): Reach {
    const { snapshot } = this.#options
    const remedy = startOwner(snapshot, eni)
    const text = `${labelOf(snapshot, eni)} is on no host: what does not run neither sends nor ` +
      'receives'
    return {
      verdict: 'no', text: `${text}.`, forward: null, answer: null,
      obstacle: {
        reason: 'not-running', meaning: 'The ENI belongs to no running instance.', step: null,
        direction: 'egress', host: null, eni, object: eni, rule: null, text, remedy
      }
    }
  }

  #placeOf (eni: string): Place | null {
    const host = this.#options.directory.hostOf(eni)
    const view = host === null ? null : this.#viewOf(host)
    return view?.has(eni) === true ? { view, eni } : null
  }

  #viewOf (hostName: string): HostView | null {
    const { snapshot, directory, clock, live } = this.#options
    const known = this.#views.get(hostName)
    const host = snapshot.tables.host.get(hostName)
    if (host === undefined) return null
    const view = known?.revision === snapshot.revision
      ? known
      : new HostView({ host, snapshot, directory, clock })
    this.#views.set(hostName, view)
    view.noteDevices((eni) => live.isOpen(hostName, eni))
    return view
  }

  /** Conversations of one explanation do not live on in the next. */
  #forgetting<Result> (work: () => Result): Result {
    try {
      return work()
    } finally {
      for (const view of this.#views.values()) view.forget()
    }
  }
}

/** The ENI that has a public IPv4 address. */
function publicOwner ({ tables }: Snapshot, address: string): string | undefined {
  return tables.address.by('publicIp', address)[0]?.networkInterfaceId ??
    tables.networkInterface.by('autoPublicIp', address)[0]?.id
}

/** A walk, and the packet as it was at its end. */
interface Walked extends Walk { readonly arrived: PacketFields }

function plain ({ packet, sides, deliveredTo, service, obstacle }: Walked): Walk {
  return { packet, sides, deliveredTo, service, obstacle }
}

/** The packet with what a gateway gave it: addresses, ports, and another family by NAT64. */
function translated (packet: PacketFields, { p }: Passage): PacketFields {
  return { ...fieldsOf(p), ttl: packet.ttl, bytes: p.wireBytesMax }
}

/** A side with what stopped the packet there. */
interface Told extends Side { readonly obstacle: Obstacle | null }

function sideOf ({ host, eni, direction, steps }: Told): Side {
  return { host, eni, direction, steps }
}

function obstacleOf (passed: Passed, steps: Side['steps']): Obstacle {
  const last = steps.at(-1)
  const known = passed.drop > DROP_NONE ? DROP_REASONS[passed.drop] : undefined
  return {
    reason: known?.name ?? 'mapping-timeout',
    meaning: known?.meaning ?? 'No place of an address could be had.',
    step: last?.step ?? null,
    direction: passed.direction,
    host: passed.view.host.id,
    eni: passed.eni,
    object: last?.object ?? null,
    rule: last?.rule ?? null,
    text: last?.text ?? '',
    remedy: remedyOf(passed)
  }
}

function stopped (packet: PacketFields, sides: readonly Side[], { obstacle }: Told): Walked {
  return { packet: inWords(packet), sides, deliveredTo: null, service: null, obstacle,
    arrived: packet }
}

/** The packet as it is after the sender's router: a hop older, and not larger than the path. */
function routed (packet: PacketFields, { p }: Passage): PacketFields {
  return {
    ...packet,
    ttl: packet.ttl - p.decrementTtl,
    bytes: p.mustFragment === 0 ? packet.bytes : Math.min(packet.bytes, p.mtu)
  }
}

function refused (forward: Walked, answer: Walked | null): Reach {
  const obstacle = (answer ?? forward).obstacle
  const what = answer === null ? 'The packet that opens it' : 'It arrives, but its answer'
  return { verdict: 'no', text: `${what} is dropped: ${obstacle?.text ?? ''}.`,
    forward: plain(forward), answer: answer === null ? null : plain(answer), obstacle }
}

/** Neither groups nor ACLs nor routes have a say, on the way back neither. */
function answeredHere (forward: Walk, service: string): Reach {
  return {
    verdict: 'yes', text: `The ${service} service of the VPC answers it on the same host.`,
    forward, answer: null, obstacle: null
  }
}

/** A route handed the packet to an instance that is to pass it on. */
function passedOn (snapshot: Snapshot, forward: Walked, answer: Walked | null = null): Reach {
  const eni = (answer ?? forward).deliveredTo ?? ''
  const what = answer === null ? 'A route hands the packet' : 'A route hands the answer'
  return {
    verdict: 'unknown',
    text: `${what} to ${labelOf(snapshot, eni)}: whether it goes on from there is up to the ` +
      'instance.',
    forward: plain(forward), answer: answer === null ? null : plain(answer), obstacle: null
  }
}

function inWords (packet: PacketFields): WalkedPacket {
  const { protocol, source, destination, sourcePort, destinationPort, icmpType, tcpFlags } = packet
  return { protocol: protocolName(protocol), source, destination, sourcePort, destinationPort,
    icmpType, tcpFlags, bytes: packet.bytes }
}
