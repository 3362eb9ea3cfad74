/** The planner without a lab: a live lab is a file's resources with ids. */
import test from 'ava'
import { KIND_NAMES, KINDS } from './kinds/registry.ts'
import { EMPTY_LAB, type LiveLab } from './live.ts'
import { makePlan, type Plan, planLines } from './plan.ts'
import { keyOf, type LiveResource } from './resource.ts'
import { resourcesOf } from './resources_of.ts'
import { stepsOf } from './rounds.ts'
import { parseLabFile } from './source.ts'
import { labFileOf, labFileText } from './write.ts'

const ZONES = new Map([['1', 'use1-az1'], ['2', 'use1-az2']])

const FILE = `
name: own
dhcp-options:
  corp: { options: { domain-name: example.com } }
vpcs:
  web:
    cidr: [10.0.0.0/16, 10.1.0.0/16]
    ipv6: true
    dhcp-options: corp
    subnets:
      front: { cidr: 10.0.1.0/24, zone: 1, ipv6: 1, route-table: private }
      back: { cidr: 10.0.2.0/24, zone: 2 }
    route-tables:
      private: { routes: { 192.0.2.0/24: { instance: a }, 198.51.100.0/24: { eni: service } } }
    security-groups:
      web:
        description: web tier
        ingress:
          - { protocol: tcp, ports: 80, from: [10.0.0.0/8, web] }
          - { protocol: icmp, icmp-type: 8, from: 0.0.0.0/0, description: echo }
    network-acls:
      strict:
        ingress: { 100: { protocol: tcp, ports: 1-1024, action: allow, cidr: 10.0.0.0/8 } }
    enis:
      service: { subnet: front, address: 10.0.1.50, addresses: [10.0.1.51], groups: [web] }
    instances:
      a:
        subnet: front
        address: 10.0.1.10
        ipv6: ['::10']
        type: t3.micro
        tags: { tier: web }
        commands:
          - echo once
          - { run: echo always, when: always }
          - { run: exec server, background: true }
      b: { enis: [service], type: t3.micro }
`

function fileOf (text: string) { return parseLabFile(text, 'lab.yaml').file }

/** A lab as it is when the file has been applied. */
function labOf (text: string, owner: string | null = 'own',
  change: (resource: LiveResource) => LiveResource = (resource) => resource): LiveLab {
  const file = fileOf(text)
  const live = resourcesOf(file, ZONES).map((resource, index) => change({
    ...resource,
    fields: { ...KINDS[resource.kind].created, ...resource.fields },
    id: `id-${String(index)}`,
    owner,
    commandsDone: []
  }))
  return {
    resources: new Map(live.map((one) => [keyOf(one.kind, one.vpc, one.name), one])),
    ambiguous: new Map(),
    zones: ZONES,
    unsaid: []
  }
}

function plan (text: string, live: LiveLab, prune = false,
  services = new Map<string, ReadonlySet<string>>(), adopt = false): Plan {
  return makePlan(resourcesOf(fileOf(text), ZONES), live,
    { owner: 'own', prune, adopt, services })
}

/** `action key` of each action. */
function actionsOf ({ actions }: Plan): string[] {
  return actions.map(({ action, key }) => `${action} ${key}`)
}

test('an empty lab gets everything, parents first', (t) => {
  const { actions, faults } = plan(FILE, EMPTY_LAB)
  t.deepEqual(faults, [])
  t.true(actions.every(({ action }) => action === 'create'))
  t.deepEqual(actions.map(({ key }) => key), [
    'dhcp-options corp', 'vpc web', 'subnet web/front', 'subnet web/back',
    'route-table web/private', 'security-group web/web', 'network-acl web/strict',
    'eni web/service', 'instance web/a', 'instance web/b'
  ])
})

test('a lab that is as the file says has nothing to do', (t) => {
  t.deepEqual(actionsOf(plan(FILE, labOf(FILE))), [])
})

