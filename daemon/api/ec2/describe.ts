/**
 * What all Describe calls share: ids, filters and pages. EC2 API Reference, "List and filter using
 * the CLI and API"; "Pagination".
 *
 *     records of the caller ─▶ ids ─▶ filters ─▶ order ─▶ page ─▶ print
 *
 * Values inside one filter are alternatives, filters must all hold. `*` stands for any characters
 * and `?` for one; a backslash takes the meaning of either away. Tag filters come with every noun.
 *
 * A page begins after the last record of the page before, in order of (revision of creation, id). A
 * record that exists for the whole listing has one place in that order and never leaves it, so it
 * is listed exactly once, whatever is created or deleted in between.
 */
import { AwsError } from '../../model/aws_error.ts'
import type { OwnedRecord } from '../../model/record.ts'
import { RESOURCE_KINDS, checkIdForm, notFound } from '../../model/resource_kind.ts'
import type { AccountView, NounRecords, OwnedNoun } from '../../model/snapshot.ts'

export const PAGE_SIZE_MIN = 5
export const PAGE_SIZE_MAX = 1000
export const DESCRIBE_IDS_MAX = 1000
export const FILTERS_MAX = 50
export const FILTER_VALUES_MAX = 200

/** The SDK's `Filter` fits. */
export interface FilterInput {
  readonly Name?: string | undefined
  readonly Values?: readonly string[] | undefined
}

export interface PageInput {
  readonly Filters?: readonly FilterInput[] | undefined
  readonly MaxResults?: number | undefined
  readonly NextToken?: string | undefined
}

/** What a record has for one filter: nothing, one value, or several of which one must match. */
export type FilterValue = OneFilterValue | readonly OneFilterValue[]
type OneFilterValue = string | number | boolean | null | undefined

/**
 * Filter name to the values that a record has for it. The table of a noun stands in its actions
 * file.
 */
export type FilterTable<Item> = Readonly<Record<string, FilterFunction<Item>>>
type FilterFunction<Item> = (item: Item, view: AccountView) => FilterValue

export interface Page<Item> {
  readonly items: readonly Item[]
  readonly nextToken: string | undefined
}

/**
 * The records a Describe call of an owned noun answers with.
 * @param ids the call's own id parameter (`VpcIds`), and its name for refusals
 * @throws AwsError for a malformed, unknown or excessive id, a bad filter, a bad page
 */
export function describeRecords<N extends OwnedNoun> (view: AccountView, noun: N,
  idsParameter: string, ids: readonly string[] | undefined, input: PageInput,
  filters: FilterTable<NounRecords[N]>): Page<NounRecords[N]> {
  checkPageInput(input, idsParameter, ids)
  const all = ids === undefined || ids.length === 0
    ? view.list(noun)
    : recordsOfIds(view, noun, ids)
  const tagsOf = RESOURCE_KINDS[noun].resourceType === null
    ? null
    : (record: NounRecords[N]) => view.tagsOf(record)
  const matching = applyFilters(view, all, input.Filters, { filters, tagsOf })
  const table = view.snapshot.tables[noun]
  return pageOf(matching, noun, input,
    (record) => [table.createRevision((record as OwnedRecord).id), (record as OwnedRecord).id])
}

function recordsOfIds<N extends OwnedNoun> (view: AccountView, noun: N,
  ids: readonly string[]): NounRecords[N][] {
  for (const id of ids) checkIdForm(noun, id)
  const found: NounRecords[N][] = []
  const absent: string[] = []
  for (const id of new Set(ids)) {
    const record = view.get(noun, id)
    if (record === undefined) absent.push(id)
    else found.push(record)
  }
  if (absent.length > 0) throw notFound(noun, ...absent)
  return found
}

/**
 * Refuses what no Describe call takes: too many ids, a page size out of range, or a page of given
 * ids.
 */
export function checkPageInput (input: PageInput, idsParameter: string,
  ids: readonly string[] | undefined): void {
  if (ids !== undefined && ids.length > DESCRIBE_IDS_MAX) {
    throw new AwsError('InvalidParameterValue',
      `${String(ids.length)} values for parameter ${idsParameter} are too many; at most ` +
      `${String(DESCRIBE_IDS_MAX)} are allowed`)
  }
  if (input.MaxResults === undefined) return
  if (ids !== undefined && ids.length > 0) {
    throw new AwsError('InvalidParameterCombination',
      `The parameter ${idsParameter} cannot be used with the parameter MaxResults`)
  }
  if (input.MaxResults < PAGE_SIZE_MIN || input.MaxResults > PAGE_SIZE_MAX) {
    throw new AwsError('InvalidMaxResults',
      `Value ( ${String(input.MaxResults)} ) for parameter MaxResults is invalid. ` +
      `Expecting a value from ${String(PAGE_SIZE_MIN)} to ${String(PAGE_SIZE_MAX)}.`)
  }
}

/** Filters of a noun, and how to find its tags for the filters that every tagged noun has. */
export interface TaggedFilterTable<Item> {
  readonly filters: FilterTable<Item>
  /** null for things that carry no tags. */
  readonly tagsOf: ((item: Item) => Readonly<Record<string, string>>) | null
}

/**
 * The items that every filter lets through; `tag:<key>`, `tag-key` and `tag-value` besides the
 * table's own.
 * @throws AwsError InvalidParameterValue, FilterLimitExceeded, MissingParameter
 */
