/**
 * DHCP option set: record and rules. Recorded; the server comes with the VPC services. AWS VPC User
 * Guide, "DHCP option sets in Amazon VPC".
 *
 * A set never changes: to change options, make another set and associate it. A VPC is associated
 * with one set, or with none (`default`).
 */
import { AwsError } from './aws_error.ts'
import { parseAddress } from './cidr.ts'
import type { AddressFamily } from './cidr.ts'
import type { Plan, PlanContext } from './plan.ts'
import { privateDnsSuffix } from './private_dns.ts'
import { checkQuota } from './quota.ts'
import type { OwnedRecord, Tags } from './record.ts'
import { requireRecord } from './resource_kind.ts'
import { put, remove } from './snapshot.ts'
import type { AccountView } from './snapshot.ts'

export interface DhcpOptions extends OwnedRecord {
  /** Option name (`domain-name-servers` …) to its values, in order. */
  readonly options: Readonly<Record<string, readonly string[]>>
}

/** Value of `domain-name-servers` that stands for the resolver of the VPC. */
export const AMAZON_PROVIDED_DNS = 'AmazonProvidedDNS'

/**
 * The set that a new VPC is associated with: the account's first set that says what AWS's default
 * says, or a new one. The caller adds it to its changes when `view.get('dhcpOptions', id)` is
 * undefined.
 */
export function defaultDhcpOptions (view: AccountView, context: PlanContext): DhcpOptions {
  const suffix = privateDnsSuffix(view.region)
  const existing = view.list('dhcpOptions').find(({ options }) =>
    Object.keys(options).length === 2 &&
    options['domain-name']?.join() === suffix &&
    options['domain-name-servers']?.join() === AMAZON_PROVIDED_DNS)
  return existing ?? {
    id: context.newId('dopt'), region: view.region, ownerId: view.accountId, tags: {},
    options: { 'domain-name': [suffix], 'domain-name-servers': [AMAZON_PROVIDED_DNS] }
  }
}

/** The id that AssociateDhcpOptions takes for "no options". */
export const NO_DHCP_OPTIONS = 'default'

/** Most servers of one family in one option. */
const SERVERS_PER_FAMILY_MAX = 4
/** Allowed ipv6-address-preferred-lease-time, seconds. */
const LEASE_TIME_RANGE = [140, 2_147_483_647] as const
const NODE_TYPES = ['1', '2', '4', '8']
const DOMAIN_NAME = /^[A-Za-z0-9]([A-Za-z0-9.\- ]{0,253}[A-Za-z0-9.])?$/

type OptionCheck = (name: string, values: readonly string[]) => void

/** Options that EC2 takes. */
const OPTION_CHECKS: Readonly<Record<string, OptionCheck>> = {
  'domain-name': checkEach(DOMAIN_NAME.test.bind(DOMAIN_NAME), 'a domain name'),
  'domain-name-servers': (name, values) => {
    const servers = values.filter((value) => value !== AMAZON_PROVIDED_DNS)
    if (servers.length === SERVERS_PER_FAMILY_MAX &&
      values.length > servers.length) throw tooMany(name)
    checkServers([4, 6])(name, servers)
  },
  'ntp-servers': checkServers([4, 6]),
  'netbios-name-servers': checkServers([4]),
  'netbios-node-type': checkOne((value) => NODE_TYPES.includes(value), NODE_TYPES.join(', ')),
  'ipv6-address-preferred-lease-time': checkOne((value) => /^[0-9]+$/.test(value) &&
    Number(value) >= LEASE_TIME_RANGE[0] && Number(value) <= LEASE_TIME_RANGE[1],
  `seconds from ${LEASE_TIME_RANGE.join(' to ')}`)
}

function checkEach (accepts: (value: string) => boolean, expected: string): OptionCheck {
  return (name, values) => {
    const bad = values.find((value) => !accepts(value))
    if (bad !== undefined) {
      throw new AwsError('InvalidParameterValue',
        `Value (${bad}) for parameter ${name} is invalid; expecting ${expected}`)
    }
  }
}

