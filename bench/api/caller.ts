/** Signed EC2 calls over HTTP, for benches: a request is signed by AWS's own signer. */
import { Agent, request } from 'node:http'
import { Sha256 } from '@aws-crypto/sha256-js'
import { SignatureV4 } from '@smithy/signature-v4'
import type { Endpoint } from '../../test/conformance/endpoint.ts'
import { ALICE } from '../../test/conformance/endpoint.ts'

/** Calls at a time. */
export const CALLERS = 8
export const REGION = 'us-east-1'

type Caller = (parameters: Readonly<Record<string, string>>) => Promise<string>

/** A caller that signs a request and returns the text of the answer. */
export function caller (endpoint: Endpoint): Caller {
  const { hostname, port, host } = new URL(endpoint.url)
  const agent = new Agent({ keepAlive: true, maxSockets: CALLERS })
  const signer = new SignatureV4({
    service: 'ec2', region: REGION, sha256: Sha256, applyChecksum: false,
    credentials: { accessKeyId: ALICE.accessKeyId, secretAccessKey: ALICE.secretAccessKey }
  })
  return async (parameters) => {
    const body = new URLSearchParams({ Version: '2016-11-15', ...parameters }).toString()
    const headers = { host, 'content-type': 'application/x-www-form-urlencoded' }
    const signed = await signer.sign(
      { method: 'POST', protocol: 'http:', hostname, path: '/', headers, body })
    const { status, text } = await post(
      { hostname, port, path: '/', method: 'POST', agent, headers: signed.headers }, body)
    if (status !== 200) {
      throw new Error(`${parameters['Action'] ?? ''} answered ${String(status)}: ${text}`)
    }
    return text
  }
}

function post (options: Parameters<typeof request>[1] & object,
  body: string): Promise<{ status: number, text: string }> {
  return new Promise((resolve, reject) => {
    const call = request(options as object, (answer) => {
      let text = ''
      answer.setEncoding('utf8')
      answer.on('data', (part: string) => { text += part })
      answer.on('end', () => { resolve({ status: answer.statusCode ?? 0, text }) })
      answer.on('error', reject)
    })
    call.on('error', reject)
    call.end(body)
  })
}
