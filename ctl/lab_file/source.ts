/**
 * From the text of a lab file to a LabFile, or to all that is wrong with it, each at its line and
 * column:
 *
 *     text ─ yaml ─▶ document with positions ─ schema.ts ─▶ LabFile ─ references.ts ─▶ LabFile
 *              └─ faults ─┴──────────────────── faults ─┴───────────── faults ─┘
 *
 *     lab.yaml:7:9: unknown key "sourcedest-check"; did you mean "source-dest-check"?
 *         7 |         sourcedest-check: false
 *           |         ^^^^^^^^^^^^^^^^
 *
 * A part that the schema refuses is left out before references are checked, so that one fault
 * neither hides another nor causes a second one. YAML 1.2 with anchors, aliases and merge keys.
 */
import {
  type Document, isAlias, isMap, isNode, isScalar, isSeq, LineCounter, type Node, type Pair,
  parseDocument, visit, type YAMLError
} from 'yaml'
import type { z } from 'zod'
import { CtlError, EXIT_USAGE } from '../exit_codes.ts'
import { type Fault, type Path, suggestion } from './fault.ts'
import { FILE_KINDS, kindOfSection } from './kinds/registry.ts'
import { checkReferences } from './references.ts'
import { isVpcSection } from './resources_of.ts'
import { LAB_FILE_SCHEMA, type LabFile } from './schema.ts'

/** Faults shown of one file; a broken file has few causes. */
export const FAULTS_SHOWN_MAX = 50
/** Bytes of a lab file: some thousand instances. */
export const LAB_FILE_BYTES_MAX = 4 * 1024 * 1024

/** Uses of anchors in a file: more is a file made to fill the memory. */
const ALIASES_MAX = 1000

/** A fault where it stands in the text: offsets of its first character and behind its last one. */
interface PlacedFault { readonly message: string, readonly start: number, readonly end: number }

/** A lab file, and how to refuse it for what shows later. */
export interface ReadFile {
  readonly file: LabFile
  /** BadLabFile with these faults, each where it stands. */
  readonly refusal: (faults: readonly Fault[]) => CtlError
}

/**
 * @param name of the file, for messages
 * @throws CtlError BadLabFile with every fault of the file
 */
export function parseLabFile (text: string, name: string): ReadFile {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true })
  const refuse = (placed: readonly PlacedFault[]): CtlError => refusalOf(placed, text, lines, name)
  const broken = yamlFaults(document, text, lines)
  if (broken.length > 0) throw refuse(broken)
  const { file, faults } = check(contentOf(document, refuse))
  const refusal = (found: readonly Fault[]): CtlError =>
    refuse(found.map((fault) => place(document, fault)))
  if (file === null || faults.length > 0) throw refusal(withoutEchoes(faults))
  return { file, refusal }
}

/** @throws CtlError BadLabFile for aliases of nothing, or of far too much */
function contentOf (document: Document,
  refuse: (placed: readonly PlacedFault[]) => CtlError): unknown {
  try {
    return document.toJS({ maxAliasCount: ALIASES_MAX }) as unknown
  } catch (error) {
    const [, name] = /^Unresolved alias .*: (.*)$/.exec((error as Error).message) ?? []
    const alias = name === undefined ? undefined : aliasNamed(document, name)
    const [start, end] = alias?.range ?? [0, 1]
    throw refuse([{
      message: name === undefined
        ? `the aliases (*name) of this file stand for more than ${String(ALIASES_MAX)} parts`
        : `no anchor "&${name}" stands before this alias`,
      start,
      end
    }])
  }
}

function aliasNamed (document: Document, name: string): Node | undefined {
  let found: Node | undefined
  visit(document, {
    Alias: (_key, alias) => {
      if (alias.source !== name) return undefined
      found = alias
      return visit.BREAK
    }
  })
  return found
}

