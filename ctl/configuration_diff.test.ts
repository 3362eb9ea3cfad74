import test from 'ava'
import { changeText, configurationDiff } from './configuration_diff.ts'

const ROUTE = { destinationCidrBlock: '192.0.2.0/24', state: 'active' }

function texts (before: unknown, after: unknown): string[] {
  return configurationDiff(before, after).map(changeText)
}

test('items of lists are known by what identifies them, not by their place', (t) => {
  const local = { destinationCidrBlock: '10.0.0.0/16', gatewayId: 'local' }
  t.deepEqual(texts({ routes: [ROUTE, local] }, { routes: [local, ROUTE] }), [])
  const gone = { ...ROUTE, state: 'blackhole' }
  t.deepEqual(texts({ routes: [ROUTE, local] }, { routes: [local, gone] }),
    ['routes[192.0.2.0/24].state: "active" → "blackhole"'])
  t.deepEqual(texts({ routes: [local, ROUTE] }, { routes: [local] }),
    ['routes[192.0.2.0/24].state: "active" → (none)'])
})

test('a tag is its value, and an item without identity comes and goes whole', (t) => {
  const named = (value: string): object => ({ tags: [{ key: 'Name', value }] })
  t.deepEqual(texts(named('a'), named('b')),
    ['tags[Name]: "a" → "b"'])
  t.deepEqual(texts({ groups: [] }, { groups: [{ groupId: 'sg-1' }] }),
    ['groups[sg-1]: (none) → "sg-1"'])
  t.deepEqual(texts({ servers: ['a', 'b'] }, { servers: ['b'] }), ['servers[]"a": "a" → (none)'])
})

test('what was not there, or is not any more, is told field by field', (t) => {
  t.deepEqual(texts(null, { vpcId: 'vpc-1', state: null }), ['vpcId: (none) → "vpc-1"'])
  t.deepEqual(texts({ nested: { number: 1 } }, null), ['nested.number: 1 → (none)'])
})
