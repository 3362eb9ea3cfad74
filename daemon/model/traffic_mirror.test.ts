/** Traffic mirroring: targets, filters with their rules, sessions, and what refuses them. */
import test from 'ava'
import { removalOf } from './network_interface.ts'
import { TestNetwork } from './test_network.ts'
import {
  planCreateTrafficMirrorFilter, planCreateTrafficMirrorFilterRule, planDeleteTrafficMirrorFilter,
  planDeleteTrafficMirrorFilterRule, planModifyTrafficMirrorFilterNetworkServices,
  planModifyTrafficMirrorFilterRule, rulesOfFilter
} from './traffic_mirror_filter.ts'
import type { FilterRuleInput } from './traffic_mirror_filter.ts'
import {
  planCreateTrafficMirrorSession, planDeleteTrafficMirrorSession, planModifyTrafficMirrorSession
} from './traffic_mirror_session.ts'
import type { SessionInput, TrafficMirrorSession } from './traffic_mirror_session.ts'
import {
  planCreateTrafficMirrorTarget, planDeleteTrafficMirrorTarget
} from './traffic_mirror_target.ts'
import type { NewTrafficMirrorTarget } from './traffic_mirror_target.ts'

const RULE: FilterRuleInput = {
  direction: 'ingress', ruleNumber: 100, action: 'accept', protocol: null, sourcePorts: null,
  destinationPorts: null, sourceCidrBlock: '0.0.0.0/0', destinationCidrBlock: '10.0.0.0/16',
  description: ''
}

class MirrorNetwork extends TestNetwork {
  readonly targetEni = this.createInterface()
  readonly sourceEni = this.createInterface()
  readonly targetId = this.target({ networkInterfaceId: this.targetEni })
  readonly filterId = this.run(planCreateTrafficMirrorFilter(this.view(),
    { description: '', tags: {} }, this.context))

  target (input: Partial<NewTrafficMirrorTarget>): string {
    return this.run(planCreateTrafficMirrorTarget(this.view(), {
      networkInterfaceId: null, networkLoadBalancerArn: null, gatewayLoadBalancerEndpointId: null,
      description: '', tags: {}, ...input
    }, this.context))
  }

  rule (changes: Partial<FilterRuleInput> = {}): string {
    return this.run(planCreateTrafficMirrorFilterRule(this.view(),
      { filterId: this.filterId, rule: { ...RULE, ...changes }, tags: {} }, this.context))
  }

  session (changes: Partial<SessionInput> & { readonly networkInterfaceId?: string } = {}): string {
    return this.run(planCreateTrafficMirrorSession(this.view(), {
      networkInterfaceId: this.sourceEni, targetId: this.targetId, filterId: this.filterId,
      sessionNumber: 1, packetLength: null, virtualNetworkId: null, description: '', tags: {},
      ...changes
    }, this.context))
  }

  modify (sessionId: string, changes: Partial<SessionInput>,
    removeFields: readonly string[] = []): TrafficMirrorSession | undefined {
    this.run(planModifyTrafficMirrorSession(this.view(), { sessionId, changes, removeFields },
      this.context))
    return this.view().get('trafficMirrorSession', sessionId)
  }
}

test('a target is one ENI, and what cannot be made yet is not found', (t) => {
  const net = new MirrorNetwork()
  const refused = (input: Partial<NewTrafficMirrorTarget>): string =>
    net.refusal(() => net.target(input))
  t.is(refused({}), 'MissingParameter')
  t.is(refused({ networkInterfaceId: net.sourceEni, networkLoadBalancerArn: 'arn:x' }),
    'InvalidParameterCombination')
  t.is(refused({ networkLoadBalancerArn: 'arn:x' }), 'NetworkLoadBalancerNotFoundException')
  t.is(refused({ gatewayLoadBalancerEndpointId: 'vpce-00000000000000001' }),
    'InvalidVpcEndpointId.NotFound')
  t.is(refused({ networkInterfaceId: 'eni-00000000000000099' }),
    'InvalidNetworkInterfaceID.NotFound')
  t.is(refused({ networkInterfaceId: net.targetEni }), 'InterfaceInUseByTrafficMirrorTarget')
  net.session()
  t.is(refused({ networkInterfaceId: net.sourceEni }), 'InterfaceInUseByTrafficMirrorSession')
})