function refusalOf (placed: readonly PlacedFault[], text: string, lines: LineCounter,
  name: string): CtlError {
  // What an alias stands for is faulty in one place, however often it is used.
  const different = [...new Map(placed.toSorted((one, other) => one.start - other.start)
    .map((fault) => [`${String(fault.start)} ${fault.message}`, fault])).values()]
  const shown = different.slice(0, FAULTS_SHOWN_MAX)
    .map((fault) => format(fault, text, lines, name))
  const more = different.length - shown.length
  return new CtlError('BadLabFile', `${String(different.length)} ` +
    `${different.length === 1 ? 'fault' : 'faults'} in ${name}\n${shown.join('\n')}` +
    (more > 0 ? `\n… and ${String(more)} more` : ''), EXIT_USAGE)
}

function check (content: unknown): { file: LabFile | null, faults: Fault[] } {
  const faults: Fault[] = []
  let rest = content
  // Each round leaves out what was wrong in the one before; a second one is rare.
  for (;;) {
    const parsed = LAB_FILE_SCHEMA.safeParse(rest)
    if (parsed.success) {
      const refused = new Set(faults.filter(({ path, at }) => path.length > 1 && at !== 'key')
        .flatMap(({ path }) => namesIn(content, partOf(path))))
      faults.push(...checkReferences(parsed.data, refused))
      return { file: parsed.data, faults }
    }
    const found = parsed.error.issues.flatMap((issue) => faultsOf(issue, content))
    faults.push(...found)
    const without = withoutFaulty(rest, found)
    if (JSON.stringify(without) === JSON.stringify(rest)) return { file: null, faults }
    rest = without
  }
}

/** The part that is left out for a fault: a resource, a VPC, a check, a field of the whole. */
function partOf (path: Path): Path {
  const [first] = path
  if (first === 'vpcs') return path.slice(0, isVpcSection(String(path[2])) ? 4 : 2)
  const isSection = first === 'checks' || kindOfSection(FILE_KINDS, String(first)) !== undefined
  return path.slice(0, isSection ? 2 : 1)
}

/** The name of a part and all names in it. */
function namesIn (content: unknown, part: Path): string[] {
  const inside = (value: unknown): string[] => typeof value === 'object' && value !== null
    ? Object.entries(value).flatMap(([key, inner]) => [key, ...inside(inner)])
    : []
  return [String(part.at(-1)), ...inside(valueAt(content, part))]
}

/** A copy without the parts in which faults stand; the same value when nothing can be left out. */
function withoutFaulty (content: unknown, faults: readonly Fault[]): unknown {
  const parts = faults.map(({ path, at }) => at === 'key' ? path : partOf(path))
  if (parts.length === 0 || parts.some((part) => part.length === 0 || part[0] === 'name')) {
    return content
  }
  const copy = structuredClone(content)
  for (const part of parts) {
    let holder: unknown = copy
    for (const key of part.slice(0, -1)) {
      holder = (holder as Record<PropertyKey, unknown> | undefined)?.[key]
    }
    if (typeof holder !== 'object' || holder === null) continue
    const last = part.at(-1) ?? ''
    // A hole in the list of checks, filled below, so that the others keep their places.
    if (Array.isArray(holder)) holder[Number(last)] = { command: { in: '', run: ':' } }
    else Reflect.deleteProperty(holder, last)
  }
  return copy
}

/** Where a key is unknown, it is no news that another one is missing. */
function withoutEchoes (faults: readonly Fault[]): Fault[] {
  const unknown = new Set(faults.filter(({ message }) => message.startsWith('unknown key'))
    .map(({ path }) => path.slice(0, -1).join('/')))
  return faults.filter(({ message, path }) =>
    !(/^(exactly one of|an? \w+ needs) /.test(message) && unknown.has(path.join('/'))))
}

