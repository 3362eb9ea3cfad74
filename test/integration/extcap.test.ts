/**
 * ENIs and hosts in the interface list of stock tshark, through the extcap program.
 *
 *     host-1 ─ a          b ─ host-2          192.0.2.0/24 has no route
 *
 * The link that `vpcctl wireshark install` makes lies in a directory that is laid over Wireshark's
 * extcap folder in a mount namespace of the test's own: the machine's folder stays as it is.
 */
import test from 'ava'
import type { ExecutionContext } from 'ava'
import * as ec2 from '@aws-sdk/client-ec2'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Background, command, eventually, ROOT, tryCommand } from '../harness/command.ts'
import type { Instance } from '../harness/instance.ts'
import type { Lab } from '../harness/lab.ts'
import { withLab } from '../harness/with_lab.ts'

const VPCCTL = join(ROOT, 'bin/vpcctl')
const EXTCAP = join(ROOT, 'tools/wireshark/extcap/vpclab-extcap')
const NOWHERE = '192.0.2.9'
/** Longest that a listing may take on a machine that is busy with other tests. */
const LISTING_MS_MAX = 10_000

/** Wireshark's extcap folder, with our program alone in it, for programs run by `args`. */
class ExtcapFolder implements Disposable {
  readonly #directory = mkdtempSync(join(tmpdir(), 'vpclab-extcap-'))
  readonly #place: string

