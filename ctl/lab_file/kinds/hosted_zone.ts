/**
 * Private hosted zones of Route 53, named by their domain, with the VPCs that see each and its
 * records. The NS and SOA records of the domain itself are Route 53's own.
 */
import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import {
  bareId, listRecordSets, listZones, plainName, type RecordSet, recordSetElement, type Zone
} from '../../hosted_zones.ts'
import type { XmlValue } from '../../route53_client.ts'
import { boundedAll } from '../bounded.ts'
import type { FieldChange } from '../plan.ts'
import { canonicalJson, type Fields, type LiveResource, sortedText } from '../resource.ts'
import { OWNER_TAG, tags } from '../schema_parts.ts'
import type { Session } from '../session.ts'
import type { Clients, LabKind } from './kind.ts'

const TYPES = ['A', 'AAAA', 'CAA', 'CNAME', 'MX', 'NS', 'PTR', 'SRV', 'TXT'] as const
const TTL_DEFAULT = 60
/** Changes of one call; the most that Route 53 takes. */
const BATCH_MAX = 1000

const domain = z.string().min(1).refine((name) => name === plainName(name),
  { error: (issue) => `the domain is written "${plainName(String(issue.input))}" here` })
const values = z.union([z.string(), z.array(z.string()).min(1)])
  .transform((given) => typeof given === 'string' ? [given] : given)
const recordSet = z.union([
  values,
  z.strictObject({ ttl: z.int().min(0).max(2_147_483_647).optional(), values })
])

export const hostedZoneSchema = z.strictObject({
  vpcs: z.array(z.string()).min(1).describe('Names of all VPCs that see it.'),
  comment: z.string().max(256).optional(),
  records: z.record(domain, z.partialRecord(z.enum(TYPES), recordSet)).optional()
    .describe('All records but the NS and SOA of the domain: values by whole name and type.'),
  tags: tags.optional()
})
export const hostedZones = z.record(domain, hostedZoneSchema)

interface Records { readonly ttl: number, readonly values: readonly string[] }
type RecordsByType = Readonly<Record<string, Records>>
type RecordsByName = Readonly<Record<string, RecordsByType>>

/** A zone with what takes calls of its own to know. */
export interface WholeZone {
  readonly zone: Zone
  readonly vpcIds: readonly string[]
  readonly tags: readonly { readonly Key?: string, readonly Value?: string }[]
  readonly sets: readonly RecordSet[]
}

