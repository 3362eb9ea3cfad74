/**
 * The kernel's own VXLAN: on each host a bridge with the VXLAN device and a veth to an instance's
 * namespace. The yardstick: it hands 64 KB packets from host to host by reference.
 */
import { command } from '../../test/harness/command.ts'
import { buildUnderlay, type BuiltSystems, ip, type TunnelEnd } from './system.ts'

/** Outer Ethernet's inner twin, IPv4, UDP and VXLAN: 14 + 20 + 8 + 8. */
const VXLAN_OVERHEAD_BYTES = 50
const VNI = 42

export async function buildVxlan (underlayMtu: number): Promise<BuiltSystems> {
  const underlay = await buildUnderlay(underlayMtu)
  const [host1, host2] = underlay.hosts
  const mtu = String(underlayMtu - VXLAN_OVERHEAD_BYTES)
  const ends: TunnelEnd[] = []
  for (const [index, host] of underlay.hosts.entries()) {
    const remote = index === 0 ? host2 : host1
    const namespace = `${underlay.prefix}-i-${String(index + 1)}`
    const address = `10.0.0.${String(index + 1)}`
    await command('ip', 'netns', 'add', namespace)
    await ip(host.namespace, `link add vxlan0 type vxlan id ${String(VNI)} local ${host.address}` +
      ` remote ${remote.address} dstport 4789`)
    await ip(host.namespace, 'link add br0 type bridge')
    await ip(host.namespace, `link add instance type veth peer name eth0 netns ${namespace}`)
    await ip(host.namespace, `link set vxlan0 mtu ${mtu} master br0 up`)
    await ip(host.namespace, `link set instance mtu ${mtu} master br0 up`)
    await ip(host.namespace, 'link set br0 up')
    await ip(namespace, `addr add ${address}/24 dev eth0`)
    await ip(namespace, `link set eth0 mtu ${mtu} up`)
    ends.push({ namespace, address })
  }
  const [a, b] = ends as [TunnelEnd, TunnelEnd]
  return {
    systems: [{ name: 'kernel-vxlan', path: 'two-hosts', a, b }],
    async remove () {
      for (const end of ends) await command('ip', 'netns', 'del', end.namespace)
      await underlay.remove()
    }
  }
}
