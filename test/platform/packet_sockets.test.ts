/**
 * /proc/net/packet, opened once inside a namespace, goes on telling of the packet sockets there
 * when it is read from outside (daemon/tun/packet_sockets.ts).
 */
import test from 'ava'
import { watchPacketSockets } from '../../daemon/tun/packet_sockets.ts'
import { Background, eventually, inside } from '../harness/command.ts'
import { Namespaces } from '../harness/namespaces.ts'

const tcpdump = (namespace: string): Background => (
  new Background('ip', inside(namespace, ['tcpdump', '-i', 'lo', '-w', '/dev/null'])))

test('a capture shows while it runs, in its own namespace only', async (t) => {
  await using net = await Namespaces.create('a', 'b')
  const [watchA, watchB] = [watchPacketSockets(net.path('a')), watchPacketSockets(net.path('b'))]
  t.deepEqual([watchA.isCapturing(), watchB.isCapturing()], [false, false])
  const capture = tcpdump(net.name('a'))
  await capture.printed('listening on')
  t.deepEqual([watchA.isCapturing(), watchB.isCapturing()], [true, false])
  await capture.stop('SIGINT')
  await eventually('the socket is gone', () => !watchA.isCapturing())
  watchA.close()
  watchB.close()
  t.pass()
})

test('watching a namespace that is not there says which', (t) => {
  t.throws(() => watchPacketSockets('/run/netns/absent'), {
    message: 'Cannot list the packet sockets of "/run/netns/absent": open namespace: ENOENT'
  })
})
