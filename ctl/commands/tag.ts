/**
 * `vpcctl tag …`. AWS EC2 User Guide, "Tag your Amazon EC2 resources".
 *
 * Works on ids of any kind, which is why names are not accepted here: a name may belong to a VPC
 * and to a subnet at once.
 */
import type { TagDescription } from '@aws-sdk/client-ec2'
import { type Command, defineCommand, parseTag } from '../command.ts'
import type { Column } from '../print/table.ts'

const COLUMNS: readonly Column<TagDescription>[] = [
  { header: 'resource', value: (tag) => tag.ResourceId ?? '' },
  { header: 'kind', value: (tag) => tag.ResourceType ?? '' },
  { header: 'key', value: (tag) => tag.Key ?? '', shrinks: true },
  { header: 'value', value: (tag) => tag.Value ?? '', shrinks: true }
]

const ID_ARGUMENT = { syntax: '<id>', description: 'id of any resource' }

export const tagCommands: readonly Command[] = [
  defineCommand({
    name: 'create',
    summary: 'Set tags of a resource',
    action: 'CreateTags',
    arguments: [ID_ARGUMENT, { syntax: '<tag...>', description: 'key=value' }],
    examples: ['vpcctl tag create vpc-0123456789abcdef0 Name=web stage=test'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = input.argument('id')
      const tags = input.rest('tag').map(parseTag)
      await ec2.call('CreateTags', { ResourceId: [id], Tag: tags })
      context.output.done(`Tagged ${id}.`, { ResourceId: id, Tags: tags })
    }
  }),
  defineCommand({
    name: 'list',
    summary: 'List tags',
    action: 'DescribeTags',
    arguments: [{ syntax: '[id]', description: 'of one resource' }],
    examples: ['vpcctl tag list', 'vpcctl tag list vpc-0123456789abcdef0'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = input.optionalArgument('id')
      const filter = id === undefined ? {} : { Filter: [{ Name: 'resource-id', Value: [id] }] }
      const tags = await ec2.all('DescribeTags', filter, (page) => page.Tags)
      context.output.rows(tags, COLUMNS, ({ ResourceId }) => ResourceId)
    }
  }),
  defineCommand({
    name: 'delete',
    summary: 'Delete tags of a resource',
    action: 'DeleteTags',
    arguments: [ID_ARGUMENT, { syntax: '<key...>', description: 'keys of the tags' }],
    examples: ['vpcctl tag delete vpc-0123456789abcdef0 stage'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = input.argument('id')
      const keys = input.rest('key')
      await ec2.call('DeleteTags', { ResourceId: [id], Tag: keys.map((Key) => ({ Key })) })
      context.output.done(`Deleted ${keys.join(', ')} of ${id}.`, { ResourceId: id, Keys: keys })
    }
  })
]
