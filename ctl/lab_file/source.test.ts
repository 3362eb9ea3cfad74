/** What a bad lab file is told: every fault, each at its line and column. */
import { readFileSync } from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import { CtlError } from '../exit_codes.ts'
import { labFileJsonSchema } from './schema.ts'
import { parseLabFile } from './source.ts'

/** `line:column message` of every fault. */
function faultsOf (t: ExecutionContext, text: string): string[] {
  const error = t.throws(() => parseLabFile(text, 'lab.yaml'), { instanceOf: CtlError })
  t.is(error.code, 'BadLabFile')
  t.is(error.exitCode, 2)
  return error.message.split('\n').flatMap((line) => {
    const [, place, message] = /^lab\.yaml:(\d+:\d+): (.*)$/.exec(line) ?? []
    return place === undefined ? [] : `${place} ${message ?? ''}`
  })
}

test('a file with every section is read', (t) => {
  const { file } = parseLabFile(`
name: all
hosts: { host-1: 1, host-2: use1-az1 }
dhcp-options:
  corp: { options: { domain-name: example.com, ntp-servers: [192.0.2.1, 192.0.2.2] } }
vpcs:
  web:
    cidr: 10.0.0.0/16
    dhcp-options: corp
    subnets: { front: { cidr: 10.0.1.0/24, route-table: main, network-acl: default } }
    security-groups:
      a: { ingress: [{ protocol: tcp, ports: 80-90, from: [a, default, 10.0.0.0/8] }] }
    network-acls: { open: { ingress: { 100: { protocol: all, action: allow, cidr: 0.0.0.0/0 } } } }
    enis: { service: { subnet: front, address: 10.0.1.50 } }
    instances: { a: { subnet: front, enis: [service], commands: ['true'] } }
checks: [{ ping: { from: a, to: 10.0.1.50 } }]
`, 'lab.yaml')
  t.deepEqual(file.vpcs?.['web']?.cidr, ['10.0.0.0/16'])
  t.deepEqual(file.vpcs?.['web']?.['security-groups']?.['a']?.ingress?.[0]?.ports,
    { from: 80, to: 90 })
  t.deepEqual(file.vpcs?.['web']?.instances?.['a']?.commands,
    [{ run: 'true', when: 'once', background: false, listens: undefined }])
})

test('every fault of a file is told at once, in order, with the nearest word', (t) => {
  t.deepEqual(faultsOf(t, `name: bad
hots: 2
vpcs:
  web:
    cidr: 10.0.0.1/16
    subnets:
      front:
        cidr: 10.0.1.0/24
        zoen: 1
    instances:
      a:
        subnet: frnt
        source-dest-chek: false
      b: { subnet: 7 }
  other:
    cidr: 10.0.0.0/16
    subnets: { one: { cidr: 10.9.1.0/24 } }
checks:
  - png: { from: a, to: b }
  - ping: { from: c, to: b }
`), [
    '2:1 unknown key "hots"; did you mean "hosts"?',
    '5:11 "10.0.0.1/16" has bits behind its prefix: the block is 10.0.0.0/16',
    '9:9 unknown key "zoen"; did you mean "zone"?',
    '13:9 unknown key "source-dest-chek"; did you mean "source-dest-check"?',
    '14:20 a text is expected here, not "7"',
    '17:29 10.9.1.0/24 lies in no block of the VPC, which has 10.0.0.0/16',
    '19:5 unknown key "png"; did you mean "ping"?',
    '20:19 the file has no instance "c"'
  ])
})

test('references to what the file does not have are faults', (t) => {
  t.deepEqual(faultsOf(t, `name: bad
hosts: { host-1: 1 }
vpcs:
  web:
    cidr: 10.0.0.0/16
    dhcp-options: corp
    subnets:
      front: { cidr: 10.0.1.0/24, route-table: mian }
      back: { cidr: 10.0.1.128/25 }
    route-tables:
      private: { routes: { 192.0.2.0/24: { eni: nobody } } }
    security-groups:
      a: { ingress: [{ protocol: all, from: [b] }] }
    instances:
      one: { subnet: front, address: 10.0.1.3, groups: [webs], host: host-2 }
      two: { subnet: front, address: 10.0.2.9, ipv6: true }
      three: { subnet: front, enis: [ghost] }
checks:
  - ping: { from: on, to: 10.0.1.9 }
  - ping: { from: one, to: tow }
`), [
    '6:19 the file has no DHCP option set "corp"',
    '8:48 the VPC has no route table "mian"; did you mean "main"?',
    '9:21 10.0.1.128/25 overlaps 10.0.1.0/24 of the subnet "front"',
    '11:49 the VPC has no ENI "nobody"',
    '13:46 the VPC has no security group "b"',
    '15:38 10.0.1.3 is AWS\'s own: the first four addresses of a subnet and the last',
    '15:57 the VPC has no security group "webs"',
    '15:70 the lab has no host "host-2"; did you mean "host-1"?',
    '16:38 10.0.2.9 is not in the subnet "front" (10.0.1.0/24)',
    '16:54 the subnet "front" has no "ipv6"',
    '17:38 the VPC has no ENI "ghost"',
    '19:19 the file has no instance "on"; did you mean "one"?',
    '20:28 the file has no instance "tow"; did you mean "two"?'
  ])
})

