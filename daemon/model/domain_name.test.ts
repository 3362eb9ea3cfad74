import test from 'ava'
import fc from 'fast-check'
import { compareDomainNames, isBelow, parseDomainName, printDomainName } from './domain_name.ts'

test('a name is kept in small letters, without escapes and the dot at its end', (t) => {
  t.is(parseDomainName('Web.Corp.Example.'), 'web.corp.example')
  t.is(parseDomainName('\\052.corp.example'), '*.corp.example')
  t.is(parseDomainName('_ldap._tcp.example'), '_ldap._tcp.example')
  t.is(parseDomainName('.'), '')
  t.is(printDomainName('*.a/b.example'), '\\052.a\\057b.example.')
})

test('what is no domain name is none', (t) => {
  for (const text of [
    '', '..', 'a..example', '.example', 'a.example..', `${'x'.repeat(64)}.example`,
    'a\\056b.example', 'a\\b.example', 'a\nb.example', 'b\u00fc.example',
    `${'x'.repeat(60)}.`.repeat(5)
  ]) t.is(parseDomainName(text), null, JSON.stringify(text))
})

test('a name that is shown is taken as the same again', (t) => {
  const label = fc.stringMatching(/^[!-\-/-[\]-~]{1,20}$/)
  fc.assert(fc.property(fc.array(label, { minLength: 1, maxLength: 5 }), (labels) => {
    const name = labels.join('.').toLowerCase()
    t.is(parseDomainName(printDomainName(name)), name)
  }), { numRuns: 200 })
})

test('names are in order label by label from the right', (t) => {
  const sorted = ['example', 'a.example', 'z.a.example', 'b.example', 'a.exampld']
    .toSorted(compareDomainNames)
  t.deepEqual(sorted, ['a.exampld', 'example', 'a.example', 'z.a.example', 'b.example'])
  t.true(isBelow('a.b.example', 'b.example'))
  t.true(isBelow('b.example', 'b.example'))
  t.false(isBelow('ab.example', 'b.example'))
})
