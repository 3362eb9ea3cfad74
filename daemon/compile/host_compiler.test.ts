/**
 * What an agent is sent, and what it is not.
 *
 *     VPC 1, subnet 10.0.1.0/24:   host-1: 10.0.1.1 …      host-2: 10.0.1.2 …
 */
import test from 'ava'
import { MAPPING_SHARDS } from '../dataplane/tables/mapping_shard.ts'
import {
  MAPPING_AT_GENERATION, MAPPING_AT_HOST_INDEX, MAPPING_WORDS, TARGET_BLACKHOLE, TARGET_LOCAL,
  TARGET_NETWORK_INTERFACE
} from '../dataplane/tables/update.ts'
import type { MappingKey, TableUpdate } from '../dataplane/tables/update.ts'
import { Directory } from '../mapping/directory.ts'
import type { DirectoryOptions } from '../mapping/directory.ts'
import { addressPrefix } from '../mapping/prefix.ts'
import type { Instance } from '../model/instance.ts'
import type { NetworkInterface } from '../model/network_interface.ts'
import type { Subnet } from '../model/subnet.ts'
import { HostCompiler } from './host_compiler.ts'
import {
  World, attached, newHost, newInstance, newInterface, newRouteTable, newSubnet, newVpc
} from './test_world.ts'

interface Launched {
  readonly instance: Instance
  readonly eni: NetworkInterface
}

/** A VPC with a main table and a subnet, and one compiler per host. */
class Lab {
  readonly world = new World()
  readonly directory: Directory
  readonly subnet: Subnet
  readonly compilers: readonly [HostCompiler, HostCompiler]
  nowMs = 0
  #count = 100

  constructor (options: DirectoryOptions = {}) {
    const { world } = this
    world.put('host', newHost(1))
    world.put('host', newHost(2))
    this.subnet = this.addVpc(1)
    world.commit()
    this.directory = new Directory(world.snapshot, options)
    const clock = { nowMs: () => 0, monotonicMs: () => this.nowMs }
    const compilerOf = (hostName: string): HostCompiler =>
      new HostCompiler({ hostName, snapshot: world.snapshot, directory: this.directory, clock })
    this.compilers = [compilerOf('host-1'), compilerOf('host-2')]
    for (const compiler of this.compilers) compiler.compileAll()
  }

  addVpc (n: number): Subnet {
    const vpc = this.world.put('vpc', newVpc(n))
    const main = { id: 'rtbassoc-0000000000000000a', subnetId: null, gatewayId: null }
    this.world.put('routeTable', { ...newRouteTable(n, vpc.id), associations: [main] })
    return this.world.put('subnet', newSubnet(n, vpc.id))
  }

  launch (subnet: Subnet, hostName: string, address: string): Launched {
    const n = ++this.#count
    const instance = this.world.put('instance', newInstance(n, subnet, hostName))
    const eni = attached(newInterface(n, subnet, address), instance.id)
    return { instance, eni: this.world.put('networkInterface', eni) }
  }

  /** @returns the updates of both hosts */
  commit (): readonly [TableUpdate | null, TableUpdate | null] {
    const { revision, changes } = this.world.commit()
    this.directory.apply(revision, changes)
    const [one, two] = this.compilers
    return [one.compileChanges(revision, changes), two.compileChanges(revision, changes)]
  }
}

/** How many objects a compiler built since `before`. */
function builtSince (
  compiler: HostCompiler, before: HostCompiler['counters']['built']
): Record<string, number> {
  return Object.fromEntries(Object.entries(compiler.counters.built)
    .map(([name, count]) => [name, count - before[name as keyof typeof before]] as const)
    .filter(([, count]) => count > 0))
}

function address (text: string, vpcIndex = 1): MappingKey {
  return { by: 'address', vpcIndex, address: addressPrefix(text).words }
}

