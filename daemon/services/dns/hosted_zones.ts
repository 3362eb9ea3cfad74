/**
 * Private hosted zones as the resolver knows them, systems 1.15: which VPC sees which zone, and
 * what stands in it. Of the zones that a VPC sees, the one with the longest name that the question
 * lies in decides, also where it has nothing to say: such a zone hides every other one, and the
 * world's.
 *
 *     zone corp.example      a.b.corp.example A     *.corp.example A
 *       a.b.corp.example     its records, or "no such type"
 *       b.corp.example       exists, since something is below it: "no such type"
 *       x.corp.example       the wildcard's records
 *       x.b.corp.example     does not exist: the wildcard ends where names are (RFC 4592 §3.3.1)
 *
 * A VPC sees its zones while both of its DNS attributes are on (Route 53 Developer Guide,
 * "Considerations when working with a private hosted zone").
 */
import { parentOf } from '../../model/domain_name.ts'
import type { RecordType, SoaData } from '../../model/resource_record.ts'
import { ValueFault, parseRecordValue } from '../../model/resource_record.ts'
import type { HostedZoneData, RecordSetData } from '../update.ts'
import type { ZoneAnswer, ZoneRecord, ZoneSource } from './zone_source.ts'
import { matching } from './zone_source.ts'

const WILDCARD = '*'

/** One zone, whoever sees it. */
class KnownZone {
  readonly name: string
  vpcIds: readonly string[] = []
  readonly #sets = new Map<string, Map<RecordType, readonly ZoneRecord[]>>()
  /** How many names with records are at or below each name. */
  readonly #names = new Map<string, number>()
  /** With the time that "no" may be kept, RFC 2308 §5. */
  #soa: ZoneRecord | undefined

  constructor (name: string) {
    this.name = name
  }

  set (data: RecordSetData): void {
    this.#keep(data)
    if (data.type !== 'SOA' || data.name !== this.name) return
    const [soa] = this.#sets.get(this.name)?.get('SOA') ?? []
    this.#soa = soa === undefined ? undefined
      : { ...soa, ttl: Math.min(soa.ttl, (soa.data as SoaData).minimum) }
  }

  #keep ({ name, type, ttlS, values }: RecordSetData): void {
    const held = this.#sets.get(name)
    if (values.length === 0) {
      if (held?.delete(type) !== true || held.size > 0) return
      this.#sets.delete(name)
      this.#count(name, -1)
      return
    }
    const sets = held ?? new Map<RecordType, readonly ZoneRecord[]>()
    if (held === undefined) {
      this.#sets.set(name, sets)
      this.#count(name, 1)
    }
    sets.set(type, values.flatMap((value) => recordOf(name, type, ttlS, value)))
  }

  #count (name: string, by: 1 | -1): void {
    for (const at of this.#upwards(name)) {
      const count = (this.#names.get(at) ?? 0) + by
      if (count === 0) this.#names.delete(at)
      else this.#names.set(at, count)
    }
  }

  /** The name, and those above it up to the zone's own. Precondition: it lies in the zone. */
  * #upwards (name: string): Generator<string> {
    let at = name
    while (at !== this.name) {
      yield at
      at = parentOf(at)
    }
    yield at
  }

  answer (name: string, type: string): ZoneAnswer {
    const records = this.#recordsOf(name)
    const found = matching(records ?? [], type)
    return {
      zone: this.name, nameExists: records !== null, records: found,
      ...this.#soa === undefined ? {} : { soa: this.#soa }
    }
  }

  /** @returns null when the name does not exist */
  #recordsOf (name: string): readonly ZoneRecord[] | null {
    const sets = this.#sets.get(name)
    if (sets !== undefined) return [...sets.values()].flat()
    if (this.#names.has(name)) return []
    for (const at of this.#upwards(name)) {
      if (!this.#names.has(at)) continue
      // The closest name that exists: a wildcard beside it answers, none above it does.
      const wildcard = this.#sets.get(`${WILDCARD}.${at}`)
      return wildcard === undefined ? null
        : [...wildcard.values()].flat().map((record) => ({ ...record, name }))
    }
    return null
  }
}

/** None for a value that the model would not have let in. */
function recordOf (name: string, type: RecordType, ttl: number, value: string): ZoneRecord[] {
  const parsed = parseRecordValue(type, value)
  if (parsed instanceof ValueFault) return []
  const data = type === 'TXT'
    ? (parsed as readonly string[]).map((text) => Buffer.from(text, 'latin1')) : parsed
  return [{ name, type, ttl, data }]
}

export class HostedZones implements ZoneSource {
  readonly #zones = new Map<string, KnownZone>()
  /** VPC id → name → zone. */
  readonly #seen = new Map<string, Map<string, KnownZone>>()

  /** Zones before their records: a zone comes with all of them. */
  apply (zones: readonly HostedZoneData[], recordSets: readonly RecordSetData[]): void {
    for (const data of zones) this.#setZone(data)
    for (const data of recordSets) this.#zones.get(data.zoneId)?.set(data)
  }

  #setZone ({ zoneId, name, vpcIds }: HostedZoneData): void {
    const zone = this.#zones.get(zoneId) ?? new KnownZone(name)
    for (const vpcId of zone.vpcIds) {
      const seen = this.#seen.get(vpcId)
      // Another zone of the name may have come first.
      if (seen?.get(zone.name) === zone) seen.delete(zone.name)
      if (seen?.size === 0) this.#seen.delete(vpcId)
    }
    zone.vpcIds = vpcIds
    for (const vpcId of vpcIds) {
      const seen = this.#seen.get(vpcId) ?? new Map<string, KnownZone>()
      seen.set(zone.name, zone)
      this.#seen.set(vpcId, seen)
    }
    if (vpcIds.length === 0) this.#zones.delete(zoneId)
    else this.#zones.set(zoneId, zone)
  }

  readonly answer: ZoneSource['answer'] = ({ name, type }, { vpc }) => {
    const seen = vpc.hasDnsHostnames ? this.#seen.get(vpc.vpcId) : undefined
    if (seen === undefined) return null
    for (let zone = name; zone !== ''; zone = parentOf(zone)) {
      const known = seen.get(zone)
      if (known !== undefined) return known.answer(name, type)
    }
    return null
  }
}
