import test from 'ava'
import fc from 'fast-check'
import { WordTable } from './word_table.ts'

/** Operations over few keys, so that they meet. */
const operations = fc.array(fc.tuple(
  fc.constantFrom('insert', 'delete', 'find'), fc.nat(40), fc.nat(3)), { maxLength: 300 })

test('a word table does what a Map does', (t) => {
  fc.assert(fc.property(operations, (steps) => {
    const table = new WordTable(2, 1)
    const model = new Map<string, number>()
    steps.forEach(([step, high, low], index) => {
      const name = `${String(high)}/${String(low)}`
      table.key[0] = high
      table.key[1] = low
      if (step === 'insert') {
        const at = table.findOrInsert()
        table.words[at] = index
        model.set(name, index)
      } else if (step === 'delete') {
        t.is(table.delete(), model.delete(name))
      } else {
        const at = table.find()
        t.is(at < 0 ? undefined : table.words[at], model.get(name))
      }
      t.is(table.size, model.size)
    })
    const walked = new Map<string, number>()
    for (let at = table.next(-1); at >= 0; at = table.next(at)) {
      walked.set(`${String(table.key[0])}/${String(table.key[1])}`, table.words[at])
    }
    t.deepEqual([...walked].toSorted(), [...model].toSorted())
  }), { seed: 21, numRuns: 300 })
})

test('a cleared word table has nothing', (t) => {
  const table = new WordTable(1, 1)
  for (let key = 0; key < 100; key++) {
    table.key[0] = key
    table.findOrInsert()
  }
  t.is(table.size, 100)
  table.clear()
  t.is(table.size, 0)
  t.is(table.find(), -1)
  t.is(table.next(-1), -1)
})

test('a deletion of what is not there answers false', (t) => {
  const table = new WordTable(1, 0)
  table.key[0] = 5
  t.false(table.delete())
})
