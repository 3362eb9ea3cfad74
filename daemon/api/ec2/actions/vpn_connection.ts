/** EC2 actions on VPN connections. Rules: model/vpn_connection.ts, vpn_tunnel.ts, vpn_status.ts. */
import type * as Ec2 from '@aws-sdk/client-ec2'
import { AwsError } from '../../../model/aws_error.ts'
import { certificateArn } from '../../../model/certificate.ts'
import { requireRecord } from '../../../model/resource_kind.ts'
import type { AccountView } from '../../../model/snapshot.ts'
import { printTags, tagsFromSpecifications } from '../../../model/tag.ts'
import { endpointCertificate } from '../../../model/vpn_certificate.ts'
import {
  planCreateVpnConnection, planCreateVpnConnectionRoute, planDeleteVpnConnection,
  planDeleteVpnConnectionRoute, planModifyVpnConnection, planModifyVpnConnectionOptions,
  planModifyVpnTunnelCertificate, planModifyVpnTunnelOptions, planReplaceVpnTunnel, requireTunnel
} from '../../../model/vpn_connection.ts'
import type { VpnConnection } from '../../../model/vpn_connection.ts'
import { VPN_TYPE } from '../../../model/vpn_gateway.ts'
import { telemetryOf, tunnelKey } from '../../../model/vpn_status.ts'
import type { TunnelOptionsInput, VpnTunnel } from '../../../model/vpn_tunnel.ts'
import { customerConfiguration } from '../../../vpn/customer_configuration.ts'
import type { VpnParts } from '../../../vpn/customer_configuration.ts'
import { DEVICE_TYPES, sampleConfiguration } from '../../../vpn/sample_configuration.ts'
import { defineRead, defineWrite } from '../action.ts'
import type { Action, LabStatus } from '../action.ts'
import { isApplied, NOTHING_APPLIED } from '../applied.ts'
import { describeRecords, pageOf } from '../describe.ts'
import type { FilterTable } from '../describe.ts'
import { refuseUnbuilt } from '../unbuilt.ts'
import { vpnState } from './vpn_gateway.ts'

/** EC2's `modifying` lasts until every host has applied the newest change. */
function stateOf (view: AccountView, connection: VpnConnection, lab: LabStatus): Ec2.VpnState {
  const state = vpnState(view, 'vpnConnection', connection, lab)
  const isModified = state === 'available' &&
    !isApplied(view, 'vpnConnection', connection.id, lab)
  return isModified ? 'modifying' as Ec2.VpnState : state
}

/** A connection with its gateways, which outlive it. */
function partsOf ({ snapshot: { tables } }: AccountView, connection: VpnConnection): VpnParts {
  const gateway = tables.vpnGateway.get(connection.vpnGatewayId)
  const customer = tables.customerGateway.get(connection.customerGatewayId)
  if (gateway === undefined || customer === undefined) {
    throw new AwsError('InternalError', `${connection.id} has lost a gateway`)
  }
  const vpc = gateway.vpcId === null ? undefined : tables.vpc.get(gateway.vpcId)
  const vpcCidrs = (vpc?.cidrBlocks ?? []).map(({ cidrBlock }) => cidrBlock)
  return { connection, gateway, customer, vpcCidrs }
}

function printConnection (
  view: AccountView, connection: VpnConnection, lab: LabStatus): Ec2.VpnConnection {
  const isAlive = connection.state === 'available'
  const state = stateOf(view, connection, lab)
  return {
    VpnConnectionId: connection.id, Type: VPN_TYPE, Category: 'VPN', State: state,
    CustomerGatewayId: connection.customerGatewayId, VpnGatewayId: connection.vpnGatewayId,
    GatewayAssociationState: isAlive ? 'associated' : 'not-associated',
    ...(isAlive && {
      CustomerGatewayConfiguration: customerConfiguration(partsOf(view, connection)),
      VgwTelemetry: connection.tunnels.map((tunnel) => printTelemetry(view, connection, tunnel))
    }),
    Options: {
      EnableAcceleration: false, StaticRoutesOnly: connection.staticRoutesOnly,
      LocalIpv4NetworkCidr: connection.localIpv4NetworkCidr,
      RemoteIpv4NetworkCidr: connection.remoteIpv4NetworkCidr,
      OutsideIpAddressType: 'PublicIpv4', TunnelInsideIpVersion: 'ipv4',
      TunnelOptions: connection.tunnels.map(printTunnel)
    },
    Routes: connection.staticRoutes.map((cidr) => ({
      DestinationCidrBlock: cidr, Source: 'Static', State: isAlive ? 'available' : 'deleted'
    })),
    Tags: printTags(connection.tags)
  }
}

