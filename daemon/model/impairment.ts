/**
 * Impairments and partitions: what a person does to the network of a lab to see what happens. They
 * are of the lab and not of AWS: the admin API sets them, and they are records so that they outlive
 * the daemon and come into the tables like everything else.
 *
 *     impairment   of an ENI: what it sends and receives; of a host: what it sends to the underlay
 *     partition    between two hosts: neither's packets reach the other
 *
 * The words and what they mean are those of tc-netem(8).
 */
import { AwsError } from './aws_error.ts'
import type { Plan } from './plan.ts'
import { put, remove } from './snapshot.ts'
import type { Snapshot } from './snapshot.ts'

/** Which packets of an ENI, seen from it. A host's are `out`. */
export type ImpairedDirection = 'both' | 'in' | 'out'

/** What is done to packets; 0 does nothing. */
export interface ImpairmentSettings {
  readonly direction: ImpairedDirection
  readonly delayMs: number
  /** Most that a packet's delay differs from `delayMs`, evenly spread. */
  readonly jitterMs: number
  readonly lossPercent: number
  readonly corruptPercent: number
  readonly duplicatePercent: number
  /** Packets that are sent at once, before those that are delayed. */
  readonly reorderPercent: number
  /** Of the inner IP packets; 0: as fast as it goes. */
  readonly rateBitsPerSecond: number
  /** Packets that may wait in one direction. */
  readonly limitPackets: number
}

/** Key: `eni-…`, or the name of a host. */
export interface Impairment extends ImpairmentSettings { readonly id: string }

/** Key: the two hosts, `host-1,host-2`, in the order of their names. */
export interface Partition {
  readonly id: string
  readonly hosts: readonly [string, string]
}

export const NO_IMPAIRMENT: ImpairmentSettings = {
  direction: 'both', delayMs: 0, jitterMs: 0, lossPercent: 0, corruptPercent: 0,
  duplicatePercent: 0, reorderPercent: 0, rateBitsPerSecond: 0, limitPackets: 1000
}

export const DELAY_MS_MAX = 60_000
export const RATE_MIN = 1_000
export const RATE_MAX = 1e12
export const LIMIT_MAX = 8192

/** @throws AwsError InvalidParameterValue, InvalidParameterCombination, Invalid…ID.NotFound */
export function planImpair (
  snapshot: Snapshot, id: string, settings: ImpairmentSettings
): Plan<Impairment> {
  checkPlace(snapshot, id)
  checkRange('delay', settings.delayMs, 0, DELAY_MS_MAX, 'ms')
  checkRange('jitter', settings.jitterMs, 0, DELAY_MS_MAX, 'ms')
  checkRange('loss', settings.lossPercent, 0, 100, '%')
  checkRange('corrupt', settings.corruptPercent, 0, 100, '%')
  checkRange('duplicate', settings.duplicatePercent, 0, 100, '%')
  checkRange('reorder', settings.reorderPercent, 0, 100, '%')
  if (settings.rateBitsPerSecond !== 0) {
    checkRange('rate', settings.rateBitsPerSecond, RATE_MIN, RATE_MAX, 'bit/s')
  }
  if (!Number.isInteger(settings.limitPackets)) {
    throw new AwsError('InvalidParameterValue',
      `The limit ${String(settings.limitPackets)} is not a whole number of packets`)
  }
  checkRange('limit', settings.limitPackets, 1, LIMIT_MAX, 'packets')
  if (!['both', 'in', 'out'].includes(settings.direction)) {
    throw new AwsError('InvalidParameterValue',
      `The direction "${settings.direction}" is not one of both, in, out`)
  }
  checkTogether(snapshot, id, settings)
  const record: Impairment = { ...settings, id }
  return { changes: [put('impairment', record)], result: record }
}

/** @throws AwsError when nothing is impaired there */
export function planUnimpair (snapshot: Snapshot, id: string): Plan<null> {
  if (snapshot.tables.impairment.get(id) === undefined) {
    checkPlace(snapshot, id)
    throw new AwsError('InvalidParameterValue', `${id} is not impaired; "vpcctl impair" lists ` +
      'what is')
  }
  return { changes: [remove('impairment', id)], result: null }
}

