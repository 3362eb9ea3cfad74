/**
 * A NAT gateway against TCP between two hosts, in packets of the same size: throughput, the time
 * that it adds to a round trip, and new connections per second. Runs alternate, and each ratio is
 * of one run.
 *
 *     plain   a ── host-1 ══ underlay ══ host-2 ── b
 *     nat     a ── host-1 ══ underlay ══ node of the flow's slot ── router ── 198.51.100.10
 *
 * A connection counts when it stands: each is replicated to the two other nodes first.
 */
import { internetNamespace } from '../../daemon/host/paths.ts'
import { inside, tryCommand } from '../../test/harness/command.ts'
import { internetGateway, OUTSIDE } from '../../test/harness/internet.ts'
import type { Instance } from '../../test/harness/instance.ts'
import { Lab } from '../../test/harness/lab.ts'
import { natGateway } from '../../test/harness/nat.ts'
import type { EdgeOptions } from '../edge.ts'
import { median } from '../statistics.ts'
import type { TunnelSystem } from '../tunnel/system.ts'
import { oneRun, UNDERLAY_MTU, warmUp } from './ways.ts'

const PINGS = 200

/** Accepts on 7 and closes what its peer closes, as fast as it can. */
const ACCEPTOR = `
import selectors, socket
sel = selectors.DefaultSelector()
l = socket.socket()
l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
l.bind(('0.0.0.0', 7)); l.listen(4096); l.setblocking(False)
sel.register(l, selectors.EVENT_READ)
while True:
  for key, _ in sel.select():
    if key.fileobj is l:
      for _ in range(64):
        try: c, _ = l.accept()
        except BlockingIOError: break
        sel.register(c, selectors.EVENT_READ)
    else:
      sel.unregister(key.fileobj); key.fileobj.close()
`

/** Keeps 64 connections in the making for some seconds. Prints how many stood, per second. */
const DIALLER = `
import selectors, socket, struct, sys, time
sel = selectors.DefaultSelector()
done, begin, seconds = 0, time.time(), float(sys.argv[1])
def dial():
  s = socket.socket(); s.setblocking(False)
  s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
  s.connect_ex(('${OUTSIDE}', 7)); sel.register(s, selectors.EVENT_WRITE)
for _ in range(64): dial()
while time.time() - begin < seconds:
  for key, _ in sel.select(0.1):
    s = key.fileobj
    if s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0: done += 1
    sel.unregister(s); s.close(); dial()
print(done / (time.time() - begin))
`

interface NatFigures {
  readonly natGbps: number
  readonly natVsPlain: number
  readonly natAddedUs: number
  readonly natConnectionsPerSecond: number
}

export async function measureNatGateway (
  options: EdgeOptions): Promise<Record<keyof NatFigures, number>> {
  const lab = await Lab.start({ edges: 3, underlayMtu: UNDERLAY_MTU })
  try {
    const { systems, a } = await build(lab)
    await warmUp(systems)
    const runs: Record<string, number>[] = []
    const addedUs: number[] = []
    for (let number = 1; number <= options.runs; number++) {
      runs.push(await oneRun(systems, options.seconds, number))
      const [plain = 0, nat = 0] = await Promise.all(systems.map(rttUs))
      addedUs.push(nat - plain)
    }
    return {
      natGbps: median(runs.map((run) => run['nat'] ?? 0)),
      natVsPlain: median(runs.map((run) => (run['nat'] ?? 0) / (run['plain'] ?? 1))),
      natAddedUs: median(addedUs),
      natConnectionsPerSecond: await connectionsPerSecond(lab, a, options)
    }
  } finally {
    const left = await lab.down()
    if (left.length > 0) console.error(`The lab left behind: ${left.join(', ')}`)
  }
}

async function build (lab: Lab): Promise<{ systems: TunnelSystem[], a: Instance }> {
  const vpc = await lab.vpc('10.0.0.0/16')
  const publicSubnet = await lab.subnet(vpc, '10.0.1.0/24')
  const privateSubnet = await lab.subnet(vpc, '10.0.2.0/24')
  await internetGateway(lab, vpc)
  await natGateway(lab, publicSubnet, privateSubnet)
  const a = await lab.instance(privateSubnet, { host: 'host-1' })
  const b = await lab.instance(privateSubnet, { host: 'host-2' })
  const from = { namespace: a.namespace, address: a.ipv4 }
  return {
    a,
    systems: [
      { name: 'plain', path: 'two-hosts', a: from, b: { namespace: b.namespace, address: b.ipv4 } },
      { name: 'nat', path: 'two-hosts', a: from,
        b: { namespace: internetNamespace(lab.name), address: OUTSIDE } }
    ]
  }
}

/** Mean round trip of an echo, µs. */
async function rttUs ({ a, b }: TunnelSystem): Promise<number> {
  const { stdout } = await tryCommand('ip', inside(a.namespace,
    ['ping', '-q', '-c', String(PINGS), '-i', '0.01', b.address]))
  return Number(/= [\d.]+\/([\d.]+)\//.exec(stdout)?.[1] ?? Number.NaN) * 1000
}

async function connectionsPerSecond (
  lab: Lab, a: Instance, options: EdgeOptions): Promise<number> {
  const acceptor = lab.internetServer('python3', '-c', ACCEPTOR)
  try {
    return Number(await a.exec('python3', '-c', DIALLER, String(2 * options.seconds)))
  } finally {
    await acceptor.stop()
  }
}
