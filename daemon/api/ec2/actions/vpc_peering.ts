/**
 * EC2 actions on VPC peering connections. Rules: model/vpc_peering.ts, vpc_peering_plan.ts.
 *
 * Some states are shown and not stored: `initiating-request`, `provisioning` and `deleting` last
 * until every host has applied what the call asked for.
 */
import type {
  AcceptVpcPeeringConnectionRequest, AcceptVpcPeeringConnectionResult,
  CreateVpcPeeringConnectionRequest, CreateVpcPeeringConnectionResult,
  DeleteVpcPeeringConnectionRequest, DeleteVpcPeeringConnectionResult,
  DescribeVpcPeeringConnectionsRequest, DescribeVpcPeeringConnectionsResult,
  ModifyVpcPeeringConnectionOptionsRequest, ModifyVpcPeeringConnectionOptionsResult,
  PeeringConnectionOptions, PeeringConnectionOptionsRequest, RejectVpcPeeringConnectionRequest,
  RejectVpcPeeringConnectionResult, VpcPeeringConnection as VpcPeeringConnectionOutput,
  VpcPeeringConnectionStateReasonCode, VpcPeeringConnectionVpcInfo
} from '@aws-sdk/client-ec2'
import { AwsError } from '../../../model/aws_error.ts'
import { checkIdForm, notFound } from '../../../model/resource_kind.ts'
import type { AccountView } from '../../../model/snapshot.ts'
import { printTags, tagsFromSpecifications } from '../../../model/tag.ts'
import {
  PENDING_ACCEPTANCE_MS, peeringStatus, peeringVisibleUntilMs
} from '../../../model/vpc_peering.ts'
import type { PeeringSide, VpcPeeringConnection } from '../../../model/vpc_peering.ts'
import {
  planAcceptPeering, planCreatePeering, planDeletePeering, planModifyPeeringOptions,
  planRejectPeering, requirePeering
} from '../../../model/vpc_peering_plan.ts'
import { defineRead, defineWrite } from '../action.ts'
import type { Action, LabStatus, ReadContext } from '../action.ts'
import { NOTHING_APPLIED } from '../applied.ts'
import { applyFilters, checkPageInput, pageOf } from '../describe.ts'
import type { FilterTable } from '../describe.ts'

const NOUN = 'vpcPeeringConnection'

interface State {
  readonly code: VpcPeeringConnectionStateReasonCode
  readonly message: string
}

/** The state as the API shows it. */
function stateOf (peering: VpcPeeringConnection, nowMs: number, lab: LabStatus): State {
  const { accepter, endedBy, statusRevision } = peering
  const isApplied = statusRevision <= lab.appliedRevision
  const by = endedBy ?? ''
  switch (peeringStatus(peering, nowMs)) {
    case 'pending-acceptance': return isApplied
      ? { code: 'pending-acceptance', message: `Pending Acceptance by ${accepter.ownerId}` }
      : { code: 'initiating-request', message: `Initiating Request to ${accepter.ownerId}` }
    case 'active': return isApplied
      ? { code: 'active', message: 'Active' }
      : { code: 'provisioning', message: 'Provisioning' }
    case 'deleted': return isApplied
      ? { code: 'deleted', message: `Deleted by ${by}` }
      : { code: 'deleting', message: `Deleting by ${by}` }
    case 'rejected': return { code: 'rejected', message: `Rejected by ${by}` }
    case 'expired': return { code: 'expired', message: 'Expired' }
    case 'failed': return isApplied
      ? {
          code: 'failed',
          message: 'Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range'
        }
      : { code: 'initiating-request', message: `Initiating Request to ${accepter.ownerId}` }
  }
}

/** @param showsVpc whether the blocks and options of the side are told: the accepter's are not
 *   before it has accepted */
