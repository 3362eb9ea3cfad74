/**
 * Customer gateway: the record of the device at the customer's end of a VPN connection. The device
 * itself is not the lab's. AWS Site-to-Site VPN User Guide, "Customer gateway"; EC2 API Reference,
 * CreateCustomerGateway.
 *
 * It is told by its address (that of the NAT in front, if there is one), or by the certificate that
 * it proves itself with: then the address need not be known. A second call with the same type,
 * address and ASN answers with the first one's record.
 */
import { AwsError } from './aws_error.ts'
import { findCertificate, isCertificateArn } from './certificate.ts'
import { cidrContainsAddress, formatAddress, knownCidr, parseAddress } from './cidr.ts'
import type { Address } from './cidr.ts'
import type { Plan, PlanContext } from './plan.ts'
import { checkQuota } from './quota.ts'
import type { OwnedRecord, Tags } from './record.ts'
import { notFound, requireRecord } from './resource_kind.ts'
import { put } from './snapshot.ts'
import type { AccountView } from './snapshot.ts'
import { checkVpnType } from './vpn_gateway.ts'

export interface CustomerGateway extends OwnedRecord {
  readonly state: 'available' | 'deleted'
  /** 1 to 4,294,967,295. */
  readonly bgpAsn: number
  /** Canonical IPv4; null only with a certificate. */
  readonly ipAddress: string | null
  readonly certificateArn: string | null
  readonly deviceName: string | null
  /** When it was deleted, ms since 1970; null before. */
  readonly deletedMs: number | null
}

const BGP_ASN_DEFAULT = 65_000
/** The last ASN that the older parameter takes; the extended one takes those above. */
const BGP_ASN_MAX = 2_147_483_647
const BGP_ASN_EXTENDED_MAX = 4_294_967_295
/** ASNs that AWS keeps for itself, Region by Region. */
const RESERVED_ASNS: readonly number[] = [7224, 9059, 10_124, 17_943]
const DEVICE_NAME_CHARACTERS_MAX = 255

/** Addresses that no device on the internet has: RFC 6890, without the documentation ranges. */
const NOT_PUBLIC = [
  '0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12',
  '192.168.0.0/16', '224.0.0.0/3'
].map(knownCidr)

export interface CreateCustomerGatewayInput {
  readonly type: string
  readonly bgpAsn: number | undefined
  readonly bgpAsnExtended: number | undefined
  /** IpAddress, or the older parameter PublicIp. */
  readonly ipAddress: string | undefined
  readonly certificateArn: string | undefined
  readonly deviceName: string | undefined
  readonly tags: Tags
}

/**
 * CreateCustomerGateway.
 * @returns the id of the new one, or of the one that is already there
 * @throws AwsError InvalidParameterValue, InvalidParameterCombination, MissingParameter,
 *   CustomerGatewayLimitExceeded
 */
export function planCreateCustomerGateway (view: AccountView, input: CreateCustomerGatewayInput,
  context: PlanContext): Plan<string> {
  checkVpnType(input.type)
  const bgpAsn = checkAsn(input.bgpAsn, input.bgpAsnExtended)
  const { certificateArn = null, deviceName = null } = input
  if (certificateArn !== null) checkCertificate(view, certificateArn)
  if (input.ipAddress === undefined && certificateArn === null) {
    throw new AwsError('MissingParameter',
      'The request must contain the parameter ipAddress or certificateArn')
  }
  if (deviceName !== null && deviceName.length > DEVICE_NAME_CHARACTERS_MAX) {
    throw new AwsError('InvalidParameterValue', 'The parameter deviceName has ' +
      `${String(deviceName.length)} characters; at most ${String(DEVICE_NAME_CHARACTERS_MAX)} ` +
      'are allowed')
  }
  const ipAddress = input.ipAddress === undefined ? null : checkAddress(input.ipAddress)
  const alive = view.list('customerGateway').filter(({ state }) => state === 'available')
  const twin = alive.find((one) => one.ipAddress === ipAddress && one.bgpAsn === bgpAsn &&
    one.certificateArn === certificateArn)
  if (twin !== undefined) return { changes: [], result: twin.id }
  checkQuota(view.snapshot, 'customer-gateways-per-region', alive.length + 1)
  const gateway: CustomerGateway = {
    id: context.newId('cgw'), region: view.region, ownerId: view.accountId, tags: input.tags,
    state: 'available', bgpAsn, ipAddress, certificateArn, deviceName, deletedMs: null
  }
  return { changes: [put('customerGateway', gateway)], result: gateway.id }
}

