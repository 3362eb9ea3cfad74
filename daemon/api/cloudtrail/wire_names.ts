/**
 * Inputs and outputs in the spelling of CloudTrail's records. Names begin with a small letter.
 * EC2's are those of its XML, and its lists stand in `items`:
 *
 *     { InstanceIds: ['i-0a'], UserData: '…' }
 *       ─▶ { instancesSet: { items: [{ instanceId: 'i-0a' }] },
 *            userData: '<sensitiveDataRemoved>' }
 *
 * EC2 names some lists of requests otherwise than its API does (LISTS). What a service's schema
 * calls sensitive is left out here, and so is what SECRETS names, where the schema is silent.
 */
import { assert } from '../../base/assert.ts'
import type { Member, Shape, StructureShape } from '../schema.ts'

/** What stands for a secret of EC2, and of any other service. */
const EC2_MASK = '<sensitiveDataRemoved>'
const MASK = 'HIDDEN_DUE_TO_SECURITY_REASONS'

/** EC2's names of lists in requests that do not follow from their query names. */
const LISTS: Readonly<Record<string, string>> = {
  InstanceId: 'instancesSet',
  ResourceId: 'resourcesSet',
  SecurityGroupId: 'groupSet',
  SubnetId: 'subnetSet',
  VpcId: 'vpcSet'
}

/** What schemas call the items of a list that have no name. */
const NO_NAMES = new Set(['item', 'member'])

/** Members of other services whose values may hold secrets: templates carry user data. */
const SECRETS = new Set([
  'AuthKey', 'ParameterValue', 'PreSharedKey', 'SecretAccessKey', 'TemplateBody', 'UserData'
])

/** Turns a value into its elements. What is secret is left out, and put into `secrets`. */
export type Elements = (value: unknown, secrets: string[]) => unknown

/**
 * Compiles what one side of an EC2 operation looks like in a record.
 * @param direction requests have names of their own
 */
export function compileEc2Elements (shape: Shape, direction: 'request' | 'response'): Elements {
  return elementsOf(shape, direction, new Map(), 'item')
}

/**
 * @param compiled of structures by shape: shapes may contain themselves
 * @param singular name of the list's items, where they have none of their own
 */
function elementsOf (shape: Shape, direction: 'request' | 'response',
  compiled: Map<Shape, Elements>, singular: string): Elements {
  if (shape.kind === 'list') return listElements(shape.item, direction, compiled, singular)
  if (shape.kind === 'structure') return structureElements(shape, direction, compiled)
  if (!shape.sensitive) return plainScalar
  return (value, secrets) => {
    secrets.push(String(plainScalar(value)))
    return EC2_MASK
  }
}

function listElements (item: Member, direction: 'request' | 'response',
  compiled: Map<Shape, Elements>, singular: string): Elements {
  const shape = item.shape()
  const itemName = NO_NAMES.has(item.xmlName) ? singular : lowerFirst(item.xmlName)
  const name = shape.kind === 'structure' ? null : itemName
  let elements: Elements | undefined
  return (value, secrets) => {
    const items = value as readonly unknown[]
    if (items.length === 0) return {}
    elements ??= elementsOf(shape, direction, compiled, itemName)
    const write = elements
    return { items: items.map((one) =>
      name === null ? write(one, secrets) : { [name]: write(one, secrets) }) }
  }
}

function structureElements (shape: StructureShape, direction: 'request' | 'response',
  compiled: Map<Shape, Elements>): Elements {
  const known = compiled.get(shape)
  if (known !== undefined) return known
  const members = new Map(shape.members.map((member) => [member.name, member]))
  const writers = new Map<string, { readonly name: string, readonly write: Elements }>()
  const writerOf = (name: string): { readonly name: string, readonly write: Elements } => {
    const member = members.get(name)
    assert(member !== undefined, `EC2's ${shape.name} has no member ${name}`)
    const writer = {
      name: elementName(member, direction),
      write: elementsOf(member.shape(), direction, compiled,
        direction === 'request' ? lowerFirst(member.queryName) : 'item')
    }
    writers.set(name, writer)
    return writer
  }
  const elements: Elements = (value, secrets) => {
    const result: Record<string, unknown> = {}
    for (const [name, one] of Object.entries(value as object)) {
      if (one === undefined || one === null) continue
      const writer = writers.get(name) ?? writerOf(name)
      result[writer.name] = writer.write(one, secrets)
    }
    return result
  }
  compiled.set(shape, elements)
  return elements
}

function elementName (member: Member, direction: 'request' | 'response'): string {
  const { xmlName, queryName } = member
  if (direction === 'response') return lowerFirst(xmlName)
  const isFlattenedList = member.shape().kind === 'list' && queryName !== member.name
  if (!isFlattenedList) return lowerFirst(queryName)
  return LISTS[queryName] ?? `${lowerFirst(queryName)}Set`
}

/** An input or output of any other service. @param shape undefined where there is none */
export function jsonElements (
  value: object, shape: Shape | undefined, secrets: string[]): object {
  return jsonValue(value, shape, secrets) as object
}

function jsonValue (value: unknown, shape: Shape | undefined, secrets: string[]): unknown {
  if (Array.isArray(value)) {
    const item = shape?.kind === 'list' ? shape.item.shape() : undefined
    return value.map((one) => jsonValue(one, item, secrets))
  }
  if (typeof value !== 'object' || value === null || value instanceof Date ||
    value instanceof Uint8Array) return plainScalar(value)
  const result: Record<string, unknown> = {}
  for (const [name, one] of Object.entries(value) as [string, unknown][]) {
    if (one === undefined) continue
    const member = shape?.kind === 'structure'
      ? shape.members.find((known) => known.name === name)?.shape() : undefined
    if (isSecret(name, one, member)) {
      secrets.push(String(plainScalar(one)))
      result[lowerFirst(name)] = MASK
    } else result[lowerFirst(name)] = jsonValue(one, member, secrets)
  }
  return result
}

function isSecret (name: string, value: unknown, shape: Shape | undefined): boolean {
  return shape !== undefined && 'sensitive' in shape && shape.sensitive ||
    SECRETS.has(name) && typeof value === 'string'
}

function plainScalar (value: unknown): unknown {
  if (value instanceof Date) return value.toISOString()
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value
}

function lowerFirst (name: string): string { return name.charAt(0).toLowerCase() + name.slice(1) }

/** A message without the secrets that it may quote. */
export function withoutSecrets (message: string, secrets: readonly string[]): string {
  return secrets.reduce((text, secret) =>
    secret === '' ? text : text.replaceAll(secret, EC2_MASK), message)
}
