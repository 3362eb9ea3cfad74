/**
 * The documents of AWS's query protocol, for every service but EC2. Smithy 2.0, "AWS query
 * protocol".
 *
 *     <CreateStackResponse xmlns="…">
 *       <CreateStackResult><StackId>…</StackId></CreateStackResult>
 *       <ResponseMetadata><RequestId>…</RequestId></ResponseMetadata></CreateStackResponse>
 */
import type { AwsError } from '../model/aws_error.ts'
import type { Body } from './service.ts'
import { XML_HEAD, escapeXml, xmlText } from './xml.ts'

const CONTENT_TYPE = 'text/xml'

/** @param result what stands in the result's element; null for an action without an output */
export function writeQueryAnswer (
  namespace: string, action: string, result: string | null, requestId: string
): Body {
  const element = result === null ? '' : `<${action}Result>${result}</${action}Result>`
  return {
    contentType: CONTENT_TYPE,
    text: `${XML_HEAD}<${action}Response xmlns="${namespace}">${element}` +
      `<ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata>` +
      `</${action}Response>`
  }
}

export function writeQueryError (namespace: string, error: AwsError, requestId: string): Body {
  const type = error.status < 500 ? 'Sender' : 'Receiver'
  return {
    contentType: CONTENT_TYPE,
    text: `${XML_HEAD}<ErrorResponse xmlns="${namespace}"><Error><Type>${type}</Type>` +
      `<Code>${escapeXml(error.code)}</Code>` +
      `<Message>${escapeXml(xmlText(error.message))}</Message>` +
      `</Error><RequestId>${requestId}</RequestId></ErrorResponse>`
  }
}
