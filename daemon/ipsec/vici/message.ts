/**
 * Messages of VICI, the control protocol of strongSwan's charon (README.md of its vici plugin): a
 * tree of sections, lists and values, written as a run of elements.
 *
 *     1 section start  u8 length, name            4 list start  u8 length, name
 *     2 section end                               5 list item   u16 length, value
 *     3 key and value  u8 length, name,           6 list end
 *                      u16 length, value
 *
 * Lengths are big-endian. Values are text here: what charon sends as binary (certificates) is not
 * asked for. A message from charon carries what a peer sent (identities, names), so that nothing
 * in it is believed: lengths are compared with what is there, and depth is bounded.
 */
import { VpclabError } from '../../base/errors.ts'

/** A section: names to values, lists or further sections. The order is the message's. */
export interface ViciMessage { readonly [name: string]: ViciValue }
export type ViciValue = string | readonly string[] | ViciMessage

const ELEMENT_SECTION_START = 1
const ELEMENT_SECTION_END = 2
const ELEMENT_KEY_VALUE = 3
const ELEMENT_LIST_START = 4
const ELEMENT_LIST_ITEM = 5
const ELEMENT_LIST_END = 6

const NAME_BYTES_MAX = 0xff
const VALUE_BYTES_MAX = 0xffff
/** Sections inside sections; `list-sas` has four. */
const DEPTH_MAX = 16

/**
 * Text of a name, for a packet or an element.
 * @throws VpclabError VPCLAB_ERR_CHARON when it is longer than its length field can say
 */
export function encodeName (name: string): Buffer {
  const bytes = Buffer.from(name)
  if (bytes.length > NAME_BYTES_MAX) {
    throw viciError(`Cannot write the name "${name}": it has more than ${String(NAME_BYTES_MAX)} ` +
      'bytes')
  }
  return Buffer.concat([Buffer.of(bytes.length), bytes])
}

function encodeText (value: string): Buffer {
  const bytes = Buffer.from(value)
  if (bytes.length > VALUE_BYTES_MAX) {
    throw viciError(`Cannot write a value of ${String(bytes.length)} bytes: at most ` +
      `${String(VALUE_BYTES_MAX)} fit`)
  }
  const length = Buffer.alloc(2)
  length.writeUInt16BE(bytes.length)
  return Buffer.concat([length, bytes])
}

function encodeElements (message: ViciMessage, out: Buffer[]): void {
  for (const [name, value] of Object.entries(message)) {
    if (typeof value === 'string') {
      out.push(Buffer.of(ELEMENT_KEY_VALUE), encodeName(name), encodeText(value))
    } else if (isList(value)) {
      out.push(Buffer.of(ELEMENT_LIST_START), encodeName(name))
      for (const item of value) out.push(Buffer.of(ELEMENT_LIST_ITEM), encodeText(item))
      out.push(Buffer.of(ELEMENT_LIST_END))
    } else {
      out.push(Buffer.of(ELEMENT_SECTION_START), encodeName(name))
      encodeElements(value, out)
      out.push(Buffer.of(ELEMENT_SECTION_END))
    }
  }
}

/** @throws VpclabError VPCLAB_ERR_CHARON for a name over 255 or a value over 65,535 bytes */
export function encodeMessage (message: ViciMessage): Buffer {
  const out: Buffer[] = []
  encodeElements(message, out)
  return Buffer.concat(out)
}

/** Whether the value is a list: what `Array.isArray` does not say of a read-only one. */
export function isList (value: ViciValue): value is readonly string[] {
  return Array.isArray(value)
}

/**
 * Reads a message. A name that stands twice in a section keeps its last value.
 * @throws VpclabError VPCLAB_ERR_CHARON when the bytes are no message
 */
export function decodeMessage (bytes: Uint8Array): ViciMessage {
  const reader = new ElementReader(bytes)
  return readSection(reader, 0)
}

/** Depth 0 is the message itself, which ends with the bytes. */
function readSection (reader: ElementReader, depth: number): ViciMessage {
  if (depth > DEPTH_MAX) {
    throw viciError(`Sections are nested more than ${String(DEPTH_MAX)} deep`)
  }
  // fromEntries defines own properties: a name such as "__proto__" is a name like any other.
  const entries: [string, ViciValue][] = []
  while (!reader.isAtEnd) {
    const element = reader.u8()
    switch (element) {
      case ELEMENT_SECTION_START:
        entries.push([reader.text(reader.u8()), readSection(reader, depth + 1)])
        break
      case ELEMENT_SECTION_END:
        if (depth === 0) throw viciError('A section ends that has not begun')
        return Object.fromEntries(entries)
      case ELEMENT_KEY_VALUE:
        entries.push([reader.text(reader.u8()), reader.text(reader.u16())])
        break
      case ELEMENT_LIST_START:
        entries.push([reader.text(reader.u8()), readList(reader)])
        break
      default:
        throw viciError(`Element ${String(element)} stands where none of its kind can`)
    }
  }
  if (depth !== 0) throw viciError('The message ends inside a section')
  return Object.fromEntries(entries)
}

function readList (reader: ElementReader): string[] {
  const items: string[] = []
  for (;;) {
    const element = reader.u8()
    if (element === ELEMENT_LIST_END) return items
    if (element !== ELEMENT_LIST_ITEM) {
      throw viciError(`Element ${String(element)} stands inside a list`)
    }
    items.push(reader.text(reader.u16()))
  }
}

class ElementReader {
  readonly #bytes: Buffer
  #at = 0

  constructor (bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get isAtEnd (): boolean { return this.#at === this.#bytes.length }

  u8 (): number { return this.#take(1).readUInt8(0) }
  u16 (): number { return this.#take(2).readUInt16BE(0) }
  text (lengthBytes: number): string { return this.#take(lengthBytes).toString('utf8') }

  #take (lengthBytes: number): Buffer {
    if (lengthBytes > this.#bytes.length - this.#at) throw viciError('The message is cut short')
    this.#at += lengthBytes
    return this.#bytes.subarray(this.#at - lengthBytes, this.#at)
  }
}

/** A failure of the talk with charon. */
export function viciError (message: string, options?: ErrorOptions): VpclabError {
  return new VpclabError('VPCLAB_ERR_CHARON', message, options)
}
