import test from 'ava'
import { VERDICT_ACCEPT, VERDICT_REJECT } from '../dataplane/flow_records.ts'
import type { FlowRecord } from '../dataplane/flow_records.ts'
import { EGRESS, INGRESS } from '../dataplane/tables/flow_layout.ts'
import { FLOW_LOG_FIELDS } from '../model/flow_log_format.ts'
import { addressWords } from '../wire/address.ts'
import { LineFormat, describeFlow } from './line.ts'
import type { Watched } from './watched.ts'

const WATCHED: Watched = {
  eniId: 'eni-0123456789abcdef0', hostName: 'host-1', accountId: '111111111111',
  region: 'us-east-1', vpcId: 'vpc-1', subnetId: 'subnet-1', instanceId: 'i-1',
  zoneId: 'use1-az1', primaryIpv4: '10.0.1.10', ipv6Addresses: ['2001:db8::10'],
  unlogged: new Set(['10.0.0.2']), pathTo: (address) => address.startsWith('10.0.') ? '1' : '8',
  flowLogs: []
}

function record (changes: Partial<FlowRecord> & { from?: string, to?: string } = {}): FlowRecord {
  const { from = '10.0.1.10', to = '10.0.2.20', ...others } = changes
  return {
    eniIdHigh: 0, eniIdLow: 0, direction: EGRESS, verdict: VERDICT_ACCEPT, protocol: 6,
    source: addressWords(from), destination: addressWords(to), sourcePort: 40_000,
    destinationPort: 80, tcpFlags: 3, packets: 12, bytes: 3456, firstMs: 1_700_000_000_900,
    lastMs: 1_700_000_012_300, ...others
  }
}

function lineOf (format: string | null, one: FlowRecord): string | null {
  const values = describeFlow(one, WATCHED)
  return values === null ? null : new LineFormat(format).line(values)
}

test('the default format has the fourteen fields of version 2', (t) => {
  t.is(lineOf(null, record()), '2 111111111111 eni-0123456789abcdef0 10.0.1.10 10.0.2.20 ' +
    '40000 80 6 12 3456 1700000000 1700000012 ACCEPT OK')
  t.is(lineOf(null, record({ verdict: VERDICT_REJECT }))?.split(' ')[12], 'REJECT')
})

test('a format of every field has a value for each, and the newest version', (t) => {
  const fields = Object.keys(FLOW_LOG_FIELDS)
  const line = lineOf(fields.map((field) => `\${${field}}`).join(' '), record()) ?? ''
  t.is(line, '5 111111111111 eni-0123456789abcdef0 10.0.1.10 10.0.2.20 40000 80 6 12 3456 ' +
    '1700000000 1700000012 ACCEPT OK vpc-1 subnet-1 i-1 3 IPv4 10.0.1.10 10.0.2.20 us-east-1 ' +
    'use1-az1 - - - - egress 1')
  t.is(line.split(' ').length, fields.length)
})

test('the version is the newest that a field of the format needs', (t) => {
  t.is(lineOf('${version} ${srcaddr}', record()), '2 10.0.1.10')
  t.is(lineOf('${tcp-flags} ${version}', record()), '3 3')
  t.is(lineOf('${region} ${version}', record()), 'us-east-1 4')
})

test('the own side shows the primary address, pkt-… the one in the packet', (t) => {
  const format = '${srcaddr} ${dstaddr} ${pkt-srcaddr} ${pkt-dstaddr}'
  t.is(lineOf(format, record({ from: '10.0.1.11' })), '10.0.1.10 10.0.2.20 10.0.1.11 10.0.2.20')
  t.is(lineOf(format, record({ direction: INGRESS, from: '10.0.2.20', to: '198.51.100.7' })),
    '10.0.2.20 10.0.1.10 10.0.2.20 198.51.100.7')
  t.is(lineOf(format, record({ from: '2001:db8::10', to: '2001:db8::20' })),
    '2001:db8::10 2001:db8::20 2001:db8::10 2001:db8::20')
})

test('the traffic path is told of what was let out', (t) => {
  const format = '${flow-direction} ${traffic-path}'
  t.is(lineOf(format, record()), 'egress 1')
  t.is(lineOf(format, record({ to: '198.51.100.7' })), 'egress 8')
  t.is(lineOf(format, record({ verdict: VERDICT_REJECT })), 'egress -')
  t.is(lineOf(format, record({ direction: INGRESS })), 'ingress -')
})

test('services of the VPC are not logged, servers of one\'s own are', (t) => {
  t.is(lineOf(null, record({ to: '10.0.0.2', protocol: 17, destinationPort: 53 })), null)
  t.is(lineOf(null, record({ protocol: 17, sourcePort: 68, destinationPort: 67 })), null)
  t.not(lineOf(null, record({ to: '10.0.2.53', protocol: 17, destinationPort: 53 })), null)
  t.not(lineOf(null, record({ protocol: 6, sourcePort: 68, destinationPort: 67 })), null)
})

test('a window without packets tells the interface, the window and why', (t) => {
  const window = { startMs: 1_700_000_000_000, endMs: 1_700_000_060_000 }
  t.is(new LineFormat(null).emptyLine(WATCHED, window, 'NODATA'),
    '2 111111111111 eni-0123456789abcdef0 - - - - - - - 1700000000 1700000060 - NODATA')
  t.is(new LineFormat('${log-status} ${vpc-id} ${start}').emptyLine(WATCHED, window, 'SKIPDATA'),
    'SKIPDATA - 1700000000')
})
