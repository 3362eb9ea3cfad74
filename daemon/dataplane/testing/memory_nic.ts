/**
 * A NIC without devices: `feed` puts packets into its queue, `burst` hands them to the router as
 * the real one would, and what the router sends is kept in `sent`. Tests and benches drive the very
 * same router and loop with it that run in a worker.
 *
 *     feed ──▶ queue ──burst──▶ rx ──▶ router ──▶ tx ──burst──▶ sent
 */
import { assert } from '../../base/assert.ts'
import {
  GSO_NONE, PORT_UNDERLAY, RX_AT, RX_BYTES, RX_CSUM, RX_CSUM_FIELD, RX_GSO_SIZE, RX_GSO_TYPE,
  RX_HEADROOM_BYTES, RX_OUTER_TRAFFIC_CLASS, RX_PORT, RX_RUN, RX_SEGMENTS, RX_SOURCE_AT,
  RX_TOTAL_BYTES, RX_WORDS, TX_AT, TX_BYTES, TX_CSUM, TX_CSUM_FIELD, TX_GSO_SIZE, TX_GSO_TYPE,
  TX_HEADER_AT, TX_HEADER_BYTES, TX_OUTER_TRAFFIC_CLASS, TX_PEER, TX_PORT, TX_RUN, TX_SOURCE_PORT,
  TX_TOTAL_BYTES, TX_WORDS
} from '../../tun/descriptor.ts'
import { NIC_COUNTERS } from '../../tun/counters.ts'
import type { Nic, NicFeatures } from '../../tun/nic.ts'
import { writeU32 } from '../../wire/bytes.ts'

const RECEIVE_BYTES = 2 ** 21
const ALIGN_BYTES = 64
const SOURCE_BYTES = 18

/** A packet as it arrives. */
export interface Fed {
  /** PORT_UNDERLAY, or a port that openTun gave. */
  readonly nicPort: number
  readonly packet: Uint8Array
  readonly gsoType?: number
  readonly gsoSize?: number
  readonly csum?: number
  readonly csumField?: number
  readonly segments?: number
  /** Bytes in the first piece; the rest becomes a run. All of them when absent. */
  readonly firstBytes?: number
  /** Underlay: [4] outer source address. */
  readonly source?: Uint32Array
  readonly outerTrafficClass?: number
  /** Directly behind the packet before it, as when the kernel hands out several at once. */
  readonly isAdjacent?: boolean
}

/** A packet as it was sent: a copy of everything a descriptor names. */
export interface Sent {
  readonly nicPort: number
  readonly packet: Uint8Array
  readonly totalBytes: number
  readonly gsoType: number
  readonly gsoSize: number
  readonly csum: number
  readonly csumField: number
  readonly run: number
  /** Underlay only, otherwise null. */
  readonly outer: {
    readonly peer: number
    readonly sourcePort: number
    readonly trafficClass: number
    readonly header: Uint8Array
  } | null
}

export class MemoryNic implements Nic {
  readonly bytes: Uint8Array
  readonly words: Int32Array
  readonly scratchAt = RECEIVE_BYTES
  readonly rx: Int32Array
  readonly tx: Int32Array
  readonly features: NicFeatures = { tunTso: true, tunUso: true, udpGso: true, udpGro: true }
  readonly counters = new Float64Array(NIC_COUNTERS.length)
  readonly sent: Sent[] = []
  readonly peers = new Map<number, string>()
  /** Ids of keys that are in use. */
  readonly keys = new Set<number>()
  /** Devices that are open: `namespace/device` by port. */
  readonly devices = new Map<number, string>()
  /** What takeFailedPorts answers next. */
  failures: { readonly port: number, readonly error: string }[] = []
  wireMode = 'offload'
  isClosed = false
  /** Thrown by the next openTun. */
  openError: Error | null = null
  readonly #queue: Fed[] = []
  readonly #runs: Uint8Array[] = []
  readonly #rxMax: number
  #usedBytes = 0
  #lastEnd = 0

  constructor (scratchBytes: number, rxMax: number, txMax: number) {
    const arena = new ArrayBuffer(RECEIVE_BYTES + scratchBytes)
    this.bytes = new Uint8Array(arena)
    this.words = new Int32Array(arena)
    this.rx = new Int32Array(rxMax * RX_WORDS)
    this.tx = new Int32Array(txMax * TX_WORDS)
    this.#rxMax = rxMax
  }

