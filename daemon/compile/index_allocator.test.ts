/** Numbers that come back neither too early nor to two owners. */
import test from 'ava'
import { IndexAllocator } from './index_allocator.ts'

test('indices count from 1 and stay with their owner', (t) => {
  const indexes = new IndexAllocator(10)
  t.deepEqual([indexes.ensure('a'), indexes.ensure('b'), indexes.ensure('a')], [1, 2, 1])
  t.deepEqual([indexes.indexOf('b'), indexes.idOf(2), indexes.size], [2, 'b', 2])
  t.deepEqual([indexes.indexOf('c'), indexes.idOf(3), indexes.idOf(0)], [0, null, null])
})

test('a retired index is given out again only after its removal is acknowledged', (t) => {
  const indexes = new IndexAllocator(10)
  indexes.ensure('a')
  t.is(indexes.retire('a', 7), 1)
  t.true(indexes.isRetired(1))
  t.is(indexes.idOf(1), null)
  indexes.acknowledged(6)
  t.is(indexes.ensure('b'), 2)
  indexes.acknowledged(7)
  t.false(indexes.isRetired(1))
  t.is(indexes.ensure('c'), 1)
})

test('an object that comes back before the acknowledgement gets another index', (t) => {
  const indexes = new IndexAllocator(10)
  indexes.ensure('a')
  indexes.retire('a', 7)
  t.is(indexes.ensure('a'), 2)
  indexes.acknowledged(7)
  t.deepEqual([indexes.indexOf('a'), indexes.ensure('b')], [2, 1])
})

test('an object beyond the highest index gets 0 and is counted', (t) => {
  const indexes = new IndexAllocator(1)
  indexes.ensure('a')
  t.deepEqual([indexes.ensure('b'), indexes.exhausted], [0, 1])
  indexes.retire('a', 1)
  t.is(indexes.ensure('b'), 0)
  indexes.acknowledged(1)
  t.deepEqual([indexes.ensure('b'), indexes.exhausted], [1, 2])
  t.is(indexes.retire('c', 2), 0)
})
