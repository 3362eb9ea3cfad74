/**
 * Encapsulated packets that a third host makes up: the receiver believes nothing, drops each for
 * one reason, and counts it.
 *
 *     host-1 ─ a  ─┐ VPC red                    host-3: no instance; sends Geneve
 *     host-2 ─ b  ─┘                                    to host-2 by itself
 *     host-2 ─ other, VPC blue
 */
import test from 'ava'
import * as ec2 from '@aws-sdk/client-ec2'
import { NODE, ROOT, command, eventually, inside } from '../harness/command.ts'
import type { Lab, TestVpc } from '../harness/lab.ts'
import { type GeneveFields, genevePacket, ipv4UdpPacket } from '../harness/packets.ts'
import { withLab } from '../harness/with_lab.ts'

const GENEVE_PORT = 6081
const HOSTS = 'host-1:use1-az1,host-2:use1-az1,host-3:use1-az1'
const UNKNOWN_VNI = 0xfffffe
const UNKNOWN_ENI = 'eni-0fffffffffffffffe'

async function vniOf (lab: Lab, vpc: TestVpc): Promise<number> {
  const { Vpcs } = await lab.ec2.send(new ec2.DescribeVpcsCommand({ VpcIds: [vpc.id] }))
  return Number(Vpcs?.[0]?.Tags?.find((tag) => tag.Key === 'vpclab:vni')?.Value)
}

/** Drops of one reason at all ENIs and at none. */
async function dropsOf (lab: Lab, reason: string, enis: readonly string[]): Promise<number> {
  const counts = await Promise.all([null, ...enis].map((eni) => lab.drops(eni, reason)))
  return counts.reduce((sum, count) => sum + count, 0)
}

test.serial('each kind of forged packet is dropped for its own reason', withLab({
  hosts: HOSTS, expectedWarnings: [/bad-host|vni-mismatch|forged/]
}, async (t, lab) => {
  const red = await lab.vpc('10.0.0.0/16')
  const blue = await lab.vpc('10.0.0.0/16')
  const redSubnet = await lab.subnet(red, '10.0.1.0/24')
  const blueSubnet = await lab.subnet(blue, '10.0.1.0/24')
  const a = await lab.instance(redSubnet, { host: 'host-1' })
  const b = await lab.instance(redSubnet, { host: 'host-2' })
  const other = await lab.instance(blueSubnet, { host: 'host-2' })
  t.is((await a.ping(b.ipv4)).received, 5)

  const tcpdump = b.start('tcpdump', '-i', 'eth0', '-n', '-l', '--immediate-mode')
  await tcpdump.printed('listening on')
  const { underlayAddress } = await lab.hostStatus('host-2')
  const good = { vni: await vniOf(lab, red), sourceEni: a.eni, destinationEni: b.eni }
  const inner = ipv4UdpPacket(a.ipv4, b.ipv4)
  const cases: readonly [reason: string, forged: GeneveFields, inner?: Buffer][] = [
    ['bad-host', good],
    ['vni-unknown', { ...good, vni: UNKNOWN_VNI }],
    ['eni-not-here', { ...good, destinationEni: UNKNOWN_ENI }],
    ['vni-mismatch', { ...good, vni: await vniOf(lab, blue) }],
    ['geneve-version', { ...good, version: 1 }],
    ['geneve-critical-option', { ...good, unknownCriticalOption: true }],
    ['geneve-malformed', { ...good, optionWordsTooMany: 50 }]
  ]
  for (const [reason, fields] of cases) {
    const enis = [b.eni, other.eni]
    const before = await dropsOf(lab, reason, enis)
    await command('ip', ...inside(lab.hostNamespace('host-3'), [
      NODE, `${ROOT}/test/harness/programs/send_udp.ts`, underlayAddress, String(GENEVE_PORT),
      genevePacket(fields, inner).toString('hex')]))
    await eventually(`a drop "${reason}"`, async () =>
      await dropsOf(lab, reason, enis) === before + 1)
    t.pass(reason)
  }
  t.is((await a.ping(b.ipv4, 1)).received, 1)
  await tcpdump.printed('ICMP echo reply')
  t.false((await tcpdump.stop('SIGINT')).includes('.40000 >'), 'no forged packet was delivered')
}))
