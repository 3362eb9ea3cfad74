/**
 * EC2 actions on Elastic IP addresses. Rules: model/address.ts, address_association.ts,
 * address_transfer.ts.
 */
import type * as Ec2 from '@aws-sdk/client-ec2'
import { planAllocateAddress, planReleaseAddress } from '../../../model/address.ts'
import type { Address } from '../../../model/address.ts'
import {
  planAssociateAddress, planDisassociateAddress
} from '../../../model/address_association.ts'
import {
  pendingTransfer, planAcceptAddressTransfer, planDisableAddressTransfer,
  planEnableAddressTransfer, planModifyAddressAttribute, planResetAddressAttribute
} from '../../../model/address_transfer.ts'
import type { TransferResult } from '../../../model/address_transfer.ts'
import { AwsError } from '../../../model/aws_error.ts'
import { requireRecord } from '../../../model/resource_kind.ts'
import type { AccountView } from '../../../model/snapshot.ts'
import { printTags, tagsFromSpecifications } from '../../../model/tag.ts'
import { defineRead, defineWrite } from '../action.ts'
import type { Action } from '../action.ts'
import { describeRecords } from '../describe.ts'
import type { FilterTable } from '../describe.ts'
import { refuseUnbuilt } from '../unbuilt.ts'

/** The pool that AWS's own addresses come from, in EC2's words. */
const POOL_NAME = 'amazon'

function instanceIdOf (view: AccountView, address: Address): string | undefined {
  const record = view.snapshot.tables.networkInterface.get(address.networkInterfaceId ?? '')
  return record?.attachment?.instanceId
}

function interfaceOwnerOf (view: AccountView, address: Address): string | undefined {
  return view.snapshot.tables.networkInterface.get(address.networkInterfaceId ?? '')?.ownerId
}

function printAddress (view: AccountView, address: Address): Ec2.Address {
  return {
    PublicIp: address.publicIp, AllocationId: address.id, Domain: 'vpc',
    PublicIpv4Pool: POOL_NAME, NetworkBorderGroup: address.networkBorderGroup,
    Tags: printTags(address.tags),
    ...(address.associationId !== null && {
      AssociationId: address.associationId,
      NetworkInterfaceId: address.networkInterfaceId ?? undefined,
      NetworkInterfaceOwnerId: interfaceOwnerOf(view, address),
      PrivateIpAddress: address.privateIpAddress ?? undefined,
      InstanceId: instanceIdOf(view, address)
    })
  }
}

/** EC2 API Reference, DescribeAddresses: all filters. */
const FILTERS: FilterTable<Address> = {
  'allocation-id': ({ id }) => id,
  'association-id': ({ associationId }) => associationId,
  'domain': () => 'vpc',
  'instance-id': (address, view) => instanceIdOf(view, address),
  'network-border-group': ({ networkBorderGroup }) => networkBorderGroup,
  'network-interface-id': ({ networkInterfaceId }) => networkInterfaceId,
  'network-interface-owner-id': (address, view) => interfaceOwnerOf(view, address),
  'private-ip-address': ({ privateIpAddress }) => privateIpAddress,
  'public-ip': ({ publicIp }) => publicIp
}

/** @throws AwsError InvalidAddress.NotFound */
function allocationsOf (view: AccountView, publicIps: readonly string[]): string[] {
  const own = view.list('address')
  return publicIps.map((publicIp) => {
    const found = own.find((address) => address.publicIp === publicIp)
    if (found === undefined) {
      throw new AwsError('InvalidAddress.NotFound', `Address '${publicIp}' not found.`)
    }
    return found.id
  })
}

function printTransfer ({ publicIp, allocationId, transfer }: TransferResult,
  status: Ec2.AddressTransferStatus): Ec2.AddressTransfer {
  return {
    PublicIp: publicIp, AllocationId: allocationId, TransferAccountId: transfer.accountId,
    TransferOfferExpirationTimestamp: new Date(transfer.expiresMs), AddressTransferStatus: status
  }
}

function printAttribute ({ id, publicIp, domainName }: Address): Ec2.AddressAttribute {
  return { AllocationId: id, PublicIp: publicIp, PtrRecord: domainName ?? undefined }
}

/** The one attribute that addresses have. */
function checkAttribute (attribute: string | undefined): void {
  if (attribute === 'domain-name') return
  throw new AwsError(attribute === undefined ? 'MissingParameter' : 'InvalidParameterValue',
    `Value (${attribute ?? ''}) for parameter attribute is invalid. Expecting domain-name.`)
}

