import test from 'ava'
import {
  addressAt, canonicalCidr, cidrFault, contains, isReservedIn, overlaps, placeOf, subnetIpv6Cidr,
  subnetNumber
} from './address.ts'

test('cidrFault says what is wrong and what would be right', (t) => {
  for (const good of ['10.0.0.0/16', '0.0.0.0/0', '192.0.2.1/32', '2001:db8::/32', '::/0']) {
    t.is(cidrFault(good), null, good)
  }
  t.regex(cidrFault('10.0.0.1/16') ?? '', /the block is 10\.0\.0\.0\/16/)
  t.regex(cidrFault('2001:db8::1/64') ?? '', /the block is 2001:db8::\/64/)
  t.regex(cidrFault('10.0.0.0/33') ?? '', /prefix length from 0 to 32/)
  for (const bad of ['10.0.0.0', 'ten/8', '10.0.0/8', '10.0.0.0/8/8']) {
    t.regex(cidrFault(bad) ?? '', /is no block/, bad)
  }
})

test('canonicalCidr clears the bits behind the prefix in both families', (t) => {
  t.is(canonicalCidr('10.1.255.255/20'), '10.1.240.0/20')
  t.is(canonicalCidr('255.255.255.255/0'), '0.0.0.0/0')
  t.is(canonicalCidr('2001:DB8:0:1ff::5/56'), '2001:db8:0:100::/56')
})

test('contains and overlaps keep families apart', (t) => {
  t.true(contains('10.0.0.0/16', '10.0.3.0/24'))
  t.false(contains('10.0.3.0/24', '10.0.0.0/16'))
  t.true(contains('10.0.0.0/16', '10.0.255.255'))
  t.false(contains('10.0.0.0/16', '10.1.0.0'))
  t.true(overlaps('10.0.3.0/24', '10.0.0.0/16'))
  t.false(overlaps('0.0.0.0/0', '::/0'))
})

test('isReservedIn knows the first four addresses and the last', (t) => {
  const reserved = ['10.0.1.0', '10.0.1.1', '10.0.1.2', '10.0.1.3', '10.0.1.255']
  for (const address of reserved) t.true(isReservedIn('10.0.1.0/24', address), address)
  for (const address of ['10.0.1.4', '10.0.1.254']) t.false(isReservedIn('10.0.1.0/24', address))
})

test('a subnet\'s number and an address\'s place are those of the /56 and the /64', (t) => {
  t.is(subnetIpv6Cidr('2001:db8:0:100::/56', 2), '2001:db8:0:102::/64')
  t.is(subnetIpv6Cidr('2001:db8::/56', 0), '2001:db8::/64')
  t.is(subnetNumber('2001:db8:0:1ff::/64'), 255)
  t.is(addressAt('2001:db8:0:102::/64', '::10'), '2001:db8:0:102::10')
  t.is(placeOf('2001:db8:0:102:0:0:0:10'), '::10')
})
