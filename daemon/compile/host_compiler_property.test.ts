/**
 * Random histories of records: however tables were changed, they are those of a full compile, and
 * whatever a worker was told on demand is still true. Seeds are fixed; a failure prints its path.
 */
import { deepEqual, ok } from 'node:assert/strict'
import test from 'ava'
import fc from 'fast-check'
import { eniBits } from '../base/ids.ts'
import type { MappingKey } from '../dataplane/tables/update.ts'
import { Directory } from '../mapping/directory.ts'
import { addressPrefix } from '../mapping/prefix.ts'
import type { RouteTable } from '../model/route_table.ts'
import type { NounRecords } from '../model/snapshot.ts'
import type { ResolvedMessage } from './host_compiler.ts'
import {
  CLOCK, World, attached, newAclEntry, newGroupRule, newHost, newInstance, newInterface,
  newMirrorFilter, newMirrorRule, newMirrorSession, newMirrorTarget, newNetworkAcl, newPeering,
  newPrefixList, newRouteTable, newSecurityGroup, newSubnet, newVpc, newVpn, startWorker
} from './test_world.ts'

/** One step of a random history. `a`, `b`, `c` choose objects; `commits` ends the transaction. */
interface Step {
  readonly operation: number
  readonly a: number
  readonly b: number
  readonly c: number
  readonly commits: boolean
  readonly acknowledges: boolean
}

const step: fc.Arbitrary<Step> = fc.record({
  operation: fc.nat(1000),
  a: fc.nat(1000),
  b: fc.nat(1000),
  c: fc.nat(1000),
  commits: fc.boolean(),
  acknowledges: fc.boolean()
})

function pick<T> (list: readonly T[], n: number): T | undefined {
  return list.length === 0 ? undefined : list[n % list.length]
}

