import test from 'ava'
import dnsPacket from 'dns-packet'
import type { RecordType } from '../../model/resource_record.ts'
import { ServicesDirectory } from '../directory.ts'
import { DEFAULT_VIEWER, DEFAULT_VPC } from '../testing/endpoint.ts'
import type { Viewer } from '../viewer.ts'
import { privateNames, reverseNames } from './ec2_zones.ts'
import { HostedZones } from './hosted_zones.ts'
import { Resolver } from './resolver.ts'

type Records = readonly (readonly [name: string, type: RecordType, ...values: readonly string[]])[]

function addZone (zones: HostedZones, zoneId: string, name: string, records: Records,
  vpcIds = ['vpc-1']): void {
  zones.apply([{ zoneId, name, vpcIds }], [
    { zoneId, name, type: 'SOA', ttlS: 900, values: ['ns.example host.example 1 2 3 4 86400'] },
    ...records.map(([owner, type, ...values]) => ({ zoneId, name: owner, type, ttlS: 30, values }))
  ])
}

/** @returns rcode, and answers as `type data` */
function ask (zones: HostedZones, name: string, type = 'A', viewer: Viewer = DEFAULT_VIEWER):
readonly [string, ...string[]] {
  const directory = new ServicesDirectory()
  const resolver = new Resolver({
    sources: [zones, privateNames(directory), reverseNames(directory)], forward: null
  })
  const query = dnsPacket.encode({
    type: 'query', id: 1, flags: dnsPacket.RECURSION_DESIRED,
    questions: [{ name, type: type as 'A', class: 'IN' }]
  })
  const packet = dnsPacket.decode(resolver.answer(query, viewer, 'udp', 4096) as Buffer)
  const [soa] = packet.authorities ?? []
  return [
    (packet as unknown as { readonly rcode: string }).rcode,
    ...(packet.answers ?? []).map((one) =>
      `${one.name} ${one.type} ${textOf((one as { readonly data: unknown }).data)}`),
    ...soa === undefined ? [] : [`SOA ${soa.name} ${String((soa as { ttl?: number }).ttl)}`]
  ]
}

function textOf (data: unknown): string {
  if (typeof data === 'string') return data
  if (Array.isArray(data)) return (data as Buffer[]).map((one) => one.toString('latin1')).join('|')
  return Object.values(data as object).map(String).join(' ')
}

test('records of every type are answered as they were written', (t) => {
  const zones = new HostedZones()
  addZone(zones, 'Z1', 'corp.example', [
    ['a.corp.example', 'A', '10.0.0.1', '10.0.0.2'],
    ['a.corp.example', 'AAAA', '2001:db8::1'],
    ['corp.example', 'MX', '10 Mail.corp.example.'],
    ['_sip._udp.corp.example', 'SRV', '1 2 5060 a.corp.example'],
    ['t.corp.example', 'TXT', '"a \\"b\\"" "c\\351"'],
    ['corp.example', 'CAA', '128 issue "ca.example"'],
    ['corp.example', 'NS', 'ns.example.'],
    ['1.0.0.10.in-addr.arpa.corp.example', 'PTR', 'a.corp.example']
  ])
  const answers = (name: string, type: string): string[] => ask(zones, name, type).slice(1)
  t.deepEqual(answers('A.corp.example', 'A'),
    ['a.corp.example A 10.0.0.1', 'a.corp.example A 10.0.0.2'])
  t.deepEqual(answers('a.corp.example', 'AAAA'), ['a.corp.example AAAA 2001:db8::1'])
  t.deepEqual(answers('corp.example', 'MX'), ['corp.example MX 10 mail.corp.example'])
  t.regex(answers('_sip._udp.corp.example', 'SRV')[0] ?? '', /SRV 1 2 5060 a\.corp\.example$/)
  t.deepEqual(answers('t.corp.example', 'TXT'), ['t.corp.example TXT a "b"|c\xe9'])
  t.regex(answers('corp.example', 'CAA')[0] ?? '', /128 issue ca\.example/)
  t.deepEqual(answers('corp.example', 'NS'), ['corp.example NS ns.example'])
  t.is(ask(zones, 'corp.example', 'SOA').length, 2)
})

test('"no" comes with the zone\'s own SOA record, kept as long as it says', (t) => {
  const zones = new HostedZones()
  addZone(zones, 'Z1', 'corp.example', [['a.b.corp.example', 'A', '10.0.0.1']])
  const soa = 'SOA corp.example 900'
  t.deepEqual(ask(zones, 'x.corp.example'), ['NXDOMAIN', soa])
  t.deepEqual(ask(zones, 'a.b.corp.example', 'MX'), ['NOERROR', soa])
  t.deepEqual(ask(zones, 'b.corp.example'), ['NOERROR', soa], 'something is below it')
  t.deepEqual(ask(zones, 'x.a.b.corp.example'), ['NXDOMAIN', soa])
  t.deepEqual(ask(zones, 'notcorp.example')[0], 'NXDOMAIN')
})

