/**
 * An edge's data plane cut down to IPsec: one Nic, one Esp and one IpsecEngine in a single thread,
 * joined as the worker of an edge joins them.
 *
 *     [uplink] TUN ── outer packets ──┐          ┌── TUN [ike] charon, with the outside address
 *                                     ├─ switch ─┤
 *     [vpc] TUN ─── inner packets ────┘          └── Esp: open, seal
 *
 * From the uplink, UDP 500 goes to charon; UDP 4500 and protocol 50 are opened, and what turns out
 * to be IKE, or a part of a fragmented message of IKE, goes to charon. What the VPC sends is sealed
 * with the SA that its tunnel has selected.
 */
import { readFileSync, rmSync } from 'node:fs'
import { systemClock } from '../../daemon/base/clock.ts'
import { systemRandom } from '../../daemon/base/random.ts'
import { IpsecEngine } from '../../daemon/ipsec/engine.ts'
import type { TunnelStatus } from '../../daemon/ipsec/monitor.ts'
import { PostedBackend } from '../../daemon/ipsec/posted_backend.ts'
import { silentLog } from '../../daemon/observe/log.ts'
import type { Log } from '../../daemon/observe/log.ts'
import {
  RX_AT, RX_BYTES, RX_CSUM, RX_CSUM_FIELD, RX_GSO_SIZE, RX_GSO_TYPE, RX_PORT, RX_WORDS, TX_AT,
  TX_BYTES, TX_CSUM, TX_CSUM_FIELD, TX_GSO_SIZE, TX_GSO_TYPE, TX_PORT, TX_TOTAL_BYTES, TX_WORDS
} from '../../daemon/tun/descriptor.ts'
import { Esp } from '../../daemon/tun/esp.ts'
import {
  ESP_AT, ESP_BYTES, ESP_CSUM, ESP_CSUM_FIELD, ESP_DONE, ESP_FRAGMENT, ESP_GSO_SIZE, ESP_GSO_TYPE,
  ESP_IKE,
  ESP_JOB, ESP_SA, ESP_SAS_MAX, ESP_SEGMENTS, ESP_STATISTICS_WORDS, ESP_STATUS, ESP_TUNNEL,
  ESP_WORDS
} from '../../daemon/tun/esp_descriptor.ts'
import { EspTunnels } from '../../daemon/tun/esp_tunnels.ts'
import type { EspMessage } from '../../daemon/tun/esp_tunnels.ts'
import { createNic } from '../../daemon/tun/nic.ts'
import type { Nic } from '../../daemon/tun/nic.ts'

const RX_MAX = 256
const TX_MAX = 2048
const OUT_BYTES = 4 << 20
const PROTOCOL_UDP = 17
const IKE_PORT = 500
const RX_AS_ESP = [
  [RX_AT, ESP_AT], [RX_BYTES, ESP_BYTES], [RX_GSO_TYPE, ESP_GSO_TYPE], [RX_GSO_SIZE, ESP_GSO_SIZE],
  [RX_CSUM, ESP_CSUM], [RX_CSUM_FIELD, ESP_CSUM_FIELD]
] as const
const ESP_AS_TX = [
  [ESP_AT, TX_AT], [ESP_BYTES, TX_BYTES], [ESP_BYTES, TX_TOTAL_BYTES], [ESP_GSO_TYPE, TX_GSO_TYPE],
  [ESP_GSO_SIZE, TX_GSO_SIZE], [ESP_CSUM, TX_CSUM], [ESP_CSUM_FIELD, TX_CSUM_FIELD]
] as const
const RX_AS_TX = [
  [RX_AT, TX_AT], [RX_BYTES, TX_BYTES], [RX_BYTES, TX_TOTAL_BYTES], [RX_GSO_TYPE, TX_GSO_TYPE],
  [RX_GSO_SIZE, TX_GSO_SIZE], [RX_CSUM, TX_CSUM], [RX_CSUM_FIELD, TX_CSUM_FIELD]
] as const

