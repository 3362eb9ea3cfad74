/**
 * Traffic mirroring of the ENIs that are live on this host: their sessions by number, with the
 * rules of each filter and the addresses of each target. Keyed by the source ENI.
 *
 * A target whose ENI is gone, or not attached to a running instance, has no address here: copies
 * are then dropped and counted (dataplane/mirror.ts).
 */
import { eniBits } from '../base/ids.ts'
import {
  MIRROR_RULE_AT_DESTINATION, MIRROR_RULE_AT_DESTINATION_PORTS, MIRROR_RULE_AT_PROTOCOL,
  MIRROR_RULE_AT_SOURCE, MIRROR_RULE_AT_SOURCE_PORTS, MIRROR_RULE_AT_VERDICT, MIRROR_RULE_WORDS,
  RULE_ALLOW, RULE_ANY, RULE_DENY
} from '../dataplane/tables/update.ts'
import type { MirrorSessionData } from '../dataplane/tables/update.ts'
import { addressPrefix, cidrPrefix } from '../mapping/prefix.ts'
import { changesField } from '../model/commit_feed.ts'
import type { NetworkInterface } from '../model/network_interface.ts'
import type { PortRange, TrafficMirrorFilterRule } from '../model/traffic_mirror_filter.ts'
import type { TrafficMirrorSession } from '../model/traffic_mirror_session.ts'
import type { CompileContext, CompiledTable, Mark } from './compiled_table.ts'
import { ENI_MTU_MAX, portMtu } from './port_table.ts'
import { resolverWords } from './vpc_table.ts'
const SESSION_FIELDS = [
  'targetId', 'filterId', 'sessionNumber', 'packetLength', 'virtualNetworkId'
] as const
const RULE_FIELDS = [
  'direction', 'ruleNumber', 'action', 'protocol', 'sourcePorts', 'destinationPorts',
  'sourceCidrBlock', 'destinationCidrBlock'
] as const

export const mirrorTable: CompiledTable = {
  name: 'mirrors',

  note (change, context, mark) {
    if (change.noun === 'trafficMirrorSession') {
      if (!changesField<'trafficMirrorSession'>(change, SESSION_FIELDS)) return
      mark((change.record ?? change.previous)?.networkInterfaceId ?? '')
    } else if (change.noun === 'trafficMirrorFilter') {
      if (!changesField<'trafficMirrorFilter'>(change, ['networkServices'])) return
      markSources('filterId', change.id, context, mark)
    } else if (change.noun === 'trafficMirrorFilterRule') {
      if (!changesField<'trafficMirrorFilterRule'>(change, RULE_FIELDS)) return
      markSources('filterId', (change.record ?? change.previous)?.filterId ?? '', context, mark)
    } else if (change.noun === 'host') {
      if (!changesField<'host'>(change, ['underlayMtu', 'underlayAddress'])) return
      // Of what its ENIs take, any session may be speaking.
      const { trafficMirrorSession: sessions } = context.snapshot.tables
      for (const session of sessions.values()) mark(session.networkInterfaceId)
    }
  },

  noteMoves (touch, context, mark) {
    const { trafficMirrorTarget: targets, trafficMirrorSession: sessions } = context.snapshot.tables
    if (sessions.size === 0) return
    for (const id of touch.networkInterfaces.keys()) {
      if (sessions.by('networkInterfaceId', id).length > 0) mark(id)
      for (const target of targets.by('networkInterfaceId', id)) {
        markSources('targetId', target.id, context, mark)
      }
    }
  },

  keysOf (vpcId, { hostName, directory, snapshot }) {
    const { trafficMirrorSession: sessions } = snapshot.tables
    return [...directory.interfacesOn(hostName, vpcId)].filter((id) =>
      sessions.by('networkInterfaceId', id).length > 0)
  },

  build (key, context, draft) {
    const { hostName, snapshot, directory, indexes } = context
    const source = snapshot.tables.networkInterface.get(key)
    const portIndex = indexes.port.indexOf(key)
    if (source === undefined || portIndex === 0 || directory.hostOf(key) !== hostName) return null
    const sessions = snapshot.tables.trafficMirrorSession.by('networkInterfaceId', key)
      .toSorted((a, b) => a.sessionNumber - b.sessionNumber)
    if (sessions.length === 0) return null
    draft.mirrors.push({
      portIndex,
      vpcIndex: indexes.vpc.indexOf(source.vpcId),
      resolver: resolverWords(context.snapshot.tables.vpc.get(source.vpcId)),
      sessions: sessions.map((session) => sessionData(session, source, context))
    })
    return source.vpcId
  },

  remove (key, { indexes }, draft) {
    const portIndex = indexes.port.indexOf(key)
    if (portIndex !== 0) draft.removedMirrors.push(portIndex) // else it went with its port
  }
}

