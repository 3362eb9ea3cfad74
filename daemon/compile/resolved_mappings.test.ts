/** Which answers are corrected: those that are still in use, and that what happened made wrong. */
import test from 'ava'
import type { MappingKey } from '../dataplane/tables/update.ts'
import type { DirectoryTouch } from '../mapping/directory.ts'
import { addressPrefix, cidrPrefix } from '../mapping/prefix.ts'
import type { Prefix } from '../mapping/prefix.ts'
import { FOUND_HELD_MS, NOBODY_HELD_MS, ResolvedMappings } from './resolved_mappings.ts'

function byAddress (address: string): MappingKey {
  return { by: 'address', vpcIndex: 1, address: addressPrefix(address).words }
}

function touch (prefixes: readonly Prefix[], eniIds: readonly string[] = []): DirectoryTouch {
  return {
    revision: 1, shards: new Map(), prefixes: new Map([['vpc-a', prefixes]]),
    networkInterfaces: new Map(eniIds.map((id) => [id, 'vpc-a'])), placements: new Map(),
    completeness: new Set(), forgottenDepartures: new Set()
  }
}

test('what is held is stale when its address, its prefix or its ENI is touched', (t) => {
  const resolved = new ResolvedMappings()
  const eni: MappingKey = { by: 'eni', vpcIndex: 1, eniIdHigh: 0, eniIdLow: 5 }
  resolved.add('vpc-a', byAddress('10.0.1.10'), true, 0)
  resolved.add('vpc-a', byAddress('10.0.1.20'), true, 0)
  resolved.add('vpc-b', byAddress('10.0.1.10'), true, 0)
  resolved.add('vpc-a', eni, true, 0)
  const stale = (of: DirectoryTouch): unknown[] =>
    resolved.staleAfter(of).map(({ vpcId, key }) => [vpcId, key])
  t.deepEqual(stale(touch([addressPrefix('10.0.1.10')])), [['vpc-a', byAddress('10.0.1.10')]])
  t.deepEqual(stale(touch([cidrPrefix('10.0.1.16/28')])), [['vpc-a', byAddress('10.0.1.20')]])
  t.deepEqual(stale(touch([addressPrefix('10.0.1.30')])), [])
  t.deepEqual(stale(touch([], ['eni-00000000000000005'])), [['vpc-a', eni]])
  resolved.deleteVpc('vpc-a')
  t.deepEqual(stale(touch([addressPrefix('10.0.1.10')], ['eni-00000000000000005'])), [])
  t.is(resolved.size, 1)
})

test('an answer is forgotten when the worker has forgotten it, unless it was given again', (t) => {
  const resolved = new ResolvedMappings()
  resolved.add('vpc-a', byAddress('10.0.1.10'), true, 0)
  resolved.add('vpc-a', byAddress('10.0.1.20'), true, 0)
  resolved.add('vpc-a', byAddress('10.0.1.10'), true, FOUND_HELD_MS - 1)
  resolved.add('vpc-a', byAddress('10.0.1.30'), true, FOUND_HELD_MS)
  t.deepEqual(resolved.values().map(({ key }) => key),
    [byAddress('10.0.1.10'), byAddress('10.0.1.30')])
})

test('the answer that there is nothing is held for less, until it is corrected', (t) => {
  const resolved = new ResolvedMappings()
  resolved.add('vpc-a', byAddress('10.0.1.10'), false, 0)
  resolved.add('vpc-a', byAddress('10.0.1.20'), false, 0)
  resolved.add('vpc-a', byAddress('10.0.1.10'), true, 1)
  resolved.add('vpc-a', byAddress('10.0.1.30'), true, NOBODY_HELD_MS)
  t.deepEqual(resolved.values().map(({ key }) => key),
    [byAddress('10.0.1.10'), byAddress('10.0.1.30')])
})

test('beyond the limit the oldest answer of its kind is dropped', (t) => {
  const resolved = new ResolvedMappings(2)
  const held = (): unknown[] => resolved.values().map(({ key }) => key)
  resolved.add('vpc-a', byAddress('10.0.1.1'), true, 0)
  resolved.add('vpc-a', byAddress('10.0.1.2'), true, 0)
  resolved.add('vpc-a', byAddress('10.0.1.1'), true, 1)
  for (let n = 10; n < 20; n++) resolved.add('vpc-a', byAddress(`10.0.2.${String(n)}`), false, 1)
  resolved.add('vpc-a', byAddress('10.0.1.3'), true, 2)
  t.deepEqual(held(), ['10.0.1.1', '10.0.1.3', '10.0.2.18', '10.0.2.19'].map(byAddress))
})
