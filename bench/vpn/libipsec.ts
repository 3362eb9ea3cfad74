/**
 * Stock strongSwan at both ends, with its ESP in user space (kernel-libipsec), in the namespaces of
 * two hosts that a veth pair and a bridge join.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PEER_DEVICE, StrongSwan } from '../../test/harness/strongswan.ts'
import { buildUnderlay, ip } from '../tunnel/system.ts'
import type { TunnelEnd } from '../tunnel/system.ts'
import { STRONGSWAN_CIPHERS } from './system.ts'
import type { BuiltVpnSystems, Cipher } from './system.ts'

const OUTER_MTU = 1500
const INSIDE = ['10.9.0.1', '10.9.0.2'] as const

export async function buildLibipsec (): Promise<BuiltVpnSystems> {
  await using stack = new AsyncDisposableStack()
  const directory = mkdtempSync(join(tmpdir(), 'vpclab-bench-'))
  stack.defer(() => { rmSync(directory, { recursive: true }) })
  const underlay = await buildUnderlay(OUTER_MTU)
  stack.defer(() => underlay.remove())
  const peers: StrongSwan[] = []
  for (const [at, { namespace }] of underlay.hosts.entries()) {
    await ip(namespace, `addr add ${INSIDE[at]!}/32 dev lo`)
    const peer = stack.use(await StrongSwan.start(namespace, join(directory, String(at))))
    await ip(namespace, `route add ${INSIDE[1 - at]!}/32 dev ${PEER_DEVICE} src ${INSIDE[at]!}`)
    peers.push(peer)
  }
  const kept = stack.move()
  const [a, b] = INSIDE.map((address, at): TunnelEnd =>
    ({ namespace: underlay.hosts[at]!.namespace, address })) as [TunnelEnd, TunnelEnd]
  const use = async (cipher: Cipher): Promise<void> => {
    await peers[0]!.swanctl('--terminate', '--ike', 'bench', '--force')
    for (const [at, peer] of peers.entries()) await peer.load(conf(at, underlay.hosts, cipher))
    const { code, stdout } = await peers[0]!.swanctl('--initiate', '--child', 'net')
    if (code !== 0) throw new Error(`Cannot bring the tunnel up: ${stdout}`)
  }
  return {
    systems: [{ name: 'strongSwan libipsec', path: 'two-hosts', a, b, use,
      carriers: peers.map(({ pid }) => pid) }],
    remove: () => kept.disposeAsync()
  }
}

function conf (at: number, hosts: readonly TunnelEnd[], cipher: Cipher): string {
  const [local, remote] = [hosts[at]!.address, hosts[1 - at]!.address]
  return `connections { bench {
  version = 2
  local_addrs = ${local}
  remote_addrs = ${remote}
  proposals = aes256-sha256-ecp384
  mobike = no
  local { auth = psk
    id = ${local} }
  remote { auth = psk
    id = ${remote} }
  children { net {
    local_ts = ${INSIDE[at]!}/32
    remote_ts = ${INSIDE[1 - at]!}/32
    esp_proposals = ${STRONGSWAN_CIPHERS[cipher]}-ecp384
  } }
} }
secrets { ike-bench { secret = "bench.secret_9" } }
`
}
