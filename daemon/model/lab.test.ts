import test from 'ava'
import { checkBeside, planJoin, planMachineLiveness } from './lab.ts'
import type { Host } from './lab.ts'
import { placeInstances } from './placement.ts'
import { put, remove } from './snapshot.ts'
import { TestWorld } from './test_world.ts'

const ONE = { id: 'm1', address: '192.0.2.11' }
const TWO = { id: 'm2', address: '192.0.2.12' }

function host (id: string, machine: string | undefined, options: Partial<Host> = {}): Host {
  return {
    id, region: 'us-east-1', zoneId: 'use1-az1', underlayAddress: '100.127.1.1',
    underlayMtu: 9216, roles: ['compute'], instanceSlots: 4,
    ...(machine === undefined ? {} : { machine }), ...options
  }
}

function emptyWorld (): TestWorld {
  const world = new TestWorld()
  for (const { id } of [...world.snapshot.tables.host.values()]) world.apply([remove('host', id)])
  return world
}

test('a machine takes the lowest free number, and keeps it', (t) => {
  const world = emptyWorld()
  t.is(world.run(planJoin(world.snapshot, ONE)).number, 1)
  t.is(world.run(planJoin(world.snapshot, TWO)).number, 2)
  t.deepEqual(planJoin(world.snapshot, ONE).changes, [])
  world.apply([remove('machine', 'm1')])
  t.is(world.run(planJoin(world.snapshot, { ...TWO, address: '192.0.2.99' })).number, 2)
  t.is(world.run(planJoin(world.snapshot, ONE)).number, 1)
})

test('an address is one machine\'s, and a lab of one machine takes no other', (t) => {
  const world = emptyWorld()
  world.run(planJoin(world.snapshot, ONE))
  t.throws(() => planJoin(world.snapshot, { ...TWO, address: ONE.address }),
    { message: /"m2" cannot join .* 192\.0\.2\.11 is that of the machine "m1"/ })
  world.apply([put('host', host('host-1', undefined))])
  t.throws(() => planJoin(world.snapshot, TWO), { message: /made for one machine alone/ })
})

test('hosts stand beside others of other names and the same MTU; edges are on one machine', (t) => {
  const others = [host('m1-1', 'm1'), host('edge-1', 'm1', { roles: ['edge', 'hyperplane'] })]
  t.notThrows(() => { checkBeside([host('m2-1', 'm2')], others) })
  t.notThrows(() => { checkBeside(others, others) })
  t.throws(() => { checkBeside([host('m1-1', 'm2')], others) }, { message: /host "m1-1" already/ })
  t.throws(() => { checkBeside([host('edge-9', 'm2', { roles: ['edge'] })], others) },
    { message: /edges are on the machine "m1": start this one with --edges 0/ })
  t.throws(() => { checkBeside([host('m2-1', 'm2', { underlayMtu: 1500 })], others) },
    { message: /--underlay-mtu 9216/ })
  t.throws(() => { checkBeside([host('host-1', undefined)], others) }, { message: /--machine/ })
})

test('no instance is placed on a lost machine', (t) => {
  const world = emptyWorld()
  for (const machine of [ONE, TWO]) world.run(planJoin(world.snapshot, machine))
  world.apply([put('host', host('m1-1', 'm1'))])
  world.apply([put('host', host('m2-1', 'm2'))])
  const request = {
    zoneId: 'use1-az1', minCount: 1, maxCount: 4, hostName: null, instanceType: 't3.micro',
    taken: []
  }
  t.deepEqual(placeInstances(world.view(), request), ['m1-1', 'm2-1', 'm1-1', 'm2-1'])
  world.run(planMachineLiveness(world.snapshot, (machine) => machine === 'm2'))
  t.deepEqual(placeInstances(world.view(), request), ['m2-1', 'm2-1', 'm2-1', 'm2-1'])
  t.deepEqual(
    planMachineLiveness(world.snapshot, (machine) => machine === 'm2').changes, [])
  world.run(planMachineLiveness(world.snapshot, () => true))
  t.is(placeInstances(world.view(), request).filter((name) => name === 'm1-1').length, 2)
})
