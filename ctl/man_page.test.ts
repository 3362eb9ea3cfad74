/** The manual page as groff formats it: without a warning, and with every command in it. */
import { spawnSync } from 'node:child_process'
import test from 'ava'
import type { Command } from './command.ts'
import { NOUNS } from './commands/registry.ts'
import { EXIT_CODE_MEANINGS } from './exit_codes.ts'
import { GLOBAL_OPTIONS } from './global_options.ts'
import { formatManPage } from './man_page.ts'

/** Lines so long that none is broken, plain letters without bold or underlined ones. */
const GROFF = ['-man', '-Tutf8', '-ww', '-P-cbou', '-rLL=2000n']

async function formatted (): Promise<{ text: string, warnings: string }> {
  const input = await formatManPage({ version: '1.2.3', date: '2026-01-31' })
  const { stdout, stderr, error } = spawnSync('groff', GROFF, { input, encoding: 'utf8' })
  if (error !== undefined) throw error
  return { text: stdout.replace(/\u2010|\u2212/g, '-'), warnings: stderr }
}

test('the manual page formats without a warning', async (t) => {
  const { text, warnings } = await formatted()
  t.is(warnings, '')
  t.regex(text, /vpclab 1\.2\.3 +2026-01-31 +VPCCTL\(1\)/)
})

test('the manual page has every command with its arguments, options and examples', async (t) => {
  const { text } = await formatted()
  const has = (wanted: string): void => { t.true(text.includes(wanted), wanted) }
  for (const { flags } of GLOBAL_OPTIONS) has(flags)
  for (const meaning of EXIT_CODE_MEANINGS) has(meaning)
  for (const noun of NOUNS) {
    const loaded = await noun.load()
    const commands = Array.isArray(loaded) ? loaded as readonly Command[] : [loaded as Command]
    for (const command of commands) {
      const path = Array.isArray(loaded) ? [noun.name, command.name] : [noun.name]
      const syntax = (command.arguments ?? []).map((argument) => argument.syntax)
      has(`\n       ${['vpcctl', ...path, ...syntax].join(' ')}\n`)
      has(`${command.summary}.`)
      for (const { flags } of command.options ?? []) has(flags)
      for (const example of command.examples) has(`$ ${example}\n`)
    }
  }
})
