/**
 * The two tunnels of a VPN connection and their options: ranges, defaults, refusals. AWS
 * Site-to-Site VPN User Guide, "Tunnel options for your Site-to-Site VPN connection"; EC2 API
 * Reference, VpnTunnelOptionsSpecification.
 *
 * A record keeps the options that were asked for; what is not kept has its default. `tunnelOptions`
 * gives all of them, as the IKE engine wants them. A list of algorithms is what AWS's side accepts,
 * weakest first: it takes the first one that the peer has, too.
 *
 *     169.254.x.y/30    .0 network │ .1 AWS │ .2 customer │ .3 broadcast
 */
import { createHash } from 'node:crypto'
import { AwsError } from './aws_error.ts'
import { cidrContains, formatAddress, formatCidr, knownCidr, parseCidr } from './cidr.ts'
import type { PlanContext } from './plan.ts'

const ENCRYPTION = ['AES128', 'AES256', 'AES128-GCM-16', 'AES256-GCM-16'] as const
const INTEGRITY = ['SHA1', 'SHA2-256', 'SHA2-384', 'SHA2-512'] as const
const PHASE_1_GROUPS = [2, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24] as const
const PHASE_2_GROUPS = [2, 5, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24] as const
const IKE_VERSIONS = ['ikev1', 'ikev2'] as const
const DPD_ACTIONS = ['clear', 'none', 'restart'] as const
const STARTUP_ACTIONS = ['add', 'start'] as const

/** Every option of a tunnel, in EC2's order. Times in seconds. */
export interface TunnelOptions {
  readonly phase1LifetimeSeconds: number
  readonly phase2LifetimeSeconds: number
  readonly rekeyMarginTimeSeconds: number
  /** Percent by which the margin may be longer at random. */
  readonly rekeyFuzzPercentage: number
  /** Packets. */
  readonly replayWindowSize: number
  readonly dpdTimeoutSeconds: number
  readonly dpdTimeoutAction: (typeof DPD_ACTIONS)[number]
  readonly phase1EncryptionAlgorithms: readonly (typeof ENCRYPTION)[number][]
  readonly phase2EncryptionAlgorithms: readonly (typeof ENCRYPTION)[number][]
  readonly phase1IntegrityAlgorithms: readonly (typeof INTEGRITY)[number][]
  readonly phase2IntegrityAlgorithms: readonly (typeof INTEGRITY)[number][]
  readonly phase1DHGroupNumbers: readonly number[]
  readonly phase2DHGroupNumbers: readonly number[]
  readonly ikeVersions: readonly (typeof IKE_VERSIONS)[number][]
  /** `start`: AWS's side begins the negotiation. */
  readonly startupAction: (typeof STARTUP_ACTIONS)[number]
  /** Recorded: nothing is maintained here without being asked for. */
  readonly enableTunnelLifecycleControl: boolean
}

export const TUNNEL_DEFAULTS: TunnelOptions = {
  phase1LifetimeSeconds: 28_800,
  phase2LifetimeSeconds: 3600,
  rekeyMarginTimeSeconds: 270,
  rekeyFuzzPercentage: 100,
  replayWindowSize: 1024,
  dpdTimeoutSeconds: 30,
  dpdTimeoutAction: 'clear',
  phase1EncryptionAlgorithms: ENCRYPTION,
  phase2EncryptionAlgorithms: ENCRYPTION,
  phase1IntegrityAlgorithms: INTEGRITY,
  phase2IntegrityAlgorithms: INTEGRITY,
  phase1DHGroupNumbers: PHASE_1_GROUPS,
  phase2DHGroupNumbers: PHASE_2_GROUPS,
  ikeVersions: IKE_VERSIONS,
  startupAction: 'add',
  enableTunnelLifecycleControl: false
}

export interface VpnTunnel {
  /** AWS's end, on the internet of the lab; unique in it. It names the tunnel. */
  readonly outsideIpAddress: string
  /** Canonical /30. */
  readonly insideCidr: string
  /** Null when the customer gateway proves itself with a certificate. Secret. */
  readonly preSharedKey: string | null
  /** Those that were asked for. */
  readonly options: Partial<TunnelOptions>
  /** When a call last had its endpoint replaced, ms since 1970; null: never. */
  readonly replacedMs: number | null
}

/** All options of a tunnel, defaults included. */
export function tunnelOptions ({ options }: Pick<VpnTunnel, 'options'>): TunnelOptions {
  return { ...TUNNEL_DEFAULTS, ...options }
}

