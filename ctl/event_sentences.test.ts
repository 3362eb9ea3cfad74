import test from 'ava'
import type { EventLine } from '../daemon/api/admin/contract.ts'
import { EventSentences } from './event_sentences.ts'

const TIME = new Date(2026, 0, 2, 12, 0, 1).toISOString()
const VPC = { id: 'vpc-1', tags: { Name: 'web' }, cidrBlocks: [] }
const SUBNET = { id: 'subnet-1', tags: { Name: 'front' }, vpcId: 'vpc-1' }
const INSTANCE = { id: 'i-1', tags: {}, vpcId: 'vpc-1', subnetId: 'subnet-1', state: 'pending' }

/** The sentence of each event, in order. */
function sentences (...events: readonly EventLine[]): string[] {
  const said = new EventSentences()
  return events.map((event) => {
    said.learn(event)
    return said.say(event)
  })
}

interface Fields { readonly id: string, readonly [name: string]: unknown }

function change (noun: string, revision: number, record: Fields | null,
  previous?: Fields): EventLine {
  return {
    type: 'change', revision, time: TIME, noun, id: record?.id ?? previous?.id ?? '', record,
    change: previous === undefined ? 'created' : record === null ? 'deleted' : 'changed',
    ...previous === undefined ? {} : { previous }
  }
}

test('EventSentences calls things by the names that it heard', (t) => {
  t.deepEqual(sentences(
    { type: 'initial', revision: 12, noun: 'vpc', id: 'vpc-1', record: VPC },
    { type: 'synced', revision: 41, appliedRevision: 40, hosts: {} },
    change('subnet', 42, SUBNET),
    change('networkInterface', 43, { ...INSTANCE, id: 'eni-1' }),
    change('instance', 43, INSTANCE),
    change('instance', 44, { ...INSTANCE, state: 'running' }, INSTANCE),
    { type: 'applied', revision: 44, time: TIME, host: 'host-1' },
    { type: 'applied', revision: 44, time: TIME, host: 'all' },
    change('subnet', 45, null, SUBNET)
  ), [
    '         r12  vpc vpc-1 (web) exists',
    '         r41  That is what there is, applied up to r40. Changes follow:',
    '12:00:01 r42  subnet subnet-1 (front) created in vpc web',
    '12:00:01 r43  network interface eni-1 created in subnet front',
    '12:00:01 r43  instance i-1 created in subnet front',
    '12:00:01 r44  instance i-1 changed: state pending → running',
    '12:00:01 r44  applied by host-1',
    '12:00:01 r44  applied by every host',
    '12:00:01 r45  subnet subnet-1 (front) deleted'
  ])
})

test('EventSentences names few changed fields, and values only where they are short', (t) => {
  const before = { id: 'x', a: 1, b: true, long: 'x'.repeat(41), list: [1], e: '', f: 1 }
  const now = { id: 'x', a: 2, b: false, long: 'y'.repeat(41), list: [2], e: 'z', f: 2 }
  t.deepEqual(sentences(change('counter', 2, now, before)), [
    '12:00:01 r2  counter x changed: a 1 → 2, b true → false, long, list and 2 more fields'
  ])
})

test('EventSentences keeps control characters of a name off the terminal', (t) => {
  const [line = ''] = sentences(change('vpc', 1, { ...VPC, tags: { Name: 'a\n\u001b[2Jb' } }))
  t.is(line, '12:00:01 r1  vpc vpc-1 (a [2Jb) created')
})
