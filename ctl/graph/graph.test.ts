/**
 * From the answers of the EC2 API to pictures. The names are hostile: a Name tag may hold anything.
 *
 *     VPC "web"   az1: subnet "front" ▭ a (running), b (stopped), a's second interface
 *                 az2: an empty subnet with a table of its own
 *     main table: local, 192.0.2.0/24 → a, 198.51.100.0/24 → an ENI that is gone
 */
import test from 'ava'
import type {
  Instance, NetworkInterface, RouteTable, Subnet, Tag, Vpc
} from '@aws-sdk/client-ec2'
import { drawGraph } from './drawing.ts'
import { toDot, toSvg } from './dot.ts'
import { toMermaid } from './mermaid.ts'
import { type Graph, graphConnections, graphVpcs } from './model.ts'

const HOSTILE = 'a"b]c<d>&e\\f\ng#quot;h|i{j}%%k`l\u001b[31m</script>\ud800 end\u202e'

function named (name: string): Tag[] { return [{ Key: 'Name', Value: name }] }

const NO_CONNECTIONS = { peerings: [], vpnConnections: [], gateways: [], customerGateways: [] }

function makeGraph (name = 'web', prefix = '0'): Graph {
  const id = (kind: string, number: number): string => `${kind}-${prefix}${String(number)}`
  const vpcs: Vpc[] = [{
    VpcId: id('vpc', 1),
    Tags: named(name),
    CidrBlockAssociationSet: [{ CidrBlock: '10.0.0.0/16' }],
    Ipv6CidrBlockAssociationSet: [{ Ipv6CidrBlock: '2001:db8::/56' }]
  }]
  const subnet = (number: number, zone: number): Subnet => ({
    SubnetId: id('subnet', number), VpcId: id('vpc', 1), CidrBlock: `10.0.${String(number)}.0/24`,
    AvailabilityZone: `us-east-1${'ab'[zone - 1] ?? ''}`,
    AvailabilityZoneId: `use1-az${String(zone)}`, Tags: named(name)
  })
  const eni = (number: number, instance?: number, deviceIndex = 0): NetworkInterface => ({
    NetworkInterfaceId: id('eni', number), SubnetId: id('subnet', 1), TagSet: [],
    PrivateIpAddresses: [{ PrivateIpAddress: `10.0.1.${String(number + 3)}` }],
    ...instance === undefined
      ? {}
      : { Attachment: { InstanceId: id('i', instance), DeviceIndex: deviceIndex } }
  })
  const instances: Instance[] = [
    {
      InstanceId: id('i', 1), Tags: named(name), State: { Name: 'running' },
      Placement: { HostId: 'host-1' }
    },
    { InstanceId: id('i', 2), Tags: named('b'), State: { Name: 'stopped' }, Placement: {} }
  ]
  const routeTables: RouteTable[] = [
    {
      RouteTableId: id('rtb', 1), VpcId: id('vpc', 1), Associations: [{ Main: true }],
      Routes: [
        { DestinationCidrBlock: '10.0.0.0/16', GatewayId: 'local', State: 'active' },
        {
          DestinationCidrBlock: '192.0.2.0/24', NetworkInterfaceId: id('eni', 1), State: 'active'
        },
        {
          DestinationIpv6CidrBlock: '2001:db8:1::/48', NetworkInterfaceId: id('eni', 2),
          State: 'blackhole'
        },
        {
          DestinationCidrBlock: '198.51.100.0/24', NetworkInterfaceId: id('eni', 9),
          State: 'blackhole'
        }
      ]
    },
    {
      RouteTableId: id('rtb', 2), VpcId: id('vpc', 1), Tags: named(name), Routes: [],
      Associations: [{ Main: false, SubnetId: id('subnet', 2) }]
    }
  ]
  return {
    lab: 'unit',
    region: 'us-east-1',
    hosts: [{ name: 'host-1', zoneId: 'use1-az1', underlayAddress: '100.127.0.1', interfaces: 2 }],
    vpcs: graphVpcs({
      vpcs,
      subnets: [subnet(2, 2), subnet(1, 1)],
      routeTables,
      interfaces: [eni(1, 1), eni(2, 2), eni(3, 1, 1), eni(4)],
      instances: new Map(instances.map((instance) => [instance.InstanceId ?? '', instance])),
      internetGateways: [], egressOnlyInternetGateways: [], natGateways: [], vpnGateways: []
    }),
    connections: NO_CONNECTIONS
  }
}

