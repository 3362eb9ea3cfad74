/**
 * `vpcctl mirror`, `mirror-target` and `mirror-filter`: traffic mirroring. A session copies what a
 * filter accepts of one ENI to a target. AWS, "Traffic Mirroring".
 *
 *     mirror-target create ──────────────┐
 *     mirror-filter create ── add-rule ──┴─▶ mirror create <eni> <target> <filter>
 */
import type {
  TrafficMirrorFilter, TrafficMirrorFilterRule, TrafficMirrorSession, TrafficMirrorTarget
} from '@aws-sdk/client-ec2'
import {
  type Command, type CommandOption, defineCommand, type Input, parseInteger, TAG_OPTIONS
} from '../command.ts'
import type { Ec2Client } from '../ec2_client.ts'
import type { QueryInput } from '../ec2_query.ts'
import { CtlError, usageError } from '../exit_codes.ts'
import type { Column } from '../print/table.ts'
import {
  nameOf, NETWORK_INTERFACE, resolveId, tagSpecification, TRAFFIC_MIRROR_FILTER,
  TRAFFIC_MIRROR_SESSION, TRAFFIC_MIRROR_TARGET
} from '../resolve.ts'

/** Numbers that people write as words. Source: IANA, "Assigned Internet Protocol Numbers". */
const PROTOCOLS: Readonly<Record<string, number>> = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58 }
const PROTOCOL_MAX = 255
const NUMBER_MAX = 32_766
const VIRTUAL_NETWORK_ID_MAX = 0xffffff
const PACKET_LENGTH_MAX = 65_549
const PORT_MAX = 65_535

const SESSION_COLUMNS: readonly Column<TrafficMirrorSession>[] = [
  { header: 'mirror session', value: (session) => session.TrafficMirrorSessionId ?? '' },
  { header: 'name', value: nameOf, shrinks: true },
  { header: 'number', value: (session) => String(session.SessionNumber ?? ''), align: 'right' },
  { header: 'source', value: (session) => session.NetworkInterfaceId ?? '' },
  { header: 'target', value: (session) => session.TrafficMirrorTargetId ?? '' },
  { header: 'filter', value: (session) => session.TrafficMirrorFilterId ?? '' },
  { header: 'vni', value: (session) => String(session.VirtualNetworkId ?? ''), align: 'right' },
  { header: 'bytes', value: (session) => String(session.PacketLength ?? 'all'), align: 'right' }
]

const TARGET_COLUMNS: readonly Column<TrafficMirrorTarget>[] = [
  { header: 'mirror target', value: (target) => target.TrafficMirrorTargetId ?? '' },
  { header: 'name', value: nameOf, shrinks: true },
  { header: 'eni', value: (target) => target.NetworkInterfaceId ?? '' }
]

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

const SESSION_ARGUMENT = { syntax: '<session>', description: 'id or Name tag' }
const TARGET_ARGUMENT = { syntax: '<target>', description: 'id or Name tag' }
const FILTER_ARGUMENT = { syntax: '<filter>', description: 'id or Name tag' }
const DIRECTION_ARGUMENT = {
  syntax: '<direction>', description: 'way of the packets', values: ['ingress', 'egress']
}
const NUMBER_ARGUMENT = { syntax: '<number>', description: 'of the rule, 1 to 32766: lower first' }

const SESSION_OPTIONS: readonly CommandOption[] = [
  { flags: '--number <number>', description: 'lower is asked first (default: 1)' },
  { flags: '--vni <vni>', description: 'VXLAN network identifier (default: a free one)' },
  { flags: '--bytes <bytes>', description: 'of each frame to keep (default: all)' }
]

const RULE_OPTIONS: readonly CommandOption[] = [
  { flags: '--protocol <name>', description: 'tcp, udp, icmp, icmpv6, a number (default: all)' },
  { flags: '--from <cidr>', description: 'sources (default: 0.0.0.0/0)' },
  { flags: '--to <cidr>', description: 'destinations (default: 0.0.0.0/0)' },
  { flags: '--from-port <port>', description: 'source port or range, 80 or 1024-65535' },
  { flags: '--to-port <port>', description: 'destination port or range' }
]

