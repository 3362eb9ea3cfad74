/** What a change costs, in table objects built, is a matter of its VPC and of nothing else. */
import test from 'ava'
import type { CompileCounters } from '../../daemon/compile/host_compiler.ts'
import { newInstance, newSubnet, newVpc } from '../../daemon/compile/test_world.ts'
import { Fleet } from './fleet.ts'

const HOSTS = 20

/** Table objects that one change builds, on all hosts together. */
function costOf (vpcs: number, change: (fleet: Fleet) => void): Partial<CompileCounters['built']> {
  const fleet =
    new Fleet({ hosts: HOSTS, vpcs, enisPerVpc: 4, routesPerVpc: 2, withWorkers: false })
  const before = fleet.built()
  change(fleet)
  fleet.commit()
  const costs = Object.entries(fleet.built()).map(([table, count]) =>
    [table, count - before[table as keyof typeof before]] as const)
  return Object.fromEntries(costs.filter(([, count]) => count > 0))
}

function changeRoute ({ world }: Fleet): void {
  const [table] = world.list('routeTable')
  if (table !== undefined) {
    world.put('routeTable', { ...table, routes: table.routes.slice(0, -1) })
  }
}

function moveInstance (fleet: Fleet): void {
  const subnet = newSubnet(1, newVpc(1).id)
  const instance = fleet.world.get('instance', newInstance(4, subnet, null).id)
  if (instance !== undefined) fleet.move(instance)
}

test('a route costs its table, on the hosts that hold its VPC', (t) => {
  // Four ENIs on the four hosts of its group.
  t.deepEqual(costOf(10, changeRoute), { routeTables: 4 })
})

test('what a change costs does not depend on how many other VPCs there are', (t) => {
  for (const change of [changeRoute, moveInstance]) {
    const few = costOf(10, change)
    t.true(Object.keys(few).length > 0)
    t.deepEqual(costOf(80, change), few)
  }
})
