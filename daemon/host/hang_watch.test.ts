import test from 'ava'
import { HANG_LOOKS, HangWatch } from './hang_watch.ts'

/** A process whose heart a test beats. */
class FakeProcess {
  heartbeat = 0
  kills = 0
  readonly watch = new HangWatch(() => this.heartbeat, () => { this.kills++ })

  look (count: number): void { for (let look = 0; look < count; look++) this.watch.look() }
}

test('a process whose heartbeat stands still is killed, once', (t) => {
  const fake = new FakeProcess()
  fake.heartbeat++
  fake.look(1)
  fake.look(HANG_LOOKS - 1)
  t.is(fake.kills, 0)
  fake.look(1)
  t.is(fake.kills, 1)
  fake.look(3 * HANG_LOOKS)
  t.is(fake.kills, 1)
})

test('one that beats now and then is left alone', (t) => {
  const fake = new FakeProcess()
  for (let beat = 0; beat < 5; beat++) {
    fake.heartbeat++
    fake.look(HANG_LOOKS)
  }
  t.is(fake.kills, 0)
})

test('one that starts may take its time, in its second life too', (t) => {
  const fake = new FakeProcess()
  fake.look(3 * HANG_LOOKS)
  fake.heartbeat++
  fake.look(2)
  fake.watch.begin()
  fake.look(3 * HANG_LOOKS)
  t.is(fake.kills, 0)
  fake.heartbeat = 0 // counted anew
  fake.look(1 + HANG_LOOKS)
  t.is(fake.kills, 1)
})
