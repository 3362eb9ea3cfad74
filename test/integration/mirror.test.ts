/**
 * Traffic mirroring on real packets: stock tcpdump and tshark read the copies inside the targets.
 *
 *     host-1                                   host-2
 *     ├ source  10.0.1.10 ◀── traffic ──▶      ├ peer  10.0.1.20
 *     └ near    10.0.2.40 (target)             └ far   10.0.2.50 (target)
 */
import test from 'ava'
import type { ExecutionContext } from 'ava'
import * as ec2 from '@aws-sdk/client-ec2'
import { Capture } from '../harness/capture.ts'
import { eventually, NODE } from '../harness/command.ts'
import type { Instance } from '../harness/instance.ts'
import type { Lab } from '../harness/lab.ts'
import { withLab } from '../harness/with_lab.ts'

const ICMP = 1
const TCP = 6
const ECHO_REQUEST = '8'
const VNI = 4242
const PINGS = 20
/** Ends when the connection is there, or refused by silence for half a second. */
const CONNECT = `const socket = require('node:net').connect(22, process.argv[1])
  socket.on('connect', () => process.exit(0))
  socket.on('error', () => process.exit(2))
  setTimeout(() => process.exit(1), 500)`

/** Takes copies, so that the target's kernel does not answer that nobody does. */
const MONITOR = `require('node:dgram').createSocket('udp4')
  .bind(4789, () => console.log('listening'))`
/** Device of the far target that takes copies and shows what is in them, as an IDS reads them. */
const VXLAN_DEVICE = 'vxlan0'

const WEB_SERVER = `require('node:http').createServer((request, answer) => answer.end('hello'))
  .listen(80, () => console.log('listening'))`

interface World {
  readonly lab: Lab
  readonly source: Instance
  readonly peer: Instance
  readonly near: Instance
  readonly far: Instance
  readonly nearTarget: string
  readonly farTarget: string
}

async function build (lab: Lab): Promise<World> {
  const vpc = await lab.vpc('10.0.0.0/16')
  const subnet = await lab.subnet(vpc, '10.0.1.0/24')
  const monitors = await lab.subnet(vpc, '10.0.2.0/24')
  const source = await lab.instance(subnet, { host: 'host-1', address: '10.0.1.10' })
  const peer = await lab.instance(subnet, { host: 'host-2', address: '10.0.1.20' })
  const near = await lab.instance(monitors, { host: 'host-1', address: '10.0.2.40' })
  const far = await lab.instance(monitors, { host: 'host-2', address: '10.0.2.50' })
  await near.start(NODE, '-e', MONITOR).printed('listening')
  await far.exec('ip', 'link', 'add', VXLAN_DEVICE, 'type', 'vxlan', 'id', String(VNI),
    'dstport', '4789', 'dev', 'eth0')
  await far.exec('ip', 'link', 'set', VXLAN_DEVICE, 'up')
  return { lab, source, peer, near, far, nearTarget: await newTarget(lab, near),
    farTarget: await newTarget(lab, far) }
}

async function newTarget (lab: Lab, { eni }: Instance): Promise<string> {
  const { TrafficMirrorTarget: target } = await lab.ec2.send(
    new ec2.CreateTrafficMirrorTargetCommand({ NetworkInterfaceId: eni }))
  return target?.TrafficMirrorTargetId ?? ''
}

/** A filter that accepts a protocol (all when not given) in some directions. */
async function newFilter (lab: Lab, directions: readonly ec2.TrafficDirection[],
  protocol?: number): Promise<string> {
  const { TrafficMirrorFilter: filter } = await lab.ec2.send(
    new ec2.CreateTrafficMirrorFilterCommand({}))
  const TrafficMirrorFilterId = filter?.TrafficMirrorFilterId
  for (const TrafficDirection of directions) {
    await lab.ec2.send(new ec2.CreateTrafficMirrorFilterRuleCommand({
      TrafficMirrorFilterId, TrafficDirection, RuleNumber: 100, RuleAction: 'accept',
      SourceCidrBlock: '0.0.0.0/0', DestinationCidrBlock: '0.0.0.0/0',
      ...(protocol === undefined ? {} : { Protocol: protocol })
    }))
  }
  return TrafficMirrorFilterId ?? ''
}

