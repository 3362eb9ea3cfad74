/**
 * The network card: the TypeScript face of the addon in `native/`. It checks arguments and names
 * errors; the addon moves bytes. One Nic belongs to one worker thread.
 *
 * Bytes and descriptors that cross are described in descriptor.ts, counters in counters.ts. The
 * addon checks every descriptor again and drops, counted, what contradicts itself: a mistake of
 * the router costs a packet, not memory safety.
 */
import { assert, assertHot } from '../base/assert.ts'
import { VpclabError } from '../base/errors.ts'
import {
  FEATURE_TUN_TSO, FEATURE_TUN_USO, FEATURE_UDP_GRO, FEATURE_UDP_GSO, loadAddon, systemCallError,
  type Addon, type NativeNic
} from './addon.ts'
import { NIC_COUNTERS } from './counters.ts'
import { RX_WORDS, TX_WORDS } from './descriptor.ts'
import { WIRE_KEY_BYTES } from './wire_key.ts'

/** What the probes found; false means that the fallback is in use. Complete after
 * openUnderlay. */
export interface NicFeatures {
  /** TUN devices hand over TCP super-packets; otherwise every packet comes alone. */
  readonly tunTso: boolean
  /** The same of UDP; otherwise UDP super-packets are cut before they are written. */
  readonly tunUso: boolean
  /** Runs leave with UDP_SEGMENT; otherwise one datagram per packet. */
  readonly udpGso: boolean
  /** Datagrams arrive in lumps; otherwise one by one. */
  readonly udpGro: boolean
}

export interface NicOptions {
  /** Bytes of the scratch area at the end of the arena, for packets the router makes itself. */
  readonly scratchBytes: number
  /** Most descriptors that one burst receives. */
  readonly rxMax: number
  /** Most descriptors that one burst sends. */
  readonly txMax: number
  /** How long to spin after the last packet before sleeping, µs; 0 = never. */
  readonly spinUs: number
  /** eventfd that ends a sleep; -1 for none. */
  readonly doorbellFd: number
  /**
   * WIRE_STATISTICS_BYTES: what is counted of each peer where the underlay is encrypted. Then
   * nothing leaves without a key and nothing in clear is taken. Absent: all is in clear.
   */
  readonly wireStatistics?: ArrayBuffer
}

export interface Nic {
  /** The arena. */
  readonly bytes: Uint8Array
  /** The arena as words in host order, for headers built word by word. */
  readonly words: Int32Array
  readonly scratchAt: number
  readonly rx: Int32Array
  readonly tx: Int32Array
  readonly features: NicFeatures

  /**
   * Opens a TUN device inside a namespace and adds it to the burst. One that is absent is made,
   * persistent, unless it must exist: then it is ENODEV.
   * @param namespacePath /run/netns/name; empty: the thread's own namespace
   * @param mustExist default: false
   * @returns its port number, 1..TUN_PORTS_MAX, which stays until closeTun
   * @throws VpclabError VPCLAB_ERR_SYSCALL naming the device, the namespace and the errno
   */
  openTun(namespacePath: string, deviceName: string, mustExist?: boolean): number
  /**
   * The same with a TAP, which must exist: a port whose device carries Ethernet. Packets cross
   * without the Ethernet header, which the port takes off and puts on; frames that are no packets
   * come and go as FRAME_PORTS says.
   * @param addresses [2 × 6] MAC of the guest, MAC of the router
   */
  openTap(namespacePath: string, deviceName: string, addresses: Uint8Array): number
  /** Closes the descriptor; the device stays. The port number is free again. */
  closeTun(port: number): void

  /** Opens the underlay socket (UDP, `udpPort`) on `address` inside a namespace. Once per Nic. */
  openUnderlay(namespacePath: string, address: string, udpPort: number): void
  /**
   * Binds a peer number (0..PEERS_MAX-1) to an outer address and UDP port. Packets to a peer of
   * another family than the underlay's address, or to one never set, are dropped and counted.
   */
  setPeer(peer: number, address: string, udpPort: number): void
  /**
   * Takes a key for what is sent to a peer, or received from it, into use (wire_key.ts). A peer has
   * one to send with, and the last few to receive with.
   */
  setKey(id: number, peer: number, direction: 'transmit' | 'receive', key: Uint8Array): void
  /** Ends a key that is received with. */
  endKey(id: number): void
  /** `offload`: runs leave with UDP_SEGMENT. `per-packet`: one datagram per packet (a capture is
   * open). */
  setWireMode(mode: 'offload' | 'per-packet'): void

