/**
 * `docs/tour.md` is true: its commands, typed one after the other into one shell, print what stands
 * under them.
 *
 *     ```console
 *     $ vpcctl vpc create 10.0.0.0/16 --name shop      typed as it stands, up to a line without "\"
 *     VPC     NAME  STATE …                            and what it prints
 *     ```
 *
 * `…` stands for anything on the line, a line of nothing but `…` for any lines; how many spaces
 * stand between two words does not count, nor do lines of progress, which end in ` ...`. A command
 * that ends in `&` goes on in the background once it has printed a line; what it prints later is
 * shown by `wait`. The lab's name and port are the test's own.
 */
import test from 'ava'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ROOT, command, tryCommand } from '../harness/command.ts'
import { freePort } from '../harness/lab.ts'
import { leftovers } from '../harness/leftovers.ts'

const TOUR = 'docs/tour.md'
const PROMPT = '$ '
/** Follows the output of every command. */
const END_OF_OUTPUT = '=== end of output ==='
const TOUR_TIMEOUT_MS = 150_000

interface Step {
  /** Line of the document, from 1. */
  readonly line: number
  readonly command: string
  readonly output: readonly string[]
}

/** The steps of the fenced blocks of language `console`, in their order. */
function readSteps (text: string): Step[] {
  const steps: { line: number, command: string, output: string[] }[] = []
  let isConsole = false
  for (const [index, line] of text.split('\n').entries()) {
    const last = steps.at(-1)
    if (line.startsWith('```')) {
      isConsole = line === '```console'
    } else if (isConsole && line.startsWith(PROMPT)) {
      steps.push({ line: index + 1, command: line.slice(PROMPT.length), output: [] })
    } else if (isConsole && last !== undefined && last.command.endsWith('\\')) {
      last.command += `\n${line}`
    } else if (isConsole) {
      last?.output.push(line)
    }
  }
  return steps
}

/** Whether the lines that a command printed are those of the document. */
function fits (expected: readonly string[], printed: readonly string[]): boolean {
  const [pattern, ...patterns] = expected
  if (pattern === undefined) return printed.length === 0
  if (pattern.trim() === '…') {
    return fits(patterns, printed) || (printed.length > 0 && fits(expected, printed.slice(1)))
  }
  const [line, ...lines] = printed
  return line !== undefined && lineFits(pattern, line) && fits(patterns, lines)
}

function lineFits (pattern: string, line: string): boolean {
  const words = pattern.trim().split('…').map((part) =>
    part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/\s+/g, '\\s+'))
  return new RegExp(`^\\s*${words.join('.+')}\\s*$`).test(line)
}

/**
 * Runs all commands in one shell, as a reader has it.
 * @returns for each command the lines that it printed, both streams together
 */
async function runAll (words: readonly string[], directory: string, lab: string):
Promise<string[][]> {
  const script = join(directory, 'tour.sh')
  writeFileSync(script, [
    `cd ${directory}`,
    `export VPCLAB_LAB=${lab} PATH=${ROOT}/bin:/usr/bin:$PATH`,
    'exec 2>&1 < /dev/null',
    ...words.map((typed) => `${scriptOf(typed)}\nprintf '\\n${END_OF_OUTPUT}'`)
  ].join('\n'))
  const { stdout } = await tryCommand('bash', [script], TOUR_TIMEOUT_MS)
  return stdout.split(`\n${END_OF_OUTPUT}`)
    .map((output) => output.split('\n').filter((line) => !line.endsWith(' ...')).join('\n'))
    .map((output) => output.trimEnd()).map((output) => output === '' ? [] : output.split('\n'))
}

/** What stands in a script for what is typed. */
function scriptOf (typed: string): string {
  if (typed === 'wait') return 'wait; tail -n +2 background'
  if (!typed.endsWith('&')) return typed
  return `${typed.slice(0, -1)} > background 2>&1 &
until [ -s background ] || ! kill -0 $!; do sleep 0.05; done; cat background`
}

/** Without the empty lines at its end, which only set the next command off. */
function trimEnd (lines: readonly string[]): readonly string[] {
  return lines.slice(0, lines.findLastIndex((line) => line.trim() !== '') + 1)
}

test.serial('the commands of docs/tour.md print what stands there', async (t) => {
  const lab = `t${randomBytes(3).toString('hex')}`
  const port = String(await freePort())
  const text = readFileSync(join(ROOT, TOUR), 'utf8')
    .replaceAll('vpcctl lab up', `vpcctl lab up --api-port ${port}`)
    .replaceAll(':4566', `:${port}`).replaceAll(/vpclab-(host|edge)/g, `${lab}-$1`)
    .replaceAll('"vpclab"', `"${lab}"`)
  const steps = readSteps(text)
  t.true(steps.length >= 10)
  const directory = mkdtempSync(join(tmpdir(), 'tour-'))
  try {
    const printed = await runAll(steps.map((step) => step.command), directory, lab)
    for (const [index, { line, command: words, output }] of steps.entries()) {
      const lines = printed[index] ?? []
      if (!fits(trimEnd(output), lines)) {
        t.is(lines.join('\n'), trimEnd(output).join('\n'), `${TOUR}:${String(line)}: ${words}`)
        break
      }
    }
    t.deepEqual(await leftovers(lab), [], 'the tour leaves something behind')
  } finally {
    await command(join(ROOT, 'bin/vpcd'), '--lab', lab, '--teardown')
    rmSync(directory, { recursive: true })
  }
})

test('a step that prints something else is noticed', (t) => {
  const expected = ['PING 10.0.1.10', '…', 'rtt … ms']
  const text = ['```console', '$ ping \\', '    -c 1', ...expected, '```', '$ no', ''].join('\n')
  t.deepEqual(readSteps(text), [{ line: 2, command: 'ping \\\n    -c 1', output: expected }])
  t.true(fits(expected, ['PING  10.0.1.10', '1 received', '', 'rtt 0.3 ms']))
  t.true(fits(expected, ['PING 10.0.1.10', 'rtt 0.3 ms']))
  t.false(fits(expected, ['PING 10.0.1x10', 'rtt 0.3 ms']))
  t.false(fits(expected, ['PING 10.0.1.10', 'rtt 0.3 ms', 'more']))
  t.false(fits(expected, ['PING 10.0.1.10', 'rtt ms']))
})
