/**
 * Private hosted zones by the stock AWS command line (`aws route53`) and the SDK for JavaScript:
 * what is made, listed, changed and refused.
 */
import {
  ChangeResourceRecordSetsCommand, ListResourceRecordSetsCommand, Route53Client
} from '@aws-sdk/client-route-53'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import type { AccessKey } from '../../daemon/api/key_ring.ts'
import { commandLine } from './command_line.ts'
import type { Answer } from './command_line.ts'
import { ALICE, BOB, openEndpoint } from './endpoint.ts'
import type { Endpoint, EndpointOptions } from './endpoint.ts'

type Output = Answer['output']

interface Account {
  readonly aws: (...args: readonly string[]) => Promise<Answer>
  /** Succeeds. */
  readonly ok: (...args: readonly string[]) => Promise<Output>
  readonly vpc: () => Promise<string>
}

function account (t: ExecutionContext, endpoint: Endpoint, key: AccessKey = ALICE): Account {
  const aws = commandLine(endpoint, 'route53', key)
  const ec2 = commandLine(endpoint, 'ec2', key)
  const ok = async (...args: readonly string[]): Promise<Output> => {
    const answer = await aws(...args)
    t.is(answer.code, '', `${args.join(' ')}: ${answer.message ?? ''}`)
    return answer.output
  }
  return {
    aws, ok,
    vpc: async () => {
      const { output } = await ec2('create-vpc', '--cidr-block', '10.0.0.0/16')
      return (output['Vpc'] as { readonly VpcId: string }).VpcId
    }
  }
}

async function open (t: ExecutionContext, options: EndpointOptions = {}): Promise<Endpoint> {
  const endpoint = await openEndpoint(options)
  t.teardown(async () => { await endpoint.close() })
  return endpoint
}

const vpcArgument = (vpc: string): string => `VPCRegion=us-east-1,VPCId=${vpc}`

const create = (name: string, vpc: string): string[] => ['create-hosted-zone', '--name', name,
  '--vpc', vpcArgument(vpc), '--caller-reference', `${name} for ${vpc}`]

/** The id without its path. */
const idOf = (output: Output): string =>
  (output['HostedZone'] as { readonly Id: string }).Id.replace('/hostedzone/', '')

interface Batched {
  readonly Name: string
  readonly Type: string
  readonly values: readonly string[]
}

const batch = (zone: string, ...changes: readonly (readonly [string, Batched])[]): string[] =>
  ['change-resource-record-sets', '--hosted-zone-id', zone, '--change-batch', JSON.stringify({
    Comment: 'a batch',
    Changes: changes.map(([Action, { values, ...set }]) => ({
      Action,
      ResourceRecordSet: { TTL: 60, ...set, ResourceRecords: values.map((Value) => ({ Value })) }
    }))
  })]

const record = (Name: string, Type: string, ...values: readonly string[]): Batched =>
  ({ Name, Type, values })

test('a zone is made, described, listed, commented, tagged and deleted', async (t) => {
  const endpoint = await open(t)
  const { ok, vpc } = account(t, endpoint)
  const vpcId = await vpc()
  const made = await ok(...create('Corp.Example', vpcId), '--hosted-zone-config',
    'Comment=the office,PrivateZone=true')
  const zone = idOf(made)
  t.regex(zone, /^Z[0-9A-Z]{17}$/)
  t.like(made, {
    Location: `https://route53.amazonaws.com/2013-04-01/hostedzone/${zone}`,
    HostedZone: {
      Name: 'corp.example.', Config: { Comment: 'the office', PrivateZone: true },
      ResourceRecordSetCount: 2
    },
    VPC: { VPCRegion: 'us-east-1', VPCId: vpcId }
  })
  const change = (made['ChangeInfo'] as { readonly Id: string }).Id
  t.like(await ok('get-change', '--id', change), { ChangeInfo: { Status: 'INSYNC' } })
  await ok('wait', 'resource-record-sets-changed', '--id', change)
  t.like(await ok('get-hosted-zone', '--id', `/hostedzone/${zone}`),
    { VPCs: [{ VPCRegion: 'us-east-1', VPCId: vpcId }] })
  t.like(await ok('list-hosted-zones'), { HostedZones: [{ Id: `/hostedzone/${zone}` }] })
  t.like(await ok('list-hosted-zones-by-vpc', '--vpc-id', vpcId, '--vpc-region', 'us-east-1'), {
    HostedZoneSummaries: [{
      HostedZoneId: zone, Name: 'corp.example.', Owner: { OwningAccount: ALICE.accountId }
    }]
  })
  t.like(await ok('get-hosted-zone-count'), { HostedZoneCount: 1 })
  await ok('update-hosted-zone-comment', '--id', zone, '--comment', 'the new office')
  t.like(await ok('get-hosted-zone', '--id', zone),
    { HostedZone: { Config: { Comment: 'the new office' } } })
  await ok('change-tags-for-resource', '--resource-type', 'hostedzone', '--resource-id', zone,
    '--add-tags', 'Key=a,Value=1', 'Key=b,Value=2')
  await ok('change-tags-for-resource', '--resource-type', 'hostedzone', '--resource-id', zone,
    '--remove-tag-keys', 'a')
  t.deepEqual(await ok('list-tags-for-resource', '--resource-type', 'hostedzone',
    '--resource-id', zone), {
    ResourceTagSet: {
      ResourceType: 'hostedzone', ResourceId: zone, Tags: [{ Key: 'b', Value: '2' }]
    }
  })
  await ok('delete-hosted-zone', '--id', zone)
  t.deepEqual((await ok('list-hosted-zones'))['HostedZones'], [])
})

