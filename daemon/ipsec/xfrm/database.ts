/**
 * The database of SAs and policies that charon takes for the kernel's: it answers each request as
 * the kernel would, error numbers included, and hands what is to be done to a backend.
 *
 *     ALLOCSPI ─▶ larval ── UPDSA ─▶ inbound ──┐
 *                   │ 165 s                    ├─ soft limit: EXPIRE, once ─▶ charon rekeys
 *     NEWSA (SPI not of ours) ─▶ outbound ─────┤
 *                                              └─ hard limit: EXPIRE and removed; DELSA: removed
 *
 * Which SA a tunnel sends on is what its outbound policy names (UPDPOLICY is the moment at which
 * a rekey switches over); without a policy that does, the newest. Tunnels are told apart by if_id.
 *
 * An answer of EBUSY would have charon try again for ever without a pause; it is never given.
 */
import type { Clock } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import { ESP_SAS_MAX } from '../../tun/esp_descriptor.ts'
import type { EspSa, EspUsage } from '../../tun/esp_sa.ts'
import type { EspBackend } from '../backend.ts'
import {
  ATTRIBUTE_LAST_USED, ATTRIBUTE_LIFETIME, ATTRIBUTE_REPLAY, ATTRIBUTE_REPLAY_ESN,
  ATTRIBUTE_SPD_IPV4_THRESHOLD, ATTRIBUTE_SPD_IPV6_THRESHOLD, EEXIST, EINVAL, ENOENT, ENOMEM,
  ENOSYS, EOPNOTSUPP, ESRCH, MESSAGE_ALLOCSPI, MESSAGE_DELPOLICY, MESSAGE_DELSA, MESSAGE_EXPIRE,
  MESSAGE_FLUSHPOLICY, MESSAGE_FLUSHSA, MESSAGE_GETAE, MESSAGE_GETPOLICY, MESSAGE_GETSA,
  MESSAGE_GETSPDINFO, MESSAGE_MAPPING, MESSAGE_NEWAE, MESSAGE_NEWPOLICY, MESSAGE_NEWSA,
  MESSAGE_NEWSPDINFO, MESSAGE_UPDPOLICY, MESSAGE_UPDSA, readAttributes, writeAnswer,
  writeAttribute, writeNetlink
} from './netlink.ts'
import type { NetlinkMessage } from './netlink.ts'
import {
  CURRENT_BYTES, EXTRA_FLAG_DO_NOT_ENCAPSULATE_DSCP, FLAG_NO_ECN, FLAG_NO_PMTU_DISCOVERY,
  keyWithSpi, POLICY_AT_CURRENT, POLICY_IN, POLICY_OUT, PROTOCOL_ESP, readPolicy, readPolicyId,
  readSa, readSaId, readSpiRequest, SA_AT_CURRENT, SA_BYTES, withSpi, writeCurrent, writeEventId,
  writeExpire, writeMapping, writeReplay, writeReplayEsn
} from './structures.ts'
import type { PolicyRequest, SaKey, SaRequest } from './structures.ts'
import { readTransform } from './transform.ts'

/** Three per SA pair, as charon makes them. */
const POLICIES_MAX = 16_384
/** How long an SPI that was given out waits for its SA (charon's own limit). */
const LARVAL_MS = 165_000
/** How long the SPI of an SA that was deleted is still known as ours: charon moves an SA by
 * deleting it and making it again. */
const FORMER_SPI_MS = 60_000
/** Draws of an SPI before giving up; one in 2^19 is taken at most. */
const SPI_DRAWS_MAX = 64
/** A peer that changes its address with every packet is reported no more often. */
const MAPPING_MS_MIN = 1000
/** Window that the data plane keeps at most. */
const REPLAY_WINDOW_MAX = 4096

interface Sa {
  readonly request: SaRequest
  /** As charon sent it: GETSA gives it back. */
  readonly body: Buffer
  readonly index: number
  readonly isInbound: boolean
  readonly addedMs: number
  softSent: boolean
  mappingMs: number
  mapping: string
}

interface Policy {
  readonly body: Buffer
  readonly request: PolicyRequest
}

