/** The quota table: its two profiles, what a lab overrides, and how far AWS raises a quota. */
import test from 'ava'
import {
  checkQuota, QUOTA_NAMES, QUOTA_PROFILES, quota, quotaDefault, quotaFault, quotaOverrides, QUOTAS
} from './quota.ts'
import { TestWorld } from './test_world.ts'

test('the profiles differ where AWS has raised its defaults since', (t) => {
  const differing = QUOTA_NAMES.filter((name) =>
    quotaDefault(name, 'seed') !== quotaDefault(name, 'current'))
  t.deepEqual(differing.map((name) =>
    [name, quotaDefault(name, 'seed'), quotaDefault(name, 'current')]), [
    ['routes-per-route-table', 50, 500]
  ])
})

test('a lab overrides what differs from the seed; a name comes before the profile', (t) => {
  const overrides = (...args: Parameters<typeof quotaOverrides>): unknown =>
    Object.fromEntries(quotaOverrides(...args))
  t.deepEqual(overrides('seed', {}), {})
  t.deepEqual(overrides('current', {}), { 'routes-per-route-table': 500 })
  t.deepEqual(overrides('seed', { 'vpcs-per-region': 7, 'subnets-per-vpc': 200 }),
    { 'vpcs-per-region': 7 }, 'as the seed has it: nothing to override')
  t.deepEqual(overrides('current', { 'routes-per-route-table': 60 }),
    { 'routes-per-route-table': 60 })
  t.deepEqual(overrides('current', { 'routes-per-route-table': 50 }), {})
})

test('an override holds until it is taken away', (t) => {
  const world = new TestWorld()
  const code = (count: number): string =>
    world.refusal(() => { checkQuota(world.snapshot, 'vpcs-per-region', count) })
  t.deepEqual([code(5), code(6)], ['', QUOTAS['vpcs-per-region'].code])
  world.setQuota('vpcs-per-region', 6)
  t.deepEqual([code(6), code(7)], ['', QUOTAS['vpcs-per-region'].code])
  world.apply([{ noun: 'quotaOverride', id: 'vpcs-per-region', record: null }])
  t.is(quota(world.snapshot, 'vpcs-per-region'), 5)
})

test('quotas can be raised as far as AWS raises them, whatever the profile', (t) => {
  for (const profile of QUOTA_PROFILES) {
    const fault = (values: Readonly<Record<string, number>>): string =>
      quotaFault(values, profile) ?? ''
    t.is(fault({}), '')
    t.is(fault({ 'routes-per-route-table': 1000, 'rules-per-security-group': 200 }), '')
    t.regex(fault({ 'routes-per-route-table': 1001 }), /1000 at most/)
    t.regex(fault({ 'rules-per-network-acl': 41 }), /40 at most/)
    t.regex(fault({ 'security-groups-per-network-interface': 17 }), /16 at most/)
    t.regex(fault({ 'rules-per-security-group': 201 }), /times/)
  }
})
