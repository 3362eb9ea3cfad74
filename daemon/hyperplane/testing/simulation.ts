/**
 * A cell in one process: nodes, control and clients over a network that delays, loses, repeats and
 * reorders, under a clock that moves by hand. Everything random comes from one seed.
 *
 *     control   daemon/hyperplane/cell.ts; its word reaches each node later, in order
 *     nodes     dataplane/hyperplane/node.ts over memory; killed at any moment, started again with
 *               the file they left
 *     clients   open flows at the node that they believe to own the slot
 *
 * The checker knows every flow that counted, and complains of two that share a source port, of one
 * that is translated differently than before, and of one that is lost.
 */
import { assert } from '../../base/assert.ts'
import { Generator } from '../../base/generator.ts'
import type { Random } from '../../base/random.ts'
import { isMessage, MESSAGE_HEADER_BYTES } from '../../dataplane/hyperplane/peer_channel.ts'
import { RECORD_BYTES } from '../../dataplane/hyperplane/record.ts'
import {
  FLOW_PASSES, FLOW_WAITS, HyperplaneNode, MESSAGE_BYTES_MAX
} from '../../dataplane/hyperplane/node.ts'
import { shardSlot } from '../../dataplane/tables/host_table.ts'
import {
  NAT_AT_INSIDE, NAT_AT_INSIDE_PORTS, NAT_AT_OUTSIDE, NAT_AT_OUTSIDE_PORTS, NAT_AT_PROTOCOL,
  NAT_AT_REMOTE, NAT_AT_RESOURCE, NAT_AT_SERIAL, NAT_AT_UNCONFIRMED, natFileBytes
} from '../../dataplane/tables/nat_layout.ts'
import { NatTable } from '../../dataplane/tables/nat_table.ts'
import { addressWords, IPV4_MAPPED_WORD } from '../../wire/address.ts'
import { PROTOCOL_TCP } from '../../wire/ip_protocol.ts'
import { Cell } from '../cell.ts'
import type { Assignment } from '../cell.ts'
import { SHARD_SIZE } from '../shuffle_shard.ts'

export interface SimulationOptions {
  readonly nodes: number
  readonly seed: number
  /** Share of datagrams that are lost, and that come twice. */
  readonly loss: number
  readonly repeats: number
  /** Longest delay of a datagram, and of control's word, ms. */
  readonly delayMs: number
  readonly controlMs: number
}

const RESOURCE = 7
const NAT_ADDRESS = addressWords('10.0.0.9')
const REMOTES = 4
/** Rows of a node: more than there are flows, so that none is refused for want of room. */
const CAPACITY = 2048

interface Flow { readonly client: number, readonly remote: number, readonly outside: string }

interface Process {
  readonly node: HyperplaneNode
  readonly table: NatTable
  /** Row/serial → flow that waits for its confirmation. */
  readonly held: Map<string, { readonly client: number, readonly remote: number }>
}

export class Simulation {
  readonly cell: Cell
  readonly names: readonly string[]
  /** What went wrong; empty is good. */
  readonly faults: string[] = []
  nowMs = 0
  /** Flows that counted. */
  acknowledged = 0
  /** Longest time from a first packet to its acknowledgment, ms. */
  waitedMs = 0
  refused = 0
  readonly #options: SimulationOptions
  readonly #processes: (Process | null)[]
  readonly #files: ArrayBuffer[]
  readonly #queue: { readonly atMs: number, readonly run: () => void }[] = []
  readonly #live = new Map<string, Flow>()
  readonly #openedMs = new Map<string, number>()
  /** Outside ends of flows that have ended. */
  readonly #ended = new Map<string, string>()
  readonly #bytes = new Uint8Array(MESSAGE_BYTES_MAX)
  readonly #target = new Int32Array(1)
  #incarnation = 0
  readonly #generator: Generator
  /** What clients believe. */
  #belief: Assignment | null = null
  readonly #wordAtMs = new Map<string, number>()

  constructor (options: SimulationOptions) {
    this.#options = options
    this.#generator = new Generator(options.seed | 1)
    this.names = Array.from({ length: options.nodes }, (_n, index) => `node-${String(index + 1)}`)
    this.cell = new Cell(this.names)
    this.#files = this.names.map(() => new ArrayBuffer(natFileBytes(CAPACITY)))
    this.#processes = this.names.map(() => null)
    for (const name of this.names) this.start(name)
    this.cell.begin()
    this.#publish([this.cell.addResource('nat-0a')])
    this.#belief = this.cell.assignment('nat-0a')
  }

