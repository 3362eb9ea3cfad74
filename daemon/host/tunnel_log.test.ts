import test from 'ava'
import type { AppliedChange } from '../model/commit_feed.ts'
import { tunnelKey } from '../model/vpn_status.ts'
import { LINES_MAX, TunnelLog } from './tunnel_log.ts'

const VPN = 'vpn-00000000000000001'
const KEY = tunnelKey(VPN, '203.0.113.1')

function bgp (isUp: boolean, message: string | null): object { return { id: KEY, isUp, message } }

test('sessions are told of when they come, go, or are down for another reason', (t) => {
  const log = new TunnelLog()
  const commit = (record: object | null, previous: object | null): void => {
    log.onCommit([{ noun: 'bgpSession', id: KEY, record, previous } as AppliedChange], 7)
  }
  commit(bgp(false, 'the peer does not answer'), null)
  commit(bgp(false, 'the peer does not answer'), bgp(false, 'the peer does not answer'))
  commit(bgp(false, 'Bad Peer AS'), bgp(false, 'the peer does not answer'))
  commit(bgp(true, null), bgp(false, 'Bad Peer AS'))
  commit(null, bgp(true, null))
  t.deepEqual(log.of(KEY), [
    { atMs: 7, source: 'bgp', text: 'down: the peer does not answer' },
    { atMs: 7, source: 'bgp', text: 'down: Bad Peer AS' },
    { atMs: 7, source: 'bgp', text: 'up' }
  ])
})

test('the newest lines are kept, and go with the connection', (t) => {
  const log = new TunnelLog()
  for (let atMs = 0; atMs <= LINES_MAX; atMs++) log.add(KEY, { atMs, source: 'ike', text: 'x' })
  t.is(log.of(KEY).length, LINES_MAX)
  t.is(log.of(KEY)[0]?.atMs, 1)
  log.onCommit([{ noun: 'vpnConnection', id: VPN, record: null, previous: {} } as AppliedChange], 0)
  t.deepEqual(log.of(KEY), [])
})
