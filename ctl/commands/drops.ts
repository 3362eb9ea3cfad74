/**
 * `vpcctl drops`: why packets were dropped. Every dropped packet has exactly one reason and stands
 * in one counter of one ENI (docs/errors.md lists the reasons); packets that no ENI can be named
 * for stand under their host alone.
 */
import type { DropsAnswer } from '../../daemon/api/admin/contract.ts'
import type { Command } from '../command.ts'
import type { Column } from '../print/table.ts'
import { NETWORK_INTERFACE, resolveId } from '../resolve.ts'

type Drop = DropsAnswer['drops'][number]

const COLUMNS: readonly Column<Drop>[] = [
  { header: 'host', value: (drop) => drop.host },
  { header: 'eni', value: (drop) => drop.eni ?? '' },
  { header: 'packets', value: (drop) => String(drop.packets), align: 'right' },
  { header: 'reason', value: (drop) => drop.reason },
  { header: 'meaning', value: (drop) => drop.meaning, shrinks: true, hides: true }
]

export const dropsCommand: Command = {
  name: 'drops',
  summary: 'Print how many packets were dropped, by host, ENI and reason',
  action: 'GET /drops (admin API)',
  options: [{ flags: '--eni <eni>', description: 'of one network interface: id or Name tag' }],
  examples: ['vpcctl drops', 'vpcctl drops --eni service --json'],
  async run (context, input) {
    const reference = input.text('eni')
    const eni = reference === undefined
      ? undefined
      : await resolveId(await context.ec2(), NETWORK_INTERFACE, reference)
    const { drops } = await context.admin.drops(eni)
    context.output.rows(drops, COLUMNS, (drop) => drop.eni ?? drop.host)
  }
}
