/**
 * What a lab is made of: decided at its first start, by flags, and kept in `lab.json`, so that a
 * restart needs the lab's name alone. Hosts, zones, Region and underlay are the lab's for life,
 * since namespaces and records depend on them; how the daemon serves it may change at each start.
 *
 *     flags ──┐
 *             ├──▶ LabConfig ──▶ lab.json, host records
 *     lab.json┘
 */
import { readFileSync } from 'node:fs'
import { isIPv4 } from 'node:net'
import { z } from 'zod'
import { VpclabError } from '../base/errors.ts'
import { FLOW_CAPACITY_MAX } from '../dataplane/tables/flow_layout.ts'
import type { Host } from '../model/lab.ts'
import {
  QUOTA_NAMES, QUOTA_PROFILE_DEFAULT, QUOTA_PROFILES, isQuotaName, quotaFault
} from '../model/quota.ts'
import type { QuotaProfile } from '../model/quota.ts'
import { REGIONS, findRegion, regionOfZone } from '../model/region.ts'
import { ZONES_PER_REGION_MAX, parseZoneId } from '../model/zone.ts'
import { configPath } from './paths.ts'
import { replaceFile } from './replace_file.ts'
import {
  EDGES_MAX, edgeAddressOf, HOSTS_MAX, MACHINE_HOSTS_MAX, MACHINE_PORT, UNDERLAY_MTU_DEFAULT,
  UNDERLAY_MTU_MAX, UNDERLAY_MTU_MIN, underlayAddressOf
} from './topology_plan.ts'

export const API_PORT_DEFAULT = 4566
export const API_ADDRESS_DEFAULT = '127.0.0.1'
export const REGION_DEFAULT = 'us-east-1'
/** The store that is a file of the lab. */
export const STORE_SQLITE = 'sqlite'
export const HOST_COUNT_DEFAULT = 2
export const ZONE_COUNT_DEFAULT = 2
export const EDGE_COUNT_DEFAULT = 3
/** A host's instances; each takes a namespace and at least one TUN. */
export const INSTANCE_SLOTS_DEFAULT = 512
/** Long enough for an answer from the next host, which then finds the worker awake. */
export const SPIN_US_DEFAULT = 100
export const SPIN_US_MAX = 100_000
/** Conversations that a host remembers; 216 bytes each (dataplane/tables/flow_table.ts). */
export const FLOW_CAPACITY_DEFAULT = 262_144
/** Fewer make no smaller table worth having. */
const FLOW_CAPACITY_MIN = 1024
/** As on AWS; a shorter one is for teaching and tests. */
export const FLOW_LOG_INTERVAL_S_DEFAULT = 60
const PORT_MAX = 65_535

/** A host's name is also the name of its port on the underlay's bridge (IFNAMSIZ - 1). */
const HOST_NAME_PATTERN = /^[a-z][a-z0-9-]{0,14}$/
const RESERVED_HOST_NAMES = ['underlay', 'preflight', 'br0', 'lo', MACHINE_PORT]
const RESERVED_HOST_STEMS: readonly string[] = ['i', 'edge', 'internet', 'services']
/** Its hosts' names are its own with a number of up to three digits. */
const MACHINE_NAME_PATTERN = /^[a-z][a-z0-9]{0,10}$/

