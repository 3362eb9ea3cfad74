/**
 * A small model of the kernel runs the lines that a plan makes; whatever is damaged in it, the next
 * plan mends, and the one after that has nothing to do.
 */
import test from 'ava'
import { DEVICE_INDEX_MAX } from '../model/network_interface.ts'
import { planInstance } from './instance_plan.ts'
import type { DesiredInterface, InstancePlan } from './instance_plan.ts'
import { TABLE_MAIN } from './namespace_view.ts'
import type { LinkView, NamespaceView, RouteView, RuleView } from './namespace_view.ts'
import { desiredInterface } from './testing/desired_interface.ts'

interface Kernel { links: LinkView[], routes: RouteView[], rules: RuleView[] }

function freshKernel (): Kernel {
  return {
    links: [
      { name: 'lo', linkType: 'loopback', macAddress: '',
        up: false, mtu: 65_536, bridge: '', addresses: [] }
    ],
    routes: [],
    rules: [{ source: 'all', table: 255 }, { source: 'all', table: TABLE_MAIN }]
  }
}

const SECOND_ADDRESSES = ['10.0.1.15', '2001:db8:0:1::15']
const SECOND_PREFIXES = ['10.0.1.64/28']
const ONE = [desiredInterface(0, ['10.0.1.5', '10.0.1.6', '2001:db8:0:1::5'])]
const TWO = [...ONE, desiredInterface(1, SECOND_ADDRESSES, SECOND_PREFIXES)]
const HIGHEST = [...ONE, desiredInterface(DEVICE_INDEX_MAX, SECOND_ADDRESSES, SECOND_PREFIXES)]

/** Runs lines of `ip` as far as plans use them. */
function runLines (kernel: Kernel, plan: InstancePlan): void {
  for (const line of [...plan.lines, ...plan.ipv6Lines]) {
    const words = line.split(' ')
    const after = (word: string): string | undefined => words[words.indexOf(word) + 1]
    const device = after('dev') ?? words[2] ?? ''
    const change = (name: string, fields: Partial<LinkView>): void => {
      kernel.links = kernel.links.map((link) => link.name === name ? { ...link, ...fields } : link)
    }
    if (line.startsWith('link set')) {
      if (words.includes('up')) change(words[2] ?? '', { up: true })
      if (words.includes('address')) change(words[2] ?? '', { macAddress: after('address') ?? '' })
    } else if (line.startsWith('link del')) {
      kernel.links = kernel.links.filter((link) => link.name !== words[2])
      kernel.routes = kernel.routes.filter((route) => route.device !== words[2])
    } else if (line.startsWith('tuntap add')) {
      kernel.links.push(
        { name: device, linkType: after('mode') === 'tap' ? 'ether' : 'none', macAddress: '',
          up: false, mtu: 1500, bridge: '', addresses: [] })
    } else if (line.startsWith('addr')) {
      const [address = '', length] = (words[2] ?? '').split('/')
      const present = kernel.links.find((link) => link.name === device)?.addresses ?? []
      const added = words[1] === 'add' ? [{ address, prefixLength: Number(length) }] : []
      const others = present.filter((entry) => entry.address !== address)
      change(device, { addresses: [...others, ...added] })
    } else if (line.startsWith('route replace')) {
      const table = words.includes('table') ? Number(after('table')) : TABLE_MAIN
      const gateway = after('via') ?? ''
      const usual = gateway.includes(':') ? 1024 : 0
      const metric = words.includes('metric') ? Number(after('metric')) : usual
      const destination = words[2] ?? ''
      kernel.routes.push({ destination, gateway, device, table, metric })
    } else if (line.startsWith('rule add')) {
      kernel.rules.push({ source: after('from') ?? '', table: Number(after('lookup')) })
    } else if (line.startsWith('rule del')) {
      kernel.rules = kernel.rules.filter(
        (rule) => rule.source !== after('from') || rule.table !== Number(after('lookup')))
    }
  }
}

const linesOf = (plan: InstancePlan): string[] => [...plan.lines, ...plan.ipv6Lines]

function converged (desired: readonly DesiredInterface[]): Kernel {
  const kernel = freshKernel()
  runLines(kernel, planInstance(desired, kernel))
  return kernel
}

const addressesOf = (kernel: Kernel, device: string): string[] | undefined =>
  kernel.links.find((link) => link.name === device)?.addresses.map((entry) => entry.address)

