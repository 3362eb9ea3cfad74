/**
 * What nodes of a shard tell each other, record by record: 20 words each, so that a record's number
 * is its place. Control's indices mean nothing to another node: resources and ENIs are named by id.
 *
 *     word 0       kind << 8 | protocol
 *     word 1, 2    ENI id of the resource
 *     word 3       epoch
 *     FLOW, DELETE          4..19   the flow, in the words of a row (nat_layout.ts)
 *     TAKE                  "stop deciding under any older epoch, and tell me when you have"
 *     GRANT                 4       slots of which the sender has a complete copy, a bit each
 *                           5..7    epochs at which these copies began
 *     SYNC_BEGIN, SYNC_END  4       slots whose flows stand in between, all of them
 */
import {
  NAT_AT_ENI, NAT_AT_EPOCH, NAT_AT_INSIDE, NAT_AT_INSIDE_PORTS, NAT_AT_OUTSIDE,
  NAT_AT_OUTSIDE_PORTS, NAT_AT_PROTOCOL, NAT_AT_REMOTE, NAT_AT_RESOURCE
} from '../tables/nat_layout.ts'

export const RECORD_WORDS = 20
export const RECORD_BYTES = 4 * RECORD_WORDS

export const RECORD_FLOW = 1
export const RECORD_DELETE = 2
export const RECORD_TAKE = 3
export const RECORD_GRANT = 4
export const RECORD_SYNC_BEGIN = 5
export const RECORD_SYNC_END = 6

export const RECORD_AT_KIND = 0
export const RECORD_AT_RESOURCE = 1 // 2 words
export const RECORD_AT_EPOCH = 3
export const RECORD_AT_SLOTS = 4
export const RECORD_AT_COPY_EPOCHS = 5 // SHARD_SLOTS words
const RECORD_AT_INSIDE = 4 // 4 words
const RECORD_AT_OUTSIDE = 8 // 4 words
const RECORD_AT_REMOTE = 12 // 4 words
const RECORD_AT_PORTS = 16 // 2 words: inside, outside
const RECORD_AT_ENI = 18 // 2 words
const PROTOCOL_MASK = 0xff

export function recordKind (record: Int32Array): number { return record[RECORD_AT_KIND] >>> 8 }

/** Writes what the records that name no flow have. */
export function writeControl (
  record: Int32Array, kind: number, eniHigh: number, eniLow: number, epoch: number, slots: number
): void {
  record.fill(0)
  record[RECORD_AT_KIND] = kind << 8
  record[RECORD_AT_RESOURCE] = eniHigh
  record[RECORD_AT_RESOURCE + 1] = eniLow
  record[RECORD_AT_EPOCH] = epoch
  record[RECORD_AT_SLOTS] = slots
}

/** Writes a row of the NAT table. @param kind RECORD_FLOW or RECORD_DELETE */
export function writeFlow (
  record: Int32Array, kind: number, words: Int32Array, at: number, epoch: number
): void {
  record[RECORD_AT_KIND] = (kind << 8) | words[at + NAT_AT_PROTOCOL]
  record[RECORD_AT_RESOURCE] = words[at + NAT_AT_RESOURCE]
  record[RECORD_AT_RESOURCE + 1] = words[at + NAT_AT_RESOURCE + 1]
  record[RECORD_AT_EPOCH] = epoch
  for (let word = 0; word < 4; word++) {
    record[RECORD_AT_INSIDE + word] = words[at + NAT_AT_INSIDE + word]
    record[RECORD_AT_OUTSIDE + word] = words[at + NAT_AT_OUTSIDE + word]
    record[RECORD_AT_REMOTE + word] = words[at + NAT_AT_REMOTE + word]
  }
  record[RECORD_AT_PORTS] = words[at + NAT_AT_INSIDE_PORTS]
  record[RECORD_AT_PORTS + 1] = words[at + NAT_AT_OUTSIDE_PORTS]
  record[RECORD_AT_ENI] = words[at + NAT_AT_ENI]
  record[RECORD_AT_ENI + 1] = words[at + NAT_AT_ENI + 1]
}

/** Reads a flow into the words of a row; those that a record does not have become 0. */
export function readFlow (record: Int32Array, key: Int32Array): void {
  key.fill(0)
  key[NAT_AT_PROTOCOL] = record[RECORD_AT_KIND] & PROTOCOL_MASK
  key[NAT_AT_RESOURCE] = record[RECORD_AT_RESOURCE]
  key[NAT_AT_RESOURCE + 1] = record[RECORD_AT_RESOURCE + 1]
  for (let word = 0; word < 4; word++) {
    key[NAT_AT_INSIDE + word] = record[RECORD_AT_INSIDE + word]
    key[NAT_AT_OUTSIDE + word] = record[RECORD_AT_OUTSIDE + word]
    key[NAT_AT_REMOTE + word] = record[RECORD_AT_REMOTE + word]
  }
  key[NAT_AT_INSIDE_PORTS] = record[RECORD_AT_PORTS]
  key[NAT_AT_OUTSIDE_PORTS] = record[RECORD_AT_PORTS + 1]
  key[NAT_AT_EPOCH] = record[RECORD_AT_EPOCH]
  key[NAT_AT_ENI] = record[RECORD_AT_ENI]
  key[NAT_AT_ENI + 1] = record[RECORD_AT_ENI + 1]
}
