/**
 * EC2 as a service behind the endpoint: the EC2 query protocol over the runner. Smithy 2.0, "AWS
 * EC2 query protocol".
 */
import { parseParameters } from '../query.ts'
import type { Body, Service } from '../service.ts'
import type { ActionRunner } from './runner.ts'
import { writeError } from './xml_writer.ts'

const CONTENT_TYPE = 'text/xml;charset=UTF-8'

export function createEc2Service (runner: ActionRunner): Service {
  return {
    name: 'ec2',
    eventSource: 'ec2.amazonaws.com',
    async call (call): Promise<Body> {
      return xml(await runner.run(call, parseParameters(call.form)))
    },
    refuse: (refusal, requestId) => xml(writeError(refusal, requestId))
  }
}

function xml (text: string): Body { return { contentType: CONTENT_TYPE, content: text } }
