import test from 'ava'
import dnsPacket from 'dns-packet'
import { ServicesDirectory } from '../directory.ts'
import { DEFAULT_ENDPOINT, DEFAULT_VIEWER, DEFAULT_VPC } from '../testing/endpoint.ts'
import type { Viewer } from '../viewer.ts'
import { privateNames, publicNames } from './ec2_zones.ts'
import { Resolver } from './resolver.ts'
import type { Forward } from './resolver.ts'
import type { ZoneSource } from './zone_source.ts'

const INSTANCE = 'i-0123456789abcdef0'
const WITH_DNS64: Viewer =
  { ...DEFAULT_VIEWER, endpoint: { ...DEFAULT_ENDPOINT, hasDns64: true } }
const RCODE_MASK = 0xf
const NXDOMAIN = 3
const SERVFAIL = 2
const CHECKING_DISABLED = 0x10

/** A name of EC2, and one that nobody here knows. */
const TARGETS: Readonly<Record<string, string>> =
  { 'alias.test': 'ip-10-0-1-10.ec2.internal', 'away.test': 'example.com' }
const ALIASES: ZoneSource = {
  answer: ({ name }) => TARGETS[name] === undefined ? null : {
    zone: 'test', nameExists: true,
    records: [{ name, type: 'CNAME', ttl: 5, data: TARGETS[name] }]
  }
}

function newResolver (forward: Forward | null = null): Resolver {
  const directory = new ServicesDirectory()
  directory.apply({
    kind: 'update', revision: 1, vpcs: [DEFAULT_VPC],
    instanceNames: [{ vpcId: 'vpc-1', instanceId: INSTANCE, ipv4: ['10.0.1.10'],
      ipv6: ['2001:db8::10'] }]
  }, () => undefined)
  return new Resolver(
    { sources: [ALIASES, privateNames(directory), publicNames(directory)], forward })
}

type Answers = readonly (readonly unknown[])[]

interface Asked {
  readonly viewer?: Viewer
  readonly forward?: Forward
  readonly flags?: number
  readonly wantsDnssec?: boolean
  readonly hasTtl?: boolean
}

async function ask (
  name: string, type: 'A' | 'AAAA' | 'PTR', asked: Asked = {}
): Promise<{ rcode: number, answers: Answers }> {
  const query = dnsPacket.encode({
    type: 'query', id: 7, flags: dnsPacket.RECURSION_DESIRED | (asked.flags ?? 0),
    questions: [{ name, type, class: 'IN' }],
    ...asked.wantsDnssec === true
      ? { additionals: [{ type: 'OPT', name: '.', udpPayloadSize: 1232,
          flags: dnsPacket.DNSSEC_OK, options: [] } as unknown as dnsPacket.Answer] } : {}
  })
  const answer = await newResolver(asked.forward ?? null)
    .answer(query, asked.viewer ?? WITH_DNS64, 'udp', 8953)
  if (answer === null) throw new Error('no answer')
  const packet = dnsPacket.decode(answer)
  return {
    rcode: (packet.flags ?? 0) & RCODE_MASK,
    answers: (packet.answers ?? []).map((one) => {
      const { data, ttl } = one as { data?: unknown, ttl?: number }
      return asked.hasTtl === true ? [one.type, data, ttl] : [one.type, data]
    })
  }
}

interface Zone {
  readonly rcode?: number
  readonly answers?: dnsPacket.Answer[]
  readonly soa?: readonly [ttl: number, minimum: number]
}

/** A resolver elsewhere, by the type that is asked for; it does not answer for what is absent. */
function elsewhere (zones: Partial<Record<string, Zone>>, asked: string[] = []): Forward {
  return (query) => {
    const { questions = [], id = 0 } = dnsPacket.decode(query)
    const [question] = questions
    if (question === undefined) return Promise.resolve(null)
    asked.push(question.type)
    const zone = zones[question.type]
    return Promise.resolve(zone === undefined ? null : dnsPacket.encode({
      type: 'response', id, flags: zone.rcode ?? 0, questions, answers: zone.answers ?? [],
      authorities: zone.soa === undefined ? [] : [{ type: 'SOA', name: 'example.com',
        ttl: zone.soa[0], data: { mname: 'ns.example.com', rname: 'h.example.com', serial: 1,
          refresh: 1, retry: 1, expire: 1, minimum: zone.soa[1] } }]
    }))
  }
}

const A: dnsPacket.Answer = { type: 'A', name: 'example.com', ttl: 3600, data: '198.51.100.10' }
const MADE = '64:ff9b::c633:640a'

test('a name with IPv4 addresses alone gets IPv6 addresses of NAT64', async (t) => {
  t.deepEqual((await ask('ip-10-0-1-10.ec2.internal', 'AAAA')).answers,
    [['AAAA', '64:ff9b::a00:10a']])
  t.deepEqual((await ask('ec2-198-51-100-10.compute-1.amazonaws.com', 'AAAA')).answers,
    [['AAAA', MADE]])
  t.deepEqual((await ask('ip-10-0-1-10.ec2.internal', 'A')).answers, [['A', '10.0.1.10']])
})

