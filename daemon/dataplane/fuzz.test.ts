import test from 'ava'
import { readFileSync } from 'node:fs'
import { DROP_REASONS } from './drop_reason.ts'
import { ipPacketsOf } from './testing/captures.ts'
import { fuzzNetwork } from './testing/fuzz.ts'

/** Of two Linux stacks: echo, UDP and TCP, fragments, options of IPv6, refusals, discovery. */
const CAPTURE = new URL('../../test/fuzz/corpus/pipeline.pcap', import.meta.url)
/** Seeds 1..n; `npm run fuzz -- --seconds 600 pipeline` goes on with others. */
const SEEDS = 20
/** Seeds that found something once. */
const FOUND: readonly number[] = []

test('broken packets are delivered, parked or dropped with a reason, each once', (t) => {
  const captured = ipPacketsOf(readFileSync(CAPTURE))
  t.true(captured.length > 50)
  const seen = new Set<number>()
  const sums = { fed: 0, sent: 0, delivered: 0, dropped: 0, parked: 0, forwarded: 0 }
  for (const seed of [...FOUND, ...Array.from({ length: SEEDS }, (_none, index) => index + 1)]) {
    const { reasons, ...totals } = fuzzNetwork(seed, captured)
    for (const name of Object.keys(sums) as (keyof typeof sums)[]) sums[name] += totals[name]
    for (const reason of reasons) seen.add(reason)
  }
  // Otherwise the fuzzing would see the first check alone.
  for (const [name, sum] of Object.entries(sums)) t.true(sum > SEEDS * 10, `${name} ${String(sum)}`)
  const names = [...seen].map((reason) => DROP_REASONS[reason].name)
  for (const name of ['malformed', 'fragment-invalid', 'source-spoofed', 'security-group-ingress',
    'security-group-egress', 'network-acl-egress', 'network-acl-ingress', 'no-route', 'ttl-expired',
    'bad-host', 'bad-forwarder', 'eni-not-here', 'vni-unknown', 'mapping-timeout',
    'destination-check']) {
    t.true(names.includes(name), `${name} is not among ${names.join(', ')}`)
  }
})
