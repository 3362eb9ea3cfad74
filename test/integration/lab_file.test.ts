/**
 * A lab file over its life, with real packets: applied, changed, pruned, broken and mended,
 * exported and applied again.
 *
 *     host-1                     host-2
 *       a 10.0.1.10  ── front ──   b 10.0.1.11      (VPC web 10.0.0.0/16)
 *       c 10.0.2.10  ── back
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type CommandResult, ROOT, tryCommand } from '../harness/command.ts'
import type { Lab } from '../harness/lab.ts'
import { withLab } from '../harness/with_lab.ts'

const FILE = `
name: life
hosts: { host-1: 1, host-2: 1 }
vpcs:
  web:
    cidr: 10.0.0.0/16
    subnets:
      front: { cidr: 10.0.1.0/24, zone: 1 }
      back: { cidr: 10.0.2.0/24, zone: 1 }
    route-tables:
      private: {}
    security-groups:
      app: { ingress: [{ protocol: tcp, ports: 80, from: 10.0.0.0/8 }] }
    enis:
      second: { subnet: back, address: 10.0.2.50 }
    instances:
      a: { subnet: front, address: 10.0.1.10, type: t3.micro, host: host-1 }
      b:
        subnet: front
        address: 10.0.1.11
        type: t3.micro
        host: host-2
        commands:
          - echo once >> $LAB_LOG
      c: { subnet: back, address: 10.0.2.10, type: t3.micro, host: host-1, groups: [app] }
checks:
  - { name: there, ping: { from: a, to: b } }
  - { name: nowhere, ping: { from: a, to: 203.0.113.9, count: 1, timeout: 0.3 } }
`

class Bench {
  readonly folder = mkdtempSync(join(tmpdir(), 'vpclab-file-'))
  readonly log = join(this.folder, 'log')
  readonly #lab: Lab

  constructor (lab: Lab) { this.#lab = lab }

  /** Runs `vpcctl VERB FILE` with a file of this text. */
  async run (verb: string, text: string, ...words: string[]): Promise<CommandResult> {
    const path = join(this.folder, 'lab.yaml')
    writeFileSync(path, text.replaceAll('$LAB_LOG', this.log))
    return await this.vpcctl(verb, path, ...words)
  }

  vpcctl (...words: string[]): Promise<CommandResult> {
    return tryCommand(join(ROOT, 'bin/vpcctl'), ['--lab', this.#lab.name, ...words])
  }

  /** Applies a text that must succeed. @returns the lines of the plan */
  async apply (t: ExecutionContext, text: string, ...words: string[]): Promise<string[]> {
    const { code, stdout, stderr } = await this.run('apply', text, ...words)
    t.is(code, 0, stdout + stderr)
    return stdout.trimEnd().split('\n')
  }
}

function withBench (body: (t: ExecutionContext, bench: Bench, lab: Lab) => Promise<void>) {
  return withLab({}, async (t, lab) => {
    const bench = new Bench(lab)
    try {
      await body(t, bench, lab)
    } finally {
      rmSync(bench.folder, { recursive: true })
    }
  })
}

test.serial('apply converges: what differs is changed, what is gone is pruned', withBench(
  async (t, bench, lab) => {
    const dry = await bench.run('apply', FILE, '--dry-run')
    t.regex(dry.stdout, /^\+ create vpc web$/m)
    t.is((await bench.vpcctl('vpc', 'list', '-q')).stdout, '', 'a dry run makes nothing')

    t.true((await bench.apply(t, FILE)).includes('+ create instance web/b'))
    t.regex((await bench.apply(t, FILE)).join(), /nothing to do/)

    const changed = FILE
      .replace('private: {}', 'private: { routes: { 192.0.2.0/24: { instance: c } } }')
      .replace('front: { cidr: 10.0.1.0/24,', 'front: { cidr: 10.0.1.0/24, route-table: private,')
      .replace('ports: 80,', 'ports: 8080,')
      .replace('c: { subnet: back,', 'c: { subnet: back, enis: [second],')
      .replace('a: { subnet: front, address: 10.0.1.10,', 'a: { subnet: front, address: 10.0.1.12,')
    const plan = (await bench.apply(t, changed)).join('\n')
    t.regex(plan, /^~ change subnet web\/front .*\n {4}route-table: main → private$/m)
    t.regex(plan, /ingress: - tcp 80 10\.0\.0\.0\/8, \+ tcp 8080 10\.0\.0\.0\/8/)
    t.regex(plan,
      /^! replace instance web\/a .*\n {4}address: 10\.0\.1\.10 → 10\.0\.1\.12\n {4}lost:/m)
    t.regex(plan, /^~ change instance web\/c .*\n {4}enis: \+ second$/m)
    t.notRegex(plan, /web\/b/, 'what did not change is not touched')
    t.regex((await bench.apply(t, changed)).join(), /nothing to do/)
    const there = await bench.vpcctl('instance', 'exec', 'b', '--', 'ping', '-c1', '-W2',
      '10.0.1.12')
    t.is(there.code, 0, there.stdout)

    // Somebody else's instance in the same VPC stays; the file's own go.
    t.is((await bench.vpcctl('instance', 'run', 'back', '--name', 'guest')).code, 0)
    const less = changed.replace(/ {6}a: .*\n/, '').replace(/checks:[^]*/, '')
    t.regex((await bench.apply(t, less)).join('\n'), /keep instance web\/a .*--prune deletes it/)
    const pruned = await bench.apply(t, less, '--prune')
    t.true(pruned.some((line) => line.startsWith('- delete instance web/a')))
    const names = (await bench.vpcctl('instance', 'list', '--json')).stdout
    t.true(names.includes('"guest"'))
    t.false(names.includes('"10.0.1.12"'))
    const all = await bench.run('apply', 'name: life\n', '--prune')
    t.is(all.code, 1)
    t.regex(all.stderr, /vpc web has to go, but instance web\/guest .* not the file's/)
    t.is((await lab.status()).instances['running'], 3, 'and nothing was changed')

    // What nobody's file made is not made anew without being told so.
    const guest = less + '      guest: { subnet: back, address: 10.0.2.77, type: t3.micro }\n'
    const stranger = await bench.run('apply', guest)
    t.is(stranger.code, 1)
    t.regex(stranger.stderr, /BadLabFile: .*Nothing was changed:\n +instance web\/guest \(i-\w+\) /)
    t.regex(stranger.stderr, /was not made by this file, .* → 10\.0\.2\.77\): .* say --adopt/)
    const mistyped = await bench.run('apply',
      guest.replace('77, type: t3.micro', '77, type: t3.micor'))
    t.is(mistyped.code, 2)
    t.regex(mistyped.stderr,
      /lab\.yaml:\d+:\d+: the lab has no instance type "t3\.micor"; did you mean "t3\.micro"\?/)
    t.false((await bench.vpcctl('instance', 'list', '--json')).stdout.includes('10.0.2.77'))
    const adopted = await bench.apply(t, guest, '--adopt')
    t.true(adopted.some((line) => line.startsWith('! replace instance web/guest')))
    t.regex((await bench.apply(t, guest)).join(), /nothing to do/)
  }))

test.serial('commands run once, services while they do not run, checks when asked', withBench(
  async (t, bench) => {
    const broken = FILE.replace('- echo once >> $LAB_LOG',
      '- echo once >> $LAB_LOG\n          - echo tried; exit 7')
    const failed = await bench.run('apply', broken)
    t.is(failed.code, 1)
    t.regex(failed.stderr, /CommandFailed: .*ended with code 7:\ntried\nDone before it:/)
    const mended = await bench.apply(t, broken.replace('exit 7', 'exit 0'))
    t.deepEqual(mended.slice(0, -1), ['> run in instance web/b: echo tried; exit 0'])
    t.regex((await bench.apply(t, FILE)).join(), /nothing to do/)
    const log = await tryCommand('cat', [bench.log])
    t.is(log.stdout, 'once\n', 'what ran once did not run again')

    const service = FILE.replace('- echo once >> $LAB_LOG',
      '- { run: exec python3 -m http.server 8080, background: true, listens: 8080 }')
    t.regex((await bench.apply(t, service)).join('\n'), /^> start in instance web\/b/m)
    t.regex((await bench.apply(t, service)).join(), /nothing to do/)
    t.is((await bench.vpcctl('instance', 'reboot', 'b')).code, 0)
    t.is((await bench.vpcctl('wait', 'instance', 'b')).code, 0)
    t.regex((await bench.apply(t, service)).join('\n'), /^> start in instance web\/b/m)
    const page = await bench.vpcctl('instance', 'exec', 'a', '--', 'curl', '-sf', '-m', '2',
      '-o', '/dev/null', 'http://10.0.1.11:8080/')
    t.is(page.code, 0)

    // Checks: 1 and the drops when one fails, 2 when there is nothing to check.
    const { code, stdout } = await bench.run('validate', FILE)
    t.is(code, 1)
    t.regex(stdout, /^pass +there +3 of 3 echoes answered/m)
    t.regex(stdout, /^FAIL +nowhere +0 of 1 echoes answered/m)
    t.regex(stdout, /^nowhere:\n {2}1 dropped at eni-\w+ \(a\) on host-1: no-route\. /m)
    t.is((await bench.run('validate', FILE, '--check', 'there')).code, 0)
    const json = await bench.run('validate', FILE, '--check', 'nowhere', '--json')
    t.like(JSON.parse(json.stdout), { 0: { name: 'nowhere', kind: 'ping', passed: false } })
    t.is((await bench.run('validate', FILE, '--check', 'else')).code, 2)
    t.is((await bench.run('validate', 'name: empty\n')).code, 2)
    const reason = await bench.run('validate',
      `${FILE}  - must-not-reach: { from: a, to: 203.0.113.9, drop: no-rout }\n`)
    t.is(reason.code, 2)
    t.regex(reason.stderr, /lab\.yaml:\d+:\d+: .* reason "no-rout"; did you mean "no-route"\?/)
    const bad = await bench.run('validate', 'name: bad\nvpc: {}\n')
    t.is(bad.code, 2)
    t.regex(bad.stderr, /lab\.yaml:2:1: unknown key "vpc"; did you mean "vpcs"\?/)
  }))

test.serial('apply of an export on an empty lab gives the same lab', withBench(
  async (t, bench) => {
    const rich = FILE
      .replace('cidr: 10.0.0.0/16', 'cidr: [10.0.0.0/16, 10.1.0.0/16]\n    ipv6: true')
      .replace('zone: 1 }', 'zone: 1, ipv6: 7, network-acl: strict, assign-ipv6: true }')
      .replace('security-groups:', `network-acls:
      strict:
        ingress:
          90: { protocol: icmp, action: deny, cidr: 192.0.2.0/24 }
          100: { protocol: tcp, ports: 1-1024, action: allow, cidr: 10.0.0.0/8 }
    security-groups:
      default: { ingress: [] }
      far: { description: A far one, egress: [{ protocol: udp, ports: 53, to: [app, '::/0'] }] }`)
      .replace('private: {}', 'private: { routes: { 192.0.2.0/24: { eni: second } } }')
      .replace('      b:\n', '      b:\n        ipv6: [\'::10\']\n' +
        '        tags: { tier: "two \\" words" }\n' +
        '        source-dest-check: false\n        user-data: "#!/bin/sh\\nexit 0\\n"\n')
    await bench.apply(t, rich)
    const before = (await bench.vpcctl('export')).stdout
    t.regex(before, /two " words/)
    t.regex(before, /^# An export cannot say:\n# +the checks, and the description/m)
    t.is((await bench.vpcctl('lab', 'reset')).code, 0)
    await bench.apply(t, before)
    t.is((await bench.vpcctl('export')).stdout, before)

    // Neither a lab of other hosts nor what another file owns is touched.
    const hosts = await bench.run('apply', FILE.replaceAll('host-2', 'host-3'))
    t.is(hosts.code, 1)
    t.regex(hosts.stderr, /BadLabFile: .*made with hosts host-1:use1-az1, host-2:use1-az1, not /)
    t.regex(hosts.stderr, /or leave "hosts" out; or remove the lab/)
    const other = await bench.run('apply', rich.replace('name: life', 'name: other'))
    t.is(other.code, 1)
    t.regex(other.stderr, /vpc web \(vpc-\w+\) belongs to the lab file "life"/)
  }))