test('a field of the lab that the file does not name is left alone', (t) => {
  const live = labOf(FILE, 'own', (resource) => resource.name === 'back'
    ? { ...resource, fields: { ...resource.fields, dns64: true, tags: { kept: 'yes' } } }
    : resource)
  t.deepEqual(actionsOf(plan(FILE, live)), [])
})

test('fields that EC2 can change are changed, and shown by what comes and goes', (t) => {
  const changed = FILE.replace('ports: 80,', 'ports: 8080,').replace('tier: web', 'tier: app')
    .replace('{ instance: a }', '{ eni: service }')
  t.deepEqual(planLines(plan(changed, labOf(FILE))).filter((line) => !line.startsWith('>')), [
    '~ change route-table web/private (id-4)',
    '    routes: - 192.0.2.0/24 instance a, + 192.0.2.0/24 eni service',
    '~ change security-group web/web (id-5)',
    '    ingress: - tcp 80 10.0.0.0/8, - tcp 80 web, + tcp 8080 10.0.0.0/8, + tcp 8080 web',
    '~ change instance web/a (id-8)',
    '    tags: - tier web, + tier app'
  ])
})

test('fields that EC2 cannot change replace the resource and what stands in it', (t) => {
  const moved = FILE.replace('10.0.1.0/24, zone: 1', '10.0.1.0/24, zone: 2')
  const lines = planLines(plan(moved, labOf(FILE))).filter((line) => !line.startsWith('>'))
  t.deepEqual(lines, [
    '! replace subnet web/front (id-2)',
    '    zone: use1-az1 → use1-az2',
    '    lost: everything in it',
    '! replace eni web/service (id-7)',
    '    because subnet web/front is replaced',
    '    lost: its id, MAC and addresses',
    '! replace instance web/a (id-8)',
    '    because subnet web/front is replaced',
    '    lost: its processes and all that they kept',
    '! replace instance web/b (id-9)',
    '    because eni web/service, its eth0, is replaced',
    '    lost: its processes and all that they kept'
  ])
})

test('another primary block replaces the VPC, a further one does not', (t) => {
  const further = FILE.replace('10.1.0.0/16]', '10.2.0.0/16]')
  t.deepEqual(actionsOf(plan(further, labOf(FILE))), ['change vpc web'])
  const primary = FILE.replace('[10.0.0.0/16, 10.1.0.0/16]', '[10.1.0.0/16, 10.0.0.0/16]')
  t.true(plan(primary, labOf(FILE)).actions
    .filter(({ key }) => key !== 'dhcp-options corp').every(({ action }) => action === 'replace'))
})

test('what the file names no more is kept, and deleted with --prune', (t) => {
  const less = FILE.replace(/ {6}b: .*\n/, '')
  const kept = plan(less, labOf(FILE))
  t.deepEqual(actionsOf(kept), [])
  t.deepEqual(kept.kept.map(({ name }) => name), ['b'])
  t.deepEqual(actionsOf(plan(less, labOf(FILE), true)), ['delete instance web/b'])
})

test('--prune leaves alone what the file does not own', (t) => {
  const less = 'name: own\n'
  t.deepEqual(plan(less, labOf(FILE, null), true), {
    actions: [], commands: [], kept: [], faults: []
  })
})

test('what has the right name and no owner becomes the file\'s', (t) => {
  const { actions, faults } = plan(FILE, labOf(FILE, null))
  t.deepEqual(faults, [])
  t.true(actions.every(({ changes }) => changes.some(({ field, to }) =>
    field === 'lab-file' && to === 'own')))
})

test('what the file did not make is replaced with --adopt alone', (t) => {
  const instance = FILE.replace('address: 10.0.1.10', 'address: 10.0.1.12')
  const refused = plan(instance, labOf(FILE, null))
  t.deepEqual(refused.faults, [
    'instance web/a (id-8) was not made by this file, and would have to be replaced (address ' +
    '10.0.1.10 → 10.0.1.12): give what the file means another name, delete the one that is ' +
    'there, or say --adopt to replace it; lost then: its processes and all that they kept'
  ])
  t.false(refused.actions.some(({ action }) => action === 'replace'))
  const adopted = plan(instance, labOf(FILE, null), false, new Map(), true)
  t.deepEqual(adopted.faults, [])
  t.true(actionsOf(adopted).includes('replace instance web/a'))
})

