/** What an ENI by itself and the one that an instance is born with have in common. */
import type { NetworkInterface } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import type { QueryInput } from '../../ec2_query.ts'
import { addressAt, placeOf } from '../address.ts'
import type { FieldChange } from '../plan.ts'
import {
  canonicalAddresses, type Fields, type LiveResource, type Resource, sortedText
} from '../resource.ts'
import { DEFAULT_GROUP, ipv4Address, ipv6Place } from '../schema_parts.ts'
import type { Session } from '../session.ts'
import type { Agreement, Change, LabReader, Refer } from './kind.ts'

export const interfaceFields = {
  address: ipv4Address.optional().describe('Primary private IPv4 address; left out, a free one.'),
  addresses: z.array(ipv4Address).optional().describe('All secondary IPv4 addresses.'),
  ipv6: z.union([z.literal(true), z.array(ipv6Place)]).optional()
    .describe('true: one IPv6 address, any; or all by their place in the /64: ["::10"].'),
  groups: z.array(z.string()).min(1).optional().describe('Names of security groups of the VPC.'),
  'source-dest-check': z.boolean().optional()
}

export const NEW_INTERFACE: Fields =
  { addresses: [], ipv6: [], 'source-dest-check': true, tags: {} }

const sameSet: Agreement = (wanted, live) => Array.isArray(wanted) && Array.isArray(live) &&
  sortedText(wanted) === sortedText(live)

export const INTERFACE_AGREES: Readonly<Record<string, Agreement>> = {
  groups: sameSet,
  addresses: sameSet,
  ipv6: (wanted, live) =>
    wanted === true && Array.isArray(live) ? live.length > 0 : sameSet(wanted, live)
}

export function normalInterface (part: Fields): Fields {
  const { ipv6 } = part
  return Array.isArray(ipv6) ? { ...part, ipv6: ipv6.map(String).map(placeOf) } : part
}

export function referInterface (part: Fields, refer: Refer): void {
  refer.to('subnet', part['subnet'], 'subnet')
  refer.all('security-group', part['groups'], 'groups')
}

export function readInterface (eni: NetworkInterface, lab: LabReader): Fields {
  return {
    subnet: lab.nameOf(eni.SubnetId),
    address: eni.PrivateIpAddress,
    addresses: canonicalAddresses((eni.PrivateIpAddresses ?? [])
      .filter(({ Primary }) => Primary !== true)
      .map(({ PrivateIpAddress }) => PrivateIpAddress)),
    ipv6: canonicalAddresses((eni.Ipv6Addresses ?? []).map(({ Ipv6Address }) => Ipv6Address))
      .map(placeOf),
    groups: (eni.Groups ?? []).map(({ GroupId }) => lab.nameOf(GroupId)),
    'source-dest-check': eni.SourceDestCheck ?? true
  }
}

/** Without the group that EC2 gives unasked. */
export function writeInterface ({ groups, ...fields }: Fields): Fields {
  const isDefault = Array.isArray(groups) && groups.length === 1 && groups[0] === DEFAULT_GROUP
  return isDefault || groups === undefined ? fields : { ...fields, groups }
}

interface InterfaceFields {
  readonly subnet: string
  readonly address?: string
  readonly addresses?: readonly string[]
  readonly ipv6?: true | readonly string[]
  readonly groups?: readonly string[]
}

/** Secondary addresses without a primary one come later: EC2 would make the first the primary. */
export async function interfaceInput (session: Session,
  { vpc, fields }: Resource): Promise<QueryInput> {
  const { subnet, address, addresses = [], ipv6, groups } =
    fields as unknown as InterfaceFields
  const SubnetId = session.id('subnet', vpc, subnet)
  const places = Array.isArray(ipv6) ? ipv6 as readonly string[] : []
  const block = places.length > 0 ? await session.subnetIpv6Block(SubnetId) : ''
  return {
    SubnetId,
    PrivateIpAddresses: address === undefined
      ? undefined
      : [address, ...addresses].map((PrivateIpAddress, index) =>
          ({ PrivateIpAddress, Primary: index === 0 })),
    Ipv6AddressCount: ipv6 === true ? 1 : undefined,
    Ipv6Addresses: places.map((place) => ({ Ipv6Address: addressAt(block, place) })),
    SecurityGroupId: groups === undefined ? undefined : session.ids('security-group', vpc, groups)
  }
}

export const INTERFACE_CHANGES: Readonly<Record<string, Change>> = {
  addresses: changeAddresses,
  ipv6: changeIpv6Addresses,
  groups: async (session, live, { to }) => {
    await modifyInterface(session, live, {
      SecurityGroupId: session.ids('security-group', live.vpc, to as readonly string[])
    })
  },
  'source-dest-check': async (session, live, { to }) => {
    await modifyInterface(session, live, { SourceDestCheck: { Value: to === true } })
  }
}

/** The ENI behind an interface's fields: itself, or the one an instance was born with. */
function interfaceId (live: LiveResource): string { return live.primaryEni ?? live.id }

export async function modifyInterface ({ ec2 }: Session, live: LiveResource,
  attribute: QueryInput): Promise<void> {
  await ec2.call('ModifyNetworkInterfaceAttribute',
    { NetworkInterfaceId: interfaceId(live), ...attribute })
}

async function changeAddresses ({ ec2 }: Session, live: LiveResource,
  { from, to }: FieldChange): Promise<void> {
  const before = (from ?? []) as readonly string[]
  const after = to as readonly string[]
  const NetworkInterfaceId = interfaceId(live)
  const gone = before.filter((address) => !after.includes(address))
  const come = after.filter((address) => !before.includes(address))
  if (gone.length > 0) {
    await ec2.call('UnassignPrivateIpAddresses', { NetworkInterfaceId, PrivateIpAddress: gone })
  }
  if (come.length > 0) {
    await ec2.call('AssignPrivateIpAddresses', { NetworkInterfaceId, PrivateIpAddress: come })
  }
}

async function changeIpv6Addresses (session: Session, live: LiveResource,
  { from, to }: FieldChange): Promise<void> {
  const NetworkInterfaceId = interfaceId(live)
  if (to === true) {
    await session.ec2.call('AssignIpv6Addresses', { NetworkInterfaceId, Ipv6AddressCount: 1 })
    return
  }
  const before = (from ?? []) as readonly string[]
  const after = to as readonly string[]
  const block = await session.subnetIpv6Block(
    session.id('subnet', live.vpc, String(live.fields['subnet'])))
  const full = (places: readonly string[]): string[] =>
    places.map((place) => addressAt(block, place))
  const gone = before.filter((place) => !after.includes(place))
  const come = after.filter((place) => !before.includes(place))
  if (gone.length > 0) {
    await session.ec2.call('UnassignIpv6Addresses',
      { NetworkInterfaceId, Ipv6Addresses: full(gone) })
  }
  if (come.length > 0) {
    await session.ec2.call('AssignIpv6Addresses',
      { NetworkInterfaceId, Ipv6Addresses: full(come) })
  }
}
