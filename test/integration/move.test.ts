/**
 * An ENI moves from an instance on one host to an instance on another while somebody pings it.
 *
 *     host-1                         host-2
 *     ├ client                       └ new: receives eni as eth1
 *     └ old: has eni as eth1
 *
 * What the client loses lies within the time that the two calls took, detach to applied attach.
 */
import test from 'ava'
import * as ec2 from '@aws-sdk/client-ec2'
import { eventually } from '../harness/command.ts'
import { parsePing } from '../harness/instance.ts'
import type { Lab } from '../harness/lab.ts'
import { withLab } from '../harness/with_lab.ts'

const INTERVAL_MS = 10
/** Beyond the time of the calls: one round trip, and the scheduling of a busy machine. */
const SLACK_MS = 500

/** Moves the ENI. @returns how long that took, ms */
async function move (
  lab: Lab, eni: string, attachmentId: string, toInstance: string): Promise<number> {
  const began = performance.now()
  await lab.ec2.send(new ec2.DetachNetworkInterfaceCommand({ AttachmentId: attachmentId }))
  await eventually('the ENI available', async () => {
    const { NetworkInterfaces } = await lab.ec2.send(
      new ec2.DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: [eni] }))
    return NetworkInterfaces?.[0]?.Status === 'available'
  })
  await lab.ec2.send(new ec2.AttachNetworkInterfaceCommand({
    NetworkInterfaceId: eni, InstanceId: toInstance, DeviceIndex: 1
  }))
  await lab.waitApplied()
  return performance.now() - began
}

test.serial('an ENI that moves to another host answers there after a bounded loss',
  withLab({}, async (t, lab) => {
    const subnet = await lab.subnet(await lab.vpc('10.0.0.0/16'), '10.0.1.0/24')
    const client = await lab.instance(subnet, { host: 'host-1' })
    const oldOwner = await lab.instance(subnet, { host: 'host-1' })
    const newOwner = await lab.instance(subnet, { host: 'host-2' })
    const { NetworkInterface } = await lab.ec2.send(new ec2.CreateNetworkInterfaceCommand({
      SubnetId: subnet.id, PrivateIpAddress: '10.0.1.100'
    }))
    const eni = NetworkInterface?.NetworkInterfaceId ?? ''
    const { AttachmentId = '' } = await lab.ec2.send(new ec2.AttachNetworkInterfaceCommand({
      NetworkInterfaceId: eni, InstanceId: oldOwner.id, DeviceIndex: 1
    }))
    await lab.waitApplied()
    await eventually('the ENI answers', async () =>
      (await client.ping('10.0.1.100', 1)).received === 1)
    const before = await lab.mapping(subnet.vpc.id, '10.0.1.100')
    t.is(before.host, 'host-1')

    const pings = client.start('ping', '-n', '-O', '-i', String(INTERVAL_MS / 1000), '10.0.1.100')
    await pings.printed('bytes from')
    const movedMs = await move(lab, eni, AttachmentId, newOwner.id)
    await eventually('the ENI answers again', async () =>
      (await client.ping('10.0.1.100', 1)).received === 1)
    const { sent, received } = parsePing(await pings.stop('SIGINT'))
    t.true((sent - received) * INTERVAL_MS <= movedMs + SLACK_MS,
      `${String(sent - received)} lost in a move of ${String(Math.round(movedMs))} ms`)

    const after = await lab.mapping(subnet.vpc.id, '10.0.1.100')
    t.is(after.host, 'host-2')
    t.true(after.generation > before.generation)
    t.regex(await newOwner.exec('ip', 'addr', 'show', 'eth1'), /10\.0\.1\.100/)
    t.not((await oldOwner.try('ip', 'link', 'show', 'eth1')).code, 0)
  }))
