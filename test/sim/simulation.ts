/**
 * Many machines in one process, from one seed: daemons with agents, one etcd, an underlay.
 *
 *     calls ─▶ any machine ─▶ etcd ─▶ every machine ─▶ tables of its hosts
 *     probes ─▶ devices ─▶ workers ─▶ underlay ─▶ workers ─▶ devices ─▶ oracle
 *
 * For a while calls, packets and faults meet each other. Then faults end, the clock runs on, and
 * all must be as if nothing had happened:
 *
 *     1  no packet has reached an ENI that it was not for            at every delivery (traffic.ts)
 *        and only hosts that an ENI has left forward, once           at every datagram
 *     2  what was acknowledged is in the store                       at every answer
 *     3  replicas hold the store's records, workers the tables of a fresh compile, and of new
 *        packets those arrive that may, and no others                at the end
 *
 * Control of a host in the product is a message port: what it carries keeps its order and is lost
 * only with one of its ends. So it is here: slow, and lost with a worker or a daemon.
 */
import { isDeepStrictEqual } from 'node:util'
import { AwsError } from '../../daemon/model/aws_error.ts'
import { VpclabError } from '../../daemon/base/errors.ts'
import { eniIdFromBits } from '../../daemon/base/ids.ts'
import { HostCompiler } from '../../daemon/compile/host_compiler.ts'
import { WorkerModel } from '../../daemon/compile/test_world.ts'
import { decodeGeneve, newGeneveFields } from '../../daemon/encap/geneve.ts'
import type { GeneveFields } from '../../daemon/encap/geneve.ts'
import { Directory } from '../../daemon/mapping/directory.ts'
import type { Host } from '../../daemon/model/lab.ts'
import type { NetworkInterface } from '../../daemon/model/network_interface.ts'
import { quotaOverrides } from '../../daemon/model/quota.ts'
import { put } from '../../daemon/model/snapshot.ts'
import type { Change } from '../../daemon/model/snapshot.ts'
import { keyOf } from '../../daemon/store/replica.ts'
import { formatAddress } from '../../daemon/wire/address.ts'
import { SimulatedEtcd } from './etcd.ts'
import { Faults } from './faults.ts'
import type { FaultKind } from './faults.ts'
import { History, difference } from './history.ts'
import type { Datagram } from './host.ts'
import { SimulatedHost } from './host.ts'
import { Links } from './links.ts'
import { Machine, REGION } from './machine.ts'
import type { Daemon } from './machine.ts'
import { drawCall, firstCalls } from './operations.ts'
import { placesOf } from './oracle.ts'
import { Chance, Timeline } from './timeline.ts'
import { Traffic } from './traffic.ts'
import type { Conversation, TrafficCounts } from './traffic.ts'

const ETCD_MEMBERS = 3
const UNDERLAY_MS = 0.3
const CONTROL_MS = 2
const CALL_EVERY_MS = 60
const PROBE_EVERY_MS = 8
/** Conversations that go on; a packet belongs to one of them, or begins another. */
const CONVERSATIONS = 60
const GOES_ON = 0.7
/** Probes to addresses of the sender's own VPC, at least. */
const NEAR = 0.7
/** New conversations with one of it that has moved within these revisions, where there is one. */
const MOVED = 0.5
const MOVED_REVISIONS = 30
/** Probes with somebody else's source address. */
const SPOOFED = 0.05
const PORTS = [1500, 2500, 3500]
const MACHINE_PORT = 'machine'

const START_MS = 5_000
/** After the last fault: longer than any pause of the product before it tries again. */
const QUIET_MS = 90_000
const ANSWER_MS = 2_000
const FINAL_PROBES = 300
const INSTANCE_SLOTS = 8

export interface SimulationOptions {
  readonly seed: number
  readonly machines: number
  /** Hosts, over all machines. */
  readonly agents: number
  /** How long calls, packets and faults go on, ms of the simulation. */
  readonly activeMs: number
  readonly faults: readonly FaultKind[]
}

export interface Report {
  readonly seed: number
  readonly failure: string | null
  readonly trace: readonly string[]
  readonly faults: Readonly<Record<string, number>>
  readonly calls: { accepted: number, refused: number, unknown: number }
  readonly revision: number
  readonly traffic: TrafficCounts
  readonly datagrams: { sent: number, lost: number, forwarded: number }
  readonly finalProbes: { sent: number, delivered: number }
  readonly events: number
}

