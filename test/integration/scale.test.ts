/**
 * Two hundred instances on one lab.
 *
 *     host-1 ─ 100 instances      host-2 ─ 100 instances      one subnet 10.0.0.0/20
 */
import test from 'ava'
import { withLab } from '../harness/with_lab.ts'

const INSTANCES_PER_HOST = 100
const UP_MS_MAX = 60_000

test.serial('200 instances are up in under 60 s', withLab({}, async (t, lab) => {
  const subnet = await lab.subnet(await lab.vpc('10.0.0.0/16'), '10.0.0.0/20')
  const began = performance.now()
  const [one, two] = await Promise.all([
    lab.instances(subnet, { host: 'host-1', count: INSTANCES_PER_HOST }),
    lab.instances(subnet, { host: 'host-2', count: INSTANCES_PER_HOST })
  ])
  const tookMs = performance.now() - began
  t.log(`up in ${String(Math.round(tookMs))} ms`)
  t.true(tookMs < UP_MS_MAX)
  t.is(one.length + two.length, 2 * INSTANCES_PER_HOST)
  const first = one[0]
  const last = two.at(-1)
  if (first === undefined || last === undefined) throw new Error('no instance')
  t.is((await first.ping(last.ipv4)).received, 5)
  t.is((await last.ping(one.at(-1)?.ipv4 ?? '')).received, 5)
}))
