/**
 * ESP in tunnel mode: the TypeScript face of the addon's half (native/esp.h). It checks arguments
 * and words errors; the addon seals and opens. One Esp belongs to the thread of its Nic.
 *
 *     each burst   recycle()
 *                  outer packets of the uplink ─▶ jobs ─▶ open(n) ─▶ results ─▶ router
 *                  packets for a tunnel        ─▶ jobs ─▶ seal(n) ─▶ results ─▶ uplink
 *
 * Bytes of results are the Esp's and stay until recycle(): a NIC that sends them in its next burst
 * has them in time. What a burst leaves over of the room for results is what the other half has.
 *
 * A nonce must never come twice under one key (RFC 4106 §3.1). It is the number of the packet, so
 * that an SA which is made again with the same key (charon moves an SA to another address so) goes
 * on where the one before ended, whatever IKE says of its number.
 */
import { createHash } from 'node:crypto'
import { VpclabError } from '../base/errors.ts'
import { loadAddon, systemCallError } from './addon.ts'
import type { NativeEsp } from './addon.ts'
import {
  ESP_FLAG_CLEAR_DF, ESP_FLAG_COPY_DSCP, ESP_FLAG_NO_ECN, ESP_SAS_MAX, ESP_STATISTICS_WORDS,
  ESP_WORDS
} from './esp_descriptor.ts'
import type { EspHash, EspSa, EspTransform, EspUsage } from './esp_sa.ts'

const IPV4_HEADER_BYTES = 20
const IPV6_HEADER_BYTES = 40
const UDP_HEADER_BYTES = 8
const ESP_HEADER_BYTES = 8
const ESP_TRAILER_BYTES = 2
const GCM_IV_BYTES = 8
const GCM_ALIGNMENT_BYTES = 4
const CBC_BLOCK_BYTES = 16

// Layout of what `install` hands to the addon: INSTALL_* of native/addon_esp.c.
const INSTALL_WORDS = 18
const HASHES: readonly EspHash[] = ['sha1', 'sha256', 'sha384', 'sha512']
const KEY_AT = 0
const HASH_KEY_AT = 32
const SALT_AT = 96
const SOURCE_AT = 100
const DESTINATION_AT = 116
const INSTALL_BYTES = 132

const MAPPINGS_MAX = 64
const MAPPING_BYTES = 23
/** Ends of former SAs that are remembered, by a digest of their key. */
const FORMER_MAX = 2 * ESP_SAS_MAX

/** Bytes of an Esp's statistics. */
export const ESP_STATISTICS_BYTES =
  ESP_SAS_MAX * ESP_STATISTICS_WORDS * Float64Array.BYTES_PER_ELEMENT

export interface EspOptions {
  /** The NIC's arena. */
  readonly arena: ArrayBuffer
  /** The part of it where results stand: of the NIC's scratch area. */
  readonly outAt: number
  readonly outBytes: number
  readonly jobsMax: number
  readonly resultsMax: number
  /** [ESP_SAS_MAX × ESP_STATISTICS_WORDS × 8 bytes]; a mapped file when another process reads. */
  readonly statistics: ArrayBuffer
  /** MTU of the path to the peers, from which that of the tunnels follows. */
  readonly outerMtu: number
}

/** Where packets of an inbound SA come from, when it is not where its SA says. */
export interface EspMapping {
  readonly index: number
  readonly address: Uint8Array
  readonly port: number
}

/**
 * The largest inner packet of a tunnel. AWS states the same values for 1,500 bytes outside (VPN
 * user guide, "Best practices for your customer gateway device"): 1446 for AES-GCM, 1438 in UDP.
 */
