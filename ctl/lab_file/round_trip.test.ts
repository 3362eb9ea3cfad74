/**
 * A file with every kind of resource, against a daemon that serves the API alone: applied, applied
 * again, exported, applied to an empty lab, changed, pruned.
 *
 *     office ═ two tunnels ═ vgw ─ web ─ igw     web ── peering ── db
 *                                   ├─ nat, eigw
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { makeVpcctl, succeed } from '../test_vpcctl.ts'

const FILE = `
name: whole
elastic-ips:
  nat: {}
  further: { tags: { of: nat } }
  service: { association: { eni: web/service, private-ip: 10.0.1.51 } }
vpcs:
  web:
    cidr: 10.0.0.0/16
    ipv6: true
    dns-hostnames: true
    subnets: { front: { cidr: 10.0.1.0/24, zone: 1, ipv6: 1, route-table: private } }
    route-tables:
      private:
        routes:
          0.0.0.0/0: { nat: out }
          10.2.0.0/16: { peering: web-db }
          192.0.2.0/24: { vgw: office }
          198.51.100.0/24: { igw: door }
          203.0.113.0/24: { eni: service }
          ::/0: { eigw: out }
        propagating: [office]
      ingress: { routes: { 10.0.0.0/16: { eni: service } } }
    security-groups:
      app: { ingress: [{ protocol: tcp, ports: 80, from: [db/db, app, 10.9.0.0/16] }] }
    egress-only-internet-gateways: { out: {} }
    nat-gateways:
      out: { subnet: front, eip: nat, private-ip: 10.0.1.20, secondary: [{ eip: further }] }
      in: { subnet: front, private: true, secondary: [{ private-ip: 10.0.1.30 }] }
    enis: { service: { subnet: front, address: 10.0.1.50, addresses: [10.0.1.51] } }
  db:
    cidr: 10.2.0.0/16
    dns-hostnames: true
    security-groups:
      db:
        ingress: [{ protocol: tcp, ports: 5432, from: web/app }]
internet-gateways:
  door: { vpc: web, route-table: ingress }
  spare: {}
peerings:
  web-db: { requester: web, accepter: db, requester-dns: true }
vpn-gateways:
  office: { vpc: web, asn: 64600 }
  spare: {}
customer-gateways:
  office: { address: 198.51.100.7, asn: 65010, device: fw }
  branch: { address: 198.51.100.9, asn: 4200000000 }
vpn-connections:
  office:
    vgw: office
    cgw: office
    static: true
    static-routes: [192.168.0.0/16]
    local: 192.168.0.0/16
    tunnel1: { inside-cidr: 169.254.10.0/30, pre-shared-key: top.secret.1, ike-versions: [ikev2] }
    tunnel2: { phase1-dh-groups: [14, 19], dpd-timeout: 40 }
  branch: { vgw: spare, cgw: branch }
hosted-zones:
  corp.example:
    vpcs: [web, db]
    comment: of the office
    records:
      app.corp.example: { A: 10.0.1.10, TXT: { ttl: 300, values: ['"one"', '"two"'] } }
      '*.corp.example': { A: [10.0.1.11, 10.0.1.12] }
    tags: { team: net }
`

test('what a file says of every kind is in a lab, in its export, and goes again', async (t) => {
  const { vpcctl, directory } = makeVpcctl(t)
  const path = join(directory, 'lab.yaml')
  const run = (...words: string[]): Promise<string> => succeed(t, vpcctl(...words))
  const apply = (text: string, ...words: string[]): Promise<string> => {
    writeFileSync(path, text)
    return run('apply', path, ...words)
  }
  await run('lab', 'up', '--hosts', '0', '--api-port', '0')
  t.regex(await apply(FILE), /^\+ create vpn-connection office$/m)
  t.regex(await apply(FILE), /nothing to do/)

  // An export without keys, one with them; from the latter the same lab comes again.
  const list = (await run('prefix-list', 'create', 'sites', '--max-entries', '2', '-q')).trim()
  const keyless = await run('export')
  t.true(keyless.includes(`\n#   the prefix list ${list} "sites"\n`))
  await run('prefix-list', 'delete', list)
  t.false(keyless.includes('top.secret.1'))
  t.regex(keyless,
    /^# {3}the pre-shared keys of the VPN connection "office": --keys writes them$/m)
  const before = await run('export', '--keys')
  t.regex(before, /pre-shared-key: top\.secret\.1/)
  await run('lab', 'reset')
  await apply(before)
  t.is(await run('export', '--keys'), before)

  // Each change is shown and made: apply itself looks whether anything still differs.
  const changed = FILE
    .replace('tags: { of: nat }', 'tags: { of: door }')
    .replace('10.2.0.0/16: { peering', '10.2.0.0/24: { peering')
    .replace('10.0.0.0/16: { eni: service }', '10.0.1.0/24: { eni: service }')
    .replace('propagating: [office]', 'propagating: []')
    .replace('secondary: [{ eip: further }]', 'secondary: []')
    .replace('eni: web/service, private-ip: 10.0.1.51', 'eni: web/service')
    .replace('from: [db/db, app,', 'from: [app,')
    .replace('requester-dns: true', 'accepter-dns: true, requester-dns: false')
    .replace('static-routes: [192.168.0.0/16]', 'static-routes: [192.168.0.0/17, 10.50.0.0/16]')
    .replace('top.secret.1', 'top.secret.2').replace('dpd-timeout: 40', 'dpd-timeout: 50')
    .replace('cgw: branch }', 'cgw: third }')
    .replace('  branch: { address: 198.51.100.9,', '  third: { address: 198.51.100.10,')
    .replace('door: { vpc: web, route-table: ingress }', 'door: { vpc: web, route-table: none }')
    .replace('  spare: {}\npeerings', '  spare: { vpc: db }\npeerings')
    .replace('vpcs: [web, db]', 'vpcs: [db]').replace('of the office', 'of all')
    .replace('A: 10.0.1.10, ', '')
  const plan = await apply(changed)
  for (const line of [
    /^~ change elastic-ip further .*\n {4}tags: - of nat, \+ of door$/m,
    /routes: - 10\.2\.0\.0\/16 peering web-db, \+ 10\.2\.0\.0\/24 peering web-db$/m,
    /propagating: - office$/m,
    /^~ change vpn-connection branch .*\n {4}cgw: branch → third$/m,
    / {4}tunnel1: - pre-shared-key \(the old one\), \+ pre-shared-key \(another one\)$/m,
    / {4}tunnel2: - dpd-timeout 40, \+ dpd-timeout 50$/m,
    /^~ change internet-gateway spare .*\n {4}vpc: none → db$/m,
    /keep customer-gateway branch .*--prune deletes it/
  ]) t.regex(plan, line)
  t.false(plan.includes('top.secret'))

  // A VPC that is made anew takes along what is in it; what is attached moves.
  const moved = changed.replace('cidr: 10.2.0.0/16', 'cidr: 10.3.0.0/16')
    .replace('10.2.0.0/24: { peering', '10.3.0.0/24: { peering')
  t.regex(await apply(moved, '--prune'), /^! replace peering web-db .*\n {4}because vpc db/m)
  t.regex(await apply(FILE, '--prune'), /^- delete customer-gateway third/m)
  await apply('name: whole\n', '--prune')
  t.regex(await run('export'), /^underlay-mtu: \d+\nvpcs: \{\}$/m, 'nothing else is left')
})
