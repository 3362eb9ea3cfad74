/**
 * Route tables at work: an appliance behind an ENI route, longest prefix, blackhole, and changes
 * that act on the next packet.
 *
 *     host-1                               host-2
 *     ├ a   subnet 10.0.1.0/24             ├ r   subnet 10.0.2.0/24, check off,
 *     └ x   subnet 10.0.2.0/24,                  answers for 192.0.2.1 and .2
 *           answers for 192.0.2.1
 *
 *     route table of 10.0.1.0/24:   192.0.2.0/24 → r      192.0.2.1/32 → nobody, then x
 */
import test from 'ava'
import * as ec2 from '@aws-sdk/client-ec2'
import type { Instance } from '../harness/instance.ts'
import { withLab } from '../harness/with_lab.ts'

const SERVICE = '192.0.2.1'
const OTHER_SERVICE = '192.0.2.2'

test.serial('packets follow the most specific route of the subnet\'s own table',
  withLab({}, async (t, lab) => {
    const vpc = await lab.vpc('10.0.0.0/16')
    const one = await lab.subnet(vpc, '10.0.1.0/24')
    const two = await lab.subnet(vpc, '10.0.2.0/24')
    const a = await lab.instance(one, { host: 'host-1' })
    const x = await lab.instance(two, { host: 'host-1' })
    const r = await lab.instance(two, { host: 'host-2' })
    for (const [appliance, ...addresses] of [[r, SERVICE, OTHER_SERVICE], [x, SERVICE]] as const) {
      for (const address of addresses) {
        await appliance.exec('ip', 'addr', 'add', `${address}/32`, 'dev', 'lo')
      }
      await lab.ec2.send(new ec2.ModifyNetworkInterfaceAttributeCommand({
        NetworkInterfaceId: appliance.eni, SourceDestCheck: { Value: false }
      }))
    }

    await lab.waitApplied()
    t.is((await a.ping(SERVICE, 2)).received, 0)
    await lab.waitDrops(a.eni, 'no-route', 2)

    const { RouteTable } = await lab.ec2.send(new ec2.CreateRouteTableCommand({ VpcId: vpc.id }))
    const RouteTableId = RouteTable?.RouteTableId ?? ''
    await lab.ec2.send(new ec2.AssociateRouteTableCommand({ RouteTableId, SubnetId: one.id }))
    await lab.ec2.send(new ec2.CreateRouteCommand({
      RouteTableId, DestinationCidrBlock: '192.0.2.0/24', NetworkInterfaceId: r.eni
    }))
    await lab.waitApplied()
    t.is((await a.ping(SERVICE)).received, 5, 'by the ENI route')
    t.is((await x.ping(OTHER_SERVICE, 2)).received, 0, 'another subnet, another table')
    t.is((await a.ping(x.ipv4)).received, 5, 'by the local route')

    const { NetworkInterface } = await lab.ec2.send(
      new ec2.CreateNetworkInterfaceCommand({ SubnetId: two.id }))
    const NetworkInterfaceId = NetworkInterface?.NetworkInterfaceId ?? ''
    await lab.ec2.send(new ec2.CreateRouteCommand({
      RouteTableId, DestinationCidrBlock: `${SERVICE}/32`, NetworkInterfaceId
    }))
    await lab.waitApplied()
    t.is((await a.ping(SERVICE, 2)).received, 0, 'the /32 wins, and its target is no instance')
    await lab.waitDrops(a.eni, 'blackhole', 2)

    await lab.ec2.send(new ec2.ReplaceRouteCommand({
      RouteTableId, DestinationCidrBlock: `${SERVICE}/32`, NetworkInterfaceId: x.eni
    }))
    await lab.waitApplied()
    const seen = x.start('tcpdump', '-n', '-l', '-i', 'eth0', 'icmp')
    await seen.printed('listening on')
    t.is((await a.ping(OTHER_SERVICE)).received, 5)
    t.is((await a.ping(SERVICE)).received, 5)
    await seen.printed(`${SERVICE}: ICMP echo request`)
    await seen.stop('SIGINT')
    t.false(seen.output.includes(OTHER_SERVICE), 'x gets what its own route says, and no more')

    await lab.ec2.send(new ec2.StopInstancesCommand({ InstanceIds: [x.id] }))
    await lab.waitInstances([x.id], 'stopped')
    await lab.waitApplied()
    const before = await lab.drops(a.eni, 'blackhole')
    t.is((await a.ping(SERVICE, 2)).received, 0, 'x is stopped, and r is not asked instead')
    await lab.waitDrops(a.eni, 'blackhole', before + 2)

    const pings = a.start('ping', '-n', '-O', '-i', '0.05', '-W', '1', SERVICE)
    await pings.printed('no answer yet')
    await lab.ec2.send(new ec2.DeleteRouteCommand({
      RouteTableId, DestinationCidrBlock: `${SERVICE}/32`
    }))
    await pings.printed('bytes from')
    await pings.stop('SIGINT')
    t.pass('the change acted on the flow that was there')
  }))

