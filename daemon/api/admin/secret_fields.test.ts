import test from 'ava'
import { MASK, withoutSecrets } from './secret_fields.ts'

const RECORD = { id: 'x', requestHash: 'abc', result: null, createdMs: 0 }

test('withoutSecrets masks the fields of its noun, and no field of another', (t) => {
  const fields = { idempotency: ['requestHash', 'result'] } as const
  t.deepEqual(withoutSecrets('idempotency', RECORD, fields),
    { id: 'x', requestHash: MASK, result: null, createdMs: 0 })
  t.is(RECORD.requestHash, 'abc', 'the record itself stays whole')
  t.is(withoutSecrets('counter', RECORD, fields), RECORD)
})

test('withoutSecrets masks the parameters of stacks and change sets, not their names', (t) => {
  const source = { template: '{}', parameters: { Key: 'secret', List: 'a,b' }, tags: {} }
  const shown = { template: '{}', parameters: { Key: MASK, List: MASK }, tags: {} }
  t.deepEqual(withoutSecrets('stack', { id: 's', source, previousSource: null }),
    { id: 's', source: shown, previousSource: null })
  t.deepEqual(withoutSecrets('stack', { id: 's', source, previousSource: source }),
    { id: 's', source: shown, previousSource: shown })
  t.deepEqual(withoutSecrets('changeSet', { id: 'c', source }), { id: 'c', source: shown })
})
