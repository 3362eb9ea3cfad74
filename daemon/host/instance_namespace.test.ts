/**
 * Plans on the real kernel, in a namespace of this test. Needs root, as everything with namespaces.
 *
 *     unit<pid>-i: eth0 10.0.1.5 (and .6, and IPv6), eth1 10.0.1.15; no data plane behind them
 */
import test from 'ava'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { runIp, runIpBatch } from './command.ts'
import { convergeInstance, removeInstance } from './instance_namespace.ts'
import { processesIn } from './namespace_processes.ts'
import { viewNamespace } from './namespace_view.ts'
import type { NamespaceView } from './namespace_view.ts'
import { namespacePath } from './paths.ts'
import { desiredInterface } from './testing/desired_interface.ts'

const NAMESPACE = `unit${String(process.pid)}-i`
const rootTest = process.getuid?.() === 0 ? test.serial : test.serial.skip

const ONE = [desiredInterface(0, ['10.0.1.5', '10.0.1.6', '2001:db8:0:1::5'])]
const TWO = [...ONE, desiredInterface(1, ['10.0.1.15', '2001:db8:0:1::15'])]

/** What plans bring about, without what the kernel adds by itself. */
async function look (): Promise<unknown> {
  const view: NamespaceView | null = await viewNamespace(NAMESPACE, true)
  return {
    links: view?.links.map(({ name, up, mtu, addresses }) => ({ name, up, mtu, addresses })),
    defaults: view?.routes.filter((route) => route.destination === 'default'),
    rules: view?.rules.filter((rule) => rule.table > 10_000).map((rule) => rule.source).sort()
  }
}

test.after.always(async () => {
  if (process.getuid?.() === 0) await removeInstance(NAMESPACE)
})

rootTest('a namespace is made, found in order, and mended after each kind of damage', async (t) => {
  const made = await convergeInstance(NAMESPACE, TWO)
  t.true(made.namespaceCreated)
  t.deepEqual([...made.createdDevices], ['eth0', 'eth1'])
  const whole = await look()
  t.is((await convergeInstance(NAMESPACE, TWO)).lineCount, 0)
  const damages = [
    'addr del 10.0.1.5/24 dev eth0', 'addr add 10.0.1.99/24 dev eth0', 'addr flush dev eth1',
    'route del default dev eth0', 'link set eth0 down', 'link del eth1',
    'rule del from 10.0.1.15 lookup 10001'
  ]
  for (const damage of damages) {
    await runIpBatch(NAMESPACE, [damage])
    t.notDeepEqual(await look(), whole, damage)
    await convergeInstance(NAMESPACE, TWO)
    t.deepEqual(await look(), whole, damage)
  }
})

rootTest('a namespace that lost its name is made anew', async (t) => {
  const whole = await look()
  await runIp('netns', 'del', NAMESPACE)
  const made = await convergeInstance(NAMESPACE, TWO)
  t.true(made.namespaceCreated)
  t.deepEqual(await look(), whole)
})

rootTest('a detached interface leaves nothing, and removal kills what runs inside', async (t) => {
  await convergeInstance(NAMESPACE, ONE)
  const view = await viewNamespace(NAMESPACE, true)
  t.deepEqual(view?.links.map((link) => link.name), ['lo', 'eth0'])
  t.deepEqual(view?.rules.filter((rule) => rule.table > 10_000), [])
  const child = spawn('ip', ['netns', 'exec', NAMESPACE, 'sh', '-c', 'echo up; exec sleep 600'],
    { stdio: ['ignore', 'pipe', 'ignore'] })
  const ended =
    new Promise((resolve) => { child.on('exit', (_code, signal) => { resolve(signal) }) })
  await new Promise((resolve) => { child.stdout.once('data', resolve) })
  t.deepEqual(processesIn([NAMESPACE]), [child.pid])
  await removeInstance(NAMESPACE)
  t.is(await ended, 'SIGKILL')
  t.false(existsSync(namespacePath(NAMESPACE)))
  await t.notThrowsAsync(removeInstance(NAMESPACE), 'removing what is gone')
})