test('a name, an address and an ENI stand in one place only', (t) => {
  t.deepEqual(faultsOf(t, `name: twice
vpcs:
  web:
    cidr: 10.0.0.0/16
  web:
    cidr: 10.0.0.0/16
`), ['5:3 this name stands here twice: first in line 3'])
  t.deepEqual(faultsOf(t, `name: twice
vpcs:
  web:
    cidr: 10.0.0.0/16
    subnets: { front: { cidr: 10.0.1.0/24 } }
    enis: { e: { subnet: front, address: 10.0.1.9 } }
    instances:
      a: { subnet: front, address: 10.0.1.9, enis: [e] }
      b: { subnet: front, enis: [e] }
`), [
    '8:36 10.0.1.9 is given to "e" already',
    '9:34 the ENI "e" is attached to "a" already'
  ])
})

test('tabs, broken YAML and what is no file at all are faults with a place', (t) => {
  t.deepEqual(faultsOf(t, 'name: a\nvpcs:\n\tweb:\n\t\tcidr: 10.0.0.0/16\n  b: 1\n'),
    ['3:1 a tab: YAML is indented with spaces alone (so in 1 more line)'])
  t.deepEqual(faultsOf(t, 'name: *nobody\n'), ['1:7 no anchor "&nobody" stands before this alias'])
  t.regex(faultsOf(t, 'name: [a\n').join(), /^\d+:\d+ .*\]/)
  t.deepEqual(faultsOf(t, ''), ['1:1 a map is expected here, not nothing'])
  t.deepEqual(faultsOf(t, 'vpcs: {}\n'), ['1:1 "name" is missing'])
})

test('a value out of bounds is told what would be right, in plain words', (t) => {
  const faults = faultsOf(t, `name: bounds
hosts: -1
vpcs:
  web:
    cidr: 10.0.0.0/16
    subnets: { front: { cidr: 10.0.1.0/24 } }
    route-tables: { private: { routes: { 10.9.0.0/16: lcoal } } }
    security-groups:
      a:
        ingress:
          - { protocol: tpc, ports: 80, from: 0.0.0.0/0 }
          - { protocol: 300, from: 0.0.0.0/0 }
          - { protocol: tcp, ports: 70000, from: 0.0.0.0/0 }
          - { protocol: all, from: [] }
    instances: { a: { subnet: front, commands: [{ run: x, background: true, listens: 70000 }] } }
    tags: { '': x }
checks:
  - http: { from: a, to: a, path: x }
`)
  t.deepEqual(faults, [
    '2:8 at least 0 is expected here, not -1',
    '7:55 a target is expected here, such as { nat: … } or { eni: … }, not the text "lcoal"',
    '11:25 one of tcp, udp, icmp, icmpv6, all or a number is expected here, not the text "tpc"; ' +
      'did you mean "tcp"?',
    '12:25 at most 255 is expected here, not 300',
    '13:37 at most 65535 is expected here, not 70000',
    '14:30 an empty list means nothing here',
    '15:86 at most 65535 is expected here, not 70000',
    '16:13 the name "": an empty text means nothing here',
    '18:35 a path begins with "/"'
  ])
})

test('a zone without a host and the target of a route check that nothing is are faults', (t) => {
  const file = (hosts: string): string => `name: zones
hosts: ${hosts}
vpcs:
  web:
    cidr: 10.0.0.0/16
    subnets: { a: { cidr: 10.0.1.0/24, zone: 2 }, b: { cidr: 10.0.2.0/24, zone: use1-az3 } }
    instances: { router: { subnet: a } }
checks:
  - route: { table: main, destination: 10.0.0.0/16, target: lcoal }
  - route: { table: web/main, destination: 0.0.0.0/0, target: router }
`
  const local = '9:61 the VPC "web" has no target "lcoal"; did you mean "local"?'
  t.deepEqual(faultsOf(t, file('4')),
    ['6:81 the lab has no zone use1-az3: its hosts are in the zones 1, 2', local])
  t.deepEqual(faultsOf(t, file('{ one: 1, three: use1-az3 }')),
    ['6:46 the lab has no zone 2: its hosts are in the zones 1, 3', local])
  t.deepEqual(faultsOf(t, file('0')), [local])
})