async function newSession ({ lab, source }: World, number: number, target: string, filter: string,
  more: Partial<ec2.CreateTrafficMirrorSessionRequest> = {}): Promise<string> {
  const { TrafficMirrorSession: session } = await lab.ec2.send(
    new ec2.CreateTrafficMirrorSessionCommand({
      NetworkInterfaceId: source.eni, TrafficMirrorTargetId: target, TrafficMirrorFilterId: filter,
      SessionNumber: number, VirtualNetworkId: VNI, ...more
    }))
  await lab.waitApplied()
  return session?.TrafficMirrorSessionId ?? ''
}

async function endSession ({ lab }: World, id: string): Promise<void> {
  await lab.ec2.send(new ec2.DeleteTrafficMirrorSessionCommand({ TrafficMirrorSessionId: id }))
}

/** tcpdump inside an instance. */
function listen (
  instance: Instance, filter = 'udp port 4789', device = 'eth0'): Promise<Capture> {
  return Capture.start({ namespace: instance.namespace, device, filter,
    whenListening: () => Promise.resolve() })
}

const FIELDS = ['vxlan.vni', 'ip.src', 'ip.dst', 'icmp.type', 'udp.length', 'tcp.flags', 'tcp.len']
type Row = Readonly<Record<string, string>>

/** Waits until the copies are there. @returns all that came by then */
async function copies (capture: Capture, count: number, filter = ''): Promise<Row[]> {
  return await eventually(`${String(count)} copies`, async () => {
    const rows = await capture.fields(FIELDS, filter).catch(() => [])
    return rows.length >= count && rows
  })
}

/** Copies of pings, as the source and as the monitor count them, with the outer headers right. */
async function countPings (t: ExecutionContext, world: World, monitor: Instance): Promise<void> {
  const { source, peer } = world
  await using own = await listen(source, 'icmp')
  await using copied = await listen(monitor)
  t.deepEqual(await source.ping(peer.ipv4, PINGS), { sent: PINGS, received: PINGS })
  const rows = await copies(copied, 2 * PINGS)
  t.is((await copies(own, 2 * PINGS)).length, rows.length, 'as many as the source sees')
  t.true(rows.every((row) => row['vxlan.vni'] === String(VNI)))
  const requests = rows.filter((row) => row['icmp.type'] === ECHO_REQUEST)
  t.is(requests.length, PINGS)
  t.true(requests.every((row) => row['ip.src'] === `${source.ipv4},${source.ipv4}` &&
    row['ip.dst'] === `${monitor.ipv4},${peer.ipv4}`))
  t.deepEqual(await copied.brokenFrames(), [])
}

test.serial('what an instance sends and receives is seen whole by its targets',
  withLab({}, async (t, lab) => {
    const world = await build(lab)
    const { source, peer, near, far } = world
    const both = await newFilter(lab, ['ingress', 'egress'])

    let session = await newSession(world, 1, world.nearTarget, both)
    await countPings(t, world, near)
    await checkStream(t, world)
    await endSession(world, session)

    session = await newSession(world, 1, world.farTarget, both)
    {
      await using inner = await listen(far, 'icmp', VXLAN_DEVICE)
      await countPings(t, world, far)
      const rows = await copies(inner, 2 * PINGS)
      t.is(rows.length, 2 * PINGS, 'a vxlan device takes the copies apart')
      t.true(rows.every((row) => row['vxlan.vni'] === ''))
    }
    t.deepEqual((await lab.flows(far.eni)).map(({ localPort }) => localPort), [],
      'copies are no flows')

    await lab.ec2.send(new ec2.ModifyTrafficMirrorSessionCommand(
      { TrafficMirrorSessionId: session, PacketLength: 100 }))
    await lab.waitApplied()
    {
      await using copied = await listen(far)
      await source.ping(peer.ipv4, 2, '-s', '500')
      const rows = await copies(copied, 4)
      t.deepEqual(new Set(rows.map((row) => row['udp.length'])), new Set(['116']))
    }
    await endSession(world, session)

    await lab.ec2.send(new ec2.StopInstancesCommand({ InstanceIds: [near.id] }))
    await lab.waitInstances([near.id], 'stopped')
    await newSession(world, 1, world.nearTarget, both)
    t.deepEqual(await source.ping(peer.ipv4, 5), { sent: 5, received: 5 })
    await lab.waitDrops(source.eni, 'mirror-target', 10)
  }))