function printTelemetry (
  view: AccountView, connection: VpnConnection, tunnel: VpnTunnel): Ec2.VgwTelemetry {
  const telemetry = telemetryOf(view.snapshot, connection, tunnel)
  const endpoint = endpointCertificate(view.snapshot, connection, tunnel.outsideIpAddress)
  return {
    OutsideIpAddress: telemetry.outsideIpAddress, Status: telemetry.status,
    StatusMessage: telemetry.statusMessage, AcceptedRouteCount: telemetry.acceptedRouteCount,
    LastStatusChange: new Date(telemetry.lastStatusChangeMs),
    CertificateArn: endpoint === undefined ? undefined : certificateArn(endpoint)
  }
}

/** The options that were asked for; EC2 does not show defaults. */
function printTunnel ({ outsideIpAddress, insideCidr, preSharedKey, options }: VpnTunnel):
Ec2.TunnelOption {
  const values = <T>(list: readonly T[] | undefined): { Value: T }[] | undefined =>
    list?.map((Value) => ({ Value }))
  return {
    OutsideIpAddress: outsideIpAddress, TunnelInsideCidr: insideCidr,
    PreSharedKey: preSharedKey ?? undefined,
    Phase1LifetimeSeconds: options.phase1LifetimeSeconds,
    Phase2LifetimeSeconds: options.phase2LifetimeSeconds,
    RekeyMarginTimeSeconds: options.rekeyMarginTimeSeconds,
    RekeyFuzzPercentage: options.rekeyFuzzPercentage,
    ReplayWindowSize: options.replayWindowSize,
    DpdTimeoutSeconds: options.dpdTimeoutSeconds, DpdTimeoutAction: options.dpdTimeoutAction,
    Phase1EncryptionAlgorithms: values(options.phase1EncryptionAlgorithms),
    Phase2EncryptionAlgorithms: values(options.phase2EncryptionAlgorithms),
    Phase1IntegrityAlgorithms: values(options.phase1IntegrityAlgorithms),
    Phase2IntegrityAlgorithms: values(options.phase2IntegrityAlgorithms),
    Phase1DHGroupNumbers: values(options.phase1DHGroupNumbers),
    Phase2DHGroupNumbers: values(options.phase2DHGroupNumbers),
    IkeVersions: values(options.ikeVersions), StartupAction: options.startupAction,
    EnableTunnelLifecycleControl: options.enableTunnelLifecycleControl
  }
}

/** EC2 API Reference, DescribeVpnConnections: all filters. */
function connectionFilters (lab: LabStatus): FilterTable<VpnConnection> {
  return {
    'bgp-asn': (connection, view) => partsOf(view, connection).customer.bgpAsn,
    'customer-gateway-configuration': (connection, view) =>
      customerConfiguration(partsOf(view, connection)),
    'customer-gateway-id': ({ customerGatewayId }) => customerGatewayId,
    'option.static-routes-only': ({ staticRoutesOnly }) => staticRoutesOnly,
    'route.destination-cidr-block': ({ staticRoutes }) => staticRoutes,
    'state': (connection, view) => stateOf(view, connection, lab),
    'transit-gateway-id': () => undefined,
    'type': () => VPN_TYPE,
    'vpn-connection-id': ({ id }) => id,
    'vpn-gateway-id': ({ vpnGatewayId }) => vpnGatewayId
  }
}

const TUNNEL_MEMBERS = [
  'TunnelInsideCidr', 'PreSharedKey', 'Phase1LifetimeSeconds', 'Phase2LifetimeSeconds',
  'RekeyMarginTimeSeconds', 'RekeyFuzzPercentage', 'ReplayWindowSize', 'DPDTimeoutSeconds',
  'DPDTimeoutAction', 'Phase1EncryptionAlgorithms', 'Phase2EncryptionAlgorithms',
  'Phase1IntegrityAlgorithms', 'Phase2IntegrityAlgorithms', 'Phase1DHGroupNumbers',
  'Phase2DHGroupNumbers', 'IKEVersions', 'StartupAction', 'EnableTunnelLifecycleControl'
] as const

/** Logs that nobody asks for may be named: the CLI and Terraform do. */
function withoutIdleLogs ({ LogOptions, ...input }: Ec2.VpnTunnelOptionsSpecification):
Ec2.VpnTunnelOptionsSpecification {
  const { LogEnabled, BgpLogEnabled } = LogOptions?.CloudWatchLogOptions ?? {}
  const isAsked = LogEnabled === true || BgpLogEnabled === true
  return isAsked ? { ...input, LogOptions } : input
}

