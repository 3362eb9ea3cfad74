/** Ports: the ENIs that are live on this very host, and the gateways that it serves. */
import { eniBits } from '../base/ids.ts'
import { PORT_KIND_ENI, PORT_KIND_NAT_GATEWAY } from '../dataplane/tables/update.ts'
import { overheadBytes } from '../encap/geneve.ts'
import { addressPrefix, cidrPrefix } from '../mapping/prefix.ts'
import { changesField } from '../model/commit_feed.ts'
import { isResource } from '../model/hyperplane_shard.ts'
import { isEncrypted } from '../model/lab.ts'
import type { Host } from '../model/lab.ts'
import { packPrefixes } from './compiled_table.ts'
import type { CompiledTable } from './compiled_table.ts'
import { buildGatewayPort, isGatewayId, noteGatewayTable } from './gateway_port.ts'

/** Largest packet of an ENI. AWS EC2 User Guide, "Network MTU for your EC2 instance". */
export const ENI_MTU_MAX = 9_001

/** Idle times of connections of an ENI that names none, systems 3.3. */
const TCP_ESTABLISHED_TIMEOUT_S = 432_000
const UDP_STREAM_TIMEOUT_S = 180
const UDP_TIMEOUT_S = 30

/** What of an ENI's record, besides its place and its addresses, the data plane acts on. */
const POLICY_FIELDS = [
  'sourceDestCheck', 'groupIds', 'tcpEstablishedTimeoutS', 'udpStreamTimeoutS', 'udpTimeoutS'
] as const

/** Largest inner packet that fits the host's underlay in one frame, bytes. */
export function portMtu (host: Host): number {
  const overhead = overheadBytes(host.underlayAddress.includes(':'), isEncrypted(host))
  return Math.min(ENI_MTU_MAX, host.underlayMtu - overhead)
}

export const portTable: CompiledTable = {
  name: 'ports',

  note (change, { hostName, directory }, mark) {
    if (change.noun === 'networkInterface') {
      if (changesField<'networkInterface'>(change, POLICY_FIELDS)) mark(change.id)
    } else if (change.noun === 'hyperplaneShard') {
      if (changesField<'hyperplaneShard'>(change, ['shard'])) mark(change.id)
    } else if (change.noun === 'internetGateway') {
      if (changesField<'internetGateway'>(change, ['vpcId'])) mark(change.id)
    } else if (change.noun === 'vpnGateway') {
      if (changesField<'vpnGateway'>(change, ['vpcId', 'state'])) mark(change.id)
    } else if (change.noun === 'egressOnlyInternetGateway') {
      if (change.record === null || change.previous === null) mark(change.id)
    } else if (change.noun === 'routeTable') {
      noteGatewayTable(change.previous, change.record, mark)
    } else if (change.noun === 'host' && change.id === hostName) {
      if (!changesField<'host'>(change, ['underlayMtu', 'underlayAddress'])) return
      for (const vpcId of directory.vpcsOf(hostName)) {
        for (const id of directory.interfacesOn(hostName, vpcId)) mark(id)
      }
    }
  },

  noteMoves (touch, _context, mark) {
    for (const id of touch.networkInterfaces.keys()) mark(id)
  },

  keysOf (vpcId, { hostName, directory }) {
    return directory.interfacesOn(hostName, vpcId)
  },

  build (key, context, draft) {
    if (isGatewayId(key)) return buildGatewayPort(key, context, draft)
    const { hostName, snapshot, directory, indexes } = context
    const eni = snapshot.tables.networkInterface.get(key)
    const host = snapshot.tables.host.get(hostName)
    if (eni === undefined || host === undefined) return null
    const isNode = isResource(eni) &&
      snapshot.tables.hyperplaneShard.get(key)?.shard.includes(hostName) === true
    if (!isNode && directory.hostOf(key) !== hostName) return null
    const vpcIndex = indexes.vpc.indexOf(eni.vpcId)
    const portIndex = vpcIndex === 0 ? 0 : indexes.port.ensure(key)
    if (portIndex === 0) return null
    const { high: eniIdHigh, low: eniIdLow } = eniBits(key)
    draft.ports.push({
      portIndex,
      kind: isNode ? PORT_KIND_NAT_GATEWAY : PORT_KIND_ENI,
      eniIdHigh,
      eniIdLow,
      vpcIndex,
      subnetIndex: indexes.subnet.indexOf(eni.subnetId),
      routeTableIndex: 0,
      sourceDestCheck: eni.sourceDestCheck,
      addresses: packPrefixes([
        ...[...eni.privateIpAddresses, ...eni.ipv6Addresses].map(addressPrefix),
        ...[...eni.ipv4Prefixes, ...eni.ipv6Prefixes].map(cidrPrefix)
      ]),
      mtu: portMtu(host),
      securityGroups: Uint32Array.from(eni.groupIds, (id) => indexes.securityGroup.indexOf(id)),
      tcpEstablishedTimeoutS: eni.tcpEstablishedTimeoutS ?? TCP_ESTABLISHED_TIMEOUT_S,
      udpStreamTimeoutS: eni.udpStreamTimeoutS ?? UDP_STREAM_TIMEOUT_S,
      udpTimeoutS: eni.udpTimeoutS ?? UDP_TIMEOUT_S
    })
    return eni.vpcId
  },

  remove (key, { indexes, revision }, draft) {
    draft.removedPorts.push(indexes.port.retire(key, revision))
  }
}
