/**
 * The stock AWS command line and its SDK drive stacks: a network from a template, changed, taken
 * down; what is refused, and in which words.
 */
import test from 'ava'
import * as Cfn from '@aws-sdk/client-cloudformation'
import { CreateSubnetCommand, DeleteSubnetCommand, EC2Client } from '@aws-sdk/client-ec2'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { eventually } from '../harness/command.ts'
import type { Endpoint } from './endpoint.ts'
import { ALICE, openEndpoint } from './endpoint.ts'

const CLI = '/usr/bin/aws'
/** `… (ValidationError) when calling the UpdateStack operation (reached max retries: 0): …` */
const REFUSAL = /\((\w+)\) when calling [^:]*(?:: 0\))?: (.*)/

/** A shell of one user: `aws`, and a directory for templates. */
class User {
  readonly #endpoint: Endpoint
  readonly #directory = mkdtempSync(join(tmpdir(), 'vpclab-stacks-'))

  constructor (endpoint: Endpoint) { this.#endpoint = endpoint }

  async aws (...args: readonly string[]): Promise<Answer> {
    try {
      const { stdout } = await promisify(execFile)(
        CLI, ['--endpoint-url', this.#endpoint.url, '--output', 'json', ...args], {
        env: {
          PATH: process.env['PATH'], HOME: '/nonexistent', AWS_PAGER: '',
          AWS_DEFAULT_REGION: 'us-east-1', AWS_MAX_ATTEMPTS: '1',
          AWS_ACCESS_KEY_ID: ALICE.accessKeyId, AWS_SECRET_ACCESS_KEY: ALICE.secretAccessKey
        }
      })
      return { code: '', message: '', output: parsed(stdout) }
    } catch (error) {
      const { stderr = '' } = error as { readonly stderr?: string }
      const [, code = stderr, message = ''] = REFUSAL.exec(stderr) ?? []
      return { code, message, output: {} }
    }
  }

  stack (...args: readonly string[]): Promise<Answer> { return this.aws('cloudformation', ...args) }

  file (name: string, text: string): string {
    const path = join(this.#directory, name)
    writeFileSync(path, text)
    return path
  }

  end (): void { rmSync(this.#directory, { recursive: true }) }
}

/** `deploy` prints sentences. */
function parsed (stdout: string): Output {
  return stdout.startsWith('{') ? JSON.parse(stdout) as Output : {}
}

type Output = Readonly<Record<string, unknown>>
interface Answer { readonly code: string, readonly message: string, readonly output: Output }

interface ShownStack {
  readonly StackId: string
  readonly StackStatus: string
  readonly Outputs?: readonly { readonly OutputKey: string, readonly OutputValue: string }[]
}

async function shown (user: User, name: string): Promise<ShownStack> {
  const { output } = await user.stack('describe-stacks', '--stack-name', name)
  const [stack] = output['Stacks'] as readonly ShownStack[]
  if (stack === undefined) throw new Error(`no stack ${name}`)
  return stack
}

function outputOf (stack: ShownStack, key: string): string {
  return stack.Outputs?.find(({ OutputKey }) => OutputKey === key)?.OutputValue ?? ''
}

const NETWORK = `
AWSTemplateFormatVersion: 2010-09-09
Description: Two subnets and a table
Parameters:
  Block: { Type: String, Default: 10.1.0.0/16 }
  Stage: { Type: String, AllowedValues: [test, live], Default: test }
  Secret: { Type: String, NoEcho: true, Default: hidden }
Conditions:
  IsLive: !Equals [!Ref Stage, live]
Resources:
  Vpc:
    Type: AWS::EC2::VPC
    Properties:
      CidrBlock: !Ref Block
      EnableDnsHostnames: !If [IsLive, true, false]
      Tags: [{ Key: Name, Value: !Sub '\${AWS::StackName}-vpc' }]
  Front:
    Type: AWS::EC2::Subnet
    Properties:
      VpcId: !Ref Vpc
      CidrBlock: !Select [0, !Cidr [!GetAtt Vpc.CidrBlock, 4, 8]]
      AvailabilityZone: !Select [0, !GetAZs '']
  Back:
    Type: AWS::EC2::Subnet
    Properties:
      VpcId: !Ref Vpc
      CidrBlock: !Select [1, !Cidr [!GetAtt Vpc.CidrBlock, 4, 8]]
  Table:
    Type: AWS::EC2::RouteTable
    Properties: { VpcId: !Ref Vpc }
  FrontTable:
    Type: AWS::EC2::SubnetRouteTableAssociation
    Properties: { SubnetId: !Ref Front, RouteTableId: !Ref Table }
  Group:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: web
      VpcId: !Ref Vpc
      SecurityGroupIngress:
        - { IpProtocol: tcp, FromPort: 80, ToPort: 80, CidrIp: 0.0.0.0/0 }
  LiveOnly:
    Type: AWS::EC2::RouteTable
    Condition: IsLive
    Properties: { VpcId: !Ref Vpc }
Outputs:
  VpcId: { Value: !Ref Vpc, Export: { Name: !Sub '\${AWS::StackName}-vpc' } }
  Front: { Value: !GetAtt Front.SubnetId }
  Blocks: { Value: !Join [',', [!GetAtt Front.CidrBlock, !GetAtt Back.CidrBlock]] }
`

test('the AWS command line makes a stack, changes it and takes it down', async (t) => {
  const endpoint = await openEndpoint()
  const user = new User(endpoint)
  t.teardown(async () => { user.end(); await endpoint.close() })
  const path = user.file('network.yaml', NETWORK)

  const valid = await user.stack('validate-template', '--template-body', `file://${path}`)
  t.is(valid.output['Description'], 'Two subnets and a table')
  const made = await user.stack('create-stack', '--stack-name', 'net', '--template-body',
    `file://${path}`, '--tags', 'Key=team,Value=net')
  t.is(made.code, '')
  t.is((await user.stack('wait', 'stack-create-complete', '--stack-name', 'net')).code, '')
  const stack = await shown(user, 'net')
  t.is(outputOf(stack, 'Blocks'), '10.1.0.0/24,10.1.1.0/24')
  t.false(JSON.stringify(stack).includes('hidden'))

  const vpcId = outputOf(stack, 'VpcId')
  const { output: tagged } = await user.aws('ec2', 'describe-tags', '--filters',
    `Name=resource-id,Values=${vpcId}`)
  const tags = Object.fromEntries((tagged['Tags'] as { Key: string, Value: string }[])
    .map(({ Key, Value }) => [Key, Value]))
  t.deepEqual(tags, {
    Name: 'net-vpc', team: 'net', 'aws:cloudformation:stack-name': 'net',
    'aws:cloudformation:stack-id': stack.StackId, 'aws:cloudformation:logical-id': 'Vpc'
  })
  t.is((await user.aws('ec2', 'delete-tags', '--resources', vpcId)).code, '')

  t.is((await user.stack('create-stack', '--stack-name', 'net', '--template-body',
    `file://${path}`)).code, 'AlreadyExistsException')
  const nothing = await user.stack('update-stack', '--stack-name', 'net',
    '--use-previous-template', '--parameters', 'ParameterKey=Stage,UsePreviousValue=true')
  t.deepEqual([nothing.code, nothing.message],
    ['ValidationError', 'No updates are to be performed.'])
  t.is((await user.stack('update-stack', '--stack-name', 'net', '--use-previous-template',
    '--parameters', 'ParameterKey=Stage,ParameterValue=live')).code, '')
  t.is((await user.stack('wait', 'stack-update-complete', '--stack-name', 'net')).code, '')
  const attribute = await user.aws('ec2', 'describe-vpc-attribute', '--vpc-id', vpcId,
    '--attribute', 'enableDnsHostnames')
  t.deepEqual(attribute.output['EnableDnsHostnames'], { Value: true })
  const resources = await user.stack('list-stack-resources', '--stack-name', 'net')
  t.is((resources.output['StackResourceSummaries'] as readonly unknown[]).length, 7)

  t.is((await user.stack('delete-stack', '--stack-name', 'net')).code, '')
  t.is((await user.stack('wait', 'stack-delete-complete', '--stack-name', 'net')).code, '')
  t.is((await user.stack('describe-stacks', '--stack-name', 'net')).code, 'ValidationError')
  t.is((await shown(user, stack.StackId)).StackStatus, 'DELETE_COMPLETE')
  t.deepEqual((await user.aws('ec2', 'describe-vpcs')).output['Vpcs'], [])
})

/** A VPC and a subnet in it, the subnet with the block that is given. */
function pair (subnetBlock: string, name = 'pair'): string {
  return JSON.stringify({
    Resources: {
      Vpc: { Type: 'AWS::EC2::VPC', Properties: { CidrBlock: '10.0.0.0/16',
        Tags: [{ Key: 'Name', Value: name }] } },
      Subnet: { Type: 'AWS::EC2::Subnet', Properties: { VpcId: { Ref: 'Vpc' },
        CidrBlock: subnetBlock } }
    },
    Outputs: { Vpc: { Value: { Ref: 'Vpc' } }, Subnet: { Value: { Ref: 'Subnet' } } }
  })
}

function client (endpoint: Endpoint): Cfn.CloudFormationClient {
  return new Cfn.CloudFormationClient(
    { endpoint: endpoint.url, region: 'us-east-1', credentials: ALICE, maxAttempts: 1 })
}

/** Waits until nothing goes on. */
async function ended (sdk: Cfn.CloudFormationClient, StackName: string): Promise<Cfn.Stack> {
  return await eventually(`stack ${StackName} at rest`, async () => {
    const { Stacks: [stack] = [] } = await sdk.send(new Cfn.DescribeStacksCommand({ StackName }))
    return stack?.StackStatus?.endsWith('_IN_PROGRESS') === false && stack
  })
}

function outputsOf ({ Outputs = [] }: Cfn.Stack): Readonly<Record<string, string>> {
  return Object.fromEntries(Outputs.map(({ OutputKey = '', OutputValue = '' }) =>
    [OutputKey, OutputValue]))
}

test('the AWS command line deploys by change sets', async (t) => {
  const endpoint = await openEndpoint()
  const user = new User(endpoint)
  t.teardown(async () => { user.end(); await endpoint.close() })
  const path = user.file('pair.json', pair('10.0.1.0/24'))
  t.is((await user.stack('deploy', '--stack-name', 'pair', '--template-file', path)).code, '')
  t.is((await shown(user, 'pair')).StackStatus, 'CREATE_COMPLETE')
  user.file('pair.json', pair('10.0.1.0/24', 'renamed'))
  t.is((await user.stack('deploy', '--stack-name', 'pair', '--template-file', path)).code, '')
  t.is((await shown(user, 'pair')).StackStatus, 'UPDATE_COMPLETE')
  t.is((await user.stack('deploy', '--stack-name', 'pair', '--template-file', path,
    '--no-fail-on-empty-changeset')).code, '')
})

test('a creation that fails takes back all that it made', async (t) => {
  const endpoint = await openEndpoint()
  t.teardown(async () => { await endpoint.close() })
  const sdk = client(endpoint)
  const TemplateBody = pair('10.9.0.0/24')
  await sdk.send(new Cfn.CreateStackCommand({ StackName: 'bad', TemplateBody }))
  const stack = await ended(sdk, 'bad')
  t.is(stack.StackStatus, 'ROLLBACK_COMPLETE')
  t.deepEqual([...endpoint.snapshot.tables.vpc.values()], [])
  const { StackEvents: events = [] } = await sdk.send(
    new Cfn.DescribeStackEventsCommand({ StackName: 'bad' }))
  const failed = events.find(({ ResourceStatus }) => ResourceStatus === 'CREATE_FAILED')
  t.is(failed?.LogicalResourceId, 'Subnet')
  t.regex(failed?.ResourceStatusReason ?? '', /InvalidSubnet.Range/)

  await sdk.send(new Cfn.CreateStackCommand(
    { StackName: 'kept', TemplateBody, OnFailure: 'DO_NOTHING' }))
  t.is((await ended(sdk, 'kept')).StackStatus, 'CREATE_FAILED')
  t.is(endpoint.snapshot.tables.vpc.size, 1)
  await sdk.send(new Cfn.DeleteStackCommand({ StackName: 'kept' }))
  await eventually('the kept VPC is gone', () =>
    Promise.resolve(endpoint.snapshot.tables.vpc.size === 0))
})

test('an update replaces what cannot be changed, and one that fails goes back', async (t) => {
  const endpoint = await openEndpoint()
  t.teardown(async () => { await endpoint.close() })
  const sdk = client(endpoint)
  await sdk.send(new Cfn.CreateStackCommand(
    { StackName: 'pair', TemplateBody: pair('10.0.1.0/24') }))
  const before = outputsOf(await ended(sdk, 'pair'))
  await sdk.send(new Cfn.UpdateStackCommand(
    { StackName: 'pair', TemplateBody: pair('10.0.2.0/24') }))
  const moved = await ended(sdk, 'pair')
  t.is(moved.StackStatus, 'UPDATE_COMPLETE')
  const after = outputsOf(moved)
  t.is(after['Vpc'], before['Vpc'])
  t.not(after['Subnet'], before['Subnet'])
  t.deepEqual([...endpoint.snapshot.tables.subnet.values()].map(({ id }) => id), [after['Subnet']])

  await sdk.send(new Cfn.UpdateStackCommand(
    { StackName: 'pair', TemplateBody: pair('10.9.0.0/24', 'other') }))
  const back = await ended(sdk, 'pair')
  t.is(back.StackStatus, 'UPDATE_ROLLBACK_COMPLETE')
  t.deepEqual(outputsOf(back), after)
  t.deepEqual([...endpoint.snapshot.tables.subnet.values()].map(({ id }) => id), [after['Subnet']])
  t.is(endpoint.snapshot.tables.vpc.get(after['Vpc'] ?? '')?.tags['Name'], 'pair')

  // Somebody else's subnet keeps the VPC.
  const ec2 = new EC2Client(
    { endpoint: endpoint.url, region: 'us-east-1', credentials: ALICE, maxAttempts: 1 })
  const { Subnet: foreign } = await ec2.send(
    new CreateSubnetCommand({ VpcId: after['Vpc'], CidrBlock: '10.0.7.0/24' }))
  await sdk.send(new Cfn.DeleteStackCommand({ StackName: 'pair' }))
  const stuck = await ended(sdk, 'pair')
  t.deepEqual([stuck.StackStatus, stuck.StackStatusReason],
    ['DELETE_FAILED', 'The following resource(s) failed to delete: [Vpc].'])
  await ec2.send(new DeleteSubnetCommand({ SubnetId: foreign?.SubnetId }))
  await sdk.send(new Cfn.DeleteStackCommand({ StackName: 'pair' }))
  t.is((await ended(sdk, stuck.StackId ?? '')).StackStatus, 'DELETE_COMPLETE')
})

test('what a stack exports others import, and it stays while they do', async (t) => {
  const endpoint = await openEndpoint()
  t.teardown(async () => { await endpoint.close() })
  const sdk = client(endpoint)
  const make = async (StackName: string, resources: object,
    outputs: object): Promise<Cfn.Stack> => {
    const TemplateBody = JSON.stringify({ Resources: resources, Outputs: outputs })
    await sdk.send(new Cfn.CreateStackCommand({ StackName, TemplateBody }))
    return await ended(sdk, StackName)
  }
  await make('base',
    { Vpc: { Type: 'AWS::EC2::VPC', Properties: { CidrBlock: '10.0.0.0/16' } } },
    { Vpc: { Value: { Ref: 'Vpc' }, Export: { Name: 'base-vpc' } } })
  const user = await make('user', { Table: { Type: 'AWS::EC2::RouteTable',
    DeletionPolicy: 'Retain', Properties: { VpcId: { 'Fn::ImportValue': 'base-vpc' } } } },
  { Table: { Value: { Ref: 'Table' } } })
  t.is(user.StackStatus, 'CREATE_COMPLETE')
  t.deepEqual((await sdk.send(new Cfn.ListImportsCommand({ ExportName: 'base-vpc' }))).Imports,
    ['user'])
  const refused = await t.throwsAsync(
    sdk.send(new Cfn.DeleteStackCommand({ StackName: 'base' })))
  t.is(refused.message, 'Export base-vpc cannot be deleted as it is in use by user')
  await sdk.send(new Cfn.DeleteStackCommand({ StackName: 'user' }))
  t.is((await ended(sdk, user.StackId ?? '')).StackStatus, 'DELETE_COMPLETE')
  const table = outputsOf(user)['Table'] ?? ''
  t.truthy(endpoint.snapshot.tables.routeTable.get(table), 'a retained resource stays')
})

test('a stack opens a VPC to the internet, and takes all of it back', async (t) => {
  const endpoint = await openEndpoint()
  t.teardown(async () => { await endpoint.close() })
  const sdk = client(endpoint)
  const type = (name: string, Properties: object, DependsOn?: string): object =>
    ({ Type: `AWS::EC2::${name}`, Properties, ...DependsOn === undefined ? {} : { DependsOn } })
  const ref = (Ref: string): object => ({ Ref })
  const Resources = {
    Vpc: type('VPC', { CidrBlock: '10.0.0.0/16' }),
    Front: type('Subnet', { VpcId: ref('Vpc'), CidrBlock: '10.0.1.0/24' }),
    Door: type('InternetGateway', { Tags: [{ Key: 'Name', Value: 'door' }] }),
    Hinge: type('VPCGatewayAttachment', { VpcId: ref('Vpc'), InternetGatewayId: ref('Door') }),
    Out: type('EgressOnlyInternetGateway', { VpcId: ref('Vpc') }),
    NatAddress: type('EIP', { Domain: 'vpc' }, 'Hinge'),
    Nat: type('NatGateway', { SubnetId: ref('Front'),
      AllocationId: { 'Fn::GetAtt': ['NatAddress', 'AllocationId'] } }),
    Table: type('RouteTable', { VpcId: ref('Vpc') }),
    Up: type('Route', { RouteTableId: ref('Table'), DestinationCidrBlock: '0.0.0.0/0',
      NatGatewayId: ref('Nat') }),
    Up6: type('Route', { RouteTableId: ref('Table'), DestinationIpv6CidrBlock: '::/0',
      EgressOnlyInternetGatewayId: ref('Out') }),
    Service: type('NetworkInterface', { SubnetId: ref('Front') }),
    Address: type('EIP', {}, 'Hinge'),
    Link: type('EIPAssociation', { EIP: ref('Address'), NetworkInterfaceId: ref('Service') })
  }
  const Outputs = { Address: { Value: ref('Address') } }
  await sdk.send(new Cfn.CreateStackCommand(
    { StackName: 'open', TemplateBody: JSON.stringify({ Resources, Outputs }) }))
  const made = await ended(sdk, 'open')
  t.is(made.StackStatus, 'CREATE_COMPLETE', made.StackStatusReason)
  const { tables } = endpoint.snapshot
  const [nat] = tables.natGateway.values()
  t.is(nat?.state, 'available')
  const [address] = tables.address.by('publicIp', outputsOf(made)['Address'])
  t.truthy(address?.associationId)
  t.is(address?.tags['aws:cloudformation:logical-id'], 'Address')
  await sdk.send(new Cfn.DeleteStackCommand({ StackName: 'open' }))
  const gone = await ended(sdk, made.StackId ?? '')
  t.is(gone.StackStatus, 'DELETE_COMPLETE', gone.StackStatusReason)
  t.deepEqual([tables.address, tables.internetGateway, tables.egressOnlyInternetGateway,
    tables.networkInterface, tables.vpc].map(({ size }) => size), [0, 0, 0, 0, 0])
})

test('refusals are CloudFormation\'s, and change nothing', async (t) => {
  const endpoint = await openEndpoint({ quotas: { 'stacks-per-region': 1 } })
  t.teardown(async () => { await endpoint.close() })
  const sdk = client(endpoint)
  const TemplateBody = pair('10.0.1.0/24')
  const first = { StackName: 'one', TemplateBody, ClientRequestToken: 'token-1' }
  const { StackId } = await sdk.send(new Cfn.CreateStackCommand(first))
  await ended(sdk, 'one')
  const { revision } = endpoint.snapshot
  t.is((await sdk.send(new Cfn.CreateStackCommand(first))).StackId, StackId)
  const create = (changes: Partial<Cfn.CreateStackInput>): Promise<unknown> =>
    sdk.send(new Cfn.CreateStackCommand({ StackName: 'one', TemplateBody, ...changes }))
  const update = (input: Partial<Cfn.UpdateStackInput>): Promise<unknown> =>
    sdk.send(new Cfn.UpdateStackCommand({ StackName: 'one', ...input }))
  const refusals: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['AlreadyExistsException', () => create({})],
    ['TokenAlreadyExistsException', () => create({ ...first, OnFailure: 'DELETE' })],
    ['LimitExceededException', () => create({ StackName: 'two' })],
    ['ValidationError', () => create({ StackName: '1st' })],
    ['UnsupportedOperation', () => create({ RoleARN: 'arn:aws:iam::1:role/makes-stacks' })],
    ['ValidationError', () => update({})],
    ['ValidationError', () => update({ TemplateURL: 'https://s3/x' })],
    ['ValidationError', () => update({ UsePreviousTemplate: true })],
    ['ValidationError', () => update({ StackName: 'none', TemplateBody })],
    ['ValidationError', () => sdk.send(new Cfn.DescribeStacksCommand({ StackName: 'none' }))],
    ['ValidationError', () => sdk.send(new Cfn.CancelUpdateStackCommand({ StackName: 'one' }))],
    ['ChangeSetNotFoundException', () => sdk.send(new Cfn.DescribeChangeSetCommand(
      { StackName: 'one', ChangeSetName: 'absent' }))],
    ['UnsupportedOperation', () => sdk.send(new Cfn.ListStackSetsCommand({}))]
  ]
  for (const [name, call] of refusals) {
    const error = await t.throwsAsync(call(), undefined, name)
    t.is(error.name, name, error.message)
  }
  t.is(endpoint.snapshot.revision, revision)
  await sdk.send(new Cfn.DeleteStackCommand({ StackName: 'none' }))
})