test('what shows later is refused with its place, too', (t) => {
  const { refusal } = parseLabFile('name: a\nhosts: 2\n', 'lab.yaml')
  const error = refusal([{ message: 'too many', path: ['hosts'] }])
  t.is(error.exitCode, 2)
  t.regex(error.message, /^lab\.yaml:2:8: too many$/m)
})

test('a fault behind an alias or a merge stands where it was written', (t) => {
  t.deepEqual(faultsOf(t, `name: merged
vpcs:
  web:
    cidr: 10.0.0.0/16
    subnets: { front: { cidr: 10.0.1.0/24 } }
    instances:
      a: &a
        subnet: front
        sate: stopped
      b: { <<: *a, address: 10.0.1.9 }
`), [
    '9:9 unknown key "sate"; did you mean "state"?'
  ])
})

test('faults of gateways, peerings and VPN connections are told with what would be right', (t) => {
  t.deepEqual(faultsOf(t, `name: edge
elastic-ips:
  nat: { association: { instance: a } }
  other: { association: { instance: web/a, eni: web/b } }
vpcs:
  web:
    cidr: 10.0.0.0/16
    subnets: { front: { cidr: 10.0.1.0/24 } }
    route-tables:
      private: { routes: { 0.0.0.0/0: { nat: uot }, 10.1.0.0/16: { igw: dor } } }
    security-groups:
      a: { ingress: [{ protocol: all, from: [dat/b, data/c] }] }
    nat-gateways:
      out: { subnet: front, eip: nat }
      open: { subnet: front }
      in: { subnet: front, private: true, eip: nat }
      more: { subnet: front, eip: nat }
  data:
    cidr: 10.0.0.0/17
    security-groups: { b: {} }
internet-gateways:
  door: { vpc: web, route-table: privat }
  two: { vpc: web }
  none: { route-table: private }
peerings:
  p: { requester: web, accepter: data }
  self: { requester: web, accepter: web }
customer-gateways: { office: { asn: 65000 } }
vpn-gateways: { office: { vpc: wbe } }
vpn-connections:
  one: { vgw: ofice, cgw: branch, static-routes: [192.168.0.0/16] }
  three: { vgw: ofice, cgw: branch }
  two: { vgw: office, cgw: branch, tunnel1: { ike-version: [ikev2], dpd-action: stop } }
hosted-zones:
  Corp.Example.: { vpcs: [web] }
  corp.example: { vpcs: [wbe], records: { a.corp.example: { AA: 10.0.1.1 } } }
`), [
    '3:35 "a" is no instance of a VPC of the file, as "vpc/name"',
    '4:12 exactly one of instance, eni is needed, not instance and eni',
    '10:46 the VPC has no NAT gateway "uot"; did you mean "out"?',
    '10:73 the file has no internet gateway "dor"; did you mean "door"?',
    '12:46 "dat/b" is no security group of a VPC of the file, as "vpc/name"; did you mean ' +
      '"data/b"?',
    '12:53 the VPC "data" has no security group "c"',
    '14:34 the Elastic IP "nat" is that of "a" already',
    '15:7 a public NAT gateway needs "eip", a private one "private: true"',
    '16:48 a private NAT gateway has no Elastic IP',
    '17:35 the Elastic IP "nat" is that of the NAT gateway "web/out" already',
    '22:34 the VPC "web" has no route table "privat"; did you mean "private"?',
    '23:15 the VPC "web" has the internet gateway "door" already',
    '24:24 a route table is of a VPC: say which, with "vpc"',
    '26:34 the VPCs "web" (10.0.0.0/16) and "data" (10.0.0.0/17) overlap: EC2 joins no such VPCs',
    '27:37 a peering joins two different VPCs',
    '28:22 a customer gateway needs "address" or "certificate"',
    '29:32 the file has no VPC "wbe"; did you mean "web"?',
    '31:35 a connection with static routes says "static: true"',
    '32:17 the file has no virtual private gateway "ofice"; did you mean "office"?',
    '32:29 the file has no customer gateway "branch"',
    '33:47 unknown key "ike-version"; did you mean "ike-versions"?',
    '33:81 "stop" is not one of clear, none, restart',
    '35:3 the domain is written "corp.example" here',
    '36:26 the file has no VPC "wbe"; did you mean "web"?',
    '36:61 unknown key "AA"'
  ])
})

test('a fault shows its line with a caret under what is wrong', (t) => {
  const error = t.throws(() => parseLabFile('name: a\nhosts: many\n', 'lab.yaml'))
  t.is(error.message, '1 fault in lab.yaml\n' +
    'lab.yaml:2:8: a number or a map is expected here, not the text "many"\n' +
    '    2 | hosts: many\n' +
    '      |        ^^^^')
})

test('labs/schema.json is what the schema says: vpcctl export --schema > labs/schema.json', (t) => {
  const published = readFileSync(new URL('../../labs/schema.json', import.meta.url), 'utf8')
  t.deepEqual(JSON.parse(published), labFileJsonSchema())
})
