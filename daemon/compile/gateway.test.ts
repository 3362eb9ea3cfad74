/**
 * What internet and egress-only gateways make of the tables of a host that sends to them, and of
 * an edge.
 *
 *     VPC 1, subnet 10.0.1.0/24:   host-1: ENI 10.0.1.1, public 203.0.113.5       edge-1, edge-2
 */
import test from 'ava'
import { idBits } from '../base/ids.ts'
import {
  GATEWAY_AT_HOST_INDEX, GATEWAY_AT_MTU, GATEWAY_AT_SENDERS, HOST_GROUP_ANY, HOST_GROUP_SHARD,
  PORT_KIND_EGRESS_ONLY, PORT_KIND_INTERNET_GATEWAY, PORT_KIND_VPN_GATEWAY, PUBLIC_AT_PRIVATE,
  PUBLIC_WORDS, TARGET_BLACKHOLE, TARGET_GATEWAY, TARGET_LOCAL
} from '../dataplane/tables/update.ts'
import type { TableUpdate } from '../dataplane/tables/update.ts'
import { Directory } from '../mapping/directory.ts'
import type { Host } from '../model/lab.ts'
import type { InternetGateway } from '../model/internet_gateway.ts'
import { formatAddress } from '../wire/address.ts'
import { HostCompiler } from './host_compiler.ts'
import {
  World, attached, newHost, newInstance, newInterface, newRouteTable, newSubnet, newVpc, newVpn
} from './test_world.ts'

const GATEWAY_ID = 'igw-0000000000000000c'
const HOSTS = ['host-1', 'edge-1', 'edge-2'] as const
type Updates = Readonly<Record<(typeof HOSTS)[number], TableUpdate | null>>

const edge = (n: number): Host =>
  ({ ...newHost(100 + n), id: `edge-${String(n)}`, roles: ['edge', 'hyperplane'] })

class Lab {
  readonly world = new World()
  readonly directory: Directory
  readonly compilers: ReadonlyMap<string, HostCompiler>
  readonly gateway: InternetGateway = {
    id: GATEWAY_ID, region: 'us-east-1', ownerId: '123456789012', tags: {}, vpcId: newVpc(1).id
  }

  constructor () {
    const { world } = this
    for (const host of [newHost(1), edge(1), edge(2)]) world.put('host', host)
    const vpc = world.put('vpc', {
      ...newVpc(1), ipv6CidrBlocks: [{ associationId: 'a', cidrBlock: '2001:db8:1::/56' }]
    })
    world.put('routeTable', {
      ...newRouteTable(1, vpc.id),
      associations: [{ id: 'rtbassoc-0000000000000000a', subnetId: null, gatewayId: null }],
      routes: [
        { destination: '10.0.0.0/16', target: { kind: 'local' }, origin: 'CreateRouteTable' },
        { destination: '0.0.0.0/0', origin: 'CreateRoute',
          target: { kind: 'internet-gateway', gatewayId: GATEWAY_ID } }
      ]
    })
    const subnet = world.put('subnet', newSubnet(1, vpc.id))
    const instance = world.put('instance', newInstance(1, subnet, 'host-1'))
    world.put('networkInterface', {
      ...attached(newInterface(1, subnet, '10.0.1.1'), instance.id), autoPublicIp: '203.0.113.5'
    })
    world.commit()
    this.directory = new Directory(world.snapshot)
    const clock = { nowMs: () => 0, monotonicMs: () => 0 }
    this.compilers = new Map(HOSTS.map((hostName) => [hostName,
      new HostCompiler({ hostName, snapshot: world.snapshot, directory: this.directory, clock })]))
    for (const compiler of this.compilers.values()) compiler.compileAll()
  }

  commit (): Updates {
    const { revision, changes } = this.world.commit()
    this.directory.apply(revision, changes)
    return Object.fromEntries([...this.compilers].map(([name, compiler]) =>
      [name, compiler.compileChanges(revision, changes)])) as unknown as Updates
  }

  attach (): Updates {
    this.world.put('internetGateway', this.gateway)
    return this.commit()
  }
}

