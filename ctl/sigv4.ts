/**
 * Signs a request with AWS Signature Version 4: the few lines that a fixed service and a small set
 * of headers need, so that the command line starts quickly. The test compares every signature with
 * `@smithy/signature-v4`. Source: IAM User Guide, "Create a signed AWS API request".
 *
 *     canonical request ─ SHA-256 ─▶ string to sign ─ HMAC(derived key) ─▶ Authorization header
 */
import { createHash, createHmac } from 'node:crypto'

const ALGORITHM = 'AWS4-HMAC-SHA256'

export interface SigningKey {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly region: string
}

export interface SignableRequest {
  readonly method: 'DELETE' | 'GET' | 'POST'
  /** Absolute path without query string, `/` for the EC2 API; of letters that need no encoding. */
  readonly path: string
  /** Behind the `?`, encoded, names in order; empty for none. */
  readonly query: string
  /** Host and port as the Host header carries them. */
  readonly host: string
  readonly contentType: string
  readonly body: string
}

/**
 * The headers that a signed request carries: host, content-type, x-amz-date, authorization.
 * @param nowMs wall clock; the server refuses a skew of more than 15 minutes
 */
export function signedHeaders (request: SignableRequest, key: SigningKey, service: string,
  nowMs: number): Record<string, string> {
  // 2026-03-01T10:20:30.456Z becomes 20260301T102030Z.
  const timestamp = new Date(nowMs).toISOString().replace(/[-:]|\.\d{3}/g, '')
  const date = timestamp.slice(0, 8)
  const scope = `${date}/${key.region}/${service}/aws4_request`
  // Canonical order: header names sorted.
  const headers: [string, string][] = [
    ['content-type', request.contentType],
    ['host', request.host],
    ['x-amz-date', timestamp]
  ]
  const names = headers.map(([name]) => name).join(';')
  const canonicalRequest = [
    request.method,
    request.path,
    request.query,
    ...headers.map(([name, value]) => `${name}:${value}`),
    '',
    names,
    sha256Hex(request.body)
  ].join('\n')
  const stringToSign = [ALGORITHM, timestamp, scope, sha256Hex(canonicalRequest)].join('\n')

  let derivedKey: Buffer | string = `AWS4${key.secretAccessKey}`
  for (const part of [date, key.region, service, 'aws4_request']) {
    derivedKey = createHmac('sha256', derivedKey).update(part).digest()
  }
  const signature = createHmac('sha256', derivedKey).update(stringToSign).digest('hex')
  return {
    ...Object.fromEntries(headers),
    authorization: `${ALGORITHM} Credential=${key.accessKeyId}/${scope}, ` +
      `SignedHeaders=${names}, Signature=${signature}`
  }
}

function sha256Hex (text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
