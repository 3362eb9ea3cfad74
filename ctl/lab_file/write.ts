/**
 * A lab file of the live lab: the inverse of resourcesOf, as short as it can be. What EC2 gives a
 * new resource by itself is left out, so that the file reads as a person would have written it.
 *
 * Applied to an empty lab it gives the same lab. It cannot say everything (NEVER_SAID, and of this
 * lab LiveLab.unsaid); what it cannot say stands as a comment at its top. Of one VPC alone, it has
 * what of the account is that VPC's and leads nowhere else.
 */
import { stringify } from 'yaml'
import type { Refer } from './kinds/kind.ts'
import { FILE_KINDS, isBorn, KINDS, type Kind, VPC_KINDS } from './kinds/registry.ts'
import type { LiveLab } from './live.ts'
import { canonicalJson, keyOf, type LiveResource, splitPath } from './resource.ts'
import { fieldAgrees } from './resources_of.ts'
import { KEY_FIELD } from './schema_parts.ts'

type Written = Record<string, unknown>

export interface ExportOptions {
  /** Name of the file. */
  readonly name: string
  /** Zone id of each host by its name. */
  readonly hosts: Readonly<Record<string, string>>
  readonly edges: number
  readonly region: string
  /** Bytes; undefined for a lab whose configuration is not on this machine. */
  readonly underlayMtu: number | undefined
  /** VPC to export alone, by name; null for all. */
  readonly vpc: string | null
  /** Whether pre-shared keys are written. */
  readonly keys: boolean
}

/** A file, and what it cannot say. */
export interface Export {
  /** As plain values, in the order of the schema. */
  readonly file: Written
  readonly unsaid: readonly string[]
}

export function labFileOf (live: LiveLab, options: ExportOptions): Export {
  const all = [...live.resources.values()]
  const unsaid = [...live.unsaid]
  const exported = options.vpc === null ? all : ofOneVpc(all, options.vpc, unsaid)
  const file = {
    name: options.name,
    hosts: Object.keys(options.hosts).length === 0 ? 0 : options.hosts,
    edges: options.edges,
    region: options.region,
    ...options.underlayMtu === undefined ? {} : { 'underlay-mtu': options.underlayMtu }
  }
  const sections = FILE_KINDS.flatMap((kind) => Object.entries(kind === 'vpc'
    ? { vpcs: Object.fromEntries(exported.filter((one) => one.kind === 'vpc')
        .map((vpc) => [vpc.name, writeVpc(vpc, exported)])) }
    : section(kind, exported.filter((one) => one.kind === kind && !isBorn(one)))))
  const whole: Written = { ...file, ...Object.fromEntries(sections) }
  if (options.keys) return { file: whole, unsaid }
  for (const { kind, name, fields } of exported) {
    if (!canonicalJson(fields).includes(`"${KEY_FIELD}"`)) continue
    unsaid.push(`the pre-shared keys of the ${KINDS[kind].word} "${name}": --keys writes them`)
  }
  return { file: withoutKeys(whole) as Written, unsaid }
}

/** What is of a VPC, and of the account what is joined to it alone. */
function ofOneVpc (all: readonly LiveResource[], vpc: string, unsaid: string[]): LiveResource[] {
  const inside = all.filter((one) => one.vpc === vpc || (one.kind === 'vpc' && one.name === vpc))
  const kept = new Map(inside.map((one) => [keyOf(one.kind, one.vpc, one.name), one]))
  const outside = all.filter(({ kind, vpc: place }) => place === null && kind !== 'vpc')
  const others = (resource: LiveResource): string[] =>
    namedBy(resource).filter((key) => !kept.has(key))
  for (let size = -1; size !== kept.size;) {
    size = kept.size
    const named = new Set([...kept.values()].flatMap(namedBy))
    for (const resource of outside) {
      const key = keyOf(resource.kind, null, resource.name)
      const isJoined = named.has(key) || namedBy(resource).some((one) => kept.has(one))
      const leadsElsewhere = others(resource).some((one) =>
        one.startsWith('vpc ') || all.some(({ kind, vpc: place, name }) =>
          place !== null && keyOf(kind, place, name) === one))
      if (isJoined && !leadsElsewhere) kept.set(key, resource)
    }
  }
  const missing = new Set([...kept.values()].flatMap(others))
  for (const key of missing) unsaid.push(`${key}, which the VPC "${vpc}" leads to`)
  return [...kept.values()].map((resource) => withoutNames(resource, missing))
}

