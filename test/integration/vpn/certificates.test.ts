/**
 * Tunnels that prove themselves by certificate, from any address (site.ts has the topology). The
 * private authority of the customer signs both ends, as with AWS Private CA.
 */
import test from 'ava'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exampleTunnel } from '../../../daemon/ipsec/testing/example_tunnel.ts'
import type { TunnelConfig } from '../../../daemon/ipsec/tunnel.ts'
import { certify, certifyExpired, makeAuthority } from '../../harness/certificates.ts'
import type { Certified } from '../../harness/certificates.ts'
import { eventually } from '../../harness/command.ts'
import { INSTANCE, OUTSIDE, site } from './site.ts'

const NAME = exampleTunnel().name
const GATEWAY = 'branch.example.com'
const AWS = 'vpn.example.com'

function swanctlConf (own: Certified, authority: Certified): string {
  return `connections { aws {
  remote_addrs = ${OUTSIDE}
  mobike = no
  local { auth = pubkey
    id = ${GATEWAY}
    cert1 { file = ${own.certificatePath} } }
  remote { auth = pubkey
    id = ${AWS}
    cacert1 { file = ${authority.certificatePath} } }
  children { net {
    local_ts = 0.0.0.0/0
    remote_ts = 0.0.0.0/0
    esp_proposals = aes256gcm16-modp2048
  } }
} }
`
}

test.serial('certificates of one authority, a gateway at any address, one that it does not know, ' +
  'and one that has expired',
  async (t) => {
    await using here = await site()
    const directory = mkdtempSync(join(tmpdir(), 'vpclab-certificates-'))
    try {
      const authority = await makeAuthority(directory, 'root')
      const ours = await certify(directory, authority, 'aws', `DNS:${AWS}`)
      const theirs = await certify(directory, authority, 'gateway', `DNS:${GATEWAY}`)
      const stranger = await certify(
        directory, await makeAuthority(directory, 'other'), 'stranger', `DNS:${GATEWAY}`)
      const tunnel = exampleTunnel({
        remoteAddress: null,
        localId: AWS,
        remoteId: GATEWAY,
        authentication: {
          kind: 'certificate',
          certificate: ours.certificate,
          privateKey: ours.privateKey,
          issuer: authority.certificate,
          chain: [],
          revocationLists: []
        }
      } satisfies Partial<TunnelConfig>)
      const { engine } = here.edge
      await engine.open(tunnel)

      await here.peer.load(swanctlConf(stranger, authority), stranger.privateKey)
      await here.peer.swanctl('--initiate', '--child', 'net', '--timeout', '5')
      const explanation = await eventually('an explanation', () =>
        engine.status(NAME)?.explanation ?? undefined)
      t.regex(explanation, /No certificate of "branch\.example\.com" leads to an authority/,
        here.edge.ikeLog)

      const expired =
        await certifyExpired(directory, authority, 'expired', `DNS:${GATEWAY}`)
      await here.peer.load(swanctlConf(expired, authority), expired.privateKey)
      const refused =
        await here.peer.swanctl('--initiate', '--child', 'net', '--timeout', '5')
      t.regex(refused.stdout, /AUTHENTICATION_FAILED/)
      await eventually('that it has expired', () =>
        /certificate of the customer gateway is not valid now: "valid from .* to /
          .test(engine.status(NAME)?.explanation ?? ''))
      t.not(engine.status(NAME)?.state, 'up')

      await here.peer.load(swanctlConf(theirs, authority), theirs.privateKey)
      await here.peer.swanctl('--initiate', '--child', 'net', '--timeout', '5')
      await eventually('the tunnel is up', () => engine.status(NAME)?.state === 'up')
      const ping = await here.net.run('cgw', 'ping', '-c', '2', '-i', '0.2', INSTANCE)
      t.regex(ping.stdout, / 0% packet loss/)
      t.is(engine.status(NAME)?.peerId, GATEWAY)
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
