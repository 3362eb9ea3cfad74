/**
 * EC2 actions on traffic mirroring. Rules: model/traffic_mirror_target.ts, …_filter.ts and
 * …_session.ts.
 */
import type {
  CreateTrafficMirrorFilterRequest, CreateTrafficMirrorFilterResult,
  CreateTrafficMirrorFilterRuleRequest, CreateTrafficMirrorFilterRuleResult,
  CreateTrafficMirrorSessionRequest, CreateTrafficMirrorSessionResult,
  CreateTrafficMirrorTargetRequest, CreateTrafficMirrorTargetResult,
  DeleteTrafficMirrorFilterRequest, DeleteTrafficMirrorFilterResult,
  DeleteTrafficMirrorFilterRuleRequest, DeleteTrafficMirrorFilterRuleResult,
  DeleteTrafficMirrorSessionRequest, DeleteTrafficMirrorSessionResult,
  DeleteTrafficMirrorTargetRequest, DeleteTrafficMirrorTargetResult,
  DescribeTrafficMirrorFilterRulesRequest, DescribeTrafficMirrorFilterRulesResult,
  DescribeTrafficMirrorFiltersRequest, DescribeTrafficMirrorFiltersResult,
  DescribeTrafficMirrorSessionsRequest, DescribeTrafficMirrorSessionsResult,
  DescribeTrafficMirrorTargetsRequest, DescribeTrafficMirrorTargetsResult,
  ModifyTrafficMirrorFilterNetworkServicesRequest, ModifyTrafficMirrorFilterNetworkServicesResult,
  ModifyTrafficMirrorFilterRuleRequest, ModifyTrafficMirrorFilterRuleResult,
  ModifyTrafficMirrorSessionRequest, ModifyTrafficMirrorSessionResult,
  TrafficMirrorFilter as FilterOutput, TrafficMirrorFilterRule as RuleOutput,
  TrafficMirrorNetworkService, TrafficMirrorPortRange, TrafficMirrorPortRangeRequest,
  TrafficMirrorSession as SessionOutput, TrafficMirrorTarget as TargetOutput
} from '@aws-sdk/client-ec2'
import { requireRecord } from '../../../model/resource_kind.ts'
import type { AccountView } from '../../../model/snapshot.ts'
import { printTags, tagsFromSpecifications } from '../../../model/tag.ts'
import {
  planCreateTrafficMirrorFilter, planCreateTrafficMirrorFilterRule, planDeleteTrafficMirrorFilter,
  planDeleteTrafficMirrorFilterRule, planModifyTrafficMirrorFilterNetworkServices,
  planModifyTrafficMirrorFilterRule, rulesOfFilter
} from '../../../model/traffic_mirror_filter.ts'
import type {
  FilterRuleInput, PortRange, TrafficMirrorFilter, TrafficMirrorFilterRule
} from '../../../model/traffic_mirror_filter.ts'
import {
  planCreateTrafficMirrorSession, planDeleteTrafficMirrorSession, planModifyTrafficMirrorSession
} from '../../../model/traffic_mirror_session.ts'
import type { TrafficMirrorSession } from '../../../model/traffic_mirror_session.ts'
import {
  planCreateTrafficMirrorTarget, planDeleteTrafficMirrorTarget
} from '../../../model/traffic_mirror_target.ts'
import type { TrafficMirrorTarget } from '../../../model/traffic_mirror_target.ts'
import { defineRead, defineWrite } from '../action.ts'
import type { Action } from '../action.ts'
import { describeRecords } from '../describe.ts'
import type { FilterTable } from '../describe.ts'

// ---------------------------------------------------------------------------------------- targets

