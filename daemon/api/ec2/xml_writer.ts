/**
 * The EC2 query protocol, outbound: the output of an action to XML. Smithy 2.0, "AWS EC2 query
 * protocol".
 *
 *     { Vpcs: [{ VpcId: 'vpc-0a' }] }
 *       ─▶ <DescribeVpcsResponse xmlns="…"><requestId>…</requestId>
 *            <vpcSet><item><vpcId>vpc-0a</vpcId></item></vpcSet></DescribeVpcsResponse>
 *
 * What stands around the output; the output itself is written by its shape (xml.ts).
 */
import { assert } from '../../base/assert.ts'
import type { AwsError } from '../../model/aws_error.ts'
import type { OperationShape } from '../schema.ts'
import { XML_HEAD, compileWriter, escapeXml, xmlText } from '../xml.ts'

export const EC2_XML_NAMESPACE = 'http://ec2.amazonaws.com/doc/2016-11-15/'

/** @returns the whole document */
export type Encoder = (output: object, requestId: string) => string

export function compileEncoder (operation: OperationShape): Encoder {
  const open = `${XML_HEAD}<${operation.name}Response xmlns="${EC2_XML_NAMESPACE}"><requestId>`
  const close = `</${operation.name}Response>`
  const { output } = operation
  if (output === null) {
    return (value, requestId) => {
      assert(Object.keys(value).length === 0, `${operation.name} has no output to write`)
      return `${open}${requestId}</requestId><return>true</return>${close}`
    }
  }
  const write = compileWriter(output)
  return (value, requestId) => `${open}${requestId}</requestId>${write(value)}${close}`
}

/**
 * The error document of EC2, which is not that of other query services. A message may quote what a
 * caller sent; what XML cannot carry of it is shown as U+FFFD.
 */
export function writeError (error: AwsError, requestId: string): string {
  return `${XML_HEAD}<Response><Errors><Error><Code>${escapeXml(error.code)}</Code>` +
    `<Message>${escapeXml(xmlText(error.message))}</Message></Error></Errors>` +
    `<RequestID>${requestId}</RequestID></Response>`
}
