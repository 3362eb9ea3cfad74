/**
 * Resource record sets of hosted zones, and batches of changes to them. Route 53 API Reference,
 * ChangeResourceRecordSets.
 *
 *     batch ─▶ each change alone ─▶ over the zone, in order ─▶ the zone afterwards ─▶ all, or none
 *              form, values          is it there, or not?      CNAMEs, SOA, NS
 *
 * What is wrong with a batch is told at once, a message per fault, and nothing of it is done.
 * Simple routing alone: a set is told from others by its name and type.
 */
import { AwsError } from './aws_error.ts'
import { isBelow, parseDomainName, printDomainName } from './domain_name.ts'
import type { HostedZone, Submitted, ZoneCaller } from './hosted_zone.ts'
import type { Plan } from './plan.ts'
import { quota } from './quota.ts'
import type { RecordType } from './resource_record.ts'
import { RECORD_TYPES, ValueFault, isRecordType, parseRecordValue } from './resource_record.ts'
import type { Change, Snapshot } from './snapshot.ts'
import { put, remove } from './snapshot.ts'

/** Values of all sets of a batch, as Route 53 has it; those of an UPSERT count twice. */
export const BATCH_VALUES_MAX = 1000
/** Characters of all values of a batch, alike. */
export const BATCH_CHARACTERS_MAX = 32_000
/** Values of one set. */
export const SET_VALUES_MAX = 400
const TTL_S_MAX = 2_147_483_647

/** Of the records that every zone begins with, as Route 53 makes them for private zones. */
const NAME_SERVERS = [
  'ns-1536.awsdns-00.co.uk.', 'ns-0.awsdns-00.com.', 'ns-1024.awsdns-00.org.',
  'ns-512.awsdns-00.net.'
]
const NS_TTL_S = 172_800
const SOA_TTL_S = 900
const SOA_REST = 'awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400'

export interface ResourceRecordSet {
  /** `<zone id>/<name>/<type>` */
  readonly id: string
  readonly zoneId: string
  /** As domain_name.ts keeps names. */
  readonly name: string
  readonly type: RecordType
  readonly ttlS: number
  /** As they were given; resource_record.ts reads them. */
  readonly values: readonly string[]
}

function recordSetId (zoneId: string, name: string, type: string): string {
  return `${zoneId}/${name}/${type}`
}

/** SOA and NS of a new zone. */
export function apexRecordSets ({ id: zoneId, name }: Pick<HostedZone, 'id' | 'name'>):
ResourceRecordSet[] {
  const of = (type: RecordType, ttlS: number, values: readonly string[]): ResourceRecordSet =>
    ({ id: recordSetId(zoneId, name, type), zoneId, name, type, ttlS, values })
  return [
    of('NS', NS_TTL_S, NAME_SERVERS),
    of('SOA', SOA_TTL_S, [`${NAME_SERVERS[0] ?? ''} ${SOA_REST}`])
  ]
}

export interface RecordSetChange {
  /** `CREATE`, `DELETE` or `UPSERT`. */
  readonly action: string
  readonly name: string
  readonly type: string
  readonly ttlS: number | null
  readonly values: readonly string[] | null
  /** Members of the request that ask for what is not built: `AliasTarget`, `Weight` … */
  readonly unbuilt: readonly string[]
}

/** A change whose form is right. */
interface CheckedChange {
  readonly action: 'CREATE' | 'DELETE' | 'UPSERT'
  readonly set: ResourceRecordSet
}

/**
 * ChangeResourceRecordSets.
 * @param note the record of the change, made when the batch is good
 * @throws AwsError InvalidInput for what is not of the form, InvalidChangeBatch with a message per
 *   fault
 */
export function planChangeRecordSets (
  { snapshot }: ZoneCaller, zone: HostedZone, batch: readonly RecordSetChange[],
  note: () => { readonly changeId: string, readonly changes: readonly Change[] }
): Plan<Submitted> {
  checkSize(batch)
  for (const change of batch) checkForm(change)
  const faults: string[] = []
  const work = new ZoneWork(snapshot, zone)
  for (const change of batch) {
    const checked = checkChange(change, zone, faults)
    if (checked !== null) work.apply(checked, faults)
  }
  work.check(faults)
  if (faults.length > 0) throw invalidBatch(faults)
  const noted = note()
  return {
    changes: [...work.changes(), ...noted.changes], result: { changeId: noted.changeId }
  }
}