function tunnelFromInput (
  action: string, given: Ec2.VpnTunnelOptionsSpecification): TunnelOptionsInput {
  if (given.TunnelInsideIpv6Cidr !== undefined) {
    throw new AwsError('InvalidParameterCombination',
      'TunnelInsideIpv6Cidr cannot be used with a virtual private gateway')
  }
  const input = withoutIdleLogs(given)
  refuseUnbuilt(action, input, TUNNEL_MEMBERS)
  const values = <T>(list: readonly { Value?: T | undefined }[] | undefined): T[] | undefined =>
    list?.flatMap(({ Value }) => Value === undefined ? [] : [Value])
  return {
    insideCidr: input.TunnelInsideCidr, preSharedKey: input.PreSharedKey,
    phase1LifetimeSeconds: input.Phase1LifetimeSeconds,
    phase2LifetimeSeconds: input.Phase2LifetimeSeconds,
    rekeyMarginTimeSeconds: input.RekeyMarginTimeSeconds,
    rekeyFuzzPercentage: input.RekeyFuzzPercentage, replayWindowSize: input.ReplayWindowSize,
    dpdTimeoutSeconds: input.DPDTimeoutSeconds, dpdTimeoutAction: input.DPDTimeoutAction,
    phase1EncryptionAlgorithms: values(input.Phase1EncryptionAlgorithms),
    phase2EncryptionAlgorithms: values(input.Phase2EncryptionAlgorithms),
    phase1IntegrityAlgorithms: values(input.Phase1IntegrityAlgorithms),
    phase2IntegrityAlgorithms: values(input.Phase2IntegrityAlgorithms),
    phase1DHGroupNumbers: values(input.Phase1DHGroupNumbers),
    phase2DHGroupNumbers: values(input.Phase2DHGroupNumbers),
    ikeVersions: values(input.IKEVersions), startupAction: input.StartupAction,
    enableTunnelLifecycleControl: input.EnableTunnelLifecycleControl
  }
}

/** What may be said and is so anyway. */
function withoutDefaults (
  options: Ec2.VpnConnectionOptionsSpecification): Ec2.VpnConnectionOptionsSpecification {
  const { OutsideIpAddressType, TunnelBandwidth, ...rest } = options
  return {
    ...rest,
    ...(OutsideIpAddressType !== 'PublicIpv4' && { OutsideIpAddressType }),
    ...(TunnelBandwidth !== 'standard' && { TunnelBandwidth })
  }
}

/** @returns the parameters that name a tunnel */
function tunnelOf (input: {
  readonly VpnConnectionId?: string | undefined
  readonly VpnTunnelOutsideIpAddress?: string | undefined
}): { readonly vpnConnectionId: string, readonly outsideIpAddress: string } {
  return { vpnConnectionId: input.VpnConnectionId ?? '',
    outsideIpAddress: input.VpnTunnelOutsideIpAddress ?? '' }
}

/** The answer of a call that changes a connection shows it as `modifying`. */
function printChanged (view: AccountView, id: string,
  { lab }: { readonly lab: LabStatus }): { VpnConnection: Ec2.VpnConnection } {
  const printed = printConnection(view, requireRecord(view, 'vpnConnection', id), lab)
  return { VpnConnection: { ...printed, State: 'modifying' as Ec2.VpnState } }
}

