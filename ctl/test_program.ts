/** For tests: one command line of `vpcctl` in the test's own process, as ctl/main.ts runs it. */
import { Writable } from 'node:stream'
import { systemClock } from '../daemon/base/clock.ts'
import { type ProgramOptions, runProgram } from './program.ts'

export interface Ended { readonly code: number, readonly stdout: string, readonly stderr: string }

/** The command line `words`, to its end, with what it said. */
export async function runHere (words: readonly string[],
  options: Partial<ProgramOptions> & Pick<ProgramOptions, 'environment'>): Promise<Ended> {
  const said = { stdout: '', stderr: '' }
  const stream = (name: 'stdout' | 'stderr'): Writable => new Writable({
    write (chunk: Buffer, _encoding, done) {
      said[name] += chunk.toString()
      done()
    }
  })
  const code = await runProgram(words, {
    clock: systemClock,
    version: '1.2.3',
    ...options,
    stdout: stream('stdout'),
    stderr: stream('stderr')
  })
  return { code, ...said }
}
