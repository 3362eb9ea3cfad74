/**
 * Claim: sealing and opening ESP costs about what its cipher does: one core carries some Gbit/s. In
 * memory, without NIC and IKE: super-packets of TCP, cut at the tunnel's MTU, sealed into runs of
 * ESP in UDP, and those runs opened and joined again.
 *
 *     npm run bench -- esp [--json]
 *
 * Figures are Mbit/s of inner bytes, the median of ROUNDS rounds of BATCH super-packets; and ns for
 * each sealed packet. 64-byte packets come alone, as those of UDP do.
 */
import { Esp } from '../daemon/tun/esp.ts'
import {
  ESP_AT, ESP_BYTES, ESP_CSUM, ESP_CSUM_FIELD, ESP_DONE, ESP_GSO_SIZE, ESP_GSO_TYPE, ESP_SA,
  ESP_SAS_MAX, ESP_SEGMENTS, ESP_STATISTICS_WORDS, ESP_STATUS, ESP_WORDS
} from '../daemon/tun/esp_descriptor.ts'
import type { EspHash, EspSa, EspTransform } from '../daemon/tun/esp_sa.ts'
import { CSUM_NEEDED, GSO_NONE, GSO_TCPV4 } from '../daemon/tun/descriptor.ts'
import { echoRequest, tcpSegment } from '../daemon/tun/testing/inner_packets.ts'
import { median, significant } from './statistics.ts'

const ROUNDS = 200
const WARM_UP_ROUNDS = 20
const BATCH = 16
const SUPER_PAYLOAD_BYTES = 60_000
const SMALL_PAYLOAD_BYTES = 36
const SLOT_BYTES = 65_536
const OUT_BYTES = 4 << 20
const RESULTS_MAX = 4096
const MSS = 1460
const OUTBOUND = 1
const INBOUND = 2
const KEYS = new Uint8Array(64).fill(7)

const hash = (name: EspHash, keyBytes: number, icvBytes: number): EspTransform => ({
  kind: 'aes-cbc', key: KEYS.slice(0, 32), hash: name, hashKey: KEYS.slice(0, keyBytes), icvBytes
})
const gcm = (keyBytes: number): EspTransform => ({
  kind: 'aes-gcm', key: KEYS.slice(0, keyBytes), salt: KEYS.slice(0, 4), icvBytes: 16
})
const TRANSFORMS = {
  aes128gcm: gcm(16),
  aes256gcm: gcm(32),
  aes256cbcSha1: hash('sha1', 20, 12),
  aes256cbcSha256: hash('sha256', 32, 16)
} as const

interface Figures {
  readonly sealMbitPerSecond: number
  readonly openMbitPerSecond: number
  readonly sealPacketNs: number
  readonly openPacketNs: number
  readonly sealSmallPacketNs: number
}

function association (transform: EspTransform, change: Partial<EspSa>): EspSa {
  return {
    index: OUTBOUND,
    direction: 'outbound',
    tunnel: 1,
    spi: 0xc0000001,
    source: Uint8Array.of(198, 51, 100, 1),
    destination: Uint8Array.of(203, 0, 113, 9),
    sourcePort: 4500,
    destinationPort: 4500,
    transform,
    esn: true,
    replayWindow: 0,
    sequence: 0n,
    noEcn: false,
    clearDf: false,
    copyDscp: true,
    hardBytes: null,
    hardPackets: null,
    ...change
  }
}

class Rig {
  readonly #arena = new ArrayBuffer(BATCH * SLOT_BYTES + OUT_BYTES)
  readonly #bytes = Buffer.from(this.#arena)
  readonly #esp: Esp

