/**
 * `vpcctl quota …`: how many of each thing there may be. AWS VPC User Guide, "Amazon VPC quotas".
 *
 * A quota belongs to the lab and is given when its daemon starts (`lab up --quota`,
 * `--quota-profile`).
 */
import type { QuotasAnswer } from '../../daemon/api/admin/contract.ts'
import { type Command, defineCommand } from '../command.ts'
import type { Column } from '../print/table.ts'

type Quota = QuotasAnswer['quotas'][number]

const COLUMNS: readonly Column<Quota>[] = [
  { header: 'quota', value: (quota) => quota.name },
  { header: 'value', value: (quota) => String(quota.value), align: 'right' },
  { header: 'default', value: (quota) => String(quota.default), align: 'right', hides: true },
  { header: 'used', value: (quota) => String(quota.used ?? ''), align: 'right' },
  { header: 'by', value: (quota) => quota.resource ?? '', hides: true },
  { header: 'what', value: (quota) => quota.what, shrinks: true, hides: true }
]

export const quotaCommands: readonly Command[] = [
  defineCommand({
    name: 'list',
    summary: 'List the quotas, and how much of each is used',
    action: 'GET /quotas (admin API)',
    note: 'Of a quota per VPC, group … the one that uses most of it is counted, and named.\n' +
      'Change one with "vpcctl lab stop" and "vpcctl lab up --quota <name>=<value>"; with\n' +
      '"--quota-profile current" those that AWS has raised are as today.',
    examples: ['vpcctl quota list', 'vpcctl quota list --query "[?used==value].name"'],
    async run (context) {
      const { profile, quotas } = await context.admin.quotas()
      context.output.rows(quotas, COLUMNS, (quota) => quota.name)
      context.output.note(`Defaults of the profile ${profile}.`)
    }
  })
]
