/**
 * The endpoint over HTTP, without a store: life of a call, DryRun, idempotency, every kind of
 * error.
 */
import test from 'ava'
import type { FastifyInstance } from 'fastify'
import { Writable } from 'node:stream'
import { pino } from 'pino'
import { Sha256 } from '@aws-crypto/sha256-js'
import { SignatureV4 } from '@smithy/signature-v4'
import { VpclabError } from '../base/errors.ts'
import { systemRandom } from '../base/random.ts'
import { AwsError } from '../model/aws_error.ts'
import { TestWorld } from '../model/test_world.ts'
import { defineRead, defineWrite } from './ec2/action.ts'
import { ACTIONS } from './ec2/actions/registry.ts'
import { CLIENT_TOKEN_AGE_MAX_MS } from './ec2/idempotency.ts'
import { KeyRing } from './key_ring.ts'
import { ActionRunner } from './ec2/runner.ts'
import { createEc2Service } from './ec2/service.ts'
import { BODY_BYTES_MAX, createEndpoint } from './endpoint.ts'
import type { Call } from './service.ts'

const KEY = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret', accountId: '111111111111' }
const OTHER = { accessKeyId: 'AKIDOTHER', secretAccessKey: 'other', accountId: '222222222222' }

interface Answer { readonly status: number, readonly xml: string, readonly code: string }

/** A server over a TestWorld whose clock the test holds. */
class TestServer {
  readonly world = new TestWorld()
  readonly log: string[] = []
  readonly calls: Call[] = []
  /** How often the action with a client token was planned. */
  planned = 0
  failure: Error | null = null
  readonly #server: FastifyInstance

  constructor () {
    // One action with a client token, small enough to count what it does.
    const create = defineWrite<{ readonly SourceIp?: string, readonly ClientToken?: string },
      { id: string }, object>({
      name: 'CreateNetworkInsightsPath',
      plan: (_view, input, context) => {
        this.planned++
        if (this.failure !== null) throw this.failure
        if (input.SourceIp === 'bad') throw new AwsError('InvalidParameterValue', 'bad')
        return { changes: [], result: { id: context.newId('nip') } }
      },
      print: (_view, { id }) => ({ NetworkInsightsPath: { NetworkInsightsPathId: id } })
    })
    const crash = defineRead<object,
      object>({ name: 'DescribeHosts', read: () => { throw new Error('inside') } })
    const clock = { nowMs: () => this.world.nowMs, monotonicMs: () => 0 }
    const runner = new ActionRunner([...ACTIONS, create, crash], {
      ledger: this.world, clock, random: systemRandom,
      lab: () => ({ appliedRevision: this.world.snapshot.revision })
    })
    this.#server = createEndpoint({
      services: [createEc2Service(runner)], keyRing: new KeyRing([KEY, OTHER]),
      random: systemRandom, clock, onCall: (call) => { this.calls.push(call) },
      log: pino({ level: 'debug' }, new Writable(
        { write: (line: Buffer, _encoding, done) => { this.log.push(line.toString()); done() } })),
      reset: () => Promise.resolve({ revision: 7, removed: 3 })
    })
  }

  async call (action: string, parameters: Readonly<Record<string, string>> = {},
    key = KEY): Promise<Answer> {
    const body = new URLSearchParams(
      { Action: action, Version: '2016-11-15', ...parameters }).toString()
    return await this.send('POST', '/', body, key)
  }

  async send (method: 'POST' | 'GET', path: string, body: string, key = KEY): Promise<Answer> {
    const signer = new SignatureV4(
      { service: 'ec2', region: 'us-east-1', sha256: Sha256, credentials: key })
    const { headers } = await signer.sign(
      { method, protocol: 'http:', hostname: 'h', path, body, headers: { host: 'h' } },
      { signingDate: new Date(this.world.nowMs) })
    return await this.inject(method, path, body, headers)
  }

  async inject (method: 'POST' | 'GET', url: string, payload: string, headers: Record<string,
    string>): Promise<Answer> {
    const answer = await this.#server.inject(
      { method, url, payload, headers: { 'content-type': 'application/x-www-form-urlencoded',
      ...headers } })
    return {
      status: answer.statusCode, xml: answer.body,
      code: /<Code>(.*)<\/Code>/.exec(answer.body)?.[1] ?? ''
    }
  }
}

