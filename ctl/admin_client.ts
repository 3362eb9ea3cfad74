/**
 * The daemon's admin API (daemon/api/admin/contract.ts): JSON over the lab's unix socket, for root.
 */
import type { Readable } from 'node:stream'
import type {
  AdminError, CacheAnswer, CredentialsAnswer, DropsAnswer, FlowsAnswer, InstanceAnswer,
  LabStatusAnswer, MappingAnswer, ResetAnswer, WaitAnswer
} from '../daemon/api/admin/contract.ts'
import { adminSocketPath } from '../daemon/host/paths.ts'
import { CtlError, EXIT_TIMEOUT } from './exit_codes.ts'
import { HTTP_TIMEOUT_MS, sendHttp, streamHttp } from './http_client.ts'

/** ms for the daemon's answer on top of the time it was asked to wait. */
const WAIT_MARGIN_MS = 5000

type QueryParameters = Readonly<Record<string, string | number | undefined>>

export class AdminClient {
  readonly #lab: string
  readonly #socketPath: string

  /** @param socketPath default: where the lab's daemon listens */
  constructor (lab: string, socketPath = adminSocketPath(lab)) {
    this.#lab = lab
    this.#socketPath = socketPath
  }

  status (): Promise<LabStatusAnswer> { return this.#get('/status') }
  credentials (): Promise<CredentialsAnswer> { return this.#get('/credentials') }
  cache (): Promise<CacheAnswer> { return this.#get('/cache') }
  reset (): Promise<ResetAnswer> { return this.#send('POST', '/reset', HTTP_TIMEOUT_MS) }
  stop (): Promise<unknown> { return this.#send('POST', '/stop', HTTP_TIMEOUT_MS) }

  drops (eni?: string): Promise<DropsAnswer> { return this.#get('/drops', { eni }) }

  flows (eni?: string, limit?: number): Promise<FlowsAnswer> {
    return this.#get('/flows', { eni, limit })
  }

  mapping (vpc: string, address: string): Promise<MappingAnswer> {
    return this.#get('/mapping', { vpc, address })
  }

  /** @param id `i-…` */
  instance (id: string): Promise<InstanceAnswer> {
    return this.#get(`/instances/${encodeURIComponent(id)}`)
  }

  /** Answers when every agent has applied `revision`. @throws CtlError VPCLAB_ERR_TIMEOUT */
  wait (revision: number, timeoutMs: number): Promise<WaitAnswer> {
    return this.#get('/wait', { revision, timeoutMs }, timeoutMs + WAIT_MARGIN_MS)
  }

  #get<Answer> (path: string, parameters: QueryParameters = {},
    timeoutMs = HTTP_TIMEOUT_MS): Promise<Answer> {
    const query = Object.entries(parameters)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`)
      .join('&')
    return this.#send('GET', query === '' ? path : `${path}?${query}`, timeoutMs)
  }

  /**
   * An answer that goes on until the server ends it or the caller destroys it.
   * @throws CtlError as for the other calls, before anything has come
   */
  async stream (path: string): Promise<Readable> {
    const answer = await this.#reach(
      streamHttp({ method: 'GET', at: { socketPath: this.#socketPath }, path, timeoutMs: 0 }))
    if ((answer.statusCode ?? 0) < 400) return answer
    const chunks = await answer.toArray() as Buffer[]
    throw refusalOf('GET', path, answer.statusCode ?? 0,
      this.#parse('GET', path, Buffer.concat(chunks).toString('utf8')))
  }

  async #send<Answer> (method: 'GET' | 'POST', path: string, timeoutMs: number,
    content?: object): Promise<Answer> {
    const answer = await this.#reach(sendHttp({
      method, at: { socketPath: this.#socketPath }, path, timeoutMs,
      ...content === undefined
        ? {}
        : { body: JSON.stringify(content), headers: { 'content-type': 'application/json' } }
    }))
    const parsed = this.#parse(method, path, answer.body)
    if (answer.status >= 400) throw refusalOf(method, path, answer.status, parsed)
    return parsed as Answer
  }

  async #reach<Answer> (answer: Promise<Answer>): Promise<Answer> {
    return await answer.catch((error: unknown) => {
      throw this.#unreachable(error as NodeJS.ErrnoException)
    })
  }

  #parse (method: string, path: string, body: string): unknown {
    try {
      return body === '' ? {} : JSON.parse(body)
    } catch {
      throw new CtlError('InvalidAnswer',
        `${method} ${path} on ${this.#socketPath} was answered with no JSON`)
    }
  }

  #unreachable (error: NodeJS.ErrnoException): CtlError {
    switch (error.code) {
      case 'ENOENT':
      case 'ECONNREFUSED':
      case 'ECONNRESET':
        return new CtlError('VPCLAB_ERR_LAB_DOWN',
          `No daemon answers for the lab "${this.#lab}" at ${this.#socketPath}: ` +
          'start it with "vpcctl lab up"' +
          (process.getuid?.() === 0 ? '' : ', or use sudo for a lab that root has started'))
      case 'EACCES':
        return new CtlError('VPCLAB_ERR_NOT_ROOT',
          `The socket ${this.#socketPath} is open to root only: run the command with sudo`)
      case 'ETIMEDOUT':
        return new CtlError('VPCLAB_ERR_TIMEOUT',
          `The daemon of the lab "${this.#lab}" gave ${error.message}`)
      default:
        return new CtlError('VPCLAB_ERR_LAB_DOWN',
          `The daemon of the lab "${this.#lab}" cannot be asked: ${error.message}`)
    }
  }
}

function refusalOf (method: string, path: string, status: number, content: unknown): CtlError {
  const { code, message } = content as Partial<AdminError>
  return new CtlError(
    code ?? 'InvalidAnswer',
    message ?? `${method} ${path} was answered with HTTP status ${String(status)}`,
    status === 408 ? EXIT_TIMEOUT : undefined)
}
