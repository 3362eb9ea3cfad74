/** Plans: what a template comes to with values, and what two of them differ in. */
import test from 'ava'
import { AwsError } from '../../model/aws_error.ts'
import { cidrBlocks } from './cidr_function.ts'
import { findCircle, inOrder, reversed } from './dependency.ts'
import { parameterValues } from './parameter.ts'
import { typedProperties } from './property.ts'
import { RESOURCE_TYPES } from './resource_types/registry.ts'
import type { StackPlan } from './stack_plan.ts'
import { changesBetween, checkTemplate, fillIn, isSamePlan, planStack } from './stack_plan.ts'
import { parseTemplate } from './template.ts'

function plan (text: string, given: Readonly<Record<string, string>> = {}): StackPlan {
  const template = parseTemplate(text)
  checkTemplate(template, RESOURCE_TYPES)
  const input = Object.entries(given).map(([ParameterKey, ParameterValue]) =>
    ({ ParameterKey, ParameterValue }))
  const values = parameterValues(template, input, {}, () => false)
  return planStack(template, values, RESOURCE_TYPES, {
    stackName: 'web', stackId: 'arn:web', accountId: '111111111111', region: 'us-east-1',
    importValue: (name) => `imported-${name}`,
    zones: (region) => [`${region}a`, `${region}b`]
  })
}

function propertiesOf (of: StackPlan, logicalId: string): object {
  return of.resources.get(logicalId)?.properties ?? {}
}

const NETWORK = `
Parameters:
  Stage: { Type: String, Default: test, AllowedValues: [test, live] }
  Blocks: { Type: CommaDelimitedList, Default: '10.0.0.0/16, 10.1.0.0/16' }
Mappings:
  Names: { test: { vpc: small }, live: { vpc: big } }
Conditions:
  IsLive: !Equals [!Ref Stage, live]
  IsTest: !Not [!Condition IsLive]
Resources:
  Subnet:
    Type: AWS::EC2::Subnet
    Properties:
      VpcId: !Ref Vpc
      CidrBlock: !Select [1, !Cidr [!GetAtt Vpc.CidrBlock, 2, 8]]
      AvailabilityZone: !Select [1, !GetAZs '']
  Vpc:
    Type: AWS::EC2::VPC
    Properties:
      CidrBlock: !Select [0, !Ref Blocks]
      EnableDnsHostnames: !If [IsLive, true, !Ref AWS::NoValue]
      Tags:
        - { Key: Name, Value: !FindInMap [Names, !Ref Stage, vpc] }
        - { Key: Stack, Value: !Sub '\${AWS::StackName}-\${AWS::Region}-\${!Raw}' }
  Extra:
    Type: AWS::EC2::RouteTable
    Condition: IsTest
    DependsOn: Subnet
    DeletionPolicy: Retain
    Properties: { VpcId: !ImportValue shared }
Outputs:
  Id: { Value: !Sub '\${Vpc}/\${Subnet}' }
`

test('everything but references to resources is evaluated', (t) => {
  const made = plan(NETWORK)
  t.deepEqual(propertiesOf(made, 'Vpc'), {
    CidrBlock: '10.0.0.0/16',
    Tags: [{ Key: 'Name', Value: 'small' }, { Key: 'Stack', Value: 'web-us-east-1-${Raw}' }]
  })
  t.deepEqual(propertiesOf(made, 'Extra'), { VpcId: 'imported-shared' })
  t.deepEqual(made.imports, ['shared'])
  const { properties, dependsOn } = made.resources.get('Subnet') ?? t.fail()
  t.deepEqual(dependsOn, ['Vpc'])
  t.is((properties as { AvailabilityZone: string }).AvailabilityZone, 'us-east-1b')
  const there = { physicalId: 'vpc-1', attributes: { CidrBlock: '10.0.0.0/16' } }
  t.deepEqual(fillIn(properties, () => there), {
    VpcId: 'vpc-1', CidrBlock: '10.0.1.0/24', AvailabilityZone: 'us-east-1b'
  })
  t.throws(() => fillIn(properties, () => undefined), { message: /Vpc.* has no value/ })
})

test('conditions choose resources and values', (t) => {
  const live = plan(NETWORK, { Stage: 'live' })
  t.deepEqual([...live.resources.keys()], ['Subnet', 'Vpc'])
  t.true((propertiesOf(live, 'Vpc') as { EnableDnsHostnames: boolean }).EnableDnsHostnames)
})

test('equal plans are the same stack, whatever the order of the text', (t) => {
  t.true(isSamePlan(plan(NETWORK), plan(NETWORK.replace('Description: x', ''), { Stage: 'test' })))
  t.false(isSamePlan(plan(NETWORK), plan(NETWORK, { Stage: 'live' })))
})