  private constructor (place: string) { this.#place = place }

  static async install (): Promise<ExtcapFolder> {
    const folders = await command('tshark', '-G', 'folders')
    const place = /^Extcap path:\s*(\S+)$/m.exec(folders)?.[1] ?? ''
    const folder = new ExtcapFolder(place)
    await command(VPCCTL, 'wireshark', 'install', '--directory', folder.#directory)
    return folder
  }

  get directory (): string { return this.#directory }

  /** Arguments of `unshare` that run a program which sees the folder. */
  args (program: string, ...args: readonly string[]): string[] {
    return ['--mount', 'sh', '-c', 'mount --bind "$0" "$1" && shift && exec "$@"',
      this.#directory, this.#place, program, ...args]
  }

  [Symbol.dispose] (): void { rmSync(this.#directory, { recursive: true, force: true }) }
}

interface Network { readonly a: Instance, readonly b: Instance }

async function build (lab: Lab): Promise<Network> {
  const vpc = await lab.vpc('10.0.0.0/16')
  const subnet = await lab.subnet(vpc, '10.0.1.0/24')
  const a = await lab.instance(subnet, { host: 'host-1' })
  const b = await lab.instance(subnet, { host: 'host-2' })
  await lab.ec2.send(new ec2.CreateTagsCommand({
    Resources: [a.id], Tags: [{ Key: 'Name', Value: 'web {1}' }]
  }))
  await lab.waitApplied()
  return { a, b }
}

/** Runs tshark on an interface while `a` sends; it ends after its packets. @returns its rows */
async function captured (folder: ExtcapFolder, { a, b }: Network, name: string,
  packets: number, ...options: readonly string[]): Promise<string[][]> {
  const fields = ['frame.interface_name', 'ip.src', 'ip.dst', 'frame.comment']
  const tshark = new Background('unshare', folder.args('tshark', '-i', name, '-c',
    String(packets), '-T', 'fields', ...fields.flatMap((field) => ['-e', field]), ...options))
  try {
    await eventually('tshark has its packets', async () => {
      await a.ping(NOWHERE, 1)
      await a.ping(b.ipv4, 1)
      return !tshark.running
    }, 20_000)
    return tshark.output.split('\n').filter((line) => line.includes('\t'))
      .map((line) => line.split('\t'))
  } finally {
    await tshark.stop('SIGTERM')
  }
}

async function listsEverything (t: ExecutionContext, lab: Lab, folder: ExtcapFolder,
  { a, b }: Network): Promise<void> {
  const { stdout } = await tryCommand('unshare', folder.args('tshark', '-D'))
  const has = (value: string, display: string): void => {
    t.true(stdout.includes(`${value} (${display})`), `${display}\n${stdout}`)
  }
  has(`vpclab-${lab.name}-${a.eni}`, `web _1_: ${a.eni} of ${a.id} on host-1, lab ${lab.name}`)
  has(`vpclab-${lab.name}-${b.eni}`, `${b.eni} of ${b.id} on host-2, lab ${lab.name}`)
  has(`vpclab-${lab.name}-host-1`, `host-1: underlay of lab ${lab.name}`)
}

async function capturesDrops (t: ExecutionContext, lab: Lab, folder: ExtcapFolder,
  network: Network): Promise<void> {
  const { a, b } = network
  const name = `vpclab-${lab.name}-${a.eni}`
  const preference = `extcap.${name.replaceAll('-', '_')}`
  const point = `${a.eni} (web {1})`
  const reason = 'dropped: no-route: The route table of the subnet has no route for the ' +
    'destination.'
  t.deepEqual(await captured(folder, network, name, 2, '-o', `${preference}.dropsonly:true`),
    Array.from({ length: 2 }, () => [point, a.ipv4, NOWHERE, reason]))
  t.deepEqual(await captured(folder, network, name, 2, '-o', `${preference}.direction:in`),
    Array.from({ length: 2 }, () => [point, b.ipv4, a.ipv4, '']))
  const outer = await captured(folder, network, `vpclab-${lab.name}-host-1`, 1)
  t.deepEqual(outer.map(([point]) => point), ['host-1 underlay'])
}

async function refusesFilters (
  t: ExecutionContext, lab: Lab, folder: ExtcapFolder): Promise<void> {
  const name = `vpclab-${lab.name}-host-1`
  const tshark = await tryCommand('unshare',
    folder.args('tshark', '-i', name, '-f', 'tcp', '-c', '1'))
  t.not(tshark.code, 0)
  // What tshark passes on of the program's words is a matter of who is quicker: ask it directly.
  const { code, stderr } = await tryCommand(EXTCAP, ['--capture', '--extcap-interface', name,
    '--fifo', '/dev/null', '--extcap-capture-filter', 'tcp'])
  t.not(code, 0)
  t.regex(stderr, /capture filters are not supported/)
}

test.serial('tshark lists ENIs and hosts, and captures with reasons of drops',
  withLab({}, async (t, lab) => {
    const network = await build(lab)
    using folder = await ExtcapFolder.install()
    await listsEverything(t, lab, folder, network)
    await capturesDrops(t, lab, folder, network)
    await refusesFilters(t, lab, folder)
    const names = await command('ps', '-eo', 'args')
    t.false(names.includes(`--lab ${lab.name} capture`), 'no capture is left')
  }))

test.serial('install keeps what is not its own, uninstall removes its link alone', async (t) => {
  using folder = await ExtcapFolder.install()
  const { directory } = folder
  t.deepEqual(readdirSync(directory), ['vpclab-extcap'])
  await command(VPCCTL, 'wireshark', 'install', '--directory', directory)
  await command(VPCCTL, 'wireshark', 'uninstall', '--directory', directory)
  t.deepEqual(readdirSync(directory), [])
  const path = join(directory, 'vpclab-extcap')
  writeFileSync(path, 'mine')
  for (const verb of ['install', 'uninstall']) {
    const { code, stderr } =
      await tryCommand(VPCCTL, ['wireshark', verb, '--directory', directory])
    t.is(code, 2)
    t.regex(stderr, /is not a link to vpclab-extcap: remove it first/)
  }
  t.true(existsSync(path))
})

test.serial('without a lab the list is empty, and quickly so', async (t) => {
  const state = mkdtempSync(join(tmpdir(), 'vpclab-extcap-'))
  try {
    const result = await tryCommand('env', [`VPCLAB_STATE_DIR=${state}`, EXTCAP,
      '--extcap-interfaces', '--extcap-version=4.0'], LISTING_MS_MAX)
    t.deepEqual([result.code, result.stdout], [0, 'extcap {version=1.0}{display=vpclab}\n'])
    const wrong = await tryCommand(EXTCAP, ['--capture', '--extcap-interface', 'eth0', '--fifo',
      join(state, 'fifo')])
    t.is(wrong.code, 1)
    t.regex(wrong.stderr, /there is no interface "eth0"/)
  } finally {
    rmSync(state, { recursive: true })
  }
})