/** @throws AwsError for a host that there is not */
export function planPartition (
  snapshot: Snapshot, one: string, other: string
): Plan<Partition> {
  const record = partitionOf(snapshot, one, other)
  return { changes: [put('partition', record)], result: record }
}

/** @throws AwsError when the hosts are not cut off from each other */
export function planHeal (snapshot: Snapshot, one: string, other: string): Plan<Partition> {
  const record = partitionOf(snapshot, one, other)
  if (snapshot.tables.partition.get(record.id) === undefined) {
    throw new AwsError('InvalidParameterValue',
      `${one} and ${other} are not cut off from each other; "vpcctl partition" lists who is`)
  }
  return { changes: [remove('partition', record.id)], result: record }
}

/** The key of the partition between two hosts. */
export function partitionId (one: string, other: string): string {
  return [one, other].sort().join(',')
}

function partitionOf (snapshot: Snapshot, one: string, other: string): Partition {
  for (const name of [one, other]) {
    if (snapshot.tables.host.get(name) === undefined) throw noHost(snapshot, name)
  }
  if (one === other) {
    throw new AwsError('InvalidParameterValue',
      `A host cannot be cut off from itself: "${one}" stands there twice`)
  }
  const id = partitionId(one, other)
  const [first = '', second = ''] = id.split(',')
  return { id, hosts: [first, second] }
}

function checkPlace (snapshot: Snapshot, id: string): void {
  if (!id.startsWith('eni-')) {
    if (snapshot.tables.host.get(id) === undefined) throw noHost(snapshot, id)
    return
  }
  const eni = snapshot.tables.networkInterface.get(id)
  if (eni === undefined) {
    throw new AwsError('InvalidNetworkInterfaceID.NotFound',
      `The networkInterface ID '${id}' does not exist`)
  }
  if (eni.requesterId !== null) {
    throw new AwsError('InvalidParameterValue',
      `${id} is the ${eni.interfaceType} interface of a service, which has no device: impair the ` +
      'ENIs of instances, or hosts')
  }
}

function checkTogether (snapshot: Snapshot, id: string, settings: ImpairmentSettings): void {
  const isHost = snapshot.tables.host.get(id) !== undefined
  if (isHost && settings.direction === 'in') {
    throw new AwsError('InvalidParameterCombination',
      `What ${id} receives is what other hosts send: impair those, or the ENIs of ${id}`)
  }
  if (isHost && settings.corruptPercent > 0) {
    throw new AwsError('InvalidParameterCombination', 'Damage between hosts is found by the ' +
      `checksum of their UDP, and is a loss: give ${id} --loss, or an ENI --corrupt`)
  }
  if (settings.jitterMs > 0 && settings.delayMs === 0) {
    throw new AwsError('InvalidParameterCombination',
      'jitter is what a delay varies by: give a delay, too')
  }
  if (settings.reorderPercent > 0 && settings.delayMs === 0) {
    throw new AwsError('InvalidParameterCombination',
      'reorder sends packets before those that are delayed: give a delay, too')
  }
  const { direction, limitPackets, ...effects } = settings
  if (Object.values(effects).every((value) => value === 0)) {
    throw new AwsError('InvalidParameterValue', `Nothing is to be done to ${id} (direction ` +
      `${direction}, limit ${String(limitPackets)}): give a delay, a loss, a rate …, or --clear`)
  }
}

function checkRange (name: string, value: number, min: number, max: number, unit: string): void {
  if (Number.isFinite(value) && value >= min && value <= max) return
  throw new AwsError('InvalidParameterValue', `The ${name} of ${String(value)} ${unit} is not ` +
    `within ${String(min)} to ${String(max)} ${unit}`)
}

function noHost (snapshot: Snapshot, name: string): AwsError {
  const names = [...snapshot.tables.host.values()].map(({ id }) => id)
  return new AwsError('InvalidParameterValue', `"${name}" is no ENI and no host; ` +
    (names.length === 0 ? 'the lab has no hosts' : `the hosts are ${names.join(', ')}`))
}