/** Does one thing to the world's records; nothing when there is nothing to do it to. */
class RandomHistory {
  readonly world = new World()
  #count = 0
  readonly #operations: readonly ((a: number, b: number, c: number) => void)[] = [
    () => { this.world.put('vpc', newVpc(++this.#count)) },
    (a) => { this.#addSubnet(a) },
    (a) => { this.#launch(a) },
    (a) => { this.#detach(a) },
    (a, b) => { this.#attach(a, b) },
    (a, b) => { this.#moveInstance(a, b) }, (a, b) => { this.#moveInstance(a, b) },
    (a, b) => { this.#readdress(a, b) },
    (a, b) => { this.#swapAddresses(a, b) },
    (a) => { this.#addRouteTable(a) },
    (a, b, c) => { this.#associate(a, b, c) },
    (a, b, c) => { this.#route(a, b, c) }, (a, b, c) => { this.#route(a, b, c) },
    (a) => { this.#addGroup(a) },
    (a, b, c) => { this.#changeRules(a, b, c) }, (a, b, c) => { this.#changeRules(a, b, c) },
    (a, b) => { this.#joinGroup(a, b) }, (a, b) => { this.#joinGroup(a, b) },
    (a, b) => { this.#changeList(a, b) }, (a, b) => { this.#changeList(a, b) },
    (a) => { this.#addAcl(a) },
    (a, b, c) => { this.#changeAcl(a, b, c) },
    (a, b) => { this.#associateAcl(a, b) },
    (a, b, c) => { this.#mirror(a, b, c) }, (a, b, c) => { this.#mirror(a, b, c) },
    (a, b) => { this.#changeMirrorRules(a, b) },
    (a, b, c) => { this.#peer(a, b, c) }, (a, b, c) => { this.#peer(a, b, c) },
    (a, b) => { this.#nameAcross(a, b) }, (a, b) => { this.#nameAcross(a, b) },
    (a, b, c) => { this.#routeToPeer(a, b, c) },
    (a, b) => { this.#joinOffice(a, b) }, (a, b) => { this.#joinOffice(a, b) },
    (a, b) => { this.#learn(a, b) }, (a, b) => { this.#learn(a, b) },
    (a) => { this.#tag(a) },
    (a) => { this.#toggleIpv6(a) },
    (a, b) => { this.#changeHost(a, b) },
    (a) => { this.#dismantle(a) }
  ]

  /** Three hosts, two VPCs with tables, subnets and instances: most steps find something. */
  constructor () {
    for (let n = 1; n <= 3; n++) this.world.put('host', newHost(n))
    for (let n = 0; n < 2; n++) this.world.put('vpc', newVpc(++this.#count))
    for (let n = 0; n < 4; n++) this.#addSubnet(n)
    for (let n = 0; n < 4; n++) {
      this.#addRouteTable(n)
      this.#addGroup(n)
      this.#addAcl(n)
    }
    for (let n = 0; n < 2; n++) this.world.put('prefixList', newPrefixList(++this.#count))
    for (let n = 0; n < 2; n++) this.world.put('trafficMirrorFilter', newMirrorFilter(n))
    for (let n = 0; n < 6; n++) this.#launch(n)
    this.world.commit()
  }

  run ({ operation, a, b, c }: Step): void {
    this.#operations[operation % this.#operations.length]?.(a, b, c)
  }

  #inVpc<N extends 'instance' | 'networkInterface' | 'subnet' | 'routeTable' | 'securityGroup' |
    'networkAcl'> (
    noun: N, vpcId: string | undefined
  ): NounRecords[N][] {
    return this.world.list(noun).filter((record) => record.vpcId === vpcId)
  }

  #addSubnet (a: number): void {
    const vpc = pick(this.world.list('vpc'), a)
    if (vpc !== undefined) this.world.put('subnet', newSubnet(++this.#count, vpc.id))
  }

  /** An instance with one interface, in a VPC of its own when there is none. */
  #launch (a: number): void {
    const subnet = pick(this.world.list('subnet'), a)
    if (subnet === undefined) return
    const n = ++this.#count
    const instance = this.world.put('instance', newInstance(n, subnet, `host-${String(1 + a % 3)}`))
    const eni = newInterface(n, subnet, `10.0.${String(n >> 8)}.${String(n % 256)}`)
    this.world.put('networkInterface', attached(eni, instance.id))
  }

  /** A gateway with a connection comes to a VPC, or leaves it; a table takes its routes, or not. */
  #joinOffice (a: number, b: number): void {
    const { vpnGateway, vpnConnection } = newVpn(a % 2)
    const vpc = pick(this.world.list('vpc'), a)
    if (vpc === undefined) return
    const isTaken = this.world.list('vpnGateway').some(({ vpcId, id }) =>
      vpcId === vpc.id && id !== vpnGateway.id)
    const vpcId = b % 3 === 0 || isTaken ? null : vpc.id
    this.world.put('vpnGateway', { ...vpnGateway, vpcId })
    this.world.put('vpnConnection', vpnConnection)
    for (const table of this.world.list('routeTable')) {
      const propagatingVgwIds = table.vpcId === vpcId && b % 4 !== 1 ? [vpnGateway.id] : []
      const had = table.propagatingVgwIds?.includes(vpnGateway.id) === true
      if (had || propagatingVgwIds.length > 0) {
        this.world.put('routeTable', { ...table, propagatingVgwIds })
      }
    }
  }

  /** A tunnel comes up with routes, loses them, or goes down. */
  #learn (a: number, b: number): void {
    const connection = pick(this.world.list('vpnConnection'), a)
    const outsideIpAddress = connection?.tunnels[0]?.outsideIpAddress
    if (connection === undefined || outsideIpAddress === undefined) return
    const tunnel = { id: `${connection.id}:${outsideIpAddress}`, vpnConnectionId: connection.id,
      outsideIpAddress, sinceMs: 0, message: null }
    if (b % 3 === 0) {
      this.world.put('ipsecSession', { ...tunnel, isUp: b % 2 === 0, negotiated: null })
    } else {
      const paths = Array.from({ length: b % 4 }, (_, n) => ({ cidr: `192.168.${String(n)}.0/24`,
        asPath: [65_010], med: null, communities: [], nextHop: '169.254.10.2' }))
      this.world.put('bgpSession', { ...tunnel, isUp: true, paths })
    }
  }

  #detach (a: number): void {
    const eni = pick(this.world.list('networkInterface'), a)
    if (eni !== undefined) this.world.put('networkInterface', { ...eni, attachment: null })
  }

  #attach (a: number, b: number): void {
    const eni = pick(this.world.list('networkInterface'), a)
    const instance = pick(this.#inVpc('instance', eni?.vpcId), b)
    if (eni === undefined || instance === undefined) return
    this.world.put('networkInterface', attached(eni, instance.id))
  }

  #moveInstance (a: number, b: number): void {
    const instance = pick(this.world.list('instance'), a)
    if (instance === undefined) return
    const kinds = [
      { goal: 'running', state: 'running', hostName: 'host-1' },
      { goal: 'running', state: 'pending', hostName: 'host-2' },
      { goal: 'stopped', state: 'stopping', hostName: instance.hostName },
      { goal: 'stopped', state: 'stopped', hostName: null },
      { goal: 'running', state: 'stopped', hostName: instance.hostName }
    ] as const
    this.world.put('instance', { ...instance, ...pick(kinds, b) })
  }

  #readdress (a: number, b: number): void {
    const eni = pick(this.world.list('networkInterface'), a)
    if (eni === undefined) return
    const n = ++this.#count
    const high = n >> 8
    const low = String(n % 256)
    const more = [
      { privateIpAddresses: [...eni.privateIpAddresses, `10.0.${String(200 + high)}.${low}`] },
      { privateIpAddresses: eni.privateIpAddresses.slice(0, 1) },
      { ipv6Addresses: [`2001:db8::${n.toString(16)}`] },
      { ipv4Prefixes: [`10.${String(100 + high)}.${low}.16/28`].slice(eni.ipv4Prefixes.length) },
      { ipv6Prefixes: [`2001:db8:${low}:0:1::/80`].slice(eni.ipv6Prefixes.length) },
      { sourceDestCheck: !eni.sourceDestCheck }
    ]
    this.world.put('networkInterface', { ...eni, ...more[b % more.length] })
  }

  #swapAddresses (a: number, b: number): void {
    const one = pick(this.world.list('networkInterface'), a)
    const other = pick(this.#inVpc('networkInterface', one?.vpcId), b)
    if (one === undefined || other === undefined || one.id === other.id) return
    this.world.put('networkInterface', { ...one, privateIpAddresses: other.privateIpAddresses })
    this.world.put('networkInterface', { ...other, privateIpAddresses: one.privateIpAddresses })
  }

  #addRouteTable (a: number): void {
    const vpc = pick(this.world.list('vpc'), a)
    if (vpc === undefined) return
    const isFirst = this.world.list('routeTable').every(({ vpcId }) => vpcId !== vpc.id)
    const table = newRouteTable(++this.#count, vpc.id)
    const main = { id: 'rtbassoc-main', subnetId: null, gatewayId: null }
    this.world.put('routeTable', isFirst ? { ...table, associations: [main] } : table)
  }

  /** Gives a subnet, or the main association, to a table, and takes it from the one that has it. */
  #associate (a: number, b: number, c: number): void {
    const table = pick(this.world.list('routeTable'), a)
    if (table === undefined) return
    const subnetIds = [null, ...this.#inVpc('subnet', table.vpcId).map(({ id }) => id)]
    const subnetId = pick(subnetIds, b) ?? null
    for (const other of this.#inVpc('routeTable', table.vpcId)) {
      const associations = other.associations.filter((one) => one.subnetId !== subnetId)
      if (associations.length === other.associations.length) continue
      this.world.put('routeTable', { ...other, associations })
    }
    if (c % 4 === 0 && subnetId !== null) return // back to the main table
    const now = this.world.get('routeTable', table.id) as RouteTable
    const association = { id: `rtbassoc-${subnetId ?? 'main'}`, subnetId, gatewayId: null }
    this.world.put('routeTable', { ...now, associations: [...now.associations, association] })
  }

  #route (a: number, b: number, c: number): void {
    const table = pick(this.world.list('routeTable'), a)
    const eni = pick(this.#inVpc('networkInterface', table?.vpcId), b)
    if (table === undefined || eni === undefined) return
    const list = pick(this.world.list('prefixList'), c)?.id ?? '::/0'
    const destination = pick([`172.16.${String(c % 3)}.0/24`, '::/0', list], c) ?? '::/0'
    const routes = table.routes.filter((route) => route.destination !== destination)
    const target = { kind: 'network-interface', networkInterfaceId: eni.id } as const
    if (c % 5 !== 0) routes.push({ destination, target, origin: 'CreateRoute' })
    this.world.put('routeTable', { ...table, routes })
  }

  #addGroup (a: number): void {
    const vpc = pick(this.world.list('vpc'), a)
    if (vpc !== undefined) {
      this.world.put('securityGroup', newSecurityGroup(++this.#count, vpc.id))
    }
  }

  /** Gives a group a rule with a block, a group or a list as its peer, or takes its rules away. */
  #changeRules (a: number, b: number, c: number): void {
    const group = pick(this.world.list('securityGroup'), a)
    const peer = pick(this.#inVpc('securityGroup', group?.vpcId), b)
    if (group === undefined || peer === undefined) return
    const list = pick(this.world.list('prefixList'), b)?.id ?? null
    const peers = [{ referencedGroupId: peer.id }, { cidrIpv4: '10.0.1.0/24' },
      { prefixListId: list }]
    const rule = newGroupRule(++this.#count, pick(peers, c) ?? {})
    this.world.put('securityGroup',
      { ...group, rules: c % 4 === 3 ? group.rules.slice(1) : [...group.rules, rule] })
  }

  /** Gives a prefix list an entry, or takes its first one away. */
  #changeList (a: number, b: number): void {
    const list = pick(this.world.list('prefixList'), a)
    if (list === undefined) return
    const entry = { cidr: `172.16.${String(b % 4)}.0/24`, description: '' }
    const others = list.entries.filter(({ cidr }) => cidr !== entry.cidr)
    this.world.put('prefixList', { ...list, version: list.version + 1,
      entries: b % 3 === 0 ? list.entries.slice(1) : [...others, entry] })
  }

  /** Puts an interface into a group, or takes it out. */
  #joinGroup (a: number, b: number): void {
    const eni = pick(this.world.list('networkInterface'), a)
    const group = pick(this.#inVpc('securityGroup', eni?.vpcId), b)
    if (eni === undefined || group === undefined) return
    const others = eni.groupIds.filter((id) => id !== group.id)
    const groupIds = others.length === eni.groupIds.length ? [...others, group.id] : others
    this.world.put('networkInterface', { ...eni, groupIds })
  }

  #addAcl (a: number): void {
    const vpc = pick(this.world.list('vpc'), a)
    if (vpc === undefined) return
    const isDefault = this.#inVpc('networkAcl', vpc.id).length === 0
    this.world.put('networkAcl', newNetworkAcl(++this.#count, vpc.id, isDefault))
  }

  #changeAcl (a: number, b: number, c: number): void {
    const acl = pick(this.world.list('networkAcl'), a)
    if (acl === undefined) return
    const entries = acl.entries.filter(({ ruleNumber }) => ruleNumber !== b)
    this.world.put('networkAcl',
      { ...acl, entries: c % 3 === 0 ? entries : [...entries, newAclEntry(b)] })
  }

  /** Gives a subnet to an ACL, and takes it from the one that has it. */
  #associateAcl (a: number, b: number): void {
    const acl = pick(this.world.list('networkAcl'), a)
    const subnet = pick(this.#inVpc('subnet', acl?.vpcId), b)
    if (acl === undefined || subnet === undefined) return
    for (const other of this.#inVpc('networkAcl', acl.vpcId)) {
      const left = other.associations.filter(({ subnetId }) => subnetId !== subnet.id)
      const associations = other.id === acl.id
        ? [...left, { id: `aclassoc-${subnet.id}`, subnetId: subnet.id }]
        : left
      this.world.put('networkAcl', { ...other, associations })
    }
  }

  /** Mirrors an interface to another one, or mirrors it no more. */
  #mirror (a: number, b: number, c: number): void {
    const source = pick(this.world.list('networkInterface'), a)
    const monitor = pick(this.world.list('networkInterface'), b)
    const filter = pick(this.world.list('trafficMirrorFilter'), c)
    if (source === undefined || monitor === undefined || filter === undefined) return
    const old = this.world.list('trafficMirrorSession').find((one) =>
      one.networkInterfaceId === source.id)
    if (c % 4 === 0 && old !== undefined) {
      this.world.remove('trafficMirrorSession', old.id)
      return
    }
    const n = ++this.#count
    const target = this.world.put('trafficMirrorTarget', newMirrorTarget(n, monitor.id))
    const session = newMirrorSession(n, n, source.id, target.id, filter.id)
    this.world.put('trafficMirrorSession', { ...session, id: old?.id ?? session.id })
  }

  /** Gives a filter a rule, or takes one away, or switches its service. */
  #changeMirrorRules (a: number, b: number): void {
    const filter = pick(this.world.list('trafficMirrorFilter'), a)
    const rule = pick(this.world.list('trafficMirrorFilterRule'), b)
    if (filter === undefined) return
    if (b % 4 === 0 && rule !== undefined) this.world.remove('trafficMirrorFilterRule', rule.id)
    else if (b % 4 === 1) {
      const networkServices = filter.networkServices.length === 0 ? ['amazon-dns'] : []
      this.world.put('trafficMirrorFilter', { ...filter, networkServices })
    } else {
      this.world.put('trafficMirrorFilterRule', newMirrorRule(++this.#count, filter.id))
    }
  }

  /** Makes, answers or ends a peering between two VPCs, of which there is one at most. */
  #peer (a: number, b: number, c: number): void {
    const one = pick(this.world.list('vpc'), a)
    const other = pick(this.world.list('vpc'), b)
    if (one === undefined || other === undefined || one.id === other.id) return
    const known = this.world.list('vpcPeeringConnection').find(({ requester, accepter }) =>
      [requester.vpcId, accepter.vpcId].toSorted().join() === [one.id, other.id].toSorted().join())
    const status = pick(['active', 'active', 'deleted', 'pending-acceptance'] as const, c)
    if (known !== undefined && c % 7 === 0) {
      this.world.remove('vpcPeeringConnection', known.id)
    } else {
      this.world.put('vpcPeeringConnection', known === undefined
        ? newPeering(++this.#count, one.id, other.id, 'active')
        : { ...known, status: status ?? 'active' })
    }
  }

  /** Gives a group a rule that names a group of another VPC, be they peered or not. */
  #nameAcross (a: number, b: number): void {
    const group = pick(this.world.list('securityGroup'), a)
    const peer = pick(this.world.list('securityGroup'), b)
    if (group === undefined || peer === undefined) return
    const rule = newGroupRule(++this.#count, { referencedGroupId: peer.id })
    this.world.put('securityGroup', { ...group, rules: [...group.rules, rule] })
  }

  #routeToPeer (a: number, b: number, c: number): void {
    const peering = pick(this.world.list('vpcPeeringConnection'), a)
    const vpcId = c % 2 === 0 ? peering?.requester.vpcId : peering?.accepter.vpcId
    const table = pick(this.#inVpc('routeTable', vpcId), b)
    if (peering === undefined || table === undefined) return
    const destination = `172.20.${String(c % 3)}.0/24`
    const routes = table.routes.filter((route) => route.destination !== destination)
    this.world.put('routeTable', { ...table, routes: [...routes, {
      destination, origin: 'CreateRoute',
      target: { kind: 'vpc-peering-connection', vpcPeeringConnectionId: peering.id }
    }] })
  }

  #tag (a: number): void {
    const tags = { Name: `n${String(++this.#count)}` }
    const eni = pick(this.world.list('networkInterface'), a)
    const subnet = pick(this.world.list('subnet'), a)
    if (eni !== undefined) this.world.put('networkInterface', { ...eni, tags })
    if (subnet !== undefined) this.world.put('subnet', { ...subnet, tags })
  }

  #toggleIpv6 (a: number): void {
    const subnet = pick(this.world.list('subnet'), a)
    if (subnet === undefined) return
    const cidrBlock = `2001:db8:0:${(++this.#count).toString(16)}::/64`
    const ipv6CidrBlocks = [{ associationId: 'subnet-cidr-assoc-1', cidrBlock }]
    this.world.put('subnet', {
      ...subnet, ipv6CidrBlocks: ipv6CidrBlocks.slice(subnet.ipv6CidrBlocks.length)
    })
  }

  #changeHost (a: number, b: number): void {
    const host = newHost(1 + a % 3)
    const underlayAddress = `fd7f::${String(1 + a % 3)}`
    const kinds = [host, { ...host, underlayMtu: 1500 }, { ...host, underlayAddress }]
    if (b % 4 === 3) this.world.remove('host', host.id)
    else this.world.put('host', pick(kinds, b) ?? host)
  }

  /** Takes away one thing that nothing else needs. */
  #dismantle (a: number): void {
    const { world } = this
    const enis = world.list('networkInterface')
    const free = enis.filter(({ attachment }) => attachment === null)
    const busy = new Set(enis.map(({ attachment }) => attachment?.instanceId))
    const filled = new Set(enis.map(({ subnetId }) => subnetId))
    const idle = world.list('instance').filter(({ id }) => !busy.has(id))
    const empty = world.list('subnet').filter(({ id }) => !filled.has(id))
    const tables = world.list('routeTable').filter(({ associations }) => associations.length === 0)
    const table = pick(tables, a)
    const groups = world.list('securityGroup').filter(({ id }) =>
      enis.every(({ groupIds }) => !groupIds.includes(id)))
    const group = pick(groups, a)
    const acl = pick(world.list('networkAcl').filter(({ isDefault, associations }) =>
      !isDefault && associations.length === 0), a)
    if (a % 3 === 0 && group !== undefined) {
      world.remove('securityGroup', group.id)
      return
    }
    if (a % 3 === 1 && acl !== undefined) {
      world.remove('networkAcl', acl.id)
      return
    }
    const eni = pick(free, a)
    const instance = pick(idle, a)
    const subnet = pick(empty, a)
    if (eni !== undefined) world.remove('networkInterface', eni.id)
    else if (instance !== undefined) world.remove('instance', instance.id)
    else if (subnet !== undefined) world.remove('subnet', subnet.id)
    else if (table !== undefined) world.remove('routeTable', table.id)
  }
}

const history = fc.array(step, { minLength: 20, maxLength: 60 })
/** Every preload bound that matters: all on demand, some of both, all in advance. */
const preloadMax = fc.constantFrom(0, 3, 1000)

test('the tables after any history of commits are those of a full compile', (t) => {
  fc.assert(fc.property(history, preloadMax, (steps, bound) => {
    const random = new RandomHistory()
    const { world } = random
    const directory = new Directory(world.snapshot, { preloadMax: bound, clock: CLOCK })
    const hosts = ['host-1', 'host-2', 'host-3'].map((name) => startWorker(world, directory, name))
    for (const now of steps) {
      random.run(now)
      if (!now.commits) continue
      const { revision, changes } = world.commit()
      directory.apply(revision, changes)
      for (const { compiler, worker } of hosts) {
        worker.apply(compiler.compileChanges(revision, changes))
        if (now.acknowledges) worker.acknowledge()
      }
    }
    const anew = new Directory(world.snapshot, { preloadMax: bound, clock: CLOCK })
    for (const { compiler, worker } of hosts) {
      const sameDirectory = startWorker(world, directory, compiler.hostName).worker
      deepEqual(worker.tables({ history: true }), sameDirectory.tables({ history: true }))
      const newDirectory = startWorker(world, anew, compiler.hostName).worker
      deepEqual(worker.tables({ history: false }), newDirectory.tables({ history: false }))
      worker.apply(compiler.compileAll())
      deepEqual(worker.tables({ history: true }), sameDirectory.tables({ history: true }))
    }
  }), { numRuns: 150, seed: 20261 })
  t.pass()
})

test('what a worker was told on demand is what it would be told now, after any history', (t) => {
  fc.assert(fc.property(history, fc.constantFrom(0, 3), (steps, bound) => {
    const random = new RandomHistory()
    const { world } = random
    const directory = new Directory(world.snapshot, { preloadMax: bound, clock: CLOCK })
    const { compiler, worker } = startWorker(world, directory, 'host-1')
    const told = new Map<string, ResolvedMessage>()
    const tell = (answer: ResolvedMessage | null): void => {
      if (answer !== null) told.set(JSON.stringify(answer.key), answer)
    }
    const ask = ({ a, b }: Step): void => {
      const eni = pick([...world.snapshot.tables.networkInterface.values()], a)
      const indices = [1, 2, 3, 4, 5, 6, 7, 8]
      const vpcIndex = indices.find((index) => compiler.idOf('vpc', index) === eni?.vpcId)
      if (eni === undefined || vpcIndex === undefined) return
      const { high: eniIdHigh, low: eniIdLow } = eniBits(eni.id)
      const inPrefix = eni.ipv4Prefixes[0]?.replace(/\.16\/28$/, '.19')
      const address = addressPrefix(inPrefix ?? eni.privateIpAddresses[0] ?? '10.0.99.99').words
      const key: MappingKey = b % 2 === 0
        ? { by: 'address', vpcIndex, address }
        : { by: 'eni', vpcIndex, eniIdHigh, eniIdLow }
      tell(compiler.resolve(key))
    }
    for (const now of steps) {
      random.run(now)
      ask(now)
      if (!now.commits) continue
      const { revision, changes } = world.commit()
      directory.apply(revision, changes)
      const update = compiler.compileChanges(revision, changes)
      const corrections = compiler.takeCorrections()
      ok(corrections.length === 0 || update !== null, 'corrections are acknowledged')
      worker.apply(update)
      for (const correction of corrections) tell(correction)
      for (const index of update?.removedVpcs ?? []) {
        for (const [name, { key }] of told) if (key.vpcIndex === index) told.delete(name)
      }
      worker.acknowledge()
    }
    for (const { key, entries } of told.values()) {
      const now = compiler.resolve(key)?.entries ?? new Uint32Array(0)
      deepEqual(worker.namedEntries(entries), worker.namedEntries(now))
    }
  }), { numRuns: 150, seed: 20262 })
  t.pass()
})