class Failure extends Error {}

export class Simulation {
  readonly #options: SimulationOptions
  readonly #timeline = new Timeline()
  readonly #links = new Links()
  readonly #etcd: SimulatedEtcd
  readonly #history = new History()
  readonly #traffic: Traffic
  readonly #machines: readonly Machine[]
  readonly #hosts: readonly SimulatedHost[]
  readonly #faults: Faults
  readonly #conversations: { readonly path: string, readonly conversation: Conversation }[] = []
  readonly #trace: string[] = []
  readonly #calls = { accepted: 0, refused: 0, unknown: 0 }
  readonly #datagrams = { sent: 0, lost: 0, forwarded: 0 }
  readonly #finalProbes = { sent: 0, delivered: 0 }
  readonly #underlay: Chance
  readonly #draws: Chance
  readonly #packets: Chance
  #failure: string | null = null
  #isActive = true

  constructor (options: SimulationOptions) {
    this.#options = options
    const chance = (name: string): Chance => new Chance(options.seed, name)
    this.#underlay = chance('underlay')
    this.#draws = chance('calls')
    this.#packets = chance('packets')
    this.#etcd = new SimulatedEtcd(this.#timeline, chance('etcd'), this.#links, ETCD_MEMBERS)
    this.#etcd.onCommitted = (committed) => { this.#history.note(committed) }
    this.#traffic = new Traffic(this.#history, (why) => { this.#fail(why) })
    this.#hosts = Array.from({ length: options.agents }, (_host, index) => this.#newHost(index))
    this.#machines = Array.from({ length: options.machines }, (_machine, index) => (
      new Machine(`machine-${String(index + 1)}`,
        this.#hosts.filter((_host, at) => at % options.machines === index), {
          timeline: this.#timeline,
          chance: chance(`machine ${String(index)}`),
          etcd: this.#etcd,
          onAcknowledged: (machine, revision, changes, dropped) => {
            this.#acknowledged(machine, revision, changes)
            this.#refuseTwice(machine, changes, dropped)
          },
          onCommit: () => undefined,
          onError: (machine, error) => {
            this.#fail(`${machine.name}: ${error instanceof Error ? error.stack ?? '' : ''}`)
          }
        })))
    this.#faults = new Faults({
      kinds: options.faults, timeline: this.#timeline, chance: chance('faults'),
      links: this.#links, etcd: this.#etcd, machines: this.#machines,
      trace: (text) => { this.#note(text) }
    })
  }

  async run (): Promise<Report> {
    const uninstall = this.#timeline.install()
    const onUncaught = (error: unknown): void => { this.#note(String((error as Error).stack)) }
    try {
      await this.#live()
      await this.#reckon()
    } catch (error) {
      onUncaught(error)
      this.#failure ??= error instanceof Error ? error.message : String(error)
    } finally {
      for (const machine of this.#machines) machine.crash()
      uninstall()
    }
    return {
      seed: this.#options.seed, failure: this.#failure, trace: this.#trace,
      faults: this.#faults.counts, calls: this.#calls, revision: this.#history.revision,
      traffic: this.#traffic.counts, datagrams: this.#datagrams, finalProbes: this.#finalProbes,
      events: this.#timeline.events
    }
  }

  async #live (): Promise<void> {
    const [first] = this.#machines
    if (first === undefined) return
    const started = first.start().then(async () => { await this.#fill(first.daemon) })
      .then(async () => { await Promise.all(this.#machines.slice(1).map((one) => one.start())) })
    started.catch((error: unknown) => { this.#fail(String(error)) })
    await this.#runTo(START_MS)
    this.#callLater()
    this.#probeLater()
    this.#faults.begin()
    await this.#runTo(START_MS + this.#options.activeMs)
    this.#isActive = false
    this.#faults.end()
    this.#note('faults end')
    await this.#runTo(START_MS + this.#options.activeMs + QUIET_MS)
  }

  async #runTo (untilMs: number): Promise<void> {
    const STEP_MS = 100
    while (this.#timeline.monotonicMs() < untilMs) {
      await this.#timeline.runUntil(Math.min(untilMs, this.#timeline.monotonicMs() + STEP_MS))
      if (this.#failure !== null) throw new Failure(this.#failure)
    }
  }

  #newHost (index: number): SimulatedHost {
    const record: Host = {
      id: `host-${String(index + 1)}`, region: REGION, zoneId: 'use1-az1', roles: ['compute'],
      underlayAddress: `192.0.${String(index >> 8)}.${String(index & 255)}`, underlayMtu: 9216,
      instanceSlots: INSTANCE_SLOTS
    }
    const chance = new Chance(this.#options.seed, record.id)
    return new SimulatedHost(record, {
      timeline: this.#timeline,
      chance,
      controlDelayMs: () => chance.delayMs(CONTROL_MS) * this.#faults.slowness(chance),
      onDatagram: (datagram) => { this.#carry(datagram) },
      onDelivered: (host, eniId, packet) => { this.#traffic.receive(host, eniId, packet) }
    })
  }

  /** What a lab begins with. */
  async #fill (daemon: Daemon | null): Promise<void> {
    const quotas = quotaOverrides('seed', { 'vpcs-per-region': 50 })
    await daemon?.transact(() => ({
      changes: [
        ...this.#hosts.map(({ record }) => put('host', record)),
        ...[...quotas].map(([id, value]) => put('quotaOverride', { id, value }))
      ],
      result: null
    }))
    if (daemon === null) return
    for (const [action, input] of firstCalls(daemon.replica.snapshot)) {
      await daemon.call(action, input)
    }
  }

  // ------------------------------------------------------------------------- calls and packets

  #callLater (): void {
    this.#timeline.after(this.#draws.delayMs(CALL_EVERY_MS), () => {
      if (!this.#isActive) return
      this.#callLater()
      const machine = this.#draws.of(this.#machines)
      if (machine?.daemon === null || machine === undefined) return
      const call = drawCall(this.#draws, machine.daemon.replica.snapshot)
      if (call !== null) this.#call(machine, machine.daemon, call[0], call[1])
    })
  }

  #call (machine: Machine, daemon: Daemon, action: string, input: object): void {
    const named = `${machine.name} ${action} ${JSON.stringify(input)}`
    daemon.call(action, input).then(() => {
      this.#calls.accepted++
      this.#note(`${named}: done`)
    }, (error: unknown) => {
      if (error instanceof AwsError) {
        this.#calls.refused++
        this.#note(`${named}: ${error.code}`)
      } else if (error instanceof VpclabError) {
        this.#calls.unknown++
        this.#note(`${named}: ${error.code} ${error.message}`)
      } else this.#fail(`${named}: ${String((error as Error).stack)}`)
    })
  }

  #acknowledged (machine: Machine, revision: number, changes: readonly Change[]): void {
    const committed = this.#etcd.committed[revision - 1]
    for (const { noun, id, record } of changes) {
      const newest = changes.findLast((change) => change.noun === noun && change.id === id)
      if (record === null || newest?.record !== record) continue
      const write = committed?.writes.find(({ key }) => key === keyOf(noun, id))
      if (write?.value === JSON.stringify(record)) continue
      this.#fail(`${machine.name} acknowledged ${noun} ${id} as of revision ` +
        `${String(revision)}, where the store has ${write?.value ?? 'nothing'}`)
    }
    if ((machine.daemon?.replica.snapshot.revision ?? revision) >= revision) return
    this.#fail(`${machine.name} acknowledged revision ${String(revision)} before it had it`)
  }

  /** What a call would have made by a plan that came too late is not there besides. */
  #refuseTwice (
    machine: Machine, changes: readonly Change[], dropped: readonly Change[]): void {
    const keys = new Set(changes.map(({ noun, id }) => keyOf(noun, id)))
    const made = dropped.find(({ noun, id }) =>
      !keys.has(keyOf(noun, id)) && this.#history.newest[noun].has(id))
    if (made === undefined) return
    this.#fail(`${machine.name} answered one call and made ${made.noun} ${made.id} besides`)
  }

  #probeLater (): void {
    this.#timeline.soon(this.#packets.delayMs(PROBE_EVERY_MS), () => {
      if (!this.#isActive) return
      this.#probeLater()
      this.#probe()
    })
  }

  #probe (): void {
    const chance = this.#packets
    const old = chance.of(this.#conversations)
    if (old !== undefined && chance.happens(GOES_ON)) {
      const host = this.#hosts.find((one) => one.hasDevice(old.path))
      if (host !== undefined) this.#traffic.send(host, old.path, old.conversation)
      return
    }
    const host = chance.of(this.#hosts.filter((one) => one.devices().length > 0))
    const path = chance.of(host?.devices() ?? [])
    if (host === undefined || path === undefined) return
    const senderId = path.slice(path.indexOf('/') + 1)
    const { networkInterface } = this.#history.newest
    const sender = networkInterface.get(senderId)
    const others = [...networkInterface.values()]
    const near = others.filter(({ vpcId }) => vpcId === sender?.vpcId)
    const moved = chance.happens(MOVED) ? chance.of(this.#movedLately(near)) : undefined
    const target = moved ?? chance.of(chance.happens(NEAR) ? near : others)
    const to = chance.of(target?.privateIpAddresses ?? [])
    const from = chance.of((chance.happens(SPOOFED) ? chance.of(others) : sender)
      ?.privateIpAddresses ?? [])
    if (to === undefined || from === undefined || to === from) return
    const flow = { from, to, port: chance.of(PORTS) ?? 0 }
    const conversation = this.#traffic.begin(host, senderId, flow)
    this.#conversations.push({ path, conversation })
    if (this.#conversations.length > CONVERSATIONS) this.#conversations.shift()
    this.#traffic.send(host, path, conversation)
  }

  /** Those that have been on another host a moment ago. */
  #movedLately (enis: readonly NetworkInterface[]): NetworkInterface[] {
    const { newest, revision } = this.#history
    const now = placesOf(newest).byEni
    return enis.filter(({ id }) => {
      const here = now.get(id)?.hostName
      for (let at = revision - 1; here !== undefined && at > revision - MOVED_REVISIONS; at--) {
        const there = placesOf(this.#history.at(at)).byEni.get(id)?.hostName
        if (there !== undefined && there !== here) return true
      }
      return false
    })
  }

  #carry (datagram: Datagram): void {
    this.#datagrams.sent++
    const header = newGeneveFields()
    decodeGeneve(new DataView(datagram.bytes.buffer), 0, datagram.bytes.length, header)
    if (header.isForwarded !== 0) this.#judgeForwarded(datagram, header)
    const to = this.#hosts.find(({ record }) => record.underlayAddress === datagram.toAddress)
    const copies = to === undefined ? 0 : this.#faults.copies(this.#underlay)
    const isOpen = to !== undefined && this.#links.isOpen(
      `${MACHINE_PORT} ${this.#machineOf(datagram.from)}`, `${MACHINE_PORT} ${this.#machineOf(to)}`)
    if (copies === 0 || !isOpen) {
      this.#datagrams.lost++
      return
    }
    for (let copy = 0; copy < copies; copy++) {
      const delayMs = this.#underlay.delayMs(UNDERLAY_MS) * this.#faults.slowness(this.#underlay)
      this.#timeline.soon(delayMs, () => { to.worker?.receive(datagram) })
    }
  }

  /** Whoever forwards has had the ENI once, and has the packet from its sender himself. */
  #judgeForwarded ({ from, bytes }: Datagram, header: GeneveFields): void {
    this.#datagrams.forwarded++
    const { forwarded0, forwarded1, forwarded2, forwarded3 } = header
    const source = formatAddress(Uint32Array.of(forwarded0, forwarded1, forwarded2, forwarded3))
    const sender = this.#hosts.find(({ record }) => record.underlayAddress === source)?.name
    const eni = eniIdFromBits(header.destinationEniHigh >>> 0, header.destinationEniLow >>> 0)
    let hasHeld = false
    for (let revision = 0; revision <= this.#history.revision && !hasHeld; revision++) {
      hasHeld = placesOf(this.#history.at(revision)).byEni.get(eni)?.hostName === from.name
    }
    if (hasHeld && sender !== from.name && sender === this.#traffic.senderHostOf(bytes)) return
    this.#fail(`${from.name} forwards to ${eni} what came from ${source}`)
  }

  #machineOf (host: SimulatedHost): string {
    return this.#machines.find(({ hosts }) => hosts.includes(host))?.name ?? ''
  }

  // ------------------------------------------------------------------------------ the reckoning

  async #reckon (): Promise<void> {
    for (const machine of this.#machines) {
      if (machine.daemon === null) this.#fail(`${machine.name} has not come back`)
      else this.#checkMachine(machine, machine.daemon)
    }
    if (this.#failure !== null) throw new Failure(this.#failure)
    await this.#probeAtTheEnd()
  }

  #checkMachine (machine: Machine, { replica, agents }: Daemon): void {
    const { snapshot } = replica
    const { revision } = this.#history
    if (snapshot.revision !== revision) {
      this.#fail(`${machine.name} is at revision ${String(snapshot.revision)} of ` +
        String(revision))
      return
    }
    const differs = difference(this.#history.newest, snapshot)
    if (differs !== null) this.#fail(`${machine.name} has another record: ${differs}`)
    for (const { host, swappedRevision, model } of agents) {
      const fresh = new HostCompiler({
        hostName: host.name, snapshot, directory: new Directory(snapshot), clock: this.#timeline
      })
      const freshModel = new WorkerModel(fresh)
      freshModel.apply(fresh.compileAll())
      const [now, anew] = [model, freshModel].map((one) => one.tables({ history: false }))
      if (swappedRevision < revision) {
        this.#fail(`${host.name} is at revision ${String(swappedRevision)} of ${String(revision)}`)
      } else if (!isDeepStrictEqual(now, anew)) {
        this.#fail(`${host.name} has other tables than a fresh compile: ${differing(now!, anew!)}`)
      }
      this.#checkDevices(host)
    }
  }

  /** What lives on the host, and no other, has its device open. */
  #checkDevices (host: SimulatedHost): void {
    const { byEni } = placesOf(this.#history.newest)
    const live = [...byEni.values()].filter(({ hostName }) => hostName === host.name)
      .map(({ eni }) => `${eni.attachment?.instanceId ?? ''}/${eni.id}`).sort()
    const open = host.devices()
    if (!isDeepStrictEqual(open, live)) {
      this.#fail(`${host.name} has open ${open.join(', ')} where ${live.join(', ')} live`)
    }
  }

  async #probeAtTheEnd (): Promise<void> {
    const chance = this.#packets
    const live = [...placesOf(this.#history.newest).byEni.values()]
    const waiting: { readonly probe: number, readonly expected: string | null, text: string }[] = []
    for (let count = 0; count < FINAL_PROBES && live.length > 1; count++) {
      const sender = chance.of(live)
      const host = this.#hosts.find(({ name }) => name === sender?.hostName)
      const from = chance.of(sender?.eni.privateIpAddresses ?? [])
      const near = live.filter(({ eni }) => eni.vpcId === sender?.eni.vpcId)
      const to =
        chance.of(chance.of(chance.happens(NEAR) ? near : live)?.eni.privateIpAddresses ?? [])
      if (sender === undefined || host === undefined || from === undefined || to === undefined ||
        from === to) continue
      const flow = { from, to, port: chance.of(PORTS) ?? 0 }
      const { id, attachment } = sender.eni
      const expected = this.#traffic.expected(id, flow)
      const conversation = this.#traffic.begin(host, id, flow)
      const path = `${attachment?.instanceId ?? ''}/${id}`
      const probe = this.#traffic.send(host, path, conversation)
      if (probe === null) this.#fail(`${path} on ${host.name} cannot send`)
      else waiting.push({ probe, expected, text: `${id} ${JSON.stringify(flow)}` })
      await this.#timeline.runUntil(this.#timeline.monotonicMs() + 1)
    }
    await this.#runTo(this.#timeline.monotonicMs() + ANSWER_MS)
    for (const { probe, expected, text } of waiting) {
      this.#finalProbes.sent++
      const receiver = this.#traffic.receiverOf(probe)
      if (receiver !== null) this.#finalProbes.delivered++
      if (receiver === expected) continue
      this.#fail(`at the end ${text} is for ${expected ?? 'nobody'} and reached ` +
        (receiver ?? 'nobody'))
    }
  }

  #note (text: string): void {
    this.#trace.push(`${this.#timeline.monotonicMs().toFixed(2).padStart(10)} ` +
      `r${String(this.#history.revision)} ${text}`)
  }

  #fail (why: string): void {
    this.#note(`FAILED: ${why}`)
    this.#failure ??= why
  }
}

/** The first names whose values differ. */
function differing (now: Readonly<Record<string, unknown>>,
  anew: Readonly<Record<string, unknown>>): string {
  const names = [...new Set([...Object.keys(now), ...Object.keys(anew)])]
  return names.filter((name) => !isDeepStrictEqual(now[name], anew[name])).slice(0, 5).join(', ')
}
