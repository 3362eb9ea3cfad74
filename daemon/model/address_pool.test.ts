/** Which addresses of a subnet are given out, and which are refused. */
import test from 'ava'
import { AddressPool, availableAddressCount } from './address_pool.ts'
import { requireRecord } from './resource_kind.ts'
import { planCreateSubnetCidrReservation } from './subnet.ts'
import { TestNetwork } from './test_network.ts'

function poolOf (net: TestNetwork, subnetId = net.subnetId): AddressPool {
  return new AddressPool(net.snapshot, requireRecord(net.view(), 'subnet', subnetId))
}

function countOf (net: TestNetwork, subnetId: string): number {
  return availableAddressCount(net.view(), requireRecord(net.view(), 'subnet', subnetId))
}

function reserve (net: TestNetwork, cidr: string, reservationType: string): void {
  const input = { subnetId: net.subnetId, cidr, reservationType, description: '', tags: {} }
  net.run(planCreateSubnetCidrReservation(net.view(), input, net.context))
}

test('a fresh /24 has 251 addresses and a /28 has 11', (t) => {
  const net = new TestNetwork()
  t.is(countOf(net, net.subnetId), 251)
  t.is(countOf(net, net.otherSubnetId), 11)
})

test('the count falls with every address and by 16 with a prefix, and comes back', (t) => {
  const net = new TestNetwork()
  net.createInterface({ ipv4: { addresses: ['10.0.1.9'], addressCount: 1, prefixes: [],
    prefixCount: 0 } })
  t.is(countOf(net, net.subnetId), 248)
  const id = net.createInterface({ ipv4: { addresses: [], addressCount: 0, prefixes: [],
    prefixCount: 1 } })
  t.is(countOf(net, net.subnetId), 248 - 1 - 16)
  net.apply([{ noun: 'networkInterface', id, record: null }])
  t.is(countOf(net, net.subnetId), 248)
})

test('automatic choice takes the lowest free address and never one of the reserved five', (t) => {
  const pool = poolOf(new TestNetwork(), undefined)
  const all = Array.from({ length: 251 }, () => pool.takeAddress(4))
  t.is(all[0], '10.0.1.4')
  t.is(all.at(-1), '10.0.1.254')
  t.is(new Set(all).size, 251)
  t.is(new TestNetwork().refusal(() => pool.takeAddress(4)), 'InsufficientFreeAddressesInSubnet')
})

test('an address that an ENI gave back is chosen again', (t) => {
  const net = new TestNetwork()
  const first = net.createInterface()
  net.createInterface()
  net.apply([{ noun: 'networkInterface', id: first, record: null }])
  t.is(poolOf(net).takeAddress(4), '10.0.1.4')
})

for (const [text, code] of [
  ['10.0.1.0', 'InvalidParameterValue'], ['10.0.1.3', 'InvalidParameterValue'],
  ['10.0.1.255', 'InvalidParameterValue'],
  ['10.0.2.4', 'InvalidParameterValue'], ['10.0.1', 'InvalidParameterValue'],
  ['2001:db8:0:100::9', 'InvalidParameterValue'],
  ['10.0.1.4', 'InvalidIPAddress.InUse'], ['10.0.1.5', ''], ['10.0.1.254', '']
] as const) {
  test(`asking for ${text} is ${code === '' ? 'granted' : `refused with ${code}`}`, (t) => {
    const net = new TestNetwork()
    net.createInterface()
    t.is(net.refusal(() => poolOf(net).takeAddressExactly(4, text)), code)
  })
}

test('automatic choice passes over reservations, an explicit choice may use them', (t) => {
  const net = new TestNetwork()
  reserve(net, '10.0.1.0/28', 'explicit')
  const pool = poolOf(net)
  t.is(pool.takeAddress(4), '10.0.1.16')
  t.is(pool.takeAddressExactly(4, '10.0.1.4'), '10.0.1.4')
})

test('a prefix is chosen inside a reservation of type prefix first, then outside all reservations',
  (t) => {
  const net = new TestNetwork()
  reserve(net, '10.0.1.64/27', 'prefix')
  reserve(net, '10.0.1.16/28', 'explicit')
  const pool = poolOf(net)
  t.is(pool.takePrefix(4), '10.0.1.64/28')
  t.is(pool.takePrefix(4), '10.0.1.80/28')
  t.is(pool.takePrefix(4), '10.0.1.32/28',
    '.0/28 holds reserved addresses, .16/28 is an explicit reservation')
})

test('no address is chosen out of a delegated prefix, and no prefix around a used address', (t) => {
  const net = new TestNetwork()
  const pool = poolOf(net)
  pool.takeAddressExactly(4, '10.0.1.20')
  t.is(pool.takePrefix(4), '10.0.1.32/28')
  t.is(net.refusal(() => pool.takeAddressExactly(4, '10.0.1.40')), 'InvalidIPAddress.InUse')
  t.is(net.refusal(() => pool.takePrefixExactly(4, '10.0.1.16/28')), 'InvalidIPAddress.InUse')
  for (let n = 0; n < 12 +
    16; n++) pool.takeAddress(4) // .4 to .31, but for .20, and the first after the prefix
  t.is(pool.takeAddress(4), '10.0.1.49')
})

test('a /28 subnet has no free /28 prefix', (t) => {
  const net = new TestNetwork()
  t.is(net.refusal(() => poolOf(net, net.otherSubnetId).takePrefix(4)), 'InsufficientCidrBlocks')
})

test('IPv6 addresses and /80 prefixes follow the same rules', (t) => {
  const net = new TestNetwork()
  const pool = poolOf(net)
  t.is(pool.takeAddress(6), '2001:db8:0:100::4')
  t.is(pool.takePrefix(6), '2001:db8:0:100:1::/80')
  t.is(pool.takeAddressExactly(6, '2001:DB8:0:100:0:0:0:A'), '2001:db8:0:100::a', 'canonical')
  t.is(net.refusal(() => pool.takeAddressExactly(6, '2001:db8:0:100::3')), 'InvalidParameterValue')
  t.is(net.refusal(() => pool.takeAddressExactly(6, '2001:db8:0:100:ffff:ffff:ffff:ffff')),
    'InvalidParameterValue')
  t.is(net.refusal(() => pool.takeAddressExactly(6, '2001:db8:0:100:1::5')),
    'InvalidIPAddress.InUse')
  t.is(net.refusal(() => poolOf(net, net.otherSubnetId).takeAddress(6)),
    'InsufficientFreeAddressesInSubnet')
})
