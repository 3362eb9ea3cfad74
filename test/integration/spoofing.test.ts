/**
 * What an instance may not do: speak for others, or speak to the machinery.
 *
 *     host-1                     host-2
 *     └ a   10.0.1.0/24          └ b   10.0.1.0/24, listens with tcpdump
 */
import test from 'ava'
import * as ec2 from '@aws-sdk/client-ec2'
import { NODE, ROOT } from '../harness/command.ts'
import type { Instance } from '../harness/instance.ts'
import type { Lab } from '../harness/lab.ts'
import { ipv4UdpPacket } from '../harness/packets.ts'
import { withLab } from '../harness/with_lab.ts'

/** In the subnet, and nobody's. */
const FORGED_SOURCE = '10.0.1.99'
const FORGED_SOURCE_IPV6 = '2001:db8:ffff::99'
const PACKETS = 3

async function build (lab: Lab): Promise<{ a: Instance, b: Instance }> {
  const vpc = await lab.vpc('10.0.0.0/16', { ipv6: true })
  const subnet = await lab.subnet(vpc, '10.0.1.0/24', { ipv6Index: 0 })
  return {
    a: await lab.instance(subnet, { host: 'host-1', ipv6: true }),
    b: await lab.instance(subnet, { host: 'host-2', ipv6: true })
  }
}

/** Sends packets with a forged source from `a` to `b`. */
async function sendForged (a: Instance, b: Instance): Promise<void> {
  const packet = ipv4UdpPacket(FORGED_SOURCE, b.ipv4).toString('hex')
  await a.exec(NODE, `${ROOT}/test/harness/programs/send_ipv4.ts`,
    ...Array.from({ length: PACKETS }, () => packet))
}

/** What `b` receives from the forged source while `body` runs; a last ping marks the end. */
async function receivedDuring (
  a: Instance, b: Instance, body: () => Promise<void>): Promise<string> {
  const tcpdump = b.start('tcpdump', '-i', 'eth0', '-n', '-l', '--immediate-mode')
  await tcpdump.printed('listening on')
  await body()
  await a.exec('ping', '-c', '1', '-W', '1', b.ipv4)
  await tcpdump.printed('ICMP echo reply')
  return await tcpdump.stop('SIGINT')
}

test.serial('a forged source address is dropped and counted until the check is switched off',
  withLab({}, async (t, lab) => {
    const { a, b } = await build(lab)
    const before = await receivedDuring(a, b, () => sendForged(a, b))
    t.false(before.includes(FORGED_SOURCE))
    await lab.waitDrops(a.eni, 'source-spoofed', PACKETS)
    t.is(await lab.drops(a.eni, 'source-spoofed'), PACKETS)

    await lab.ec2.send(new ec2.ModifyNetworkInterfaceAttributeCommand({
      NetworkInterfaceId: a.eni, SourceDestCheck: { Value: false }
    }))
    // The address is nobody's, so the group of b would not let it in either.
    const [group] = b.description.SecurityGroups ?? []
    await lab.ec2.send(new ec2.AuthorizeSecurityGroupIngressCommand({
      GroupId: group?.GroupId ?? '', IpProtocol: 'udp', FromPort: 0, ToPort: 65_535,
      CidrIp: `${FORGED_SOURCE}/32`
    }))
    await lab.waitApplied()
    const after = await receivedDuring(a, b, () => sendForged(a, b))
    t.is(after.split(`${FORGED_SOURCE}.40000 >`).length - 1, PACKETS)
  }))

test.serial('a forged IPv6 source address is dropped and counted', withLab({}, async (t, lab) => {
  const { a, b } = await build(lab)
  await a.exec('ip', '-6', 'addr', 'add', `${FORGED_SOURCE_IPV6}/128`, 'dev', 'lo', 'nodad')
  const result = await a.ping(b.ipv6, PACKETS, '-I', FORGED_SOURCE_IPV6)
  t.is(result.received, 0)
  await lab.waitDrops(a.eni, 'source-spoofed', PACKETS)
}))

test.serial('an instance reaches neither underlay nor daemon', withLab({}, async (t, lab) => {
  const { a } = await build(lab)
  const { endpointUrl } = await lab.status()
  const { underlayAddress } = await lab.hostStatus('host-2')
  t.is((await a.ping(underlayAddress, 2)).received, 0)
  const curl = await a.try('curl', '-s', '-m', '2', endpointUrl)
  t.not(curl.code, 0)
}))

test.serial('multicast and link-local destinations are dropped and counted', withLab({},
  async (t, lab) => {
    const { a } = await build(lab)
    t.is((await a.ping('224.0.0.251', 2, '-I', 'eth0')).received, 0)
    await lab.waitDrops(a.eni, 'multicast', 2)
    t.is((await a.ping('169.254.1.1', 2)).received, 0)
    await lab.waitDrops(a.eni, 'link-local', 2)
  }))
