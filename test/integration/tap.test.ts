/**
 * Instances whose ENIs are TAPs: Ethernet inside, IP outside.
 *
 *     VPC 10.0.0.0/16, IPv6                    host-1   a  10.0.1.10   TAP
 *       subnet 10.0.1.0/24                     host-1   b  10.0.1.20   TAP
 *       subnet 10.0.2.0/24                     host-2   c  10.0.2.30   TUN
 */
import { DescribeInstancesCommand, DescribeNetworkInterfacesCommand } from '@aws-sdk/client-ec2'
import test from 'ava'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually, ROOT } from '../harness/command.ts'
import type { Instance } from '../harness/instance.ts'
import type { Lab } from '../harness/lab.ts'
import { ipv4UdpPacket } from '../harness/packets.ts'
import { withLab } from '../harness/with_lab.ts'

interface World { readonly a: Instance, readonly b: Instance, readonly c: Instance }

async function build (lab: Lab): Promise<World> {
  const vpc = await lab.vpc('10.0.0.0/16', { ipv6: true })
  const near = await lab.subnet(vpc, '10.0.1.0/24', { ipv6Index: 1 })
  const far = await lab.subnet(vpc, '10.0.2.0/24', { ipv6Index: 2 })
  const tap = { ipv6: true, device: 'tap', host: 'host-1' } as const
  return {
    a: await lab.instance(near, { ...tap, address: '10.0.1.10' }),
    b: await lab.instance(near, { ...tap, address: '10.0.1.20' }),
    c: await lab.instance(far, { ipv6: true, host: 'host-2', address: '10.0.2.30' })
  }
}

async function macOf (lab: Lab, { eni }: Instance): Promise<string> {
  const { NetworkInterfaces = [] } = await lab.ec2.send(
    new DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: [eni] }))
  return NetworkInterfaces[0]?.MacAddress ?? ''
}

const hexOf = (mac: string): string => mac.replaceAll(':', '')
const BROADCAST = 'ffffffffffff'
/** 06:00, then the address of the subnet's router. */
const ROUTER_MAC = '06:00:0a:00:01:01'

async function sendFrames (from: Instance, ...frames: readonly string[]): Promise<void> {
  await from.exec('python3', `${ROOT}/test/harness/programs/send_frame.py`, 'eth0', ...frames)
}

test.serial('two TAPs and a TUN reach one another, by IPv4 and IPv6, and a daemon that is killed',
  withLab({}, async (t, lab) => {
    const { a, b, c } = await build(lab)
    t.regex(await a.exec('ip', 'link', 'show', 'eth0'),
      new RegExp(`mtu 9001 .*link/ether ${await macOf(lab, a)} `, 's'))
    const { Reservations = [] } = await lab.ec2.send(
      new DescribeInstancesCommand({ InstanceIds: [a.id] }))
    t.deepEqual(Reservations[0]?.Instances?.[0]?.Tags, [{ Key: 'vpclab:device', Value: 'tap' }])
    const reachable = async (): Promise<void> => {
      for (const [from, to] of [[a, b], [b, a], [a, c], [c, a]] as const) {
        t.is((await from.ping(to.ipv4)).received, 5)
        t.is((await from.ping(to.ipv6)).received, 5)
        t.is((await from.ping(to.ipv4, 2, '-M', 'do', '-s', '8973')).received, 2)
      }
    }
    await reachable()
    // Each neighbor is the router, whoever it is.
    t.regex(await a.exec('ip', 'neigh', 'show', b.ipv4), new RegExp(`lladdr ${ROUTER_MAC}`))
    t.regex(await a.exec('ip', 'neigh', 'show', b.ipv6), new RegExp(`lladdr ${ROUTER_MAC}`))
    await lab.kill()
    await lab.restart()
    await lab.waitApplied()
    await reachable()
  }))

test.serial('super-packets cross a TAP whole', withLab({}, async (t, lab) => {
  const { a, b, c } = await build(lab)
  const directory = mkdtempSync(join(tmpdir(), 'vpclab-tap-'))
  t.teardown(() => { rmSync(directory, { recursive: true, force: true }) })
  const file = join(directory, 'numbers')
  const sum = await a.exec('sh', '-c', `seq 1 3000000 > ${file}; sha256sum < ${file}`)
  for (const [from, to] of [[a, b], [a, c], [c, a]] as const) {
    const server = to.start('python3', '-m', 'http.server', '--bind', '::', '-d', directory, '8000')
    await eventually('a server', async () =>
      (await to.exec('ss', '-Htln', 'sport', '=', ':8000')) !== '')
    for (const address of [to.ipv4, `[${to.ipv6}]`]) {
      t.is(await from.exec('sh', '-c', `curl -gsS http://${address}:8000/numbers | sha256sum`), sum,
        address)
    }
    await server.stop('SIGTERM')
  }
}))

