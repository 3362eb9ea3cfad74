/**
 * Stacks with packets: a template becomes two subnets with an instance each, and goes again.
 *
 *     host-1                       host-2
 *     └ Client 10.0.1.10           └ Server 10.0.2.20, port 80
 *       subnet Front 10.0.1.0/24     subnet Back 10.0.2.0/24
 */
import test from 'ava'
import {
  CloudFormationClient, CreateStackCommand, DeleteStackCommand, DescribeStackResourcesCommand,
  DescribeStacksCommand, type Stack, UpdateStackCommand
} from '@aws-sdk/client-cloudformation'
import * as ec2 from '@aws-sdk/client-ec2'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { CredentialsAnswer } from '../../daemon/api/admin/contract.ts'
import { NAMESPACE_DIRECTORY } from '../../daemon/host/paths.ts'
import { adminRequest } from '../harness/admin.ts'
import { NODE, eventually } from '../harness/command.ts'
import { Instance } from '../harness/instance.ts'
import type { Lab } from '../harness/lab.ts'
import { withLab } from '../harness/with_lab.ts'

const SERVER = `require('node:http')
  .createServer((request, response) => response.end('from the stack'))
  .listen(80, () => console.log('listening'))`

const STACK_TIMEOUT_MS = 60_000

function template (serverAddress: string): string {
  return `
Resources:
  Vpc:
    Type: AWS::EC2::VPC
    Properties: { CidrBlock: 10.0.0.0/16 }
  Front:
    Type: AWS::EC2::Subnet
    Properties: { VpcId: !Ref Vpc, CidrBlock: 10.0.1.0/24 }
  Back:
    Type: AWS::EC2::Subnet
    Properties: { VpcId: !Ref Vpc, CidrBlock: 10.0.2.0/24 }
  Client:
    Type: AWS::EC2::Instance
    Properties:
      ImageId: ami-00000000000000001
      InstanceType: t3.micro
      SubnetId: !Ref Front
      PrivateIpAddress: 10.0.1.10
      HostId: host-1
  Server:
    Type: AWS::EC2::Instance
    Properties:
      ImageId: ami-00000000000000001
      InstanceType: t3.micro
      SubnetId: !Ref Back
      PrivateIpAddress: ${serverAddress}
      HostId: host-2
Outputs:
  Server: { Value: !GetAtt Server.PrivateIp }
`
}

async function client (lab: Lab): Promise<CloudFormationClient> {
  const { endpointUrl, region, accessKeyId, secretAccessKey } =
    await adminRequest<CredentialsAnswer>(lab.name, 'GET', '/credentials')
  return new CloudFormationClient(
    { endpoint: endpointUrl, region, credentials: { accessKeyId, secretAccessKey } })
}

/** Waits until nothing goes on. */
async function ended (stacks: CloudFormationClient, name: string): Promise<Stack> {
  return await eventually(`stack ${name} at rest`, async () => {
    const { Stacks: [stack] = [] } =
      await stacks.send(new DescribeStacksCommand({ StackName: name }))
    return stack?.StackStatus?.endsWith('_IN_PROGRESS') === false && stack
  }, STACK_TIMEOUT_MS)
}

async function instanceOf (lab: Lab, stacks: CloudFormationClient,
  logicalId: string): Promise<Instance> {
  const { StackResources: [resource] = [] } = await stacks.send(new DescribeStackResourcesCommand(
    { StackName: 'web', LogicalResourceId: logicalId }))
  const { Reservations: [found] = [] } = await lab.ec2.send(new ec2.DescribeInstancesCommand(
    { InstanceIds: [resource?.PhysicalResourceId ?? ''] }))
  const [instance] = found?.Instances ?? []
  if (instance === undefined) throw new Error(`no instance ${logicalId}`)
  return new Instance(lab.name, instance)
}

/** One answer within 5 s: the first question for a mapping may take its time on a busy machine. */
async function reach (from: Instance, address: string): Promise<void> {
  await from.exec('ping', '-n', '-c', '1', '-w', '5', address)
}

function instanceNamespaces (lab: Lab): string[] {
  return readdirSync(NAMESPACE_DIRECTORY).filter((name) => name.startsWith(`${lab.name}-i-`))
}

test.serial('a stack carries packets, changes, and leaves nothing behind',
  withLab({}, async (t, lab) => {
    const stacks = await client(lab)
    const { StackId = '' } = await stacks.send(new CreateStackCommand(
      { StackName: 'web', TemplateBody: template('10.0.2.20') }))
    const stack = await ended(stacks, 'web')
    t.is(stack.StackStatus, 'CREATE_COMPLETE', stack.StackStatusReason)
    t.is(stack.Outputs?.[0]?.OutputValue, '10.0.2.20')
    const [front, back] = [await instanceOf(lab, stacks, 'Client'),
      await instanceOf(lab, stacks, 'Server')]
    const server = back.start(NODE, '-e', SERVER)
    await server.printed('listening')
    t.is(await front.exec('curl', '-s', '--max-time', '5', 'http://10.0.2.20/'), 'from the stack')
    await server.stop()

    // Another address needs another instance; the old one goes when the new one is there.
    await stacks.send(new UpdateStackCommand(
      { StackName: 'web', TemplateBody: template('10.0.2.30') }))
    const updated = await ended(stacks, 'web')
    t.is(updated.StackStatus, 'UPDATE_COMPLETE', updated.StackStatusReason)
    await reach(front, '10.0.2.30')
    t.false(existsSync(join(NAMESPACE_DIRECTORY, back.namespace)))

    const { Vpcs: [vpc] = [] } = await lab.ec2.send(new ec2.DescribeVpcsCommand({}))
    t.is((await lab.mapping(vpc?.VpcId ?? '', '10.0.2.30')).host, 'host-2')
    await stacks.send(new DeleteStackCommand({ StackName: StackId }))
    t.is((await ended(stacks, StackId)).StackStatus, 'DELETE_COMPLETE')
    t.deepEqual(instanceNamespaces(lab), [])
    t.deepEqual((await lab.ec2.send(new ec2.DescribeVpcsCommand({}))).Vpcs, [])
    const hosts = (await lab.status()).hosts
    t.deepEqual(hosts.map(({ ports }) => ports), hosts.map(() => 0))
    stacks.destroy()
  }))

test.serial('a stack whose daemon is killed in the middle is whole after the next start',
  withLab({}, async (t, lab) => {
    const stacks = await client(lab)
    await stacks.send(new CreateStackCommand(
      { StackName: 'web', TemplateBody: template('10.0.2.20') }))
    await eventually('an instance is launched', async () => {
      const { Reservations = [] } = await lab.ec2.send(new ec2.DescribeInstancesCommand({}))
      return Reservations.length > 0
    })
    await lab.kill()
    await lab.restart()
    t.is((await ended(stacks, 'web')).StackStatus, 'CREATE_COMPLETE')
    t.is(instanceNamespaces(lab).length, 2)
    const { Vpcs = [] } = await lab.ec2.send(new ec2.DescribeVpcsCommand({}))
    t.is(Vpcs.length, 1)
    const front = await instanceOf(lab, stacks, 'Client')
    await reach(front, '10.0.2.20')
    stacks.destroy()
  }))
