/**
 * EC2 actions on network interfaces. Rules: model/network_interface*.ts; shapes:
 * network_interface_shape.ts.
 */
import type {
  AssignIpv6AddressesRequest, AssignIpv6AddressesResult, AssignPrivateIpAddressesRequest,
  AssignPrivateIpAddressesResult, AttachNetworkInterfaceRequest, AttachNetworkInterfaceResult,
  CreateNetworkInterfacePermissionRequest, CreateNetworkInterfacePermissionResult,
  CreateNetworkInterfaceRequest, CreateNetworkInterfaceResult,
  DeleteNetworkInterfacePermissionRequest, DeleteNetworkInterfacePermissionResult,
  DeleteNetworkInterfaceRequest,
  DescribeNetworkInterfaceAttributeRequest, DescribeNetworkInterfaceAttributeResult,
  DescribeNetworkInterfacePermissionsRequest, DescribeNetworkInterfacePermissionsResult,
  DescribeNetworkInterfacesRequest, DescribeNetworkInterfacesResult, DetachNetworkInterfaceRequest,
  ModifyNetworkInterfaceAttributeRequest, ResetNetworkInterfaceAttributeRequest,
  UnassignIpv6AddressesRequest, UnassignIpv6AddressesResult, UnassignPrivateIpAddressesRequest
} from '@aws-sdk/client-ec2'
import { AwsError } from '../../../model/aws_error.ts'
import {
  planCreateNetworkInterface, planDeleteNetworkInterface
} from '../../../model/network_interface.ts'
import {
  planAssignAddresses, planUnassignAddresses
} from '../../../model/network_interface_address.ts'
import type { AssignResult } from '../../../model/network_interface_address.ts'
import {
  planAttachNetworkInterface, planDetachNetworkInterface
} from '../../../model/network_interface_attachment.ts'
import {
  planModifyNetworkInterfaceAttribute, planResetNetworkInterfaceAttribute
} from '../../../model/network_interface_attribute.ts'
import {
  planCreateNetworkInterfacePermission, planDeleteNetworkInterfacePermission
} from '../../../model/network_interface_permission.ts'
import { requireRecord } from '../../../model/resource_kind.ts'
import { tagsFromSpecifications } from '../../../model/tag.ts'
import { defineRead, defineWrite } from '../action.ts'
import type { Action } from '../action.ts'
import { describeRecords } from '../describe.ts'
import {
  addressRequest, connectionTrackingFromInput, networkInterfaceFilters, newInterfaceFromInput,
  PERMISSION_FILTERS, printAttachment, printGroups, printNetworkInterface, printPermission
} from '../network_interface_shape.ts'
import { refuseUnbuilt } from '../unbuilt.ts'

const createNetworkInterface = defineWrite<CreateNetworkInterfaceRequest, string,
  CreateNetworkInterfaceResult>({
  name: 'CreateNetworkInterface',
  plan: (view, input, context) => {
    refuseUnbuilt('CreateNetworkInterface', input, [
      'SubnetId', 'Description', 'Groups', 'PrivateIpAddress', 'PrivateIpAddresses',
      'SecondaryPrivateIpAddressCount',
      'Ipv4Prefixes', 'Ipv4PrefixCount', 'Ipv6Addresses', 'Ipv6AddressCount', 'Ipv6Prefixes',
      'Ipv6PrefixCount',
      'ConnectionTrackingSpecification', 'InterfaceType', 'TagSpecifications'])
    const tags = tagsFromSpecifications(input.TagSpecifications, 'network-interface')
    return planCreateNetworkInterface(view,
      { ...newInterfaceFromInput(input, tags), subnetId: input.SubnetId ?? '' }, context)
  },
  print: (view, id, { lab }) => ({ NetworkInterface: printNetworkInterface(view,
  requireRecord(view, 'networkInterface', id), lab) })
})

const deleteNetworkInterface = defineWrite<DeleteNetworkInterfaceRequest, null, object>({
  name: 'DeleteNetworkInterface',
  plan: (view, { NetworkInterfaceId = '' }) =>
    planDeleteNetworkInterface(view, { networkInterfaceId: NetworkInterfaceId }),
  print: () => ({})
})

const attachNetworkInterface = defineWrite<AttachNetworkInterfaceRequest, string,
  AttachNetworkInterfaceResult>({
  name: 'AttachNetworkInterface',
  plan: (view, input, context) => {
    refuseUnbuilt('AttachNetworkInterface', { ...input,
      NetworkCardIndex: input.NetworkCardIndex === 0 ? undefined : input.NetworkCardIndex },
      ['NetworkInterfaceId', 'InstanceId', 'DeviceIndex'])
    const { NetworkInterfaceId = '', InstanceId = '', DeviceIndex = -1 } = input
    return planAttachNetworkInterface(view,
      { networkInterfaceId: NetworkInterfaceId, instanceId: InstanceId, deviceIndex: DeviceIndex },
      context)
  },
  print: (_view, id) => ({ AttachmentId: id, NetworkCardIndex: 0 })
})