const lifeCycle: readonly Action[] = [
  defineWrite<Ec2.CreateVpnConnectionRequest, string, Ec2.CreateVpnConnectionResult>({
    name: 'CreateVpnConnection',
    plan: (view, input, context) => {
      refuseUnbuilt('CreateVpnConnection',
        { ...input, PreSharedKeyStorage: input.PreSharedKeyStorage === 'Standard' ? undefined
          : input.PreSharedKeyStorage },
        ['CustomerGatewayId', 'Type', 'VpnGatewayId', 'TransitGatewayId', 'TagSpecifications',
          'Options'])
      const options = withoutDefaults(input.Options ?? {})
      refuseUnbuilt('CreateVpnConnection', options,
        ['EnableAcceleration', 'StaticRoutesOnly', 'TunnelInsideIpVersion', 'TunnelOptions',
          'LocalIpv4NetworkCidr', 'RemoteIpv4NetworkCidr'])
      return planCreateVpnConnection(view, {
        type: input.Type ?? '', customerGatewayId: input.CustomerGatewayId ?? '',
        vpnGatewayId: input.VpnGatewayId, transitGatewayId: input.TransitGatewayId,
        enableAcceleration: options.EnableAcceleration ?? false,
        staticRoutesOnly: options.StaticRoutesOnly ?? false,
        tunnelInsideIpVersion: options.TunnelInsideIpVersion,
        localIpv4NetworkCidr: options.LocalIpv4NetworkCidr,
        remoteIpv4NetworkCidr: options.RemoteIpv4NetworkCidr,
        tunnels: (options.TunnelOptions ?? [])
          .map((tunnel) => tunnelFromInput('CreateVpnConnection', tunnel)),
        tags: tagsFromSpecifications(input.TagSpecifications, 'vpn-connection')
      }, context)
    },
    print: (view, id) => ({
      VpnConnection:
        printConnection(view, requireRecord(view, 'vpnConnection', id), NOTHING_APPLIED)
    })
  }),

  defineWrite<Ec2.DeleteVpnConnectionRequest, null, object>({
    name: 'DeleteVpnConnection',
    plan: (view, { VpnConnectionId = '' }, context) =>
      planDeleteVpnConnection(view, { vpnConnectionId: VpnConnectionId }, context),
    print: () => ({})
  }),

  defineRead<Ec2.DescribeVpnConnectionsRequest, Ec2.DescribeVpnConnectionsResult>({
    name: 'DescribeVpnConnections',
    read: (view, input, { lab }) => ({
      VpnConnections: describeRecords(view, 'vpnConnection', 'VpnConnectionIds',
        input.VpnConnectionIds, input, connectionFilters(lab))
        .items.map((one) => printConnection(view, one, lab))
    })
  }),

  defineWrite<Ec2.CreateVpnConnectionRouteRequest, null, object>({
    name: 'CreateVpnConnectionRoute',
    plan: (view, { VpnConnectionId = '', DestinationCidrBlock = '' }) =>
      planCreateVpnConnectionRoute(view,
        { vpnConnectionId: VpnConnectionId, destinationCidrBlock: DestinationCidrBlock }),
    print: () => ({})
  }),

  defineWrite<Ec2.DeleteVpnConnectionRouteRequest, null, object>({
    name: 'DeleteVpnConnectionRoute',
    plan: (view, { VpnConnectionId = '', DestinationCidrBlock = '' }) =>
      planDeleteVpnConnectionRoute(view,
        { vpnConnectionId: VpnConnectionId, destinationCidrBlock: DestinationCidrBlock }),
    print: () => ({})
  })
]

const changes: readonly Action[] = [
  defineWrite<Ec2.ModifyVpnConnectionRequest, string, Ec2.ModifyVpnConnectionResult>({
    name: 'ModifyVpnConnection',
    plan: (view, input, context) => planModifyVpnConnection(view, {
      vpnConnectionId: input.VpnConnectionId ?? '', vpnGatewayId: input.VpnGatewayId,
      transitGatewayId: input.TransitGatewayId, customerGatewayId: input.CustomerGatewayId
    }, context),
    print: printChanged
  }),

  defineWrite<Ec2.ModifyVpnConnectionOptionsRequest, string,
    Ec2.ModifyVpnConnectionOptionsResult>({
    name: 'ModifyVpnConnectionOptions',
    plan: (view, input) => {
      refuseUnbuilt('ModifyVpnConnectionOptions', input,
        ['VpnConnectionId', 'LocalIpv4NetworkCidr', 'RemoteIpv4NetworkCidr'])
      return planModifyVpnConnectionOptions(view, {
        vpnConnectionId: input.VpnConnectionId ?? '',
        localIpv4NetworkCidr: input.LocalIpv4NetworkCidr,
        remoteIpv4NetworkCidr: input.RemoteIpv4NetworkCidr
      })
    },
    print: printChanged
  }),

  defineWrite<Ec2.ModifyVpnTunnelOptionsRequest, string, Ec2.ModifyVpnTunnelOptionsResult>({
    name: 'ModifyVpnTunnelOptions',
    plan: (view, input, context) => {
      refuseUnbuilt('ModifyVpnTunnelOptions',
        { ...input, PreSharedKeyStorage: input.PreSharedKeyStorage === 'Standard' ? undefined
          : input.PreSharedKeyStorage, SkipTunnelReplacement: undefined },
        ['VpnConnectionId', 'VpnTunnelOutsideIpAddress', 'TunnelOptions'])
      return planModifyVpnTunnelOptions(view, { ...tunnelOf(input),
        options: tunnelFromInput('ModifyVpnTunnelOptions', input.TunnelOptions ?? {}) }, context)
    },
    print: printChanged
  }),

  defineWrite<Ec2.ModifyVpnTunnelCertificateRequest, string,
    Ec2.ModifyVpnTunnelCertificateResult>({
    name: 'ModifyVpnTunnelCertificate',
    plan: (view, input) => planModifyVpnTunnelCertificate(view, tunnelOf(input)),
    print: printChanged
  }),

  defineWrite<Ec2.ReplaceVpnTunnelRequest, string, Ec2.ReplaceVpnTunnelResult>({
    name: 'ReplaceVpnTunnel',
    plan: (view, input, context) => planReplaceVpnTunnel(view, tunnelOf(input), context),
    print: () => ({ Return: true })
  })
]

