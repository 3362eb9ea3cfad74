/**
 * Site-to-Site VPN connection: two IPsec tunnels between a virtual private gateway and a customer
 * gateway. AWS Site-to-Site VPN User Guide, "How AWS Site-to-Site VPN works".
 *
 *     customer gateway ══ tunnel 1: outside address of one network ══╗
 *                      ══ tunnel 2: outside address of another ══════╩═ virtual private gateway
 *
 * What is learned through the tunnels, and whether they are up, are records of their own
 * (vpn_status.ts): they change without a call. Which route is used: vpn_route.ts.
 *
 * `pending`, `modifying` and `deleting` last until every host has applied the change: they are
 * shown, not stored. A deleted connection is still described for VPN_LINGER_MS.
 */
import { AwsError } from './aws_error.ts'
import { formatCidr, parseCidr } from './cidr.ts'
import { requireCustomerGateway } from './customer_gateway.ts'
import type { CustomerGateway } from './customer_gateway.ts'
import type { Plan, PlanContext } from './plan.ts'
import { checkQuota } from './quota.ts'
import type { OwnedRecord, Tags } from './record.ts'
import { notFound, requireRecord } from './resource_kind.ts'
import { put, remove } from './snapshot.ts'
import type { AccountView, Change, Snapshot } from './snapshot.ts'
import { dropEndpointCertificates, renewEndpointCertificate } from './vpn_certificate.ts'
import { VPN_LINGER_MS, checkVpnType } from './vpn_gateway.ts'
import type { VpnGateway } from './vpn_gateway.ts'
import { OutsideAddressPool } from './vpn_outside_pool.ts'
import { tunnelKey } from './vpn_status.ts'
import {
  changedOptions, checkInsideCidr, checkPreSharedKey, chooseInsideCidr, generatePreSharedKey
} from './vpn_tunnel.ts'
import type { TunnelOptionsInput, VpnTunnel } from './vpn_tunnel.ts'

export interface VpnConnection extends OwnedRecord {
  readonly state: 'available' | 'deleted'
  readonly vpnGatewayId: string
  readonly customerGatewayId: string
  /** Prefixes are typed (`staticRoutes`) instead of learned by BGP. */
  readonly staticRoutesOnly: boolean
  /** Traffic selectors: the customer's side and AWS's. Canonical. */
  readonly localIpv4NetworkCidr: string
  readonly remoteIpv4NetworkCidr: string
  /** Two. */
  readonly tunnels: readonly VpnTunnel[]
  /** Canonical CIDRs, in order of creation. */
  readonly staticRoutes: readonly string[]
  readonly createdMs: number
  /** When it was deleted, ms since 1970; null before. */
  readonly deletedMs: number | null
}

export const TUNNELS_PER_CONNECTION = 2
const ANY_IPV4 = '0.0.0.0/0'

export interface CreateVpnConnectionInput {
  readonly type: string
  readonly customerGatewayId: string
  readonly vpnGatewayId: string | undefined
  readonly transitGatewayId: string | undefined
  readonly enableAcceleration: boolean
  readonly staticRoutesOnly: boolean
  readonly tunnelInsideIpVersion: string | undefined
  readonly localIpv4NetworkCidr: string | undefined
  readonly remoteIpv4NetworkCidr: string | undefined
  readonly tunnels: readonly TunnelOptionsInput[]
  readonly tags: Tags
}

/**
 * CreateVpnConnection.
 * @returns the id of the connection
 * @throws AwsError InvalidCustomerGatewayID.*, InvalidVpnGatewayID.*, InvalidVpnGatewayState,
 *   InvalidTransitGatewayID.NotFound, MissingParameter, InvalidParameterCombination,
 *   InvalidParameterValue, InvalidOption.Conflict, InvalidCustomerGateway.DuplicateIpAddress,
 *   AsnConflict, InvalidCidr.InUse, VpnConnectionLimitExceeded
 */
