import test from 'ava'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { CtlError } from './exit_codes.ts'
import { FlowLogTable, loadBucket } from './flow_log_table.ts'

test('lines can be asked with SQL: numbers add up, "-" is nothing', async (t) => {
  const table = await FlowLogTable.open()
  table.add(['srcaddr', 'bytes', 'end', 'log-status'],
    ['10.0.1.10 900 20 OK', '10.0.1.10 1000 30 OK', '- - 40 NODATA'])
  t.deepEqual(table.query('SELECT srcaddr, sum(bytes) AS bytes, max("end") AS last FROM flow_log ' +
    'WHERE log_status = \'OK\' GROUP BY srcaddr').map((row) => ({ ...row })),
  [{ srcaddr: '10.0.1.10', bytes: 1900, last: 30 }])
  t.deepEqual({ ...table.query('SELECT count(srcaddr) AS known, count(*) AS all_of_them ' +
    'FROM flow_log')[0] }, { known: 2, all_of_them: 3 })
})

test('what is no question is refused, with the columns that there are', async (t) => {
  const table = await FlowLogTable.open()
  for (const sql of ['SELECT colour FROM flow_log', 'DELETE FROM flow_log', 'what?']) {
    const error = t.throws(() => table.query(sql), { instanceOf: CtlError })
    t.is(error.code, 'Usage')
    t.regex(error.message, /pkt_srcaddr/)
  }
})

test('a line that does not fit its fields is refused', async (t) => {
  const table = await FlowLogTable.open()
  const error = t.throws(() => { table.add(['srcaddr', 'dstaddr'], ['10.0.1.10']) },
    { instanceOf: CtlError })
  t.is(error.code, 'InvalidAnswer')
})

test('files of a bucket are read, whatever their formats', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'vpclab-bucket-'))
  t.teardown(() => { rmSync(directory, { recursive: true }) })
  mkdirSync(join(directory, 'AWSLogs', '2026'), { recursive: true })
  writeFileSync(join(directory, 'AWSLogs', '2026', 'one.log.gz'),
    gzipSync('srcaddr packets\n10.0.1.10 3\n10.0.1.11 4\n'))
  writeFileSync(join(directory, 'AWSLogs', 'two.log.gz'), gzipSync('packets action\n5 REJECT\n'))
  writeFileSync(join(directory, 'AWSLogs', 'notes.txt'), 'no file of a flow log')
  const table = await FlowLogTable.open()
  await loadBucket(table, directory)
  t.is(table.query('SELECT sum(packets) AS packets FROM flow_log')[0]?.['packets'], 12)
})
