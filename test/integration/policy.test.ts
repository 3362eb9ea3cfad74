/**
 * Security groups and network ACLs on real packets.
 *
 *     host-1                         host-2
 *     ├ a  10.0.1.10  group client   └ server  10.0.2.20  group server
 *     └ b  10.0.1.11  group other
 */
import test from 'ava'
import * as ec2 from '@aws-sdk/client-ec2'
import { type Background, eventually, NODE } from '../harness/command.ts'
import type { Instance } from '../harness/instance.ts'
import type { Lab, TestVpc } from '../harness/lab.ts'
import { withLab } from '../harness/with_lab.ts'

/** Sends back what it receives; a client that is killed ends its own connection alone. */
const ECHO_SERVER = `require('node:net').createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.pipe(socket)
  }).listen(22, () => console.log('listening'))`
/** Sends a number, waits for it to come back, sends the next one; prints what came back. */
const ECHO_CLIENT = `const socket = require('node:net').connect(22, process.argv[1])
  let count = 0
  socket.on('connect', () => socket.write(String(count)))
  socket.on('data', (data) => {
    console.log('echo ' + data)
    setTimeout(() => socket.write(String(++count)), 20)
  })`
/** Ends with code 0 when a connection comes about within a second. */
const CONNECT = `const socket = require('node:net').connect(22, process.argv[1])
  socket.on('connect', () => process.exit(0))
  socket.on('error', () => process.exit(2))
  setTimeout(() => process.exit(1), 1000)`

/** Answers each datagram to port 5000. */
const UDP_ECHO_SERVER = `const socket = require('node:dgram').createSocket('udp4')
  socket.on('message', (_data, from) => socket.send('answer', from.port, from.address))
  socket.bind(5000, () => console.log('listening'))`
/** Sends one datagram and prints what comes back: an answer, or the code of an ICMP error. */
const UDP_ASK = `const socket = require('node:dgram').createSocket('udp4')
  socket.on('message', (data) => { console.log(String(data)); process.exit() })
  socket.on('error', ({ code }) => { console.log(code); process.exit() })
  socket.connect(Number(process.argv[2]), process.argv[1], () => socket.send('question'))
  setTimeout(() => process.exit(1), 5000)`

const TIMED_OUT = 1
const CONNECTED = 0

interface World {
  readonly vpc: TestVpc
  readonly a: Instance
  readonly b: Instance
  readonly server: Instance
  readonly clientGroup: string
  readonly serverGroup: string
  readonly echo: Background
  readonly serverSubnet: string
}

async function build (lab: Lab): Promise<World> {
  const vpc = await lab.vpc('10.0.0.0/16')
  const clients = await lab.subnet(vpc, '10.0.1.0/24')
  const servers = await lab.subnet(vpc, '10.0.2.0/24')
  const a = await lab.instance(clients, { host: 'host-1', address: '10.0.1.10' })
  const b = await lab.instance(clients, { host: 'host-1', address: '10.0.1.11' })
  const server = await lab.instance(servers, { host: 'host-2', address: '10.0.2.20' })
  const clientGroup = await newGroup(lab, vpc, 'client')
  const serverGroup = await newGroup(lab, vpc, 'server')
  await setGroups(lab, a, [clientGroup])
  await setGroups(lab, b, [await newGroup(lab, vpc, 'other')])
  await setGroups(lab, server, [serverGroup])
  await lab.waitApplied()
  const echo = server.start(NODE, '-e', ECHO_SERVER)
  await echo.printed('listening')
  return { vpc, a, b, server, clientGroup, serverGroup, echo, serverSubnet: servers.id }
}

async function newGroup (lab: Lab, vpc: TestVpc, name: string): Promise<string> {
  const { GroupId = '' } = await lab.ec2.send(new ec2.CreateSecurityGroupCommand({
    VpcId: vpc.id, GroupName: name, Description: name
  }))
  return GroupId
}

async function setGroups (lab: Lab, { eni }: Instance, groups: string[]): Promise<void> {
  await lab.ec2.send(new ec2.ModifyNetworkInterfaceAttributeCommand({
    NetworkInterfaceId: eni, Groups: groups
  }))
}

