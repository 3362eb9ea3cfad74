/**
 * Explanations over the admin socket: the way of one packet (`vpcctl trace`), and whether two ends
 * can talk (`vpcctl can-reach`). They are computed here, from the newest records and from the flows
 * that the hosts remember; no worker is asked, no packet sent.
 */
import { eniBits } from '../../../base/ids.ts'
import { metBy } from '../../../dataplane/flow_reader.ts'
import type { FlowKey } from '../../../dataplane/flow_reader.ts'
import { EGRESS } from '../../../dataplane/tables/flow_layout.ts'
import { endsOf, eniOf, ownsAddress, protocolNumber } from '../../../explain/ends.ts'
import { Explainer } from '../../../explain/explainer.ts'
import type { LiveHosts } from '../../../explain/explainer.ts'
import { readPacket } from '../../../explain/host_view.ts'
import {
  conversationPorts, hasPorts, MADE_PACKET_BYTES_MAX, openingPacket
} from '../../../explain/made_packet.ts'
import type { PacketFields } from '../../../explain/made_packet.ts'
import { isIcmp } from '../../../explain/words.ts'
import type { Lab } from '../../../host/lab.ts'
import { AwsError } from '../../../model/aws_error.ts'
import type { Snapshot } from '../../../model/snapshot.ts'
import { addressWords } from '../../../wire/address.ts'
import { PROTOCOL_TCP } from '../../../wire/ip_protocol.ts'
import { TCP_FLAG_ACK, TCP_FLAG_SYN } from '../../../wire/tcp.ts'
import type {
  PacketRequest, ReachAnswer, ReachRequest, TraceAnswer, TraceRequest
} from '../contract.ts'
import { type AddRoutes, Refusal } from '../route.ts'

const PORT_MAX = 65_535
const BYTE_MAX = 255

export const addTraceRoutes: AddRoutes = (server, { lab, replica, clock }) => {
  const { snapshot } = replica
  const explainer =
    new Explainer({ snapshot, directory: lab.directory, clock, live: liveHosts(lab) })
  server.post<{ Body: TraceRequest }>('/trace', ({ body }): TraceAnswer => refusing(() => {
    const { eni, packet, isOpening } = 'bytesHex' in body
      ? capturedPacket(snapshot, body)
      : namedPacket(snapshot, body)
    const walk = explainer.trace(eni, packet, isOpening)
    if (walk === null) throw notRunning(eni)
    return { revision: explainer.revision, ...walk }
  }))
  server.post<{ Body: ReachRequest }>('/reach', ({ body }): ReachAnswer => refusing(() => {
    const protocol = protocolNumber(body.protocol)
    const { eni, source, destination, target } = endsOf(snapshot, body.from, body.to, protocol)
    const port = portOf('port', body.port, protocol)
    const opening = { source, destination, protocol, destinationPort: port }
    return { revision: explainer.revision, ...explainer.reach(eni, opening, target) }
  }))
}

function refusing<Answer> (work: () => Answer): Answer {
  try {
    return work()
  } catch (error) {
    if (error instanceof AwsError) throw new Refusal(error.status, error.code, error.message)
    throw error
  }
}

interface Asked {
  readonly eni: string
  readonly packet: PacketFields
  /** The packet is judged as the first of its conversation, whatever the hosts remember. */
  readonly isOpening: boolean
}

function namedPacket (snapshot: Snapshot, body: PacketRequest): Asked {
  const protocol = protocolNumber(body.protocol)
  const ends = endsOf(snapshot, body.from, body.to, protocol)
  const packet = openingPacket({
    ...ends,
    protocol,
    destinationPort: portOf('port', body.port, protocol),
    ...body.source === undefined ? {} : { source: sourceOf(body.source, ends.destination) },
    ...optional('sourcePort', body.fromPort, PORT_MAX),
    ...optional('bytes', body.bytes, MADE_PACKET_BYTES_MAX),
    ...optional('ttl', body.ttl, BYTE_MAX),
    ...isIcmp(protocol) ? optional('icmpType', body.icmpType, BYTE_MAX) : {},
    ...protocol === PROTOCOL_TCP ? optional('tcpFlags', body.tcpFlags, BYTE_MAX) : {}
  })
  return { eni: ends.eni, packet, isOpening: false }
}

