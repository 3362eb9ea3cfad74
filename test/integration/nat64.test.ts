/**
 *     internet 198.51.100.10 ── router ── edge-1, edge-2, edge-3 ── underlay ── host-1: A, B
 *                                         HyperPlane nodes, one shard
 *
 * A lives in a subnet of IPv6 alone with DNS64, whose route 64:ff9b::/96 leads to the NAT gateway
 * in the public subnet 10.0.1.0/24; B in the public subnet.
 */
import * as ec2 from '@aws-sdk/client-ec2'
import test from 'ava'
import type { ReachAnswer } from '../../daemon/api/admin/contract.ts'
import { ROOT, tryCommand } from '../harness/command.ts'
import { internetGateway, listening, openGroup, webServer } from '../harness/internet.ts'
import type { Lab } from '../harness/lab.ts'
import { natGateway } from '../harness/nat.ts'
import { withLab } from '../harness/with_lab.ts'

const NAME = 'ec2-198-51-100-10.compute-1.amazonaws.com'
/** OUTSIDE, behind the prefix of NAT64. */
const MADE = '64:ff9b::c633:640a'

const curl = (url: string): string[] => ['-s', '-g', '--max-time', '5', url]
const inNat64 = (ipv4: string): string => `64:ff9b::${ipv4}`

/** A datagram to a port where nobody listens: who asks is told so. */
const REFUSED = `
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.settimeout(5)
s.connect(('${MADE}', 4))
s.send(b'x')
try: s.recv(1)
except ConnectionRefusedError: print('refused')
`

/** Gives back what it is sent, when it has all of it. */
const ECHO = `
import socket
s = socket.create_server(('0.0.0.0', 9000))
print('listening', flush=True)
c, _ = s.accept()
data = bytearray()
while piece := c.recv(1 << 20): data += piece
c.sendall(data)
c.close()
`

const TRANSFER = `
import os, socket, time
data = os.urandom(20 << 20)
began = time.monotonic()
s = socket.create_connection(('${MADE}', 9000), 30)
s.sendall(data)
s.shutdown(socket.SHUT_WR)
got = bytearray()
while piece := s.recv(1 << 20): got += piece
print('whole' if got == data else 'broken', 'in', round(time.monotonic() - began, 2), 's')
`

async function world (lab: Lab) {
  const vpc = await lab.vpc('10.0.0.0/16', { ipv6: true })
  const open = await lab.subnet(vpc, '10.0.1.0/24')
  const six = await lab.subnet(vpc, '', { ipv6Index: 2 })
  await openGroup(lab, vpc)
  await internetGateway(lab, vpc)
  const nat = await natGateway(lab, open, six)
  await lab.ec2.send(new ec2.CreateRouteCommand({
    RouteTableId: nat.routeTableId, DestinationIpv6CidrBlock: '64:ff9b::/96', NatGatewayId: nat.id
  }))
  const a = await lab.instance(six, { host: 'host-1', ipv6: true })
  const b = await lab.instance(open, { host: 'host-1' })
  return { six, nat, a, b }
}

test.serial('an instance of IPv6 alone reaches IPv4 by name, with the NAT gateway\'s address',
  withLab({ edges: 3 }, async (t, lab) => {
    const { six, nat, a, b } = await world(lab)
    const outside = lab.internetServer('python3', ...webServer('outside'))
    const inB = b.start('python3', ...webServer('B'))
    await listening(outside, () => lab.internet('curl', ...curl('http://127.0.0.1/')))
    await listening(inB, () => b.exec('curl', ...curl('http://127.0.0.1/')))

    const dig = async (): Promise<string> => (await a.exec('dig', '+short', '+tries=1', '+time=5',
      '@fd00:ec2::253', NAME, 'AAAA')).trim()
    t.is(await dig(), '', 'there is none')
    await lab.ec2.send(new ec2.ModifySubnetAttributeCommand(
      { SubnetId: six.id, EnableDns64: { Value: true } }))
    await lab.waitApplied()
    t.is(await dig(), MADE)

    const call = (address: string): Promise<string> =>
      a.exec('curl', ...curl(`http://[${address}]/`))
    for (let turn = 0; turn < 6; turn++) t.is(await call(MADE), `outside ${nat.publicIp}\n`)
    t.regex(await call(inNat64(b.ipv4)), /^B 10\.0\.1\./, 'by the routes of its subnet')
    t.is((await a.ping(MADE, 3)).received, 3)
    t.is((await a.exec('python3', '-c', REFUSED)).trim(), 'refused')

    // 1,520 bytes inside are 1,500 outside; one more is told what passes.
    t.is((await a.ping(MADE, 1, '-M', 'do', '-s', '1472')).received, 1)
    const tooBig = await a.try('ping', '-n', '-c1', '-W2', '-M', 'do', '-s', '1473', MADE)
    t.regex(tooBig.stdout + tooBig.stderr, /mtu[ =:]+1520/i)

    // Much of it, both ways: super-packets, fragments of none.
    const echo = lab.internetServer('python3', '-c', ECHO)
    await echo.printed('listening')
    t.regex(await a.exec('python3', '-c', TRANSFER), /^whole in /)
    await echo.stop()

    const { stdout } = await tryCommand(`${ROOT}/bin/vpcctl`,
      ['--lab', lab.name, 'can-reach', a.id, MADE, 'tcp/80', '--json'])
    t.is((JSON.parse(stdout) as ReachAnswer).verdict, 'yes', 'and so it is explained')
    t.is(await lab.drops(nat.eni, 'nat-protocol'), 0)
    await Promise.all([outside, inB].map((server) => server.stop()))
  }))