async function authorize (lab: Lab, groupId: string, permission: ec2.IpPermission): Promise<void> {
  await lab.ec2.send(new ec2.AuthorizeSecurityGroupIngressCommand({
    GroupId: groupId, IpPermissions: [permission]
  }))
  await lab.waitApplied()
}

async function revoke (lab: Lab, groupId: string, permission: ec2.IpPermission): Promise<void> {
  await lab.ec2.send(new ec2.RevokeSecurityGroupIngressCommand({
    GroupId: groupId, IpPermissions: [permission]
  }))
  await lab.waitApplied()
}

/** A rule for TCP port 22. */
const ssh = (peer: Pick<ec2.IpPermission, 'IpRanges' | 'UserIdGroupPairs'>): ec2.IpPermission =>
  ({ IpProtocol: 'tcp', FromPort: 22, ToPort: 22, ...peer })

async function connect (from: Instance, to: Instance): Promise<number> {
  return (await from.try(NODE, '-e', CONNECT, to.ipv4)).code
}

/** Numbers that have come back to the client so far. */
const echoes = (client: Background): number => client.output.split('echo ').length - 1

async function echoesGoOn (client: Background): Promise<void> {
  const before = echoes(client)
  await eventually('five more echoes', () => echoes(client) >= before + 5)
}

test.serial('a group lets in what it allows, and drops the rest in silence',
  withLab({}, async (t, lab) => {
    const { a, b, server, serverGroup, echo } = await build(lab)
    t.is(await connect(a, server), TIMED_OUT, 'no rule yet: neither RST nor ICMP')
    await authorize(lab, serverGroup, ssh({ IpRanges: [{ CidrIp: `${a.ipv4}/32` }] }))
    t.is(await connect(a, server), CONNECTED)
    t.is(await connect(b, server), TIMED_OUT)
    t.true(await lab.drops(server.eni, 'security-group-ingress') > 0)
    t.is((await a.ping(server.ipv4, 2)).received, 0)
    await authorize(lab, serverGroup, {
      IpProtocol: 'icmp', FromPort: -1, ToPort: -1, IpRanges: [{ CidrIp: '10.0.1.0/24' }]
    })
    t.is((await a.ping(server.ipv4)).received, 5)
    t.is((await server.ping(a.ipv4, 2)).received, 0, 'nobody lets in what the server begins')
    await echo.stop()
  }))

test.serial('a group as source means its members, from the moment that they are',
  withLab({}, async (t, lab) => {
    const { a, b, server, clientGroup, serverGroup, echo } = await build(lab)
    await authorize(lab, serverGroup, ssh({ UserIdGroupPairs: [{ GroupId: clientGroup }] }))
    t.is(await connect(a, server), CONNECTED)
    t.is(await connect(b, server), TIMED_OUT)
    await setGroups(lab, b, [clientGroup])
    await lab.waitApplied()
    t.is(await connect(b, server), CONNECTED)
    await echo.stop()
  }))

test.serial('a tracked connection outlives its rule, an untracked one does not',
  withLab({}, async (t, lab) => {
    const { a, server, serverGroup, echo } = await build(lab)
    const narrow = ssh({ IpRanges: [{ CidrIp: `${a.ipv4}/32` }] })
    await authorize(lab, serverGroup, narrow)
    const tracked = a.start(NODE, '-e', ECHO_CLIENT, server.ipv4)
    await tracked.printed('echo 3')
    await revoke(lab, serverGroup, narrow)
    await echoesGoOn(tracked)
    t.is(await connect(a, server), TIMED_OUT, 'a new one is refused')
    await tracked.stop()

    // Open to all, and the group lets everything out: such flows are not tracked.
    const open = ssh({ IpRanges: [{ CidrIp: '0.0.0.0/0' }] })
    await authorize(lab, serverGroup, open)
    const untracked = a.start(NODE, '-e', ECHO_CLIENT, server.ipv4)
    await untracked.printed('echo 3')
    const dropsBefore = await lab.drops(server.eni, 'security-group-ingress')
    await revoke(lab, serverGroup, open)
    const atRevoke = echoes(untracked)
    await lab.waitDrops(server.eni, 'security-group-ingress', dropsBefore + 2)
    t.true(echoes(untracked) <= atRevoke + 1, 'no more than what was under way')
    await untracked.stop()
    await echo.stop()
  }))

