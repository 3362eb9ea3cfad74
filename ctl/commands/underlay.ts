/**
 * `vpcctl underlay`: how what crosses between two hosts is encrypted. Each pair of hosts stands
 * there twice, as either sees it.
 */
import type { UnderlayAnswer } from '../../daemon/api/admin/contract.ts'
import { type Command, defineCommand } from '../command.ts'
import type { Column } from '../print/table.ts'

type PairRow = UnderlayAnswer['pairs'][number]

const COLUMNS: readonly Column<PairRow>[] = [
  { header: 'host', value: (row) => row.host },
  { header: 'peer', value: (row) => row.peer },
  { header: 'encrypted since', value: (row) => row.since ?? '-' },
  { header: 'key since', value: (row) => row.keySince ?? '-' },
  { header: 'epoch', value: (row) => String(row.epoch), align: 'right' },
  { header: 'sent', value: (row) => String(row.sent), align: 'right' },
  { header: 'received', value: (row) => String(row.received), align: 'right' },
  { header: 'no key', value: (row) => String(row.unsent), align: 'right' },
  { header: 'replayed', value: (row) => String(row.replayed), align: 'right' },
  { header: 'forged', value: (row) => String(row.forged), align: 'right' }
]

export const underlayCommands: readonly Command[] = [
  defineCommand({
    name: 'pairs',
    summary: 'Print for each two hosts since when they encrypt, and what passed',
    action: 'GET /underlay (admin API)',
    examples: ['vpcctl underlay pairs', 'vpcctl underlay pairs --json'],
    async run ({ admin, output }) {
      const answer = await admin.underlay()
      output.rows(answer.pairs, COLUMNS, ({ host, peer }) => `${host} ${peer}`)
      if (output.form === 'human' && !answer.isEncrypted) {
        output.text('the underlay is not encrypted')
      }
    }
  }),
  defineCommand({
    name: 'rotate',
    summary: 'Agree on new keys between all hosts, now',
    action: 'POST /underlay/rotate (admin API)',
    examples: ['vpcctl underlay rotate'],
    async run ({ admin }) { await admin.rotateUnderlayKeys() }
  })
]
