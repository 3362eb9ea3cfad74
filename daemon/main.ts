/**
 * vpcd. What needs little is done here: flags, `--teardown`, whether the machine will do. The
 * daemon itself is loaded when a lab is to run (run_lab.ts).
 *
 * Exit codes: 0 done, 1 failed, 2 used wrongly or a prerequisite is missing.
 */
import { VpclabError } from './base/errors.ts'
import { USAGE, parseFlags } from './flags.ts'
import { readConfig, resolveConfig } from './host/lab_config.ts'
import { STATE_DIRECTORY_VARIABLE } from './host/paths.ts'
import { claimLab, releaseLab } from './host/pid_file.ts'
import { checkMachine, checkRoot } from './host/preflight.ts'
import { teardownLab } from './host/teardown.ts'

const EXIT_FAILED = 1
const EXIT_USAGE = 2

/** Errors that a person mends before trying again: exit code 2. */
const USAGE_CODES: readonly string[] =
  ['VPCLAB_ERR_NOT_ROOT', 'VPCLAB_ERR_PREREQUISITE', 'VPCLAB_ERR_KERNEL', 'VPCLAB_ERR_CONFIG']

async function main (args: readonly string[]): Promise<void> {
  const flags = parseFlags(args)
  const { lab, stateDirectory } = flags
  if (stateDirectory !== null) process.env[STATE_DIRECTORY_VARIABLE] = stateDirectory
  if (flags.mode === 'help') {
    process.stdout.write(USAGE)
    return
  }
  if (flags.mode === 'teardown') {
    const result = await teardownLab(lab)
    process.stdout.write(JSON.stringify({ lab, ...result }) + '\n')
    return
  }
  if (flags.config.hosts !== '0') checkRoot()
  const saved = readConfig(lab)
  const config = resolveConfig(flags.config, saved)
  if (config.hosts.length > 0) await checkMachine(lab)
  claimLab(lab)
  try {
    const { createLog } = await import('./observe/log.ts')
    const { runLab } = await import('./run_lab.ts')
    await runLab(lab, config, createLog({ lab, level: flags.logLevel }))
  } catch (error) {
    releaseLab(lab)
    // A lab that has never been up leaves nothing behind.
    if (saved === null) await teardownLab(lab)
    throw error
  }
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof VpclabError)) throw error
  process.stderr.write(`vpcd: ${error.code}: ${error.message}\n`)
  process.exit(USAGE_CODES.includes(error.code) ? EXIT_USAGE : EXIT_FAILED)
}
