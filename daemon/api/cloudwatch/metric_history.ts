/**
 * What passed each ENI and each instance, minute by minute: what CloudWatch knows of a lab.
 *
 *     counters of the workers ── every minute ──▶ one sample: what came since the last one
 *                                                 180 minutes of them for each ENI and instance
 *
 * Instances are metrics of AWS/EC2, as there: NetworkIn, NetworkOut in bytes, NetworkPacketsIn,
 * NetworkPacketsOut. AWS has none of single ENIs; here they are under vpclab/ENI, by the same
 * names. An instance has the sum of its ENIs. What passes between the last minute and the end of
 * an ENI is not in it, and a restart of the daemon forgets all. Amazon EC2 User Guide, "CloudWatch
 * metrics that are available for your instances".
 *
 * NAT gateways are metrics of AWS/NATGateway, as there (nat_readings.ts).
 */
import { NAT_METRICS } from './nat_readings.ts'
import type { NatReading } from './nat_readings.ts'

/** Length of a sample. */
export const SAMPLE_MS = 60_000
/** Samples kept of each resource: three hours. */
export const METRIC_SAMPLES_MAX = 180
/** ENIs and instances with metrics; a further one has none until another is forgotten. */
export const METRIC_RESOURCES_MAX = 4000

export const NAMESPACE_INSTANCE = 'AWS/EC2'
export const NAMESPACE_ENI = 'vpclab/ENI'
export const NAMESPACE_NAT_GATEWAY = 'AWS/NATGateway'

/** In the order of a sample's values. */
export const NETWORK_METRICS: readonly {
  readonly name: string
  readonly unit: 'Bytes' | 'Count'
}[] = [
  { name: 'NetworkIn', unit: 'Bytes' },
  { name: 'NetworkOut', unit: 'Bytes' },
  { name: 'NetworkPacketsIn', unit: 'Count' },
  { name: 'NetworkPacketsOut', unit: 'Count' }
]

/** Counters of one ENI, in the order of NETWORK_METRICS. They only rise, until they begin anew. */
export interface EniReading {
  readonly eni: string
  readonly instance: string
  readonly accountId: string
  readonly region: string
  readonly values: readonly number[]
}

/** What passed in the minute that begins at `timeMs`. */
export interface Sample { readonly timeMs: number, readonly values: readonly number[] }

export interface MeasuredResource {
  readonly namespace: string
  /** `InstanceId` or `NetworkInterfaceId`. */
  readonly dimension: string
  readonly id: string
  readonly accountId: string
  readonly region: string
  /** What a sample's values are. */
  readonly metrics: typeof NETWORK_METRICS
  /** Oldest first. */
  readonly samples: readonly Sample[]
}

type Kept = MeasuredResource & { readonly samples: Sample[] }

export class MetricHistory {
  readonly #resources = new Map<string, Kept>()
  /** Last counters of each ENI. */
  #counters = new Map<string, readonly number[]>()

  /** All that has a sample, in order of its first one. */
  list (): readonly MeasuredResource[] { return [...this.#resources.values()] }

  /**
   * Takes one sample of everything.
   * @param timeMs begin of the minute that ends now, ms since 1970
   */
  sample (
    timeMs: number, readings: readonly EniReading[], gateways: readonly NatReading[] = []
  ): void {
    const counters = new Map<string, readonly number[]>()
    const instances = new Map<string, EniReading>()
    for (const reading of readings) {
      const before = this.#counters.get(reading.eni) ?? []
      const values = reading.values.map((value, at) => sinceThen(value, before[at] ?? 0))
      counters.set(reading.eni, reading.values)
      this.#add(NAMESPACE_ENI, 'NetworkInterfaceId', reading.eni, reading, NETWORK_METRICS,
        { timeMs, values })
      const others = instances.get(reading.instance)?.values ?? []
      instances.set(reading.instance,
        { ...reading, values: values.map((value, at) => value + (others[at] ?? 0)) })
    }
    for (const [id, reading] of instances) {
      this.#add(NAMESPACE_INSTANCE, 'InstanceId', id, reading, NETWORK_METRICS,
        { timeMs, values: reading.values })
    }
    this.#sampleGateways(timeMs, gateways, counters)
    this.#counters = counters
    this.#forget(timeMs - METRIC_SAMPLES_MAX * SAMPLE_MS)
  }

  /** A NAT gateway has the sum of what its nodes counted. */
  #sampleGateways (
    timeMs: number, readings: readonly NatReading[], counters: Map<string, readonly number[]>
  ): void {
    const sums = new Map<string, NatReading>()
    for (const reading of readings) {
      const key = `${reading.natGatewayId} ${reading.host}`
      const before = this.#counters.get(key) ?? []
      counters.set(key, reading.values)
      const others = sums.get(reading.natGatewayId)?.values ?? []
      sums.set(reading.natGatewayId, {
        ...reading,
        values: reading.values.map((value, at) => (others[at] ?? 0) +
          (NAT_METRICS[at]?.isGauge === true ? value : sinceThen(value, before[at] ?? 0)))
      })
    }
    for (const [id, reading] of sums) {
      this.#add(NAMESPACE_NAT_GATEWAY, 'NatGatewayId', id, reading, NAT_METRICS,
        { timeMs, values: reading.values })
    }
  }

  #add (namespace: string, dimension: string, id: string,
    { accountId, region }: Pick<EniReading, 'accountId' | 'region'>,
    metrics: MeasuredResource['metrics'], sample: Sample): void {
    let resource = this.#resources.get(id)
    if (resource === undefined) {
      if (this.#resources.size >= METRIC_RESOURCES_MAX) return
      resource = { namespace, dimension, id, accountId, region, metrics, samples: [] }
      this.#resources.set(id, resource)
    }
    resource.samples.push(sample)
  }

  /** Drops samples up to a time, and resources that have none left. */
  #forget (upToMs: number): void {
    for (const [id, { samples }] of this.#resources) {
      while ((samples[0]?.timeMs ?? Infinity) <= upToMs) samples.shift()
      if (samples.length === 0) this.#resources.delete(id)
    }
  }
}

/** A counter that is lower than before has begun anew. */
function sinceThen (value: number, before: number): number {
  return value < before ? value : value - before
}
