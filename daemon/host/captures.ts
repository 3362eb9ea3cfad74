/**
 * The captures of a lab: which points each one has now, and the way of packets from the workers'
 * rings to the readers.
 *
 *     open ─▶ slot ─▶ masks ─▶ workers take them up ─▶ reader hears that it has begun
 *     commit ─▶ masks anew: an ENI that appears joins, one that goes has no more packets
 *     every POLL_MS: ring of each host ─▶ the captures in each record's mask
 *     close | reader gone | count ─▶ last look at the rings ─▶ statistics ─▶ end
 *
 * A slot is a bit in the masks. It is given out again when every worker has taken up a
 * configuration without it and the rings are read empty, so no packet of one capture is seen by
 * another. Reading is bounded per turn, so that a flood of captured packets does not keep the
 * daemon from its other work; what the rings cannot hold meanwhile is lost to the captures and
 * counted.
 */
import type { Clock } from '../base/clock.ts'
import { eniIdFromBits } from '../base/ids.ts'
import { VpclabError } from '../base/errors.ts'
import {
  CAPTURE_SHARED_BYTES, CAPTURE_TUNNELS_MAX, CAPTURES_MAX, CaptureRingReader, POINT_UNDERLAY,
  pointInside, pointOutside, RECORD_DIRECTION, RECORD_ENI_HIGH, RECORD_ENI_LOW, RECORD_MASK,
  RECORD_POINT, RECORD_REASON, RECORD_TIME, RECORD_TUNNEL
} from '../dataplane/capture_ring.ts'
import { PORTS_MAX } from '../dataplane/tables/port_table.ts'
import { CAPTURE_POINT_WORDS } from '../dataplane/tables/update.ts'
import type { NetworkInterface } from '../model/network_interface.ts'
import { edgesOfTunnels } from '../model/vpn_placement.ts'
import { Capture } from '../observe/capture/capture.ts'
import type { CaptureOptions, CaptureSink, CaptureTotals } from '../observe/capture/capture.ts'
import {
  addressNames, pointDescription, pointName, tunnelDescription, tunnelPointName
} from '../observe/capture/capture_names.ts'
import type { TunnelSide } from '../observe/capture/capture_names.ts'
import { Frames } from '../observe/capture/frames.ts'
import type { Snapshot } from '../model/snapshot.ts'
import type { Replica } from '../store/replica.ts'
import { addressWords } from '../wire/address.ts'
import type { HostAgent } from './agent.ts'

/** How often the rings are looked at, ms. */
const POLL_MS = 5
/** How long a worker may take to hear of a configuration. */
const WORKER_LATE_MS_MAX = 30_000
/** Bytes read of the rings before the daemon's other work has its turn. */
const TURN_BYTES_MAX = 2 ** 22
/** How long a packet may take from its time to its ring; older ones can be put in order, ns. */
const SETTLE_NS = 2e6
/** How long the workers may take to take up a configuration. */
export const CAPTURE_BEGIN_MS_MAX = 5000

export interface CaptureRequest extends Omit<CaptureOptions, 'slot'> {
  readonly enis: ReadonlySet<string>
  readonly instances: ReadonlySet<string>
  readonly vpcs: ReadonlySet<string>
  readonly hosts: ReadonlySet<string>
  /** VPN tunnels, by their outside addresses: two points each. */
  readonly tunnels: ReadonlySet<string>
  readonly direction: 'in' | 'out' | 'both'
  readonly dropsOnly: boolean
  /** The capture has ended by itself or by `close`; its stream is complete. */
  readonly onEnd: (totals: CaptureTotals) => void
}

interface Running { readonly capture: Capture, readonly request: CaptureRequest }

/** A host that somebody captures on. */
interface Source {
  readonly agent: HostAgent
  readonly ring: CaptureRingReader
  readonly frames: Frames
  /** Number of the configuration posted last. */
  epoch: number
  /** [points × CAPTURE_POINT_WORDS] as posted last. */
  points: Int32Array
  /** Outside addresses of its tunnels that are captured, as posted last. */
  tunnels: Int32Array
  snapBytes: number
  /** Key of the interface of each point. */
  keys: Map<number, string>
}

