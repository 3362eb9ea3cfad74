/**
 * nebula (Debian package `nebula`), a userspace overlay in Go that encrypts: one daemon per host,
 * host-1 is the lighthouse. Its certificates and settings live in a folder of their own.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Background, command, inside } from '../../test/harness/command.ts'
import { installed } from '../../test/harness/lab.ts'
import { buildUnderlay, type BuiltSystems, type TunnelEnd } from './system.ts'

/** IPv4, UDP, nebula's header, AES-GCM tag: 20 + 8 + 16 + 16. */
const NEBULA_OVERHEAD_BYTES = 60
const NEBULA_PORT = 4242
const ADDRESSES = ['192.168.100.1', '192.168.100.2'] as const

export async function buildNebula (underlayMtu: number): Promise<BuiltSystems | null> {
  if (!await installed('nebula') || !await installed('nebula-cert')) return null
  const underlay = await buildUnderlay(underlayMtu)
  const folder = mkdtempSync(join(tmpdir(), 'vpclab-bench-nebula-'))
  const path = (name: string): string => join(folder, name)
  await command('nebula-cert', 'ca', '-name', 'bench', '-out-crt', path('ca.crt'),
    '-out-key', path('ca.key'))
  const daemons: Background[] = []
  for (const [index, host] of underlay.hosts.entries()) {
    const name = `host-${String(index + 1)}`
    await command('nebula-cert', 'sign', '-name', name, '-ip', `${ADDRESSES[index] ?? ''}/24`,
      '-ca-crt', path('ca.crt'), '-ca-key', path('ca.key'),
      '-out-crt', path(`${name}.crt`), '-out-key', path(`${name}.key`))
    writeFileSync(path(`${name}.json`), JSON.stringify(
      settings(path, name, index === 0, underlay.hosts[0], underlayMtu)))
    daemons.push(new Background('ip', inside(host.namespace,
      ['nebula', '-config', path(`${name}.json`)])))
  }
  const [{ namespace: first }, { namespace: second }] = underlay.hosts
  return {
    systems: [{
      name: 'nebula',
      path: 'two-hosts',
      a: { namespace: first, address: ADDRESSES[0] },
      b: { namespace: second, address: ADDRESSES[1] }
    }],
    async remove () {
      for (const daemon of daemons) await daemon.stop()
      await underlay.remove()
      rmSync(folder, { recursive: true })
    }
  }
}

/** nebula reads YAML, and JSON is YAML. */
function settings (
  path: (name: string) => string, name: string, isLighthouse: boolean, lighthouse: TunnelEnd,
  underlayMtu: number): object {
  return {
    pki: { ca: path('ca.crt'), cert: path(`${name}.crt`), key: path(`${name}.key`) },
    static_host_map: {
      [ADDRESSES[0]]: [`${lighthouse.address}:${String(NEBULA_PORT)}`]
    },
    lighthouse: { am_lighthouse: isLighthouse, hosts: isLighthouse ? [] : [ADDRESSES[0]] },
    listen: { host: '0.0.0.0', port: NEBULA_PORT },
    tun: { dev: 'nebula0', mtu: underlayMtu - NEBULA_OVERHEAD_BYTES },
    logging: { level: 'warning', format: 'text' },
    firewall: {
      outbound: [{ port: 'any', proto: 'any', host: 'any' }],
      inbound: [{ port: 'any', proto: 'any', host: 'any' }]
    }
  }
}
