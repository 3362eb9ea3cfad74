import test from 'ava'
import type { RecordType } from './resource_record.ts'
import { ValueFault, parseRecordValue } from './resource_record.ts'

const GOOD: readonly (readonly [RecordType, string, unknown])[] = [
  ['A', '192.0.2.1', '192.0.2.1'],
  ['AAAA', '2001:DB8::1', '2001:DB8::1'],
  ['CNAME', 'Host.Example.', 'host.example'],
  ['MX', '10  mail.example', { preference: 10, exchange: 'mail.example' }],
  ['SRV', '1 2 65535 h.example', { priority: 1, weight: 2, port: 65_535, target: 'h.example' }],
  ['CAA', '128 Issue "ca.example; a=b"', { flags: 128, tag: 'issue', value: 'ca.example; a=b' }],
  ['TXT', '"one" "two"', ['one', 'two']],
  ['TXT', '"a \\"b\\" \\\\ \\351"', ['a "b" \\ \xe9']],
  ['TXT', '""', ['']],
  ['SOA', 'ns.example host.example 1 2 3 4 5', {
    mname: 'ns.example', rname: 'host.example', serial: 1, refresh: 2, retry: 3, expire: 4,
    minimum: 5
  }]
]

const BAD: readonly (readonly [RecordType, string])[] = [
  ['A', '192.0.2.256'], ['A', '2001:db8::1'], ['A', '192.0.2.01'], ['AAAA', '192.0.2.1'],
  ['AAAA', 'fe80::1%eth0'], ['CNAME', 'a..b'], ['NS', ''], ['PTR', 'a b..c'], ['MX', 'mail'],
  ['MX', '65536 mail'], ['MX', '10 mail more'], ['SRV', '1 2 mail'], ['SRV', '1 2 -3 mail'],
  ['CAA', '256 issue "x"'], ['CAA', '0 issue x'], ['CAA', '0 issue "x" "y"'], ['TXT', 'bare'],
  ['TXT', '"open'], ['TXT', '"a" b'], ['TXT', `"${'x'.repeat(256)}"`], ['TXT', '"\\9"'],
  ['TXT', '"\\777"'], ['TXT', '"\u20ac"'], ['TXT', ''], ['SOA', 'ns host 1 2 3 4'],
  ['SOA', 'ns host 1 2 3 4 4294967296'], ['TXT', '"'.repeat(5000)]
]

test('a value is read as zone files have it', (t) => {
  for (const [type, text, expected] of GOOD) {
    t.deepEqual(parseRecordValue(type, text), expected, text)
  }
})

test('what is no value of its type has a fault', (t) => {
  for (const [type, text] of BAD) {
    t.true(parseRecordValue(type, text) instanceof ValueFault, `${type} ${text.slice(0, 20)}`)
  }
})
