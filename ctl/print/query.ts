/**
 * `--query`: a JMESPath expression over what `--json` prints, as the `aws` CLI has it.
 *
 *     vpcctl vpc list --query "[?State=='available'].VpcId"
 *
 * Where an expression is wrong is found by its tokens: the first one that cannot follow those
 * before it. (The library names the token, not its place.) Source: jmespath.org, "Specification".
 */
import { createRequire } from 'node:module'
import type * as JmespathModule from '@jmespath-community/jmespath'
import { usageError } from '../exit_codes.ts'

// The package's CommonJS form loads in a third of the time of its ES modules.
const jmespath =
  createRequire(import.meta.url)('@jmespath-community/jmespath') as typeof JmespathModule

/** As the aws CLI: a literal that is no JSON is a text, `[?Key==\`Name\`]`. */
const OPTIONS = { enable_legacy_literals: true }

/** Gives the part of a JSON value that was asked for; null when there is no such part. */
export type Query = (value: unknown) => unknown

/**
 * @returns the query; it throws a usage error itself where a function meets a wrong type
 * @throws CtlError Usage, with the column, when `expression` is no JMESPath
 */
export function compileQuery (expression: string): Query {
  const problem = parseProblem(expression)
  if (problem !== null) {
    const at = wrongAt(expression)
    throw usageError(`--query is no JMESPath expression: ${problem} at column ` +
      `${String(at + 1)}:\n  ${expression}\n  ${' '.repeat(at)}^\n`)
  }
  return (value) => {
    try {
      // As a reader of the JSON sees it: members that are undefined are not there.
      const json = JSON.parse(JSON.stringify(value ?? null)) as JmespathModule.JSONValue
      return jmespath.search(json, expression, OPTIONS) ?? null
    } catch (error) {
      throw usageError(`--query ${expression}: ${(error as Error).message.replace(/\.$/, '')}`)
    }
  }
}

/** What is wrong, without a full stop, or null when nothing is. */
function parseProblem (expression: string): string | null {
  try {
    jmespath.compile(expression, OPTIONS)
    return null
  } catch (error) {
    const { message } = error as Error
    return message.replace(/^syntax( error)?[:,] /i, '').replace(/: undefined$/, '')
  }
}

/** Index of the first token that cannot stand where it stands; the length when one is missing. */
function wrongAt (expression: string): number {
  const starts = tokenStarts(expression)
  if (starts === null) return unreadableAt(expression)
  for (const [index, start] of starts.entries()) {
    const problem = parseProblem(expression.slice(0, starts[index + 1] ?? expression.length))
    // What only ends too early may yet go on well.
    if (problem !== null && !problem.includes('EOF')) return start
  }
  return expression.length
}

/** The end of the longest beginning that is made of tokens. */
function unreadableAt (expression: string): number {
  let end = expression.length
  while (end > 0 && tokenStarts(expression.slice(0, end)) === null) end--
  return end
}

function tokenStarts (expression: string): number[] | null {
  try {
    return jmespath.tokenize(expression, OPTIONS).map(({ start }) => start)
  } catch {
    return null
  }
}