const allocation: readonly Action[] = [
  defineWrite<Ec2.AllocateAddressRequest, string, Ec2.AllocateAddressResult>({
    name: 'AllocateAddress',
    plan: (view, input, context) => {
      refuseUnbuilt('AllocateAddress',
        { ...input, PublicIpv4Pool: input.PublicIpv4Pool === POOL_NAME ? undefined
          : input.PublicIpv4Pool },
        ['Domain', 'Address', 'NetworkBorderGroup', 'TagSpecifications'])
      return planAllocateAddress(view, {
        domain: input.Domain, publicIp: input.Address,
        networkBorderGroup: input.NetworkBorderGroup,
        tags: tagsFromSpecifications(input.TagSpecifications, 'elastic-ip')
      }, context)
    },
    print: (view, id) => {
      const { publicIp, networkBorderGroup } = requireRecord(view, 'address', id)
      return { PublicIp: publicIp, AllocationId: id, Domain: 'vpc', PublicIpv4Pool: POOL_NAME,
        NetworkBorderGroup: networkBorderGroup }
    }
  }),

  defineWrite<Ec2.ReleaseAddressRequest, null, object>({
    name: 'ReleaseAddress',
    plan: (view, input) => planReleaseAddress(view, { allocationId: input.AllocationId,
      publicIp: input.PublicIp, networkBorderGroup: input.NetworkBorderGroup }),
    print: () => ({})
  }),

  defineWrite<Ec2.AssociateAddressRequest, string, Ec2.AssociateAddressResult>({
    name: 'AssociateAddress',
    plan: (view, input, context) => planAssociateAddress(view, {
      allocationId: input.AllocationId, publicIp: input.PublicIp, instanceId: input.InstanceId,
      networkInterfaceId: input.NetworkInterfaceId, privateIpAddress: input.PrivateIpAddress,
      allowReassociation: input.AllowReassociation ?? true
    }, context),
    print: (_view, id) => ({ AssociationId: id })
  }),

  defineWrite<Ec2.DisassociateAddressRequest, null, object>({
    name: 'DisassociateAddress',
    plan: (view, input) => planDisassociateAddress(view,
      { associationId: input.AssociationId, publicIp: input.PublicIp }),
    print: () => ({})
  }),

  defineRead<Ec2.DescribeAddressesRequest, Ec2.DescribeAddressesResult>({
    name: 'DescribeAddresses',
    read: (view, input) => {
      const ids = [...input.AllocationIds ?? [], ...allocationsOf(view, input.PublicIps ?? [])]
      const page = describeRecords(view, 'address', 'AllocationIds', ids, input, FILTERS)
      return { Addresses: page.items.map((address) => printAddress(view, address)) }
    }
  })
]

const attributes: readonly Action[] = [
  defineRead<Ec2.DescribeAddressesAttributeRequest, Ec2.DescribeAddressesAttributeResult>({
    name: 'DescribeAddressesAttribute',
    read: (view, input) => {
      if (input.Attribute !== undefined) checkAttribute(input.Attribute)
      const page = describeRecords(view, 'address', 'AllocationIds', input.AllocationIds, input, {})
      return { Addresses: page.items.map(printAttribute), NextToken: page.nextToken }
    }
  }),

  defineWrite<Ec2.ModifyAddressAttributeRequest, string, Ec2.ModifyAddressAttributeResult>({
    name: 'ModifyAddressAttribute',
    plan: (view, { AllocationId = '', DomainName }) => {
      if (DomainName === undefined) {
        throw new AwsError('MissingParameter', 'The request must contain the parameter domainName')
      }
      return planModifyAddressAttribute(view,
        { allocationId: AllocationId, domainName: DomainName })
    },
    print: (view, id) => ({ Address: printAttribute(requireRecord(view, 'address', id)) })
  }),

  defineWrite<Ec2.ResetAddressAttributeRequest, string, Ec2.ResetAddressAttributeResult>({
    name: 'ResetAddressAttribute',
    plan: (view, { AllocationId = '', Attribute }) => {
      checkAttribute(Attribute)
      return planResetAddressAttribute(view, { allocationId: AllocationId })
    },
    print: (view, id) => ({ Address: printAttribute(requireRecord(view, 'address', id)) })
  })
]

const transfers: readonly Action[] = [
  defineWrite<Ec2.EnableAddressTransferRequest, TransferResult, Ec2.EnableAddressTransferResult>({
    name: 'EnableAddressTransfer',
    plan: (view, { AllocationId = '', TransferAccountId = '' }, context) =>
      planEnableAddressTransfer(view,
        { allocationId: AllocationId, accountId: TransferAccountId }, context),
    print: (_view, result) => ({ AddressTransfer: printTransfer(result, 'pending') })
  }),

  defineWrite<Ec2.DisableAddressTransferRequest, TransferResult, Ec2.DisableAddressTransferResult>({
    name: 'DisableAddressTransfer',
    plan: (view, { AllocationId = '' }, context) =>
      planDisableAddressTransfer(view, { allocationId: AllocationId }, context),
    print: (_view, result) => ({ AddressTransfer: printTransfer(result, 'disabled') })
  }),

  defineWrite<Ec2.AcceptAddressTransferRequest, TransferResult, Ec2.AcceptAddressTransferResult>({
    name: 'AcceptAddressTransfer',
    plan: (view, { Address = '', TagSpecifications }, context) => planAcceptAddressTransfer(view,
      { publicIp: Address, tags: tagsFromSpecifications(TagSpecifications, 'elastic-ip') },
      context),
    print: (_view, result, { nowMs }) => ({ AddressTransfer: {
      ...printTransfer(result, 'accepted'), TransferOfferAcceptedTimestamp: new Date(nowMs)
    } })
  }),

  defineRead<Ec2.DescribeAddressTransfersRequest, Ec2.DescribeAddressTransfersResult>({
    name: 'DescribeAddressTransfers',
    read: (view, input, { nowMs }) => {
      const page = describeRecords(view, 'address', 'AllocationIds', input.AllocationIds, input, {})
      return {
        AddressTransfers: page.items.flatMap((address) => {
          const transfer = pendingTransfer(address, nowMs)
          return transfer === null ? [] : [printTransfer({ publicIp: address.publicIp,
            allocationId: address.id, transfer }, 'pending')]
        }),
        NextToken: page.nextToken
      }
    }
  })
]

export const addressActions: readonly Action[] = [...allocation, ...attributes, ...transfers]
