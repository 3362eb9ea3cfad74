/**
 * Receive checks on the VPC header, systems 2.1 and 2.6. Nothing in it is believed: it names
 * things, and each is looked up and compared with what control said and with where the packet came
 * from.
 *
 *     readVpcHeader    lengths, version, options
 *     findReceiver     the VNI is known, the destination ENI is here and of that VPC
 *     checkForwarder   (forward.ts) who says that it forwards may
 *     checkSender      the outer source is the registered host of the source ENI, or one of the
 *                      hosts that serve the source, where these are several; the source is of that
 *                      VPC, or an ENI of one that an active peering connects with it. Of a
 *                      forwarded packet: the address that it came from first
 */
import { decodeGeneve } from '../../encap/geneve.ts'
import * as geneve from '../../encap/geneve.ts'
import { loadI32 } from '../../wire/bytes.ts'
import * as ipv4 from '../../wire/ipv4.ts'
import * as ipv6 from '../../wire/ipv6.ts'
import * as dropReason from '../drop_reason.ts'
import type { PacketContext } from '../packet.ts'
import type { Tables } from '../tables/tables.ts'
import { PEER_AT_VPC_INDEX, PEER_WORDS, PORT_KIND_ENI } from '../tables/update.ts'
import { findEniMapping } from './mapping.ts'

// Constants of other modules, made this module's own: V8 folds a module's own into the code, and
// loads imported ones from memory, checked, at each use (CONTRIBUTING.md, "Hot code").
const {
  ETHERTYPE_IPV4, GENEVE_CRITICAL_OPTION, GENEVE_MALFORMED, GENEVE_OK, GENEVE_VERSION
} = geneve
const { IPV4_VERSION } = ipv4
const { IPV6_VERSION } = ipv6
const {
  DROP_ENI_NOT_HERE, DROP_GENEVE_CRITICAL_OPTION, DROP_GENEVE_MALFORMED, DROP_GENEVE_VERSION,
  DROP_NO_MAPPING, DROP_NONE, DROP_PORT_UNKNOWN, DROP_SOURCE_HOST, DROP_VNI_MISMATCH,
  DROP_VNI_UNKNOWN
} = dropReason

/** DROP_* for each GENEVE_* answer of the codec. */
function dropOfGeneve (answer: number): number {
  switch (answer) {
    case GENEVE_OK: return DROP_NONE
    case GENEVE_VERSION: return DROP_GENEVE_VERSION
    case GENEVE_CRITICAL_OPTION: return DROP_GENEVE_CRITICAL_OPTION
    case GENEVE_MALFORMED: return DROP_GENEVE_MALFORMED
    default: return DROP_GENEVE_MALFORMED
  }
}

/**
 * Reads the header at `at` and moves `at` to the inner packet. @returns DROP_NONE or DROP_GENEVE_*
 */
export function readVpcHeader (p: PacketContext, view: DataView): number {
  const answer = decodeGeneve(view, p.at, p.at + p.bytes, p.geneve)
  if (answer !== GENEVE_OK) return dropOfGeneve(answer)
  if (p.geneve.innerAt >= p.at + p.bytes) return DROP_GENEVE_MALFORMED
  p.stripTo(p.geneve.innerAt)
  const version = p.geneve.etherType === ETHERTYPE_IPV4 ? IPV4_VERSION : IPV6_VERSION
  return (view.getUint8(p.at) >>> 4) === version ? DROP_NONE : DROP_GENEVE_MALFORMED
}

/**
 * Finds the receiving port. @returns DROP_NONE, DROP_VNI_UNKNOWN, DROP_ENI_NOT_HERE or
 * DROP_VNI_MISMATCH
 */
export function findReceiver (p: PacketContext, tables: Tables): number {
  const vpcIndex = tables.vpcs.findVni(p.geneve.vni)
  if (vpcIndex === 0) return DROP_VNI_UNKNOWN
  const port = tables.ports.findEni(p.geneve.destinationEniHigh, p.geneve.destinationEniLow)
  if (port === 0) return DROP_ENI_NOT_HERE
  p.portIndex = port
  if (tables.ports.vpcIndex[port] !== vpcIndex) return DROP_VNI_MISMATCH
  p.vpcIndex = vpcIndex
  if (tables.ports.kind[port] !== PORT_KIND_ENI) return DROP_NONE
  return tables.subnets.get(tables.ports.subnetIndex[port]) === undefined ? DROP_PORT_UNKNOWN
    : DROP_NONE
}

/** Holds the sender to his place. @returns DROP_NONE, DROP_SOURCE_HOST or WAIT_FOR_ENI */
export function checkSender (p: PacketContext, tables: Tables, view: DataView): number {
  p.targetEniHigh = p.geneve.sourceEniHigh
  p.targetEniLow = p.geneve.sourceEniLow
  const outcome = findSender(p, tables)
  if (outcome === DROP_NO_MAPPING) return DROP_SOURCE_HOST
  if (outcome !== DROP_NONE) return outcome
  const host = senderHost(p, tables, view)
  // What lives here does not come by the underlay.
  if (host === 0 || host === tables.hostIndex) return DROP_SOURCE_HOST
  p.sourceHostIndex = host
  p.sourceEniHigh = p.geneve.sourceEniHigh
  p.sourceEniLow = p.geneve.sourceEniLow
  p.isSameSubnet = p.mapping.subnetIndex === tables.ports.subnetIndex[p.portIndex] ? 1 : 0
  return DROP_NONE
}

/** The host that sent the packet, one of those at `mapping`; 0: it was none of them. */
function senderHost (p: PacketContext, tables: Tables, view: DataView): number {
  const { geneve, mapping } = p
  return geneve.isForwarded === 0
    ? tables.hosts.senderOf(mapping.hostIndex, loadI32(view, p.sourceAt),
      loadI32(view, p.sourceAt + 4), loadI32(view, p.sourceAt + 8), loadI32(view, p.sourceAt + 12))
    : tables.hosts.senderOf(mapping.hostIndex, geneve.forwarded0, geneve.forwarded1,
      geneve.forwarded2, geneve.forwarded3)
}

/**
 * Finds the source ENI in the receiver's VPC, else in its peers; `peerVpcIndex` tells in which.
 * A VPC that has to ask control is waited for when no other has the ENI.
 */
function findSender (p: PacketContext, tables: Tables): number {
  const own = findEniMapping(p, tables)
  const peers = tables.vpcs.get(p.vpcIndex)?.peers
  if (own === DROP_NONE || peers === undefined) return own
  let outcome = own
  let waitsForPeer = 0
  for (let at = 0; at < peers.length; at += PEER_WORDS) {
    p.peerVpcIndex = peers[at + PEER_AT_VPC_INDEX]
    const found = findEniMapping(p, tables)
    if (found === DROP_NONE) return DROP_NONE
    if (found === DROP_NO_MAPPING || outcome !== DROP_NO_MAPPING) continue
    outcome = found
    waitsForPeer = p.peerVpcIndex
  }
  p.peerVpcIndex = waitsForPeer
  return outcome
}

/** Whether the outer source address of the packet is that of a host. */
export function outerSourceIs (
  p: PacketContext, tables: Tables, view: DataView, hostIndex: number
): boolean {
  return tables.hosts.isAt(hostIndex, loadI32(view, p.sourceAt), loadI32(view, p.sourceAt + 4),
    loadI32(view, p.sourceAt + 8), loadI32(view, p.sourceAt + 12))
}
