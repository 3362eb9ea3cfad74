/**
 * One capture: the packets of its points as a pcapng stream to one reader.
 *
 *     ring ─ record ─▶ filter ─▶ frames ─▶ pcapng ─▶ sink (the reader's connection)
 *
 * A reader that is slow loses packets of the capture, and nobody else anything: while more than
 * CAPTURE_BUFFER_BYTES_MAX wait for it, frames are counted as lost instead of written. The counts
 * stand with the next packet of the same point (epb_dropcount) and at the end (isb_ifdrop).
 */
import { DROP_NONE, DROP_REASONS } from '../../dataplane/drop_reason.ts'
import type { CaptureFilter } from './capture_filter.ts'
import { filterTakes } from './capture_filter.ts'
import type { Frames } from './frames.ts'
import { FRAME_BYTES_MAX, PcapngWriter } from './pcapng.ts'
import type { AddressName } from './pcapng.ts'

/** Bytes that wait for one reader; beyond it its packets are lost, and counted. */
export const CAPTURE_BUFFER_BYTES_MAX = 32 * 2 ** 20

export interface CaptureOptions {
  /** Bit of the capture in the masks of the rings. */
  readonly slot: number
  /** Frames after which the capture ends; Infinity for none. */
  readonly countMax: number
  /** Most bytes of a frame. */
  readonly snapBytes: number
  readonly filter: CaptureFilter
  /** Writes something now and then, so that a pipe whose reader went away is noticed. */
  readonly hasHeartbeat: boolean
  /** For the file: the program, the machine, the system. */
  readonly application: string
  readonly hardware: string
  readonly os: string
}

/** A capture that says nothing for so long writes an empty block, if it was asked to, ns. */
const HEARTBEAT_NS = 1_000_000_000n

/** Where the bytes of a capture go. */
export interface CaptureSink {
  write(chunk: Uint8Array): void
  /** Bytes written and not yet taken by the reader. */
  readonly bufferedBytes: number
}

/** What the capture has seen, in frames. */
export interface CaptureTotals { readonly captured: number, readonly lost: number }

interface Interface {
  readonly id: number
  readonly startNs: bigint
  captured: number
  lost: number
  /** Part of `lost` that no packet has told of. */
  untold: number
}

/** A record and what is known of it beside the ring. */
export interface CapturedRecord {
  readonly frames: Frames
  /** Bytes of the ring. */
  readonly bytes: Uint8Array
  readonly timeNs: bigint
  readonly direction: number
  /** DROP_* */
  readonly reason: number
  /** The ENI that dropped it where that is not the point itself; empty for none. */
  readonly droppedAt: string
}

export class Capture {
  readonly slot: number
  readonly #options: CaptureOptions
  readonly #sink: CaptureSink
  readonly #writer: PcapngWriter
  readonly #interfaces = new Map<string, Interface>()
  readonly #namedAddresses = new Set<string>()
  #captured = 0
  #capturedBefore = 0
  #quietSinceNs = 0n

  constructor (options: CaptureOptions, sink: CaptureSink) {
    this.slot = options.slot
    this.#options = options
    this.#sink = sink
    this.#writer = new PcapngWriter((chunk) => { sink.write(chunk) })
    this.#writer.sectionHeader(options.application, options.hardware, options.os)
  }

  /** Whether as many frames as were asked for are there. */
  get isFull (): boolean { return this.#captured >= this.#options.countMax }

  /** Whether so much waits for the reader that packets are lost. */
  get isStalled (): boolean { return this.#sink.bufferedBytes > CAPTURE_BUFFER_BYTES_MAX }

  get totals (): CaptureTotals {
    let lost = 0
    for (const each of this.#interfaces.values()) lost += each.lost
    return { captured: this.#captured, lost }
  }

  /** Adds a point, once. @param key what `take` and `lose` call it */
  join (key: string, name: string, description: string, nowNs: bigint): void {
    if (this.#interfaces.has(key)) return
    const { hardware, os, snapBytes } = this.#options
    this.#writer.interfaceDescription({
      name, description, hardware, os, snapLength: snapBytes >= FRAME_BYTES_MAX ? 0 : snapBytes
    })
    const id = this.#interfaces.size
    this.#interfaces.set(key, { id, startNs: nowNs, captured: 0, lost: 0, untold: 0 })
  }

  /** Names for the addresses that have none yet. */
  name (names: readonly AddressName[]): void {
    const fresh = names.filter(({ address, name }) => {
      const known = `${address.join('.')} ${name}`
      if (this.#namedAddresses.has(known)) return false
      this.#namedAddresses.add(known)
      return true
    })
    if (fresh.length > 0) this.#writer.nameResolution(fresh)
  }

  /** A record of the point `key`, loaded into `record.frames`. */
  take (key: string, record: CapturedRecord): void {
    const point = this.#interfaces.get(key)
    const { frames } = record
    if (point === undefined || !filterTakes(this.#options.filter, frames, record.bytes)) return
    for (let index = 0; index < frames.count && !this.isFull; index++) {
      if (this.isStalled) {
        point.lost += frames.count - index
        point.untold += frames.count - index
        return
      }
      const at = this.#writer.packetAt()
      frames.write(index, this.#writer.bytes, at, this.#options.snapBytes)
      this.#writer.packet({
        interfaceId: point.id,
        timeNs: record.timeNs,
        direction: record.direction,
        capturedBytes: frames.capturedBytes,
        originalBytes: frames.originalBytes,
        lost: point.untold,
        comment: commentOf(record)
      })
      point.untold = 0
      point.captured++
      this.#captured++
    }
  }

  /** Packets of a point for which the ring had no room. */
  lose (key: string, packets: number): void {
    const point = this.#interfaces.get(key)
    if (point === undefined) return
    point.lost += packets
    point.untold += packets
  }

  /** Hands what was taken to the reader; or, after a while without packets, an empty block. */
  flush (nowNs: bigint): void {
    if (this.#captured !== this.#capturedBefore || this.#quietSinceNs === 0n) {
      this.#capturedBefore = this.#captured
      this.#quietSinceNs = nowNs
    } else if (this.#options.hasHeartbeat && nowNs - this.#quietSinceNs > HEARTBEAT_NS) {
      this.#quietSinceNs = nowNs
      if (this.#sink.bufferedBytes === 0) this.#writer.emptyBlock()
    }
    this.#writer.flush()
  }

  /** Writes the statistics of every point: the stream is complete then. */
  end (nowNs: bigint): void {
    for (const { id, startNs, captured, lost } of this.#interfaces.values()) {
      this.#writer.interfaceStatistics({
        interfaceId: id, startNs, endNs: nowNs, received: captured + lost, lost, delivered: captured
      })
    }
    this.#writer.flush()
  }
}

function commentOf ({ reason, droppedAt }: CapturedRecord): string {
  if (reason === DROP_NONE) return ''
  const { name, meaning } = DROP_REASONS[reason] ??
    { name: `reason ${String(reason)}`, meaning: 'The reason is not known here.' }
  return `dropped${droppedAt === '' ? '' : ` at ${droppedAt}`}: ${name}: ${meaning}`
}