export const mirrorCommands: readonly Command[] = [
  defineCommand({
    name: 'create',
    summary: 'Copy what a filter accepts of an ENI to a target, from now on',
    action: 'CreateTrafficMirrorSession',
    arguments: [{ syntax: '<eni>', description: 'the source: id or Name tag' }, TARGET_ARGUMENT,
      FILTER_ARGUMENT],
    options: [...SESSION_OPTIONS, ...TAG_OPTIONS],
    examples: ['vpcctl mirror create web monitor everything --name watch'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const [source, target, filter] = [
        await resolveId(ec2, NETWORK_INTERFACE, input.argument('eni')),
        await resolveId(ec2, TRAFFIC_MIRROR_TARGET, input.argument('target')),
        await resolveId(ec2, TRAFFIC_MIRROR_FILTER, input.argument('filter'))]
      const { TrafficMirrorSession: session } = await ec2.call('CreateTrafficMirrorSession', {
        NetworkInterfaceId: source, TrafficMirrorTargetId: target, TrafficMirrorFilterId: filter,
        SessionNumber: 1, ...sessionInput(input),
        ...tagSpecification('traffic-mirror-session', input.tags())
      })
      context.output.row(session ?? {}, SESSION_COLUMNS, (one) => one.TrafficMirrorSessionId)
    }
  }),
  defineCommand({
    name: 'list',
    summary: 'List mirror sessions',
    action: 'DescribeTrafficMirrorSessions',
    examples: ['vpcctl mirror list'],
    async run (context) {
      const ec2 = await context.ec2()
      const sessions = await ec2.all('DescribeTrafficMirrorSessions', {},
        (page) => page.TrafficMirrorSessions)
      context.output.rows(sessions, SESSION_COLUMNS, (one) => one.TrafficMirrorSessionId)
    }
  }),
  defineCommand({
    name: 'set',
    summary: 'Change a mirror session',
    action: 'ModifyTrafficMirrorSession',
    arguments: [SESSION_ARGUMENT],
    options: [...SESSION_OPTIONS,
      { flags: '--target <target>', description: 'another target: id or Name tag' },
      { flags: '--filter <filter>', description: 'another filter: id or Name tag' }],
    examples: ['vpcctl mirror set watch --bytes 128'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, TRAFFIC_MIRROR_SESSION, input.argument('session'))
      const [target, filter] = [input.text('target'), input.text('filter')]
      const { TrafficMirrorSession: session } = await ec2.call('ModifyTrafficMirrorSession', {
        TrafficMirrorSessionId: id, ...sessionInput(input),
        TrafficMirrorTargetId: target && await resolveId(ec2, TRAFFIC_MIRROR_TARGET, target),
        TrafficMirrorFilterId: filter && await resolveId(ec2, TRAFFIC_MIRROR_FILTER, filter)
      })
      context.output.row(session ?? {}, SESSION_COLUMNS, (one) => one.TrafficMirrorSessionId)
    }
  }),
  defineCommand({
    name: 'delete',
    summary: 'End a mirror session',
    action: 'DeleteTrafficMirrorSession',
    arguments: [SESSION_ARGUMENT],
    examples: ['vpcctl mirror delete watch'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, TRAFFIC_MIRROR_SESSION, input.argument('session'))
      await ec2.call('DeleteTrafficMirrorSession', { TrafficMirrorSessionId: id })
      context.output.done(`Deleted ${id}.`, { TrafficMirrorSessionId: id })
    }
  })
]