test('a host gets a VPC, whole, with its first ENI of it, and loses it with the last', (t) => {
  const lab = new Lab()
  const { instance } = lab.launch(lab.subnet, 'host-1', '10.0.1.1')
  const [first, other] = lab.commit()
  t.is(other, null)
  t.deepEqual(Object.keys(first ?? {}).sort(),
    ['kind', 'mappings', 'ports', 'revision', 'routeTables', 'subnets', 'vpcs'])
  t.like(first?.vpcs?.[0], { vpcIndex: 1, vni: 1, mappingsComplete: true })
  t.like(first?.ports?.[0],
    { portIndex: 1, vpcIndex: 1, subnetIndex: 1, mtu: 9001, sourceDestCheck: true })
  t.deepEqual([...first?.ports?.[0]?.addresses ?? []], [0, 0, 0xffff, 0x0a000101, 128])
  t.deepEqual([...first?.subnets?.[0]?.routerIpv4 ?? []], [0, 0, 0xffff, 0x0a000101])
  t.deepEqual([...first?.subnets?.[0]?.routerIpv6 ?? []], [0x20010db8, 1, 0, 1])
  t.is(first?.subnets?.[0]?.routeTableIndex, first?.routeTables?.[0]?.routeTableIndex)

  lab.world.put('instance', { ...instance, goal: 'stopped' })
  const [last] = lab.commit()
  t.like(last, {
    removedVpcs: [1], removedSubnets: [1], removedPorts: [1], removedRouteTables: [1]
  })
  t.is(last?.mappings, undefined)
})

test('1,000 VPCs elsewhere, and what happens in them, build nothing on a host', (t) => {
  const lab = new Lab()
  lab.launch(lab.subnet, 'host-1', '10.0.1.1')
  lab.commit()
  const [one] = lab.compilers
  const built = { ...one.counters.built }
  const subnets = Array.from({ length: 1000 }, (_, n) => lab.addVpc(n + 2))
  t.deepEqual(lab.commit(), [null, null])
  for (const subnet of subnets.slice(0, 50)) lab.launch(subnet, 'host-2', '10.0.0.4')
  const [update, onHost2] = lab.commit()
  t.is(update, null)
  t.is(onHost2?.vpcs?.length, 50)
  t.deepEqual(builtSince(one, built), {})
  t.is(one.cacheStatistics().vpcs, 1)
})

test('of 10,000 mappings in a VPC, the move of one ENI builds one shard', (t) => {
  const lab = new Lab()
  lab.launch(lab.subnet, 'host-1', '10.0.1.1')
  const enis: Instance[] = []
  for (let n = 0; n < 9_999; n++) {
    const address = `10.0.${String(16 + (n >> 8))}.${String(n & 255)}`
    enis.push(lab.launch(lab.subnet, 'host-2', address).instance)
  }
  const [first] = lab.commit()
  const words = first?.mappings?.reduce((sum, { entries }) => sum + entries.length, 0) ?? 0
  t.is(words / MAPPING_WORDS, 10_000)
  t.true((first?.mappings?.length ?? 0) < MAPPING_SHARDS)
  const [one] = lab.compilers
  const built = { ...one.counters.built }
  lab.world.put('instance', { ...enis[4321] as Instance, hostName: 'host-1' })
  const [update] = lab.commit()
  t.deepEqual(builtSince(one, built), { ports: 1, mappings: 1, moves: 1 })
  t.is(update?.mappings?.length, 1)

  const { entries } = update?.mappings?.[0] ?? { entries: new Uint32Array(0) }
  const moved: number[] = []
  for (let at = 0; at < entries.length; at += MAPPING_WORDS) {
    if (entries[at + MAPPING_AT_HOST_INDEX] !== one.indexOfHost('host-1')) continue
    moved.push(entries[at + MAPPING_AT_GENERATION] ?? 0)
  }
  t.true(moved.includes(update?.revision ?? -1), 'the moved entry has the generation of the move')
})

test('a change of tags, description or state that moves nothing is no update', (t) => {
  const lab = new Lab()
  const { instance, eni } = lab.launch(lab.subnet, 'host-1', '10.0.1.1')
  lab.commit()
  lab.world.put('networkInterface', { ...eni, tags: { Name: 'x' }, description: 'y' })
  lab.world.put('subnet', { ...lab.subnet, tags: { Name: 'x' }, mapPublicIpOnLaunch: true })
  lab.world.put('instance', { ...instance, bootCount: 2, state: 'pending' })
  t.deepEqual(lab.commit(), [null, null])
})