function markSources (field: 'filterId' | 'targetId', id: string, { snapshot }: CompileContext,
  mark: Mark): void {
  for (const session of snapshot.tables.trafficMirrorSession.by(field, id)) {
    mark(session.networkInterfaceId)
  }
}

function sessionData (session: TrafficMirrorSession, source: NetworkInterface,
  context: CompileContext): MirrorSessionData {
  const { snapshot, directory } = context
  const filter = snapshot.tables.trafficMirrorFilter.get(session.filterId)
  const rules = snapshot.tables.trafficMirrorFilterRule.by('filterId', session.filterId)
    .toSorted((a, b) => a.ruleNumber - b.ruleNumber)
  const targetId =
    snapshot.tables.trafficMirrorTarget.get(session.targetId)?.networkInterfaceId ?? ''
  const host = snapshot.tables.host.get(directory.hostOf(targetId) ?? '')
  const target = host === undefined ? undefined : snapshot.tables.networkInterface.get(targetId)
  const bits = target === undefined ? { high: 0, low: 0 } : eniBits(target.id)
  return {
    vni: session.virtualNetworkId,
    packetLength: session.packetLength ?? 0,
    ingress: packRules(rules.filter(({ direction }) => direction === 'ingress')),
    egress: packRules(rules.filter(({ direction }) => direction === 'egress')),
    mirrorsDns: filter?.networkServices.includes('amazon-dns') ?? false,
    ...addressesOf(source, target),
    targetEniHigh: bits.high,
    targetEniLow: bits.low,
    targetMtu: host === undefined ? ENI_MTU_MAX : portMtu(host)
  }
}

/** Primary addresses of both, of IPv4 if both have one. */
function addressesOf (source: NetworkInterface, target: NetworkInterface | undefined):
Pick<MirrorSessionData, 'sourceAddress' | 'targetAddress'> {
  for (const family of ['privateIpAddresses', 'ipv6Addresses'] as const) {
    const from = source[family][0]
    const to = target?.[family][0]
    if (from !== undefined && to !== undefined) {
      return { sourceAddress: addressPrefix(from).words, targetAddress: addressPrefix(to).words }
    }
  }
  return { sourceAddress: new Uint32Array(4), targetAddress: new Uint32Array(4) }
}

/** [rules × MIRROR_RULE_WORDS] */
function packRules (rules: readonly TrafficMirrorFilterRule[]): Int32Array {
  const packed = new Int32Array(rules.length * MIRROR_RULE_WORDS)
  rules.forEach((rule, index) => {
    const at = index * MIRROR_RULE_WORDS
    packed[at + MIRROR_RULE_AT_PROTOCOL] = rule.protocol ?? RULE_ANY
    packPorts(packed, at + MIRROR_RULE_AT_SOURCE_PORTS, rule.sourcePorts)
    packPorts(packed, at + MIRROR_RULE_AT_DESTINATION_PORTS, rule.destinationPorts)
    packed[at + MIRROR_RULE_AT_VERDICT] = rule.action === 'accept' ? RULE_ALLOW : RULE_DENY
    packCidr(packed, at + MIRROR_RULE_AT_SOURCE, rule.sourceCidrBlock)
    packCidr(packed, at + MIRROR_RULE_AT_DESTINATION, rule.destinationCidrBlock)
  })
  return packed
}

function packPorts (packed: Int32Array, at: number, ports: PortRange | null): void {
  packed[at] = ports?.from ?? RULE_ANY
  packed[at + 1] = ports?.to ?? RULE_ANY
}

function packCidr (packed: Int32Array, at: number, cidr: string): void {
  const { words, length } = cidrPrefix(cidr)
  packed.set(words, at)
  packed[at + words.length] = length
}
