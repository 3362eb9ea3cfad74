/**
 * The two sides of the border say the same: `descriptor.ts` and `counters.ts` against the headers
 * of the addon, which are read as text.
 */
import test from 'ava'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { NIC_COUNTER_DOORBELLS, NIC_COUNTERS } from './counters.ts'
import * as descriptor from './descriptor.ts'
import { PEERS_MAX, TUN_PORTS_MAX } from './nic.ts'

const header = (name: string): string =>
  readFileSync(join(import.meta.dirname, 'native', name), 'utf8')

/** `#define NAME number` of a header. */
function defines (name: string): Record<string, number> {
  const found = header(name).matchAll(/^#define (\w+)\s+(0x[0-9a-f]+|\d+)$/gm)
  return Object.fromEntries([...found].map((match) => [match[1], Number(match[2])]))
}

test('descriptor.h has the numbers of descriptor.ts', (t) => {
  t.deepEqual(defines('descriptor.h'), { ...descriptor })
})

test('fields of a descriptor take one word each, in order, up to its size', (t) => {
  for (const [prefix, words] of [['RX_', descriptor.RX_WORDS], ['TX_', descriptor.TX_WORDS]]) {
    const fields = Object.entries(descriptor).filter(([name]) => (
      name.startsWith(String(prefix)) && !/_WORDS$|_MAX$|HEADROOM/.test(name)))
    t.deepEqual(fields.map(([, at]) => at).toSorted((a, b) => a - b),
      Array.from({ length: Number(words) }, (_, index) => index))
  }
})

test('counters.h has the counters of NIC_COUNTERS in their order', (t) => {
  const names = [...header('counters.h').matchAll(/^ {2}COUNTER_(\w+),$/gm)]
    .map((match) => match[1].toLowerCase().replaceAll('_', '-'))
  t.deepEqual(names, NIC_COUNTERS.map((counter) => counter.name))
  t.is(NIC_COUNTERS[NIC_COUNTER_DOORBELLS].name, 'doorbells')
})

test('counters say what they count in one sentence each', (t) => {
  for (const { name, meaning } of NIC_COUNTERS) t.regex(meaning, /^[A-Z].*\.$/, name)
  t.is(new Set(NIC_COUNTERS.map((counter) => counter.name)).size, NIC_COUNTERS.length)
})

test('nic.h has the limits of nic.ts', (t) => {
  const { TUN_PORTS_MAX: ports } = defines('nic.h')
  const { PEERS_MAX: peers } = defines('wire_keys.h')
  t.deepEqual({ ports, peers }, { ports: TUN_PORTS_MAX, peers: PEERS_MAX })
})