export function planCreateVpnConnection (view: AccountView, input: CreateVpnConnectionInput,
  context: PlanContext): Plan<string> {
  checkVpnType(input.type)
  const customer = requireCustomerGateway(view, input.customerGatewayId)
  const gateway = gatewayOf(view, input)
  checkCombinations(input)
  checkPair(view.snapshot, gateway, customer, null)
  checkCounts(view, gateway)
  const taken = insideCidrsOf(view.snapshot, gateway.id)
  const outside = new OutsideAddressPool(view.snapshot)
  const tunnels = Array.from({ length: TUNNELS_PER_CONNECTION }, (_, at) => {
    const wanted = input.tunnels[at] ?? {}
    const insideCidr = wanted.insideCidr === undefined ? null
      : checkInsideCidr(wanted.insideCidr, taken)
    if (insideCidr !== null) taken.add(insideCidr)
    return { at, wanted, insideCidr }
  }).map(({ at, wanted, insideCidr }): VpnTunnel => {
    const chosen = insideCidr ?? chooseInsideCidr(taken, context)
    taken.add(chosen)
    return {
      outsideIpAddress: outside.take(at), insideCidr: chosen,
      preSharedKey: keyOf(customer, wanted, context),
      options: checkStartup(changedOptions({}, wanted), customer), replacedMs: null
    }
  })
  const connection: VpnConnection = {
    id: context.newId('vpn'), region: view.region, ownerId: view.accountId, tags: input.tags,
    state: 'available', vpnGatewayId: gateway.id, customerGatewayId: customer.id,
    staticRoutesOnly: input.staticRoutesOnly,
    localIpv4NetworkCidr: checkNetwork('localIpv4NetworkCidr', input.localIpv4NetworkCidr),
    remoteIpv4NetworkCidr: checkNetwork('remoteIpv4NetworkCidr', input.remoteIpv4NetworkCidr),
    tunnels, staticRoutes: [], createdMs: context.nowMs, deletedMs: null
  }
  return {
    changes: [...outside.changes(), put('vpnConnection', connection)], result: connection.id
  }
}

/** The gateway that a call names. */
function gatewayOf (view: AccountView, { vpnGatewayId, transitGatewayId }:
Pick<CreateVpnConnectionInput, 'vpnGatewayId' | 'transitGatewayId'>): VpnGateway {
  if (vpnGatewayId !== undefined && transitGatewayId !== undefined) {
    throw new AwsError('InvalidParameterCombination',
      'The parameters vpnGatewayId and transitGatewayId cannot be used together')
  }
  if (transitGatewayId !== undefined) {
    throw new AwsError('InvalidTransitGatewayID.NotFound',
      `The transitGateway ID '${transitGatewayId}' does not exist`)
  }
  if (vpnGatewayId === undefined) {
    throw new AwsError('MissingParameter',
      'The request must contain the parameter vpnGatewayId or transitGatewayId')
  }
  const gateway = requireRecord(view, 'vpnGateway', vpnGatewayId)
  if (gateway.state === 'available') return gateway
  throw new AwsError('InvalidVpnGatewayState',
    `The vpnGateway '${gateway.id}' is not in a valid state for this operation: ${gateway.state}`)
}

/** What a virtual private gateway cannot do, a transit gateway could. */
function checkCombinations (input: CreateVpnConnectionInput): void {
  if (input.enableAcceleration) {
    throw new AwsError('InvalidParameterCombination',
      'EnableAcceleration cannot be used with a virtual private gateway')
  }
  if (input.tunnelInsideIpVersion !== undefined && input.tunnelInsideIpVersion !== 'ipv4') {
    throw new AwsError(input.tunnelInsideIpVersion === 'ipv6' ? 'InvalidParameterCombination'
      : 'InvalidParameterValue',
    `TunnelInsideIpVersion ${input.tunnelInsideIpVersion} cannot be used with a virtual private ` +
    'gateway: expecting ipv4')
  }
  if (input.tunnels.length > TUNNELS_PER_CONNECTION) {
    throw new AwsError('InvalidParameterValue', 'TunnelOptions has ' +
      `${String(input.tunnels.length)} members; a connection has two tunnels`)
  }
}

/**
 * Whether a gateway and a customer gateway may be joined.
 * @param self connection that is being moved
 */
