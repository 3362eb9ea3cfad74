/**
 * Traffic mirror filter: which packets a session copies. Rules of each direction by number, the
 * first that matches accepts or rejects; what none matches is not copied, so that an empty filter
 * copies nothing. AWS, "Traffic Mirroring", "Traffic mirror filters and filter rules".
 *
 * A rule is a record of its own, since it has an id, tags and a Describe call of its own.
 */
import { AwsError } from './aws_error.ts'
import { formatCidr, parseCidr } from './cidr.ts'
import { checkDescription } from './network_interface.ts'
import type { Plan, PlanContext } from './plan.ts'
import { checkQuota } from './quota.ts'
import type { OwnedRecord, Tags } from './record.ts'
import { requireRecord } from './resource_kind.ts'
import { put, remove } from './snapshot.ts'
import type { AccountView } from './snapshot.ts'

/** Services of the VPC whose packets can be copied. */
export const NETWORK_SERVICES = ['amazon-dns'] as const

export interface TrafficMirrorFilter extends OwnedRecord {
  readonly description: string
  /** NETWORK_SERVICES whose packets are copied, whatever the rules say. */
  readonly networkServices: readonly string[]
}

export interface PortRange { readonly from: number, readonly to: number }

export interface TrafficMirrorFilterRule extends OwnedRecord {
  readonly filterId: string
  /** As the source of the session sees the packet. */
  readonly direction: 'ingress' | 'egress'
  readonly ruleNumber: number
  readonly action: 'accept' | 'reject'
  /** IP protocol number; null for all. */
  readonly protocol: number | null
  readonly sourcePorts: PortRange | null
  readonly destinationPorts: PortRange | null
  readonly sourceCidrBlock: string
  readonly destinationCidrBlock: string
  readonly description: string
}

/** What a call says of a rule. */
export type FilterRuleInput = Pick<TrafficMirrorFilterRule, 'ruleNumber' | 'protocol' |
  'sourcePorts' | 'destinationPorts' | 'sourceCidrBlock' | 'destinationCidrBlock' |
  'description'> & {
  readonly direction: string
  readonly action: string
}

export const RULE_NUMBER_MAX = 32_766
const PROTOCOL_MAX = 255
const PORT_MAX = 65_535
const TCP = 6
const UDP = 17

/**
 * CreateTrafficMirrorFilter.
 * @returns the id of the new filter
 * @throws AwsError TrafficMirrorFilterLimitExceeded
 */
export function planCreateTrafficMirrorFilter (view: AccountView,
  input: { readonly description: string, readonly tags: Tags },
  context: PlanContext): Plan<string> {
  checkDescription(input.description)
  checkQuota(view.snapshot, 'traffic-mirror-filters-per-region',
    view.list('trafficMirrorFilter').length + 1)
  const filter: TrafficMirrorFilter = {
    id: context.newId('tmf'), region: view.region, ownerId: view.accountId, tags: input.tags,
    description: input.description, networkServices: []
  }
  return { changes: [put('trafficMirrorFilter', filter)], result: filter.id }
}

/**
 * DeleteTrafficMirrorFilter, its rules with it.
 * @throws AwsError InvalidTrafficMirrorFilterId.NotFound, TrafficMirrorFilterInUse
 */
export function planDeleteTrafficMirrorFilter (view: AccountView,
  input: { readonly filterId: string }): Plan<string> {
  const filter = requireRecord(view, 'trafficMirrorFilter', input.filterId)
  const sessions = view.by('trafficMirrorSession', 'filterId', filter.id)
  if (sessions.length > 0) {
    throw new AwsError('TrafficMirrorFilterInUse',
      `The traffic mirror filter '${filter.id}' is used by ` +
      `${sessions.map(({ id }) => id).join(', ')}: delete or modify these sessions first`)
  }
  const rules = rulesOfFilter(view, filter.id)
  return {
    changes: [remove('trafficMirrorFilter', filter.id),
      ...rules.map(({ id }) => remove('trafficMirrorFilterRule', id))],
    result: filter.id
  }
}

/**
 * ModifyTrafficMirrorFilterNetworkServices.
 * @throws AwsError InvalidTrafficMirrorFilterId.NotFound, InvalidParameterValue
 */