const detachNetworkInterface = defineWrite<DetachNetworkInterfaceRequest, null, object>({
  name: 'DetachNetworkInterface',
  plan: (view, { AttachmentId = '' }) =>
    planDetachNetworkInterface(view, { attachmentId: AttachmentId }),
  print: () => ({})
})

const modifyNetworkInterfaceAttribute = defineWrite<ModifyNetworkInterfaceAttributeRequest, null,
  object>({
  name: 'ModifyNetworkInterfaceAttribute',
  plan: (view, input) => {
    refuseUnbuilt('ModifyNetworkInterfaceAttribute', input,
      ['NetworkInterfaceId', 'Description', 'SourceDestCheck', 'Groups', 'Attachment',
        'ConnectionTrackingSpecification'])
    const { Attachment, ConnectionTrackingSpecification } = input
    return planModifyNetworkInterfaceAttribute(view, {
      networkInterfaceId: input.NetworkInterfaceId ?? '',
      description: input.Description === undefined ? undefined : input.Description.Value ?? '',
      sourceDestCheck: input.SourceDestCheck?.Value,
      groupIds: input.Groups,
      attachment: Attachment && {
        attachmentId: Attachment.AttachmentId ?? '',
        deleteOnTermination: Attachment.DeleteOnTermination ?? false
      },
      connectionTracking: ConnectionTrackingSpecification &&
        connectionTrackingFromInput(ConnectionTrackingSpecification)
    })
  },
  print: () => ({})
})

const resetNetworkInterfaceAttribute = defineWrite<ResetNetworkInterfaceAttributeRequest, null,
  object>({
  name: 'ResetNetworkInterfaceAttribute',
  plan: (view, { NetworkInterfaceId = '', SourceDestCheck }) => {
    if (SourceDestCheck === undefined) throw new AwsError('MissingParameter',
      'The request must contain the parameter SourceDestCheck')
    return planResetNetworkInterfaceAttribute(view, { networkInterfaceId: NetworkInterfaceId })
  },
  print: () => ({})
})

const assignPrivateIpAddresses = defineWrite<AssignPrivateIpAddressesRequest, AssignResult,
  AssignPrivateIpAddressesResult>({
  name: 'AssignPrivateIpAddresses',
  plan: (view, input) => planAssignAddresses(view, 4, {
    networkInterfaceId: input.NetworkInterfaceId ?? '',
    allowReassignment: input.AllowReassignment ?? false,
    request: addressRequest(input.PrivateIpAddresses ?? [], input.SecondaryPrivateIpAddressCount,
      input.Ipv4Prefixes ?? [], input.Ipv4PrefixCount)
  }),
  print: (_view, { networkInterfaceId, addresses, prefixes }) => ({
    NetworkInterfaceId: networkInterfaceId,
    AssignedPrivateIpAddresses: addresses.map((PrivateIpAddress) => ({ PrivateIpAddress })),
    AssignedIpv4Prefixes: prefixes.map((Ipv4Prefix) => ({ Ipv4Prefix }))
  })
})

const unassignPrivateIpAddresses = defineWrite<UnassignPrivateIpAddressesRequest, AssignResult,
  object>({
  name: 'UnassignPrivateIpAddresses',
  plan: (view, input) => planUnassignAddresses(view, 4, {
    networkInterfaceId: input.NetworkInterfaceId ?? '', addresses: input.PrivateIpAddresses ?? [],
    prefixes: input.Ipv4Prefixes ?? []
  }),
  print: () => ({})
})

const assignIpv6Addresses = defineWrite<AssignIpv6AddressesRequest, AssignResult,
  AssignIpv6AddressesResult>({
  name: 'AssignIpv6Addresses',
  plan: (view, input) => planAssignAddresses(view, 6, {
    networkInterfaceId: input.NetworkInterfaceId ?? '', allowReassignment: false,
    request: addressRequest(input.Ipv6Addresses ?? [], input.Ipv6AddressCount, input.Ipv6Prefixes ??
      [], input.Ipv6PrefixCount)
  }),
  print: (_view, { networkInterfaceId, addresses, prefixes }) => ({
    NetworkInterfaceId: networkInterfaceId, AssignedIpv6Addresses: [...addresses],
    AssignedIpv6Prefixes: [...prefixes]
  })
})

const unassignIpv6Addresses = defineWrite<UnassignIpv6AddressesRequest, AssignResult,
  UnassignIpv6AddressesResult>({
  name: 'UnassignIpv6Addresses',
  plan: (view, input) => planUnassignAddresses(view, 6, {
    networkInterfaceId: input.NetworkInterfaceId ?? '', addresses: input.Ipv6Addresses ?? [],
    prefixes: input.Ipv6Prefixes ?? []
  }),
  print: (_view, { networkInterfaceId, addresses, prefixes }) => ({
    NetworkInterfaceId: networkInterfaceId, UnassignedIpv6Addresses: [...addresses],
    UnassignedIpv6Prefixes: [...prefixes]
  })
})