const SCHEMA = z.object({
  region: z.string(),
  hosts: z.array(z.object({ name: z.string(), zoneId: z.string() })),
  /** This machine, in a lab of several; null: the lab is on this one alone. */
  machine: z.object({ name: z.string(), address: z.string() }).nullable().default(null),
  /** Edges: hosts that carry no instances, but the doors to the internet. */
  edges: z.int().default(0),
  /** Where the internet ends: in the lab, or behind the machine's own network. */
  uplink: z.enum(['lab', 'real']).default('lab'),
  /** Where the records are: `sqlite`, in a file of the lab, or `etcd://…`. */
  store: z.string().default(STORE_SQLITE),
  underlayFamily: z.enum(['ipv4', 'ipv6']),
  underlayMtu: z.int(),
  /** Whether what crosses between hosts is encrypted. */
  underlayEncryption: z.boolean().default(false),
  /** Certificates by which hosts know each other, as files; null: the lab's own authority's. */
  agentCa: z.string().nullable().default(null),
  agentCert: z.string().nullable().default(null),
  agentKey: z.string().nullable().default(null),
  instanceSlots: z.int(),
  apiAddress: z.string(),
  apiPort: z.int(),
  /** null: no metrics are served. */
  metricsPort: z.int().nullable().default(null),
  spinUs: z.int(),
  flowCapacity: z.int().default(FLOW_CAPACITY_DEFAULT),
  /** Length of a flow log's windows. */
  flowLogIntervalS: z.int().default(FLOW_LOG_INTERVAL_S_DEFAULT),
  /** Whether accounts have a default VPC from the lab's first start, and after a reset. */
  defaultVpc: z.boolean().default(false),
  accessKeysFile: z.string().nullable(),
  quotaProfile: z.enum(QUOTA_PROFILES).default(QUOTA_PROFILE_DEFAULT),
  quotas: z.record(z.string(), z.int())
})

export type LabConfig = Readonly<z.infer<typeof SCHEMA>>

/** Flags as given; absent means: as before, or the default. */
export interface LabFlags {
  readonly region?: string | undefined
  /** `2`, or `alpha:use1-az1,beta:2`. */
  readonly hosts?: string | undefined
  readonly zones?: string | undefined
  readonly edges?: string | undefined
  /** `NAME=ADDRESS` */
  readonly machine?: string | undefined
  /** `lab` or `real`. */
  readonly uplink?: string | undefined
  /** `sqlite`, or `etcd://HOST:PORT…`. */
  readonly store?: string | undefined
  readonly underlay?: string | undefined
  readonly underlayMtu?: string | undefined
  /** `on` or `off`. */
  readonly underlayEncryption?: string | undefined
  readonly agentCa?: string | undefined
  readonly agentCert?: string | undefined
  readonly agentKey?: string | undefined
  readonly instanceSlots?: string | undefined
  readonly apiAddress?: string | undefined
  readonly apiPort?: string | undefined
  /** A port, or `off`. */
  readonly metricsPort?: string | undefined
  readonly spinUs?: string | undefined
  readonly flowCapacity?: string | undefined
  readonly flowLogInterval?: string | undefined
  /** `on` or `off`. */
  readonly defaultVpc?: string | undefined
  readonly accessKeys?: string | undefined
  readonly quotaProfile?: string | undefined
  /** `name=value`, any number of them. */
  readonly quotas?: readonly string[] | undefined
}

/**
 * The configuration of a start.
 * @param saved what an earlier start left, or null
 * @throws VpclabError VPCLAB_ERR_CONFIG for a bad flag, or one that contradicts what the lab is
 *   made of
 */
