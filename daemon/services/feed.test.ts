/**
 * What the services' thread is told, commit by commit, against what it would be told at once.
 *
 *     VPC 1, subnet 10.0.1.0/24:   host-1, host-2          VPC 2, subnet 10.0.2.0/24: no instance
 */
import test from 'ava'
import {
  attached, newHost, newInstance, newInterface, newPeering, newSubnet, newVpc, World
} from '../compile/test_world.ts'
import { Directory } from '../mapping/directory.ts'
import type { HostedZone } from '../model/hosted_zone.ts'
import type { Instance } from '../model/instance.ts'
import type { NetworkInterface } from '../model/network_interface.ts'
import type { ResourceRecordSet } from '../model/record_set.ts'
import { ServicesFeed } from './feed.ts'
import type { ServicesFeedOptions } from './feed.ts'
import type { ServicesUpdate } from './update.ts'

class Fed {
  readonly world = new World()
  readonly directory: Directory
  readonly feed: ServicesFeed
  readonly #options: ServicesFeedOptions
  /** What the thread holds, by what each thing is found by. */
  readonly held = new Map<string, unknown>()
  readonly #ports = new Map<string, number>()
  #count = 0

  constructor () {
    const { world } = this
    for (const n of [1, 2]) {
      world.put('host', newHost(n))
      world.put('vpc', newVpc(n))
      world.put('subnet', newSubnet(n, newVpc(n).id))
    }
    world.commit()
    this.directory = new Directory(world.snapshot)
    this.#options = {
      snapshot: () => world.snapshot,
      directory: this.directory,
      hosts: () => ['host-1', 'host-2'].map((name) => ({
        name, mtu: 9001,
        portOf: (eni) => this.directory.hostOf(eni) === name ? this.#portOf(eni) : 0
      }))
    }
    this.feed = new ServicesFeed(this.#options)
    take(this.held, this.feed.everything())
  }