function printSide (view: AccountView, side: PeeringSide,
  showsVpc: boolean): VpcPeeringConnectionVpcInfo {
  const { vpcId, ownerId, region } = side
  const vpc = showsVpc ? view.snapshot.tables.vpc.get(vpcId) : undefined
  const common = { VpcId: vpcId, OwnerId: ownerId, Region: region }
  if (vpc === undefined) return common
  const ipv6 = vpc.ipv6CidrBlocks.map(({ cidrBlock }) => ({ Ipv6CidrBlock: cidrBlock }))
  return {
    ...common,
    CidrBlock: vpc.cidrBlocks[0]?.cidrBlock,
    CidrBlockSet: vpc.cidrBlocks.map(({ cidrBlock }) => ({ CidrBlock: cidrBlock })),
    Ipv6CidrBlockSet: ipv6.length === 0 ? undefined : ipv6,
    PeeringOptions: printOptions(side)
  }
}

/** ClassicLink is gone from AWS; its two options are shown, and are off. */
function printOptions (side: PeeringSide): PeeringConnectionOptions {
  return {
    AllowDnsResolutionFromRemoteVpc: side.allowDnsResolutionFromRemoteVpc,
    AllowEgressFromLocalClassicLinkToRemoteVpc: false,
    AllowEgressFromLocalVpcToRemoteClassicLink: false
  }
}

function printPeering (view: AccountView, peering: VpcPeeringConnection, nowMs: number,
  lab: LabStatus): VpcPeeringConnectionOutput {
  const { code, message } = stateOf(peering, nowMs, lab)
  const { status, requester, accepter } = peering
  const wasAccepted = status === 'active' || status === 'deleted'
  return {
    VpcPeeringConnectionId: peering.id,
    RequesterVpcInfo: printSide(view, requester, true),
    AccepterVpcInfo: printSide(view, accepter, wasAccepted || ownsSide(view, accepter)),
    ExpirationTime: status === 'pending-acceptance'
      ? new Date(peering.createdMs + PENDING_ACCEPTANCE_MS)
      : undefined,
    Status: { Code: code, Message: message },
    Tags: printTags(view.tagsOf(peering))
  }
}

function ownsSide (view: AccountView, { ownerId, region }: PeeringSide): boolean {
  return ownerId === view.accountId && region === view.region
}

/** The peering after a call, as EC2 answers it: before anything took effect. */
function printNew (view: AccountView, id: string,
  { nowMs }: ReadContext): { VpcPeeringConnection: VpcPeeringConnectionOutput } {
  const peering = requirePeering(view, id, nowMs)
  return { VpcPeeringConnection: printPeering(view, peering, nowMs, NOTHING_APPLIED) }
}

const createPeering = defineWrite<CreateVpcPeeringConnectionRequest, string,
  CreateVpcPeeringConnectionResult>({
  name: 'CreateVpcPeeringConnection',
  plan: (view, input, context) => planCreatePeering(view, {
    vpcId: input.VpcId ?? '', peerVpcId: input.PeerVpcId, peerOwnerId: input.PeerOwnerId,
    peerRegion: input.PeerRegion,
    tags: tagsFromSpecifications(input.TagSpecifications, 'vpc-peering-connection')
  }, context),
  print: printNew
})

const acceptPeering = defineWrite<AcceptVpcPeeringConnectionRequest, string,
  AcceptVpcPeeringConnectionResult>({
  name: 'AcceptVpcPeeringConnection',
  plan: (view, input, context) =>
    planAcceptPeering(view, input.VpcPeeringConnectionId ?? '', context),
  print: printNew
})

const rejectPeering = defineWrite<RejectVpcPeeringConnectionRequest, null,
  RejectVpcPeeringConnectionResult>({
  name: 'RejectVpcPeeringConnection',
  plan: (view, input, context) =>
    planRejectPeering(view, input.VpcPeeringConnectionId ?? '', context),
  print: () => ({ Return: true })
})

const deletePeering = defineWrite<DeleteVpcPeeringConnectionRequest, null,
  DeleteVpcPeeringConnectionResult>({
  name: 'DeleteVpcPeeringConnection',
  plan: (view, input, context) =>
    planDeletePeering(view, input.VpcPeeringConnectionId ?? '', context),
  print: () => ({ Return: true })
})

