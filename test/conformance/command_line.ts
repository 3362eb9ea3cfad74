/**
 * The stock AWS command line (Debian's package awscli) against an endpoint, for tests. It is loaded
 * once for a test file (programs/loaded_aws.py), which halves the time of this stage.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import test from 'ava'
import type { AccessKey } from '../../daemon/api/key_ring.ts'
import { Background, type CommandResult, ROOT } from '../harness/command.ts'
import type { Endpoint } from './endpoint.ts'
import { ALICE } from './endpoint.ts'

const PROGRAM = join(ROOT, 'test/conformance/programs/loaded_aws.py')
const ENVIRONMENT = {
  PATH: process.env['PATH'], HOME: '/nonexistent', AWS_PAGER: '',
  AWS_DEFAULT_REGION: 'us-east-1', AWS_MAX_ATTEMPTS: '1'
}

class LoadedAws {
  readonly #directory = mkdtempSync(join(tmpdir(), 'vpclab-aws-'))
  readonly #socketPath = join(this.#directory, 'socket')
  readonly #process =
    new Background('/usr/bin/python3', [PROGRAM, this.#socketPath], ENVIRONMENT)

  async run (
    args: readonly string[], env: Readonly<Record<string, string>>): Promise<CommandResult> {
    await this.#process.printed('ready')
    const socket = connect(this.#socketPath)
    socket.write(`${JSON.stringify({ args, env })}\n`)
    return JSON.parse(await text(socket)) as CommandResult
  }

  async stop (): Promise<void> {
    await this.#process.stop('SIGKILL')
    rmSync(this.#directory, { recursive: true })
  }
}

let aws: LoadedAws | undefined

test.after.always('the AWS command line ends', async () => { await aws?.stop() })

/** Runs `aws ec2 …`, or another service's. @returns the answer, or the code of the refusal */
export function commandLine (
  endpoint: Endpoint, service = 'ec2', key: AccessKey = ALICE
): (...args: readonly string[]) => Promise<Answer> {
  return async (...args) => {
    aws ??= new LoadedAws()
    const { code, stdout, stderr } = await aws.run(
      ['--endpoint-url', endpoint.url, '--output', 'json', service, ...args],
      { AWS_ACCESS_KEY_ID: key.accessKeyId, AWS_SECRET_ACCESS_KEY: key.secretAccessKey })
    if (code === 0) {
      return { code: '', output: stdout === '' ? {} : JSON.parse(stdout) as Output }
    }
    const refusal = /An error occurred \((.*?)\)/.exec(stderr)?.[1] ?? stderr
    return { code: refusal, output: {}, message: stderr }
  }
}

type Output = Readonly<Record<string, unknown>>
export interface Answer {
  /** Empty for a call that succeeded. */
  readonly code: string
  readonly output: Output
  /** What the command line says of a refusal. */
  readonly message?: string
}
