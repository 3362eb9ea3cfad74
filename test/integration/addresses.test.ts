/**
 * An ENI's further addresses: secondary ones, delegated prefixes, a second interface, and a subnet
 * that has no IPv4 at all.
 *
 *     host-1 ─ a  10.0.1.0/24        host-2 ─ b  10.0.1.0/24
 *                                               eth0  + 10.0.1.50, an IPv6 address, 10.0.1.96/28
 *                                               eth1  in 10.0.2.0/24
 *     host-1 ─ c  IPv6 only          host-2 ─ d  IPv6 only
 */
import test from 'ava'
import * as ec2 from '@aws-sdk/client-ec2'
import { eventually } from '../harness/command.ts'
import type { Instance } from '../harness/instance.ts'
import { withLab } from '../harness/with_lab.ts'

const SECONDARY = '10.0.1.50'
const PREFIX = '10.0.1.96/28'
const IN_PREFIX = '10.0.1.100'

/** Waits until `from` reaches an address, or no longer does. */
async function reaches (from: Instance, address: string, expected: boolean): Promise<void> {
  await eventually(`${address} ${expected ? 'answers' : 'is gone'}`, async () =>
    ((await from.ping(address, 1)).received === 1) === expected)
}

test.serial('secondary addresses and delegated prefixes are reachable while they are assigned',
  withLab({}, async (t, lab) => {
    const vpc = await lab.vpc('10.0.0.0/16', { ipv6: true })
    const subnet = await lab.subnet(vpc, '10.0.1.0/24', { ipv6Index: 1 })
    const a = await lab.instance(subnet, { host: 'host-1', ipv6: true })
    const b = await lab.instance(
      subnet, { host: 'host-2', address: '10.0.1.20', type: 'm5.large' })
    const NetworkInterfaceId = b.eni

    await lab.ec2.send(new ec2.AssignPrivateIpAddressesCommand({
      NetworkInterfaceId, PrivateIpAddresses: [SECONDARY]
    }))
    const { AssignedIpv6Addresses: [ipv6 = ''] = [] } = await lab.ec2.send(
      new ec2.AssignIpv6AddressesCommand({ NetworkInterfaceId, Ipv6AddressCount: 1 }))
    await reaches(a, SECONDARY, true)
    await reaches(a, ipv6, true)

    await lab.ec2.send(new ec2.AssignPrivateIpAddressesCommand({
      NetworkInterfaceId, Ipv4Prefixes: [PREFIX]
    }))
    await b.exec('ip', 'addr', 'add', `${IN_PREFIX}/32`, 'dev', 'lo')
    await reaches(a, IN_PREFIX, true)
    t.is((await b.ping(a.ipv4, 3, '-I', IN_PREFIX)).received, 3, 'and may be a source')

    await lab.ec2.send(new ec2.UnassignPrivateIpAddressesCommand({
      NetworkInterfaceId, PrivateIpAddresses: [SECONDARY]
    }))
    await reaches(a, SECONDARY, false)
    await reaches(a, b.ipv4, true)
  }))

test.serial('a second interface answers through itself', withLab({}, async (t, lab) => {
  const vpc = await lab.vpc('10.0.0.0/16')
  const one = await lab.subnet(vpc, '10.0.1.0/24')
  const two = await lab.subnet(vpc, '10.0.2.0/24')
  const a = await lab.instance(one, { host: 'host-1' })
  const b = await lab.instance(one, { host: 'host-2' })
  const { NetworkInterface } = await lab.ec2.send(
    new ec2.CreateNetworkInterfaceCommand({ SubnetId: two.id }))
  const NetworkInterfaceId = NetworkInterface?.NetworkInterfaceId ?? ''
  await lab.ec2.send(new ec2.AttachNetworkInterfaceCommand({
    NetworkInterfaceId, InstanceId: b.id, DeviceIndex: 1
  }))
  await reaches(a, NetworkInterface?.PrivateIpAddress ?? '', true)
  t.is((await a.ping(b.ipv4)).received, 5)
  t.is(await lab.drops(NetworkInterfaceId, 'source-spoofed'), 0)
  t.is(await lab.drops(b.eni, 'source-spoofed'), 0)
}))

test.serial('instances of an IPv6-only subnet reach each other', withLab({}, async (t, lab) => {
  const vpc = await lab.vpc('10.0.0.0/16', { ipv6: true })
  const { Subnet } = await lab.ec2.send(new ec2.CreateSubnetCommand({
    VpcId: vpc.id,
    Ipv6Native: true,
    Ipv6CidrBlock: vpc.ipv6Cidr.replace('::/56', '::/64'),
    AvailabilityZoneId: 'use1-az1'
  }))
  const subnet = { id: Subnet?.SubnetId ?? '', vpc, cidr: '', ipv6Cidr: '' }
  const c = await lab.instance(subnet, { host: 'host-1', ipv6: true })
  const d = await lab.instance(subnet, { host: 'host-2', ipv6: true })
  t.is(c.ipv4, '')
  t.is((await c.ping(d.ipv6)).received, 5)
}))