  /**
   * Sends `txCount` descriptors, then receives up to rxMax. Sleeps at most `timeoutMs` when
   * nothing arrives; 0 = do not sleep. Ends early when the doorbell rings
   * (counters[NIC_COUNTER_DOORBELLS] then rises).
   * @returns the number of valid receive descriptors
   */
  burst(txCount: number, timeoutMs: number): number

  /**
   * Sends `txCount` descriptors, and receives nothing: what the last burst has received stays. For
   * whoever makes more of it than fits into `tx`.
   */
  transmit(txCount: number): void

  /**
   * Copies the further pieces of a run of the last burst to `at` of the arena, at most `bytesMax`
   * bytes: for a super-packet that must live longer than its burst.
   * @returns the bytes copied; -1 when they do not fit
   */
  gatherRun(run: number, at: number, bytesMax: number): number

  /** [NIC_COUNTERS.length] totals since open, in the order of NIC_COUNTERS. */
  readonly counters: Float64Array
  /**
   * Ports that failed since the last call. EBADFD: the device is gone, the port gives and takes
   * nothing until it is closed and opened again. EIO: the device is down, and packets to it are
   * dropped until it is up. Reported once, again only after a packet went through.
   */
  takeFailedPorts(): readonly { readonly port: number, readonly error: string }[]
  /** Closes every descriptor of the NIC, but not the doorbell. Devices stay. May be called
   * twice. */
  close(): void
}

/** TUN ports of one NIC; openTun refuses the next. Costs 8 bytes each. */
export const TUN_PORTS_MAX = 4096
/** Peers of one NIC. Costs 28 bytes each. */
export const PEERS_MAX = 16_384
/** MAC of the guest, MAC of the router. */
const LINK_ADDRESSES_BYTES = 12
/** Longest name of a device: IFNAMSIZ - 1. */
const DEVICE_NAME_BYTES_MAX = 15
/** Bytes of the receive area: 16 lumps of 64 KB and as much again for TUN packets. */
const RECEIVE_AREA_BYTES = 2 ** 21
const SCRATCH_BYTES_MAX = 2 ** 28
const DESCRIPTORS_MAX = 65_536
/** Longest sleep of a burst, ms. */
const BURST_TIMEOUT_MAX_MS = 60_000
const SPIN_MAX_US = 1_000_000

const INVARIANT_BURST_TX_COUNT = 1001
const INVARIANT_BURST_TIMEOUT = 1002

/** @throws VpclabError VPCLAB_ERR_ADDON, VPCLAB_ERR_SYSCALL */
export function createNic (options: NicOptions): Nic {
  checkRange('scratchBytes', options.scratchBytes, 0, SCRATCH_BYTES_MAX)
  checkRange('rxMax', options.rxMax, 1, DESCRIPTORS_MAX)
  checkRange('txMax', options.txMax, 1, DESCRIPTORS_MAX)
  checkRange('spinUs', options.spinUs, 0, SPIN_MAX_US)
  checkRange('doorbellFd', options.doorbellFd, -1, 2 ** 31 - 1)
  assert(options.scratchBytes % 4 === 0, 'scratchBytes is a multiple of 4')
  return new AddonNic(loadAddon(), options)
}

/** @throws VpclabError VPCLAB_ERR_CONFIG */
function checkDeviceName (deviceName: string): void {
  const bytes = Buffer.byteLength(deviceName)
  if (bytes > 0 && bytes <= DEVICE_NAME_BYTES_MAX && !/[/\s%:]/.test(deviceName)) return
  throw new VpclabError('VPCLAB_ERR_CONFIG', `Cannot open TUN device "${deviceName}": a name ` +
    `has 1..${String(DEVICE_NAME_BYTES_MAX)} bytes without "/", "%", ":" and spaces`)
}

function checkRange (name: string, value: number, min: number, max: number): void {
  assert(Number.isInteger(value) && value >= min && value <= max,
    `${name} is ${String(value)}, must be an integer from ${String(min)} to ${String(max)}`)
}

class AddonNic implements Nic {
  readonly bytes: Uint8Array
  readonly words: Int32Array
  readonly scratchAt: number
  readonly rx: Int32Array
  readonly tx: Int32Array
  readonly counters: Float64Array
  readonly #native: NativeNic
  readonly #txMax: number

