/**
 * Emptying a lab: everything goes but the hosts, and it is as good as new.
 *
 *     host-1 ─ a      host-2 ─ b      then nothing, then a new VPC
 */
import test from 'ava'
import * as ec2 from '@aws-sdk/client-ec2'
import { existsSync } from 'node:fs'
import type { ResetAnswer } from '../../daemon/api/admin/contract.ts'
import { namespacePath } from '../../daemon/host/paths.ts'
import { adminRequest } from '../harness/admin.ts'
import { withLab } from '../harness/with_lab.ts'

test.serial('a reset removes everything but the hosts', withLab({}, async (t, lab) => {
  const subnet = await lab.subnet(await lab.vpc('10.0.0.0/16'), '10.0.1.0/24')
  const a = await lab.instance(subnet, { host: 'host-1' })
  const b = await lab.instance(subnet, { host: 'host-2' })
  const { removed } = await adminRequest<ResetAnswer>(lab.name, 'POST', '/reset')
  t.true(removed > 0)
  t.deepEqual((await lab.ec2.send(new ec2.DescribeVpcsCommand({}))).Vpcs ?? [], [])
  t.deepEqual((await lab.ec2.send(new ec2.DescribeInstancesCommand({}))).Reservations ?? [], [])
  for (const { namespace } of [a, b]) t.false(existsSync(namespacePath(namespace)))
  t.is((await lab.status()).hosts.length, 2)

  const again = await lab.subnet(await lab.vpc('10.0.0.0/16'), '10.0.1.0/24')
  const c = await lab.instance(again, { host: 'host-1' })
  const d = await lab.instance(again, { host: 'host-2' })
  t.is((await c.ping(d.ipv4)).received, 5)
}))