test('records are changed in batches, and listed in the order of their names', async (t) => {
  const { ok, aws, vpc } = account(t, await open(t))
  const zone = idOf(await ok(...create('corp.example', await vpc())))
  await ok(...batch(zone,
    ['CREATE', record('www.corp.example', 'A', '10.0.1.10', '10.0.1.11')],
    ['CREATE', record('a.www.corp.example', 'AAAA', '2001:db8::1')],
    ['CREATE', record('*.corp.example', 'CNAME', 'www.corp.example')],
    ['CREATE', record('corp.example', 'MX', '10 mail.corp.example')],
    ['CREATE', record('_sip._udp.corp.example', 'SRV', '10 5 5060 www.corp.example.')],
    ['UPSERT', record('corp.example', 'TXT', '"a text" "and \\"another\\""')],
    ['CREATE', record('corp.example', 'CAA', '0 issue "ca.example"')]))
  const listed = await ok('list-resource-record-sets', '--hosted-zone-id', zone)
  const sets = listed['ResourceRecordSets'] as
    readonly { readonly Name: string, readonly Type: string, readonly ResourceRecords: object[] }[]
  t.deepEqual(sets.map(({ Name, Type }) => `${Name} ${Type}`), [
    'corp.example. CAA', 'corp.example. MX', 'corp.example. NS', 'corp.example. SOA',
    'corp.example. TXT', '\\052.corp.example. CNAME', '_sip._udp.corp.example. SRV',
    'www.corp.example. A', 'a.www.corp.example. AAAA'
  ])
  t.deepEqual(sets[4]?.ResourceRecords, [{ Value: '"a text" "and \\"another\\""' }])
  const from = await ok('list-resource-record-sets', '--hosted-zone-id', zone,
    '--start-record-name', 'www.corp.example', '--max-items', '1')
  t.like(from, { ResourceRecordSets: [{ Name: 'www.corp.example.' }] })
  await ok(...batch(zone, ['DELETE', record('www.corp.example', 'A', '10.0.1.11', '10.0.1.10')],
    ['CREATE', record('www.corp.example', 'CNAME', 'a.www.corp.example')]))
  t.is((await aws('delete-hosted-zone', '--id', zone)).code, 'HostedZoneNotEmpty')
})

