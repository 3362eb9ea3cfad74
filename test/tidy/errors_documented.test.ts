/**
 * docs/errors.md and the sources name the same errors: every drop reason, every operating error and
 * every EC2 error code stands in the document, and the document names nothing else.
 */
import test from 'ava'
import { VPCLAB_ERRORS } from '../../daemon/base/errors.ts'
import { DROP_REASONS } from '../../daemon/dataplane/drop_reason.ts'
import { isTest, readSource, readSources } from './sources.ts'

const document = readSource('docs/errors.md')

/** First cell of each row of the table under a heading, without its backticks. */
function rowsUnder (heading: string): string[] {
  const start = document.lines.indexOf(`## ${heading}`)
  const end = document.lines.findIndex((line, at) => at > start && line.startsWith('## '))
  return document.lines.slice(start, end === -1 ? undefined : end)
    .flatMap((line) => /^\| `([^`]+)` \|/.exec(line)?.[1] ?? [])
}

/** AWS error codes that the API's sources can answer with. */
function awsCodes (): string[] {
  const codes = new Set<string>()
  const sources = readSources(['daemon/model', 'daemon/api', 'daemon/certificates'], ['.ts'])
  for (const { path, text } of sources) {
    if (isTest(path) || path.startsWith('daemon/api/admin/')) continue
    const found = [
      ...text.matchAll(/new AwsError\(\s*'([A-Za-z.]+)'/g),
      ...text.matchAll(/new AwsError\([^'"]*\?\s*'([A-Za-z.]+)'/g),
      ...text.matchAll(/new AwsError\([^'"]*\?\s*'[A-Za-z.]+'\s*:\s*'([A-Za-z.]+)'/g),
      ...text.matchAll(/\b\w*[cC]ode: '([A-Z][A-Za-z.]+)'/g),
      ...text.matchAll(/'(Invalid\w+\.\w+|\w+LimitExceeded)'/g)
    ]
    for (const [, code = ''] of found) codes.add(code)
  }
  return [...codes].toSorted()
}

test('every drop reason is documented, and no other', (t) => {
  const names = DROP_REASONS.slice(1).map((reason) => reason.name)
  t.deepEqual(rowsUnder('Packets').toSorted(), names.toSorted())
})

test('the table of drop reasons tells their meaning in the same words', (t) => {
  for (const { name, meaning } of DROP_REASONS.slice(1)) {
    t.true(document.text.includes(`| \`${name}\` | ${meaning} |`), `${name}: ${meaning}`)
  }
})

test('every operating error is documented, and no other', (t) => {
  t.deepEqual(rowsUnder('Operations').toSorted(), Object.keys(VPCLAB_ERRORS).toSorted())
})

test('every EC2 error code is documented, and no other', (t) => {
  t.deepEqual(rowsUnder('API calls').toSorted(), awsCodes())
})
