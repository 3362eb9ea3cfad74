/**
 * wireguard-go (Debian package `wireguard-go`), WireGuard in userspace, encrypting: one daemon per
 * host, set up over its own control socket (wireguard.com/xplatform).
 */
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { Background, eventually, inside } from '../../test/harness/command.ts'
import { installed } from '../../test/harness/lab.ts'
import { buildUnderlay, type BuiltSystems, ip, type TunnelEnd } from './system.ts'

/** IPv4, UDP, WireGuard's header and tag: 20 + 8 + 16 + 16. */
const WIREGUARD_OVERHEAD_BYTES = 60
const WIREGUARD_PORT = 51820
const ADDRESSES = ['10.1.0.1', '10.1.0.2'] as const

export async function buildWireguard (underlayMtu: number): Promise<BuiltSystems | null> {
  if (!await installed('wireguard-go')) return null
  const underlay = await buildUnderlay(underlayMtu)
  const keys = [generateKeyPairSync('x25519'), generateKeyPairSync('x25519')] as const
  const daemons: Background[] = []
  const ends: TunnelEnd[] = []
  for (const [index, host] of underlay.hosts.entries()) {
    const other = 1 - index as 0 | 1
    const address = ADDRESSES[index] ?? ''
    const device = `wg${randomBytes(3).toString('hex')}`
    daemons.push(new Background('ip', inside(host.namespace, ['wireguard-go', '-f', device]), {
      ...process.env, WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD: '1', LOG_LEVEL: 'error'
    }))
    const answer = await eventually(`control socket of ${device}`, () => configure(device, [
      'set=1',
      `private_key=${rawKey(keys[index as 0 | 1].privateKey)}`,
      `listen_port=${String(WIREGUARD_PORT)}`,
      `public_key=${rawKey(keys[other].publicKey)}`,
      `endpoint=${underlay.hosts[other].address}:${String(WIREGUARD_PORT)}`,
      'allowed_ip=10.1.0.0/24'
    ]).catch(() => undefined))
    if (!answer.includes('errno=0')) throw new Error(`wireguard-go refused its settings: ${answer}`)
    await ip(host.namespace, `addr add ${address}/24 dev ${device}`)
    await ip(host.namespace,
      `link set ${device} mtu ${String(underlayMtu - WIREGUARD_OVERHEAD_BYTES)} up`)
    ends.push({ namespace: host.namespace, address })
  }
  const [a, b] = ends as [TunnelEnd, TunnelEnd]
  return {
    systems: [{ name: 'wireguard-go', path: 'two-hosts', a, b }],
    async remove () {
      for (const daemon of daemons) await daemon.stop()
      await underlay.remove()
    }
  }
}

/** The 32 bytes of an X25519 key, the last in both of its DER forms, as hex. */
function rawKey (key: KeyObject): string {
  const der = key.type === 'private'
    ? key.export({ format: 'der', type: 'pkcs8' })
    : key.export({ format: 'der', type: 'spki' })
  return der.subarray(-32).toString('hex')
}

/** Sends settings to a daemon's control socket. @returns its answer, `errno=0` when they hold */
function configure (device: string, lines: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(`/var/run/wireguard/${device}.sock`)
    socket.on('error', reject)
    socket.on('data', (answer) => {
      resolve(answer.toString())
      socket.end()
    })
    socket.write(`${lines.join('\n')}\n\n`)
  })
}
