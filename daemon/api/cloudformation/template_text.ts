/**
 * The text of a template, YAML or JSON, to plain JSON. Short tags become the functions they stand
 * for: `!GetAtt Vpc.CidrBlock` is `{ "Fn::GetAtt": ["Vpc", "CidrBlock"] }`. CloudFormation User
 * Guide, "Template formats"; "Intrinsic function reference".
 *
 * JSON is read as the YAML that it is. As CloudFormation does, aliases are refused, and so is a key
 * given twice.
 */
import { createRequire } from 'node:module'
import type * as Yaml from 'yaml'
import type { Node, Pair } from 'yaml'
import { AwsError } from '../../model/aws_error.ts'
import type { Json, JsonObject } from '../../model/stack.ts'
import { TEMPLATE_BYTES_MAX } from '../../model/stack.ts'

const requireModule = createRequire(import.meta.url)

/** The parser takes some 9 MB: it is loaded with the first template. */
function yaml (): typeof Yaml { return requireModule('yaml') as typeof Yaml }

/** Values inside each other; a template has less than ten. */
const DEPTH_MAX = 64

/** Short tags whose long form does not begin with `Fn::`. */
const PLAIN_TAGS: ReadonlySet<string> = new Set(['!Ref', '!Condition'])
const FUNCTION_TAGS: ReadonlySet<string> = new Set([
  '!And', '!Base64', '!Cidr', '!Equals', '!FindInMap', '!GetAtt', '!GetAZs', '!If', '!ImportValue',
  '!Join', '!Not', '!Or', '!Select', '!Split', '!Sub'
])

/** @throws AwsError ValidationError */
export function parseTemplateText (text: string): JsonObject {
  const bytes = Buffer.byteLength(text)
  if (bytes > TEMPLATE_BYTES_MAX) {
    throw new AwsError('ValidationError',
      `1 validation error detected: Value of ${String(bytes)} bytes at 'templateBody' failed to ` +
      'satisfy constraint: Member must have length less than or equal to ' +
      String(TEMPLATE_BYTES_MAX))
  }
  const document = yaml().parseDocument(text, { prettyErrors: false, logLevel: 'silent' })
  const [error] = document.errors
  if (error !== undefined) throw notWellFormed(text, error.pos[0], error.message)
  const value = document.contents === null ? null : valueOf(document.contents, 0)
  if (!isObject(value)) {
    throw new AwsError('ValidationError', 'Template format error: unsupported structure.')
  }
  return value
}

function notWellFormed (text: string, at: number, reason: string): AwsError {
  const before = text.slice(0, at).split('\n')
  const column = (before.at(-1) ?? '').length + 1
  const format = text.trimStart().startsWith('{') ? 'JSON' : 'YAML'
  return new AwsError('ValidationError', `Template format error: ${format} not well-formed. ` +
    `(line ${String(before.length)}, column ${String(column)}): ${reason}`)
}

function valueOf (node: Node, depth: number): Json {
  if (depth > DEPTH_MAX) {
    throw new AwsError('ValidationError',
      `Template format error: values are nested more than ${String(DEPTH_MAX)} deep`)
  }
  if (yaml().isAlias(node)) {
    throw new AwsError('ValidationError',
      'Template error: YAML aliases are not allowed in CloudFormation templates')
  }
  return tagged(node.tag, plainValueOf(node, depth))
}

function plainValueOf (node: Node, depth: number): Json {
  const { isMap, isScalar, isSeq } = yaml()
  if (isSeq(node)) return node.items.map((item) => valueOf(item as Node, depth + 1))
  if (isMap(node)) {
    return Object.fromEntries(node.items.map((pair) => {
      const { key, value } = pair as Pair<Node, Node | null>
      const name = isScalar(key) ? String(key.value) : JSON.stringify(valueOf(key, depth + 1))
      return [name, value === null ? null : valueOf(value, depth + 1)]
    }))
  }
  const { value } = node as { readonly value?: unknown }
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? value
    : null
}

function tagged (tag: string | undefined, value: Json): Json {
  if (tag === undefined || !tag.startsWith('!')) return value
  if (PLAIN_TAGS.has(tag)) return { [tag.slice(1)]: value }
  if (!FUNCTION_TAGS.has(tag)) {
    throw new AwsError('ValidationError', `Template format error: the tag ${tag} is not known; ` +
      `expecting one of ${[...PLAIN_TAGS, ...FUNCTION_TAGS].join(', ')}`)
  }
  const name = `Fn::${tag.slice(1)}`
  if (tag !== '!GetAtt' || typeof value !== 'string') return { [name]: value }
  const dotAt = value.indexOf('.')
  return { [name]: dotAt === -1 ? [value] : [value.slice(0, dotAt), value.slice(dotAt + 1)] }
}

export function isObject (value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
