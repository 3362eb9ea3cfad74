/**
 * Writes the manual page vpcctl(1): `scripts/node scripts/man.ts <file>`, or `-` for standard
 * output. Its date is that of SOURCE_DATE_EPOCH (s since 1970) when that is set, so that the same
 * sources give the same page, and otherwise today.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { systemClock } from '../daemon/base/clock.ts'
import { formatManPage } from '../ctl/man_page.ts'

const EXIT_USAGE = 2

const [path] = process.argv.slice(2)
if (path === undefined) {
  console.error('vpclab: where shall the page go? scripts/node scripts/man.ts <file>')
  process.exitCode = EXIT_USAGE
} else {
  const page = await formatManPage({ version: packageVersion(), date: today() })
  if (path === '-') process.stdout.write(page)
  else {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, page)
  }
}

function today (): string {
  const seconds = process.env['SOURCE_DATE_EPOCH']
  const timeMs = seconds === undefined ? systemClock.nowMs() : Number(seconds) * 1000
  return new Date(timeMs).toISOString().slice(0, 10)
}

function packageVersion (): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
