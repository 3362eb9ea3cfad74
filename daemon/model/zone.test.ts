/** Zones: stable ids, names of each account's own. */
import test from 'ava'
import type { Host } from './lab.ts'
import { REGIONS } from './region.ts'
import { put } from './snapshot.ts'
import { TestWorld } from './test_world.ts'
import { listZones, parseZoneId, zoneFromInput, zoneName } from './zone.ts'

function host (id: string, zoneId: string, region = 'us-east-1'): Host {
  return {
    id, region, zoneId, underlayAddress: '100.127.0.1', underlayMtu: 9216, roles: ['compute'],
    instanceSlots: 1
  }
}

test('without hosts a Region has the zones that AWS gives it', (t) => {
  const world = new TestWorld()
  t.is(listZones(world.view()).length, 6)
  t.deepEqual(listZones(world.view(undefined, 'eu-west-1')).map((zone) => zone.id).sort(),
    ['euw1-az1', 'euw1-az2', 'euw1-az3'])
  for (const { name } of REGIONS) t.true(listZones(world.view(undefined, name)).length >= 3, name)
})

test('with hosts a Region has the zones that they stand in', (t) => {
  const world = new TestWorld()
  world.apply([host('h1', 'use1-az2'), host('h2', 'use1-az4'), host('h3', 'use1-az2'),
    host('h4', 'euw1-az1', 'eu-west-1')]
    .map((one) => put('host', one)))
  t.deepEqual(listZones(world.view()).map((zone) => zone.name), ['us-east-1a', 'us-east-1b'],
    'letters have no gaps')
  t.deepEqual(listZones(world.view()).map((zone) => zone.id).sort(), ['use1-az2', 'use1-az4'])
  t.is(zoneName(world.view(), 'use1-az9'), 'use1-az9', 'a zone that lost its hosts')
})

test('an account always has the same names, and accounts differ', (t) => {
  const world = new TestWorld()
  const orders = Array.from({ length: 20 }, (_, at) => {
    const account = String(100_000_000_000 + at)
    const order = listZones(world.view(account)).map((zone) => zone.id).join()
    t.is(listZones(world.view(account)).map((zone) => zone.id).join(), order)
    return order
  })
  t.true(new Set(orders).size > 10)
})

test('a zone is named by name or by id, not by both', (t) => {
  const world = new TestWorld()
  const [first] = listZones(world.view())
  t.deepEqual(zoneFromInput(world.view(), 'us-east-1a', undefined), first ?? null)
  t.deepEqual(zoneFromInput(world.view(), undefined, first?.id), first ?? null)
  t.is(zoneFromInput(world.view(), undefined, undefined), null)
  t.is(world.refusal(() => zoneFromInput(world.view(), 'us-east-1a', first?.id)),
    'InvalidParameterCombination')
  t.is(world.refusal(() => zoneFromInput(world.view(), 'us-west-2a', undefined)),
    'InvalidParameterValue')
})

test('parseZoneId takes a zone id apart', (t) => {
  t.deepEqual(parseZoneId('use1-az12'), { stem: 'use1', number: 12 })
  for (const bad of ['use1-az0', 'use1-az27', 'use1az1', 'us-east-1a', 'use1-az', '']) t.is(
    parseZoneId(bad), null, bad)
})