const readings: readonly Action[] = [
  defineRead<Ec2.GetVpnTunnelReplacementStatusRequest, Ec2.GetVpnTunnelReplacementStatusResult>({
    name: 'GetVpnTunnelReplacementStatus',
    read: (view, { VpnConnectionId = '', VpnTunnelOutsideIpAddress = '' }) => {
      const connection = requireRecord(view, 'vpnConnection', VpnConnectionId)
      const { replacedMs } = requireTunnel(connection, VpnTunnelOutsideIpAddress)
      return {
        VpnConnectionId, CustomerGatewayId: connection.customerGatewayId,
        VpnGatewayId: connection.vpnGatewayId, VpnTunnelOutsideIpAddress,
        MaintenanceDetails: {
          PendingMaintenance: 'false',
          ...(replacedMs !== null && { LastMaintenanceApplied: new Date(replacedMs) })
        }
      }
    }
  }),

  defineRead<Ec2.GetActiveVpnTunnelStatusRequest, Ec2.GetActiveVpnTunnelStatusResult>({
    name: 'GetActiveVpnTunnelStatus',
    read: (view, { VpnConnectionId = '', VpnTunnelOutsideIpAddress = '' }) => {
      const connection = requireRecord(view, 'vpnConnection', VpnConnectionId)
      const { outsideIpAddress } = requireTunnel(connection, VpnTunnelOutsideIpAddress)
      const session = view.snapshot.tables.ipsecSession
        .get(tunnelKey(connection.id, outsideIpAddress))
      const agreed = session?.negotiated
      return {
        ActiveVpnTunnelStatus: {
          ProvisioningStatus: 'available',
          ProvisioningStatusReason: session?.message ?? undefined,
          ...(agreed !== undefined && agreed !== null && {
            IkeVersion: agreed.ikeVersion,
            Phase1EncryptionAlgorithm: agreed.phase1EncryptionAlgorithm,
            Phase1IntegrityAlgorithm: agreed.phase1IntegrityAlgorithm,
            Phase1DHGroup: agreed.phase1DHGroup,
            Phase2EncryptionAlgorithm: agreed.phase2EncryptionAlgorithm,
            Phase2IntegrityAlgorithm: agreed.phase2IntegrityAlgorithm,
            Phase2DHGroup: agreed.phase2DHGroup
          })
        }
      }
    }
  }),

  defineRead<Ec2.GetVpnConnectionDeviceTypesRequest, Ec2.GetVpnConnectionDeviceTypesResult>({
    name: 'GetVpnConnectionDeviceTypes',
    read: (_view, input) => {
      const page = pageOf(DEVICE_TYPES, 'vpn-connection-device-type', input,
        ({ id }) => [0, id])
      return {
        VpnConnectionDeviceTypes: page.items.map(({ id, vendor, platform, software }) => ({
          VpnConnectionDeviceTypeId: id, Vendor: vendor, Platform: platform, Software: software
        })),
        NextToken: page.nextToken
      }
    }
  }),

  defineRead<Ec2.GetVpnConnectionDeviceSampleConfigurationRequest,
    Ec2.GetVpnConnectionDeviceSampleConfigurationResult>({
    name: 'GetVpnConnectionDeviceSampleConfiguration',
    read: (view, input) => {
      refuseUnbuilt('GetVpnConnectionDeviceSampleConfiguration',
        { ...input, SampleType: input.SampleType === 'recommended' ? undefined
          : input.SampleType },
        ['VpnConnectionId', 'VpnConnectionDeviceTypeId', 'InternetKeyExchangeVersion'])
      const connection = requireRecord(view, 'vpnConnection', input.VpnConnectionId ?? '')
      return {
        VpnConnectionDeviceSampleConfiguration: sampleConfiguration(partsOf(view, connection), {
          deviceTypeId: input.VpnConnectionDeviceTypeId ?? '',
          ikeVersion: input.InternetKeyExchangeVersion ?? 'ikev2'
        })
      }
    }
  })
]

export const vpnConnectionActions: readonly Action[] = [...lifeCycle, ...changes, ...readings]
