import * as sdk from '@aws-sdk/client-ec2'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CloudTrailRecord } from '../../audit/record.ts'
import { AuditTrail } from '../../audit/trail.ts'
import { systemClock } from '../../base/clock.ts'
import { systemRandom } from '../../base/random.ts'
import { AwsError } from '../../model/aws_error.ts'
import { silentLog } from '../../observe/log.ts'
import { SchemaRegistry } from '../schema.ts'
import { Call, type Service } from '../service.ts'
import { CallRecorder, ELEMENTS_LENGTH_MAX } from './event.ts'

const SECRET = 'c2VjcmV0IHVzZXIgZGF0YQ=='
const DECIDED_MS = Date.UTC(2026, 0, 1, 12, 0, 0, 123)
const schemas = new SchemaRegistry(sdk)

function openRecorder (t: ExecutionContext): (call: Call) => CloudTrailRecord {
  const directory = mkdtempSync(join(tmpdir(), 'vpclab-event-'))
  const trail = new AuditTrail({ directory, log: silentLog() })
  t.teardown(() => {
    trail.close()
    rmSync(directory, { recursive: true })
  })
  const recorder = new CallRecorder({ trail, clock: systemClock, random: systemRandom })
  return (call) => recorder.recordOf(call, DECIDED_MS, 'event-1')
}

/** A call of EC2 that is over. */
function ec2Call (action: string, input: object, output: object | null): Call {
  const call = new Call('request-1', {
    method: 'POST', path: '/', query: '', headers: { 'user-agent': 'test/1' }, body: ''
  }, '192.0.2.7', DECIDED_MS - 5)
  call.caller = { accessKeyId: 'AKIDALICE', accountId: '111111111111', region: 'us-east-1' }
  call.action = action
  call.operation = schemas.operation(action) ?? null
  call.input = input
  call.output = output
  return call
}

test('a write is recorded with what it asked and was answered', (t) => {
  const recordOf = openRecorder(t)
  const call = ec2Call('DeleteRoute',
    { RouteTableId: 'rtb-1', DestinationCidrBlock: '192.0.2.0/24' }, {})
  call.revision = 42
  t.deepEqual(recordOf(call), {
    eventVersion: '1.11',
    userIdentity: {
      type: 'Root', principalId: '111111111111', arn: 'arn:aws:iam::111111111111:root',
      accountId: '111111111111', accessKeyId: 'AKIDALICE'
    },
    eventTime: '2026-01-01T12:00:00Z',
    eventSource: 'ec2.amazonaws.com',
    eventName: 'DeleteRoute',
    awsRegion: 'us-east-1',
    sourceIPAddress: '192.0.2.7',
    userAgent: 'test/1',
    requestParameters: { routeTableId: 'rtb-1', destinationCidrBlock: '192.0.2.0/24' },
    responseElements: { requestId: 'request-1', _return: true },
    additionalEventData: { eventTimeMs: DECIDED_MS, revision: 42 },
    requestID: 'request-1',
    eventID: 'event-1',
    readOnly: false,
    eventType: 'AwsApiCall',
    managementEvent: true,
    recipientAccountId: '111111111111',
    eventCategory: 'Management'
  })
})

test('lists stand in items, and requests have EC2\'s own names for them', (t) => {
  const recordOf = openRecorder(t)
  const stop = recordOf(ec2Call('StopInstances', { InstanceIds: ['i-1'], Force: false }, {
    StoppingInstances: [{ InstanceId: 'i-1', CurrentState: { Code: 64, Name: 'stopping' } }]
  }))
  t.deepEqual(stop.requestParameters,
    { instancesSet: { items: [{ instanceId: 'i-1' }] }, force: false })
  t.deepEqual(stop.responseElements, {
    requestId: 'request-1',
    instancesSet: {
      items: [{ instanceId: 'i-1', currentState: { code: 64, name: 'stopping' } }]
    }
  })
  const describe = recordOf(ec2Call('DescribeVpcs',
    { Filters: [{ Name: 'vpc-id', Values: ['vpc-1'] }], VpcIds: [] }, { Vpcs: [{}] }))
  t.deepEqual(describe.requestParameters, {
    filterSet: { items: [{ name: 'vpc-id', valueSet: { items: [{ value: 'vpc-1' }] } }] },
    vpcSet: {}
  })
  t.is(describe.responseElements, null, 'a read')
})