test.serial('a UDP answer needs no rule, and an ICMP error is shown under the flow it speaks of',
  withLab({}, async (t, lab) => {
    const { a, server, serverGroup, echo } = await build(lab)
    await authorize(lab, serverGroup, { IpProtocol: 'udp', FromPort: 5000, ToPort: 5001,
      IpRanges: [{ CidrIp: `${a.ipv4}/32` }] })
    const answering = server.start(NODE, '-e', UDP_ECHO_SERVER)
    await answering.printed('listening')
    t.is((await a.try(NODE, '-e', UDP_ASK, server.ipv4, '5000')).stdout.trim(), 'answer')
    t.is((await a.try(NODE, '-e', UDP_ASK, server.ipv4, '5001')).stdout.trim(), 'ECONNREFUSED')
    for (const [eni, way, packets] of [[a.eni, 'ingressIcmpErrors', 'ingressPackets'],
      [server.eni, 'egressIcmpErrors', 'egressPackets']] as const) {
      const flow = (await lab.flows(eni)).find(({ localPort, remotePort }) =>
        localPort === 5001 || remotePort === 5001)
      t.is(flow?.[way], 1)
      t.is(flow?.[packets], 0)
    }
    await answering.stop()
    await echo.stop()
  }))

test.serial('a network ACL has no memory, judges in order, and cuts a running flow',
  withLab({}, async (t, lab) => {
    const { vpc, a, b, server, serverGroup, serverSubnet, echo } = await build(lab)
    await authorize(lab, serverGroup, ssh({ IpRanges: [{ CidrIp: '10.0.1.0/24' }] }))
    const { NetworkAcl } = await lab.ec2.send(new ec2.CreateNetworkAclCommand({ VpcId: vpc.id }))
    const aclId = NetworkAcl?.NetworkAclId ?? ''
    const entry = async (number: number, egress: boolean, action: ec2.RuleAction, cidr: string,
      from: number, to: number): Promise<void> => {
      await lab.ec2.send(new ec2.CreateNetworkAclEntryCommand({
        NetworkAclId: aclId, RuleNumber: number, Egress: egress, RuleAction: action,
        Protocol: '6', CidrBlock: cidr, PortRange: { From: from, To: to }
      }))
      await lab.waitApplied()
    }
    await entry(100, false, 'allow', '0.0.0.0/0', 22, 22)
    const { NetworkAcls = [] } = await lab.ec2.send(new ec2.DescribeNetworkAclsCommand({
      Filters: [{ Name: 'association.subnet-id', Values: [serverSubnet] }]
    }))
    const association = NetworkAcls[0]?.Associations?.find(
      ({ SubnetId }) => SubnetId === serverSubnet)
    await lab.ec2.send(new ec2.ReplaceNetworkAclAssociationCommand({
      AssociationId: association?.NetworkAclAssociationId ?? '', NetworkAclId: aclId
    }))
    await lab.waitApplied()
    const arriving = server.start('tcpdump', '-n', '-l', '-i', 'eth0', 'dst port 22')
    await arriving.printed('listening on')
    t.is(await connect(a, server), TIMED_OUT)
    await arriving.printed('Flags [S]')
    await arriving.stop('SIGINT')
    t.true(await lab.drops(server.eni, 'network-acl-egress') > 0, 'the SYN-ACK did not leave')

    await entry(100, true, 'allow', '0.0.0.0/0', 1024, 65_535)
    t.is(await connect(a, server), CONNECTED)
    const client = a.start(NODE, '-e', ECHO_CLIENT, server.ipv4)
    await client.printed('echo 3')
    await entry(50, false, 'deny', `${a.ipv4}/32`, 22, 22)
    const atDeny = echoes(client)
    await lab.waitDrops(server.eni, 'network-acl-ingress', 2)
    t.true(echoes(client) <= atDeny + 1, 'no more than what was under way')
    t.is(await connect(a, server), TIMED_OUT)
    t.is(await connect(b, server), CONNECTED, 'only that address')
    await client.stop()
    await echo.stop()
  }))
