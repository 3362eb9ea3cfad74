/**
 * Operating errors of vpclab itself: something outside the program (a kernel, a file, a person's
 * configuration) is not as it must be. Three families of errors exist and never mix:
 *
 *   packets      a DROP_* number and its counter        daemon/dataplane/drop_reason.ts
 *   API calls    AwsError with AWS's own code           daemon/model/aws_error.ts
 *   operations   VpclabError with a VPCLAB_ERR_* code   this file
 *
 * Programmer errors are none of these: they are assertions (assert.ts). Every code below stands
 * in docs/errors.md and the reverse; test/tidy holds the two together.
 */

/** Every operating error: the code and what a person can do about it. */
export const VPCLAB_ERRORS = {
  VPCLAB_ERR_NOT_ROOT: 'the command needs root: run it with sudo',
  VPCLAB_ERR_PREREQUISITE: 'a program that vpclab runs is not installed: run vpclab-setup',
  VPCLAB_ERR_KERNEL: 'the kernel lacks a feature the data plane cannot do without',
  VPCLAB_ERR_ADDON: 'the NIC addon is not built, or not for this machine: run vpclab-setup',
  VPCLAB_ERR_SYSCALL: 'the operating system refused a call that normally works',
  VPCLAB_ERR_COMMAND: 'a system program (ip, nft ...) ended with an error',
  VPCLAB_ERR_CONFIG: 'a flag, an environment variable or a configuration file has a bad value',
  VPCLAB_ERR_LAB_RUNNING: 'the lab is already up under another daemon',
  VPCLAB_ERR_LAB_DOWN: 'no daemon answers for the lab: start it with "vpcctl lab up"',
  VPCLAB_ERR_STORE: 'the store cannot be read or written',
  VPCLAB_ERR_STORE_CONFLICT: 'the store kept changing while a transaction was tried',
  VPCLAB_ERR_STORE_COMPACTED: 'the change feed no longer holds the revision asked for',
  VPCLAB_ERR_AGENT: 'a host agent or its data plane worker failed',
  VPCLAB_ERR_CHARON: 'the IKE daemon (charon) refused a command, or failed',
  VPCLAB_ERR_CAPTURES: 'as many captures run as a lab takes: end one of them',
  VPCLAB_ERR_TIMEOUT: 'a condition did not come true in the time allowed'
} as const

export type VpclabErrorCode = keyof typeof VPCLAB_ERRORS

/** An operating error. `message` names the thing, its value, and what would be right. */
export class VpclabError extends Error {
  override readonly name = 'VpclabError'
  readonly code: VpclabErrorCode
  constructor (code: VpclabErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
