/**
 * Time, systems 1.18: an NTP server that answers from the host's clock (RFC 5905 §7.3; a server
 * without state, as SNTP has it). Amazon Time Sync Service is stratum 3 to its clients, too.
 *
 *     0   LI:2 version:3 mode:3 │ stratum │ poll │ precision
 *     4   root delay │ 8 root dispersion │ 12 reference id
 *     16  reference │ 24 origin │ 32 receive │ 40 transmit      seconds since 1900, 32.32 bits
 */
import type { Socket } from 'node:dgram'
import type { Clock } from '../base/clock.ts'

export const NTP_BYTES = 48
const AT_MODE = 0
const AT_STRATUM = 1
const AT_POLL = 2
const AT_PRECISION = 3
const AT_ROOT_DISPERSION = 8
const AT_REFERENCE_ID = 12
const AT_REFERENCE = 16
const AT_ORIGIN = 24
const AT_RECEIVE = 32
const AT_TRANSMIT = 40
const TIMESTAMP_BYTES = 8
const MODE_CLIENT = 3
const MODE_SERVER = 4
const STRATUM = 3
/** log2 s: a millisecond, which is what the clock is read in. */
const PRECISION = -10
/** 16.16 bits: a millisecond. */
const ROOT_DISPERSION = 66
/** 169.254.169.122: the clock that the hosts themselves follow. */
const REFERENCE_ID = 0xa9fea97a
/** From 1900 to 1970, seconds. */
const EPOCH_S = 2_208_988_800
const FRACTION = 2 ** 32
const POLL_MASK = 0xff

/** @returns the answer; null for what is no query of a client */
export function answerTime (query: Uint8Array, nowMs: number): Buffer | null {
  if (query.length < NTP_BYTES) return null
  const given = Buffer.from(query.buffer, query.byteOffset, NTP_BYTES)
  const version = (given.readUInt8(AT_MODE) >>> 3) & 7
  if ((given.readUInt8(AT_MODE) & 7) !== MODE_CLIENT || version < 1 || version > 4) return null
  const answer = Buffer.alloc(NTP_BYTES)
  answer.writeUInt8((version << 3) | MODE_SERVER, AT_MODE)
  answer.writeUInt8(STRATUM, AT_STRATUM)
  answer.writeUInt8(given.readUInt8(AT_POLL) & POLL_MASK, AT_POLL)
  answer.writeInt8(PRECISION, AT_PRECISION)
  answer.writeUInt32BE(ROOT_DISPERSION, AT_ROOT_DISPERSION)
  answer.writeUInt32BE(REFERENCE_ID, AT_REFERENCE_ID)
  given.copy(answer, AT_ORIGIN, AT_TRANSMIT, AT_TRANSMIT + TIMESTAMP_BYTES)
  for (const at of [AT_REFERENCE, AT_RECEIVE, AT_TRANSMIT]) writeTimestamp(answer, at, nowMs)
  return answer
}

function writeTimestamp (bytes: Buffer, at: number, nowMs: number): void {
  const seconds = Math.floor(nowMs / 1000)
  bytes.writeUInt32BE((seconds + EPOCH_S) % FRACTION, at)
  bytes.writeUInt32BE(Math.floor((nowMs / 1000 - seconds) * FRACTION), at + 4)
}

export function serveTime (socket: Socket, clock: Clock): void {
  socket.on('message', (query, peer) => {
    const answer = answerTime(query, clock.nowMs())
    if (answer !== null) socket.send(answer, peer.port, peer.address)
  })
}
