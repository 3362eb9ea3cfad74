/**
 * Namespaces and containers that the lab did not make, hung on a subnet.
 *
 *     host-1 ─ a: an instance      host-2 ─ blue: a namespace of the test | web: a container
 *
 * Whatever happens to the lab, the guest's processes go on.
 */
import test, { type ExecutionContext } from 'ava'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BusyboxTree } from '../harness/busybox_tree.ts'
import { Background, ROOT, command, eventually, inside, tryCommand } from '../harness/command.ts'
import { Instance } from '../harness/instance.ts'
import type { Lab } from '../harness/lab.ts'
import { Namespaces } from '../harness/namespaces.ts'
import { withLab } from '../harness/with_lab.ts'

const VPCCTL = join(ROOT, 'bin/vpcctl')

/** Runs vpcctl on the lab. @returns its output; what it refused goes to standard error */
function vpcctl (lab: Lab, ...words: readonly string[]) {
  return tryCommand(VPCCTL, ['--lab', lab.name, ...words])
}

/** Attaches, and waits until the guest runs. */
async function attach (lab: Lab, ...words: readonly string[]): Promise<Instance> {
  const id = (await command(VPCCTL, '--lab', lab.name, 'attach', ...words, '--quiet')).trim()
  const [description] = await lab.waitInstances([id], 'running')
  if (description === undefined) throw new Error(`${id} is not described`)
  return new Instance(lab.name, description)
}

async function build (lab: Lab): Promise<{ a: Instance, subnet: string }> {
  const vpc = await lab.vpc('10.0.0.0/16', { ipv6: true })
  const subnet = await lab.subnet(vpc, '10.0.1.0/24', { ipv6Index: 0 })
  return { a: await lab.instance(subnet, { host: 'host-1', ipv6: true }), subnet: subnet.id }
}

async function devicesIn (net: Namespaces): Promise<string[]> {
  const links = JSON.parse(await net.ip('blue', '-j', 'link')) as { ifname: string }[]
  return links.map((link) => link.ifname)
}

test.serial('a namespace is an instance until it is detached, and its processes live on',
  async (t) => {
    await using net = await Namespaces.create('blue')
    const guest = new Background('ip', inside(net.name('blue'), ['tail', '-f', '/dev/null']))
    try {
      await withLab({ expectedWarnings: [/device of an interface went away/] },
        async (t, lab) => { await liveAndDetach(t, lab, net) })(t)
      t.true(guest.running, 'the lab went down, and the guest goes on')
      t.deepEqual(await devicesIn(net), ['lo'])
      t.notRegex(await net.ip('blue', 'rule'), /lookup 10000/)
    } finally {
      await guest.stop('SIGKILL')
    }
  })

async function liveAndDetach (t: ExecutionContext, lab: Lab, net: Namespaces): Promise<void> {
  const { a, subnet } = await build(lab)
  const words = [subnet, '--netns', net.path('blue'), '--name', 'blue', '--ipv6']
  const blue = await attach(lab, ...words, '--host', 'host-2')
  await lab.waitApplied()
  t.is((await a.ping(blue.ipv4)).received, 5)
  t.is((await a.ping(blue.ipv6)).received, 5)
  t.is((await blue.ping(a.ipv4)).received, 5)

  await net.ip('blue', 'link', 'del', 'eth0')
  await eventually('the device back', async () => (await a.ping(blue.ipv4, 1)).received === 1)
  await lab.kill()
  await lab.restart()
  t.is((await blue.ping(a.ipv4)).received, 5, 'the device is open again after kill -9')

  const twice = await vpcctl(lab, 'attach', subnet, '--netns', net.path('blue'))
  t.regex(twice.stderr, new RegExp(`attached already, as ${blue.id}`))
  const reboot = await vpcctl(lab, 'instance', 'reboot', 'blue')
  t.regex(reboot.stderr, /UnsupportedOperation: .* cannot be rebooted/)
  t.is((await vpcctl(lab, 'detach', 'blue')).code, 0)
  t.deepEqual(await devicesIn(net), ['lo'])

  await refuses(t, lab, a, subnet)

  const again = await attach(lab, ...words)
  t.not(again.id, blue.id)
  await lab.waitApplied()
  t.is((await a.ping(again.ipv4)).received, 5, 'and is left to the teardown')
}

test.serial('a namespace keeps the default route it has, and ends its instance by going away',
  withLab({ expectedWarnings: [/device of an interface went away/] }, async (t, lab) => {
    await using net = await Namespaces.create('blue', 'elsewhere')
    const { a, subnet } = await build(lab)
    await net.join('blue', ['192.0.2.1/24'], 'elsewhere', ['192.0.2.2/24'])
    await net.ip('blue', 'link', 'set', 'veth0', 'down')
    await net.ip('blue', 'link', 'set', 'veth0', 'name', 'eth0', 'up')
    await net.ip('blue', 'route', 'add', 'default', 'via', '192.0.2.2')
    const routes = await net.ip('blue', 'route')

    const blue = await attach(lab, subnet, '--netns', net.path('blue'))
    await lab.waitApplied()
    t.deepEqual((await devicesIn(net)).sort(), ['eth0', 'lo', 'vpc0'])
    t.is((await a.ping(blue.ipv4)).received, 5)
    t.is((await blue.ping(a.ipv4)).received, 5)
    t.regex(await net.ip('blue', 'route'), /10\.0\.0\.0\/16 via 10\.0\.1\.1 dev vpc0/)
    t.regex(await net.ip('blue', 'route', 'get', '203.0.113.1'), /dev eth0/)

    t.is((await vpcctl(lab, 'detach', blue.id)).code, 0)
    t.is(await net.ip('blue', 'route'), routes)
    t.deepEqual((await devicesIn(net)).sort(), ['eth0', 'lo'])

    const again = await attach(lab, subnet, '--netns', net.path('blue'))
    await net[Symbol.asyncDispose]()
    const [ended] = await lab.waitInstances([again.id], 'terminated')
    t.is(ended?.StateReason?.Code, 'Client.InstanceInitiatedShutdown')
    t.regex(ended?.StateReason?.Message ?? '', /no longer at \/run\/netns\/nicp/)
  }))

