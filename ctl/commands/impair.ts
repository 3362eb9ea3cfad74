/**
 * `vpcctl impair`, `partition` and `heal`: make the network of the lab worse, to see what happens
 * (docs/impairments.md). A lab facility: AWS has Fault Injection Service for some of it.
 */
import type {
  ImpairmentsAnswer, ImpairRequest, RevisionAnswer
} from '../../daemon/api/admin/contract.ts'
import { type Command, defineCommand, type Input, TIMEOUT_OPTION, timeoutMs } from '../command.ts'
import type { Context } from '../context.ts'
import { CtlError, usageError } from '../exit_codes.ts'
import { waitForRevision } from '../instances.ts'
import { resolvePoint } from '../points.ts'
import type { Column } from '../print/table.ts'
import { INSTANCE, NETWORK_INTERFACE } from '../resolve.ts'

type Impairment = ImpairmentsAnswer['impairments'][number]

const LIMIT_MAX = 8192
const UNITS_MS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000 }
const UNITS_BITS: Readonly<Record<string, number>> = { bit: 1, kbit: 1e3, mbit: 1e6, gbit: 1e9 }
const PERCENTS = ['loss', 'corrupt', 'duplicate', 'reorder'] as const

const COLUMNS: readonly Column<Impairment>[] = [
  { header: 'place', value: ({ id }) => id },
  { header: 'direction', value: (row) => row.direction },
  { header: 'delay', value: (row) => timeText(row.delayMs), align: 'right' },
  { header: 'jitter', value: (row) => timeText(row.jitterMs), align: 'right' },
  { header: 'loss', value: (row) => percentText(row.lossPercent), align: 'right' },
  { header: 'corrupt', value: (row) => percentText(row.corruptPercent), align: 'right' },
  { header: 'duplicate', value: (row) => percentText(row.duplicatePercent), align: 'right' },
  { header: 'reorder', value: (row) => percentText(row.reorderPercent), align: 'right' },
  { header: 'rate', value: (row) => rateText(row.rateBitsPerSecond), align: 'right' },
  { header: 'limit', value: (row) => String(row.limitPackets), align: 'right', hides: true }
]

export const impairCommand: Command = defineCommand({
  name: 'impair',
  summary: 'Delay, lose or damage packets, or limit their rate; list what is impaired',
  action: 'POST /impairments, GET /impairments (admin API)',
  arguments: [{
    syntax: '[place]',
    description: 'ENI or instance (id or Name tag), or host (host-1: what it sends to others)'
  }],
  options: [
    { flags: '--delay <time>', description: 'of every packet: 35ms, 1s, 500us' },
    { flags: '--jitter <time>', description: 'the delay varies by as much, up and down' },
    { flags: '--loss <percent>', description: 'packets that are lost: 1%' },
    { flags: '--corrupt <percent>', description: 'packets with one wrong bit' },
    { flags: '--duplicate <percent>', description: 'packets that come twice' },
    { flags: '--reorder <percent>', description: 'packets that are not delayed' },
    { flags: '--rate <rate>', description: 'of IP packets: 100mbit, 64kbit, 1gbit' },
    {
      flags: '--limit <packets>',
      description: 'packets that may wait in a direction, 1 to 8192 (default: 1000)'
    },
    {
      flags: '--direction <direction>', values: ['both', 'in', 'out'],
      description: 'of an ENI, seen from it (default: both)'
    },
    { flags: '--clear', description: 'end the impairment of the place' },
    TIMEOUT_OPTION
  ],
  note: 'Words and meaning are those of tc-netem(8); what is not given is not impaired. Both\n' +
    'directions of an ENI have the delay, so a round trip takes twice as much longer.\n' +
    'Impairments outlive the daemon, and end with --clear, their ENI, "lab reset" or the lab.',
  examples: [
    'vpcctl impair',
    'vpcctl impair web --delay 35ms --jitter 5ms --loss 1%',
    'vpcctl impair host-1 --rate 100mbit',
    'vpcctl impair web --clear'
  ],
  async run (context, input) {
    const place = input.optionalArgument('place')
    if (place === undefined) {
      const { impairments } = await context.admin.impairments()
      context.output.rows(impairments, COLUMNS, ({ id }) => id)
      return
    }
    const id = await placeOf(context, place)
    if (input.flag('clear')) {
      const answer = await context.admin.clearImpairment({ id })
      await finish(context, input, answer, `${id} is not impaired any more.`)
      return
    }
    const answer = await context.admin.impair({ id, ...settingsOf(input) })
    await finish(context, input, answer, `${id} is impaired.`)
  }
})

