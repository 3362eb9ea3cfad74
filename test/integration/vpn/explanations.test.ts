/**
 * A tunnel whose ends do not match: what its status says, with stock strongSwan as the customer
 * gateway (site.ts has the topology). The words of every case stand in daemon/ipsec/
 * explain.test.ts; here is shown that they come from charon as it runs.
 */
import test from 'ava'
import { exampleTunnel } from '../../../daemon/ipsec/testing/example_tunnel.ts'
import type { TunnelConfig } from '../../../daemon/ipsec/tunnel.ts'
import { eventually } from '../../harness/command.ts'
import { CGW, site, swanctlConf } from './site.ts'
import type { PeerOptions } from './site.ts'

const NAME = exampleTunnel().name
const NARROW = {
  encryption: ['AES128'], integrity: ['SHA1'], dhGroups: [2], lifetimeSeconds: 3600
} as const

interface Case {
  readonly what: string
  readonly tunnel: Partial<TunnelConfig>
  readonly peer: PeerOptions
  readonly says: RegExp
}

const CASES: readonly Case[] = [
  { what: 'proposal of phase 1', tunnel: { phase1: NARROW }, peer: {}, says: /phase 1.*AES256/ },
  { what: 'proposal of phase 2', tunnel: { phase2: NARROW }, peer: {}, says: /phase 2.*AES256/ },
  { what: 'pre-shared key', tunnel: {}, peer: { secret: 'another' }, says: /keys differ/ },
  {
    what: 'pre-shared key, IKEv1',
    tunnel: {},
    peer: { version: 1, secret: 'another' },
    says: /keys differ/
  },
  {
    what: 'identity',
    tunnel: { remoteId: CGW },
    peer: { id: 'branch.example.com' },
    says: /calls itself "branch\.example\.com".*expects "203/
  },
  {
    what: 'address',
    tunnel: { remoteAddress: '203.0.113.77' },
    peer: {},
    says: /device at "203\.0\.113\.9".*is "203\.0\.113\.77"/
  },
  { what: 'version', tunnel: { ikeVersions: ['ikev2'] }, peer: { version: 1 }, says: /ikev1/ },
  {
    what: 'selectors',
    tunnel: { localSelectors: ['10.0.0.0/16'], remoteSelectors: ['192.168.0.0/16'] },
    peer: { localTs: '172.31.0.0/24', remoteTs: '10.9.0.0/24' },
    says: /wants "10\.9\.0\.0\/24".*has 10\.0\.0\.0\/16/
  }
]

test.serial('a tunnel that does not come up says what does not match', async (t) => {
  await using here = await site()
  for (const { what, tunnel, peer, says } of CASES) {
    await here.edge.engine.open(exampleTunnel(tunnel))
    await here.peer.load(swanctlConf(peer))
    await here.peer.swanctl('--initiate', '--child', 'net', '--timeout', '5')
    const explanation = await eventually(what, () =>
      here.edge.engine.status(NAME)?.explanation ?? undefined)
    t.regex(explanation, says, what)
    t.not(here.edge.engine.status(NAME)?.state, 'up')
    await here.edge.engine.close(NAME)
    await here.peer.swanctl('--terminate', '--ike', 'aws', '--force', '--timeout', '2')
  }
})

test.serial('the explanation goes when the tunnel comes up', async (t) => {
  await using here = await site()
  const { engine } = here.edge
  await engine.open(exampleTunnel())
  await here.peer.load(swanctlConf({ secret: 'another' }))
  await here.peer.swanctl('--initiate', '--child', 'net', '--timeout', '5')
  await eventually('an explanation', () => engine.status(NAME)?.explanation ?? undefined)
  await here.peer.load(swanctlConf())
  await here.peer.swanctl('--initiate', '--child', 'net')
  await eventually('the tunnel is up', () => engine.status(NAME)?.state === 'up')
  t.is(engine.status(NAME)?.explanation, null)
  t.is(engine.status(NAME)?.peerAddress, CGW)
})