function checkPair (snapshot: Snapshot, gateway: VpnGateway, customer: CustomerGateway,
  self: VpnConnection | null): void {
  if (gateway.amazonSideAsn === customer.bgpAsn) {
    throw new AwsError('AsnConflict', `The ASN ${String(customer.bgpAsn)} of ${customer.id} is ` +
      `that of ${gateway.id}: the two ends of a BGP session must differ`)
  }
  for (const other of connectionsOf(snapshot, gateway.id)) {
    if (other.id === self?.id) continue
    if (other.customerGatewayId === customer.id) {
      throw new AwsError('InvalidOption.Conflict',
        `${gateway.id} and ${customer.id} are already joined by ${other.id}`)
    }
    const twin = snapshot.tables.customerGateway.get(other.customerGatewayId)
    if (customer.ipAddress !== null && twin?.ipAddress === customer.ipAddress) {
      throw new AwsError('InvalidCustomerGateway.DuplicateIpAddress',
        `${gateway.id} has a connection to ${customer.ipAddress} already: ${other.id}, by ` +
        twin.id)
    }
  }
}

function checkCounts (view: AccountView, gateway: VpnGateway): void {
  const alive = view.list('vpnConnection').filter(({ state }) => state === 'available').length
  checkQuota(view.snapshot, 'vpn-connections-per-region', alive + 1)
  checkQuota(view.snapshot, 'vpn-connections-per-gateway',
    connectionsOf(view.snapshot, gateway.id).length + 1)
}

/** Outside addresses of all tunnels: by them they are named. */
export function outsideAddresses ({ tables }: Snapshot): ReadonlySet<string> {
  return new Set([...tables.vpnConnection.values()]
    .flatMap(({ tunnels }) => tunnels.map(({ outsideIpAddress }) => outsideIpAddress)))
}

/** Connections of a gateway that are not deleted, in order of creation. */
export function connectionsOf (snapshot: Snapshot, vpnGatewayId: string): VpnConnection[] {
  return snapshot.tables.vpnConnection.by('vpnGatewayId', vpnGatewayId)
    .filter(({ state }) => state === 'available')
}

function insideCidrsOf (snapshot: Snapshot, vpnGatewayId: string): Set<string> {
  return new Set(connectionsOf(snapshot, vpnGatewayId)
    .flatMap(({ tunnels }) => tunnels.map(({ insideCidr }) => insideCidr)))
}

function keyOf (customer: CustomerGateway, { preSharedKey }: TunnelOptionsInput,
  context: PlanContext): string | null {
  if (customer.certificateArn === null) {
    return preSharedKey === undefined ? generatePreSharedKey(context)
      : checkPreSharedKey(preSharedKey)
  }
  if (preSharedKey === undefined) return null
  throw new AwsError('InvalidParameterCombination', 'A PreSharedKey cannot be used with ' +
    `${customer.id}, which proves itself with a certificate`)
}

/** AWS's side can begin only where it knows the address of the other. */
function checkStartup (options: VpnTunnel['options'],
  customer: CustomerGateway): VpnTunnel['options'] {
  if (options.startupAction === 'start' && customer.ipAddress === null) {
    throw new AwsError('InvalidParameterCombination',
      `StartupAction start needs the address of the device, which ${customer.id} does not have`)
  }
  return options
}

function checkNetwork (name: string, text: string = ANY_IPV4): string {
  const cidr = parseCidr(text)
  if (cidr?.family === 4) return formatCidr(cidr)
  throw new AwsError('InvalidParameterValue',
    `Value (${text}) for parameter ${name} is invalid. This is not a valid IPv4 CIDR block.`)
}

/** @throws AwsError InvalidVpnConnectionID.*, InvalidVpnConnection.InvalidState once deleted */
function requireAvailable (view: AccountView, id: string): VpnConnection {
  const connection = requireRecord(view, 'vpnConnection', id)
  if (connection.state === 'available') return connection
  throw new AwsError('InvalidVpnConnection.InvalidState',
    `The vpnConnection '${id}' is ${connection.state}; it must be available`)
}

/**
 * DeleteVpnConnection: for good, with what its tunnels have learned.
 * @throws AwsError InvalidVpnConnectionID.*
 */
