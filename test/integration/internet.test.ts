/**
 *     <lab>-internet 198.51.100.10 ── router ── edge-1, edge-2 ── underlay ── host-1: A
 *                    2001:db8:ffff::10                                        host-2: B, C
 *
 * VPC 10.0.0.0/16 with an internet gateway; A and B have an Elastic IP each, C has none.
 */
import * as ec2 from '@aws-sdk/client-ec2'
import test from 'ava'
import type { ReachAnswer, TraceAnswer } from '../../daemon/api/admin/contract.ts'
import { eventually, ROOT, tryCommand } from '../harness/command.ts'
import { Capture } from '../harness/capture.ts'
import { parsePing } from '../harness/instance.ts'
import {
  associate, elasticIp, internetGateway, listening, openGroup, OUTSIDE, OUTSIDE_IPV6, webServer
} from '../harness/internet.ts'
import type { Lab } from '../harness/lab.ts'
import { withLab } from '../harness/with_lab.ts'

const VPCCTL = `${ROOT}/bin/vpcctl`

const curl = (url: string, ...options: readonly string[]): string[] =>
  ['-s', '-g', '--max-time', '5', ...options, url]

async function twoWithElasticIps (lab: Lab) {
  const vpc = await lab.vpc('10.0.0.0/16', { ipv6: true })
  const subnet = await lab.subnet(vpc, '10.0.1.0/24', { ipv6Index: 1 })
  await openGroup(lab, vpc)
  const gateway = await internetGateway(lab, vpc)
  const a = await lab.instance(subnet, { host: 'host-1', ipv6: true })
  const [b, c] = await lab.instances(subnet, { host: 'host-2', ipv6: true, count: 2 })
  if (b === undefined || c === undefined) throw new Error('no instance')
  return { vpc, subnet, gateway, a, b, c, eipA: await elasticIp(lab, a),
    eipB: await elasticIp(lab, b) }
}

test.serial('an internet gateway: both ways, both families, hairpin, MTU, routes, moving addresses',
  withLab({ edges: 2 }, async (t, lab) => {
    const { gateway, a, b, c, eipA, eipB } = await twoWithElasticIps(lab)
    const outside = lab.internetServer('python3', ...webServer('outside'))
    const inA = a.start('python3', ...webServer('A'))
    const inB = b.start('python3', ...webServer('B'))
    await listening(outside, () => lab.internet('curl', ...curl('http://127.0.0.1/')))
    await listening(inA, () => a.exec('curl', ...curl('http://127.0.0.1/')))
    await listening(inB, () => b.exec('curl', ...curl('http://127.0.0.1/')))

    // Out and in, in both families; the instance knows its private address alone.
    t.is(await a.exec('curl', ...curl(`http://${OUTSIDE}/`)), `outside ${eipA.address}\n`)
    t.is(await lab.internet('curl', ...curl(`http://${eipA.address}/`)), `A ${OUTSIDE}\n`)
    t.is(await a.exec('curl', ...curl(`http://[${OUTSIDE_IPV6}]/`)), `outside ${a.ipv6}\n`)
    t.regex(await lab.internet('curl', ...curl(`http://[${a.ipv6}]/`)), /^A 2001:db8:ffff::/)
    t.notRegex(await a.exec('ip', '-o', 'address'), new RegExp(eipA.address.replaceAll('.', '\\.')))
    // Hairpin: the other one sees the caller's public address.
    t.is(await a.exec('curl', ...curl(`http://${eipB.address}/`)), `B ${eipA.address}\n`)
    // Without a public address nothing leaves.
    t.deepEqual(parsePing((await c.try('ping', '-c1', '-W1', OUTSIDE)).stdout).received, 0)
    await eventually('a drop for want of a public address', async () =>
      await lab.drops(gateway.id, 'no-public-address') > 0)

    // The way is explained, with what the edge makes of it.
    const ask = async <Answer>(...words: string[]): Promise<Answer> => JSON.parse(
      (await tryCommand(VPCCTL, ['--lab', lab.name, ...words, '--json'])).stdout) as Answer
    const trace = (from: string, to: string): Promise<TraceAnswer> =>
      ask('trace', from, 'tcp', `${to}:80`)
    const reach = (from: string, to: string): Promise<ReachAnswer> =>
      ask('can-reach', from, to, 'tcp/80')
    const out = await trace(a.eni, OUTSIDE)
    t.is(out.deliveredTo, gateway.id)
    t.is(out.sides[1]?.steps.find(({ step }) => step === 'public-address')?.text,
      `${a.ipv4} becomes ${eipA.address}`)
    t.is((await trace(c.eni, OUTSIDE)).obstacle?.reason, 'no-public-address')
    t.is((await reach(a.eni, OUTSIDE)).verdict, 'yes')
    t.is((await reach(a.eni, OUTSIDE_IPV6)).verdict, 'yes')
    t.is((await trace(a.eni, eipB.address)).deliveredTo, b.eni)
    t.is((await reach(a.eni, eipB.address)).verdict, 'yes')

    // 1,500 bytes, and the sender is told.
    t.is((await a.ping(OUTSIDE, 2, '-M', 'do', '-s', '1472')).received, 2)
    t.regex((await a.try('ping', '-c1', '-W1', '-M', 'do', '-s', '1473', OUTSIDE)).stdout,
      /mtu ?= ?1500/)
    t.is((await a.ping(OUTSIDE, 2, '-M', 'dont', '-s', '4000')).received, 2, 'fragments, both ways')
    t.is((await lab.tryInternet('ping', '-q', '-c2', '-i0.1', '-M', 'dont', '-s', '4000',
      eipA.address)).code, 0)

    // The Elastic IP moves: new calls reach the new owner at once.
    await associate(lab, eipA.allocationId, b)
    t.regex(await lab.internet('curl', ...curl(`http://${eipA.address}/`)), /^B /)
    await associate(lab, eipA.allocationId, a)
    t.regex(await lab.internet('curl', ...curl(`http://${eipA.address}/`)), /^A /)

    // Without the route a SYN still arrives, and its answer dies.
    await lab.ec2.send(new ec2.DeleteRouteCommand(
      { RouteTableId: gateway.routeTableId, DestinationCidrBlock: '0.0.0.0/0' }))
    await lab.waitApplied()
    const before = await lab.drops(a.eni, 'no-route')
    t.not((await lab.tryInternet('curl', ...curl(`http://${eipA.address}/`, '-m1'))).code, 0)
    await lab.waitDrops(a.eni, 'no-route', before + 1)
  }))

