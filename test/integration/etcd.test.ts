/**
 * A lab whose records are in an etcd:
 *
 *     vpcd ── records ──▶ etcd, killed and started again
 *       a ── ping ──▶ b goes on all the time
 *
 *     machine 1 ✕          its lab is removed; machine 2 goes on with what stands in etcd
 */
import * as ec2 from '@aws-sdk/client-ec2'
import test from 'ava'
import { ageOfRead } from '../harness/age_of_read.ts'
import { eventually } from '../harness/command.ts'
import { Etcd } from '../harness/etcd.ts'
import { Instance } from '../harness/instance.ts'
import { Lab, TWO_HOSTS_ONE_ZONE } from '../harness/lab.ts'

test.serial('traffic goes on without etcd, writes are refused, and another machine can take over',
  async (t) => {
    await using etcd = await Etcd.start()
    const flags = ['--store', `etcd://127.0.0.1:${String(etcd.port)}/shop`]
    const first = await Lab.start({ hosts: TWO_HOSTS_ONE_ZONE, flags })
    let second: Lab | null = null
    try {
      const subnet = await first.subnet(await first.vpc('10.0.0.0/16'), '10.0.1.0/24')
      const a = await first.instance(subnet, { host: 'host-1' })
      const b = await first.instance(subnet, { host: 'host-2' })
      const ping = a.start('ping', '-i', '0.05', b.ipv4)
      await ping.printed('icmp_seq=20')

      await etcd.kill()
      await eventually('the daemon knows', async () =>
        (await first.status()).storeUnreachableSince !== null)
      t.regex((await first.status()).storeUnreachableReason ?? '', /127\.0\.0\.1/)
      const refused = await t.throwsAsync(async () => await first.ec2.send(
        new ec2.CreateVpcCommand({ CidrBlock: '10.9.0.0/16' })))
      t.is(refused.name, 'Unavailable')
      t.true(Number(await ageOfRead(first)) >= 1)

      await etcd.restart()
      await eventually('etcd answers', async () =>
        (await first.status()).storeUnreachableSince === null)
      t.is(await ageOfRead(first), null)
      await first.vpc('10.9.0.0/16')
      const pings = await ping.stop('SIGINT')
      t.regex(pings, / 0% packet loss/)
      t.deepEqual(await first.down(), [])

      second = await Lab.start({ hosts: TWO_HOSTS_ONE_ZONE, flags })
      const [running] = await second.waitInstances([a.id], 'running')
      if (running === undefined) throw new Error(`${a.id} is not there`)
      const again = new Instance(second.name, running)
      await eventually('the instances are there again', async () =>
        (await again.try('ping', '-c', '1', '-W', '1', b.ipv4)).code === 0)
      const { Vpcs = [] } = await second.ec2.send(new ec2.DescribeVpcsCommand({}))
      t.deepEqual(Vpcs.map(({ CidrBlock }) => CidrBlock).sort(), ['10.0.0.0/16', '10.9.0.0/16'])
    } finally {
      await first.down()
      t.deepEqual(await second?.down() ?? [], [])
    }
  })