  constructor (addon: Addon, options: NicOptions) {
    const arena = new ArrayBuffer(RECEIVE_AREA_BYTES + options.scratchBytes)
    const rx = new ArrayBuffer(options.rxMax * RX_WORDS * Int32Array.BYTES_PER_ELEMENT)
    const tx = new ArrayBuffer(options.txMax * TX_WORDS * Int32Array.BYTES_PER_ELEMENT)
    const counters = new ArrayBuffer(NIC_COUNTERS.length * Float64Array.BYTES_PER_ELEMENT)
    this.bytes = new Uint8Array(arena)
    this.words = new Int32Array(arena)
    this.scratchAt = RECEIVE_AREA_BYTES
    this.rx = new Int32Array(rx)
    this.tx = new Int32Array(tx)
    this.counters = new Float64Array(counters)
    this.#txMax = options.txMax
    try {
      this.#native = new addon.Nic(
        arena, RECEIVE_AREA_BYTES, rx, tx, counters, options.spinUs, options.doorbellFd,
        options.wireStatistics ?? null)
    } catch (error) {
      throw systemCallError(`Cannot make a NIC with doorbell ${String(options.doorbellFd)}`, error)
    }
  }

  get features (): NicFeatures {
    const bits = this.#native.features()
    return {
      tunTso: (bits & FEATURE_TUN_TSO) !== 0,
      tunUso: (bits & FEATURE_TUN_USO) !== 0,
      udpGso: (bits & FEATURE_UDP_GSO) !== 0,
      udpGro: (bits & FEATURE_UDP_GRO) !== 0
    }
  }

  openTun (namespacePath: string, deviceName: string, mustExist = false): number {
    checkDeviceName(deviceName)
    try {
      return this.#native.openTun(namespacePath, deviceName, mustExist ? 1 : 0)
    } catch (error) {
      throw systemCallError(`Cannot open TUN device "${deviceName}" in "${namespacePath}"`, error)
    }
  }

  openTap (namespacePath: string, deviceName: string, addresses: Uint8Array): number {
    checkDeviceName(deviceName)
    assert(addresses.length === LINK_ADDRESSES_BYTES, 'a TAP has the MAC of either end')
    try {
      return this.#native.openTap(namespacePath, deviceName, Uint8Array.from(addresses).buffer)
    } catch (error) {
      throw systemCallError(`Cannot open TAP device "${deviceName}" in "${namespacePath}"`, error)
    }
  }

  closeTun (port: number): void {
    checkRange('port', port, 1, TUN_PORTS_MAX)
    this.#native.closeTun(port)
  }

  openUnderlay (namespacePath: string, address: string, udpPort: number): void {
    checkRange('udpPort', udpPort, 1, 65_535)
    try {
      this.#native.openUnderlay(namespacePath, address, udpPort)
    } catch (error) {
      throw systemCallError(
        `Cannot open underlay "${address}" port ${String(udpPort)} in "${namespacePath}"`, error)
    }
  }

  setPeer (peer: number, address: string, udpPort: number): void {
    checkRange('peer', peer, 0, PEERS_MAX - 1)
    checkRange('udpPort', udpPort, 1, 65_535)
    try {
      this.#native.setPeer(peer, address, udpPort)
    } catch (error) {
      throw systemCallError(`Cannot set peer ${String(peer)} to "${address}"`, error)
    }
  }

  setKey (id: number, peer: number, direction: 'transmit' | 'receive', key: Uint8Array): void {
    checkRange('peer', peer, 0, PEERS_MAX - 1)
    assert(key.length === WIRE_KEY_BYTES, 'a key has its salt')
    const bytes = Uint8Array.from(key)
    try {
      this.#native.setKey(id | 0, peer, direction === 'transmit' ? 1 : 0, bytes.buffer)
    } catch (error) {
      throw systemCallError(`Cannot set a key of peer ${String(peer)}`, error)
    } finally {
      bytes.fill(0)
    }
  }

  endKey (id: number): void { this.#native.endKey(id | 0) }

  setWireMode (mode: 'offload' | 'per-packet'): void {
    this.#native.setPerPacket(mode === 'per-packet' ? 1 : 0)
  }

  burst (txCount: number, timeoutMs: number): number {
    assertHot(txCount >= 0 && txCount <= this.#txMax, INVARIANT_BURST_TX_COUNT)
    assertHot(timeoutMs >= 0 && timeoutMs <= BURST_TIMEOUT_MAX_MS, INVARIANT_BURST_TIMEOUT)
    return this.#native.burst(txCount, timeoutMs)
  }

  transmit (txCount: number): void {
    assertHot(txCount >= 0 && txCount <= this.#txMax, INVARIANT_BURST_TX_COUNT)
    this.#native.transmit(txCount)
  }

  gatherRun (run: number, at: number, bytesMax: number): number {
    return this.#native.gatherRun(run, at, bytesMax)
  }

  takeFailedPorts (): readonly { readonly port: number, readonly error: string }[] {
    const list = this.#native.takeFailures()
    const failed: { port: number, error: string }[] = []
    for (let i = 0; i < list.length; i += 2) {
      failed.push({ port: Number(list[i]), error: String(list[i + 1]) })
    }
    return failed
  }

  close (): void {
    this.#native.close()
  }
}
