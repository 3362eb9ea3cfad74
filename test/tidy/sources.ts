/** The project's own files, as the tests of its form read them. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { ROOT } from '../harness/command.ts'

export interface Source {
  /** From the root of the project, `daemon/wire/ipv4.ts`. */
  readonly path: string
  readonly text: string
  readonly lines: readonly string[]
}

const FOLDERS_LEFT_OUT = new Set(['node_modules', 'build', '.git', '.cache', 'corpus', 'results'])

/** Every file under the given folders whose name ends in one of the endings, in order of path. */
export function readSources (folders: readonly string[], endings: readonly string[]): Source[] {
  return folders.flatMap((folder) => walk(join(ROOT, folder)))
    .filter((path) => endings.some((ending) => path.endsWith(ending)))
    .toSorted()
    .map((path) => readSource(relative(ROOT, path)))
}

export function readSource (path: string): Source {
  const text = readFileSync(join(ROOT, path), 'utf8')
  return { path, text, lines: text.split('\n') }
}

export const TYPESCRIPT_FOLDERS = ['daemon', 'ctl', 'test', 'bench', 'scripts'] as const

export function readTypescript (): Source[] { return readSources(TYPESCRIPT_FOLDERS, ['.ts']) }

export function isTest (path: string): boolean {
  return path.startsWith('test/') || path.endsWith('.test.ts')
}

function walk (folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (FOLDERS_LEFT_OUT.has(entry.name)) return []
    const path = join(folder, entry.name)
    return entry.isDirectory() ? walk(path) : [path]
  })
}
