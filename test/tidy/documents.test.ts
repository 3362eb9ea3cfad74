/**
 * The documents tell the truth where a program can check it: files they name exist, the list of
 * EC2 actions is the registry's, every word of the glossary that stands for a type is one.
 */
import test from 'ava'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ACTIONS } from '../../daemon/api/ec2/actions/registry.ts'
import { ROOT } from '../harness/command.ts'
import { readSource, readSources } from './sources.ts'

const documents = [
  ...['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md'].map(readSource),
  ...readSources(['docs'], ['.md'])
]

/** What looks like a file of ours, in backticks or a link. Examples have `<` or `*` in them. */
const FILE = /[`(]((?:daemon|ctl|test|bench|scripts|docs|bin)\/[\w./-]+?\.\w+)(?:#[\w-]+)?[`)]/g

test('files that documents name exist', (t) => {
  const absent = documents.flatMap(({ path, text }) => [...text.matchAll(FILE)]
    .map((match) => match[1] ?? '').filter((name) => !existsSync(join(ROOT, name)))
    .map((name) => `${path} names ${name}`))
  t.deepEqual(absent, [])
})

test('links between documents lead somewhere', (t) => {
  const link = /\]\((?!https?:)([^)#]+)/g
  const broken = documents.flatMap(({ path, text }) => [...text.matchAll(link)]
    .map((match) => match[1] ?? '')
    .filter((target) => !existsSync(join(ROOT, path, '..', target)))
    .map((target) => `${path} links to ${target}`))
  t.deepEqual(broken, [])
})

test('docs/aws_parity.md lists the actions that the API answers, and no other', (t) => {
  const { text } = readSource('docs/aws_parity.md')
  const listed = [...text.matchAll(/^\| `([A-Z]\w+)` \|/gm)].map((match) => match[1] ?? '')
  t.deepEqual(listed.toSorted(), ACTIONS.map((action) => action.name).toSorted())
})

test('no document or source speaks of the machine or the people it was written with', (t) => {
  const everything = [...documents, ...readSources(
    ['daemon', 'ctl', 'test', 'bench', 'scripts', 'bin', '.ci'], [''])]
  const found = everything.filter(({ path, text }) => path !== 'test/tidy/documents.test.ts' &&
    /\/work\/(main|shared)|systems\.md|design\.md|style\.md/.test(text))
  t.deepEqual(found.map((source) => source.path), [])
})
