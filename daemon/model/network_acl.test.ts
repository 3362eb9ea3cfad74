/** Network ACLs: entries, and the one ACL that each subnet has. */
import test from 'ava'
import {
  associationsOf, planCreateNetworkAcl, planCreateNetworkAclEntry, planDeleteNetworkAcl,
  planDeleteNetworkAclEntry, planReplaceNetworkAclAssociation, planReplaceNetworkAclEntry
} from './network_acl.ts'
import type { EntryInput, NetworkAcl } from './network_acl.ts'
import { requireRecord } from './resource_kind.ts'
import { TestNetwork } from './test_network.ts'

const HTTP: EntryInput = {
  ruleNumber: 100, isEgress: false, action: 'allow', protocol: '6', cidrBlock: '0.0.0.0/0',
  ipv6CidrBlock: null,
  icmpType: null, icmpCode: null, portFrom: 80, portTo: 80
}

class TestAcl extends TestNetwork {
  readonly networkAclId = this.newAcl()

  newAcl (vpcId = this.vpcId): string {
    return this.run(planCreateNetworkAcl(this.view(), { vpcId, tags: {} }, this.context))
  }

  get acl (): NetworkAcl { return requireRecord(this.view(), 'networkAcl', this.networkAclId) }

  get defaultAcl (): NetworkAcl {
    const acl = this.view().by('networkAcl', 'vpcId', this.vpcId).find(({ isDefault }) => isDefault)
    if (acl === undefined) throw new Error('no default ACL')
    return acl
  }

  create (entry: Partial<EntryInput>): string {
    const input = { networkAclId: this.networkAclId, entry: { ...HTTP, ...entry } }
    return this.refusal(() => this.run(planCreateNetworkAclEntry(this.view(), input)))
  }

  /** The ACL of a subnet and the association that says so. */
  associationOf (subnetId: string): { readonly aclId: string, readonly id: string } {
    const found = this.view().by('networkAcl', 'vpcId', this.vpcId).flatMap((acl) =>
      associationsOf(this.snapshot, acl).filter((one) => one.subnetId === subnetId).map(({ id }) =>
        ({ aclId: acl.id, id })))
    if (found.length !== 1 || found[0] === undefined) throw new Error(`${found.length} ACLs`)
    return found[0]
  }
}

test('the default ACL allows all in both families, a new one nothing', (t) => {
  const net = new TestAcl()
  t.deepEqual(net.defaultAcl.entries.map(({ ruleNumber, isEgress, action }) =>
    [ruleNumber, isEgress, action]), [
    [100, true, 'allow'], [100, false, 'allow'], [101, true, 'allow'], [101, false, 'allow']
  ])
  t.deepEqual(net.acl.entries, [])
})

for (const [what, entry, code] of [
  ['tcp 80', {}, ''],
  ['all protocols', { protocol: '-1', portFrom: null, portTo: null }, ''],
  ['ICMP echo', { protocol: 'icmp', icmpType: 8, icmpCode: -1, portFrom: null, portTo: null }, ''],
  ['an IPv6 block', { cidrBlock: null, ipv6CidrBlock: '::/0' }, ''],
  ['rule number 0', { ruleNumber: 0 }, 'InvalidParameterValue'],
  ['rule number 32767', { ruleNumber: 32_767 }, 'InvalidParameterValue'],
  ['rule number 32766', { ruleNumber: 32_766 }, ''],
  ['the action drop', { action: 'drop' }, 'InvalidParameterValue'],
  ['protocol 256', { protocol: '256' }, 'InvalidParameterValue'],
  ['no block', { cidrBlock: null }, 'MissingParameter'],
  ['both blocks', { ipv6CidrBlock: '::/0' }, 'InvalidParameterCombination'],
  ['tcp without ports', { portFrom: null, portTo: null }, 'MissingParameter'],
  ['ICMP without a type', { protocol: '1' }, 'MissingParameter'],
  ['ICMP type 256', { protocol: '1', icmpType: 256, icmpCode: 0 }, 'InvalidParameterValue'],
  ['ICMP code -2', { protocol: '1', icmpType: 8, icmpCode: -2 }, 'InvalidParameterValue'],
  ['ICMPv6 of an IPv4 block, which has no types', { protocol: '58', icmpType: 256 }, ''],
  ['ICMPv6 without a type', { protocol: '58', cidrBlock: null, ipv6CidrBlock: '::/0' },
    'MissingParameter'],
  ['ports in the wrong order', { portFrom: 81 }, 'InvalidParameterValue'],
  ['a malformed block', { cidrBlock: '10.0.0.0/40' }, 'InvalidParameterValue']
] as readonly (readonly [string, Partial<EntryInput>, string])[]) {
  test(`an entry with ${what} is ${code === '' ? 'made' : `refused with ${code}`}`, (t) => {
    t.is(new TestAcl().create(entry), code)
  })
}

