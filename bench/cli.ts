/**
 * Bench `cli`: how long a person waits for `vpcctl`, from the start of the process to its end.
 *
 *     npm run bench -- cli [--json]
 *
 *     helpMs      `vpcctl --help`: what every command costs before it does anything
 *     vpcListMs   `vpcctl vpc list` against a daemon that runs, with VPCS VPCs
 *     nodeMs      `node -e 0` of the same runtime: the floor under both
 *
 * Medians of REPEATS; the three take turns, so that what else the machine does meets all alike.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { median, significant } from './statistics.ts'

const VPCS = 5
const REPEATS = 21
/** Targets in ms, with which the figures are printed. */
const HELP_TARGET_MS = 150
const VPC_LIST_TARGET_MS = 250
const BIN = join(import.meta.dirname, '..', 'bin')
const NODE = join(import.meta.dirname, '..', 'scripts', 'node')

const runProcess = promisify(execFile)

export async function run (args: readonly string[]): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'vpclab-bench-cli-'))
  const env = { ...process.env, VPCLAB_STATE_DIR: directory, VPCLAB_LAB: 'bench' }
  const vpcctl = (...words: string[]): Promise<unknown> =>
    runProcess(join(BIN, 'vpcctl'), words, { env })
  try {
    await vpcctl('lab', 'up', '--hosts', '0', '--api-port', '0')
    for (let count = 0; count < VPCS; count++) await vpcctl('vpc', 'create', '10.0.0.0/16')
    const { node, help, vpcList } = await measure({
      node: () => runProcess(NODE, ['-e', '0'], { env }),
      help: () => vpcctl('--help'),
      vpcList: () => vpcctl('vpc', 'list')
    })
    const result = { helpMs: help, vpcListMs: vpcList, nodeMs: node }
    console.error(`vpcctl --help: ${String(help)} ms (target ${String(HELP_TARGET_MS)})`)
    console.error(`vpcctl vpc list: ${String(vpcList)} ms (target ${String(VPC_LIST_TARGET_MS)})`)
    console.error(`node -e 0, the floor: ${String(node)} ms`)
    if (args.includes('--json')) console.log(JSON.stringify(result))
  } finally {
    await vpcctl('lab', 'down')
    rmSync(directory, { recursive: true, force: true })
  }
}

/** @returns medians in ms, after one turn that fills the caches */
async function measure<Name extends string> (
  subjects: Readonly<Record<Name, () => Promise<unknown>>>): Promise<Record<Name, number>> {
  const names = Object.keys(subjects) as Name[]
  const tookMs = new Map<Name, number[]>(names.map((name) => [name, []]))
  for (let turn = 0; turn <= REPEATS; turn++) {
    for (const name of names) {
      const startMs = performance.now()
      await subjects[name]()
      if (turn > 0) tookMs.get(name)?.push(performance.now() - startMs)
    }
  }
  return Object.fromEntries(names.map((name) =>
    [name, significant(median(tookMs.get(name) ?? []))])) as Record<Name, number>
}
