/**
 * `vpcctl mirror-filter`: which packets a mirror session copies. Rules are tried by number, those
 * of each direction for themselves; the first that a packet matches decides. AWS, "Traffic mirror
 * filters".
 */
import type { TrafficMirrorFilter, TrafficMirrorFilterRule } from '@aws-sdk/client-ec2'
import {
  type Command, type CommandOption, defineCommand, type Input, parseInteger, TAG_OPTIONS
} from '../command.ts'
import type { Ec2Client } from '../ec2_client.ts'
import type { QueryInput } from '../ec2_query.ts'
import { CtlError, usageError } from '../exit_codes.ts'
import type { Column } from '../print/table.ts'
import { nameOf, resolveId, tagSpecification, TRAFFIC_MIRROR_FILTER } from '../resolve.ts'

/** Numbers that people write as words. Source: IANA, "Assigned Internet Protocol Numbers". */
const PROTOCOLS: Readonly<Record<string, number>> = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58 }
const PROTOCOL_MAX = 255
const NUMBER_MAX = 32_766
const PORT_MAX = 65_535
/** No condition: every protocol, every port. */
const ALL = 'all'
const ACTIONS = ['accept', 'reject']

const FILTER_COLUMNS: readonly Column<TrafficMirrorFilter>[] = [
  { header: 'mirror filter', value: (filter) => filter.TrafficMirrorFilterId ?? '' },
  { header: 'name', value: nameOf, shrinks: true },
  { header: 'ingress rules', align: 'right',
    value: (filter) => String(filter.IngressFilterRules?.length ?? 0) },
  { header: 'egress rules', align: 'right',
    value: (filter) => String(filter.EgressFilterRules?.length ?? 0) },
  { header: 'services', value: (filter) => (filter.NetworkServices ?? []).join(',') }
]

const RULE_COLUMNS: readonly Column<TrafficMirrorFilterRule>[] = [
  { header: 'direction', value: (rule) => rule.TrafficDirection ?? '' },
  { header: 'rule', value: (rule) => String(rule.RuleNumber ?? ''), align: 'right' },
  { header: 'action', value: (rule) => rule.RuleAction ?? '' },
  { header: 'protocol', value: (rule) => protocolName(rule.Protocol) },
  { header: 'from', value: (rule) => endOf(rule.SourceCidrBlock, rule.SourcePortRange) },
  { header: 'to', value: (rule) => endOf(rule.DestinationCidrBlock, rule.DestinationPortRange) }
]

const FILTER_ARGUMENT = { syntax: '<filter>', description: 'id or Name tag' }
const DIRECTION_ARGUMENT = {
  syntax: '<direction>', description: 'way of the packets', values: ['ingress', 'egress']
}
const NUMBER_ARGUMENT = { syntax: '<number>', description: 'of the rule, 1 to 32766: lower first' }

const RULE_OPTIONS: readonly CommandOption[] = [
  { flags: '--protocol <name>', description: 'tcp, udp, icmp, icmpv6, a number (default: all)' },
  { flags: '--from <cidr>', description: 'sources (default: 0.0.0.0/0)' },
  { flags: '--to <cidr>', description: 'destinations (default: 0.0.0.0/0)' },
  { flags: '--from-port <port>', description: 'source port or range, 80 or 1024-65535' },
  { flags: '--to-port <port>', description: 'destination port or range' }
]

/** Of a rule that is there: what is not given stays. */
const SET_RULE_OPTIONS: readonly CommandOption[] = [
  { flags: '--action <action>', description: 'copy or not', values: ACTIONS },
  { flags: '--number <number>', description: 'another number' },
  { flags: '--protocol <name>', description: 'tcp, udp, icmp, icmpv6, a number, all' },
  { flags: '--from <cidr>', description: 'sources' },
  { flags: '--to <cidr>', description: 'destinations' },
  { flags: '--from-port <port>', description: 'source port or range, or all' },
  { flags: '--to-port <port>', description: 'destination port or range, or all' }
]

