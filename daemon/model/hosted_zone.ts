/**
 * Private hosted zones of Route 53: DNS zones that chosen VPCs see. Route 53 Developer Guide,
 * "Working with private hosted zones"; Route 53 API Reference.
 *
 *     HostedZone ──┬── HostedZoneVpc       one per VPC that sees the zone
 *                  ├── ResourceRecordSet   one per name and type (record_set.ts)
 *                  └── HostedZoneChange    what a caller asks GetChange about, for a day
 *
 * A zone belongs to an account and to no Region; VPCs of any Region and, once authorized, of any
 * account see it. One VPC sees at most one zone of a name; zones inside each other are several
 * names, and the longest that fits decides. Public hosted zones are not built.
 */
import { AwsError } from './aws_error.ts'
import { parseDomainName } from './domain_name.ts'
import type { Plan, PlanContext } from './plan.ts'
import { checkQuota } from './quota.ts'
import { apexRecordSets } from './record_set.ts'
import type { Tags } from './record.ts'
import { findRegion } from './region.ts'
import type { Change, Snapshot } from './snapshot.ts'
import { put, remove } from './snapshot.ts'

/** VPCs of other accounts that a zone is open to, and that do not see it yet. */
export const ZONE_AUTHORIZATIONS_MAX = 1000
const CALLER_REFERENCE_LENGTH_MAX = 128
const COMMENT_LENGTH_MAX = 256
/** How long GetChange knows of a change. */
export const ZONE_CHANGE_AGE_MAX_MS = 24 * 3600 * 1000
/** Changes past it that one call removes. */
const EXPIRED_REMOVED_MAX = 16

/** A VPC, as Route 53 names one. */
export interface ZoneVpc {
  readonly vpcId: string
  readonly region: string
}

export interface HostedZone {
  /** `Z` and 17 characters. */
  readonly id: string
  readonly ownerId: string
  /** As domain_name.ts keeps names. */
  readonly name: string
  readonly callerReference: string
  readonly comment: string | null
  readonly createdMs: number
  /** VPCs of other accounts that may be associated. */
  readonly authorizedVpcs: readonly ZoneVpc[]
  readonly tags: Tags
}

/** That a VPC sees a zone. */
export interface HostedZoneVpc extends ZoneVpc {
  /** `<zone id>/<VPC id>` */
  readonly id: string
  readonly zoneId: string
}

export interface HostedZoneChange {
  /** `C` and 17 characters. */
  readonly id: string
  readonly ownerId: string
  readonly submittedMs: number
  readonly comment: string | null
}

/** Whose call it is: Route 53 knows no Regions. */
export interface ZoneCaller {
  readonly snapshot: Snapshot
  readonly accountId: string
}

/** Zones of the caller, in order of creation. */
export function zonesOf ({ snapshot, accountId }: ZoneCaller): HostedZone[] {
  return snapshot.tables.hostedZone.by('ownerId', accountId)
}

/**
 * A zone of the caller's.
 * @throws AwsError NoSuchHostedZone
 */
export function requireZone ({ snapshot, accountId }: ZoneCaller, id: string): HostedZone {
  const zone = snapshot.tables.hostedZone.get(id)
  if (zone?.ownerId === accountId) return zone
  throw noSuchZone(id)
}

function noSuchZone (id: string): AwsError {
  return new AwsError('NoSuchHostedZone', `No hosted zone found with ID: ${id}`)
}

/** A change under way, and the changes of the store that note it. */
export interface Submitted {
  readonly changeId: string
}

/** The record of a change that a call makes, with what is removed on the way. */
export function noteChange (
  { snapshot, accountId }: ZoneCaller, comment: string | null, context: PlanContext
): { readonly changeId: string, readonly changes: readonly Change[] } {
  const { nowMs } = context
  const record: HostedZoneChange =
    { id: route53Id('C', context), ownerId: accountId, submittedMs: nowMs, comment }
  const expired: Change[] = []
  for (const { id, submittedMs } of snapshot.tables.hostedZoneChange.values()) {
    if (submittedMs > nowMs - ZONE_CHANGE_AGE_MAX_MS || expired.length === EXPIRED_REMOVED_MAX) {
      break
    }
    expired.push(remove('hostedZoneChange', id))
  }
  return { changeId: record.id, changes: [put('hostedZoneChange', record), ...expired] }
}

