/**
 * What the underlay sockets rely on (daemon/tun/native/underlay.c, send_run.c), shown with the
 * kernel's own calls by test/platform/programs/udp.py.
 *
 *     [a] 198.51.100.1 ── veth, MTU 1500 ── 198.51.100.2 [b]
 */
import test from 'ava'
import { Namespaces, VETH_NAME } from '../harness/namespaces.ts'

const A = '198.51.100.1'
const B = '198.51.100.2'
const A6 = '2001:db8::1'
const B6 = '2001:db8::2'

async function twoHosts (): Promise<Namespaces> {
  const net = await Namespaces.create('a', 'b')
  await net.join('a', [`${A}/24`, `${A6}/64`], 'b', [`${B}/24`, `${B6}/64`])
  return net
}

test.serial('a run sent with UDP_SEGMENT crosses a veth as one lump', async (t) => {
  await using net = await twoHosts()
  const [a, b] = [net.path('a'), net.path('b')]
  t.deepEqual(await net.fact('udp.py', 'lump', a, b, A, B, '1000', '10'), [[9999, 1000]])
  t.deepEqual(await net.fact('udp.py', 'lump', a, b, A6, B6, '1000', '10'), [[9999, 1000]])
})

test.serial('a run of 64 packets and of 65,000 bytes stays whole', async (t) => {
  await using net = await twoHosts()
  const [a, b] = [net.path('a'), net.path('b')]
  t.deepEqual(await net.fact('udp.py', 'lump', a, b, A, B, '100', '64'), [[6399, 100]])
  t.deepEqual(await net.fact('udp.py', 'lump', a, b, A, B, '1472', '44'), [[64_767, 1472]])
  t.deepEqual(await net.fact('udp.py', 'lump', a, b, A6, B6, '1450', '44'), [[63_799, 1450]])
})

test.serial('UDP_SEGMENT needs a checksum: EINVAL with SO_NO_CHECK', async (t) => {
  await using net = await Namespaces.create('a')
  t.deepEqual(await net.fact('udp.py', 'no_check', net.path('a'), '127.0.0.1'), ['EINVAL', null])
})

test.serial('a filter that drops all keeps the queue of a socket empty', async (t) => {
  await using net = await Namespaces.create('a')
  t.is(await net.fact('udp.py', 'drop_filter', net.path('a'), '127.0.0.1'), 0)
})

test.serial('with IP_PMTUDISC_PROBE a datagram over the device\'s MTU is EMSGSIZE', async (t) => {
  await using net = await twoHosts()
  const errors = await net.fact('udp.py', 'too_big', net.path('a'), A, B, '1500')
  t.deepEqual(errors, ['EMSGSIZE', null, 'EMSGSIZE'])
})

test.serial('over IPv6, MSG_MORE makes the checksum good before the device has it', async (t) => {
  await using net = await twoHosts()
  const good = await net.fact('udp.py', 'ipv6_checksum', net.path('a'), A6, B6, VETH_NAME)
  t.deepEqual(good, [false, true])
})

test.serial('SO_RXQ_OVFL tells of drops, and says nothing when there were none', async (t) => {
  await using net = await Namespaces.create('a')
  const told = await net.fact('udp.py', 'overflow', net.path('a'), '127.0.0.1') as number[][]
  t.deepEqual(told[0], [])
  t.true((told[1]?.[0] ?? 0) > 50)
})