function invalidBatch (faults: readonly string[]): AwsError {
  return new AwsError('InvalidChangeBatch', `[${faults.join(', ')}]`)
}

function checkSize (batch: readonly RecordSetChange[]): void {
  if (batch.length === 0) throw new AwsError('InvalidInput', 'A change batch has no changes')
  let values = 0
  let characters = 0
  for (const change of batch) {
    const factor = change.action === 'UPSERT' ? 2 : 1
    values += factor * (change.values?.length ?? 0)
    for (const value of change.values ?? []) characters += factor * value.length
  }
  if (values > BATCH_VALUES_MAX) {
    throw invalidBatch([`Number of records limit of ${String(BATCH_VALUES_MAX)} exceeded.`])
  }
  if (characters > BATCH_CHARACTERS_MAX) {
    throw invalidBatch([`Number of characters limit of ${String(BATCH_CHARACTERS_MAX)} exceeded.`])
  }
}

/** @throws AwsError InvalidInput */
function checkForm (change: RecordSetChange): void {
  const { action, name, type, ttlS, values, unbuilt } = change
  const which = `Change with [Action=${action}, Name=${name}, Type=${type}]`
  if (!['CREATE', 'DELETE', 'UPSERT'].includes(action)) {
    throw new AwsError('InvalidInput', `Invalid request: the action of ${which} is none of ` +
      'CREATE, DELETE and UPSERT')
  }
  if (unbuilt.length > 0) {
    throw new AwsError('InvalidInput', `Invalid request: ${unbuilt.join(', ')} in ${which}: ` +
      'alias records and routing policies other than the simple one are not built in vpclab')
  }
  if (!isRecordType(type)) {
    throw new AwsError('InvalidInput', `Invalid request: the type of ${which} is not built in ` +
      `vpclab: it is one of ${RECORD_TYPES.join(', ')}`)
  }
  if (values === null || values.length === 0) {
    throw new AwsError('InvalidInput', 'Invalid request: Expected exactly one of [AliasTarget, ' +
      'all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId], but found none in ' + which)
  }
  if (ttlS === null || ttlS < 0 || ttlS > TTL_S_MAX) {
    throw new AwsError('InvalidInput', ttlS === null
      ? `Invalid request: Missing field 'TTL' in ${which}`
      : `Invalid request: the TTL of ${which} is not from 0 to ${String(TTL_S_MAX)}`)
  }
}

/** @returns null where a fault has been noted. Precondition: the form is right. */
function checkChange (
  change: RecordSetChange, zone: HostedZone, faults: string[]): CheckedChange | null {
  const { action, type, ttlS, values } = change
  const before = faults.length
  const name = parseDomainName(change.name)
  if (name === null) {
    faults.push('FATAL problem: DomainNameInvalid (Name is not a valid domain name) encountered ' +
      `with '${change.name.slice(0, 255)}'`)
  } else if (!isBelow(name, zone.name)) {
    faults.push(`RRSet with DNS name ${printDomainName(name)} is not permitted in zone ` +
      printDomainName(zone.name))
  }
  for (const value of values ?? []) {
    const parsed = parseRecordValue(type as RecordType, value)
    if (!(parsed instanceof ValueFault)) continue
    faults.push(`Invalid Resource Record: FATAL problem: ${parsed.name} (${parsed.text}) ` +
      `encountered with '${value.slice(0, 255)}'`)
  }
  if ((values?.length ?? 0) > SET_VALUES_MAX) {
    faults.push(`A resource record set has at most ${String(SET_VALUES_MAX)} resource records`)
  }
  const duplicate = values?.find((value, at) => values.indexOf(value) !== at)
  if (duplicate !== undefined) faults.push(`Duplicate Resource Record: '${duplicate}'`)
  if (faults.length > before || name === null) return null
  const set: ResourceRecordSet = {
    id: recordSetId(zone.id, name, type), zoneId: zone.id, name, type: type as RecordType,
    ttlS: ttlS ?? 0, values: values ?? []
  }
  return { action: action as CheckedChange['action'], set }
}