export class Captures {
  readonly #agents: () => readonly HostAgent[]
  readonly #replica: Replica
  readonly #clock: Clock
  readonly #machineNs: () => number
  readonly #running: (Running | null)[] = Array.from({ length: CAPTURES_MAX }, () => null)
  readonly #sources = new Map<HostAgent, Source>()
  readonly #subscription: { close: () => void }
  /** ns between the machine's clock and the wall's. */
  #wallOffsetNs = 0n
  #epoch = 0
  #timer: NodeJS.Timeout | undefined
  #opening: Promise<unknown> = Promise.resolve()

  constructor (
    agents: () => readonly HostAgent[], replica: Replica, clock: Clock, machineNs: () => number
  ) {
    this.#agents = agents
    this.#replica = replica
    this.#clock = clock
    this.#machineNs = machineNs
    this.#subscription = replica.onCommit((_revision, changes) => {
      const isOfInterest = changes.some(({ noun }) =>
        noun === 'networkInterface' || noun === 'instance' || noun === 'vpnConnection' ||
        noun === 'vpnGateway')
      if (isOfInterest && this.#isBusy) this.#configure()
    })
  }

  get #isBusy (): boolean { return this.#running.some((running) => running !== null) }

  /**
   * Begins a capture; resolves when the workers capture.
   * @throws VpclabError VPCLAB_ERR_CAPTURES when there are too many, VPCLAB_ERR_AGENT when a worker
   *   does not take it up
   */
  async open (request: CaptureRequest, sink: CaptureSink): Promise<Capture> {
    const opened = this.#opening.then(async () => await this.#open(request, sink))
    this.#opening = opened.catch(() => undefined)
    return await opened
  }

  async #open (request: CaptureRequest, sink: CaptureSink): Promise<Capture> {
    const slot = this.#running.indexOf(null)
    if (slot < 0) {
      throw new VpclabError('VPCLAB_ERR_CAPTURES', `${String(CAPTURES_MAX)} captures run already`)
    }
    await this.#takenUp()
    this.#drainAll() // what is left of the slot's last capture goes nowhere
    if (!this.#isBusy) this.#wallOffsetNs = await this.#measureWallOffset()
    const capture = new Capture({ ...request, slot }, sink)
    this.#running[slot] = { capture, request }
    this.#configure()
    try {
      await this.#takenUp()
    } catch (error) {
      this.#running[slot] = null
      this.#configure()
      if (!this.#isBusy) this.#release()
      throw error
    }
    capture.flush(this.#nowNs())
    this.#timer ??= setTimeout(() => { this.#poll() }, POLL_MS)
    return capture
  }

  /** Ends a capture: what its points saw until now is in the stream. Harmless when it has ended. */
  close (capture: Capture): void {
    if (this.#running[capture.slot]?.capture !== capture) return
    this.#drainAll()
    this.#end(capture.slot)
  }

  /** Ends all captures. */
  stop (): void {
    this.#subscription.close()
    for (const running of [...this.#running]) if (running !== null) this.close(running.capture)
    clearTimeout(this.#timer)
  }

  #end (slot: number): void {
    const running = this.#running[slot]
    if (running === null || running === undefined) return
    this.#takeLeftovers()
    this.#running[slot] = null
    running.capture.end(this.#nowNs())
    this.#configure()
    running.request.onEnd(running.capture.totals)
  }

  // -------------------------------------------------------------------------------- configuration

  /** Tells every worker what is to be captured now. */
  #configure (): void {
    this.#takeLeftovers()
    const running = this.#running.filter((each) => each !== null)
    const wanted = running.map((each) => this.#enisByHost(each.request))
    const tunnels = tunnelsByHost(this.#replica.snapshot, running)
    for (const agent of this.#agents()) {
      this.#configureHost(agent, running, wanted.map((byHost) => byHost.get(agent.host.id) ?? []),
        (tunnels.get(agent.host.id) ?? []).slice(0, CAPTURE_TUNNELS_MAX))
    }
    for (const each of running) this.#nameAddresses(each)
  }

  /** ENIs that a capture wants, by the host that has them. */
  #enisByHost (request: CaptureRequest): Map<string, NetworkInterface[]> {
    const { networkInterface, instance } = this.#replica.snapshot.tables
    const byHost = new Map<string, NetworkInterface[]>()
    for (const eni of networkInterface.values()) {
      if (eni.attachment === null || !wantsEni(request, eni)) continue
      const host = instance.get(eni.attachment.instanceId)?.hostName ?? ''
      const enis = byHost.get(host) ?? []
      enis.push(eni)
      byHost.set(host, enis)
    }
    return byHost
  }

  /**
   * @param wanted the host's ENIs that each of the running captures wants
   * @param tunnels the host's that any of them wants
   */
  #configureHost (
    agent: HostAgent, all: readonly Running[], wanted: readonly (readonly NetworkInterface[])[],
    tunnels: readonly CapturedTunnel[]
  ): void {
    const masks = new Map<number, Int32Array>()
    const keys = new Map<number, string>()
    let snapBytes = 0
    for (const [index, running] of all.entries()) {
      const points = [...this.#pointsOf(running, agent, wanted[index] ?? []),
        ...this.#tunnelPoints(running, tunnels)]
      for (const [point, key] of points) {
        const mask = masks.get(point) ?? new Int32Array(CAPTURE_POINT_WORDS)
        addMask(mask, point, running)
        masks.set(point, mask)
        keys.set(point, key)
        snapBytes = Math.max(snapBytes, running.request.snapBytes)
      }
    }
    const known = this.#sources.get(agent)
    if (masks.size === 0 && known === undefined) return
    const points = Int32Array.from([...masks].toSorted(([a], [b]) => a - b)
      .flatMap(([, mask]) => [...mask]))
    const source = known ?? this.#addSource(agent)
    const words = Int32Array.from(tunnels, ({ word }) => word)
    const isSame = source.snapBytes === snapBytes && source.points.join() === points.join() &&
      source.tunnels.join() === words.join()
    source.keys = keys
    if (isSame) return
    source.points = points
    source.tunnels = words
    source.snapBytes = snapBytes
    source.epoch = ++this.#epoch
    agent.setCapture({
      kind: 'capture', epoch: source.epoch, ring: source.ring.memory, snapBytes, points,
      tunnels: words
    })
  }

  #addSource (agent: HostAgent): Source {
    const ring = new CaptureRingReader(agent.share('capture', CAPTURE_SHARED_BYTES))
    const source: Source = {
      agent,
      ring,
      frames: new Frames(ring, addressWords(agent.host.underlayAddress)),
      epoch: 0,
      points: new Int32Array(0),
      tunnels: new Int32Array(0),
      snapBytes: 0,
      keys: new Map()
    }
    this.#sources.set(agent, source)
    return source
  }

  /** Points of a capture on one host, each with the key of its interface; joins new ones. */
  #pointsOf (
    { capture, request }: Running, agent: HostAgent, enis: readonly NetworkInterface[]
  ): Map<number, string> {
    const { snapshot } = this.#replica
    const points = new Map<number, string>()
    const { host } = agent
    if (request.hosts.has(host.id)) {
      points.set(POINT_UNDERLAY, host.id)
      capture.join(host.id, `${host.id} underlay`,
        `Underlay of ${host.id} in ${host.zoneId}: ${host.underlayAddress}`, this.#nowNs())
    }
    for (const eni of enis) {
      const port = agent.compiler.portOf(eni.id)
      if (port === 0) continue
      points.set(port, eni.id)
      capture.join(eni.id, pointName(snapshot, eni), pointDescription(snapshot, eni, host.id),
        this.#nowNs())
    }
    return points
  }

  /** Points of the tunnels of one host that a capture wants; joins new ones. */
  #tunnelPoints (
    { capture, request }: Running, tunnels: readonly CapturedTunnel[]
  ): Map<number, string> {
    const { snapshot } = this.#replica
    const points = new Map<number, string>()
    for (const [index, tunnel] of tunnels.entries()) {
      if (!request.tunnels.has(tunnel.outsideIpAddress)) continue
      for (const [side, point] of [
        ['outside', pointOutside(index)], ['inside', pointInside(index)]
      ] as const) {
        const key = tunnelKey(tunnel.word, side)
        points.set(point, key)
        capture.join(key, tunnelPointName(tunnel, side),
          tunnelDescription(snapshot, tunnel, side), this.#nowNs())
      }
    }
    return points
  }

  #nameAddresses ({ capture, request }: Running): void {
    const { snapshot } = this.#replica
    const vpcs = new Set(request.vpcs)
    for (const eni of snapshot.tables.networkInterface.values()) {
      if (wantsEni(request, eni)) vpcs.add(eni.vpcId)
    }
    for (const { vpnGatewayId, tunnels } of snapshot.tables.vpnConnection.values()) {
      const vpcId = snapshot.tables.vpnGateway.get(vpnGatewayId)?.vpcId ?? null
      const isSeen = tunnels.some(({ outsideIpAddress }) => request.tunnels.has(outsideIpAddress))
      if (isSeen && vpcId !== null) vpcs.add(vpcId)
    }
    const withHosts = request.hosts.size > 0
    capture.name(addressNames(snapshot, (eni) => withHosts || vpcs.has(eni.vpcId), withHosts))
  }

  /** Resolves when every worker has taken up what was posted. @throws VpclabError */
  async #takenUp (): Promise<void> {
    const deadlineMs = this.#clock.monotonicMs() + CAPTURE_BEGIN_MS_MAX
    for (;;) {
      const late = [...this.#sources.values()].find(({ ring, epoch }) => ring.epoch !== epoch)
      if (late === undefined) return
      if (this.#clock.monotonicMs() > deadlineMs) {
        throw new VpclabError('VPCLAB_ERR_AGENT', `The data plane of ${late.agent.host.id} has ` +
          `not begun to capture within ${String(CAPTURE_BEGIN_MS_MAX)} ms`)
      }
      await new Promise((resolve) => { setTimeout(resolve, 1) })
    }
  }

  // -------------------------------------------------------------------------------------- reading

  #poll (): void {
    const isBehind = this.#hasReader && this.#drain(this.#machineNs() - SETTLE_NS, TURN_BYTES_MAX)
    for (const running of this.#running) running?.capture.flush(this.#nowNs())
    this.#timer = undefined
    if (!this.#isBusy) {
      this.#release()
      return
    }
    // A turn of the event loop lies between two looks in either case.
    this.#timer = setTimeout(() => { this.#poll() }, isBehind ? 0 : POLL_MS)
  }

  /** Whether some reader keeps up; otherwise packets may as well wait in the rings. */
  get #hasReader (): boolean {
    return this.#running.some((running) => running !== null && !running.capture.isStalled)
  }

  #drainAll (): void { this.#drain(this.#machineNs(), Infinity) }

  /**
   * Reads the rings in order of time: what is older than `untilNs`, some `bytesMax` bytes of it.
   * @returns whether more is there
   */
  #drain (untilNs: number, bytesMax: number): boolean {
    let readBytes = 0
    while (readBytes < bytesMax) {
      const { oldest, nextNs } = this.#oldestSource()
      if (oldest === null || oldest.ring.firstNs > untilNs) break
      // A run of one ring, up to where another one has something older.
      while (readBytes < bytesMax && oldest.ring.firstNs <= Math.min(nextNs, untilNs)) {
        this.#take(oldest, oldest.ring.first)
        readBytes += oldest.ring.skip()
      }
    }
    for (const running of this.#running) {
      if (running?.capture.isFull === true) this.#end(running.capture.slot)
    }
    return readBytes >= bytesMax
  }

  /** The ring with the oldest record, and how old the oldest one of the others is. */
  #oldestSource (): { readonly oldest: Source | null, readonly nextNs: number } {
    let oldest: Source | null = null
    let oldestNs = Infinity
    let nextNs = Infinity
    for (const source of this.#sources.values()) {
      const firstNs = source.ring.firstNs
      if (firstNs < oldestNs) {
        nextNs = oldestNs
        oldestNs = firstNs
        oldest = source
      } else if (firstNs < nextNs) nextNs = firstNs
    }
    return { oldest, nextNs }
  }

  #take (source: Source, at: number): void {
    const { ring, frames } = source
    const word = at >>> 2
    const { words } = ring
    const mask = words[word + RECORD_MASK]!
    const point = words[word + RECORD_POINT]!
    const eniHigh = words[word + RECORD_ENI_HIGH]! >>> 0
    const eniLow = words[word + RECORD_ENI_LOW]! >>> 0
    const eni = (eniHigh | eniLow) === 0 ? '' : eniIdFromBits(eniHigh, eniLow)
    const key = point === POINT_UNDERLAY ? source.agent.host.id
      : point < PORTS_MAX ? eni
        : tunnelKey(words[word + RECORD_TUNNEL]!, isInside(point) ? 'inside' : 'outside')
    const record = {
      frames,
      bytes: ring.bytes,
      timeNs: this.#wallOffsetNs + BigInt(ring.doubles[(word + RECORD_TIME) >>> 1]!),
      direction: words[word + RECORD_DIRECTION]!,
      reason: words[word + RECORD_REASON]!,
      droppedAt: point === POINT_UNDERLAY ? eni : ''
    }
    frames.load(at)
    for (let slot = 0; slot < CAPTURES_MAX; slot++) {
      const running = this.#running[slot]
      if ((mask & (1 << slot)) === 0 || running === null || running === undefined) continue
      running.capture.lose(key, ring.takeLost(point, slot))
      running.capture.take(key, record)
    }
  }

  /** Counts what was lost at points after their last record. */
  #takeLeftovers (): void {
    for (const { ring, keys } of this.#sources.values()) {
      for (const [point, key] of keys) {
        for (let slot = 0; slot < CAPTURES_MAX; slot++) {
          const lost = ring.takeLost(point, slot)
          if (lost > 0) this.#running[slot]?.capture.lose(key, lost)
        }
      }
    }
  }

  /** Nobody captures: the taps go away, and the rings with them. */
  #release (): void {
    for (const { agent, ring, epoch } of this.#sources.values()) {
      agent.setCapture(null)
      unshare(agent, ring, epoch, this.#clock.monotonicMs() + WORKER_LATE_MS_MAX, this.#clock)
    }
    this.#sources.clear()
  }

  #nowNs (): bigint { return this.#wallOffsetNs + BigInt(this.#machineNs()) }

  /** Waits for a tick of the wall clock, which tells milliseconds only. */
  async #measureWallOffset (): Promise<bigint> {
    const beforeMs = this.#clock.nowMs()
    for (;;) {
      const nowMs = this.#clock.nowMs()
      if (nowMs !== beforeMs) return BigInt(nowMs) * 1_000_000n - BigInt(this.#machineNs())
      await new Promise((resolve) => { setImmediate(resolve) })
    }
  }
}

