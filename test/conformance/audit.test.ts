/**
 * The audit trail and the change history through the stock AWS command line and SDK clients:
 *
 *     a VPC, a subnet, a route to an ENI ─▶ lookup-events, get-resource-config-history
 */
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { CloudTrail, CloudTrailServiceException } from '@aws-sdk/client-cloudtrail'
import { ConfigService, ConfigServiceServiceException } from '@aws-sdk/client-config-service'
import { EC2 } from '@aws-sdk/client-ec2'
import { execFile } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { AccessKey } from '../../daemon/api/key_ring.ts'
import { type Endpoint, ALICE, BOB, openEndpoint } from './endpoint.ts'

const CLI = '/usr/bin/aws'
const IMAGE_ID = 'ami-00000000000000001'
const USER_DATA = 'do not tell this to anybody'

/** As the command line prints it. */
interface Event {
  readonly EventName: string
  readonly Username: string
  readonly AccessKeyId: string
  readonly EventSource: string
  readonly ReadOnly: string
  readonly CloudTrailEvent: string
  readonly Resources: readonly object[]
}

interface Item {
  readonly configurationItemStatus: string
  readonly configuration: string
  readonly relatedEvents: readonly string[]
}

interface Clients { readonly ec2: EC2, readonly trail: CloudTrail, readonly config: ConfigService }

function clientsOf (endpoint: Endpoint, credentials: AccessKey, region = 'us-east-1'): Clients {
  const options = { endpoint: endpoint.url, region, credentials, maxAttempts: 1 }
  return {
    ec2: new EC2(options), trail: new CloudTrail(options), config: new ConfigService(options)
  }
}

async function open (t: ExecutionContext, hostZoneIds: readonly string[] = []):
Promise<Clients & { readonly endpoint: Endpoint }> {
  const endpoint = await openEndpoint({ hostZoneIds })
  t.teardown(async () => { await endpoint.close() })
  return { endpoint, ...clientsOf(endpoint, ALICE) }
}

/** Runs `aws …`. @returns its answer */
async function aws (endpoint: Endpoint, ...args: readonly string[]): Promise<unknown> {
  const { stdout } = await promisify(execFile)(
    CLI, ['--endpoint-url', endpoint.url, '--output', 'json', ...args], {
      env: {
        PATH: process.env['PATH'], HOME: '/nonexistent', AWS_PAGER: '',
        AWS_DEFAULT_REGION: 'us-east-1', AWS_MAX_ATTEMPTS: '1',
        AWS_ACCESS_KEY_ID: ALICE.accessKeyId, AWS_SECRET_ACCESS_KEY: ALICE.secretAccessKey
      }
    })
  return JSON.parse(stdout)
}

interface Network {
  readonly vpc: string
  readonly subnet: string
  readonly eni: string
  readonly table: string
}

/** A VPC with a subnet, an ENI, and a route to it in the main route table. */
async function makeNetwork (ec2: EC2): Promise<Network> {
  const { Vpc } = await ec2.createVpc({ CidrBlock: '10.0.0.0/16' })
  const vpc = Vpc?.VpcId ?? ''
  const { Subnet } = await ec2.createSubnet({ VpcId: vpc, CidrBlock: '10.0.1.0/24' })
  const subnet = Subnet?.SubnetId ?? ''
  const { NetworkInterface } = await ec2.createNetworkInterface({ SubnetId: subnet })
  const eni = NetworkInterface?.NetworkInterfaceId ?? ''
  const { RouteTables } =
    await ec2.describeRouteTables({ Filters: [{ Name: 'vpc-id', Values: [vpc] }] })
  const table = RouteTables?.[0]?.RouteTableId ?? ''
  await ec2.createRoute(
    { RouteTableId: table, DestinationCidrBlock: '192.0.2.0/24', NetworkInterfaceId: eni })
  return { vpc, subnet, eni, table }
}

