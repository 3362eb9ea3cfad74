/**
 * Makes the tree ready for `npm pack`, and makes it again what it was.
 *
 *     npm pack ── prepack ──▶ scripts/pack.ts          x.js beside each x.ts that the product loads
 *              ── files of package.json ──▶ vpclab-*.tgz
 *              ── postpack ─▶ scripts/pack.ts --clean  what was written is removed
 *
 * Node strips the types of the files it loads, but not under `node_modules`: the tarball carries
 * JavaScript: what Node itself would have made of the sources, with `.ts` in imports become `.js`.
 * Lines and columns stay, so a stack trace of an installed copy fits the sources.
 *
 * What the product loads is found by following imports, `import('…')` and `new URL('…',
 * import.meta.url)` from its entries, which leaves the tests out. A file or package that would be
 * missing after the installation ends the packing instead.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { dirname, join, normalize } from 'node:path'

/** npm runs the scripts of a package in its folder. */
const ROOT = process.cwd()
/** What the launchers in `bin/` start. */
const ENTRIES = ['ctl/main.ts', 'daemon/main.ts']
/** Paths, one per line, listed before they are written: an interrupted packing is undone, too. */
const WRITTEN_LIST = join(ROOT, '.cache/pack/written')
/** npm takes exactly these versions when it installs the package from a registry. */
const SHRINKWRAP = 'npm-shrinkwrap.json'

/** `import … from '…'`, `export … from '…'`, `import '…'`, `import('…')`. */
const IMPORTS = [
  /^(?:import|export)\b[^'"]*?from '([^']+)'/gm, /^import '([^']+)'/gm, /\bimport\('([^']+)'\)/g
]
const FILE_URL = /\bnew URL\('([^']+)', import\.meta\.url\)/g

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>
}

interface LockFile {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean }>>
}

function prepare (): void {
  clean()
  const outputs = new Map<string, string>([[SHRINKWRAP, shrinkwrap()]])
  const manifest = readJson('package.json') as Manifest
  for (const path of productFiles(manifest)) {
    outputs.set(javascriptPath(path), toJavascript(readText(path)))
  }
  mkdirSync(dirname(WRITTEN_LIST), { recursive: true })
  writeFileSync(WRITTEN_LIST, [...outputs.keys()].join('\n'))
  for (const [path, text] of outputs) writeFileSync(join(ROOT, path), text)
}

function clean (): void {
  if (!existsSync(WRITTEN_LIST)) return
  for (const path of readFileSync(WRITTEN_LIST, 'utf8').split('\n')) {
    rmSync(join(ROOT, path), { force: true })
  }
  rmSync(WRITTEN_LIST)
}

/**
 * The TypeScript files that the entries load, themselves included.
 * @throws Error when one is missing, or a package is no dependency of the product
 */
function productFiles (manifest: Manifest): string[] {
  const found = new Set(ENTRIES)
  for (const path of found) {
    const script = stripTypeScriptTypes(readText(path))
    const imports = IMPORTS.flatMap((pattern) => matchesOf(pattern, script))
    for (const specifier of imports.filter((name) => !isRelative(name))) {
      checkPackage(path, specifier, manifest)
    }
    for (const specifier of [...imports.filter(isRelative), ...matchesOf(FILE_URL, script)]) {
      const target = normalize(join(dirname(path), specifier))
      if (!existsSync(join(ROOT, target))) {
        throw new Error(`${path} loads "${specifier}", and ${target} does not exist`)
      }
      if (target.endsWith('.ts')) found.add(target)
    }
  }
  return [...found]
}

function matchesOf (pattern: RegExp, script: string): string[] {
  return [...script.matchAll(pattern)].map((match) => match[1] ?? '')
}

function isRelative (specifier: string): boolean { return specifier.startsWith('.') }

function checkPackage (from: string, specifier: string, { dependencies }: Manifest): void {
  const words = specifier.split('/')
  const name = words.slice(0, specifier.startsWith('@') ? 2 : 1).join('/')
  if (name.startsWith('node:') || dependencies[name] !== undefined) return
  throw new Error(`${from} loads the package "${name}", which package.json does not name among ` +
    'its dependencies: an installed copy would not have it')
}

/** What Node makes of the sources when it loads them, with the other files' new names. */
function toJavascript (text: string): string {
  return [...IMPORTS, FILE_URL].reduce((script, pattern) =>
    script.replace(pattern, (words: string) => words.replace(/\.ts'/, '.js\'')),
  stripTypeScriptTypes(text))
}

/** The lock file without what only development needs. */
function shrinkwrap (): string {
  const lock = readJson('package-lock.json') as LockFile
  const packages = Object.fromEntries(
    Object.entries(lock.packages).filter(([, entry]) => entry.dev !== true))
  return `${JSON.stringify({ ...lock, packages }, null, 2)}\n`
}

function javascriptPath (path: string): string { return path.replace(/\.ts$/, '.js') }
function readText (path: string): string { return readFileSync(join(ROOT, path), 'utf8') }
function readJson (path: string): unknown { return JSON.parse(readText(path)) }

if (process.argv[2] === '--clean') {
  clean()
} else {
  prepare()
}
