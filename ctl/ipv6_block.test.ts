import test from 'ava'
import { nextIpv6Block } from './ipv6_block.ts'

test('nextIpv6Block takes the lowest free /64 of the /56', (t) => {
  t.is(nextIpv6Block(['2001:db8:0:100::/56'], []), '2001:db8:0:100::/64')
  t.is(nextIpv6Block(['2001:db8:0:100::/56'], ['2001:db8:0:100::/64', '2001:db8:0:102::/64']),
    '2001:db8:0:101::/64')
  t.is(nextIpv6Block(['2001:db8::/56'], []), '2001:db8::/64')
})

test('nextIpv6Block goes on with the next block of the VPC when one is full', (t) => {
  const full = Array.from({ length: 256 }, (_, at) =>
    `2001:db8:0:1${at.toString(16).padStart(2, '0')}::/64`)
  t.is(nextIpv6Block(['2001:db8:0:100::/56', '2001:db8:0:200::/56'], full), '2001:db8:0:200::/64')
  t.throws(() => nextIpv6Block(['2001:db8:0:100::/56'], full), { code: 'NoIpv6Block' })
})

test('nextIpv6Block says what to do when the VPC has no block', (t) => {
  t.throws(() => nextIpv6Block([], []), { message: /associate-cidr <vpc> --ipv6/ })
})
