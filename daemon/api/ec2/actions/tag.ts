/**
 * Tags of existing resources. Rules: model/tagging.ts, model/tag.ts. EC2 API Reference,
 * "CreateTags".
 */
import type * as Ec2 from '@aws-sdk/client-ec2'
import type { TaggedResource } from '../../../model/tagging.ts'
import { listTagged, planCreateTags, planDeleteTags } from '../../../model/tagging.ts'
import { printTags } from '../../../model/tag.ts'
import type { Action } from '../action.ts'
import { defineRead, defineWrite } from '../action.ts'
import type { FilterTable } from '../describe.ts'
import { applyFilters, checkPageInput, pageOf } from '../describe.ts'

/** One tag of one resource, as DescribeTags lists it. */
interface TagItem {
  readonly resource: TaggedResource
  readonly key: string
  readonly value: string
}

const tagFilters: FilterTable<TagItem> = {
  'key': ({ key }) => key,
  'resource-id': ({ resource }) => resource.id,
  'resource-type': ({ resource }) => resource.resourceType,
  'value': ({ value }) => value
}

export const tagActions: readonly Action[] = [
  defineWrite<Ec2.CreateTagsRequest, null, object>({
    name: 'CreateTags',
    plan: (view, input) => planCreateTags(view, input.Resources ?? [], input.Tags ?? []),
    print: () => ({})
  }),

  defineWrite<Ec2.DeleteTagsRequest, null, object>({
    name: 'DeleteTags',
    plan: (view, input) => planDeleteTags(view, input.Resources ?? [], input.Tags),
    print: () => ({})
  }),

  defineRead<Ec2.DescribeTagsRequest, Ec2.DescribeTagsResult>({
    name: 'DescribeTags',
    read: (view, input) => {
      checkPageInput(input, 'Filters', undefined)
      const items = listTagged(view).flatMap((resource): TagItem[] =>
        printTags(resource.tags).map(({ Key: key, Value: value }) => ({ resource, key, value })))
      const table = { filters: tagFilters, tagsOf: ({ key, value }: TagItem) => ({ [key]: value }) }
      const matching = applyFilters(view, items, input.Filters, table)
      const page = pageOf(matching, 'tag', input, ({ resource, key }) =>
        [resource.createRevision, `${resource.id} ${key}`])
      return {
        Tags: page.items.map(({ resource, key, value }) => ({
          Key: key, Value: value, ResourceId: resource.id,
          ResourceType: resource.resourceType as Ec2.ResourceType
        })),
        NextToken: page.nextToken
      }
    }
  })
]
