import test from 'ava'
import dnsPacket from 'dns-packet'
import fc from 'fast-check'
import { ServicesDirectory } from '../directory.ts'
import { DEFAULT_ENDPOINT, DEFAULT_VIEWER, DEFAULT_VPC } from '../testing/endpoint.ts'
import type { Viewer } from '../viewer.ts'
import { privateNames, publicNames, reverseNames } from './ec2_zones.ts'
import { Resolver } from './resolver.ts'
import type { Transport } from './resolver.ts'
import type { ZoneSource } from './zone_source.ts'

const INSTANCE = 'i-0123456789abcdef0'

function newDirectory (): ServicesDirectory {
  const directory = new ServicesDirectory()
  directory.apply({
    kind: 'update', revision: 1, vpcs: [DEFAULT_VPC],
    endpoints: [{ host: 'host-1', endpoint: DEFAULT_ENDPOINT }],
    instanceNames: [{ vpcId: 'vpc-1', instanceId: INSTANCE, ipv4: ['10.0.1.10'],
      ipv6: ['2001:db8::10'] }],
    publicAddresses: [{ vpcId: 'vpc-1', networkInterfaceId: 'eni-1',
      addresses: [{ publicIp: '203.0.113.5', privateIp: '10.0.1.10' }] }]
  }, () => undefined)
  return directory
}

/** A zone of everything under `test`. */
const TEST_ZONE: ZoneSource = {
  answer ({ name, type }) {
    if (!name.endsWith('.test')) return null
    const record = (data: unknown, kind: 'CNAME' | 'TXT') =>
      ({ zone: 'test', nameExists: true, records: [{ name, type: kind, ttl: 5, data }] })
    if (name === 'loop.test') return record('loop.test', 'CNAME')
    if (name === 'alias.test') return record('ip-10-0-1-10.ec2.internal', 'CNAME')
    if (name === 'away.test') return record('elsewhere.example', 'CNAME')
    if (name === 'long.test' && type === 'TXT') {
      return record(Array.from({ length: 8 }, () => 'x'.repeat(200)), 'TXT')
    }
    return { zone: 'test', nameExists: false, records: [] }
  }
}

function newResolver (): Resolver {
  const directory = newDirectory()
  return new Resolver({
    sources: [TEST_ZONE, privateNames(directory), publicNames(directory), reverseNames(directory)],
    forward: null
  })
}

interface Ask {
  readonly transport?: Transport
  readonly viewer?: Viewer
  readonly packet?: Partial<dnsPacket.Packet>
}

function bytesOf (name: string, type: string, packet: Partial<dnsPacket.Packet> = {}): Buffer {
  return dnsPacket.encode({
    type: 'query', id: 77, flags: dnsPacket.RECURSION_DESIRED,
    questions: [{ name, type: type as 'A', class: 'IN' }], ...packet
  })
}

function ask (name: string, type = 'A', { transport, viewer, packet }: Ask = {}): {
  readonly rcode: string
  readonly answers: readonly (readonly [string, unknown])[]
  readonly bytes: number
  readonly packet: dnsPacket.DecodedPacket
} {
  const answer = newResolver().answer(bytesOf(name, type, packet), viewer ?? DEFAULT_VIEWER,
    transport ?? 'udp', 8953)
  if (!Buffer.isBuffer(answer)) throw new Error('no answer at once')
  const decoded = dnsPacket.decode(answer)
  return {
    rcode: (decoded as { rcode?: string }).rcode ?? '',
    answers: (decoded.answers ?? []).map((one) =>
      [one.type, (one as { data?: unknown }).data] as const),
    bytes: answer.length,
    packet: decoded
  }
}

const OPT = { type: 'OPT', name: '.', udpPayloadSize: 4096, flags: 0, options: [] } as const
const withEdns = (more: object = {}): Partial<dnsPacket.Packet> =>
  ({ additionals: [{ ...OPT, ...more } as unknown as dnsPacket.Answer] })

test('the IP name of any address of the VPC leads to it, and back', (t) => {
  t.deepEqual(ask('ip-10-0-1-10.ec2.internal').answers, [['A', '10.0.1.10']])
  t.deepEqual(ask('IP-10-0-200-3.EC2.Internal').answers, [['A', '10.0.200.3']])
  t.deepEqual(ask('10.1.0.10.in-addr.arpa', 'PTR').answers, [['PTR', 'ip-10-0-1-10.ec2.internal']])
})

test('a name that is no address of the VPC does not exist', (t) => {
  for (const name of [
    'ip-10-1-1-10.ec2.internal', 'ip-10-0-1-300.ec2.internal', 'ip-10-0-01-10.ec2.internal',
    'ip-10-0-1.ec2.internal', 'x.ip-10-0-1-10.ec2.internal', 'i-0123456789abcdef1.ec2.internal',
    'ip-10-0-1-10.eu-west-1.compute.internal', 'example.com', 'internal'
  ]) t.is(ask(name).rcode, 'NXDOMAIN', name)
  t.is(ask('10.1.1.10.in-addr.arpa', 'PTR').rcode, 'NXDOMAIN')
})

