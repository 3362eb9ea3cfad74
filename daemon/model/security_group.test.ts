/** Security groups: which groups and rules may be made, and what keeps a group from going. */
import test from 'ava'
import { requireRecord } from './resource_kind.ts'
import { planCreateSecurityGroup, planDeleteSecurityGroup } from './security_group.ts'
import {
  planAuthorize, planModifyRules, planRevoke, planUpdateDescriptions
} from './security_group_rule.ts'
import type { PermissionInput } from './security_group_rule.ts'
import { TestNetwork } from './test_network.ts'

const SSH: PermissionInput = {
  ipProtocol: 'tcp', fromPort: 22, toPort: 22, cidrIpv4: '198.51.100.0/24', cidrIpv6: null,
  referencedGroupId: null, prefixListId: null, description: ''
}

class TestGroups extends TestNetwork {
  readonly groupId = this.createGroup('web')

  createGroup (name: string, vpcId = this.vpcId): string {
    return this.run(planCreateSecurityGroup(this.view(),
      { vpcId, name, description: 'test', tags: {} }, this.context))
  }

  get defaultGroupId (): string {
    return this.view().by('securityGroup', 'vpcId', this.vpcId).find(({ name }) =>
      name === 'default')?.id ?? ''
  }

  authorize (...permissions: Partial<PermissionInput>[]): string {
    const input = { groupId: this.groupId, isEgress: false,
      permissions: permissions.map((one) => ({ ...SSH, ...one })), tags: {} }
    return this.refusal(() => this.run(planAuthorize(this.view(), input, this.context)))
  }

  revoke (permissions: Partial<PermissionInput>[], ruleIds: readonly string[] = []): string {
    const input = { groupId: this.groupId, isEgress: false,
      permissions: permissions.map((one) => ({ ...SSH, ...one })), ruleIds }
    return this.refusal(() => this.run(planRevoke(this.view(), input)))
  }

  get ingress (): readonly (string | null)[] {
    return requireRecord(this.view(), 'securityGroup', this.groupId).rules.filter(({ isEgress }) =>
      !isEgress)
      .map(({ cidrIpv4, cidrIpv6, referencedGroupId }) => cidrIpv4 ?? cidrIpv6 ?? referencedGroupId)
  }
}

test('a new group lets nothing in and everything out, over both families of the VPC', (t) => {
  const net = new TestGroups()
  const { rules } = requireRecord(net.view(), 'securityGroup', net.groupId)
  t.deepEqual(rules.map(({ isEgress, cidrIpv4, cidrIpv6 }) => [isEgress, cidrIpv4, cidrIpv6]), [
    [true, '0.0.0.0/0', null], [true, null, '::/0']
  ])
})

test('names are unique in a VPC, and some cannot be had', (t) => {
  const net = new TestGroups()
  t.is(net.refusal(() => net.createGroup('web')), 'InvalidGroup.Duplicate')
  t.is(net.refusal(() => net.createGroup('WEB  ')), 'InvalidGroup.Duplicate',
    'neither case nor spaces at the end make another name')
  for (const name of ['default', 'Default', 'default ']) {
    t.is(net.refusal(() => net.createGroup(name)), 'InvalidGroup.Reserved')
  }
  t.is(net.refusal(() => net.createGroup('sg-web')), 'InvalidParameterValue')
  t.is(net.refusal(() => net.createGroup('x'.repeat(256))), 'InvalidParameterValue')
  t.is(net.refusal(() => net.createGroup('web', net.createVpc())), '')
  net.setQuota('security-groups-per-region', 3)
  t.is(net.refusal(() => net.createGroup('four')), 'SecurityGroupLimitExceeded')
})