const createTarget =
  defineWrite<CreateTrafficMirrorTargetRequest, string, CreateTrafficMirrorTargetResult>({
    name: 'CreateTrafficMirrorTarget',
    plan: (view, input, context) => planCreateTrafficMirrorTarget(view, {
      networkInterfaceId: input.NetworkInterfaceId ?? null,
      networkLoadBalancerArn: input.NetworkLoadBalancerArn ?? null,
      gatewayLoadBalancerEndpointId: input.GatewayLoadBalancerEndpointId ?? null,
      description: input.Description ?? '',
      tags: tagsFromSpecifications(input.TagSpecifications, 'traffic-mirror-target')
    }, context),
    print: (view, id) =>
      ({ TrafficMirrorTarget: printTarget(requireRecord(view, 'trafficMirrorTarget', id)) })
  })

const deleteTarget =
  defineWrite<DeleteTrafficMirrorTargetRequest, string, DeleteTrafficMirrorTargetResult>({
    name: 'DeleteTrafficMirrorTarget',
    plan: (view, { TrafficMirrorTargetId = '' }) =>
      planDeleteTrafficMirrorTarget(view, { targetId: TrafficMirrorTargetId }),
    print: (_view, id) => ({ TrafficMirrorTargetId: id })
  })

function printTarget (target: TrafficMirrorTarget): TargetOutput {
  return {
    TrafficMirrorTargetId: target.id, NetworkInterfaceId: target.networkInterfaceId,
    Type: 'network-interface', Description: target.description, OwnerId: target.ownerId,
    Tags: printTags(target.tags)
  }
}

/** EC2 API Reference, DescribeTrafficMirrorTargets. */
const TARGET_FILTERS: FilterTable<TrafficMirrorTarget> = {
  description: ({ description }) => description,
  'network-interface-id': ({ networkInterfaceId }) => networkInterfaceId,
  'network-load-balancer-arn': () => undefined,
  'owner-id': ({ ownerId }) => ownerId,
  'traffic-mirror-target-id': ({ id }) => id
}

const describeTargets =
  defineRead<DescribeTrafficMirrorTargetsRequest, DescribeTrafficMirrorTargetsResult>({
    name: 'DescribeTrafficMirrorTargets',
    read: (view, input) => {
      const page = describeRecords(view, 'trafficMirrorTarget', 'TrafficMirrorTargetIds',
        input.TrafficMirrorTargetIds, input, TARGET_FILTERS)
      return { TrafficMirrorTargets: page.items.map(printTarget), NextToken: page.nextToken }
    }
  })

// ---------------------------------------------------------------------------------------- filters

const createFilter =
  defineWrite<CreateTrafficMirrorFilterRequest, string, CreateTrafficMirrorFilterResult>({
    name: 'CreateTrafficMirrorFilter',
    plan: (view, input, context) => planCreateTrafficMirrorFilter(view, {
      description: input.Description ?? '',
      tags: tagsFromSpecifications(input.TagSpecifications, 'traffic-mirror-filter')
    }, context),
    print: (view, id) =>
      ({ TrafficMirrorFilter: printFilter(view, requireRecord(view, 'trafficMirrorFilter', id)) })
  })

const deleteFilter =
  defineWrite<DeleteTrafficMirrorFilterRequest, string, DeleteTrafficMirrorFilterResult>({
    name: 'DeleteTrafficMirrorFilter',
    plan: (view, { TrafficMirrorFilterId = '' }) =>
      planDeleteTrafficMirrorFilter(view, { filterId: TrafficMirrorFilterId }),
    print: (_view, id) => ({ TrafficMirrorFilterId: id })
  })

const modifyNetworkServices = defineWrite<ModifyTrafficMirrorFilterNetworkServicesRequest, string,
ModifyTrafficMirrorFilterNetworkServicesResult>({
  name: 'ModifyTrafficMirrorFilterNetworkServices',
  plan: (view, input) => planModifyTrafficMirrorFilterNetworkServices(view, {
    filterId: input.TrafficMirrorFilterId ?? '', add: input.AddNetworkServices ?? [],
    remove: input.RemoveNetworkServices ?? []
  }),
  print: (view, id) =>
    ({ TrafficMirrorFilter: printFilter(view, requireRecord(view, 'trafficMirrorFilter', id)) })
})

