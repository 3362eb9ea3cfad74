/**
 * Route 53 as `vpcctl` speaks it. It loads no SDK; the protocol is REST XML, in which the path
 * names what a call is about and lists stand under the name of their items.
 *
 *     input ─▶ <CreateHostedZoneRequest>… ─ sigv4 ─▶ POST /2013-04-01/hostedzone ─▶ XML ─▶ result,
 *                                                                                   or CtlError
 *
 * Source: Smithy 2.0, "AWS REST XML protocol". Times and numbers of answers are texts here.
 */
import { createRequire } from 'node:module'
import type { XMLParser as XMLParserClass } from 'fast-xml-parser'
import { AwsEndpoint, type AwsEndpointOptions } from './aws_endpoint.ts'
import { CtlError } from './exit_codes.ts'

// The package's CommonJS form is one file: 3 ms to load, against 30 ms for its many ES modules.
const { XMLParser } = createRequire(import.meta.url)('fast-xml-parser') as {
  XMLParser: typeof XMLParserClass
}

const API_VERSION = '2013-04-01'
const XML_NAMESPACE = `https://route53.amazonaws.com/doc/${API_VERSION}/`

/** A body: elements by name, several of one name as a list. */
export type XmlValue = string | readonly XmlValue[] | { readonly [element: string]: XmlValue }

export interface Route53Call {
  readonly method: 'DELETE' | 'GET' | 'POST'
  /** Behind the version: `hostedzone/Z0A/rrset`. */
  readonly path: string
  /** Parameters behind the path, names in order. */
  readonly query?: Readonly<Record<string, string>>
  /** Name of the root element, and what is in it. */
  readonly body?: readonly [root: string, content: XmlValue]
}

export class Route53Client {
  readonly #endpoint: AwsEndpoint

  constructor (options: AwsEndpointOptions) {
    this.#endpoint = new AwsEndpoint(options)
  }

  /** One call. @throws CtlError with AWS's code when it is refused */
  async call<Output> ({ method, path, query = {}, body }: Route53Call): Promise<Output> {
    const answer = await this.#endpoint.send({
      service: 'route53',
      method,
      path: `/${API_VERSION}/${path}`,
      query: Object.entries(query).map(([name, value]) => `${name}=${encode(value)}`).join('&'),
      contentType: 'text/xml',
      body: body === undefined ? '' : document(...body)
    })
    return decode(path, answer.status, answer.body) as Output
  }
}

/** As signatures want it, RFC 3986. */
function encode (text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (character) =>
    `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
}

function document (root: string, content: XmlValue): string {
  return `<${root} xmlns="${XML_NAMESPACE}">${elements(content)}</${root}>`
}

function elements (value: XmlValue): string {
  if (typeof value === 'string') {
    return value.replace(/[&<>]/g, (character) => `&#${String(character.charCodeAt(0))};`)
  }
  return Object.entries(value).map(([name, one]: [string, XmlValue]) => {
    const items = Array.isArray(one) ? one as readonly XmlValue[] : [one]
    return items.map((item) => `<${name}>${elements(item)}</${name}>`).join('')
  }).join('')
}

/** Lists of answers, and the name of their items. */
const ITEMS: Readonly<Record<string, string>> = {
  HostedZones: 'HostedZone', ResourceRecordSets: 'ResourceRecordSet',
  ResourceRecords: 'ResourceRecord', Tags: 'Tag', VPCs: 'VPC'
}

type Parsed = string | readonly Parsed[] | { readonly [element: string]: Parsed | undefined }

function decode (path: string, status: number, xml: string): Parsed {
  const parser = new XMLParser({
    ignoreAttributes: true, ignoreDeclaration: true, parseTagValue: false, trimValues: false,
    processEntities: true, htmlEntities: true
  })
  let root: Record<string, Record<string, Record<string, Parsed> | undefined> | undefined>
  try {
    root = parser.parse(xml) as typeof root
  } catch (error) {
    throw new CtlError('InvalidAnswer', `The answer is no XML: ${(error as Error).message}`)
  }
  const [content] = Object.values(root)
  if (status < 400) return valueOf('', content ?? {})
  const { Code: code, Message: message } = content?.['Error'] ?? {}
  if (typeof code === 'string') {
    throw new CtlError(code, typeof message === 'string' ? message : '')
  }
  throw new CtlError('InvalidAnswer', `${path} was answered with HTTP status ${String(status)}`)
}

function valueOf (element: string, parsed: Parsed): Parsed {
  const item = ITEMS[element]
  if (item !== undefined) {
    const items = typeof parsed === 'string' || Array.isArray(parsed)
      ? [] : (parsed as Readonly<Record<string, Parsed>>)[item] ?? []
    return (Array.isArray(items) ? items as readonly Parsed[] : [items])
      .map((one) => valueOf('', one))
  }
  if (typeof parsed === 'string' || Array.isArray(parsed)) return parsed
  return Object.fromEntries(Object.entries(parsed as Readonly<Record<string, Parsed>>)
    .map(([name, value]) => [name, valueOf(name, value)]))
}
