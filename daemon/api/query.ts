/**
 * AWS's query protocols, inbound: a form body to the input of an operation. Smithy 2.0, "AWS query
 * protocol" and "AWS EC2 query protocol".
 *
 *     EC2    Filter.1.Name=vpc-id&Filter.1.Value.1=vpc-0a&DryRun=true
 *              ─▶ { Filters: [{ Name: 'vpc-id', Values: ['vpc-0a'] }], DryRun: true }
 *     query  Parameters.member.1.ParameterKey=Cidr&Tags=
 *              ─▶ { Parameters: [{ ParameterKey: 'Cidr' }], Tags: [] }
 *
 * The dots make a tree of the parameters; the operation's schema (schema.ts) then walks the tree.
 * Items of lists are numbered from 1; numbers order the items and may leave gaps. What the schema
 * does not know is refused, and so is a parameter given twice. Everything a caller controls is
 * bounded before it is used.
 */
import { AwsError } from '../model/aws_error.ts'
import type { ListShape, Member, Scalar, Shape, StructureShape } from './schema.ts'
import { isXmlText } from './xml.ts'

/** Parameters of one request. CreateTags of 1,000 resources and 50 tags takes 1,100. */
export const PARAMETERS_MAX = 8192
/** Items of one list, and the highest number an item may carry. */
export const LIST_ITEMS_MAX = 1000
/** Characters of one parameter's name. The longest that EC2 has are under 150. */
export const PARAMETER_NAME_LENGTH_MAX = 256

/** In what the two query protocols differ. */
export interface QueryDialect {
  /** Key of a member of a structure. */
  keyOf(member: Member): string
  /** What stands before the numbers of a list's items; null when the list is flattened. */
  readonly itemsPart: string | null
}

/** The protocol of every query service but EC2. */
export const AWS_QUERY: QueryDialect = { keyOf: (member) => member.xmlName, itemsPart: 'member' }

/** Not part of any operation's input. */
const PROTOCOL_PARAMETERS = new Set(['Action', 'Version'])

/** The query protocol's parameters, each once. */
export type Parameters = ReadonlyMap<string, string>

/** @throws AwsError InvalidRequest, InvalidParameterValue */
export function parseParameters (form: string): Parameters {
  const parameters = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(form)) {
    if (parameters.has(name)) {
      throw new AwsError('InvalidParameterValue',
        `The parameter ${shorten(name)} is given twice; give it once`)
    }
    if (name.length > PARAMETER_NAME_LENGTH_MAX) {
      throw new AwsError('UnknownParameter', `The parameter ${shorten(name)} is not recognized`)
    }
    if (parameters.size === PARAMETERS_MAX) {
      throw new AwsError('InvalidRequest',
        `The request has more than ${String(PARAMETERS_MAX)} parameters`)
    }
    parameters.set(name, value)
  }
  return parameters
}

interface Node {
  value: string | undefined
  /** Next part of the name to what follows. */
  readonly children: Map<string, Node>
}

/** Turns parameters into the input of one operation. */
export type Decoder = (parameters: Parameters) => object

/**
 * @returns a decoder that throws AwsError UnknownParameter, MissingParameter,
 *   InvalidParameterValue, InvalidParameterCombination
 */
export function compileDecoder (input: StructureShape, dialect: QueryDialect): Decoder {
  const decode = structureDecoder(input, { dialect, compiled: new Map() })
  return (parameters) => decode(treeOf(parameters), '') as object
}

function treeOf (parameters: Parameters): Node {
  const root: Node = { value: undefined, children: new Map() }
  for (const [name, value] of parameters) {
    if (PROTOCOL_PARAMETERS.has(name)) continue
    let node = root
    for (const part of name.split('.')) {
      let child = node.children.get(part)
      if (child === undefined) {
        child = { value: undefined, children: new Map() }
        node.children.set(part, child)
      }
      node = child
    }
    node.value = value
  }
  return root
}

type NodeDecoder = (node: Node, path: string) => unknown

interface Compilation {
  readonly dialect: QueryDialect
  /** Decoders of structures by shape: shapes may contain themselves. */
  readonly compiled: Map<Shape, NodeDecoder>
}

function decoderOf (shape: Shape, compilation: Compilation): NodeDecoder {
  if (shape.kind === 'structure') return structureDecoder(shape, compilation)
  if (shape.kind === 'list') return listDecoder(shape, compilation)
  return scalarDecoder(shape.kind)
}

/** The decoder of a member's shape, made at first use. */
function lateDecoder (member: Member, compilation: Compilation): NodeDecoder {
  let decode: NodeDecoder | undefined
  return (node, path) => (decode ??= decoderOf(member.shape(), compilation))(node, path)
}

