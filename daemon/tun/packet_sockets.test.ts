/** What /proc/net/packet says, as text. The real file is read in
 * test/platform/packet_sockets.test.ts. */
import test from 'ava'
import { listsCapture } from './packet_sockets.ts'

const HEAD = 'sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n'
const line = (protocol: string): string => (
  `ffff8881039d1000 3      3    ${protocol}   2     1 0      0      23456\n`)

test('listsCapture finds nothing when no socket is open', (t) => {
  t.false(listsCapture(HEAD))
})

test('listsCapture finds a socket that takes packets', (t) => {
  t.true(listsCapture(HEAD + line('0003')))
  t.true(listsCapture(HEAD + line('88cc')))
})

test('listsCapture passes over a socket that only sends', (t) => {
  t.false(listsCapture(HEAD + line('0000')))
  t.true(listsCapture(HEAD + line('0000') + line('0003')))
})
