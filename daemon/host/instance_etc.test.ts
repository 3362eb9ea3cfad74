import test from 'ava'
import type { DhcpOptions } from '../model/dhcp_options.ts'
import type { Instance } from '../model/instance.ts'
import type { NetworkInterface } from '../model/network_interface.ts'
import { Snapshot, put } from '../model/snapshot.ts'
import type { Vpc } from '../model/vpc.ts'
import { etcFiles, hostNameOf } from './instance_etc.ts'

const INSTANCE = {
  id: 'i-00000000000000001', vpcId: 'vpc-1', region: 'eu-west-1', hostnameType: 'ip-name'
} as unknown as Instance

function snapshotOf (
  options: DhcpOptions['options'], eni: Partial<NetworkInterface>, enableDnsSupport = true
): Snapshot {
  const snapshot = new Snapshot()
  const vpc = { id: 'vpc-1', cidrBlocks: [{ associationId: '', cidrBlock: '10.7.0.0/16' }],
    dhcpOptionsId: 'dopt-1', enableDnsSupport }
  const attachment = { instanceId: INSTANCE.id, deviceIndex: 0 }
  snapshot.apply(1, [
    put('vpc', vpc as unknown as Vpc),
    put('dhcpOptions', { id: 'dopt-1', options } as unknown as DhcpOptions),
    put('networkInterface', {
      id: 'eni-1', privateIpAddresses: [], ipv6Addresses: [], attachment, ...eni
    } as unknown as NetworkInterface)
  ])
  return snapshot
}

test('names and servers are those of the VPC\'s options', (t) => {
  const snapshot = snapshotOf(
    { 'domain-name': ['example.test'], 'domain-name-servers': ['AmazonProvidedDNS', '192.0.2.1'] },
    { privateIpAddresses: ['10.7.1.4', '10.7.1.5'] })
  t.is(hostNameOf(snapshot, INSTANCE), 'ip-10-7-1-4')
  t.deepEqual(etcFiles(snapshot, INSTANCE), {
    first: {
      hostname: 'ip-10-7-1-4\n',
      hosts: '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n' +
        '10.7.1.4 ip-10-7-1-4.eu-west-1.compute.internal ip-10-7-1-4\n'
    },
    everyBoot: { 'resolv.conf': 'search example.test\nnameserver 10.7.0.2\nnameserver 192.0.2.1\n' }
  })
})

test('without IPv4 the instance is named by its id, without DNS support it asks nobody', (t) => {
  const snapshot = snapshotOf(
    { 'domain-name-servers': ['AmazonProvidedDNS'] }, { ipv6Addresses: ['2001:db8::4'] }, false)
  t.is(hostNameOf(snapshot, INSTANCE), INSTANCE.id)
  const { first, everyBoot } = etcFiles(snapshot, INSTANCE)
  t.regex(first['hosts'] ?? '', /^2001:db8::4 i-0+1\.eu-west-1\.compute\.internal i-0+1$/m)
  t.is(everyBoot['resolv.conf'], 'search eu-west-1.compute.internal\n')
})