test('hosts of the VPC learn where the gateway is served, and the route leads there', (t) => {
  const lab = new Lab()
  const before = lab.compilers.get('host-1')?.compileAll()
  t.deepEqual([...before?.routeTables?.[0]?.targetKind ?? []].slice(1), [TARGET_BLACKHOLE])
  const { 'host-1': update } = lab.attach()
  const gateways = update?.vpcs?.[0]?.gateways ?? new Uint32Array(0)
  const { high, low } = idBits(GATEWAY_ID)
  t.deepEqual([...gateways.subarray(0, 2)], [high, low])
  t.is(gateways[GATEWAY_AT_MTU], 1500)
  const group = lab.compilers.get('host-1')?.compileAll().hostGroups?.[0]
  t.is(group?.hostIndex, gateways[GATEWAY_AT_HOST_INDEX])
  t.is(group?.kind, HOST_GROUP_ANY)
  t.is(group?.members.length, 2)
  const table = update?.routeTables?.[0]
  t.deepEqual([...table?.targetKind ?? []].slice(1), [TARGET_GATEWAY])
  t.deepEqual([...table?.targetEnis ?? []], [high, low])
})

test('edges hold the VPC while the gateway is attached, with port and public addresses', (t) => {
  const lab = new Lab()
  t.is(lab.compilers.get('edge-1')?.compileAll().vpcs, undefined)
  const attachedUpdates = lab.attach()
  for (const name of ['edge-1', 'edge-2'] as const) {
    const update = attachedUpdates[name]
    t.deepEqual(update?.ports?.map(({ kind }) => kind), [PORT_KIND_INTERNET_GATEWAY])
    t.true((update?.mappings?.length ?? 0) > 0)
    const entries = update?.publicAddresses?.[0]?.entries ?? new Uint32Array(0)
    t.is(entries.length, 2 * PUBLIC_WORDS)
    t.is(formatAddress(entries, 0), '203.0.113.5')
    t.is(entries[PUBLIC_AT_PRIVATE], 0x0a000101)
    t.is(formatAddress(entries, PUBLIC_WORDS), '2001:db8:1::')
  }
  t.is(attachedUpdates['host-1']?.publicAddresses, undefined, 'for edges alone')
  lab.world.put('internetGateway', { ...lab.gateway, vpcId: null })
  const { 'edge-1': detached, 'host-1': sender } = lab.commit()
  t.is(detached?.removedVpcs?.length, 1)
  t.is(detached?.removedPorts?.length, 1)
  t.is(detached?.publicAddresses?.[0]?.entries.length, 0)
  t.is(sender?.vpcs?.[0]?.gateways.length, 0)
  t.deepEqual([...sender?.routeTables?.[0]?.targetKind ?? []].slice(1), [TARGET_BLACKHOLE])
})

test('an Elastic IP that moves is of one owner in every update', (t) => {
  const lab = new Lab()
  lab.attach()
  const eni = newInterface(1, newSubnet(1, newVpc(1).id), '10.0.1.1').id
  const address = {
    id: 'eipalloc-00000000000000001', region: 'us-east-1', ownerId: '123456789012', tags: {},
    publicIp: '203.0.113.9', networkBorderGroup: 'us-east-1', associationId: 'eipassoc-1',
    networkInterfaceId: eni, privateIpAddress: '10.0.1.7', domainName: null, transfer: null
  }
  const rowsOf = (updates: Updates): string[] => {
    const entries = updates['edge-1']?.publicAddresses?.[0]?.entries ?? new Uint32Array(0)
    return Array.from({ length: entries.length / PUBLIC_WORDS }, (_none, row) =>
      formatAddress(entries, row * PUBLIC_WORDS))
  }
  lab.world.put('address', address)
  t.deepEqual(rowsOf(lab.commit()).sort(), ['2001:db8:1::', '203.0.113.5', '203.0.113.9'])
  lab.world.put('address', { ...address, associationId: null, networkInterfaceId: null,
    privateIpAddress: null })
  t.deepEqual(rowsOf(lab.commit()).sort(), ['2001:db8:1::', '203.0.113.5'])
})