test('a change set tells what is added, changed, replaced and removed', (t) => {
  const before = plan(NETWORK)
  const after = plan(NETWORK, { Stage: 'live', Blocks: '10.5.0.0/16' })
  const changes = changesBetween(before, after, (name) => `id-${name}`)
  const told = changes.map(({ action, logicalId, replacement }) =>
    [action, logicalId, replacement])
  t.deepEqual(told, [['Modify', 'Vpc', 'True'], ['Remove', 'Extra', null]])
  t.deepEqual(changesBetween(null, before, () => null).map(({ action }) => action),
    ['Add', 'Add', 'Add'])
  const renamed = plan(NETWORK.replace('vpc: small', 'vpc: tiny'))
  t.deepEqual(changesBetween(before, renamed, () => null).map(({ replacement, properties }) =>
    [replacement, properties]), [['False', ['Tags']]])
})

test('parameters are refused in CloudFormation\'s words', (t) => {
  const refusal = (text: string, given: Readonly<Record<string, string>>): string =>
    t.throws(() => plan(text, given), { instanceOf: AwsError }).message
  const one = (definition: string): string => `
Parameters: { P: ${definition} }
Resources: { Vpc: { Type: AWS::EC2::VPC, Properties: { CidrBlock: !Ref P } } }`
  t.is(refusal(one('{ Type: String }'), {}), 'Parameters: [P] must have values')
  t.is(refusal(NETWORK, { Colour: 'red' }), 'Parameters: [Colour] do not exist in the template')
  t.regex(refusal(NETWORK, { Stage: 'prod' }), /must be one of AllowedValues: \[test, live\]/)
  t.regex(refusal(one('{ Type: String, AllowedPattern: "[a-z]+" }'), { P: 'a1' }),
    /must match pattern/)
  t.regex(refusal(one('{ Type: Number, MinValue: 3 }'), { P: '2' }), /not less than 3/)
  t.regex(refusal(one('{ Type: Number }'), { P: 'x' }), /must be a number/)
  t.regex(refusal(one('{ Type: AWS::EC2::VPC::Id }'), { P: 'vpc-1' }), /does not exist/)
  t.regex(refusal(one('{ Type: AWS::SSM::Parameter::Value<String> }'), { P: 'x' }),
    /Unrecognized parameter type/)
})

test('properties get the kinds that their type says', (t) => {
  const { properties } = RESOURCE_TYPES.get('AWS::EC2::VPC') ?? t.fail()
  t.deepEqual(typedProperties('V', properties,
    { CidrBlock: '10.0.0.0/16', EnableDnsSupport: 'False' }),
  { CidrBlock: '10.0.0.0/16', EnableDnsSupport: false })
  for (const [values, expected] of [
    [{}, /required key \[CidrBlock\] not found/],
    [{ CidrBlock: 'x', EnableDnsSupport: 'maybe' }, /#\/EnableDnsSupport: expected type: boolean/],
    [{ CidrBlock: ['x'] }, /#\/CidrBlock: expected type: string/],
    [{ CidrBlock: 'x', Tags: [{ Name: 'a' }] }, /extraneous key \[Name\]/]
  ] as const) {
    t.regex(t.throws(() => typedProperties('V', properties, values)).message, expected)
  }
})

test('Fn::Cidr cuts blocks of both families and knows its limits', (t) => {
  t.deepEqual(cidrBlocks('10.0.0.0/16', 3, 8), ['10.0.0.0/24', '10.0.1.0/24', '10.0.2.0/24'])
  t.deepEqual(cidrBlocks('2001:db8::/56', 2, 64), ['2001:db8::/64', '2001:db8:0:1::/64'])
  for (const [block, count, bits] of [
    ['10.0.0.0', 1, 8], ['10.0.0.0/24', 3, 7], ['10.0.0.0/24', 0, 4], ['10.0.0.0/24', 1, 9]
  ] as const) t.throws(() => cidrBlocks(block, count, bits), { message: /Fn::Cidr/ })
})

test('circles are found, and orders turned round', (t) => {
  t.is(findCircle(new Map([['a', ['b']], ['b', []]])), null)
  t.deepEqual(findCircle(new Map([['a', ['b']], ['b', ['c']], ['c', ['b']]])), ['b', 'c'])
  t.deepEqual(reversed(new Map([['a', ['b', 'gone']], ['b', []]])),
    new Map([['a', []], ['b', ['a']]]))
})

test('work goes in order, and what needs a failure is never begun', async (t) => {
  const needs = new Map([['vpc', []], ['subnet', ['vpc']], ['instance', ['subnet']], ['acl', []]])
  const done: string[] = []
  const run = async (name: string): Promise<boolean> => {
    await Promise.resolve()
    done.push(name)
    return name !== 'subnet'
  }
  t.false(await inOrder(needs, new AbortController().signal, run))
  t.deepEqual(done.toSorted(), ['acl', 'subnet', 'vpc'])
  t.true(done.indexOf('vpc') < done.indexOf('subnet'))
  t.false(await inOrder(needs, AbortSignal.abort(), () => t.fail()))
})
