import test from 'ava'
import { Limiter } from './limiter.ts'

test('a limiter runs no more than its maximum at once, in order of arrival', async (t) => {
  const limiter = new Limiter(2)
  const started: number[] = []
  const ends: (() => void)[] = []
  const tasks = [0, 1, 2, 3].map((n) => limiter.run(async () => {
    started.push(n)
    await new Promise<void>((resolve) => { ends[n] = resolve })
    return n
  }))
  await Promise.resolve()
  t.deepEqual(started, [0, 1])
  ends[1]?.()
  t.is(await tasks[1], 1)
  t.deepEqual(started, [0, 1, 2])
  ends[0]?.()
  await tasks[0]
  ends[2]?.()
  await tasks[2]
  ends[3]?.()
  t.deepEqual(await Promise.all(tasks), [0, 1, 2, 3])
})

test('a task that fails gives its place back', async (t) => {
  const limiter = new Limiter(1)
  await t.throwsAsync(
    limiter.run(async () => await Promise.reject(new Error('no'))), { message: 'no' })
  t.is(await limiter.run(async () => await Promise.resolve(7)), 7)
})
