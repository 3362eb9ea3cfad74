/**
 * For tests: the hosts of a World, each a whole worker in memory (dataplane/testing/lab.ts) that is
 * fed by a compiler of its own, joined by an underlay in memory. What an explanation says of a
 * packet is held against what becomes of it here.
 */
import type { Clock } from '../../base/clock.ts'
import { eniBits } from '../../base/ids.ts'
import { HostCompiler } from '../../compile/host_compiler.ts'
import { DROP_REASONS } from '../../dataplane/drop_reason.ts'
import { FlowReader, metBy } from '../../dataplane/flow_reader.ts'
import { pathMtu } from '../../dataplane/loop.ts'
import { EGRESS, flowFileBytes } from '../../dataplane/tables/flow_layout.ts'
import { Lab } from '../../dataplane/testing/lab.ts'
import type { Directory } from '../../mapping/directory.ts'
import type { Host } from '../../model/lab.ts'
import type { Snapshot } from '../../model/snapshot.ts'
import { PORT_UNDERLAY } from '../../tun/descriptor.ts'
import { addressWords } from '../../wire/address.ts'
import type { LiveHosts } from '../explainer.ts'
import { conversationPorts, makePacket } from '../made_packet.ts'
import type { PacketFields } from '../made_packet.ts'

export const TEST_CLOCK: Clock = { nowMs: () => 0, monotonicMs: () => 0 }
const FLOW_CAPACITY = 256
/** Passes after which nothing moves any more. */
const TURNS = 4

/** What became of one packet. */
export interface Fate {
  /** ENI whose device got it, or null. */
  readonly deliveredTo: string | null
  /** ENI and reason of the drop, or null. */
  readonly dropped: { readonly eni: string, readonly reason: string } | null
}

interface SimulatedHost {
  readonly host: Host
  readonly compiler: HostCompiler
  readonly lab: Lab
  readonly reader: FlowReader
}

export class SimulatedHosts {
  readonly #hosts: readonly SimulatedHost[]
  readonly #drops = new Map<string, number>()

  constructor (snapshot: Snapshot, directory: Directory, cacheFlows: boolean) {
    this.#hosts = [...snapshot.tables.host.values()].map((host) => {
      const compiler =
        new HostCompiler({ hostName: host.id, snapshot, directory, clock: TEST_CLOCK })
      const update = compiler.compileAll()
      const flowFile = new ArrayBuffer(flowFileBytes(FLOW_CAPACITY))
      const lab = new Lab({
        host: compiler.indexOfHost(host.id), flowCapacity: FLOW_CAPACITY, flowFile,
        pathMtu: pathMtu(host.underlayMtu, false)
      })
      lab.loop.router.cacheFlows = cacheFlows
      lab.apply(update)
      return { host, compiler, lab, reader: new FlowReader(flowFile) }
    })
  }

  /** What the explainer is told of these hosts. */
  get live (): LiveHosts {
    return {
      isOpen: () => true,
      conversationOf: (name, eni, packet, direction) => {
        const reader = this.#hosts.find(({ host }) => host.id === name)?.reader
        const source = addressWords(packet.source)
        const destination = addressWords(packet.destination)
        const [sourcePort, destinationPort] = conversationPorts(packet)
        const found = reader?.find(eniBits(eni), direction === EGRESS
          ? { protocol: packet.protocol, local: source, remote: destination,
              localPort: sourcePort, remotePort: destinationPort }
          : { protocol: packet.protocol, local: destination, remote: source,
              localPort: destinationPort, remotePort: sourcePort }) ?? null
        return metBy(found, packet.tcpFlags, direction)
      }
    }
  }

  /** Flows of all hosts, to show that something left them as they were. */
  get flows (): number {
    return this.#hosts.reduce((sum, { lab }) => sum + lab.flows.live, 0)
  }

  /** Sends the packet out of an ENI and sees where it ends. */
  send (eni: string, packet: PacketFields): Fate {
    const sender = this.#hosts.find(({ compiler }) => compiler.portOf(eni) !== 0)
    if (sender === undefined) return { deliveredTo: null, dropped: null }
    sender.lab.nic.feed({
      nicPort: sender.lab.nicPort(sender.compiler.portOf(eni)), packet: makePacket(packet, 0)
    })
    const delivered: string[] = []
    for (let turn = 0; turn < TURNS; turn++) {
      for (const one of this.#hosts) delivered.push(...this.#turn(one))
    }
    const [deliveredTo = null] = delivered
    return { deliveredTo, dropped: this.#newDrop() }
  }

  /** @returns ENIs that got a packet; those that a host made itself (ICMP) do not count */
  #turn (one: SimulatedHost): string[] {
    const delivered: string[] = []
    one.lab.pass()
    for (const sent of one.lab.takeSent()) {
      if (sent.outer === null) {
        const port = one.lab.loop.tables.ports.portOfNic[sent.nicPort] ?? 0
        delivered.push(one.compiler.eniOfPort(port) ?? '')
        continue
      }
      const name = one.compiler.idOf('host', sent.outer.peer)
      const peer = this.#hosts.find(({ host }) => host.id === name)
      peer?.lab.nic.feed({
        nicPort: PORT_UNDERLAY,
        packet: Uint8Array.from([...sent.outer.header, ...sent.packet]),
        source: addressWords(one.host.underlayAddress),
        gsoType: sent.gsoType,
        gsoSize: sent.gsoSize,
        outerTrafficClass: sent.outer.trafficClass
      })
    }
    return delivered
  }

  /** The drop counter that has risen since the last look. */
  #newDrop (): Fate['dropped'] {
    let dropped: Fate['dropped'] = null
    for (const { host, lab, compiler } of this.#hosts) {
      for (const [key, packets] of Object.entries(lab.drops())) {
        const name = `${host.id}/${key}`
        if (packets === (this.#drops.get(name) ?? 0)) continue
        this.#drops.set(name, packets)
        const [port = '', reason = ''] = key.split('/')
        if (!DROP_REASONS.some((one) => one.name === reason)) continue
        dropped = { eni: compiler.eniOfPort(Number(port)) ?? '', reason }
      }
    }
    return dropped
  }
}
