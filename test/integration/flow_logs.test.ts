/**
 * Flow logs on real packets, made and read with the stock AWS command line.
 *
 *     host-1                    host-2
 *     └ a  10.0.1.10            ├ b  10.0.2.20
 *                               └ c  10.0.2.30   group "closed": lets nothing in
 *
 *     VPC ─ ALL ─▶ log group "flows"        a ─ ALL ─▶ bucket "flows", fields of versions 3 to 5
 */
import test from 'ava'
import * as ec2 from '@aws-sdk/client-ec2'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { CredentialsAnswer } from '../../daemon/api/admin/contract.ts'
import { bucketsDirectory } from '../../daemon/host/paths.ts'
import { JsonClient, LOGS } from '../../ctl/json_client.ts'
import { systemClock } from '../../daemon/base/clock.ts'
import { adminRequest } from '../harness/admin.ts'
import { Background, NODE, command, eventually, inside } from '../harness/command.ts'
import type { Instance } from '../harness/instance.ts'
import type { Lab } from '../harness/lab.ts'
import { withLab } from '../harness/with_lab.ts'

const ROLE = 'arn:aws:iam::111111111111:role/flow-logs'
const FORMAT = 'interface-id pkt-srcaddr pkt-dstaddr protocol packets bytes action tcp-flags ' +
  'flow-direction traffic-path vpc-id instance-id type version log-status'
const FILE_WAIT_MS = 20_000

const HTTP_SERVER = `require('node:http').createServer((request, answer) => {
    answer.end('x'.repeat(500))
  }).listen(80, () => console.log('listening'))`
const CONNECT_ONCE = `const socket = require('node:net').connect(22, process.argv[1])
  socket.on('error', () => process.exit(0))
  setTimeout(() => process.exit(0), 500)`

/** A line in the default format. */
interface Line {
  readonly source: string
  readonly destination: string
  readonly destinationPort: number
  readonly protocol: number
  readonly packets: number
  readonly bytes: number
  readonly action: string
  readonly status: string
}

function credentialsOf (lab: Lab): Promise<CredentialsAnswer> {
  return adminRequest(lab.name, 'GET', '/credentials')
}

/** The stock command line. */
async function aws (lab: Lab, ...args: readonly string[]): Promise<Record<string, unknown>> {
  const { endpointUrl, accessKeyId, secretAccessKey, region } = await credentialsOf(lab)
  const stdout = await command('env',
    `AWS_ACCESS_KEY_ID=${accessKeyId}`, `AWS_SECRET_ACCESS_KEY=${secretAccessKey}`,
    `AWS_DEFAULT_REGION=${region}`, 'AWS_PAGER=', 'HOME=/nonexistent',
    '/usr/bin/aws', '--endpoint-url', endpointUrl, '--output', 'json', ...args)
  return stdout.trim() === '' ? {} : JSON.parse(stdout) as Record<string, unknown>
}

/** The same calls, cheap enough to be made again and again. */
async function logs<Answer> (lab: Lab, operation: string, input: object): Promise<Answer> {
  return await new JsonClient({ ...await credentialsOf(lab), clock: systemClock })
    .call<Answer>(LOGS, operation, input)
}

interface Events { readonly events: readonly { readonly message: string }[] }

/** Lines of an interface in the log group. */
async function linesOf (lab: Lab, { eni }: Instance): Promise<Line[]> {
  const { events } = await logs<Events>(lab, 'GetLogEvents',
    { logGroupName: 'flows', logStreamName: `${eni}-all`, startFromHead: true })
  return events.map(({ message }) => {
    const fields = message.split(' ')
    return {
      source: fields[3] ?? '', destination: fields[4] ?? '', destinationPort: Number(fields[6]),
      protocol: Number(fields[7]), packets: Number(fields[8]), bytes: Number(fields[9]),
      action: fields[12] ?? '', status: fields[13] ?? ''
    }
  })
}

/** Packets and bytes of the lines that a filter takes. */
function sum (lines: readonly Line[], accept: (line: Line) => boolean):
{ readonly packets: number, readonly bytes: number } {
  const found = lines.filter((line) => line.status === 'OK' && accept(line))
  return {
    packets: found.reduce((total, { packets }) => total + packets, 0),
    bytes: found.reduce((total, { bytes }) => total + bytes, 0)
  }
}

/** Waits until an interface is watched: its first window has closed, with nothing in it. */
async function watched (lab: Lab, instance: Instance): Promise<void> {
  await eventually(`a line of ${instance.eni}`, async () => {
    const { logGroups } =
      await logs<{ logGroups: readonly object[] }>(lab, 'DescribeLogGroups', {})
    if (logGroups.length === 0) return false
    const { logStreams } = await logs<{ logStreams: readonly { logStreamName: string }[] }>(
      lab, 'DescribeLogStreams', { logGroupName: 'flows' })
    return logStreams.some(({ logStreamName }) => logStreamName === `${instance.eni}-all`)
  })
}

