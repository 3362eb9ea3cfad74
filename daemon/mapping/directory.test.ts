/**
 * One VPC, subnet 10.0.1.0/24, two hosts:
 *
 *     host-1: i-1 with eni-1 (10.0.1.10)        host-2: i-2 with eni-2 (10.0.1.20)
 */
import test from 'ava'
import {
  World, attached, newHost, newInstance, newInterface, newSubnet, newVpc
} from '../compile/test_world.ts'
import type { Instance } from '../model/instance.ts'
import type { NetworkInterface } from '../model/network_interface.ts'
import type { Subnet } from '../model/subnet.ts'
import { Directory } from './directory.ts'
import type { DirectoryOptions } from './directory.ts'
import { addressPrefix } from './prefix.ts'

interface Setup {
  readonly world: World
  readonly directory: Directory
  readonly vpcId: string
  readonly subnet: Subnet
  readonly instances: readonly [Instance, Instance]
  readonly enis: readonly [NetworkInterface, NetworkInterface]
}

function setUp (options: DirectoryOptions = {}): Setup {
  const world = new World()
  const { id: vpcId } = world.put('vpc', newVpc(1))
  const subnet = world.put('subnet', newSubnet(1, vpcId))
  world.put('host', newHost(1))
  world.put('host', newHost(2))
  const one = world.put('instance', newInstance(1, subnet, 'host-1'))
  const two = world.put('instance', newInstance(2, subnet, 'host-2'))
  const enis = [
    world.put('networkInterface', attached(newInterface(1, subnet, '10.0.1.10'), one.id)),
    world.put('networkInterface', attached(newInterface(2, subnet, '10.0.1.20'), two.id))
  ] as const
  world.commit()
  const directory = new Directory(world.snapshot, options)
  return { world, directory, vpcId, subnet, instances: [one, two], enis }
}

function commit ({ world, directory }: Setup): void {
  const { revision, changes } = world.commit()
  directory.apply(revision, changes)
}

test('an address answers with ENI, host, MAC, subnet and zone', (t) => {
  const { directory, vpcId, enis, subnet } = setUp()
  t.like(directory.resolve(vpcId, '10.0.1.20'), {
    networkInterfaceId: enis[1].id, hostName: 'host-2', underlayAddress: '192.0.2.2',
    macAddress: '02:00:00:00:00:02', subnetId: subnet.id, zoneId: 'use1-az1', generation: 1
  })
  t.is(directory.resolve(vpcId, '10.0.1.30'), null)
  t.is(directory.resolve('vpc-00000000000000009', '10.0.1.20'), null)
  t.is(directory.entryCount(vpcId), 2)
})

test('the generation rises when an address moves, and not when only a tag changes', (t) => {
  const setup = setUp()
  const { world, directory, vpcId, instances: [one], enis: [eni] } = setup
  world.put('networkInterface', { ...eni, tags: { Name: 'x' } })
  commit(setup)
  t.is(directory.resolve(vpcId, '10.0.1.10')?.generation, 1)
  t.is(directory.touched.networkInterfaces.size, 0)
  world.put('instance', { ...one, hostName: 'host-2' })
  commit(setup)
  t.like(directory.resolve(vpcId, '10.0.1.10'), { hostName: 'host-2', generation: 3 })
  t.is(directory.resolve(vpcId, '10.0.1.20')?.generation, 1)
})

test('an ENI of an instance that is to stop, or has no host, is not mapped', (t) => {
  const setup = setUp()
  const { world, directory, vpcId, instances: [one] } = setup
  world.put('instance', { ...one, goal: 'stopped' })
  commit(setup)
  t.is(directory.resolve(vpcId, '10.0.1.10'), null)
  t.false(directory.holds('host-1', vpcId))
  world.put('instance', { ...one, hostName: null })
  commit(setup)
  t.is(directory.resolve(vpcId, '10.0.1.10'), null)
  world.put('instance', { ...one, state: 'pending' })
  commit(setup)
  t.is(directory.resolve(vpcId, '10.0.1.10')?.hostName, 'host-1')
  t.true(directory.holds('host-1', vpcId))
})

test('a commit that gives an address from one ENI to another leaves it with the second', (t) => {
  for (const order of [[0, 1], [1, 0]] as const) {
    const setup = setUp()
    const { world, directory, vpcId, enis } = setup
    for (const which of order) {
      const privateIpAddresses = which === 0 ? ['10.0.1.11'] : ['10.0.1.20', '10.0.1.10']
      world.put('networkInterface', { ...enis[which], privateIpAddresses })
    }
    commit(setup)
    t.is(directory.resolve(vpcId, '10.0.1.10')?.networkInterfaceId, enis[1].id)
    t.is(directory.resolve(vpcId, '10.0.1.11')?.networkInterfaceId, enis[0].id)
    t.is(directory.entryCount(vpcId), 3)
    t.is(directory.counters.conflicts, 0)
  }
})

