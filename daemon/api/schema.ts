/**
 * The wire shapes of a service, read from its `@aws-sdk/client-…`: nobody here writes one down by
 * hand.
 *
 * Such a package exports an array for each operation and structure (`CreateVpc$`, `Vpc$`). This
 * file turns them into one small tree of `Shape`s; the query decoder and the XML encoder compile
 * their functions from it.
 *
 *     [9, namespace, 'CreateVpc', traits, () => input, () => output]               operation
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

export interface Member {
  /** The SDK's name, the one that actions use. */
  readonly name: string
  /** Key of a request's parameter. */
  readonly queryName: string
  /** Element of an answer. */
  readonly xmlName: string
  readonly required: boolean
  /** Resolved late: shapes refer to each other in circles. */
  shape(): Shape
}

export interface OperationShape {
  readonly name: string
  readonly input: StructureShape
  /** null: the operation answers with no more than `<return>true</return>`. */
  readonly output: StructureShape | null
}

const KIND_LIST = 1
const KIND_STRUCTURE = 3
const KIND_OPERATION = 9
const LIST_OF_SCALAR = 64
/** Bit of a scalar's traits: Smithy's `sensitive`. */
const TRAIT_SENSITIVE = 8

const SCALARS: ReadonlyMap<number, Scalar> = new Map([
  [0, 'string'], [1, 'number'], [2, 'boolean'], [4, 'timestamp'], [5, 'timestamp'],
    [6, 'timestamp'], [7, 'timestamp'], [21, 'blob']
])

type Raw = unknown
interface Traits { readonly ec2QueryName?: string, readonly xmlName?: string }

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
    return { name, input, output: Array.isArray(output) ? this.#structureOf(output) : null }
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
          required: false, shape: () => item }
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
      if (typeof reference[1] === 'object') traits = reference[1] as Traits
    }
    const xmlName = traits.xmlName ?? name
    return {
      name, xmlName, required,
      queryName: traits.ec2QueryName ?? xmlName.charAt(0).toUpperCase() + xmlName.slice(1),
      shape: () => this.#shapeOf(target)
    }
  }
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
