/**
 * Labs that are up and empty. Starting one costs seconds of processor time, more than most tests:
 * so a lab goes from test to test, each time reset.
 *
 *     within a file        by its options; the pool of the process keeps it
 *     from file to file    with options that many files have, when VPCLAB_TEST_LABS names a
 *                          directory: a lab is a file in it while no process has it, and belongs to
 *                          the process that manages to remove the file
 *
 * scripts/test names the directory, and takes down what is in it when the stage is over
 * (take_down_labs.ts).
 */
import { readdirSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Lab, type LabOptions, type LabRecord } from './lab.ts'

const DIRECTORY = process.env['VPCLAB_TEST_LABS']
/** The options that are worth a lab that waits for the next file. */
const COMMON: readonly LabOptions[] = [{}, { edges: 3 }]
const RECORD_ENDING = '.json'

export class LabPool {
  readonly #idle = new Map<string, Lab>()

  async take (options: LabOptions): Promise<Lab> {
    const key = JSON.stringify(options)
    const lab = this.#idle.get(key)
    this.#idle.delete(key)
    return lab ?? await takeRecorded(key) ?? await Lab.start(options)
  }

  /** Keeps a lab that has been reset. */
  keep (lab: Lab): void { this.#idle.set(JSON.stringify(lab.options), lab) }

  /** Passes labs on to other processes, or takes them down. @returns what is left of the latter */
  async close (): Promise<string[]> {
    const left: string[] = []
    for (const [key, lab] of this.#idle) {
      if (DIRECTORY !== undefined && COMMON.some((options) => JSON.stringify(options) === key)) {
        record(lab, DIRECTORY)
      } else {
        left.push(...await lab.down())
      }
    }
    this.#idle.clear()
    return left
  }
}

function record (lab: Lab, directory: string): void {
  const path = join(directory, lab.name)
  writeFileSync(path, JSON.stringify(lab.record()))
  renameSync(path, path + RECORD_ENDING)
}

/** A lab of the directory that now is the caller's, or null. */
async function takeRecorded (key: string): Promise<Lab | null> {
  if (DIRECTORY === undefined) return null
  for (const found of readRecords(DIRECTORY)) {
    if (JSON.stringify(found.options) === key && remove(found, DIRECTORY)) {
      return await Lab.adopt(found)
    }
  }
  return null
}

export function readRecords (directory: string): LabRecord[] {
  return readdirSync(directory).filter((name) => name.endsWith(RECORD_ENDING)).flatMap((name) => {
    try {
      return [JSON.parse(readFileSync(join(directory, name), 'utf8')) as LabRecord]
    } catch (error) {
      if (isAbsence(error)) return [] // somebody has just taken it
      throw error
    }
  })
}

/** @returns false when another process was faster */
export function remove ({ name }: LabRecord, directory: string): boolean {
  try {
    unlinkSync(join(directory, name + RECORD_ENDING))
    return true
  } catch (error) {
    if (isAbsence(error)) return false
    throw error
  }
}

function isAbsence (error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT'
}