  get liveFlows (): number { return this.#live.size }

  random (): number { return this.#generator.next() }

  pick (count: number): number { return Math.floor(this.random() * count) }

  isUp (name: string): boolean { return this.#process(name) !== null }

  /** Whether flows survive the death of a node: another one has a complete copy, control knows. */
  mayKill (name: string): boolean {
    const { complete } = this.cell.record()
    return this.isUp(name) &&
      (complete['nat-0a'] ?? []).some((other) => other !== name && this.cell.isLive(other) &&
        this.isUp(other))
  }

  /** `kill -9`; control hears of it a little later. */
  kill (name: string): void {
    this.#processes[this.#index(name)] = null
    this.#later(this.random() * this.#options.controlMs, () => {
      this.#publish(this.cell.nodeDown(name))
    })
  }

  start (name: string): void {
    const index = this.#index(name)
    if (this.#processes[index] !== null || this.cell.isLive(name)) return
    const random: Random = {
      bytes: (count) => Uint8Array.from({ length: count }, () => this.pick(256))
    }
    const table = new NatTable(this.#file(index), CAPACITY, random)
    const held: Process['held'] = new Map()
    const incarnation = ++this.#incarnation
    const node = new HyperplaneNode(index + 1, table, incarnation, {
      confirmed: (at, serial) => { this.#confirmed(index, at, serial) },
      decides: () => undefined,
      complete: (shard) => {
        const { epoch } = shard
        this.#later(this.random() * this.#options.controlMs, () => {
          if (this.#processes[index]?.node !== node) return
          const changed = this.cell.copyIsComplete(name, 'nat-0a', epoch)
          if (changed !== null) this.#publish([changed])
        })
      }
    })
    this.#processes[index] = { node, table, held }
    this.#publish(this.cell.nodeUp(name))
  }

  /** A packet of a client for a remote end, sent where the client believes the owner to be. */
  send (client: number, remote: number): void {
    const slot = shardSlot(0, 0, IPV4_MAPPED_WORD, remoteAddress(remote), 80, PROTOCOL_TCP, 0,
      RESOURCE, SHARD_SIZE)
    const owner = this.#belief?.owners[slot]
    if (owner === undefined || owner === null) return
    const index = this.#index(owner)
    const process = this.#processes[index] ?? null
    if (process === null) return
    const { node, table } = process
    node.nowMs = this.nowMs
    table.setNowMs(this.nowMs)
    this.#ask(table, client, remote)
    let at = table.findInside()
    const name = `${String(client)}/${String(remote)}`
    const shard = node.findShard(0, RESOURCE)
    if (shard === undefined) return
    if (at < 0) {
      at = node.openFlow(shard)
      if (at < 0) {
        this.refused++
        return
      }
    }
    if (!this.#openedMs.has(name)) this.#openedMs.set(name, this.nowMs)
    const admission = node.admit(shard, at)
    if (admission === FLOW_PASSES) {
      // A packet of a host that has not heard of the new owner, which has just ended the flow,
      // passes at the old one, as it had a moment before: no flow begins by it.
      const decides = shard.owns(slot) && shard.mayDecide()
      if (!decides && this.#ended.get(name) === outsideOf(table, at)) return
      this.#passed(index, at, { client, remote })
    } else if (admission === FLOW_WAITS) {
      process.held.set(`${String(at)}/${String(table.words[at + NAT_AT_SERIAL])}`,
        { client, remote })
    }
  }

  /** Ends a flow at the node that owns it, as idling would. */
  end (client: number, remote: number): void {
    for (const process of this.#processes) {
      if (process === null) continue
      const { node, table } = process
      this.#ask(table, client, remote)
      const at = table.findInside()
      const shard = node.findShard(0, RESOURCE)
      if (at < 0 || shard === undefined || !shard.mayDecide() || !table.isArmed(at) ||
        table.words[at + NAT_AT_UNCONFIRMED] !== 0) continue
      const name = `${String(client)}/${String(remote)}`
      this.#ended.set(name, outsideOf(table, at))
      node.endFlow(shard, at)
      this.#live.delete(name)
      this.#openedMs.delete(name)
      return
    }
  }

  /** Moves the clock, step by step of a millisecond. */
  run (ms: number): void {
    for (let step = 0; step < ms; step++) {
      this.nowMs++
      this.#queue.sort((a, b) => a.atMs - b.atMs)
      while ((this.#queue[0]?.atMs ?? Infinity) <= this.nowMs) this.#queue.shift()?.run()
      this.#processes.forEach((process, index) => {
        if (process !== null) this.#pass(process, index)
      })
    }
  }

  /** After a quiet time: every flow that counted is known to the owner of its slot, as it was. */
  checkAll (): void {
    this.#belief = this.cell.assignment('nat-0a')
    for (const [name, flow] of this.#live) {
      const slot = shardSlot(0, 0, IPV4_MAPPED_WORD, remoteAddress(flow.remote), 80, PROTOCOL_TCP,
        0, RESOURCE, SHARD_SIZE)
      const owner = this.#belief?.owners[slot]
      const process = owner === undefined || owner === null ? null : this.#process(owner)
      if (process === null) {
        this.faults.push(`flow ${name}: nobody owns its slot`)
        continue
      }
      this.#ask(process.table, flow.client, flow.remote)
      const at = process.table.findInside()
      if (at < 0) this.faults.push(`flow ${name} is lost at ${String(owner)}`)
      else if (outsideOf(process.table, at) !== flow.outside) {
        this.faults.push(`flow ${name} has changed`)
      }
    }
  }

  // ------------------------------------------------------------------------------------- inside

  #confirmed (index: number, at: number, serial: number): void {
    const process = this.#processes[index] ?? null
    const key = `${String(at)}/${String(serial)}`
    const flow = process?.held.get(key)
    if (process === null || flow === undefined) return
    process.held.delete(key)
    this.#passed(index, at, flow)
  }

  /** A packet of the flow has passed: from now on it must live. */
  #passed (index: number, at: number, flow: Pick<Flow, 'client' | 'remote'>): void {
    const process = this.#processes[index] ?? null
    if (process === null) return
    const name = `${String(flow.client)}/${String(flow.remote)}`
    const outside = outsideOf(process.table, at)
    const known = this.#live.get(name)
    if (known !== undefined) {
      if (known.outside !== outside) this.faults.push(`flow ${name}: ${known.outside} → ${outside}`)
      return
    }
    for (const [other, { remote, outside: taken }] of this.#live) {
      if (remote === flow.remote && taken === outside) {
        this.faults.push(`flows ${other} and ${name} share ${outside}`)
      }
    }
    this.#live.set(name, { ...flow, outside })
    this.acknowledged++
    this.waitedMs = Math.max(this.waitedMs, this.nowMs - (this.#openedMs.get(name) ?? this.nowMs))
  }

  #pass (process: Process, index: number): void {
    const { node, table } = process
    node.nowMs = this.nowMs
    table.setNowMs(this.nowMs)
    node.work()
    const bytes = this.#bytes
    const target = this.#target
    for (;;) { // ends: each datagram moves a record or an answer on
      const count = node.write(bytes, 0, MESSAGE_HEADER_BYTES + 4 * RECORD_BYTES, target)
      if (count === 0) break
      this.#transmit(index + 1, target[0] ?? 0, bytes.slice(0, count))
    }
  }

  #transmit (from: number, to: number, datagram: Uint8Array): void {
    const { loss, repeats, delayMs } = this.#options
    if (this.random() < loss) return
    const copies = this.random() < repeats ? 2 : 1
    for (let copy = 0; copy < copies; copy++) {
      this.#later(this.random() * delayMs, () => {
        const process = this.#processes[to - 1] ?? null
        if (process === null) return
        const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength)
        if (!isMessage(view, 0, datagram.length)) this.faults.push('not a message')
        process.node.nowMs = this.nowMs
        process.node.receive(from, view, 0, datagram.length)
      })
    }
  }

