import test from 'ava'
import { addressWords } from '../../wire/address.ts'
import { ENI_HIGH, mappingEntries } from '../testing/lab.ts'
import type { Mapping } from './mapping_table.ts'
import {
  NEGATIVE_TICKS, RESOLVED_FOUND, RESOLVED_MAX, RESOLVED_NOBODY, RESOLVED_TICKS, RESOLVED_UNKNOWN,
  ResolvedTable
} from './resolved_table.ts'
import type { MappingKey } from './update.ts'

const found: Mapping = { eniHigh: 0, eniLow: 0, hostIndex: 0, subnetIndex: 0 }
const NONE = new Uint32Array(0)
const ENTRY = mappingEntries({ eni: 3, subnet: 2, host: 5, addresses: ['10.0.0.9'] })
const byAddress = (address: string, vpcIndex = 1): MappingKey => (
  { by: 'address', vpcIndex, address: addressWords(address) })

function ask (table: ResolvedTable, address: string, tick: number): number {
  const words = new Int32Array(addressWords(address))
  return table.findAddress(1, words[0], words[1], words[2], words[3], tick, found)
}

test('an answer is believed for its time', (t) => {
  const table = new ResolvedTable()
  t.is(ask(table, '10.0.0.9', 0), RESOLVED_UNKNOWN)
  t.false(table.store(byAddress('10.0.0.9'), ENTRY, 0))
  t.is(ask(table, '10.0.0.9', RESOLVED_TICKS - 1), RESOLVED_FOUND)
  t.deepEqual({ ...found }, { eniHigh: ENI_HIGH, eniLow: 3, hostIndex: 5, subnetIndex: 2 })
  t.is(ask(table, '10.0.0.9', RESOLVED_TICKS), RESOLVED_UNKNOWN)
})

test('a negative answer is believed for a second', (t) => {
  const table = new ResolvedTable()
  table.store(byAddress('10.0.0.9'), NONE, 0)
  t.is(ask(table, '10.0.0.9', NEGATIVE_TICKS - 1), RESOLVED_NOBODY)
  t.is(ask(table, '10.0.0.9', NEGATIVE_TICKS), RESOLVED_UNKNOWN)
})

test('a correction replaces the answer and says so', (t) => {
  const table = new ResolvedTable()
  table.store(byAddress('10.0.0.9'), ENTRY, 0)
  t.true(table.store(byAddress('10.0.0.9'), NONE, 0))
  t.is(ask(table, '10.0.0.9', 1), RESOLVED_NOBODY)
})

test('an ENI and an address of the same words are different keys', (t) => {
  const table = new ResolvedTable()
  table.store({ by: 'eni', vpcIndex: 1, eniIdHigh: 0, eniIdLow: 0 }, ENTRY, 0)
  t.is(ask(table, '::', 0), RESOLVED_UNKNOWN)
  t.is(table.findEni(1, 0, 0, 0, found), RESOLVED_FOUND)
  t.is(table.findEni(2, 0, 0, 0, found), RESOLVED_UNKNOWN)
})

test('old answers are removed, and their VPCs named', (t) => {
  const table = new ResolvedTable()
  table.store(byAddress('10.0.0.9', 1), ENTRY, 0)
  table.store(byAddress('10.0.0.9', 2), NONE, 0)
  const removed: number[] = []
  table.expire(NEGATIVE_TICKS, (vpcIndex) => removed.push(vpcIndex))
  t.deepEqual(removed, [2])
  t.is(table.size, 1)
  table.removeVpc(1)
  t.is(table.size, 0)
})

test('a full cache is emptied, and what was decided by it is stale', (t) => {
  const table = new ResolvedTable()
  for (let low = 0; low < RESOLVED_MAX; low++) {
    t.false(table.store({ by: 'eni', vpcIndex: 1, eniIdHigh: 1, eniIdLow: low }, ENTRY, 0))
  }
  t.true(table.store(byAddress('10.0.0.9'), ENTRY, 0))
  t.is(table.size, 1)
})
