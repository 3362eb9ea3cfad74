/** Ids: their form, their prefixes, and the 64 bits of an ENI's. */
import test from 'ava'
import fc from 'fast-check'
import { eniBits, eniIdFromBits, idPrefix, isWellFormedId, newId } from './ids.ts'

const counting = { bytes: (count: number) => Uint8Array.from({ length: count }, (_, at) => at + 1) }

test('newId writes the prefix, a zero and 16 digits', (t) => {
  t.is(newId(counting, 'vpc-cidr-assoc'), 'vpc-cidr-assoc-00102030405060708')
})

test('newId refuses a random source that gives too little', (t) => {
  t.throws(() => newId({ bytes: () => new Uint8Array(3) }, 'vpc'), { message: /6 hex digits/ })
})

test('isWellFormedId takes 8 or 17 digits behind the right prefix', (t) => {
  const good = ['vpc-12345678', 'vpc-0123456789abcdef0']
  const bad = ['vpc-1234567', 'vpc-0123456789abcdef', 'vpc-0123456789ABCDEF0',
    'vpc0123456789abcdef0',
    'subnet-0123456789abcdef0', 'vpc-cidr-assoc-0123456789abcdef0', 'vpc-', 'vpc', '']
  t.deepEqual(good.filter((id) => !isWellFormedId('vpc', id)), [])
  t.deepEqual(bad.filter((id) => isWellFormedId('vpc', id)), [])
})

test('idPrefix is what stands before the digits', (t) => {
  t.is(idPrefix('eni-0123456789abcdef0'), 'eni')
  t.is(idPrefix('subnet-cidr-assoc-0123456789abcdef0'), 'subnet-cidr-assoc')
  t.is(idPrefix('eni-xyz'), '')
  t.is(idPrefix('0123456789abcdef0'), '')
})

test('eniBits and eniIdFromBits undo each other', (t) => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 0xffff_ffff }),
    fc.integer({ min: 0, max: 0xffff_ffff }),
    (high, low) => {
      t.deepEqual(eniBits(eniIdFromBits(high, low)), { high, low })
    }))
  t.deepEqual(eniBits('eni-0123456789abcdef0'), { high: 0x12345678, low: 0x9abcdef0 })
})

test('eniBits refuses an id that does not fit 64 bits', (t) => {
  t.throws(() => eniBits('eni-1123456789abcdef0'), { message: /begins with 0/ })
  t.throws(() => eniBits('eni-12345678'), { message: /17 hex digits/ })
})
