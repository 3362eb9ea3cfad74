/**
 * Session tokens of the metadata service, version 2. A token carries its own end and a MAC over it
 * and the instance it was given to, so that none has to be remembered and none is good for another
 * instance.
 *
 *     base64( version 1 │ 0 │ end in seconds since 1970, 6 bytes │ HMAC-SHA256, 32 bytes )
 *
 * The key is the daemon's; tokens end with it.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'

export const TOKEN_TTL_S_MIN = 1
export const TOKEN_TTL_S_MAX = 21_600

const VERSION = 1
const HEAD_BYTES = 8
const END_AT = 2
const END_BYTES = 6
const MAC_BYTES = 32
const TOKEN_CHARACTERS = 56 // base64 of 40 bytes

export function makeToken (
  key: Uint8Array, instanceId: string, nowMs: number, ttlS: number
): string {
  const head = Buffer.alloc(HEAD_BYTES)
  head[0] = VERSION
  head.writeUIntBE(Math.floor(nowMs / 1000) + ttlS, END_AT, END_BYTES)
  return Buffer.concat([head, macOf(key, head, instanceId)]).toString('base64')
}

/** @returns seconds for which the token is still good; 0 when it is none of this instance */
export function tokenSecondsLeft (
  key: Uint8Array, instanceId: string, nowMs: number, token: string
): number {
  if (token.length !== TOKEN_CHARACTERS) return 0
  const bytes = Buffer.from(token, 'base64')
  if (bytes.length !== HEAD_BYTES + MAC_BYTES) return 0
  const head = bytes.subarray(0, HEAD_BYTES)
  if (!timingSafeEqual(bytes.subarray(HEAD_BYTES), macOf(key, head, instanceId))) return 0
  return Math.max(0, head.readUIntBE(END_AT, END_BYTES) - Math.floor(nowMs / 1000))
}

function macOf (key: Uint8Array, head: Uint8Array, instanceId: string): Buffer {
  return createHmac('sha256', key).update(head).update(instanceId).digest()
}
