/**
 * `vpcctl flows`: the flow tables of the hosts, read while packets pass, so that two counters of
 * one flow may differ by the packets in between. A flow between two ENIs of the lab appears twice,
 * once as each sees it. The busiest stand first.
 */
import type { FlowsAnswer } from '../../daemon/api/admin/contract.ts'
import type { Command } from '../command.ts'
import { ENI_FILTER_OPTIONS, eniFilter, ownerName } from '../eni_filter.ts'
import { untilInterrupted } from '../interrupt.ts'
import type { Column } from '../print/table.ts'
import { formatBytes } from '../print/units.ts'
import { pause, printAgain, WATCH_OPTION, watchMs } from '../repeat.ts'

type Flow = FlowsAnswer['flows'][number]

const COLUMNS: readonly Column<Flow>[] = [
  { header: 'host', value: (flow) => flow.host, hides: true },
  { header: 'eni', value: (flow) => flow.eni },
  { header: 'name', value: ownerName, shrinks: true, hides: true },
  { header: 'protocol', value: (flow) => flow.protocol },
  { header: 'local', value: (flow) => endpoint(flow.localAddress, flow.localPort) },
  { header: 'remote', value: (flow) => endpoint(flow.remoteAddress, flow.remotePort) },
  { header: 'out', value: (flow) => amount(flow.egressPackets, flow.egressBytes), align: 'right' },
  { header: 'in', value: (flow) => amount(flow.ingressPackets, flow.ingressBytes), align: 'right' },
  { header: 'icmp errors', value: icmpErrors, align: 'right', hides: true },
  {
    header: 'idle',
    value: (flow) => `${(flow.idleMs / 1000).toFixed(1)}s`,
    align: 'right', hides: true
  },
  { header: 'egress action', value: (flow) => flow.egressAction, shrinks: true, hides: true },
  { header: 'ingress action', value: (flow) => flow.ingressAction, shrinks: true, hides: true }
]

const LIMIT_DEFAULT = 1000
const LIMIT_MAX = 100_000

export const flowsCommand: Command = {
  name: 'flows',
  summary: 'Print the live flows of every host, the busiest first',
  action: 'GET /flows (admin API)',
  options: [
    ...ENI_FILTER_OPTIONS,
    { flags: '--protocol <protocol>', description: 'tcp, udp, icmp, icmpv6, or a number' },
    {
      flags: '--limit <count>', description: `at most so many (default: ${String(LIMIT_DEFAULT)})`
    },
    WATCH_OPTION
  ],
  note: 'The columns "out" and "in" are packets and bytes. ICMP errors about a flow are counted ' +
    'apart from its packets.',
  examples: [
    'vpcctl flows', 'vpcctl flows --instance web --protocol tcp', 'vpcctl flows --eni a --watch 1'
  ],
  async run (context, input) {
    const limit = input.integer('limit', 1, LIMIT_MAX) ?? LIMIT_DEFAULT
    const query =
      { ...await eniFilter(context, input), protocol: input.text('protocol'), limit }
    const { output } = context
    const intervalMs = watchMs(input)
    await untilInterrupted(async (signal) => {
      do {
        const flows = (await context.admin.flows(query)).flows.toSorted(byBytes)
        if (intervalMs === undefined) output.rows(flows, COLUMNS, (flow) => flow.eni)
        else printAgain(output, flows, COLUMNS, (flow) => flow.eni)
        if (flows.length === limit) {
          output.note(`(${String(limit)} of them, not always the busiest: see --limit)`)
        }
      } while (intervalMs !== undefined && await pause(intervalMs, signal))
    })
  }
}

function byBytes (one: Flow, other: Flow): number { return bytesOf(other) - bytesOf(one) }

function bytesOf ({ egressBytes, ingressBytes }: Flow): number { return egressBytes + ingressBytes }

function endpoint (address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${String(port)}` : `${address}:${String(port)}`
}

function icmpErrors ({ egressIcmpErrors, ingressIcmpErrors }: Flow): string {
  if (egressIcmpErrors === 0 && ingressIcmpErrors === 0) return '-'
  return `${String(egressIcmpErrors)} out, ${String(ingressIcmpErrors)} in`
}

function amount (packets: number, bytes: number): string {
  return `${String(packets)}/${formatBytes(bytes)}`
}
