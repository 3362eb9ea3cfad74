/**
 * One HTTP request, to a TCP address or a unix socket. `node:http` and nothing else: `fetch` knows
 * no unix sockets and costs start-up time.
 */
import { request as httpRequest } from 'node:http'

/** An answer of more bytes is refused: a described lab of 10,000 instances has about 20 MB. */
export const HTTP_ANSWER_BYTES_MAX = 256 * 1024 * 1024
/** ms without any progress until a request is given up. */
export const HTTP_TIMEOUT_MS = 30_000

export interface HttpRequest {
  readonly method: 'GET' | 'POST'
  /** Where the server listens. */
  readonly at: { readonly socketPath: string } | { readonly host: string, readonly port: number }
  /** Path and query string. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** ms without progress; default HTTP_TIMEOUT_MS. */
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
export function sendHttp (request: HttpRequest): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const timeoutMs = request.timeoutMs ?? HTTP_TIMEOUT_MS
    const outgoing = httpRequest({
      ...request.at,
      method: request.method,
      path: request.path,
      headers: { ...request.headers, connection: 'close' },
      timeout: timeoutMs
    }, (incoming) => {
      const chunks: Buffer[] = []
      let receivedBytes = 0
      incoming.on('data', (chunk: Buffer) => {
        receivedBytes += chunk.length
        if (receivedBytes > HTTP_ANSWER_BYTES_MAX) {
          incoming.destroy(new Error(`the answer exceeds ${String(HTTP_ANSWER_BYTES_MAX)} bytes`))
          return
        }
        chunks.push(chunk)
      })
      incoming.on('error', reject)
      incoming.on('end', () => {
        resolve({ status: incoming.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') })
      })
    })
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
