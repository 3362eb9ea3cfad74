/**
 * HTTP requests, to a TCP address or a unix socket: one answer whole, or one that goes on.
 * `node:http` and nothing else: `fetch` knows no unix sockets and costs start-up time.
 */
import { type IncomingMessage, request as httpRequest } from 'node:http'

/** An answer of more bytes is refused: a described lab of 10,000 instances has about 20 MB. */
export const HTTP_ANSWER_BYTES_MAX = 256 * 1024 * 1024
/** ms without any progress until a request is given up. */
export const HTTP_TIMEOUT_MS = 30_000

export interface HttpRequest {
  readonly method: 'DELETE' | 'GET' | 'POST'
  /** Where the server listens. */
  readonly at: { readonly socketPath: string } | { readonly host: string, readonly port: number }
  /** Path and query string. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** ms without progress, 0 for ever; default HTTP_TIMEOUT_MS. */
  readonly timeoutMs?: number
}

export interface HttpAnswer {
  readonly status: number
  readonly body: string
}

/**
 * Sends a request and reads its whole answer, whatever its status.
 * @throws the system's error (`code` ECONNREFUSED, ENOENT, EACCES, ETIMEDOUT …)
 */
export async function sendHttp (request: HttpRequest): Promise<HttpAnswer> {
  const incoming = await streamHttp(request)
  const chunks: Buffer[] = []
  let receivedBytes = 0
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    receivedBytes += chunk.length
    if (receivedBytes > HTTP_ANSWER_BYTES_MAX) {
      throw new Error(`the answer exceeds ${String(HTTP_ANSWER_BYTES_MAX)} bytes`)
    }
    chunks.push(chunk)
  }
  return { status: incoming.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }
}

/**
 * Sends a request and hands over its answer when the head of it is there; the body comes as it is
 * sent, for as long as the server likes. Destroying the answer ends the request.
 * @throws as sendHttp; a stream that breaks off ends with the error
 */
export function streamHttp (request: HttpRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const timeoutMs = request.timeoutMs ?? HTTP_TIMEOUT_MS
    const outgoing = httpRequest({
      ...request.at,
      method: request.method,
      path: request.path,
      headers: { ...request.headers, connection: 'close' },
      timeout: timeoutMs
    }, resolve)
    outgoing.on('timeout', () => {
      const error: NodeJS.ErrnoException =
        new Error(`no answer within ${String(timeoutMs / 1000)} s`)
      error.code = 'ETIMEDOUT'
      outgoing.destroy(error)
    })
    outgoing.on('error', reject)
    outgoing.end(request.body)
  })
}
