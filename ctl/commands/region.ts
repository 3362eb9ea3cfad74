/** `vpcctl region …`. AWS EC2 User Guide, "Regions and Zones". A lab stands in one of them. */
import type { Region } from '@aws-sdk/client-ec2'
import { type Command, defineCommand } from '../command.ts'
import type { Column } from '../print/table.ts'

const COLUMNS: readonly Column<Region>[] = [
  { header: 'region', value: (region) => region.RegionName ?? '' },
  { header: 'endpoint on aws', value: (region) => region.Endpoint ?? '', hides: true },
  { header: 'opt in', value: (region) => region.OptInStatus ?? '', hides: true }
]

export const regionCommands: readonly Command[] = [
  defineCommand({
    name: 'list',
    summary: 'List the Regions that a lab can be in',
    action: 'DescribeRegions',
    examples: ['vpcctl region list'],
    async run (context) {
      const ec2 = await context.ec2()
      const { Regions: regions } = await ec2.call('DescribeRegions', {})
      context.output.rows(regions ?? [], COLUMNS, ({ RegionName }) => RegionName)
    }
  })
]
