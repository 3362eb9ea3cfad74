/**
 * Wire mode `auto`: while somebody captures on the underlay, every agent sends one datagram per
 * packet, so that what a person sees is frames and not lumps of 64 KB. Otherwise runs of packets
 * cross with UDP_SEGMENT.
 *
 * Once a second the packet sockets of the underlay's and the hosts' namespaces are counted
 * (tun/packet_sockets.ts: one read each). A capture may thus miss the change by a second; `vpcctl
 * lab status` tells the mode that is in force.
 */
import { VpclabError } from '../base/errors.ts'
import type { Log } from '../observe/log.ts'
import { watchPacketSockets } from '../tun/packet_sockets.ts'
import type { PacketSocketWatch } from '../tun/packet_sockets.ts'
import { namespacePath } from './paths.ts'

export const CAPTURE_POLL_MS = 1000

export interface CaptureWatchOptions {
  readonly log: Log
  /** Names of the namespaces to look into. */
  readonly namespaces: () => readonly string[]
  /** @param capturing whether a packet socket is open in any of them */
  readonly onChange: (capturing: boolean) => void
}

export class CaptureWatch {
  readonly #options: CaptureWatchOptions
  #watches: PacketSocketWatch[] = []
  #timer: NodeJS.Timeout | undefined
  #capturing = false

  constructor (options: CaptureWatchOptions) {
    this.#options = options
  }

  start (): void {
    this.reopen()
    this.#timer = setInterval(() => { this.#poll() }, CAPTURE_POLL_MS)
  }

  /** Looks into the namespaces that have the names now: some were made anew. */
  reopen (): void {
    this.#close()
    for (const namespace of this.#options.namespaces()) {
      try {
        this.#watches.push(watchPacketSockets(namespacePath(namespace)))
      } catch (error) {
        if (!(error instanceof VpclabError)) throw error
        this.#options.log.warn(
          { err: error, namespace }, 'captures in a namespace will not be noticed')
      }
    }
    this.#poll()
  }

  stop (): void {
    clearInterval(this.#timer)
    this.#close()
  }

  #poll (): void {
    const capturing = this.#watches.some((watch) => watch.isCapturing())
    if (capturing === this.#capturing) return
    this.#capturing = capturing
    this.#options.onChange(capturing)
  }

  #close (): void {
    for (const watch of this.#watches) watch.close()
    this.#watches = []
  }
}
