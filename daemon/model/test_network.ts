/**
 * A small network for tests of ENIs, instances and routes, made by the plans themselves:
 *
 *     vpc 10.0.0.0/16              subnetId       10.0.1.0/24, IPV6_SUBNET   use1-az1
 *         2001:db8:0:100::/56      otherSubnetId  10.0.2.0/28                use1-az2
 *     hosts host-1 and host-2 in use1-az1, host-3 in use1-az2, 2 slots each
 */
import { planRunInstances } from './instance_launch.ts'
import type { LaunchInput, LaunchInterface } from './instance_launch.ts'
import type { Host } from './lab.ts'
import {
  DEFAULT_CONNECTION_TRACKING, NO_ADDRESSES, planCreateNetworkInterface
} from './network_interface.ts'
import type { NetworkInterface, NewNetworkInterface } from './network_interface.ts'
import { put } from './snapshot.ts'
import { planCreateSubnet } from './subnet.ts'
import { TestWorld } from './test_world.ts'
import { planCreateVpc } from './vpc.ts'

export const NEW_INTERFACE: NewNetworkInterface = {
  description: '', groupIds: null, primaryIpv4: null, ipv4: NO_ADDRESSES, ipv6: null,
  connectionTracking: DEFAULT_CONNECTION_TRACKING, tags: {}
}

export const LAUNCH_INTERFACE: LaunchInterface = {
  ...NEW_INTERFACE, deviceIndex: 0, networkInterfaceId: null, subnetId: null,
  associatePublicIp: null, deleteOnTermination: null
}

export const LAUNCH: Omit<LaunchInput, 'interfaces'> = {
  minCount: 1, maxCount: 1, imageId: 'host', instanceType: 'm5.large', keyName: null, zoneId: null,
  hostName: null, userData: '', clientToken: '', disableApiTermination: false,
  disableApiStop: false,
  instanceInitiatedShutdownBehavior: 'stop', dnsNames: {}, tags: {}
}

export const SLOTS_PER_HOST = 2
/** The first /56 of the pool gives this /64. */
export const IPV6_SUBNET = '2001:db8:0:100::/64'

export class TestNetwork extends TestWorld {
  readonly vpcId: string
  readonly subnetId: string
  readonly otherSubnetId: string

  constructor () {
    super()
    this.apply([this.#host('host-1', 'use1-az1'), this.#host('host-2', 'use1-az1'),
      this.#host('host-3', 'use1-az2')])
    this.vpcId = this.createVpc()
    this.subnetId = this.createSubnet('10.0.1.0/24', 'use1-az1', IPV6_SUBNET)
    this.otherSubnetId = this.createSubnet('10.0.2.0/28', 'use1-az2')
  }

  #host (id: string, zoneId: string): ReturnType<typeof put<'host'>> {
    const host: Host = {
      id, region: 'us-east-1', zoneId, underlayAddress: '100.127.0.1', underlayMtu: 9216,
      roles: ['compute'], instanceSlots: SLOTS_PER_HOST
    }
    return put('host', host)
  }

  createVpc (): string {
    return this.run(planCreateVpc(this.view(), {
      cidrBlock: '10.0.0.0/16', instanceTenancy: 'default', amazonProvidedIpv6CidrBlock: true,
      tags: {}
    }, this.context)).vpcId
  }

  createSubnet (cidrBlock: string, zoneId: string, ipv6CidrBlock?: string,
    vpcId = this.vpcId): string {
    return this.run(planCreateSubnet(this.view(), {
      vpcId, cidrBlock, ipv6CidrBlock, ipv6Native: false, availabilityZone: undefined,
      availabilityZoneId: zoneId, tags: {}
    }, this.context)).subnetId
  }

  /** @returns the id of a new ENI in `subnetId` */
  createInterface (changes: Partial<NewNetworkInterface> & { subnetId?: string } = {}): string {
    const input = { ...NEW_INTERFACE, subnetId: this.subnetId, ...changes }
    return this.run(planCreateNetworkInterface(this.view(), input, this.context))
  }

  /** @returns ids of the launched instances; one in `subnetId` when nothing else is said */
  launch (changes: Partial<LaunchInput> = {},
    primary: Partial<LaunchInterface> = {}): readonly string[] {
    const interfaces = [{ ...LAUNCH_INTERFACE, subnetId: this.subnetId, ...primary }]
    return this.run(planRunInstances(this.view(), { ...LAUNCH, interfaces, ...changes },
      this.context)).instanceIds
  }

  interfaceOf (id: string): NetworkInterface {
    const record = this.view().get('networkInterface', id)
    if (record === undefined) throw new Error(`no ENI ${id}`)
    return record
  }
}