  #portOf (eni: string): number {
    const port = this.#ports.get(eni) ?? this.#ports.size + 1
    this.#ports.set(eni, port)
    return port
  }

  launch (host: string, address: string): { instance: Instance, eni: NetworkInterface } {
    const n = ++this.#count
    const subnet = newSubnet(1, newVpc(1).id)
    const instance = this.world.put('instance', newInstance(n, subnet, host))
    const eni = attached(newInterface(n, subnet, address), instance.id)
    return { instance, eni: this.world.put('networkInterface', eni) }
  }

  /** @returns what the commit told, and what a thread would hold that starts now */
  commit (): { readonly update: ServicesUpdate | null, readonly fresh: Map<string, unknown> } {
    const { revision, changes } = this.world.commit()
    this.directory.apply(revision, changes)
    const update = this.feed.changes(revision, changes)
    if (update !== null) take(this.held, update)
    const fresh = new Map<string, unknown>()
    take(fresh, new ServicesFeed(this.#options).everything())
    return { update, fresh }
  }
}

/** As the thread takes it (directory.ts). Names without addresses are not kept. */
function take (held: Map<string, unknown>, update: ServicesUpdate): void {
  for (const { host, portIndex } of update.removedEndpoints ?? []) {
    held.delete(`${host}/${String(portIndex)}`)
  }
  for (const vpcId of update.removedVpcs ?? []) {
    for (const key of held.keys()) if (key.startsWith(vpcId)) held.delete(key)
  }
  for (const vpc of update.vpcs ?? []) held.set(vpc.vpcId, vpc)
  for (const name of update.instanceNames ?? []) {
    const key = `${name.vpcId}/${name.instanceId}`
    if (name.ipv4.length + name.ipv6.length === 0) held.delete(key)
    else held.set(key, name)
  }
  for (const one of update.publicAddresses ?? []) {
    const key = `${one.vpcId}/${one.networkInterfaceId}`
    if (one.addresses.length === 0) held.delete(key)
    else held.set(key, one)
  }
  for (const { zoneId, name, vpcIds } of update.hostedZones ?? []) {
    if (vpcIds.length > 0) held.set(zoneId, { name, vpcIds })
    else for (const key of held.keys()) if (key.startsWith(zoneId)) held.delete(key)
  }
  for (const set of update.recordSets ?? []) {
    const key = `${set.zoneId}/${set.name}/${set.type}`
    if (set.values.length === 0) held.delete(key)
    else if (held.has(set.zoneId)) held.set(key, set)
  }
  for (const { host, endpoint } of update.endpoints ?? []) {
    held.set(`${host}/${String(endpoint.portIndex)}`, endpoint)
  }
}

const sorted = (held: Map<string, unknown>): unknown[] =>
  [...held].toSorted(([a], [b]) => a < b ? -1 : 1)

test('commit by commit the thread comes to know what it would know from the start', (t) => {
  const fed = new Fed()
  const check = (what: string): void => {
    const { fresh } = fed.commit()
    t.deepEqual(sorted(fed.held), sorted(fresh), what)
  }
  const { world } = fed
  const a = fed.launch('host-1', '10.0.1.10')
  check('a launch')
  const b = fed.launch('host-2', '10.0.1.20')
  check('another one, on another host')
  world.put('instance', { ...b.instance, enableResourceNameDnsARecord: true })
  check('a resource name')
  world.put('networkInterface', { ...a.eni, autoPublicIp: '203.0.113.5' })
  check('a public address')
  world.put('vpc', { ...newVpc(1), enableDnsHostnames: true, dhcpOptionsId: 'dopt-1' })
  check('attributes of the VPC')
  world.put('networkInterface', { ...b.eni, privateIpAddresses: ['10.0.1.20', '10.0.1.21'] })
  check('a further address')
  world.put('instance', { ...a.instance, hostName: 'host-2' })
  check('a move')
  world.put('instance', { ...a.instance, goal: 'stopped', state: 'stopped', hostName: null })
  check('a stop')
  world.remove('networkInterface', b.eni.id)
  world.put('instance', {
    ...b.instance, goal: 'terminated', state: 'terminated', hostName: null, vpcId: '', subnetId: ''
  })
  check('the end of the last one')
  t.is(fed.held.size, 0, 'nothing is left of a VPC that no host has an ENI of')
})

test('a zone is told with all of its records when a VPC of the thread comes to see it', (t) => {
  const fed = new Fed()
  const { world } = fed
  const check = (what: string): number => {
    const { fresh } = fed.commit()
    t.deepEqual(sorted(fed.held), sorted(fresh), what)
    return [...fed.held.keys()].filter((key) => key.startsWith('Z')).length
  }
  const zone = (n: number): HostedZone => ({
    id: `Z${String(n)}`, ownerId: '111111111111', name: `z${String(n)}.example`,
    callerReference: '', comment: null, createdMs: 0, authorizedVpcs: [], tags: {}
  })
  const associate = (n: number, vpcId: string): void => {
    const zoneId = zone(n).id
    world.put('hostedZoneVpc', { id: `${zoneId}/${vpcId}`, zoneId, vpcId, region: 'us-east-1' })
  }
  const record = (n: number, value: string): ResourceRecordSet => ({
    id: `Z${String(n)}/a.z${String(n)}.example/A`, zoneId: `Z${String(n)}`,
    name: `a.z${String(n)}.example`, type: 'A', ttlS: 60, values: [value]
  })
  for (const n of [1, 2]) {
    world.put('hostedZone', zone(n))
    associate(n, newVpc(n).id)
    world.put('resourceRecordSet', record(n, '10.0.0.1'))
  }
  t.is(check('zones of VPCs without ENIs'), 0)
  const a = fed.launch('host-1', '10.0.1.10')
  t.is(check('an ENI in VPC 1'), 2, 'zone 1 and its record')
  world.put('resourceRecordSet', record(1, '10.0.0.2'))
  world.put('resourceRecordSet', record(2, '10.0.0.2'))
  check('other values')
  associate(2, newVpc(1).id)
  t.is(check('VPC 1 sees zone 2, too'), 4)
  world.remove('resourceRecordSet', record(1, '').id)
  t.is(check('a record that is gone'), 3)
  world.remove('hostedZoneVpc', `Z2/${newVpc(1).id}`)
  t.is(check('a zone that is not seen any more'), 1)
  world.remove('hostedZoneVpc', `Z1/${newVpc(1).id}`)
  world.remove('hostedZone', 'Z1')
  t.is(check('a zone that is gone'), 0)
  associate(2, newVpc(1).id)
  t.is(check('zone 2 again'), 2)
  world.remove('networkInterface', a.eni.id)
  world.put('instance', {
    ...a.instance, goal: 'terminated', state: 'terminated', hostName: null, vpcId: '', subnetId: ''
  })
  t.is(check('the end of the last ENI'), 0)
})

test('a peer is told of while its names are resolved where ENIs are', (t) => {
  const fed = new Fed()
  const { world } = fed
  const peerVpc = newVpc(2).id
  const check = (what: string, isTold: boolean): void => {
    const { fresh } = fed.commit()
    t.deepEqual(sorted(fed.held), sorted(fresh), what)
    t.is(fed.held.has(peerVpc), isTold, what)
  }
  const { instance, eni } = fed.launch('host-1', '10.0.1.10')
  const subnet = newSubnet(2, peerVpc)
  world.put('networkInterface',
    { ...newInterface(9, subnet, '10.0.2.10'), autoPublicIp: '203.0.113.5' })
  const peering = newPeering(1, newVpc(1).id, peerVpc, 'active')
  world.put('vpcPeeringConnection', peering)
  check('a peering', false)
  const allowing =
    { ...peering, accepter: { ...peering.accepter, allowDnsResolutionFromRemoteVpc: true } }
  world.put('vpcPeeringConnection', allowing)
  check('the peer lets its names be known', true)
  world.put('networkInterface',
    { ...newInterface(9, subnet, '10.0.2.10'), autoPublicIp: '203.0.113.6' })
  check('another public address of the peer', true)
  world.put('vpcPeeringConnection', { ...allowing, status: 'deleted' })
  check('the end of the peering', false)
  world.put('vpcPeeringConnection', allowing)
  check('the peering again', true)
  world.remove('networkInterface', eni.id)
  world.put('instance', {
    ...instance, goal: 'terminated', state: 'terminated', hostName: null, vpcId: '', subnetId: ''
  })
  check('the end of the last ENI', false)
})

test('what changes elsewhere is not told', (t) => {
  const fed = new Fed()
  const { instance } = fed.launch('host-1', '10.0.1.10')
  fed.commit()
  fed.world.put('vpc', { ...newVpc(2), enableDnsHostnames: true })
  fed.world.put('subnet', { ...newSubnet(2, newVpc(2).id), mapPublicIpOnLaunch: true })
  t.is(fed.commit().update, null, 'a VPC that no host holds an ENI of')
  fed.world.put('instance', { ...instance, tags: { Name: 'a' } })
  t.is(fed.commit().update?.endpoints?.length, 1, 'one instance, one endpoint')
})

test('an endpoint says what the records say', (t) => {
  const fed = new Fed()
  const { instance, eni } = fed.launch('host-1', '10.0.1.10')
  fed.world.put('networkInterface', { ...eni, autoPublicIp: '203.0.113.5' })
  fed.world.put('vpc', { ...newVpc(1), enableDnsHostnames: true })
  fed.world.put('instance', { ...instance, tags: { Name: 'a' }, metadataOptions: {
    httpTokens: 'required', httpPutResponseHopLimit: 2, httpEndpoint: 'enabled',
    httpProtocolIpv6: 'disabled', instanceMetadataTags: 'enabled'
  } })
  const endpoint = fed.commit().update?.endpoints?.[0]?.endpoint
  t.like(endpoint?.lease, {
    address: '10.0.1.10', prefixLength: 24, router: '10.0.1.1', hostName: 'ip-10-0-1-10', mtu: 9001,
    dnsServers: [], domainNames: []
  })
  t.like(endpoint?.metadata, { instanceId: instance.id, requiresToken: true, hopLimit: 2 })
  const leaves = Object.fromEntries(endpoint?.metadata?.leaves ?? [])
  t.like(leaves, {
    'meta-data/public-ipv4': '203.0.113.5',
    'meta-data/public-hostname': 'ec2-203-0-113-5.compute-1.amazonaws.com',
    'meta-data/local-hostname': 'ip-10-0-1-10.ec2.internal',
    'meta-data/tags/instance/Name': 'a'
  })
  const at = `meta-data/network/interfaces/macs/${eni.macAddress}`
  t.is(leaves[`${at}/ipv4-associations/203.0.113.5`], '10.0.1.10')
  t.is(leaves[`${at}/device-number`], '0')
})