/** Keys of the resources that a live one names. */
function namedBy ({ kind, vpc, fields }: LiveResource): string[] {
  const found: string[] = []
  const add = (target: Kind, place: string | null, name: unknown): void => {
    if (typeof name === 'string' && !isBorn({ kind: target, name })) {
      found.push(keyOf(target, place, name))
    }
  }
  const refer: Refer = {
    to: (target, name) => { add(target, KINDS[target].place === 'vpc' ? vpc : null, name) },
    all: (target, names) => {
      for (const name of names as readonly unknown[] | undefined ?? []) refer.to(target, name)
    },
    inVpc: (target, place, name) => { add(target, place, name) },
    byPath: (target, path) => { if (typeof path === 'string') add(target, ...splitPath(path)) }
  }
  KINDS[kind].references?.(KINDS[kind].write?.(fields) ?? fields, refer)
  return found
}

/** Without what a resource names that is not exported. */
function withoutNames (resource: LiveResource, missing: ReadonlySet<string>): LiveResource {
  const { kind, vpc, fields } = resource
  const isMissing = (target: Kind, name: string, place: string | null = null): boolean =>
    missing.has(keyOf(target, place ?? (KINDS[target].place === 'vpc' ? vpc : null), name))
  return { ...resource, fields: KINDS[kind].without?.(fields, isMissing) ?? fields }
}

function writeVpc (vpc: LiveResource, all: readonly LiveResource[]): Written {
  const inside = all.filter((resource) => resource.vpc === vpc.name)
  const hasIpv6 = vpc.fields['ipv6'] === true
  const parts = VPC_KINDS.flatMap((kind) => Object.entries(section(kind,
    inside.filter((resource) => resource.kind === kind && !isAsBorn(resource, hasIpv6)))))
  return { ...writeFields(vpc), ...Object.fromEntries(parts) }
}

function section (kind: Kind, resources: readonly LiveResource[]): Written {
  if (resources.length === 0) return {}
  const ordered = resources.toSorted((one, other) => one.name < other.name ? -1 : 1)
  return {
    [KINDS[kind].section]: Object.fromEntries(ordered.map((one) => [one.name, writeFields(one)]))
  }
}

/** Whether a thing that every VPC is born with is as it was then. */
function isAsBorn (resource: LiveResource, hasIpv6: boolean): boolean {
  const { kind, fields } = resource
  return isBorn(resource) && Object.entries(KINDS[kind].bornFields?.(hasIpv6) ?? {})
    .every(([field, value]) => fieldAgrees(kind, field, value, fields[field]))
}

function writeFields (resource: LiveResource): Written {
  const { kind, name, fields } = resource
  const { created, alwaysWritten = [] } = KINDS[kind]
  const written = KINDS[kind].write?.(fields) ?? fields
  return Object.fromEntries(Object.entries(written).filter(([field, value]) => {
    const now = fields[field]
    if (value === undefined || now === undefined || now === null) return false
    if (field === 'tags' && Object.keys(now).length === 0) return false
    if (field === 'description' && (now === name || isBorn(resource))) return false
    return alwaysWritten.includes(field) || isBorn(resource) ||
      canonicalJson(now) !== canonicalJson(created[field])
  }))
}

function withoutKeys (value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutKeys)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).filter(([key]) => key !== KEY_FIELD)
    .map(([key, inner]) => [key, withoutKeys(inner)]))
}

/** The first line of a lab file, by which editors know its schema. */
const SCHEMA_LINE = '# yaml-language-server: $schema='

/** What a lab does not know, and no export can say. */
const NEVER_SAID: readonly string[] = [
  'the checks, and the description of the file that made the lab',
  'the commands of instances, and what they changed inside',
  'public addresses that EC2 gave by itself',
  'CIDR reservations of subnets, network insights paths, images, quotas, and stacks'
]

/** @param schemaUrl where editors find labs/schema.json */
export function labFileText ({ file, unsaid }: Export, schemaUrl: string): string {
  const notes = '# An export cannot say:\n' +
    [...NEVER_SAID, ...unsaid].map((line) => `#   ${line}\n`).join('')
  return `${SCHEMA_LINE}${schemaUrl}\n${notes}` + stringify(file, { lineWidth: 0 })
}
