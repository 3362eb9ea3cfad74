/**
 * `vpcctl flows`: the flow tables of the hosts, read while packets pass, so that two counters of
 * one flow may differ by the packets in between. A flow between two ENIs of the lab appears twice,
 * once as each sees it.
 */
import type { FlowsAnswer } from '../../daemon/api/admin/contract.ts'
import type { Command } from '../command.ts'
import type { Column } from '../print/table.ts'
import { NETWORK_INTERFACE, resolveId } from '../resolve.ts'

type Flow = FlowsAnswer['flows'][number]

const COLUMNS: readonly Column<Flow>[] = [
  { header: 'host', value: (flow) => flow.host, hides: true },
  { header: 'eni', value: (flow) => flow.eni },
  { header: 'protocol', value: (flow) => flow.protocol },
  { header: 'local', value: (flow) => endpoint(flow.localAddress, flow.localPort) },
  { header: 'remote', value: (flow) => endpoint(flow.remoteAddress, flow.remotePort) },
  { header: 'out', value: (flow) => amount(flow.egressPackets, flow.egressBytes), align: 'right' },
  { header: 'in', value: (flow) => amount(flow.ingressPackets, flow.ingressBytes), align: 'right' },
  {
    header: 'idle',
    value: (flow) => `${(flow.idleMs / 1000).toFixed(1)}s`,
    align: 'right', hides: true
  },
  { header: 'egress action', value: (flow) => flow.egressAction, shrinks: true, hides: true },
  { header: 'ingress action', value: (flow) => flow.ingressAction, shrinks: true, hides: true }
]

const LIMIT_DEFAULT = 1000
const LIMIT_MAX = 1_000_000

export const flowsCommand: Command = {
  name: 'flows',
  summary: 'Print the live flows of every host',
  action: 'GET /flows (admin API)',
  options: [
    { flags: '--eni <eni>', description: 'of one network interface: id or Name tag' },
    { flags: '--limit <count>', description: `at most so many (default: ${String(LIMIT_DEFAULT)})` }
  ],
  examples: ['vpcctl flows', 'vpcctl flows --eni service --limit 20'],
  async run (context, input) {
    const limit = input.integer('limit', 1, LIMIT_MAX) ?? LIMIT_DEFAULT
    const reference = input.text('eni')
    const eni = reference === undefined
      ? undefined
      : await resolveId(await context.ec2(), NETWORK_INTERFACE, reference)
    const { flows } = await context.admin.flows(eni, limit)
    context.output.rows(flows, COLUMNS, (flow) => flow.eni)
    if (flows.length === limit) context.output.note(`(the first ${String(limit)}: see --limit)`)
  }
}

function endpoint (address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${String(port)}` : `${address}:${String(port)}`
}

function amount (packets: number, bytes: number): string {
  return `${String(packets)}/${formatBytes(bytes)}`
}

/** Decimal units, three digits at most: `999B`, `1.5kB`, `12MB`. */
export function formatBytes (bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 || value >= 10 ? value.toFixed(0) : value.toFixed(1)}${units[unit] ?? ''}`
}
