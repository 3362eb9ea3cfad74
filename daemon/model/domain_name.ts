/**
 * Domain names as Route 53 takes and shows them. Route 53 Developer Guide, "DNS domain name
 * format".
 *
 *     given    Web.Corp.Example, web.corp.example., \052.corp.example
 *     kept     web.corp.example             lower-case, no dot at the end, no escapes
 *     shown    web.corp.example.            what is no letter, digit, - or _ as \ooo (octal)
 *
 * A kept name is also what the resolver knows it by. RFC 1035 §2.3.4: labels of 63 bytes, names
 * of 255. Labels hold printable ASCII characters other than the dot, which separates them.
 */
export const LABEL_LENGTH_MAX = 63
/** With a length before each label and the root behind them. */
const NAME_BYTES_MAX = 255

const ESCAPE = /\\([0-7]{3})/g
const LABEL = /^[\x20-\x7e]+$/
const SHOWN_AS_IS = /[^a-z0-9_-]/g

/** @returns the name as it is kept; null when `text` is no domain name. The root is empty. */
export function parseDomainName (text: string): string | null {
  if (text === '.') return ''
  if (/\\056/.test(text)) return null // a dot inside a label
  const name = text.replace(/\.$/, '')
    .replace(ESCAPE, (_escape, octal: string) => String.fromCharCode(parseInt(octal, 8)))
    .toLowerCase()
  const labels = name.split('.')
  const isName = labels.every((label) => LABEL.test(label) && label.length <= LABEL_LENGTH_MAX &&
    !label.includes('\\'))
  return isName && name.length + 2 <= NAME_BYTES_MAX ? name : null
}

/** The name as Route 53 shows it. */
export function printDomainName (name: string): string {
  return name.split('.').map((label) => label.replace(SHOWN_AS_IS, (character) =>
    `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`)).join('.') + '.'
}

/** The name without its first label; empty above the last one. */
export function parentOf (name: string): string {
  const dotAt = name.indexOf('.')
  return dotAt === -1 ? '' : name.slice(dotAt + 1)
}

/** The name is the zone's top, or below it. The root holds everything. */
export function isBelow (name: string, zone: string): boolean {
  return name === zone || zone === '' || name.endsWith(`.${zone}`)
}

/** Order of listings: label by label from the right, a zone before what is in it. */
export function compareDomainNames (a: string, b: string): number {
  const left = a.split('.').reverse()
  const right = b.split('.').reverse()
  for (const [at, label] of left.entries()) {
    const other = right[at]
    if (other === undefined) return 1
    if (label !== other) return label < other ? -1 : 1
  }
  return left.length - right.length
}