export function planDeleteVpnConnection (view: AccountView,
  input: { readonly vpnConnectionId: string }, context: PlanContext): Plan<null> {
  const connection = requireRecord(view, 'vpnConnection', input.vpnConnectionId)
  if (connection.state === 'deleted') throw notFound('vpnConnection', connection.id)
  const { tables } = view.snapshot
  const changes: Change[] = [
    put('vpnConnection', { ...connection, state: 'deleted', deletedMs: context.nowMs }),
    ...dropEndpointCertificates(view.snapshot, connection,
      connection.tunnels.map(({ outsideIpAddress }) => outsideIpAddress))
  ]
  for (const { outsideIpAddress } of connection.tunnels) {
    const key = tunnelKey(connection.id, outsideIpAddress)
    if (tables.ipsecSession.get(key) !== undefined) changes.push(remove('ipsecSession', key))
    if (tables.bgpSession.get(key) !== undefined) changes.push(remove('bgpSession', key))
  }
  return { changes, result: null }
}

export interface TunnelInput {
  readonly vpnConnectionId: string
  readonly outsideIpAddress: string
}

/** Changes one tunnel; only that one goes down. */
function changeTunnel (view: AccountView, input: TunnelInput,
  change: (tunnel: VpnTunnel, connection: VpnConnection) => VpnTunnel): Plan<string> {
  const connection = requireAvailable(view, input.vpnConnectionId)
  const tunnel = requireTunnel(connection, input.outsideIpAddress)
  const tunnels = connection.tunnels.map((one) =>
    one === tunnel ? change(tunnel, connection) : one)
  return { changes: [put('vpnConnection', { ...connection, tunnels })], result: connection.id }
}

/** @throws AwsError InvalidParameterValue */
export function requireTunnel (connection: VpnConnection, outsideIpAddress: string): VpnTunnel {
  const { id, tunnels } = connection
  const tunnel = tunnels.find((one) => one.outsideIpAddress === outsideIpAddress)
  if (tunnel !== undefined) return tunnel
  throw new AwsError('InvalidParameterValue', `Value (${outsideIpAddress}) for parameter ` +
    `vpnTunnelOutsideIpAddress is invalid: the tunnels of ${id} are ` +
    tunnels.map((one) => one.outsideIpAddress).join(' and '))
}

/**
 * ModifyVpnTunnelOptions: the tunnel's endpoint is made anew.
 * @throws AwsError InvalidVpnConnectionID.*, InvalidVpnConnection.InvalidState,
 *   InvalidParameterValue, InvalidParameterCombination, InvalidCidr.InUse, MissingParameter
 */
export function planModifyVpnTunnelOptions (view: AccountView,
  input: TunnelInput & { readonly options: TunnelOptionsInput }, context: PlanContext):
Plan<string> {
  const { options: wanted } = input
  if (Object.values(wanted).every((value) => value === undefined)) {
    throw new AwsError('MissingParameter', 'The request must contain an option of the tunnel')
  }
  return changeTunnel(view, input, (tunnel, connection) => {
    const { customerGatewayId, vpnGatewayId } = connection
    const customer = requireCustomerGateway(view, customerGatewayId)
    if (wanted.preSharedKey !== undefined && customer.certificateArn !== null) {
      throw new AwsError('InvalidParameterCombination', 'A PreSharedKey cannot be used with ' +
        `${customer.id}, which proves itself with a certificate`)
    }
    const taken = insideCidrsOf(view.snapshot, vpnGatewayId)
    taken.delete(tunnel.insideCidr)
    return {
      ...tunnel,
      insideCidr: wanted.insideCidr === undefined ? tunnel.insideCidr
        : checkInsideCidr(wanted.insideCidr, taken),
      preSharedKey: wanted.preSharedKey === undefined ? tunnel.preSharedKey
        : checkPreSharedKey(wanted.preSharedKey),
      options: checkStartup(changedOptions(tunnel.options, wanted), customer),
      replacedMs: context.nowMs
    }
  })
}

/**
 * ReplaceVpnTunnel: the tunnel's endpoint is made anew, with the same options and addresses.
 * @throws AwsError InvalidVpnConnectionID.*, InvalidVpnConnection.InvalidState,
 *   InvalidParameterValue
 */
export function planReplaceVpnTunnel (
  view: AccountView, input: TunnelInput, context: PlanContext): Plan<string> {
  return changeTunnel(view, input, (tunnel) => ({ ...tunnel, replacedMs: context.nowMs }))
}

