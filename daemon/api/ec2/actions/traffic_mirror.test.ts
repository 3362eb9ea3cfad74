/** Traffic mirroring through the SDK's client: what is shown, and how rules are found. */
import {
  CreateTrafficMirrorFilterCommand, CreateTrafficMirrorFilterRuleCommand,
  CreateTrafficMirrorSessionCommand, CreateTrafficMirrorTargetCommand,
  DeleteTrafficMirrorSessionCommand, DescribeTrafficMirrorFilterRulesCommand,
  DescribeTrafficMirrorFiltersCommand, DescribeTrafficMirrorSessionsCommand,
  DescribeTrafficMirrorTargetsCommand, ModifyTrafficMirrorFilterNetworkServicesCommand,
  ModifyTrafficMirrorFilterRuleCommand, ModifyTrafficMirrorSessionCommand
} from '@aws-sdk/client-ec2'
import test from 'ava'
import { TestNetwork } from '../../../model/test_network.ts'
import { testClient } from '../test_caller.ts'

test('a session, its filter and its target are shown as they were given', async (t) => {
  const net = new TestNetwork()
  const ec2 = testClient(net)
  const [source, monitor] = [net.createInterface(), net.createInterface()]
  const { TrafficMirrorTarget: target } = await ec2.send(new CreateTrafficMirrorTargetCommand({
    NetworkInterfaceId: monitor, Description: 'ids',
    TagSpecifications: [{ ResourceType: 'traffic-mirror-target',
      Tags: [{ Key: 'Name', Value: 'monitor' }] }]
  }))
  t.like(target, { NetworkInterfaceId: monitor, Type: 'network-interface', Description: 'ids',
    Tags: [{ Key: 'Name', Value: 'monitor' }] })
  const { TrafficMirrorFilter: filter } = await ec2.send(
    new CreateTrafficMirrorFilterCommand({ Description: 'web' }))
  const TrafficMirrorFilterId = filter?.TrafficMirrorFilterId
  const { TrafficMirrorFilterRule: rule } = await ec2.send(
    new CreateTrafficMirrorFilterRuleCommand({
      TrafficMirrorFilterId, TrafficDirection: 'ingress', RuleNumber: 10, RuleAction: 'accept',
      Protocol: 6, DestinationPortRange: { FromPort: 80, ToPort: 90 },
      SourceCidrBlock: '0.0.0.0/0', DestinationCidrBlock: '10.0.0.0/16'
    }))
  t.like(rule, { Protocol: 6, DestinationPortRange: { FromPort: 80, ToPort: 90 } })
  const modified = await ec2.send(new ModifyTrafficMirrorFilterRuleCommand(
    { TrafficMirrorFilterRuleId: rule?.TrafficMirrorFilterRuleId, RuleAction: 'reject' }))
  t.is(modified.TrafficMirrorFilterRule?.RuleAction, 'reject')
  await ec2.send(new ModifyTrafficMirrorFilterNetworkServicesCommand(
    { TrafficMirrorFilterId, AddNetworkServices: ['amazon-dns'] }))
  const { TrafficMirrorFilters: [shown] = [] } = await ec2.send(
    new DescribeTrafficMirrorFiltersCommand({}))
  t.like(shown, { Description: 'web', NetworkServices: ['amazon-dns'], EgressFilterRules: [] })
  t.is(shown?.IngressFilterRules?.[0]?.RuleNumber, 10)

  const { TrafficMirrorSession: session } = await ec2.send(new CreateTrafficMirrorSessionCommand({
    NetworkInterfaceId: source, TrafficMirrorTargetId: target?.TrafficMirrorTargetId,
    TrafficMirrorFilterId, SessionNumber: 3, PacketLength: 128, VirtualNetworkId: 77
  }))
  t.like(session, { SessionNumber: 3, PacketLength: 128, VirtualNetworkId: 77,
    NetworkInterfaceId: source })
  const TrafficMirrorSessionId = session?.TrafficMirrorSessionId
  const changed = await ec2.send(new ModifyTrafficMirrorSessionCommand(
    { TrafficMirrorSessionId, RemoveFields: ['packet-length'], SessionNumber: 4 }))
  t.like(changed.TrafficMirrorSession, { SessionNumber: 4, VirtualNetworkId: 77 })
  t.is(changed.TrafficMirrorSession?.PacketLength, undefined)
  const found = await ec2.send(new DescribeTrafficMirrorSessionsCommand({ Filters: [
    { Name: 'session-number', Values: ['4'] }, { Name: 'network-interface-id', Values: [source] }
  ] }))
  t.is(found.TrafficMirrorSessions?.length, 1)
  const ended = await ec2.send(new DeleteTrafficMirrorSessionCommand({ TrafficMirrorSessionId }))
  t.is(ended.TrafficMirrorSessionId, TrafficMirrorSessionId)
  t.deepEqual((await ec2.send(new DescribeTrafficMirrorSessionsCommand({}))).TrafficMirrorSessions,
    [])
  t.is((await ec2.send(new DescribeTrafficMirrorTargetsCommand({ Filters: [{ Name: 'tag:Name',
    Values: ['mon*'] }] }))).TrafficMirrorTargets?.length, 1)
})

test('rules are listed of one filter, and found by what they say', async (t) => {
  const net = new TestNetwork()
  const ec2 = testClient(net)
  const newFilter = async (direction: 'ingress' | 'egress'): Promise<string> => {
    const { TrafficMirrorFilter: filter } = await ec2.send(
      new CreateTrafficMirrorFilterCommand({}))
    await ec2.send(new CreateTrafficMirrorFilterRuleCommand({
      TrafficMirrorFilterId: filter?.TrafficMirrorFilterId, TrafficDirection: direction,
      RuleNumber: 1, RuleAction: 'accept', SourceCidrBlock: '::/0', DestinationCidrBlock: '::/0'
    }))
    return filter?.TrafficMirrorFilterId ?? ''
  }
  const [first] = [await newFilter('ingress'), await newFilter('egress')]
  const of = await ec2.send(new DescribeTrafficMirrorFilterRulesCommand(
    { TrafficMirrorFilterId: first }))
  t.deepEqual(of.TrafficMirrorFilterRules?.map((rule) => rule.TrafficDirection), ['ingress'])
  const egress = await ec2.send(new DescribeTrafficMirrorFilterRulesCommand(
    { Filters: [{ Name: 'traffic-direction', Values: ['egress'] }] }))
  t.is(egress.TrafficMirrorFilterRules?.length, 1)
})
