/** Networks of a tunnel: what it carries, by every length of prefix. */
import test from 'ava'
import fc from 'fast-check'
import { EspTunnels } from './esp_tunnels.ts'
import { EspBench } from './testing/esp_oracle.ts'
import { echoRequest } from './testing/inner_packets.ts'

/** 10.0.1.10 to 192.168.7.20. */
const PACKET = echoRequest(8)

function tunnels (
  local: readonly number[], localPrefixLength: number, remote: readonly number[],
  remotePrefixLength: number
): EspTunnels {
  const made = new EspTunnels(new EspBench().esp)
  made.apply({
    kind: 'esp-permit',
    tunnel: 1,
    selectors: [{
      local: Uint8Array.from(local),
      localPrefixLength,
      remote: Uint8Array.from(remote),
      remotePrefixLength
    }]
  })
  return made
}

test('a tunnel carries what is of its networks, seen from its side', (t) => {
  const made = tunnels([10, 0, 1, 0], 24, [192, 168, 0, 0], 16)
  t.true(made.permits(1, PACKET, 0, 'outbound'))
  t.false(made.permits(1, PACKET, 0, 'inbound'), 'the other way round')
  t.false(made.permits(2, PACKET, 0, 'outbound'), 'another tunnel')
  made.apply({ kind: 'esp-permit', tunnel: 1, selectors: [] })
  t.false(made.permits(1, PACKET, 0, 'outbound'))
})

test('any network is permitted by a prefix of no bits, of its own family', (t) => {
  t.true(tunnels([0, 0, 0, 0], 0, [0, 0, 0, 0], 0).permits(1, PACKET, 0, 'inbound'))
  const zero = Array<number>(16).fill(0)
  t.false(tunnels(zero, 0, zero, 0).permits(1, PACKET, 0, 'inbound'))
})

test('exactly the bits of the prefix are compared', (t) => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 32 }), fc.integer({ min: 0, max: 31 }),
    (length, bit) => {
      const local = [10, 0, 1, 10]
      const byte = bit >> 3
      local[byte] = (local[byte] ?? 0) ^ 0x80 >> (bit & 7)
      t.is(tunnels(local, length, [0, 0, 0, 0], 0).permits(1, PACKET, 0, 'outbound'), bit >= length)
    }))
})

test('a tunnel without an SA sends nothing', (t) => {
  const made = tunnels([0, 0, 0, 0], 0, [0, 0, 0, 0], 0)
  t.is(made.selected(1), 0)
  t.is(made.mtu(1), 0)
  made.apply({ kind: 'esp-select', tunnel: 1, index: 9 })
  t.is(made.selected(1), 9)
  made.apply({ kind: 'esp-select', tunnel: 1, index: 0 })
  t.is(made.selected(1), 0)
})
