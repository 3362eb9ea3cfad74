/**
 * As many connections to one server as one address of a NAT gateway carries, while nodes die: no
 * two share a port, those beyond are refused and counted, and another port of the server still
 * answers.
 *
 *     A, B, C (private) ── NAT gateway, one address ── 198.51.100.10:7, which keeps all connections
 */
import test from 'ava'
import { type Background, eventually } from '../harness/command.ts'
import { internetGateway, OUTSIDE } from '../harness/internet.ts'
import { natGateway } from '../harness/nat.ts'
import { withLab } from '../harness/with_lab.ts'

/** Connections that an address carries to one destination. */
const CONNECTIONS_MAX = 55_000
const CLIENTS = 3
const OPEN_TIMEOUT_MS = 150_000

/**
 * Keeps all connections on ports 7 and 8, shared among processes: each may have some 20,000. Tells
 * how many callers each port has, and who calls twice.
 */
const KEEPER = `
import ctypes, os, selectors, socket, struct
KEPT_MAX, CALL = 15000, struct.Struct('!B4sH')
def listener(port):
  one = socket.socket(); one.bind(('0.0.0.0', port)); one.listen(65535); one.setblocking(False)
  return one
listeners = {port: listener(port) for port in (7, 8)}
calls, tell = os.pipe()
def keep():
  ctypes.CDLL(None).prctl(1, 9) # PR_SET_PDEATHSIG, SIGKILL
  kept, selector = [], selectors.EpollSelector()
  for port, one in listeners.items(): selector.register(one, selectors.EVENT_READ, port)
  while len(kept) < KEPT_MAX:
    for key, _ in selector.select():
      try: connection, (host, port) = key.fileobj.accept()
      except BlockingIOError: continue
      kept.append(connection)
      os.write(tell, CALL.pack(key.data, socket.inet_aton(host), port))
  while True: selectors.DefaultSelector().select(3600)
for _ in range(5):
  if os.fork() == 0: keep()
callers, rest = {7: set(), 8: set()}, b''
print('listening', flush=True)
while True:
  rest += os.read(calls, 65536)
  whole = len(rest) // CALL.size * CALL.size
  for door, host, port in CALL.iter_unpack(rest[:whole]):
    if (host, port) in callers[door]: print('twice', host, port, flush=True)
    callers[door].add((host, port))
  rest = rest[whole:]
  print('callers', len(callers[7]), len(callers[8]), flush=True)
`

/** Opens connections, some hundred at a time, and keeps them: argv count, port. */
const OPENER = `
import resource, selectors, socket, sys
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
count, port = int(sys.argv[1]), int(sys.argv[2])
selector, kept, begun, good, bad = selectors.EpollSelector(), [], 0, 0, 0
while good + bad < count:
  while begun < count and begun - good - bad < 300:
    s = socket.socket(); s.setblocking(False)
    s.connect_ex(('${OUTSIDE}', port)); selector.register(s, selectors.EVENT_WRITE); begun += 1
  for key, _ in selector.select(1):
    selector.unregister(key.fileobj)
    if key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR): bad += 1
    else: good += 1; kept.append(key.fileobj)
print('done: open', good, 'failed', bad, flush=True)
selector.select(3600)
`

const DIAL = `
import socket, sys
socket.create_connection(('${OUTSIDE}', int(sys.argv[1])), 3)
`

test.serial('an address carries 55,000 connections to one server, each from a port of its own',
  withLab({ edges: 3, expectedWarnings: [/data plane worker ended/] }, async (t, lab) => {
    const vpc = await lab.vpc('10.0.0.0/16')
    const open = await lab.subnet(vpc, '10.0.1.0/24')
    const closed = await lab.subnet(vpc, '10.0.2.0/24')
    await internetGateway(lab, vpc)
    const nat = await natGateway(lab, open, closed)
    const clients = [
      ...await lab.instances(closed, { host: 'host-1', count: CLIENTS - 1 }),
      await lab.instance(closed, { host: 'host-2' })
    ]
    const keeper = lab.internetServer('python3', '-c', KEEPER)
    await keeper.printed('listening')
    await lab.internet('sysctl', '-qw', 'net.core.somaxconn=65535',
      'net.ipv4.tcp_max_syn_backlog=65535')
    const openers = clients.map((client, index) => client.start('python3', '-c', OPENER,
      String(Math.floor((CONNECTIONS_MAX + index) / CLIENTS)), '7'))
    await callers(keeper, CONNECTIONS_MAX / 4)
    await lab.killWorker('edge-1')
    for (const opener of openers) await finished(opener)
    t.deepEqual(openers.map(({ output }) => /done: open (\d+) failed (\d+)/.exec(output)?.slice(1)),
      clients.map((_client, index) =>
        [String(Math.floor((CONNECTIONS_MAX + index) / CLIENTS)), '0']))
    await callers(keeper, CONNECTIONS_MAX)

    const [client] = clients
    t.not((await client?.try('python3', '-c', DIAL, '7'))?.code, 0, 'one more')
    await lab.waitDrops(nat.eni, 'port-allocation', 1)
    t.is((await client?.try('python3', '-c', DIAL, '8'))?.code, 0, 'another destination')
    t.notRegex(keeper.output, /twice/, 'two connections from one port')
  }))

/** Waits until that many different callers have come to port 7. */
async function callers (keeper: Background, count: number): Promise<void> {
  await eventually(`${String(count)} callers`, () =>
    Number(/callers (\d+) \d+\n$/.exec(keeper.output)?.[1] ?? 0) >= count, OPEN_TIMEOUT_MS)
}

async function finished (opener: Background): Promise<void> {
  await eventually('all connections are open', () => opener.output.includes('done'),
    OPEN_TIMEOUT_MS)
}
