/** Signature Version 4: both forms are believed when untouched, and nothing else is. */
import test from 'ava'
import { Sha256 } from '@aws-crypto/sha256-js'
import { SignatureV4 } from '@smithy/signature-v4'
import { AwsError } from '../model/aws_error.ts'
import { KeyRing } from './key_ring.ts'
import type { SignedRequest } from './sigv4.ts'
import { authenticate } from './sigv4.ts'

const KEY = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret', accountId: '111111111111' }
const KEY_RING = new KeyRing([KEY])
const SERVICES = ['ec2']
const NOW = new Date(Date.UTC(2026, 5, 1, 12))
const MINUTE_MS = 60_000

interface Signing {
  readonly secretAccessKey?: string
  readonly accessKeyId?: string
  readonly region?: string
  readonly service?: string
  readonly at?: Date
}

function signer (signing: Signing): SignatureV4 {
  return new SignatureV4({
    service: signing.service ?? 'ec2', region: signing.region ?? 'us-east-1', sha256: Sha256,
    credentials: {
      accessKeyId: signing.accessKeyId ?? KEY.accessKeyId,
      secretAccessKey: signing.secretAccessKey ?? KEY.secretAccessKey
    }
  })
}

/** A POST as the AWS SDK signs it. */
async function signed (signing: Signing = {}): Promise<SignedRequest> {
  const body = 'Action=DescribeVpcs&Version=2016-11-15'
  const { headers } = await signer(signing).sign({
    method: 'POST', protocol: 'http:', hostname: '127.0.0.1', path: '/', body,
    headers: { 'host': '127.0.0.1:4566', 'content-type': 'application/x-www-form-urlencoded',
      'x-amz-user-agent': 'a  b' }
  }, { signingDate: signing.at ?? NOW })
  return {
    method: 'POST', path: '/', query: '', headers: { ...headers, 'user-agent': 'unsigned' }, body
  }
}

async function presigned (signing: Signing = {}, expiresIn = 60): Promise<SignedRequest> {
  const { query = {} } = await signer(signing).presign({
    method: 'GET', protocol: 'http:', hostname: '127.0.0.1', path: '/',
    headers: { host: '127.0.0.1:4566' },
    query: { Action: 'DescribeVpcs', Version: '2016-11-15' }
  }, { signingDate: signing.at ?? NOW, expiresIn })
  const text = new URLSearchParams(query as Record<string, string>).toString()
  return { method: 'GET', path: '/', query: text, headers: { host: '127.0.0.1:4566' }, body: '' }
}

async function refusal (request: SignedRequest | Promise<SignedRequest>): Promise<string> {
  try {
    await authenticate(await request, SERVICES, KEY_RING, NOW.getTime())
    return ''
  } catch (error) {
    if (error instanceof AwsError) return error.code
    throw error
  }
}

test('a signed request tells account and Region', async (t) => {
  const caller = await authenticate(await signed({ region: 'eu-west-1' }), SERVICES, KEY_RING,
    NOW.getTime())
  t.deepEqual(caller,
    { accessKeyId: KEY.accessKeyId, accountId: KEY.accountId, region: 'eu-west-1' })
  const other = await authenticate(await presigned(), SERVICES, KEY_RING, NOW.getTime())
  t.is(other.accountId, KEY.accountId)
})

test('whatever is changed after signing is noticed', async (t) => {
  const request = await signed()
  const change = async (changes: Partial<SignedRequest>): Promise<string> =>
    await refusal({ ...request, ...changes })
  t.is(await change({}), '')
  t.is(await change({ body: `${String(request.body)}&DryRun=true` }), 'AuthFailure')
  t.is(await change({ method: 'PUT' }), 'AuthFailure')
  t.is(await change({ path: '/x' }), 'AuthFailure')
  t.is(await change({ query: 'a=b' }), 'AuthFailure')
  t.is(await change({ headers: { ...request.headers, host: 'elsewhere' } }),
    'AuthFailure')
  t.is(await change({ headers: { ...request.headers, 'x-amz-date': '20260601T120001Z' } }),
    'AuthFailure')
  t.is(await change({ headers: { ...request.headers, 'user-agent': 'other' } }), '',
    'it was not signed')
  const get = await presigned()
  t.is(await refusal({ ...get, query: get.query.replace('DescribeVpcs', 'DeleteVpc') }),
    'AuthFailure')
  t.is(await refusal({ ...get, query: get.query.replace('X-Amz-Expires=60', 'X-Amz-Expires=61') }),
    'AuthFailure')
})

test('the hash that a header claims must be the body\'s', async (t) => {
  const request = await signed()
  t.truthy(request.headers['x-amz-content-sha256'])
  const other = 'Action=DeleteVpc&Version=2016-11-15'
  t.is(await refusal({ ...request, body: other }), 'AuthFailure')
})

test('keys, Regions and services that are not ours are refused', async (t) => {
  t.is(await refusal(signed({ accessKeyId: 'AKIDOTHER' })), 'AuthFailure')
  t.is(await refusal(signed({ secretAccessKey: 'guess' })), 'AuthFailure')
  t.is(await refusal(signed({ region: 'mars-north-1' })), 'AuthFailure')
  t.is(await refusal(signed({ service: 's3' })), 'AuthFailure')
  const request = await signed()
  t.is(await refusal({ ...request, headers: { ...request.headers, 'x-amz-security-token': 'x' } }),
    'AuthFailure')
})

test('a request is good for 15 minutes around its time, a presigned one for what it says',
  async (t) => {
  const at = (minutes: number): Date => new Date(NOW.getTime() + minutes * MINUTE_MS)
  t.is(await refusal(signed({ at: at(-15) })), '')
  t.is(await refusal(signed({ at: at(-16) })), 'RequestExpired')
  t.is(await refusal(signed({ at: at(16) })), 'RequestExpired')
  t.is(await refusal(presigned({ at: at(-1) })), '')
  t.is(await refusal(presigned({ at: at(-2) })), 'RequestExpired')
  t.is(await refusal(presigned({ at: at(-60) }, 2 * 3600)), '')
})

test('a request without a whole signature is told what is missing', async (t) => {
  const request = await signed()
  const authorization = String(request.headers['authorization'])
  const change = async (text: string): Promise<string> =>
    await refusal({ ...request, headers: { ...request.headers, authorization: text } })
  t.is(await refusal({ ...request, headers: { host: 'x' } }), 'MissingAuthenticationToken')
  t.is(await change(authorization.replace(/, Signature=.*/, '')), 'IncompleteSignature')
  t.is(await change(authorization.replace('AWS4-HMAC-SHA256', 'AWS2')), 'IncompleteSignature')
  t.is(await change(authorization.replace('/aws4_request', '')), 'IncompleteSignature')
  t.is(await change(authorization.replace(';host;', ';')), 'IncompleteSignature')
  t.is(await change(''), 'IncompleteSignature')
  t.is(await refusal({ ...request, headers: { ...request.headers, 'x-amz-date': 'today' } }),
    'IncompleteSignature')
  t.is(await refusal(
    { ...request, headers: { ...request.headers, 'x-amz-date': '20260602T000000Z' } }),
    'AuthFailure')
})
