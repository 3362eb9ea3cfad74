/** `vpcctl validate`: the checks of a lab file (lab_file/checks.ts). */
import { writeFileSync } from 'node:fs'
import type { Command, Input } from '../command.ts'
import { CtlError, EXIT_DONE, EXIT_FAILED, usageError } from '../exit_codes.ts'
import type { CheckResult } from '../lab_file/checks.ts'
import type { LabCheck } from '../lab_file/schema.ts'
import type { Say } from '../print/progress.ts'
import type { Column } from '../print/table.ts'
import { LAB_FILE_ARGUMENT } from './apply.ts'

const COLUMNS: readonly Column<CheckResult>[] = [
  { header: 'result', value: ({ passed }) => passed ? 'pass' : 'FAIL' },
  { header: 'check', value: ({ name }) => name },
  { header: 'what happened', value: ({ message }) => message }
]

export const validateCommand: Command = {
  name: 'validate',
  summary: 'Run the checks of a lab file',
  action: 'programs inside the instances; GET /drops (admin API) around each',
  arguments: [LAB_FILE_ARGUMENT],
  options: [
    { flags: '--check <name>', description: 'this check alone', repeats: true },
    { flags: '--junit <path>', description: 'write the results as JUnit XML, too' }
  ],
  note: 'Ends with 0 when all pass, 1 when any fails, 2 when there is nothing to check or the\n' +
    'file is bad. With a check that fails stand the packets that the lab dropped meanwhile.',
  examples: [
    'vpcctl validate labs/two_tier_web/lab.yaml',
    'vpcctl validate lab.yaml --check "web answers" --json'
  ],
  async run (context, input) {
    const [{ readLabFile }, { namedChecks, runChecks }, { checkReasons }] = await Promise.all([
      import('../lab_file/read.ts'), import('../lab_file/checks.ts'), import('../lab_file/words.ts')
    ])
    const read = readLabFile(input.argument('file'))
    const { file } = read
    const checks = chosen(namedChecks(file), input)
    await checkReasons(context.admin, read)
    const { output } = context
    const run = (say: Say): Promise<CheckResult[]> =>
      runChecks(context, checks, ({ name, passed }) => {
        say(`${passed ? 'pass' : 'FAIL'} ${name}`)
      })
    // Where lines cannot be taken back, the table at the end is the answer.
    const results = process.stderr.isTTY
      ? await output.progress('Checking', run)
      : await run(() => undefined)
    output.rows(results, COLUMNS, ({ name }) => name)
    if (output.form === 'human') {
      for (const line of failureLines(results)) output.text(line)
    }
    const path = input.text('junit')
    if (path !== undefined) writeJunit(path, file.name, results)
    return results.every(({ passed }) => passed) ? EXIT_DONE : EXIT_FAILED
  }
}

type NamedCheck = Readonly<{ name: string, check: LabCheck }>

/** @throws CtlError Usage when there is nothing to check */
function chosen (checks: readonly NamedCheck[], input: Input): readonly NamedCheck[] {
  if (checks.length === 0) throw usageError('the file has no checks')
  const wanted = input.list('check')
  const unknown = wanted.find((name) => !checks.some((check) => check.name === name))
  if (unknown !== undefined) {
    throw usageError(`the file has no check "${unknown}"; it has ` +
      checks.map(({ name }) => `"${name}"`).join(', '))
  }
  return wanted.length === 0 ? checks : checks.filter(({ name }) => wanted.includes(name))
}

function failureLines (results: readonly CheckResult[]): string[] {
  const failed = results.filter(({ passed }) => !passed)
  return [
    ...failed.flatMap(({ name, drops }) => [
      '', `${name}:`,
      ...(drops.length === 0
        ? ['the lab dropped no packet meanwhile']
        : drops).map((line) => `  ${line}`)
    ]),
    ...failed.length === 0
      ? [`All ${String(results.length)} checks pass.`]
      : ['', `${String(failed.length)} of ${String(results.length)} checks fail.`]
  ]
}

/** The form that continuous integration reads: a test suite of one test case for each check. */
function writeJunit (path: string, suite: string, results: readonly CheckResult[]): void {
  const failures = results.filter(({ passed }) => !passed).length
  const cases = results.map(({ name, kind, passed, message, drops, durationMs }) => {
    const head = `  <testcase classname="${escapeXml(kind)}" name="${escapeXml(name)}" ` +
      `time="${String(durationMs / 1000)}"`
    return passed
      ? `${head}/>`
      : `${head}>\n    <failure message="${escapeXml(message)}">` +
        `${escapeXml(drops.join('\n'))}</failure>\n  </testcase>`
  })
  const text = '<?xml version="1.0" encoding="UTF-8"?>\n' +
    `<testsuite name="${escapeXml(suite)}" tests="${String(results.length)}" ` +
    `failures="${String(failures)}">\n${cases.join('\n')}\n</testsuite>\n`
  try {
    writeFileSync(path, text)
  } catch (error) {
    throw new CtlError('VPCLAB_ERR_CONFIG',
      `${path} cannot be written: ${(error as Error).message}`)
  }
}

/** XML 1.0 has no place for most control characters, not even escaped. */
function escapeXml (text: string): string {
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, '�')
    .replace(/[&<>"]/g, (character) => `&#${String(character.charCodeAt(0))};`)
}