function structureDecoder (shape: StructureShape, compilation: Compilation): NodeDecoder {
  const { dialect, compiled } = compilation
  const known = compiled.get(shape)
  if (known !== undefined) return known
  const members = new Map(shape.members.map((member) =>
    [dialect.keyOf(member), { member, decode: lateDecoder(member, compilation) }]))
  const required = shape.members.filter((member) => member.required)
  const decoder: NodeDecoder = (node, path) => {
    if (node.value !== undefined) throw unknownParameter(path)
    const result: Record<string, unknown> = {}
    for (const [part, child] of node.children) {
      const found = members.get(part)
      const childPath = path === '' ? part : `${path}.${part}`
      if (found === undefined) throw unknownParameter(firstName(child, childPath))
      result[found.member.name] = found.decode(child, childPath)
    }
    for (const member of required) {
      if (result[member.name] !== undefined) continue
      const key = dialect.keyOf(member)
      const missing = path === '' ? key : `${path}.${key}`
      throw new AwsError('MissingParameter', `The request must contain the parameter ${missing}`)
    }
    return result
  }
  compiled.set(shape, decoder)
  return decoder
}

const ITEM_NUMBER = /^[1-9][0-9]{0,9}$/

function listDecoder (shape: ListShape, compilation: Compilation): NodeDecoder {
  const decode = lateDecoder(shape.item, compilation)
  const { itemsPart } = compilation.dialect
  return (node, path) => {
    const children = itemsPart === null ? node.children : childrenBehind(node, itemsPart, path)
    if (node.value !== undefined && itemsPart === null) throw unknownParameter(path)
    const items: { readonly number: number, readonly child: Node }[] = []
    for (const [part, child] of children) {
      if (!ITEM_NUMBER.test(part)) throw unknownParameter(firstName(child, `${path}.${part}`))
      const number = Number(part)
      if (number > LIST_ITEMS_MAX) {
        throw new AwsError('InvalidParameterValue',
          `The list ${path} has an item ${part}; ` +
          `at most ${String(LIST_ITEMS_MAX)} items are allowed`)
      }
      items.push({ number, child })
    }
    items.sort((a, b) => a.number - b.number)
    return items.map(({ number, child }) => decode(child, `${path}.${String(number)}`))
  }
}

const NO_CHILDREN: ReadonlyMap<string, Node> = new Map()

/** The items of a list that is not flattened; `Tags=` is the empty one. */
function childrenBehind (node: Node, itemsPart: string,
  path: string): ReadonlyMap<string, Node> {
  if (node.value === '' && node.children.size === 0) return NO_CHILDREN
  const [first, ...rest] = node.children
  if (node.value !== undefined || first === undefined || first[0] !== itemsPart ||
    first[1].value !== undefined || rest.length > 0) {
    throw unknownParameter(firstName(node, path))
  }
  return first[1].children
}

function scalarDecoder (kind: Scalar): NodeDecoder {
  return (node, path) => {
    if (node.value === undefined || node.children.size > 0) {
      throw unknownParameter(firstName(node, path))
    }
    return decodeScalarText(kind, node.value, path)
  }
}

/**
 * A scalar from its text, in the protocols that write all of them as text.
 * @param path for the message
 * @throws AwsError InvalidParameterValue
 */
export function decodeScalarText (kind: Scalar, text: string, path: string): unknown {
  return SCALAR_DECODERS[kind](text, path)
}

/** No operation of the network takes a fraction. */
const INTEGER = /^-?[0-9]{1,15}$/
const TIMESTAMP = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?)?$/
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

const SCALAR_DECODERS: { readonly [K in Scalar]: (value: string, path: string) => unknown } = {
  string: (value, path) => {
    if (!isXmlText(value)) throw invalidValue(path, value, 'text without control characters')
    return value
  },
  number: (value, path) => {
    if (!INTEGER.test(value)) throw invalidValue(path, value, 'an integer')
    return Number(value)
  },
  boolean: (value, path) => {
    const lower = value.toLowerCase()
    if (lower === 'true' || lower === '1') return true
    if (lower === 'false' || lower === '0') return false
    throw invalidValue(path, value, 'true or false')
  },
  timestamp: (value, path) => {
    const date = new Date(value)
    if (!TIMESTAMP.test(value) || Number.isNaN(date.getTime())) {
      throw invalidValue(path, value, 'a time as 2006-01-02T15:04:05Z')
    }
    return date
  },
  blob: (value, path) => {
    if (!BASE64.test(value)) throw invalidValue(path, value, 'base64')
    return new Uint8Array(Buffer.from(value, 'base64'))
  }
}

function unknownParameter (path: string): AwsError {
  return new AwsError('UnknownParameter', `The parameter ${shorten(path)} is not recognized`)
}

function invalidValue (path: string, value: string, expected: string): AwsError {
  return new AwsError('InvalidParameterValue',
    `Value (${shorten(value)}) for parameter ${path} is invalid. ` +
    `Expecting ${expected}.`)
}

/** The name of the first parameter at or below a node, for a message. */
function firstName (node: Node, path: string): string {
  const [first] = node.children
  return node.value !== undefined || first === undefined
    ? path
    : firstName(first[1], `${path}.${first[0]}`)
}

function shorten (text: string): string {
  return text.length <= 64 ? text : `${text.slice(0, 64)}…`
}