for (const [what, permission, code] of [
  ['tcp 22', {}, ''],
  ['a protocol by number', { ipProtocol: '132' }, ''],
  ['all protocols', { ipProtocol: '-1', fromPort: undefined, toPort: undefined }, ''],
  ['ICMP echo', { ipProtocol: 'icmp', fromPort: 8, toPort: -1 }, ''],
  ['an IPv6 block', { cidrIpv4: null, cidrIpv6: '2001:db8::/32' }, ''],
  ['an unknown protocol', { ipProtocol: 'tpc' }, 'InvalidPermission.Malformed'],
  ['protocol 256', { ipProtocol: '256' }, 'InvalidPermission.Malformed'],
  ['no protocol', { ipProtocol: undefined }, 'MissingParameter'],
  ['all of ICMPv6', { ipProtocol: 'icmpv6', fromPort: undefined, toPort: undefined }, ''],
  ['tcp without ports', { fromPort: undefined, toPort: undefined }, 'InvalidParameterValue'],
  ['tcp with one port', { toPort: undefined }, 'InvalidParameterValue'],
  ['ICMP without a type', { ipProtocol: 'icmp', fromPort: undefined, toPort: undefined },
    'InvalidParameterValue'],
  ['ICMPv6 with a code alone', { ipProtocol: 'icmpv6', fromPort: undefined, toPort: 0 },
    'InvalidParameterValue'],
  ['one code of all ICMP types', { ipProtocol: 'icmp', fromPort: -1, toPort: 4 },
    'InvalidParameterValue'],
  ['ICMP type 256', { ipProtocol: 'icmp', fromPort: 256, toPort: -1 },
    'InvalidPermission.Malformed'],
  ['ports in the wrong order', { fromPort: 23, toPort: 22 }, 'InvalidParameterValue'],
  ['port 65536', { toPort: 65_536 }, 'InvalidPermission.Malformed'],
  ['an IPv6 block as IPv4', { cidrIpv4: '2001:db8::/32' }, 'InvalidParameterValue'],
  ['a malformed block', { cidrIpv4: '10.0.0.0/33' }, 'InvalidParameterValue'],
  ['an unknown group', { cidrIpv4: null, referencedGroupId: 'sg-0aaaaaaaaaaaaaaaa' },
    'InvalidGroup.NotFound'],
  ['a prefix list', { cidrIpv4: null, prefixListId: 'pl-0aaaaaaaaaaaaaaaa' },
    'InvalidPrefixListID.NotFound'],
  ['a description of 256 characters', { description: 'x'.repeat(256) }, 'InvalidParameterValue']
] as readonly (readonly [string, Partial<PermissionInput>, string])[]) {
  test(`a rule for ${what} is ${code === '' ? 'made' : `refused with ${code}`}`, (t) => {
    t.is(new TestGroups().authorize(permission), code)
  })
}

test('the same rule is refused twice, however it is written', (t) => {
  const net = new TestGroups()
  t.is(net.authorize({ cidrIpv4: '198.51.100.7/24', ipProtocol: '6' }), '')
  t.deepEqual(net.ingress, ['198.51.100.0/24'])
  t.is(net.authorize({ description: 'again' }), 'InvalidPermission.Duplicate')
  t.is(net.authorize({ toPort: 23 }, { toPort: 23 }), 'InvalidPermission.Duplicate')
  t.is(net.ingress.length, 1, 'all or none')
})

test('rules go by value or by id', (t) => {
  const net = new TestGroups()
  net.authorize({}, { cidrIpv4: '192.0.2.0/24' })
  t.is(net.revoke([{ toPort: 23 }]), 'InvalidPermission.NotFound')
  t.is(net.revoke([], ['sgr-0aaaaaaaaaaaaaaaa']), 'InvalidSecurityGroupRuleId.NotFound')
  t.is(net.revoke([], ['rule-1']), 'InvalidSecurityGroupRuleId.Malformed')
  t.is(net.revoke([]), 'MissingParameter')
  t.is(net.revoke([{}]), '')
  const left = requireRecord(net.view(), 'securityGroup', net.groupId).rules.find(({ isEgress }) =>
    !isEgress)
  t.is(net.revoke([{}], [left?.id ?? '']), 'InvalidParameterCombination')
  t.is(net.revoke([], [left?.id ?? '']), '')
  t.deepEqual(net.ingress, [])
})

test('60 rules per direction and family', (t) => {
  const net = new TestGroups()
  net.authorize(...Array.from({ length: 60 }, (_, n) => ({ fromPort: n, toPort: n })))
  t.is(net.authorize({ fromPort: 99, toPort: 99 }), 'RulesPerSecurityGroupLimitExceeded')
  t.is(net.authorize({ cidrIpv4: null, cidrIpv6: '::/0' }), '')
})