export const partitionCommand: Command = defineCommand({
  name: 'partition',
  summary: 'Cut two hosts off from each other; list who is',
  action: 'POST /partitions, GET /impairments (admin API)',
  arguments: [
    { syntax: '[host]', description: 'host of the lab, host-1' },
    { syntax: '[other]', description: 'another host of the lab' }
  ],
  options: [TIMEOUT_OPTION],
  note: 'Neither sends packets to the other; both reach everybody else, the daemon too.\n' +
    'Edges are hosts. "vpcctl heal" ends it.',
  examples: ['vpcctl partition', 'vpcctl partition host-1 host-2'],
  async run (context, input) {
    if (input.optionalArgument('host') === undefined) {
      const { partitions } = await context.admin.impairments()
      context.output.rows(partitions, [
        { header: 'host', value: ({ hosts }) => hosts[0] },
        { header: 'other', value: ({ hosts }) => hosts[1] }
      ], ({ id }) => id)
      return
    }
    const hosts = twoHosts(input)
    const answer = await context.admin.partition({ hosts })
    await finish(context, input, answer, `${hosts.join(' and ')} are cut off from each other.`)
  }
})

export const healCommand: Command = defineCommand({
  name: 'heal',
  summary: 'Let two hosts reach each other again',
  action: 'POST /partitions/heal (admin API)',
  arguments: [
    { syntax: '<host>', description: 'host of the lab, host-1' },
    { syntax: '<other>', description: 'the host that it is cut off from' }
  ],
  options: [TIMEOUT_OPTION],
  examples: ['vpcctl heal host-1 host-2'],
  async run (context, input) {
    const hosts = twoHosts(input)
    const answer = await context.admin.heal({ hosts })
    await finish(context, input, answer, `${hosts.join(' and ')} reach each other again.`)
  }
})

/** Waits until every host does so, and says it. */
async function finish (
  context: Context, input: Input, answer: RevisionAnswer, text: string): Promise<void> {
  await waitForRevision(context, answer.revision, timeoutMs(input))
  context.output.done(text, answer)
}

function twoHosts (input: Input): [string, string] {
  const [one, other] = [input.optionalArgument('host'), input.optionalArgument('other')]
  if (one === undefined || other === undefined) throw usageError('two hosts are needed')
  return [one, other]
}

/** An instance stands for its first ENI. */
async function placeOf (context: Context, reference: string): Promise<string> {
  const id = await resolvePoint(context, [INSTANCE, NETWORK_INTERFACE], reference)
  if (!id.startsWith(INSTANCE.idPrefix)) return id
  const found = await (await context.ec2()).all('DescribeNetworkInterfaces', { Filter: [
    { Name: 'attachment.instance-id', Value: [id] },
    { Name: 'attachment.device-index', Value: ['0'] }
  ] }, (page) => page.NetworkInterfaces)
  const eni = found[0]?.NetworkInterfaceId
  if (eni === undefined) {
    throw new CtlError('NameNotFound',
      `The instance ${id} has no network interface, or is not there`)
  }
  return eni
}

function settingsOf (input: Input): Omit<ImpairRequest, 'id'> {
  const delayMs = amountOf(input, 'delay', UNITS_MS)
  const jitterMs = amountOf(input, 'jitter', UNITS_MS)
  const rateBitsPerSecond = amountOf(input, 'rate', UNITS_BITS)
  const limitPackets = input.integer('limit', 1, LIMIT_MAX)
  const direction = input.text('direction') as ImpairRequest['direction']
  return {
    ...direction === undefined ? {} : { direction },
    ...delayMs === undefined ? {} : { delayMs },
    ...jitterMs === undefined ? {} : { jitterMs },
    ...rateBitsPerSecond === undefined ? {} : { rateBitsPerSecond },
    ...limitPackets === undefined ? {} : { limitPackets },
    ...Object.fromEntries(PERCENTS.flatMap((name) => {
      const percent = percentOf(input, name)
      return percent === undefined ? [] : [[`${name}Percent`, percent]]
    }))
  }
}

function amountOf (
  input: Input, name: string, units: Readonly<Record<string, number>>
): number | undefined {
  const text = input.text(name)
  if (text === undefined) return undefined
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?)([a-z]+)$/.exec(text) ?? []
  const factor = units[unit]
  if (digits === undefined || factor === undefined) {
    throw usageError(`--${name} is a number with one of the units ` +
      `${Object.keys(units).join(', ')}, not "${text}"`)
  }
  return Number(digits) * factor
}

function percentOf (input: Input, name: string): number | undefined {
  const text = input.text(name)
  if (text === undefined) return undefined
  const [, digits] = /^(\d+(?:\.\d+)?)%?$/.exec(text) ?? []
  if (digits === undefined || Number(digits) > 100) {
    throw usageError(`--${name} is a percentage from 0% to 100%, not "${text}"`)
  }
  return Number(digits)
}

function timeText (ms: number): string { return ms === 0 ? '' : `${String(ms)}ms` }

function percentText (percent: number): string { return percent === 0 ? '' : `${String(percent)}%` }

function rateText (rate: number): string {
  const [unit, factor] = Object.entries(UNITS_BITS).findLast(([, bits]) => rate >= bits) ?? ['', 1]
  return rate === 0 ? '' : `${String(rate / factor)}${unit}`
}
