/**
 * What the tunnel bench compares: two ends that can talk IP to each other, however that is done.
 * All systems stand on the same underlay: a namespace with a bridge, and one namespace per host
 * joined to it by a veth, as a lab has it (daemon/host/topology.ts).
 */
import { randomBytes } from 'node:crypto'
import { command, eventually, inside, tryCommand } from '../../test/harness/command.ts'

export interface TunnelEnd {
  readonly namespace: string
  readonly address: string
}

export interface TunnelSystem {
  /** `kernel-vxlan` */
  readonly name: string
  readonly path: 'two-hosts' | 'one-host'
  readonly a: TunnelEnd
  readonly b: TunnelEnd
}

/** Some systems that stand at once, and how they go away. */
export interface BuiltSystems {
  readonly systems: readonly TunnelSystem[]
  remove(): Promise<void>
}

/** Builds systems over an underlay of that MTU; null when a program they need is not installed. */
export type SystemBuilder = (underlayMtu: number) => Promise<BuiltSystems | null>

export interface Underlay {
  /** First letters of every name, unique. */
  readonly prefix: string
  readonly hosts: readonly [TunnelEnd, TunnelEnd]
  remove(): Promise<void>
}

const UNDERLAY_ADDRESSES = ['100.127.0.1', '100.127.0.2'] as const

/** Makes the underlay with two hosts. */
export async function buildUnderlay (underlayMtu: number): Promise<Underlay> {
  const prefix = `b${randomBytes(3).toString('hex')}`
  const bridge = `${prefix}-underlay`
  const namespaces = [bridge, `${prefix}-host-1`, `${prefix}-host-2`]
  for (const namespace of namespaces) {
    await command('ip', 'netns', 'add', namespace)
    await ip(namespace, 'link set lo up')
  }
  await ip(bridge, 'link add br0 type bridge')
  await ip(bridge, `link set br0 mtu ${String(underlayMtu)} up`)
  for (const [index, address] of UNDERLAY_ADDRESSES.entries()) {
    const host = `${prefix}-host-${String(index + 1)}`
    const port = `host-${String(index + 1)}`
    await ip(host, `link add underlay0 type veth peer name ${port} netns ${bridge}`)
    await ip(host, `addr add ${address}/16 dev underlay0`)
    await ip(host, `link set underlay0 mtu ${String(underlayMtu)} up`)
    await ip(bridge, `link set ${port} mtu ${String(underlayMtu)} master br0 up`)
  }
  return {
    prefix,
    hosts: [
      { namespace: `${prefix}-host-1`, address: UNDERLAY_ADDRESSES[0] },
      { namespace: `${prefix}-host-2`, address: UNDERLAY_ADDRESSES[1] }
    ],
    async remove () {
      for (const namespace of namespaces) await command('ip', 'netns', 'del', namespace)
    }
  }
}

/** One `ip` command inside a namespace, as it would be typed. */
export async function ip (namespace: string, line: string): Promise<void> {
  await command('ip', '-n', namespace, ...line.split(' '))
}

/** Waits until the two ends reach each other. */
export async function whenReachable ({ name, a, b }: TunnelSystem): Promise<void> {
  await eventually(`${name}: ${b.address} answers`, async () => {
    const ping = ['ping', '-c', '1', '-W', '1', b.address]
    return (await tryCommand('ip', inside(a.namespace, ping))).code === 0
  })
}
