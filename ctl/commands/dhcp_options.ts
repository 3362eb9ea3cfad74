/**
 * `vpcctl dhcp-options …`. AWS VPC User Guide, "DHCP option sets in Amazon VPC".
 *
 * A set cannot be changed: a VPC is given another one, or `default` for none.
 */
import type { DhcpOptions } from '@aws-sdk/client-ec2'
import { type Command, defineCommand, TAG_OPTIONS } from '../command.ts'
import { usageError } from '../exit_codes.ts'
import type { Column } from '../print/table.ts'
import { DHCP_OPTIONS, nameOf, resolveId, tagSpecification, VPC } from '../resolve.ts'

const COLUMNS: readonly Column<DhcpOptions>[] = [
  { header: 'dhcp options', value: (set) => set.DhcpOptionsId ?? '' },
  { header: 'name', value: nameOf, shrinks: true },
  { header: 'options', value: optionsOf, shrinks: true }
]

const SET_ARGUMENT = { syntax: '<dhcp-options>', description: 'id or Name tag' }

/** What AWS's API takes for "no set of its own". */
const DEFAULT = 'default'

export const dhcpOptionsCommands: readonly Command[] = [
  defineCommand({
    name: 'create',
    summary: 'Create a DHCP option set',
    action: 'CreateDhcpOptions',
    arguments: [{
      syntax: '<option...>',
      description: 'name=value[,value]: domain-name, domain-name-servers, ntp-servers …'
    }],
    options: TAG_OPTIONS,
    examples: [
      'vpcctl dhcp-options create domain-name=example.com domain-name-servers=10.0.0.2,192.0.2.53'
    ],
    async run (context, input) {
      const DhcpConfiguration = input.rest('option').map(configuration)
      const ec2 = await context.ec2()
      const { DhcpOptions: set } = await ec2.call('CreateDhcpOptions',
        { DhcpConfiguration, ...tagSpecification('dhcp-options', input.tags()) })
      context.output.row(set ?? {}, COLUMNS, ({ DhcpOptionsId }) => DhcpOptionsId)
    }
  }),
  defineCommand({
    name: 'list',
    summary: 'List DHCP option sets',
    action: 'DescribeDhcpOptions',
    examples: ['vpcctl dhcp-options list'],
    async run (context) {
      const ec2 = await context.ec2()
      const sets = await ec2.all('DescribeDhcpOptions', {}, (page) => page.DhcpOptions)
      context.output.rows(sets, COLUMNS, ({ DhcpOptionsId }) => DhcpOptionsId)
    }
  }),
  defineCommand({
    name: 'show',
    summary: 'Show everything about a DHCP option set',
    action: 'DescribeDhcpOptions',
    arguments: [SET_ARGUMENT],
    examples: ['vpcctl dhcp-options show office'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, DHCP_OPTIONS, input.argument('dhcp-options'))
      const { DhcpOptions: sets } = await ec2.call('DescribeDhcpOptions', { DhcpOptionsId: [id] })
      context.output.tree(sets?.[0] ?? {}, id)
    }
  }),
  defineCommand({
    name: 'associate',
    summary: 'Let a VPC use a DHCP option set, or none with "default"',
    action: 'AssociateDhcpOptions',
    arguments: [
      { syntax: '<dhcp-options>', description: `id, Name tag, or ${DEFAULT}` },
      { syntax: '<vpc>', description: 'id or Name tag' }
    ],
    examples: [
      'vpcctl dhcp-options associate office web', 'vpcctl dhcp-options associate default web'
    ],
    async run (context, input) {
      const reference = input.argument('dhcp-options')
      const ec2 = await context.ec2()
      const [DhcpOptionsId, VpcId] = await Promise.all([
        reference === DEFAULT ? DEFAULT : resolveId(ec2, DHCP_OPTIONS, reference),
        resolveId(ec2, VPC, input.argument('vpc'))])
      await ec2.call('AssociateDhcpOptions', { DhcpOptionsId, VpcId })
      context.output.done(`Associated ${VpcId} with ${DhcpOptionsId}.`, { DhcpOptionsId, VpcId })
    }
  }),
  defineCommand({
    name: 'delete',
    summary: 'Delete a DHCP option set that no VPC uses',
    action: 'DeleteDhcpOptions',
    arguments: [SET_ARGUMENT],
    examples: ['vpcctl dhcp-options delete office'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, DHCP_OPTIONS, input.argument('dhcp-options'))
      await ec2.call('DeleteDhcpOptions', { DhcpOptionsId: id })
      context.output.done(`Deleted ${id}.`, { DhcpOptionsId: id })
    }
  })
]

function configuration (text: string): { Key: string, Value: string[] } {
  const at = text.indexOf('=')
  if (at < 1 || at === text.length - 1) {
    throw usageError(`an option is "name=value", not "${text}"`)
  }
  return { Key: text.slice(0, at), Value: text.slice(at + 1).split(',') }
}

function optionsOf (set: DhcpOptions): string {
  return (set.DhcpConfigurations ?? []).map(({ Key = '', Values = [] }) =>
    `${Key}=${Values.map(({ Value }) => Value ?? '').join(',')}`).join(' ')
}