  feed (packet: Fed): void { this.#queue.push(packet) }

  openTun (namespacePath: string, deviceName: string): number {
    if (this.openError !== null) {
      const error = this.openError
      this.openError = null
      throw error
    }
    let port = 1
    while (this.devices.has(port)) port++
    this.devices.set(port, `${namespacePath}/${deviceName}`)
    return port
  }

  setKey (id: number): void { this.keys.add(id) }
  endKey (id: number): void { this.keys.delete(id) }

  openTap (namespacePath: string, deviceName: string): number {
    return this.openTun(namespacePath, deviceName)
  }

  closeTun (port: number): void { this.devices.delete(port) }
  openUnderlay (): void { assert(!this.isClosed, 'the NIC is open') }
  setPeer (peer: number, address: string): void { this.peers.set(peer, address) }
  setWireMode (mode: 'offload' | 'per-packet'): void { this.wireMode = mode }
  close (): void { this.isClosed = true }

  takeFailedPorts (): readonly { readonly port: number, readonly error: string }[] {
    const { failures } = this
    this.failures = []
    return failures
  }

  gatherRun (run: number, at: number, bytesMax: number): number {
    const pieces = this.#runs[run - 1]
    if (pieces.length > bytesMax) return -1
    this.bytes.set(pieces, at)
    return pieces.length
  }

  transmit (txCount: number): void {
    for (let packet = 0; packet < txCount; packet++) {
      this.sent.push(this.#copySent(packet * TX_WORDS))
    }
  }

  burst (txCount: number): number {
    this.transmit(txCount)
    this.#usedBytes = 0
    this.#runs.length = 0
    let received = 0
    while (received < this.#rxMax && this.#queue.length > 0 && this.#fits(this.#queue[0])) {
      const fed = this.#queue.shift()
      if (fed === undefined) break
      this.#place(fed, received * RX_WORDS)
      received++
    }
    return received
  }

  #fits (fed: Fed): boolean {
    return this.#usedBytes + fed.packet.length + RX_HEADROOM_BYTES +
      2 * ALIGN_BYTES <= RECEIVE_BYTES
  }

  #place (fed: Fed, rxAt: number): void {
    const { rx } = this
    const firstBytes = fed.firstBytes ?? fed.packet.length
    const at = fed.isAdjacent === true ? this.#lastEnd : this.#usedBytes + RX_HEADROOM_BYTES
    const sourceAt = fed.isAdjacent === true
      ? RECEIVE_BYTES - ALIGN_BYTES * (1 + rxAt / RX_WORDS) : this.#usedBytes
    this.bytes.set(fed.packet.subarray(0, firstBytes), at)
    this.#lastEnd = at + firstBytes
    if (fed.source !== undefined) {
      for (let word = 0; word < 4; word++) {
        writeU32(this.bytes, sourceAt + 4 * word, fed.source[word])
      }
    }
    this.#usedBytes = (at + Math.max(firstBytes, SOURCE_BYTES) + ALIGN_BYTES - 1) & -ALIGN_BYTES
    rx[rxAt + RX_PORT] = fed.nicPort
    rx[rxAt + RX_AT] = at
    rx[rxAt + RX_BYTES] = firstBytes
    rx[rxAt + RX_TOTAL_BYTES] = fed.packet.length
    rx[rxAt + RX_GSO_TYPE] = fed.gsoType ?? GSO_NONE
    rx[rxAt + RX_GSO_SIZE] = fed.gsoSize ?? 0
    rx[rxAt + RX_CSUM] = fed.csum ?? 0
    rx[rxAt + RX_CSUM_FIELD] = fed.csumField ?? 0
    rx[rxAt + RX_SEGMENTS] = fed.segments ?? 1
    rx[rxAt + RX_RUN] = 0
    rx[rxAt + RX_SOURCE_AT] = sourceAt
    rx[rxAt + RX_OUTER_TRAFFIC_CLASS] = fed.outerTrafficClass ?? 0
    if (firstBytes < fed.packet.length) {
      this.#runs.push(fed.packet.slice(firstBytes))
      rx[rxAt + RX_RUN] = this.#runs.length
    }
  }

  #copySent (txAt: number): Sent {
    const { tx } = this
    const at = tx[txAt + TX_AT]
    const nicPort = tx[txAt + TX_PORT]
    const headerAt = tx[txAt + TX_HEADER_AT]
    return {
      nicPort,
      packet: this.bytes.slice(at, at + tx[txAt + TX_BYTES]),
      totalBytes: tx[txAt + TX_TOTAL_BYTES],
      gsoType: tx[txAt + TX_GSO_TYPE],
      gsoSize: tx[txAt + TX_GSO_SIZE],
      csum: tx[txAt + TX_CSUM],
      csumField: tx[txAt + TX_CSUM_FIELD],
      run: tx[txAt + TX_RUN],
      outer: nicPort !== PORT_UNDERLAY
        ? null
        : {
            peer: tx[txAt + TX_PEER],
            sourcePort: tx[txAt + TX_SOURCE_PORT],
            trafficClass: tx[txAt + TX_OUTER_TRAFFIC_CLASS],
            header: this.bytes.slice(headerAt, headerAt + tx[txAt + TX_HEADER_BYTES])
          }
    }
  }
}
