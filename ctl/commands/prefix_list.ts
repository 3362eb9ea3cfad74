/**
 * `vpcctl prefix-list …`. AWS VPC User Guide, "Managed prefix lists".
 *
 * Changes of entries are made on the newest version: the command looks it up, and EC2 refuses when
 * somebody else was faster. Lists of AWS are shown like any other.
 */
import type { ManagedPrefixList, PrefixListEntry } from '@aws-sdk/client-ec2'
import { type Command, defineCommand, parseInteger, TAG_OPTIONS } from '../command.ts'
import type { Ec2Client } from '../ec2_client.ts'
import type { QueryInput } from '../ec2_query.ts'
import type { Column } from '../print/table.ts'
import { PREFIX_LIST, resolveId, tagSpecification } from '../resolve.ts'

const COLUMNS: readonly Column<ManagedPrefixList>[] = [
  { header: 'prefix list', value: (list) => list.PrefixListId ?? '' },
  { header: 'list name', value: (list) => list.PrefixListName ?? '', shrinks: true },
  { header: 'family', value: (list) => list.AddressFamily ?? '', hides: true },
  { header: 'max', value: (list) => String(list.MaxEntries ?? '-'), align: 'right' },
  { header: 'version', value: (list) => String(list.Version ?? '-'), align: 'right' },
  { header: 'state', value: (list) => list.State ?? '', hides: true },
  { header: 'owner', value: (list) => list.OwnerId ?? '', hides: true }
]

const ENTRY_COLUMNS: readonly Column<PrefixListEntry>[] = [
  { header: 'cidr', value: (entry) => entry.Cidr ?? '' },
  { header: 'description', value: (entry) => entry.Description ?? '', shrinks: true }
]

const LIST_ARGUMENT = { syntax: '<prefix-list>', description: 'id, list name or Name tag' }
const CIDRS_ARGUMENT = { syntax: '<cidr...>', description: 'blocks of the list\'s family' }

/** The largest page that these actions have. */
const PAGE = { MaxResults: 100 }
/** EC2's own bounds. */
const SIZE_MAX = 1000
const VERSION_MAX = 2 ** 31
/** Size of a list for which none is asked, when it begins with fewer entries. */
const SIZE_DEFAULT = 10

