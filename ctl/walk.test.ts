import test from 'ava'
import { CtlError } from './exit_codes.ts'
import { packetText, parseEnd, parseTraffic } from './walk.ts'

test('an end is a name or an address, with a port or without', (t) => {
  t.deepEqual(parseEnd('10.0.2.20:443'), { end: '10.0.2.20', port: 443 })
  t.deepEqual(parseEnd('10.0.2.20'), { end: '10.0.2.20' })
  t.deepEqual(parseEnd('db:5432'), { end: 'db', port: 5432 })
  t.deepEqual(parseEnd('db'), { end: 'db' })
  t.deepEqual(parseEnd('2001:db8::1'), { end: '2001:db8::1' })
  t.deepEqual(parseEnd('[2001:db8::1]:443'), { end: '2001:db8::1', port: 443 })
  t.throws(() => parseEnd('db:65536'), { instanceOf: CtlError, message: /65535/ })
})

test('traffic is a protocol, with a port where the protocol has ports', (t) => {
  t.deepEqual(parseTraffic('tcp/443'), { protocol: 'tcp', port: 443 })
  t.deepEqual(parseTraffic('icmp'), { protocol: 'icmp' })
  t.deepEqual(parseTraffic('50'), { protocol: '50' })
  for (const wrong of ['tcp', 'tcp/x', 'tcp/1/2', '']) {
    t.throws(() => parseTraffic(wrong), { instanceOf: CtlError }, wrong)
  }
})

test('a packet is written as tcpdump readers know it', (t) => {
  const packet = { protocol: 'tcp', source: '2001:db8::1', destination: '2001:db8::2',
    sourcePort: 32_768, destinationPort: 443, icmpType: 0, tcpFlags: 2, bytes: 0 }
  t.is(packetText(packet), 'tcp [2001:db8::1]:32768 → [2001:db8::2]:443')
  t.is(packetText({ ...packet, protocol: 'icmp', source: '10.0.1.1', destination: '10.0.2.2' }),
    'icmp 10.0.1.1 → 10.0.2.2')
})