/** `Z0123456789ABCDEF0` */
function route53Id (prefix: 'C' | 'Z', context: PlanContext): string {
  return context.newId(prefix).replace('-', '').toUpperCase()
}

export interface CreateZoneInput {
  readonly name: string
  readonly callerReference: string
  readonly comment: string | null
  readonly vpc: ZoneVpc
}

/**
 * CreateHostedZone, of a private one.
 * @throws AwsError InvalidDomainName, InvalidInput, InvalidVPCId, HostedZoneAlreadyExists,
 *   ConflictingDomainExists, TooManyHostedZones
 */
export function planCreateZone (
  caller: ZoneCaller, input: CreateZoneInput, context: PlanContext
): Plan<Submitted & { readonly zoneId: string }> {
  const { snapshot, accountId } = caller
  const { callerReference } = input
  if (callerReference === '' || callerReference.length > CALLER_REFERENCE_LENGTH_MAX) {
    throw new AwsError('InvalidInput',
      `A caller reference has 1 to ${String(CALLER_REFERENCE_LENGTH_MAX)} characters`)
  }
  checkComment(input.comment)
  const name = requireZoneName(input.name)
  requireOwnVpc(caller, input.vpc)
  const zones = zonesOf(caller)
  if (zones.some((zone) => zone.callerReference === callerReference)) {
    throw new AwsError('HostedZoneAlreadyExists',
      'A hosted zone has already been created with the specified caller reference: ' +
      callerReference)
  }
  refuseSameName(snapshot, name, input.vpc)
  checkQuota(snapshot, 'hosted-zones-per-account', zones.length + 1)
  const zone: HostedZone = {
    id: route53Id('Z', context), ownerId: accountId, name, callerReference,
    comment: input.comment, createdMs: context.nowMs, authorizedVpcs: [], tags: {}
  }
  const noted = noteChange(caller, null, context)
  return {
    changes: [
      put('hostedZone', zone), associated(zone.id, input.vpc),
      ...apexRecordSets(zone).map((record) => put('resourceRecordSet', record)), ...noted.changes
    ],
    result: { zoneId: zone.id, changeId: noted.changeId }
  }
}

/** @throws AwsError InvalidInput */
function checkComment (comment: string | null): void {
  if ((comment?.length ?? 0) <= COMMENT_LENGTH_MAX) return
  throw new AwsError('InvalidInput',
    `A comment has at most ${String(COMMENT_LENGTH_MAX)} characters`)
}

/** @throws AwsError InvalidDomainName */
function requireZoneName (text: string): string {
  const name = parseDomainName(text)
  if (name !== null && name !== '' && !name.startsWith('*.') && name !== '*') return name
  throw new AwsError('InvalidDomainName', `${text} is not a valid domain name`)
}

function associated (zoneId: string, { vpcId, region }: ZoneVpc): Change {
  return put('hostedZoneVpc', { id: `${zoneId}/${vpcId}`, zoneId, vpcId, region })
}

/** VPCs that see a zone, in the order in which they were associated. */
export function vpcsOfZone (snapshot: Snapshot, zoneId: string): HostedZoneVpc[] {
  return snapshot.tables.hostedZoneVpc.by('zoneId', zoneId)
}

/** Zones that a VPC sees. */
export function zonesOfVpc (snapshot: Snapshot, vpcId: string): HostedZone[] {
  const { hostedZone, hostedZoneVpc } = snapshot.tables
  return hostedZoneVpc.by('vpcId', vpcId).flatMap(({ zoneId }) => hostedZone.get(zoneId) ?? [])
}

/** @throws AwsError InvalidVPCId for one that is not there, or not the caller's */
export function requireOwnVpc ({ snapshot, accountId }: ZoneCaller, vpc: ZoneVpc): void {
  checkVpcForm(vpc)
  const record = snapshot.tables.vpc.get(vpc.vpcId)
  if (record?.ownerId === accountId && record.region === vpc.region) return
  throw new AwsError('InvalidVPCId', `The VPC: ${vpc.vpcId} you provided in region ` +
    `${vpc.region} either isn't there or the current account is not authorized to access it`)
}