/** Another certificate than a private one has no authority that would vouch for AWS's side. */
function checkCertificate (view: AccountView, arn: string): void {
  const invalid = (why: string): AwsError => new AwsError('InvalidParameterValue',
    `Value (${arn}) for parameter certificateArn is invalid. ${why}`)
  if (!isCertificateArn(arn)) {
    throw invalid('Expecting the ARN of a certificate of AWS Certificate Manager.')
  }
  const certificate = findCertificate(view.snapshot, view, arn)
  if (certificate === undefined) throw invalid('There is no such certificate.')
  if (certificate.authorityId === null) {
    throw invalid('The certificate was imported; expecting one that a private certificate ' +
      'authority has issued.')
  }
}

function checkAsn (bgpAsn: number | undefined, extended: number | undefined): number {
  if (bgpAsn !== undefined && extended !== undefined) {
    throw new AwsError('InvalidParameterCombination',
      'The parameters bgpAsn and bgpAsnExtended cannot be used together')
  }
  const asn = bgpAsn ?? extended ?? BGP_ASN_DEFAULT
  const [name, first, last] = extended === undefined
    ? ['bgpAsn', 1, BGP_ASN_MAX] as const
    : ['bgpAsnExtended', BGP_ASN_MAX + 1, BGP_ASN_EXTENDED_MAX] as const
  if (asn < first || asn > last) {
    throw new AwsError('InvalidParameterValue', `Value (${String(asn)}) for parameter ${name} is ` +
      `invalid. Expecting an ASN from ${String(first)} to ${String(last)}.`)
  }
  if (RESERVED_ASNS.includes(asn)) {
    throw new AwsError('InvalidParameterValue',
      `Value (${String(asn)}) for parameter ${name} is invalid: the ASN is reserved by AWS`)
  }
  return asn
}

function checkAddress (text: string): string {
  const address: Address | null = parseAddress(text)
  if (address?.family !== 4 || NOT_PUBLIC.some((range) => cidrContainsAddress(range, address))) {
    throw new AwsError('InvalidParameterValue', `Value (${text}) for parameter ipAddress is ` +
      'invalid. Expecting a public IPv4 address: that of the device, or of the NAT in front of it.')
  }
  return formatAddress(address)
}

/** @throws AwsError InvalidCustomerGatewayID.*, not found once it is deleted */
export function requireCustomerGateway (view: AccountView, id: string): CustomerGateway {
  const gateway = requireRecord(view, 'customerGateway', id)
  if (gateway.state === 'deleted') throw notFound('customerGateway', id)
  return gateway
}

/**
 * DeleteCustomerGateway.
 * @throws AwsError InvalidCustomerGatewayID.*, IncorrectState while a VPN connection uses it
 */
export function planDeleteCustomerGateway (view: AccountView,
  input: { readonly customerGatewayId: string }, context: PlanContext): Plan<null> {
  const gateway = requireCustomerGateway(view, input.customerGatewayId)
  const user = view.snapshot.tables.vpnConnection.by('customerGatewayId', gateway.id)
    .find(({ state }) => state === 'available')
  if (user !== undefined) {
    throw new AwsError('IncorrectState',
      `The customer gateway '${gateway.id}' is in use: ${user.id} leads to it`)
  }
  return {
    changes: [put('customerGateway', { ...gateway, state: 'deleted', deletedMs: context.nowMs })],
    result: null
  }
}