/** What cannot be attached, and what attach cannot undo. */
async function refuses (t: ExecutionContext, lab: Lab, a: Instance, subnet: string): Promise<void> {
  for (const [netns, refusal] of [
    ['/etc/hostname', /it is no namespace/],
    ['/proc/self/ns/uts', /it is no network namespace/],
    ['/proc/self/ns/net', /namespace of the machine itself/],
    [`${lab.name}-underlay`, /a namespace of the lab itself/],
    [a.namespace, /a namespace of the lab itself/],
    ['no-such-namespace', /There is no network namespace/]
  ] as const) {
    const result = await vpcctl(lab, 'attach', subnet, '--netns', netns)
    t.not(result.code, 0, netns)
    t.regex(result.stderr, refusal)
  }
  t.regex((await vpcctl(lab, 'detach', a.id)).stderr, /was launched, not attached/)
}

/**
 * podman with its files in a directory of the test. Its runtime will not start anything beside
 * version 1 control groups; in a mount namespace of its own it does not see those of version 2.
 */
class Podman implements AsyncDisposable {
  readonly #directory = mkdtempSync(join(tmpdir(), 'vpclab-podman-'))
  readonly #before: Readonly<Record<string, string | undefined>>

  constructor () {
    const storage = join(this.#directory, 'storage.conf')
    writeFileSync(storage, `[storage]\ndriver = "vfs"\ngraphroot = "${this.#directory}/graph"\n` +
      `runroot = "${this.#directory}/run"\n`)
    const settings = join(this.#directory, 'containers.conf')
    writeFileSync(settings, '[containers]\ncgroups = "disabled"\n' +
      '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n')
    this.#before = {
      CONTAINERS_STORAGE_CONF: process.env['CONTAINERS_STORAGE_CONF'],
      CONTAINERS_CONF: process.env['CONTAINERS_CONF']
    }
    process.env['CONTAINERS_STORAGE_CONF'] = storage
    process.env['CONTAINERS_CONF'] = settings
  }

  /** A container without a network, from a directory. */
  async run (name: string, directory: string, ...words: readonly string[]): Promise<void> {
    const tarball = join(this.#directory, 'image.tar')
    await command('tar', '-C', directory, '-cf', tarball, '.')
    await command('podman', 'import', '-q', tarball, 'vpclab-test')
    await command('unshare', '--mount', 'sh', '-c',
      'umount /sys/fs/cgroup/unified 2> /dev/null; exec "$@"', 'sh', 'podman', 'run', '--detach',
      '--network=none', '--cgroups=disabled', '--ulimit=nofile=1024:1024',
      '--ulimit=nproc=1024:1024', '--name', name, 'vpclab-test', ...words)
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    await tryCommand('podman', ['rm', '--force', '--all', '--time', '0'])
    for (const [name, value] of Object.entries(this.#before)) {
      if (value === undefined) Reflect.deleteProperty(process.env, name)
      else process.env[name] = value
    }
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

test.serial('a container has a VPC for its network, and outlives its instance',
  withLab({ expectedWarnings: [/device of an interface went away/] }, async (t, lab) => {
    using tree = new BusyboxTree()
    await using podman = new Podman()
    await podman.run('web', tree.directory, 'tail', '-f', '/dev/null')
    const { a, subnet } = await build(lab)
    const web = await attach(lab, subnet, '--container', 'web', '--name', 'web', '--host', 'host-2')
    await lab.waitApplied()
    t.is((await a.ping(web.ipv4)).received, 5)
    const execute = (...words: readonly string[]) =>
      vpcctl(lab, 'instance', 'exec', 'web', '--', ...words)
    t.regex((await execute('ping', '-c', '1', a.ipv4)).stdout, /1 packets received/)
    t.regex((await execute('ps')).stdout, / 1 .* tail -f/, 'its own processes and files')
    t.is((await execute('sh', '-c', 'exit 7')).code, 7)

    t.is((await vpcctl(lab, 'detach', 'web')).code, 0)
    const state = await command('podman', 'inspect', '--format', '{{.State.Running}}', 'web')
    t.is(state.trim(), 'true')

    const again = await attach(lab, subnet, '--container', 'web')
    await command('podman', 'stop', '--time', '0', 'web')
    const [ended] = await lab.waitInstances([again.id], 'terminated')
    t.regex(ended?.StateReason?.Message ?? '', /The attached container web ended/)
  }))