export const mirrorFilterCommands: readonly Command[] = [
  defineCommand({
    name: 'create',
    summary: 'Create a mirror filter, which accepts nothing until it has rules',
    action: 'CreateTrafficMirrorFilter',
    options: TAG_OPTIONS,
    examples: ['vpcctl mirror-filter create --name everything'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const { TrafficMirrorFilter: filter } = await ec2.call('CreateTrafficMirrorFilter',
        tagSpecification('traffic-mirror-filter', input.tags()))
      context.output.row(filter ?? {}, FILTER_COLUMNS, (one) => one.TrafficMirrorFilterId)
    }
  }),
  defineCommand({
    name: 'list',
    summary: 'List mirror filters',
    action: 'DescribeTrafficMirrorFilters',
    examples: ['vpcctl mirror-filter list'],
    async run (context) {
      const ec2 = await context.ec2()
      const filters = await ec2.all('DescribeTrafficMirrorFilters', {},
        (page) => page.TrafficMirrorFilters)
      context.output.rows(filters, FILTER_COLUMNS, (one) => one.TrafficMirrorFilterId)
    }
  }),
  defineCommand({
    name: 'show',
    summary: 'Show the rules of a mirror filter in the order they are tried',
    action: 'DescribeTrafficMirrorFilterRules',
    arguments: [FILTER_ARGUMENT],
    examples: ['vpcctl mirror-filter show everything'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const rules = await rulesOf(ec2, input)
      context.output.rows(rules, RULE_COLUMNS, (one) => one.TrafficMirrorFilterRuleId)
    }
  }),
  defineCommand({
    name: 'add-rule',
    summary: 'Add a rule to a mirror filter',
    action: 'CreateTrafficMirrorFilterRule',
    arguments: [FILTER_ARGUMENT, DIRECTION_ARGUMENT, NUMBER_ARGUMENT,
      { syntax: '<action>', description: 'copy or not', values: ACTIONS }],
    options: RULE_OPTIONS,
    examples: ['vpcctl mirror-filter add-rule everything ingress 100 accept',
      'vpcctl mirror-filter add-rule web ingress 90 accept --protocol tcp --to-port 80'],
    async run (context, input) {
      const rule = ruleInput(input)
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, TRAFFIC_MIRROR_FILTER, input.argument('filter'))
      const { TrafficMirrorFilterRule: made } = await ec2.call('CreateTrafficMirrorFilterRule',
        { TrafficMirrorFilterId: id, ...rule })
      context.output.row(made ?? {}, RULE_COLUMNS, (one) => one.TrafficMirrorFilterRuleId)
    }
  }),
  defineCommand({
    name: 'set-rule',
    summary: 'Change a rule of a mirror filter; what is not given stays',
    action: 'ModifyTrafficMirrorFilterRule',
    arguments: [FILTER_ARGUMENT, DIRECTION_ARGUMENT, NUMBER_ARGUMENT],
    options: SET_RULE_OPTIONS,
    examples: ['vpcctl mirror-filter set-rule everything ingress 100 --action reject',
      'vpcctl mirror-filter set-rule web ingress 90 --protocol all --to-port all'],
    async run (context, input) {
      const changes = ruleChanges(input)
      const ec2 = await context.ec2()
      const TrafficMirrorFilterRuleId = await ruleIdOf(ec2, input)
      const { TrafficMirrorFilterRule: rule } = await ec2.call('ModifyTrafficMirrorFilterRule',
        { TrafficMirrorFilterRuleId, ...changes })
      context.output.row(rule ?? {}, RULE_COLUMNS, (one) => one.TrafficMirrorFilterRuleId)
    }
  }),
  defineCommand({
    name: 'delete-rule',
    summary: 'Delete a rule of a mirror filter',
    action: 'DeleteTrafficMirrorFilterRule',
    arguments: [FILTER_ARGUMENT, DIRECTION_ARGUMENT, NUMBER_ARGUMENT],
    examples: ['vpcctl mirror-filter delete-rule everything ingress 100'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const TrafficMirrorFilterRuleId = await ruleIdOf(ec2, input)
      await ec2.call('DeleteTrafficMirrorFilterRule', { TrafficMirrorFilterRuleId })
      const rule = `${input.argument('direction')} rule ${input.argument('number')}`
      context.output.done(`Deleted ${rule}.`, { TrafficMirrorFilterRuleId })
    }
  }),
  defineCommand({
    name: 'dns',
    summary: 'Say whether a mirror filter accepts what goes to and comes from the VPC\'s resolver',
    action: 'ModifyTrafficMirrorFilterNetworkServices',
    arguments: [FILTER_ARGUMENT,
      { syntax: '<state>', description: 'accepted or not', values: ['on', 'off'] }],
    examples: ['vpcctl mirror-filter dns everything on'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, TRAFFIC_MIRROR_FILTER, input.argument('filter'))
      const services = ['amazon-dns']
      const { TrafficMirrorFilter: filter } = await ec2.call(
        'ModifyTrafficMirrorFilterNetworkServices', {
          TrafficMirrorFilterId: id,
          ...input.argument('state') === 'on' ? { AddNetworkService: services }
            : { RemoveNetworkService: services }
        })
      context.output.row(filter ?? {}, FILTER_COLUMNS, (one) => one.TrafficMirrorFilterId)
    }
  }),
  defineCommand({
    name: 'delete',
    summary: 'Delete a mirror filter that no session uses, and its rules',
    action: 'DeleteTrafficMirrorFilter',
    arguments: [FILTER_ARGUMENT],
    examples: ['vpcctl mirror-filter delete everything'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, TRAFFIC_MIRROR_FILTER, input.argument('filter'))
      await ec2.call('DeleteTrafficMirrorFilter', { TrafficMirrorFilterId: id })
      context.output.done(`Deleted ${id}.`, { TrafficMirrorFilterId: id })
    }
  })
]

