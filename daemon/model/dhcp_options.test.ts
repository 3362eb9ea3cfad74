/** DHCP option sets: which options may be made, and what keeps a set from going. */
import test from 'ava'
import {
  planAssociateDhcpOptions, planCreateDhcpOptions, planDeleteDhcpOptions
} from './dhcp_options.ts'
import { requireRecord } from './resource_kind.ts'
import { TestNetwork } from './test_network.ts'

function create (net: TestNetwork,
  ...configurations: readonly (readonly [string, ...string[]])[]): string {
  return net.run(planCreateDhcpOptions(net.view(), {
    configurations: configurations.map(([key, ...values]) => ({ key, values })), tags: {}
  }, net.context))
}

for (const [configurations, code] of [
  [[['domain-name', 'example.com'], ['domain-name-servers', 'AmazonProvidedDNS']], ''],
  [[['domain-name-servers', '10.0.0.2', '10.0.0.3', '2001:db8::2']], ''],
  [[['domain-name-servers', '10.0.0.2,10.0.0.3, 10.0.0.4,10.0.0.5']], ''],
  [[['domain-name-servers', '10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6']],
    'InvalidParameterValue'],
  [[['domain-name-servers', '10.0.0.2', '10.0.0.3', '10.0.0.4', 'AmazonProvidedDNS']], ''],
  [[['domain-name-servers', '10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', 'AmazonProvidedDNS']],
    'InvalidParameterValue'],
  [[['domain-name-servers', 'ns.example.com']], 'InvalidParameterValue'],
  [[['ntp-servers', '10.0.0.9', '2001:db8::9']], ''],
  [[['netbios-name-servers', '2001:db8::9']], 'InvalidParameterValue'],
  [[['netbios-node-type', '2']], ''],
  [[['netbios-node-type', '3']], 'InvalidParameterValue'],
  [[['netbios-node-type', '2', '4']], 'InvalidParameterValue'],
  [[['ipv6-address-preferred-lease-time', '3600']], ''],
  [[['ipv6-address-preferred-lease-time', '1']], 'InvalidParameterValue'],
  [[['tftp-server', '10.0.0.9']], 'InvalidParameterValue'],
  [[['domain-name']], 'InvalidParameterValue'],
  [[['domain-name', 'a.example'], ['domain-name', 'b.example']], 'InvalidParameterValue'],
  [[], 'MissingParameter']
] as readonly (readonly [readonly (readonly [string, ...string[]])[], string])[]) {
  const text = configurations.map((one) => one.join(' ')).join('; ') || 'nothing'
  test(`a set of ${text} is ${code === '' ? 'made' : `refused with ${code}`}`, (t) => {
    const net = new TestNetwork()
    t.is(net.refusal(() => create(net, ...configurations)), code)
  })
}

test('a set in use stays; default stands for no options', (t) => {
  const net = new TestNetwork()
  const dhcpOptionsId = create(net, ['domain-name', 'example.com'])
  const associate = (id: string): string =>
    net.refusal(() => net.run(planAssociateDhcpOptions(net.view(),
      { dhcpOptionsId: id, vpcId: net.vpcId })))
  const remove = (): string =>
    net.refusal(() => net.run(planDeleteDhcpOptions(net.view(), { dhcpOptionsId })))
  t.is(associate('dopt-0aaaaaaaaaaaaaaaa'), 'InvalidDhcpOptionID.NotFound')
  t.is(associate(dhcpOptionsId), '')
  t.is(remove(), 'DependencyViolation')
  t.is(associate('default'), '')
  t.is(requireRecord(net.view(), 'vpc', net.vpcId).dhcpOptionsId, 'default')
  t.is(remove(), '')
  t.is(remove(), 'InvalidDhcpOptionID.NotFound')
})