function printFilter (view: AccountView, filter: TrafficMirrorFilter): FilterOutput {
  const rules = rulesOfFilter(view, filter.id)
  return {
    TrafficMirrorFilterId: filter.id,
    IngressFilterRules: rules.filter(({ direction }) => direction === 'ingress').map(printRule),
    EgressFilterRules: rules.filter(({ direction }) => direction === 'egress').map(printRule),
    NetworkServices: [...filter.networkServices] as TrafficMirrorNetworkService[],
    Description: filter.description, Tags: printTags(filter.tags)
  }
}

/** EC2 API Reference, DescribeTrafficMirrorFilters. */
const FILTER_FILTERS: FilterTable<TrafficMirrorFilter> = {
  description: ({ description }) => description,
  'traffic-mirror-filter-id': ({ id }) => id
}

const describeFilters =
  defineRead<DescribeTrafficMirrorFiltersRequest, DescribeTrafficMirrorFiltersResult>({
    name: 'DescribeTrafficMirrorFilters',
    read: (view, input) => {
      const page = describeRecords(view, 'trafficMirrorFilter', 'TrafficMirrorFilterIds',
        input.TrafficMirrorFilterIds, input, FILTER_FILTERS)
      return {
        TrafficMirrorFilters: page.items.map((filter) => printFilter(view, filter)),
        NextToken: page.nextToken
      }
    }
  })

// ------------------------------------------------------------------------------------------ rules

const createRule =
  defineWrite<CreateTrafficMirrorFilterRuleRequest, string, CreateTrafficMirrorFilterRuleResult>({
    name: 'CreateTrafficMirrorFilterRule',
    plan: (view, input, context) => planCreateTrafficMirrorFilterRule(view, {
      filterId: input.TrafficMirrorFilterId ?? '',
      rule: {
        direction: input.TrafficDirection ?? '', ruleNumber: input.RuleNumber ?? 0,
        action: input.RuleAction ?? '', protocol: input.Protocol ?? null,
        sourcePorts: portsOf(input.SourcePortRange) ?? null,
        destinationPorts: portsOf(input.DestinationPortRange) ?? null,
        sourceCidrBlock: input.SourceCidrBlock ?? '',
        destinationCidrBlock: input.DestinationCidrBlock ?? '',
        description: input.Description ?? ''
      },
      tags: tagsFromSpecifications(input.TagSpecifications, 'traffic-mirror-filter-rule')
    }, context),
    print: (view, id) =>
      ({ TrafficMirrorFilterRule: printRule(requireRecord(view, 'trafficMirrorFilterRule', id)) })
  })

const modifyRule =
  defineWrite<ModifyTrafficMirrorFilterRuleRequest, string, ModifyTrafficMirrorFilterRuleResult>({
    name: 'ModifyTrafficMirrorFilterRule',
    plan: (view, input) => planModifyTrafficMirrorFilterRule(view, {
      ruleId: input.TrafficMirrorFilterRuleId ?? '',
      changes: given<FilterRuleInput>({
        direction: input.TrafficDirection, ruleNumber: input.RuleNumber, action: input.RuleAction,
        protocol: input.Protocol, sourcePorts: portsOf(input.SourcePortRange),
        destinationPorts: portsOf(input.DestinationPortRange),
        sourceCidrBlock: input.SourceCidrBlock, destinationCidrBlock: input.DestinationCidrBlock,
        description: input.Description
      }),
      removeFields: input.RemoveFields ?? []
    }),
    print: (view, id) =>
      ({ TrafficMirrorFilterRule: printRule(requireRecord(view, 'trafficMirrorFilterRule', id)) })
  })