/** A packet that was captured at an ENI: leaving it, or arriving from another ENI of its VPC. */
function capturedPacket (
  snapshot: Snapshot, body: Extract<TraceRequest, { readonly bytesHex: string }>
): Asked {
  const packet = readPacket(Buffer.from(body.bytesHex, 'hex'), body.totalBytes)
  if (packet === null) {
    throw new AwsError('InvalidParameterValue', 'The packet is damaged, or a fragment')
  }
  const point = eniOf(snapshot, body.at)
  const isOpening = (packet.tcpFlags & (TCP_FLAG_SYN | TCP_FLAG_ACK)) === TCP_FLAG_SYN
  if (body.direction === 'out') return { eni: point.id, packet, isOpening }
  const sender = snapshot.tables.networkInterface.by('vpcId', point.vpcId)
    .find((eni) => ownsAddress(eni, packet.source))
  if (sender === undefined) {
    throw new AwsError('InvalidParameterValue', `No ENI of ${point.vpcId} has ${packet.source}: ` +
      'an instance has passed the packet on, and its way up to there is not known')
  }
  return { eni: sender.id, packet: { ...packet, ttl: packet.ttl + 1 }, isOpening }
}

function sourceOf (source: string, destination: string): string {
  if (source.includes(':') !== destination.includes(':')) {
    throw new AwsError('InvalidParameterValue',
      `The source ${source} and the destination ${destination} are of two families`)
  }
  return source
}

/** @throws AwsError InvalidParameterValue, MissingParameter */
function portOf (name: string, port: number | undefined, protocol: number): number {
  if (!hasPorts(protocol)) return 0
  if (port === undefined) {
    throw new AwsError('MissingParameter', 'TCP and UDP need a port: 10.0.1.10:443, tcp/443')
  }
  return optional(name, port, PORT_MAX)[name] ?? port
}

function optional (
  name: string, value: number | undefined, max: number
): Readonly<Record<string, number>> {
  if (value === undefined) return {}
  if (Number.isInteger(value) && value >= 0 && value <= max) return { [name]: value }
  throw new AwsError('InvalidParameterValue',
    `${name} is a whole number up to ${String(max)}, not ${String(value)}`)
}

function notRunning (eni: string): AwsError {
  return new AwsError('IncorrectInstanceState',
    `${eni} is on no host: no packet can leave it before its instance runs`)
}

/** What the agents know of devices, and the workers' flow files of conversations. */
function liveHosts (lab: Lab): LiveHosts {
  const agentOf = (host: string): Lab['agents'][number] | undefined =>
    lab.agents.find((agent) => agent.host.id === host)
  return {
    isOpen: (host, eni) => agentOf(host)?.isOpen(eni) ?? false,
    conversationOf: (host, eni, packet, direction) => {
      const agent = agentOf(host)
      if (agent === undefined) return null
      const found = agent.flowReader.find(eniBits(eni), keyOf(packet, direction))
      return metBy(found, packet.tcpFlags, direction)
    }
  }
}

/** The key of a packet's conversation as the ENI sees it (flow_layout.ts). */
function keyOf (packet: PacketFields, direction: number): FlowKey {
  const source = addressWords(packet.source)
  const destination = addressWords(packet.destination)
  const [sourcePort, destinationPort] = conversationPorts(packet)
  return direction === EGRESS
    ? { protocol: packet.protocol, local: source, remote: destination, localPort: sourcePort,
        remotePort: destinationPort }
    : { protocol: packet.protocol, local: destination, remote: source,
        localPort: destinationPort, remotePort: sourcePort }
}
