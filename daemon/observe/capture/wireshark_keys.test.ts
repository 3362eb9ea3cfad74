import test from 'ava'
import type { EspSa } from '../../tun/esp_sa.ts'
import { wiresharkKeyLine } from './wireshark_keys.ts'

const bytes = (count: number, first: number): Uint8Array =>
  Uint8Array.from({ length: count }, (_, at) => first + at)

const SA: EspSa = {
  index: 1, direction: 'inbound', tunnel: 7, spi: 0xc0000001 | 0,
  source: Uint8Array.of(192, 0, 2, 9), destination: Uint8Array.of(198, 51, 100, 1),
  sourcePort: 0, destinationPort: 0,
  transform: { kind: 'aes-gcm', key: bytes(16, 0), salt: bytes(4, 0xa0), icvBytes: 16 },
  esn: false, replayWindow: 64, sequence: 0n, noEcn: false, clearDf: true, copyDscp: false,
  hardBytes: null, hardPackets: null
}

test('an SA of AES-GCM is a line of the ESP SA table, its salt behind its key', (t) => {
  t.is(wiresharkKeyLine(SA), '"IPv4","192.0.2.9","198.51.100.1","0xc0000001",' +
    '"AES-GCM with 16 octet ICV [RFC4106]","0x000102030405060708090a0b0c0d0e0fa0a1a2a3","NULL",""')
})

test('an SA of AES-CBC has a key for its integrity, too; addresses may be of IPv6', (t) => {
  const address = (last: number): Uint8Array =>
    Uint8Array.from([0x20, 1, 0x0d, 0xb8, ...new Array<number>(11).fill(0), last])
  t.is(wiresharkKeyLine({
    ...SA, source: address(1), destination: address(2),
    transform: { kind: 'aes-cbc', key: bytes(16, 0), hash: 'sha1', hashKey: bytes(20, 0),
      icvBytes: 12 }
  }), '"IPv6","2001:db8::1","2001:db8::2","0xc0000001","AES-CBC [RFC3602]",' +
    '"0x000102030405060708090a0b0c0d0e0f","HMAC-SHA-1-96 [RFC2404]",' +
    '"0x000102030405060708090a0b0c0d0e0f10111213"')
})