export function resolveConfig (flags: LabFlags, saved: LabConfig | null): LabConfig {
  const region = flags.region ?? saved?.region ?? REGION_DEFAULT
  if (findRegion(region) === undefined) {
    throw badFlag('--region', region, REGIONS.map((entry) => entry.name).join(', '))
  }
  const family = flags.underlay ?? saved?.underlayFamily ?? 'ipv4'
  if (family !== 'ipv4' && family !== 'ipv6') throw badFlag('--underlay', family, 'ipv4 or ipv6')
  const machine = flags.machine === undefined ? saved?.machine ?? null : parseMachine(flags.machine)
  const hosts = flags.hosts === undefined && flags.zones === undefined && saved !== null
    ? saved.hosts
    : parseHosts(flags.hosts ?? String(HOST_COUNT_DEFAULT), flags.zones, region, machine)
  const edgesDefault = hosts.length === 0 || machine !== null ? 0 : EDGE_COUNT_DEFAULT
  const config: LabConfig = {
    region,
    hosts,
    machine,
    edges: number('--edges', flags.edges, saved?.edges ?? edgesDefault, 0,
      hosts.length === 0 ? 0 : EDGES_MAX),
    uplink: uplinkOf(flags.uplink ?? saved?.uplink ?? 'lab'),
    store: storeOf(flags.store ?? saved?.store ?? STORE_SQLITE),
    underlayFamily: family,
    underlayMtu: number('--underlay-mtu', flags.underlayMtu,
      saved?.underlayMtu ?? UNDERLAY_MTU_DEFAULT, UNDERLAY_MTU_MIN, UNDERLAY_MTU_MAX),
    underlayEncryption: onOrOff('--underlay-encryption', flags.underlayEncryption,
      saved?.underlayEncryption ?? machine !== null),
    agentCa: flags.agentCa ?? saved?.agentCa ?? null,
    agentCert: flags.agentCert ?? saved?.agentCert ?? null,
    agentKey: flags.agentKey ?? saved?.agentKey ?? null,
    instanceSlots: number('--instance-slots', flags.instanceSlots,
      saved?.instanceSlots ?? INSTANCE_SLOTS_DEFAULT, 1, INSTANCE_SLOTS_DEFAULT),
    apiAddress: flags.apiAddress ?? saved?.apiAddress ?? API_ADDRESS_DEFAULT,
    apiPort: number('--api-port', flags.apiPort, saved?.apiPort ?? API_PORT_DEFAULT, 0, PORT_MAX),
    metricsPort: metricsPort(flags.metricsPort, saved?.metricsPort ?? null),
    spinUs: number('--spin-us', flags.spinUs, saved?.spinUs ?? SPIN_US_DEFAULT, 0, SPIN_US_MAX),
    flowCapacity: number('--flow-capacity', flags.flowCapacity,
      saved?.flowCapacity ?? FLOW_CAPACITY_DEFAULT, FLOW_CAPACITY_MIN, FLOW_CAPACITY_MAX),
    flowLogIntervalS: number('--flow-log-interval', flags.flowLogInterval,
      saved?.flowLogIntervalS ?? FLOW_LOG_INTERVAL_S_DEFAULT, 1, FLOW_LOG_INTERVAL_S_DEFAULT),
    defaultVpc: onOrOff('--default-vpc', flags.defaultVpc, saved?.defaultVpc ?? true),
    accessKeysFile: flags.accessKeys ?? saved?.accessKeysFile ?? null,
    quotaProfile: quotaProfile(flags.quotaProfile, saved?.quotaProfile ?? QUOTA_PROFILE_DEFAULT),
    quotas: { ...saved?.quotas, ...parseQuotas(flags.quotas ?? []) }
  }
  if (saved !== null) checkUnchanged(config, saved)
  if (config.uplink === 'real' && config.edges === 0) {
    throw badFlag('--uplink', 'real', 'lab, where there are no edges')
  }
  checkAgentFiles(config)
  if (machine !== null) checkMachine(config)
  const fault = quotaFault(config.quotas, config.quotaProfile)
  if (fault !== null) throw new VpclabError('VPCLAB_ERR_CONFIG', `--quota: ${fault}`)
  return config
}

/** @throws VpclabError VPCLAB_ERR_CONFIG when one of the three files is named without the others */
function checkAgentFiles ({ agentCa, agentCert, agentKey }: LabConfig): void {
  const named = [agentCa, agentCert, agentKey].filter((path) => path !== null)
  if (named.length === 0 || named.length === 3) return
  throw badFlag('--agent-ca, --agent-cert, --agent-key', named.join(', '),
    'all three files, or none')
}

/**
 * The records of a lab's hosts, in order; then those of its edges, in the hosts' zones.
 * @param machineNumber of the machine that they are on; 0 in a lab of one
 */
export function hostRecords (config: LabConfig, machineNumber = 0): Host[] {
  const { region, underlayFamily, underlayMtu, instanceSlots } = config
  const machine = config.machine === null ? {} : { machine: config.machine.name }
  const encryption = config.underlayEncryption ? { underlayEncryption: true } : {}
  const zoneIds = [...new Set(config.hosts.map(({ zoneId }) => zoneId))]
  const hosts = config.hosts.map((host, index): Host => ({
    id: host.name,
    region: regionOfZone(host.zoneId)?.name ?? region,
    zoneId: host.zoneId,
    underlayAddress: underlayAddressOf(index + 1, underlayFamily, machineNumber),
    underlayMtu,
    ...encryption,
    roles: ['compute'],
    instanceSlots,
    ...machine
  }))
  const edges = Array.from({ length: config.edges }, (_none, index): Host => ({
    id: edgeName(index + 1),
    region: regionOfZone(zoneIds[index % zoneIds.length] ?? '')?.name ?? region,
    zoneId: zoneIds[index % zoneIds.length] ?? '',
    underlayAddress: edgeAddressOf(index + 1, underlayFamily, machineNumber),
    underlayMtu,
    ...encryption,
    roles: ['edge', 'hyperplane'],
    instanceSlots: 0,
    ...machine
  }))
  return [...hosts, ...edges]
}