test('a stranger in what the file replaces of its own is not replaced with it', (t) => {
  const moved = FILE.replace('10.0.1.0/24, zone: 1', '10.0.1.0/24, zone: 2')
  const live = labOf(FILE, 'own', (resource) =>
    resource.name === 'a' ? { ...resource, owner: null } : resource)
  const { faults } = plan(moved, live)
  t.is(faults.length, 1)
  t.regex(faults[0] ?? '',
    /^instance web\/a \(id-8\) was not made by this file, .*\(subnet web\/front is replaced\)/)
  t.deepEqual(plan(moved, live, false, new Map(), true).faults, [])
})

test('what another file owns, or two resources could be, is a fault', (t) => {
  t.regex(plan(FILE, labOf(FILE, 'other')).faults[0] ?? '', /belongs to the lab file "other"/)
  const ambiguous = { ...EMPTY_LAB, ambiguous: new Map([['vpc web', ['vpc-1', 'vpc-2']]]) }
  t.regex(plan(FILE, ambiguous).faults[0] ?? '', /vpc-1, vpc-2/)
})

test('a holder of what stays can be neither replaced nor pruned', (t) => {
  const stranger = labOf(FILE, 'own', (resource) =>
    resource.name === 'service' ? { ...resource, name: 'guest', owner: null } : resource)
  const moved = FILE.replace('10.0.1.0/24, zone: 1', '10.0.1.0/24, zone: 2')
  t.regex(plan(moved, stranger).faults.join('\n'),
    /subnet web\/front has to go, but eni web\/guest .* is not the file's/)
})

test('a security group\'s description, which EC2 cannot change, is a fault', (t) => {
  t.regex(plan(FILE.replace('web tier', 'other'), labOf(FILE)).faults.join(), /cannot change/)
})

test('commands run once, always, or while they do not run', (t) => {
  const runs = (live: LiveLab, services = new Map<string, ReadonlySet<string>>()): string[] =>
    plan(FILE, live, false, services).commands.map(({ command }) => command.run)
  t.deepEqual(runs(EMPTY_LAB), ['echo once', 'echo always', 'exec server'])
  const first = plan(FILE, EMPTY_LAB).commands
  const hash = (run: string): string =>
    first.find(({ command }) => command.run === run)?.hash ?? ''
  const done = labOf(FILE, 'own', (one) => ({ ...one, commandsDone: [hash('echo once')] }))
  t.deepEqual(runs(done, new Map([['instance web/a', new Set([hash('exec server')])]])),
    ['echo always'])
  t.deepEqual(runs(done), ['echo always', 'exec server'])
})

test('the steps of a lab are taken holders first, and undone in the reverse order', (t) => {
  const creating = plan(FILE, EMPTY_LAB)
  t.deepEqual(stepsOf(creating, 1).map(({ done }) => done.split(' ')[1]), [
    'dhcp-options', 'vpc', 'route-table', 'security-group', 'network-acl', 'subnet', 'subnet', 'eni'
  ])
  t.deepEqual(stepsOf(creating, 2).map(({ done }) => done), [
    'created instance web/a', 'created instance web/b'
  ])
  const pruning = plan('name: own\n', labOf(FILE), true)
  t.deepEqual(stepsOf(pruning, 1).map(({ done }) => done.split(' ')[1]).filter(Boolean), [
    'instance', 'instance', 'eni', 'subnet', 'subnet', 'route-table', 'security-group',
    'network-acl', 'vpc'
  ])
  t.deepEqual(stepsOf(pruning, 3).map(({ done }) => done.split(' ')[1]), ['dhcp-options'])
})

/** Every kind, and every field of the kinds that FILE has not. */
const WHOLE = `
name: own
dhcp-options:
  corp: { options: { domain-name: example.com } }
elastic-ips:
  nat: { address: 203.0.113.5 }
  further: {}
  a: { association: { instance: web/a } }
  service: { association: { eni: web/service, private-ip: 10.0.1.51 } }
vpcs:
  web:
    cidr: 10.0.0.0/16
    ipv6: true
    subnets: { front: { cidr: 10.0.1.0/24, zone: 1, route-table: private } }
    route-tables:
      private:
        routes:
          0.0.0.0/0: { nat: out }
          10.2.0.0/16: { peering: web-db }
          192.0.2.0/24: { vgw: office }
          198.51.100.0/24: { igw: door }
          ::/0: { eigw: out }
        propagating: [office]
      ingress: { routes: { 10.0.1.0/24: { eni: service } } }
    security-groups:
      app: { ingress: [{ protocol: tcp, ports: 80, from: [db/db, app] }] }
    network-acls: { strict: {} }
    egress-only-internet-gateways: { out: { tags: { a: b } } }
    nat-gateways:
      out: { subnet: front, eip: nat, private-ip: 10.0.1.20, secondary: [{ eip: further }] }
      in: { subnet: front, private: true, secondary: [{ private-ip: 10.0.1.30 }] }
    enis: { service: { subnet: front, address: 10.0.1.50, addresses: [10.0.1.51] } }
    instances: { a: { subnet: front } }
  db:
    cidr: 10.2.0.0/16
    security-groups: { db: { ingress: [{ protocol: tcp, ports: 5432, from: web/app }] } }
internet-gateways: { door: { vpc: web, route-table: ingress }, spare: {} }
peerings:
  web-db: { requester: web, accepter: db, requester-dns: true, accepter-dns: true }
  asked: { requester: db, accepter: web, state: pending-acceptance }
vpn-gateways: { office: { vpc: web, asn: 64600 }, spare: {} }
customer-gateways: { office: { address: 198.51.100.7, asn: 4200000000, device: fw } }
vpn-connections:
  office:
    vgw: office
    cgw: office
    static: true
    static-routes: [192.168.0.0/16]
    local: 192.168.0.0/16
    remote: 10.0.0.0/16
    tunnel1: { inside-cidr: 169.254.10.0/30, pre-shared-key: top.secret.1, ike-versions: [ikev2] }
    tunnel2: { phase1-dh-groups: [14, 19], dpd-timeout: 40, lifecycle-control: true }
hosted-zones:
  corp.example:
    vpcs: [web, db]
    comment: of the office
    records:
      app.corp.example: { A: 10.0.1.10, TXT: { ttl: 300, values: ['"one"', '"two"'] } }
      corp.example: { MX: 10 mail.corp.example }
`

const EXPORT_OPTIONS = {
  name: 'own', hosts: { 'host-1': 'use1-az1', 'host-2': 'use1-az2' }, region: 'us-east-1',
  edges: 0, underlayMtu: 9216, vpc: null, keys: true
}

test('the file written from a lab means the same lab', (t) => {
  for (const text of [FILE, WHOLE]) {
    const live = labOf(text)
    const written = labFileText(labFileOf(live, EXPORT_OPTIONS), 'x')
    t.deepEqual(actionsOf(plan(written, live)), [], written)
    t.deepEqual(actionsOf(plan(written, EMPTY_LAB)).toSorted(),
      actionsOf(plan(text, EMPTY_LAB)).toSorted())
  }
  const kinds = new Set(plan(WHOLE, EMPTY_LAB).actions.map(({ resource }) => resource.kind))
  t.deepEqual([...KIND_NAMES].filter((kind) => !kinds.has(kind)), [], 'every kind is in a file')
})

test('an export of one VPC has what is joined to it alone, and names what it leads to', (t) => {
  const { file, unsaid } = labFileOf(labOf(WHOLE), { ...EXPORT_OPTIONS, vpc: 'web' })
  t.deepEqual(Object.keys(file).slice(5), ['elastic-ips', 'vpcs', 'internet-gateways',
    'vpn-gateways', 'customer-gateways', 'vpn-connections'])
  t.deepEqual(unsaid, [
    'peering web-db, which the VPC "web" leads to',
    'security-group db/db, which the VPC "web" leads to'
  ])
  const text = labFileText({ file, unsaid }, 'x')
  t.regex(text, /^# {3}peering web-db, which/m)
  t.deepEqual(plan(text, labOf(WHOLE)).faults, [])
  t.false(/web-db: |db\/db$|spare/m.test(text.replaceAll(/^#.*/gm, '')), text)
})

test('keys are in an export that asks for them, and in no plan', (t) => {
  const live = labOf(WHOLE)
  const { file, unsaid } = labFileOf(live, { ...EXPORT_OPTIONS, keys: false })
  t.false(JSON.stringify(file).includes('top.secret'))
  t.deepEqual(unsaid,
    ['the pre-shared keys of the VPN connection "office": --keys writes them'])
  t.deepEqual(actionsOf(plan(labFileText({ file, unsaid }, 'x'), live)), [])
  const lines = planLines(plan(WHOLE.replace('top.secret.1', 'top.secret.2')
    .replace('[ikev2]', '[ikev1]'), live)).filter((line) => !line.startsWith('>'))
  t.deepEqual(lines.slice(1), [
    '    tunnel1: - pre-shared-key (the old one), - ike-versions ikev2, ' +
      '+ pre-shared-key (another one), + ike-versions ikev1'
  ])
})

test('what is attached to a VPC that is replaced is attached to the new one', (t) => {
  const actions = actionsOf(plan(WHOLE.replace('cidr: 10.0.0.0/16', 'cidr: 10.1.0.0/16')
    .replaceAll('10.0.1.', '10.1.1.'), labOf(WHOLE)))
  for (const action of [
    'change internet-gateway door', 'change vpn-gateway office', 'replace peering web-db',
    'replace nat-gateway web/out', 'replace egress-only-internet-gateway web/out'
  ]) t.true(actions.includes(action), action)
  t.false(actions.some((action) => /vpn-connection|customer-gateway|peering asked$/
    .test(action.replace('replace peering asked', ''))))
})

test('a customer gateway that is made anew takes its connections with it', (t) => {
  const lines = planLines(plan(WHOLE.replace('198.51.100.7', '198.51.100.8'), labOf(WHOLE)))
    .filter((line) => !line.startsWith('>'))
  t.deepEqual(lines, [
    '! replace customer-gateway office (id-24)',
    '    address: 198.51.100.7 → 198.51.100.8',
    '    lost: its id',
    '! replace vpn-connection office (id-25)',
    '    because customer-gateway office is replaced',
    '    lost: its keys and outside addresses'
  ])
})

test('gateways, peerings and connections go after what uses them', (t) => {
  const pruning = plan('name: own\n', labOf(WHOLE), true)
  const kindsOf = (round: 1 | 3): string[] =>
    [...new Set(stepsOf(pruning, round).map(({ done }) => done.split(' ')[1] ?? ''))]
      .filter((kind) => kind !== '')
  const first = kindsOf(1)
  const before = (one: string, other: string): void => {
    t.true(first.indexOf(one) !== -1 && first.indexOf(one) < first.indexOf(other),
      `${one} before ${other}: ${first.join()}`)
  }
  before('instance', 'subnet')
  before('nat-gateway', 'subnet')
  before('vpn-connection', 'vpc')
  before('egress-only-internet-gateway', 'vpc')
  before('peering', 'vpc')
  t.deepEqual(kindsOf(3), ['elastic-ip', 'internet-gateway', 'vpn-gateway', 'hosted-zone',
    'dhcp-options', 'customer-gateway'])
})
