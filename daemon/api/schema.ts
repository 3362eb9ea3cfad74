/**
 * The wire shapes of a service, read from its `@aws-sdk/client-…`: nobody here writes one down by
 * hand.
 *
 * Such a package exports an array for each operation and structure (`CreateVpc$`, `Vpc$`). This
 * file turns them into one small tree of `Shape`s; the query decoder and the XML encoder compile
 * their functions from it.
 *
 *     [9, namespace, 'CreateVpc', traits, () => input, () => output]               operation
 *                                 { http: ['POST', '/', 200] }
 *     [3, namespace, 'Vpc', traits, [member names], [member schemas], required?]   structure
 *     [1, namespace, 'VpcIdStringList', traits, item schema]                       list
 *     [0, namespace, 'SensitiveString', traits, scalar]                            scalar
 *     0 string  1 number  2 boolean  4..7 timestamp  21 blob  64|scalar list of it
 *
 * A schema may be a function that returns it (shapes refer to each other in circles), and stands as
 * `[schema, traits]` where the reference itself has traits. Of a structure's members the first
 * `required` must be given.
 *
 * Source: Smithy 2.0, "AWS EC2 query protocol"; @smithy/types, schema/static-schemas.
 */
import { assert } from '../base/assert.ts'

export type Scalar = 'string' | 'number' | 'boolean' | 'timestamp' | 'blob'

export type Shape =
  | ScalarShape
  | ListShape
  | StructureShape

export interface ScalarShape {
  readonly kind: Scalar
  /** A secret, by the service's own word: no log and no audit record may show it. */
  readonly sensitive: boolean
}

export interface ListShape {
  readonly kind: 'list'
  readonly item: Member
}

export interface StructureShape {
  readonly kind: 'structure'
  readonly name: string
  readonly members: readonly Member[]
}

/**
 * Where HTTP carries a member, in a protocol that names resources by paths: part of the path, of
 * the query, a header, or else the body. Smithy 2.0, "HTTP bindings".
 */
export type MemberLocation = 'body' | 'path' | 'query' | 'header'

export interface Member {
  /** The SDK's name, the one that actions use. */
  readonly name: string
  /** Key of a request's parameter. */
  readonly queryName: string
  /** Element of an answer. */
  readonly xmlName: string
  readonly location: MemberLocation
  /** Name of the part, the parameter or the header. */
  readonly locationName: string
  readonly required: boolean
  /** Resolved late: shapes refer to each other in circles. */
  shape(): Shape
}

/** Where an operation is found in HTTP. */
export interface HttpBinding {
  readonly method: string
  /** `/2013-04-01/hostedzone/{Id}`; braces hold a member's name. */
  readonly path: string
  /** Of an answer that is no refusal. */
  readonly status: number
}

export interface OperationShape {
  readonly name: string
  /** null for a service whose protocols name operations otherwise. */
  readonly http: HttpBinding | null
  readonly input: StructureShape
  /** null: the operation answers with no more than `<return>true</return>`. */
  readonly output: StructureShape | null
}

const KIND_LIST = 1
const KIND_STRUCTURE = 3
const KIND_OPERATION = 9
const LIST_OF_SCALAR = 64
/** Bits of traits: Smithy's `httpLabel` and `sensitive`. */
const TRAIT_HTTP_LABEL = 1
const TRAIT_SENSITIVE = 8

const SCALARS: ReadonlyMap<number, Scalar> = new Map([
  [0, 'string'], [1, 'number'], [2, 'boolean'], [4, 'timestamp'], [5, 'timestamp'],
    [6, 'timestamp'], [7, 'timestamp'], [21, 'blob']
])

type Raw = unknown
const NO_OPERATION: readonly Raw[] = [KIND_OPERATION, '', '', 0]
interface Traits {
  readonly ec2QueryName?: string
  readonly xmlName?: string
  readonly httpLabel?: unknown
  readonly httpQuery?: string
  readonly httpHeader?: string
}

/**
 * All operations of a service by name. Shapes are made when an operation is asked for, and kept.
 */
export class SchemaRegistry {
  readonly #client: Readonly<Record<string, unknown>>
  readonly #shapes = new Map<unknown, Shape>()

  /** @param client what the service's client package exports */
  constructor (client: object) {
    this.#client = client as Readonly<Record<string, unknown>>
  }

  /** @returns undefined when the service has no operation of that name */
  operation (name: string): OperationShape | undefined {
    const raw = this.#operationSchema(name)
    if (raw === undefined) return undefined
    const input = this.#shapeOf(raw[4])
    assert(input.kind === 'structure', `the input of ${name} is a structure`)
    const output = dereference(raw[5])
    return {
      name, http: httpOf(raw), input,
      output: Array.isArray(output) ? this.#structureOf(output) : null
    }
  }

