/**
 * From records to what an instance's namespace must hold. Pure.
 *
 * The MTU of every device is what an ENI may send: 9001 bytes as on EC2, or less on an underlay too
 * small for that, so that TCP picks a segment size that fits.
 */
import { assert } from '../base/assert.ts'
import { cidrContainsAddress, formatAddress, knownAddress, knownCidr } from '../model/cidr.ts'
import type { Cidr } from '../model/cidr.ts'
import { interfacesOfInstance } from '../model/instance.ts'
import type { Instance } from '../model/instance.ts'
import { deviceOf } from '../model/instance_device.ts'
import type { NetworkInterface } from '../model/network_interface.ts'
import type { Snapshot } from '../model/snapshot.ts'
import type { Subnet } from '../model/subnet.ts'
import type { DesiredAddress, DesiredInterface } from './instance_plan.ts'

/**
 * The interfaces of an instance, in order of device index.
 * @param mtu bytes, of every device
 */
export function desiredInterfaces (
  snapshot: Snapshot, instance: Instance, mtu: number
): DesiredInterface[] {
  return interfacesOfInstance(snapshot, instance).map((networkInterface) => {
    const subnet = snapshot.tables.subnet.get(networkInterface.subnetId)
    assert(subnet !== undefined,
      `subnet ${networkInterface.subnetId} of ${networkInterface.id} is not there`)
    return {
      ...desiredInterface(networkInterface, subnet, mtu),
      device: deviceOf(instance),
      sourceRouted: instance.guest?.kind === 'namespace' ||
        (networkInterface.attachment?.deviceIndex ?? 0) > 0,
      blocks: routedBlocks(snapshot, instance)
    }
  })
}

function desiredInterface (
  networkInterface: NetworkInterface, subnet: Subnet, mtu: number
): Omit<DesiredInterface, 'device' | 'sourceRouted' | 'blocks'> {
  const local = subnetBlocks(subnet)
  const prefixes = [...networkInterface.ipv4Prefixes, ...networkInterface.ipv6Prefixes]
  const delegated = prefixes.map(knownCidr)
  const addresses = [...networkInterface.privateIpAddresses, ...networkInterface.ipv6Addresses]
  return {
    networkInterfaceId: networkInterface.id,
    deviceIndex: networkInterface.attachment?.deviceIndex ?? 0,
    macAddress: networkInterface.macAddress,
    mtu,
    addresses: addresses.map((address) => desiredAddress(address, local)),
    prefixes,
    owns: (text) => {
      const address = knownAddress(text)
      return local.some((block) => cidrContainsAddress(block, address)) &&
        !delegated.some((block) => cidrContainsAddress(block, address))
    }
  }
}

/** Blocks of the VPC, for a guest whose default route is somebody else's; otherwise null. */
function routedBlocks (snapshot: Snapshot, { guest, vpcId }: Instance): readonly string[] | null {
  if (guest?.kind !== 'namespace' || guest.defaultRoute) return null
  const vpc = snapshot.tables.vpc.get(vpcId)
  return [...vpc?.cidrBlocks ?? [], ...vpc?.ipv6CidrBlocks ?? []].map(({ cidrBlock }) => cidrBlock)
}

function subnetBlocks (subnet: Subnet): Cidr[] {
  const blocks = subnet.ipv6CidrBlocks.map((association) => knownCidr(association.cidrBlock))
  if (subnet.cidrBlock !== null) blocks.push(knownCidr(subnet.cidrBlock))
  return blocks
}

/** AWS VPC User Guide, "Subnet sizing": the router has the second address of each block. */
function desiredAddress (text: string, blocks: readonly Cidr[]): DesiredAddress {
  const address = knownAddress(text)
  const block = blocks.find((candidate) => cidrContainsAddress(candidate, address))
  assert(block !== undefined, `address ${text} is in no block of its subnet`)
  const gateway = formatAddress({ family: block.family, value: block.first + 1n })
  return { address: text, prefixLength: block.prefixLength, gateway }
}
