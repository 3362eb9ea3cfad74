/**
 * The query protocol, both ways: what a form becomes, what is refused, what an answer looks like.
 */
import test from 'ava'
import * as sdk from '@aws-sdk/client-ec2'
import { XMLParser } from 'fast-xml-parser'
import { AwsError } from '../../model/aws_error.ts'
import { compileDecoder } from './query_codec.ts'
import { LIST_ITEMS_MAX, PARAMETERS_MAX, parseParameters } from '../query.ts'
import type { OperationShape } from '../schema.ts'
import { SchemaRegistry } from '../schema.ts'
import { escapeXml } from '../xml.ts'
import { compileEncoder, writeError } from './xml_writer.ts'

const schemas = new SchemaRegistry(sdk)

function operation (name: string): OperationShape {
  const found = schemas.operation(name)
  if (found === undefined) throw new Error(`EC2 has no ${name}`)
  return found
}

function decode (action: string, form: string): object {
  return compileDecoder(operation(action).input)(parseParameters(form))
}

function refusal (action: string, form: string): string {
  try {
    decode(action, form)
    return ''
  } catch (error) {
    if (error instanceof AwsError) return `${error.code}: ${error.message}`
    throw error
  }
}

test('lists are flattened, numbered, and may have gaps', (t) => {
  t.deepEqual(decode('DescribeVpcs',
    'Filter.2.Name=b&Filter.1.Name=a&Filter.1.Value.7=y&Filter.1.Value.3=x&VpcId.1=v'), {
    Filters: [{ Name: 'a', Values: ['x', 'y'] }, { Name: 'b' }], VpcIds: ['v']
  })
})

test('names are those of the EC2 query protocol', (t) => {
  t.deepEqual(decode('RunInstances', 'MinCount=1&MaxCount=2&NetworkInterface.1.DeviceIndex=0&' +
    'NetworkInterface.1.SecurityGroupId.1=sg-1&TagSpecification.1.ResourceType=instance&' +
    'TagSpecification.1.Tag.1.Key=Name&TagSpecification.1.Tag.1.Value=&EbsOptimized=false'), {
    MinCount: 1, MaxCount: 2, NetworkInterfaces: [{ DeviceIndex: 0, Groups: ['sg-1'] }],
    TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'Name', Value: '' }] }],
    EbsOptimized: false
  })
})

test('values become what their type says', (t) => {
  t.deepEqual(decode('ModifySubnetAttribute', 'SubnetId=s&MapPublicIpOnLaunch.Value=TRUE'),
    { SubnetId: 's', MapPublicIpOnLaunch: { Value: true } })
  t.deepEqual(decode('CreateVpc', 'CidrBlock=10.0.0.0%2F16&Ipv4NetmaskLength=-1'),
    { CidrBlock: '10.0.0.0/16', Ipv4NetmaskLength: -1 })
  t.deepEqual(decode('ImportKeyPair', 'KeyName=a+b&PublicKeyMaterial=aGk%3D'),
    { KeyName: 'a b', PublicKeyMaterial: new Uint8Array([104, 105]) })
  t.deepEqual(decode('DescribeSpotPriceHistory', 'StartTime=2026-01-02T03:04:05Z'),
    { StartTime: new Date(Date.UTC(2026, 0, 2, 3, 4, 5)) })
})

test('what the operation does not know or needs is refused by its name', (t) => {
  t.regex(refusal('CreateVpc', 'Cidr=x'), /^UnknownParameter: The parameter Cidr is/)
  t.regex(refusal('CreateVpc', 'TagSpecification.1.Tag.1.Colour=x'),
    /^UnknownParameter: .*TagSpecification\.1\.Tag\.1\.Colour/)
  t.regex(refusal('CreateVpc', 'CidrBlock.1=x'), /^UnknownParameter: .*CidrBlock\.1/)
  t.regex(refusal('CreateVpc', 'TagSpecification=x'), /^UnknownParameter: .*TagSpecification/)
  t.regex(refusal('DescribeVpcs', 'VpcId.0=x'), /^UnknownParameter/)
  t.regex(refusal('DescribeVpcs', 'VpcId.x=x'), /^UnknownParameter/)
  t.regex(refusal('DescribeVpcs', '__proto__=x'), /^UnknownParameter/)
  t.regex(refusal('DeleteVpc', ''), /^MissingParameter: .*VpcId/)
  t.regex(refusal('DeleteVpc', 'VpcId=a&VpcId=b'), /^InvalidParameterValue: .*twice/)
})