test('a group in use by an ENI or a rule stays, and so does the default group', (t) => {
  const net = new TestGroups()
  const remove = (groupId: string): string =>
    net.refusal(() => net.run(planDeleteSecurityGroup(net.view(), { groupId })))
  t.is(remove(net.defaultGroupId), 'CannotDelete')
  const other = net.createGroup('app')
  net.authorize({ cidrIpv4: null, referencedGroupId: other })
  t.is(remove(other), 'DependencyViolation')
  const eniId = net.createInterface({ groupIds: [net.groupId] })
  t.is(remove(net.groupId), 'DependencyViolation')
  net.apply([{ noun: 'networkInterface', id: eniId, record: null }])
  t.is(remove(net.groupId), '')
  t.is(remove(other), '')
  t.is(remove(other), 'InvalidGroup.NotFound')
})

/** A group with SSH open to two blocks. */
function withTwoRules (): { readonly net: TestGroups, readonly ids: readonly string[] } {
  const net = new TestGroups()
  net.authorize({}, { cidrIpv4: '192.0.2.0/24' })
  const { rules } = requireRecord(net.view(), 'securityGroup', net.groupId)
  return { net, ids: rules.filter(({ isEgress }) => !isEgress).map(({ id }) => id) }
}

test('a rule becomes another one and keeps its id; twins and strangers are refused', (t) => {
  const { net, ids } = withTwoRules()
  const [first = '', second = ''] = ids
  const modify = (ruleId: string, change: Partial<PermissionInput>): string => net.refusal(() =>
    net.run(planModifyRules(net.view(), { groupId: net.groupId,
      modifications: [{ ruleId, permission: { ...SSH, ...change } }] })))
  t.is(modify(first, { cidrIpv4: '192.0.2.0/24' }), 'InvalidPermission.Duplicate')
  t.is(modify('sgr-0aaaaaaaaaaaaaaaa', {}), 'InvalidSecurityGroupRuleId.NotFound')
  t.is(modify(first, { fromPort: 9, toPort: 8 }), 'InvalidParameterValue')
  t.is(modify(first, { cidrIpv4: null, referencedGroupId: net.groupId, fromPort: 80, toPort: 80 }),
    '')
  const { rules } = requireRecord(net.view(), 'securityGroup', net.groupId)
  t.like(rules.find(({ id }) => id === first),
    { isEgress: false, fromPort: 80, cidrIpv4: null, referencedGroupId: net.groupId })
  t.like(rules.find(({ id }) => id === second), { fromPort: 22, cidrIpv4: '192.0.2.0/24' })
})

test('descriptions change by value or by id, in the direction that the call names', (t) => {
  const { net, ids } = withTwoRules()
  const [first = '', second = ''] = ids
  const update = (permissions: readonly Partial<PermissionInput>[],
    byId: readonly { readonly ruleId: string, readonly description: string }[],
    isEgress = false): string => net.refusal(() =>
    net.run(planUpdateDescriptions(net.view(), { groupId: net.groupId, isEgress, byId,
      permissions: permissions.map((one) => ({ ...SSH, ...one })) })))
  t.is(update([{ description: 'office' }], []), '')
  t.is(update([], [{ ruleId: second, description: 'home' }]), '')
  t.deepEqual(requireRecord(net.view(), 'securityGroup', net.groupId).rules
    .filter(({ isEgress }) => !isEgress).map(({ description }) => description), ['office', 'home'])
  t.is(update([], [{ ruleId: second, description: 'x' }], true),
    'InvalidSecurityGroupRuleId.NotFound')
  t.is(update([{ toPort: 23 }], []), 'InvalidPermission.NotFound')
  t.is(update([], [{ ruleId: first, description: 'x'.repeat(256) }]), 'InvalidParameterValue')
  t.is(update([], []), 'MissingParameter')
  t.is(update([{}], [{ ruleId: first, description: 'x' }]), 'InvalidParameterCombination')
})