test('the model puts every resource in its place', (t) => {
  const [vpc] = makeGraph().vpcs
  t.like(vpc, { id: 'vpc-01', name: 'web', cidrBlocks: ['10.0.0.0/16', '2001:db8::/56'] })
  t.deepEqual(vpc?.zones.map(({ zoneId, subnets }) =>
    [zoneId, subnets.map(({ id, routeTableId }) => `${id} ${routeTableId ?? ''}`)]),
  [['use1-az1', ['subnet-01 rtb-01']], ['use1-az2', ['subnet-02 rtb-02']]])
  const interfaces = vpc?.zones[0]?.subnets[0]?.interfaces ?? []
  t.deepEqual(interfaces.map(({ id, instance }) => [id, instance?.state, instance?.host]), [
    ['eni-01', 'running', 'host-1'], ['eni-02', 'stopped', null], ['eni-03', 'running', 'host-1'],
    ['eni-04', undefined, undefined]
  ])
  t.deepEqual(vpc?.routeTables[0]?.routes.map(({ target, state }) => `${target} ${state}`),
    ['local active', 'eni-01 active', 'eni-02 blackhole', 'eni-09 blackhole'])
})

test('a drawing has an edge for what is in the picture', (t) => {
  const { edges } = drawGraph(makeGraph(), { ids: true })
  t.deepEqual(edges.map(({ from, to, kind, label }) => [from, to, kind, label].join(' ').trim()), [
    'subnet1 table1 association', 'eni1 eni3 same-instance', 'subnet2 table2 association',
    'table1 eni1 route 192.0.2.0/24', 'table1 eni2 blackhole 2001:db8:1::/48'
  ])
})

/** Grammar of the part of Mermaid's flowcharts that is written here. */
const MERMAID_TEXT = '"(?:[\\p{L}\\p{M}\\p{N} .,:/_()→-]|#\\d+;|<br/>)*"'
const MERMAID_ID = '[a-z]+\\d*'
const MERMAID_LINE = new RegExp(`^(?:${[
  'flowchart LR', 'end', `subgraph ${MERMAID_ID}\\[${MERMAID_TEXT}\\]`,
  `${MERMAID_ID}\\[${MERMAID_TEXT}\\]`,
  `${MERMAID_ID} (?:-->|---|==>|-\\.->|-\\.-)(?:\\|${MERMAID_TEXT}\\|)? ${MERMAID_ID}`,
  'classDef [a-z]+ [a-z-]+:[^,;]+(?:,[a-z-]+:[^,;]+)*', 'class [a-z\\d,]+ [a-z]+',
  'linkStyle \\d+(?:,\\d+)* [a-z]+:#[\\da-f]+(?:,[a-z]+:#[\\da-f]+)*'
].join('|')})$`, 'u')

/** Names that Mermaid's parser takes for a keyword. */
const MERMAID_KEYWORDS =
  ['end', 'graph', 'subgraph', 'style', 'class', 'click', 'default', 'o', 'x']