/** The two ends inside the tunnel, dotted decimal. */
export function insideAddresses ({ insideCidr }: Pick<VpnTunnel, 'insideCidr'>): {
  readonly aws: string
  readonly customer: string
} {
  const { first } = knownCidr(insideCidr)
  return {
    aws: formatAddress({ family: 4, value: first + 1n }),
    customer: formatAddress({ family: 4, value: first + 2n })
  }
}

/** What a call says of one tunnel. Lists are undefined when nothing is said. */
export interface TunnelOptionsInput {
  readonly insideCidr?: string | undefined
  readonly preSharedKey?: string | undefined
  readonly phase1LifetimeSeconds?: number | undefined
  readonly phase2LifetimeSeconds?: number | undefined
  readonly rekeyMarginTimeSeconds?: number | undefined
  readonly rekeyFuzzPercentage?: number | undefined
  readonly replayWindowSize?: number | undefined
  readonly dpdTimeoutSeconds?: number | undefined
  readonly dpdTimeoutAction?: string | undefined
  readonly phase1EncryptionAlgorithms?: readonly string[] | undefined
  readonly phase2EncryptionAlgorithms?: readonly string[] | undefined
  readonly phase1IntegrityAlgorithms?: readonly string[] | undefined
  readonly phase2IntegrityAlgorithms?: readonly string[] | undefined
  readonly phase1DHGroupNumbers?: readonly number[] | undefined
  readonly phase2DHGroupNumbers?: readonly number[] | undefined
  readonly ikeVersions?: readonly string[] | undefined
  readonly startupAction?: string | undefined
  readonly enableTunnelLifecycleControl?: boolean | undefined
}

type NumberOption = { [K in keyof TunnelOptions]: TunnelOptions[K] extends number ? K : never
}[keyof TunnelOptions]
type WordOption = { [K in keyof TunnelOptions]: TunnelOptions[K] extends string ? K : never
}[keyof TunnelOptions]
type ListOption = {
  [K in keyof TunnelOptions]: TunnelOptions[K] extends readonly unknown[] ? K : never
}[keyof TunnelOptions]

const RANGES: { readonly [K in NumberOption]: readonly [min: number, max: number] } = {
  phase1LifetimeSeconds: [900, 28_800],
  phase2LifetimeSeconds: [900, 3600],
  // The upper end depends on phase 2: see checkTogether.
  rekeyMarginTimeSeconds: [60, 1800],
  rekeyFuzzPercentage: [0, 100],
  replayWindowSize: [64, 2048],
  // AWS names no upper end; this is the lifetime that the tunnel has at most.
  dpdTimeoutSeconds: [30, 28_800]
}

const WORDS: { readonly [K in WordOption]: readonly string[] } = {
  dpdTimeoutAction: DPD_ACTIONS, startupAction: STARTUP_ACTIONS
}

const LISTS: { readonly [K in ListOption]: readonly (string | number)[] } = {
  phase1EncryptionAlgorithms: ENCRYPTION,
  phase2EncryptionAlgorithms: ENCRYPTION,
  phase1IntegrityAlgorithms: INTEGRITY,
  phase2IntegrityAlgorithms: INTEGRITY,
  phase1DHGroupNumbers: PHASE_1_GROUPS,
  phase2DHGroupNumbers: PHASE_2_GROUPS,
  ikeVersions: IKE_VERSIONS
}

/**
 * The options of a tunnel after a call.
 * @param before those that it has
 * @throws AwsError InvalidParameterValue, InvalidParameterCombination
 */
export function changedOptions (
  before: Partial<TunnelOptions>, input: TunnelOptionsInput): Partial<TunnelOptions> {
  const options: Record<string, unknown> = { ...before }
  for (const [name, [min, max]] of entries(RANGES)) {
    const value = input[name]
    if (value === undefined) continue
    if (!Number.isInteger(value) || value < min || value > max) {
      throw invalid(name, String(value), `a number from ${String(min)} to ${String(max)}`)
    }
    options[name] = value
  }
  for (const [name, words] of entries(WORDS)) {
    const value = input[name]
    if (value === undefined) continue
    if (!words.includes(value)) throw invalid(name, value, words.join(', '))
    options[name] = value
  }
  for (const [name, known] of entries(LISTS)) {
    const values: readonly (string | number)[] | undefined = input[name]
    if (values === undefined || values.length === 0) continue
    const unknown = values.find((value) => !known.includes(value))
    if (unknown !== undefined) throw invalid(name, String(unknown), known.join(', '))
    // Weakest first, each once, whatever order the call has.
    options[name] = known.filter((value) => values.includes(value))
  }
  if (input.enableTunnelLifecycleControl !== undefined) {
    options['enableTunnelLifecycleControl'] = input.enableTunnelLifecycleControl
  }
  checkTogether({ ...TUNNEL_DEFAULTS, ...options })
  return options
}

