/**
 * A lab on two machines, whose records are in an etcd:
 *
 *     internet ── edges of m1
 *                   ║
 *     a on m1-1 ══ underlay of m1 ══ m1 ── network ── m2 ══ underlay of m2 ══ b on m2-1
 *     c on m1-2 ═══════╝
 */
import * as cloudformation from '@aws-sdk/client-cloudformation'
import * as ec2 from '@aws-sdk/client-ec2'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import type { CacheAnswer } from '../../daemon/api/admin/contract.ts'
import { adminRequest } from '../harness/admin.ts'
import { Capture } from '../harness/capture.ts'
import { Cluster } from '../harness/cluster.ts'
import { eventually } from '../harness/command.ts'
import type { Background } from '../harness/command.ts'
import { Instance } from '../harness/instance.ts'
import { OUTSIDE, elasticIp, internetGateway, openGroup } from '../harness/internet.ts'
import type { Lab, TestSubnet } from '../harness/lab.ts'
import { routeThrough, publicNatGateway } from '../harness/nat.ts'

const CALLS = 10
const MOVING = '10.0.1.100'

test.serial('machines carry one lab, and one goes on without the other', async (t) => {
  const cluster = await Cluster.start()
  try {
    const m1 = await cluster.machine(1, ['m1-1', 'm1-2', 'edge-1', 'edge-2', 'edge-3'], {
      hosts: 'm1-1:use1-az1,m1-2:use1-az1', edges: 3, flags: ['--quota', 'vpcs-per-region=100']
    })
    const m2 = await cluster.machine(2, ['m2-1'], { hosts: 'm2-1:use1-az1' })
    const vpc = await m1.vpc('10.0.0.0/16')
    await openGroup(m1, vpc)
    const subnet = await m1.subnet(vpc, '10.0.1.0/24')
    const a = await m1.instance(subnet, { host: 'm1-1' })
    const b = await on(m2, (await m1.instance(subnet, { host: 'm2-1' })).id)

    await packetsCross(t, cluster, a, b)
    await staleIsForwarded(t, cluster, m1, { subnet, a, b })
    await bothAnswer(t, m1, m2)
    await edgesServeBoth(t, m1, m2, subnet, b)
    await stacksEndOnEither(t, m1, m2)
    await oneGoesOn(t, m1, m2, a, b)
  } finally {
    t.deepEqual(await cluster.down(), [])
  }
})

/** The instance as the machine that carries it knows it. */
async function on (lab: Lab, id: string): Promise<Instance> {
  const [running] = await lab.waitInstances([id], 'running')
  if (running === undefined) throw new Error(`${id} is not there`)
  return new Instance(lab.name, running)
}

async function packetsCross (
  t: ExecutionContext, cluster: Cluster, a: Instance, b: Instance): Promise<void> {
  await using wire = await Capture.start({
    namespace: cluster.machineNamespace(1), device: 'eth0', filter: 'udp port 6081',
    whenListening: () => Promise.resolve()
  })
  t.is((await a.ping(b.ipv4)).received, 5)
  t.is((await b.ping(a.ipv4)).received, 5)
  await wire.stop()
  const frames = await wire.fields(['ip.src', 'ip.dst'])
  const outer = new Set(frames.map((frame) =>
    Object.values(frame).map((addresses) => addresses.split(',')[0]).join(' > ')))
  t.true(frames.length >= 20)
  t.deepEqual(await wire.fields(['frame.number'], 'icmp'), [], 'encrypted')
  t.deepEqual([...outer].sort(), ['100.127.1.1 > 100.127.2.1', '100.127.2.1 > 100.127.1.1'])
}

/**
 * An ENI moves from m1-1 to m1-2 while m2 hears nothing of the store: what b sends goes to m1-1,
 * and is sent on to m1-2. b takes no answer from there until m2 hears of the move.
 */
async function staleIsForwarded (
  t: ExecutionContext, cluster: Cluster, m1: Lab,
  { subnet, a, b }: { subnet: TestSubnet, a: Instance, b: Instance }): Promise<void> {
  const c = await m1.instance(subnet, { host: 'm1-2' })
  const { NetworkInterface } = await m1.ec2.send(new ec2.CreateNetworkInterfaceCommand({
    SubnetId: subnet.id, PrivateIpAddress: MOVING
  }))
  const NetworkInterfaceId = NetworkInterface?.NetworkInterfaceId ?? ''
  const attachTo = async ({ id }: Instance): Promise<string> => (await m1.ec2.send(
    new ec2.AttachNetworkInterfaceCommand({ NetworkInterfaceId, InstanceId: id, DeviceIndex: 1 })))
    .AttachmentId ?? ''
  const AttachmentId = await attachTo(a)
  await m1.waitApplied()
  await eventually('the ENI answers', async () => (await b.ping(MOVING, 1)).received === 1)

  await cluster.silenceStore(2)
  let pings: Background
  try {
    await m1.ec2.send(new ec2.DetachNetworkInterfaceCommand({ AttachmentId }))
    await eventually('the ENI available', async () => {
      const { NetworkInterfaces } = await m1.ec2.send(
        new ec2.DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: [NetworkInterfaceId] }))
      return NetworkInterfaces?.[0]?.Status === 'available'
    })
    await attachTo(c)
    await eventually('eth1 of c', async () =>
      (await c.try('ip', 'link', 'show', 'up', 'eth1')).stdout.includes('eth1'))
    const arrivals = c.start('tcpdump', '-i', 'eth1', '-n', '-l', '--immediate-mode', 'icmp')
    await arrivals.printed('listening on')
    pings = b.start('ping', '-n', '-i', '0.2', MOVING)
    await arrivals.printed(`${b.ipv4} > ${MOVING}: ICMP echo request`)
    await arrivals.stop('SIGINT')
    t.false(pings.output.includes('bytes from'))
  } finally {
    await cluster.endSilence(2)
  }
  await pings.printed('bytes from')
  await pings.stop('SIGINT')
  const { hosts } = await adminRequest<CacheAnswer>(m1.name, 'GET', '/cache')
  t.true(hosts.some(({ host, forwarded }) => host === 'm1-1' && forwarded > 0))
}

