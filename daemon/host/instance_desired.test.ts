import test from 'ava'
import type { Instance } from '../model/instance.ts'
import type { NetworkInterface } from '../model/network_interface.ts'
import { Snapshot, put } from '../model/snapshot.ts'
import type { Subnet } from '../model/subnet.ts'
import { desiredInterfaces } from './instance_desired.ts'

const INSTANCE =
  { id: 'i-00000000000000001', vpcId: 'vpc-00000000000000001', tags: {} } as unknown as Instance

function subnet (id: string, cidrBlock: string | null, ipv6: string[]): Subnet {
  return {
    id, vpcId: INSTANCE.vpcId, cidrBlock,
    ipv6CidrBlocks: ipv6.map(
      (block) => ({ associationId: `subnet-cidr-assoc-${block}`, cidrBlock: block }))
  } as unknown as Subnet
}

function eni (
  id: string, subnetId: string, deviceIndex: number, fields: Partial<NetworkInterface>
): NetworkInterface {
  return {
    id,
    vpcId: INSTANCE.vpcId,
    subnetId,
    privateIpAddresses: [],
    ipv6Addresses: [],
    ipv4Prefixes: [],
    ipv6Prefixes: [],
    attachment: {
      id: 'eni-attach-0',
      instanceId: INSTANCE.id,
      deviceIndex,
      deleteOnTermination: true,
      attachedMs: 0
    },
    ...fields
  } as unknown as NetworkInterface
}

function snapshotOf (...enis: NetworkInterface[]): Snapshot {
  const snapshot = new Snapshot()
  snapshot.apply(1, [
    put('subnet', subnet('subnet-1', '10.0.1.0/24', ['2001:db8:0:1::/64'])),
    put('subnet', subnet('subnet-6', null, ['2001:db8:0:6::/64'])),
    ...enis.map((record) => put('networkInterface', record))
  ])
  return snapshot
}

test('addresses get the prefix of their block and its second address as router', (t) => {
  const snapshot = snapshotOf(eni('eni-1', 'subnet-1', 0,
    { privateIpAddresses: ['10.0.1.9', '10.0.1.12'], ipv6Addresses: ['2001:db8:0:1::9'] }))
  const [first] = desiredInterfaces(snapshot, INSTANCE, 1440)
  t.is(first?.mtu, 1440)
  t.deepEqual(first?.addresses, [
    { address: '10.0.1.9', prefixLength: 24, gateway: '10.0.1.1' },
    { address: '10.0.1.12', prefixLength: 24, gateway: '10.0.1.1' },
    { address: '2001:db8:0:1::9', prefixLength: 64, gateway: '2001:db8:0:1::1' }
  ])
})

test('interfaces come in order of device index, those of other instances not at all', (t) => {
  const snapshot = snapshotOf(
    eni('eni-2', 'subnet-6', 1, { ipv6Addresses: ['2001:db8:0:6::9'] }),
    eni('eni-1', 'subnet-1', 0, { privateIpAddresses: ['10.0.1.9'] }),
    eni('eni-3', 'subnet-1', 2, { attachment: null }))
  t.deepEqual(desiredInterfaces(snapshot, INSTANCE, 9001).map((entry) => entry.networkInterfaceId),
    ['eni-1', 'eni-2'])
})

test('an interface owns the addresses of its subnet, but for those delegated to it', (t) => {
  const snapshot = snapshotOf(eni(
    'eni-1', 'subnet-1', 0, { privateIpAddresses: ['10.0.1.9'], ipv4Prefixes: ['10.0.1.64/28'] }))
  const [first] = desiredInterfaces(snapshot, INSTANCE, 9001)
  t.true(first?.owns('10.0.1.200'))
  t.true(first?.owns('2001:db8:0:1::77'))
  t.false(first?.owns('10.0.1.70'), 'delegated: containers of the instance may have it')
  t.false(first?.owns('10.0.2.1'))
  t.false(first?.owns('fe80::1'))
})
