/**
 * Fuzzes the data plane's worker in memory, TypeScript only (daemon/dataplane/testing/fuzz.ts):
 *
 *     scripts/node test/fuzz/pipeline.ts --seconds N [--seed S]
 *
 * Seeds are counted up from S, or from one that the clock gives. A seed that fails, or does not
 * end, is printed: it goes into FOUND of daemon/dataplane/fuzz.test.ts. Exit code 0: nothing found.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { systemClock } from '../../daemon/base/clock.ts'
import { ipPacketsOf } from '../../daemon/dataplane/testing/captures.ts'
import { fuzzNetwork } from '../../daemon/dataplane/testing/fuzz.ts'

/** Packets of real stacks, to be broken. */
const CAPTURE = new URL('corpus/pipeline.pcap', import.meta.url)
/** How long one seed may take on a machine that is busy; it takes less than a second. */
const SEED_MS_MAX = 60_000
/** Seeds are 32 bits. */
const SEEDS = 2 ** 32

interface Task { readonly seed: number, readonly seconds: number }

/** What a worker says: the seed that it begins. */
interface Begun { readonly seed: number }

function work ({ seed, seconds }: Task): void {
  const captured = ipPacketsOf(readFileSync(CAPTURE))
  const endMs = systemClock.monotonicMs() + seconds * 1000
  for (let next = seed; systemClock.monotonicMs() < endMs; next++) {
    parentPort?.postMessage({ seed: next } satisfies Begun)
    fuzzNetwork(next, captured)
  }
}

function watch (task: Task): void {
  const worker = new Worker(new URL(import.meta.url), { workerData: task })
  let { seed } = task
  const finding = (what: string): void => {
    process.stdout.write(`fuzz: ${what}\n`)
    process.exit(1)
  }
  const tooLate = (): void => { finding(`seed ${String(seed)} does not end`) }
  let timer = setTimeout(tooLate, SEED_MS_MAX)
  worker.on('message', (begun: Begun) => {
    seed = begun.seed
    clearTimeout(timer)
    timer = setTimeout(tooLate, SEED_MS_MAX)
  })
  worker.on('error', (error: Error) => { finding(error.stack ?? error.message) })
  worker.on('exit', () => {
    clearTimeout(timer)
    process.stdout.write(`fuzz: ${String(seed - task.seed + 1)} networks from seed ` +
      `${String(task.seed)}, nothing found\n`)
  })
}

if (isMainThread) {
  const { values } = parseArgs({
    options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string' } }
  })
  const seed = values.seed === undefined ? systemClock.nowMs() % SEEDS : Number(values.seed)
  watch({ seed, seconds: Number(values.seconds) })
} else work(workerData as Task)