export function innerMtu (
  transform: EspTransform, inUdp: boolean, overIpv6: boolean, outerMtu: number): number {
  const isGcm = transform.kind === 'aes-gcm'
  const alignment = isGcm ? GCM_ALIGNMENT_BYTES : CBC_BLOCK_BYTES
  const around = (overIpv6 ? IPV6_HEADER_BYTES : IPV4_HEADER_BYTES) +
    (inUdp ? UDP_HEADER_BYTES : 0) + ESP_HEADER_BYTES +
    (isGcm ? GCM_IV_BYTES : CBC_BLOCK_BYTES) + transform.icvBytes
  const text = outerMtu - around
  return text - text % alignment - ESP_TRAILER_BYTES
}

export class Esp {
  /** [jobsMax × ESP_WORDS] what the next call seals or opens. */
  readonly jobs: Int32Array
  /** [resultsMax × ESP_WORDS] what the last call made. */
  readonly results: Int32Array
  /** How many results one call makes at most. */
  readonly resultsMax: number
  /** Memory for results, bytes. */
  readonly outBytes: number
  /** [ESP_SAS_MAX × ESP_STATISTICS_WORDS] */
  readonly statistics: Float64Array
  readonly #native: NativeEsp
  readonly #outerMtu: number
  readonly #mtu = new Uint16Array(ESP_SAS_MAX)
  readonly #identity = new Map<number, string>()
  /** Last number under a key, of SAs that are gone. */
  readonly #former = new Map<string, bigint>()
  readonly #mappings = new ArrayBuffer(MAPPINGS_MAX * MAPPING_BYTES)

