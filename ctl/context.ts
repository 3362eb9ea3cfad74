/**
 * What a command works with: the lab it speaks to, the two clients, and its output. Made once per
 * run by `program.ts`; nothing here is reachable in another way.
 */
import type { Clock } from '../daemon/base/clock.ts'
import { AdminClient } from './admin_client.ts'
import type { Ec2Client } from './ec2_client.ts'
import type { Output } from './print/output.ts'

export interface ContextOptions {
  readonly lab: string
  readonly dryRun: boolean
  readonly output: Output
  readonly clock: Clock
  readonly environment: Readonly<Record<string, string | undefined>>
}

export class Context {
  readonly lab: string
  readonly output: Output
  readonly clock: Clock
  readonly environment: ContextOptions['environment']
  readonly admin: AdminClient
  /** Nothing may be changed: calls of the EC2 API that change something carry `DryRun`. */
  readonly dryRun: boolean
  #ec2: Promise<Ec2Client> | undefined

  constructor (options: ContextOptions) {
    this.lab = options.lab
    this.output = options.output
    this.clock = options.clock
    this.environment = options.environment
    this.admin = new AdminClient(options.lab)
    this.dryRun = options.dryRun
  }

  /** The lab's EC2 API with the lab's own key, which the daemon tells over its socket. */
  ec2 (): Promise<Ec2Client> {
    this.#ec2 ??= this.#connect()
    return this.#ec2
  }

  async #connect (): Promise<Ec2Client> {
    const [credentials, { Ec2Client }] =
      await Promise.all([this.admin.credentials(), import('./ec2_client.ts')])
    return new Ec2Client({ ...credentials, clock: this.clock, dryRun: this.dryRun })
  }
}
