import test from 'ava'
import fc from 'fast-check'
import { DEFAULT_LEASE } from '../testing/endpoint.ts'
import { answerDhcpIpv6 } from './server_ipv6.ts'

const CLIENT = [0, 1, 0, 4, 9, 9, 9, 9]
const IA = [0, 3, 0, 12, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0]
const ADDRESS = '20010db8000000010000000000000010'

function ask (type: number, ...options: readonly number[]): string | null {
  const message = Buffer.from([type, 7, 8, 9, ...options])
  return answerDhcpIpv6(message, DEFAULT_LEASE)?.toString('hex') ?? null
}

const iaWith = (address: string): number[] =>
  [0, 3, 0, 40, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 24,
    ...Buffer.from(address, 'hex'), 0, 0, 0, 0, 0, 0, 0, 0]

test('a solicit is advertised every address of the ENI, for 140 and 450 seconds', (t) => {
  const answer = ask(1, ...CLIENT, ...IA) ?? ''
  t.true(answer.startsWith('02070809'))
  t.true(answer.includes(`00050018${ADDRESS}0000008c000001c2`))
  t.true(answer.includes('0001000409090909'), 'the client\'s id comes back')
  t.true(answer.includes('00170010fd000ec2000000000000000000000253'), 'the resolver')
  t.true(answer.includes('0018000e036563320 8696e7465726e616c00'.replace(' ', '')), 'ec2.internal')
})

test('rapid commit is committed at once', (t) => {
  t.true(ask(1, ...CLIENT, ...IA, 0, 14, 0, 0)?.startsWith('07'))
})

for (const [type, name] of [[3, 'request'], [5, 'renew'], [6, 'rebind']] as const) {
  test(`a ${name} is replied the addresses`, (t) => {
    const answer = ask(type, ...CLIENT, ...IA) ?? ''
    t.true(answer.startsWith('07'))
    t.true(answer.includes(ADDRESS))
  })
}

test('confirm says whether the addresses are still the ENI\'s', (t) => {
  t.true(ask(4, ...CLIENT, ...iaWith(ADDRESS))?.includes('000d00020000'))
  t.true(ask(4, ...CLIENT, ...iaWith(ADDRESS.replace(/10$/, '11')))?.includes('000d00020004'))
})

test('there is one association: a second one gets no address', (t) => {
  const answer = ask(3, ...CLIENT, ...IA, ...IA) ?? ''
  t.is(answer.split(ADDRESS).length, 2)
  t.true(answer.includes('000d00020002'))
})

test('information is given to who has no id, and another server is not answered for', (t) => {
  t.true(ask(11)?.startsWith('07'))
  t.is(ask(1, ...IA), null)
  t.is(ask(3, ...CLIENT, 0, 2, 0, 2, 1, 1, ...IA), null)
  t.is(ask(2, ...CLIENT, ...IA), null, 'what a server says')
})

test('whatever comes, nothing throws', (t) => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 120 }), fc.nat(12), (bytes, type) => {
    ask(type, ...CLIENT, ...bytes)
    ask(type, ...bytes)
  }))
  t.pass()
})
