/**
 * Prefix lists on real packets: a list that a rule or a route names is edited while a ping runs,
 * and the table or group itself is never touched.
 *
 *     host-1                               host-2
 *     └ a  subnet 10.0.1.0/24              ├ r  subnet 10.0.2.0/24, check off, is 192.0.2.1, .65
 *                                          └ s  subnet 10.0.2.0/24
 *
 *     route table of 10.0.1.0/24:   list → r       group of s:   ICMP from list
 */
import test from 'ava'
import * as ec2 from '@aws-sdk/client-ec2'
import type { Background } from '../harness/command.ts'
import { eventually } from '../harness/command.ts'
import type { Instance } from '../harness/instance.ts'
import type { Lab, TestSubnet, TestVpc } from '../harness/lab.ts'
import { withLab } from '../harness/with_lab.ts'

const SERVICE = '192.0.2.1'
const OTHER_SERVICE = '192.0.2.65'

interface World { readonly vpc: TestVpc, readonly one: TestSubnet, readonly two: TestSubnet }

async function build (lab: Lab): Promise<World> {
  const vpc = await lab.vpc('10.0.0.0/16')
  return {
    vpc, one: await lab.subnet(vpc, '10.0.1.0/24'), two: await lab.subnet(vpc, '10.0.2.0/24')
  }
}

async function newList (lab: Lab, ...cidrs: string[]): Promise<string> {
  const { PrefixList } = await lab.ec2.send(new ec2.CreateManagedPrefixListCommand({
    PrefixListName: 'list', AddressFamily: 'IPv4', MaxEntries: 5,
    Entries: cidrs.map((Cidr) => ({ Cidr }))
  }))
  return PrefixList?.PrefixListId ?? ''
}

async function edit (lab: Lab, PrefixListId: string, CurrentVersion: number,
  change: Pick<ec2.ModifyManagedPrefixListRequest, 'AddEntries' | 'RemoveEntries'>): Promise<void> {
  await lab.ec2.send(new ec2.ModifyManagedPrefixListCommand({
    PrefixListId, CurrentVersion, ...change
  }))
}

/** A ping that goes on until it is stopped and tells of every answer that does not come. */
function endlessPing (from: Instance, address: string): Background {
  return from.start('ping', '-n', '-O', '-i', '0.05', '-W', '1', address)
}

/** Numbers of lines with a text that a program has printed so far. */
const count = (program: Background, text: string): number => program.output.split(text).length - 1

/** Waits until the ping is answered no more: five losses in a row with nothing between. */
async function falls (ping: Background): Promise<void> {
  await eventually('a ping without answers', () =>
    ping.output.trimEnd().split('\n').slice(-5).every((line) => line.includes('no answer yet')))
}

async function answers (ping: Background): Promise<void> {
  const before = count(ping, 'bytes from')
  await eventually('five more answers', () => count(ping, 'bytes from') >= before + 5)
}

test.serial('a route to a prefix list follows the list, on flows that are there already',
  withLab({}, async (t, lab) => {
    const { vpc, one, two } = await build(lab)
    const a = await lab.instance(one, { host: 'host-1' })
    const r = await lab.instance(two, { host: 'host-2' })
    for (const address of [SERVICE, OTHER_SERVICE]) {
      await r.exec('ip', 'addr', 'add', `${address}/32`, 'dev', 'lo')
    }
    await lab.ec2.send(new ec2.ModifyNetworkInterfaceAttributeCommand({
      NetworkInterfaceId: r.eni, SourceDestCheck: { Value: false }
    }))
    const list = await newList(lab, '192.0.2.64/26')
    const { RouteTable } = await lab.ec2.send(new ec2.CreateRouteTableCommand({ VpcId: vpc.id }))
    const RouteTableId = RouteTable?.RouteTableId ?? ''
    await lab.ec2.send(new ec2.AssociateRouteTableCommand({ RouteTableId, SubnetId: one.id }))
    await lab.ec2.send(new ec2.CreateRouteCommand({
      RouteTableId, DestinationPrefixListId: list, NetworkInterfaceId: r.eni
    }))
    await lab.waitApplied()
    t.is((await a.ping(OTHER_SERVICE)).received, 5, 'the entry that is there')
    const ping = endlessPing(a, SERVICE)
    await ping.printed('no answer yet')
    await lab.waitDrops(a.eni, 'no-route', 1)
    await edit(lab, list, 1, { AddEntries: [{ Cidr: '192.0.2.0/26' }] })
    await answers(ping)
    await edit(lab, list, 2, { RemoveEntries: [{ Cidr: '192.0.2.0/26' }] })
    await falls(ping)
    await lab.ec2.send(new ec2.RestoreManagedPrefixListVersionCommand({
      PrefixListId: list, PreviousVersion: 2, CurrentVersion: 3
    }))
    await answers(ping)

    const { NetworkInterface } = await lab.ec2.send(
      new ec2.CreateNetworkInterfaceCommand({ SubnetId: two.id }))
    await lab.ec2.send(new ec2.CreateRouteCommand({
      RouteTableId, DestinationCidrBlock: '192.0.2.0/26',
      NetworkInterfaceId: NetworkInterface?.NetworkInterfaceId ?? ''
    }))
    await falls(ping)
    await lab.waitDrops(a.eni, 'blackhole', 1)
    await ping.stop('SIGINT')
    t.is((await a.ping(OTHER_SERVICE)).received, 5,
      'a static route beats the entry of the same block, and no other')
  }))

test.serial('a rule for a prefix list follows the list, on every host',
  withLab({}, async (t, lab) => {
    const { vpc, one, two } = await build(lab)
    const a = await lab.instance(one, { host: 'host-1' })
    const s = await lab.instance(two, { host: 'host-2' })
    const near = await lab.instance(two, { host: 'host-1' })
    const list = await newList(lab, '198.51.100.0/24')
    const { GroupId = '' } = await lab.ec2.send(new ec2.CreateSecurityGroupCommand({
      VpcId: vpc.id, GroupName: 'servers', Description: 'servers'
    }))
    for (const { eni } of [s, near]) {
      await lab.ec2.send(new ec2.ModifyNetworkInterfaceAttributeCommand({
        NetworkInterfaceId: eni, Groups: [GroupId]
      }))
    }
    await lab.ec2.send(new ec2.AuthorizeSecurityGroupIngressCommand({
      GroupId,
      IpPermissions: [{
        IpProtocol: 'icmp', FromPort: -1, ToPort: -1, PrefixListIds: [{ PrefixListId: list }]
      }]
    }))
    await lab.waitApplied()
    const pings = [s, near].map(({ ipv4 }) => endlessPing(a, ipv4))
    for (const ping of pings) await ping.printed('no answer yet')
    for (const { eni } of [s, near]) await lab.waitDrops(eni, 'security-group-ingress', 1)
    await edit(lab, list, 1, { AddEntries: [{ Cidr: `${a.ipv4}/32` }] })
    for (const ping of pings) await answers(ping)
    for (const ping of pings) await ping.stop('SIGINT')

    await edit(lab, list, 2, { RemoveEntries: [{ Cidr: `${a.ipv4}/32` }] })
    await lab.waitApplied()
    for (const { ipv4 } of [s, near]) {
      t.is((await a.ping(ipv4, 2)).received, 0, 'a new conversation is refused')
    }
  }))