const deleteRule =
  defineWrite<DeleteTrafficMirrorFilterRuleRequest, string, DeleteTrafficMirrorFilterRuleResult>({
    name: 'DeleteTrafficMirrorFilterRule',
    plan: (view, { TrafficMirrorFilterRuleId = '' }) =>
      planDeleteTrafficMirrorFilterRule(view, { ruleId: TrafficMirrorFilterRuleId }),
    print: (_view, id) => ({ TrafficMirrorFilterRuleId: id })
  })

/** The fields that a Modify call names. */
function given<Fields extends object> (
  fields: { readonly [F in keyof Fields]?: Fields[F] | undefined }): Partial<Fields> {
  return Object.fromEntries(Object.entries(fields)
    .filter(([, value]) => value !== undefined)) as Partial<Fields>
}

function portsOf (ports: TrafficMirrorPortRangeRequest | undefined): PortRange | undefined {
  if (ports === undefined) return undefined
  const from = ports.FromPort ?? 0
  return { from, to: ports.ToPort ?? from }
}

function printPorts (ports: PortRange | null): TrafficMirrorPortRange | undefined {
  return ports === null ? undefined : { FromPort: ports.from, ToPort: ports.to }
}

function printRule (rule: TrafficMirrorFilterRule): RuleOutput {
  return {
    TrafficMirrorFilterRuleId: rule.id, TrafficMirrorFilterId: rule.filterId,
    TrafficDirection: rule.direction, RuleNumber: rule.ruleNumber, RuleAction: rule.action,
    Protocol: rule.protocol ?? undefined,
    DestinationPortRange: printPorts(rule.destinationPorts),
    SourcePortRange: printPorts(rule.sourcePorts),
    DestinationCidrBlock: rule.destinationCidrBlock, SourceCidrBlock: rule.sourceCidrBlock,
    Description: rule.description, Tags: printTags(rule.tags)
  }
}

/** EC2 API Reference, DescribeTrafficMirrorFilterRules. */
const RULE_FILTERS: FilterTable<TrafficMirrorFilterRule> = {
  'traffic-mirror-filter-rule-id': ({ id }) => id,
  'traffic-mirror-filter-id': ({ filterId }) => filterId,
  'rule-number': ({ ruleNumber }) => ruleNumber,
  'rule-action': ({ action }) => action,
  'traffic-direction': ({ direction }) => direction,
  protocol: ({ protocol }) => protocol,
  'source-cidr-block': ({ sourceCidrBlock }) => sourceCidrBlock,
  'destination-cidr-block': ({ destinationCidrBlock }) => destinationCidrBlock,
  description: ({ description }) => description
}

const describeRules =
  defineRead<DescribeTrafficMirrorFilterRulesRequest, DescribeTrafficMirrorFilterRulesResult>({
    name: 'DescribeTrafficMirrorFilterRules',
    read: (view, input) => {
      const { TrafficMirrorFilterId: filterId } = input
      const ofFilter = filterId === undefined ? []
        : [{ Name: 'traffic-mirror-filter-id',
          Values: [requireRecord(view, 'trafficMirrorFilter', filterId).id] }]
      const page = describeRecords(view, 'trafficMirrorFilterRule', 'TrafficMirrorFilterRuleIds',
        input.TrafficMirrorFilterRuleIds,
        { ...input, Filters: [...input.Filters ?? [], ...ofFilter] }, RULE_FILTERS)
      return { TrafficMirrorFilterRules: page.items.map(printRule), NextToken: page.nextToken }
    }
  })

// --------------------------------------------------------------------------------------- sessions