/** Calls at both endpoints at once: each is done once, and either endpoint comes to tell of all. */
async function bothAnswer (t: ExecutionContext, m1: Lab, m2: Lab): Promise<void> {
  const made = await Promise.all(Array.from({ length: 2 * CALLS }, async (_none, at) =>
    (await (at % 2 === 0 ? m1 : m2).vpc(`10.${String(100 + at)}.0.0/16`)).id))
  t.is(new Set(made).size, 2 * CALLS)
  const revisions = await Promise.all([m1, m2].map(async (lab) => (await lab.status()).revision))
  await eventually('each has heard of what the other acknowledged', async () =>
    (await Promise.all([m1, m2].map(async (lab) => (await lab.status()).revision)))
      .every((revision) => revision >= Math.max(...revisions)))
  for (const lab of [m1, m2]) {
    const { Vpcs = [] } = await lab.ec2.send(new ec2.DescribeVpcsCommand({ VpcIds: made }))
    t.is(Vpcs.length, 2 * CALLS)
  }
}

/** An instance of the machine without edges reaches the internet, and is reached. */
async function edgesServeBoth (
  t: ExecutionContext, m1: Lab, m2: Lab, subnet: TestSubnet, b: Instance): Promise<void> {
  await internetGateway(m1, subnet.vpc)
  const { address } = await elasticIp(m2, b)
  t.is((await b.ping(OUTSIDE)).received, 5)
  const { stdout } = await m1.tryInternet('ping', '-q', '-c', '2', '-i', '0.1', address)
  t.regex(stdout, / 0% packet loss/)

  const inside = await m2.subnet(subnet.vpc, '10.0.2.0/24')
  await routeThrough(m2, await publicNatGateway(m1, subnet), inside)
  const c = await on(m2, (await m2.instance(inside, { host: 'm2-1' })).id)
  t.is((await c.ping(OUTSIDE)).received, 5)
}

/** A stack is carried out once, whichever endpoint was asked for it. */
async function stacksEndOnEither (t: ExecutionContext, m1: Lab, m2: Lab): Promise<void> {
  for (const [at, lab] of [m1, m2].entries()) {
    const { endpoint, credentials, region, requestHandler } = lab.ec2.config
    const client = new cloudformation.CloudFormationClient(
      { endpoint, credentials, region, requestHandler } as never)
    const StackName = `stack-${String(at)}`
    const block = `10.${String(200 + at)}.0.0/16`
    await client.send(new cloudformation.CreateStackCommand({ StackName, TemplateBody:
      `{"Resources":{"Vpc":{"Type":"AWS::EC2::VPC","Properties":{"CidrBlock":"${block}"}}}}` }))
    await eventually(`${StackName} is complete`, async () => {
      const { Stacks = [] } =
        await client.send(new cloudformation.DescribeStacksCommand({ StackName }))
      return Stacks[0]?.StackStatus === 'CREATE_COMPLETE'
    })
    const { Vpcs = [] } = await lab.ec2.send(new ec2.DescribeVpcsCommand(
      { Filters: [{ Name: 'cidr', Values: [block] }] }))
    t.is(Vpcs.length, 1)
  }
}

/**
 * A machine's daemon is killed: its instance goes on and is reached. When it has been lost for
 * long, its instance can be stopped and started elsewhere; when it is back, the old one goes.
 */
async function oneGoesOn (
  t: ExecutionContext, m1: Lab, m2: Lab, a: Instance, b: Instance): Promise<void> {
  await m2.kill()
  await eventually('m2 is lost', async () => {
    const { machines } = await m1.status()
    return machines.some(({ name, isLost }) => name === 'm2' && isLost)
  }, 30_000)
  await m1.ec2.send(new ec2.StopInstancesCommand({ InstanceIds: [b.id] }))
  await m1.waitInstances([b.id], 'stopped')
  await m1.ec2.send(new ec2.StartInstancesCommand({ InstanceIds: [b.id] }))
  const moved = await on(m1, b.id)
  await m1.waitApplied()
  t.regex(moved.description.Placement?.HostId ?? '', /^m1-/)
  t.is((await a.ping(b.ipv4)).received, 5)

  await m2.restart()
  await eventually('m2 is heard of', async () =>
    (await m1.status()).machines.every(({ isLost }) => !isLost))
  t.not((await b.try('true')).code, 0)
  t.is((await a.ping(b.ipv4)).received, 5)
}
