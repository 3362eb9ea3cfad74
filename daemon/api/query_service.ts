/**
 * AWS's query protocol, for every service but EC2: its documents, and the whole of it for a service
 * that only reads. Smithy 2.0, "AWS query protocol".
 *
 *     <CreateStackResponse xmlns="…">
 *       <CreateStackResult><StackId>…</StackId></CreateStackResult>
 *       <ResponseMetadata><RequestId>…</RequestId></ResponseMetadata></CreateStackResponse>
 */
import { AwsError } from '../model/aws_error.ts'
import type { Protocol } from './protocol.ts'
import type { Decoder } from './query.ts'
import { AWS_QUERY, compileDecoder, parseParameters } from './query.ts'
import type { OperationShape } from './schema.ts'
import type { Body } from './service.ts'
import { XML_HEAD, compileWriter, escapeXml, xmlText } from './xml.ts'
import type { Writer } from './xml.ts'

const CONTENT_TYPE = 'text/xml'

interface Compiled {
  readonly decode: Decoder
  /** null for an operation without an output. */
  readonly write: Writer | null
}

/** @param version of the service's API, as every call must name it */
export function queryProtocol (version: string, namespace: string): Protocol {
  const known = new Map<OperationShape, Compiled>()
  const compiledOf = (shape: OperationShape): Compiled => {
    const compiled = known.get(shape) ?? {
      decode: compileDecoder(shape.input, AWS_QUERY),
      write: shape.output === null ? null : compileWriter(shape.output)
    }
    known.set(shape, compiled)
    return compiled
  }
  return {
    speaks: () => true,
    operationOf: (call) => parseParameters(call.form).get('Action') ?? '',
    decode: (shape, call) => {
      const parameters = parseParameters(call.form)
      const given = parameters.get('Version') ?? ''
      if (given === version) return compiledOf(shape).decode(parameters)
      throw new AwsError('InvalidAction',
        `Could not find operation ${shape.name} for version ${given.slice(0, 64)}`)
    },
    encode: (shape, output, requestId) => {
      const { write } = compiledOf(shape)
      return writeQueryAnswer(namespace, shape.name, write === null ? null : write(output),
        requestId)
    },
    refuse: (refusal, requestId) => writeQueryError(namespace, refusal, requestId),
    unknownCode: 'InvalidAction',
    unbuiltCode: 'UnsupportedOperation'
  }
}

/** @param result what stands in the result's element; null for an action without an output */
export function writeQueryAnswer (
  namespace: string, action: string, result: string | null, requestId: string
): Body {
  const element = result === null ? '' : `<${action}Result>${result}</${action}Result>`
  return {
    contentType: CONTENT_TYPE,
    content: `${XML_HEAD}<${action}Response xmlns="${namespace}">${element}` +
      `<ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata>` +
      `</${action}Response>`
  }
}

export function writeQueryError (namespace: string, error: AwsError, requestId: string): Body {
  const type = error.status < 500 ? 'Sender' : 'Receiver'
  return {
    contentType: CONTENT_TYPE,
    content: `${XML_HEAD}<ErrorResponse xmlns="${namespace}"><Error><Type>${type}</Type>` +
      `<Code>${escapeXml(error.code)}</Code>` +
      `<Message>${escapeXml(xmlText(error.message))}</Message>` +
      `</Error><RequestId>${requestId}</RequestId></ErrorResponse>`
  }
}
