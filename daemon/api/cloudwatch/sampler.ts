/** Reads the counters of every ENI at each full minute into a MetricHistory. */
import type { Clock } from '../../base/clock.ts'
import type { Lab } from '../../host/lab.ts'
import type { Replica } from '../../store/replica.ts'
import { eniTraffic } from '../admin/routes/traffic.ts'
import { natReadings } from './nat_readings.ts'
import { type EniReading, type MetricHistory, SAMPLE_MS } from './metric_history.ts'

export interface SamplerOptions {
  readonly lab: Lab
  readonly replica: Replica
  readonly clock: Clock
  readonly history: MetricHistory
}

/** @returns ends the sampling */
export function startSampling (options: SamplerOptions): () => void {
  const { lab, replica, clock, history } = options
  let timer: NodeJS.Timeout | undefined
  const next = (): void => {
    const nowMs = clock.nowMs()
    const minuteMs = nowMs - nowMs % SAMPLE_MS
    timer = setTimeout(() => {
      history.sample(minuteMs, readingsOf(lab, replica), natReadings(lab, replica.snapshot))
      next()
    }, minuteMs + SAMPLE_MS - nowMs)
    timer.unref()
  }
  next()
  return () => { clearTimeout(timer) }
}

function readingsOf (lab: Lab, { snapshot }: Replica): EniReading[] {
  return lab.agents.flatMap((agent) => eniTraffic(agent, snapshot)).flatMap((traffic) => {
    const { eni, instance } = traffic
    const record = snapshot.tables.networkInterface.get(eni)
    if (record === undefined || instance === null) return []
    return [{
      eni,
      instance,
      accountId: record.ownerId,
      region: record.region,
      values: [traffic.ingressBytes, traffic.egressBytes, traffic.ingressPackets,
        traffic.egressPackets]
    }]
  })
}