test('a route to an ENI is a blackhole for as long as the ENI leads nowhere', (t) => {
  const lab = new Lab()
  lab.launch(lab.subnet, 'host-1', '10.0.1.1')
  const { instance, eni } = lab.launch(lab.subnet, 'host-2', '10.0.1.2')
  const table = lab.world.list('routeTable')[0]
  t.truthy(table)
  if (table === undefined) return
  const target = { kind: 'network-interface', networkInterfaceId: eni.id } as const
  lab.world.put('routeTable', {
    ...table,
    routes: [...table.routes, ...['0.0.0.0/0', '::/0'].map((destination) =>
      ({ destination, target, origin: 'CreateRoute' as const }))]
  })
  const routesOf = (update: TableUpdate | null): unknown => update?.routeTables?.map((routes) =>
    [[...routes.targetKind], [...routes.targetArgument], [...routes.targetEnis]])
  const toEni = TARGET_NETWORK_INTERFACE
  const active = [[[TARGET_LOCAL, toEni, toEni], [0, 0, 0], [0, 102]]]
  const blackhole = [[[TARGET_LOCAL, TARGET_BLACKHOLE, TARGET_BLACKHOLE], [0, 0, 0], [0, 102]]]
  const [first] = lab.commit()
  t.deepEqual(routesOf(first), active)
  const destinations = first?.routeTables?.[0]?.destinations ?? new Uint32Array(0)
  t.deepEqual([destinations[4], destinations[9], destinations[14]], [112, 96, 0])

  lab.world.put('instance', { ...instance, goal: 'stopped', state: 'stopping' })
  t.deepEqual(routesOf(lab.commit()[0]), blackhole)
  lab.world.put('instance', { ...instance, goal: 'running', state: 'pending' })
  t.deepEqual(routesOf(lab.commit()[0]), active)
  lab.world.put('networkInterface', { ...eni, attachment: null })
  t.deepEqual(routesOf(lab.commit()[0]), blackhole)
  lab.world.remove('networkInterface', eni.id)
  t.deepEqual(routesOf(lab.commit()[0]), blackhole)
})

test('an ENI belongs to its own VPC, whichever VPC and account its instance is of', (t) => {
  const lab = new Lab()
  const { instance } = lab.launch(lab.subnet, 'host-1', '10.0.1.1')
  const far = lab.addVpc(2)
  const ownerId = '222222222222'
  const eni = { ...newInterface(1, far, '10.0.1.1'), ownerId }
  lab.world.put('networkInterface', attached(eni, instance.id))
  const [update] = lab.commit()
  const [one, two] = lab.compilers
  const vpcOf = (eniId: string): string | null => {
    const port = update?.ports?.find(({ portIndex }) => portIndex === one.portOf(eniId))
    return one.idOf('vpc', port?.vpcIndex ?? 0)
  }
  t.is(vpcOf(eni.id), far.vpcId)
  t.deepEqual(update?.vpcs?.map(({ vpcIndex }) => one.idOf('vpc', vpcIndex)).sort(),
    [instance.vpcId, far.vpcId].sort(), 'the host gets both VPCs')
  t.deepEqual([instance.vpcId, far.vpcId].map((vpcId) =>
    lab.directory.resolve(vpcId, '10.0.1.1')?.networkInterfaceId === eni.id), [false, true],
  'the same address in two VPCs is two ENIs')
  t.is(two.portOf(eni.id), 0)

  lab.world.put('networkInterface', { ...eni, attachment: null })
  const [after] = lab.commit()
  t.deepEqual([after?.removedPorts?.length, after?.removedVpcs?.length], [1, 1])
  t.is(lab.directory.resolve(far.vpcId, '10.0.1.1'), null)
  t.not(lab.directory.resolve(instance.vpcId, '10.0.1.1'), null)
})

test('the MTU of a port is what the underlay leaves of it, at most 9001', (t) => {
  for (const [underlayMtu, underlayAddress, mtu] of [
    [9216, '192.0.2.1', 9001], [9061, '192.0.2.1', 9001], [9060, '192.0.2.1', 9000],
    [1500, '192.0.2.1', 1440], [1500, 'fd7f::1', 1420], [9080, 'fd7f::1', 9000]
  ] as const) {
    const lab = new Lab()
    lab.world.put('host', { ...newHost(1), underlayMtu, underlayAddress })
    lab.launch(lab.subnet, 'host-1', '10.0.1.1')
    t.is(lab.commit()[0]?.ports?.[0]?.mtu, mtu)
  }
})