  constructor (transform: EspTransform) {
    this.#esp = new Esp({
      arena: this.#arena,
      outAt: BATCH * SLOT_BYTES,
      outBytes: OUT_BYTES,
      jobsMax: RESULTS_MAX,
      resultsMax: RESULTS_MAX,
      statistics: new ArrayBuffer(ESP_SAS_MAX * ESP_STATISTICS_WORDS * 8),
      outerMtu: 1500
    })
    this.#esp.install(association(transform, {}))
    this.#esp.install(
      association(transform, { index: INBOUND, direction: 'inbound', replayWindow: 1024 }))
  }

  /** @returns ns of sealing, ns of opening, packets */
  round (packet: Buffer, gso: boolean): { sealNs: number, openNs: number, packets: number } {
    this.#esp.recycle()
    for (let job = 0; job < BATCH; job++) this.#load(job, packet, gso)
    const started = process.hrtime.bigint()
    const sealed = this.#esp.seal(BATCH, 1)
    const between = process.hrtime.bigint()
    const packets = this.#feed(sealed)
    const opening = process.hrtime.bigint()
    const opened = this.#esp.open(sealed, 1)
    const ended = process.hrtime.bigint()
    for (let index = 0; index < opened; index++) {
      if (this.#esp.results[index * ESP_WORDS + ESP_STATUS] !== ESP_DONE) {
        throw new Error('a packet was not opened')
      }
    }
    return { sealNs: Number(between - started), openNs: Number(ended - opening), packets }
  }

  #load (job: number, packet: Buffer, gso: boolean): void {
    packet.copy(this.#bytes, job * SLOT_BYTES)
    const { jobs } = this.#esp
    const at = job * ESP_WORDS
    jobs.fill(0, at, at + ESP_WORDS)
    jobs[at + ESP_AT] = job * SLOT_BYTES
    jobs[at + ESP_BYTES] = packet.length
    jobs[at + ESP_GSO_TYPE] = gso ? GSO_TCPV4 : GSO_NONE
    jobs[at + ESP_GSO_SIZE] = gso ? MSS : 0
    jobs[at + ESP_CSUM] = gso ? CSUM_NEEDED : 0
    jobs[at + ESP_CSUM_FIELD] = 20 | 16 << 16
    jobs[at + ESP_SA] = OUTBOUND
  }

  /** Makes jobs of opening out of what was sealed. @returns packets */
  #feed (sealed: number): number {
    const { jobs, results } = this.#esp
    let packets = 0
    for (let index = 0; index < sealed; index++) {
      const at = index * ESP_WORDS
      if (results[at + ESP_STATUS] !== ESP_DONE) throw new Error('a packet was not sealed')
      packets += results[at + ESP_SEGMENTS] ?? 0
      for (let word = 0; word < ESP_WORDS; word++) jobs[at + word] = results[at + word] ?? 0
    }
    return packets
  }

  close (): void { this.#esp.close() }
}

/** What one cipher costs. */
export function measureEsp (cipher: keyof typeof TRANSFORMS): Figures {
  const rig = new Rig(TRANSFORMS[cipher])
  const large = tcpSegment(SUPER_PAYLOAD_BYTES)
  const small = echoRequest(SMALL_PAYLOAD_BYTES)
  const runs = (packet: Buffer, gso: boolean): ReturnType<Rig['round']>[] =>
    Array.from({ length: WARM_UP_ROUNDS + ROUNDS }, () => rig.round(packet, gso))
      .slice(WARM_UP_ROUNDS)
  const [supers, singles] = [runs(large, true), runs(small, false)]
  rig.close()
  const bits = BATCH * large.length * 8
  const mbit = (ns: readonly number[]): number => significant(bits * 1000 / median(ns))
  return {
    sealMbitPerSecond: mbit(supers.map(({ sealNs }) => sealNs)),
    openMbitPerSecond: mbit(supers.map(({ openNs }) => openNs)),
    sealPacketNs: significant(median(supers.map(({ sealNs, packets }) => sealNs / packets))),
    openPacketNs: significant(median(supers.map(({ openNs, packets }) => openNs / packets))),
    sealSmallPacketNs: significant(
      median(singles.map(({ sealNs, packets }) => sealNs / packets)))
  }
}

export async function run (args: readonly string[]): Promise<void> {
  const ciphers = Object.keys(TRANSFORMS) as (keyof typeof TRANSFORMS)[]
  const result = Object.fromEntries(ciphers.map((cipher) => [cipher, measureEsp(cipher)]))
  for (const [name, figures] of Object.entries(result)) {
    console.error(`${name.padEnd(16)} seal ${String(figures.sealMbitPerSecond)} Mbit/s ` +
      `(${String(figures.sealPacketNs)} ns a packet, ${String(figures.sealSmallPacketNs)} ns a ` +
      `small one), open ${String(figures.openMbitPerSecond)} Mbit/s`)
  }
  if (args.includes('--json')) console.log(JSON.stringify(result))
}
