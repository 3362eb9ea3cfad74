import test from 'ava'
import { runProgram } from './program.ts'

const LIMITS = { timeoutMs: 20_000, outputBytesMax: 1 << 20 }

function shell (script: string, input = '', limits = LIMITS): ReturnType<typeof runProgram> {
  return runProgram('sh', ['-c', script], input, limits)
}

test('what a program prints on either stream comes back, with its exit code', async (t) => {
  t.deepEqual(await shell('echo out; echo err >&2; exit 3'), {
    code: 3, signal: null, exceeded: null, output: 'out\n', errors: 'err\n'
  })
})

test('input and output beyond any pipe pass whole', async (t) => {
  const input = 'über'.repeat(100_000)
  t.is((await shell('cat', input)).output, input)
})

test('a program that does not read its input is no failure', async (t) => {
  t.is((await shell('exit 0', 'x'.repeat(1 << 20))).code, 0)
})

test('arguments are taken as they are, and the environment is that of the process', async (t) => {
  const words = ['-c', 'printf "%s|" "$HOME" "$@"', 'sh', '', 'a b', '$x']
  const { output } = await runProgram('sh', words, '', LIMITS)
  t.is(output, `${process.env['HOME'] ?? ''}||a b|$x|`)
})

test('a program that takes too long is killed', async (t) => {
  const { code, signal, exceeded, output } =
    await shell('echo begun; exec sleep 60', '', { ...LIMITS, timeoutMs: 300 })
  t.deepEqual({ code, signal, exceeded, output },
    { code: null, signal: 'SIGKILL', exceeded: 'timeoutMs', output: 'begun\n' })
})

test('a program that prints too much is killed', async (t) => {
  const { signal, exceeded } = await shell('exec yes', '', { ...LIMITS, outputBytesMax: 1000 })
  t.deepEqual({ signal, exceeded }, { signal: 'SIGKILL', exceeded: 'outputBytesMax' })
})

test('a program that is not there, or is none, is an error with its errno', async (t) => {
  await t.throwsAsync(runProgram('vpclab-no-such-program', [], '', LIMITS), { code: 'ENOENT' })
  await t.throwsAsync(runProgram('/etc/passwd', [], '', LIMITS), { code: 'EACCES' })
})

test('signals are as a program expects them', async (t) => {
  // Node ignores SIGPIPE; a program that inherited that would report an error instead.
  t.is((await shell('(yes; echo $? >&2) | head -1 > /dev/null')).errors.trim(), '141')
})

test.serial('many at once all end, and leave no descriptor open', async (t) => {
  const { output: before } = await shell(`ls /proc/${String(process.pid)}/fd | wc -l`)
  const results = await Promise.all(Array.from({ length: 40 }, (_program, at) =>
    shell(`cat; exit ${String(at)}`, String(at))))
  t.deepEqual(results.map(({ code, output }) => [code, output]),
    Array.from({ length: 40 }, (_program, at) => [at, String(at)]))
  t.is((await shell(`ls /proc/${String(process.pid)}/fd | wc -l`)).output, before)
})

test('a text with a zero byte is refused', async (t) => {
  await t.throwsAsync(runProgram('echo', ['a\0b'], '', LIMITS), { instanceOf: TypeError })
})