test('the AWS command line looks events up, the newest first', async (t) => {
  const { endpoint, ec2 } = await open(t)
  const { vpc } = await makeNetwork(ec2)
  await t.throwsAsync(ec2.deleteVpc({ VpcId: vpc }))
  const { Events } = await aws(endpoint, 'cloudtrail', 'lookup-events', '--lookup-attributes',
    `AttributeKey=ResourceName,AttributeValue=${vpc}`) as { readonly Events: readonly Event[] }
  t.deepEqual(Events.map((event) => [event.EventName, event.ReadOnly]), [
    ['DeleteVpc', 'false'], ['DescribeRouteTables', 'true'], ['CreateNetworkInterface', 'false'],
    ['CreateSubnet', 'false'], ['CreateVpc', 'false']
  ])
  const [refused] = Events
  t.like(refused, { Username: 'root', AccessKeyId: ALICE.accessKeyId,
    EventSource: 'ec2.amazonaws.com' })
  t.deepEqual(refused?.Resources, [{ ResourceType: 'AWS::EC2::VPC', ResourceName: vpc }])
  t.like(JSON.parse(refused?.CloudTrailEvent ?? '{}'), {
    errorCode: 'Client.DependencyViolation', requestParameters: { vpcId: vpc },
    responseElements: null, userIdentity: { accountId: ALICE.accountId }
  })
})

test('the AWS command line asks for the past of a route table', async (t) => {
  const { endpoint, ec2 } = await open(t)
  const { table, eni } = await makeNetwork(ec2)
  await ec2.deleteRoute({ RouteTableId: table, DestinationCidrBlock: '192.0.2.0/24' })
  const { configurationItems: items } = await aws(endpoint, 'configservice',
    'get-resource-config-history', '--resource-type', 'AWS::EC2::RouteTable', '--resource-id',
    table) as { readonly configurationItems: readonly Item[] }
  t.deepEqual(items.map((item) => item.configurationItemStatus),
    ['OK', 'OK', 'ResourceDiscovered'])
  const routes = items.map((item) =>
    (JSON.parse(item.configuration) as { routes: { networkInterfaceId?: string }[] }).routes)
  t.deepEqual(routes.map((list) => list.length), [1, 2, 1])
  t.is(routes[1]?.[1]?.networkInterfaceId, eni)
  const event = await aws(endpoint, 'cloudtrail', 'lookup-events', '--lookup-attributes',
    `AttributeKey=EventId,AttributeValue=${items[0]?.relatedEvents[0] ?? ''}`) as {
    readonly Events: readonly { readonly EventName: string }[] }
  t.deepEqual(event.Events.map(({ EventName }) => EventName), ['DeleteRoute'])
})

test('events are paged, without repeating or losing one', async (t) => {
  const { ec2, trail } = await open(t)
  for (let count = 0; count < 7; count++) await ec2.describeRegions({})
  const ids: string[] = []
  let NextToken: string | undefined
  do {
    const page = await trail.lookupEvents({
      MaxResults: 2, NextToken,
      LookupAttributes: [{ AttributeKey: 'EventName', AttributeValue: 'DescribeRegions' }]
    })
    ids.push(...(page.Events ?? []).map((event) => event.EventId ?? ''))
    NextToken = page.NextToken
  } while (NextToken !== undefined)
  t.is(ids.length, 7)
  t.is(new Set(ids).size, 7)
})

test('times bound a look-up at both ends', async (t) => {
  const { ec2, trail } = await open(t)
  await ec2.describeRegions({})
  const { Events: [event] = [] } = await trail.lookupEvents({})
  const at = event?.EventTime ?? new Date(0)
  const namesBetween = async (StartTime: Date, EndTime: Date): Promise<(string | undefined)[]> =>
    ((await trail.lookupEvents({ StartTime, EndTime })).Events ?? []).map((one) => one.EventName)
  t.deepEqual(await namesBetween(at, at), ['DescribeRegions'])
  t.deepEqual(await namesBetween(new Date(0), new Date(at.getTime() - 1)), [])
})