/** An edge's name, which is also that of its device toward the internet. */
function edgeName (number: number): string { return `edge-${String(number)}` }

/**
 * @returns null when the lab has never been started
 * @throws VpclabError VPCLAB_ERR_CONFIG for a file that is damaged or out of reach
 */
export function readConfig (lab: string): LabConfig | null {
  const path = configPath(lab)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw new VpclabError('VPCLAB_ERR_CONFIG', `${path} cannot be read: ` +
      `${(error as Error).message}. Name another directory with --state-dir`, { cause: error })
  }
  try {
    return SCHEMA.parse(JSON.parse(text))
  } catch (error) {
    throw new VpclabError('VPCLAB_ERR_CONFIG', `${path} is damaged: ` +
      'remove the lab with "vpcctl lab down" and start it anew', { cause: error })
  }
}

export function writeConfig (lab: string, config: LabConfig): void {
  replaceFile(configPath(lab), JSON.stringify(config, null, 2) + '\n')
}

function parseHosts (
  text: string, zonesFlag: string | undefined, region: string, machine: LabConfig['machine']
): { name: string, zoneId: string }[] {
  const hostsMax = machine === null ? HOSTS_MAX : MACHINE_HOSTS_MAX
  if (/^\d+$/.test(text)) {
    const count = number('--hosts', text, 0, 0, hostsMax)
    const usualZones = Math.max(1, Math.min(ZONE_COUNT_DEFAULT, count))
    const zones = number('--zones', zonesFlag, usualZones, 1, ZONES_PER_REGION_MAX)
    return Array.from({ length: count }, (_, at) => ({
      name: `${machine?.name ?? 'host'}-${String(at + 1)}`,
      zoneId: zoneIdOf(String(at % zones + 1), region)
    }))
  }
  if (zonesFlag !== undefined) {
    throw badFlag('--zones', zonesFlag, 'nothing, where --hosts names the zone of each host')
  }
  const hosts = text.split(',').map((entry) => {
    const [name = '', zone = ''] = entry.split(':')
    const reserved = RESERVED_HOST_NAMES.includes(name) ||
      RESERVED_HOST_STEMS.some((stem) => name.startsWith(`${stem}-`))
    if (!HOST_NAME_PATTERN.test(name) || reserved) {
      throw badFlag('--hosts', entry,
        'a number, or name:zone,… with names of at most 15 lower-case letters, digits and dashes')
    }
    return { name, zoneId: zoneIdOf(zone, region) }
  })
  if (new Set(hosts.map((host) => host.name)).size !== hosts.length) {
    throw badFlag('--hosts', text, 'names that differ')
  }
  if (hosts.length > hostsMax) throw badFlag('--hosts', text, `at most ${String(hostsMax)} hosts`)
  return hosts
}

function parseMachine (text: string): NonNullable<LabConfig['machine']> {
  const [name = '', address = ''] = text.split('=')
  if (!MACHINE_NAME_PATTERN.test(name) || RESERVED_HOST_STEMS.includes(name) || !isIPv4(address)) {
    throw badFlag('--machine', text, 'NAME=ADDRESS, with a name of at most 11 lower-case letters ' +
      'and digits, and the IPv4 address at which other machines reach this one')
  }
  return { name, address }
}

