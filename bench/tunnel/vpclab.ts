/**
 * vpclab itself: one subnet, two instances on host-1 and one on host-2; in clear and encrypted, as
 * two labs.
 */
import { Lab } from '../../test/harness/lab.ts'
import type { Instance } from '../../test/harness/instance.ts'
import type { BuiltSystems, TunnelEnd, TunnelSystem } from './system.ts'

export async function buildVpclab (underlayMtu: number): Promise<BuiltSystems> {
  return await build(underlayMtu, 'vpclab', ['two-hosts', 'one-host'], [])
}

/** The same with the underlay encrypted; what stays on one host does not cross it. */
export async function buildVpclabEncrypted (underlayMtu: number): Promise<BuiltSystems> {
  return await build(
    underlayMtu, 'vpclab-encrypted', ['two-hosts'], ['--underlay-encryption', 'on'])
}

async function build (
  underlayMtu: number, name: string, paths: readonly TunnelSystem['path'][],
  flags: readonly string[]
): Promise<BuiltSystems> {
  const lab = await Lab.start({ underlayMtu, flags })
  const vpc = await lab.vpc('10.0.0.0/16')
  const subnet = await lab.subnet(vpc, '10.0.1.0/24')
  const a = end(await lab.instance(subnet, { host: 'host-1' }))
  const neighbour = end(await lab.instance(subnet, { host: 'host-1' }))
  const b = end(await lab.instance(subnet, { host: 'host-2' }))
  return {
    systems: paths.map((path) => ({ name, path, a, b: path === 'two-hosts' ? b : neighbour })),
    async remove () {
      const left = await lab.down()
      if (left.length > 0) throw new Error(`The lab left behind: ${left.join(', ')}`)
    }
  }
}

function end ({ namespace, ipv4 }: Instance): TunnelEnd {
  return { namespace, address: ipv4 }
}
