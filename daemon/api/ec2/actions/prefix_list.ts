/**
 * EC2 actions on managed prefix lists. Rules: model/prefix_list.ts, prefix_list_reference.ts,
 * prefix_list_aws.ts.
 */
import type {
  CreateManagedPrefixListRequest, CreateManagedPrefixListResult, DeleteManagedPrefixListRequest,
  DeleteManagedPrefixListResult, DescribeManagedPrefixListsRequest,
  DescribeManagedPrefixListsResult, DescribePrefixListsRequest, DescribePrefixListsResult,
  GetManagedPrefixListAssociationsRequest, GetManagedPrefixListAssociationsResult,
  GetManagedPrefixListEntriesRequest, GetManagedPrefixListEntriesResult, ManagedPrefixList,
  ModifyManagedPrefixListRequest, ModifyManagedPrefixListResult, PrefixListState,
  RestoreManagedPrefixListVersionRequest, RestoreManagedPrefixListVersionResult
} from '@aws-sdk/client-ec2'
import { AwsError } from '../../../model/aws_error.ts'
import {
  entriesOfVersion, planCreatePrefixList, planDeletePrefixList, planModifyPrefixList,
  planRestorePrefixListVersion, visiblePrefixLists
} from '../../../model/prefix_list.ts'
import type { PrefixList } from '../../../model/prefix_list.ts'
import { AWS_OWNER, awsPrefixLists } from '../../../model/prefix_list_aws.ts'
import { prefixListReferences, requirePrefixList } from '../../../model/prefix_list_reference.ts'
import type { AccountView } from '../../../model/snapshot.ts'
import { printTags, tagsFromSpecifications } from '../../../model/tag.ts'
import { defineRead, defineWrite } from '../action.ts'
import type { Action, LabStatus, ReadContext } from '../action.ts'
import { isApplied } from '../applied.ts'
import { applyFilters, checkPageInput, pageOf } from '../describe.ts'
import type { FilterTable, Page, PageInput } from '../describe.ts'
import { refuseUnbuilt } from '../unbuilt.ts'

const createPrefixList = defineWrite<CreateManagedPrefixListRequest, string,
  CreateManagedPrefixListResult>({
  name: 'CreateManagedPrefixList',
  plan: (view, input, context) => planCreatePrefixList(view, {
    name: input.PrefixListName ?? '',
    addressFamily: input.AddressFamily ?? '',
    maxEntries: input.MaxEntries ?? 0,
    entries: entriesFromInput(input.Entries),
    tags: tagsFromSpecifications(input.TagSpecifications, 'prefix-list')
  }, context),
  print: answer
})

const modifyPrefixList = defineWrite<ModifyManagedPrefixListRequest, string,
  ModifyManagedPrefixListResult>({
  name: 'ModifyManagedPrefixList',
  plan: (view, input) => {
    refuseUnbuilt('ModifyManagedPrefixList', input, ['PrefixListId', 'CurrentVersion',
      'PrefixListName', 'AddEntries', 'RemoveEntries', 'MaxEntries'])
    return planModifyPrefixList(view, {
      prefixListId: input.PrefixListId ?? '',
      currentVersion: input.CurrentVersion,
      name: input.PrefixListName,
      maxEntries: input.MaxEntries,
      added: entriesFromInput(input.AddEntries),
      removed: (input.RemoveEntries ?? []).map(({ Cidr = '' }) => Cidr)
    })
  },
  print: answer
})

const restorePrefixListVersion = defineWrite<RestoreManagedPrefixListVersionRequest, string,
  RestoreManagedPrefixListVersionResult>({
  name: 'RestoreManagedPrefixListVersion',
  plan: (view, { PrefixListId = '', PreviousVersion = 0, CurrentVersion = 0 }) =>
    planRestorePrefixListVersion(view, {
      prefixListId: PrefixListId, previousVersion: PreviousVersion, currentVersion: CurrentVersion
    }),
  print: answer
})

/** The list as it was: it cannot be looked up any more. */
const deletePrefixList = defineWrite<DeleteManagedPrefixListRequest, PrefixList,
  DeleteManagedPrefixListResult>({
  name: 'DeleteManagedPrefixList',
  plan: (view, { PrefixListId = '' }) => planDeletePrefixList(view, { prefixListId: PrefixListId }),
  print: (_view, list) => ({ PrefixList: printPrefixList(list, 'delete-complete') })
})

function entriesFromInput (
  entries: readonly { Cidr?: string | undefined, Description?: string | undefined }[] | undefined
): { readonly cidr: string, readonly description: string }[] {
  return (entries ?? []).map(({ Cidr: cidr = '', Description: description = '' }) =>
    ({ cidr, description }))
}

function answer (view: AccountView, id: string,
  { lab }: ReadContext): { PrefixList: ManagedPrefixList } {
  const list = requirePrefixList(view, id)
  return { PrefixList: printPrefixList(list, stateOf(view, list, lab)) }
}

/** A change is complete when every host has it. */
function stateOf (view: AccountView, list: PrefixList, lab: LabStatus): PrefixListState {
  const isComplete = isApplied(view, 'prefixList', list.id, lab)
  return `${list.lastChange}-${isComplete ? 'complete' : 'in-progress'}`
}

