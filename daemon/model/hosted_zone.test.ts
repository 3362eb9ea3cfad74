/** Zones and their records as plans: what is refused, and what a batch leaves. */
import test from 'ava'
import {
  ZONE_CHANGE_AGE_MAX_MS, noteChange, planAssociateVpc, planAuthorizeVpc, planCreateZone,
  planDeleteZone, planDisassociateVpc, requireZone, vpcsOfZone
} from './hosted_zone.ts'
import type { ZoneVpc } from './hosted_zone.ts'
import { planChangeRecordSets } from './record_set.ts'
import type { RecordSetChange } from './record_set.ts'
import { put } from './snapshot.ts'
import { TestNetwork } from './test_network.ts'

const STRANGER = '222222222222'

class ZoneNetwork extends TestNetwork {
  readonly vpc: ZoneVpc = { vpcId: this.vpcId, region: 'us-east-1' }
  readonly zoneId = this.createZone('corp.example')

  createZone (name: string, vpc = this.vpc, callerReference = name): string {
    return this.run(planCreateZone(this.view(),
      { name, callerReference, comment: null, vpc }, this.context)).zoneId
  }

  change (...batch: readonly Partial<RecordSetChange>[]): string {
    const view = this.view()
    return this.refusal(() => this.run(planChangeRecordSets(view, requireZone(view, this.zoneId),
      batch.map((one) => ({
        action: 'CREATE', name: 'a.corp.example', type: 'A', ttlS: 60, values: ['10.0.0.1'],
        unbuilt: [], ...one
      })), () => noteChange(view, null, this.context))))
  }

  /** `name type values` of the zone's own records. */
  get records (): string[] {
    return this.snapshot.tables.resourceRecordSet.by('zoneId', this.zoneId)
      .filter(({ type }) => type !== 'NS' && type !== 'SOA')
      .map(({ name, type, values }) => `${name} ${type} ${values.join(',')}`).toSorted()
  }
}

test('a batch is done in order, as a whole or not at all', (t) => {
  const net = new ZoneNetwork()
  t.is(net.change({}, { name: '*.corp.example', values: ['10.0.0.2', '10.0.0.3'] }), '')
  t.is(net.change({ name: 'b.corp.example' }, {}), 'InvalidChangeBatch')
  t.deepEqual(net.records, ['*.corp.example A 10.0.0.2,10.0.0.3', 'a.corp.example A 10.0.0.1'])
  t.is(net.change({ action: 'DELETE' }, { type: 'CNAME', values: ['x.example'] }), '',
    'a CNAME in the place of what the batch removes')
  t.is(net.change({ type: 'CNAME', action: 'DELETE', values: ['x.example'] }, {}), '')
  t.is(net.change({ action: 'UPSERT', values: ['10.0.0.9'] },
    { action: 'UPSERT', values: ['10.0.0.8'] }), '')
  t.is(net.change({ action: 'DELETE', name: '\\052.corp.example.',
    values: ['10.0.0.3', '10.0.0.2'] }), '', 'in any order')
  t.deepEqual(net.records, ['a.corp.example A 10.0.0.8'])
  t.is(net.change({ name: 'n.corp.example' }, { name: 'n.corp.example', action: 'DELETE' }), '')
  t.deepEqual(net.records, ['a.corp.example A 10.0.0.8'])
})

test('a zone keeps one SOA record and an NS record, and no more than its quota', (t) => {
  const net = new ZoneNetwork()
  const soa = net.snapshot.tables.resourceRecordSet.get(`${net.zoneId}/corp.example/SOA`)
  const apex = { name: 'corp.example', type: 'SOA', ttlS: 900, values: soa?.values ?? [] }
  t.is(net.change({ ...apex, action: 'DELETE' }), 'InvalidChangeBatch')
  t.is(net.change({ ...apex, action: 'CREATE', name: 'a.corp.example' }), 'InvalidChangeBatch')
  t.is(net.change({ ...apex, action: 'UPSERT', values: ['a.example b.example 2 1 1 1 5'] }), '')
  net.apply([put('quotaOverride', { id: 'records-per-hosted-zone', value: 3 })])
  t.is(net.change({}), '')
  t.is(net.change({ name: 'b.corp.example' }), 'InvalidChangeBatch')
  t.is(net.change({ action: 'DELETE' }, { name: 'b.corp.example' }), '')
})

