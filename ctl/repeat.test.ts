import test from 'ava'
import { Input } from './command.ts'
import { pause, secondsOption, watchMs } from './repeat.ts'

function input (options: Readonly<Record<string, unknown>>): Input {
  return new Input(new Map(), options)
}

test('secondsOption takes fractions within its bounds', (t) => {
  t.is(secondsOption(input({}), 'delta'), undefined)
  t.is(secondsOption(input({ delta: '0.1' }), 'delta'), 100)
  t.is(secondsOption(input({ delta: '3600' }), 'delta'), 3_600_000)
  for (const delta of ['0', '0.09', '3601', '-1', '1e2', 'soon', '']) {
    t.throws(() => secondsOption(input({ delta }), 'delta'), { message: /--delta is a number/ })
  }
})

test('watchMs has a default for --watch alone', (t) => {
  t.is(watchMs(input({})), undefined)
  t.is(watchMs(input({ watch: true })), 2000)
  t.is(watchMs(input({ watch: '0.5' })), 500)
})

test('a pause ends at once when it is interrupted', async (t) => {
  const controller = new AbortController()
  const paused = pause(3_600_000, controller.signal)
  controller.abort()
  t.false(await paused)
  t.false(await pause(3_600_000, controller.signal), 'also when it was interrupted before')
  t.true(await pause(1, new AbortController().signal))
})
