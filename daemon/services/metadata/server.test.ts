import test from 'ava'
import { DEFAULT_METADATA } from '../testing/endpoint.ts'
import type { MetadataData } from '../update.ts'
import { answerRequest } from './server.ts'
import type { MetadataAnswer } from './server.ts'
import { makeToken, tokenSecondsLeft } from './token.ts'
import { readTree } from './tree.ts'

const KEY = new Uint8Array(32).fill(7)
const NOW_MS = 1_700_000_000_500
const clock = { nowMs: () => NOW_MS, monotonicMs: () => 0 }
const TTL = 'x-aws-ec2-metadata-token-ttl-seconds'
const TOKEN = 'x-aws-ec2-metadata-token'

function ask (
  method: string, url: string, headers: Record<string, string> = {},
  data: Partial<MetadataData> = {}, nowMs = NOW_MS
): MetadataAnswer {
  return answerRequest({ method, url, headers }, { ...DEFAULT_METADATA, ...data },
    { clock: { ...clock, nowMs: () => nowMs }, tokenKey: KEY })
}

const statusOf = (...args: Parameters<typeof ask>): number => ask(...args).status

test('a token is given for 1 to 21,600 seconds, and survives as many hops as it is told', (t) => {
  const answer = ask('PUT', '/latest/api/token', { [TTL]: '60' }, { hopLimit: 3 })
  t.is(answer.status, 200)
  t.is(answer.hops, 3)
  t.is(answer.headers?.[TTL], '60')
  t.is(String(answer.body).length, 56)
  t.is(statusOf('PUT', '/latest/api/token', { [TTL]: '21600' }), 200)
  for (const bad of ['0', '21601', '-1', '1.5', 'x', '']) {
    t.is(statusOf('PUT', '/latest/api/token', { [TTL]: bad }), 400, bad)
  }
  t.is(statusOf('PUT', '/latest/api/token'), 400)
})

test('what a proxy hands on gets no token', (t) => {
  t.is(statusOf('PUT', '/latest/api/token', { [TTL]: '60', 'x-forwarded-for': '10.0.0.9' }), 403)
})

test('a token is good for its instance, for its time, and for nothing else', (t) => {
  const token = makeToken(KEY, DEFAULT_METADATA.instanceId, NOW_MS, 60)
  const path = '/latest/meta-data/instance-id'
  t.is(ask('GET', path, { [TOKEN]: token }).body, DEFAULT_METADATA.instanceId)
  t.is(statusOf('GET', path, { [TOKEN]: token }, { requiresToken: true }), 200)
  t.is(statusOf('GET', path, { [TOKEN]: token }, { instanceId: 'i-other' }), 401)
  t.is(statusOf('GET', path, { [TOKEN]: token }, {}, NOW_MS + 61_000), 401)
  const forged = `${token.slice(0, 20)}${token[20] === 'A' ? 'B' : 'A'}${token.slice(21)}`
  t.is(statusOf('GET', path, { [TOKEN]: forged }), 401)
  t.is(statusOf('GET', path, { [TOKEN]: '' }), 401)
  t.is(tokenSecondsLeft(new Uint8Array(32), DEFAULT_METADATA.instanceId, NOW_MS, token), 0)
})

test('version 1 is answered where tokens are optional, and refused where they are not', (t) => {
  t.is(statusOf('GET', '/latest/meta-data/'), 200)
  t.is(statusOf('GET', '/latest/meta-data/', {}, { requiresToken: true }), 401)
})

test('a service that is switched off forbids everything', (t) => {
  const off = { isEnabled: false }
  t.is(statusOf('GET', '/latest/meta-data/', {}, off), 403)
  t.is(statusOf('PUT', '/latest/api/token', { [TTL]: '60' }, off), 403)
})

test('what it cannot do is refused, and what there is not is not found', (t) => {
  t.is(statusOf('POST', '/latest/meta-data/'), 405)
  t.is(statusOf('PUT', '/latest/meta-data/'), 405)
  t.is(statusOf('GET', '/latest/meta-data/nothing'), 404)
  t.is(statusOf('GET', '/latest/meta-data/__proto__'), 404)
  t.is(statusOf('GET', '/1.0/meta-data/'), 404)
  t.is(statusOf('GET', '/latest/user-data'), 404)
})

test('user data is given as the bytes that they are', (t) => {
  const bytes = Buffer.from([0, 1, 255, 10])
  const answer = ask('GET', '/latest/user-data', {}, { userData: bytes.toString('base64') })
  t.deepEqual(answer.body, bytes)
  t.is(answer.headers?.['Content-Type'], 'application/octet-stream')
})

test('directories list what is in them', (t) => {
  const leaves = new Map([
    ['meta-data/mac', '02:00'], ['meta-data/placement/region', 'r'], ['dynamic/x/y', ''],
    ['meta-data/tags/instance/a/b', '1']
  ])
  t.is(readTree(leaves, '/'), 'latest')
  t.is(readTree(leaves, '/latest'), 'dynamic\nmeta-data')
  t.is(readTree(leaves, '/latest/meta-data/'), 'mac\nplacement/\ntags/')
  t.is(readTree(leaves, '/latest/meta-data/placement'), 'region')
  t.is(readTree(leaves, '/latest/meta-data/tags/instance/'), 'a/b')
  t.is(readTree(leaves, '/latest/meta-data/tags/instance/a/b'), '1')
  t.is(readTree(leaves, '/latest/meta-dat'), null)
})
