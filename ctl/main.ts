/** Entry of `vpcctl`: the process around program.ts. */
import { readFileSync } from 'node:fs'
import { systemClock } from '../daemon/base/clock.ts'
import { runProgram } from './program.ts'

const { version } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }

// bin/vpcctl sets the compile cache for this process alone, not for the commands it runs.
delete process.env['NODE_COMPILE_CACHE']

// A reader that went away (`vpcctl flows | head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

process.exitCode = await runProgram(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  environment: process.env,
  clock: systemClock,
  version
})
