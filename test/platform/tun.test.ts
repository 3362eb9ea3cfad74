/**
 * What the TUN ports rely on (daemon/tun/native/tun.c), shown with the kernel's own calls by
 * test/platform/programs/tun.py.
 */
import test from 'ava'
import { Namespaces } from '../harness/namespaces.ts'

const IP_AND_TCP_BYTES = 40
const IP_AND_UDP_BYTES = 28

async function fact (name: string): Promise<unknown> {
  await using net = await Namespaces.create('a')
  return await net.fact('tun.py', name, net.path('a'))
}

test.serial('a TUN hands over a TCP super-packet whose checksum is still to be done', async (t) => {
  const [type, size, flags, bytes] = await fact('tcp_super_packet') as number[]
  t.deepEqual([type, flags], [1, 1])
  t.true(size === 1000 || size === 988, `GSO size ${String(size)}: the MSS, or less the timestamps`)
  t.true((bytes ?? 0) > 2 * 988 + IP_AND_TCP_BYTES)
})

test.serial('a TUN hands over a UDP super-packet', async (t) => {
  t.deepEqual(await fact('udp_super_packet'), [5, 100, 1, IP_AND_UDP_BYTES + 300])
})

test.serial('a TUN takes a UDP super-packet, which arrives as its datagrams', async (t) => {
  t.deepEqual(await fact('udp_super_packet_written'), [100, 100, 50])
})

test.serial('a persistent TUN outlives its descriptor, and only one can hold it', async (t) => {
  t.deepEqual(await fact('persistence'), [false, true, 'EBUSY'])
})

test.serial('a TUN that is down answers EIO, a deleted one EBADFD and POLLERR', async (t) => {
  const [down, write, read, poll] = await fact('gone') as [string, string, string, number]
  t.deepEqual([down, write, read], ['EIO', 'EBADFD', 'EBADFD'])
  t.is(poll & 8, 8)
})
