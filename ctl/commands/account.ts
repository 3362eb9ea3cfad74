/**
 * `vpcctl account …`: what EC2 says of the account that the lab's own key belongs to.
 * EC2 API Reference, DescribeAccountAttributes.
 */
import type { AccountAttribute } from '@aws-sdk/client-ec2'
import { type Command, defineCommand } from '../command.ts'
import type { Column } from '../print/table.ts'

const COLUMNS: readonly Column<AccountAttribute>[] = [
  { header: 'attribute', value: (attribute) => attribute.AttributeName ?? '' },
  {
    header: 'value',
    value: (attribute) => (attribute.AttributeValues ?? [])
      .map(({ AttributeValue }) => AttributeValue ?? '').join(',')
  }
]

export const accountCommands: readonly Command[] = [
  defineCommand({
    name: 'attributes',
    summary: 'List the attributes of the account',
    action: 'DescribeAccountAttributes',
    note: 'Every quota, with what is used of it, is in "vpcctl quota list".',
    examples: ['vpcctl account attributes'],
    async run (context) {
      const ec2 = await context.ec2()
      const { AccountAttributes: attributes } = await ec2.call('DescribeAccountAttributes', {})
      context.output.rows(attributes ?? [], COLUMNS, ({ AttributeName }) => AttributeName)
    }
  })
]
