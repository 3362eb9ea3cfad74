/**
 * `vpcctl cache`: what each host keeps of the mapping service, and how it came there: preloaded
 * when the host gets an ENI of the VPC, resolved on a miss, remembered as absent, invalidated by
 * the service when an address moves; and what the host has forwarded for others whose cache lagged.
 */
import type { CacheAnswer } from '../../daemon/api/admin/contract.ts'
import type { Command } from '../command.ts'
import type { Column } from '../print/table.ts'

type HostCache = CacheAnswer['hosts'][number]

const COLUMNS: readonly Column<HostCache>[] = [
  { header: 'host', value: (cache) => cache.host },
  { header: 'vpcs', value: (cache) => String(cache.vpcs), align: 'right' },
  { header: 'mappings', value: (cache) => String(cache.mappings), align: 'right' },
  { header: 'preloads', value: (cache) => String(cache.preloads), align: 'right' },
  { header: 'resolves', value: (cache) => String(cache.resolves), align: 'right' },
  { header: 'negative', value: (cache) => String(cache.negative), align: 'right' },
  { header: 'invalidations', value: (cache) => String(cache.invalidations), align: 'right' },
  { header: 'forwarded', value: (cache) => String(cache.forwarded), align: 'right' }
]

export const cacheCommand: Command = {
  name: 'cache',
  summary: 'Print the mapping cache of every host',
  action: 'GET /cache (admin API)',
  examples: ['vpcctl cache', 'vpcctl cache --json'],
  async run (context) {
    const { hosts } = await context.admin.cache()
    context.output.rows(hosts, COLUMNS, ({ host }) => host)
  }
}