const describeNetworkInterfaces = defineRead<DescribeNetworkInterfacesRequest,
  DescribeNetworkInterfacesResult>({
  name: 'DescribeNetworkInterfaces',
  read: (view, input, { lab }) => {
    const page = describeRecords(view, 'networkInterface', 'NetworkInterfaceIds',
      input.NetworkInterfaceIds, input,
      networkInterfaceFilters(lab))
    return { NetworkInterfaces: page.items.map((record) =>
      printNetworkInterface(view, record, lab)), NextToken: page.nextToken }
  }
})

const describeNetworkInterfaceAttribute =
  defineRead<DescribeNetworkInterfaceAttributeRequest, DescribeNetworkInterfaceAttributeResult>({
    name: 'DescribeNetworkInterfaceAttribute',
    read: (view, { NetworkInterfaceId = '', Attribute }, { lab }) => {
      const record = requireRecord(view, 'networkInterface', NetworkInterfaceId)
      const answer = { NetworkInterfaceId: record.id }
      switch (Attribute) {
        case 'attachment': return { ...answer, Attachment: printAttachment(view, record, lab) }
        case 'description': return { ...answer, Description: { Value: record.description } }
        case 'groupSet': return { ...answer, Groups: printGroups(view, record.groupIds) }
        case 'sourceDestCheck': return { ...answer,
          SourceDestCheck: { Value: record.sourceDestCheck } }
        case undefined: throw new AwsError('MissingParameter',
          'The request must contain the parameter attribute')
        default: throw new AwsError('InvalidParameterValue',
          `Value (${Attribute}) for parameter attribute is invalid; ` +
          'expecting attachment, description, groupSet or sourceDestCheck')
      }
    }
  })

const createNetworkInterfacePermission = defineWrite<CreateNetworkInterfacePermissionRequest,
  string, CreateNetworkInterfacePermissionResult>({
  name: 'CreateNetworkInterfacePermission',
  plan: (view, input, context) => {
    if (input.AwsService !== undefined) {
      throw new AwsError('UnsupportedOperation',
        `AwsService '${input.AwsService}' is not supported: a network interface is granted to an ` +
        'account only; name it with AwsAccountId')
    }
    return planCreateNetworkInterfacePermission(view, {
      networkInterfaceId: input.NetworkInterfaceId ?? '', awsAccountId: input.AwsAccountId ?? '',
      permission: input.Permission ?? ''
    }, context)
  },
  print: (view, id) => ({
    InterfacePermission: printPermission(requireRecord(view, 'networkInterfacePermission', id))
  })
})

const deleteNetworkInterfacePermission = defineWrite<DeleteNetworkInterfacePermissionRequest, null,
  DeleteNetworkInterfacePermissionResult>({
  name: 'DeleteNetworkInterfacePermission',
  plan: (view, { NetworkInterfacePermissionId = '', Force = false }) =>
    planDeleteNetworkInterfacePermission(view,
      { permissionId: NetworkInterfacePermissionId, force: Force }),
  print: () => ({ Return: true })
})

/** Permissions on one page: the default, and the most that can be asked for. */
const PERMISSIONS_PAGE_SIZE = 50
const PERMISSIONS_PAGE_SIZE_MAX = 255

const describeNetworkInterfacePermissions =
  defineRead<DescribeNetworkInterfacePermissionsRequest,
    DescribeNetworkInterfacePermissionsResult>({
    name: 'DescribeNetworkInterfacePermissions',
    read: (view, input) => {
      const { NetworkInterfacePermissionIds: ids = [], MaxResults } = input
      if (MaxResults !== undefined && MaxResults > PERMISSIONS_PAGE_SIZE_MAX) {
        throw new AwsError('InvalidMaxResults', `Value ( ${MaxResults} ) for parameter ` +
          `MaxResults is invalid. Expecting at most ${PERMISSIONS_PAGE_SIZE_MAX}.`)
      }
      const pageSize = ids.length === 0 ? MaxResults ?? PERMISSIONS_PAGE_SIZE : MaxResults
      const page = describeRecords(view, 'networkInterfacePermission',
        'NetworkInterfacePermissionIds', ids, { ...input, MaxResults: pageSize },
        PERMISSION_FILTERS)
      return { NetworkInterfacePermissions: page.items.map(printPermission),
        NextToken: page.nextToken }
    }
  })

export const networkInterfaceActions: readonly Action[] = [
  createNetworkInterface, deleteNetworkInterface, describeNetworkInterfaces,
  attachNetworkInterface, detachNetworkInterface,
  modifyNetworkInterfaceAttribute, resetNetworkInterfaceAttribute,
  describeNetworkInterfaceAttribute,
  assignPrivateIpAddresses, unassignPrivateIpAddresses, assignIpv6Addresses, unassignIpv6Addresses,
  createNetworkInterfacePermission, deleteNetworkInterfacePermission,
  describeNetworkInterfacePermissions
]