export function planModifyTrafficMirrorFilterNetworkServices (view: AccountView,
  input: {
    readonly filterId: string
    readonly add: readonly string[]
    readonly remove: readonly string[]
  }): Plan<string> {
  const filter = requireRecord(view, 'trafficMirrorFilter', input.filterId)
  for (const service of [...input.add, ...input.remove]) {
    if ((NETWORK_SERVICES as readonly string[]).includes(service)) continue
    throw new AwsError('InvalidParameterValue',
      `Invalid network service '${service}'; expecting ${NETWORK_SERVICES.join(', ')}`)
  }
  const services = new Set([...filter.networkServices, ...input.add])
  for (const service of input.remove) services.delete(service)
  const changed = { ...filter, networkServices: [...services] }
  return { changes: [put('trafficMirrorFilter', changed)], result: filter.id }
}

/**
 * CreateTrafficMirrorFilterRule.
 * @returns the id of the new rule
 * @throws AwsError InvalidTrafficMirrorFilterId.NotFound, InvalidParameterValue,
 *   TrafficMirrorFilterRuleAlreadyExists, TrafficMirrorFilterRuleLimitExceeded
 */
export function planCreateTrafficMirrorFilterRule (view: AccountView,
  input: { readonly filterId: string, readonly rule: FilterRuleInput, readonly tags: Tags },
  context: PlanContext): Plan<string> {
  const filter = requireRecord(view, 'trafficMirrorFilter', input.filterId)
  const rules = rulesOfFilter(view, filter.id)
  const rule: TrafficMirrorFilterRule = {
    ...checkRule(input.rule), id: context.newId('tmfr'), region: view.region,
    ownerId: view.accountId, tags: input.tags, filterId: filter.id
  }
  checkNumberIsFree(rules, rule)
  checkQuota(view.snapshot, 'traffic-mirror-rules-per-filter', rules.length + 1)
  return { changes: [put('trafficMirrorFilterRule', rule)], result: rule.id }
}

/** Fields that ModifyTrafficMirrorFilterRule takes away. */
export const RULE_FIELDS_REMOVABLE: Readonly<Record<string, Partial<FilterRuleInput>>> = {
  'destination-port-range': { destinationPorts: null },
  'source-port-range': { sourcePorts: null },
  protocol: { protocol: null },
  description: { description: '' }
}

/**
 * ModifyTrafficMirrorFilterRule: what the call does not name stays.
 * @throws AwsError InvalidTrafficMirrorFilterRuleId.NotFound, InvalidParameterValue,
 *   TrafficMirrorFilterRuleAlreadyExists
 */
export function planModifyTrafficMirrorFilterRule (view: AccountView,
  input: {
    readonly ruleId: string
    readonly changes: Partial<FilterRuleInput>
    readonly removeFields: readonly string[]
  }): Plan<string> {
  const old = requireRecord(view, 'trafficMirrorFilterRule', input.ruleId)
  const rule: TrafficMirrorFilterRule = {
    ...old,
    ...checkRule({ ...old, ...input.changes,
      ...removedFields(input.removeFields, RULE_FIELDS_REMOVABLE) })
  }
  checkNumberIsFree(rulesOfFilter(view, old.filterId).filter(({ id }) => id !== old.id), rule)
  return { changes: [put('trafficMirrorFilterRule', rule)], result: rule.id }
}

/**
 * DeleteTrafficMirrorFilterRule.
 * @throws AwsError InvalidTrafficMirrorFilterRuleId.NotFound
 */
export function planDeleteTrafficMirrorFilterRule (view: AccountView,
  input: { readonly ruleId: string }): Plan<string> {
  const { id } = requireRecord(view, 'trafficMirrorFilterRule', input.ruleId)
  return { changes: [remove('trafficMirrorFilterRule', id)], result: id }
}

/** Rules of a filter, both directions, by number. */
export function rulesOfFilter (view: AccountView,
  filterId: string): readonly TrafficMirrorFilterRule[] {
  return view.by('trafficMirrorFilterRule', 'filterId', filterId)
    .toSorted((a, b) => a.ruleNumber - b.ruleNumber)
}

