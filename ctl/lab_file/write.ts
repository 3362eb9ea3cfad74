/**
 * A lab file of the live lab: the inverse of resourcesOf, as short as it can be. What EC2 gives a
 * new resource by itself is left out, so that the file reads as a person would have written it.
 *
 * Applied to an empty lab it gives the same lab. It cannot say everything (NEVER_SAID, and of this
 * lab LiveLab.unsaid); what it cannot say stands as a comment at its top.
 */
import { stringify } from 'yaml'
import type { LiveLab, LiveResource } from './live.ts'
import {
  type AclEntry, canonicalJson, type Fields, fieldAgrees, isBornWithVpc, type Kind, KINDS,
  type Rule, SECTION_KINDS
} from './resource.ts'
import { DEFAULT_DHCP_OPTIONS, DEFAULT_GROUP, PROTOCOL_NUMBERS } from './schema.ts'

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
}

/** The file as plain values, in the order of the schema. */
export function labFileOf (live: LiveLab, options: ExportOptions): Written {
  const all = [...live.resources.values()]
  const vpcs = all.filter(({ kind, name }) => kind === 'vpc' &&
    (options.vpc === null || name === options.vpc))
  const usedOptions = new Set(vpcs.map(({ fields }) => fields['dhcp-options']))
  const sets = all.filter(({ kind, name }) => kind === 'dhcp-options' &&
    name !== DEFAULT_DHCP_OPTIONS && (options.vpc === null || usedOptions.has(name)))
  return {
    name: options.name,
    hosts: options.hosts,
    edges: options.edges,
    region: options.region,
    ...options.underlayMtu === undefined ? {} : { 'underlay-mtu': options.underlayMtu },
    ...section('dhcp-options', sets),
    vpcs: Object.fromEntries(vpcs.map((vpc) => [vpc.name, writeVpc(vpc, all)]))
  }
}

function writeVpc (vpc: LiveResource, all: readonly LiveResource[]): Written {
  const inside = all.filter((resource) => resource.vpc === vpc.name)
  const hasIpv6 = vpc.fields['ipv6'] === true
  const parts = Object.entries(SECTION_KINDS).flatMap(([name, kind]) =>
    Object.entries(section(name, inside.filter((resource) =>
      resource.kind === kind && !isAsBorn(resource, hasIpv6)))))
  return { ...writeFields(vpc), ...Object.fromEntries(parts) }
}

function section (name: string, resources: readonly LiveResource[]): Written {
  if (resources.length === 0) return {}
  const ordered = resources.toSorted((one, other) => one.name < other.name ? -1 : 1)
  return { [name]: Object.fromEntries(ordered.map((one) => [one.name, writeFields(one)])) }
}

/** Whether a thing that every VPC is born with is as it was then. */
function isAsBorn (resource: LiveResource, hasIpv6: boolean): boolean {
  return isBornWithVpc(resource) && Object.entries(bornFields(resource, hasIpv6))
    .every(([field, value]) => fieldAgrees(field, value, resource.fields[field]))
}

const ALLOW_ALL: AclEntry = { action: 'allow', protocol: '-1', from: -1, to: -1, cidr: '0.0.0.0/0' }
const EVERYTHING: Omit<Rule, 'peer'> = { protocol: '-1', from: -1, to: -1, description: '' }

function bornFields ({ kind }: LiveResource, hasIpv6: boolean): Fields {
  const { tags } = KINDS[kind].created
  if (kind === 'route-table') return KINDS[kind].created
  if (kind === 'security-group') {
    return {
      tags,
      ingress: [{ ...EVERYTHING, peer: DEFAULT_GROUP }],
      egress: ['0.0.0.0/0', ...hasIpv6 ? ['::/0'] : []].map((peer) => ({ ...EVERYTHING, peer }))
    }
  }
  const entries = {
    100: ALLOW_ALL, ...hasIpv6 ? { 101: { ...ALLOW_ALL, cidr: '::/0' } } : {}
  }
  return { tags, ingress: entries, egress: entries }
}

