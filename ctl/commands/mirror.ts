/**
 * `vpcctl mirror` and `mirror-target`: traffic mirroring. A session copies what a filter
 * (mirror_filter.ts) accepts of one ENI to a target. AWS, "Traffic Mirroring".
 *
 *     mirror-target create ──────────────┐
 *     mirror-filter create ── add-rule ──┴─▶ mirror create <eni> <target> <filter>
 */
import type { TrafficMirrorSession, TrafficMirrorTarget } from '@aws-sdk/client-ec2'
import {
  type Command, type CommandOption, defineCommand, type Input, parseInteger, TAG_OPTIONS
} from '../command.ts'
import type { QueryInput } from '../ec2_query.ts'
import type { Column } from '../print/table.ts'
import {
  nameOf, NETWORK_INTERFACE, resolveId, tagSpecification, TRAFFIC_MIRROR_FILTER,
  TRAFFIC_MIRROR_SESSION, TRAFFIC_MIRROR_TARGET
} from '../resolve.ts'

const NUMBER_MAX = 32_766
const VIRTUAL_NETWORK_ID_MAX = 0xffffff
const PACKET_LENGTH_MAX = 65_549

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

const SESSION_ARGUMENT = { syntax: '<session>', description: 'id or Name tag' }
const TARGET_ARGUMENT = { syntax: '<target>', description: 'id or Name tag' }
const FILTER_ARGUMENT = { syntax: '<filter>', description: 'id or Name tag' }
const SESSION_OPTIONS: readonly CommandOption[] = [
  { flags: '--number <number>', description: 'lower is asked first (default: 1)' },
  { flags: '--vni <vni>', description: 'VXLAN network identifier (default: a free one)' },
  { flags: '--bytes <bytes>', description: 'of each frame to keep (default: all)' }
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