test('Mermaid text keeps to the grammar, whatever the names are', (t) => {
  for (const name of ['web', '', HOSTILE, 'end', '日本語 ü']) {
    const [comment, ...lines] = toMermaid(drawGraph(makeGraph(name), { ids: true }))
      .trimEnd().split('\n').map((line) => line.trim())
    t.regex(comment ?? '', /^%% [\w ,-]+$/)
    for (const line of lines) t.regex(line, MERMAID_LINE)
    const opened = lines.filter((line) => line.startsWith('subgraph ')).length
    t.is(lines.filter((line) => line === 'end').length, opened)
    const declared = lines.flatMap((line) => /^(?:subgraph )?([a-z]+\d*)\[/.exec(line)?.[1] ?? [])
    t.is(new Set(declared).size, declared.length, 'every id is declared once')
    t.false(declared.some((id) => MERMAID_KEYWORDS.includes(id)))
    for (const line of lines.filter((text) => /^\w+ (-|=)/.test(text))) {
      const [from = '', to = ''] = [line.split(' ')[0], line.split(' ').at(-1)]
      t.true(declared.includes(from) && declared.includes(to), line)
    }
  }
})

test('Mermaid marks the blackhole, and only it', (t) => {
  const lines = toMermaid(drawGraph(makeGraph(), { ids: true })).split('\n')
  t.true(lines.includes('  table1 -.->|"2001:db8:1::/48"| eni2'))
  t.true(lines.includes('  linkStyle 4 stroke:#c62828,color:#c62828'))
})

test('Graphviz draws hostile names as they are, and nothing that runs', async (t) => {
  const svg = await toSvg(drawGraph(makeGraph(HOSTILE), { ids: true }))
  t.regex(svg, /<svg [^]*<\/svg>\s*$/)
  t.notRegex(svg, /<script|<\/script|\u001b/)
  const texts = [...svg.matchAll(/<text [^>]*>([^<]*)<\/text>/g)]
    .map(([, text = '']) => decoded(text))
  const shown = 'a"b]c<d>&e\\f g#quot;h|i{j}%%k`l [31m</script>\ufffd end\u202e'
  t.true(texts.includes(`${shown} i-01`), texts.join('\n'))
  t.is(texts.filter((text) => text.includes('(blackhole)')).length, 2)
})

test('every text of an SVG stands on a fill of its own, and the page is transparent', async (t) => {
  const dot = toDot(drawGraph(makeGraph(), { ids: true }))
  t.true(dot.includes('bgcolor="transparent"'))
  for (const line of dot.split('\n').filter((text) => text.includes('label="'))) {
    t.true(/fillcolor=|shape=plaintext|->/.test(line), line)
  }
})

test('the same lab gives the same picture; without ids also when it is built anew', (t) => {
  for (const write of [toMermaid, toDot]) {
    const draw = (prefix: string, ids: boolean): string =>
      write(drawGraph(makeGraph('web', prefix), { ids }))
    t.is(draw('0', true), draw('0', true))
    t.is(draw('0', false), draw('7', false))
    t.not(draw('0', true), draw('7', true))
  }
})

/** The text of an XML text node. */
function decoded (text: string): string {
  return text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"')
    .replaceAll('&#45;', '-').replaceAll('&#160;', ' ').replaceAll('&#39;', '\'')
    .replaceAll('&amp;', '&')
}

test('gateways are drawn where they stand, with the routes that lead to them', (t) => {
  const vpcs = graphVpcs({
    vpcs: [{ VpcId: 'vpc-01', Tags: named('web') }],
    subnets: [{ SubnetId: 'subnet-01', VpcId: 'vpc-01', AvailabilityZoneId: 'use1-az1' }],
    routeTables: [{
      RouteTableId: 'rtb-01', VpcId: 'vpc-01', Associations: [{ Main: true }],
      Routes: [
        { DestinationCidrBlock: '0.0.0.0/0', NatGatewayId: 'nat-01', State: 'active' },
        { DestinationCidrBlock: '192.0.2.0/24', GatewayId: 'igw-01', State: 'blackhole' }
      ]
    }],
    interfaces: [{
      NetworkInterfaceId: 'eni-01', SubnetId: 'subnet-01',
      PrivateIpAddresses: [{ PrivateIpAddress: '10.0.1.4',
        Association: { PublicIp: '203.0.113.5' } }]
    }],
    instances: new Map(),
    internetGateways: [{ InternetGatewayId: 'igw-01', Tags: named('door'),
      Attachments: [{ VpcId: 'vpc-01', State: 'attached' }] },
    { InternetGatewayId: 'igw-02', Attachments: [] }],
    egressOnlyInternetGateways: [],
    natGateways: [{ NatGatewayId: 'nat-01', State: 'available',
      NatGatewayAddresses: [{ NetworkInterfaceId: 'eni-01' }] }],
    vpnGateways: []
  })
  t.deepEqual(vpcs[0]?.gateways, [{ id: 'igw-01', name: 'door', kind: 'internet gateway' }])
  const { boxes, edges } = drawGraph(
    { lab: 'l', region: 'us-east-1', hosts: [], vpcs, connections: NO_CONNECTIONS }, { ids: false })
  t.deepEqual(boxes[0]?.boxes[0]?.boxes[0]?.nodes.map(({ kind, lines }) => [kind, lines]),
    [['gateway', ['NAT gateway', '10.0.1.4', 'public 203.0.113.5']]])
  t.deepEqual(boxes[0]?.nodes.at(-1)?.lines, ['internet gateway', 'door'])
  t.deepEqual(edges.map(({ from, to, kind }) => [from, to, kind]), [
    ['subnet1', 'table1', 'association'], ['table1', 'gateway1', 'route'],
    ['table1', 'gateway2', 'blackhole']
  ])
})

test('peerings and VPN connections join what is in the picture', async (t) => {
  const vpnGateways = [
    { VpnGatewayId: 'vgw-01', Tags: named('office'),
      VpcAttachments: [{ VpcId: 'vpc-01', State: 'attached' as const }] },
    { VpnGatewayId: 'vgw-02' }, { VpnGatewayId: 'vgw-03' }
  ]
  const vpcs = graphVpcs({
    vpcs: [{ VpcId: 'vpc-01', Tags: named('web') }],
    subnets: [{ SubnetId: 'subnet-01', VpcId: 'vpc-01', AvailabilityZoneId: 'use1-az1' }],
    routeTables: [{
      RouteTableId: 'rtb-01', VpcId: 'vpc-01', Associations: [{ Main: true }],
      Routes: [
        { DestinationCidrBlock: '192.168.0.0/16', GatewayId: 'vgw-01', State: 'active' },
        { DestinationCidrBlock: '10.2.0.0/16', VpcPeeringConnectionId: 'pcx-01', State: 'active' }
      ]
    }],
    interfaces: [], instances: new Map(), internetGateways: [], egressOnlyInternetGateways: [],
    natGateways: [], vpnGateways
  })
  const connections = graphConnections({
    vpcIds: new Set(['vpc-01']),
    peerings: [
      { VpcPeeringConnectionId: 'pcx-01', Status: { Code: 'active' },
        RequesterVpcInfo: { VpcId: 'vpc-01' }, AccepterVpcInfo: { VpcId: 'vpc-09' } },
      { VpcPeeringConnectionId: 'pcx-02', Status: { Code: 'deleted' },
        RequesterVpcInfo: { VpcId: 'vpc-01' } }
    ],
    vpnGateways,
    vpnConnections: [
      { VpnConnectionId: 'vpn-01', VpnGatewayId: 'vgw-01', CustomerGatewayId: 'cgw-01',
        State: 'available', Tags: named('office'),
        Options: { StaticRoutesOnly: true, TunnelOptions: [
          { OutsideIpAddress: '203.0.113.1', TunnelInsideCidr: '169.254.10.0/30' },
          { OutsideIpAddress: '203.0.113.2', TunnelInsideCidr: '169.254.11.0/30' }
        ] },
        VgwTelemetry: [{ OutsideIpAddress: '203.0.113.2', Status: 'UP' }] },
      { VpnConnectionId: 'vpn-02', VpnGatewayId: 'vgw-02', CustomerGatewayId: 'cgw-01',
        State: 'available' },
      { VpnConnectionId: 'vpn-03', VpnGatewayId: 'vgw-03', State: 'deleted' }
    ],
    customerGateways: [
      { CustomerGatewayId: 'cgw-01', IpAddress: '198.51.100.7', BgpAsn: '65010' },
      { CustomerGatewayId: 'cgw-02', IpAddress: '198.51.100.8' }
    ]
  })
  const graph = { lab: 'l', region: 'us-east-1', hosts: [], vpcs, connections }
  const { boxes, edges } = drawGraph(graph, { ids: true })
  t.deepEqual(boxes.at(-1)?.nodes.map(({ lines }) => lines), [
    ['peering', 'pcx-01'],
    ['VPN connection', 'office vpn-01', 'static routes',
      'tunnel 1 203.0.113.1 169.254.10.0/30 down', 'tunnel 2 203.0.113.2 169.254.11.0/30 up'],
    ['VPN connection', 'vpn-02', 'BGP routes'], ['virtual private gateway', 'vgw-02'],
    ['customer gateway', 'cgw-01', '198.51.100.7', 'ASN 65010']
  ])
  t.deepEqual(boxes[0]?.nodes.at(-1)?.lines, ['virtual private gateway', 'office vgw-01'])
  t.deepEqual(edges.map(({ from, to, kind, label }) => [from, to, kind, label].join(' ').trim()), [
    'subnet1 table1 association', 'table1 gateway1 route 192.168.0.0/16',
    'table1 gateway2 route 10.2.0.0/16', 'vpc1 gateway2 connection requester',
    'gateway1 gateway3 connection', 'gateway3 gateway6 connection',
    'gateway5 gateway4 connection', 'gateway4 gateway6 connection'
  ])
  const lines = toMermaid(drawGraph(graph, { ids: false })).trimEnd().split('\n').slice(1)
  for (const line of lines) t.regex(line.trim(), MERMAID_LINE)
  t.false(lines.some((line) => line.includes('203.0.113.')))
  t.regex(await toSvg(drawGraph(graph, { ids: true })), /tunnel 2 203\.0\.113\.2/)
})