function checkOne (accepts: (value: string) => boolean, expected: string): OptionCheck {
  return (name, values) => {
    checkEach(accepts, expected)(name, values)
    if (values.length > 1) throw new AwsError('InvalidParameterValue',
      `Option ${name} takes one value; ${values.length} are given`)
  }
}

function checkServers (families: readonly AddressFamily[]): OptionCheck {
  const expected = `an ${families.map((family) => `IPv${family}`).join(' or ')} address`
  return (name, values) => {
    checkEach((value) => families.includes(parseAddress(value)?.family ?? 4) &&
      parseAddress(value) !== null, expected)(name, values)
    for (const family of families) {
      const count = values.filter((value) => parseAddress(value)?.family === family).length
      if (count > SERVERS_PER_FAMILY_MAX) throw tooMany(name)
    }
  }
}

function tooMany (name: string): AwsError {
  return new AwsError('InvalidParameterValue',
    `Option ${name} takes at most ${SERVERS_PER_FAMILY_MAX} servers of each ` +
    `family, ${AMAZON_PROVIDED_DNS} included`)
}

/**
 * CreateDhcpOptions.
 * @returns the id of the new set
 * @throws AwsError MissingParameter, InvalidParameterValue, DhcpOptionsLimitExceeded
 */
export function planCreateDhcpOptions (view: AccountView, input: {
  readonly configurations: readonly { readonly key: string, readonly values: readonly string[] }[]
  readonly tags: Tags
}, context: PlanContext): Plan<string> {
  if (input.configurations.length === 0) {
    throw new AwsError('MissingParameter',
      'The request must contain the parameter dhcpConfiguration')
  }
  checkQuota(view.snapshot, 'dhcp-options-per-region', view.list('dhcpOptions').length + 1)
  const options: Record<string, readonly string[]> = {}
  for (const { key, values: given } of input.configurations) {
    const check = Object.hasOwn(OPTION_CHECKS, key) ? OPTION_CHECKS[key] : undefined
    // EC2 takes servers in one comma-separated value as well.
    const values = key === 'domain-name' ? given
      : given.flatMap((value) => value.split(',')).map((value) => value.trim())
    if (check === undefined) {
      throw new AwsError('InvalidParameterValue',
        `Value (${key}) for parameter key is invalid; ` +
        `expecting ${Object.keys(OPTION_CHECKS).join(', ')}`)
    }
    if (values.length === 0 || Object.hasOwn(options, key)) {
      throw new AwsError('InvalidParameterValue',
        `Option ${key} ${values.length === 0 ? 'has no value' : 'is given twice'}`)
    }
    check(key, values)
    options[key] = values
  }
  const record: DhcpOptions = {
    id: context.newId('dopt'), region: view.region, ownerId: view.accountId, tags: input.tags,
    options
  }
  return { changes: [put('dhcpOptions', record)], result: record.id }
}

/** DeleteDhcpOptions. @throws AwsError InvalidDhcpOptionID.NotFound, DependencyViolation */
export function planDeleteDhcpOptions (view: AccountView,
  input: { readonly dhcpOptionsId: string }): Plan<null> {
  const record = requireRecord(view, 'dhcpOptions', input.dhcpOptionsId)
  const user = view.list('vpc').find(({ dhcpOptionsId }) => dhcpOptionsId === record.id)
  if (user !== undefined) {
    throw new AwsError('DependencyViolation',
      `The dhcpOptions '${record.id}' has dependencies and cannot be deleted: ` +
      `it is associated with ${user.id}`)
  }
  return { changes: [remove('dhcpOptions', record.id)], result: null }
}

/**
 * AssociateDhcpOptions; `default` removes the options.
 * @throws AwsError InvalidDhcpOptionID.NotFound, InvalidVpcID.*
 */
export function planAssociateDhcpOptions (view: AccountView,
  input: { readonly dhcpOptionsId: string, readonly vpcId: string }): Plan<null> {
  const vpc = requireRecord(view, 'vpc', input.vpcId)
  const dhcpOptionsId = input.dhcpOptionsId === NO_DHCP_OPTIONS
    ? NO_DHCP_OPTIONS
    : requireRecord(view, 'dhcpOptions', input.dhcpOptionsId).id
  return { changes: [put('vpc', { ...vpc, dhcpOptionsId })], result: null }
}
