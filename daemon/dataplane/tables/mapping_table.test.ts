import test from 'ava'
import { addressWords } from '../../wire/address.ts'
import { ENI_HIGH, mappingShards } from '../testing/lab.ts'
import type { EniSpec } from '../testing/lab.ts'
import { MappingTable } from './mapping_table.ts'
import type { Mapping } from './mapping_table.ts'

const found: Mapping = { eniHigh: 0, eniLow: 0, hostIndex: 0, subnetIndex: 0 }

const eni = (number: number, host: number, addresses: readonly string[]): EniSpec => (
  { eni: number, subnet: 9, host, addresses })

function tableOf (enis: readonly EniSpec[]): MappingTable {
  const table = new MappingTable()
  for (const shard of mappingShards(1, enis)) table.replaceShard(shard)
  return table
}

function ownerOf (table: MappingTable, address: string): number | null {
  const words = new Int32Array(addressWords(address))
  return table.find(words[0], words[1], words[2], words[3], found) ? found.eniLow : null
}

test('an address leads to its ENI, host and subnet', (t) => {
  const table = tableOf([eni(1, 4, ['10.0.0.4', '2001:db8::4']), eni(2, 5, ['10.0.0.5'])])
  t.is(ownerOf(table, '10.0.0.4'), 1)
  t.deepEqual({ ...found }, { eniHigh: ENI_HIGH, eniLow: 1, hostIndex: 4, subnetIndex: 9 })
  t.is(ownerOf(table, '2001:db8::4'), 1)
  t.is(ownerOf(table, '10.0.0.5'), 2)
  t.is(ownerOf(table, '10.0.0.6'), null)
})

test('an own address goes before a delegated prefix that holds it', (t) => {
  const table =
    tableOf([eni(1, 4, ['10.0.0.16/28', '2001:db8:0:0:1::/80']), eni(2, 5, ['10.0.0.20'])])
  t.is(ownerOf(table, '10.0.0.17'), 1)
  t.is(ownerOf(table, '10.0.0.20'), 2)
  t.is(ownerOf(table, '10.0.0.32'), null)
  t.is(ownerOf(table, '2001:db8::1:0:0:5'), 1)
})

test('an ENI leads to its host until its last address goes', (t) => {
  const table = tableOf([eni(1, 4, ['10.0.0.4', '10.0.0.99', '10.0.1.0/28'])])
  t.true(table.findEni(ENI_HIGH, 1, found))
  t.is(found.hostIndex, 4)
  for (const shard of mappingShards(1, [eni(1, 4, ['10.0.0.99'])])) table.replaceShard(shard)
  t.true(table.findEni(ENI_HIGH, 1, found))
  for (const shard of mappingShards(1, [])) table.replaceShard(shard)
  t.false(table.findEni(ENI_HIGH, 1, found))
})

test('an ENI that moves leads to its new host, in whatever order its shards come', (t) => {
  const addresses = Array.from({ length: 30 }, (_a, index) => `10.0.0.${String(index + 4)}`)
  for (const order of [1, -1]) {
    const table = tableOf([eni(1, 4, addresses)])
    const moved = mappingShards(1, [eni(1, 7, addresses)])
    for (const shard of order === 1 ? moved : moved.toReversed()) table.replaceShard(shard)
    t.true(table.findEni(ENI_HIGH, 1, found))
    t.is(found.hostIndex, 7)
  }
})