test.serial('ARP is answered by the router for everybody but the asker', withLab({},
  async (t, lab) => {
    const { a } = await build(lab)
    // Nobody has .99; it is the subnet's all the same.
    for (const address of ['10.0.1.1', '10.0.1.20', '10.0.1.99', '169.254.169.254']) {
      t.regex(await a.exec('busybox', 'arping', '-I', 'eth0', '-c', '1', address),
        new RegExp(`reply from ${address} .*\\[${ROUTER_MAC}\\]`), address)
    }
    const refused = await lab.drops(a.eni, 'arp-refused')
    // Looking for a duplicate of its own address finds none.
    t.is((await a.try('busybox', 'arping', '-D', '-I', 'eth0', '-c', '2', '-w', '2', a.ipv4)).code,
      0)
    t.not((await a.try('busybox', 'arping', '-I', 'eth0', '-c', '1', '-w', '1', '10.0.2.30')).code,
      0)
    await lab.waitDrops(a.eni, 'arp-refused', refused + 3)
  }))

test.serial('frames with a forged MAC, another EtherType or an ARP reply go nowhere', withLab({},
  async (t, lab) => {
    const { a, b } = await build(lab)
    const mac = hexOf(await macOf(lab, a))
    const packet = ipv4UdpPacket(a.ipv4, b.ipv4).toString('hex')
    const router = hexOf(ROUTER_MAC)
    const tcpdump = b.start('tcpdump', '-i', 'eth0', '-n', '-e', '-l', '--immediate-mode')
    await tcpdump.printed('listening on')
    await sendFrames(a, `${router}${hexOf(await macOf(lab, b))}0800${packet}`)
    await lab.waitDrops(a.eni, 'mac-spoofed', 1)
    // IPv4 with the EtherType of IPv6; a VLAN tag; LLDP.
    await sendFrames(a, `${router}${mac}86dd${packet}`)
    await lab.waitDrops(a.eni, 'malformed', 1)
    await sendFrames(a, `${router}${mac}810000050800${packet}`,
      `0180c200000e${mac}88cc${'00'.repeat(46)}`)
    await lab.waitDrops(a.eni, 'ethertype', 2)
    const refused = await lab.drops(a.eni, 'arp-refused')
    const lie = `${mac}${Buffer.from([10, 0, 1, 1]).toString('hex')}`
    await sendFrames(a, `${BROADCAST}${mac}08060001080006040002${lie}${lie}`,
      `${BROADCAST}${mac}08060001080006040001${lie}${'00'.repeat(6)}0a000101`)
    await lab.waitDrops(a.eni, 'arp-refused', refused + 2)
    await sendFrames(a, `${router}${mac}0800${packet}`)
    await tcpdump.printed('10.0.1.10.40000 >')
    const seen = await tcpdump.stop('SIGINT')
    t.is(seen.split('10.0.1.10.40000 >').length - 1, 1)
    t.regex(seen, new RegExp(`${ROUTER_MAC} > ${await macOf(lab, b)}, ethertype IPv4`))
    t.notRegex(seen, /ARP, Reply 10\.0\.1\.1 is-at 02/)
  }))

test.serial('dhclient and udhcpc get their lease over Ethernet', withLab({}, async (t, lab) => {
  const { a } = await build(lab)
  const directory = mkdtempSync(join(tmpdir(), 'vpclab-tap-'))
  t.teardown(() => { rmSync(directory, { recursive: true, force: true }) })
  const told = join(directory, 'told')
  const script = join(directory, 'script')
  writeFileSync(script, '#!/bin/sh\n' +
    `case $1$reason in *bound|*BOUND|*BOUND6) env > ${told} ;; esac\n`)
  chmodSync(script, 0o755)
  const read = (): string => readFileSync(told, 'utf8')
  const dhclient = a.start('dhclient', '-4', '-d', '-sf', script, '-lf', join(directory, 'leases'),
    '-pf', join(directory, 'pid'), '-cf', '/dev/null', 'eth0')
  await dhclient.printed('bound to 10.0.1.10')
  await dhclient.stop('SIGTERM')
  t.regex(read(), /^new_ip_address=10\.0\.1\.10$/m)
  t.regex(read(), /^new_routers=10\.0\.1\.1$/m)
  rmSync(told)
  await a.exec('busybox', 'udhcpc', '-i', 'eth0', '-f', '-n', '-q', '-t', '3', '-T', '2', '-a',
    '-O', 'mtu', '-s', script)
  t.regex(read(), /^ip=10\.0\.1\.10$/m)
  t.regex(read(), /^mtu=9001$/m)
  rmSync(told)
  const dhclient6 = a.start('dhclient', '-6', '-d', '-sf', script,
    '-lf', join(directory, 'leases6'), '-pf', join(directory, 'pid6'), '-cf', '/dev/null', 'eth0')
  await eventually('a lease of IPv6', () => Promise.resolve(existsSync(told)))
  await dhclient6.stop('SIGTERM')
  t.regex(read(), new RegExp(`^new_ip6_address=${a.ipv6}$`, 'm'))
}))