test('a refused call has its code and no answer', (t) => {
  const recordOf = openRecorder(t)
  const call = ec2Call('CreateVpc', { CidrBlock: '10.0.0.0/8' }, null)
  call.refusal = new AwsError('InvalidVpc.Range', 'no such block')
  t.like(recordOf(call), {
    errorCode: 'Client.InvalidVpc.Range', errorMessage: 'no such block', responseElements: null
  })
  call.refusal = new AwsError('InternalError', 'ours')
  t.is(recordOf(call).errorCode, 'Server.InternalError')
})

test('no secret of the schemas reaches a record', (t) => {
  const recordOf = openRecorder(t)
  const run = ec2Call('RunInstances', { MinCount: 1, MaxCount: 1, UserData: SECRET }, null)
  run.refusal = new AwsError('InvalidUserData.Malformed', `The user data "${SECRET}" is odd`)
  const vpn = ec2Call('CreateVpnConnection', {
    Type: 'ipsec.1', CustomerGatewayId: 'cgw-1',
    Options: { TunnelOptions: [{ PreSharedKey: SECRET }] }
  }, {
    VpnConnection: {
      CustomerGatewayConfiguration: SECRET, Options: { TunnelOptions: [{ PreSharedKey: SECRET }] }
    }
  })
  const modify = ec2Call('ModifyInstanceAttribute',
    { InstanceId: 'i-1', UserData: { Value: Buffer.from(SECRET, 'base64') } }, {})
  for (const call of [run, vpn, modify]) {
    const text = JSON.stringify(recordOf(call))
    t.false(text.includes(SECRET), text)
    t.true(text.includes('<sensitiveDataRemoved>'), text)
  }
})

test('other services name their members with a small letter, and hide what holds secrets', (t) => {
  const recordOf = openRecorder(t)
  const call = ec2Call('CreateStack', {
    StackName: 'web', TemplateBody: SECRET,
    Parameters: [{ ParameterKey: 'Key', ParameterValue: SECRET }]
  }, { StackId: 'arn' })
  call.operation = null
  call.service = { eventSource: 'cloudformation.amazonaws.com' } as Service
  const { requestParameters, responseElements, eventSource } = recordOf(call)
  t.is(eventSource, 'cloudformation.amazonaws.com')
  t.deepEqual(requestParameters, {
    stackName: 'web', templateBody: 'HIDDEN_DUE_TO_SECURITY_REASONS',
    parameters: [{ parameterKey: 'Key', parameterValue: 'HIDDEN_DUE_TO_SECURITY_REASONS' }]
  })
  t.deepEqual(responseElements, { stackId: 'arn' })
})

test('a caller that is not believed has no account, and a call from inside no address', (t) => {
  const recordOf = openRecorder(t)
  const unbelieved = ec2Call('', {}, null)
  unbelieved.caller = null
  const record = recordOf(unbelieved)
  t.deepEqual(record.userIdentity, { type: 'Unknown' })
  t.is(record.eventName, 'Unknown')
  t.false('recipientAccountId' in record)

  const inside = new Call('request-2', {
    method: 'POST', path: '/', query: '', headers: {}, body: ''
  }, 'cloudformation.amazonaws.com', 0)
  inside.caller = { accessKeyId: '', accountId: '111111111111', region: 'us-east-1' }
  const { userIdentity } = recordOf(inside)
  t.is(userIdentity.invokedBy, 'cloudformation.amazonaws.com')
  t.false('accessKeyId' in userIdentity)
})

test('what is too long is left out', (t) => {
  const recordOf = openRecorder(t)
  const call = ec2Call('CreateVpc', { CidrBlock: 'x'.repeat(ELEMENTS_LENGTH_MAX) }, null)
  t.is(recordOf(call).requestParameters, null)
})