test('a rule number exists once per direction, and can be replaced and deleted', (t) => {
  const net = new TestAcl()
  t.is(net.create({}), '')
  t.is(net.create({ cidrBlock: '10.0.0.0/8' }), 'NetworkAclEntryAlreadyExists')
  t.is(net.create({ isEgress: true }), '')
  const replace = (entry: Partial<EntryInput>): string =>
    net.refusal(() => net.run(planReplaceNetworkAclEntry(net.view(),
    { networkAclId: net.networkAclId, entry: { ...HTTP, ...entry } })))
  t.is(replace({ ruleNumber: 101 }), 'InvalidNetworkAclEntry.NotFound')
  t.is(replace({ action: 'deny' }), '')
  t.deepEqual(net.acl.entries.map(({ action }) => action), ['deny', 'allow'])
  const remove = (): string => net.refusal(() => net.run(planDeleteNetworkAclEntry(net.view(),
    { networkAclId: net.networkAclId, ruleNumber: 100, isEgress: false })))
  t.is(remove(), '')
  t.is(remove(), 'InvalidNetworkAclEntry.NotFound')
})

test('an entry that changes its family counts there', (t) => {
  const net = new TestAcl()
  net.setQuota('rules-per-network-acl', 1)
  t.is(net.create({}), '')
  const ipv6 = { ruleNumber: 101, cidrBlock: null, ipv6CidrBlock: '::/0' }
  t.is(net.create(ipv6), '')
  t.is(net.refusal(() => net.run(planReplaceNetworkAclEntry(net.view(),
    { networkAclId: net.networkAclId, entry: { ...HTTP, ...ipv6, ruleNumber: 100 } }))),
  'NetworkAclEntryLimitExceeded')
})

test('20 entries per direction and family', (t) => {
  const net = new TestAcl()
  for (let n = 1; n <= 20; n++) t.is(net.create({ ruleNumber: n }), '')
  t.is(net.create({ ruleNumber: 21 }), 'NetworkAclEntryLimitExceeded')
  t.is(net.create({ ruleNumber: 22, isEgress: true }), '')
  t.is(net.create({ ruleNumber: 23, cidrBlock: null, ipv6CidrBlock: '::/0' }), '')
})

test('a subnet belongs to the default ACL until its association is replaced, and can go back',
  (t) => {
  const net = new TestAcl()
  const first = net.associationOf(net.subnetId)
  t.is(first.aclId, net.defaultAcl.id)
  const move = (associationId: string, networkAclId: string): string =>
    net.run(planReplaceNetworkAclAssociation(net.view(), { associationId, networkAclId },
      net.context))
  const second = move(first.id, net.networkAclId)
  t.deepEqual(net.associationOf(net.subnetId), { aclId: net.networkAclId, id: second })
  t.is(net.associationOf(net.otherSubnetId).aclId, net.defaultAcl.id)
  t.is(net.refusal(() => move(first.id, net.networkAclId)), 'InvalidAssociationID.NotFound',
    'it is gone')
  t.is(net.refusal(() => move(second, net.newAcl(net.createVpc()))), 'InvalidParameterValue')
  t.is(net.refusal(() => planDeleteNetworkAcl(net.view(), { networkAclId: net.networkAclId })),
    'DependencyViolation')
  move(second, net.defaultAcl.id)
  t.is(net.associationOf(net.subnetId).aclId, net.defaultAcl.id)
  t.is(net.refusal(() =>
    net.run(planDeleteNetworkAcl(net.view(), { networkAclId: net.networkAclId }))), '')
  t.is(net.refusal(() => planDeleteNetworkAcl(net.view(), { networkAclId: net.defaultAcl.id })),
    'InvalidParameterValue')
})
