/** Describe calls: wildcards, filters, ids, and pages that neither repeat nor lose. */
import test from 'ava'
import fc from 'fast-check'
import type { DhcpOptions } from '../../model/dhcp_options.ts'
import { put, remove } from '../../model/snapshot.ts'
import { TEST_ACCOUNT, TEST_REGION, TestWorld } from '../../model/test_world.ts'
import type { FilterTable, PageInput } from './describe.ts'
import { compileWildcards, describeRecords, matchesWildcards } from './describe.ts'

const matches = (pattern: string, text: string): boolean =>
  matchesWildcards(compileWildcards(pattern), text)

test('wildcards match as AWS describes them', (t) => {
  const good = [['*', ''], ['*', 'abc'], ['a*c', 'abbbc'], ['a?c', 'abc'], ['*a*b', 'xaxbxab'],
    ['a\\*', 'a*'],
    ['\\?', '?'], ['a\\\\b', 'a\\b'], ['', ''], ['10.0.*', '10.0.1.0/24'], ['a\\', 'a\\']]
  const bad = [['a*c', 'abcd'], ['a?c', 'ac'], ['a\\*', 'ab'], ['', 'a'], ['A', 'a'], ['?', ''],
    ['a.c', 'abc']]
  for (const [pattern = '', text = ''] of good) t.true(matches(pattern, text),
    `${pattern} fits ${text}`)
  for (const [pattern = '', text = ''] of bad) t.false(matches(pattern, text),
    `${pattern} does not fit ${text}`)
})

test('wildcards agree with a regular expression', (t) => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 8 })
  const text = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 })
  fc.assert(fc.property(word, text, (pattern, subject) => {
    const source = pattern.replace(/\*/g, '.*').replace(/\?/g, '.')
    t.is(matches(pattern, subject), new RegExp(`^${source}$`).test(subject))
  }))
})

test('a pattern that is made to be slow is not', (t) => {
  t.false(matches('*a'.repeat(100) + 'b', 'a'.repeat(255)))
})

// The smallest owned record stands for all of them.
function options (world: TestWorld, tags: Readonly<Record<string, string>> = {},
  values: readonly string[] = []): DhcpOptions {
  return {
    id: world.newId('dopt'), region: TEST_REGION, ownerId: TEST_ACCOUNT, tags,
    options: { 'ntp-servers': values }
  }
}

const filters: FilterTable<DhcpOptions> = {
  'dhcp-options-id': (record) => record.id,
  'value': (record) => record.options['ntp-servers'],
  'count': (record) => record.options['ntp-servers']?.length,
  'many': (record) => (record.options['ntp-servers']?.length ?? 0) > 1,
  'nothing': () => null
}

function list (world: TestWorld, input: PageInput = {}, ids?: readonly string[]): { ids: string[]
  next: string | undefined } {
  const page = describeRecords(world.view(), 'dhcpOptions', 'DhcpOptionsIds', ids, input, filters)
  return { ids: page.items.map((record) => record.id), next: page.nextToken }
}

test('values of a filter are alternatives, filters must all hold', (t) => {
  const world = new TestWorld()
  const records = [options(world, { Name: 'a', Env: 'x*y' }, ['1']), options(world, { Name: 'b' },
    ['1', '2']), options(world, {}, ['3'])]
  world.apply(records.map((record) => put('dhcpOptions', record)))
  const [a, b, c] = records.map((record) => record.id)
  const found = (...given: readonly (readonly [string, ...string[]])[]): string[] =>
    list(world, { Filters: given.map(([Name, ...Values]) => ({ Name, Values })) }).ids
  t.deepEqual(found(['value', '1', '3']), [a, b, c])
  t.deepEqual(found(['value', '2']), [b])
  t.deepEqual(found(['value', '1'], ['tag:Name', 'a']), [a])
  t.deepEqual(found(['tag:Name', '?']), [a, b])
  t.deepEqual(found(['tag-key', 'Env']), [a])
  t.deepEqual(found(['tag:Env', 'x\\*y']), [a])
  t.deepEqual(found(['count', '2']), [b])
  t.deepEqual(found(['many', 'true']), [b])
  t.deepEqual(found(['nothing', '*']), [])
  t.deepEqual(found(['value']), [], 'no value fits nothing')
  t.is(world.refusal(() => found(['no-such', 'x'])), 'InvalidParameterValue')
  t.is(world.refusal(() => found(['toString', 'x'])), 'InvalidParameterValue')
  t.is(world.refusal(() => list(world, { Filters: [{ Values: ['x'] }] })), 'MissingParameter')
  t.is(world.refusal(() => found(['value', ...new Array<string>(201).fill('x')])),
    'FilterLimitExceeded')
})

test('ids must be well-formed and there', (t) => {
  const world = new TestWorld()
  const [one, two] = [options(world), options(world)]
  world.apply([put('dhcpOptions', one), put('dhcpOptions', two)])
  t.deepEqual(list(world, {}, [two.id, two.id]).ids, [two.id])
  t.deepEqual(list(world, {}, []).ids, [one.id, two.id])
  t.is(world.refusal(() => list(world, {}, [one.id, 'dopt-0123456789abcdef0'])),
    'InvalidDhcpOptionID.NotFound')
  t.is(world.refusal(() => list(world, {}, ['vpc-0123456789abcdef0'])),
    'InvalidDhcpOptionsId.Malformed')
  t.is(world.refusal(() => list(world, { MaxResults: 5 }, [one.id])), 'InvalidParameterCombination')
  t.is(world.refusal(() => list(world, {}, new Array<string>(1001).fill(one.id))),
    'InvalidParameterValue')
})

test('a page has a size and a token of its own listing', (t) => {
  const world = new TestWorld()
  world.apply(Array.from({ length: 6 }, () => put('dhcpOptions', options(world))))
  for (const MaxResults of [4, 1001, 0, -1]) t.is(world.refusal(() => list(world, { MaxResults })),
    'InvalidMaxResults')
  const { ids, next } = list(world, { MaxResults: 5 })
  t.is(ids.length, 5)
  t.is(list(world, { MaxResults: 5, NextToken: next ?? '' }).next, undefined, 'the last page')
  const foreign = Buffer.from(JSON.stringify(['vpc', 1, 'vpc-1'])).toString('base64url')
  for (const NextToken of ['', 'x', foreign]) t.is(world.refusal(() => list(world, { NextToken })),
    'InvalidNextToken')
})

test('a listing has each record that lived through it once, whatever happens in between', (t) => {
  fc.assert(fc.property(fc.integer({ min: 5, max: 12 }), fc.array(fc.boolean(), { maxLength: 20 }),
    (size, events) => {
    const world = new TestWorld()
    for (let commit = 0; commit < 10; commit++) {
      world.apply([put('dhcpOptions', options(world)), put('dhcpOptions', options(world))])
    }
    const lived = new Set(world.view().list('dhcpOptions').map((record) => record.id))
    const seen: string[] = []
    let next: string | undefined
    do {
      const page = list(world,
        { MaxResults: size, ...(next === undefined ? {} : { NextToken: next }) })
      seen.push(...page.ids)
      next = page.next
      const event = events.pop()
      if (event === true) world.apply([put('dhcpOptions', options(world))])
      else if (event === false) {
        const victim = [...lived][events.length]
        if (victim !== undefined) {
          world.apply([remove('dhcpOptions', victim)])
          lived.delete(victim)
        }
      }
    } while (next !== undefined)
    t.is(new Set(seen).size, seen.length, 'nothing twice')
    t.deepEqual([...lived].filter((id) => !seen.includes(id)), [], 'nothing lost')
  }), { numRuns: 50 })
})
