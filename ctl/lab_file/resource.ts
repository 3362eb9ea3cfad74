/**
 * A lab as a flat list of resources with named fields: the form in which a lab file and a live lab
 * are compared. References are names in both, never ids.
 *
 *     file ── resourcesOf ──▶ Resource[] ◀── live.ts ── Describe calls
 *                                  └──── plan.ts: fields that differ
 *
 * KINDS says of each kind what a new one looks like before anything is set (EC2's defaults), and
 * which fields EC2 cannot change. A field that a resource of the file lacks is not compared.
 */
import { createHash } from 'node:crypto'
import { canonicalAddress, canonicalCidr, placeOf } from './address.ts'
import {
  DEFAULT_ACL, DEFAULT_DHCP_OPTIONS, DEFAULT_GROUP, type GroupRule, type LabCommand, type LabFile,
  type LabVpc, MAIN_TABLE, PROTOCOL_NUMBERS
} from './schema.ts'

export const SECTION_KINDS = {
  'subnets': 'subnet',
  'route-tables': 'route-table',
  'security-groups': 'security-group',
  'network-acls': 'network-acl',
  'enis': 'eni',
  'instances': 'instance'
} as const

export type Section = keyof typeof SECTION_KINDS
export type Kind = 'dhcp-options' | 'vpc' | typeof SECTION_KINDS[Section]

export type Fields = Readonly<Record<string, unknown>>

export interface Resource {
  readonly kind: Kind
  /** Name of the VPC that it is in, null for a VPC and for what is of the account. */
  readonly vpc: string | null
  readonly name: string
  readonly fields: Fields
  readonly commands?: readonly LabCommand[]
}

/** What names a resource in a lab: `subnet web/front`. */
export function keyOf (kind: Kind, vpc: string | null, name: string): string {
  return vpc === null ? `${kind} ${name}` : `${kind} ${vpc}/${name}`
}

/** One rule of a security group for one peer, a block or the name of a group. */
export interface Rule {
  readonly protocol: string
  /** Ports, or type and code of ICMP; -1 for all. */
  readonly from: number
  readonly to: number
  readonly peer: string
  readonly description: string
}

/** One rule of a network ACL. */
export interface AclEntry {
  readonly action: string
  /** A number as text, -1 for all. */
  readonly protocol: string
  readonly from: number
  readonly to: number
  readonly cidr: string
}

export type RouteTarget = { readonly eni: string } | { readonly instance: string } |
  { readonly gone: string }

interface KindRules {
  /** Fields of a new one that sets nothing. */
  readonly created: Fields
  /** A change of one of these makes it anew. */
  readonly immutable: readonly string[]
  /** What goes with it when it is made anew. */
  readonly lost: string
}

const EVERYWHERE: readonly Rule[] = ['0.0.0.0/0'].map((peer) =>
  ({ protocol: '-1', from: -1, to: -1, peer, description: '' }))

const NEW_INTERFACE: Fields = { addresses: [], ipv6: [], 'source-dest-check': true, tags: {} }

export const KINDS: Readonly<Record<Kind, KindRules>> = {
  'dhcp-options': {
    created: { tags: {} }, immutable: ['options'], lost: 'its id'
  },
  'vpc': {
    created: {
      ipv6: false, 'dns-support': true, 'dns-hostnames': false,
      'dhcp-options': DEFAULT_DHCP_OPTIONS, tags: {}
    },
    immutable: [],
    lost: 'everything in it'
  },
  'subnet': {
    created: {
      ipv6: null, 'route-table': MAIN_TABLE, 'network-acl': DEFAULT_ACL, 'map-public-ip': false,
      'assign-ipv6': false, dns64: false, tags: {}
    },
    immutable: ['cidr', 'zone'],
    lost: 'everything in it'
  },
  'route-table': { created: { routes: {}, tags: {} }, immutable: [], lost: 'its id' },
  'security-group': {
    created: { ingress: [], egress: EVERYWHERE, tags: {} }, immutable: [], lost: 'its id'
  },
  'network-acl': { created: { ingress: {}, egress: {}, tags: {} }, immutable: [], lost: 'its id' },
  'eni': {
    created: { ...NEW_INTERFACE, description: '' },
    immutable: ['subnet', 'address'],
    lost: 'its id, MAC and addresses'
  },
  'instance': {
    created: {
      ...NEW_INTERFACE, enis: [], image: 'ami-00000000000000001', device: 'tun', type: 'm5.large',
      'user-data': '', state: 'running'
    },
    immutable: ['subnet', 'address', 'image', 'device', 'host'],
    lost: 'its processes and all that they kept'
  }
}

/** Things that come with the first VPC, or with each: neither made nor deleted, only changed. */
export function isBornWithVpc ({ kind, name }: Pick<Resource, 'kind' | 'name'>): boolean {
  return (kind === 'dhcp-options' && name === DEFAULT_DHCP_OPTIONS) ||
    (kind === 'route-table' && name === MAIN_TABLE) ||
    (kind === 'security-group' && name === DEFAULT_GROUP) ||
    (kind === 'network-acl' && name === DEFAULT_ACL)
}

