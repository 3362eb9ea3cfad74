/**
 * ESP written a second time, with Node's own crypto and without speed, so that a mistake of the
 * addon cannot hide behind itself. Also a small harness around an Esp.
 */
import { createCipheriv, createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto'
import { Esp } from '../esp.ts'
import {
  ESP_AT, ESP_BYTES, ESP_CSUM, ESP_CSUM_FIELD, ESP_GSO_SIZE, ESP_GSO_TYPE, ESP_SA, ESP_SAS_MAX,
  ESP_SEGMENTS, ESP_STATISTICS_WORDS, ESP_STATUS, ESP_TUNNEL, ESP_WORDS
} from '../esp_descriptor.ts'
import type { EspSa, EspTransform } from '../esp_sa.ts'

const ESP_HEADER_BYTES = 8

function authenticated (sa: EspSa, esp: Buffer, number: bigint): Buffer {
  if (!sa.esn) return esp.subarray(0, ESP_HEADER_BYTES)
  const high = Buffer.alloc(4)
  high.writeUInt32BE(Number(number >> 32n))
  return Buffer.concat([esp.subarray(0, 4), high, esp.subarray(4, 8)])
}

function hmac (sa: EspSa, covered: Buffer, number: bigint): Buffer {
  if (sa.transform.kind !== 'aes-cbc') throw new Error('GCM has no HMAC')
  const mac = createHmac(sa.transform.hash, sa.transform.hashKey).update(covered)
  if (sa.esn) {
    const high = Buffer.alloc(4)
    high.writeUInt32BE(Number(number >> 32n))
    mac.update(high)
  }
  return mac.digest().subarray(0, sa.transform.icvBytes)
}

function gcmName (transform: EspTransform): 'aes-128-gcm' {
  return `aes-${String(transform.key.length * 8)}-gcm` as 'aes-128-gcm'
}

/** Seals one inner packet. @param iv 8 bytes for GCM, 16 for CBC */
export function oracleSeal (
  sa: EspSa, number: bigint, inner: Buffer, nextHeader: number, iv: Buffer): Buffer {
  const { transform } = sa
  const align = transform.kind === 'aes-gcm' ? 4 : 16
  const padBytes = (align - (inner.length + 2) % align) % align
  const text = Buffer.concat([inner, Buffer.from(Array.from({ length: padBytes }, (_, i) => i + 1)),
    Buffer.of(padBytes, nextHeader)])
  const header = Buffer.alloc(ESP_HEADER_BYTES)
  header.writeUInt32BE(sa.spi, 0)
  header.writeUInt32BE(Number(number & 0xffff_ffffn), 4)
  if (transform.kind === 'aes-gcm') {
    const cipher = createCipheriv(gcmName(transform), transform.key,
      Buffer.concat([transform.salt, iv]), { authTagLength: transform.icvBytes })
    cipher.setAAD(authenticated(sa, header, number))
    const sealed = Buffer.concat([cipher.update(text), cipher.final()])
    return Buffer.concat([header, iv, sealed, cipher.getAuthTag()])
  }
  const cipher = createCipheriv(`aes-${String(transform.key.length * 8)}-cbc`, transform.key, iv)
  cipher.setAutoPadding(false)
  const covered = Buffer.concat([header, iv, cipher.update(text), cipher.final()])
  return Buffer.concat([covered, hmac(sa, covered, number)])
}

/** Opens one ESP packet. @throws when the tag is wrong */
export function oracleOpen (sa: EspSa, number: bigint, esp: Buffer): Buffer {
  const { transform } = sa
  const ivBytes = transform.kind === 'aes-gcm' ? 8 : 16
  const iv = esp.subarray(ESP_HEADER_BYTES, ESP_HEADER_BYTES + ivBytes)
  const sealed = esp.subarray(ESP_HEADER_BYTES + ivBytes, esp.length - transform.icvBytes)
  const tag = esp.subarray(esp.length - transform.icvBytes)
  let text: Buffer
  if (transform.kind === 'aes-gcm') {
    const cipher = createDecipheriv(gcmName(transform), transform.key,
      Buffer.concat([transform.salt, iv]), { authTagLength: transform.icvBytes })
    cipher.setAAD(authenticated(sa, esp, number))
    cipher.setAuthTag(tag)
    text = Buffer.concat([cipher.update(sealed), cipher.final()])
  } else {
    const expected = hmac(sa, esp.subarray(0, esp.length - transform.icvBytes), number)
    if (!timingSafeEqual(expected, tag)) throw new Error('wrong tag')
    const cipher = createDecipheriv(
      `aes-${String(transform.key.length * 8)}-cbc`, transform.key, iv)
    cipher.setAutoPadding(false)
    text = Buffer.concat([cipher.update(sealed), cipher.final()])
  }
  const padBytes = text.readUInt8(text.length - 2)
  return text.subarray(0, text.length - 2 - padBytes)
}

/** A job or a result with its bytes. */
export interface EspPacket {
  readonly bytes: Buffer
  readonly gsoType: number
  readonly gsoSize: number
  readonly csum: number
  readonly csumField: number
  readonly segments: number
  readonly sa: number
  readonly tunnel: number
  readonly status: number
}

const JOBS_MAX = 64
const RESULTS_MAX = 512
const IN_BYTES = 1 << 20
const OUT_BYTES = 1 << 20

/** An Esp over an arena of its own. */
export class EspBench {
  readonly arena = new ArrayBuffer(IN_BYTES + OUT_BYTES)
  readonly esp: Esp
  readonly #bytes = Buffer.from(this.arena)

  constructor (outerMtu = 1500) {
    this.esp = new Esp({
      arena: this.arena,
      outAt: IN_BYTES,
      outBytes: OUT_BYTES,
      jobsMax: JOBS_MAX,
      resultsMax: RESULTS_MAX,
      statistics: new ArrayBuffer(ESP_SAS_MAX * ESP_STATISTICS_WORDS * 8),
      outerMtu
    })
  }

  seal (sa: number, ...packets: readonly (Buffer | Partial<EspPacket>)[]): EspPacket[] {
    return this.#results(this.esp.seal(this.#load(sa, packets), 1000))
  }

  open (...packets: readonly (Buffer | Partial<EspPacket>)[]): EspPacket[] {
    return this.#results(this.esp.open(this.#load(0, packets), 2000))
  }

  #load (sa: number, packets: readonly (Buffer | Partial<EspPacket>)[]): number {
    this.esp.recycle()
    let at = 0
    packets.forEach((given, job) => {
      const packet = Buffer.isBuffer(given) ? { bytes: given } : given
      const bytes = packet.bytes ?? Buffer.alloc(0)
      bytes.copy(this.#bytes, at)
      const words = this.esp.jobs.subarray(job * ESP_WORDS, (job + 1) * ESP_WORDS).fill(0)
      words[ESP_AT] = at
      words[ESP_BYTES] = bytes.length
      words[ESP_GSO_TYPE] = packet.gsoType ?? 0
      words[ESP_GSO_SIZE] = packet.gsoSize ?? 0
      words[ESP_CSUM] = packet.csum ?? 0
      words[ESP_CSUM_FIELD] = packet.csumField ?? 0
      words[ESP_SA] = sa
      at += bytes.length + 64
    })
    return packets.length
  }

  #results (count: number): EspPacket[] {
    return Array.from({ length: count }, (_, index) => {
      const words = this.esp.results.subarray(index * ESP_WORDS, (index + 1) * ESP_WORDS)
      return {
        bytes: Buffer.from(
          this.#bytes.subarray(words[ESP_AT], words[ESP_AT] + words[ESP_BYTES])),
        gsoType: words[ESP_GSO_TYPE],
        gsoSize: words[ESP_GSO_SIZE],
        csum: words[ESP_CSUM],
        csumField: words[ESP_CSUM_FIELD],
        segments: words[ESP_SEGMENTS],
        sa: words[ESP_SA],
        tunnel: words[ESP_TUNNEL],
        status: words[ESP_STATUS]
      }
    })
  }
}
