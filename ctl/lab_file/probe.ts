/**
 * A program that checks.ts runs inside an instance: one TCP connection, one HTTP request, or one
 * look-up of a name, told as JSON on standard output. It is Node's, like everything here, so that a
 * check needs no tool in the instance.
 *
 *     node probe.ts '{"kind":"tcp","host":"10.0.1.10","port":80,"timeoutMs":2000}'
 *     {"outcome":"refused"}
 */
import { lookup } from 'node:dns/promises'
import { request } from 'node:http'
import { connect } from 'node:net'

/** Bytes of a body that are kept to look for a text in. */
const BODY_BYTES_MAX = 1024 * 1024

export interface Probe {
  readonly kind: 'tcp' | 'http' | 'dns'
  readonly host: string
  readonly port: number
  /** Of an HTTP request. */
  readonly path: string
  readonly timeoutMs: number
}

export interface ProbeAnswer {
  /** `connected`, `answered`, `refused`, `timeout`, or Node's code of another failure. */
  readonly outcome: string
  readonly status?: number
  readonly body?: string
  readonly addresses?: readonly string[]
}

process.stdout.write(JSON.stringify(await run(JSON.parse(process.argv[2] ?? '{}') as Probe)))
process.exit(0)

async function run (probe: Probe): Promise<ProbeAnswer> {
  const timeout = Promise.withResolvers<ProbeAnswer>()
  setTimeout(() => { timeout.resolve({ outcome: 'timeout' }) }, probe.timeoutMs)
  const attempt = probe.kind === 'tcp' ? tryTcp : probe.kind === 'http' ? tryHttp : tryDns
  return await Promise.race([timeout.promise, attempt(probe).catch((error: unknown) => {
    const { code = 'failed', message } = error as NodeJS.ErrnoException
    const outcome =
      code === 'ECONNREFUSED' ? 'refused' : code === 'ETIMEDOUT' ? 'timeout' : code
    return { outcome: outcome === 'failed' ? message : outcome }
  })])
}

function tryTcp ({ host, port }: Probe): Promise<ProbeAnswer> {
  return new Promise((resolve, reject) => {
    connect({ host, port }, () => { resolve({ outcome: 'connected' }) }).on('error', reject)
  })
}

function tryHttp ({ host, port, path }: Probe): Promise<ProbeAnswer> {
  return new Promise((resolve, reject) => {
    const asked = request({ host, port, path }, (answer) => {
      const chunks: Buffer[] = []
      let length = 0
      answer.on('data', (chunk: Buffer) => {
        if (length < BODY_BYTES_MAX) chunks.push(chunk)
        length += chunk.length
      })
      answer.on('error', reject)
      answer.on('end', () => {
        const body = Buffer.concat(chunks).toString('utf8')
        resolve({ outcome: 'answered', status: answer.statusCode ?? 0, body })
      })
    })
    asked.on('error', reject)
    asked.end()
  })
}

async function tryDns ({ host }: Probe): Promise<ProbeAnswer> {
  const found = await lookup(host, { all: true })
  return { outcome: 'answered', addresses: found.map(({ address }) => address) }
}