test('what a session uses cannot be deleted; an ENI that is a source or target can', (t) => {
  const net = new MirrorNetwork()
  const sessionId = net.session()
  net.rule()
  const { targetId, filterId } = net
  const deleteBoth = (): string[] => [
    net.refusal(() => net.run(planDeleteTrafficMirrorTarget(net.view(), { targetId }))),
    net.refusal(() => net.run(planDeleteTrafficMirrorFilter(net.view(), { filterId })))]
  t.deepEqual(deleteBoth(), ['TrafficMirrorTargetInUseException', 'TrafficMirrorFilterInUse'])
  net.apply(removalOf(net.snapshot, net.targetEni))
  net.run(planDeleteTrafficMirrorSession(net.view(), { sessionId }))
  t.deepEqual(deleteBoth(), ['', ''])
  t.is(net.view().list('trafficMirrorFilterRule').length, 0, 'the rules go with their filter')
})

test('rules are by number within their direction, 10 of a filter', (t) => {
  const net = new MirrorNetwork()
  net.rule({ ruleNumber: 200 })
  net.rule({ ruleNumber: 100 })
  net.rule({ ruleNumber: 100, direction: 'egress' })
  t.deepEqual(rulesOfFilter(net.view(), net.filterId)
    .filter(({ direction }) => direction === 'ingress').map(({ ruleNumber }) => ruleNumber),
  [100, 200])
  t.is(net.refusal(() => net.rule()), 'TrafficMirrorFilterRuleAlreadyExists')
  for (let ruleNumber = 1; ruleNumber <= 7; ruleNumber++) net.rule({ ruleNumber })
  t.is(net.refusal(() => net.rule({ ruleNumber: 8 })), 'TrafficMirrorFilterRuleLimitExceeded')
})

test('a rule that makes no sense is refused', (t) => {
  const net = new MirrorNetwork()
  const wrong: Partial<FilterRuleInput>[] = [
    { ruleNumber: 0 }, { ruleNumber: 32_767 }, { direction: 'both' }, { action: 'allow' },
    { protocol: 256 }, { destinationPorts: { from: 80, to: 80 } },
    { protocol: 1, sourcePorts: { from: 80, to: 80 } },
    { protocol: 6, destinationPorts: { from: 81, to: 80 } },
    { protocol: 17, sourcePorts: { from: 1, to: 65_536 } },
    { sourceCidrBlock: '10.0.0.0' }, { sourceCidrBlock: '2001:db8::/32' }
  ]
  for (const changes of wrong) {
    t.is(net.refusal(() => net.rule(changes)), 'InvalidParameterValue', JSON.stringify(changes))
  }
})

test('a rule is modified field by field, and loses fields', (t) => {
  const net = new MirrorNetwork()
  const ruleId = net.rule({ protocol: 6, destinationPorts: { from: 80, to: 80 } })
  const modify = (changes: Partial<FilterRuleInput>,
    removeFields: readonly string[] = []): string => net.refusal(() =>
    net.run(planModifyTrafficMirrorFilterRule(net.view(), { ruleId, changes, removeFields })))
  t.is(modify({ action: 'reject' }), '')
  t.like(net.view().get('trafficMirrorFilterRule', ruleId),
    { action: 'reject', protocol: 6, destinationPorts: { from: 80, to: 80 } })
  t.is(modify({}, ['protocol']), 'InvalidParameterValue', 'ports need it')
  t.is(modify({}, ['protocol', 'destination-port-range']), '')
  t.is(modify({}, ['rule-number']), 'InvalidParameterValue')
  net.run(planDeleteTrafficMirrorFilterRule(net.view(), { ruleId }))
  t.is(modify({ action: 'accept' }), 'InvalidTrafficMirrorFilterRuleId.NotFound')
})