function checkTogether ({ phase1LifetimeSeconds: phase1, phase2LifetimeSeconds: phase2,
  rekeyMarginTimeSeconds: margin, ...options }: TunnelOptions): void {
  if (phase2 >= phase1) {
    throw new AwsError('InvalidParameterCombination', 'Phase2LifetimeSeconds ' +
      `(${String(phase2)}) must be less than Phase1LifetimeSeconds (${String(phase1)})`)
  }
  if (margin > phase2 / 2) {
    throw invalid('rekeyMarginTimeSeconds', String(margin),
      `a number from 60 to ${String(Math.floor(phase2 / 2))}, half of Phase2LifetimeSeconds`)
  }
  if (options.startupAction === 'start' && !options.ikeVersions.includes('ikev2')) {
    throw new AwsError('InvalidParameterCombination',
      'StartupAction start needs ikev2 among IKEVersions')
  }
}

function entries<K extends string, V> (table: { readonly [Key in K]: V }): [K, V][] {
  return Object.entries(table) as [K, V][]
}

function invalid (name: string, value: string, expected: string): AwsError {
  return new AwsError('InvalidParameterValue',
    `Value (${value}) for parameter ${name} is invalid. Expecting ${expected}.`)
}

const KEY_FORM = /^(?!0)[A-Za-z0-9._]{8,64}$/
const KEY_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._'
const KEY_CHARACTERS = 32

/** @throws AwsError InvalidParameterValue; the key is not repeated in the message */
export function checkPreSharedKey (key: string): string {
  if (KEY_FORM.test(key)) return key
  throw new AwsError('InvalidParameterValue', 'The value for parameter preSharedKey is invalid. ' +
    'Expecting 8 to 64 letters, digits, periods and underscores, not beginning with 0.')
}

/** A key of 192 random bits. Random is what ids are made of: 64 bits each. */
export function generatePreSharedKey (context: PlanContext): string {
  const seeds = Array.from({ length: 4 }, () => context.newId('psk'))
  const bytes = createHash('sha512').update(seeds.join()).digest()
  const key = [...bytes.subarray(0, KEY_CHARACTERS)]
    .map((byte) => KEY_ALPHABET.charAt(byte % KEY_ALPHABET.length)).join('')
  return key.startsWith('0') ? `z${key.slice(1)}` : key
}

const LINK_LOCAL = knownCidr('169.254.0.0/16')
const INSIDE_PREFIX_LENGTH = 30
/** Blocks that AWS's own services need. */
const RESERVED_INSIDE: readonly string[] = [
  '169.254.0.0/30', '169.254.1.0/30', '169.254.2.0/30', '169.254.3.0/30', '169.254.4.0/30',
  '169.254.5.0/30', '169.254.169.252/30'
]

/**
 * The block inside a tunnel, canonical.
 * @param taken blocks of the other tunnels of the gateway
 * @throws AwsError InvalidParameterValue, InvalidCidr.InUse
 */
export function checkInsideCidr (text: string, taken: ReadonlySet<string>): string {
  const cidr = parseCidr(text)
  if (cidr === null || cidr.prefixLength !== INSIDE_PREFIX_LENGTH ||
    !cidrContains(LINK_LOCAL, cidr)) {
    throw invalid('tunnelInsideCidr', text, 'a /30 block of 169.254.0.0/16')
  }
  const canonical = formatCidr(cidr)
  if (RESERVED_INSIDE.includes(canonical)) {
    throw invalid('tunnelInsideCidr', text,
      `a block that is not reserved: ${RESERVED_INSIDE.join(', ')}`)
  }
  if (taken.has(canonical)) {
    throw new AwsError('InvalidCidr.InUse',
      `The inside CIDR ${canonical} is used by another tunnel of the gateway`)
  }
  return canonical
}

const INSIDE_BLOCKS = 2 ** (INSIDE_PREFIX_LENGTH - 16)

/** A free block, at random, as AWS's are. @param taken as in checkInsideCidr */
export function chooseInsideCidr (taken: ReadonlySet<string>, context: PlanContext): string {
  const start = createHash('sha256').update(context.newId('inside')).digest().readUInt16BE(0)
  for (let tries = 0; tries < INSIDE_BLOCKS; tries++) {
    const block = BigInt((start + tries) % INSIDE_BLOCKS) * 4n
    const cidr = formatCidr({ ...LINK_LOCAL, first: LINK_LOCAL.first + block,
      prefixLength: INSIDE_PREFIX_LENGTH })
    if (!RESERVED_INSIDE.includes(cidr) && !taken.has(cidr)) return cidr
  }
  throw new AwsError('InternalError', 'All inside CIDR blocks of the gateway are in use')
}
