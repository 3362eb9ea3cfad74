/** vpclab itself: one subnet, two instances on host-1 and one on host-2. */
import { Lab } from '../../test/harness/lab.ts'
import type { Instance } from '../../test/harness/instance.ts'
import type { BuiltSystems, TunnelEnd } from './system.ts'

export async function buildVpclab (underlayMtu: number): Promise<BuiltSystems> {
  const lab = await Lab.start({ underlayMtu })
  const vpc = await lab.vpc('10.0.0.0/16')
  const subnet = await lab.subnet(vpc, '10.0.1.0/24')
  const a = end(await lab.instance(subnet, { host: 'host-1' }))
  const neighbour = end(await lab.instance(subnet, { host: 'host-1' }))
  const b = end(await lab.instance(subnet, { host: 'host-2' }))
  return {
    systems: [
      { name: 'vpclab', path: 'two-hosts', a, b },
      { name: 'vpclab', path: 'one-host', a, b: neighbour }
    ],
    async remove () {
      const left = await lab.down()
      if (left.length > 0) throw new Error(`The lab left behind: ${left.join(', ')}`)
    }
  }
}

function end ({ namespace, ipv4 }: Instance): TunnelEnd {
  return { namespace, address: ipv4 }
}
