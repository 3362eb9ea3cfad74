/** The network of test_network.ts with an internet gateway, and short ways to public addresses. */
import { planAllocateAddress } from './address.ts'
import type { Address } from './address.ts'
import { planAssociateAddress, planDisassociateAddress } from './address_association.ts'
import type { AssociateAddressInput } from './address_association.ts'
import {
  planAttachInternetGateway, planCreateInternetGateway, planDetachInternetGateway
} from './internet_gateway.ts'
import { planCreateNatGateway } from './nat_gateway.ts'
import type { CreateNatGatewayInput, NatGateway } from './nat_gateway.ts'
import { requireRecord } from './resource_kind.ts'
import { TestNetwork } from './test_network.ts'
import { TEST_ACCOUNT } from './test_world.ts'

export class PublicNetwork extends TestNetwork {
  readonly gatewayId = this.createGateway(this.vpcId)

  /** @param vpcId to attach it to; null leaves it alone */
  createGateway (vpcId: string | null = null): string {
    const id = this.run(planCreateInternetGateway(this.view(), { tags: {} }, this.context))
    if (vpcId !== null) {
      this.run(planAttachInternetGateway(this.view(), { internetGatewayId: id, vpcId }))
    }
    return id
  }

  detach (internetGatewayId = this.gatewayId, vpcId = this.vpcId): string {
    return this.refusal(() => this.run(planDetachInternetGateway(this.view(),
      { internetGatewayId, vpcId })))
  }

  /** @returns id of an allocation */
  allocate (publicIp?: string, accountId = TEST_ACCOUNT): string {
    return this.run(planAllocateAddress(this.view(accountId),
      { domain: undefined, publicIp, networkBorderGroup: undefined, tags: {} }, this.context))
  }

  address (id: string): Address { return requireRecord(this.view(), 'address', id) }

  giveAddress (allocationId: string, networkInterfaceId: string | undefined,
    changes: Partial<AssociateAddressInput> = {}): string {
    return this.refusal(() => this.run(planAssociateAddress(this.view(), {
      allocationId, publicIp: undefined, networkInterfaceId, instanceId: undefined,
      privateIpAddress: undefined, allowReassociation: true, ...changes
    }, this.context)))
  }

  disassociate (allocationId: string): void {
    const associationId = this.address(allocationId).associationId ?? ''
    this.run(planDisassociateAddress(this.view(), { associationId, publicIp: undefined }))
  }

  /** @returns id of a NAT gateway */
  createNat (changes: Partial<CreateNatGatewayInput> = {}): string {
    return this.run(planCreateNatGateway(this.view(), {
      subnetId: this.subnetId, connectivityType: 'public', allocationId: undefined,
      privateIpAddress: undefined, secondaryAllocationIds: [], secondaryPrivateIpAddresses: [],
      secondaryPrivateIpAddressCount: undefined, tags: {}, ...changes
    }, this.context))
  }

  nat (id: string): NatGateway { return requireRecord(this.view(), 'natGateway', id) }
}
