/** The stock AWS command line (Debian's package awscli) against an endpoint, for tests. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { AccessKey } from '../../daemon/api/key_ring.ts'
import type { Endpoint } from './endpoint.ts'
import { ALICE } from './endpoint.ts'

const CLI = '/usr/bin/aws'

/** Runs `aws ec2 …`, or another service's. @returns the answer, or the code of the refusal */
export function commandLine (
  endpoint: Endpoint, service = 'ec2', key: AccessKey = ALICE
): (...args: readonly string[]) => Promise<Answer> {
  return async (...args) => {
    try {
      const { stdout } = await promisify(execFile)(
        CLI, ['--endpoint-url', endpoint.url, '--output', 'json', service, ...args], {
        env: {
          PATH: process.env['PATH'], HOME: '/nonexistent', AWS_PAGER: '',
          AWS_DEFAULT_REGION: 'us-east-1', AWS_MAX_ATTEMPTS: '1',
          AWS_ACCESS_KEY_ID: key.accessKeyId, AWS_SECRET_ACCESS_KEY: key.secretAccessKey
        }
      })
      return { code: '', output: stdout === '' ? {} : JSON.parse(stdout) as Output }
    } catch (error) {
      const { stderr = '' } = error as { readonly stderr?: string }
      const code = /An error occurred \((.*?)\)/.exec(stderr)?.[1] ?? stderr
      return { code, output: {}, message: stderr }
    }
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