const createSession =
  defineWrite<CreateTrafficMirrorSessionRequest, string, CreateTrafficMirrorSessionResult>({
    name: 'CreateTrafficMirrorSession',
    plan: (view, input, context) => planCreateTrafficMirrorSession(view, {
      networkInterfaceId: input.NetworkInterfaceId ?? '',
      targetId: input.TrafficMirrorTargetId ?? '', filterId: input.TrafficMirrorFilterId ?? '',
      sessionNumber: input.SessionNumber ?? 0, packetLength: input.PacketLength ?? null,
      virtualNetworkId: input.VirtualNetworkId ?? null, description: input.Description ?? '',
      tags: tagsFromSpecifications(input.TagSpecifications, 'traffic-mirror-session')
    }, context),
    print: (view, id) =>
      ({ TrafficMirrorSession: printSession(requireRecord(view, 'trafficMirrorSession', id)) })
  })

const modifySession =
  defineWrite<ModifyTrafficMirrorSessionRequest, string, ModifyTrafficMirrorSessionResult>({
    name: 'ModifyTrafficMirrorSession',
    plan: (view, input, context) => planModifyTrafficMirrorSession(view, {
      sessionId: input.TrafficMirrorSessionId ?? '',
      changes: given({
        targetId: input.TrafficMirrorTargetId, filterId: input.TrafficMirrorFilterId,
        sessionNumber: input.SessionNumber, packetLength: input.PacketLength,
        virtualNetworkId: input.VirtualNetworkId, description: input.Description
      }),
      removeFields: input.RemoveFields ?? []
    }, context),
    print: (view, id) =>
      ({ TrafficMirrorSession: printSession(requireRecord(view, 'trafficMirrorSession', id)) })
  })

const deleteSession =
  defineWrite<DeleteTrafficMirrorSessionRequest, string, DeleteTrafficMirrorSessionResult>({
    name: 'DeleteTrafficMirrorSession',
    plan: (view, { TrafficMirrorSessionId = '' }) =>
      planDeleteTrafficMirrorSession(view, { sessionId: TrafficMirrorSessionId }),
    print: (_view, id) => ({ TrafficMirrorSessionId: id })
  })

function printSession (session: TrafficMirrorSession): SessionOutput {
  return {
    TrafficMirrorSessionId: session.id, TrafficMirrorTargetId: session.targetId,
    TrafficMirrorFilterId: session.filterId, NetworkInterfaceId: session.networkInterfaceId,
    OwnerId: session.ownerId, PacketLength: session.packetLength ?? undefined,
    SessionNumber: session.sessionNumber, VirtualNetworkId: session.virtualNetworkId,
    Description: session.description, Tags: printTags(session.tags)
  }
}

/** EC2 API Reference, DescribeTrafficMirrorSessions. */
const SESSION_FILTERS: FilterTable<TrafficMirrorSession> = {
  description: ({ description }) => description,
  'network-interface-id': ({ networkInterfaceId }) => networkInterfaceId,
  'owner-id': ({ ownerId }) => ownerId,
  'packet-length': ({ packetLength }) => packetLength,
  'session-number': ({ sessionNumber }) => sessionNumber,
  'traffic-mirror-filter-id': ({ filterId }) => filterId,
  'traffic-mirror-session-id': ({ id }) => id,
  'traffic-mirror-target-id': ({ targetId }) => targetId,
  'virtual-network-id': ({ virtualNetworkId }) => virtualNetworkId
}

const describeSessions =
  defineRead<DescribeTrafficMirrorSessionsRequest, DescribeTrafficMirrorSessionsResult>({
    name: 'DescribeTrafficMirrorSessions',
    read: (view, input) => {
      const page = describeRecords(view, 'trafficMirrorSession', 'TrafficMirrorSessionIds',
        input.TrafficMirrorSessionIds, input, SESSION_FILTERS)
      return { TrafficMirrorSessions: page.items.map(printSession), NextToken: page.nextToken }
    }
  })

export const trafficMirrorActions: readonly Action[] = [
  createTarget, deleteTarget, describeTargets,
  createFilter, deleteFilter, describeFilters, modifyNetworkServices,
  createRule, modifyRule, deleteRule, describeRules,
  createSession, modifySession, deleteSession, describeSessions
]