function element (answer: Answer, name: string): string {
  return new RegExp(`<${name}>(.*?)</${name}>`).exec(answer.xml)?.[1] ?? ''
}

test('a call is planned, committed and printed', async (t) => {
  const server = new TestServer()
  const created = await server.call('CreateVpc', { CidrBlock: '10.0.0.0/16' })
  t.is(created.status, 200)
  t.is(server.world.view().list('vpc')[0]?.id, element(created, 'vpcId'))
  t.regex(element(created, 'requestId'),
    /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  const deleted = await server.call('DeleteVpc', { VpcId: element(created, 'vpcId') })
  t.is(element(deleted, 'return'), 'true')
})

test('DryRun says whether the call would be allowed, and changes nothing', async (t) => {
  const server = new TestServer()
  const good = await server.call('CreateVpc', { CidrBlock: '10.0.0.0/16', DryRun: 'true' })
  t.deepEqual([good.status, good.code], [412, 'DryRunOperation'])
  const bad = await server.call('CreateVpc', { CidrBlock: '10.0.0.0/8', DryRun: 'true' })
  t.deepEqual([bad.status, bad.code], [400, 'InvalidVpc.Range'])
  t.is((await server.call('DescribeVpcs', { DryRun: 'true' })).code, 'DryRunOperation')
  t.is((await server.call('CreateVpc', { CidrBlock: '10.0.0.0/16', DryRun: 'false' })).status, 200)
  t.is(server.world.view().list('vpc').length, 1)
})

test('one client token acts once', async (t) => {
  const server = new TestServer()
  const create = async (token: string, sourceIp = 'a', key = KEY): Promise<Answer> =>
    await server.call('CreateNetworkInsightsPath',
      { Source: 's', Protocol: 'tcp', ClientToken: token, SourceIp: sourceIp }, key)
  const first = await create('t1')
  t.is(first.status, 200, first.xml)
  const again = await create('t1')
  const id = element(first, 'networkInsightsPathId')
  t.is(element(again, 'networkInsightsPathId'), id)
  t.is(server.planned, 1)
  t.is((await create('t1', 'b')).code, 'IdempotentParameterMismatch')
  t.not(element(await create('t2'), 'networkInsightsPathId'), id)
  t.not(element(await create('t1', 'a', OTHER), 'networkInsightsPathId'), id,
    'tokens are an account\'s own')
  t.is((await create('x'.repeat(65))).code, 'InvalidClientToken')
  t.is((await create('t3', 'bad')).code, 'InvalidParameterValue')
  t.is((await create('t3', 'good')).status, 200, 'a refused call keeps no token')
})

test('a client token is forgotten after a day, and its record goes with a later call',
  async (t) => {
  const server = new TestServer()
  const create = async (token: string): Promise<Answer> =>
    await server.call('CreateNetworkInsightsPath',
      { Source: 's', Protocol: 'tcp', ClientToken: token })
  t.is((await create('old')).status, 200)
  t.is((await create('older-sibling')).status, 200)
  t.is(server.world.snapshot.tables.idempotency.size, 2)
  server.world.nowMs += CLIENT_TOKEN_AGE_MAX_MS + 1
  await create('old')
  t.is(server.planned, 3)
  t.is(server.world.snapshot.tables.idempotency.size, 1)
})

test('accounts and Regions do not see each other', async (t) => {
  const server = new TestServer()
  const vpcId = element(await server.call('CreateVpc', { CidrBlock: '10.0.0.0/16' }), 'vpcId')
  t.true((await server.call('DescribeVpcs', {}, OTHER)).xml.includes('<vpcSet/>'))
  t.is((await server.call('DescribeVpcs', { 'VpcId.1': vpcId }, OTHER)).code,
    'InvalidVpcID.NotFound')
  t.is((await server.call('DeleteVpc', { VpcId: vpcId }, OTHER)).code, 'InvalidVpcID.NotFound')
})

test('an action that is none, or is not built, is named', async (t) => {
  const server = new TestServer()
  const code = async (body: string): Promise<string> => (await server.send('POST', '/', body)).code
  t.is((await server.call('MakeVpc')).code, 'InvalidAction')
  const unbuilt = await server.call('CreateTransitGateway', { Type: 'ipsec.1' })
  t.is(unbuilt.code, 'UnsupportedOperation')
  t.true(unbuilt.xml.includes('CreateTransitGateway'))
  t.is((await server.call('CreateVpc', { Ipv4IpamPoolId: 'x' })).code, 'UnsupportedOperation')
  t.is(await code('Version=2016-11-15'), 'MissingAction')
  t.is(await code('Action=DescribeVpcs&Version=2006-01-01'), 'NoSuchVersion')
  t.is(await code('Action=DescribeVpcs'), 'MissingParameter')
})

test('what is not signed is not answered', async (t) => {
  const server = new TestServer()
  const answer = await server.inject('POST', '/', 'Action=DescribeVpcs&Version=2016-11-15', {})
  t.deepEqual([answer.code, answer.status], ['MissingAuthenticationToken', 400])
  t.is((await server.inject('POST', '/_vpclab/reset', '', {})).code, 'MissingAuthenticationToken')
  const wrong = await server.call('DescribeVpcs', {}, { ...KEY, secretAccessKey: 'x' })
  t.deepEqual([wrong.code, wrong.status], ['AuthFailure', 401])
  const unknown = await server.call('DescribeVpcs', {}, { ...KEY, accessKeyId: 'AKIDOTHER' })
  t.deepEqual([unknown.code, unknown.status], ['AuthFailure', 401])
  t.is(element(unknown, 'Message'), element(wrong, 'Message'), 'nobody learns which keys exist')
})

test('a presigned GET is a call', async (t) => {
  const server = new TestServer()
  const signer = new SignatureV4(
    { service: 'ec2', region: 'us-east-1', sha256: Sha256, credentials: KEY })
  const { query = {} } = await signer.presign({
    method: 'GET', protocol: 'http:', hostname: 'h', path: '/', headers: { host: 'h' },
    query: { Action: 'DescribeRegions', Version: '2016-11-15' }
  }, { signingDate: new Date(server.world.nowMs), expiresIn: 60 })
  const text = new URLSearchParams(query as Record<string, string>).toString()
  const answer = await server.inject('GET', `/?${text}`, '', { host: 'h' })
  t.is(answer.status, 200, answer.xml)
  t.true(answer.xml.includes('<regionName>eu-west-1</regionName>'))
})

test('a reset that is signed is done', async (t) => {
  const server = new TestServer()
  const answer = await server.send('POST', '/_vpclab/reset', '')
  t.deepEqual([answer.status, JSON.parse(answer.xml)], [200, { revision: 7, removed: 3 }])
})

test('what is no call at all is refused in EC2\'s form', async (t) => {
  const server = new TestServer()
  t.deepEqual([(await server.send('POST', '/other', '')).status,
    (await server.send('POST', '/other', '')).code], [404, 'InvalidRequest'])
  const big = await server.inject('POST', '/', 'a'.repeat(BODY_BYTES_MAX + 1), {})
  t.deepEqual([big.status, big.code], [400, 'InvalidRequest'])
})

test('our own failures are logged, and shown without their inside', async (t) => {
  const server = new TestServer()
  const crashed = await server.call('DescribeHosts')
  t.deepEqual([crashed.status, crashed.code], [500, 'InternalError'])
  t.false(crashed.xml.includes('inside'))
  t.true(server.log.some(
    (line) => line.includes('"msg":"api call failed"') && line.includes('inside') &&
    line.includes(element(crashed, 'RequestID'))))
  server.failure = new VpclabError('VPCLAB_ERR_STORE_CONFLICT', 'moved')
  const busy = await server.call(
    'CreateNetworkInsightsPath', { Source: 's', Protocol: 'tcp', ClientToken: 't' })
  t.deepEqual([busy.status, busy.code], [503, 'Unavailable'])
})