test('a batch with faults changes nothing, and tells each fault', async (t) => {
  const endpoint = await open(t)
  const { ok, aws, vpc } = account(t, endpoint)
  const zone = idOf(await ok(...create('corp.example', await vpc())))
  await ok(...batch(zone, ['CREATE', record('a.corp.example', 'A', '10.0.1.10')]))
  const { revision } = endpoint.snapshot
  const refusals: readonly (readonly [readonly [string, Batched], RegExp])[] = [
    [['CREATE', record('a.corp.example', 'A', '10.0.1.11')],
      /Tried to create .*name='a\.corp\.example\.', type='A'\] but it already exists/],
    [['DELETE', record('b.corp.example', 'A', '10.0.1.11')], /but it was not found/],
    [['DELETE', record('a.corp.example', 'A', '10.0.1.11')], /do not match the current values/],
    [['CREATE', record('a.example.net', 'A', '10.0.1.11')],
      /RRSet with DNS name a\.example\.net\. is not permitted in zone corp\.example\./],
    [['CREATE', record('b.corp.example', 'A', '10.0.1.300')], /ARRDATAIllegalIPv4Address/],
    [['CREATE', record('b.corp.example', 'AAAA', '10.0.1.3')], /AAAARRDATAIllegalIPv6Address/],
    [['CREATE', record('b.corp.example', 'TXT', 'bare')], /enclosed in quotation marks/],
    [['CREATE', record('b.corp.example', 'MX', 'mail')], /MXRRDATAInvalid/],
    [['CREATE', record('b.corp.example', 'SRV', '1 2 mail')], /SRVRRDATAInvalid/],
    [['CREATE', record('a.corp.example', 'CNAME', 'b.corp.example')], /conflicts with other/],
    [['CREATE', record('corp.example', 'CNAME', 'b.example')], /not permitted at apex/],
    [['CREATE', record('b.corp.example', 'A', '10.0.1.3', '10.0.1.3')], /Duplicate/],
    [['CREATE', record('b..corp.example', 'A', '10.0.1.3')], /not a valid domain name/]
  ]
  const answer = await aws(...batch(zone, ['CREATE', record('good.corp.example', 'A', '10.0.1.20')],
    ...refusals.map(([change]) => change)))
  t.is(answer.code, 'InvalidChangeBatch')
  for (const [, expected] of refusals) t.regex(answer.message ?? '', expected)
  t.is(endpoint.snapshot.revision, revision, 'nothing has changed')
})

test('Route 53 refuses with its own codes', async (t) => {
  const endpoint = await open(t, { quotas: { 'hosted-zones-per-account': 2 } })
  const { ok, aws, vpc } = account(t, endpoint)
  const vpcId = await vpc()
  const zone = idOf(await ok(...create('corp.example', vpcId)))
  const other = await vpc()
  const associate = (id: string, of: string): string[] =>
    ['associate-vpc-with-hosted-zone', '--hosted-zone-id', id, '--vpc', vpcArgument(of)]
  const dissociate = (id: string, of: string): string[] =>
    ['disassociate-vpc-from-hosted-zone', '--hosted-zone-id', id, '--vpc', vpcArgument(of)]
  const again = ['create-hosted-zone', '--name', 'b.example', '--vpc', vpcArgument(vpcId),
    '--caller-reference', `corp.example for ${vpcId}`]
  const alias = JSON.stringify({ Changes: [{ Action: 'CREATE', ResourceRecordSet: {
    Name: 'a.corp.example', Type: 'A', AliasTarget: {
      HostedZoneId: zone, DNSName: 'b.corp.example', EvaluateTargetHealth: false
    }
  } }] })
  const refusals: readonly (readonly [readonly string[], string])[] = [
    [again, 'HostedZoneAlreadyExists'],
    [create('CORP.example.', vpcId), 'ConflictingDomainExists'],
    [create('a..example', vpcId), 'InvalidDomainName'],
    [create('c.example', 'vpc-0123456789abcdef0'), 'InvalidVPCId'],
    [['create-hosted-zone', '--name', 'c.example', '--caller-reference', 'public'], 'InvalidInput'],
    [['get-hosted-zone', '--id', 'Z0'], 'NoSuchHostedZone'],
    [['delete-hosted-zone', '--id', 'Z0'], 'NoSuchHostedZone'],
    [['get-change', '--id', 'C0'], 'NoSuchChange'],
    [['list-resource-record-sets', '--hosted-zone-id', 'Z0'], 'NoSuchHostedZone'],
    [batch('Z0', ['CREATE', record('a', 'A', '10.0.0.1')]), 'NoSuchHostedZone'],
    [batch(zone, ['CREATE', record('a.corp.example', 'DS', '1 1 1 00')]), 'InvalidInput'],
    [['change-resource-record-sets', '--hosted-zone-id', zone, '--change-batch', alias],
      'InvalidInput'],
    [associate(zone, vpcId), 'ConflictingDomainExists'],
    [associate('Z0', vpcId), 'NoSuchHostedZone'],
    [dissociate(zone, other), 'VPCAssociationNotFound'],
    [dissociate(zone, vpcId), 'LastVPCAssociation'],
    [['list-hosted-zones', '--marker', 'x'], 'InvalidInput'],
    [['create-health-check', '--caller-reference', 'h', '--health-check-config',
      'Type=TCP,IPAddress=192.0.2.1,Port=80'], 'UnsupportedOperation']
  ]
  for (const [args, expected] of refusals) t.is((await aws(...args)).code, expected, args.join(' '))
  await ok(...create('b.corp.example', vpcId))
  t.is((await aws(...create('c.corp.example', vpcId))).code, 'TooManyHostedZones')
})