/** Every resource of a file, each behind those that it stands in. */
export function resourcesOf (file: LabFile, zones: Zones): Resource[] {
  const found: Resource[] = []
  for (const [name, { options, tags }] of Object.entries(file['dhcp-options'] ?? {})) {
    found.push({ kind: 'dhcp-options', vpc: null, name, fields: given({ options, tags }) })
  }
  for (const [vpcName, vpc] of Object.entries(file.vpcs ?? {})) {
    found.push({ kind: 'vpc', vpc: null, name: vpcName, fields: vpcFields(vpc) })
    for (const [section, kind] of Object.entries(SECTION_KINDS)) {
      for (const [name, part] of Object.entries(vpc[section as Section] ?? {})) {
        const { commands, ...fields } = part as Fields & { commands?: readonly LabCommand[] }
        found.push({
          kind,
          vpc: vpcName,
          name,
          fields: normalFields(kind, fields, zones),
          ...commands === undefined ? {} : { commands }
        })
      }
    }
  }
  return found
}

/** Zone ids by whatever a file may call a zone: its id, its name, its number. */
export type Zones = ReadonlyMap<string, string>

function vpcFields (vpc: LabVpc): Fields {
  return given(Object.fromEntries(Object.entries(vpc)
    .filter(([field]) => !Object.hasOwn(SECTION_KINDS, field))))
}

function normalFields (kind: Kind, fields: Fields, zones: Zones): Fields {
  const normal: Record<string, unknown> = { ...given(fields) }
  const change = (field: string, normalize: (value: never) => unknown): void => {
    if (normal[field] !== undefined) normal[field] = normalize(normal[field] as never)
  }
  change('zone', (zone: string | number) => zones.get(String(zone)) ?? String(zone))
  change('routes', (routes: Readonly<Record<string, RouteTarget>>) => Object.fromEntries(
    Object.entries(routes).map(([destination, target]) =>
      [canonicalCidr(destination), given(target as unknown as Fields)])))
  if (kind === 'security-group') {
    change('ingress', (rules: readonly GroupRule[]) => rules.flatMap(rulesOf))
    change('egress', (rules: readonly GroupRule[]) => rules.flatMap(rulesOf))
  }
  if (kind === 'network-acl') {
    change('ingress', aclEntriesOf)
    change('egress', aclEntriesOf)
  }
  change('ipv6', (ipv6: unknown) => Array.isArray(ipv6) ? ipv6.map(String).map(placeOf) : ipv6)
  if (kind === 'instance') {
    normal['state'] ??= 'running'
    normal['subnet'] ??= null
  }
  return normal
}

type AclEntryGiven = Omit<GroupRule, 'from' | 'to'> & { action: string, cidr: string }

function aclEntriesOf (entries: Readonly<Record<string, AclEntryGiven>>):
Readonly<Record<string, AclEntry>> {
  return Object.fromEntries(Object.entries(entries).map(([number, entry]) => {
    const { from, to } = portsOf(entry)
    const protocol = String(protocolNumber(entry.protocol))
    return [number,
      { action: entry.action, protocol, from, to, cidr: canonicalCidr(entry.cidr) }]
  }))
}

function protocolNumber (protocol: GroupRule['protocol']): number {
  return typeof protocol === 'number' ? protocol : PROTOCOL_NUMBERS[protocol]
}

/** In EC2's form: a name for those that it names, -1 for all. */
function groupProtocol (protocol: GroupRule['protocol']): string {
  const number = protocolNumber(protocol)
  const [name = String(number)] = Object.entries(PROTOCOL_NUMBERS)
    .find(([, known]) => known === number) ?? []
  return name === 'all' ? '-1' : name
}

function portsOf (rule: Pick<GroupRule, 'ports' | 'icmp-type' | 'icmp-code'>):
{ from: number, to: number } {
  return rule.ports ?? { from: rule['icmp-type'] ?? -1, to: rule['icmp-code'] ?? -1 }
}

function rulesOf (rule: GroupRule): Rule[] {
  const { from, to } = portsOf(rule)
  return (rule.from ?? rule.to ?? []).map((peer) => ({
    protocol: groupProtocol(rule.protocol),
    from,
    to,
    peer: peer.includes('/') ? canonicalCidr(peer) : peer,
    description: rule.description ?? ''
  }))
}

/** Without the members that are undefined. */
function given (fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

/** Fields whose order means nothing. */
const SETS: ReadonlySet<string> = new Set(['groups', 'addresses', 'ipv6', 'ingress', 'egress'])

/** Whether the live value is what the file wants. */
export function fieldAgrees (field: string, wanted: unknown, live: unknown): boolean {
  // A stopped instance is on no host.
  if (field === 'host' && live === undefined) return true
  if (field === 'ipv6' && wanted === true && Array.isArray(live)) return live.length > 0
  if (field === 'cidr' && Array.isArray(wanted) && Array.isArray(live)) {
    // The first block is the primary one; EC2 keeps no order of the others.
    return wanted[0] === live[0] && sorted(wanted) === sorted(live)
  }
  if (SETS.has(field) && Array.isArray(wanted) && Array.isArray(live)) {
    return sorted(wanted) === sorted(live)
  }
  return canonicalJson(wanted) === canonicalJson(live)
}

function sorted (values: readonly unknown[]): string {
  return [...new Set(values.map(canonicalJson))].toSorted().join()
}

/** JSON with the members of objects in order of their names; undefined reads as null. */
export function canonicalJson (value: unknown): string {
  return JSON.stringify(value ?? null, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([one], [other]) =>
        one < other ? -1 : 1))
      : inner)
}

/** Names a command by what it does: another text is another command. 8 hexadecimal digits. */
export function commandHash ({ run, background }: LabCommand): string {
  return createHash('sha256').update(`${String(background)}\n${run}`).digest('hex').slice(0, 8)
}

/** Canonical text of addresses in a list. */
export function canonicalAddresses (addresses: readonly (string | undefined)[]): string[] {
  return addresses.flatMap((address) => address === undefined ? [] : canonicalAddress(address))
}
