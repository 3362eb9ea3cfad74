import { mock } from 'node:test'
import { Writable } from 'node:stream'
import test from 'ava'
import { type ProgressStream, withProgress } from './progress.ts'

test.before(() => { mock.timers.enable({ apis: ['setInterval'] }) })
test.after(() => { mock.timers.reset() })

function makeStream (properties: { isTTY?: boolean, columns?: number }):
{ stream: ProgressStream, text: () => string } {
  let text = ''
  const stream = new Writable({
    write (chunk: Buffer, _encoding, done) {
      text += chunk.toString()
      done()
    }
  })
  return { stream: Object.assign(stream, properties), text: () => text }
}

/** What a terminal shows: the text behind the last erasure. */
const shown = (text: string): string => text.split('\r\u001b[2K').at(-1) ?? ''

test.serial('withProgress rewrites one line of a terminal and removes it', async (t) => {
  const { stream, text } = makeStream({ isTTY: true, columns: 80 })
  t.is(await withProgress(stream, 'Starting', (say) => {
    say('daemon')
    t.is(text(), '', 'nothing within the first second')
    mock.timers.tick(1000)
    t.is(shown(text()), 'Starting: daemon (1 s)')
    say('hosts')
    t.is(shown(text()), 'Starting: hosts (1 s)')
    mock.timers.tick(2000)
    t.is(shown(text()), 'Starting: hosts (3 s)')
    return Promise.resolve(7)
  }), 7)
  t.is(shown(text()), '')
  t.false(text().includes('\n'))
})

test.serial('withProgress never lets a line wrap', async (t) => {
  const { stream, text } = makeStream({ isTTY: true, columns: 10 })
  await withProgress(stream, 'Starting the lab', () => {
    mock.timers.tick(1000)
    t.is(shown(text()), 'Starting ')
    return Promise.resolve()
  })
})

test.serial('withProgress writes plain lines elsewhere, after some seconds', async (t) => {
  const { stream, text } = makeStream({})
  await withProgress(stream, 'Starting', (say) => {
    say('daemon')
    mock.timers.tick(2000)
    t.is(text(), '')
    mock.timers.tick(3000)
    t.is(text(), 'Starting: daemon ...\n')
    say('daemon')
    say('hosts')
    return Promise.resolve()
  })
  t.is(text(), 'Starting: daemon ...\nStarting: hosts ...\n')
})

test.serial('withProgress removes the line when the work fails', async (t) => {
  const { stream, text } = makeStream({ isTTY: true, columns: 0 })
  await t.throwsAsync(withProgress(stream, 'Starting', () => {
    mock.timers.tick(1000)
    t.is(shown(text()), 'Starting (1 s)', 'of a terminal that knows no width')
    return Promise.reject(new Error('no'))
  }), { message: 'no' })
  t.is(shown(text()), '')
})