function faultsOf (issue: z.core.$ZodIssue, content: unknown): Fault[] {
  const { path } = issue
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({
        message: `unknown key "${key}"${suggestion(key, knownKeys(path))}`,
        path: [...path, key],
        at: 'key'
      }))
    case 'invalid_union': {
      const given = valueAt(content, path)
      // The branch that got furthest is the one that was meant.
      const branches = issue.errors.filter((errors) => errors.length > 0)
      const depth = (errors: readonly z.core.$ZodIssue[]): number =>
        Math.max(...errors.map((error) => error.path.length + (error.code === 'custom' ? 1 : 0)))
      const [meant] = branches.toSorted((one, other) => depth(other) - depth(one))
      if (meant !== undefined && depth(meant) > 0) {
        return meant.flatMap((inner) => faultsOf({ ...inner, path: [...path, ...inner.path] },
          content))
      }
      const options = branches.flat()
      // A number out of bounds was meant as a number.
      const [outside] = options.filter((error) => isOutside(error.code))
      if (outside !== undefined && options.every(({ code }) => code !== 'invalid_value')) {
        return [{ message: boundMessage(outside, given), path }]
      }
      const words = options.flatMap((error) =>
        error.code === 'invalid_value' ? error.values.map(String) : [])
      const wanted = [
        ...words.length > 1 ? [`one of ${words.join(', ')}`] : words,
        ...options.flatMap((error) => error.code === 'invalid_type' ? [wordOf(error.expected)]
          : isOutside(error.code) ? [boundWords(error)] : [])
      ]
      return [{ message: `${[...new Set(wanted)].join(' or ')} is expected here, not ` +
        describe(given) + (typeof given === 'string' ? suggestion(given, words) : ''), path }]
    }
    case 'invalid_type': {
      const value = valueAt(content, path)
      if (isRouteTarget(path)) {
        return [{ message: `a target is expected here, such as { nat: … } or { eni: … }, not ${
          describe(value)}`, path }]
      }
      if (value === undefined && path.length > 0) {
        return [{ message: `"${String(path.at(-1))}" is missing`, path: path.slice(0, -1),
          at: 'key' }]
      }
      return [{ message: `${wordOf(issue.expected)} is expected here, not ${describe(value)}`,
        path }]
    }
    case 'invalid_value': {
      const value = String(valueAt(content, path))
      const values = issue.values.map(String)
      return [{ message: `"${value}" is not one of ${values.join(', ')}` +
        suggestion(value, values), path }]
    }
    case 'invalid_key':
      return issue.issues.slice(0, 1).map((inner) => ({
        message: isOutside(inner.code)
          ? `the name "${String(path.at(-1))}": ${boundMessage(inner, path.at(-1))}`
          : inner.message,
        path,
        at: 'key'
      }))
    case 'too_big':
    case 'too_small':
      return [{ message: boundMessage(issue, valueAt(content, path)), path }]
    default:
      return [{ message: issue.message, path }]
  }
}

function isOutside (code: string | undefined): boolean {
  return code === 'too_big' || code === 'too_small'
}

/** `vpcs, web, route-tables, private, routes, 10.0.0.0/8`. */
function isRouteTarget (path: Path): boolean {
  return path.length === 6 && path[2] === 'route-tables' && path[4] === 'routes'
}

/** What is right where a number, or the length of a text or list, is out of bounds. */
function boundWords (issue: z.core.$ZodIssue): string {
  if (issue.code === 'too_big') return `at most ${String(issue.maximum)}${unitOf(issue)}`
  return issue.code === 'too_small' ? `at least ${String(issue.minimum)}${unitOf(issue)}` : ''
}

function boundMessage (issue: z.core.$ZodIssue, value: unknown): string {
  if (value === '') return 'an empty text means nothing here'
  if (Array.isArray(value) && value.length === 0) return 'an empty list means nothing here'
  const size = typeof value === 'string' || Array.isArray(value)
    ? `${String(value.length)}${unitOf(issue)}`
    : JSON.stringify(value)
  return `${boundWords(issue)} is expected here, not ${size}`
}

function unitOf (issue: z.core.$ZodIssue): string {
  if (!('origin' in issue)) return ''
  return issue.origin === 'string' ? ' characters' : issue.origin === 'array' ? ' entries' : ''
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: 'a text', number: 'a number', int: 'a whole number', boolean: 'true or false',
  object: 'a map', record: 'a map', array: 'a list'
}

function wordOf (type: string): string { return TYPE_WORDS[type] ?? type }

