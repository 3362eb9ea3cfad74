/**
 * Form of the sources: what a reader may count on in every file (CONTRIBUTING.md, "Form"). What
 * ESLint says better stands in eslint.config.js.
 */
import test from 'ava'
import { isTest, readSources, readTypescript, type Source } from './sources.ts'

const COLUMNS_MAX = 100
const FILE_LINES_MAX = 600
/** Characters of a file's opening comment. */
const HEAD_CHARACTERS_MIN = 12

interface Banned { readonly pattern: RegExp, readonly instead: string, readonly tests: boolean }

const BANNED: readonly Banned[] = [
  { pattern: /\b(TODO|FIXME|XXX)\b(?!\(#\d+\))/, instead: 'TODO(#issue), or do it', tests: true },
  { pattern: /\bas any\b|: any\b/, instead: 'unknown, and a check', tests: true },
  { pattern: /@ts-(ignore|nocheck|expect-error)|eslint-disable/, instead: 'mend it', tests: true },
  { pattern: /\btest\.(only|failing|skip)\b/, instead: 'a test that runs', tests: true },
  { pattern: /\bsleep\b\s*\(|'sleep'/, instead: 'waiting for a condition', tests: true },
  { pattern: /\bnew Date\(\)|\bDate\.now\(/, instead: 'the Clock passed in', tests: false },
  { pattern: /\bMath\.random\(/, instead: 'the Random passed in', tests: false }
]

/** Files that are tables of numbers. */
const NUMBERS = /^daemon\/(wire|encap|tun|dataplane\/drop_reason)/

/** The one place where a banned word is at home. */
const AT_HOME: Readonly<Record<string, readonly string[]>> = {
  'daemon/base/clock.ts': ['the Clock passed in']
}

const THIS_FILE = 'test/tidy/form.test.ts'
const typescript = readTypescript()
const all = [
  ...typescript,
  ...readSources(['daemon', 'test'], ['.c', '.h', '.js']),
  ...readSources(['scripts', 'bin'], ['']).filter(({ path }) => !/\.(ts|md)$/.test(path))
]

/** Columns a line takes: a character outside the basic plane is one. */
const lengthOf = (line: string): number => line.replace(/[\u{10000}-\u{10ffff}]/gu, ' ').length

const place = (source: Source, index: number): string => `${source.path}:${String(index + 1)}`

test('no line is longer than 100 columns', (t) => {
  const long = all.flatMap((source) => source.lines.flatMap((line, index) => (
    lengthOf(line) > COLUMNS_MAX ? [place(source, index)] : [])))
  t.deepEqual(long, [])
})

test('no file is longer than 600 lines', (t) => {
  const long = all.filter((source) => source.lines.length > FILE_LINES_MAX)
  t.deepEqual(long.map((source) => `${source.path} has ${String(source.lines.length)}`), [])
})

test('every file opens with what it is', (t) => {
  // A unit test beside its subject has the subject's head.
  const headed = typescript.filter(({ path }) => path.startsWith('test/') || !isTest(path))
  const bare = headed.filter((source) => {
    const head = /^(?:import .*\n)*\s*\/\*\*([\s\S]*?)\*\//.exec(source.text)?.[1] ?? ''
    return head.replace(/[\s*]+/g, ' ').length < HEAD_CHARACTERS_MIN
  })
  t.deepEqual(bare.map((source) => source.path), [])
})

test('file names are snake_case and no file is called index', (t) => {
  const odd = typescript.map((source) => source.path).filter((path) => {
    const name = path.split('/').at(-1) ?? ''
    return !/^[a-z0-9_]+(\.property)?(\.test|\.d)?\.ts$/.test(name) || name === 'index.ts'
  })
  t.deepEqual(odd, [])
})

for (const { pattern, instead, tests } of BANNED) {
  test(`no ${String(pattern)}: ${instead}`, (t) => {
    const found = typescript
      .filter(({ path }) => path !== THIS_FILE && !(AT_HOME[path] ?? []).includes(instead))
      .filter(({ path }) => tests || !(isTest(path) || path.startsWith('bench/')))
      .flatMap((source) => source.lines.flatMap((line, index) => (
        pattern.test(line) ? [place(source, index)] : [])))
    t.deepEqual(found, [])
  })
}

test('every export is used', (t) => {
  const words = new Map<string, number>()
  for (const { text } of typescript) {
    for (const [word] of text.matchAll(/[A-Za-z_$][\w$]*/g)) {
      words.set(word, (words.get(word) ?? 0) + 1)
    }
  }
  const declared = /^export (?:declare )?(?:async )?(?:const|function|class|interface|type) (\w+)/gm
  // Tables of numbers (of a header, of the descriptors, of drop reasons) are complete whether or
  // not each is used.
  const dead = typescript.flatMap(({ path, text }) => [...text.matchAll(declared)]
    .map((match) => match[1] ?? '')
    .filter((name) => words.get(name) === 1 && !(/^[A-Z0-9_]+$/.test(name) && NUMBERS.test(path)))
    .map((name) => `${path}: ${name}`))
  t.deepEqual(dead, [])
})
