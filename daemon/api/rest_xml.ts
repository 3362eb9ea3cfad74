/**
 * AWS's REST XML protocol: a call names what it is about by method and path. Smithy 2.0, "AWS REST
 * XML protocol", "HTTP bindings".
 *
 *     POST /2013-04-01/hostedzone/Z0A/rrset       { HostedZoneId: 'Z0A', ChangeBatch:
 *     <ChangeResourceRecordSetsRequest xmlns="…"> ─▶  { Changes: [{ Action: 'CREATE', … }] } }
 *       <ChangeBatch><Changes><Change><Action>CREATE</Action>…
 *
 *     { ChangeInfo: { Id: '/change/C0B' } }  ─▶  <ChangeResourceRecordSetsResponse xmlns="…">
 *                                                  <ChangeInfo><Id>/change/C0B</Id></ChangeInfo>
 *
 * Everything here comes from the schemas (schema.ts): where an operation is, which member stands in
 * the path, the query, a header or the body. What a body has beyond its shape is passed over, as
 * AWS does; a document type is refused, since nobody needs one and entities grow in it.
 */
import type { XMLParser as XMLParserClass } from 'fast-xml-parser'
import { createRequire } from 'node:module'
import { AwsError } from '../model/aws_error.ts'
import type { Protocol } from './protocol.ts'
import { LIST_ITEMS_MAX, decodeScalarText } from './query.ts'
import { writeQueryError } from './query_service.ts'
import type { HttpBinding, Member, OperationShape, SchemaRegistry, Shape } from './schema.ts'
import type { StructureShape } from './schema.ts'
import type { Body, Call } from './service.ts'
import { XML_HEAD, compileWriter } from './xml.ts'
import type { Writer } from './xml.ts'

// The package's CommonJS form is one file: 3 ms to load, against 30 ms for its many ES modules.
const { XMLParser } = createRequire(import.meta.url)('fast-xml-parser') as {
  XMLParser: typeof XMLParserClass
}

/** Elements inside each other in a body. Those that AWS has are under 10. */
export const XML_DEPTH_MAX = 32

const CONTENT_TYPE = 'text/xml'

export interface RestXmlOptions {
  /** `https://route53.amazonaws.com/doc/2013-04-01/` */
  readonly namespace: string
  /** The service's code for a request that is not of its operation's shape. */
  readonly invalidCode: string
}

export function restXmlProtocol ({ namespace, invalidCode }: RestXmlOptions): Protocol {
  const routers = new WeakMap<SchemaRegistry, Router>()
  const writers = new Map<OperationShape, Writer>()
  const routerOf = (schemas: SchemaRegistry): Router => {
    const router = routers.get(schemas) ?? new Router(schemas)
    routers.set(schemas, router)
    return router
  }
  return {
    speaks: () => true,
    operationOf: ({ request }, schemas) => routerOf(schemas).find(request.method, request.path),
    decode: (operation, call) => {
      try {
        return decodeCall(operation, call)
      } catch (error) {
        if (error instanceof AwsError) throw new AwsError(invalidCode, error.message)
        throw error
      }
    },
    encode: (operation, output) => {
      const write = writers.get(operation) ?? compileWriter(inBody(operation.output))
      writers.set(operation, write)
      return encodeAnswer(operation, output as Values, namespace, write)
    },
    refuse: (refusal, requestId) => writeQueryError(namespace, refusal, requestId),
    unknownCode: 'InvalidAction',
    unbuiltCode: 'UnsupportedOperation'
  }
}

type Values = Readonly<Record<string, unknown>>

interface Route {
  readonly name: string
  readonly method: string
  /** null stands for any part. */
  readonly parts: readonly (string | null)[]
}

/** Operations by method and path. What is spelled out goes before what is open. */
class Router {
  readonly #routes: readonly Route[]

  constructor (schemas: SchemaRegistry) {
    const openParts = ({ parts }: Route): number => parts.filter((part) => part === null).length
    this.#routes = schemas.httpBindings().map(({ name, http }) => ({
      name, method: http.method,
      parts: partsOf(http.path).map((part) => labelIn(part) === null ? part : null)
    })).sort((a, b) => openParts(a) - openParts(b))
  }

  /** @returns the operation's name; empty when there is none */
  find (method: string, path: string): string {
    const given = partsOf(path)
    return this.#routes.find(({ method: wanted, parts }) => wanted === method &&
      parts.length === given.length &&
      parts.every((part, at) => part === null || part === given[at]))?.name ?? ''
  }
}