test('elsewhere than in us-east-1 names have the Region in them', (t) => {
  const viewer = { ...DEFAULT_VIEWER, vpc: { ...DEFAULT_VPC, region: 'eu-west-1' } }
  t.deepEqual(ask('ip-10-0-1-10.eu-west-1.compute.internal', 'A', { viewer }).answers,
    [['A', '10.0.1.10']])
  t.deepEqual(ask('ec2-198-51-100-9.eu-west-1.compute.amazonaws.com', 'A', { viewer }).answers,
    [['A', '198.51.100.9']])
})

test('a resource name has what records its instance answers for', (t) => {
  t.deepEqual(ask(`${INSTANCE}.ec2.internal`).answers, [['A', '10.0.1.10']])
  t.deepEqual(ask(`${INSTANCE}.ec2.internal`, 'AAAA').answers, [['AAAA', '2001:db8::10']])
  t.is(ask(`${INSTANCE}.ec2.internal`, 'MX').rcode, 'NOERROR')
  t.deepEqual(ask(`${INSTANCE}.ec2.internal`, 'MX').answers, [])
})

test('a public name is the private address inside its VPC, and the public one elsewhere', (t) => {
  const name = 'ec2-203-0-113-5.compute-1.amazonaws.com'
  const other = { ...DEFAULT_VPC, vpcId: 'vpc-2' }
  t.deepEqual(ask(name).answers, [['A', '10.0.1.10']])
  t.deepEqual(ask(name, 'A', { viewer: { ...DEFAULT_VIEWER, vpc: other } }).answers,
    [['A', '203.0.113.5']])
  const without = { ...DEFAULT_VPC, hasDnsHostnames: false }
  t.deepEqual(ask(name, 'A', { viewer: { ...DEFAULT_VIEWER, vpc: without } }).answers,
    [['A', '203.0.113.5']])
  t.deepEqual(ask('5.113.0.203.in-addr.arpa', 'PTR').answers, [['PTR', name]])
})

test('a public name of a peer is its private address where the peer lets it be known', (t) => {
  const name = 'ec2-203-0-113-5.compute-1.amazonaws.com'
  const of = (change: Partial<typeof DEFAULT_VPC>): Ask =>
    ({ viewer: { ...DEFAULT_VIEWER, vpc: { ...DEFAULT_VPC, vpcId: 'vpc-2', ...change } } })
  t.deepEqual(ask(name, 'A', of({})).answers, [['A', '203.0.113.5']])
  t.deepEqual(ask(name, 'A', of({ resolvedPeers: ['vpc-1'] })).answers, [['A', '10.0.1.10']])
  t.deepEqual(ask(name, 'A', of({ resolvedPeers: ['vpc-1'], region: 'eu-west-1' })).answers,
    [['A', '10.0.1.10']], 'from another Region, too')
  t.deepEqual(ask(name, 'A', of({ resolvedPeers: ['vpc-1'], hasDnsHostnames: false })).answers,
    [['A', '203.0.113.5']])
  t.deepEqual(ask('ec2-203-0-113-5.eu-west-1.compute.amazonaws.com', 'A',
    of({ resolvedPeers: ['vpc-1'] })).answers, [['A', '203.0.113.5']], 'no name of the peer')
})

test('an alias is followed from zone to zone, and a circle ends', (t) => {
  t.deepEqual(ask('alias.test').answers,
    [['CNAME', 'ip-10-0-1-10.ec2.internal'], ['A', '10.0.1.10']])
  t.deepEqual(ask('alias.test', 'CNAME').answers, [['CNAME', 'ip-10-0-1-10.ec2.internal']])
  t.deepEqual(ask('away.test').answers, [['CNAME', 'elsewhere.example']])
  t.is(ask('loop.test').rcode, 'SERVFAIL')
})

test('"no" comes with the SOA record of the zone that says so', (t) => {
  const authorities = (name: string) =>
    ask(name).packet.authorities?.map((one) => [one.type, one.name])
  t.deepEqual(authorities('ip-10-1-1-10.ec2.internal'), [['SOA', 'ec2.internal']])
  t.deepEqual(authorities('example.com'), [['SOA', '.']])
})

test('what is longer than the client takes is truncated, and whole by TCP', (t) => {
  const plain = ask('long.test', 'TXT')
  t.true(plain.packet.flag_tc)
  t.true(plain.bytes <= 512)
  t.false(ask('long.test', 'TXT', { packet: withEdns() }).packet.flag_tc)
  t.true(ask('long.test', 'TXT', { packet: withEdns({ udpPayloadSize: 600 }) }).packet.flag_tc)
  t.false(ask('long.test', 'TXT', { transport: 'tcp' }).packet.flag_tc)
})