export const mirrorTargetCommands: readonly Command[] = [
  defineCommand({
    name: 'create',
    summary: 'Let an ENI take copies, as VXLAN on UDP port 4789',
    action: 'CreateTrafficMirrorTarget',
    arguments: [{ syntax: '<eni>', description: 'id or Name tag' }],
    options: TAG_OPTIONS,
    examples: ['vpcctl mirror-target create ids --name monitor'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const eni = await resolveId(ec2, NETWORK_INTERFACE, input.argument('eni'))
      const { TrafficMirrorTarget: target } = await ec2.call('CreateTrafficMirrorTarget', {
        NetworkInterfaceId: eni, ...tagSpecification('traffic-mirror-target', input.tags())
      })
      context.output.row(target ?? {}, TARGET_COLUMNS, (one) => one.TrafficMirrorTargetId)
    }
  }),
  defineCommand({
    name: 'list',
    summary: 'List mirror targets',
    action: 'DescribeTrafficMirrorTargets',
    examples: ['vpcctl mirror-target list'],
    async run (context) {
      const ec2 = await context.ec2()
      const targets = await ec2.all('DescribeTrafficMirrorTargets', {},
        (page) => page.TrafficMirrorTargets)
      context.output.rows(targets, TARGET_COLUMNS, (one) => one.TrafficMirrorTargetId)
    }
  }),
  defineCommand({
    name: 'delete',
    summary: 'Delete a mirror target that no session uses',
    action: 'DeleteTrafficMirrorTarget',
    arguments: [TARGET_ARGUMENT],
    examples: ['vpcctl mirror-target delete monitor'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, TRAFFIC_MIRROR_TARGET, input.argument('target'))
      await ec2.call('DeleteTrafficMirrorTarget', { TrafficMirrorTargetId: id })
      context.output.done(`Deleted ${id}.`, { TrafficMirrorTargetId: id })
    }
  })
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
      { syntax: '<action>', description: 'copy or not', values: ['accept', 'reject'] }],
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
    name: 'delete-rule',
    summary: 'Delete a rule of a mirror filter',
    action: 'DeleteTrafficMirrorFilterRule',
    arguments: [FILTER_ARGUMENT, DIRECTION_ARGUMENT, NUMBER_ARGUMENT],
    examples: ['vpcctl mirror-filter delete-rule everything ingress 100'],
    async run (context, input) {
      const direction = input.argument('direction')
      const number = ruleNumber(input)
      const ec2 = await context.ec2()
      const rule = (await rulesOf(ec2, input)).find((one) =>
        one.TrafficDirection === direction && one.RuleNumber === number)
      if (rule === undefined) {
        throw new CtlError('NameNotFound',
          `${input.argument('filter')} has no ${direction} rule ${String(number)}`)
      }
      const TrafficMirrorFilterRuleId = rule.TrafficMirrorFilterRuleId
      await ec2.call('DeleteTrafficMirrorFilterRule', { TrafficMirrorFilterRuleId })
      context.output.done(`Deleted ${direction} rule ${String(number)}.`,
        { TrafficMirrorFilterRuleId })
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

/** What of the session's options was given. */
function sessionInput (input: Input): QueryInput {
  const members: QueryInput = {
    SessionNumber: integerOf(input, 'number', 1, NUMBER_MAX),
    VirtualNetworkId: integerOf(input, 'vni', 0, VIRTUAL_NETWORK_ID_MAX),
    PacketLength: integerOf(input, 'bytes', 1, PACKET_LENGTH_MAX)
  }
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))
}

function integerOf (input: Input, option: string, min: number, max: number): number | undefined {
  const text = input.text(option)
  return text === undefined ? undefined : parseInteger(`--${option}`, text, min, max)
}

function ruleNumber (input: Input): number {
  return parseInteger('<number>', input.argument('number'), 1, NUMBER_MAX)
}

function ruleInput (input: Input): QueryInput {
  const protocol = input.text('protocol') ?? 'all'
  return {
    TrafficDirection: input.argument('direction'),
    RuleNumber: ruleNumber(input),
    RuleAction: input.argument('action'),
    Protocol: protocol === 'all' ? undefined
      : PROTOCOLS[protocol] ?? parseInteger('--protocol', protocol, 0, PROTOCOL_MAX),
    SourceCidrBlock: input.text('from') ?? '0.0.0.0/0',
    DestinationCidrBlock: input.text('to') ?? '0.0.0.0/0',
    SourcePortRange: portRange('--from-port', input.text('fromPort')),
    DestinationPortRange: portRange('--to-port', input.text('toPort'))
  }
}

/** `80` or `1024-65535` */
function portRange (what: string, text: string | undefined): QueryInput | undefined {
  if (text === undefined) return undefined
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
