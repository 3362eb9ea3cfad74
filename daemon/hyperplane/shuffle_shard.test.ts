import test from 'ava'
import fc from 'fast-check'
import { chooseShard, overlapOf, overlapProbability } from './shuffle_shard.ts'

const RESOURCES = 10_000
const nodesOf = (count: number): string[] =>
  Array.from({ length: count }, (_node, index) => `edge-${String(index + 1)}`)

/** Pairs of fresh resources by overlap, against the probability, in standard deviations. */
function deviations (nodes: number, size: number): number[] {
  const names = nodesOf(nodes)
  const counts = new Array<number>(size + 1).fill(0)
  for (let pair = 0; pair < RESOURCES; pair++) {
    const a = chooseShard(`nat-a${String(pair)}`, names, size)
    const b = chooseShard(`nat-b${String(pair)}`, names, size)
    const overlap = overlapOf(a, b)
    counts[overlap] = (counts[overlap] ?? 0) + 1
  }
  return counts.map((count, overlap) => {
    const p = overlapProbability(nodes, size, overlap)
    // Where less than one pair is expected, the normal approximation says nothing: three are many.
    if (RESOURCES * p < 1) return count
    return Math.abs(count - RESOURCES * p) / Math.sqrt(RESOURCES * p * (1 - p))
  })
}

const percent = (share: number, digits: number): string => (100 * share).toFixed(digits)

test('the table of overlaps is that of the slides', (t) => {
  t.deepEqual([0, 1, 2, 3].map((overlap) => percent(overlapProbability(8, 3, overlap), 1)),
    ['17.9', '53.6', '26.8', '1.8'])
  t.deepEqual([0, 0, 1, 2, 4, 7].map((digits, overlap) =>
    percent(overlapProbability(100, 5, overlap), digits)),
  ['77', '21', '1.8', '0.06', '0.0006', '0.0000013'])
})

test('overlaps of 10,000 pairs lie within three sigma of the table: 3 of 8', (t) => {
  t.deepEqual(deviations(8, 3).filter((sigma) => sigma > 3), [])
})

test('overlaps of 10,000 pairs lie within three sigma of the table: 5 of 100', (t) => {
  t.deepEqual(deviations(100, 5).filter((sigma) => sigma > 3), [])
})

test('every node is chosen equally often', (t) => {
  const names = nodesOf(8)
  const counts = new Map(names.map((name) => [name, 0]))
  for (let resource = 0; resource < RESOURCES; resource++) {
    for (const node of chooseShard(`nat-0${String(resource)}`, names)) {
      counts.set(node, (counts.get(node) ?? 0) + 1)
    }
  }
  const p = 3 / 8
  const sigma = Math.sqrt(RESOURCES * p * (1 - p))
  t.deepEqual([...counts.values()].filter((count) => Math.abs(count - RESOURCES * p) > 4 * sigma),
    [])
})

test('the choice follows from the names, whatever their order', (t) => {
  const names = nodesOf(8)
  t.deepEqual(chooseShard('nat-0a', names), chooseShard('nat-0a', [...names].reverse()))
})

test('a node that leaves or joins changes only shards that it is part of, by itself', (t) => {
  const counts = fc.integer({ min: 4, max: 20 })
  fc.assert(fc.property(fc.string(), counts, fc.nat(), (id, count, pick) => {
    const names = nodesOf(count)
    const gone = names[pick % count] ?? ''
    const before = chooseShard(id, names)
    const after = chooseShard(id, names.filter((name) => name !== gone))
    const moved = before.filter((name) => !after.includes(name))
    return before.includes(gone) ? moved.length === 1 && moved[0] === gone : moved.length === 0
  }))
  t.pass()
})

test('too few nodes make no cell', (t) => {
  t.throws(() => chooseShard('nat-0a', nodesOf(2)), { code: 'VPCLAB_ERR_CONFIG' })
})

test('a client that tries its nodes in turn is served while one of them is not flooded', (t) => {
  const names = nodesOf(8)
  const flooded = chooseShard('nat-noisy', names)
  const hurt = Array.from({ length: RESOURCES }, (_none, resource) =>
    chooseShard(`nat-${String(resource)}`, names))
    .filter((shard) => shard.every((node) => flooded.includes(node))).length
  const p = overlapProbability(8, 3, 3)
  t.true(Math.abs(hurt - RESOURCES * p) < 4 * Math.sqrt(RESOURCES * p * (1 - p)))
})
