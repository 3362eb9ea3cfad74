import { appendFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { JOURNAL_FILES_MAX, JOURNAL_FILE_BYTES_MAX, Journal } from './journal.ts'

function temporaryDirectory (t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'vpclab-journal-'))
  t.teardown(() => { rmSync(directory, { recursive: true }) })
  return directory
}

function lines (journal: Journal, from = { file: 0, offsetBytes: 0 }): string[] {
  return [...journal.linesFrom(from)].map(({ line }) => line)
}

test('lines are there after the journal is opened again, and from any place between them', (t) => {
  const directory = temporaryDirectory(t)
  const first = new Journal(directory)
  first.append('one')
  const place = first.place
  first.append('zwei – ü')
  first.close()
  const again = new Journal(directory)
  again.append('three')
  t.deepEqual(lines(again), ['one', 'zwei – ü', 'three'])
  t.deepEqual(lines(again, place), ['zwei – ü', 'three'])
  t.deepEqual([...again.linesFrom(place)].at(-1)?.end, again.place)
  again.close()
})

test('half a line at the end is cut off', (t) => {
  const directory = temporaryDirectory(t)
  const first = new Journal(directory)
  first.append('whole')
  first.close()
  const [name = ''] = readdirSync(directory)
  appendFileSync(join(directory, name), '{"half')
  const again = new Journal(directory)
  again.append('next')
  t.deepEqual(lines(again), ['whole', 'next'])
  again.close()
})

test('files are of bounded size and number, and the oldest go', (t) => {
  const directory = temporaryDirectory(t)
  const journal = new Journal(directory)
  const line = 'x'.repeat(JOURNAL_FILE_BYTES_MAX)
  for (let count = 0; count < JOURNAL_FILES_MAX + 3; count++) journal.append(line)
  const names = readdirSync(directory).sort()
  t.is(names.length, JOURNAL_FILES_MAX)
  t.is(names.at(-1), `events-${String(JOURNAL_FILES_MAX + 3).padStart(8, '0')}.jsonl`)
  journal.close()
})