/** A list of AWS tells neither its size nor its version. */
function printPrefixList (list: PrefixList, state: PrefixListState): ManagedPrefixList {
  const isAws = list.ownerId === AWS_OWNER
  const account = isAws ? 'aws' : list.ownerId
  return {
    PrefixListId: list.id,
    AddressFamily: `IPv${String(list.addressFamily)}`,
    State: state,
    PrefixListArn: `arn:aws:ec2:${list.region}:${account}:prefix-list/${list.id}`,
    PrefixListName: list.name,
    MaxEntries: isAws ? undefined : list.maxEntries,
    Version: isAws ? undefined : list.version,
    OwnerId: list.ownerId,
    Tags: printTags(list.tags)
  }
}

const FILTERS: FilterTable<PrefixList> = {
  'owner-id': ({ ownerId }) => ownerId,
  'prefix-list-id': ({ id }) => id,
  'prefix-list-name': ({ name }) => name
}

interface DescribeInput extends PageInput {
  readonly PrefixListIds?: string[] | undefined
}

/** Those of `lists` that a Describe call asks for. */
function describeLists (view: AccountView, listing: string, lists: readonly PrefixList[],
  input: DescribeInput): Page<PrefixList> {
  const ids = input.PrefixListIds ?? []
  const named = ids.length === 0
    ? lists
    : [...new Set(ids)].map((id) => requirePrefixList(view, id))
  const matching = applyFilters(view, named, input.Filters,
    { filters: FILTERS, tagsOf: ({ tags }) => tags })
  const { prefixList: table } = view.snapshot.tables
  return pageOf(matching, listing, input, ({ id }) => [table.createRevision(id), id])
}

const describeManagedPrefixLists = defineRead<DescribeManagedPrefixListsRequest,
  DescribeManagedPrefixListsResult>({
  name: 'DescribeManagedPrefixLists',
  read: (view, input, { lab }) => {
    checkPageSize(input)
    const page = describeLists(view, 'managed-prefix-list', visiblePrefixLists(view), input)
    return {
      PrefixLists: page.items.map((list) => printPrefixList(list, stateOf(view, list, lab))),
      NextToken: page.nextToken
    }
  }
})

/** The lists of AWS's services, with their blocks. */
const describePrefixLists = defineRead<DescribePrefixListsRequest, DescribePrefixListsResult>({
  name: 'DescribePrefixLists',
  read: (view, input) => {
    checkPageInput(input, 'PrefixListIds', input.PrefixListIds)
    const page = describeLists(view, 'prefix-list', awsPrefixLists(view.region), input)
    return {
      PrefixLists: page.items.map(({ id, name, entries }) =>
        ({ PrefixListId: id, PrefixListName: name, Cidrs: entries.map(({ cidr }) => cidr) })),
      NextToken: page.nextToken
    }
  }
})

const getEntries = defineRead<GetManagedPrefixListEntriesRequest,
  GetManagedPrefixListEntriesResult>({
  name: 'GetManagedPrefixListEntries',
  read: (view, input) => {
    checkPageSize(input)
    const list = requirePrefixList(view, input.PrefixListId ?? '')
    const entries = entriesOfVersion(view.snapshot, list, input.TargetVersion)
    const page = pageOf(entries, `entries of ${list.id}`, input, ({ cidr }) => [0, cidr])
    return {
      Entries: page.items.map(({ cidr, description }) =>
        ({ Cidr: cidr, Description: description === '' ? undefined : description })),
      NextToken: page.nextToken
    }
  }
})

/** Only the owner of a list may ask, and nobody owns those of AWS. */
const getAssociations = defineRead<GetManagedPrefixListAssociationsRequest,
  GetManagedPrefixListAssociationsResult>({
  name: 'GetManagedPrefixListAssociations',
  read: (view, input) => {
    checkPageSize(input)
    const list = requirePrefixList(view, input.PrefixListId ?? '')
    if (list.ownerId === AWS_OWNER) {
      throw new AwsError('UnauthorizedOperation',
        `You are not authorized to perform this operation: ${list.id} is managed by AWS`)
    }
    const users = prefixListReferences(view.snapshot, view.region, list.id)
    const page = pageOf(users, `associations of ${list.id}`, input,
      ({ resourceId }) => [0, resourceId])
    return {
      PrefixListAssociations: page.items.map(({ resourceId, ownerId }) =>
        ({ ResourceId: resourceId, ResourceOwner: ownerId })),
      NextToken: page.nextToken
    }
  }
})

/** Items of a page of these calls: EC2 API Reference, MaxResults of DescribeManagedPrefixLists. */
const PAGE_SIZE_MIN = 1
const PAGE_SIZE_MAX = 100

function checkPageSize ({ MaxResults: size }: { readonly MaxResults?: number | undefined }): void {
  if (size === undefined || (size >= PAGE_SIZE_MIN && size <= PAGE_SIZE_MAX)) return
  throw new AwsError('InvalidMaxResults',
    `Value ( ${String(size)} ) for parameter MaxResults is invalid. ` +
    `Expecting a value from ${String(PAGE_SIZE_MIN)} to ${String(PAGE_SIZE_MAX)}.`)
}

export const prefixListActions: readonly Action[] = [
  createPrefixList, modifyPrefixList, restorePrefixListVersion, deletePrefixList,
  describeManagedPrefixLists, describePrefixLists, getEntries, getAssociations
]
