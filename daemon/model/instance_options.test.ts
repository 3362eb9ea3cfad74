/** What an instance is told about itself, and which names it has: changes, defaults, refusals. */
import test from 'ava'
import { planStopInstances, planTerminateInstances } from './instance.ts'
import { planInstanceReached } from './instance_agent.ts'
import type { ReachedState } from './instance_agent.ts'
import { planModifyPrivateDnsNameOptions, privateDnsOptionsOf } from './instance_dns.ts'
import type { PrivateDnsNameInput } from './instance_dns.ts'
import {
  DEFAULT_METADATA_OPTIONS, metadataOptionsOf, planModifyMetadataDefaults,
  planModifyMetadataOptions
} from './instance_metadata.ts'
import type { MetadataOptionsInput } from './instance_metadata.ts'
import type { Instance } from './instance.ts'
import { planModifySubnetAttribute } from './subnet.ts'
import { TestNetwork } from './test_network.ts'

const ABSENT = 'i-0123456789abcdef0'

class OptionsNetwork extends TestNetwork {
  readonly id = this.launch()[0] ?? ''

  instance (id = this.id): Instance {
    const found = this.view().get('instance', id)
    if (found === undefined) throw new Error(`no instance ${id}`)
    return found
  }

  reach (state: ReachedState): void {
    this.run(planInstanceReached(
      this.snapshot, this.instance().hostName ?? '', this.id, state, this.context))
  }

  /** The two calls give the code of their refusal, or nothing. */
  metadata (input: MetadataOptionsInput, id = this.id, view = this.view()): string {
    return this.refusal(() => this.run(planModifyMetadataOptions(view, id, input)))
  }

  names (input: PrivateDnsNameInput, id = this.id, view = this.view()): string {
    return this.refusal(() => this.run(planModifyPrivateDnsNameOptions(view, id, input)))
  }
}

test('ModifyInstanceMetadataOptions changes what it names', (t) => {
  const net = new OptionsNetwork()
  t.deepEqual(metadataOptionsOf(net.instance()), DEFAULT_METADATA_OPTIONS)
  t.is(net.metadata({ httpTokens: 'required', httpPutResponseHopLimit: 64 }), '')
  t.is(net.metadata({ httpEndpoint: 'disabled' }), '')
  t.deepEqual(metadataOptionsOf(net.instance()), {
    ...DEFAULT_METADATA_OPTIONS, httpTokens: 'required', httpPutResponseHopLimit: 64,
    httpEndpoint: 'disabled'
  })
})

test('ModifyInstanceMetadataOptions refuses bad values, and changes nothing', (t) => {
  const net = new OptionsNetwork()
  const refusals: readonly (readonly [MetadataOptionsInput, string])[] = [
    [{}, 'MissingParameter'],
    [{ httpTokens: 'never' }, 'InvalidParameterValue'],
    [{ httpEndpoint: 'on' }, 'InvalidParameterValue'],
    [{ httpProtocolIpv6: 'required' }, 'InvalidParameterValue'],
    [{ instanceMetadataTags: 'true' }, 'InvalidParameterValue'],
    [{ httpTokens: 'no-preference' }, 'InvalidParameterValue'],
    ...[0, 65, -1, 1.5].map((hops): [MetadataOptionsInput, string] =>
      [{ httpPutResponseHopLimit: hops }, 'InvalidParameterValue']),
    [{ httpTokens: 'required', httpEndpoint: 'on' }, 'InvalidParameterValue']
  ]
  for (const [input, code] of refusals) t.is(net.metadata(input), code, JSON.stringify(input))
  t.deepEqual(metadataOptionsOf(net.instance()), DEFAULT_METADATA_OPTIONS)
  const good = { httpTokens: 'required' }
  t.is(net.metadata(good, ABSENT), 'InvalidInstanceID.NotFound')
  t.is(net.metadata(good, 'i-x'), 'InvalidInstanceID.Malformed')
  t.is(net.metadata(good, net.id, net.view('222222222222')), 'InvalidInstanceID.NotFound')
  net.run(planTerminateInstances(net.view(), { instanceIds: [net.id] }, net.context))
  t.is(net.metadata(good), 'IncorrectInstanceState', 'it is shutting down')
  net.reach('terminated')
  t.is(net.metadata(good), 'IncorrectInstanceState')
})

