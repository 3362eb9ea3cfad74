/**
 *     VPC 10.0.0.0/16, IPv6                    host-1   a  10.0.1.10
 *       subnet 10.0.1.0/24                     host-2   b  10.0.1.20
 *
 * Services of the VPC with stock tools: dig, curl, udhcpc, dhcpcd, ntpdig, rdisc6.
 */
import {
  AssociateDhcpOptionsCommand, CreateDhcpOptionsCommand, CreateFlowLogsCommand,
  CreateNetworkAclCommand, DescribeNetworkAclsCommand, ModifyInstanceMetadataOptionsCommand,
  ModifyPrivateDnsNameOptionsCommand, ModifyVpcAttributeCommand,
  ReplaceNetworkAclAssociationCommand, RevokeSecurityGroupEgressCommand
} from '@aws-sdk/client-ec2'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { JsonClient, LOGS } from '../../ctl/json_client.ts'
import type { CredentialsAnswer } from '../../daemon/api/admin/contract.ts'
import { systemClock } from '../../daemon/base/clock.ts'
import { adminRequest } from '../harness/admin.ts'
import type { Capture } from '../harness/capture.ts'
import { command, eventually, ROOT } from '../harness/command.ts'
import type { Instance } from '../harness/instance.ts'
import type { Lab, TestSubnet, TestVpc } from '../harness/lab.ts'
import { withLab } from '../harness/with_lab.ts'

const METADATA = 'http://169.254.169.254/latest'
const TTL_HEADER = 'X-aws-ec2-metadata-token-ttl-seconds: 60'
const DIG = ['+tries=1', '+time=5']

interface World {
  readonly vpc: TestVpc
  readonly subnet: TestSubnet
  readonly a: Instance
  readonly b: Instance
}

async function build (lab: Lab, userData = ''): Promise<World> {
  const vpc = await lab.vpc('10.0.0.0/16', { ipv6: true })
  const subnet = await lab.subnet(vpc, '10.0.1.0/24', { ipv6Index: 1 })
  const options = { ipv6: true, ...userData === '' ? {} : { userData } }
  const a = await lab.instance(subnet, { ...options, address: '10.0.1.10', host: 'host-1' })
  const b = await lab.instance(subnet, { ...options, address: '10.0.1.20', host: 'host-2' })
  return { vpc, subnet, a, b }
}

/** Nothing may leave the ENI any more, nor enter it: its group and its ACL have no rule. */
async function denyAll (lab: Lab, { subnet, a }: World): Promise<void> {
  const [group] = a.description.SecurityGroups ?? []
  await lab.ec2.send(new RevokeSecurityGroupEgressCommand({
    GroupId: group?.GroupId ?? '', IpPermissions: [
      { IpProtocol: '-1', IpRanges: [{ CidrIp: '0.0.0.0/0' }] },
      { IpProtocol: '-1', Ipv6Ranges: [{ CidrIpv6: '::/0' }] }
    ]
  }))
  const { NetworkAcl } = await lab.ec2.send(new CreateNetworkAclCommand({ VpcId: subnet.vpc.id }))
  const { NetworkAcls = [] } = await lab.ec2.send(new DescribeNetworkAclsCommand({
    Filters: [{ Name: 'association.subnet-id', Values: [subnet.id] }]
  }))
  const association = NetworkAcls[0]?.Associations?.find(({ SubnetId }) => SubnetId === subnet.id)
  await lab.ec2.send(new ReplaceNetworkAclAssociationCommand({
    AssociationId: association?.NetworkAclAssociationId ?? '',
    NetworkAclId: NetworkAcl?.NetworkAclId ?? ''
  }))
  await lab.waitApplied()
}

async function dig (from: Instance, ...query: readonly string[]): Promise<string> {
  return (await from.exec('dig', '+short', ...DIG, ...query)).trim()
}

async function statusOf (from: Instance, ...curl: readonly string[]): Promise<string> {
  const { stdout } =
    await from.try('curl', '-sS', '-g', '-m', '5', '-o', '/dev/null', '-w', '%{http_code}', ...curl)
  return stdout
}

async function tokenOf (from: Instance): Promise<string> {
  return await from.exec('curl', '-sSf', '-m', '5', '-X', 'PUT', '-H', TTL_HEADER,
    `${METADATA}/api/token`)
}

const withToken = (token: string): readonly string[] =>
  ['-H', `X-aws-ec2-metadata-token: ${token}`]

