/**
 * The daemon's admin API (daemon/api/admin/contract.ts): JSON over the lab's unix socket, for root.
 */
import type { IncomingMessage } from 'node:http'
import type {
  AccessLogAnswer, AdminError, AttachAnswer, AttachRequest, CacheAnswer, CaptureStopAnswer,
  ClearImpairmentRequest, CredentialsAnswer, DetachAnswer, DetachRequest, DropsAnswer, FlowsAnswer,
  HyperplaneAnswer, ImpairmentsAnswer, ImpairRequest, InstanceAnswer, LabStatusAnswer,
  MappingAnswer, PartitionRequest, QuotasAnswer, ReachAnswer, ReachRequest, ResetAnswer,
  RevisionAnswer, TraceAnswer, TraceRequest, TrafficAnswer, UnderlayAnswer, VpnAnswer,
  VpnLogAnswer, WaitAnswer
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
  quotas (): Promise<QuotasAnswer> { return this.#get('/quotas') }
  cache (): Promise<CacheAnswer> { return this.#get('/cache') }

  vpn (): Promise<VpnAnswer> { return this.#get('/vpn') }
  vpnLog (vpn: string): Promise<VpnLogAnswer> {
    return this.#get(`/vpn/log?vpn=${encodeURIComponent(vpn)}`)
  }

  hyperplane (): Promise<HyperplaneAnswer> { return this.#get('/hyperplane') }
  impairments (): Promise<ImpairmentsAnswer> { return this.#get('/impairments') }
  underlay (): Promise<UnderlayAnswer> { return this.#get('/underlay') }
  rotateUnderlayKeys (): Promise<unknown> {
    return this.#send('POST', '/underlay/rotate', HTTP_TIMEOUT_MS)
  }

  accessLog (): Promise<AccessLogAnswer> { return this.#get('/internet/log') }
  reset (): Promise<ResetAnswer> { return this.#send('POST', '/reset', HTTP_TIMEOUT_MS) }
  stop (): Promise<unknown> { return this.#send('POST', '/stop', HTTP_TIMEOUT_MS) }

  traffic (): Promise<TrafficAnswer> { return this.#get('/traffic') }

  /** @param query as GET /drops has it */
  drops (query: QueryParameters = {}): Promise<DropsAnswer> { return this.#get('/drops', query) }

  /** @param query as GET /flows has it */
  flows (query: QueryParameters = {}): Promise<FlowsAnswer> { return this.#get('/flows', query) }

  /**
   * EventLine after EventLine, until the daemon stops or the stream is destroyed.
   * @param query as GET /events has it
   */
  events (query: QueryParameters): Promise<IncomingMessage> {
    return this.stream(pathWith('/events', query))
  }

  mapping (vpc: string, address: string): Promise<MappingAnswer> {
    return this.#get('/mapping', { vpc, address })
  }

  /** @param id `i-…` */
  instance (id: string): Promise<InstanceAnswer> {
    return this.#get(`/instances/${encodeURIComponent(id)}`)
  }

  /** The way of one packet, without sending it. */
  trace (request: TraceRequest): Promise<TraceAnswer> {
    return this.#send('POST', '/trace', HTTP_TIMEOUT_MS, request)
  }

  /** Whether a new conversation could be opened, and answered. */
  reach (request: ReachRequest): Promise<ReachAnswer> {
    return this.#send('POST', '/reach', HTTP_TIMEOUT_MS, request)
  }

  attach (request: AttachRequest): Promise<AttachAnswer> {
    return this.#send('POST', '/attach', HTTP_TIMEOUT_MS, request)
  }

  impair (request: ImpairRequest): Promise<RevisionAnswer> {
    return this.#send('POST', '/impairments', HTTP_TIMEOUT_MS, request)
  }

  clearImpairment (request: ClearImpairmentRequest): Promise<RevisionAnswer> {
    return this.#send('POST', '/impairments/clear', HTTP_TIMEOUT_MS, request)
  }

  partition (request: PartitionRequest): Promise<RevisionAnswer> {
    return this.#send('POST', '/partitions', HTTP_TIMEOUT_MS, request)
  }

  heal (request: PartitionRequest): Promise<RevisionAnswer> {
    return this.#send('POST', '/partitions/heal', HTTP_TIMEOUT_MS, request)
  }

  detach (request: DetachRequest): Promise<DetachAnswer> {
    return this.#send('POST', '/detach', HTTP_TIMEOUT_MS, request)
  }

  /** Answers when every agent has applied `revision`. @throws CtlError VPCLAB_ERR_TIMEOUT */
  wait (revision: number, timeoutMs: number): Promise<WaitAnswer> {
    return this.#get('/wait', { revision, timeoutMs }, timeoutMs + WAIT_MARGIN_MS)
  }

  /**
   * A capture: a pcapng stream, whose trailers tell its totals.
   * @param query as GET /capture has it
   */
  async capture (query: URLSearchParams): Promise<IncomingMessage> {
    return await this.stream(`/capture?${query.toString()}`)
  }

  /** Keys of VPN tunnels, as GET /vpn/keys has them. @param tunnels outside addresses */
  async vpnKeys (tunnels: readonly string[]): Promise<IncomingMessage> {
    return await this.stream(`/vpn/keys?tunnels=${tunnels.map(encodeURIComponent).join(',')}`)
  }

  /** Ends a capture: its stream ends with the statistics. @param id CAPTURE_HEADER of the stream */
  stopCapture (id: string): Promise<CaptureStopAnswer> {
    return this.#send('POST', `/captures/${encodeURIComponent(id)}/stop`, HTTP_TIMEOUT_MS)
  }

  #get<Answer> (path: string, parameters: QueryParameters = {},
    timeoutMs = HTTP_TIMEOUT_MS): Promise<Answer> {
    return this.#send('GET', pathWith(path, parameters), timeoutMs)
  }

  /**
   * An answer that goes on until the server ends it or the caller destroys it.
   * @throws CtlError as for the other calls, before anything has come
   */
  async stream (path: string): Promise<IncomingMessage> {
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

function pathWith (path: string, parameters: QueryParameters): string {
  const query = Object.entries(parameters)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`)
    .join('&')
  return query === '' ? path : `${path}?${query}`
}

function refusalOf (method: string, path: string, status: number, content: unknown): CtlError {
  const { code, message } = content as Partial<AdminError>
  return new CtlError(
    code ?? 'InvalidAnswer',
    message ?? `${method} ${path} was answered with HTTP status ${String(status)}`,
    status === 408 ? EXIT_TIMEOUT : undefined)
}