test('a wildcard answers where no name is, and no further', (t) => {
  const zones = new HostedZones()
  addZone(zones, 'Z1', 'corp.example', [
    ['*.corp.example', 'A', '10.0.0.9'], ['a.b.corp.example', 'A', '10.0.0.1']
  ])
  t.deepEqual(ask(zones, 'x.corp.example').slice(1), ['x.corp.example A 10.0.0.9'])
  t.deepEqual(ask(zones, 'x.y.corp.example').slice(1), ['x.y.corp.example A 10.0.0.9'])
  t.is(ask(zones, 'x.corp.example', 'MX')[0], 'NOERROR')
  t.is(ask(zones, 'x.b.corp.example')[0], 'NXDOMAIN', 'b.corp.example exists')
  t.deepEqual(ask(zones, '*.corp.example').slice(1), ['*.corp.example A 10.0.0.9'])
})

test('the zone with the longest name decides, and hides what is behind it', (t) => {
  const zones = new HostedZones()
  addZone(zones, 'Z1', 'example',
    [['a.b.example', 'A', '10.0.0.1'], ['c.example', 'A', '10.0.0.1']])
  addZone(zones, 'Z2', 'b.example', [['c.b.example', 'CNAME', 'c.example']])
  t.deepEqual(ask(zones, 'a.b.example'), ['NXDOMAIN', 'SOA b.example 900'])
  t.deepEqual(ask(zones, 'c.b.example').slice(1),
    ['c.b.example CNAME c.example', 'c.example A 10.0.0.1'], 'an alias leads into another zone')
  addZone(zones, 'Z3', 'ec2.internal', [['db.ec2.internal', 'A', '10.0.0.3']])
  addZone(zones, 'Z4', 'internal', [['x.internal', 'A', '10.0.0.4']])
  t.is(ask(zones, 'ip-10-0-1-10.ec2.internal')[0], 'NXDOMAIN', 'the VPC\'s own names are hidden')
  t.is(ask(zones, 'db.ec2.internal')[0], 'NOERROR')
  addZone(zones, 'Z3', 'ec2.internal', [], [])
  t.deepEqual(ask(zones, 'ip-10-0-1-10.ec2.internal').slice(1),
    ['ip-10-0-1-10.ec2.internal A 10.0.1.10'], 'and are there again, above the zone internal')
  addZone(zones, 'Z5', '1.0.10.in-addr.arpa', [['10.1.0.10.in-addr.arpa', 'PTR', 'a.example']])
  t.deepEqual(ask(zones, '10.1.0.10.in-addr.arpa', 'PTR').slice(1),
    ['10.1.0.10.in-addr.arpa PTR a.example'])
})

test('a VPC sees the zones that it is associated with, while its DNS attributes are on', (t) => {
  const zones = new HostedZones()
  addZone(zones, 'Z1', 'corp.example', [['a.corp.example', 'A', '10.0.0.1']])
  const of = (change: Partial<typeof DEFAULT_VPC>): Viewer =>
    ({ ...DEFAULT_VIEWER, vpc: { ...DEFAULT_VPC, ...change } })
  t.is(ask(zones, 'a.corp.example')[0], 'NOERROR')
  t.deepEqual(ask(zones, 'a.corp.example', 'A', of({ vpcId: 'vpc-2' })).slice(1), ['SOA . 60'],
    'nobody has the name')
  t.is(ask(zones, 'a.corp.example', 'A', of({ hasDnsHostnames: false }))[0], 'NXDOMAIN')
  zones.apply([{ zoneId: 'Z1', name: 'corp.example', vpcIds: ['vpc-2'] }], [])
  t.is(ask(zones, 'a.corp.example')[0], 'NXDOMAIN')
  t.is(ask(zones, 'a.corp.example', 'A', of({ vpcId: 'vpc-2' }))[0], 'NOERROR')
})

test('what was in a zone is not there any more when it is gone', (t) => {
  const zones = new HostedZones()
  addZone(zones, 'Z1', 'corp.example', [['a.b.corp.example', 'A', '10.0.0.1']])
  zones.apply([], [
    { zoneId: 'Z1', name: 'a.b.corp.example', type: 'A', ttlS: 0, values: [] }
  ])
  t.is(ask(zones, 'a.b.corp.example')[0], 'NXDOMAIN')
  t.is(ask(zones, 'b.corp.example')[0], 'NXDOMAIN', 'nothing is below it any more')
  zones.apply([{ zoneId: 'Z1', name: '', vpcIds: [] }], [])
  t.is(ask(zones, 'corp.example', 'SOA')[0], 'NXDOMAIN')
})