test('EDNS is answered with EDNS, another version of it with BADVERS', (t) => {
  const additionals = (packet: Partial<dnsPacket.Packet>) =>
    ask('ip-10-0-1-10.ec2.internal', 'A', { packet }).packet.additionals as unknown as
      { readonly extendedRcode: number, readonly udpPayloadSize: number }[]
  t.deepEqual(additionals({}), [])
  t.is(additionals(withEdns())[0]?.udpPayloadSize, 4096)
  t.is(additionals(withEdns({ ednsVersion: 1 }))[0]?.extendedRcode, 1)
})

test('queries that are not recursive, of another class, or not queries, are refused', (t) => {
  const name = 'ip-10-0-1-10.ec2.internal'
  t.is(ask(name, 'A', { packet: { flags: 0 } }).rcode, 'REFUSED')
  t.is(ask(name, 'A', { packet: { questions: [{ name, type: 'A', class: 'CH' }] } }).rcode,
    'REFUSED')
  t.is(ask(name, 'A', { packet: { questions: [] } }).rcode, 'FORMERR')
  t.is(ask(name, 'A', { packet: { flags: 0x100 | (5 << 11) } }).rcode, 'NOTIMP')
  const answer = bytesOf(name, 'A', { type: 'response' })
  t.is(newResolver().answer(answer, DEFAULT_VIEWER, 'udp', 1400), null)
})

test('hostile bytes are answered in bounds or not at all, and nothing throws', (t) => {
  const resolver = newResolver()
  const good = [...bytesOf('ip-10-0-1-10.ec2.internal', 'A', withEdns())]
  const check = (bytes: Uint8Array): void => {
    const answer = resolver.answer(Buffer.from(bytes), DEFAULT_VIEWER, 'udp', 1400)
    t.true(answer === null || (Buffer.isBuffer(answer) && answer.length <= 1400))
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), check), { numRuns: 500 })
  fc.assert(fc.property(fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 8 }),
    fc.nat(good.length), (changes, length) => {
      const bytes = Uint8Array.from(good)
      for (const [at, value] of changes) bytes[at] = value
      check(bytes.subarray(0, length))
    }), { numRuns: 2000 })
  // A name that points at itself.
  check(Uint8Array.of(0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1))
})

test('what no zone holds is asked elsewhere where there is an elsewhere', async (t) => {
  const ok = bytesOf('example.com', 'A', { type: 'response' })
  const resolver = new Resolver({ sources: [TEST_ZONE], forward: async (query) =>
    await Promise.resolve(query.length > 0 ? ok : null) })
  t.deepEqual(await resolver.answer(bytesOf('example.com', 'A'), DEFAULT_VIEWER, 'udp', 1400), ok)
  const silent = new Resolver({ sources: [], forward: async () => await Promise.resolve(null) })
  const failed = await silent.answer(bytesOf('example.com', 'A'), DEFAULT_VIEWER, 'udp', 1400)
  t.is((failed ?? Buffer.alloc(4)).readUInt16BE(2) & 0xf, 2)
})

test('an alias that leads elsewhere is followed there', async (t) => {
  const asked: string[] = []
  const answerTo = (query: Buffer): Buffer => {
    const [question] = dnsPacket.decode(query).questions ?? []
    asked.push(`${question?.name ?? ''} ${question?.type ?? ''}`)
    return dnsPacket.encode({
      type: 'response', id: 0, flags: dnsPacket.RECURSION_DESIRED, questions: [],
      answers: [{ name: 'elsewhere.example', type: 'A', ttl: 9, data: '198.51.100.7' }]
    })
  }
  const resolve = async (forward: (query: Buffer) => Buffer | null): Promise<unknown[]> => {
    const resolver = new Resolver({
      sources: [TEST_ZONE], forward: async (query) => await Promise.resolve(forward(query))
    })
    const answer = await resolver.answer(bytesOf('away.test', 'A'), DEFAULT_VIEWER, 'udp', 1400)
    const packet = dnsPacket.decode(answer ?? Buffer.alloc(0))
    return [(packet as unknown as { readonly rcode: string }).rcode,
      ...(packet.answers ?? []).map((one) => (one as { readonly data?: unknown }).data)]
  }
  t.deepEqual(await resolve(answerTo), ['NOERROR', 'elsewhere.example', '198.51.100.7'])
  t.deepEqual(asked, ['elsewhere.example A'])
  t.is((await resolve(() => null))[0], 'SERVFAIL')
  t.is((await resolve(() => Buffer.from('no answer')))[0], 'SERVFAIL')
})
