/**
 * Import directions: who may know whom. A room imports only rooms below it, so that a reader who
 * opens a file never has to look upwards.
 *
 *     base ◀ wire ◀ encap, tun ◀ dataplane
 *     base ◀ wire ◀ model ◀ store
 *     dataplane, model ◀ mapping, compile ◀ observe ◀ services ◀ host ◀ api ◀ main
 *     store ◀ audit ◀ api
 *
 * Type imports count: what a file names, its reader must know.
 */
import test from 'ava'
import { dirname, join, normalize } from 'node:path'
import { isTest, readTypescript, type Source } from './sources.ts'

const BELOW_DATAPLANE = ['base', 'wire', 'encap', 'tun']
const BELOW_HOST = [
  ...BELOW_DATAPLANE, 'dataplane', 'model', 'store', 'mapping', 'compile', 'observe'
]

/** Rooms of `daemon/` and the rooms that each may import, besides itself. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  base: [],
  wire: ['base'],
  encap: ['base', 'wire'],
  tun: ['base', 'wire'],
  dataplane: BELOW_DATAPLANE,
  model: ['base', 'wire'],
  store: ['base', 'model'],
  ipsec: ['base', 'wire', 'tun', 'observe'],
  mapping: [...BELOW_DATAPLANE, 'dataplane', 'model', 'store'],
  compile: [...BELOW_DATAPLANE, 'dataplane', 'model', 'store', 'mapping'],
  observe: [...BELOW_DATAPLANE, 'dataplane', 'model', 'store', 'mapping', 'compile'],
  explain: [...BELOW_DATAPLANE, 'dataplane', 'model', 'mapping', 'compile'],
  audit: ['base', 'model', 'store', 'observe'],
  certificates: ['base', 'model', 'store', 'observe'],
  bgp: [...BELOW_DATAPLANE, 'model', 'store', 'observe'],
  vpn: ['base', 'model'],
  hyperplane: [...BELOW_DATAPLANE, 'dataplane', 'model', 'store', 'observe'],
  services: BELOW_HOST,
  host: [...BELOW_HOST, 'hyperplane', 'services', 'bgp', 'ipsec', 'certificates', 'vpn'],
  flow_logs: [...BELOW_HOST, 'services', 'audit', 'host'],
  api: [
    ...BELOW_HOST, 'hyperplane', 'services', 'explain', 'audit', 'certificates', 'host',
    'flow_logs', 'vpn'
  ]
}

/** What `ctl` may know of the daemon: the words of its API, its flags, where its files are. */
const ALLOWED_TO_CTL = [
  /^daemon\/base\//, /^daemon\/api\/admin\/contract\.ts$/, /^daemon\/host\/(paths|lab_config)\.ts$/
]

/** Modules of Node that wait, which neither the data plane nor the pure model may use. */
const NODE_ALLOWED: Readonly<Record<string, readonly string[]>> = {
  dataplane: ['node:worker_threads'],
  wire: [],
  encap: [],
  model: ['node:crypto', 'node:net']
}

const IMPORT = /^(?:import|export)\b[^'"]*?from '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm

interface Import { readonly from: string, readonly to: string }

function importsOf (source: Source): Import[] {
  return [...source.text.matchAll(IMPORT)].map((match) => {
    const name = match[1] ?? match[2] ?? match[3] ?? ''
    const to = name.startsWith('.') ? normalize(join(dirname(source.path), name)) : name
    return { from: source.path, to }
  })
}

const room = (path: string): string => path.split('/')[1] ?? ''
const show = ({ from, to }: Import): string => `${from} imports ${to}`

const sources = readTypescript()
const product = sources.filter((source) => !isTest(source.path))
const imports = product.flatMap(importsOf)

test('rooms of the daemon import only rooms below them', (t) => {
  const rooms = imports.filter(({ from }) => /^daemon\/\w+\//.test(from))
  const wrong = rooms.filter(({ from, to }) => {
    if (!/^daemon\//.test(to)) return /^(ctl|test|bench|scripts)\//.test(to)
    return room(to) !== room(from) && !(ALLOWED[room(from)] ?? []).includes(room(to))
  })
  t.true(rooms.length > 50)
  t.deepEqual(wrong.map(show), [])
})

test('every room of the daemon has its place in the order', (t) => {
  const rooms = new Set(
    product.map(({ path }) => path).filter((path) => /^daemon\/\w+\//.test(path)).map(room))
  t.deepEqual([...rooms].filter((name) => ALLOWED[name] === undefined), [])
})

test('the command line knows only the contract of the daemon', (t) => {
  const wrong = imports.filter(({ from, to }) => from.startsWith('ctl/') &&
    /^(daemon|test)\//.test(to) && !ALLOWED_TO_CTL.some((pattern) => pattern.test(to)))
  t.deepEqual(wrong.map(show), [])
})

test('the data plane and the model use nothing that waits and no clock', (t) => {
  const wrong = imports.filter(({ from, to }) => {
    const allowed = from.startsWith('daemon/') ? NODE_ALLOWED[room(from)] : undefined
    if (allowed === undefined) return false
    return (to.startsWith('node:') && !allowed.includes(to)) ||
      (room(from) === 'model' && /^daemon\/base\/(clock|random)\.ts$/.test(to))
  })
  t.deepEqual(wrong.map(show), [])
})

test('every relative import names its file with .ts', (t) => {
  const wrong = sources.flatMap(importsOf).filter(({ to }) =>
    /^(daemon|ctl|test|bench|scripts)\//.test(to) && !/\.(ts|js|node)$/.test(to))
  t.deepEqual(wrong.map(show), [])
})

test('no files import each other in a circle', (t) => {
  const graph = new Map(product.map((source) => [source.path, runtimeImports(source)]))
  const done = new Set<string>()
  const circles: string[] = []
  const visit = (path: string, above: readonly string[]): void => {
    if (above.includes(path)) circles.push([...above.slice(above.indexOf(path)), path].join(' → '))
    if (done.has(path) || above.includes(path)) return
    for (const next of graph.get(path) ?? []) visit(next, [...above, path])
    done.add(path)
  }
  for (const path of graph.keys()) visit(path, [])
  t.deepEqual(circles, [])
})

/** Files that a file loads when it is loaded: type imports load nothing. */
function runtimeImports (source: Source): string[] {
  const text = source.text.replace(/^import type [\s\S]*?from '[^']+'$/gm, '')
  return importsOf({ ...source, text }).map(({ to }) => to)
}