function describe (value: unknown): string {
  if (value === null || value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a map'
  return typeof value === 'string' ? `the text "${value}"` : `"${JSON.stringify(value)}"`
}

function valueAt (content: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, key) =>
    typeof value === 'object' && value !== null
      ? (value as Record<PropertyKey, unknown>)[key]
      : undefined, content)
}

/** Keys that the schema knows at a place. */
function knownKeys (path: Path): string[] {
  let schema: unknown = LAB_FILE_SCHEMA
  for (const key of path) schema = innerSchema(schema, String(key))
  return objectsIn(schema).flatMap((shape) => Object.keys(shape))
}

type Definition = {
  readonly type: string
  readonly shape?: Record<string, unknown>
  readonly innerType?: unknown
  readonly valueType?: unknown
  readonly element?: unknown
  readonly in?: unknown
  readonly options?: readonly unknown[]
}

function definitionOf (schema: unknown): Definition | undefined {
  return (schema as { _zod?: { def: Definition } } | undefined)?._zod?.def
}

/** The schemas of objects that a schema allows, through its wrappers. */
function objectsIn (schema: unknown): Record<string, unknown>[] {
  const definition = definitionOf(schema)
  if (definition === undefined) return []
  if (definition.shape !== undefined) return [definition.shape]
  return [definition.innerType, definition.in, ...definition.options ?? []].flatMap(objectsIn)
}

function innerSchema (schema: unknown, key: string): unknown {
  const definition = definitionOf(schema)
  if (definition === undefined) return undefined
  const own = definition.shape?.[key] ?? definition.valueType ?? definition.element
  if (own !== undefined) return own
  return [definition.innerType, definition.in, ...definition.options ?? []]
    .map((inner) => innerSchema(inner, key)).find((inner) => inner !== undefined)
}

/** Where a fault stands: its value, or its key; the nearest thing around it that is written. */
function place (document: Document, { message, path, at }: Fault): PlacedFault {
  let node: unknown = document.contents
  let keyNode: unknown
  for (const key of path) {
    const pair = findPair(document, node, key)
    if (pair === undefined) break
    if (isNode(pair.key)) keyNode = pair.key
    node = pair.value
  }
  const isWhole = at === 'key' || (!isScalar(node) && keyNode !== undefined)
  const found = (isWhole ? keyNode ?? node : node ?? keyNode) as Node | null | undefined
  const range = found?.range ?? [0, 1, 1]
  return { message, start: range[0], end: Math.max(range[1], range[0] + 1) }
}

/** The entry of a map, of what is merged into it (`<<`), or of a list. */
function findPair (document: Document, node: unknown, key: PropertyKey):
{ key: unknown, value: unknown } | undefined {
  const holder = isAlias(node) ? node.resolve(document) : node
  if (isSeq(holder)) {
    const item: unknown = holder.items[Number(key)]
    return item === undefined ? undefined : { key: item, value: item }
  }
  if (!isMap(holder)) return undefined
  const pairs = holder.items
  const own = pairs.find((pair) => keyText(pair) === String(key))
  if (own !== undefined) return { key: own.key, value: own.value }
  for (const pair of pairs.filter((candidate) => keyText(candidate) === MERGE_KEY)) {
    const merged = isSeq(pair.value) ? pair.value.items : [pair.value]
    for (const source of merged) {
      const inner = findPair(document, source, key)
      if (inner !== undefined) return inner
    }
  }
  return undefined
}

const MERGE_KEY = '<<'

function keyText (pair: Pair): string {
  const key: unknown = isScalar(pair.key) ? pair.key.value : pair.key
  // The library reads the merge key as a symbol.
  return typeof key === 'symbol' ? MERGE_KEY : String(key)
}

