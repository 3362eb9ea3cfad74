/**
 * Intrinsic functions. CloudFormation User Guide, "Intrinsic function reference".
 *
 *     { "Fn::Join": ["", ["a-", { Ref: "Name" }, { Ref: "Vpc" }]] }
 *       ─▶ with the parameters alone   { "Fn::Join": ["", ["a-", "web", { Ref: "Vpc" }]] }
 *       ─▶ with the resources too      "a-webvpc-0a"
 *
 * What a scope does not know yet (a resource that is not made) stays as it is written, and so does
 * every function around it; it is evaluated again when the resource is there. What is left over
 * after the first time is what the value depends on (`referencesOf`).
 */
import { AwsError } from '../../model/aws_error.ts'
import type { Json, JsonObject } from '../../model/stack.ts'
import { cidrBlocks } from './cidr_function.ts'
import { isObject } from './template_text.ts'

/** What names stand for. undefined: not known yet. */
export interface Scope {
  /** A parameter, a pseudo parameter, or a resource's physical id. */
  ref(name: string): Json | undefined
  getAtt(logicalId: string, attribute: string): Json | undefined
  /** @throws AwsError ValidationError for a name that the template does not have */
  condition(name: string): boolean
  mapping(name: string): JsonObject | undefined
  /** @throws AwsError ValidationError when nothing is exported under the name */
  importValue(name: string): string
  /** Names of a Region's zones, in order. */
  zones(region: string): readonly string[]
}

/** Evaluates to nothing: the property is as if it were not there. */
const NO_VALUE = 'AWS::NoValue'

export function templateError (message: string): AwsError {
  return new AwsError('ValidationError', `Template error: ${message}`)
}

/** @returns undefined for AWS::NoValue. @throws AwsError ValidationError */
export function evaluate (value: Json, scope: Scope): Json | undefined {
  if (Array.isArray(value)) return listOf(value as readonly Json[], scope)
  if (!isObject(value)) return value
  const call = functionOf(value)
  if (call !== null) return evaluateFunction(call.name, call.argument, scope)
  const members = Object.entries(value).flatMap(([key, one]) => {
    const result = evaluate(one, scope)
    return result === undefined ? [] : [[key, result] as const]
  })
  return Object.fromEntries(members)
}

function listOf (list: readonly Json[], scope: Scope): Json[] {
  return list.map((one) => evaluate(one, scope)).filter((one) => one !== undefined)
}

interface Call { readonly name: string, readonly argument: Json }

/** A function is an object with one member of that name. */
function functionOf (value: JsonObject): Call | null {
  const [first, ...rest] = Object.entries(value)
  if (first === undefined) return null
  const [name, argument] = first
  if (name !== 'Ref' && name !== 'Condition' && !name.startsWith('Fn::')) return null
  // A property of a resource may well be called Condition.
  if (name === 'Condition' && typeof argument !== 'string') return null
  if (rest.length > 0) {
    throw templateError(`an object with ${name} must have no other member, such as ` +
      String(rest[0]?.[0]))
  }
  return { name, argument }
}

type Evaluator = (argument: Json, scope: Scope) => Json | undefined