/** Destinations in the lines of an ENI's flow log; `-` for a window without any. */
async function destinationsOf (lab: Lab, eni: string): Promise<string[]> {
  const credentials = await adminRequest<CredentialsAnswer>(lab.name, 'GET', '/credentials')
  const client = new JsonClient({ ...credentials, clock: systemClock })
  const answer = await client.call<{ readonly events: readonly { readonly message: string }[] }>(
    LOGS, 'GetLogEvents',
    { logGroupName: 'flows', logStreamName: `${eni}-all`, startFromHead: true })
    .catch(() => null) // the stream comes with its first line
  return (answer?.events ?? []).map(({ message }) => message.split(' ')[4] ?? '')
}

async function nothingOn (t: ExecutionContext, underlay: Capture): Promise<void> {
  await underlay.stop()
  t.deepEqual(await underlay.fields(['frame.protocols']), [], 'nothing crossed the underlay')
}

test.serial('the resolver answers whatever groups and ACLs say, here and unseen', withLab({
  flags: ['--flow-log-interval', '1']
}, async (t, lab) => {
  const world = await build(lab)
  const { a, b, vpc } = world
  await lab.ec2.send(new CreateFlowLogsCommand({
    ResourceIds: [a.eni], ResourceType: 'NetworkInterface', TrafficType: 'ALL',
    LogGroupName: 'flows', DeliverLogsPermissionArn: 'arn:aws:iam::111111111111:role/flow-logs'
  }))
  await eventually('a first line of the log', async () =>
    (await destinationsOf(lab, a.eni)).length > 0)
  await denyAll(lab, world)
  const underlay = await lab.capture('host-1', '')
  for (const server of ['@10.0.0.2', '@169.254.169.253', '@fd00:ec2::253']) {
    t.is(await dig(a, server, 'ip-10-0-1-20.ec2.internal'), '10.0.1.20', server)
    t.is(await dig(a, server, '+tcp', 'ip-10-0-1-20.ec2.internal'), '10.0.1.20', `${server} TCP`)
    t.is(await dig(a, server, '-x', '10.0.1.10'), 'ip-10-0-1-10.ec2.internal.', server)
  }
  t.regex(await a.exec('dig', ...DIG, '@10.0.0.2', 'example.com'), /status: NXDOMAIN/)
  t.regex(await a.exec('dig', ...DIG, '+norecurse', '@10.0.0.2', 'example.com'),
    /status: REFUSED/)
  t.is(await dig(a, '@10.0.0.2', `${b.id}.ec2.internal`), '', 'no resource name unless asked for')
  await lab.ec2.send(new ModifyPrivateDnsNameOptionsCommand({
    InstanceId: b.id, EnableResourceNameDnsARecord: true, EnableResourceNameDnsAAAARecord: true
  }))
  await lab.waitApplied()
  t.is(await dig(a, '@10.0.0.2', `${b.id}.ec2.internal`), b.ipv4)
  t.is(await dig(a, '@10.0.0.2', `${b.id}.ec2.internal`, 'AAAA'), b.ipv6)

  // Other traffic is denied and logged: the log works, and has no line of the resolver's.
  await a.ping('10.0.1.20', 2)
  await nothingOn(t, underlay)
  t.deepEqual(await lab.flows(a.eni), [])
  const lines = await eventually('the line of the ping', async () => {
    const found = await destinationsOf(lab, a.eni)
    return found.includes('10.0.1.20') && found
  })
  t.deepEqual(lines.filter((address) => !['10.0.1.20', '-'].includes(address)), [])

  await lab.ec2.send(
    new ModifyVpcAttributeCommand({ VpcId: vpc.id, EnableDnsSupport: { Value: false } }))
  await lab.waitApplied()
  for (const server of ['@10.0.0.2', '@169.254.169.253']) {
    const { code } = await a.try('dig', '+tries=1', '+time=1', server, 'ip-10-0-1-20.ec2.internal')
    t.is(code, 9, `${server} is silent`)
  }
}))

test.serial('an ENI is answered 1,024 times a second', withLab({ hosts: 'host-1:use1-az1' },
  async (t, lab) => {
    const vpc = await lab.vpc('10.0.0.0/16')
    const a = await lab.instance(await lab.subnet(vpc, '10.0.1.0/24'))
    const asked = JSON.parse(await a.exec(join(ROOT, 'scripts/node'),
      join(ROOT, 'test/harness/programs/ask_dns.ts'), '10.0.0.2', '2000', '1000')) as
      { readonly sent: number, readonly answered: number, readonly seconds: number }
    t.is(asked.sent, 2000)
    const allowed = 1024 * (Math.ceil(asked.seconds) + 1)
    t.true(asked.answered >= 1000, `${String(asked.answered)} answers`)
    t.true(asked.answered <= Math.min(allowed, 2000), `${String(asked.answered)} answers`)
    await lab.waitDrops(a.eni, 'link-local-allowance', asked.sent - asked.answered)
    t.is(await lab.drops(a.eni, 'link-local-allowance'), asked.sent - asked.answered,
      'what is not answered was dropped for that')
  }))

