/**
 * Rates from two readings of counters (`GET /traffic`). What has no earlier reading, or whose
 * counter is lower than before because it began anew (a worker, a daemon, an ENI on a new host),
 * has no rate for that interval: null, never a negative or absurd number.
 */
import type { EniTraffic, HostTraffic, TrafficAnswer } from '../../daemon/api/admin/contract.ts'

interface TrafficRates {
  readonly host: string
  /** Packets per second on the wire; `in` enters the ENI, or the host from the underlay. */
  readonly inPacketsPerSecond: number | null
  readonly outPacketsPerSecond: number | null
  readonly inBitsPerSecond: number | null
  readonly outBitsPerSecond: number | null
  readonly dropsPerSecond: number | null
  /** The reason that most of those had; null when nothing was dropped. */
  readonly topDropReason: string | null
  readonly flows: number
}

export interface EniRates extends TrafficRates {
  readonly eni: string
  readonly eniName: string
  readonly instance: string | null
  readonly instanceName: string
}

export interface HostRates extends TrafficRates {
  readonly zoneId: string
  readonly wireMode: 'offload' | 'per-packet'
  /** Of one CPU, by the data plane's thread: 0 to 1. */
  readonly cpuShare: number | null
  /** Of the packets, those that a cached decision served: 0 to 1; null when none passed. */
  readonly fastPathShare: number | null
}

export interface Rates {
  /** When the interval ended, RFC 3339. */
  readonly time: string
  readonly seconds: number
  readonly enis: readonly EniRates[]
  readonly hosts: readonly HostRates[]
}

const BITS_PER_BYTE = 8
const US_PER_S = 1e6

/** @param before an earlier reading; null for the first one, which has no rates */
export function ratesOf (before: TrafficAnswer | null, now: TrafficAnswer): Rates {
  const seconds = before === null ? 0 : (now.monotonicMs - before.monotonicMs) / 1000
  const interval = new Interval(seconds)
  const enis = new Map(before?.enis.map((eni) => [`${eni.host} ${eni.eni}`, eni]))
  const hosts = new Map(before?.hosts.map((host) => [host.host, host]))
  return {
    time: new Date(now.timeMs).toISOString(),
    seconds: Math.max(0, seconds),
    enis: now.enis.map((eni) => eniRates(interval, enis.get(`${eni.host} ${eni.eni}`), eni)),
    hosts: now.hosts.map((host) => hostRates(interval, hosts.get(host.host), host))
  }
}

/** The time between two readings; not above 0 when the daemon's clock began anew. */
class Interval {
  readonly #seconds: number
  constructor (seconds: number) { this.#seconds = seconds }

  /** What a counter rose by; null when it cannot be known. */
  rise (before: number | null | undefined, now: number | null): number | null {
    if (before === undefined || before === null || now === null) return null
    return now < before || this.#seconds <= 0 ? null : now - before
  }

  perSecond (before: number | undefined, now: number, unit = 1): number | null {
    const rise = this.rise(before, now)
    return rise === null ? null : rise * unit / this.#seconds
  }

  share (beforeUs: number | null | undefined, nowUs: number | null): number | null {
    const rise = this.rise(beforeUs, nowUs)
    return rise === null ? null : rise / US_PER_S / this.#seconds
  }
}

function eniRates (interval: Interval, before: EniTraffic | undefined, now: EniTraffic): EniRates {
  const { host, eni, eniName, instance, instanceName, flows } = now
  return {
    host,
    eni,
    eniName,
    instance,
    instanceName,
    inPacketsPerSecond: interval.perSecond(before?.ingressPackets, now.ingressPackets),
    outPacketsPerSecond: interval.perSecond(before?.egressPackets, now.egressPackets),
    inBitsPerSecond: interval.perSecond(before?.ingressBytes, now.ingressBytes, BITS_PER_BYTE),
    outBitsPerSecond: interval.perSecond(before?.egressBytes, now.egressBytes, BITS_PER_BYTE),
    ...dropRates(interval, before?.drops, now.drops),
    flows
  }
}

function hostRates (
  interval: Interval, before: HostTraffic | undefined, now: HostTraffic
): HostRates {
  const { host, zoneId, wireMode, flows } = now
  return {
    host,
    zoneId,
    wireMode,
    cpuShare: interval.share(before?.cpuUs, now.cpuUs),
    fastPathShare: fastPathShare(interval, before, now),
    inPacketsPerSecond: interval.perSecond(before?.underlayRxPackets, now.underlayRxPackets),
    outPacketsPerSecond: interval.perSecond(before?.underlayTxPackets, now.underlayTxPackets),
    inBitsPerSecond:
      interval.perSecond(before?.underlayRxBytes, now.underlayRxBytes, BITS_PER_BYTE),
    outBitsPerSecond:
      interval.perSecond(before?.underlayTxBytes, now.underlayTxBytes, BITS_PER_BYTE),
    ...dropRates(interval, before?.drops, now.drops),
    flows
  }
}

function fastPathShare (
  interval: Interval, before: HostTraffic | undefined, now: HostTraffic
): number | null {
  const fast = interval.rise(before?.fastPathPackets, now.fastPathPackets)
  const slow = interval.rise(before?.slowPathPackets, now.slowPathPackets)
  return fast === null || slow === null || fast + slow === 0 ? null : fast / (fast + slow)
}

type DropCounts = Readonly<Record<string, number>>

interface DropRates {
  readonly dropsPerSecond: number | null
  readonly topDropReason: string | null
}

function dropRates (
  interval: Interval, before: DropCounts | undefined, now: DropCounts): DropRates {
  const none = { dropsPerSecond: null, topDropReason: null }
  if (before === undefined) return none
  let [dropsPerSecond, most] = [0, 0]
  let topDropReason: string | null = null
  for (const [reason, packets] of Object.entries(now)) {
    const rate = interval.perSecond(before[reason] ?? 0, packets)
    if (rate === null) return none
    dropsPerSecond += rate
    if (rate > most) {
      most = rate
      topDropReason = reason
    }
  }
  return { dropsPerSecond, topDropReason }
}