/** Super-packets are copied as packets: none is too long, none has a bad checksum, none lacks. */
async function checkStream (t: ExecutionContext, { source, peer, near }: World): Promise<void> {
  for (const reverse of [[], ['-R']]) {
    const server = await peer.iperfServer()
    await using copied = await listen(near)
    const output = await source.exec('iperf3', '-c', peer.ipv4, '-n', '2M', '-M', '1400', '-J',
      ...reverse)
    const { end } = JSON.parse(output) as { end: { sum_received: { bytes: number } } }
    const bytes = end.sum_received.bytes
    const rows = await eventually('the whole stream', async () => {
      const found = await copied.fields(FIELDS, 'tcp').catch(() => [])
      return found.reduce((sum, row) => sum + Number(row['tcp.len']), 0) >= bytes && found
    })
    t.true(rows.every((row) => Number(row['tcp.len']) <= 1400), 'no super-packet')
    t.deepEqual(await copied.brokenFrames(), [])
    t.is(await copied.stop(), 0, 'tcpdump saw them all')
    await server.ended() // of itself, after one client; with the lab otherwise
  }
}

test.serial('filters, groups and session numbers choose what is copied, each packet once',
  withLab({}, async (t, lab) => {
    const world = await build(lab)
    const { source, peer, near, far } = world

    const incoming = await newSession(world, 1, world.nearTarget,
      await newFilter(lab, ['ingress']))
    {
      await using copied = await listen(near)
      await source.ping(peer.ipv4, PINGS)
      const rows = await copies(copied, PINGS)
      t.is(rows.length, PINGS)
      t.false(rows.some((row) => row['icmp.type'] === ECHO_REQUEST), 'answers alone')
    }
    await closeTo(lab, source, world)
    {
      await using copied = await listen(near)
      await peer.try(NODE, '-e', CONNECT, source.ipv4)
      await peer.ping(source.ipv4, 3)
      const rows = await copies(copied, 3)
      t.true(rows.every((row) => row['tcp.flags'] === ''), 'the refused SYN is not copied')
    }
    await lab.waitDrops(source.eni, 'security-group-ingress', 1)
    await endSession(world, incoming)

    await newSession(world, 10, world.farTarget, await newFilter(lab, ['ingress', 'egress']))
    await newSession(world, 5, world.nearTarget, await newFilter(lab, ['egress'], ICMP),
      { VirtualNetworkId: 5 })
    {
      await using first = await listen(near)
      await using second = await listen(far)
      await source.ping(peer.ipv4, PINGS)
      const [requests, answers] = [await copies(first, PINGS), await copies(second, PINGS)]
      t.deepEqual([requests.length, answers.length], [PINGS, PINGS])
      t.true(requests.every((row) => row['icmp.type'] === ECHO_REQUEST))
      t.false(answers.some((row) => row['icmp.type'] === ECHO_REQUEST), 'no packet twice')
    }
  }))

