/**
 * `vpcctl hyperplane`: which nodes serve which resource. Each resource has three of the lab's nodes
 * (its shuffle shard), and each of its three slots of flows has one that decides.
 */
import type { HyperplaneAnswer } from '../../daemon/api/admin/contract.ts'
import { type Command, defineCommand } from '../command.ts'
import type { Column } from '../print/table.ts'

type ShardRow = HyperplaneAnswer['shards'][number]

const COLUMNS: readonly Column<ShardRow>[] = [
  { header: 'resource', value: (row) => row.resource },
  { header: 'eni', value: (row) => row.networkInterfaceId },
  { header: 'shard', value: (row) => row.shard.join(',') },
  { header: 'owners', value: (row) => row.owners.map((name) => name ?? '-').join(',') },
  { header: 'copies', value: (row) => row.complete.join(',') },
  { header: 'flows', value: (row) => String(row.flows), align: 'right' },
  { header: 'epoch', value: (row) => String(row.epoch), align: 'right' }
]

export const hyperplaneCommands: readonly Command[] = [
  defineCommand({
    name: 'shards',
    summary: 'Print the nodes of every HyperPlane resource, and who decides about which slot',
    action: 'GET /hyperplane (admin API)',
    examples: ['vpcctl hyperplane shards', 'vpcctl hyperplane shards --json'],
    async run (context) {
      const { shards } = await context.admin.hyperplane()
      context.output.rows(shards, COLUMNS, ({ resource }) => resource)
    }
  })
]