test('the defaults of the account are those of new instances, until they are taken away', (t) => {
  const net = new OptionsNetwork()
  const defaults = (input: MetadataOptionsInput): string =>
    net.refusal(() => net.run(planModifyMetadataDefaults(net.view(), input)))
  t.is(defaults({ httpTokens: 'required', httpPutResponseHopLimit: 2 }), '')
  t.is(defaults({ httpTokens: 'never' }), 'InvalidParameterValue')
  t.is(defaults({ httpPutResponseHopLimit: 65 }), 'InvalidParameterValue')
  t.like(metadataOptionsOf(net.instance(net.launch()[0])),
    { httpTokens: 'required', httpPutResponseHopLimit: 2 })
  t.is(defaults({ httpTokens: 'no-preference', httpPutResponseHopLimit: -1 }), '')
  const [other] = net.launch({}, { subnetId: net.otherSubnetId })
  t.deepEqual(metadataOptionsOf(net.instance(other)), DEFAULT_METADATA_OPTIONS)
  t.is(metadataOptionsOf(net.instance()).httpTokens, 'optional', 'older ones keep what they have')
})

test('ModifyPrivateDnsNameOptions switches records while it runs, the kind while it is stopped',
  (t) => {
    const net = new OptionsNetwork()
    net.reach('running')
    t.is(net.names({ enableResourceNameDnsARecord: true }), '')
    t.is(net.names({ hostnameType: 'resource-name' }), 'IncorrectInstanceState')
    t.is(net.names({ hostnameType: 'ip-name', enableResourceNameDnsAaaaRecord: true }), '',
      'the kind that it has')
    net.run(planStopInstances(net.view(), { instanceIds: [net.id] }, net.context))
    t.is(net.names({ hostnameType: 'resource-name' }), 'IncorrectInstanceState', 'it is stopping')
    net.reach('stopped')
    t.is(net.names({ hostnameType: 'resource-name' }), '')
    t.deepEqual(privateDnsOptionsOf(net.instance()), {
      hostnameType: 'resource-name', enableResourceNameDnsARecord: true,
      enableResourceNameDnsAaaaRecord: true
    })
  })

test('ModifyPrivateDnsNameOptions refuses what the instance cannot have', (t) => {
  const net = new OptionsNetwork()
  t.is(net.names({}), 'MissingParameter')
  t.is(net.names({ hostnameType: 'dns-name' }), 'InvalidParameterValue')
  const good = { enableResourceNameDnsARecord: true }
  t.is(net.names(good, ABSENT), 'InvalidInstanceID.NotFound')
  t.is(net.names(good, net.id, net.view('222222222222')), 'InvalidInstanceID.NotFound')
  const [ipv4Only = ''] = net.launch({}, { subnetId: net.otherSubnetId })
  t.is(net.names({ enableResourceNameDnsAaaaRecord: true }, ipv4Only),
    'InvalidParameterCombination', 'its subnet has no IPv6 block')
  net.run(planTerminateInstances(net.view(), { instanceIds: [net.id] }, net.context))
  net.reach('terminated')
  t.is(net.names(good), 'IncorrectInstanceState')
})

test('a new instance has the names that its subnet says', (t) => {
  const net = new OptionsNetwork()
  for (const attribute of [
    { hostnameType: 'resource-name' }, { enableResourceNameDnsARecord: true }
  ]) net.run(planModifySubnetAttribute(net.view(), net.subnetId, attribute))
  t.like(privateDnsOptionsOf(net.instance(net.launch()[0])),
    { hostnameType: 'resource-name', enableResourceNameDnsARecord: true })
  t.is(privateDnsOptionsOf(net.instance()).hostnameType, 'ip-name', 'older ones keep theirs')
})