test('accounts and Regions have histories of their own', async (t) => {
  const { endpoint, ec2 } = await open(t)
  const { vpc } = await makeNetwork(ec2)
  for (const { trail, config } of
    [clientsOf(endpoint, BOB), clientsOf(endpoint, ALICE, 'eu-west-1')]) {
    t.deepEqual((await trail.lookupEvents({})).Events, [])
    const refused = config.getResourceConfigHistory(
      { resourceType: 'AWS::EC2::VPC', resourceId: vpc })
    await t.throwsAsync(refused, { name: 'ResourceNotDiscoveredException' })
  }
})

test('a call that is not believed is in the journal, and in nobody\'s event history', async (t) => {
  const { endpoint, trail } = await open(t)
  const thief = clientsOf(endpoint, { ...ALICE, secretAccessKey: 'guessed' })
  await t.throwsAsync(thief.ec2.describeVpcs({}), { name: 'AuthFailure' })
  await t.throwsAsync(thief.trail.lookupEvents({}), { name: 'UnrecognizedClientException' })
  t.deepEqual((await trail.lookupEvents({})).Events, [])
  const records = journal(endpoint).split('\n').filter((line) => line !== '')
    .map((line) => JSON.parse(line) as object)
  t.like(records[0],
    { userIdentity: { type: 'Unknown' }, errorCode: 'Client.AuthFailure', requestParameters: null })
})

test('no secret reaches a file of the trail', async (t) => {
  const { endpoint, ec2, trail } = await open(t, ['use1-az6'])
  const { subnet } = await makeNetwork(ec2)
  const base64 = Buffer.from(USER_DATA).toString('base64')
  const { Instances } = await ec2.runInstances({
    ImageId: IMAGE_ID, MinCount: 1, MaxCount: 1, InstanceType: 't3.micro', SubnetId: subnet,
    UserData: base64
  })
  const InstanceId = Instances?.[0]?.InstanceId ?? ''
  await t.throwsAsync(ec2.modifyInstanceAttribute(
    { InstanceId, UserData: { Value: Buffer.from(USER_DATA) } }))
  await t.throwsAsync(ec2.createVpnConnection({
    Type: 'ipsec.1', CustomerGatewayId: 'cgw-0123456789abcdef0',
    Options: { TunnelOptions: [{ PreSharedKey: USER_DATA }] }
  }))
  const { Events } = await trail.lookupEvents(
    { LookupAttributes: [{ AttributeKey: 'EventName', AttributeValue: 'RunInstances' }] })
  t.like(JSON.parse(Events?.[0]?.CloudTrailEvent ?? '{}'),
    { requestParameters: { userData: '<sensitiveDataRemoved>' } })
  const directory = join(endpoint.directory, 'audit')
  for (const name of readdirSync(directory)) {
    const bytes = readFileSync(join(directory, name))
    for (const secret of [USER_DATA, base64]) t.false(bytes.includes(secret), name)
  }
})