/** What tcpdump sees at a device, one way: packets, and bytes from the IP header on. */
async function counted (path: string, filter: string): Promise<{ packets: number, bytes: number }> {
  const stdout = await command('tcpdump', '-n', '-v', '-r', path, ...filter.split(' '))
  const lengths = [...stdout.matchAll(/^.*IP \(.*length (\d+)\)$/gm)]
    .map((match) => Number(match[1]))
  return { packets: lengths.length, bytes: lengths.reduce((total, bytes) => total + bytes, 0) }
}

/** The lines of all files of a bucket, without their headers. */
function bucketLines (lab: Lab, bucket: string): string[] {
  const directory = join(bucketsDirectory(lab.name), bucket)
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.log.gz'))
    .flatMap((name) => gunzipSync(readFileSync(join(directory, name))).toString().trim()
      .split('\n').slice(1))
}

test.serial('lines tell of every packet, of what was refused, and of nothing else',
  withLab({ flags: ['--flow-log-interval', '1'] }, async (t, lab) => {
    const vpc = await lab.vpc('10.0.0.0/16')
    const left = await lab.subnet(vpc, '10.0.1.0/24')
    const right = await lab.subnet(vpc, '10.0.2.0/24')
    const a = await lab.instance(left, { host: 'host-1', address: '10.0.1.10' })
    const b = await lab.instance(right, { host: 'host-2', address: '10.0.2.20' })
    const c = await lab.instance(right, { host: 'host-2', address: '10.0.2.30' })
    const { GroupId: closed = '' } = await lab.ec2.send(new ec2.CreateSecurityGroupCommand({
      VpcId: vpc.id, GroupName: 'closed', Description: 'lets nothing in'
    }))
    await lab.ec2.send(new ec2.ModifyNetworkInterfaceAttributeCommand({
      NetworkInterfaceId: c.eni, Groups: [closed]
    }))
    await lab.waitApplied()

    const made = await aws(lab, 'ec2', 'create-flow-logs', '--resource-type', 'VPC',
      '--resource-ids', vpc.id, '--traffic-type', 'ALL', '--log-group-name', 'flows',
      '--deliver-logs-permission-arn', ROLE)
    t.is((made['FlowLogIds'] as string[]).length, 1)
    await aws(lab, 'ec2', 'create-flow-logs', '--resource-type', 'NetworkInterface',
      '--resource-ids', a.eni, '--traffic-type', 'ALL', '--log-destination-type', 's3',
      '--log-destination', 'arn:aws:s3:::flows/lab/',
      '--log-format', FORMAT.split(' ').map((field) => `\${${field}}`).join(' '))
    await aws(lab, 'ec2', 'create-flow-logs', '--resource-type', 'NetworkInterface',
      '--resource-ids', c.eni, '--traffic-type', 'REJECT', '--log-group-name', 'refused',
      '--deliver-logs-permission-arn', ROLE,
      '--log-format', '${pkt-srcaddr} ${dstport} ${packets} ${action} ${tcp-flags}')
    for (const instance of [a, b, c]) await watched(lab, instance)

    // 20 pings and a download, beside tcpdump.
    const directory = mkdtempSync(join(tmpdir(), 'vpclab-flow-logs-'))
    t.teardown(() => { rmSync(directory, { recursive: true }) })
    const path = join(directory, 'a.pcap')
    const tcpdump = new Background('ip', inside(a.namespace,
      ['tcpdump', '-i', 'eth0', '-n', '-U', '--immediate-mode', '-Z', 'root', '-w', path]))
    await tcpdump.printed('listening on')
    const server = b.start(NODE, '-e', HTTP_SERVER)
    await server.printed('listening')
    t.deepEqual(await a.ping('10.0.2.20', 20), { sent: 20, received: 20 })
    t.is((await a.exec('curl', '-s', 'http://10.0.2.20/')).length, 500)
    await eventually('20 pings in the lines', async () =>
      sum(await linesOf(lab, a), ({ protocol }) => protocol === 1).packets >= 40)
    await server.stop()
    // Questions to the VPC's resolver leave no line.
    await a.try('dig', '+tries=1', '+timeout=1', '@10.0.0.2', 'example.com')
    // A SYN to a group that lets nothing in.
    await a.exec(NODE, '-e', CONNECT_ONCE, '10.0.2.30')
    await lab.waitDrops(c.eni, 'security-group-ingress', 1)
    await eventually('a refused SYN in the lines', async () =>
      sum(await linesOf(lab, c), ({ action }) => action === 'REJECT').packets > 0)
    await tcpdump.stop('SIGINT')

    const lines = await linesOf(lab, a)
    for (const [filter, accept] of [
      ['icmp and src host 10.0.1.10', (line) => line.protocol === 1 && line.source === a.ipv4],
      ['icmp and dst host 10.0.1.10', (line) => line.protocol === 1 && line.source === b.ipv4],
      ['tcp and dst host 10.0.2.20', (line) => line.protocol === 6 && line.destination === b.ipv4],
      ['tcp and src host 10.0.2.20', (line) => line.protocol === 6 && line.source === b.ipv4]
    ] as [string, (line: Line) => boolean][]) {
      const seen = await counted(path, filter)
      t.true(seen.packets > 0, filter)
      t.deepEqual(sum(lines, accept), seen, filter)
    }
    const stock = await aws(lab, 'logs', 'get-log-events', '--log-group-name', 'flows',
      '--log-stream-name', `${a.eni}-all`, '--start-from-head') as unknown as Events
    t.is(stock.events.filter(({ message }) => message.endsWith(' OK')).length,
      lines.filter(({ status }) => status === 'OK').length)
    t.true(lines.every(({ action }) => action !== 'REJECT'))
    const questions = await counted(path, 'udp and dst host 10.0.0.2 and dst port 53')
    t.is(questions.packets, 1, 'the question was sent')
    t.false(lines.some(({ destination }) => destination === '10.0.0.2'))
    t.true(lines.some(({ status }) => status === 'NODATA'))
    const refused = (await linesOf(lab, c)).filter(({ action }) => action === 'REJECT')
    t.true(refused.every(({ destinationPort, destination }) =>
      destinationPort === 22 && destination === c.ipv4))
    const syns = await eventually('the refused SYN with its flags', async () => {
      const { events } = await logs<Events>(lab, 'GetLogEvents', {
        logGroupName: 'refused', logStreamName: `${c.eni}-reject`, startFromHead: true
      })
      const found = events.map(({ message }) => message).filter((line) => line.includes('REJECT'))
      return found.length > 0 && found
    })
    t.true(syns.every((line) => /^10\.0\.1\.10 22 \d+ REJECT 2$/.test(line)), syns.join())

    // An ACL that lets the ping in and its answer not out: one of each.
    const { NetworkAcl: acl } = await lab.ec2.send(
      new ec2.CreateNetworkAclCommand({ VpcId: vpc.id }))
    await lab.ec2.send(new ec2.CreateNetworkAclEntryCommand({
      NetworkAclId: acl?.NetworkAclId, RuleNumber: 100, Protocol: '-1', RuleAction: 'allow',
      Egress: false, CidrBlock: '0.0.0.0/0'
    }))
    const { NetworkAcls: acls = [] } = await lab.ec2.send(new ec2.DescribeNetworkAclsCommand({
      Filters: [{ Name: 'association.subnet-id', Values: [right.id] }]
    }))
    const association = acls[0]?.Associations?.find(({ SubnetId }) => SubnetId === right.id)
    await lab.ec2.send(new ec2.ReplaceNetworkAclAssociationCommand({
      AssociationId: association?.NetworkAclAssociationId, NetworkAclId: acl?.NetworkAclId
    }))
    await lab.waitApplied()
    const before = await linesOf(lab, b)
    t.is((await a.ping('10.0.2.20', 3)).received, 0)
    const pings = (line: Line): boolean => line.protocol === 1
    await eventually('refused answers in the lines', async () =>
      sum(await linesOf(lab, b), (line) => pings(line) && line.action === 'REJECT').packets >= 3)
    const after = (await linesOf(lab, b)).slice(before.length).filter(pings)
    t.is(sum(after, ({ action, source }) => action === 'ACCEPT' && source === a.ipv4).packets, 3)
    t.is(sum(after, ({ action, source }) => action === 'REJECT' && source === b.ipv4).packets, 3)

    // The bucket tells the same of a, in fields of its own.
    const wanted = sum(await linesOf(lab, a), ({ protocol }) => protocol === 6)
    const inBucket = (): string[][] => bucketLines(lab, 'flows').map((line) => line.split(' '))
    await eventually('the same packets in the bucket', () => Promise.resolve(inBucket()
      .filter((fields) => fields[3] === '6')
      .reduce((total, fields) => total + Number(fields[4]), 0) === wanted.packets), FILE_WAIT_MS)
    const syn = inBucket().find((fields) => fields[2] === c.ipv4)
    t.deepEqual([syn?.[0], syn?.[6], syn?.[7], syn?.[8], syn?.[9], syn?.[10], syn?.[11], syn?.[12],
      syn?.[13], syn?.[14]],
    [a.eni, 'ACCEPT', '2', 'egress', '1', vpc.id, a.id, 'IPv4', '5', 'OK'])

    // A daemon that is killed says what it may have missed.
    await lab.kill()
    await lab.restart()
    await eventually('a line that says so', async () =>
      (await linesOf(lab, a)).some(({ status }) => status === 'SKIPDATA'))
    await lab.waitApplied()
    t.is((await c.ping('10.0.1.10', 2)).received, 0) // the ACL lets nothing out of its subnet
    await eventually('lines go on', async () => sum(await linesOf(lab, c), ({ action, source }) =>
      action === 'REJECT' && source === c.ipv4).packets === 2)

    // What was delivered stays when the flow log is gone.
    await aws(lab, 'ec2', 'delete-flow-logs', '--flow-log-ids',
      ...(made['FlowLogIds'] as string[]))
    t.true((await linesOf(lab, a)).length >= lines.length)
  }))
