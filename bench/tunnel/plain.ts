/** The underlay alone: what a veth pair and a bridge carry when nothing is encapsulated. */
import { buildUnderlay, type BuiltSystems } from './system.ts'

export async function buildPlain (underlayMtu: number): Promise<BuiltSystems> {
  const underlay = await buildUnderlay(underlayMtu)
  const [a, b] = underlay.hosts
  return {
    systems: [{ name: 'plain-veth', path: 'two-hosts', a, b }],
    remove: () => underlay.remove()
  }
}