/** @throws AwsError InvalidVPCId */
function checkVpcForm ({ vpcId, region }: ZoneVpc): void {
  if (/^vpc-[0-9a-f]{8,17}$/.test(vpcId) && findRegion(region) !== undefined) return
  throw new AwsError('InvalidVPCId',
    `The VPC: ${vpcId} in region ${region} that you provided is not a valid VPC`)
}

/** @throws AwsError ConflictingDomainExists */
function refuseSameName (snapshot: Snapshot, name: string, { vpcId, region }: ZoneVpc): void {
  const other = zonesOfVpc(snapshot, vpcId).find((zone) => zone.name === name)
  if (other === undefined) return
  throw new AwsError('ConflictingDomainExists', `The VPC ${vpcId} in region ${region} has ` +
    `already been associated with the hosted zone ${other.id} with the same domain name.`)
}

/**
 * DeleteHostedZone: of a zone with no records but its SOA and NS.
 * @throws AwsError NoSuchHostedZone, HostedZoneNotEmpty
 */
export function planDeleteZone (
  caller: ZoneCaller, zoneId: string, context: PlanContext
): Plan<Submitted> {
  const zone = requireZone(caller, zoneId)
  const { tables } = caller.snapshot
  const recordSets = tables.resourceRecordSet.by('zoneId', zoneId)
  if (recordSets.some(({ name, type }) => name !== zone.name || !['NS', 'SOA'].includes(type))) {
    throw new AwsError('HostedZoneNotEmpty', 'The specified hosted zone contains non-required ' +
      'resource record sets and so cannot be deleted.')
  }
  const noted = noteChange(caller, null, context)
  return {
    changes: [
      ...recordSets.map(({ id }) => remove('resourceRecordSet', id)),
      ...vpcsOfZone(caller.snapshot, zoneId).map(({ id }) => remove('hostedZoneVpc', id)),
      remove('hostedZone', zoneId), ...noted.changes
    ],
    result: { changeId: noted.changeId }
  }
}

/**
 * UpdateHostedZoneComment.
 * @throws AwsError NoSuchHostedZone, InvalidInput
 */
export function planCommentZone (
  caller: ZoneCaller, zoneId: string, comment: string | null): Plan<null> {
  checkComment(comment)
  const zone = requireZone(caller, zoneId)
  return { changes: [put('hostedZone', { ...zone, comment })], result: null }
}

/**
 * AssociateVPCWithHostedZone: by the owner of the VPC, who owns the zone too or is authorized.
 * @throws AwsError NoSuchHostedZone, InvalidVPCId, NotAuthorizedException,
 *   ConflictingDomainExists, LimitsExceeded
 */
export function planAssociateVpc (
  caller: ZoneCaller, zoneId: string, vpc: ZoneVpc, comment: string | null, context: PlanContext
): Plan<Submitted> {
  const { snapshot, accountId } = caller
  const zone = snapshot.tables.hostedZone.get(zoneId)
  if (zone === undefined) throw noSuchZone(zoneId)
  checkVpcForm(vpc)
  const isAuthorized = zone.authorizedVpcs.some((one) => isSame(one, vpc))
  const vpcOwner = snapshot.tables.vpc.get(vpc.vpcId)?.ownerId
  if ((zone.ownerId !== accountId && !isAuthorized) ||
    (vpcOwner !== undefined && vpcOwner !== accountId)) {
    throw new AwsError('NotAuthorizedException',
      `The VPC: ${vpc.vpcId} has not authorized association with your hosted zone.`)
  }
  requireOwnVpc(caller, vpc)
  refuseSameName(snapshot, zone.name, vpc)
  checkQuota(snapshot, 'vpcs-per-hosted-zone', vpcsOfZone(snapshot, zoneId).length + 1)
  const noted = noteChange(caller, comment, context)
  return {
    changes: [associated(zoneId, vpc), ...noted.changes], result: { changeId: noted.changeId }
  }
}

