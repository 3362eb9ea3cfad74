/**
 * Files that an instance of an image is given in /etc. Pure.
 *
 * EC2 gives an instance its host name, name servers and search domain by DHCP; here the host writes
 * what the options of the VPC say. VPC User Guide, "DHCP option sets in Amazon VPC".
 */
import { AMAZON_PROVIDED_DNS } from '../model/dhcp_options.ts'
import { interfacesOfInstance } from '../model/instance.ts'
import type { Instance } from '../model/instance.ts'
import { ipName, privateDnsSuffix, resolverAddress, resourceName } from '../model/private_dns.ts'
import type { Snapshot } from '../model/snapshot.ts'
import type { EtcFiles } from './instance_root.ts'

/** What an instance calls itself, `ip-10-0-1-5`. */
export function hostNameOf (snapshot: Snapshot, instance: Instance): string {
  return fullHostName(snapshot, instance).split('.')[0] ?? instance.id
}

function fullHostName (snapshot: Snapshot, instance: Instance): string {
  const address = interfacesOfInstance(snapshot, instance)[0]?.privateIpAddresses[0]
  return instance.hostnameType === 'ip-name' && address !== undefined
    ? ipName(address, instance.region)
    : resourceName(instance.id, instance.region)
}

export function etcFiles (snapshot: Snapshot, instance: Instance): EtcFiles {
  const fullName = fullHostName(snapshot, instance)
  const shortName = hostNameOf(snapshot, instance)
  const addresses = interfacesOfInstance(snapshot, instance)
    .flatMap((eni) => [...eni.privateIpAddresses.slice(0, 1), ...eni.ipv6Addresses.slice(0, 1)])
  return {
    first: {
      hostname: `${shortName}\n`,
      hosts: ['127.0.0.1 localhost', '::1 localhost ip6-localhost ip6-loopback',
        ...addresses.slice(0, 1).map((address) => `${address} ${fullName} ${shortName}`)]
        .join('\n') + '\n'
    },
    everyBoot: { 'resolv.conf': resolverFile(snapshot, instance) }
  }
}

function resolverFile (snapshot: Snapshot, { vpcId, region }: Instance): string {
  const vpc = snapshot.tables.vpc.get(vpcId)
  const options = snapshot.tables.dhcpOptions.get(vpc?.dhcpOptionsId ?? '')?.options ?? {}
  const servers = (options['domain-name-servers'] ?? []).flatMap((server) => {
    if (server !== AMAZON_PROVIDED_DNS) return [server]
    return vpc?.enableDnsSupport === true ? [resolverAddress(vpc)] : []
  })
  const domains = options['domain-name'] ?? [privateDnsSuffix(region)]
  return [`search ${domains.join(' ')}`, ...servers.map((server) => `nameserver ${server}`)]
    .join('\n') + '\n'
}
