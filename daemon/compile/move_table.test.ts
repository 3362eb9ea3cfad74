/** An ENI of `host-1` that an instance's other place, or another instance, takes elsewhere. */
import test from 'ava'
import type { MoveData, TableUpdate } from '../dataplane/tables/update.ts'
import { DEPARTURE_MS } from '../mapping/departures.ts'
import { Directory } from '../mapping/directory.ts'
import type { Instance } from '../model/instance.ts'
import { HostCompiler } from './host_compiler.ts'
import {
  World, attached, newHost, newInstance, newInterface, newRouteTable, newSubnet, newVpc
} from './test_world.ts'

const HOSTS = [1, 2, 3]
const VNI = 7

class Lab {
  readonly world = new World()
  readonly directory: Directory
  readonly compilers: readonly HostCompiler[]
  readonly instance: Instance
  nowMs = 0

  constructor () {
    const { world } = this
    for (const n of HOSTS) world.put('host', newHost(n))
    const vpc = world.put('vpc', { ...newVpc(1), vni: VNI })
    world.put('routeTable', newRouteTable(1, vpc.id))
    const subnet = world.put('subnet', newSubnet(1, vpc.id))
    this.instance = world.put('instance', newInstance(1, subnet, 'host-1'))
    world.put('networkInterface', attached(newInterface(1, subnet, '10.0.1.1'), this.instance.id))
    world.commit()
    const clock = { nowMs: () => 0, monotonicMs: () => this.nowMs }
    this.directory = new Directory(world.snapshot, { clock })
    this.compilers = HOSTS.map((n) => new HostCompiler({
      hostName: `host-${String(n)}`, snapshot: world.snapshot, directory: this.directory, clock
    }))
    for (const compiler of this.compilers) compiler.compileAll()
  }

  /** @returns the updates of the hosts */
  commit (): (TableUpdate | null)[] {
    const { revision, changes } = this.world.commit()
    this.directory.apply(revision, changes)
    return this.compilers.map((compiler) => compiler.compileChanges(revision, changes))
  }

  /** The instance goes to another host, or nowhere. */
  moveTo (hostName: string | null): (TableUpdate | null)[] {
    this.world.put('instance', { ...this.instance, hostName })
    return this.commit()
  }

  /** Of each host: where it is told that the ENI is, and since when it has left which others. */
  told (updates: readonly (TableUpdate | null)[]): unknown[] {
    return updates.map((update, host) => {
      if (update?.removedMoves !== undefined) return 'forgets'
      return update?.moves?.map((move) => this.#named(move, host)) ?? null
    })
  }

  #named ({ vni, hostIndex, formers }: MoveData, host: number): unknown {
    const nameOf = (index: number): string | null =>
      this.compilers[host]?.idOf('host', index) ?? null
    const left = Array.from({ length: formers.length / 2 }, (_former, index) =>
      [nameOf(formers[index * 2] ?? 0), formers[index * 2 + 1]])
    return [vni, nameOf(hostIndex), ...left]
  }
}

test('of a move hear the new host and those that the ENI has left, and no others', (t) => {
  const lab = new Lab()
  const first = [VNI, 'host-2', ['host-1', DEPARTURE_MS]]
  const updates = lab.moveTo('host-2')
  t.deepEqual(lab.told(updates), [[first], [first], null])
  t.deepEqual(updates[0]?.removedVpcs, [1], 'host-1 keeps nothing of the VPC')

  lab.nowMs = 10_000
  const second = [VNI, 'host-3', ['host-1', DEPARTURE_MS - 10_000], ['host-2', DEPARTURE_MS]]
  t.deepEqual(lab.told(lab.moveTo('host-3')), [[second], [second], [second]])
})

test('while the ENI is nowhere there is nowhere to forward to', (t) => {
  const lab = new Lab()
  lab.moveTo('host-2')
  t.deepEqual(lab.told(lab.moveTo(null)), ['forgets', 'forgets', null])
  lab.nowMs = 20_000
  const move = [VNI, 'host-3', ['host-1', DEPARTURE_MS - 20_000],
    ['host-2', DEPARTURE_MS - 20_000]]
  t.deepEqual(lab.told(lab.moveTo('host-3')), [[move], [move], [move]])
})

test('an ENI that comes back has not left its host', (t) => {
  const lab = new Lab()
  lab.moveTo('host-2')
  const back = [VNI, 'host-1', ['host-2', DEPARTURE_MS]]
  t.deepEqual(lab.told(lab.moveTo('host-1')), [[back], [back], null])
})

test('a worker that begins is told of moves for as long as they count', (t) => {
  const lab = new Lab()
  lab.moveTo('host-2')
  const anew = (): unknown[] => lab.told(lab.compilers.map((compiler) => compiler.compileAll()))
  lab.nowMs = DEPARTURE_MS - 1
  const move = [VNI, 'host-2', ['host-1', 1]]
  t.deepEqual(anew(), [[move], [move], null])
  lab.nowMs = DEPARTURE_MS
  t.deepEqual(anew(), ['forgets', 'forgets', null])
})

test('a host that is gone is nobody who forwards, whatever has its number next', (t) => {
  const lab = new Lab()
  lab.moveTo('host-2')
  lab.moveTo('host-3')
  lab.world.remove('host', 'host-1')
  const move = [VNI, 'host-3', ['host-2', DEPARTURE_MS]]
  t.deepEqual(lab.told(lab.commit()).slice(1), [[move], [move]])
})

test('an ENI that is deleted leaves no move behind', (t) => {
  const lab = new Lab()
  lab.moveTo('host-2')
  lab.world.remove('networkInterface', 'eni-00000000000000001')
  lab.world.remove('instance', lab.instance.id)
  t.deepEqual(lab.told(lab.commit()), ['forgets', 'forgets', null])
})
