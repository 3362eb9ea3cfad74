/** EC2 actions on DHCP option sets. Rules: model/dhcp_options.ts. */
import type {
  AssociateDhcpOptionsRequest, CreateDhcpOptionsRequest, CreateDhcpOptionsResult,
  DeleteDhcpOptionsRequest, DescribeDhcpOptionsRequest, DescribeDhcpOptionsResult,
  DhcpOptions as DhcpOptionsOutput
} from '@aws-sdk/client-ec2'
import {
  planAssociateDhcpOptions, planCreateDhcpOptions, planDeleteDhcpOptions
} from '../../../model/dhcp_options.ts'
import type { DhcpOptions } from '../../../model/dhcp_options.ts'
import { requireRecord } from '../../../model/resource_kind.ts'
import { printTags, tagsFromSpecifications } from '../../../model/tag.ts'
import { defineRead, defineWrite } from '../action.ts'
import type { Action } from '../action.ts'
import { describeRecords } from '../describe.ts'
import type { FilterTable } from '../describe.ts'

const createDhcpOptions = defineWrite<CreateDhcpOptionsRequest, string, CreateDhcpOptionsResult>({
  name: 'CreateDhcpOptions',
  plan: (view, { DhcpConfigurations = [], TagSpecifications }, context) =>
    planCreateDhcpOptions(view, {
    configurations: DhcpConfigurations.map(({ Key = '', Values = [] }) =>
      ({ key: Key, values: Values })),
    tags: tagsFromSpecifications(TagSpecifications, 'dhcp-options')
  }, context),
  print: (view, id) => ({ DhcpOptions: printDhcpOptions(requireRecord(view, 'dhcpOptions', id)) })
})

const deleteDhcpOptions = defineWrite<DeleteDhcpOptionsRequest, null, object>({
  name: 'DeleteDhcpOptions',
  plan: (view, { DhcpOptionsId = '' }) =>
    planDeleteDhcpOptions(view, { dhcpOptionsId: DhcpOptionsId }),
  print: () => ({})
})

const associateDhcpOptions = defineWrite<AssociateDhcpOptionsRequest, null, object>({
  name: 'AssociateDhcpOptions',
  plan: (view, { DhcpOptionsId = '', VpcId = '' }) =>
    planAssociateDhcpOptions(view, { dhcpOptionsId: DhcpOptionsId, vpcId: VpcId }),
  print: () => ({})
})

function printDhcpOptions (record: DhcpOptions): DhcpOptionsOutput {
  return {
    DhcpOptionsId: record.id, OwnerId: record.ownerId, Tags: printTags(record.tags),
    DhcpConfigurations: Object.entries(record.options).map(([Key, values]) =>
      ({ Key, Values: values.map((Value) => ({ Value })) }))
  }
}

/** EC2 API Reference, DescribeDhcpOptions: all filters. */
const FILTERS: FilterTable<DhcpOptions> = {
  'dhcp-options-id': ({ id }) => id,
  key: ({ options }) => Object.keys(options),
  'owner-id': ({ ownerId }) => ownerId,
  value: ({ options }) => Object.values(options).flat()
}

const describeDhcpOptions = defineRead<DescribeDhcpOptionsRequest, DescribeDhcpOptionsResult>({
  name: 'DescribeDhcpOptions',
  read: (view, input) => {
    const page = describeRecords(view, 'dhcpOptions', 'DhcpOptionsIds', input.DhcpOptionsIds, input,
      FILTERS)
    return { DhcpOptions: page.items.map(printDhcpOptions), NextToken: page.nextToken }
  }
})

export const dhcpOptionsActions: readonly Action[] = [
  createDhcpOptions, deleteDhcpOptions, associateDhcpOptions, describeDhcpOptions
]