test('a VPC over the preload bound is resolved on demand, and answers are corrected', (t) => {
  const lab = new Lab({ preloadMax: 2 })
  lab.launch(lab.subnet, 'host-1', '10.0.1.1')
  const { instance } = lab.launch(lab.subnet, 'host-2', '10.0.1.2')
  const [complete] = lab.commit()
  t.is(complete?.vpcs?.[0]?.mappingsComplete, true)
  lab.launch(lab.subnet, 'host-2', '10.0.1.3')
  const [update] = lab.commit()
  t.is(update?.vpcs?.[0]?.mappingsComplete, false)
  t.is(update?.mappings?.length, complete?.mappings?.length)
  t.true(update?.mappings?.every(({ entries }) => entries.length === 0))

  const [one] = lab.compilers
  const known = one.resolve(address('10.0.1.2'))
  t.is(known?.entries[MAPPING_AT_HOST_INDEX], one.indexOfHost('host-2'))
  t.is(one.resolve(address('10.0.1.4'))?.entries.length, 0)
  t.like(one.counters, { resolves: 2, negative: 1, invalidations: 0 })

  lab.world.put('instance', { ...instance, hostName: 'host-1' })
  const { eni } = lab.launch(lab.subnet, 'host-2', '10.0.1.4')
  t.truthy(lab.commit()[0])
  const corrections = one.takeCorrections()
  t.deepEqual(corrections.map(({ key }) => key), [address('10.0.1.2'), address('10.0.1.4')])
  t.deepEqual(corrections.map(({ entries }) => entries[MAPPING_AT_HOST_INDEX]),
    [one.indexOfHost('host-1'), one.indexOfHost('host-2')])

  lab.world.put('networkInterface', { ...eni, attachment: null })
  const [withdrawn] = lab.commit()
  t.deepEqual(withdrawn, { kind: 'tables', revision: lab.world.snapshot.revision })
  t.deepEqual(one.takeCorrections().map(({ entries }) => entries.length), [0])
  t.is(one.counters.invalidations, 3)
})

test('an answer is corrected for as long as the worker may use it, and not after', (t) => {
  const lab = new Lab({ preloadMax: 0 })
  const { instance } = lab.launch(lab.subnet, 'host-1', '10.0.1.1')
  lab.launch(lab.subnet, 'host-1', '10.0.1.2')
  lab.commit()
  const [one] = lab.compilers
  one.resolve(address('10.0.1.1'))
  lab.nowMs = 60_000
  lab.world.put('instance', { ...instance, hostName: 'host-2' })
  lab.commit()
  t.is(one.takeCorrections().length, 1)
  lab.nowMs = 200_000
  one.resolve(address('10.0.1.2'))
  t.is(one.cacheStatistics().mappings, 1)
  lab.world.put('instance', instance)
  lab.commit()
  t.is(one.takeCorrections().length, 0)
})

test('a question about a VPC that the host does not hold is refused and reported', (t) => {
  const refusals: string[] = []
  const lab = new Lab({ preloadMax: 0, onRefused: (hostName) => { refusals.push(hostName) } })
  const { instance } = lab.launch(lab.subnet, 'host-1', '10.0.1.1')
  lab.commit()
  const [one, two] = lab.compilers
  t.truthy(one.resolve(address('10.0.1.1')))
  t.is(two.resolve(address('10.0.1.1')), null)
  t.deepEqual(refusals, ['host-2'])
  // A question that was under way when the VPC went is no offence.
  lab.world.put('instance', { ...instance, goal: 'terminated' })
  const [update] = lab.commit()
  t.is(one.resolve(address('10.0.1.1')), null)
  t.is(refusals.length, 1)
  one.acknowledged(update?.revision ?? 0)
  t.is(one.resolve(address('10.0.1.1')), null)
  t.is(refusals.length, 2)
})

test('ports are found by ENI and ENIs by port, and no number comes back too early', (t) => {
  const lab = new Lab()
  const { instance, eni } = lab.launch(lab.subnet, 'host-1', '10.0.1.1')
  lab.launch(lab.subnet, 'host-1', '10.0.1.2')
  lab.commit()
  const [one] = lab.compilers
  t.is(one.eniOfPort(one.portOf(eni.id)), eni.id)
  lab.world.put('instance', { ...instance, hostName: null })
  const [update] = lab.commit()
  t.deepEqual(update?.removedPorts, [1])
  t.deepEqual([one.portOf(eni.id), one.eniOfPort(1)], [0, null])
  const early = lab.launch(lab.subnet, 'host-1', '10.0.1.3').eni
  lab.commit()
  t.is(one.portOf(early.id), 3)
  one.acknowledged(update?.revision ?? 0)
  const late = lab.launch(lab.subnet, 'host-1', '10.0.1.4').eni
  lab.commit()
  t.is(one.portOf(late.id), 1)
})

test('a compile against a directory that missed a commit is a broken invariant', (t) => {
  const lab = new Lab()
  lab.launch(lab.subnet, 'host-1', '10.0.1.1')
  const { revision, changes } = lab.world.commit()
  t.throws(() => lab.compilers[0].compileChanges(revision, changes), { message: /directory at/ })
})