export const prefixListCommands: readonly Command[] = [
  defineCommand({
    name: 'create',
    summary: 'Create a prefix list',
    action: 'CreateManagedPrefixList',
    arguments: [
      { syntax: '<list-name>', description: 'its name' },
      { syntax: '[cidr...]', description: 'its first blocks' }
    ],
    options: [
      {
        flags: '--max-entries <count>',
        description: `size; what refers to the list pays it (default: ${String(SIZE_DEFAULT)}, ` +
          'or as many as there are blocks)'
      },
      { flags: '--ipv6', description: 'a list of IPv6 blocks (default: as the first block is)' },
      ...TAG_OPTIONS
    ],
    examples: ['vpcctl prefix-list create offices 192.0.2.0/24 198.51.100.0/24 --max-entries 5'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const cidrs = input.rest('cidr')
      const isIpv6 = input.flag('ipv6') || cidrs[0]?.includes(':') === true
      const { PrefixList: list } = await ec2.call('CreateManagedPrefixList', {
        PrefixListName: input.argument('list-name'),
        AddressFamily: isIpv6 ? 'IPv6' : 'IPv4',
        MaxEntries: input.integer('maxEntries', 1, SIZE_MAX) ??
          Math.max(SIZE_DEFAULT, cidrs.length),
        Entry: cidrs.map((Cidr) => ({ Cidr })),
        ...tagSpecification('prefix-list', input.tags())
      })
      context.output.row(list ?? {}, COLUMNS, ({ PrefixListId }) => PrefixListId)
    }
  }),
  defineCommand({
    name: 'list',
    summary: 'List prefix lists, those of AWS among them',
    action: 'DescribeManagedPrefixLists',
    examples: ['vpcctl prefix-list list'],
    async run (context) {
      const ec2 = await context.ec2()
      const lists = await ec2.all('DescribeManagedPrefixLists', PAGE, (page) => page.PrefixLists)
      context.output.rows(lists, COLUMNS, ({ PrefixListId }) => PrefixListId)
    }
  }),
  defineCommand({
    name: 'show',
    summary: 'Show the entries of a prefix list',
    action: 'GetManagedPrefixListEntries',
    arguments: [LIST_ARGUMENT],
    options: [{ flags: '--version <number>', description: 'of an older version' }],
    examples: ['vpcctl prefix-list show offices', 'vpcctl prefix-list show offices --version 1'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, PREFIX_LIST, input.argument('prefix-list'))
      const TargetVersion = input.integer('version', 1, VERSION_MAX)
      const entries = await ec2.all('GetManagedPrefixListEntries',
        { ...PAGE, PrefixListId: id, ...TargetVersion === undefined ? {} : { TargetVersion } },
        (page) => page.Entries)
      context.output.rows(entries, ENTRY_COLUMNS, ({ Cidr }) => Cidr)
    }
  }),
  defineCommand({
    name: 'add',
    summary: 'Add blocks to a prefix list: its next version',
    action: 'ModifyManagedPrefixList',
    arguments: [LIST_ARGUMENT, CIDRS_ARGUMENT],
    options: [{ flags: '--description <text>', description: 'description of the entries' }],
    examples: ['vpcctl prefix-list add offices 203.0.113.0/24 --description Berlin'],
    async run (context, input) {
      const Description = input.text('description')
      const AddEntry = input.rest('cidr').map((Cidr) => ({ Cidr, Description }))
      const ec2 = await context.ec2()
      const list = await newestOf(ec2, input.argument('prefix-list'))
      context.output.row(await modify(ec2, { ...list, AddEntry }), COLUMNS,
        ({ PrefixListId }) => PrefixListId)
    }
  }),
  defineCommand({
    name: 'remove',
    summary: 'Remove blocks from a prefix list: its next version',
    action: 'ModifyManagedPrefixList',
    arguments: [LIST_ARGUMENT, CIDRS_ARGUMENT],
    examples: ['vpcctl prefix-list remove offices 203.0.113.0/24'],
    async run (context, input) {
      const RemoveEntry = input.rest('cidr').map((Cidr) => ({ Cidr }))
      const ec2 = await context.ec2()
      const list = await newestOf(ec2, input.argument('prefix-list'))
      context.output.row(await modify(ec2, { ...list, RemoveEntry }), COLUMNS,
        ({ PrefixListId }) => PrefixListId)
    }
  }),
  defineCommand({
    name: 'set',
    summary: 'Change the size or the name of a prefix list',
    action: 'ModifyManagedPrefixList',
    arguments: [LIST_ARGUMENT],
    options: [
      { flags: '--max-entries <count>', description: `size, 1 to ${String(SIZE_MAX)}` },
      { flags: '--list-name <name>', description: 'its name' }
    ],
    examples: ['vpcctl prefix-list set offices --max-entries 20'],
    async run (context, input) {
      const MaxEntries = input.integer('maxEntries', 1, SIZE_MAX)
      const PrefixListName = input.text('listName')
      const ec2 = await context.ec2()
      const PrefixListId = await resolveId(ec2, PREFIX_LIST, input.argument('prefix-list'))
      const list = await modify(ec2, {
        PrefixListId,
        ...MaxEntries === undefined ? {} : { MaxEntries },
        ...PrefixListName === undefined ? {} : { PrefixListName }
      })
      context.output.row(list, COLUMNS, (one) => one.PrefixListId)
    }
  }),
  defineCommand({
    name: 'restore',
    summary: 'Give a prefix list the entries of an older version',
    action: 'RestoreManagedPrefixListVersion',
    arguments: [LIST_ARGUMENT, { syntax: '<version>', description: 'number of the version' }],
    examples: ['vpcctl prefix-list restore offices 1'],
    async run (context, input) {
      const PreviousVersion = parseInteger('<version>', input.argument('version'), 1, VERSION_MAX)
      const ec2 = await context.ec2()
      const list = await newestOf(ec2, input.argument('prefix-list'))
      const { PrefixList: restored } =
        await ec2.call('RestoreManagedPrefixListVersion', { ...list, PreviousVersion })
      context.output.row(restored ?? {}, COLUMNS, ({ PrefixListId }) => PrefixListId)
    }
  }),
  defineCommand({
    name: 'references',
    summary: 'List the security groups and route tables that refer to a prefix list',
    action: 'GetManagedPrefixListAssociations',
    arguments: [LIST_ARGUMENT],
    examples: ['vpcctl prefix-list references offices'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const PrefixListId = await resolveId(ec2, PREFIX_LIST, input.argument('prefix-list'))
      const users = await ec2.all('GetManagedPrefixListAssociations', { ...PAGE, PrefixListId },
        (page) => page.PrefixListAssociations)
      context.output.rows(users, [
        { header: 'resource', value: (user) => user.ResourceId ?? '' },
        { header: 'owner', value: (user) => user.ResourceOwner ?? '' }
      ], ({ ResourceId }) => ResourceId)
    }
  }),
  defineCommand({
    name: 'delete',
    summary: 'Delete a prefix list that nothing refers to',
    action: 'DeleteManagedPrefixList',
    arguments: [LIST_ARGUMENT],
    examples: ['vpcctl prefix-list delete offices'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const PrefixListId = await resolveId(ec2, PREFIX_LIST, input.argument('prefix-list'))
      await ec2.call('DeleteManagedPrefixList', { PrefixListId })
      context.output.done(`Deleted ${PrefixListId}.`, { PrefixListId })
    }
  })
]

/** The list that a name means, with its newest version. */
async function newestOf (ec2: Ec2Client,
  reference: string): Promise<QueryInput & { PrefixListId: string, CurrentVersion: number }> {
  const PrefixListId = await resolveId(ec2, PREFIX_LIST, reference)
  const { PrefixLists: lists } =
    await ec2.call('DescribeManagedPrefixLists', { PrefixListId: [PrefixListId] })
  return { PrefixListId, CurrentVersion: lists?.[0]?.Version ?? 1 }
}

async function modify (ec2: Ec2Client, input: QueryInput): Promise<ManagedPrefixList> {
  return (await ec2.call('ModifyManagedPrefixList', input)).PrefixList ?? {}
}
