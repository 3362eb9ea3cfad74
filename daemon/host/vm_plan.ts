/**
 * What the namespace of a virtual machine must look like, and which lines of `ip` lead there. Pure.
 *
 * A TAP has two ends, a device and a descriptor. Here the data plane and qemu each need the
 * descriptor's end, so an ENI is two TAPs with a bridge between them:
 *
 *     data plane ── eth0 ═ br0 ═ vm0 ── qemu ── the guest's network card
 *
 * The bridge learns nothing and floods, which between two ports is a wire: frames with a forged
 * source come to the data plane, which counts them, and confuse nobody. Super-packets cross it in
 * one piece. The namespace has no addresses, and IPv6 is off in it, so that the kernel says nothing
 * of its own to either side.
 */
import type { DesiredInterface, InstancePlan } from './instance_plan.ts'
import type { LinkView, NamespaceView } from './namespace_view.ts'

/** Devices of ENI n end in n. */
const DEVICE_PATTERN = /^(eth|br|vm)(\d{1,2})$/

/** The device whose descriptor qemu holds. */
export function vmDevice (deviceIndex: number): string { return `vm${String(deviceIndex)}` }

/**
 * Indices of the cards that the virtual machine may have while it runs: qemu opens their devices
 * when it starts, and may not later, for it then has no privileges left.
 * @param cardsMax ENIs that the instance's type allows
 */
export function cardIndices (desired: readonly DesiredInterface[], cardsMax: number): number[] {
  const indices = new Set(desired.map(({ deviceIndex }) => deviceIndex))
  for (let index = 0; index < cardsMax; index++) indices.add(index)
  return [...indices]
}

/** @param cardsMax as cardIndices() */
export function planVm (
  desired: readonly DesiredInterface[], view: NamespaceView, cardsMax: number
): InstancePlan {
  const lines: string[] = []
  const createdDevices: string[] = []
  const indices = cardIndices(desired, cardsMax)
  const create = (device: string): void => {
    if (linkOf(view, device) !== undefined) return
    lines.push(`tuntap add dev ${device} mode tap vnet_hdr`)
    createdDevices.push(device)
  }
  for (const { name } of view.links) {
    const [, kind, digits] = DEVICE_PATTERN.exec(name) ?? []
    if (kind === undefined) continue
    const index = Number(digits)
    const isWanted = kind === 'vm' ? indices.includes(index)
      : desired.some(({ deviceIndex }) => deviceIndex === index)
    if (!isWanted) lines.push(`link del ${name}`)
  }
  for (const index of indices) create(vmDevice(index))
  for (const { deviceIndex, mtu } of desired) {
    const bridge = `br${String(deviceIndex)}`
    const found = linkOf(view, bridge)
    if (found === undefined) {
      lines.push(`link add ${bridge} type bridge stp_state 0 mcast_snooping 0`)
    }
    raise(bridge, found, mtu, lines)
    create(`eth${String(deviceIndex)}`)
    for (const device of [`eth${String(deviceIndex)}`, vmDevice(deviceIndex)]) {
      const link = linkOf(view, device)
      raise(device, link, mtu, lines)
      if (found !== undefined && link?.bridge === bridge) continue
      lines.push(`link set ${device} master ${bridge}`,
        `link set ${device} type bridge_slave learning off flood on`)
    }
  }
  return { lines, ipv6Lines: [], createdDevices }
}

function linkOf ({ links }: NamespaceView, name: string): LinkView | undefined {
  return links.find((link) => link.name === name)
}

function raise (name: string, link: LinkView | undefined, mtu: number, lines: string[]): void {
  if (link?.up === true && link.mtu === mtu) return
  lines.push(`link set ${name} addrgenmode none mtu ${String(mtu)} up`)
}
