/**
 * Entry of the thread that runs IKE for one edge (ipsec/engine.ts): charon waits for each answer of
 * the XFRM server, so nothing else runs here. Control says which tunnels there are to be, and hears
 * what becomes of them; SAs go through control to the edge's data plane (vpn_edges.ts).
 */
import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../base/clock.ts'
import { systemRandom } from '../base/random.ts'
import { IpsecEngine } from '../ipsec/engine.ts'
import { negotiatedOf } from '../ipsec/negotiated.ts'
import type { Negotiated } from '../ipsec/negotiated.ts'
import type { TunnelStatus } from '../ipsec/monitor.ts'
import { PostedBackend } from '../ipsec/posted_backend.ts'
import type { TunnelConfig } from '../ipsec/tunnel.ts'
import { createLog } from '../observe/log.ts'
import type { LogLevel } from '../observe/log.ts'
import { ESP_STATISTICS_BYTES } from '../tun/esp.ts'
import type { EspSa } from '../tun/esp_sa.ts'
import type { EspMessage } from '../tun/esp_tunnels.ts'
import { mapSharedFile } from '../tun/shared_memory.ts'

export interface IpsecWorkerOptions {
  readonly lab: string
  readonly edge: string
  readonly logLevel: LogLevel
  readonly directory: string
  readonly namespacePath: string
  /** What the data plane counts for each SA. */
  readonly statisticsPath: string
}

export type ToIpsecWorker =
  /** All of them; one that is not as it was begins anew. */
  | { readonly kind: 'tunnels', readonly tunnels: readonly TunnelConfig[] }
  | {
    readonly kind: 'mapping'
    readonly index: number
    readonly address: Uint8Array
    readonly port: number
  }
  /** Tell the SAs that there are: somebody asks for their keys. */
  | { readonly kind: 'tell-sas' }
  | { readonly kind: 'stop' }

export type FromIpsecWorker =
  | { readonly kind: 'esp', readonly message: EspMessage }
  /** The answer to 'tell-sas'. */
  | { readonly kind: 'sas', readonly sas: readonly EspSa[] }
  /** A line of charon's log about a tunnel. */
  | { readonly kind: 'line', readonly name: string, readonly line: string, readonly atMs: number }
  | {
    readonly kind: 'status'
    readonly status: TunnelStatus
    /** Null while it is not up. */
    readonly negotiated: Negotiated | null
  }

/** Lines of charon's log that are told a second: strangers can make it write. */
const LINES_PER_SECOND_MAX = 500

function say (message: FromIpsecWorker): void { parentPort?.postMessage(message) }

/** Tells lines of charon's log, as many a second as are allowed. */
function tellLine (): (name: string, line: string) => void {
  let told = 0
  let toldIn = 0
  return (name, line) => {
    const atMs = systemClock.nowMs()
    const second = Math.trunc(atMs / 1000)
    told = second === toldIn ? told + 1 : 1
    toldIn = second
    if (told <= LINES_PER_SECOND_MAX) say({ kind: 'line', name, line, atMs })
  }
}

async function main (options: IpsecWorkerOptions): Promise<void> {
  const log = createLog({ lab: options.lab, level: options.logLevel }).child({ host: options.edge })
  const statistics =
    new Float64Array(mapSharedFile(options.statisticsPath, ESP_STATISTICS_BYTES))
  const engine = await IpsecEngine.start({
    directory: options.directory,
    namespacePath: options.namespacePath,
    backend: new PostedBackend((message) => { say({ kind: 'esp', message }) }, statistics),
    clock: systemClock,
    random: systemRandom,
    log,
    onListen: (tunnel, isListening) => {
      say({ kind: 'esp', message: { kind: 'ike-listen', tunnel, isListening } })
    },
    onTunnel: (status) => {
      say({ kind: 'status', status, negotiated: null })
      if (status.state === 'up') void tellAgreement(status.name)
    },
    onLine: tellLine()
  })
  /** Asks what was agreed on, and tells it unless the tunnel is down again. */
  const tellAgreement = async (name: string): Promise<void> => {
    const sas = await engine.describe(name).catch(() => [])
    const negotiated = sas.map(negotiatedOf).find((one) => one !== null) ?? null
    const status = engine.status(name)
    if (status?.state === 'up' && negotiated !== null) say({ kind: 'status', status, negotiated })
  }
  const open = new Map<string, string>()
  const apply = async (tunnels: readonly TunnelConfig[]): Promise<void> => {
    const wanted = new Map(tunnels.map((config) => [config.name, config]))
    for (const name of [...open.keys()]) {
      if (wanted.has(name)) continue
      await engine.close(name)
      open.delete(name)
    }
    for (const [name, config] of wanted) {
      const text = JSON.stringify(config)
      if (open.get(name) === text) continue
      open.set(name, text)
      await engine.open(config).catch((error: unknown) => {
        log.error({ err: error, tunnel: name }, 'a tunnel could not be opened')
      })
    }
  }
  let queue = Promise.resolve()
  parentPort?.on('message', (message: ToIpsecWorker) => {
    if (message.kind === 'mapping') {
      engine.reportMapping(message.index, message.address, message.port)
      return
    }
    if (message.kind === 'tell-sas') {
      say({ kind: 'sas', sas: engine.sas() })
      return
    }
    queue = queue.then(async () => {
      if (message.kind === 'tunnels') {
        await apply(message.tunnels)
        return
      }
      await engine.stop()
      parentPort?.close()
    })
  })
}

await main(workerData as IpsecWorkerOptions)
