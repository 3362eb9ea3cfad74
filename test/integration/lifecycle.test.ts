/**
 * An instance stops, starts and ends; its namespace and its reachability follow.
 *
 *     host-1 ─ a      host-2 ─ b: stopped, started, terminated
 */
import test from 'ava'
import * as ec2 from '@aws-sdk/client-ec2'
import { existsSync } from 'node:fs'
import { namespacePath } from '../../daemon/host/paths.ts'
import { withLab } from '../harness/with_lab.ts'

test.serial('an instance keeps its address over stop and start, and is gone when terminated',
  withLab({}, async (t, lab) => {
    const subnet = await lab.subnet(await lab.vpc('10.0.0.0/16'), '10.0.1.0/24')
    const a = await lab.instance(subnet, { host: 'host-1' })
    const b = await lab.instance(subnet, { host: 'host-2' })
    const ids = { InstanceIds: [b.id] }
    t.is((await a.ping(b.ipv4)).received, 5)

    await lab.ec2.send(new ec2.StopInstancesCommand(ids))
    await lab.waitInstances([b.id], 'stopped')
    await lab.waitApplied()
    t.false(existsSync(namespacePath(b.namespace)))
    t.is((await a.ping(b.ipv4, 2)).received, 0)

    await lab.ec2.send(new ec2.StartInstancesCommand(ids))
    const [started] = await lab.waitInstances([b.id], 'running')
    await lab.waitApplied()
    t.is(started?.PrivateIpAddress, b.ipv4)
    t.is((await a.ping(b.ipv4)).received, 5)

    await lab.ec2.send(new ec2.TerminateInstancesCommand(ids))
    await lab.waitInstances([b.id], 'terminated')
    await lab.waitApplied()
    t.false(existsSync(namespacePath(b.namespace)))
    await t.throwsAsync(
      lab.ec2.send(new ec2.DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: [b.eni] })),
      { name: 'InvalidNetworkInterfaceID.NotFound' })
  }))