/** Fields whose default means nothing where EC2 gives another one each time. */
const ALWAYS_WRITTEN: ReadonlySet<string> = new Set(['cidr', 'zone', 'address', 'host', 'type'])

function writeFields (resource: LiveResource): Written {
  const { kind, name, fields } = resource
  const created = KINDS[kind].created
  const written: Written = {}
  for (const [field, value] of Object.entries(fields)) {
    if (value === undefined || value === null) continue
    if (!ALWAYS_WRITTEN.has(field) && !isBornWithVpc(resource) &&
      canonicalJson(value) === canonicalJson(created[field])) continue
    if (field === 'tags' && Object.keys(value).length === 0) continue
    if (field === 'description' && (value === name || isBornWithVpc(resource))) continue
    if (field === 'groups' && canonicalJson(value) === canonicalJson([DEFAULT_GROUP])) continue
    written[field] = writeValue(kind, field, value)
  }
  return written
}

function writeValue (kind: Kind, field: string, value: unknown): unknown {
  if (kind === 'vpc' && field === 'cidr' && Array.isArray(value) && value.length === 1) {
    return value[0] as unknown
  }
  if (kind === 'security-group' && (field === 'ingress' || field === 'egress')) {
    const side = field === 'ingress' ? 'from' : 'to'
    return (value as readonly Rule[]).map((rule) => ({
      ...writeMatcher(rule),
      [side]: rule.peer,
      ...rule.description === '' ? {} : { description: rule.description }
    }))
  }
  if (kind === 'network-acl' && (field === 'ingress' || field === 'egress')) {
    return Object.fromEntries(Object.entries(value as Readonly<Record<string, AclEntry>>)
      .map(([number, entry]) =>
        [number, { ...writeMatcher(entry), action: entry.action, cidr: entry.cidr }]))
  }
  if (kind === 'route-table' && field === 'routes') {
    return Object.fromEntries(Object.entries(value as object)
      .filter(([, target]) => !('gone' in (target as object))))
  }
  if (kind === 'dhcp-options' && field === 'options') {
    return Object.fromEntries(Object.entries(value as Readonly<Record<string, string[]>>)
      .map(([key, values]) => [key, values.length === 1 ? values[0] : values]))
  }
  return value
}

const PROTOCOL_NAMES: ReadonlyMap<string, string> = new Map(
  Object.entries(PROTOCOL_NUMBERS).map(([name, number]) => [String(number), name]))

function writeMatcher ({ protocol, from, to }: Pick<Rule, 'protocol' | 'from' | 'to'>): Written {
  const name = PROTOCOL_NAMES.get(protocol) ?? protocol
  const shown = /^\d+$/.test(name) ? Number(name) : name
  if (name === 'tcp' || name === 'udp') {
    const whole = from === -1
    return {
      protocol: shown,
      ports: whole ? '0-65535' : from === to ? from : `${String(from)}-${String(to)}`
    }
  }
  return {
    protocol: shown,
    ...name.startsWith('icmp') && from !== -1 ? { 'icmp-type': from } : {},
    ...name.startsWith('icmp') && to !== -1 ? { 'icmp-code': to } : {}
  }
}

/** The first line of a lab file, by which editors know its schema. */
const SCHEMA_LINE = '# yaml-language-server: $schema='

/** What a lab does not know, and no export can say. */
const NEVER_SAID: readonly string[] = [
  'the checks, and the description of the file that made the lab',
  'the commands of instances, and what they changed inside',
  'CIDR reservations of subnets, and permissions on ENIs'
]

/** @param schemaUrl where editors find labs/schema.json */
export function labFileText (file: Written, unsaid: readonly string[],
  schemaUrl: string): string {
  const notes = '# An export cannot say:\n' +
    [...NEVER_SAID, ...unsaid].map((line) => `#   ${line}\n`).join('')
  return `${SCHEMA_LINE}${schemaUrl}\n${notes}` + stringify(file, { lineWidth: 0 })
}