/** What a lab of several machines needs, and cannot have. */
function checkMachine (config: LabConfig): void {
  const { store, underlayFamily, underlayEncryption, agentCa } = config
  if (underlayEncryption && agentCa === null) {
    throw new VpclabError('VPCLAB_ERR_CONFIG', 'What crosses between machines is encrypted: ' +
      'name certificates of one authority with --agent-ca, --agent-cert and --agent-key, or give ' +
      '--underlay-encryption off')
  }
  if (store === STORE_SQLITE) {
    throw badFlag('--store', store, 'etcd://HOST:PORT, where --machine names one of several')
  }
  if (underlayFamily !== 'ipv4') {
    throw badFlag('--underlay', underlayFamily, 'ipv4 between machines')
  }
}

function uplinkOf (text: string): 'lab' | 'real' {
  if (text === 'lab' || text === 'real') return text
  throw badFlag('--uplink', text, 'lab or real')
}

function storeOf (text: string): string {
  if (text !== STORE_SQLITE && !text.startsWith('etcd://')) {
    throw badFlag('--store', text, `${STORE_SQLITE}, or etcd://HOST:PORT`)
  }
  return text
}

/** The number of a zone of the lab's Region, or the id of a zone of any Region as it is. */
function zoneIdOf (zone: string, region: string): string {
  const stem = findRegion(region)?.zoneIdStem ?? ''
  const id = /^\d+$/.test(zone) ? `${stem}-az${zone}` : zone
  if (parseZoneId(id) === null || regionOfZone(id) === undefined) {
    throw badFlag('--hosts', zone, `a zone's number, or its id, such as ${stem}-az1`)
  }
  return id
}

function parseQuotas (flags: readonly string[]): Record<string, number> {
  const quotas: Record<string, number> = {}
  for (const flag of flags) {
    const [name = '', value = ''] = flag.split('=')
    if (!isQuotaName(name) || !/^\d+$/.test(value)) {
      throw badFlag('--quota', flag, `name=number with one of ${QUOTA_NAMES.join(', ')}`)
    }
    quotas[name] = Number(value)
  }
  return quotas
}

function quotaProfile (flag: string | undefined, otherwise: QuotaProfile): QuotaProfile {
  if (flag === undefined) return otherwise
  const profile = QUOTA_PROFILES.find((one) => one === flag)
  if (profile === undefined) throw badFlag('--quota-profile', flag, QUOTA_PROFILES.join(' or '))
  return profile
}

function metricsPort (flag: string | undefined, otherwise: number | null): number | null {
  if (flag === undefined) return otherwise
  return flag === 'off' ? null : number('--metrics-port', flag, 0, 0, PORT_MAX)
}

function onOrOff (flag: string, text: string | undefined, otherwise: boolean): boolean {
  if (text === undefined) return otherwise
  if (text !== 'on' && text !== 'off') throw badFlag(flag, text, 'on or off')
  return text === 'on'
}

function number (
  flag: string, text: string | undefined, otherwise: number, min: number, max: number
): number {
  if (text === undefined) return otherwise
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < min || value > max) {
    throw badFlag(flag, text, `a whole number from ${String(min)} to ${String(max)}`)
  }
  return value
}

function badFlag (flag: string, value: string, right: string): VpclabError {
  return new VpclabError('VPCLAB_ERR_CONFIG',
    `The value "${value}" of ${flag} is not valid: it takes ${right}`)
}

/** A field in the words of its flag: `host-1:use1-az1, host-2:use1-az2`, `9216`. */
function describe (
  value: LabConfig['hosts' | 'region' | 'underlayMtu' | 'edges' | 'store' | 'machine']
): string {
  if (typeof value !== 'object' || value === null) return String(value)
  if ('address' in value) return `${value.name}=${value.address}`
  if (value.length === 0) return 'none'
  return value.map(({ name, zoneId }) => `${name}:${zoneId}`).join(', ')
}

/** What namespaces and records are built on cannot change under them. */
function checkUnchanged (config: LabConfig, saved: LabConfig): void {
  for (const field of [
    'region', 'hosts', 'edges', 'store', 'machine', 'underlayFamily', 'underlayMtu'
  ] as const) {
    const now = describe(config[field])
    const then = describe(saved[field])
    if (now !== then) {
      throw new VpclabError(
        'VPCLAB_ERR_CONFIG', `The lab was made with ${field} ${then}, not ${now}: ` +
        'remove it with "vpcctl lab down" first, or ask for what it has')
    }
  }
}
