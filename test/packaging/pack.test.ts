/**
 * `scripts/pack.ts` on small trees: what it writes, what it refuses, and that it takes all back.
 */
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { NODE, ROOT } from '../harness/command.ts'

const MANIFESTS = {
  'package.json': '{ "dependencies": { "wanted": "1.0.0" } }',
  'package-lock.json': `{ "lockfileVersion": 3, "packages": {
    "": {}, "node_modules/wanted": {}, "node_modules/tool": { "dev": true } } }`,
  'ctl/main.ts': 'export {}\n'
}

/** A tree of its own with these files. */
function makeTree (t: ExecutionContext, files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'pack-'))
  t.teardown(() => { rmSync(root, { recursive: true }) })
  for (const [path, text] of Object.entries({ ...MANIFESTS, ...files })) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return root
}

function pack (root: string, ...words: string[]): Promise<{ code: number, stderr: string }> {
  return new Promise((resolve) => {
    execFile(NODE, [join(ROOT, 'scripts/pack.ts'), ...words], { cwd: root },
      (error, _stdout, stderr) => { resolve({ code: error === null ? 0 : 1, stderr }) })
  })
}

function filesOf (root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)).toSorted()
}

test('sources become JavaScript on the same lines, tests and types stay out', async (t) => {
  const root = makeTree(t, {
    'daemon/main.ts': `import type { A } from './a.ts'
import wanted from 'wanted'
const worker = new URL('./worker.ts', import.meta.url)
const a: A = await import('./lazy.ts')
`,
    'daemon/a.ts': 'export interface A {}\n',
    'daemon/lazy.ts': 'export const lazy: number = 1\n',
    'daemon/worker.ts': `export {
  lazy
} from './lazy.ts'
`,
    'daemon/main.test.ts': 'import \'./main.ts\'\n'
  })
  const before = filesOf(root)
  t.is((await pack(root)).code, 0)
  const read = (path: string): string => readFileSync(join(root, path), 'utf8')
  t.deepEqual(read('daemon/main.js').split('\n').map((line) => line.trim()), [
    '', 'import wanted from \'wanted\'', 'const worker = new URL(\'./worker.js\', import.meta.url)',
    'const a    = await import(\'./lazy.js\')', ''
  ])
  t.regex(read('daemon/worker.js'), /\n} from '\.\/lazy\.js'\n$/)
  t.deepEqual(filesOf(root).filter((path) => path.endsWith('.js')),
    ['ctl/main.js', 'daemon/lazy.js', 'daemon/main.js', 'daemon/worker.js']
      .map((path) => join(root, path)))
  const { packages } = JSON.parse(read('npm-shrinkwrap.json')) as { packages: object }
  t.deepEqual(Object.keys(packages), ['', 'node_modules/wanted'])

  t.is((await pack(root, '--clean')).code, 0)
  t.deepEqual(filesOf(root), before)
})

test('what an installed copy would miss ends the packing and writes nothing', async (t) => {
  const undeclared = makeTree(t, { 'daemon/main.ts': 'import { x } from \'@team/tool/part\'\n' })
  const first = await pack(undeclared)
  t.is(first.code, 1)
  t.regex(first.stderr, /daemon\/main\.ts loads the package "@team\/tool"/)
  const absent = makeTree(t, { 'daemon/main.ts': 'new URL(\'./gone.sh\', import.meta.url)\n' })
  const second = await pack(absent)
  t.is(second.code, 1)
  t.regex(second.stderr, /main\.ts loads "\.\/gone\.sh", and daemon\/gone\.sh does not exist/)
  t.deepEqual(filesOf(absent).filter((path) => path.endsWith('.js')), [])
})
