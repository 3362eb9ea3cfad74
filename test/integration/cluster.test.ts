/**
 * A lab on two machines, whose records are in an etcd:
 *
 *     a on m1-1 ══ underlay of m1 ══ m1 ── network ── m2 ══ underlay of m2 ══ b on m2-1
 */
import * as ec2 from '@aws-sdk/client-ec2'
import test from 'ava'
import { Cluster } from '../harness/cluster.ts'
import { Instance } from '../harness/instance.ts'

test.serial('a lab on two machines', async (t) => {
  const cluster = await Cluster.start()
  try {
    const m1 = await cluster.machine(1, { hosts: 'm1-1:use1-az1' })
    const m2 = await cluster.machine(2, { hosts: 'm2-1:use1-az1' })
    const subnet = await m1.subnet(await m1.vpc('10.0.0.0/16'), '10.0.1.0/24')
    const a = await m1.instance(subnet, { host: 'm1-1' })
    const { id, ipv4 } = await m1.instance(subnet, { host: 'm2-1' })
    t.is((await a.ping(ipv4)).lost, 0)
    const { Vpcs = [] } = await m2.ec2.send(new ec2.DescribeVpcsCommand({}))
    t.is(Vpcs.length, 1)
    t.truthy(id)
    t.truthy(Instance)
  } finally {
    t.deepEqual(await cluster.down(), [])
  }
})
