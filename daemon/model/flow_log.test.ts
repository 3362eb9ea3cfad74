/** Flow logs: what CreateFlowLogs refuses, as a whole and for one of its resources. */
import test from 'ava'
import { planCreateFlowLogs, planDeleteFlowLogs } from './flow_log.ts'
import type { CreateFlowLogsInput, CreatedFlowLogs } from './flow_log.ts'
import { checkFlowLogFormat, fieldsOfFormat } from './flow_log_format.ts'
import { TestNetwork } from './test_network.ts'

const GROUP: Omit<CreateFlowLogsInput, 'resourceIds'> = {
  resourceType: 'VPC', trafficType: 'ALL', destinationType: null, logDestination: null,
  logGroupName: 'flows', permissionArn: 'arn:aws:iam::111111111111:role/flow-logs', format: null,
  aggregationIntervalS: null, fileFormat: null, hiveCompatible: false, perHour: false, tags: {}
}

const BUCKET: Partial<CreateFlowLogsInput> = {
  destinationType: 's3', logDestination: 'arn:aws:s3:::logs/lab/', logGroupName: null,
  permissionArn: null
}

class TestFlowLogs extends TestNetwork {
  create (input: Partial<CreateFlowLogsInput> = {}): CreatedFlowLogs {
    return this.run(planCreateFlowLogs(this.view(),
      { ...GROUP, resourceIds: [this.vpcId], ...input }, this.context))
  }

  code (input: Partial<CreateFlowLogsInput>): string {
    return this.refusal(() => this.create(input))
  }
}

test('a flow log of each resource is made, and what is wrong with one is told of it', (t) => {
  const world = new TestFlowLogs()
  const absent = 'subnet-0ffffffffffffffff'
  const { ids, unsuccessful } = world.create(
    { resourceType: 'Subnet', resourceIds: [world.subnetId, absent, world.otherSubnetId] })
  t.is(ids.length, 2)
  t.deepEqual(unsuccessful.map(({ resourceId, code }) => [resourceId, code]),
    [[absent, 'InvalidSubnetID.NotFound']])
  const [flowLog] = world.view().list('flowLog')
  t.is(flowLog?.resourceId, world.subnetId)
  t.is(flowLog?.aggregationIntervalS, 600)
})

test('the same flow log again is refused, another kind of it is not, up to the quota', (t) => {
  const world = new TestFlowLogs()
  const codes = (input: Partial<CreateFlowLogsInput>): (string | undefined)[] =>
    world.create(input).unsuccessful.map(({ code }) => code)
  t.deepEqual(codes({}), [])
  t.deepEqual(codes({}), ['FlowLogAlreadyExists'])
  t.deepEqual(codes({ trafficType: 'REJECT' }), [])
  t.deepEqual(codes(BUCKET), ['FlowLogsLimitExceeded'])
  world.setQuota('flow-logs-per-resource', 3)
  t.deepEqual(codes(BUCKET), [])
})

test('a call that cannot be meant is refused', (t) => {
  const world = new TestFlowLogs()
  const cases: readonly (readonly [string, Partial<CreateFlowLogsInput>])[] = [
    ['InvalidParameterValue', { resourceType: 'Instance' }],
    ['UnsupportedOperation', { resourceType: 'TransitGateway' }],
    ['MissingParameter', { resourceIds: [] }],
    ['MissingParameter', { trafficType: null }],
    ['InvalidParameterValue', { trafficType: 'SOME' }],
    ['InvalidParameter', { permissionArn: null }],
    ['InvalidParameter', { permissionArn: 'role' }],
    ['InvalidParameter', { logGroupName: null }],
    ['InvalidParameter', { logGroupName: 'white space' }],
    ['InvalidParameter', { logDestination: 'arn:aws:logs:us-east-1:111111111111:log-group:x' }],
    ['LogDestinationPermissionIssue', {
      logGroupName: null, logDestination: 'arn:aws:logs:us-east-1:222222222222:log-group:x'
    }],
    ['InvalidParameter', { hiveCompatible: true }],
    ['InvalidParameter', { aggregationIntervalS: 61 }],
    ['InvalidParameter', { format: '${srcaddr} ${colour}' }],
    ['InvalidParameter', { format: '${srcaddr} ${srcaddr}' }],
    ['InvalidParameter', { format: '' }],
    ['UnsupportedOperation', { destinationType: 'kinesis-data-firehose' }],
    ['InvalidParameterValue', { destinationType: 'paper' }],
    ['InvalidParameter', { ...BUCKET, logDestination: null }],
    ['InvalidParameter', { ...BUCKET, logDestination: 'arn:aws:s3:::../../etc' }],
    ['InvalidParameter', { ...BUCKET, logDestination: 'arn:aws:s3:::logs/../../etc' }],
    ['InvalidParameter', { ...BUCKET, logDestination: 'arn:aws:s3:::logs/AWSLogs' }],
    ['InvalidParameter', { ...BUCKET, logGroupName: 'flows' }],
    ['UnsupportedOperation', { ...BUCKET, fileFormat: 'parquet' }]
  ]
  for (const [code, input] of cases) t.is(world.code(input), code, JSON.stringify(input))
  t.deepEqual(world.view().list('flowLog'), [])
})

test('a log group may be named by its ARN', (t) => {
  const world = new TestFlowLogs()
  world.create({
    logGroupName: null, logDestination: 'arn:aws:logs:us-east-1:111111111111:log-group:a/b:*'
  })
  const { destination } = world.view().list('flowLog')[0] ?? {}
  t.is(destination?.type === 'cloud-watch-logs' && destination.logGroupName, 'a/b')
})

test('deleting is all or nothing', (t) => {
  const world = new TestFlowLogs()
  const { ids } = world.create()
  const refuse = (...flowLogIds: string[]): string =>
    world.refusal(() => world.run(planDeleteFlowLogs(world.view(), { flowLogIds })))
  t.is(refuse(), 'MissingParameter')
  t.is(refuse('fl-1'), 'InvalidFlowLogId.Malformed')
  t.is(refuse(...ids, 'fl-0ffffffffffffffff'), 'InvalidFlowLogId.NotFound')
  t.is(world.view().list('flowLog').length, 1)
  t.is(refuse(...ids), '')
  t.is(world.view().list('flowLog').length, 0)
})

test('a format keeps its fields and their order', (t) => {
  const format = checkFlowLogFormat(' ${dstaddr}   ${version}\n${tcp-flags} ')
  t.is(format, '${dstaddr} ${version} ${tcp-flags}')
  t.deepEqual(fieldsOfFormat(format), ['dstaddr', 'version', 'tcp-flags'])
  t.is(fieldsOfFormat(null).length, 14)
})
