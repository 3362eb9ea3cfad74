/**
 * The Debian package: what dpkg reads of it, and a lab run from what it would put on a machine.
 *
 *     npm run package ─▶ vpclab_*.deb ─ dpkg-deb --extract ─▶ <temporary>/usr/bin/vpcctl
 */
import test from 'ava'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ROOT, command, tryCommand } from '../harness/command.ts'
import { freePort } from '../harness/lab.ts'
import { leftovers } from '../harness/leftovers.ts'

const BUILD_TIMEOUT_MS = 300_000
const UNIT = 'usr/lib/systemd/system/vpclab@.service'

const directory = mkdtempSync(join(tmpdir(), 'debian-'))
const tree = join(directory, 'tree')

test.after.always(() => { rmSync(directory, { recursive: true }) })

test.serial('the package says what it needs, and carries units, manual and examples', async (t) => {
  t.timeout(BUILD_TIMEOUT_MS)
  const { code, stdout, stderr } = await tryCommand(
    join(ROOT, 'packaging/debian/make_package'), [directory], BUILD_TIMEOUT_MS)
  t.is(code, 0, stderr)
  const deb = stdout.trim()
  const fieldOf = async (field: string): Promise<string> =>
    (await command('dpkg-deb', '--field', deb, field)).trim()
  const { version } =
    JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }
  t.is(await fieldOf('Version'), version)
  t.regex(await fieldOf('Depends'), /\biproute2, nftables, procps, util-linux$/)
  t.regex(await fieldOf('Recommends'), /\bbird2\b.*\bcharon-systemd\b/)

  await command('dpkg-deb', '--extract', deb, tree)
  for (const path of [UNIT, 'usr/share/man/man1/vpcctl.1.gz', 'etc/vpclab',
    'usr/share/doc/vpclab/examples/machine.conf']) {
    t.true(existsSync(join(tree, path)), path)
  }
  const owners = await command('dpkg-deb', '--contents', deb)
  t.deepEqual(owners.split('\n').filter((line) => line !== '' && !line.includes(' root/root ')), [])
  const verdict = await tryCommand('systemd-analyze', ['verify', '--man=no', join(tree, UNIT)])
  // It looks for the program where the package puts it on a machine.
  const faults = verdict.stderr.split('\n').filter((line) =>
    line.includes('vpclab') && !/\/usr\/bin\/vpcd is not executable/.test(line))
  t.deepEqual(faults, [])
})

test.serial('what it installs runs a lab', async (t) => {
  const lab = `t${randomBytes(3).toString('hex')}`
  const vpcctl = (...words: string[]): Promise<string> =>
    command(join(tree, 'usr/bin/vpcctl'), '--lab', lab, ...words)
  try {
    await vpcctl('lab', 'up', '--hosts', '1', '--edges', '0', '--api-port',
      String(await freePort()))
    t.regex(await vpcctl('lab', 'status'), /host-1/)
  } finally {
    await vpcctl('lab', 'down')
  }
  t.deepEqual(await leftovers(lab), [])
})
