/** Templates: what a text becomes, what is refused of it, and in which words. */
import test from 'ava'
import { AwsError } from '../../model/aws_error.ts'
import { TEMPLATE_BYTES_MAX } from '../../model/stack.ts'
import { RESOURCE_TYPES } from './resource_types/registry.ts'
import { checkTemplate } from './stack_plan.ts'
import { parseTemplate } from './template.ts'
import { parseTemplateText } from './template_text.ts'

/** What a template is refused with; empty when it is not. */
function refusal (text: string): string {
  try {
    checkTemplate(parseTemplate(text), RESOURCE_TYPES)
    return ''
  } catch (error) {
    if (error instanceof AwsError && error.code === 'ValidationError') return error.message
    throw error
  }
}

const VPC = 'Resources: { Vpc: { Type: AWS::EC2::VPC, Properties: { CidrBlock: 10.0.0.0/16 } } }'

test('short tags become functions, in scalars, lists and maps', (t) => {
  t.deepEqual(parseTemplateText(`
    a: !Ref Vpc
    b: !GetAtt Vpc.Ipv6CidrBlocks
    c: !Join [',', [x, !Sub '\${Vpc}-y']]
    d: !Not [!Condition IsLive]
    e: !Sub ['\${v}', { v: !GetAZs '' }]
    f: "10.0"
    g: 10
    h: true`), {
    a: { Ref: 'Vpc' }, b: { 'Fn::GetAtt': ['Vpc', 'Ipv6CidrBlocks'] },
    c: { 'Fn::Join': [',', ['x', { 'Fn::Sub': '${Vpc}-y' }]] },
    d: { 'Fn::Not': [{ Condition: 'IsLive' }] },
    e: { 'Fn::Sub': ['${v}', { v: { 'Fn::GetAZs': '' } }] },
    f: '10.0', g: 10, h: true
  })
})

test('JSON is read as it is', (t) => {
  t.deepEqual(parseTemplateText('{"a": {"Ref": "Vpc"}, "b": [1, "2", null]}'),
    { a: { Ref: 'Vpc' }, b: [1, '2', null] })
})

test('a template without values is accepted when every name is there', (t) => {
  t.is(refusal(VPC), '')
  t.is(refusal(`${VPC}\nOutputs: { Id: { Value: !GetAtt Vpc.VpcId } }`), '')
})

const REFUSED: readonly (readonly [string, string, RegExp])[] = [
  ['no YAML', 'a: [1', /YAML not well-formed. \(line 1, column \d+\)/],
  ['no JSON', '{"a": ', /JSON not well-formed/],
  ['a list', '- a', /unsupported structure/],
  ['an alias', 'a: &x 1\nb: *x', /aliases are not allowed/],
  ['a key twice', 'a: 1\na: 2', /not well-formed.*unique/],
  ['an unknown tag', 'a: !Nonsense b', /tag !Nonsense is not known/],
  ['a text too long', `# ${'x'.repeat(TEMPLATE_BYTES_MAX)}`, /length less than or equal to 51200/],
  ['no resources', 'Resources: {}', /At least one Resources member must be defined/],
  ['an unknown section', `${VPC}\nTransform: x`, /Invalid template property.*\[Transform\]/],
  ['another version', `${VPC}\nAWSTemplateFormatVersion: 2011-01-01`, /2010-09-09/],
  ['a type that is not built', 'Resources: { A: { Type: AWS::EC2::TransitGateway } }',
    /Unrecognized resource types: \[AWS::EC2::TransitGateway\]; vpclab has .*AWS::EC2::VPC/],
  ['a property that the type has not',
    'Resources: { A: { Type: AWS::EC2::VPC, Properties: { Cidr: x } } }',
    /unsupported property Cidr of resource A; AWS::EC2::VPC takes CidrBlock/],
  ['a name that is not there',
    'Resources: { A: { Type: AWS::EC2::VPC, Properties: { CidrBlock: !Ref B } } }',
    /Unresolved resource dependencies \[B\] in the Resources block/],
  ['DependsOn of nothing',
    'Resources: { A: { Type: AWS::EC2::VPC, DependsOn: C } }',
    /Unresolved resource dependencies \[C\]/],
  ['an attribute that is not there', `${VPC}\nOutputs: { A: { Value: !GetAtt Vpc.Colour } }`,
    /resource Vpc does not support attribute type Colour in Fn::GetAtt/],
  ['a condition that is not there',
    'Resources: { A: { Type: AWS::EC2::VPC, Condition: IsLive } }',
    /Unresolved condition dependency IsLive in the Resources block/],
  ['an output without a value', `${VPC}\nOutputs: { A: { Description: x } }`, /must have a Value/],
  ['a circle', `Resources:
    A: { Type: AWS::EC2::VPC, DependsOn: B }
    B: { Type: AWS::EC2::VPC, DependsOn: A }`, /Circular dependency between resources: \[A, B\]/]
]

for (const [what, text, expected] of REFUSED) {
  test(`a template is refused: ${what}`, (t) => { t.regex(refusal(text), expected) })
}