/** Packets that an instance's kernel has passed on so far: `Ip: ForwDatagrams`, RFC 4293. */
async function forwarded (router: Instance): Promise<number> {
  const counters = await router.exec('cat', '/proc/net/snmp')
  const [names = [], values = []] = counters.split('\n')
    .filter((line) => line.startsWith('Ip: ')).map((line) => line.split(' '))
  return Number(values[names.indexOf('ForwDatagrams')] ?? NaN)
}

/*
 *     host-1                               host-2
 *     └ a   subnet 10.0.1.0/24             ├ r   subnet 10.0.3.0/24, check off, forwards
 *                                          └ b   subnet 10.0.2.0/24
 *
 *     route table of 10.0.1.0/24:   10.0.0.0/16 local, then → r        10.0.2.0/24 → r
 */
test.serial('a route inside the VPC, or the local one itself, leads through an appliance',
  withLab({}, async (t, lab) => {
    const vpc = await lab.vpc('10.0.0.0/16')
    const one = await lab.subnet(vpc, '10.0.1.0/24')
    const two = await lab.subnet(vpc, '10.0.2.0/24')
    const middle = await lab.subnet(vpc, '10.0.3.0/24')
    const a = await lab.instance(one, { host: 'host-1' })
    const b = await lab.instance(two, { host: 'host-2' })
    const r = await lab.instance(middle, { host: 'host-2' })
    await r.exec('sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv4.conf.all.send_redirects=0')
    await lab.ec2.send(new ec2.ModifyNetworkInterfaceAttributeCommand({
      NetworkInterfaceId: r.eni, SourceDestCheck: { Value: false }
    }))
    const { RouteTable } = await lab.ec2.send(new ec2.CreateRouteTableCommand({ VpcId: vpc.id }))
    const RouteTableId = RouteTable?.RouteTableId ?? ''
    await lab.ec2.send(new ec2.AssociateRouteTableCommand({ RouteTableId, SubnetId: one.id }))
    await lab.waitApplied()
    const pingsThrough = async (): Promise<number> => {
      const before = await forwarded(r)
      t.is((await a.ping(b.ipv4)).received, 5)
      return await forwarded(r) - before
    }
    t.is(await pingsThrough(), 0, 'by the local route')

    await lab.ec2.send(new ec2.CreateRouteCommand({
      RouteTableId, DestinationCidrBlock: two.cidr, NetworkInterfaceId: r.eni
    }))
    await lab.waitApplied()
    t.is(await pingsThrough(), 5, 'one way through r, the answers straight back')
    await lab.ec2.send(new ec2.DeleteRouteCommand({
      RouteTableId, DestinationCidrBlock: two.cidr
    }))
    await lab.ec2.send(new ec2.ReplaceRouteCommand({
      RouteTableId, DestinationCidrBlock: vpc.cidr, NetworkInterfaceId: r.eni
    }))
    await lab.waitApplied()
    t.is(await pingsThrough(), 5, 'the local route has another target')
    await lab.ec2.send(new ec2.ReplaceRouteCommand({
      RouteTableId, DestinationCidrBlock: vpc.cidr, LocalTarget: true
    }))
    await lab.waitApplied()
    t.is(await pingsThrough(), 0, 'and its own one again')
  }))
