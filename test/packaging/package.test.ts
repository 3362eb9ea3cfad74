/**
 * The npm package, installed as a user installs it, and used without the clone:
 *
 *     npm pack ─▶ vpclab-*.tgz ─ npm install --global --prefix <temporary> ─▶ bin/vpcctl
 *
 *     host-1  web 10.0.1.10  ════ Geneve ════  client 10.0.2.10  host-2
 */
import test from 'ava'
import { randomBytes } from 'node:crypto'
import {
  copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { pidPath } from '../../daemon/host/paths.ts'
import { ROOT, command, tryCommand } from '../harness/command.ts'
import { freePort } from '../harness/lab.ts'
import { leftovers } from '../harness/leftovers.ts'

const INSTALL_TIMEOUT_MS = 150_000
/** With all dependencies and Node itself: what `du` says, in MiB. */
const INSTALLED_MIB_MAX = 320
/** Sources as JavaScript are 1,200; a picture, a capture or a built addon too many would show. */
const TARBALL_KIB_MAX = 1400

const directory = mkdtempSync(join(tmpdir(), 'package-'))
const prefix = join(directory, 'prefix')
const installed = join(prefix, 'lib/node_modules/vpclab')

test.after.always(() => { rmSync(directory, { recursive: true }) })

/** JavaScript among the sources, which only packing puts there. */
function emitted (): string[] {
  return ['ctl', 'daemon'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.js')))
}

test.serial('npm pack makes a small tarball and leaves the tree as it was', async (t) => {
  await command('npm', 'pack', ROOT, '--pack-destination', directory, '--loglevel=error')
  t.deepEqual(emitted(), [])
  for (const path of ['npm-shrinkwrap.json', 'man']) t.false(existsSync(join(ROOT, path)), path)
  const tarball = await tarballPath()
  const kib = Number((await command('du', '-k', tarball)).split('\t')[0])
  t.true(kib < TARBALL_KIB_MAX, `${String(kib)} KiB`)
  const files = (await command('tar', 'tzf', tarball)).split('\n')
  for (const path of ['ctl/main.js', 'man/vpcctl.1', 'labs/two_tier_web/lab.yaml']) {
    t.true(files.includes(`package/${path}`), path)
  }
  t.deepEqual(files.filter((path) => /\.ts$|\.test\.|\/build\//.test(path)), [])
})

test.serial('npm install --global brings commands and addon, without development', async (t) => {
  const { code, stderr } = await tryCommand('npm', [
    'install', '--global', '--prefix', prefix, '--prefer-offline', '--loglevel=error',
    await tarballPath()
  ], INSTALL_TIMEOUT_MS)
  t.is(code, 0, stderr)
  const bin = readdirSync(join(prefix, 'bin'))
  t.deepEqual(bin.toSorted(), ['vpcctl', 'vpcd', 'vpclab-setup'])
  t.true(existsSync(join(prefix, 'share/man/man1/vpcctl.1')))
  // npm may be told to run no scripts of packages: then this builds the addon.
  await command(join(prefix, 'bin/vpclab-setup'))
  t.true(existsSync(join(installed, 'daemon/tun/native/build/nic.node')))
  for (const name of ['typescript', 'raw-socket', 'ava']) {
    t.false(existsSync(join(installed, 'node_modules', name)), name)
  }
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as
    { version: string }
  t.is((await command(join(prefix, 'bin/vpcctl'), '--version')).trim(), version)
  const mib = Number((await command('du', '-sm', prefix)).split('\t')[0])
  t.true(mib < INSTALLED_MIB_MAX, `${String(mib)} MiB`)
})

test.serial('the installed copy runs a lab whose instances ping each other', async (t) => {
  const lab = `t${randomBytes(3).toString('hex')}`
  const vpcctl = (...words: string[]): Promise<string> =>
    command(join(prefix, 'bin/vpcctl'), '--lab', lab, ...words)
  try {
    await vpcctl('lab', 'up', '--hosts', '2', '--api-port', String(await freePort()))
    t.deepEqual(filesOfClone(Number(readFileSync(pidPath(lab), 'utf8'))), [])
    await vpcctl('vpc', 'create', '10.0.0.0/16', '--name', 'shop')
    await vpcctl('subnet', 'create', 'shop', '10.0.1.0/24', '--zone', 'use1-az1', '--name', 'front')
    await vpcctl('subnet', 'create', 'shop', '10.0.2.0/24', '--zone', 'use1-az2', '--name', 'back')
    await vpcctl('instance', 'run', 'front', '--name', 'web', '--private-ip', '10.0.1.10')
    await vpcctl('instance', 'run', 'back', '--name', 'client')
    t.regex(await vpcctl('instance', 'exec', 'client', '--',
      'ping', '-c', '3', '-i', '0.2', '-W', '2', '10.0.1.10'), / 0% packet loss/)
  } finally {
    await vpcctl('lab', 'down')
  }
  t.deepEqual(await leftovers(lab), [])
})

test.serial('the launchers find Node beside the package, as a dependency has it', async (t) => {
  const modules = join(directory, 'project/node_modules')
  mkdirSync(join(modules, 'vpclab/scripts'), { recursive: true })
  const launcher = join(modules, 'vpclab/scripts/node')
  copyFileSync(join(ROOT, 'scripts/node'), launcher)
  const without = await tryCommand(launcher, ['--version'])
  t.is(without.code, 2)
  t.regex(without.stderr, /the npm package node-linux-\w+ is missing/)
  const node = dirname(dirname(process.execPath))
  symlinkSync(node, join(modules, basename(node)))
  t.is((await command(launcher, '--version')).trim(), process.version)
})

async function tarballPath (): Promise<string> {
  return (await command('find', directory, '-maxdepth', '1', '-name', '*.tgz')).trim()
}

/** Files of the clone that a process has mapped or was started with. */
function filesOfClone (pid: number): string[] {
  return [`/proc/${String(pid)}/maps`, `/proc/${String(pid)}/cmdline`]
    .flatMap((path) => readFileSync(path, 'utf8').split(/[\n\0]/))
    .filter((line) => line.includes(`${ROOT}/`))
}
