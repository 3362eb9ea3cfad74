/**
 *     internet 198.51.100.10 ── router ── edge-1, edge-2, edge-3 ── underlay ── host-1: A
 *                                         HyperPlane nodes, one shard           host-2: B
 *
 * VPC 10.0.0.0/16: public subnet 10.0.1.0/24 with the NAT gateway, private subnet 10.0.2.0/24 with
 * the instances.
 */
import test from 'ava'
import type { ReachAnswer } from '../../daemon/api/admin/contract.ts'
import { type Background, eventually, ROOT, tryCommand } from '../harness/command.ts'
import { internetGateway, listening, OUTSIDE } from '../harness/internet.ts'
import type { Lab } from '../harness/lab.ts'
import { natGateway } from '../harness/nat.ts'
import { withLab } from '../harness/with_lab.ts'

/** Says who calls, with the port, and echoes what it is told on port 7: lines of text. */
const SERVER = `
import socketserver, threading, socket
class Who(socketserver.StreamRequestHandler):
  def handle(self):
    self.wfile.write(('%s %d\\n' % self.client_address[:2]).encode())
class Echo(socketserver.StreamRequestHandler):
  def handle(self):
    for line in self.rfile: self.wfile.write(line)
class Server(socketserver.ThreadingTCPServer):
  allow_reuse_address = True
  daemon_threads = True
  request_queue_size = 2048
def datagrams():
  s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
  s.bind(('0.0.0.0', 9))
  while True:
    data, peer = s.recvfrom(65535)
    s.sendto(str(len(data)).encode(), peer)
threading.Thread(target=datagrams, daemon=True).start()
threading.Thread(target=Server(('0.0.0.0', 7), Echo).serve_forever, daemon=True).start()
Server(('0.0.0.0', 80), Who).serve_forever()
`

/**
 * Opens connections to an echo server and keeps them; when the file appears, says one word on each
 * and counts those that answer.
 */
const OPENER = `
import os, select, socket, sys
from concurrent.futures import ThreadPoolExecutor
def dial(i): return socket.create_connection(('${OUTSIDE}', 7), 30)
open_ = list(ThreadPoolExecutor(50).map(dial, range(int(sys.argv[1]))))
print('open', len(open_), flush=True)
while not os.path.exists(sys.argv[2]): select.select([], [], [], 0.05)
good = 0
for s in open_:
  try: s.sendall(b'hello\\n')
  except OSError: pass
for s in open_:
  try:
    s.settimeout(30)
    if s.recv(6) == b'hello\\n': good += 1
  except OSError: pass
print('good', good, flush=True)
`

const WHO = `
import socket
s = socket.create_connection(('${OUTSIDE}', 80), 5)
print(s.makefile().readline().strip())
`

const DATAGRAM = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(5)
s.sendto(b'x' * 4000, ('${OUTSIDE}', 9))
print(s.recv(100).decode())
`

/** Waits until a program has said something: 500 connections take their time on a busy machine. */
async function said (program: Background, text: string): Promise<void> {
  await eventually(`"${text}", not: ${program.output}`, () => program.output.includes(text), 90_000)
}

async function world (lab: Lab) {
  const vpc = await lab.vpc('10.0.0.0/16')
  const publicSubnet = await lab.subnet(vpc, '10.0.1.0/24')
  const privateSubnet = await lab.subnet(vpc, '10.0.2.0/24')
  await internetGateway(lab, vpc)
  const nat = await natGateway(lab, publicSubnet, privateSubnet)
  const server = lab.internetServer('python3', '-c', SERVER)
  return { vpc, nat, privateSubnet, server }
}

test.serial('private instances share one address, each flow with a port of its own',
  withLab({ edges: 3 }, async (t, lab) => {
    const { nat, privateSubnet, server } = await world(lab)
    const [a, b] = [
      await lab.instance(privateSubnet, { host: 'host-1' }),
      await lab.instance(privateSubnet, { host: 'host-2' })
    ]
    await listening(server, () => lab.internet('python3', '-c', WHO.replace(OUTSIDE, '127.0.0.1')))
    const seen: string[] = []
    for (let turn = 0; turn < 10; turn++) {
      for (const one of [a, b]) seen.push((await one.exec('python3', '-c', WHO)).trim())
    }
    t.deepEqual([...new Set(seen.map((line) => line.split(' ')[0]))], [nat.publicIp])
    t.is(new Set(seen).size, seen.length, 'distinct ports')
    const { stdout } = await tryCommand(`${ROOT}/bin/vpcctl`,
      ['--lab', lab.name, 'can-reach', a.id, OUTSIDE, 'tcp/80', '--json'])
    t.is((JSON.parse(stdout) as ReachAnswer).verdict, 'yes', 'and so it is explained')
    // Echo passes out, and nothing in: neither an echo nor a connection.
    t.is((await a.ping(OUTSIDE, 2)).received, 2)
    t.regex((await lab.tryInternet('ping', '-c1', '-W1', nat.publicIp)).stdout, / 0 received/)
    t.not((await lab.tryInternet('curl', '--max-time', '1', `http://${nat.publicIp}/`)).code, 0)
    // Fragments: a datagram of 4,000 bytes passes, an echo does not.
    await a.exec('ip', 'link', 'set', 'eth0', 'mtu', '1500')
    t.is((await a.exec('python3', '-c', DATAGRAM)).trim(), '4000')
    t.is((await a.try('ping', '-c1', '-W1', '-s', '4000', OUTSIDE)).code, 1)
    await eventually('the fragments are counted', async () =>
      await lab.drops(nat.eni, 'nat-fragment') > 0)
    await server.stop()
  }))

test.serial('kill -9 of the nodes, one after the other, loses none of 1,000 connections',
  withLab({ edges: 3, expectedWarnings: [/data plane worker ended/] }, async (t, lab) => {
    const { privateSubnet, server } = await world(lab)
    const a = await lab.instance(privateSubnet, { host: 'host-1' })
    await listening(server, () => lab.internet('python3', '-c', WHO.replace(OUTSIDE, '127.0.0.1')))
    const files = ['/tmp/nat-one', '/tmp/nat-two'].map((name) => `${name}-${lab.name}`)
    const openers = files.map((file) => a.start('python3', '-c', OPENER, '500', file))
    for (const opener of openers) await said(opener, 'open 500')
    for (const [index, edge] of ['edge-1', 'edge-2'].entries()) {
      await lab.workerAfter(edge, await lab.killWorker(edge))
      await a.exec('touch', files[index] ?? '')
      const opener = openers[index]
      if (opener !== undefined) await said(opener, 'good 500')
    }
    t.regex((await a.exec('python3', '-c', WHO)).trim(), /^203\.0\.113\./, 'new ones work')
    await a.exec('rm', '-f', ...files)
    await server.stop()
  }))