/** A zone while a batch goes over it. */
class ZoneWork {
  readonly #snapshot: Snapshot
  readonly #zone: HostedZone
  /** What the batch has touched; null where the set is gone. */
  readonly #sets = new Map<string, ResourceRecordSet | null>()

  constructor (snapshot: Snapshot, zone: HostedZone) {
    this.#snapshot = snapshot
    this.#zone = zone
  }

  apply ({ action, set }: CheckedChange, faults: string[]): void {
    const present = this.#find(set.name, set.type)
    const label = `resource record set [name='${printDomainName(set.name)}', type='${set.type}']`
    if (action === 'CREATE' && present !== null) {
      faults.push(`Tried to create ${label} but it already exists`)
    } else if (action === 'DELETE' && present === null) {
      faults.push(`Tried to delete ${label} but it was not found`)
    } else if (action === 'DELETE' && present !== null && !isSameSet(present, set)) {
      faults.push(`Tried to delete ${label} but the values provided do not match the current ` +
        'values')
    } else this.#sets.set(set.id, action === 'DELETE' ? null : set)
  }

  #find (name: string, type: RecordType): ResourceRecordSet | null {
    const id = recordSetId(this.#zone.id, name, type)
    const touched = this.#sets.get(id)
    return touched === undefined
      ? this.#snapshot.tables.resourceRecordSet.get(id) ?? null : touched
  }

  /** What the zone would be. */
  check (faults: string[]): void {
    for (const set of this.#sets.values()) if (set !== null) this.#checkSet(set, faults)
    const { name } = this.#zone
    if (this.#find(name, 'SOA') === null) {
      faults.push('A HostedZone must contain exactly one SOA record.')
    }
    if (this.#find(name, 'NS') === null) {
      faults.push('A HostedZone must contain at least one NS record for the zone itself.')
    }
    this.#checkQuota(faults)
  }

  #checkSet ({ name, type, values }: ResourceRecordSet, faults: string[]): void {
    const zone = printDomainName(this.#zone.name)
    const label = `RRSet of type ${type} with DNS name ${printDomainName(name)}`
    if ((type === 'CNAME' || type === 'SOA') && values.length > 1) {
      faults.push(`${label} has ${String(values.length)} resource records; it has one`)
    }
    if (type === 'SOA' && name !== this.#zone.name) {
      faults.push(`${label} is not permitted: the SOA record of a zone stands at its apex, ${zone}`)
    }
    if (type === 'CNAME' && name === this.#zone.name) {
      faults.push(`${label} is not permitted at apex in zone ${zone}`)
      return
    }
    const hasOther = type === 'CNAME'
      ? RECORD_TYPES.some((other) => other !== 'CNAME' && this.#find(name, other) !== null)
      : this.#find(name, 'CNAME') !== null
    if (hasOther) {
      faults.push(`${label} is not permitted as it conflicts with other records with the same ` +
        `DNS name in zone ${zone}`)
    }
  }

  #checkQuota (faults: string[]): void {
    const { resourceRecordSet } = this.#snapshot.tables
    const allowed = quota(this.#snapshot, 'records-per-hosted-zone')
    let count = resourceRecordSet.by('zoneId', this.#zone.id).length
    for (const [id, set] of this.#sets) {
      count += Number(set !== null) - Number(resourceRecordSet.get(id) !== undefined)
    }
    if (count > allowed) {
      faults.push(`The hosted zone would have ${String(count)} resource record sets; ` +
        `${String(allowed)} are allowed (quota records-per-hosted-zone)`)
    }
  }

  changes (): Change[] {
    return [...this.#sets].map(([id, set]) => set === null
      ? remove('resourceRecordSet', id) : put('resourceRecordSet', set))
      .filter(({ id, record }) =>
        record !== null || this.#snapshot.tables.resourceRecordSet.get(id) !== undefined)
  }
}

/** The same TTL, and the same values in any order. */
function isSameSet (a: ResourceRecordSet, b: ResourceRecordSet): boolean {
  const sorted = ({ values }: ResourceRecordSet): string => JSON.stringify(values.toSorted())
  return a.ttlS === b.ttlS && sorted(a) === sorted(b)
}