  /** @throws VpclabError VPCLAB_ERR_ADDON, VPCLAB_ERR_SYSCALL */
  constructor (options: EspOptions) {
    const jobs = new ArrayBuffer(options.jobsMax * ESP_WORDS * Int32Array.BYTES_PER_ELEMENT)
    const results = new ArrayBuffer(options.resultsMax * ESP_WORDS * Int32Array.BYTES_PER_ELEMENT)
    this.jobs = new Int32Array(jobs)
    this.results = new Int32Array(results)
    this.statistics = new Float64Array(options.statistics, 0, ESP_SAS_MAX * ESP_STATISTICS_WORDS)
    this.resultsMax = options.resultsMax
    this.outBytes = options.outBytes
    this.#outerMtu = options.outerMtu
    try {
      this.#native = new (loadAddon().Esp)(
        options.arena, options.outAt, options.outBytes, jobs, results, options.statistics)
    } catch (error) {
      if (error instanceof VpclabError) throw error
      throw systemCallError('Cannot make an ESP', error)
    }
  }

  /** @throws VpclabError VPCLAB_ERR_SYSCALL when OpenSSL refuses the keys */
  install (sa: EspSa): void {
    const identity = identityOf(sa)
    const former = this.#former.get(identity) ?? 0n
    const sequence = former > sa.sequence ? former : sa.sequence
    this.remove(sa.index)
    const overIpv6 = sa.destination.length > 4
    const mtu = innerMtu(sa.transform, sa.destinationPort !== 0, overIpv6, this.#outerMtu)
    const words = installWords(sa, mtu, sequence)
    const bytes = installBytes(sa)
    try {
      this.#native.install(words.buffer, bytes.buffer, sa.hardBytes ?? Infinity,
        sa.hardPackets ?? Infinity)
    } catch (error) {
      throw systemCallError(`Cannot install SA ${String(sa.index)} with SPI ` +
        `0x${sa.spi.toString(16)}`, error)
    } finally {
      bytes.fill(0)
    }
    this.#mtu[sa.index] = mtu
    this.#identity.set(sa.index, identity)
  }

  /** Harmless for a number that is not installed. */
  remove (index: number): void {
    const identity = this.#identity.get(index)
    if (identity === undefined) return
    this.#identity.delete(index)
    this.#former.delete(identity)
    this.#former.set(identity, this.usage(index).sequence)
    for (const oldest of this.#former.keys()) {
      if (this.#former.size <= FORMER_MAX) break
      this.#former.delete(oldest)
    }
    this.#native.remove(index)
  }

  /** Largest inner packet that the SA seals, bytes. */
  mtu (index: number): number { return this.#mtu[index] }

  usage (index: number): EspUsage { return readUsage(this.statistics, index) }

  /** One outer packet per result, for people who capture. */
  setWireMode (mode: 'offload' | 'per-packet'): void {
    this.#native.setPerPacket(mode === 'per-packet' ? 1 : 0)
  }

  /** Seals the first `count` jobs. @param nowMs wall clock @returns results */
  seal (count: number, nowMs: number): number { return this.#native.seal(count, nowMs) }

  /** Opens the first `count` jobs. @param nowMs wall clock @returns results */
  open (count: number, nowMs: number): number { return this.#native.open(count, nowMs) }

  /** Bytes of memory that results hold. */
  get used (): number { return this.#native.used() }

  /** Bytes of results end: of those that were made when `used` was this, or more. */
  recycle (used = 0): void { this.#native.recycle(used) }

  /** Changes of address since the last call; a peer that moves is among them with each packet. */
  takeMappings (): EspMapping[] {
    const count = this.#native.takeMappings(this.#mappings)
    const view = new DataView(this.#mappings)
    return Array.from({ length: count }, (_, entry) => {
      const at = entry * MAPPING_BYTES
      const bytes = view.getUint8(at + 6)
      return {
        index: view.getUint32(at),
        port: view.getUint16(at + 4),
        address: new Uint8Array(this.#mappings.slice(at + 7, at + 7 + bytes))
      }
    })
  }

  /** Forgets all keys. May be called twice. */
  close (): void { this.#native.close() }
}

/** Reads what an Esp counts for an SA, here or in another process. */
export function readUsage (statistics: Float64Array, index: number): EspUsage {
  const at = index * ESP_STATISTICS_WORDS
  return {
    bytes: statistics[at],
    packets: statistics[at + 1],
    lastUseMs: statistics[at + 2],
    sequence: BigInt(statistics[at + 3])
  }
}

/** What makes two SAs use the same nonces. Of keys only a digest is kept. */
function identityOf (sa: EspSa): string {
  return createHash('sha256').update(sa.direction).update(sa.transform.key)
    .update(sa.transform.kind === 'aes-gcm' ? sa.transform.salt : sa.transform.hashKey)
    .update(String(sa.spi)).digest('base64')
}

function installWords (sa: EspSa, mtu: number, sequence: bigint): Int32Array<ArrayBuffer> {
  const { transform } = sa
  const isCbc = transform.kind === 'aes-cbc'
  const flags = (sa.noEcn ? ESP_FLAG_NO_ECN : 0) | (sa.clearDf ? ESP_FLAG_CLEAR_DF : 0) |
    (sa.copyDscp ? ESP_FLAG_COPY_DSCP : 0)
  const words = [
    sa.index, sa.direction === 'outbound' ? 1 : 0, sa.tunnel, sa.spi,
    sa.destination.length > 4 ? 6 : 4, flags, sa.sourcePort, sa.destinationPort, mtu,
    isCbc ? 1 : 0, isCbc ? HASHES.indexOf(transform.hash) : 0, transform.key.length,
    isCbc ? transform.hashKey.length : 0, transform.icvBytes, sa.esn ? 1 : 0, sa.replayWindow,
    Number(sequence & 0xffff_ffffn), Number(sequence >> 32n)
  ]
  const out = new Int32Array(INSTALL_WORDS)
  words.forEach((word, at) => { out[at] = word })
  return out
}

function installBytes (sa: EspSa): Uint8Array<ArrayBuffer> {
  const { transform } = sa
  const bytes = new Uint8Array(INSTALL_BYTES)
  bytes.set(transform.key, KEY_AT)
  if (transform.kind === 'aes-cbc') bytes.set(transform.hashKey, HASH_KEY_AT)
  else bytes.set(transform.salt, SALT_AT)
  bytes.set(sa.source, SOURCE_AT)
  bytes.set(sa.destination, DESTINATION_AT)
  return bytes
}