test('a plan builds a fresh namespace and then has nothing to do', (t) => {
  const kernel = freshKernel()
  const plan = planInstance(TWO, kernel)
  t.deepEqual(plan.createdDevices, ['eth0', 'eth1'])
  runLines(kernel, plan)
  t.deepEqual(linesOf(planInstance(TWO, kernel)), [])
  t.deepEqual(addressesOf(kernel, 'eth0'), ['10.0.1.5', '10.0.1.6', '2001:db8:0:1::5'])
  t.deepEqual(addressesOf(kernel, 'eth1'), ['10.0.1.15', '2001:db8:0:1::15'])
  t.true(kernel.links.every((link) => link.up))
})

test('the first interface routes by the main table, another one by a table of its own', (t) => {
  const { routes, rules } = converged(TWO)
  const place = (device: string): string[] => routes.filter((route) => route.device === device)
    .map((route) => `${String(route.table)}/${String(route.metric)} ${route.gateway}`)
  t.deepEqual(place('eth0'), ['254/0 10.0.1.1', '254/1024 2001:db8:0:1::1'])
  t.deepEqual(place('eth1'), [
    '254/10001 10.0.1.1', '10001/0 10.0.1.1',
    '254/10001 2001:db8:0:1::1', '10001/1024 2001:db8:0:1::1'
  ])
  t.deepEqual(rules.filter((rule) => rule.table === 10_001).map((rule) => rule.source),
    ['10.0.1.15', '10.0.1.64/28', '2001:db8:0:1::15'])
})

test('rules of IPv6 stand in the batch for IPv6', (t) => {
  const plan = planInstance(TWO, freshKernel())
  t.deepEqual(plan.ipv6Lines, ['rule add from 2001:db8:0:1::15 lookup 10001 priority 10001'])
})

const DAMAGES: readonly { readonly what: string, readonly damage: (kernel: Kernel) => void }[] = [
  { what: 'a device', damage: (k) => { removeDevice(k, 'eth1') } },
  { what: 'all devices', damage: (k) => { k.links = []; k.routes = [] } },
  { what: 'a secondary address', damage: (k) => { k.links = without(k.links, '10.0.1.6') } },
  { what: 'the primary address', damage: (k) => { k.links = without(k.links, '10.0.1.5') } },
  { what: 'an IPv6 address', damage: (k) => { k.links = without(k.links, '2001:db8:0:1::5') } },
  { what: 'the default routes', damage: (k) => { k.routes = [] } },
  { what: 'the rules',
    damage: (k) => { k.rules = k.rules.filter((rule) => rule.source === 'all') } },
  { what: 'the up of a device',
    damage: (k) => { k.links = k.links.map((l) => ({ ...l, up: false })); k.routes = [] } }
]

function removeDevice (kernel: Kernel, name: string): void {
  kernel.links = kernel.links.filter((link) => link.name !== name)
  kernel.routes = kernel.routes.filter((route) => route.device !== name)
}

function without (links: readonly LinkView[], address: string): LinkView[] {
  return links.map(
    (link) => ({ ...link, addresses: link.addresses.filter((entry) => entry.address !== address) }))
}

for (const { what, damage } of DAMAGES) {
  test(`a plan puts back ${what} that somebody took`, (t) => {
    const kernel = converged(TWO)
    damage(kernel)
    const plan = planInstance(TWO, kernel)
    t.true(linesOf(plan).length > 0)
    if (kernel.links.length === 0) kernel.links.push(...freshKernel().links)
    runLines(kernel, plan)
    t.deepEqual(linesOf(planInstance(TWO, kernel)), [])
    t.deepEqual(addressesOf(kernel, 'eth0')?.filter((address) => !address.includes(':')),
      ['10.0.1.5', '10.0.1.6'], 'the primary address is the source address')
  })
}

test('an address that the ENI lost goes, and one that somebody added outside the subnet stays',
  (t) => {
  const kernel = converged(ONE)
  const foreign = { address: '192.168.7.7', prefixLength: 32 }
  kernel.links = kernel.links.map(
    (link) => link.name === 'eth0' ? { ...link, addresses: [...link.addresses, foreign] } : link)
  runLines(kernel, planInstance([desiredInterface(0, ['10.0.1.5', '2001:db8:0:1::5'])], kernel))
  t.deepEqual(addressesOf(kernel, 'eth0'), ['10.0.1.5', '2001:db8:0:1::5', '192.168.7.7'])
})