test.serial('what an edge changes in a packet: its source address, and no more',
  withLab({ edges: 1 }, async (t, lab) => {
    const { a, eipA } = await twoWithElasticIps(lab)
    await using left = await lab.capture('edge-1')
    await using right = await Capture.start({
      namespace: `${lab.name}-internet-router`, device: 'edge-1', filter: 'icmp',
      whenListening: () => Promise.resolve()
    })
    t.is((await a.ping(OUTSIDE, 3)).received, 3)
    await Promise.all([left.stop(), right.stop()])
    const names = ['ip.src', 'ip.dst', 'ip.id', 'ip.ttl', 'data.data']
    const last = (frame: Record<string, string>, name: string): string =>
      frame[name]?.split(',').at(-1) ?? ''
    const within = (await left.fields(names, `icmp.type == 8 && ip.src == ${a.ipv4}`))
      .map((frame) => names.map((name) => last(frame, name)))
    const outside = (await right.fields(names, 'icmp.type == 8'))
      .map((frame) => names.map((name) => last(frame, name)))
    t.is(outside.length, 3)
    t.deepEqual(within.map(([, ...rest]) => rest), outside.map(([, ...rest]) => rest))
    t.true(outside.every(([source]) => source === eipA.address))
    t.true(within.every(([source]) => source === a.ipv4))
    t.deepEqual([await left.brokenFrames(), await right.brokenFrames()], [[], []])

    // A way in: the router answers, the VPC's own hop is silent, the instance answers.
    const { stdout } = await lab.tryInternet('traceroute', '-n', '-q1', '-w1', eipA.address)
    const hops = stdout.trim().split('\n').slice(1).map((line) => line.trim().split(/\s+/)[1])
    t.deepEqual(hops, ['198.51.100.1', '*', eipA.address])
  }))

test.serial('kill -9 of an edge interrupts its flows for less than a second',
  withLab({ edges: 2, expectedWarnings: [/worker ended and is started again/] },
    async (t, lab) => {
      const { a } = await twoWithElasticIps(lab)
      const pings = Array.from({ length: 8 }, () =>
        a.ping(OUTSIDE, 60, '-i', '0.05'))
      const pid = await lab.killWorker('edge-1')
      const results = await Promise.all(pings)
      const lost = results.map(({ sent, received }) => sent - received)
      // 20 a second; idle machines lose 2 to 5 of each flow until the end of the process is known.
      t.true(lost.every((count) => count < 20), `lost ${lost.join(', ')} of 60 each`)
      await lab.workerAfter('edge-1', pid)
      await lab.waitApplied()
      t.is((await a.ping(OUTSIDE, 5)).received, 5)
    }))

