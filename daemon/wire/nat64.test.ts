import test from 'ava'
import {
  echoTypeInIpv4, echoTypeInIpv6, errorInIpv4, errorInIpv6, mtuInIpv4, mtuInIpv6, NO_COUNTERPART,
  pointerInIpv4, pointerInIpv6
} from './nat64.ts'

const TYPES = Array.from({ length: 256 }, (_none, type) => type)

test('of queries echo alone has a counterpart', (t) => {
  t.deepEqual([echoTypeInIpv4(128), echoTypeInIpv4(129)], [8, 0])
  t.deepEqual([echoTypeInIpv6(8), echoTypeInIpv6(0)], [128, 129])
  t.is(TYPES.filter((type) => echoTypeInIpv4(type) !== NO_COUNTERPART).length, 2)
  t.is(TYPES.filter((type) => echoTypeInIpv6(type) !== NO_COUNTERPART).length, 2)
})

test('errors become errors: RFC 7915 sections 4.2 and 5.2', (t) => {
  t.deepEqual(TYPES.filter((type) => errorInIpv6(type, 0) !== NO_COUNTERPART), [3, 11, 12])
  t.deepEqual(TYPES.filter((type) => errorInIpv4(type, 0) !== NO_COUNTERPART), [1, 2, 3, 4])
  const unreachable = TYPES.slice(0, 17).map((code) => errorInIpv6(3, code))
  t.deepEqual(unreachable, [0x100, 0x100, 0x401, 0x104, 0x200, 0x100, 0x100, 0x100, 0x100, 0x101,
    0x101, 0x100, 0x100, 0x101, NO_COUNTERPART, 0x101, NO_COUNTERPART])
  t.deepEqual(TYPES.slice(0, 6).map((code) => errorInIpv4(1, code)),
    [0x301, 0x30a, 0x301, 0x301, 0x303, NO_COUNTERPART])
  t.deepEqual(TYPES.slice(0, 3).map((code) => errorInIpv4(4, code)),
    [0xc00, 0x302, NO_COUNTERPART])
})

test('pointers point at the same field', (t) => {
  t.deepEqual(TYPES.slice(0, 21).map(pointerInIpv6),
    [0, 1, 4, 4, -1, -1, -1, -1, 7, 6, -1, -1, 8, 8, 8, 8, 24, 24, 24, 24, -1])
  t.deepEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 23, 24, 39, 40].map(pointerInIpv4),
    [0, 1, -1, -1, 2, 2, 9, 8, 12, 12, 16, 16, -1])
})

test('an MTU differs by 20, and none is told that IPv6 or IPv4 does not have', (t) => {
  t.is(mtuInIpv6(1400, 1500), 1420)
  t.is(mtuInIpv6(576, 1500), 1280)
  t.is(mtuInIpv6(0, 1500), 1512, 'an old router: the next plateau below')
  t.is(mtuInIpv6(0, 0), 1280)
  t.is(mtuInIpv4(1280), 1260)
  t.is(mtuInIpv4(0), 68)
  t.is(mtuInIpv4(0xffffffff), 65_535)
})