test('an address in a delegated prefix answers with the prefix', (t) => {
  const setup = setUp()
  const { world, directory, vpcId, enis: [eni] } = setup
  world.put('networkInterface',
    { ...eni, ipv4Prefixes: ['10.0.1.32/28'], ipv6Prefixes: ['2001:db8:0:1:1::/80'] })
  commit(setup)
  t.like(directory.resolve(vpcId, '10.0.1.47'),
    { address: '10.0.1.32/28', networkInterfaceId: eni.id })
  t.like(directory.resolve(vpcId, '2001:db8:0:1:1:2:3:4'), { address: '2001:db8:0:1:1::/80' })
  t.is(directory.resolve(vpcId, '10.0.1.48'), null)
  t.is(directory.resolve(vpcId, '2001:db8:0:1:2::1'), null)
  t.is(directory.resolve(vpcId, '10.0.1.10')?.address, '10.0.1.10')
  world.put('networkInterface', { ...eni, ipv4Prefixes: [] })
  commit(setup)
  t.is(directory.resolve(vpcId, '10.0.1.47'), null)
})

test('two VPCs hold the same address side by side', (t) => {
  const setup = setUp()
  const { world, directory, vpcId } = setup
  const other = world.put('vpc', newVpc(2))
  const subnet = world.put('subnet', newSubnet(2, other.id))
  const instance = world.put('instance', newInstance(3, subnet, 'host-2'))
  const eni = world.put('networkInterface',
    attached(newInterface(3, subnet, '10.0.1.10'), instance.id))
  commit(setup)
  t.is(directory.resolve(vpcId, '10.0.1.10')?.hostName, 'host-1')
  t.is(directory.resolve(other.id, '10.0.1.10')?.networkInterfaceId, eni.id)
  t.false(directory.holds('host-1', other.id))
})

test('a touch names the shards, ENIs and hosts that a move changed, and no others', (t) => {
  const setup = setUp()
  const { world, directory, vpcId, instances: [one], enis: [eni] } = setup
  world.put('instance', { ...one, hostName: 'host-2' })
  commit(setup)
  const { touched } = directory
  t.deepEqual([...touched.networkInterfaces], [[eni.id, vpcId]])
  t.deepEqual([...touched.shards.get(vpcId) ?? []],
    [directory.find(vpcId, addressPrefix('10.0.1.10').words)?.shard])
  t.deepEqual([...touched.placements.keys()].sort(), ['host-1', 'host-2'])
  t.is(touched.completeness.size, 0)
})

test('a VPC is complete for as long as it is within the preload bound', (t) => {
  const setup = setUp({ preloadMax: 2 })
  const { world, directory, vpcId, enis: [eni] } = setup
  t.true(directory.isComplete(vpcId))
  world.put('networkInterface', { ...eni, privateIpAddresses: ['10.0.1.10', '10.0.1.11'] })
  commit(setup)
  t.false(directory.isComplete(vpcId))
  t.deepEqual([...directory.touched.completeness], [vpcId])
  world.put('networkInterface', eni)
  commit(setup)
  t.true(directory.isComplete(vpcId))
  t.deepEqual([...directory.touched.completeness], [vpcId])
})

test('a host may not ask about a VPC that it holds no ENI of; that is reported', (t) => {
  const refusals: string[] = []
  const { directory, vpcId } = setUp({
    onRefused: (hostName, id) => { refusals.push(`${hostName} ${id}`) }
  })
  t.true(directory.mayAsk('host-1', vpcId))
  t.false(directory.mayAsk('host-3', vpcId))
  t.deepEqual(refusals, [`host-3 ${vpcId}`])
  t.is(directory.counters.refused, 1)
})

test('a directory made anew answers as the old one, with generations that are not lower', (t) => {
  const setup = setUp()
  const { world, directory, vpcId, instances: [one], enis: [, eni] } = setup
  world.put('instance', { ...one, hostName: 'host-2' })
  world.put('networkInterface', { ...eni, tags: { Name: 'x' } })
  commit(setup)
  const anew = new Directory(world.snapshot)
  for (const address of ['10.0.1.10', '10.0.1.20']) {
    const before = directory.resolve(vpcId, address)
    const after = anew.resolve(vpcId, address)
    t.like(after, { networkInterfaceId: before?.networkInterfaceId, hostName: before?.hostName })
    t.true((after?.generation ?? 0) >= (before?.generation ?? Infinity))
  }
})

test('an unsound store that gives one address to two ENIs costs only a count', (t) => {
  const setup = setUp()
  const { world, directory, vpcId, enis: [one, two] } = setup
  world.put('networkInterface', { ...two, privateIpAddresses: ['10.0.1.10'] })
  commit(setup)
  t.is(directory.counters.conflicts, 1)
  t.is(directory.resolve(vpcId, '10.0.1.10')?.networkInterfaceId, two.id)
  world.put('networkInterface', { ...one, attachment: null })
  commit(setup)
  t.is(directory.resolve(vpcId, '10.0.1.10')?.networkInterfaceId, two.id)
})
