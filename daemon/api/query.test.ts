/** The AWS query protocol, inbound; EC2's variant of it has its test in ec2/query_codec.test.ts. */
import test from 'ava'
import * as sdk from '@aws-sdk/client-cloudformation'
import { AwsError } from '../model/aws_error.ts'
import { AWS_QUERY, compileDecoder, parseParameters } from './query.ts'
import { SchemaRegistry } from './schema.ts'

const schemas = new SchemaRegistry(sdk)

function decode (action: string, form: string): object {
  const operation = schemas.operation(action)
  if (operation === undefined) throw new Error(`no ${action}`)
  return compileDecoder(operation.input, AWS_QUERY)(parseParameters(form))
}

test('lists stand under member, and an empty one is a name without a value', (t) => {
  t.deepEqual(decode('CreateStack', 'StackName=a&Parameters.member.2.ParameterKey=y&' +
    'Parameters.member.1.ParameterKey=x&Parameters.member.1.ParameterValue=&Tags=&' +
    'Capabilities.member.1=CAPABILITY_IAM'), {
    StackName: 'a', Tags: [], Capabilities: ['CAPABILITY_IAM'],
    Parameters: [{ ParameterKey: 'x', ParameterValue: '' }, { ParameterKey: 'y' }]
  })
})

test('what is no list is refused', (t) => {
  for (const [form, expected] of [
    ['StackName=a&Tags.1.Key=x', /Tags.1.Key/], ['StackName=a&Tags=x', /Tags/],
    ['StackName=a&Tags.member=x', /Tags/], ['StackName=a&Tags.member.x.Key=1', /Tags/],
    ['TemplateBody=x', /StackName/]
  ] as const) {
    t.regex(t.throws(() => decode('CreateStack', form), { instanceOf: AwsError }).message, expected)
  }
})