export interface DatabaseOptions {
  readonly backend: EspBackend
  readonly clock: Clock
  readonly random: Random
  /** An event for charon, a whole message. */
  readonly onEvent: (message: Buffer) => void
}

export class XfrmDatabase {
  readonly #options: DatabaseOptions
  readonly #sas = new Map<SaKey, Sa>()
  readonly #byIndex = new Map<number, Sa>()
  /** SPIs that were given out, and until when they are waited for. */
  readonly #larval = new Map<SaKey, number>()
  readonly #former = new Map<SaKey, number>()
  readonly #policies = new Map<string, Policy>()
  /** SA that each tunnel sends on. */
  readonly #selected = new Map<number, number>()
  #lastIndex = 0

  constructor (options: DatabaseOptions) { this.#options = options }

  get saCount (): number { return this.#sas.size }
  get policyCount (): number { return this.#policies.size }

  /** The SAs that are installed, keys and all. */
  sas (): EspSa[] {
    return [...this.#sas.values()].flatMap((sa) => {
      const transform = readTransform(sa.request)
      return transform === null ? [] : [espSa(sa, transform)]
    })
  }

  /** @returns the answer, a whole message */
  handle (message: NetlinkMessage): Buffer {
    switch (message.type) {
      case MESSAGE_ALLOCSPI: return this.#allocate(message)
      case MESSAGE_NEWSA:
      case MESSAGE_UPDSA: return writeAnswer(message, this.#putSa(message))
      case MESSAGE_DELSA: return writeAnswer(message, this.#deleteSa(message))
      case MESSAGE_GETSA: return this.#getSa(message)
      case MESSAGE_GETAE: return this.#getEvent(message)
      case MESSAGE_NEWPOLICY:
      case MESSAGE_UPDPOLICY: return writeAnswer(message, this.#putPolicy(message))
      case MESSAGE_DELPOLICY: return writeAnswer(message, this.#deletePolicy(message))
      case MESSAGE_GETPOLICY: return this.#getPolicy(message)
      case MESSAGE_FLUSHSA:
        this.#removeAllSas()
        return writeAnswer(message, 0)
      case MESSAGE_FLUSHPOLICY:
        this.#removeAllPolicies()
        return writeAnswer(message, 0)
      case MESSAGE_GETSPDINFO: return describePolicies(message)
      default: return writeAnswer(message, EOPNOTSUPP)
    }
  }

  /** Looks at lifetimes; to be called about once a second. */
  tick (): void {
    const nowMs = this.#options.clock.monotonicMs()
    for (const waiting of [this.#larval, this.#former]) {
      for (const [key, untilMs] of waiting) if (nowMs >= untilMs) waiting.delete(key)
    }
    for (const sa of this.#sas.values()) {
      const { lifetime } = sa.request
      const usage = this.#options.backend.usage(sa.index)
      const ageSeconds = (nowMs - sa.addedMs) / 1000
      if (exceeds(usage, ageSeconds, lifetime.hardBytes, lifetime.hardPackets,
        lifetime.hardSeconds)) {
        this.#expire(sa, true)
      } else if (!sa.softSent && exceeds(usage, ageSeconds, lifetime.softBytes,
        lifetime.softPackets, lifetime.softSeconds)) {
        this.#expire(sa, false)
      }
    }
  }

  /**
   * A packet that passed its checks came from another address or port than the SA's.
   * @param address 4 or 16 bytes
   */
  reportMapping (index: number, address: Uint8Array, port: number): void {
    const sa = this.#byIndex.get(index)
    if (sa === undefined || sa.request.encapsulation === null) return
    if (address.length !== sa.request.source.length) return
    const nowMs = this.#options.clock.monotonicMs()
    const mapping = `${Buffer.from(address).toString('hex')}:${String(port)}`
    if (mapping === sa.mapping || nowMs - sa.mappingMs < MAPPING_MS_MIN) return
    sa.mapping = mapping
    sa.mappingMs = nowMs
    this.#options.onEvent(writeNetlink(MESSAGE_MAPPING, 0, 0,
      writeMapping(sa.request, Buffer.from(address), port)))
  }

  /** Forgets everything: charon is gone, or a new one begins. */
  purge (): void {
    this.#removeAllSas()
    this.#larval.clear()
    this.#former.clear()
    this.#removeAllPolicies()
  }

  #allocate (message: NetlinkMessage): Buffer {
    const asked = readSpiRequest(message.body)
    if (asked === null) return writeAnswer(message, EINVAL)
    if (this.#larval.size + this.#sas.size >= ESP_SAS_MAX - 1) return writeAnswer(message, ENOMEM)
    for (let draw = 0; draw < SPI_DRAWS_MAX; draw++) {
      const spi = this.#drawSpi(asked.min, asked.max)
      const key = keyWithSpi(asked.sa, spi)
      if (this.#sas.has(key) || this.#larval.has(key) || this.#former.has(key)) continue
      this.#larval.set(key, this.#options.clock.monotonicMs() + LARVAL_MS)
      return writeNetlink(MESSAGE_NEWSA, message.sequence, message.pid,
        withSpi(message.body, spi))
    }
    return writeAnswer(message, ENOENT)
  }

  #drawSpi (min: number, max: number): number {
    const drawn = Buffer.from(this.#options.random.bytes(4)).readUInt32BE(0)
    return min + (drawn % (max - min + 1))
  }

  #putSa (message: NetlinkMessage): number {
    const body = Buffer.from(message.body)
    const request = readSa(body)
    if (request === null || !request.isTunnel || request.protocol !== PROTOCOL_ESP) return EINVAL
    const { key } = request
    const old = this.#sas.get(key)
    if (message.type === MESSAGE_NEWSA && old !== undefined) return EEXIST
    if (message.type === MESSAGE_UPDSA && old === undefined && !this.#larval.has(key)) return ESRCH
    const transform = readTransform(request)
    if (transform === null || request.replayWindow > REPLAY_WINDOW_MAX) return ENOSYS
    const isInbound = old?.isInbound ?? (this.#larval.has(key) || this.#former.has(key))
    const index = old?.index ?? this.#freeIndex()
    if (index === 0) return ENOMEM
    this.#larval.delete(key)
    if (old !== undefined) this.#drop(old)
    const sa: Sa = {
      request,
      body,
      index,
      isInbound,
      addedMs: this.#options.clock.monotonicMs(),
      softSent: false,
      mappingMs: -MAPPING_MS_MIN,
      mapping: ''
    }
    this.#sas.set(key, sa)
    this.#byIndex.set(index, sa)
    this.#options.backend.install(espSa(sa, transform))
    if (!isInbound && !this.#hasOutboundPolicy(request.ifId)) this.#select(request.ifId, index)
    return 0
  }

  /** @returns 0 when all are in use */
  #freeIndex (): number {
    for (let tried = 0; tried < ESP_SAS_MAX; tried++) {
      this.#lastIndex = this.#lastIndex % (ESP_SAS_MAX - 1) + 1
      if (!this.#byIndex.has(this.#lastIndex)) return this.#lastIndex
    }
    return 0
  }

  #deleteSa (message: NetlinkMessage): number {
    const key = readSaId(message.body)
    if (key === null) return EINVAL
    const sa = this.#sas.get(key)
    if (sa === undefined) return this.#larval.delete(key) ? 0 : ESRCH
    this.#remove(sa)
    return 0
  }

  #remove (sa: Sa): void {
    const { key, ifId } = sa.request
    if (sa.isInbound) {
      this.#former.set(key, this.#options.clock.monotonicMs() + FORMER_SPI_MS)
    }
    this.#drop(sa)
    if (this.#selected.get(ifId) !== sa.index) return
    const next = [...this.#sas.values()]
      .findLast((other) => !other.isInbound && other.request.ifId === ifId)
    this.#select(ifId, next?.index ?? 0)
  }

  /** Takes it out of the tables and of the backend, and wipes the keys. */
  #drop (sa: Sa): void {
    this.#sas.delete(sa.request.key)
    this.#byIndex.delete(sa.index)
    this.#options.backend.remove(sa.index)
    sa.body.fill(0, SA_BYTES)
  }

  #removeAllSas (): void {
    for (const sa of [...this.#sas.values()]) this.#drop(sa)
    for (const tunnel of [...this.#selected.keys()]) this.#select(tunnel, 0)
  }

  #removeAllPolicies (): void {
    const tunnels = new Set([...this.#policies.values()].map(({ request }) => request.ifId))
    this.#policies.clear()
    for (const tunnel of tunnels) this.#options.backend.permit(tunnel, [])
  }

  #select (tunnel: number, index: number): void {
    if (index === 0) this.#selected.delete(tunnel)
    else this.#selected.set(tunnel, index)
    this.#options.backend.select(tunnel, index)
  }

  #getSa (message: NetlinkMessage): Buffer {
    const key = readSaId(message.body)
    const sa = key === null ? undefined : this.#sas.get(key)
    if (sa === undefined) return writeAnswer(message, key === null ? EINVAL : ESRCH)
    const usage = this.#options.backend.usage(sa.index)
    const body = Buffer.from(sa.body)
    this.#current(sa, usage).copy(body, SA_AT_CURRENT)
    const lastUsed = Buffer.alloc(8)
    lastUsed.writeBigUInt64LE(BigInt(Math.trunc(usage.lastUseMs / 1000)))
    return writeNetlink(MESSAGE_NEWSA, message.sequence, message.pid, body,
      ...(usage.lastUseMs > 0 ? [writeAttribute(ATTRIBUTE_LAST_USED, lastUsed)] : []))
  }

  #current (sa: Sa, usage: EspUsage): Buffer {
    const { clock } = this.#options
    const ageMs = clock.monotonicMs() - sa.addedMs
    return writeCurrent({
      bytes: usage.bytes,
      packets: usage.packets,
      addSeconds: (clock.nowMs() - ageMs) / 1000,
      useSeconds: usage.lastUseMs / 1000
    })
  }

  #getEvent (message: NetlinkMessage): Buffer {
    const key = readSaId(message.body)
    const sa = key === null ? undefined : this.#sas.get(key)
    if (sa === undefined) return writeAnswer(message, key === null ? EINVAL : ESRCH)
    const usage = this.#options.backend.usage(sa.index)
    const [out, received] = sa.isInbound ? [0n, usage.sequence] : [usage.sequence, 0n]
    const installed = readAttributes(sa.body, SA_BYTES).get(ATTRIBUTE_REPLAY_ESN)
    const replay = installed === undefined
      ? writeAttribute(ATTRIBUTE_REPLAY, writeReplay(out, received))
      : writeAttribute(ATTRIBUTE_REPLAY_ESN, writeReplayEsn(installed, out, received))
    return writeNetlink(MESSAGE_NEWAE, message.sequence, message.pid,
      writeEventId(message.body, sa.request), replay,
      writeAttribute(ATTRIBUTE_LIFETIME, this.#current(sa, usage)))
  }

  #expire (sa: Sa, isHard: boolean): void {
    sa.softSent = true
    const body = writeExpire(sa.body, isHard)
    if (isHard) this.#remove(sa)
    this.#options.onEvent(writeNetlink(MESSAGE_EXPIRE, 0, 0, body))
  }

  #putPolicy (message: NetlinkMessage): number {
    const request = readPolicy(message.body)
    if (request === null) return EINVAL
    const known = this.#policies.has(request.key)
    if (message.type === MESSAGE_NEWPOLICY && known) return EEXIST
    if (!known && this.#policies.size >= POLICIES_MAX) return ENOMEM
    this.#policies.set(request.key, { body: Buffer.from(message.body), request })
    if (request.direction === POLICY_OUT) this.#follow(request)
    else if (request.direction === POLICY_IN) this.#permit(request.ifId)
    return 0
  }

  /** Makes the tunnel send on the SA that its policy names. */
  #follow (policy: PolicyRequest): void {
    if (policy.template === null) return
    const sa = this.#sas.get(policy.template)
    if (sa === undefined || sa.isInbound || sa.request.ifId !== policy.ifId) return
    this.#select(policy.ifId, sa.index)
  }

  /** Tells the networks of a tunnel: those of its inbound policies that have a template. */
  #permit (tunnel: number): void {
    const selectors = [...this.#policies.values()].map(({ request }) => request)
      .filter((request) => request.direction === POLICY_IN && request.ifId === tunnel &&
        request.isTunnel)
      .map((request) => ({
        local: Uint8Array.from(request.destination),
        localPrefixLength: request.destinationPrefixLength,
        remote: Uint8Array.from(request.source),
        remotePrefixLength: request.sourcePrefixLength
      }))
    this.#options.backend.permit(tunnel, selectors)
  }

  #hasOutboundPolicy (ifId: number): boolean {
    if (!this.#selected.has(ifId)) return false
    for (const { request } of this.#policies.values()) {
      if (request.direction === POLICY_OUT && request.ifId === ifId && request.template !== null) {
        return true
      }
    }
    return false
  }

  #deletePolicy (message: NetlinkMessage): number {
    const request = readPolicyId(message.body)
    if (request === null) return EINVAL
    if (!this.#policies.delete(request.key)) return ENOENT
    if (request.direction === POLICY_IN) this.#permit(request.ifId)
    return 0
  }

  /** charon asks when a tunnel was last used, to spare a dead peer detection. */
  #getPolicy (message: NetlinkMessage): Buffer {
    const request = readPolicyId(message.body)
    if (request === null) return writeAnswer(message, EINVAL)
    const policy = this.#policies.get(request.key)
    if (policy === undefined) return writeAnswer(message, ENOENT)
    let lastUseMs = 0
    for (const sa of this.#sas.values()) {
      if (sa.request.ifId !== request.ifId) continue
      if (sa.isInbound === (request.direction === POLICY_OUT)) continue
      lastUseMs = Math.max(lastUseMs, this.#options.backend.usage(sa.index).lastUseMs)
    }
    const body = Buffer.from(policy.body)
    writeCurrent({ bytes: 0, packets: 0, addSeconds: 0, useSeconds: lastUseMs / 1000 })
      .copy(body, POLICY_AT_CURRENT, 0, CURRENT_BYTES)
    return writeNetlink(MESSAGE_NEWPOLICY, message.sequence, message.pid, body)
  }
}

function exceeds (
  usage: EspUsage, ageSeconds: number, bytes: number | null, packets: number | null,
  seconds: number | null
): boolean {
  return (bytes !== null && usage.bytes >= bytes) ||
    (packets !== null && usage.packets >= packets) ||
    (seconds !== null && ageSeconds >= seconds)
}

function espSa (sa: Sa, transform: EspSa['transform']): EspSa {
  const { request } = sa
  return {
    index: sa.index,
    direction: sa.isInbound ? 'inbound' : 'outbound',
    tunnel: request.ifId,
    spi: request.spi,
    source: Uint8Array.from(request.source),
    destination: Uint8Array.from(request.destination),
    sourcePort: request.encapsulation?.sourcePort ?? 0,
    destinationPort: request.encapsulation?.destinationPort ?? 0,
    transform,
    esn: request.esn,
    replayWindow: sa.isInbound ? request.replayWindow : 0,
    sequence: sa.isInbound ? request.inSequence : request.outSequence,
    noEcn: (request.flags & FLAG_NO_ECN) !== 0,
    clearDf: (request.flags & FLAG_NO_PMTU_DISCOVERY) !== 0,
    copyDscp: (request.extraFlags & EXTRA_FLAG_DO_NOT_ENCAPSULATE_DSCP) === 0,
    hardBytes: request.lifetime.hardBytes,
    hardPackets: request.lifetime.hardPackets
  }
}

/** Prefix lengths from which the kernel hashes policies: asked at start, used by nobody here. */
function describePolicies (message: NetlinkMessage): Buffer {
  return writeNetlink(MESSAGE_NEWSPDINFO, message.sequence, message.pid, Buffer.alloc(4),
    writeAttribute(ATTRIBUTE_SPD_IPV4_THRESHOLD, Buffer.of(32, 32)),
    writeAttribute(ATTRIBUTE_SPD_IPV6_THRESHOLD, Buffer.of(128, 128)))
}
