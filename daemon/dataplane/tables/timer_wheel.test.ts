import test from 'ava'
import fc from 'fast-check'
import { TimerWheel, WHEEL_SLOTS } from './timer_wheel.ts'

function takeAll (wheel: TimerWheel, tick: number): number[] {
  const due: number[] = []
  for (let item = wheel.takeDue(tick); item >= 0; item = wheel.takeDue(tick)) due.push(item)
  return due.toSorted((a, b) => a - b)
}

test('an item fires at its tick and not before', (t) => {
  const wheel = new TimerWheel(4, 0)
  wheel.arm(2, 10)
  t.deepEqual(takeAll(wheel, 9), [])
  t.deepEqual(takeAll(wheel, 10), [2])
  t.deepEqual(takeAll(wheel, 5000), [])
})

test('an item beyond the horizon comes up at the horizon', (t) => {
  const wheel = new TimerWheel(1, 0)
  wheel.arm(0, 1_000_000)
  t.deepEqual(takeAll(wheel, WHEEL_SLOTS - 2), [])
  t.deepEqual(takeAll(wheel, WHEEL_SLOTS - 1), [0])
})

test('after a long pause every item that is due fires', (t) => {
  const wheel = new TimerWheel(3, 0)
  wheel.arm(0, 1)
  wheel.arm(1, 100)
  wheel.arm(2, 4000)
  t.deepEqual(takeAll(wheel, 1_000_000), [0, 1, 2])
})

const steps = fc.array(fc.tuple(fc.constantFrom('arm', 'cancel', 'tick'), fc.nat(9), fc.nat(300)),
  { maxLength: 200 })

test('a wheel fires the items that a list of deadlines would', (t) => {
  fc.assert(fc.property(steps, (all) => {
    const wheel = new TimerWheel(10, 0)
    const model = new Map<number, number>()
    let now = 0
    for (const [step, item, ticks] of all) {
      if (step === 'arm') {
        wheel.arm(item, now + ticks)
        model.set(item, now + ticks)
      } else if (step === 'cancel') {
        wheel.cancel(item)
        model.delete(item)
      } else {
        now += ticks
        const due = [...model].filter(([, deadline]) => deadline <= now).map(([name]) => name)
        t.deepEqual(takeAll(wheel, now), due.toSorted((a, b) => a - b))
        for (const name of due) model.delete(name)
      }
    }
  }), { seed: 23, numRuns: 500 })
})
