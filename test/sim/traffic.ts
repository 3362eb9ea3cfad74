/**
 * Packets of the simulation, and what becomes of them. Each is UDP and says who it is in its last
 * bytes; who gets one answers it, whoever he is. Each delivery is held against the oracle:
 *
 *     there is a revision, of those that the sender's host may have had since it was sent, by which
 *     it goes to that ENI; and one, of those that the receiver's host may have, by which it is
 *     taken in. What security groups have allowed since the conversation began counts, since it is
 *     tracked.
 */
import { ipPacket } from '../../daemon/dataplane/testing/packets.ts'
import { PROTOCOL_UDP } from '../../daemon/wire/ip_protocol.ts'
import { IPV4_AT_DST, IPV4_HEADER_BYTES_MIN } from '../../daemon/wire/ipv4.ts'
import { readU32, writeU16, writeU32 } from '../../daemon/wire/bytes.ts'
import { UDP_AT_CHECKSUM } from '../../daemon/wire/udp.ts'
import type { History, View } from './history.ts'
import type { SimulatedHost } from './host.ts'
import { ipv4Text } from './ipv4.ts'
import { groupsAllow, nextHop, placesOf, takesIn } from './oracle.ts'
import type { Flow } from './oracle.ts'

const PAYLOAD_BYTES = 16
const ID_BYTES = 4
const FIRST_PORT = 1024
const PORTS = 60_000

/** A 5-tuple, from its first packet on. */
export interface Conversation extends Flow {
  readonly senderId: string
  readonly sourcePort: number
  /** Oldest revision by which a packet of it was judged. */
  since: number
}

interface Probe {
  readonly conversation: Conversation
  readonly isAnswer: boolean
  readonly senderId: string
  readonly senderHost: string
  readonly flow: Flow
  /** Of the sender's tables. */
  readonly revision: number
}

export interface TrafficCounts {
  sent: number
  delivered: number
  answers: number
  answered: number
}

export class Traffic {
  readonly counts: TrafficCounts = { sent: 0, delivered: 0, answers: 0, answered: 0 }
  readonly #history: History
  readonly #fail: (why: string) => void
  readonly #probes: Probe[] = []
  readonly #delivered = new Map<number, string>()
  #conversations = 0

  constructor (history: History, fail: (why: string) => void) {
    this.#history = history
    this.#fail = fail
  }

  /** ENIs whose device gets what ENIs of a conversation send; null: nobody. */
  receiverOf (probe: number): string | null { return this.#delivered.get(probe) ?? null }

  /** Host of the sender of a packet, or null when nobody sent it. */
  senderHostOf (packet: Uint8Array): string | null {
    return this.#probes[readU32(packet, packet.length - ID_BYTES)]?.senderHost ?? null
  }

  begin (host: SimulatedHost, senderId: string, flow: Flow): Conversation {
    const sourcePort = FIRST_PORT + this.#conversations++ % PORTS
    return { ...flow, senderId, sourcePort, since: host.worker?.revision ?? 0 }
  }

  /** @returns number of the packet, or null when the device is not open */
  send (host: SimulatedHost, path: string, conversation: Conversation): number | null {
    const { from, to, port, sourcePort } = conversation
    const probe = this.#packet(host, path, conversation, false, { from, to, port }, sourcePort)
    if (probe !== null) this.counts.sent++
    return probe
  }

  /** A packet has reached the device of an ENI. */
  receive (host: SimulatedHost, eniId: string, packet: Uint8Array): void {
    const id = readU32(packet, packet.length - ID_BYTES)
    const probe = this.#probes[id]
    if (probe === undefined || ipv4Text(packet, IPV4_AT_DST) !== probe.flow.to) {
      this.#fail(`${host.name} delivers to ${eniId} what nobody sent`)
      return
    }
    if (probe.isAnswer) this.counts.answered++
    else this.counts.delivered++
    this.#delivered.set(id, eniId)
    this.#judge(probe, host, eniId)
    if (probe.isAnswer) return
    const { conversation, flow } = probe
    const back = { from: flow.to, to: flow.from, port: conversation.sourcePort }
    const path = host.devices().find((device) => device.endsWith(eniId)) ?? ''
    // Not within the pass that delivered: a guest takes its time.
    host.events.timeline.soon(1, () => {
      if (this.#packet(host, path, conversation, true, back, flow.port) !== null) {
        this.counts.answers++
      }
    })
  }

  /** Whether a packet sent now, to hosts that all have the newest records, arrives; and where. */
  expected (senderId: string, flow: Flow): string | null {
    const { newest } = this.#history
    const sender = placesOf(newest).byEni.get(senderId)
    if (sender === undefined || !groupsAllow(newest, senderId, true, flow)) return null
    const next = nextHop(newest, senderId, sender.hostName, flow)
    const receiver = next === null ? undefined : placesOf(newest).byEni.get(next)
    if (next === null || receiver === undefined) return null
    return takesIn(newest, next, receiver.hostName, senderId, sender.hostName, flow) &&
      groupsAllow(newest, next, false, flow) ? next : null
  }

  #packet (host: SimulatedHost, path: string, conversation: Conversation, isAnswer: boolean,
    flow: Flow, sourcePort: number): number | null {
    const { worker } = host
    if (worker === null) return null
    const packet = ipPacket({
      src: flow.from, dst: flow.to, protocol: PROTOCOL_UDP, srcPort: sourcePort,
      dstPort: flow.port, payloadBytes: PAYLOAD_BYTES
    })
    const id = this.#probes.length
    writeU16(packet, IPV4_HEADER_BYTES_MIN + UDP_AT_CHECKSUM, 0)
    writeU32(packet, packet.length - ID_BYTES, id)
    this.#probes.push({
      conversation, isAnswer, flow, senderId: path.slice(path.indexOf('/') + 1),
      senderHost: host.name, revision: worker.revision
    })
    return worker.send(path, packet) ? id : null
  }

  #judge (probe: Probe, host: SimulatedHost, eniId: string): void {
    const { flow, senderId, senderHost, conversation, isAnswer } = probe
    const receivedAt = host.worker?.revision ?? 0
    conversation.since = Math.min(conversation.since, receivedAt)
    const { since } = conversation
    const faults = [
      this.#holds(probe.revision, (at) => nextHop(at, senderId, senderHost, flow) === eniId)
        ? null : 'no table of its sender leads there',
      this.#holds(receivedAt, (at) =>
        takesIn(at, eniId, host.name, senderId, senderHost, flow))
        ? null : 'no table of its receiver takes it in',
      isAnswer || this.#holds(since, (at) => groupsAllow(at, senderId, true, flow))
        ? null : 'no group lets it out',
      isAnswer || this.#holds(since, (at) =>
        groupsAllow(at, eniId, false, flow))
        ? null : 'no group lets it in'
    ].filter((fault) => fault !== null)
    if (faults.length === 0) return
    this.#fail(`${flow.from} of ${senderId} on ${senderHost} to ${flow.to} port ` +
      `${String(flow.port)}${isAnswer ? ', an answer,' : ''} reached ${eniId} on ${host.name}: ` +
      `${faults.join(', ')} (tables of the sender ${String(probe.revision)}, of the receiver ` +
      `${String(receivedAt)}, of the store ${String(this.#history.revision)})`)
  }

  /** Whether something holds at a revision since the one given. */
  #holds (since: number, test: (at: View) => boolean): boolean {
    for (let revision = since; revision <= this.#history.revision; revision++) {
      if (test(this.#history.at(revision))) return true
    }
    return false
  }
}