const FUNCTIONS: Readonly<Record<string, Evaluator>> = {
  'Ref': (argument, scope) => {
    const name = textOf('Ref', argument)
    return name === NO_VALUE ? undefined : scope.ref(name) ?? { Ref: name }
  },
  'Fn::GetAtt': (argument, scope) => {
    const [logicalId, attribute] = attributeOf(argument, scope)
    return scope.getAtt(logicalId, attribute) ?? { 'Fn::GetAtt': [logicalId, attribute] }
  },
  'Fn::Sub': substitute,
  'Fn::If': (argument, scope) => {
    const [name, yes, no] = listArgument('Fn::If', argument, 3)
    const chosen = scope.condition(textOf('Fn::If', name ?? null)) ? yes : no
    return evaluate(chosen ?? null, scope)
  },
  'Fn::Join': strict('Fn::Join', (argument) => {
    const [delimiter, items] = listArgument('Fn::Join', argument, 2)
    if (!Array.isArray(items)) throw templateError('Fn::Join wants a delimiter and a list')
    return (items as readonly Json[]).map((item) => scalarText('Fn::Join', item))
      .join(textOf('Fn::Join', delimiter ?? null))
  }),
  'Fn::Select': strict('Fn::Select', (argument) => {
    const [index, items] = listArgument('Fn::Select', argument, 2)
    const list = Array.isArray(items) ? items as readonly Json[] : []
    const found = list[Number(index)]
    if (found === undefined) {
      throw templateError('Fn::Select cannot select nonexistent value at index ' +
        JSON.stringify(index))
    }
    return found
  }),
  'Fn::Split': strict('Fn::Split', (argument) => {
    const [delimiter, text] = listArgument('Fn::Split', argument, 2)
    return scalarText('Fn::Split', text ?? null).split(textOf('Fn::Split', delimiter ?? null))
  }),
  'Fn::Cidr': strict('Fn::Cidr', (argument) => {
    const [block, count, bits] = Array.isArray(argument) ? argument as readonly Json[] : []
    return cidrBlocks(scalarText('Fn::Cidr', block ?? null), Number(count),
      bits === undefined ? undefined : Number(bits))
  }),
  'Fn::Base64': strict('Fn::Base64', (argument) =>
    Buffer.from(scalarText('Fn::Base64', argument)).toString('base64')),
  'Fn::GetAZs': (argument, scope) => {
    const region = evaluate(argument, scope)
    return [...scope.zones(typeof region === 'string' ? region : '')]
  },
  'Fn::FindInMap': (argument, scope) => {
    const [map, first, second] = listArgument('Fn::FindInMap',
      evaluate(argument, scope) ?? null, 3).map((part) => scalarText('Fn::FindInMap', part))
    const level = scope.mapping(map ?? '')?.[first ?? '']
    const found = isObject(level) ? level[second ?? ''] : undefined
    if (found === undefined) {
      throw templateError(`Unable to get mapping for ${map ?? ''}::${first ?? ''}::${second ?? ''}`)
    }
    return found
  },
  'Fn::ImportValue': strict('Fn::ImportValue', (argument, scope) =>
    scope.importValue(scalarText('Fn::ImportValue', argument))),
  'Fn::Equals': (argument, scope) => evaluateCondition({ 'Fn::Equals': argument }, scope),
  'Fn::And': (argument, scope) => evaluateCondition({ 'Fn::And': argument }, scope),
  'Fn::Or': (argument, scope) => evaluateCondition({ 'Fn::Or': argument }, scope),
  'Fn::Not': (argument, scope) => evaluateCondition({ 'Fn::Not': argument }, scope),
  'Condition': (argument) => ({ Condition: argument })
}

/** A function of evaluated arguments, which stays as it is while one of them is not known. */
function strict (name: string, compute: (argument: Json, scope: Scope) => Json): Evaluator {
  return (argument, scope) => {
    const known = evaluate(argument, scope) ?? null
    return referencesOf(known).length > 0 ? { [name]: known } : compute(known, scope)
  }
}

function evaluateFunction (name: string, argument: Json, scope: Scope): Json | undefined {
  const compute = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined
  if (compute === undefined) {
    throw templateError(`the function ${name} is not known; expecting one of ` +
      Object.keys(FUNCTIONS).join(', '))
  }
  return compute(argument, scope)
}

/** `${Name}`, `${Resource.Attribute}`; `${!Literal}` is `${Literal}`. */
const PLACEHOLDER = /\$\{([^${}]*)\}/

/** Fn::Sub is a Fn::Join of its parts. */
function substitute (argument: Json, scope: Scope): Json | undefined {
  const parts = partsOfSub(argument)
  return evaluate({ 'Fn::Join': ['', parts] }, scope)
}

/** Texts and functions by turns. */
function partsOfSub (argument: Json): Json[] {
  const [text, variables] = Array.isArray(argument)
    ? argument as readonly Json[]
    : [argument, undefined]
  if (typeof text !== 'string' || (variables !== undefined && !isObject(variables))) {
    throw templateError('Fn::Sub wants a string, or a list of a string and a map of variables')
  }
  return text.split(PLACEHOLDER).map((part, at) => {
    if (at % 2 === 0) return part
    const name = part.trim()
    if (name.startsWith('!')) return `\${${name.slice(1)}}`
    if (variables !== undefined && Object.hasOwn(variables, name)) return variables[name] ?? null
    const dotAt = name.indexOf('.')
    return dotAt === -1
      ? { Ref: name }
      : { 'Fn::GetAtt': [name.slice(0, dotAt), name.slice(dotAt + 1)] }
  })
}