function isSame (a: ZoneVpc, b: ZoneVpc): boolean {
  return a.vpcId === b.vpcId && a.region === b.region
}

/**
 * DisassociateVPCFromHostedZone: by the owner of the zone or of the VPC.
 * @throws AwsError NoSuchHostedZone, InvalidVPCId, VPCAssociationNotFound, LastVPCAssociation
 */
export function planDisassociateVpc (
  caller: ZoneCaller, zoneId: string, vpc: ZoneVpc, comment: string | null, context: PlanContext
): Plan<Submitted> {
  const { snapshot, accountId } = caller
  checkVpcForm(vpc)
  const zone = snapshot.tables.hostedZone.get(zoneId)
  const ownsVpc = snapshot.tables.vpc.get(vpc.vpcId)?.ownerId === accountId
  if (zone === undefined || (zone.ownerId !== accountId && !ownsVpc)) throw noSuchZone(zoneId)
  const vpcs = vpcsOfZone(snapshot, zoneId)
  const association = vpcs.find((one) => isSame(one, vpc))
  if (association === undefined) {
    throw new AwsError('VPCAssociationNotFound', `The VPC: ${vpc.vpcId} in region ` +
      `${vpc.region} is not associated with the hosted zone ${zoneId}`)
  }
  if (vpcs.length === 1) {
    throw new AwsError('LastVPCAssociation', `The VPC: ${vpc.vpcId} is the last one that is ` +
      `associated with the private hosted zone ${zoneId}: delete the zone instead`)
  }
  const noted = noteChange(caller, comment, context)
  return {
    changes: [remove('hostedZoneVpc', association.id), ...noted.changes],
    result: { changeId: noted.changeId }
  }
}

/**
 * CreateVPCAssociationAuthorization: lets the owner of a VPC associate it with the caller's zone.
 * @throws AwsError NoSuchHostedZone, InvalidVPCId, TooManyVPCAssociationAuthorizations
 */
export function planAuthorizeVpc (
  caller: ZoneCaller, zoneId: string, vpc: ZoneVpc): Plan<null> {
  const zone = requireZone(caller, zoneId)
  checkVpcForm(vpc)
  if (zone.authorizedVpcs.some((one) => isSame(one, vpc))) return { changes: [], result: null }
  if (zone.authorizedVpcs.length >= ZONE_AUTHORIZATIONS_MAX) {
    throw new AwsError('TooManyVPCAssociationAuthorizations',
      `The hosted zone ${zoneId} has ${String(ZONE_AUTHORIZATIONS_MAX)} authorizations already`)
  }
  const authorizedVpcs = [...zone.authorizedVpcs, vpc]
  return { changes: [put('hostedZone', { ...zone, authorizedVpcs })], result: null }
}

/**
 * DeleteVPCAssociationAuthorization. What is associated stays so.
 * @throws AwsError NoSuchHostedZone, InvalidVPCId, VPCAssociationAuthorizationNotFound
 */
export function planDeauthorizeVpc (
  caller: ZoneCaller, zoneId: string, vpc: ZoneVpc): Plan<null> {
  const zone = requireZone(caller, zoneId)
  checkVpcForm(vpc)
  const authorizedVpcs = zone.authorizedVpcs.filter((one) => !isSame(one, vpc))
  if (authorizedVpcs.length === zone.authorizedVpcs.length) {
    throw new AwsError('VPCAssociationAuthorizationNotFound', `The VPC: ${vpc.vpcId} in region ` +
      `${vpc.region} is not authorized to be associated with the hosted zone ${zoneId}`)
  }
  return { changes: [put('hostedZone', { ...zone, authorizedVpcs })], result: null }
}

/**
 * ChangeTagsForResource, of a zone.
 * @param added checked tags
 * @throws AwsError NoSuchHostedZone
 */
export function planTagZone (
  caller: ZoneCaller, zoneId: string, added: Tags, removedKeys: readonly string[]): Plan<null> {
  const zone = requireZone(caller, zoneId)
  const kept = Object.entries(zone.tags).filter(([key]) => !removedKeys.includes(key))
  const tags = { ...Object.fromEntries(kept), ...added }
  return { changes: [put('hostedZone', { ...zone, tags })], result: null }
}