/**
 * ModifyVpnConnectionOptions: both tunnels go down.
 * @throws AwsError InvalidVpnConnectionID.*, InvalidVpnConnection.InvalidState, MissingParameter,
 *   InvalidParameterValue
 */
export function planModifyVpnConnectionOptions (view: AccountView, input: {
  readonly vpnConnectionId: string
  readonly localIpv4NetworkCidr: string | undefined
  readonly remoteIpv4NetworkCidr: string | undefined
}): Plan<string> {
  const connection = requireAvailable(view, input.vpnConnectionId)
  const { localIpv4NetworkCidr: local, remoteIpv4NetworkCidr: remote } = input
  if (local === undefined && remote === undefined) {
    throw new AwsError('MissingParameter',
      'The request must contain the parameter localIpv4NetworkCidr or remoteIpv4NetworkCidr')
  }
  const changed: VpnConnection = {
    ...connection,
    localIpv4NetworkCidr: local === undefined ? connection.localIpv4NetworkCidr
      : checkNetwork('localIpv4NetworkCidr', local),
    remoteIpv4NetworkCidr: remote === undefined ? connection.remoteIpv4NetworkCidr
      : checkNetwork('remoteIpv4NetworkCidr', remote)
  }
  return { changes: [put('vpnConnection', changed)], result: connection.id }
}

/**
 * ModifyVpnConnection: another gateway or another customer gateway. Id, keys and addresses stay;
 * both endpoints are made anew.
 * @throws AwsError InvalidVpnConnectionID.*, InvalidVpnConnection.InvalidState, as
 *   CreateVpnConnection for the new pair, InvalidParameterCombination with static routes
 */
export function planModifyVpnConnection (view: AccountView, input: {
  readonly vpnConnectionId: string
  readonly vpnGatewayId: string | undefined
  readonly transitGatewayId: string | undefined
  readonly customerGatewayId: string | undefined
}, context: PlanContext): Plan<string> {
  const connection = requireAvailable(view, input.vpnConnectionId)
  const given = [input.vpnGatewayId, input.transitGatewayId, input.customerGatewayId]
    .filter((id) => id !== undefined)
  const [target] = given
  if (target === undefined || given.length > 1) {
    throw new AwsError(target === undefined ? 'MissingParameter' : 'InvalidParameterCombination',
      'The request must contain exactly one of transitGatewayId, vpnGatewayId, customerGatewayId')
  }
  if (target === connection.vpnGatewayId || target === connection.customerGatewayId) {
    throw new AwsError('InvalidParameterValue', `${connection.id} leads to ${target} already`)
  }
  const { customerGatewayId } = input
  const customer =
    requireCustomerGateway(view, customerGatewayId ?? connection.customerGatewayId)
  const gateway = customerGatewayId === undefined ? gatewayOf(view, input)
    : requireRecord(view, 'vpnGateway', connection.vpnGatewayId)
  if (gateway.id !== connection.vpnGatewayId) checkMove(view.snapshot, connection, gateway)
  checkPair(view.snapshot, gateway, customer, connection)
  const endpoints = customer.certificateArn !== null ? []
    : dropEndpointCertificates(view.snapshot, connection,
      connection.tunnels.map(({ outsideIpAddress }) => outsideIpAddress))
  return {
    changes: [...endpoints, put('vpnConnection', {
      ...connection, vpnGatewayId: gateway.id, customerGatewayId: customer.id,
      tunnels: connection.tunnels.map((tunnel) => ({
        ...tunnel, replacedMs: context.nowMs,
        preSharedKey: customer.certificateArn !== null ? null
          : tunnel.preSharedKey ?? generatePreSharedKey(context)
      }))
    })],
    result: connection.id
  }
}

function checkMove (snapshot: Snapshot, connection: VpnConnection, gateway: VpnGateway): void {
  if (connection.staticRoutes.length > 0) {
    throw new AwsError('InvalidParameterCombination', `${connection.id} has static routes: ` +
      'delete them before it is moved to another gateway')
  }
  checkQuota(snapshot, 'vpn-connections-per-gateway',
    connectionsOf(snapshot, gateway.id).length + 1)
  const taken = insideCidrsOf(snapshot, gateway.id)
  for (const { insideCidr } of connection.tunnels) checkInsideCidr(insideCidr, taken)
}