export const HOSTED_ZONE: LabKind<WholeZone> = {
  section: 'hosted-zones',
  place: 'file',
  word: 'hosted zone',
  order: 2,
  goes: 'last',
  changed: 'between',
  created: { comment: '', records: {}, tags: {} },
  immutable: [],
  lost: 'its id',
  agrees: {
    vpcs: (wanted, live) =>
      sortedText(wanted as readonly string[]) === sortedText(live as readonly string[])
  },
  normal: ({ records, ...part }) => ({
    ...part,
    ...records === undefined ? {} : { records: normalRecords(records) }
  }),
  references (part, refer) { refer.all('vpc', part['vpcs'], 'vpcs') },
  list: listWhole,
  identify ({ zone, vpcIds, tags }, lab) {
    const isOwned = tags.some(({ Key }) => Key === OWNER_TAG)
    if (!isOwned && !vpcIds.some((id) => lab.knows(id))) {
      lab.unsaid(`the hosted zone ${bareId(zone.Id)} of ${plainName(zone.Name ?? '')}: ` +
        'no VPC of a file sees it')
      return null
    }
    const name = plainName(zone.Name ?? '')
    return { id: bareId(zone.Id), vpcId: undefined, tags: [...tags], name }
  },
  read ({ zone, vpcIds, sets }, lab) {
    const name = plainName(zone.Name ?? '')
    for (const id of vpcIds.filter((one) => !lab.knows(one))) {
      lab.unsaid(`that ${id} sees the hosted zone of ${name}: files know no VPCs of other ` +
        'accounts and Regions, nor the default VPC')
    }
    const records: Record<string, Record<string, Records>> = {}
    for (const { Name = '', Type = '', TTL, ResourceRecords = [] } of sets) {
      const owner = plainName(Name)
      if (owner === name && (Type === 'NS' || Type === 'SOA')) continue
      records[owner] ??= {}
      const byType = records[owner]
      byType[Type] = {
        ttl: Number(TTL), values: ResourceRecords.map(({ Value = '' }) => Value)
      }
    }
    return {
      vpcs: vpcIds.filter((id) => lab.knows(id)).map((id) => lab.nameOf(id)),
      comment: zone.Config?.Comment ?? '',
      records
    }
  },
  write: ({ records, ...fields }): Fields => ({
    ...fields,
    ...records === undefined ? {} : { records: writeRecords(records as RecordsByName) }
  }),
  async create (session, resource) {
    const { route53 } = session.clients
    const { name, fields } = resource
    const { vpcs: [first = '', ...further], comment = '' } =
      fields as unknown as { vpcs: readonly string[], comment?: string }
    const { HostedZone } = await route53.call<{ HostedZone: Zone }>({
      method: 'POST',
      path: 'hostedzone',
      body: ['CreateHostedZoneRequest', {
        Name: name,
        VPC: vpcElement(session, first),
        CallerReference: randomBytes(16).toString('hex'),
        HostedZoneConfig: { Comment: comment, PrivateZone: 'true' }
      }]
    })
    const id = bareId(HostedZone.Id)
    const tags = { ...fields['tags'] as Fields | undefined, [OWNER_TAG]: session.owner }
    await changeTags(session, id, {}, tags)
    for (const vpc of further) await changeVpc(session, id, 'Associate', vpc)
    return id
  },
  changes: {
    vpcs: async (session, { id }, { from, to }) => {
      const before = (from ?? []) as readonly string[]
      const after = to as readonly string[]
      // A zone has one VPC at least: those that come are there before others go.
      for (const vpc of after.filter((one) => !before.includes(one))) {
        await changeVpc(session, id, 'Associate', vpc)
      }
      for (const vpc of before.filter((one) => !after.includes(one))) {
        await changeVpc(session, id, 'Disassociate', vpc)
      }
    },
    comment: async (session, { id }, { to }) => {
      const { route53 } = session.clients
      await route53.call({ method: 'POST', path: `hostedzone/${id}`,
        body: ['UpdateHostedZoneCommentRequest', { Comment: String(to) }] })
    },
    records: changeRecords,
    tags: async (session, { id }, { from, to }) => {
      await changeTags(session, id, (from ?? {}) as Fields, to as Fields)
    },
    [OWNER_TAG]: async (session, { id }) => {
      await changeTags(session, id, {}, { [OWNER_TAG]: session.owner })
    }
  },
  async remove (session, live) {
    const { route53 } = session.clients
    await changeRecords(session, live,
      { field: 'records', from: live.fields['records'], to: {} })
    await route53.call({ method: 'DELETE', path: `hostedzone/${live.id}` })
  }
}

async function listWhole ({ route53 }: Clients): Promise<WholeZone[]> {
  return await boundedAll(await listZones(route53), async (zone) => {
    const id = bareId(zone.Id)
    const [{ VPCs = [] }, { ResourceTagSet }, sets] = await Promise.all([
      route53.call<{ VPCs?: { VPCId?: string }[] }>({ method: 'GET', path: `hostedzone/${id}` }),
      route53.call<{ ResourceTagSet: { Tags?: WholeZone['tags'] } }>(
        { method: 'GET', path: `tags/hostedzone/${id}` }),
      listRecordSets(route53, id)
    ])
    return {
      zone, vpcIds: VPCs.map(({ VPCId = '' }) => VPCId), tags: ResourceTagSet.Tags ?? [], sets
    }
  })
}

