import test from 'ava'
import type { ExecutionContext } from 'ava'
import { existsSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { pino } from 'pino'
import type { BucketDestination, FlowLog } from '../model/flow_log.ts'
import { BucketWriter } from './bucket_writer.ts'

const NOW_MS = Date.UTC(2026, 2, 1, 10, 20, 30)
const ID = 'fl-0123456789abcdef0'

function flowLog (destination: Partial<BucketDestination> = {}): FlowLog {
  return {
    id: ID, region: 'us-east-1', ownerId: '111111111111', tags: {}, resourceId: 'vpc-1',
    resourceType: 'VPC', trafficType: 'ALL', format: null, aggregationIntervalS: 600,
    createdMs: NOW_MS, deliveryError: null,
    destination: {
      type: 's3', bucket: 'logs', prefix: '', hiveCompatible: false, perHour: false, ...destination
    }
  }
}

interface World {
  readonly writer: BucketWriter
  readonly buckets: string
  readonly spool: string
  /** A writer of the same directories, as after a restart. */
  readonly reopen: () => Promise<BucketWriter>
}

async function open (t: ExecutionContext, bytesMax?: number): Promise<World> {
  const directory = mkdtempSync(join(tmpdir(), 'vpclab-bucket-'))
  t.teardown(() => { rmSync(directory, { recursive: true }) })
  const options = {
    directory: join(directory, 'buckets'), spoolDirectory: join(directory, 'spool'),
    log: pino({ level: 'silent' }), ...bytesMax === undefined ? {} : { bytesMax }
  }
  const reopen = async (): Promise<BucketWriter> => {
    const writer = new BucketWriter(options)
    await writer.open()
    return writer
  }
  return {
    writer: await reopen(), buckets: options.directory, spool: options.spoolDirectory, reopen
  }
}

function filesOf (directory: string): string[] {
  return existsSync(directory)
    ? readdirSync(directory, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.gz'))
    : []
}

function textOf (directory: string, name: string): string {
  return gunzipSync(readFileSync(join(directory, name))).toString()
}

test('lines of several windows become one file with a header, under AWS\'s name', async (t) => {
  const { writer, buckets } = await open(t)
  await writer.append(flowLog(), 'srcaddr dstaddr', ['a b', 'c d'])
  await writer.append(flowLog(), 'srcaddr dstaddr', ['e f'])
  t.deepEqual(filesOf(buckets), [])
  await writer.publish(ID, NOW_MS)
  const [name = '', ...more] = filesOf(buckets)
  t.deepEqual(more, [])
  t.regex(name, new RegExp('^logs/AWSLogs/111111111111/vpcflowlogs/us-east-1/2026/03/01/' +
    `111111111111_vpcflowlogs_us-east-1_${ID}_20260301T1020Z_[0-9a-f]{8}\\.log\\.gz$`))
  t.is(textOf(buckets, name), 'srcaddr dstaddr\na b\nc d\ne f\n')
  await writer.publish(ID, NOW_MS)
  t.is(filesOf(buckets).length, 1, 'an empty spool makes no file')
})

test('folders are those of the options', async (t) => {
  const { writer, buckets } = await open(t)
  await writer.append(flowLog({ prefix: 'lab/x', hiveCompatible: true, perHour: true }), 'h', ['a'])
  await writer.publish(ID, NOW_MS)
  t.regex(filesOf(buckets)[0] ?? '', new RegExp('^logs/lab/x/AWSLogs/aws-account-id=111111111111/' +
    'aws-service=vpcflowlogs/aws-region=us-east-1/year=2026/month=03/day=01/hour=10/1'))
})

test('a killed daemon\'s spool goes on, and a file is delivered once', async (t) => {
  const { writer, buckets, spool, reopen } = await open(t)
  await writer.append(flowLog(), 'h', ['a'])
  const again = await reopen()
  t.deepEqual(await again.spooled(), [ID])
  await again.append(flowLog(), 'h', ['b'])
  renameSync(join(spool, `${ID}.log`), join(spool, `${ID}.20260301T1020Z_01234567.closing`))
  await reopen()
  await reopen()
  t.deepEqual(filesOf(buckets).map((name) => textOf(buckets, name)), ['h\na\nb\n'])
})

test('a flow log that is gone is forgotten when its spool is empty', async (t) => {
  const { writer, spool } = await open(t)
  await writer.append(flowLog(), 'h', ['a'])
  await writer.forget(() => true)
  await writer.publish(ID, NOW_MS)
  t.is(readdirSync(spool).length, 1)
  await writer.forget(() => false)
  t.is(readdirSync(spool).length, 1)
  await writer.forget(() => true)
  t.deepEqual(readdirSync(spool), [])
})

test('full buckets lose their oldest files', async (t) => {
  const { writer, buckets } = await open(t, 1)
  for (const line of ['a', 'b']) {
    await writer.append(flowLog(), 'h', [line])
    await writer.publish(ID, NOW_MS)
  }
  t.deepEqual(filesOf(buckets), [])
})
