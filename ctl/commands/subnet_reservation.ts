/**
 * CIDR reservations of a subnet: blocks that EC2 gives no addresses from by itself. AWS VPC User
 * Guide, "Subnet CIDR reservations".
 */
import type { SubnetCidrReservation } from '@aws-sdk/client-ec2'
import { type Command, defineCommand, TAG_OPTIONS } from '../command.ts'
import type { Column } from '../print/table.ts'
import { nameOf, resolveId, SUBNET, tagSpecification } from '../resolve.ts'

const COLUMNS: readonly Column<SubnetCidrReservation>[] = [
  { header: 'reservation', value: (one) => one.SubnetCidrReservationId ?? '' },
  { header: 'name', value: nameOf, shrinks: true, hides: true },
  { header: 'subnet', value: (one) => one.SubnetId ?? '', hides: true },
  { header: 'cidr', value: (one) => one.Cidr ?? '' },
  { header: 'type', value: (one) => one.ReservationType ?? '' },
  { header: 'description', value: (one) => one.Description ?? '', shrinks: true, hides: true }
]

const TYPES = ['prefix', 'explicit']

export const subnetReservationCommands: readonly Command[] = [
  defineCommand({
    name: 'reserve-cidr',
    summary: 'Reserve a block of a subnet',
    action: 'CreateSubnetCidrReservation',
    arguments: [
      { syntax: '<subnet>', description: 'id or Name tag' },
      { syntax: '<cidr>', description: 'IPv4 or IPv6 block inside the subnet' }
    ],
    options: [
      {
        flags: '--type <type>',
        description: 'prefix: for prefixes of network interfaces; explicit: for addresses that ' +
          'are named (default: explicit)',
        values: TYPES
      },
      { flags: '--description <text>', description: 'description' },
      ...TAG_OPTIONS
    ],
    examples: ['vpcctl subnet reserve-cidr front 10.0.1.128/25 --type prefix'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const { SubnetCidrReservation: made } = await ec2.call('CreateSubnetCidrReservation', {
        SubnetId: await resolveId(ec2, SUBNET, input.argument('subnet')),
        Cidr: input.argument('cidr'),
        ReservationType: input.text('type') ?? 'explicit',
        Description: input.text('description'),
        ...tagSpecification('subnet-cidr-reservation', input.tags())
      })
      context.output.row(made ?? {}, COLUMNS, (one) => one.SubnetCidrReservationId)
    }
  }),
  defineCommand({
    name: 'reservations',
    summary: 'List the reserved blocks of a subnet',
    action: 'GetSubnetCidrReservations',
    arguments: [{ syntax: '<subnet>', description: 'id or Name tag' }],
    examples: ['vpcctl subnet reservations front'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const SubnetId = await resolveId(ec2, SUBNET, input.argument('subnet'))
      const reservations = await ec2.all('GetSubnetCidrReservations', { SubnetId }, (page) =>
        [...page.SubnetIpv4CidrReservations ?? [], ...page.SubnetIpv6CidrReservations ?? []])
      context.output.rows(reservations, COLUMNS, (one) => one.SubnetCidrReservationId)
    }
  }),
  defineCommand({
    name: 'release-cidr',
    summary: 'Take a reservation back',
    action: 'DeleteSubnetCidrReservation',
    arguments: [{ syntax: '<reservation>', description: 'its id, scr-…' }],
    examples: ['vpcctl subnet release-cidr scr-0123456789abcdef0'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = input.argument('reservation')
      await ec2.call('DeleteSubnetCidrReservation', { SubnetCidrReservationId: id })
      context.output.done(`Deleted ${id}.`, { SubnetCidrReservationId: id })
    }
  })
]