test('a resource has its past: blackholes, paging, order, times, and its end', async (t) => {
  const { ec2, config } = await open(t)
  const { table, subnet, eni } = await makeNetwork(ec2)
  await ec2.createTags({ Resources: [table], Tags: [{ Key: 'Name', Value: 'main' }] })
  await ec2.deleteNetworkInterface({ NetworkInterfaceId: eni })
  await ec2.deleteSubnet({ SubnetId: subnet })
  const subnetPast = { resourceType: 'AWS::EC2::Subnet', resourceId: subnet } as const
  const { configurationItems: items = [] } = await config.getResourceConfigHistory(subnetPast)
  t.deepEqual(items.map((item) => item.configurationItemStatus),
    ['ResourceDeleted', 'OK', 'OK', 'ResourceDiscovered'], 'free addresses: 251, 250, 251')
  t.is(items[0]?.configuration, 'null')

  const states: string[] = []
  let nextToken: string | undefined
  do {
    const page = await config.getResourceConfigHistory(
      { ...subnetPast, chronologicalOrder: 'Forward', limit: 1, nextToken })
    states.push(...(page.configurationItems ?? []).map((item) => item.configurationStateId ?? ''))
    nextToken = page.nextToken
  } while (nextToken !== undefined)
  t.deepEqual(states, items.map((item) => item.configurationStateId).toReversed())

  const at = async (laterTime: Date | undefined): Promise<string | undefined> =>
    (await config.getResourceConfigHistory({ ...subnetPast, laterTime, limit: 1 }))
      .configurationItems?.[0]?.configurationStateId
  t.is(await at(items[2]?.configurationItemCaptureTime), items[2]?.configurationStateId)
  t.is(await at(new Date(0)), undefined)

  const tablePast = await config.getResourceConfigHistory(
    { resourceType: 'AWS::EC2::RouteTable', resourceId: table })
  const [newest] = tablePast.configurationItems ?? []
  t.like(newest, { resourceName: 'main', tags: { Name: 'main' } })
  t.deepEqual(newest?.relationships?.map(({ relationshipName }) => relationshipName),
    ['Is contained in Vpc', 'Is associated with NetworkInterface'])
})

test('refusals have the codes of CloudTrail and Config', async (t) => {
  const { trail, config } = await open(t)
  const lookups: readonly (readonly [string, Parameters<CloudTrail['lookupEvents']>[0]])[] = [
    ['InvalidMaxResultsException', { MaxResults: 51 }],
    ['InvalidMaxResultsException', { MaxResults: 0 }],
    ['InvalidNextTokenException', { NextToken: 'x' }],
    ['InvalidTimeRangeException', { StartTime: new Date(2000), EndTime: new Date(1000) }],
    ['InvalidEventCategoryException', { EventCategory: 'insight' }],
    ['InvalidLookupAttributesException', {
      LookupAttributes: [{ AttributeKey: 'Colour' as 'EventId', AttributeValue: 'red' }]
    }],
    ['InvalidLookupAttributesException', {
      LookupAttributes: [{ AttributeKey: 'EventName', AttributeValue: '' }]
    }],
    ['InvalidLookupAttributesException', {
      LookupAttributes: [
        { AttributeKey: 'EventName', AttributeValue: 'a' },
        { AttributeKey: 'ReadOnly', AttributeValue: 'true' }
      ]
    }]
  ]
  for (const [name, input] of lookups) {
    await t.throwsAsync(trail.lookupEvents(input), { instanceOf: CloudTrailServiceException, name })
  }
  const VPC = { resourceType: 'AWS::EC2::VPC', resourceId: 'vpc-0123456789abcdef0' } as const
  const histories: readonly (readonly [string,
    Parameters<ConfigService['getResourceConfigHistory']>[0]])[] = [
    ['ResourceNotDiscoveredException', VPC],
    ['ValidationException', { ...VPC, resourceType: 'AWS::S3::Bucket' }],
    ['ValidationException', { ...VPC, chronologicalOrder: 'Sideways' as 'Forward' }],
    ['InvalidLimitException', { ...VPC, limit: 101 }],
    ['InvalidTimeRangeException',
      { ...VPC, earlierTime: new Date(2000), laterTime: new Date(1000) }],
    ['InvalidNextTokenException', { ...VPC, nextToken: 'x' }]
  ]
  for (const [name, input] of histories) {
    await t.throwsAsync(config.getResourceConfigHistory(input),
      { instanceOf: ConfigServiceServiceException, name })
  }
  await t.throwsAsync(trail.deleteTrail({ Name: 'trail' }),
    { name: 'UnsupportedOperationException' })
})

/** Everything that is written in the journal. */
function journal (endpoint: Endpoint): string {
  const directory = join(endpoint.directory, 'audit')
  return readdirSync(directory).filter((name) => name.endsWith('.jsonl'))
    .map((name) => readFileSync(join(directory, name), 'utf8')).join('')
}
