/**
 *     internet 2001:db8:ffff::10 ── router ── edge-1, edge-2, edge-3 ── underlay ── host-1: A, B
 *                                             HyperPlane nodes, one shard
 *
 * A VPC with an egress-only internet gateway: A's subnet routes ::/0 to it. Then an internet
 * gateway beside it, to which B's subnet routes ::/0.
 */
import * as ec2 from '@aws-sdk/client-ec2'
import test from 'ava'
import { Capture } from '../harness/capture.ts'
import { eventually } from '../harness/command.ts'
import {
  internetGateway, listening, openGroup, OUTSIDE_IPV6, webServer
} from '../harness/internet.ts'
import type { Lab, TestSubnet } from '../harness/lab.ts'
import { withLab } from '../harness/with_lab.ts'

const curl = (url: string): string[] => ['-s', '-g', '--max-time', '5', url]

/** An egress-only gateway, to which a table of the subnet's own leads. @returns its id */
async function egressOnlyGateway (lab: Lab, subnet: TestSubnet): Promise<string> {
  const VpcId = subnet.vpc.id
  const { EgressOnlyInternetGateway: gateway } = await lab.ec2.send(
    new ec2.CreateEgressOnlyInternetGatewayCommand({ VpcId }))
  const EgressOnlyInternetGatewayId = gateway?.EgressOnlyInternetGatewayId ?? ''
  const { RouteTable } = await lab.ec2.send(new ec2.CreateRouteTableCommand({ VpcId }))
  const RouteTableId = RouteTable?.RouteTableId ?? ''
  await lab.ec2.send(new ec2.AssociateRouteTableCommand({ RouteTableId, SubnetId: subnet.id }))
  await lab.ec2.send(new ec2.CreateRouteCommand(
    { RouteTableId, DestinationIpv6CidrBlock: '::/0', EgressOnlyInternetGatewayId }))
  await lab.waitApplied()
  return EgressOnlyInternetGatewayId
}

test.serial('an egress-only gateway: flows go out and are answered, nothing comes in of its own',
  withLab({ edges: 3 }, async (t, lab) => {
    const vpc = await lab.vpc('10.0.0.0/16', { ipv6: true })
    const closed = await lab.subnet(vpc, '10.0.1.0/24', { ipv6Index: 1 })
    const open = await lab.subnet(vpc, '10.0.2.0/24', { ipv6Index: 2 })
    await openGroup(lab, vpc)
    const gateway = await egressOnlyGateway(lab, closed)
    const a = await lab.instance(closed, { host: 'host-1', ipv6: true })
    const b = await lab.instance(open, { host: 'host-1', ipv6: true })
    const outside = lab.internetServer('python3', ...webServer('outside'))
    const inA = a.start('python3', ...webServer('A'))
    const inB = b.start('python3', ...webServer('B'))
    await listening(outside, () => lab.internet('curl', ...curl('http://[::1]/')))
    await listening(inA, () => a.exec('curl', ...curl('http://[::1]/')))
    await listening(inB, () => b.exec('curl', ...curl('http://[::1]/')))

    // Out, with the instance's own address; echo, too. Every edge of the router's takes answers.
    const call = (): Promise<string> => a.exec('curl', ...curl(`http://[${OUTSIDE_IPV6}]/`))
    for (let turn = 0; turn < 12; turn++) t.is(await call(), `outside ${a.ipv6}\n`)
    t.is((await a.ping(OUTSIDE_IPV6, 2)).received, 2)
    t.not((await b.try('curl', ...curl(`http://[${OUTSIDE_IPV6}]/`))).code, 0, 'no route')

    // In: the SYN reaches the edges, and not the instance, which would answer.
    const dial = (address: string): ReturnType<Lab['tryInternet']> =>
      lab.tryInternet('curl', '-s', '-g', '--max-time', '1', `http://[${address}]/`)
    {
      await using router = await Capture.start({
        namespace: `${lab.name}-internet-router`, device: 'any', filter: 'ip6 and tcp port 80',
        whenListening: () => Promise.resolve()
      })
      await using inside = await Capture.start({
        namespace: a.namespace, device: 'eth0', filter: 'ip6 and tcp port 80',
        whenListening: () => Promise.resolve()
      })
      const before = await lab.drops(gateway, 'nat-no-flow')
      t.not((await dial(a.ipv6)).code, 0)
      await eventually('the SYN is dropped at the gateway', async () =>
        await lab.drops(gateway, 'nat-no-flow') > before)
      t.is(await call(), `outside ${a.ipv6}\n`)
      await Promise.all([router.stop(), inside.stop()])
      const isSyn = `ipv6.dst == ${a.ipv6} && tcp.flags == 0x002`
      t.true((await router.fields(['ipv6.dst'], isSyn)).length > 0, 'seen outside')
      t.deepEqual(await inside.fields(['ipv6.dst'], isSyn), [], 'not seen inside')
    }
    t.regex((await lab.tryInternet('ping', '-6', '-c1', '-W1', a.ipv6)).stdout, / 0 received/)

    // Beside an internet gateway each subnet has the way in that its routes are the way out of.
    await internetGateway(lab, vpc)
    await lab.waitApplied()
    t.is(await b.exec('curl', ...curl(`http://[${OUTSIDE_IPV6}]/`)), `outside ${b.ipv6}\n`)
    t.regex(await lab.internet('curl', ...curl(`http://[${b.ipv6}]/`)), /^B /)
    t.is(await call(), `outside ${a.ipv6}\n`)
    t.not((await dial(a.ipv6)).code, 0)

    // Without the gateway its route is a blackhole, and nothing of it is left.
    await lab.ec2.send(new ec2.DeleteEgressOnlyInternetGatewayCommand(
      { EgressOnlyInternetGatewayId: gateway }))
    await lab.waitApplied()
    t.not((await a.try('curl', '-s', '-g', '--max-time', '1', `http://[${OUTSIDE_IPV6}]/`)).code, 0)
    t.true(await lab.drops(a.eni, 'blackhole') > 0)
    await Promise.all([outside, inA, inB].map((server) => server.stop()))
  }))
