/**
 * What a changed rule costs, in events: one table on each host that holds the VPC, whatever the
 * number of ENIs, and no mapping (bench/policy.ts has the milliseconds).
 *
 *     VPC 1, subnet 10.0.1.0/24, 100 ENIs in one group, half on host-1, half on host-2
 *     VPC 2, one ENI on host-3
 */
import test from 'ava'
import { MAPPING_SHARDS } from '../dataplane/tables/mapping_shard.ts'
import type { TableUpdate } from '../dataplane/tables/update.ts'
import { Directory } from '../mapping/directory.ts'
import type { SecurityGroup } from '../model/security_group.ts'
import { HostCompiler } from './host_compiler.ts'
import {
  World, attached, newAclEntry, newGroupRule, newHost, newInstance, newInterface, newNetworkAcl,
  newRouteTable, newSecurityGroup, newSubnet, newVpc
} from './test_world.ts'

const ENIS = 100
const HOSTS = [1, 2, 3]
const CLOCK = { nowMs: () => 0, monotonicMs: () => 0 }

class Lab {
  readonly world = new World()
  readonly directory: Directory
  readonly group: SecurityGroup
  readonly compilers: readonly HostCompiler[]

  constructor () {
    const { world } = this
    for (const n of HOSTS) world.put('host', newHost(n))
    this.group = this.#addVpc(1, ENIS, (index) => `host-${String(1 + index % 2)}`)
    this.#addVpc(2, 1, () => 'host-3')
    world.commit()
    this.directory = new Directory(world.snapshot)
    this.compilers = HOSTS.map((n) => new HostCompiler({
      hostName: `host-${String(n)}`, snapshot: world.snapshot, directory: this.directory,
      clock: CLOCK
    }))
    for (const compiler of this.compilers) compiler.compileAll()
  }

  #addVpc (n: number, enis: number, hostOf: (index: number) => string): SecurityGroup {
    const { world } = this
    const vpc = world.put('vpc', newVpc(n))
    const association = { id: 'rtbassoc-0000000000000000a', subnetId: null, gatewayId: null }
    world.put('routeTable', { ...newRouteTable(n, vpc.id), associations: [association] })
    const subnet = world.put('subnet', newSubnet(n, vpc.id))
    world.put('networkAcl', newNetworkAcl(n, vpc.id, true))
    const group = world.put('securityGroup', newSecurityGroup(n, vpc.id))
    for (let index = 0; index < enis; index++) {
      const number = n * 1000 + index
      const instance = world.put('instance', newInstance(number, subnet, hostOf(index)))
      const eni = newInterface(number, subnet, `10.0.${String(n)}.${String(10 + index)}`)
      world.put('networkInterface', { ...attached(eni, instance.id), groupIds: [group.id] })
    }
    return group
  }

  /** @returns the updates of all hosts */
  commit (): (TableUpdate | null)[] {
    const { revision, changes } = this.world.commit()
    this.directory.apply(revision, changes)
    return this.compilers.map((compiler) => compiler.compileChanges(revision, changes))
  }

  /** How many objects of each table all hosts have built so far. */
  built (): Record<string, number>[] {
    return this.compilers.map(({ counters }) => ({ ...counters.built }))
  }

  /** The same since `before`, without zeros. */
  builtSince (before: readonly Record<string, number>[]): Record<string, number>[] {
    return this.built().map((counts, host) => Object.fromEntries(Object.entries(counts)
      .map(([table, count]) => [table, count - (before[host]?.[table] ?? 0)] as const)
      .filter(([, count]) => count > 0)))
  }
}

test('a changed group rule builds the group once on each host of the VPC, no more', (t) => {
  const lab = new Lab()
  const before = lab.built()
  const rules = [newGroupRule(1, { cidrIpv4: '192.0.2.0/24' })]
  lab.world.put('securityGroup', { ...lab.group, rules })
  const updates = lab.commit()
  t.deepEqual(lab.builtSince(before), [{ securityGroups: 1 }, { securityGroups: 1 }, {}])
  t.is(updates[2], null, 'a host without the VPC hears nothing')
  for (const update of updates.slice(0, 2)) {
    t.deepEqual(Object.keys(update ?? {}).sort(), ['kind', 'revision', 'securityGroups'])
  }
})

test('the first rule that names a group brings its members once, later ones bring none', (t) => {
  const lab = new Lab()
  const naming = (n: number): ReturnType<typeof newGroupRule> =>
    newGroupRule(n, { referencedGroupId: lab.group.id })
  let before = lab.built()
  lab.world.put('securityGroup', { ...lab.group, rules: [naming(1)] })
  lab.commit()
  const [first] = lab.builtSince(before)
  t.is(first?.['securityGroups'], 1)
  t.is(first?.['mappings'], undefined)
  t.true((first?.['groupMembers'] ?? 0) > 0 && (first?.['groupMembers'] ?? 0) <= MAPPING_SHARDS)

  before = lab.built()
  lab.world.put('securityGroup', { ...lab.group, rules: [naming(1), naming(3)] })
  lab.commit()
  t.deepEqual(lab.builtSince(before), [{ securityGroups: 1 }, { securityGroups: 1 }, {}])
})

test('a changed ACL entry builds the ACL once on each host of the VPC, no more', (t) => {
  const lab = new Lab()
  const before = lab.built()
  const [acl] = lab.world.list('networkAcl')
  if (acl === undefined) return t.fail('there is an ACL')
  lab.world.put('networkAcl', { ...acl, entries: [newAclEntry(100)] })
  lab.commit()
  t.deepEqual(lab.builtSince(before), [{ networkAcls: 1 }, { networkAcls: 1 }, {}])
})
