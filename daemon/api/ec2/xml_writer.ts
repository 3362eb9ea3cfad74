/**
 * The EC2 query protocol, outbound: the output of an action to XML. Smithy 2.0, "AWS EC2 query
 * protocol".
 *
 *     { Vpcs: [{ VpcId: 'vpc-0a' }] }
 *       ─▶ <DescribeVpcsResponse xmlns="…"><requestId>…</requestId>
 *            <vpcSet><item><vpcId>vpc-0a</vpcId></item></vpcSet></DescribeVpcsResponse>
 *
 * Writers are compiled once per structure and append to one string. Absent members are not written,
 * empty lists are (`<tagSet/>`), as EC2 does. Members that the schema does not know are a
 * programmer's error.
 */
import { assert } from '../../base/assert.ts'
import type { AwsError } from '../../model/aws_error.ts'
import type { Member, OperationShape, Scalar, Shape } from '../schema.ts'

export const EC2_XML_NAMESPACE = 'http://ec2.amazonaws.com/doc/2016-11-15/'
const XML_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'

/** @returns the whole document */
export type Encoder = (output: object, requestId: string) => string

export function compileEncoder (operation: OperationShape): Encoder {
  const open = `${XML_HEAD}<${operation.name}Response xmlns="${EC2_XML_NAMESPACE}"><requestId>`
  const close = `</${operation.name}Response>`
  const { output } = operation
  if (output === null) {
    return (value, requestId) => {
      assert(Object.keys(value).length === 0, `${operation.name} has no output to write`)
      return `${open}${requestId}</requestId><return>true</return>${close}`
    }
  }
  const write = writerOf(output, new Map())
  return (value, requestId) => `${open}${requestId}</requestId>${write(value)}${close}`
}

/**
 * The error document of EC2, which is not that of other query services. A message may quote what a
 * caller sent; what XML cannot carry of it is shown as U+FFFD.
 */
export function writeError (error: AwsError, requestId: string): string {
  return `${XML_HEAD}<Response><Errors><Error><Code>${escapeXml(error.code)}</Code>` +
    `<Message>${escapeXml(xmlText(error.message))}</Message></Error></Errors>` +
    `<RequestID>${requestId}</RequestID></Response>`
}

function xmlText (text: string): string {
  if (isXmlText(text)) return text
  return text.replace(/./gsu, (character) => isXmlText(character) ? character : '\ufffd')
}

/** The text of a value, without the element around it. */
type Writer = (value: unknown) => string

/** @param compiled writers of structures by shape: shapes may contain themselves */
function writerOf (shape: Shape, compiled: Map<Shape, Writer>): Writer {
  if (shape.kind === 'list') return listWriter(shape.item, compiled)
  if (shape.kind !== 'structure') return SCALAR_WRITERS[shape.kind]
  const known = compiled.get(shape)
  if (known !== undefined) return known
  const members = new Map(shape.members.map(
    (member) => [member.name, elementWriter(member, compiled)]))
  const writer: Writer = (value) => {
    let text = ''
    for (const name in value as object) {
      const one = (value as Readonly<Record<string, unknown>>)[name]
      if (one === undefined || one === null) continue
      const write = members.get(name)
      assert(write !== undefined, `EC2's ${shape.name} has no member ${name}`)
      text += write(one)
    }
    return text
  }
  compiled.set(shape, writer)
  return writer
}

/** Writes a value with its element. Its shape is looked at when the first value comes. */
function elementWriter (member: Member, compiled: Map<Shape, Writer>): Writer {
  const open = `<${member.xmlName}>`
  const close = `</${member.xmlName}>`
  const empty = `<${member.xmlName}/>`
  let write: Writer | undefined
  return (value) => {
    const text = (write ??= writerOf(member.shape(), compiled))(value)
    return text === '' ? empty : open + text + close
  }
}

function listWriter (item: Member, compiled: Map<Shape, Writer>): Writer {
  const write = elementWriter(item, compiled)
  return (value) => {
    let text = ''
    for (const one of value as readonly unknown[]) text += write(one)
    return text
  }
}

const SCALAR_WRITERS: { readonly [K in Scalar]: Writer } = {
  string: (value) => escapeXml(String(value)),
  number: (value) => String(value),
  boolean: (value) => value === true ? 'true' : 'false',
  timestamp: (value) => (value as Date).toISOString(),
  blob: (value) => Buffer.from(value as Uint8Array).toString('base64')
}

/** Whether XML 1.0 §2.2 can carry `text`: an answer could not show it otherwise. */
export function isXmlText (text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    const isSpace = code === TAB || code === LINE_FEED || code === CARRIAGE_RETURN
    if ((code < FIRST_PRINTABLE && !isSpace) || code > LAST_PRINTABLE) return false
  }
  return true
}

const TAB = 0x09
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
const FIRST_PRINTABLE = 0x20
const LAST_PRINTABLE = 0xfffd

const ESCAPED = /[&<>"'\r]/
const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;', '\r': '&#xD;'
}

/**
 * A carriage return is written as a reference: a reader would make a line feed of it (XML 1.0
 * §2.11).
 */
export function escapeXml (text: string): string {
  return ESCAPED.test(text)
    ? text.replace(/[&<>"'\r]/g, (character) => ENTITIES[character] ?? character)
    : text
}