test('an egress-only gateway is served by its shard, sent by any edge, and routed to', (t) => {
  const lab = new Lab()
  const { id: vpcId } = newVpc(1)
  const id = 'eigw-0000000000000000e'
  lab.world.put('egressOnlyInternetGateway',
    { id, region: 'us-east-1', ownerId: '123456789012', tags: {}, vpcId })
  lab.world.put('routeTable', {
    ...newRouteTable(1, vpcId),
    associations: [{ id: 'rtbassoc-0000000000000000a', subnetId: null, gatewayId: null }],
    routes: [{ destination: '::/0', origin: 'CreateRoute',
      target: { kind: 'egress-only-internet-gateway', gatewayId: id } }]
  })
  const { 'host-1': sender, 'edge-1': server } = lab.commit()
  const { high, low } = idBits(id)
  const groups = sender?.hostGroups ?? []
  const gateways = sender?.vpcs?.[0]?.gateways ?? new Uint32Array(0)
  t.deepEqual([...gateways.subarray(0, 2)], [high, low])
  t.deepEqual(groups.map(({ kind, hostIndex }) => [kind, hostIndex]),
    [[HOST_GROUP_SHARD, gateways[GATEWAY_AT_HOST_INDEX]]])
  const [edges] = lab.compilers.get('host-1')?.compileAll().hostGroups ?? []
  t.is(gateways[GATEWAY_AT_SENDERS], edges?.hostIndex)
  t.deepEqual([...sender?.routeTables?.[0]?.targetKind ?? []], [TARGET_GATEWAY])
  t.deepEqual(server?.ports?.map(({ kind }) => kind), [PORT_KIND_EGRESS_ONLY])
  const entries = server?.publicAddresses?.[0]?.entries ?? new Uint32Array(0)
  t.is(entries.length, PUBLIC_WORDS, 'the IPv6 block, and no IPv4 address')
  t.is(formatAddress(entries, 0), '2001:db8:1::')

  lab.world.put('hyperplaneShard', {
    id, epoch: 3, shard: ['edge-1'], owners: ['edge-1', 'edge-1', 'edge-1'],
    ownerEpochs: [3, 3, 3], replicas: ['edge-1'], joinedEpochs: [1], complete: ['edge-1']
  })
  const assigned = lab.commit()
  t.is(assigned['edge-1']?.shards?.[0]?.addresses.length, 0, 'flows keep their addresses')
  t.is(assigned['edge-2']?.shards, undefined)
  t.is(assigned['host-1']?.hostGroups?.[0]?.members.length, 3)

  lab.world.remove('egressOnlyInternetGateway', id)
  lab.world.remove('hyperplaneShard', id)
  const gone = lab.commit()
  t.is(gone['edge-1']?.removedPorts?.length, 1)
  t.is(gone['edge-1']?.removedShards?.length, 1)
  t.is(gone['host-1']?.vpcs?.[0]?.gateways.length, 0)
  t.deepEqual([...gone['host-1']?.routeTables?.[0]?.targetKind ?? []], [TARGET_BLACKHOLE])
})

test('an edge that is down leaves the group, and comes back', (t) => {
  const lab = new Lab()
  lab.attach()
  const membersAfter = (isDown: boolean): number | undefined => {
    lab.world.put('host', { ...edge(2), isDown })
    return lab.commit()['host-1']?.hostGroups?.[0]?.members.length
  }
  t.is(membersAfter(true), 1)
  t.is(membersAfter(false), 2)
})

test('what a tunnel learns leads to the gateway, and no more once it is down', (t) => {
  const lab = new Lab()
  const { vpnGateway, vpnConnection } = newVpn(1)
  const table = newRouteTable(1, newVpc(1).id)
  lab.world.put('vpnGateway', { ...vpnGateway, vpcId: newVpc(1).id })
  lab.world.put('vpnConnection', vpnConnection)
  lab.world.put('routeTable', { ...table, propagatingVgwIds: [vpnGateway.id] })
  const { 'edge-1': edgeUpdate } = lab.commit()
  t.deepEqual(edgeUpdate?.ports?.map(({ kind }) => kind), [PORT_KIND_VPN_GATEWAY])
  const outsideIpAddress = vpnConnection.tunnels[0]?.outsideIpAddress ?? ''
  const tunnel = { id: `${vpnConnection.id}:${outsideIpAddress}`, outsideIpAddress,
    vpnConnectionId: vpnConnection.id, isUp: true, sinceMs: 0, message: null }
  lab.world.put('bgpSession', { ...tunnel, paths: [{ cidr: '192.168.7.0/24', asPath: [65_010],
    med: null, communities: [], nextHop: '169.254.10.2' }] })
  lab.world.put('ipsecSession', { ...tunnel, negotiated: null })
  const { 'host-1': learned } = lab.commit()
  t.deepEqual([...learned?.routeTables?.[0]?.targetKind ?? []].slice(1), [TARGET_GATEWAY])
  const { high, low } = idBits(vpnGateway.id)
  t.deepEqual([...learned?.routeTables?.[0]?.targetEnis ?? []], [high, low])
  // The hosts send to the one edge that has the tunnel; to every edge while there is none.
  t.deepEqual(learned?.hostGroups?.map(({ members }) => members.length), [1])
  lab.world.put('ipsecSession', { ...tunnel, isUp: false, negotiated: null })
  const { 'host-1': lost } = lab.commit()
  t.deepEqual([...lost?.routeTables?.[0]?.targetKind ?? []], [TARGET_LOCAL])
  t.deepEqual(lost?.hostGroups?.map(({ members }) => members.length), [2])
})