/**
 * Takes a ring away when its worker has taken up the last configuration that names it; or, when it
 * does not in time, since a worker that is started anew has not heard of it.
 */
function unshare (agent: HostAgent, ring: CaptureRingReader, epoch: number, untilMs: number,
  clock: Clock): void {
  if (ring.epoch === epoch || clock.monotonicMs() > untilMs) agent.unshare(ring.memory)
  else setTimeout(() => { unshare(agent, ring, epoch, untilMs, clock) }, POLL_MS).unref()
}

interface CapturedTunnel {
  readonly edge: string
  readonly vpnConnectionId: string
  /** 1 or 2. */
  readonly number: number
  readonly outsideIpAddress: string
  /** The same, as the data plane has it: int32. */
  readonly word: number
}

/** The tunnels that captures want, by the host that has them, in order. */
function tunnelsByHost (
  snapshot: Snapshot, running: readonly Running[]
): Map<string, CapturedTunnel[]> {
  const tunnels = [...snapshot.tables.vpnConnection.values()].flatMap((connection) => {
    const edges = edgesOfTunnels(snapshot, connection)
    return connection.tunnels.map(({ outsideIpAddress }, at): CapturedTunnel => ({
      edge: edges[at] ?? '', vpnConnectionId: connection.id, number: at + 1, outsideIpAddress,
      word: addressWords(outsideIpAddress)[3]! | 0
    }))
  }).filter(({ outsideIpAddress }) =>
    running.some(({ request }) => request.tunnels.has(outsideIpAddress)))
  return Map.groupBy(tunnels, ({ edge }) => edge)
}

function tunnelKey (word: number, side: TunnelSide): string { return `${String(word)} ${side}` }

function isInside (point: number): boolean { return ((point - PORTS_MAX) & 1) === 1 }

function wantsEni ({ enis, instances, vpcs }: CaptureRequest, eni: NetworkInterface): boolean {
  const { attachment } = eni
  if (attachment === null) return false
  return enis.has(eni.id) || vpcs.has(eni.vpcId) || instances.has(attachment.instanceId)
}

/** Adds a capture to the mask of a point. @param mask as CaptureMessage.points has it */
function addMask (mask: Int32Array, point: number, { capture, request }: Running): void {
  const bit = 1 << capture.slot
  const { direction, dropsOnly } = request
  mask[0] = point
  if (direction !== 'out') mask[dropsOnly ? 2 : 1]! |= bit
  if (direction !== 'in') mask[dropsOnly ? 4 : 3]! |= bit
}
