/**
 * How `vpcctl` ends. A script may rely on these numbers; `vpcctl --help` prints them.
 *
 *     0  done
 *     1  refused by the API, or failed: the message begins with the error's code
 *     2  used wrongly, or a prerequisite is missing (root, a kernel feature, a package)
 *     3  a wait ran out of time; what was asked for may still happen
 *     4  no daemon answers for the lab
 *   130  interrupted while it waited; what it had begun is undone
 *
 * `vpcctl instance exec` and `instance shell` end with the code of the command they ran, as shells
 * do: 127 when there is no such command, 126 when it cannot be run, 128 + n when signal n ended it.
 * Where they themselves fail, before the command runs, they end with one of the above.
 */
import { VpclabError, type VpclabErrorCode } from '../daemon/base/errors.ts'

export const EXIT_DONE = 0
export const EXIT_FAILED = 1
export const EXIT_USAGE = 2
export const EXIT_TIMEOUT = 3
export const EXIT_LAB_DOWN = 4
/** 128 + SIGINT, as shells have it. */
export const EXIT_INTERRUPTED = 130

/** Index = exit code; what `vpcctl --help` says about it. */
export const EXIT_CODE_MEANINGS: readonly string[] = [
  'done',
  'refused by the API, or failed',
  'used wrongly, or a prerequisite is missing',
  'a wait ran out of time',
  'no daemon answers for the lab'
]

/** Operating errors of the daemon's registry that end `vpcctl` with another code than 1. */
const EXIT_OF_CODE: Readonly<Partial<Record<string, number>>> = {
  VPCLAB_ERR_NOT_ROOT: EXIT_USAGE,
  VPCLAB_ERR_PREREQUISITE: EXIT_USAGE,
  VPCLAB_ERR_KERNEL: EXIT_USAGE,
  VPCLAB_ERR_CONFIG: EXIT_USAGE,
  VPCLAB_ERR_TIMEOUT: EXIT_TIMEOUT,
  VPCLAB_ERR_LAB_DOWN: EXIT_LAB_DOWN
} satisfies Partial<Record<VpclabErrorCode, number>>

/** Failures of the command line itself: its own codes, beside AWS's and VPCLAB_ERRORS. */
export const CTL_ERRORS = {
  Usage: 'the command line cannot be meant as it was typed',
  NameNotFound: 'nothing has the name, or nothing of the kind is there',
  NameAmbiguous: 'several resources have the name',
  NoIpv6Block: 'the VPC has no IPv6 block, or no /64 of it is free',
  IncorrectInstanceState: 'the instance does not run, and a command inside it needs that',
  UnsupportedOperation: 'the instance is a virtual machine, and the command wants a namespace',
  InstanceFailed: 'the instance went another way than to the state that was waited for',
  InvalidAnswer: 'the daemon or the endpoint answered what vpcctl does not understand',
  EventsLost: 'events came faster than they were read',
  BadLabFile: 'the lab file has faults, or contradicts the lab',
  CommandFailed: 'a command of the lab file failed in its instance',
  NotConverged: 'the lab is not as its file says after all was done: somebody else changes it',
  Interrupted: 'somebody interrupted the command'
} as const

/**
 * Any failure that `vpcctl` reports. `code` is AWS's own (`InvalidVpc.Range`), one of
 * VPCLAB_ERRORS, or one of CTL_ERRORS; it decides the exit code.
 */
export class CtlError extends Error {
  override readonly name = 'CtlError'
  readonly code: string
  readonly exitCode: number
  constructor (code: string, message: string, exitCode = EXIT_OF_CODE[code] ?? EXIT_FAILED) {
    super(message)
    this.code = code
    this.exitCode = exitCode
  }
}

/** A failure that a person can understand, or null for a defect of the program. */
export function asCtlError (error: unknown): CtlError | null {
  if (error instanceof CtlError) return error
  return error instanceof VpclabError ? new CtlError(error.code, error.message) : null
}

/** The person typed something that cannot be meant: exit code 2. */
export function usageError (message: string): CtlError {
  return new CtlError('Usage', message, EXIT_USAGE)
}
