import test from 'ava'
import type { EniTraffic, HostTraffic, TrafficAnswer } from '../../daemon/api/admin/contract.ts'
import { ratesOf } from './rates.ts'

const ENI: EniTraffic = {
  host: 'host-1', eni: 'eni-1', eniName: '', instance: 'i-1', instanceName: 'a', flows: 3,
  egressPackets: 100, egressBytes: 10_000, ingressPackets: 50, ingressBytes: 5000,
  drops: { 'no-route': 5 }
}
const HOST: HostTraffic = {
  host: 'host-1', zoneId: 'use1-az1', wireMode: 'offload', cpuUs: 1_000_000, flows: 3,
  underlayTxPackets: 100, underlayTxBytes: 1000, underlayRxPackets: 10, underlayRxBytes: 100,
  fastPathPackets: 90, slowPathPackets: 10, drops: {}
}

function reading (monotonicMs: number, enis: readonly EniTraffic[],
  hosts: readonly HostTraffic[] = []): TrafficAnswer {
  return { timeMs: 1_700_000_000_000 + monotonicMs, monotonicMs, enis, hosts }
}

test('rates are differences by the time between two readings', (t) => {
  const { seconds, enis } = ratesOf(reading(1000, [ENI]), reading(3000, [{
    ...ENI, egressPackets: 300, egressBytes: 30_000, ingressPackets: 60,
    drops: { 'no-route': 6, 'blackhole': 10 }
  }]))
  t.is(seconds, 2)
  t.like(enis[0], {
    outPacketsPerSecond: 100, outBitsPerSecond: 80_000, inPacketsPerSecond: 5, inBitsPerSecond: 0,
    dropsPerSecond: 5.5, topDropReason: 'blackhole', flows: 3
  })
})

test('a first reading, a new ENI and an ENI on another host have no rates', (t) => {
  const [first] = ratesOf(null, reading(0, [ENI])).enis
  const [fresh] = ratesOf(reading(0, []), reading(1000, [ENI])).enis
  const [moved] = ratesOf(reading(0, [ENI]), reading(1000, [{ ...ENI, host: 'host-2' }])).enis
  for (const rates of [first, fresh, moved]) {
    t.like(rates, {
      outPacketsPerSecond: null, inBitsPerSecond: null, dropsPerSecond: null, topDropReason: null
    })
  }
})

test('counters that begin anew have no rate for that interval, and then have one', (t) => {
  const anew = { ...ENI, egressPackets: 3, egressBytes: 300, drops: { 'no-route': 1 } }
  const [rates] = ratesOf(reading(0, [ENI]), reading(1000, [anew])).enis
  t.like(rates, { outPacketsPerSecond: null, outBitsPerSecond: null, dropsPerSecond: null })
  const [after] = ratesOf(reading(1000, [anew]),
    reading(2000, [{ ...anew, egressPackets: 10 }])).enis
  t.like(after, { outPacketsPerSecond: 7, dropsPerSecond: 0, topDropReason: null })
})

test('a daemon whose clock began anew gives no rates', (t) => {
  const { seconds, enis } = ratesOf(reading(90_000, [ENI]), reading(1000, [ENI]))
  t.is(seconds, 0)
  t.like(enis[0], { outPacketsPerSecond: null, dropsPerSecond: null })
})

test('a host has shares of its CPU and of its fast path', (t) => {
  const now = { ...HOST, cpuUs: 1_500_000, fastPathPackets: 120, underlayRxBytes: 225 }
  const [rates] = ratesOf(reading(0, [], [HOST]), reading(2000, [], [now])).hosts
  t.like(rates, { cpuShare: 0.25, fastPathShare: 1, inBitsPerSecond: 500, wireMode: 'offload' })
  const down = { ...HOST, cpuUs: null }
  const [idle] = ratesOf(reading(0, [], [HOST]), reading(1000, [], [down])).hosts
  t.like(idle, { cpuShare: null, fastPathShare: null })
})