test('a change that is not of the form is refused as such', (t) => {
  const net = new ZoneNetwork()
  for (const change of [
    { action: 'REPLACE' }, { type: 'DS' }, { ttlS: null }, { ttlS: -1 }, { values: null },
    { values: [] }, { unbuilt: ['AliasTarget'] }
  ]) t.is(net.change(change), 'InvalidInput', JSON.stringify(change))
  t.is(net.change(), 'InvalidInput', 'no change')
  const many = Array.from({ length: 401 },
    (_none, n) => `10.0.${String(n >> 8)}.${String(n & 255)}`)
  t.is(net.change({ values: many }), 'InvalidChangeBatch')
  t.is(net.change({ action: 'UPSERT', values: many.slice(0, 300) },
    { action: 'UPSERT', name: 'b.corp.example', values: many.slice(0, 300) }), 'InvalidChangeBatch',
  'an UPSERT counts twice')
  t.deepEqual(net.records, [])
})

test('a VPC sees one zone of a name and several inside each other; a zone has a VPC', (t) => {
  const net = new ZoneNetwork()
  const other = { vpcId: net.createVpc(), region: 'us-east-1' }
  const associate = (vpc: ZoneVpc): string => net.refusal(() =>
    net.run(planAssociateVpc(net.view(), net.zoneId, vpc, null, net.context)))
  const dissociate = (vpc: ZoneVpc): string => net.refusal(() =>
    net.run(planDisassociateVpc(net.view(), net.zoneId, vpc, null, net.context)))
  t.is(net.refusal(() => net.createZone('Corp.Example.', net.vpc, 'again')),
    'ConflictingDomainExists')
  net.createZone('db.corp.example')
  net.createZone('corp.example', other, 'of the other VPC')
  t.is(associate(other), 'ConflictingDomainExists')
  t.is(associate({ ...other, region: 'eu-west-1' }), 'InvalidVPCId')
  t.is(dissociate(other), 'VPCAssociationNotFound')
  t.is(dissociate(net.vpc), 'LastVPCAssociation')
  const third = { vpcId: net.createVpc(), region: 'us-east-1' }
  t.is(associate(third), '')
  t.is(dissociate(net.vpc), '')
  t.deepEqual(vpcsOfZone(net.snapshot, net.zoneId).map(({ vpcId }) => vpcId), [third.vpcId])
})

test('another account sees nothing of a zone, and needs authorization to associate', (t) => {
  const net = new ZoneNetwork()
  const stranger = net.view(STRANGER)
  t.is(net.refusal(() => requireZone(stranger, net.zoneId)), 'NoSuchHostedZone')
  t.is(net.refusal(() => planDeleteZone(stranger, net.zoneId, net.context)), 'NoSuchHostedZone')
  const theirs = { vpcId: 'vpc-0123456789abcdef0', region: 'us-east-1' }
  const associate = (): string => net.refusal(() =>
    planAssociateVpc(stranger, net.zoneId, theirs, null, net.context))
  t.is(associate(), 'NotAuthorizedException')
  net.run(planAuthorizeVpc(net.view(), net.zoneId, theirs))
  t.is(associate(), 'InvalidVPCId', 'authorized, and there is no such VPC')
})

test('a zone goes with all that is its own, when nothing else is in it', (t) => {
  const net = new ZoneNetwork()
  net.change({})
  t.is(net.refusal(() => planDeleteZone(net.view(), net.zoneId, net.context)), 'HostedZoneNotEmpty')
  net.change({ action: 'DELETE' })
  net.run(planDeleteZone(net.view(), net.zoneId, net.context))
  const { hostedZone, hostedZoneVpc, resourceRecordSet } = net.snapshot.tables
  t.deepEqual([hostedZone.size, hostedZoneVpc.size, resourceRecordSet.size], [0, 0, 0])
})

test('changes are known for a day', (t) => {
  const net = new ZoneNetwork()
  net.change({})
  const { hostedZoneChange } = net.snapshot.tables
  t.is(hostedZoneChange.size, 2)
  const later = { ...net.context, nowMs: net.context.nowMs + ZONE_CHANGE_AGE_MAX_MS }
  net.apply(noteChange(net.view(), null, later).changes)
  t.is(hostedZoneChange.size, 1)
})
