/**
 * An ENI moves from an instance on one host to an instance on another.
 *
 *     host-1        host-2                        host-3                        host-4
 *     └ client      └ old: has eni as eth1 ─────▶ └ new: receives eni as eth1   no instance
 *
 * While it is pinged: what the client loses lies within the time that the two calls took, detach to
 * applied attach. Afterwards: a packet that has the old place is sent on once, and nobody but the
 * old host may.
 */
import test from 'ava'
import * as ec2 from '@aws-sdk/client-ec2'
import type { CacheAnswer } from '../../daemon/api/admin/contract.ts'
import { adminRequest } from '../harness/admin.ts'
import { NODE, ROOT, command, eventually, inside } from '../harness/command.ts'
import { parsePing } from '../harness/instance.ts'
import type { Instance } from '../harness/instance.ts'
import type { Lab, TestSubnet } from '../harness/lab.ts'
import { type GeneveFields, genevePacket, ipv4UdpPacket } from '../harness/packets.ts'
import { withLab } from '../harness/with_lab.ts'

const HOSTS = [1, 2, 3, 4].map((n) => `host-${String(n)}:use1-az1`).join(',')
const ADDRESS = '10.0.1.100'
const GENEVE_PORT = '6081'
const INTERVAL_MS = 10
/** Beyond the time of the calls: one round trip, and the scheduling of a busy machine. */
const SLACK_MS = 500

interface Scene {
  readonly subnet: TestSubnet
  readonly client: Instance
  readonly oldOwner: Instance
  readonly newOwner: Instance
  readonly eni: string
  readonly attachmentId: string
}

/** All is there, and the old owner has the ENI. */
async function build (lab: Lab): Promise<Scene> {
  const subnet = await lab.subnet(await lab.vpc('10.0.0.0/16'), '10.0.1.0/24')
  const client = await lab.instance(subnet, { host: 'host-1' })
  const oldOwner = await lab.instance(subnet, { host: 'host-2' })
  const newOwner = await lab.instance(subnet, { host: 'host-3' })
  const { NetworkInterface } = await lab.ec2.send(new ec2.CreateNetworkInterfaceCommand({
    SubnetId: subnet.id, PrivateIpAddress: ADDRESS
  }))
  const eni = NetworkInterface?.NetworkInterfaceId ?? ''
  const { AttachmentId: attachmentId = '' } = await lab.ec2.send(
    new ec2.AttachNetworkInterfaceCommand({
      NetworkInterfaceId: eni, InstanceId: oldOwner.id, DeviceIndex: 1
    }))
  await lab.waitApplied()
  await eventually('the ENI answers', async () => (await client.ping(ADDRESS, 1)).received === 1)
  return { subnet, client, oldOwner, newOwner, eni, attachmentId }
}

/** Moves the ENI. @returns how long that took, ms */
async function move (lab: Lab, { eni, attachmentId, newOwner }: Scene): Promise<number> {
  const began = performance.now()
  await lab.ec2.send(new ec2.DetachNetworkInterfaceCommand({ AttachmentId: attachmentId }))
  await eventually('the ENI available', async () => {
    const { NetworkInterfaces } = await lab.ec2.send(
      new ec2.DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: [eni] }))
    return NetworkInterfaces?.[0]?.Status === 'available'
  })
  await lab.ec2.send(new ec2.AttachNetworkInterfaceCommand({
    NetworkInterfaceId: eni, InstanceId: newOwner.id, DeviceIndex: 1
  }))
  await lab.waitApplied()
  return performance.now() - began
}

/** Packets that a host has sent on after ENIs that had left it. */
async function forwardedBy (lab: Lab, name: string): Promise<number> {
  const { hosts } = await adminRequest<CacheAnswer>(lab.name, 'GET', '/cache')
  return hosts.find(({ host }) => host === name)?.forwarded ?? -1
}

/** A datagram from the underlay address of one host to another. */
async function sendUnderlay (lab: Lab, from: string, to: string, packet: Buffer): Promise<void> {
  const { underlayAddress } = await lab.hostStatus(to)
  await command('ip', ...inside(lab.hostNamespace(from), [
    NODE, `${ROOT}/test/harness/programs/send_udp.ts`, underlayAddress, GENEVE_PORT,
    packet.toString('hex')]))
}

