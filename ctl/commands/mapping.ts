/**
 * `vpcctl mapping …`: the mapping service, which knows on which host every address of every VPC
 * lives. Addresses of stopped instances and of detached ENIs have no mapping.
 */
import { isIP } from 'node:net'
import type { MappingAnswer } from '../../daemon/api/admin/contract.ts'
import { type Command, defineCommand } from '../command.ts'
import { usageError } from '../exit_codes.ts'
import type { Column } from '../print/table.ts'
import { resolveId, VPC } from '../resolve.ts'

const COLUMNS: readonly Column<MappingAnswer>[] = [
  { header: 'vpc', value: (mapping) => mapping.vpc, hides: true },
  { header: 'address', value: (mapping) => mapping.address },
  { header: 'eni', value: (mapping) => mapping.eni },
  { header: 'host', value: (mapping) => mapping.host },
  { header: 'underlay', value: (mapping) => mapping.underlayAddress },
  { header: 'subnet', value: (mapping) => mapping.subnet, hides: true },
  { header: 'mac', value: (mapping) => mapping.macAddress, hides: true },
  {
    header: 'generation',
    value: (mapping) => String(mapping.generation),
    align: 'right', hides: true
  }
]

export const mappingCommands: readonly Command[] = [
  defineCommand({
    name: 'get',
    summary: 'Ask the mapping service where an address of a VPC lives',
    action: 'GET /mapping (admin API)',
    arguments: [
      { syntax: '<vpc>', description: 'id or Name tag' },
      { syntax: '<address>', description: 'IPv4 or IPv6 address' }
    ],
    examples: ['vpcctl mapping get web 10.0.1.11'],
    async run (context, input) {
      const address = input.argument('address')
      if (isIP(address) === 0) {
        throw usageError(`<address> is an IPv4 or IPv6 address, not "${address}"`)
      }
      const vpcId = await resolveId(await context.ec2(), VPC, input.argument('vpc'))
      const mapping = await context.admin.mapping(vpcId, address)
      context.output.row(mapping, COLUMNS, ({ eni }) => eni)
    }
  })
]
