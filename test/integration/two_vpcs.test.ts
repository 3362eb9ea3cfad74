/**
 * Two VPCs with the same CIDR and the same addresses on the same hosts.
 *
 *     host-1                            host-2
 *     ├ red-a    10.0.1.10              ├ red-b    10.0.1.20, serves "red"
 *     └ blue-a   10.0.1.10              ├ blue-b   10.0.1.20, serves "blue"
 *                                       └ blue-c   10.0.1.30, no twin in the red VPC
 */
import test from 'ava'
import * as ec2 from '@aws-sdk/client-ec2'
import type { Background } from '../harness/command.ts'
import { NODE } from '../harness/command.ts'
import type { Instance } from '../harness/instance.ts'
import type { Lab, TestVpc } from '../harness/lab.ts'
import { withLab } from '../harness/with_lab.ts'

const SERVER = `require('node:http')
  .createServer((request, response) => response.end(process.argv[1]))
  .listen(80, () => console.log('listening'))`

interface Tenant {
  readonly vpc: TestVpc
  readonly a: Instance
  readonly b: Instance
  readonly others: readonly Instance[]
}

async function build (lab: Lab, others: readonly string[]): Promise<Tenant> {
  const vpc = await lab.vpc('10.0.0.0/16')
  const subnet = await lab.subnet(vpc, '10.0.1.0/24')
  return {
    vpc,
    a: await lab.instance(subnet, { host: 'host-1', address: '10.0.1.10' }),
    b: await lab.instance(subnet, { host: 'host-2', address: '10.0.1.20' }),
    others: await Promise.all(others.map(
      (address) => lab.instance(subnet, { host: 'host-2', address })))
  }
}

async function serve (instance: Instance, text: string): Promise<Background> {
  const server = instance.start(NODE, '-e', SERVER, text)
  await server.printed('listening')
  return server
}

/** The number of a VPC on the wire, as DescribeVpcs shows it. */
async function vniOf (lab: Lab, vpc: TestVpc): Promise<string> {
  const { Vpcs } = await lab.ec2.send(new ec2.DescribeVpcsCommand({ VpcIds: [vpc.id] }))
  return Vpcs?.[0]?.Tags?.find((tag) => tag.Key === 'vpclab:vni')?.Value ?? ''
}

test.serial('each VPC sees its own instance behind an address that both have',
  withLab({}, async (t, lab) => {
    const red = await build(lab, [])
    const blue = await build(lab, ['10.0.1.30'])
    const servers = [await serve(red.b, 'red'), await serve(blue.b, 'blue')]
    t.is(await red.a.exec('curl', '-s', 'http://10.0.1.20/'), 'red')
    t.is(await blue.a.exec('curl', '-s', 'http://10.0.1.20/'), 'blue')
    for (const server of servers) await server.stop()
  }))

test.serial('an address of one VPC is unknown in the other', withLab({}, async (t, lab) => {
  const red = await build(lab, [])
  const blue = await build(lab, ['10.0.1.30'])
  t.is((await blue.a.ping('10.0.1.30')).received, 5)
  t.is((await red.a.ping('10.0.1.30')).received, 0)
  await lab.waitDrops(red.a.eni, 'no-mapping', 5)
  t.is(await lab.drops(blue.a.eni, 'no-mapping'), 0)
}))

test.serial('the wire tells equal inner addresses apart by the VNI', withLab({}, async (t, lab) => {
  const tenants = [await build(lab, []), await build(lab, [])]
  await using capture = await lab.capture('host-1')
  for (const { a } of tenants) t.is((await a.ping('10.0.1.20', 3)).received, 3)
  await capture.stop()
  for (const { vpc } of tenants) {
    const vni = await vniOf(lab, vpc)
    const frames = await capture.fields(['ip.src', 'ip.dst'], `geneve.vni == ${vni} && icmp`)
    t.is(frames.length, 6, 'three requests, three answers')
    t.true(frames.every((frame) => frame['ip.src']?.includes('10.0.1.')))
  }
}))
