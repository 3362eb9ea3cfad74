/** Prefix lists through the SDK's client: pages, states, and what only an owner may ask. */
import {
  CreateManagedPrefixListCommand, DescribeManagedPrefixListsCommand, DescribePrefixListsCommand,
  GetManagedPrefixListAssociationsCommand, GetManagedPrefixListEntriesCommand,
  ModifyManagedPrefixListCommand
} from '@aws-sdk/client-ec2'
import type { EC2Client } from '@aws-sdk/client-ec2'
import test from 'ava'
import { TestNetwork } from '../../../model/test_network.ts'
import { TEST_ACCOUNT } from '../../../model/test_world.ts'
import { refusalOf, testClient } from '../test_caller.ts'

async function newList (ec2: EC2Client, ...cidrs: string[]): Promise<string> {
  const { PrefixList } = await ec2.send(new CreateManagedPrefixListCommand({
    PrefixListName: 'offices', AddressFamily: 'IPv4', MaxEntries: 10,
    Entries: cidrs.map((Cidr) => ({ Cidr }))
  }))
  return PrefixList?.PrefixListId ?? ''
}

test('a change is in progress until every host has applied it', async (t) => {
  const net = new TestNetwork()
  let applied = 0
  const ec2 = testClient(net, TEST_ACCOUNT, () => applied)
  const PrefixListId = await newList(ec2, '192.0.2.0/24')
  const state = async (): Promise<string | undefined> => (await ec2.send(
    new DescribeManagedPrefixListsCommand({ PrefixListIds: [PrefixListId] })))
    .PrefixLists?.[0]?.State
  t.is(await state(), 'create-in-progress')
  applied = net.snapshot.revision
  t.is(await state(), 'create-complete')
  const { PrefixList } = await ec2.send(new ModifyManagedPrefixListCommand({
    PrefixListId, CurrentVersion: 1, AddEntries: [{ Cidr: '10.0.0.0/8', Description: 'all' }]
  }))
  t.like(PrefixList, { State: 'modify-in-progress', Version: 2 })
})

test('entries come in pages of 1 to 100', async (t) => {
  const ec2 = testClient(new TestNetwork())
  const PrefixListId = await newList(ec2, '192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24')
  const found: (string | undefined)[] = []
  let NextToken: string | undefined
  do {
    const page = await ec2.send(new GetManagedPrefixListEntriesCommand({
      PrefixListId, MaxResults: 2, NextToken
    }))
    found.push(...(page.Entries ?? []).map(({ Cidr }) => Cidr))
    NextToken = page.NextToken
  } while (NextToken !== undefined)
  t.deepEqual(found, ['192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24'])
  for (const MaxResults of [0, 101]) {
    t.is(await refusalOf(ec2.send(new GetManagedPrefixListEntriesCommand({
      PrefixListId, MaxResults
    }))), 'InvalidMaxResults')
  }
})

test('lists of AWS tell their blocks, and no size, version or references', async (t) => {
  const ec2 = testClient(new TestNetwork())
  const { PrefixLists: services } = await ec2.send(new DescribePrefixListsCommand({}))
  t.deepEqual(services?.map(({ PrefixListName }) => PrefixListName?.split('.').at(-1)).sort(),
    ['dynamodb', 's3'])
  const [service] = services ?? []
  t.is(service?.Cidrs?.length, 1)
  const PrefixListId = service?.PrefixListId ?? ''
  const { PrefixLists } = await ec2.send(
    new DescribeManagedPrefixListsCommand({ PrefixListIds: [PrefixListId] }))
  t.like(PrefixLists?.[0], { OwnerId: 'AWS', MaxEntries: undefined, Version: undefined })
  t.is(await refusalOf(ec2.send(new GetManagedPrefixListAssociationsCommand({ PrefixListId }))),
    'UnauthorizedOperation')
  t.is(await refusalOf(ec2.send(new ModifyManagedPrefixListCommand({
    PrefixListId: 'pl-00000000', PrefixListName: 'mine'
  }))), 'InvalidPrefixListID.NotFound')
  t.is(await refusalOf(ec2.send(new ModifyManagedPrefixListCommand({
    PrefixListId: 'rtb-00000000', PrefixListName: 'mine'
  }))), 'InvalidPrefixListId.Malformed')
})