for (const [what, before] of [['detached', TWO], ['detached, highest', HIGHEST]] as const) {
  test(`a ${what} interface goes with its rules, and other devices stay`, (t) => {
    const kernel = converged(before)
    kernel.links.push(
      { name: 'eth7', linkType: 'ether', macAddress: '',
        up: true, mtu: 1500, bridge: '', addresses: [] })
    kernel.links.push(
      { name: 'wg0', linkType: 'none', macAddress: '',
        up: true, mtu: 1420, bridge: '', addresses: [] })
    runLines(kernel, planInstance(ONE, kernel))
    t.deepEqual(kernel.links.map((link) => link.name), ['lo', 'eth0', 'eth7', 'wg0'])
    t.deepEqual(kernel.rules.filter((rule) => rule.table > 10_000), [])
  })
}

test('another kind of device in the place of an ENI is replaced', (t) => {
  const kernel: NamespaceView & Kernel = freshKernel()
  kernel.links.push(
    { name: 'eth0', linkType: 'ether', macAddress: '',
      up: true, mtu: 1500, bridge: '', addresses: [] })
  const plan = planInstance(ONE, kernel)
  t.deepEqual(plan.lines.slice(1, 3), ['link del eth0', 'tuntap add dev eth0 mode tun vnet_hdr'])
  t.deepEqual(plan.createdDevices, ['eth0'])
})

test('a TAP has the MAC of its ENI, gets it back, and goes with the ENI', (t) => {
  const taps = TWO.map((eni): DesiredInterface => ({ ...eni, device: 'tap' }))
  const kernel = converged(taps)
  t.deepEqual(planInstance(taps, kernel).lines, [])
  t.deepEqual(kernel.links.slice(1).map(({ linkType, macAddress }) => [linkType, macAddress]),
    taps.map(({ macAddress }) => ['ether', macAddress]))
  kernel.links = kernel.links.map((link) =>
    link.name === 'eth0' ? { ...link, macAddress: '02:66:66:66:66:66' } : link)
  t.deepEqual(planInstance(taps, kernel).lines, ['link set eth0 address 02:00:00:00:00:00'])
  runLines(kernel, planInstance(taps.slice(0, 1), kernel))
  t.deepEqual(kernel.links.map((link) => link.name), ['lo', 'eth0'])
})

/** A guest of somebody else beside their default route: only the VPC's blocks lead to the ENI. */
const GUEST = [{
  ...desiredInterface(0, ['10.0.1.5', '2001:db8:0:1::5']), sourceRouted: true,
  blocks: ['10.0.0.0/16', '2001:db8::/56']
}]
const GUEST_STYLE = { prefix: 'vpc', foreign: true }

test('a guest with another default route gets the blocks of the VPC, and is cleared', (t) => {
  const kernel = freshKernel()
  const theirs = { destination: 'default', gateway: '192.0.2.2', device: 'eth0', metric: 0 }
  kernel.routes.push({ ...theirs, table: TABLE_MAIN })
  const links = kernel.links.map((link) => link.name)
  runLines(kernel, planInstance(GUEST, kernel, GUEST_STYLE))
  t.deepEqual(planInstance(GUEST, kernel, GUEST_STYLE).lines, [])
  const main = kernel.routes.filter((route) => route.table === TABLE_MAIN)
  t.deepEqual(main.map(({ destination, device, metric }) => [destination, device, metric]),
    [['default', 'eth0', 0], ['10.0.0.0/16', 'vpc0', 10_000], ['2001:db8::/56', 'vpc0', 10_000]])
  t.deepEqual(kernel.rules.slice(2).map(({ source, table }) => [source, table]),
    [['10.0.1.5', 10_000], ['2001:db8:0:1::5', 10_000]])
  runLines(kernel, planInstance([], kernel, GUEST_STYLE))
  t.deepEqual(kernel.links.map((link) => link.name), links)
  t.deepEqual(kernel.routes, [{ ...theirs, table: TABLE_MAIN }])
  t.is(kernel.rules.length, 2)
})

test('a device of somebody else is never removed from a guest', (t) => {
  const kernel = freshKernel()
  kernel.links.push({
    name: 'vpc0', linkType: 'ether', macAddress: '', up: true, mtu: 1500, bridge: '', addresses: []
  })
  t.throws(() => planInstance(GUEST, kernel, GUEST_STYLE), { message: /another vpc0 already/ })
})