test.serial('an instance is told about itself, and about no other', withLab({},
  async (t, lab) => {
    const { a, b } = await build(lab, '#!/bin/sh\nexit 0\n')
    const set = async (options: object): Promise<void> => {
      await lab.ec2.send(
        new ModifyInstanceMetadataOptionsCommand({ InstanceId: a.id, ...options }))
      await lab.waitApplied()
    }
    const get = async (path: string, ...curl: readonly string[]): Promise<string> =>
      await a.exec('curl', '-sSf', '-m', '5', ...curl, `${METADATA}/${path}`)
    t.is(await get('meta-data/instance-id'), a.id)
    t.is(await get('meta-data/local-ipv4'), '10.0.1.10')
    t.is(await get('meta-data/hostname'), 'ip-10-0-1-10.ec2.internal')
    t.is(await get('meta-data/placement/availability-zone-id'), 'use1-az1')
    const mac = await get('meta-data/mac')
    const at = `meta-data/network/interfaces/macs/${mac}`
    t.is(await get(`${at}/interface-id`), a.eni)
    t.is(await get(`${at}/vpc-ipv4-cidr-block`), '10.0.0.0/16')
    t.is(await get(`${at}/ipv6s`), a.ipv6)
    t.is(await get('user-data'), '#!/bin/sh\nexit 0\n')
    const document = JSON.parse(await get('dynamic/instance-identity/document')) as object
    t.like(document, { instanceId: a.id, privateIp: '10.0.1.10', region: 'us-east-1' })
    t.is(await statusOf(a, `${METADATA}/meta-data/nothing`), '404')

    const token = await tokenOf(a)
    const path = `${METADATA}/meta-data/instance-id`
    t.is(await statusOf(a, ...withToken(token), path), '200')
    t.is(await statusOf(b, ...withToken(token), path), '401', 'a token of another instance')
    t.is(await statusOf(a, '-X', 'PUT', '-H', TTL_HEADER, '-H', 'X-Forwarded-For: 10.0.0.9',
      `${METADATA}/api/token`), '403')
    t.is(await statusOf(a, '-X', 'PUT', '-H', TTL_HEADER.replace('60', '21601'),
      `${METADATA}/api/token`), '400')
    await set({ HttpTokens: 'required' })
    t.is(await statusOf(a, path), '401')
    t.is(await statusOf(a, ...withToken(token), path), '200')

    const ipv6 = path.replace('169.254.169.254', '[fd00:ec2::254]')
    t.is(await statusOf(a, ...withToken(token), ipv6), '000', 'off by default')
    await set({ HttpProtocolIpv6: 'enabled' })
    t.is(await statusOf(a, ...withToken(token), ipv6), '200')
    await set({ HttpEndpoint: 'disabled' })
    t.is(await statusOf(a, ...withToken(token), path), '403')
  }))

test.serial('a token survives as many hops as it may', withLab({ hosts: 'host-1:use1-az1' },
  async (t, lab) => {
    const vpc = await lab.vpc('10.0.0.0/16')
    const a = await lab.instance(await lab.subnet(vpc, '10.0.1.0/24'))
    // A container of the instance: a namespace behind it, which it forwards and masquerades for.
    const nested = `${lab.name}-nested`
    await command('ip', 'netns', 'add', nested)
    try {
      await a.exec('sysctl', '-qw', 'net.ipv4.ip_forward=1')
      await a.exec('ip', 'link', 'add', 'inner', 'type', 'veth', 'peer', 'name', 'outer',
        'netns', nested)
      await a.exec('ip', 'addr', 'add', '172.31.0.1/24', 'dev', 'inner')
      await a.exec('ip', 'link', 'set', 'inner', 'up')
      await a.exec('nft', 'add table ip hop; ' +
        'add chain ip hop out { type nat hook postrouting priority 100; }; ' +
        'add rule ip hop out oifname eth0 masquerade')
      for (const line of [['addr', 'add', '172.31.0.2/24', 'dev', 'outer'],
        ['link', 'set', 'outer', 'up'], ['route', 'add', 'default', 'via', '172.31.0.1']]) {
        await command('ip', '-n', nested, ...line)
      }
      const ask = async (...curl: readonly string[]): Promise<string> => await command('ip',
        'netns', 'exec', nested, 'sh', '-c', 'curl -s -m 3 -o /dev/null -w "%{http_code}" "$@"; :',
        'sh', ...curl)
      const put = ['-X', 'PUT', '-H', TTL_HEADER, `${METADATA}/api/token`]
      t.is(await ask(...put), '000', 'one hop: it ends at the instance')
      t.is(await ask(`${METADATA}/meta-data/instance-id`), '200', 'version 1 is not limited')
      await lab.ec2.send(new ModifyInstanceMetadataOptionsCommand(
        { InstanceId: a.id, HttpPutResponseHopLimit: 2 }))
      await lab.waitApplied()
      t.is(await ask(...put), '200')
    } finally {
      await command('ip', 'netns', 'del', nested)
    }
  }))

