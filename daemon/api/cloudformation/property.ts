/**
 * Properties of resource types: what each takes, and what a change of it needs. CloudFormation
 * Template Reference, "Update behaviors of stack resources".
 *
 * A template may write a number or a boolean as a text (`"true"`), and gets texts from parameters;
 * what a resource type is handed has the kind that its table says.
 */
import { AwsError } from '../../model/aws_error.ts'
import type { Json, JsonObject } from '../../model/stack.ts'
import { isObject } from './template_text.ts'

/**
 * `json` is taken as it is. An object of kinds is a structure with these members, a list of one
 * kind a list.
 */
export type Kind = 'string' | 'integer' | 'boolean' | readonly [Kind] | KindMembers
export interface KindMembers { readonly [name: string]: Kind }

/** What a change of the property does: AWS's "No interruption", "Some interruptions", … */
export type UpdateBehavior = 'in place' | 'interrupts' | 'replaces'

export interface Property {
  readonly kind: Kind
  readonly update: UpdateBehavior
  readonly required: boolean
}

export type Properties = Readonly<Record<string, Property>>

export function replaces (kind: Kind): Property {
  return { kind, update: 'replaces', required: false }
}

export function inPlace (kind: Kind): Property {
  return { kind, update: 'in place', required: false }
}

export function interrupts (kind: Kind): Property {
  return { kind, update: 'interrupts', required: false }
}

export function required (property: Property): Property { return { ...property, required: true } }

export const TAGS: Property = inPlace([{ Key: 'string', Value: 'string' }])

/**
 * Properties with every value of its kind.
 * @throws AwsError ValidationError in the words of CloudFormation's validation of a resource
 */
export function typedProperties (logicalId: string, properties: Properties,
  values: JsonObject): JsonObject {
  const problem = (text: string): AwsError => new AwsError('ValidationError',
    `Properties validation failed for resource ${logicalId} with message: ${text}`)
  for (const [name, property] of Object.entries(properties)) {
    if (property.required && values[name] === undefined) {
      throw problem(`#: required key [${name}] not found`)
    }
  }
  return Object.fromEntries(Object.entries(values).map(([name, value]) => {
    const property = Object.hasOwn(properties, name) ? properties[name] : undefined
    if (property === undefined) throw problem(`#: extraneous key [${name}] is not permitted`)
    return [name, typed(property.kind, value, `#/${name}`, problem)]
  }))
}

type Problem = (text: string) => AwsError

function typed (kind: Kind, value: Json, path: string, problem: Problem): Json {
  if (Array.isArray(kind)) {
    const [item] = kind as readonly [Kind]
    if (!Array.isArray(value)) throw expected(path, 'JSONArray', value, problem)
    return (value as readonly Json[]).map((one, at) =>
      typed(item, one, `${path}/${String(at)}`, problem))
  }
  if (typeof kind === 'string') return typedScalar(kind, value, path, problem)
  if (!isObject(value)) throw expected(path, 'JSONObject', value, problem)
  const members = kind as KindMembers
  return Object.fromEntries(Object.entries(value).map(([name, one]) => {
    const member = Object.hasOwn(members, name) ? members[name] : undefined
    if (member === undefined) {
      throw problem(`${path}: extraneous key [${name}] is not permitted; expecting ` +
        Object.keys(members).join(', '))
    }
    return [name, typed(member, one, `${path}/${name}`, problem)]
  }))
}

function typedScalar (kind: 'string' | 'integer' | 'boolean', value: Json, path: string,
  problem: Problem): Json {
  if (typeof value === 'object') throw expected(path, kind, value, problem)
  const text = String(value)
  if (kind === 'string') return text
  if (kind === 'integer' && /^-?\d{1,15}$/.test(text)) return Number(text)
  if (kind === 'boolean' && /^(true|false)$/i.test(text)) return text.toLowerCase() === 'true'
  throw expected(path, kind, value, problem)
}

function expected (path: string, kind: string, value: Json, problem: Problem): AwsError {
  return problem(`${path}: expected type: ${kind}, found: ${JSON.stringify(value)}`)
}

/** Names of the properties in which two sets differ. */
export function changedProperties (before: JsonObject, after: JsonObject): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...names].filter((name) =>
    canonical(before[name] ?? null) !== canonical(after[name] ?? null))
}

/** JSON with members in order of their names: equal texts are equal values. */
export function canonical (value: Json): string {
  return JSON.stringify(value, (_key, one: Json) => isObject(one)
    ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => a < b ? -1 : 1))
    : one)
}

/** The strongest of what changes of `names` do; null when nothing changes. */
export function behaviorOf (properties: Properties,
  names: readonly string[]): UpdateBehavior | null {
  const behaviors = new Set(names.map((name) => properties[name]?.update ?? 'replaces'))
  for (const behavior of ['replaces', 'interrupts', 'in place'] as const) {
    if (behaviors.has(behavior)) return behavior
  }
  return null
}