test('a VPC of another account sees a zone once it is authorized', async (t) => {
  const endpoint = await open(t)
  const alice = account(t, endpoint)
  const bob = account(t, endpoint, BOB)
  const zone = idOf(await alice.ok(...create('corp.example', await alice.vpc())))
  const theirs = await bob.vpc()
  const associate = ['associate-vpc-with-hosted-zone', '--hosted-zone-id', zone, '--vpc',
    vpcArgument(theirs)]
  const authorization = ['--hosted-zone-id', zone, '--vpc', vpcArgument(theirs)]
  t.is((await bob.aws(...associate)).code, 'NotAuthorizedException')
  await alice.ok('create-vpc-association-authorization', ...authorization)
  t.like(await alice.ok('list-vpc-association-authorizations', '--hosted-zone-id', zone),
    { VPCs: [{ VPCId: theirs }] })
  t.is((await alice.aws(...associate)).code, 'NotAuthorizedException', 'the owner of the VPC asks')
  await bob.ok(...associate)
  await alice.ok('delete-vpc-association-authorization', ...authorization)
  t.is((await alice.aws('delete-vpc-association-authorization', ...authorization)).code,
    'VPCAssociationAuthorizationNotFound')
  t.like(await bob.ok('list-hosted-zones-by-vpc', '--vpc-id', theirs, '--vpc-region', 'us-east-1'),
    { HostedZoneSummaries: [{ HostedZoneId: zone, Owner: { OwningAccount: ALICE.accountId } }] })
  t.is((await bob.aws('get-hosted-zone', '--id', zone)).code, 'NoSuchHostedZone')
  await bob.ok('disassociate-vpc-from-hosted-zone', '--hosted-zone-id', zone, '--vpc',
    vpcArgument(theirs))
})

test('zones and records are paged, by name too', async (t) => {
  const { ok, vpc } = account(t, await open(t))
  const vpcId = await vpc()
  for (const name of ['b.example', 'a.example', 'z.a.example']) await ok(...create(name, vpcId))
  const names = (output: Output): string[] =>
    (output['HostedZones'] as { readonly Name: string }[]).map(({ Name }) => Name)
  t.deepEqual(names(await ok('list-hosted-zones', '--page-size', '1')),
    ['b.example.', 'a.example.', 'z.a.example.'])
  const first = await ok('list-hosted-zones-by-name', '--max-items', '2')
  t.deepEqual(names(first), ['a.example.', 'z.a.example.'])
  t.like(first, { IsTruncated: true, NextDNSName: 'b.example.' })
  t.deepEqual(names(await ok('list-hosted-zones-by-name', '--dns-name', 'b.example')),
    ['b.example.'])
})

test('the SDK changes and lists records, and reads refusals', async (t) => {
  const endpoint = await open(t)
  const { ok, vpc } = account(t, endpoint)
  const zone = idOf(await ok(...create('corp.example', await vpc())))
  const route53 = new Route53Client({
    endpoint: endpoint.url, region: 'us-east-1', credentials: ALICE, maxAttempts: 1
  })
  const change = (Action: 'CREATE' | 'DELETE') => new ChangeResourceRecordSetsCommand({
    HostedZoneId: zone, ChangeBatch: { Changes: [{ Action, ResourceRecordSet: {
      Name: 'a.corp.example', Type: 'A', TTL: 5, ResourceRecords: [{ Value: '10.0.0.1' }]
    } }] }
  })
  const { ChangeInfo } = await route53.send(change('CREATE'))
  t.is(ChangeInfo?.Status, 'INSYNC')
  t.true(ChangeInfo?.SubmittedAt instanceof Date)
  const { ResourceRecordSets: sets = [] } =
    await route53.send(new ListResourceRecordSetsCommand({ HostedZoneId: zone }))
  t.like(sets.find(({ Type }) => Type === 'A'),
    { Name: 'a.corp.example.', TTL: 5, ResourceRecords: [{ Value: '10.0.0.1' }] })
  const refusal = await t.throwsAsync(route53.send(change('CREATE')))
  t.is(refusal.name, 'InvalidChangeBatch')
  t.regex(refusal.message, /already exists/)
})