export function applyFilters<Item> (view: AccountView, items: readonly Item[],
  filters: readonly FilterInput[] | undefined,
  table: TaggedFilterTable<Item>): readonly Item[] {
  if (filters === undefined || filters.length === 0) return items
  if (filters.length > FILTERS_MAX) {
    throw new AwsError('FilterLimitExceeded',
      `${String(filters.length)} filters are more than the ${String(FILTERS_MAX)} that are allowed`)
  }
  let left = items
  for (const { Name: name, Values: values = [] } of filters) {
    if (name === undefined) {
      throw new AwsError('MissingParameter', 'The request must contain the parameter Filter.Name')
    }
    if (values.length > FILTER_VALUES_MAX) {
      throw new AwsError('FilterLimitExceeded',
        `Filter '${name}' has ${String(values.length)} values; at most ` +
        `${String(FILTER_VALUES_MAX)} are allowed`)
    }
    const valueOf = filterFunction(name, table)
    const patterns = values.map(compileWildcards)
    left = left.filter((item) => anyMatch(patterns, valueOf(item, view)))
  }
  return left
}

const TAG_FILTER = 'tag:'

function filterFunction<Item> (
  name: string, table: TaggedFilterTable<Item>): FilterFunction<Item> {
  const tagsOf = table.tagsOf
  if (tagsOf !== null) {
    if (name === 'tag-key') return (item) => Object.keys(tagsOf(item))
    if (name === 'tag-value') return (item) => Object.values(tagsOf(item))
    if (name.startsWith(TAG_FILTER) && name.length > TAG_FILTER.length) {
      const key = name.slice(TAG_FILTER.length)
      return (item) => {
        const tags = tagsOf(item)
        return Object.hasOwn(tags, key) ? tags[key] : undefined
      }
    }
  }
  const found = Object.hasOwn(table.filters, name) ? table.filters[name] : undefined
  if (found === undefined) {
    throw new AwsError('InvalidParameterValue', `The filter '${name}' is invalid`)
  }
  return found
}

function anyMatch (patterns: readonly Pattern[], value: FilterValue): boolean {
  const values = (Array.isArray(value) ? value : [value]) as readonly OneFilterValue[]
  return values.some((one) => one !== null && one !== undefined &&
    patterns.some((pattern) => matchesWildcards(pattern, String(one))))
}

const ANY_CHARACTERS = Symbol('*')
const ONE_CHARACTER = Symbol('?')
/** A filter value taken apart: characters as themselves, wildcards as symbols. */
export type Pattern = readonly (string | typeof ANY_CHARACTERS | typeof ONE_CHARACTER)[]

export function compileWildcards (value: string): Pattern {
  const pattern: (string | typeof ANY_CHARACTERS | typeof ONE_CHARACTER)[] = []
  for (let at = 0; at < value.length; at++) {
    const character = value.charAt(at)
    if (character === '*') pattern.push(ANY_CHARACTERS)
    else if (character === '?') pattern.push(ONE_CHARACTER)
    else if (character === '\\' && at + 1 < value.length) pattern.push(value.charAt(++at))
    else pattern.push(character)
  }
  return pattern
}

/**
 * Whether the whole of `text` fits. At most pattern × text steps, whatever a caller sends: only
 * the last `*` is ever retried.
 */
export function matchesWildcards (pattern: Pattern, text: string): boolean {
  let patternAt = 0
  let textAt = 0
  let starAt = -1
  let retryAt = 0
  while (textAt < text.length) {
    const wanted = pattern[patternAt]
    if (wanted === ANY_CHARACTERS) {
      starAt = patternAt++
      retryAt = textAt
    } else if (wanted === ONE_CHARACTER || wanted === text.charAt(textAt)) {
      patternAt++
      textAt++
    } else if (starAt !== -1) {
      patternAt = starAt + 1
      textAt = ++retryAt
    } else return false
  }
  while (pattern[patternAt] === ANY_CHARACTERS) patternAt++
  return patternAt === pattern.length
}

/** Place of an item in a listing: revision of its creation, then a name that no two items share. */
export type PlaceOf<Item> = (item: Item) => readonly [number, string]

/**
 * One page of `items`, which need not be in order.
 * @param listing what is listed (`vpc`): a token of another listing is refused
 * @throws AwsError InvalidNextToken
 */
export function pageOf<Item> (items: readonly Item[], listing: string, input: PageInput,
  placeOf: PlaceOf<Item>): Page<Item> {
  const placed = items.map((item) => ({ item, place: placeOf(item) }))
  placed.sort((a, b) => comparePlaces(a.place, b.place))
  const after = input.NextToken === undefined ? null : parseToken(listing, input.NextToken)
  const rest = after === null
    ? placed
    : placed.filter(({ place }) => comparePlaces(place, after) > 0)
  const page = rest.slice(0, input.MaxResults ?? rest.length)
  const last = page.at(-1)
  return {
    items: page.map(({ item }) => item),
    nextToken: last !== undefined && page.length < rest.length
      ? formatToken(listing, last.place)
      : undefined
  }
}

function comparePlaces (a: readonly [number, string], b: readonly [number, string]): number {
  if (a[0] !== b[0]) return a[0] - b[0]
  return a[1] < b[1] ? -1 : a[1] > b[1] ? 1 : 0
}

function formatToken (listing: string, place: readonly [number, string]): string {
  return Buffer.from(JSON.stringify([listing, ...place])).toString('base64url')
}

function parseToken (listing: string, token: string): readonly [number, string] {
  let parsed: unknown
  try {
    parsed = JSON.parse(Buffer.from(token, 'base64url').toString())
  } catch {
    parsed = null
  }
  if (Array.isArray(parsed) && parsed.length === 3) {
    const [of, revision, name] = parsed as unknown[]
    if (of === listing && typeof revision === 'number' && typeof name === 'string') {
      return [revision, name]
    }
  }
  throw new AwsError('InvalidNextToken',
    `The token '${token.slice(0, 64)}' is not one that this listing gave out`)
}