function attributeOf (argument: Json, scope: Scope): [string, string] {
  if (typeof argument === 'string') {
    const dotAt = argument.indexOf('.')
    return [argument.slice(0, Math.max(dotAt, 0)), argument.slice(dotAt + 1)]
  }
  const [logicalId, attribute] = listArgument('Fn::GetAtt', argument, 2)
  return [textOf('Fn::GetAtt', logicalId ?? null),
    textOf('Fn::GetAtt', evaluate(attribute ?? null, scope) ?? null)]
}

function listArgument (name: string, argument: Json, count: number): readonly Json[] {
  if (Array.isArray(argument) && argument.length === count) return argument as readonly Json[]
  throw templateError(`every ${name} object requires a list of ${String(count)} values`)
}

function textOf (name: string, value: Json): string {
  if (typeof value === 'string') return value
  throw templateError(`${name} wants a string, not ${JSON.stringify(value)}`)
}

/** What stands for a text: numbers and booleans are written out. */
function scalarText (name: string, value: Json): string {
  if (typeof value === 'object') {
    throw templateError(`${name} wants a string, not ${JSON.stringify(value)}`)
  }
  return String(value)
}

/** The value of a condition. @throws AwsError ValidationError */
export function evaluateCondition (value: Json, scope: Scope): boolean {
  const call = isObject(value) ? functionOf(value) : null
  const all = (): boolean[] => Array.isArray(call?.argument)
    ? (call.argument as readonly Json[]).map((one) => evaluateCondition(one, scope))
    : []
  switch (call?.name) {
    case 'Condition': return scope.condition(textOf('Condition', call.argument))
    case 'Fn::And': return all().every((one) => one)
    case 'Fn::Or': return all().some((one) => one)
    case 'Fn::Not': return all()[0] === false
    case 'Fn::Equals': {
      const [left, right] = listArgument('Fn::Equals', evaluate(call.argument, scope) ?? null, 2)
      return comparable(left) === comparable(right)
    }
    default: throw templateError('a condition is Fn::Equals, Fn::And, Fn::Or, Fn::Not or ' +
      `Condition, not ${JSON.stringify(value)}`)
  }
}

/** `true` and "true" are equal, as everything in a template is a text. */
function comparable (value: Json | undefined): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? null)
}

/** A name that a value stands on. */
export interface Reference {
  readonly name: string
  /** null for Ref. */
  readonly attribute: string | null
}

/** What branch of Fn::If counts: both, or none. */
export interface ReferenceOptions { readonly skipIf?: true }

/** Names in a value, in order: those of Ref, Fn::GetAtt and Fn::Sub. */
export function referencesOf (value: Json, options: ReferenceOptions = {}): Reference[] {
  if (Array.isArray(value)) {
    return (value as readonly Json[]).flatMap((one) => referencesOf(one, options))
  }
  if (!isObject(value)) return []
  const call = functionOf(value)
  if (call === null) return Object.values(value).flatMap((one) => referencesOf(one, options))
  if (call.name === 'Ref') {
    const name = textOf('Ref', call.argument)
    return name === NO_VALUE ? [] : [{ name, attribute: null }]
  }
  if (call.name === 'Fn::If' && options.skipIf === true) return []
  if (call.name === 'Fn::Sub') return referencesOf(partsOfSub(call.argument), options)
  if (call.name !== 'Fn::GetAtt') return referencesOf(call.argument, options)
  const argument = typeof call.argument === 'string'
    ? [call.argument.split('.')[0] ?? '', call.argument.split('.').slice(1).join('.')]
    : listArgument('Fn::GetAtt', call.argument, 2)
  const [logicalId, attribute] = argument
  return [
    { name: textOf('Fn::GetAtt', logicalId ?? null),
      attribute: typeof attribute === 'string' ? attribute : '' },
    ...typeof attribute === 'string' ? [] : referencesOf(attribute ?? null, options)
  ]
}
