/**
 * Answers in XML: the output of an operation, by its shape. Smithy 2.0, "XML bindings".
 *
 *     { Vpcs: [{ VpcId: 'vpc-0a' }] }  ─▶  <vpcSet><item><vpcId>vpc-0a</vpcId></item></vpcSet>
 *
 * Writers are compiled once per structure and append to one string. Absent members are not written,
 * empty lists are (`<tagSet/>`), as EC2 does. Members that the schema does not know are a
 * programmer's error. The document around an output is its protocol's own.
 */
import { assert } from '../base/assert.ts'
import type { Member, Scalar, Shape } from './schema.ts'

export const XML_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'

/** `text`, with what XML cannot carry of it shown as U+FFFD. */
export function xmlText (text: string): string {
  if (isXmlText(text)) return text
  return text.replace(/./gsu, (character) => isXmlText(character) ? character : '\ufffd')
}

/** The text of a value, without the element around it. */
export type Writer = (value: unknown) => string

/** The writer of a shape. */
export function compileWriter (shape: Shape): Writer { return writerOf(shape, new Map()) }

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
      assert(write !== undefined, `${shape.name} has no member ${name}`)
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