/** What is no YAML. A tab is told alone: all that follows from it is no news. */
function yamlFaults (document: Document.Parsed, text: string, lines: LineCounter): PlacedFault[] {
  const { errors } = document
  const tab = errors.find(({ code }) => code === 'TAB_AS_INDENT')
  if (tab !== undefined) {
    const [start] = /^ *\t/.exec(text.slice(lineStart(text, tab.pos[0]))) ?? ['']
    const at = lineStart(text, tab.pos[0]) + Math.max(0, start.length - 1)
    const others = text.split('\n').filter((line) => /^ *\t/.test(line)).length - 1
    return [{
      message: 'a tab: YAML is indented with spaces alone' +
        (others > 0 ? ` (so in ${String(others)} more ${others === 1 ? 'line' : 'lines'})` : ''),
      start: at,
      end: at + 1
    }]
  }
  // One mistake makes several errors in its line.
  const told = errors.filter(({ code, pos }, index) => code !== 'DUPLICATE_KEY' &&
    !(FOLLOWING_CODES.has(code) && errors.slice(0, index).some((other) =>
      lines.linePos(other.pos[0]).line === lines.linePos(pos[0]).line)))
  return [
    ...told.map((error) =>
      ({ message: yamlMessage(error), start: error.pos[0], end: error.pos[1] })),
    ...errors.length > told.length ? namesTwice(document, lines) : []
  ]
}

function lineStart (text: string, offset: number): number {
  return text.lastIndexOf('\n', offset - 1) + 1
}

type YamlCode = YAMLError['code']

/** Errors that are only the echo of another one in the same line. */
const FOLLOWING_CODES: ReadonlySet<YamlCode> =
  new Set<YamlCode>(['MULTILINE_IMPLICIT_KEY', 'UNEXPECTED_TOKEN'])

/** What the library says in the words of YAML's specification. */
const YAML_WORDS: Readonly<Partial<Record<YamlCode, string>>> = {
  BLOCK_AS_IMPLICIT_KEY: 'a value and a key in one: a line is indented too far, or a text with ' +
    '": " in it lacks its quotes',
  MULTILINE_IMPLICIT_KEY: 'no key: after a key comes a colon and a space',
  BAD_SCALAR_START: 'a text that begins with this character needs quotes',
  BAD_DQ_ESCAPE: 'no escape of a text in double quotes: write \\\\ for a backslash',
  UNEXPECTED_TOKEN: 'what stands here fits to nothing before it: see its indentation',
  MULTIPLE_DOCS: 'a second document: a lab file is one'
}

function yamlMessage ({ code, message }: YAMLError): string {
  if (code === 'BAD_INDENT') {
    const [, bracket] = /end with a (.)$/.exec(message) ?? []
    return bracket === undefined
      ? 'the keys of a map, and the entries of a list, begin in one column'
      : `a "${bracket}" is missing before this, or this is not indented far enough`
  }
  const [, missing] = /^Missing closing (.)quote/.exec(message) ?? []
  if (missing !== undefined) return `a text that begins with ${missing} does not end with it`
  return YAML_WORDS[code] ?? message.charAt(0).toLowerCase() + message.slice(1)
}

/** Names that stand twice in one map, where they stand again. */
function namesTwice (document: Document, lines: LineCounter): PlacedFault[] {
  const faults: PlacedFault[] = []
  visit(document, {
    Map: (_key, map) => {
      const firstLines = new Map<string, number>()
      for (const pair of map.items) {
        const [start, end] = (isNode(pair.key) ? pair.key.range : null) ?? [0, 1]
        const name = keyText(pair)
        const first = firstLines.get(name)
        firstLines.set(name, first ?? lines.linePos(start).line)
        if (first === undefined || name === MERGE_KEY) continue
        faults.push({
          message: `this name stands here twice: first in line ${String(first)}`, start, end
        })
      }
    }
  })
  return faults
}

function format ({ message, start, end }: PlacedFault, text: string, lines: LineCounter,
  name: string): string {
  const { line, col } = lines.linePos(start)
  const content = (text.split('\n')[line - 1] ?? '').replace(/\r$/, '')
  const shown = content.replaceAll('\t', ' ')
  const carets = Math.max(1, Math.min(end - start, content.length - col + 1))
  const number = String(line).padStart(5)
  return `${name}:${String(line)}:${String(col)}: ${message}\n${number} | ${shown}\n` +
    `${' '.repeat(5)} | ${' '.repeat(Math.max(0, col - 1))}${'^'.repeat(carets)}`
}