const UDHCPC = [
  'udhcpc', '-i', 'eth0', '-f', '-n', '-q', '-t', '3', '-T', '2',
  '-O', 'mtu', '-O', 'hostname', '-O', 'ntpsrv', '-O', 'wins'
]

/** What udhcpc was told, by the names of its script's variables. */
async function lease (from: Instance, directory: string): Promise<Record<string, string>> {
  const script = join(directory, 'script')
  const told = join(directory, 'told')
  writeFileSync(script, '#!/bin/sh\n' +
    `[ "$1" != bound ] || env > ${told}\n`)
  chmodSync(script, 0o755)
  rmSync(told, { force: true })
  await from.exec('busybox', ...UDHCPC, '-s', script)
  return Object.fromEntries(readFileSync(told, 'utf8').split('\n')
    .map((line) => [line.split('=')[0] ?? '', line.slice(line.indexOf('=') + 1)]))
}

test.serial('DHCP tells what the option set says, anew when it is another one', withLab({},
  async (t, lab) => {
    const { a, vpc } = await build(lab)
    const directory = mkdtempSync(join(tmpdir(), 'vpclab-dhcp-'))
    t.teardown(() => { rmSync(directory, { recursive: true, force: true }) })
    const underlay = await lab.capture('host-1', '')
    t.like(await lease(a, directory), {
      ip: '10.0.1.10', mask: '24', router: '10.0.1.1', dns: '10.0.0.2', domain: 'ec2.internal',
      mtu: '9001', lease: '3600', hostname: 'ip-10-0-1-10', serverid: '10.0.1.1'
    })
    const { DhcpOptions } = await lab.ec2.send(new CreateDhcpOptionsCommand({
      DhcpConfigurations: [
        { Key: 'domain-name-servers', Values: ['192.0.2.53', 'AmazonProvidedDNS'] },
        { Key: 'domain-name', Values: ['corp.example'] },
        { Key: 'ntp-servers', Values: ['169.254.169.123'] },
        { Key: 'netbios-name-servers', Values: ['192.0.2.9'] }
      ]
    }))
    await lab.ec2.send(new AssociateDhcpOptionsCommand(
      { VpcId: vpc.id, DhcpOptionsId: DhcpOptions?.DhcpOptionsId ?? '' }))
    await lab.waitApplied()
    t.like(await lease(a, directory), {
      dns: '192.0.2.53 10.0.0.2', domain: 'corp.example', ntpsrv: '169.254.169.123',
      wins: '192.0.2.9'
    })

    await a.exec('ip', 'addr', 'add', 'fe80::10/64', 'dev', 'eth0', 'nodad')
    const { stdout, stderr } =
      await a.try('dhcpcd', '-6', '-1', '-T', '--nolink', '-t', '20', 'eth0')
    const told = stdout + stderr
    t.true(told.includes(`new_dhcp6_ia_na1_ia_addr1='${a.ipv6}'`), told)
    t.true(told.includes("new_dhcp6_name_servers='fd00:ec2::253'"), told)
    const advertised = await a.exec('rdisc6', '-1', '-r', '3', 'eth0')
    t.regex(advertised, /Stateful address conf\.\s*:\s*Yes/)
    t.regex(advertised, /from fe80:ec2::1/)
    await nothingOn(t, underlay)
  }))

test.serial('time and licence activation answer', withLab({ hosts: 'host-1:use1-az1' },
  async (t, lab) => {
    const vpc = await lab.vpc('10.0.0.0/16')
    const a = await lab.instance(await lab.subnet(vpc, '10.0.1.0/24'))
    t.regex(await a.exec('ntpdig', '-t', '5', '169.254.169.123'), /169\.254\.169\.123 s3 no-leap/)
    for (const address of ['169.254.169.250', '169.254.169.251']) {
      const bytes = await a.exec('sh', '-c',
        `echo x | busybox nc -w 5 ${address} 1688 | od -An -tx1 -N3`)
      t.is(bytes.trim(), '05 00 0d', 'a DCE/RPC bind_nak')
    }
    t.is((await a.ping('169.254.169.123', 1)).received, 0)
  }))
