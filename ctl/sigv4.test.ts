import { Sha256 } from '@aws-crypto/sha256-js'
import { SignatureV4 } from '@smithy/signature-v4'
import test from 'ava'
import { signedHeaders } from './sigv4.ts'

const KEY = {
  accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG', region: 'us-east-1'
}
const NOW_MS = Date.UTC(2026, 2, 1, 10, 20, 30, 456)
const REQUEST = {
  method: 'POST',
  path: '/',
  query: '',
  host: '127.0.0.1:4566',
  contentType: 'application/x-www-form-urlencoded; charset=utf-8',
  body: 'Action=DescribeVpcs&Version=2016-11-15&Filter.1.Value.1=%C3%BC'
} as const

test('signedHeaders agrees with @smithy/signature-v4', async (t) => {
  const signer = new SignatureV4({
    credentials: KEY,
    region: KEY.region,
    service: 'ec2',
    sha256: Sha256,
    applyChecksum: false
  })
  for (const body of [REQUEST.body, '']) {
    const ours = signedHeaders({ ...REQUEST, body }, KEY, 'ec2', NOW_MS)
    const theirs = await signer.sign({
      method: REQUEST.method,
      protocol: 'http:',
      hostname: '127.0.0.1',
      path: REQUEST.path,
      headers: { 'host': REQUEST.host, 'content-type': REQUEST.contentType },
      body
    }, { signingDate: new Date(NOW_MS) })
    t.is(ours['authorization'], theirs.headers['authorization'])
    t.is(ours['x-amz-date'], '20260301T102030Z')
  }
})

test('signedHeaders agrees about paths and queries', async (t) => {
  const signer = new SignatureV4({
    credentials: KEY, region: KEY.region, service: 'route53', sha256: Sha256, applyChecksum: false
  })
  const place = { method: 'GET', path: '/2013-04-01/hostedzone/Z0A/rrset' } as const
  const ours = signedHeaders({ ...REQUEST, ...place, body: '', query: 'maxitems=2&name=a.b%2Ac' },
    KEY, 'route53', NOW_MS)
  const theirs = await signer.sign({
    ...place, protocol: 'http:', hostname: '127.0.0.1', query: { name: 'a.b*c', maxitems: '2' },
    headers: { 'host': REQUEST.host, 'content-type': REQUEST.contentType }, body: ''
  }, { signingDate: new Date(NOW_MS) })
  t.is(ours['authorization'], theirs.headers['authorization'])
})

test('signedHeaders signs body, host, Region and time', (t) => {
  type Change = Partial<typeof KEY & { body: string, host: string, nowMs: number }>
  const signature = (change: Change): string => {
    const headers = signedHeaders({ ...REQUEST, ...change }, { ...KEY, ...change }, 'ec2',
      change.nowMs ?? NOW_MS)
    return headers['authorization']?.split('Signature=')[1] ?? ''
  }
  const signatures = [
    signature({}), signature({ body: 'x' }), signature({ host: 'localhost' }),
    signature({ region: 'eu-west-1' }), signature({ nowMs: NOW_MS + 1000 }),
    signature({ secretAccessKey: 'other' })
  ]
  t.is(new Set(signatures).size, signatures.length)
})