test('what is not of its type is refused', (t) => {
  for (const value of ['yes', '2', '']) t.regex(refusal('CreateVpc', `DryRun=${value}`),
    /^InvalidParameterValue/)
  for (const value of ['', 'x', '1.5', '1e3', '9'.repeat(16)]) t.regex(
    refusal('DescribeVpcs', `MaxResults=${value}`), /^InvalidParameterValue/)
  t.regex(refusal('DescribeSpotPriceHistory', 'StartTime=yesterday'), /^InvalidParameterValue/)
  t.regex(refusal('ImportKeyPair', 'KeyName=a&PublicKeyMaterial=%21'), /^InvalidParameterValue/)
  t.regex(refusal('CreateVpc', 'CidrBlock=%00'), /^InvalidParameterValue/)
})

test('everything that a caller controls has a limit', (t) => {
  t.regex(refusal('DescribeVpcs', `VpcId.${String(LIST_ITEMS_MAX + 1)}=x`),
    /^InvalidParameterValue: .*1000/)
  t.is(refusal('DescribeVpcs', `VpcId.${String(LIST_ITEMS_MAX)}=x`), '')
  const many = Array.from({ length: PARAMETERS_MAX + 1 }, (_, at) => `p${String(at)}=`).join('&')
  t.regex(refusal('DescribeVpcs', many), /^InvalidRequest/)
  t.regex(refusal('DescribeVpcs', `${'a.'.repeat(200)}=x`), /^UnknownParameter/)
})

test('an answer has EC2\'s elements, and comes back as it was', (t) => {
  const encode = compileEncoder(operation('DescribeVpcs'))
  const odd = '<&>"\' \r\n\t é 😀'
  const vpc = { VpcId: 'vpc-1', IsDefault: false, Tags: [{ Key: 'k', Value: odd }] }
  const xml = encode({ Vpcs: [vpc], NextToken: undefined }, 'id-1')
  t.true(xml.startsWith('<?xml version="1.0" encoding="UTF-8"?>\n' +
    '<DescribeVpcsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">' +
    '<requestId>id-1</requestId>'))
  const parsed = new XMLParser(
    { trimValues: false, parseTagValue: false, htmlEntities: true }).parse(xml) as Record<string,
    Record<string, unknown>>
  t.deepEqual(parsed['DescribeVpcsResponse']?.['vpcSet'],
    { item: { vpcId: 'vpc-1', isDefault: 'false', tagSet: { item: { key: 'k', value: odd } } } })
})

test('empty lists are written, absent members are not', (t) => {
  const encode = compileEncoder(operation('DescribeVpcs'))
  t.true(encode({ Vpcs: [] }, 'i').includes('<requestId>i</requestId><vpcSet/></'))
  t.true(encode({}, 'i').includes('<requestId>i</requestId></'))
})

test('an operation without output answers return true', (t) => {
  t.true(compileEncoder(operation('DeleteVpc'))({}, 'i').includes('<return>true</return>'))
})

test('a member that EC2 does not have is our mistake, and ends the call', (t) => {
  t.throws(() => compileEncoder(operation('DescribeVpcs'))({ Vpcs: [{ Colour: 'red' }] }, 'i'),
    { message: /Vpc has no member Colour/ })
})

test('an error is EC2\'s document, whatever it quotes', (t) => {
  const xml = writeError(new AwsError('InvalidParameterValue', 'Value (<\u0000>) & more'), 'i')
  t.true(xml.endsWith('<Response><Errors><Error><Code>InvalidParameterValue</Code>' +
    '<Message>Value (&lt;\ufffd&gt;) &amp; more</Message></Error></Errors>' +
    '<RequestID>i</RequestID></Response>'))
  t.is(escapeXml('plain'), 'plain')
})

test('every operation of EC2 can be compiled', (t) => {
  let count = 0
  for (const name of ['CreateVpc', 'DescribeInstances', 'CreateLaunchTemplate',
    'ModifyInstanceAttribute', 'DescribeTransitGateways']) {
    compileDecoder(operation(name).input)
    compileEncoder(operation(name))({}, 'i')
    count++
  }
  t.is(count, 5)
  t.is(schemas.operation('NoSuchAction'), undefined)
  t.is(schemas.operation('Vpc'), undefined, 'a structure is no operation')
  t.is(schemas.operation('toString'), undefined)
})
