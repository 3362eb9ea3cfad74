import test from 'ava'
import {
  METRIC_RESOURCES_MAX, METRIC_SAMPLES_MAX, MetricHistory, NAMESPACE_ENI, NAMESPACE_INSTANCE,
  SAMPLE_MS
} from './metric_history.ts'
import type { EniReading } from './metric_history.ts'
import { datapointsOf } from './statistics.ts'

function reading (eni: string, instance: string, ...values: readonly number[]): EniReading {
  return { eni, instance, accountId: '111111111111', region: 'us-east-1', values }
}

function valuesOf (history: MetricHistory, id: string): (readonly number[])[] {
  return history.list().find((resource) => resource.id === id)?.samples
    .map(({ values }) => values) ?? []
}

test('a sample is what came since the last one, of an instance the sum of its ENIs', (t) => {
  const history = new MetricHistory()
  history.sample(0, [reading('e1', 'i', 10, 20, 1, 2), reading('e2', 'i', 5, 5, 1, 1)])
  history.sample(SAMPLE_MS, [reading('e1', 'i', 110, 20, 2, 2), reading('e2', 'i', 6, 5, 2, 1)])
  t.deepEqual(valuesOf(history, 'e1'), [[10, 20, 1, 2], [100, 0, 1, 0]])
  t.deepEqual(valuesOf(history, 'i'), [[15, 25, 2, 3], [101, 0, 2, 0]])
  t.deepEqual(history.list().map(({ namespace, dimension }) => `${namespace} ${dimension}`), [
    `${NAMESPACE_ENI} NetworkInterfaceId`, `${NAMESPACE_ENI} NetworkInterfaceId`,
    `${NAMESPACE_INSTANCE} InstanceId`])
})

test('counters that began anew count from 0', (t) => {
  const history = new MetricHistory()
  history.sample(0, [reading('e', 'i', 1000, 0, 0, 0)])
  history.sample(SAMPLE_MS, [reading('e', 'i', 30, 0, 0, 0)])
  history.sample(2 * SAMPLE_MS, [])
  history.sample(3 * SAMPLE_MS, [reading('e', 'i', 70, 0, 0, 0)])
  t.deepEqual(valuesOf(history, 'e').map(([first]) => first), [1000, 30, 70])
})

test('samples and resources are bounded, and what has none is forgotten', (t) => {
  const history = new MetricHistory()
  for (let minute = 0; minute < METRIC_SAMPLES_MAX + 5; minute++) {
    history.sample(minute * SAMPLE_MS, [reading('e', 'i', minute, 0, 0, 0)])
  }
  t.is(valuesOf(history, 'e').length, METRIC_SAMPLES_MAX)
  const many = Array.from({ length: METRIC_RESOURCES_MAX }, (_none, index) =>
    reading(`e${String(index)}`, 'j', 1, 1, 1, 1))
  history.sample((METRIC_SAMPLES_MAX + 5) * SAMPLE_MS, many)
  t.is(history.list().length, METRIC_RESOURCES_MAX)
  history.sample(3 * METRIC_SAMPLES_MAX * SAMPLE_MS, [])
  t.deepEqual(history.list(), [])
})

test('statistics are of all samples in a period; periods begin at multiples of theirs', (t) => {
  const samples = [0, 1, 4, 5].map((minute) => ({ timeMs: minute * SAMPLE_MS, values: [minute] }))
  const of = (periodMs: number, startMs: number, endMs: number): unknown[] =>
    datapointsOf(samples, 0, periodMs, startMs, endMs)
      .map(({ timeMs, Sum, SampleCount, Average, Minimum, Maximum }) =>
        [timeMs / SAMPLE_MS, Sum, SampleCount, Average, Minimum, Maximum])
  t.deepEqual(of(5 * SAMPLE_MS, 2 * SAMPLE_MS, 10 * SAMPLE_MS),
    [[0, 5, 3, 5 / 3, 0, 4], [5, 5, 1, 5, 5, 5]])
  t.deepEqual(of(SAMPLE_MS, SAMPLE_MS, 5 * SAMPLE_MS), [[1, 1, 1, 1, 1, 1], [4, 4, 1, 4, 4, 4]])
})
