/** A small model of the kernel's links runs what the plan says; the next plan has nothing to do. */
import test from 'ava'
import type { LinkView, NamespaceView } from './namespace_view.ts'
import { desiredInterface } from './testing/desired_interface.ts'
import { cardIndices, planVm } from './vm_plan.ts'

const ONE = [desiredInterface(0, ['10.0.1.5'])]
const TWO = [...ONE, desiredInterface(1, ['10.0.1.6'])]
const CARDS_MAX = 3

function link (name: string): LinkView {
  return {
    name, linkType: 'ether', macAddress: '', up: false, mtu: 1500, bridge: '', addresses: []
  }
}

/** What is there after the lines have run. */
function run (view: NamespaceView, lines: readonly string[]): NamespaceView {
  let links = [...view.links]
  for (const line of lines) {
    const words = line.split(' ')
    const name = (words[0] === 'tuntap' ? words[3] : words[2]) ?? ''
    const change = (fields: Partial<LinkView>): void => {
      links = links.map((found) => found.name === name ? { ...found, ...fields } : found)
    }
    if (line.startsWith('link del')) links = links.filter((found) => found.name !== name)
    else if (line.startsWith('link add') || words[0] === 'tuntap') links.push(link(name))
    else if (words.includes('up')) {
      change({ up: true, mtu: Number(words[words.indexOf('mtu') + 1]) })
    } else if (words.includes('master')) change({ bridge: words[4] ?? '' })
  }
  return { ...view, links }
}

const EMPTY: NamespaceView = { links: [link('lo')], routes: [], rules: [] }

const bridges = (view: NamespaceView): string[] => view.links.filter(({ bridge }) => bridge !== '')
  .map(({ name, bridge, up, mtu }) => `${name} ${bridge} ${String(up)} ${String(mtu)}`)

test('an ENI is two TAPs with a bridge between; TAPs for further cards stand ready', (t) => {
  const plan = planVm(ONE, EMPTY, CARDS_MAX)
  t.deepEqual(plan.createdDevices.toSorted(), ['eth0', 'vm0', 'vm1', 'vm2'])
  const view = run(EMPTY, plan.lines)
  t.deepEqual(bridges(view).toSorted(), ['eth0 br0 true 9001', 'vm0 br0 true 9001'])
  t.deepEqual(planVm(ONE, view, CARDS_MAX), { lines: [], ipv6Lines: [], createdDevices: [] })
  t.true(plan.lines.includes('link set vm0 type bridge_slave learning off flood on'))
})

test('an ENI that comes joins its TAP, and one that goes leaves it', (t) => {
  const one = run(EMPTY, planVm(ONE, EMPTY, CARDS_MAX).lines)
  const attach = planVm(TWO, one, CARDS_MAX)
  t.deepEqual(attach.createdDevices, ['eth1'])
  const two = run(one, attach.lines)
  t.is(bridges(two).length, 4)
  const back = run(two, planVm(ONE, two, CARDS_MAX).lines)
  t.deepEqual(back.links.map(({ name }) => name).toSorted(),
    ['br0', 'eth0', 'lo', 'vm0', 'vm1', 'vm2'])
})

for (const [what, damage] of [
  ['a bridge that was deleted', (links: readonly LinkView[]) =>
    links.filter(({ name }) => name !== 'br0').map((found) => ({ ...found, bridge: '' }))],
  ['a TAP that was deleted', (links: readonly LinkView[]) =>
    links.filter(({ name }) => name !== 'vm0')],
  ['a TAP that was taken out', (links: readonly LinkView[]) =>
    links.map((found) => found.name === 'eth0' ? { ...found, bridge: '' } : found)],
  ['a link that was put down', (links: readonly LinkView[]) =>
    links.map((found) => found.name === 'br0' ? { ...found, up: false } : found)]
] as const) {
  test(`${what} is put back`, (t) => {
    const whole = run(EMPTY, planVm(ONE, EMPTY, CARDS_MAX).lines)
    const broken = { ...whole, links: damage(whole.links) }
    const mended = run(broken, planVm(ONE, broken, CARDS_MAX).lines)
    t.deepEqual(bridges(mended).toSorted(), bridges(whole).toSorted())
    t.deepEqual(planVm(ONE, mended, CARDS_MAX).lines, [])
  })
}

test('an index beyond what the type allows has its card, too', (t) => {
  t.deepEqual(cardIndices([desiredInterface(7, ['10.0.1.5'])], 2), [7, 0, 1])
})