/** A path's parts; a slash at its end says nothing, as AWS has it. */
function partsOf (path: string): string[] {
  return path.replace(/^\//, '').replace(/\/$/, '').split('/')
}

/** `Id` in `{Id}`; null for a part that is spelled out. */
function labelIn (part: string): string | null {
  return /^\{(\w+)\+?\}$/.exec(part)?.[1] ?? null
}

/** @throws AwsError for what is not of the operation's shape */
function decodeCall ({ http, input }: OperationShape, call: Call): object {
  const { request } = call
  const labels = labelsOf(http, request.path)
  const query = new URLSearchParams(request.query)
  const body = input.members.some(({ location }) => location === 'body')
    ? parseBody(call.text, input.name) : {}
  const result: Record<string, unknown> = {}
  for (const member of input.members) {
    const { location, locationName } = member
    if (location === 'body') {
      take(member, body[member.xmlName], '', result)
      continue
    }
    const header = request.headers[locationName.toLowerCase()]
    const text = location === 'path' ? labels.get(locationName)
      : location === 'query' ? query.get(locationName) ?? undefined
        : typeof header === 'string' ? header : undefined
    take(member, text, '', result)
  }
  return result
}

/** What stands in the places of a path's labels. */
function labelsOf (http: HttpBinding | null, path: string): ReadonlyMap<string, string> {
  const given = partsOf(path)
  return new Map(partsOf(http?.path ?? '').flatMap((part, at): [string, string][] => {
    const label = labelIn(part)
    return label === null ? [] : [[label, decodedPart(given[at] ?? '')]]
  }))
}

function decodedPart (part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw invalid(`The path has the part "${part.slice(0, 64)}", which is not encoded as an URI is`)
  }
}

/** An element as the parser has it: text, its children by name, or several of one name. */
type Element = string | readonly Element[] | { readonly [name: string]: Element }
type Children = Readonly<Record<string, Element | undefined>>

/** @returns the children of the root element; none for an empty body */
function parseBody (text: string, rootName: string): Children {
  if (text.trim() === '') return {}
  if (/<!DOCTYPE/i.test(text)) throw invalid('Invalid XML: a document type is not allowed')
  const parser = new XMLParser({
    ignoreAttributes: true, ignoreDeclaration: true, ignorePiTags: true, parseTagValue: false,
    trimValues: false, processEntities: true, htmlEntities: true, removeNSPrefix: true,
    maxNestedTags: XML_DEPTH_MAX
  })
  let document: Children
  try {
    document = parser.parse(text) as Children
  } catch (error) {
    throw invalid(`Invalid XML: ${(error as Error).message}`)
  }
  const root = document[rootName]
  if (root === undefined) throw invalid(`Invalid XML: the root element is not ${rootName}`)
  return childrenOf(root, rootName)
}

function childrenOf (element: Element, path: string): Children {
  if (typeof element === 'string' && element.trim() === '') return {}
  if (typeof element === 'string' || Array.isArray(element)) {
    throw invalid(`Invalid XML: ${path} is not one element with elements in it`)
  }
  return element as Children
}

/** Puts a member's value into `result`. */
function take (
  member: Member, element: Element | undefined, path: string, result: Record<string, unknown>
): void {
  const memberPath = path === '' ? member.name : `${path}.${member.name}`
  if (element !== undefined) {
    result[member.name] = decodeElement(member.shape(), element, memberPath)
  } else if (member.required) {
    throw invalid(`1 validation error detected: Value null at '${memberPath}' failed to satisfy ` +
      'constraint: Member must not be null')
  }
}

function decodeElement (shape: Shape, element: Element, path: string): unknown {
  if (shape.kind === 'structure') {
    const children = childrenOf(element, path)
    const result: Record<string, unknown> = {}
    for (const member of shape.members) take(member, children[member.xmlName], path, result)
    return result
  }
  if (shape.kind === 'list') {
    const items = childrenOf(element, path)[shape.item.xmlName] ?? []
    const list: readonly Element[] = Array.isArray(items) ? items : [items]
    if (list.length > LIST_ITEMS_MAX) {
      throw invalid(`The list ${path} has more than ${String(LIST_ITEMS_MAX)} items`)
    }
    return list.map((item, index) =>
      decodeElement(shape.item.shape(), item, `${path}.${String(index + 1)}`))
  }
  if (typeof element !== 'string') throw invalid(`Invalid XML: ${path} is not one text`)
  return decodeScalarText(shape.kind, element, path)
}

/** The protocol gives it the service's own code. */
function invalid (message: string): AwsError {
  return new AwsError('InvalidParameterValue', message)
}

/** What of an output stands in the body. */
function inBody (output: StructureShape | null): StructureShape {
  return {
    kind: 'structure', name: output?.name ?? '',
    members: output?.members.filter(({ location }) => location === 'body') ?? []
  }
}

function encodeAnswer (
  { http, output: shape }: OperationShape, output: Values, namespace: string, write: Writer
): Body {
  const headers: Record<string, string> = {}
  const body: Record<string, unknown> = { ...output }
  for (const { name, location, locationName } of shape?.members ?? []) {
    if (location !== 'header') continue
    const value = body[name]
    if (typeof value === 'string') headers[locationName.toLowerCase()] = value
    Reflect.deleteProperty(body, name)
  }
  const root = shape?.name ?? ''
  return {
    contentType: CONTENT_TYPE, headers, status: http?.status ?? 200,
    content: root === '' ? '' : `${XML_HEAD}<${root} xmlns="${namespace}">${write(body)}</${root}>`
  }
}
