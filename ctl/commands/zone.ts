/**
 * `vpcctl zone …`. AWS EC2 User Guide, "Regions and Zones".
 *
 * A zone has a name, which differs from account to account, and an id, which does not; hosts of the
 * lab stand in zones by id. Commands that take a zone accept either.
 */
import type { AvailabilityZone } from '@aws-sdk/client-ec2'
import { type Command, defineCommand } from '../command.ts'
import type { Column } from '../print/table.ts'

const COLUMNS: readonly Column<AvailabilityZone>[] = [
  { header: 'zone', value: (zone) => zone.ZoneName ?? '' },
  { header: 'zone id', value: (zone) => zone.ZoneId ?? '' },
  { header: 'region', value: (zone) => zone.RegionName ?? '' },
  { header: 'state', value: (zone) => zone.State ?? '' }
]

export const zoneCommands: readonly Command[] = [
  defineCommand({
    name: 'list',
    summary: 'List the Availability Zones that hosts of the lab are in',
    action: 'DescribeAvailabilityZones',
    examples: ['vpcctl zone list'],
    async run (context) {
      const ec2 = await context.ec2()
      const { AvailabilityZones: zones } = await ec2.call('DescribeAvailabilityZones', {})
      context.output.rows(zones ?? [], COLUMNS, ({ ZoneName }) => ZoneName)
    }
  }),
  defineCommand({
    name: 'opt-in',
    summary: 'Opt in to a group of zones; the zones of a lab are opted in already',
    action: 'ModifyAvailabilityZoneGroup',
    arguments: [{ syntax: '<zone-group>', description: 'us-east-1-zg-1' }],
    examples: ['vpcctl zone opt-in us-east-1-zg-1'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const change = { GroupName: input.argument('zone-group'), OptInStatus: 'opted-in' }
      await ec2.call('ModifyAvailabilityZoneGroup', change)
      context.output.done(`Opted in to ${change.GroupName}.`, change)
    }
  })
]
