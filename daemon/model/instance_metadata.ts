/**
 * Options of the instance metadata service: of an instance, and the account's defaults for new ones
 * in a Region. EC2 User Guide, "Configure the Instance Metadata Service options".
 *
 *     RunInstances value ─▶ account default ─▶ EC2's default       for each option by itself
 *
 * The service itself is daemon/services/metadata/.
 */
import { AwsError } from './aws_error.ts'
import type { Instance } from './instance.ts'
import type { Plan } from './plan.ts'
import { requireRecord } from './resource_kind.ts'
import { put } from './snapshot.ts'
import type { AccountView } from './snapshot.ts'

export interface MetadataOptions {
  /** `required`: version 2 alone. */
  readonly httpTokens: 'optional' | 'required'
  /** Hops that the answer with a token survives, 1..64. */
  readonly httpPutResponseHopLimit: number
  readonly httpEndpoint: 'enabled' | 'disabled'
  readonly httpProtocolIpv6: 'enabled' | 'disabled'
  readonly instanceMetadataTags: 'enabled' | 'disabled'
}

/** What a caller asks for; undefined leaves an option as it is. Text as the caller wrote it. */
export type MetadataOptionsInput = {
  readonly [K in keyof MetadataOptions]?:
  (MetadataOptions[K] extends number ? number : string) | undefined
}

/** The account's defaults in a Region; undefined: no preference. */
export interface MetadataDefaults {
  /** `<account>/<region>` */
  readonly id: string
  readonly httpTokens?: 'optional' | 'required'
  readonly httpPutResponseHopLimit?: number
  readonly httpEndpoint?: 'enabled' | 'disabled'
  readonly instanceMetadataTags?: 'enabled' | 'disabled'
}

export const DEFAULT_METADATA_OPTIONS: MetadataOptions = {
  httpTokens: 'optional',
  httpPutResponseHopLimit: 1,
  httpEndpoint: 'enabled',
  httpProtocolIpv6: 'disabled',
  instanceMetadataTags: 'disabled'
}

export const HOP_LIMIT_MIN = 1
export const HOP_LIMIT_MAX = 64
const NO_PREFERENCE = 'no-preference'
/** The hop limit that takes an account's default away. */
const HOP_LIMIT_NO_PREFERENCE = -1

const STATES = ['enabled', 'disabled'] as const
const CHOICES = {
  httpTokens: ['optional', 'required'],
  httpEndpoint: STATES,
  httpProtocolIpv6: STATES,
  instanceMetadataTags: STATES
} as const satisfies Partial<Record<keyof MetadataOptions, readonly string[]>>

type Choice = keyof typeof CHOICES

const DEFAULTS_CHOICES = ['httpTokens', 'httpEndpoint', 'instanceMetadataTags'] as const

/** Options of an instance; of one that an older daemon made, EC2's. */
export function metadataOptionsOf (instance: Instance): MetadataOptions {
  return instance.metadataOptions ?? DEFAULT_METADATA_OPTIONS
}

/**
 * Options of a new instance.
 * @throws AwsError InvalidParameterValue
 */
export function newMetadataOptions (
  view: AccountView, input: MetadataOptionsInput | undefined
): MetadataOptions {
  const defaults = metadataDefaultsOf(view)
  return withOptions(withOptions(DEFAULT_METADATA_OPTIONS, {
    httpTokens: defaults.httpTokens,
    httpPutResponseHopLimit: defaults.httpPutResponseHopLimit,
    httpEndpoint: defaults.httpEndpoint,
    instanceMetadataTags: defaults.instanceMetadataTags
  }), input ?? {})
}

/**
 * ModifyInstanceMetadataOptions.
 * @returns the options as they are now
 * @throws AwsError InvalidInstanceID.*, IncorrectInstanceState, InvalidParameterValue
 */
export function planModifyMetadataOptions (
  view: AccountView, instanceId: string, input: MetadataOptionsInput
): Plan<MetadataOptions> {
  const instance = requireRecord(view, 'instance', instanceId)
  if (instance.state === 'terminated' || instance.state === 'shutting-down') {
    throw new AwsError('IncorrectInstanceState',
      `The instance '${instance.id}' is not in a state in which its metadata options can be ` +
      `modified: it is ${instance.state}`)
  }
  const given = Object.entries(input).filter(([, value]) => value !== undefined)
  if (given.length === 0) {
    throw new AwsError('MissingParameter',
      'The request must contain at least one metadata option to modify')
  }
  const metadataOptions = withOptions(metadataOptionsOf(instance), input)
  return { changes: [put('instance', { ...instance, metadataOptions })], result: metadataOptions }
}

/** The account's defaults in the Region of the call. */
export function metadataDefaultsOf (view: AccountView): MetadataDefaults {
  const id = `${view.accountId}/${view.region}`
  return view.snapshot.tables.metadataDefaults.get(id) ?? { id }
}

/**
 * ModifyInstanceMetadataDefaults; `no-preference`, and a hop limit of -1, take a default away.
 * @throws AwsError InvalidParameterValue
 */
export function planModifyMetadataDefaults (
  view: AccountView, input: MetadataOptionsInput
): Plan<null> {
  const { id, ...held } = metadataDefaultsOf(view)
  const next: Record<string, string | number | undefined> = { ...held }
  for (const name of DEFAULTS_CHOICES) {
    const value = input[name]
    if (value === undefined) continue
    next[name] = value === NO_PREFERENCE ? undefined : checkedChoice(name, value)
  }
  const hops = input.httpPutResponseHopLimit
  if (hops === HOP_LIMIT_NO_PREFERENCE) next['httpPutResponseHopLimit'] = undefined
  else if (hops !== undefined) next['httpPutResponseHopLimit'] = checkedHopLimit(hops)
  const kept = Object.fromEntries(Object.entries(next).filter(([, value]) => value !== undefined))
  return { changes: [put('metadataDefaults', { ...kept, id })], result: null }
}

/** @throws AwsError InvalidParameterValue */
function withOptions (options: MetadataOptions, input: MetadataOptionsInput): MetadataOptions {
  const next: Record<string, string | number> = { ...options }
  for (const name of Object.keys(CHOICES) as Choice[]) {
    const value = input[name]
    if (value !== undefined) next[name] = checkedChoice(name, value)
  }
  const hops = input.httpPutResponseHopLimit
  if (hops !== undefined) next['httpPutResponseHopLimit'] = checkedHopLimit(hops)
  return next as unknown as MetadataOptions
}

function checkedChoice (name: Choice, value: string): string {
  const choices: readonly string[] = CHOICES[name]
  if (choices.includes(value)) return value
  throw new AwsError('InvalidParameterValue',
    `Value (${value}) for parameter ${name} is invalid. Expecting ${choices.join(' or ')}.`)
}

function checkedHopLimit (value: number): number {
  if (Number.isInteger(value) && value >= HOP_LIMIT_MIN && value <= HOP_LIMIT_MAX) return value
  throw new AwsError('InvalidParameterValue',
    `Value (${String(value)}) for parameter httpPutResponseHopLimit is invalid. ` +
    `Expecting ${String(HOP_LIMIT_MIN)} to ${String(HOP_LIMIT_MAX)}.`)
}