test('network services come and go', (t) => {
  const net = new MirrorNetwork()
  const { filterId } = net
  const modify = (add: readonly string[], remove: readonly string[]): string =>
    net.refusal(() => net.run(planModifyTrafficMirrorFilterNetworkServices(net.view(),
      { filterId, add, remove })))
  const services = (): readonly string[] | undefined =>
    net.view().get('trafficMirrorFilter', filterId)?.networkServices
  t.is(modify(['amazon-dns'], []), '')
  t.is(modify(['amazon-dns'], []), '')
  t.deepEqual(services(), ['amazon-dns'])
  t.is(modify([], ['amazon-dns']), '')
  t.deepEqual(services(), [])
  t.is(modify(['amazon-ntp'], []), 'InvalidParameterValue')
})

test('sessions of a source have numbers of their own, three at most', (t) => {
  const net = new MirrorNetwork()
  net.session()
  t.is(net.refusal(() => net.session()), 'InvalidParameterValue')
  net.session({ sessionNumber: 2 })
  net.session({ sessionNumber: 3 })
  t.is(net.refusal(() => net.session({ sessionNumber: 4 })),
    'TrafficMirrorSessionsPerInterfaceLimitExceeded')
  net.session({ networkInterfaceId: net.createInterface() })
  const ids = net.view().list('trafficMirrorSession').map((one) => one.virtualNetworkId)
  t.is(new Set(ids).size, 4, 'virtual network ids differ')
})

test('a session that makes no sense is refused', (t) => {
  const net = new MirrorNetwork()
  const refused = (changes: Parameters<MirrorNetwork['session']>[0]): string =>
    net.refusal(() => net.session(changes))
  t.is(refused({ networkInterfaceId: net.targetEni }), 'InterfaceInUseByTrafficMirrorTarget')
  t.is(refused({ targetId: 'tmt-00000000000000001' }), 'InvalidTrafficMirrorTargetId.NotFound')
  t.is(refused({ filterId: 'tmf-1' }), 'InvalidTrafficMirrorFilterId.Malformed')
  for (const changes of [{ sessionNumber: 0 }, { sessionNumber: 32_767 }, { packetLength: 0 },
    { packetLength: 65_550 }, { virtualNetworkId: -1 }, { virtualNetworkId: 0x1000000 }]) {
    t.is(refused(changes), 'InvalidParameterValue', JSON.stringify(changes))
  }
})

test('a target takes ten sources', (t) => {
  const net = new MirrorNetwork()
  for (let count = 0; count < 10; count++) {
    net.session({ networkInterfaceId: net.createInterface() })
  }
  t.is(net.refusal(() => net.session()), 'TrafficMirrorSourcesPerTargetLimitExceeded')
})

test('a session is modified field by field, and loses fields', (t) => {
  const net = new MirrorNetwork()
  const id = net.session({ packetLength: 128, virtualNetworkId: 7, description: 'watch' })
  t.like(net.modify(id, { sessionNumber: 9 }),
    { sessionNumber: 9, packetLength: 128, virtualNetworkId: 7, description: 'watch' })
  t.like(net.modify(id, {}, ['packet-length', 'description']),
    { packetLength: null, description: '', virtualNetworkId: 7 })
  t.not(net.modify(id, {}, ['virtual-network-id'])?.virtualNetworkId, 7)
  t.is(net.refusal(() => net.modify(id, {}, ['session-number'])), 'InvalidParameterValue')
  const other = net.session({ sessionNumber: 2 })
  t.is(net.refusal(() => net.modify(other, { sessionNumber: 9 })), 'InvalidParameterValue')
})