test('aliases on the way stay', async (t) => {
  t.deepEqual((await ask('alias.test', 'AAAA')).answers,
    [['CNAME', 'ip-10-0-1-10.ec2.internal'], ['AAAA', '64:ff9b::a00:10a']])
})

test('an alias that leads elsewhere is followed before anything is made', async (t) => {
  const alias = ['CNAME', 'example.com', 5]
  t.deepEqual((await ask('away.test', 'AAAA', { hasTtl: true,
    forward: elsewhere({ AAAA: { soa: [900, 300] }, A: { answers: [A] } }) })).answers,
  [alias, ['AAAA', MADE, 300]])
  const six: dnsPacket.Answer = { type: 'AAAA', name: 'example.com', ttl: 5, data: '2001:db8::1' }
  t.deepEqual((await ask('away.test', 'AAAA', { hasTtl: true,
    forward: elsewhere({ AAAA: { answers: [six] }, A: { answers: [A] } }) })).answers,
  [alias, ['AAAA', '2001:db8::1', 5]])
  t.is((await ask('away.test', 'AAAA', {
    forward: elsewhere({ AAAA: { rcode: NXDOMAIN }, A: { answers: [A] } }) })).rcode, NXDOMAIN)
  t.is((await ask('away.test', 'AAAA', { forward: elsewhere({}) })).rcode, SERVFAIL)
})

test('a name that has IPv6 addresses keeps them; one that is not is not made', async (t) => {
  t.deepEqual((await ask(`${INSTANCE}.ec2.internal`, 'AAAA')).answers, [['AAAA', '2001:db8::10']])
  t.is((await ask('nobody.ec2.internal', 'AAAA')).rcode, NXDOMAIN)
})

test('subnets without DNS64 are told what there is', async (t) => {
  const without = await ask('ip-10-0-1-10.ec2.internal', 'AAAA', { viewer: DEFAULT_VIEWER })
  t.deepEqual(without, { rcode: 0, answers: [] })
})

test('names of elsewhere: what stands, what is made, and for how long', async (t) => {
  const asked: string[] = []
  const made = await ask('example.com', 'AAAA', { hasTtl: true,
    forward: elsewhere({ AAAA: { soa: [900, 300] }, A: { answers: [A] } }, asked) })
  t.deepEqual(made.answers, [['AAAA', MADE, 300]], 'no longer than "no" may be kept')
  t.deepEqual(asked, ['AAAA', 'A'])
  t.deepEqual((await ask('example.com', 'AAAA', { hasTtl: true,
    forward: elsewhere({ AAAA: {}, A: { answers: [A] } }) })).answers, [['AAAA', MADE, 600]])
  const six: dnsPacket.Answer = { type: 'AAAA', name: 'example.com', ttl: 5, data: '2001:db8::1' }
  t.deepEqual((await ask('example.com', 'AAAA', {
    forward: elsewhere({ AAAA: { answers: [six] }, A: { answers: [A] } }) })).answers,
  [['AAAA', '2001:db8::1']])
  t.is((await ask('example.com', 'AAAA', {
    forward: elsewhere({ AAAA: { rcode: NXDOMAIN }, A: { answers: [A] } }) })).rcode, NXDOMAIN)
})

test('who does not answer about IPv6 may answer about IPv4', async (t) => {
  for (const zone of [undefined, { rcode: SERVFAIL }]) {
    t.deepEqual((await ask('example.com', 'AAAA', {
      forward: elsewhere({ ...zone === undefined ? {} : { AAAA: zone }, A: { answers: [A] } }) })
    ).answers, [['AAAA', MADE]])
  }
  t.is((await ask('example.com', 'AAAA', { forward: elsewhere({}) })).rcode, SERVFAIL)
  t.deepEqual(await ask('example.com', 'AAAA', { forward: elsewhere({ AAAA: {}, A: {} }) }),
    { rcode: 0, answers: [] })
})

test('::ffff:0:0/96 is no IPv6 address', async (t) => {
  const mapped: dnsPacket.Answer =
    { type: 'AAAA', name: 'example.com', ttl: 5, data: '::ffff:192.0.2.1' }
  t.deepEqual((await ask('example.com', 'AAAA', {
    forward: elsewhere({ AAAA: { answers: [mapped] }, A: { answers: [A] } }) })).answers,
  [['AAAA', MADE]])
})

test('who validates is told nothing that is made', async (t) => {
  const name = 'ip-10-0-1-10.ec2.internal'
  t.deepEqual((await ask(name, 'AAAA', { wantsDnssec: true, flags: CHECKING_DISABLED })).answers,
    [])
  t.is((await ask(name, 'AAAA', { wantsDnssec: true })).answers.length, 1)
  t.is((await ask(name, 'AAAA', { flags: CHECKING_DISABLED })).answers.length, 1)
})
