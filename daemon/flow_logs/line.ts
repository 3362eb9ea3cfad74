/**
 * One line of a flow log. AWS VPC User Guide, "Flow log records".
 *
 * On the interface's own side srcaddr and dstaddr show its primary private address, whatever
 * address of it, or of somebody behind it, a packet has; pkt-srcaddr and pkt-dstaddr show the
 * packet's.
 */
import { VERDICT_ACCEPT } from '../dataplane/flow_records.ts'
import type { FlowRecord } from '../dataplane/flow_records.ts'
import { EGRESS } from '../dataplane/tables/flow_layout.ts'
import { fieldsOfFormat, versionOfFields } from '../model/flow_log_format.ts'
import type { FlowLogField } from '../model/flow_log_format.ts'
import { formatAddress, isIpv4Words } from '../wire/address.ts'
import { isDhcp } from './services.ts'
import type { Watched } from './watched.ts'

/** A value that is not there. */
const NONE = '-'

/** What a line without packets is about. */
export interface Window {
  /** ms since 1970. */
  readonly startMs: number
  readonly endMs: number
}

/** Writes the lines of one format. */
export class LineFormat {
  readonly fields: readonly FlowLogField[]
  readonly #version: string

  /** @param format null for the default one */
  constructor (format: string | null) {
    this.fields = fieldsOfFormat(format)
    this.#version = String(versionOfFields(this.fields))
  }

  /** The first line of a file. */
  get header (): string { return this.fields.join(' ') }

  /** @param flow as `describeFlow` made it */
  line (flow: FlowValues): string {
    return this.fields.map((field) => field === 'version' ? this.#version : flow[field]).join(' ')
  }

  /** A window in which nothing was to be told (NODATA), or something was lost (SKIPDATA). */
  emptyLine (watched: Watched, window: Window, status: 'NODATA' | 'SKIPDATA'): string {
    const known: Partial<Record<FlowLogField, string>> = {
      'version': this.#version,
      'account-id': watched.accountId,
      'interface-id': watched.eniId,
      'start': seconds(window.startMs),
      'end': seconds(window.endMs),
      'log-status': status
    }
    return this.fields.map((field) => known[field] ?? NONE).join(' ')
  }
}

export type FlowValues = Readonly<Record<Exclude<FlowLogField, 'version'>, string>>

/** The values of a line; null for traffic that is not logged. */
export function describeFlow (record: FlowRecord, watched: Watched): FlowValues | null {
  const source = formatAddress(record.source)
  const destination = formatAddress(record.destination)
  if (watched.unlogged.has(source) || watched.unlogged.has(destination) ||
    isDhcp(record.protocol, record.sourcePort, record.destinationPort)) return null
  const isIpv4 = isIpv4Words(record.source[0] ?? 0, record.source[1] ?? 0, record.source[2] ?? 0)
  const isEgress = record.direction === EGRESS
  const own = ownAddress(watched, isIpv4, isEgress ? source : destination)
  const isAccepted = record.verdict === VERDICT_ACCEPT
  return {
    'account-id': watched.accountId,
    'interface-id': watched.eniId,
    'srcaddr': isEgress ? own : source,
    'dstaddr': isEgress ? destination : own,
    'srcport': String(record.sourcePort),
    'dstport': String(record.destinationPort),
    'protocol': String(record.protocol),
    'packets': String(record.packets),
    'bytes': String(record.bytes),
    'start': seconds(record.firstMs),
    'end': seconds(record.lastMs),
    'action': isAccepted ? 'ACCEPT' : 'REJECT',
    'log-status': 'OK',
    'vpc-id': watched.vpcId,
    'subnet-id': watched.subnetId,
    'instance-id': watched.instanceId ?? NONE,
    'tcp-flags': String(record.tcpFlags),
    'type': isIpv4 ? 'IPv4' : 'IPv6',
    'pkt-srcaddr': source,
    'pkt-dstaddr': destination,
    'region': watched.region,
    'az-id': watched.zoneId,
    'sublocation-type': NONE,
    'sublocation-id': NONE,
    'pkt-src-aws-service': NONE,
    'pkt-dst-aws-service': NONE,
    'flow-direction': isEgress ? 'egress' : 'ingress',
    'traffic-path': isEgress && isAccepted ? watched.pathTo(destination) : NONE
  }
}

/** What the interface is called. An IPv6 address of its own is shown as it is. */
function ownAddress (watched: Watched, isIpv4: boolean, inPacket: string): string {
  if (isIpv4) return watched.primaryIpv4 ?? inPacket
  return watched.ipv6Addresses.includes(inPacket)
    ? inPacket
    : watched.ipv6Addresses[0] ?? inPacket
}

function seconds (ms: number): string { return String(Math.floor(ms / 1000)) }