test.serial('a NAT instance: masquerading works with the source/destination check off, not on',
  withLab({ edges: 1 }, async (t, lab) => {
    const { vpc, a: nat, eipA } = await twoWithElasticIps(lab)
    const behind = await lab.subnet(vpc, '10.0.2.0/24')
    const { RouteTable } = await lab.ec2.send(new ec2.CreateRouteTableCommand({ VpcId: vpc.id }))
    const RouteTableId = RouteTable?.RouteTableId ?? ''
    await lab.ec2.send(new ec2.AssociateRouteTableCommand({ RouteTableId, SubnetId: behind.id }))
    await lab.ec2.send(new ec2.CreateRouteCommand(
      { RouteTableId, DestinationCidrBlock: '0.0.0.0/0', InstanceId: nat.id }))
    const client = await lab.instance(behind, { host: 'host-2' })
    await nat.exec('sysctl', '-qw', 'net.ipv4.ip_forward=1')
    await nat.exec('nft', 'add table ip nat; add chain ip nat post ' +
      '{ type nat hook postrouting priority 100; }; add rule ip nat post ' +
      'ip saddr 10.0.2.0/24 masquerade')
    const outside = lab.internetServer('python3', ...webServer('outside'))
    await listening(outside, () => lab.internet('curl', ...curl('http://127.0.0.1/')))
    t.not((await client.try('curl', ...curl(`http://${OUTSIDE}/`, '-m1'))).code, 0)
    await lab.waitDrops(nat.eni, 'destination-check', 1)
    await lab.ec2.send(new ec2.ModifyInstanceAttributeCommand(
      { InstanceId: nat.id, SourceDestCheck: { Value: false } }))
    await lab.waitApplied()
    t.is(await client.exec('curl', ...curl(`http://${OUTSIDE}/`)), `outside ${eipA.address}\n`)
  }))

test.serial('ingress routing: what comes in passes an appliance first, in both directions',
  withLab({ edges: 2 }, async (t, lab) => {
    const { vpc, subnet, gateway, a: appliance, eipB } = await twoWithElasticIps(lab)
    const web = await lab.subnet(vpc, '10.0.3.0/24')
    const table = async (): Promise<string> => {
      const { RouteTable } = await lab.ec2.send(new ec2.CreateRouteTableCommand({ VpcId: vpc.id }))
      return RouteTable?.RouteTableId ?? ''
    }
    const server = await lab.instance(web, { host: 'host-2' })
    await associate(lab, eipB.allocationId, server)
    await lab.ec2.send(new ec2.ModifyInstanceAttributeCommand(
      { InstanceId: appliance.id, SourceDestCheck: { Value: false } }))
    await appliance.exec('sysctl', '-qw', 'net.ipv4.ip_forward=1')
    const ofGateway = await table()
    await lab.ec2.send(new ec2.CreateRouteCommand({
      RouteTableId: ofGateway, DestinationCidrBlock: web.cidr, NetworkInterfaceId: appliance.eni
    }))
    await lab.ec2.send(new ec2.AssociateRouteTableCommand(
      { RouteTableId: ofGateway, GatewayId: gateway.id }))
    const ofWeb = await table()
    await lab.ec2.send(new ec2.CreateRouteCommand({
      RouteTableId: ofWeb, DestinationCidrBlock: '0.0.0.0/0', NetworkInterfaceId: appliance.eni
    }))
    await lab.ec2.send(new ec2.AssociateRouteTableCommand(
      { RouteTableId: ofWeb, SubnetId: web.id }))
    await lab.waitApplied()
    t.truthy(subnet.id)
    const inServer = server.start('python3', ...webServer('web'))
    await listening(inServer, () => server.exec('curl', ...curl('http://127.0.0.1/')))
    const forwarded = async (): Promise<number> =>
      Number((await appliance.exec('nstat', '-asz', 'IpForwDatagrams'))
        .match(/IpForwDatagrams\s+(\d+)/)?.[1] ?? 0)
    t.is(await lab.internet('curl', ...curl(`http://${eipB.address}/`)), `web ${OUTSIDE}\n`)
    t.true(await forwarded() >= 8, 'both ways')
    await appliance.exec('sysctl', '-qw', 'net.ipv4.ip_forward=0')
    t.not((await lab.tryInternet('curl', ...curl(`http://${eipB.address}/`, '-m1'))).code, 0)
  }))