  /** Operations that HTTP has places for, by name. */
  httpBindings (): { readonly name: string, readonly http: HttpBinding }[] {
    return Object.keys(this.#client).filter((exported) => exported.endsWith('$'))
      .flatMap((exported) => {
        const name = exported.slice(0, -1)
        const http = httpOf(this.#operationSchema(name) ?? NO_OPERATION)
        return http === null ? [] : [{ name, http }]
      })
  }

  #operationSchema (name: string): readonly Raw[] | undefined {
    const exported = `${name}$`
    if (!Object.hasOwn(this.#client, exported)) return undefined
    const raw = this.#client[exported]
    return Array.isArray(raw) && raw[0] === KIND_OPERATION ? raw as readonly Raw[] : undefined
  }

  #structureOf (raw: Raw): StructureShape {
    const shape = this.#shapeOf(raw)
    assert(shape.kind === 'structure', 'the output of an operation is a structure')
    return shape
  }

  #shapeOf (reference: Raw): Shape {
    const raw = dereference(reference)
    if (typeof raw === 'number') return this.#ofNumber(raw)
    const known = this.#shapes.get(raw)
    if (known !== undefined) return known
    assert(Array.isArray(raw), `a schema is a number or an array, not ${typeof raw}`)
    const schema = raw as Raw[]
    const shape = this.#ofArray(schema)
    this.#shapes.set(raw, shape)
    return shape
  }

  #ofNumber (raw: number): Shape {
    if ((raw & LIST_OF_SCALAR) !== 0) {
      const item = this.#ofNumber(raw & ~LIST_OF_SCALAR)
      return {
        kind: 'list', item: { name: 'member', queryName: 'Member', xmlName: 'member',
          location: 'body', locationName: 'member', required: false, shape: () => item }
      }
    }
    const kind = SCALARS.get(raw)
    assert(kind !== undefined, `no scalar has the number ${String(raw)}`)
    return { kind, sensitive: false }
  }

  #ofArray (schema: readonly Raw[]): Shape {
    if (schema[0] === KIND_LIST) {
      return { kind: 'list', item: this.#member('member', schema[4], false) }
    }
    if (schema[0] === KIND_STRUCTURE) {
      const names = schema[4] as readonly string[]
      const members = schema[5] as readonly Raw[]
      const requiredCount = (schema[6] as number | undefined) ?? 0
      return {
        kind: 'structure', name: String(schema[2]),
        members: names.map((name, at) => this.#member(name, members[at], at < requiredCount))
      }
    }
    assert(schema[0] === 0, `a schema of kind ${String(schema[0])} is not known`)
    const scalar = this.#shapeOf(schema[4])
    return scalar.kind !== 'list' && scalar.kind !== 'structure' && isSensitive(schema[3])
      ? { kind: scalar.kind, sensitive: true }
      : scalar
  }

  #member (name: string, reference: Raw, required: boolean): Member {
    let target = reference
    let traits: Traits = {}
    if (Array.isArray(reference) && reference.length === 2) {
      target = reference[0] as Raw
      traits = traitsOf(reference[1])
    }
    const xmlName = traits.xmlName ?? name
    return {
      name, xmlName, required, ...locationOf(name, traits),
      queryName: traits.ec2QueryName ?? xmlName.charAt(0).toUpperCase() + xmlName.slice(1),
      shape: () => this.#shapeOf(target)
    }
  }
}

function httpOf (operation: readonly Raw[]): HttpBinding | null {
  const traits = operation[3] as { readonly http?: readonly [string, string, number] } | number
  if (typeof traits === 'number' || traits.http === undefined) return null
  const [method, path, status] = traits.http
  return { method, path, status }
}

/** Those of a member, where they are of interest. */
function traitsOf (traits: Raw): Traits {
  if (typeof traits === 'object' && traits !== null) return traits
  return ((traits as number) & TRAIT_HTTP_LABEL) === 0 ? {} : { httpLabel: 1 }
}

function locationOf (name: string, { httpLabel, httpQuery, httpHeader }: Traits):
Pick<Member, 'location' | 'locationName'> {
  if (httpLabel !== undefined) return { location: 'path', locationName: name }
  if (httpQuery !== undefined) return { location: 'query', locationName: httpQuery }
  return httpHeader === undefined
    ? { location: 'body', locationName: name }
    : { location: 'header', locationName: httpHeader }
}

/** Traits are a set of bits, or an object that names each. */
function isSensitive (traits: Raw): boolean {
  return typeof traits === 'number'
    ? (traits & TRAIT_SENSITIVE) !== 0
    : typeof traits === 'object' && traits !== null && 'sensitive' in traits
}

function dereference (reference: Raw): Raw {
  return typeof reference === 'function' ? (reference as () => Raw)() : reference
}