/** @throws AwsError UnsupportedOperation for what ClassicLink would do */
function dnsOption (options: PeeringConnectionOptionsRequest | undefined): boolean | undefined {
  if (options?.AllowEgressFromLocalClassicLinkToRemoteVpc === true ||
    options?.AllowEgressFromLocalVpcToRemoteClassicLink === true) {
    throw new AwsError('UnsupportedOperation', 'ClassicLink is not available any more')
  }
  return options?.AllowDnsResolutionFromRemoteVpc
}

const modifyPeeringOptions = defineWrite<ModifyVpcPeeringConnectionOptionsRequest, string,
  ModifyVpcPeeringConnectionOptionsResult>({
  name: 'ModifyVpcPeeringConnectionOptions',
  plan: (view, input, context) => planModifyPeeringOptions(view, {
    id: input.VpcPeeringConnectionId ?? '',
    requester: dnsOption(input.RequesterPeeringConnectionOptions),
    accepter: dnsOption(input.AccepterPeeringConnectionOptions)
  }, context),
  print: (view, id, { nowMs }) => {
    const { requester, accepter } = requirePeering(view, id, nowMs)
    return {
      RequesterPeeringConnectionOptions: printOptions(requester),
      AccepterPeeringConnectionOptions: printOptions(accepter)
    }
  }
})

/** EC2 API Reference, DescribeVpcPeeringConnections: all filters. */
function peeringFilters (nowMs: number, lab: LabStatus): FilterTable<VpcPeeringConnection> {
  const blocks = (side: 'requester' | 'accepter') =>
    (peering: VpcPeeringConnection, view: AccountView): string[] =>
      view.snapshot.tables.vpc.get(peering[side].vpcId)?.cidrBlocks
        .map(({ cidrBlock }) => cidrBlock) ?? []
  return {
    'accepter-vpc-info.cidr-block': blocks('accepter'),
    'accepter-vpc-info.owner-id': ({ accepter }) => accepter.ownerId,
    'accepter-vpc-info.vpc-id': ({ accepter }) => accepter.vpcId,
    'expiration-time': ({ status, createdMs }) => status === 'pending-acceptance'
      ? new Date(createdMs + PENDING_ACCEPTANCE_MS).toISOString()
      : undefined,
    'requester-vpc-info.cidr-block': blocks('requester'),
    'requester-vpc-info.owner-id': ({ requester }) => requester.ownerId,
    'requester-vpc-info.vpc-id': ({ requester }) => requester.vpcId,
    'status-code': (peering) => stateOf(peering, nowMs, lab).code,
    'status-message': (peering) => stateOf(peering, nowMs, lab).message,
    'vpc-peering-connection-id': ({ id }) => id
  }
}

const describePeerings = defineRead<DescribeVpcPeeringConnectionsRequest,
  DescribeVpcPeeringConnectionsResult>({
  name: 'DescribeVpcPeeringConnections',
  read: (view, input, { nowMs, lab }) => {
    const { VpcPeeringConnectionIds: ids = [] } = input
    checkPageInput(input, 'VpcPeeringConnectionIds', ids)
    for (const id of ids) checkIdForm(NOUN, id)
    const visible = view.list(NOUN)
      .filter((peering) => nowMs < peeringVisibleUntilMs(peering, view, nowMs))
    const absent = ids.filter((id) => !visible.some((peering) => peering.id === id))
    if (absent.length > 0) throw notFound(NOUN, ...absent)
    const named = ids.length === 0 ? visible : visible.filter(({ id }) => ids.includes(id))
    const matching = applyFilters(view, named, input.Filters, {
      filters: peeringFilters(nowMs, lab), tagsOf: (peering) => view.tagsOf(peering)
    })
    const table = view.snapshot.tables[NOUN]
    const page = pageOf(matching, NOUN, input, ({ id }) => [table.createRevision(id), id])
    return {
      VpcPeeringConnections: page.items.map((peering) => printPeering(view, peering, nowMs, lab)),
      NextToken: page.nextToken
    }
  }
})

export const vpcPeeringActions: readonly Action[] = [
  createPeering, acceptPeering, rejectPeering, deletePeering, modifyPeeringOptions,
  describePeerings
]