/**
 * ModifyVpnTunnelCertificate: AWS's side of the tunnel gets a new certificate, and begins anew
 * when it has it.
 * @throws AwsError InvalidVpnConnectionID.*, InvalidVpnConnection.InvalidState,
 *   InvalidParameterValue, InvalidParameterCombination for a tunnel with a pre-shared key
 */
export function planModifyVpnTunnelCertificate (view: AccountView, input: TunnelInput):
Plan<string> {
  const connection = requireAvailable(view, input.vpnConnectionId)
  const tunnel = requireTunnel(connection, input.outsideIpAddress)
  if (tunnel.preSharedKey !== null) {
    throw new AwsError('InvalidParameterCombination',
      `The tunnels of ${connection.id} use pre-shared keys, not certificates`)
  }
  return {
    changes: renewEndpointCertificate(view.snapshot, connection, tunnel.outsideIpAddress),
    result: connection.id
  }
}

interface StaticRouteInput {
  readonly vpnConnectionId: string
  readonly destinationCidrBlock: string
}

/**
 * CreateVpnConnectionRoute. One that is there already is no error.
 * @throws AwsError InvalidVpnConnectionID.*, InvalidVpnConnection.InvalidState,
 *   InvalidVpnConnection.InvalidType with BGP, InvalidParameterValue, RouteLimitExceeded
 */
export function planCreateVpnConnectionRoute (
  view: AccountView, input: StaticRouteInput): Plan<null> {
  const { connection, cidr } = staticRouteOf(view, input)
  if (connection.staticRoutes.includes(cidr)) return { changes: [], result: null }
  const staticRoutes = [...connection.staticRoutes, cidr]
  checkQuota(view.snapshot, 'static-routes-per-vpn-connection', staticRoutes.length)
  return { changes: [put('vpnConnection', { ...connection, staticRoutes })], result: null }
}

/**
 * DeleteVpnConnectionRoute.
 * @throws AwsError InvalidVpnConnectionID.*, InvalidVpnConnection.InvalidState,
 *   InvalidVpnConnection.InvalidType with BGP, InvalidParameterValue, InvalidRoute.NotFound
 */
export function planDeleteVpnConnectionRoute (
  view: AccountView, input: StaticRouteInput): Plan<null> {
  const { connection, cidr } = staticRouteOf(view, input)
  if (!connection.staticRoutes.includes(cidr)) {
    throw new AwsError('InvalidRoute.NotFound',
      `The vpnConnection '${connection.id}' has no static route to ${cidr}`)
  }
  const staticRoutes = connection.staticRoutes.filter((one) => one !== cidr)
  return { changes: [put('vpnConnection', { ...connection, staticRoutes })], result: null }
}

function staticRouteOf (view: AccountView, input: StaticRouteInput): {
  readonly connection: VpnConnection
  readonly cidr: string
} {
  const connection = requireAvailable(view, input.vpnConnectionId)
  if (!connection.staticRoutesOnly) {
    throw new AwsError('InvalidVpnConnection.InvalidType', `The vpnConnection '${connection.id}' ` +
      'learns its routes by BGP: it takes no static ones')
  }
  return { connection, cidr: checkNetwork('destinationCidrBlock', input.destinationCidrBlock) }
}

/** What was deleted VPN_LINGER_MS ago or longer is described no more. For the daemon's clock. */
export function planVpnTimers (snapshot: Snapshot,
  { nowMs }: Pick<PlanContext, 'nowMs'>): Plan<number> {
  const { vpnConnection, vpnGateway, customerGateway } = snapshot.tables
  const isOver = ({ deletedMs }: { readonly deletedMs: number | null }): boolean =>
    deletedMs !== null && nowMs - deletedMs >= VPN_LINGER_MS
  const changes = [
    ...[...vpnConnection.values()].filter(isOver).map(({ id }) => remove('vpnConnection', id)),
    ...[...vpnGateway.values()].filter(isOver).map(({ id }) => remove('vpnGateway', id)),
    ...[...customerGateway.values()].filter(isOver).map(({ id }) => remove('customerGateway', id))
  ]
  return { changes, result: changes.length }
}