async function rulesOf (ec2: Ec2Client, input: Input): Promise<TrafficMirrorFilterRule[]> {
  const TrafficMirrorFilterId =
    await resolveId(ec2, TRAFFIC_MIRROR_FILTER, input.argument('filter'))
  const rules = await ec2.all('DescribeTrafficMirrorFilterRules', { TrafficMirrorFilterId },
    (page) => page.TrafficMirrorFilterRules)
  return [...rules].sort((a, b) =>
    (a.TrafficDirection ?? '').localeCompare(b.TrafficDirection ?? '') ||
    (a.RuleNumber ?? 0) - (b.RuleNumber ?? 0))
}

/** The id of the rule that direction and number name. */
async function ruleIdOf (ec2: Ec2Client, input: Input): Promise<string> {
  const direction = input.argument('direction')
  const number = ruleNumber(input)
  const rule = (await rulesOf(ec2, input)).find((one) =>
    one.TrafficDirection === direction && one.RuleNumber === number)
  if (rule?.TrafficMirrorFilterRuleId === undefined) {
    throw new CtlError('NameNotFound',
      `${input.argument('filter')} has no ${direction} rule ${String(number)}`)
  }
  return rule.TrafficMirrorFilterRuleId
}

function ruleNumber (input: Input): number {
  return parseInteger('<number>', input.argument('number'), 1, NUMBER_MAX)
}

function ruleInput (input: Input): QueryInput {
  return {
    TrafficDirection: input.argument('direction'),
    RuleNumber: ruleNumber(input),
    RuleAction: input.argument('action'),
    Protocol: protocolNumber(input.text('protocol')),
    SourceCidrBlock: input.text('from') ?? '0.0.0.0/0',
    DestinationCidrBlock: input.text('to') ?? '0.0.0.0/0',
    SourcePortRange: portRange('--from-port', input.text('fromPort')),
    DestinationPortRange: portRange('--to-port', input.text('toPort'))
  }
}

/** Options of which `all` takes a condition away, and its name among the fields of a rule. */
const REMOVABLE_FIELDS: readonly (readonly [string, string])[] = [
  ['protocol', 'protocol'], ['fromPort', 'source-port-range'], ['toPort', 'destination-port-range']
]

/** What of a rule's options was given. */
function ruleChanges (input: Input): QueryInput {
  const number = input.text('number')
  const members: QueryInput = {
    RuleNumber: number === undefined ? undefined : parseInteger('--number', number, 1, NUMBER_MAX),
    RuleAction: input.text('action'),
    Protocol: protocolNumber(input.text('protocol')),
    SourceCidrBlock: input.text('from'),
    DestinationCidrBlock: input.text('to'),
    SourcePortRange: portRange('--from-port', input.text('fromPort')),
    DestinationPortRange: portRange('--to-port', input.text('toPort'))
  }
  const given = Object.entries(members).filter(([, value]) => value !== undefined)
  const removed = REMOVABLE_FIELDS.filter(([option]) => input.text(option) === ALL)
  if (given.length === 0 && removed.length === 0) {
    throw usageError('give at least one option: what is to change of the rule')
  }
  return { ...Object.fromEntries(given), RemoveField: removed.map(([, field]) => field) }
}

function protocolNumber (text = ALL): number | undefined {
  if (text === ALL) return undefined
  return PROTOCOLS[text] ?? parseInteger('--protocol', text, 0, PROTOCOL_MAX)
}

/** `80`, `1024-65535`, or all */
function portRange (what: string, text = ALL): QueryInput | undefined {
  if (text === ALL) return undefined
  const [, from, to = from] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? []
  if (from === undefined || to === undefined) {
    throw usageError(`${what} is a port or a range, 80 or 1024-65535, not "${text}"`)
  }
  return { FromPort: parseInteger(what, from, 0, PORT_MAX), ToPort: parseInteger(what, to, 0,
    PORT_MAX) }
}

function protocolName (number: number | undefined): string {
  if (number === undefined) return 'all'
  return Object.keys(PROTOCOLS).find((name) => PROTOCOLS[name] === number) ?? String(number)
}

function endOf (cidr: string | undefined,
  ports: { FromPort?: number | undefined, ToPort?: number | undefined } | undefined): string {
  if (ports?.FromPort === undefined) return cidr ?? ''
  const [from, to] = [String(ports.FromPort), String(ports.ToPort)]
  return `${cidr ?? ''} ${from === to ? from : `${from}-${to}`}`
}
