/** What the services' thread knows of ENIs and VPCs (update.ts), by packet and by name. */
import { HostedZones } from './dns/hosted_zones.ts'
import type {
  EndpointData, InstanceNameData, PublicAddressesData, ServicesUpdate, VpcData
} from './update.ts'
import { portOfAddress } from './viewer.ts'
import type { AddressWords, Viewer } from './viewer.ts'

/** A VPC and the names in it. */
export class KnownVpc {
  data: VpcData
  /** Instance id → addresses. */
  readonly instances = new Map<string, Pick<InstanceNameData, 'ipv4' | 'ipv6'>>()
  /** Public address → private address. */
  readonly privateOf = new Map<string, string>()
  readonly #publicOf = new Map<string, PublicAddressesData>()

  constructor (data: VpcData) {
    this.data = data
  }

  setInstance ({ instanceId, ipv4, ipv6 }: InstanceNameData): void {
    if (ipv4.length + ipv6.length === 0) this.instances.delete(instanceId)
    else this.instances.set(instanceId, { ipv4, ipv6 })
  }

  setPublicAddresses (next: PublicAddressesData): void {
    const held = this.#publicOf.get(next.networkInterfaceId)
    for (const { publicIp, privateIp } of held?.addresses ?? []) {
      // It may have moved to another ENI, which was heard of first.
      if (this.privateOf.get(publicIp) === privateIp) this.privateOf.delete(publicIp)
    }
    if (next.addresses.length === 0) this.#publicOf.delete(next.networkInterfaceId)
    else this.#publicOf.set(next.networkInterfaceId, next)
    for (const { publicIp, privateIp } of next.addresses) this.privateOf.set(publicIp, privateIp)
  }
}

export class ServicesDirectory {
  readonly hostedZones = new HostedZones()
  readonly #hosts = new Map<string, Map<number, EndpointData>>()
  readonly #vpcs = new Map<string, KnownVpc>()

  /**
   * Takes an update in.
   * @param onGone called for each port index that no longer names the ENI that it named
   */
  apply (update: ServicesUpdate, onGone: (host: string, portIndex: number) => void): void {
    for (const { host, portIndex } of update.removedEndpoints ?? []) {
      if (this.#hosts.get(host)?.delete(portIndex) === true) onGone(host, portIndex)
    }
    for (const vpcId of update.removedVpcs ?? []) this.#vpcs.delete(vpcId)
    for (const data of update.vpcs ?? []) {
      const known = this.#vpcs.get(data.vpcId)
      if (known === undefined) this.#vpcs.set(data.vpcId, new KnownVpc(data))
      else known.data = data
    }
    for (const name of update.instanceNames ?? []) this.#vpcs.get(name.vpcId)?.setInstance(name)
    for (const addresses of update.publicAddresses ?? []) {
      this.#vpcs.get(addresses.vpcId)?.setPublicAddresses(addresses)
    }
    this.hostedZones.apply(update.hostedZones ?? [], update.recordSets ?? [])
    for (const { host, endpoint } of update.endpoints ?? []) {
      const ports = this.#portsOf(host)
      const known = ports.get(endpoint.portIndex)
      ports.set(endpoint.portIndex, endpoint)
      if (known !== undefined && known.networkInterfaceId !== endpoint.networkInterfaceId) {
        onGone(host, endpoint.portIndex)
      }
    }
  }

  #portsOf (host: string): Map<number, EndpointData> {
    const known = this.#hosts.get(host)
    if (known !== undefined) return known
    const ports = new Map<number, EndpointData>()
    this.#hosts.set(host, ports)
    return ports
  }

  /** Who sent from `address`, on one host; null for nobody that is known (any more). */
  viewerOf (host: string, address: string | AddressWords): Viewer | null {
    const endpoint = this.#hosts.get(host)?.get(portOfAddress(address))
    const vpc = this.#vpcs.get(endpoint?.vpcId ?? '')
    return endpoint === undefined || vpc === undefined ? null : { endpoint, vpc: vpc.data }
  }

  vpc (vpcId: string): KnownVpc | undefined { return this.#vpcs.get(vpcId) }
}