/**
 * What `RemoveFields` of a Modify call sets to its default.
 * @throws AwsError InvalidParameterValue
 */
export function removedFields<Fields extends object> (names: readonly string[],
  removable: Readonly<Record<string, Fields>>): Partial<Fields> {
  let changes: Partial<Fields> = {}
  for (const name of names) {
    const change = removable[name]
    if (change === undefined) {
      throw new AwsError('InvalidParameterValue', `Invalid value '${name}' for RemoveFields; ` +
        `expecting ${Object.keys(removable).join(', ')}`)
    }
    changes = { ...changes, ...change }
  }
  return changes
}

type CheckedRule = Omit<TrafficMirrorFilterRule, keyof OwnedRecord | 'filterId'>

function checkRule (input: FilterRuleInput): CheckedRule {
  checkDescription(input.description)
  const { ruleNumber, protocol, direction, action } = input
  if (ruleNumber < 1 || ruleNumber > RULE_NUMBER_MAX) {
    throw new AwsError('InvalidParameterValue', `Invalid value '${ruleNumber}' for RuleNumber; ` +
      `expecting 1 to ${RULE_NUMBER_MAX}`)
  }
  if (direction !== 'ingress' && direction !== 'egress') {
    throw new AwsError('InvalidParameterValue',
      `Invalid value '${direction}' for TrafficDirection; expecting ingress or egress`)
  }
  if (action !== 'accept' && action !== 'reject') {
    throw new AwsError('InvalidParameterValue',
      `Invalid value '${action}' for RuleAction; expecting accept or reject`)
  }
  if (protocol !== null && (protocol < 0 || protocol > PROTOCOL_MAX)) {
    throw new AwsError('InvalidParameterValue', `Invalid value '${protocol}' for Protocol; ` +
      `expecting an IP protocol number, 0 to ${PROTOCOL_MAX}`)
  }
  return {
    direction, ruleNumber, action, protocol, description: input.description,
    sourcePorts: checkPorts('SourcePortRange', input.sourcePorts, protocol),
    destinationPorts: checkPorts('DestinationPortRange', input.destinationPorts, protocol),
    ...checkCidrs(input)
  }
}

function checkPorts (name: string, ports: PortRange | null,
  protocol: number | null): PortRange | null {
  if (ports === null) return null
  if (protocol !== TCP && protocol !== UDP) {
    throw new AwsError('InvalidParameterValue',
      `${name} needs protocol 6 (TCP) or 17 (UDP), and the rule has ${protocol ?? 'none'}`)
  }
  if (ports.from < 0 || ports.to > PORT_MAX || ports.from > ports.to) {
    throw new AwsError('InvalidParameterValue',
      `Invalid ${name} ${ports.from}-${ports.to}; expecting from <= to within 0 to ${PORT_MAX}`)
  }
  return { from: ports.from, to: ports.to }
}

function checkCidrs ({ sourceCidrBlock, destinationCidrBlock }: FilterRuleInput):
Pick<TrafficMirrorFilterRule, 'sourceCidrBlock' | 'destinationCidrBlock'> {
  const source = parseCidr(sourceCidrBlock)
  const destination = parseCidr(destinationCidrBlock)
  if (source === null || destination === null) {
    throw new AwsError('InvalidParameterValue', 'CIDR block ' +
      `${source === null ? sourceCidrBlock : destinationCidrBlock} is malformed: expecting an ` +
      'IPv4 or IPv6 block')
  }
  if (source.family !== destination.family) {
    throw new AwsError('InvalidParameterValue',
      `${sourceCidrBlock} and ${destinationCidrBlock} are of different IP versions`)
  }
  return {
    sourceCidrBlock: formatCidr(source), destinationCidrBlock: formatCidr(destination)
  }
}

function checkNumberIsFree (rules: readonly TrafficMirrorFilterRule[],
  rule: TrafficMirrorFilterRule): void {
  const same = rules.find(({ direction, ruleNumber }) =>
    direction === rule.direction && ruleNumber === rule.ruleNumber)
  if (same === undefined) return
  throw new AwsError('TrafficMirrorFilterRuleAlreadyExists',
    `The ${rule.direction} rule ${rule.ruleNumber} of ${rule.filterId} exists already: ${same.id}`)
}
