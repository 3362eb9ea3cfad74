import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { silentLog } from '../observe/log.ts'
import { JOURNAL_FILE_BYTES_MAX, Journal } from './journal.ts'
import { type CloudTrailRecord, resourcesIn } from './record.ts'
import { AuditTrail, type EventQuery } from './trail.ts'

const ACCOUNT = '111111111111'
const VPC = 'vpc-00000000000000001'

function temporaryDirectory (t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'vpclab-trail-'))
  t.teardown(() => { rmSync(directory, { recursive: true }) })
  return directory
}

function openTrail (directory: string, eventsMax?: number): AuditTrail {
  return new AuditTrail(
    { directory, log: silentLog(), ...eventsMax === undefined ? {} : { eventsMax } })
}

function record (number: number, changes: Partial<CloudTrailRecord> = {}): CloudTrailRecord {
  return {
    eventVersion: '1.11',
    userIdentity: { type: 'Root', accountId: ACCOUNT, accessKeyId: 'AKIDALICE' },
    eventTime: '2026-01-01T00:00:00Z',
    eventSource: 'ec2.amazonaws.com',
    eventName: 'CreateVpc',
    awsRegion: 'us-east-1',
    sourceIPAddress: '127.0.0.1',
    userAgent: 'test',
    requestParameters: {},
    responseElements: null,
    additionalEventData: { eventTimeMs: number * 1000 },
    requestID: `request-${String(number)}`,
    eventID: `event-${String(number)}`,
    readOnly: false,
    eventType: 'AwsApiCall',
    managementEvent: true,
    recipientAccountId: ACCOUNT,
    eventCategory: 'Management',
    ...changes
  }
}

function find (trail: AuditTrail, changes: Partial<EventQuery> = {}): string[] {
  return trail.lookup({
    accountId: ACCOUNT, region: 'us-east-1', attribute: null, startMs: 0,
    endMs: Number.MAX_SAFE_INTEGER, beforePosition: null, limit: 50, ...changes
  }).map(({ record: { eventID } }) => eventID)
}

test('events are found newest first, by each attribute and by time', (t) => {
  const trail = openTrail(temporaryDirectory(t))
  trail.append(record(1, { requestParameters: { nested: [{ vpcId: VPC }] } }))
  trail.append(record(2, { eventName: 'DescribeVpcs', readOnly: true }))
  trail.append(record(3, { eventSource: 'config.amazonaws.com' }))
  t.deepEqual(find(trail), ['event-3', 'event-2', 'event-1'])
  const by = (key: NonNullable<EventQuery['attribute']>['key'], value: string): string[] =>
    find(trail, { attribute: { key, value } })
  t.deepEqual(by('EventId', 'event-2'), ['event-2'])
  t.deepEqual(by('EventName', 'DescribeVpcs'), ['event-2'])
  t.deepEqual(by('ReadOnly', 'true'), ['event-2'])
  t.deepEqual(by('Username', 'root'), ['event-3', 'event-2', 'event-1'])
  t.deepEqual(by('EventSource', 'config.amazonaws.com'), ['event-3'])
  t.deepEqual(by('AccessKeyId', 'AKIDBOB'), [])
  t.deepEqual(by('ResourceName', VPC), ['event-1'])
  t.deepEqual(by('ResourceType', 'AWS::EC2::VPC'), ['event-1'])
  t.deepEqual(find(trail, { startMs: 2000, endMs: 2000 }), ['event-2'])
  t.deepEqual(find(trail, { limit: 1 }), ['event-3'])
  trail.close()
})

test('an account sees its own events in its Region, and nobody sees those of nobody', (t) => {
  const trail = openTrail(temporaryDirectory(t))
  const { recipientAccountId, ...unbelieved } = record(1, { userIdentity: { type: 'Unknown' } })
  trail.append(unbelieved)
  trail.append(record(2))
  t.is(recipientAccountId, ACCOUNT)
  t.deepEqual(find(trail), ['event-2'])
  t.deepEqual(find(trail, { accountId: '222222222222' }), [])
  t.deepEqual(find(trail, { region: 'eu-west-1' }), [])
  trail.close()
})

test('what a killed process has written and not indexed is found after the next start', (t) => {
  const directory = temporaryDirectory(t)
  const first = openTrail(directory)
  first.append(record(1))
  first.close()
  // The journal of a process that was killed before its index heard of it.
  const journal = new Journal(directory)
  journal.append('\0\0 damaged by a power cut')
  const additionalEventData = { eventTimeMs: 1, revision: 7 }
  journal.append(JSON.stringify(record(2, { additionalEventData })))
  journal.close()
  const again = openTrail(directory)
  t.deepEqual(find(again), ['event-2', 'event-1'])
  t.is(again.eventOfRevision(7), 'event-2')
  t.is(again.eventOfRevision(8), undefined)
  again.append(record(3))
  again.close()
  const third = openTrail(directory)
  t.deepEqual(find(third), ['event-3', 'event-2', 'event-1'])
  third.close()
})

test('the oldest events go when there are too many', (t) => {
  const trail = openTrail(temporaryDirectory(t), 100)
  for (let number = 1; number <= 250; number++) {
    trail.append(record(number, { requestParameters: { vpcId: VPC } }))
    if (number % 10 === 0) find(trail)
  }
  const found = find(trail, { limit: 1000 })
  t.is(found.length, 100)
  t.deepEqual([found[0], found.at(-1)], ['event-250', 'event-151'])
  t.is(find(trail, { attribute: { key: 'ResourceName', value: VPC }, limit: 1000 }).length, 100)
  trail.close()
})

test('a follower hears every record until it leaves', (t) => {
  const trail = openTrail(temporaryDirectory(t))
  const heard: string[] = []
  const leave = trail.follow((text) => {
    heard.push((JSON.parse(text) as CloudTrailRecord).eventID)
  })
  trail.append(record(1))
  leave()
  trail.append(record(2))
  t.deepEqual(heard, ['event-1'])
  trail.close()
})

test('resources are the ids in a value, once each', (t) => {
  t.deepEqual(resourcesIn({ a: VPC, b: [{ c: VPC }, 'eni-00000000000000002'] }, null,
    { d: 'vpc-cidr-assoc-00000000000000003', e: 'constructor-12345678', f: 'vpc-x' }), [
    { type: 'AWS::EC2::VPC', name: VPC },
    { type: 'AWS::EC2::NetworkInterface', name: 'eni-00000000000000002' }
  ])
})

test('a record that cannot be written is counted, and the next one is kept', (t) => {
  const directory = temporaryDirectory(t)
  const trail = openTrail(directory)
  trail.append(record(1, { userAgent: 'x'.repeat(JOURNAL_FILE_BYTES_MAX) }))
  // The next record needs a new file, which cannot be made.
  rmSync(directory, { recursive: true })
  trail.append(record(2))
  t.deepEqual(trail.counters, { appended: 1, lost: 1 })
  mkdirSync(directory)
  trail.append(record(3))
  t.deepEqual(trail.counters, { appended: 2, lost: 1 })
  t.deepEqual(find(trail), ['event-3', 'event-1'])
  trail.close()
})
