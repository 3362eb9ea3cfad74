/** What may be impaired, and what a bad request is told. */
import test from 'ava'
import {
  NO_IMPAIRMENT, planHeal, planImpair, planPartition, planUnimpair
} from './impairment.ts'
import type { ImpairmentSettings } from './impairment.ts'
import { planDeleteNetworkInterface } from './network_interface.ts'
import { TestNetwork } from './test_network.ts'

const with35Ms = { ...NO_IMPAIRMENT, delayMs: 35 }

test('an impairment of an ENI ends with the ENI', (t) => {
  const network = new TestNetwork()
  const { snapshot } = network
  const networkInterfaceId = network.createInterface()
  network.apply(planImpair(snapshot, networkInterfaceId, with35Ms).changes)
  t.is(snapshot.tables.impairment.get(networkInterfaceId)?.delayMs, 35)
  network.run(planDeleteNetworkInterface(network.view(), { networkInterfaceId }))
  t.is(snapshot.tables.impairment.size, 0)
})

test('a later impairment replaces an earlier one, whole', (t) => {
  const network = new TestNetwork()
  const { snapshot } = network
  network.apply(planImpair(snapshot, 'host-1', with35Ms).changes)
  network.apply(planImpair(snapshot, 'host-1', { ...NO_IMPAIRMENT, lossPercent: 1 }).changes)
  t.like(snapshot.tables.impairment.get('host-1'), { delayMs: 0, lossPercent: 1 })
  network.apply(planUnimpair(snapshot, 'host-1').changes)
  t.throws(() => planUnimpair(snapshot, 'host-1'), { message: /host-1 is not impaired/ })
})

const BAD: readonly [string, Partial<ImpairmentSettings>, RegExp][] = [
  ['host-9', { delayMs: 1 }, /"host-9" is no ENI and no host; the hosts are host-1, host-2, host/],
  ['eni-00000000000000001', { delayMs: 1 }, /'eni-00000000000000001' does not exist/],
  ['host-1', {}, /Nothing is to be done to host-1/],
  ['host-1', { delayMs: 60_001 }, /delay of 60001 ms is not within 0 to 60000 ms/],
  ['host-1', { delayMs: NaN }, /delay of NaN ms/],
  ['host-1', { lossPercent: 101 }, /loss of 101 % is not within 0 to 100 %/],
  ['host-1', { rateBitsPerSecond: 10 }, /rate of 10 bit\/s is not within 1000 to/],
  ['host-1', { delayMs: 1, limitPackets: 1.5 }, /limit 1.5 is not a whole number/],
  ['host-1', { jitterMs: 5 }, /jitter is what a delay varies by/],
  ['host-1', { reorderPercent: 5 }, /give a delay, too/],
  ['host-1', { delayMs: 1, direction: 'in' }, /What host-1 receives is what other hosts send/],
  ['host-1', { corruptPercent: 1 }, /checksum of their UDP, and is a loss/]
]

for (const [id, settings, message] of BAD) {
  test(`${JSON.stringify(settings)} of ${id} is refused`, (t) => {
    const { snapshot } = new TestNetwork()
    t.throws(() => planImpair(snapshot, id, { ...NO_IMPAIRMENT, ...settings }), { message })
  })
}

test('a partition is between two hosts, whichever is named first, until it heals', (t) => {
  const network = new TestNetwork()
  const { snapshot } = network
  network.apply(planPartition(snapshot, 'host-2', 'host-1').changes)
  network.apply(planPartition(snapshot, 'host-1', 'host-2').changes)
  t.deepEqual([...snapshot.tables.partition.values()].map(({ hosts }) => hosts),
    [['host-1', 'host-2']])
  network.apply(planHeal(snapshot, 'host-1', 'host-2').changes)
  t.throws(() => planHeal(snapshot, 'host-1', 'host-2'), { message: /not cut off/ })
  t.throws(() => planPartition(snapshot, 'host-1', 'host-1'), { message: /from itself/ })
  t.throws(() => planPartition(snapshot, 'host-1', 'edge-7'), { message: /"edge-7" is no/ })
})