type RecordSetText = z.output<typeof recordSet>

function normalRecords (records: unknown): RecordsByName {
  const given = records as Readonly<Record<string, Readonly<Record<string, RecordSetText>>>>
  return Object.fromEntries(Object.entries(given).map(([name, byType]) =>
    [name, Object.fromEntries(Object.entries(byType).map(([type, set]) =>
      [type, Array.isArray(set)
        ? { ttl: TTL_DEFAULT, values: set }
        : { ttl: set.ttl ?? TTL_DEFAULT, values: set.values }]))]))
}

function writeRecords (records: RecordsByName): object {
  const short = (list: readonly string[]): unknown => list.length === 1 ? list[0] : list
  return Object.fromEntries(Object.entries(records).map(([name, byType]) =>
    [name, Object.fromEntries(Object.entries(byType).map(([type, { ttl, values }]) =>
      [type, ttl === TTL_DEFAULT ? short(values) : { ttl, values: short(values) }]))]))
}

/** One set by name and type, as one line of a list of them. */
function setsOf (records: RecordsByName):
Map<string, readonly [name: string, type: string, Records]> {
  return new Map(Object.entries(records).flatMap(([name, byType]) =>
    Object.entries(byType).map(([type, set]) => [`${name} ${type}`, [name, type, set] as const])))
}

async function changeRecords (session: Session, { id }: LiveResource,
  { from, to }: Pick<FieldChange, 'field' | 'from' | 'to'>): Promise<void> {
  const before = setsOf((from ?? {}) as RecordsByName)
  const after = setsOf(to as RecordsByName)
  const element = (action: string, [name, type, set]: readonly [string, string, Records]) =>
    recordSetElement(action, { name, type, ttl: String(set.ttl), values: set.values })
  const changes: XmlValue[] = [
    ...[...before].filter(([key]) => !after.has(key)).map(([, set]) => element('DELETE', set)),
    ...[...after].filter(([key, set]) => canonicalJson(before.get(key)) !== canonicalJson(set))
      .map(([, set]) => element('UPSERT', set))
  ]
  const { route53 } = session.clients
  for (let at = 0; at < changes.length; at += BATCH_MAX) {
    await route53.call({
      method: 'POST', path: `hostedzone/${id}/rrset`,
      body: ['ChangeResourceRecordSetsRequest',
        { ChangeBatch: { Changes: { Change: changes.slice(at, at + BATCH_MAX) } } }]
    })
  }
}

function vpcElement (session: Session, vpc: string): XmlValue {
  const { region } = session.clients
  return { VPCRegion: region, VPCId: session.id('vpc', null, vpc) }
}

async function changeVpc (session: Session, id: string, verb: 'Associate' | 'Disassociate',
  vpc: string): Promise<void> {
  const { route53 } = session.clients
  const [path, root] = verb === 'Associate'
    ? ['associatevpc', 'AssociateVPCWithHostedZoneRequest']
    : ['disassociatevpc', 'DisassociateVPCFromHostedZoneRequest']
  await route53.call({ method: 'POST', path: `hostedzone/${id}/${path}`,
    body: [root, { VPC: vpcElement(session, vpc) }] })
}

async function changeTags (session: Session, id: string, before: Fields,
  after: Fields): Promise<void> {
  const { route53 } = session.clients
  const gone = Object.keys(before).filter((key) => after[key] === undefined)
  const come = Object.entries(after).filter(([key, value]) => before[key] !== value)
  await route53.call({
    method: 'POST', path: `tags/hostedzone/${id}`,
    body: ['ChangeTagsForResourceRequest', {
      ...come.length > 0 && {
        AddTags: { Tag: come.map(([Key, Value]) => ({ Key, Value: String(Value) })) }
      },
      ...gone.length > 0 && { RemoveTagKeys: { Key: gone } }
    }]
  })
}