export interface IpsecEdgeOptions {
  readonly directory: string
  /** Paths of namespaces. */
  readonly uplink: string
  readonly ike: string
  readonly vpc: string
  readonly outerMtu?: number
  readonly log?: Log
}

/** Names of the TUN devices in their namespaces. */
export const UPLINK_DEVICE = 'uplink0'
export const IKE_DEVICE = 'ike0'
export const VPC_DEVICE = 'vpc0'

export class IpsecEdge implements AsyncDisposable {
  readonly nic: Nic
  readonly esp: Esp
  readonly tunnels: EspTunnels
  readonly statuses: TunnelStatus[] = []
  /** Results by ESP_* status. */
  readonly outcomes = new Map<number, number>()
  /** Super-packets that opening has made. */
  joined = 0
  /** Packets of networks that the tunnel does not carry. */
  refused = 0
  /** Tunnel that packets of the VPC take. */
  route = 1
  #engine: IpsecEngine | null = null
  readonly #directory: string
  readonly #ports: { readonly uplink: number, readonly ike: number, readonly vpc: number }
  readonly #posted: EspMessage[] = []
  #txCount = 0
  #open = true

  private constructor (options: IpsecEdgeOptions) {
    this.#directory = options.directory
    this.nic = createNic(
      { scratchBytes: OUT_BYTES, rxMax: RX_MAX, txMax: TX_MAX, spinUs: 0, doorbellFd: -1 })
    this.esp = new Esp({
      arena: this.nic.bytes.buffer as ArrayBuffer,
      outAt: this.nic.scratchAt,
      outBytes: OUT_BYTES,
      jobsMax: RX_MAX,
      resultsMax: TX_MAX - RX_MAX,
      statistics: new ArrayBuffer(
        ESP_SAS_MAX * ESP_STATISTICS_WORDS * Float64Array.BYTES_PER_ELEMENT),
      outerMtu: options.outerMtu ?? 1500
    })
    this.tunnels = new EspTunnels(this.esp)
    this.#ports = {
      uplink: this.nic.openTun(options.uplink, UPLINK_DEVICE),
      ike: this.nic.openTun(options.ike, IKE_DEVICE),
      vpc: this.nic.openTun(options.vpc, VPC_DEVICE)
    }
  }

  /** @param prepare gives the devices their addresses and routes, once they are there */
  static async start (
    options: IpsecEdgeOptions, prepare: () => Promise<void>): Promise<IpsecEdge> {
    const edge = new IpsecEdge(options)
    try {
      await prepare()
      edge.#pump()
      edge.#engine = await IpsecEngine.start({
        directory: options.directory,
        namespacePath: options.ike,
        backend: edge.#backend(),
        clock: systemClock,
        random: systemRandom,
        log: options.log ?? silentLog(),
        retransmit: { timeoutSeconds: 1, tries: 2, base: 1 },
        onListen: () => undefined,
        onTunnel: (status) => { edge.statuses.push(status) }
      })
    } catch (error) {
      await edge[Symbol.asyncDispose]()
      throw error
    }
    return edge
  }

  get engine (): IpsecEngine {
    if (this.#engine === null) throw new Error('the engine has not started')
    return this.#engine
  }

  /** What charon has logged. */
  get ikeLog (): string { return readFileSync(this.engine.charon.paths.log, 'utf8') }

  /** Messages wait for the end of the burst, as they do in a worker. */
  #backend (): PostedBackend {
    return new PostedBackend((message) => { this.#posted.push(message) }, this.esp.statistics)
  }

  #pump (): void {
    if (!this.#open) return
    for (const message of this.#posted.splice(0)) {
      const warning = this.tunnels.apply(message)
      if (warning !== null) throw new Error(warning)
    }
    const received = this.nic.burst(this.#txCount, 1)
    this.#txCount = 0
    this.esp.recycle()
    this.#switch(received)
    for (const { index, address, port } of this.esp.takeMappings()) {
      this.#engine?.reportMapping(index, address, port)
    }
    setImmediate(() => { this.#pump() })
  }

  #switch (received: number): void {
    const { uplink, ike, vpc } = this.#ports
    const fromUplink: number[] = []
    const fromVpc: number[] = []
    for (let index = 0; index < received; index++) {
      const port = this.nic.rx[index * RX_WORDS + RX_PORT]
      if (port === ike) this.#forward(index, uplink)
      else if (port === vpc && !this.#permits(index)) this.refused++
      else if (port === vpc) fromVpc.push(index)
      else if (this.#isIke(index)) this.#forward(index, ike)
      else fromUplink.push(index)
    }
    this.#loadJobs(fromUplink, 0)
    this.#takeResults(this.esp.open(fromUplink.length, systemClock.nowMs()), vpc, fromUplink)
    this.#loadJobs(fromVpc, this.tunnels.selected(this.route))
    this.#takeResults(this.esp.seal(fromVpc.length, systemClock.nowMs()), uplink, [])
  }

  #isIke (index: number): boolean {
    const at = this.nic.rx[index * RX_WORDS + RX_AT] ?? 0
    const packet = Buffer.from(this.nic.bytes.buffer, at, 28)
    return packet[9] === PROTOCOL_UDP && packet.readUInt16BE(22) === IKE_PORT
  }

  #loadJobs (indices: readonly number[], sa: number): void {
    indices.forEach((index, job) => {
      const words = this.esp.jobs.subarray(job * ESP_WORDS, (job + 1) * ESP_WORDS).fill(0)
      for (const [from, to] of RX_AS_ESP) words[to] = this.nic.rx[index * RX_WORDS + from] ?? 0
      words[ESP_SA] = sa
    })
  }

  #takeResults (count: number, port: number, received: readonly number[]): void {
    for (let index = 0; index < count; index++) {
      const words = this.esp.results.subarray(index * ESP_WORDS, (index + 1) * ESP_WORDS)
      const status = words[ESP_STATUS] ?? 0
      this.outcomes.set(status, (this.outcomes.get(status) ?? 0) + 1)
      if (status === ESP_DONE) this.#sendIfPermitted(words, port)
      else if (status === ESP_IKE || status === ESP_FRAGMENT) {
        this.#forward(received[words[ESP_JOB] ?? 0] ?? 0, this.#ports.ike)
      }
    }
  }

  #permits (index: number): boolean {
    const at = this.nic.rx[index * RX_WORDS + RX_AT] ?? 0
    return this.tunnels.permits(this.route, this.nic.bytes, at, 'outbound')
  }

  #sendIfPermitted (words: Int32Array, port: number): void {
    const { uplink } = this.#ports
    const [tunnel = 0, at = 0] = [words[ESP_TUNNEL], words[ESP_AT]]
    if (port === uplink || this.tunnels.permits(tunnel, this.nic.bytes, at, 'inbound')) {
      this.#send(words, ESP_AS_TX, port)
      if (port !== uplink && (words[ESP_SEGMENTS] ?? 0) > 1) this.joined++
    } else {
      this.refused++
    }
  }

  #forward (index: number, port: number): void {
    this.#send(this.nic.rx.subarray(index * RX_WORDS, (index + 1) * RX_WORDS), RX_AS_TX, port)
  }

  #send (words: Int32Array, layout: readonly (readonly [number, number])[], port: number): void {
    if (this.#txCount === TX_MAX) return
    const at = this.#txCount++ * TX_WORDS
    this.nic.tx.fill(0, at, at + TX_WORDS)
    for (const [from, to] of layout) this.nic.tx[at + to] = words[from] ?? 0
    this.nic.tx[at + TX_PORT] = port
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    await this.#engine?.stop()
    this.#open = false
    this.esp.close()
    this.nic.close()
    rmSync(this.#directory, { recursive: true, force: true })
  }
}