  #publish (assignments: readonly Assignment[]): void {
    for (const assignment of assignments) {
      const data = {
        eniIdHigh: 0,
        eniIdLow: RESOURCE,
        epoch: assignment.epoch,
        owners: Uint32Array.from(assignment.owners,
          (name) => name === null ? 0 : this.#index(name) + 1),
        ownerEpochs: Uint32Array.from(assignment.ownerEpochs),
        replicas: Uint32Array.from(assignment.replicas, (name) => this.#index(name) + 1),
        joinedEpochs: Uint32Array.from(assignment.joinedEpochs),
        addresses: NAT_ADDRESS
      }
      this.names.forEach((name, index) => {
        const node = this.#processes[index]?.node
        this.#word(name, () => {
          const process = this.#processes[index] ?? null
          // What was meant for an earlier life of the process is lost with it; it is told anew.
          if (process?.node === node) process?.node.assign(data)
        })
      })
      this.#word('clients', () => { this.#belief = assignment })
    }
  }

  /** Control's word to somebody: later, and in order. */
  #word (to: string, run: () => void): void {
    const atMs = Math.max(this.#wordAtMs.get(to) ?? 0,
      this.nowMs + this.random() * this.#options.controlMs)
    this.#wordAtMs.set(to, atMs + 0.001)
    this.#queue.push({ atMs, run })
  }

  #later (ms: number, run: () => void): void { this.#queue.push({ atMs: this.nowMs + ms, run }) }

  #ask (table: NatTable, client: number, remote: number): void {
    const { key } = table
    key.fill(0)
    key[NAT_AT_PROTOCOL] = PROTOCOL_TCP
    key[NAT_AT_RESOURCE + 1] = RESOURCE
    key.set(addressWords('10.0.1.1'), NAT_AT_INSIDE)
    key[NAT_AT_REMOTE + 2] = IPV4_MAPPED_WORD
    key[NAT_AT_REMOTE + 3] = remoteAddress(remote)
    key[NAT_AT_INSIDE_PORTS] = ((1024 + client) << 16) | 80
  }

  #file (index: number): ArrayBuffer {
    const file = this.#files[index]
    assert(file !== undefined, 'each node has a file')
    return file
  }

  #index (name: string): number { return this.names.indexOf(name) }

  #process (name: string): Process | null { return this.#processes[this.#index(name)] ?? null }
}

function remoteAddress (remote: number): number {
  return (0xc633640a + remote % REMOTES) | 0
}

function outsideOf (table: NatTable, at: number): string {
  const address = table.words[at + NAT_AT_OUTSIDE + 3] ?? 0
  const ports = table.words[at + NAT_AT_OUTSIDE_PORTS] ?? 0
  return `${String(address >>> 0)}:${String(ports >>> 16)}`
}