test.serial('a filter chooses by direction, port and source, and a changed one at once',
  withLab({}, async (t, lab) => {
    const world = await build(lab)
    const { source, peer, near, far } = world
    await source.start(NODE, '-e', WEB_SERVER).printed('listening')
    const filter = await newFilter(lab, [])
    const toWeb = {
      TrafficMirrorFilterId: filter, TrafficDirection: 'ingress', Protocol: TCP,
      SourceCidrBlock: '0.0.0.0/0', DestinationCidrBlock: '0.0.0.0/0',
      DestinationPortRange: { FromPort: 80, ToPort: 80 }
    } as const
    await lab.ec2.send(new ec2.CreateTrafficMirrorFilterRuleCommand(
      { ...toWeb, RuleNumber: 100, RuleAction: 'accept' }))
    await newSession(world, 1, world.nearTarget, filter)
    const sourcesOf = (rows: readonly Row[]): Set<string> =>
      new Set(rows.map((row) => String(row['ip.src']).split(',')[1] ?? ''))
    {
      await using copied = await listen(near)
      t.is(await peer.exec('curl', '-s', `http://${source.ipv4}/`), 'hello')
      t.deepEqual(sourcesOf(await copiedRequest(copied)), new Set([peer.ipv4]), 'no response')
    }
    await lab.ec2.send(new ec2.CreateTrafficMirrorFilterRuleCommand({
      ...toWeb, RuleNumber: 50, RuleAction: 'reject', SourceCidrBlock: `${peer.ipv4}/32`
    }))
    await lab.waitApplied()
    {
      await using copied = await listen(near)
      t.is(await peer.exec('curl', '-s', `http://${source.ipv4}/`), 'hello')
      t.is(await far.exec('curl', '-s', `http://${source.ipv4}/`), 'hello')
      t.deepEqual(sourcesOf(await copiedRequest(copied)), new Set([far.ipv4]))
    }
  }))

/** Waits until a request with its data was copied. @returns all copies by then */
async function copiedRequest (capture: Capture): Promise<Row[]> {
  return await eventually('a copied request', async () => {
    const rows = await capture.fields(FIELDS, 'tcp').catch(() => [])
    return rows.some((row) => Number(row['tcp.len']) > 0) && rows
  })
}

/** Lets only pings in. */
async function closeTo (lab: Lab, instance: Instance, { source }: World): Promise<void> {
  const VpcId = source.description.VpcId
  const { GroupId } = await lab.ec2.send(new ec2.CreateSecurityGroupCommand(
    { VpcId, GroupName: 'pings', Description: 'pings' }))
  await lab.ec2.send(new ec2.AuthorizeSecurityGroupIngressCommand({ GroupId,
    IpPermissions: [{ IpProtocol: 'icmp', FromPort: -1, ToPort: -1,
      IpRanges: [{ CidrIp: '0.0.0.0/0' }] }] }))
  // The targets are to take what comes from an ENI that is no member of their group any more.
  const { SecurityGroups: groups } = await lab.ec2.send(new ec2.DescribeSecurityGroupsCommand(
    { Filters: [{ Name: 'group-name', Values: ['default'] },
      { Name: 'vpc-id', Values: [VpcId ?? ''] }] }))
  await lab.ec2.send(new ec2.AuthorizeSecurityGroupIngressCommand({
    GroupId: groups?.[0]?.GroupId, IpPermissions: [{ IpProtocol: 'udp', FromPort: 4789,
      ToPort: 4789, IpRanges: [{ CidrIp: `${source.ipv4}/32` }] },
    { IpProtocol: String(TCP), FromPort: 0, ToPort: 65_535, IpRanges: [{ CidrIp: '10.0.0.0/16' }] },
    { IpProtocol: 'icmp', FromPort: -1, ToPort: -1, IpRanges: [{ CidrIp: '10.0.0.0/16' }] }]
  }))
  await lab.ec2.send(new ec2.ModifyNetworkInterfaceAttributeCommand(
    { NetworkInterfaceId: instance.eni, Groups: [GroupId ?? ''] }))
  await lab.waitApplied()
}
