/**
 * A jump host, as people build one: who administers comes to the bastion, and from there alone to
 * the private instance. A NAT gateway beside it lets that one out, and nobody in.
 *
 *     operator 198.51.100.10 ──▶ bastion, Elastic IP, admits 22 from the operator
 *                     ╳              │
 *                     └─────────▶ private instance, admits 22 from the bastion's group
 *                                    └──▶ NAT gateway ──▶ internet
 */
import * as ec2 from '@aws-sdk/client-ec2'
import test from 'ava'
import { eventually } from '../harness/command.ts'
import { elasticIp, internetGateway, OUTSIDE } from '../harness/internet.ts'
import type { Lab, TestVpc } from '../harness/lab.ts'
import { natGateway } from '../harness/nat.ts'
import { withLab } from '../harness/with_lab.ts'

/** Where sshd listens: it tells each caller his own address. */
const DOOR = `
import socketserver
class Door(socketserver.BaseRequestHandler):
  def handle(self): self.request.sendall(self.client_address[0].encode() + b'\\n')
socketserver.TCPServer.allow_reuse_address = True
print('listening', flush=True)
socketserver.ThreadingTCPServer(('0.0.0.0', 22), Door).serve_forever()
`

/** What `ssh -J` has the bastion do: a connection to it goes on to the address given. */
const JUMP = `
import socket, socketserver, sys
class Jump(socketserver.BaseRequestHandler):
  def handle(self):
    with socket.create_connection((sys.argv[1], 22), 5) as onward:
      self.request.sendall(onward.recv(100))
socketserver.TCPServer.allow_reuse_address = True
print('listening', flush=True)
socketserver.ThreadingTCPServer(('0.0.0.0', 22), Jump).serve_forever()
`

const DIAL = `
import socket, sys
print(socket.create_connection((sys.argv[1], 22), 2).recv(100).decode().strip())
`

async function group (lab: Lab, vpc: TestVpc, name: string,
  from: Partial<ec2.IpPermission>): Promise<string> {
  const { GroupId = '' } = await lab.ec2.send(new ec2.CreateSecurityGroupCommand(
    { VpcId: vpc.id, GroupName: name, Description: name }))
  await lab.ec2.send(new ec2.AuthorizeSecurityGroupIngressCommand(
    { GroupId, IpPermissions: [{ IpProtocol: 'tcp', FromPort: 22, ToPort: 22, ...from }] }))
  return GroupId
}

test.serial('a private instance is administered by way of the bastion alone',
  withLab({ edges: 3 }, async (t, lab) => {
    const vpc = await lab.vpc('10.0.0.0/16')
    const open = await lab.subnet(vpc, '10.0.1.0/24')
    const closed = await lab.subnet(vpc, '10.0.2.0/24')
    await internetGateway(lab, vpc)
    const nat = await natGateway(lab, open, closed)
    const bastion = await lab.instance(open, { host: 'host-1' })
    const hidden = await lab.instance(closed, { host: 'host-2' })
    const { address } = await elasticIp(lab, bastion)
    const ofBastion = await group(lab, vpc, 'bastion', { IpRanges: [{ CidrIp: `${OUTSIDE}/32` }] })
    const ofHidden =
      await group(lab, vpc, 'private', { UserIdGroupPairs: [{ GroupId: ofBastion }] })
    for (const [instance, id] of [[bastion, ofBastion], [hidden, ofHidden]] as const) {
      await lab.ec2.send(new ec2.ModifyInstanceAttributeCommand(
        { InstanceId: instance.id, Groups: [id] }))
    }
    await lab.waitApplied()
    const door = hidden.start('python3', '-c', DOOR)
    const jump = bastion.start('python3', '-c', JUMP, hidden.ipv4)
    await door.printed('listening')
    await jump.printed('listening')

    t.is(await lab.internet('python3', '-c', DIAL, address), `${bastion.ipv4}\n`)
    for (const direct of [hidden.ipv4, nat.publicIp]) {
      t.not((await lab.tryInternet('python3', '-c', DIAL, direct)).code, 0, direct)
    }
    // The private instance never sees who administers it.
    const peers = await eventually('the flow of the jump', async () => {
      const flows = await lab.flows(hidden.eni)
      return flows.length > 0 && flows.map((flow) => flow.remoteAddress)
    })
    t.deepEqual([...new Set(peers)], [bastion.ipv4])
    // Another group of the same VPC has no business there.
    const stranger = await lab.instance(open, { host: 'host-1' })
    t.not((await stranger.try('python3', '-c', DIAL, hidden.ipv4)).code, 0)
    await lab.waitDrops(hidden.eni, 'security-group-ingress', 1)
  }))