test.serial('an ENI that moves to another host answers there after a bounded loss',
  withLab({ hosts: HOSTS }, async (t, lab) => {
    const scene = await build(lab)
    const { subnet, client, oldOwner, newOwner } = scene
    const before = await lab.mapping(subnet.vpc.id, ADDRESS)
    t.is(before.host, 'host-2')

    const pings = client.start('ping', '-n', '-O', '-i', String(INTERVAL_MS / 1000), ADDRESS)
    await pings.printed('bytes from')
    const movedMs = await move(lab, scene)
    await eventually('the ENI answers again', async () =>
      (await client.ping(ADDRESS, 1)).received === 1)
    const { sent, received } = parsePing(await pings.stop('SIGINT'))
    t.true((sent - received) * INTERVAL_MS <= movedMs + SLACK_MS,
      `${String(sent - received)} lost in a move of ${String(Math.round(movedMs))} ms`)

    const after = await lab.mapping(subnet.vpc.id, ADDRESS)
    t.is(after.host, 'host-3')
    t.true(after.generation > before.generation)
    t.regex(await newOwner.exec('ip', 'addr', 'show', 'eth1'), /10\.0\.1\.100/)
    t.not((await oldOwner.try('ip', 'link', 'show', 'eth1')).code, 0)
  }))

test.serial('what still comes to the old host is sent on once, and only the old host may',
  withLab({
    hosts: HOSTS, expectedWarnings: [/bad-host|bad-forwarder|forged/]
  }, async (t, lab) => {
    const scene = await build(lab)
    const { subnet, client, newOwner, eni } = scene
    await move(lab, scene)
    await eventually('eth1 of the new owner', async () =>
      (await newOwner.try('ip', 'link', 'show', 'up', 'eth1')).stdout.includes('eth1'))
    const tcpdump = newOwner.start('tcpdump', '-i', 'eth1', '-n', '-l', '--immediate-mode',
      'udp port 9')
    await tcpdump.printed('listening on')
    const { Vpcs } = await lab.ec2.send(new ec2.DescribeVpcsCommand({ VpcIds: [subnet.vpc.id] }))
    const vni = Number(Vpcs?.[0]?.Tags?.find((tag) => tag.Key === 'vpclab:vni')?.Value)
    const fields: GeneveFields = { vni, sourceEni: client.eni, destinationEni: eni }
    const { underlayAddress: forwardedFrom } = await lab.hostStatus('host-1')
    const inner = ipv4UdpPacket(client.ipv4, ADDRESS)
    const stale = genevePacket(fields, inner)
    const marked = genevePacket({ ...fields, forwardedFrom }, inner)

    // As host-1 sends it that has not heard of the move.
    const before = await forwardedBy(lab, 'host-2')
    await sendUnderlay(lab, 'host-1', 'host-2', stale)
    await tcpdump.printed(`${client.ipv4}.40000 > ${ADDRESS}.9`)
    await eventually('one packet sent on', async () =>
      await forwardedBy(lab, 'host-2') === before + 1)

    const forged: readonly [to: string, packet: Buffer, at: string | null, reason: string][] = [
      ['host-2', stale, eni, 'bad-host'], // sent on, and judged by where it came from
      ['host-2', marked, null, 'eni-not-here'], // not twice
      ['host-3', marked, eni, 'bad-forwarder'],
      ['host-3', stale, eni, 'bad-host']
    ]
    for (const [to, packet, at, reason] of forged) {
      const dropped = await lab.drops(at, reason)
      await sendUnderlay(lab, 'host-4', to, packet)
      await eventually(`a drop "${reason}" at ${to}`, async () =>
        await lab.drops(at, reason) === dropped + 1)
      t.pass(`${reason} at ${to}`)
    }
    t.is(await forwardedBy(lab, 'host-2'), before + 2)
    t.is((await client.ping(ADDRESS, 1)).received, 1)
    const seen = (await tcpdump.stop('SIGINT')).split('\n').filter((line) => line.includes(' > '))
    t.is(seen.length, 1, 'nothing forged was delivered')
  }))
