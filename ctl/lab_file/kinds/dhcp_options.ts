/**
 * DHCP option sets, of the account. AWS's own is "default"; a VPC may have none. EC2 changes no
 * set: other options are another set.
 */
import type { DhcpOptions } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import type { Fields } from '../resource.ts'
import { DEFAULT_DHCP_OPTIONS, tags } from '../schema_parts.ts'
import type { LabKind } from './kind.ts'

export const dhcpOptionsSchema = z.strictObject({
  options: z.record(z.string(), z.union([z.string(), z.array(z.string()).min(1)])
    .transform((given) => typeof given === 'string' ? [given] : given))
    .describe('Values by name: domain-name-servers, domain-name, ntp-servers …'),
  tags: tags.optional()
})

export const DHCP_OPTIONS: LabKind<DhcpOptions> = {
  section: 'dhcp-options',
  place: 'file',
  word: 'DHCP option set',
  order: 0,
  goes: 'last',
  born: DEFAULT_DHCP_OPTIONS,
  changed: 'between',
  created: { tags: {} },
  immutable: ['options'],
  lost: 'its id',
  list: ({ ec2 }) => ec2.all('DescribeDhcpOptions', {}, (page) => page.DhcpOptions),
  identify: (set) => ({
    id: set.DhcpOptionsId ?? '', vpcId: undefined, tags: set.Tags, isBorn: isAwsOptions(set)
  }),
  read: ({ DhcpConfigurations = [] }) => ({
    options: Object.fromEntries(DhcpConfigurations.map(({ Key = '', Values }) =>
      [Key, (Values ?? []).map(({ Value = '' }) => Value)]))
  }),
  write: (fields): Fields => ({
    ...fields,
    options: Object.fromEntries(
      Object.entries(fields['options'] as Readonly<Record<string, string[]>>)
        .map(([key, values]) => [key, values.length === 1 ? values[0] : values]))
  }),
  async create (session, resource) {
    const options = resource.fields['options'] as Readonly<Record<string, readonly string[]>>
    const { DhcpOptions } = await session.ec2.call('CreateDhcpOptions', {
      DhcpConfiguration: Object.entries(options).map(([Key, Value]) => ({ Key, Value })),
      ...session.tagsFor('dhcp-options', resource)
    })
    return DhcpOptions?.DhcpOptionsId
  },
  changes: {},
  async remove ({ ec2 }, { id }) {
    const users = await ec2.all('DescribeVpcs',
      { Filter: [{ Name: 'dhcp-options-id', Value: [id] }] }, (page) => page.Vpcs)
    for (const { VpcId } of users) {
      await ec2.call('AssociateDhcpOptions', { VpcId, DhcpOptionsId: 'default' })
    }
    await ec2.call('DeleteDhcpOptions', { DhcpOptionsId: id })
  }
}

/** The set that an account has from the start: AWS's resolver, and nothing of the person's own. */
function isAwsOptions ({ DhcpConfigurations = [], Tags = [] }: DhcpOptions): boolean {
  const values = Object.fromEntries(DhcpConfigurations.map(({ Key = '', Values = [] }) =>
    [Key, Values.map(({ Value = '' }) => Value).join()]))
  return Tags.length === 0 && DhcpConfigurations.length === 2 &&
    values['domain-name-servers'] === 'AmazonProvidedDNS' &&
    /^(ec2|[\w-]+\.compute)\.internal$/.test(values['domain-name'] ?? '')
}
