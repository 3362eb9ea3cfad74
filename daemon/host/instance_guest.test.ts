/** Foreign guests on the real kernel, in namespaces of this test. Needs root. */
import test from 'ava'
import { spawn } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import type { NamespaceGuest } from '../model/instance_guest.ts'
import { runIp, runIpBatch } from './command.ts'
import {
  bindGuest, guestIds, guestPid, inspectNamespace, isGuestThere, releaseGuest, styleOf
} from './instance_guest.ts'
import { convergeInstance } from './instance_namespace.ts'
import { planInstance } from './instance_plan.ts'
import { viewNamespace } from './namespace_view.ts'
import { guestDirectory, namespaceName, namespacePath } from './paths.ts'
import { desiredInterface } from './testing/desired_interface.ts'

const LAB = `unit${String(process.pid)}g`
const ID = 'i-00000000000000001'
const NAME = namespaceName(LAB, ID)
/** Not a name of the lab's: it has no dash after the lab. */
const THEIRS = `theirs${String(process.pid)}`
const rootTest = process.getuid?.() === 0 ? test.serial : test.serial.skip

const ONE = [
  { ...desiredInterface(0, ['10.0.1.5', '2001:db8:0:1::5']), sourceRouted: true }
]

function guestOf (found: { inode: number, devicePrefix: string }): NamespaceGuest {
  return { kind: 'namespace', path: namespacePath(THEIRS), label: 'test', defaultRoute: true,
    inode: found.inode, devicePrefix: found.devicePrefix }
}

async function state (name: string): Promise<unknown> {
  const view = await viewNamespace(name, true)
  return { links: view?.links.map((link) => link.name), rules: view?.rules.length,
    routes: view?.routes.filter((route) => route.destination === 'default').length }
}

test.after.always(async () => {
  if (process.getuid?.() !== 0) return
  for (const name of [NAME, THEIRS]) {
    if (existsSync(namespacePath(name))) await runIp('netns', 'del', name)
  }
  rmSync(dirname(guestDirectory(LAB)), { recursive: true, force: true })
})

rootTest('a guest is given a name and devices, and loses both but no process', async (t) => {
  await runIp('netns', 'add', THEIRS)
  const child = spawn('ip', ['netns', 'exec', THEIRS, 'sh', '-c', 'echo up; exec sleep 600'],
    { stdio: ['ignore', 'pipe', 'ignore'] })
  await new Promise((resolve) => { child.stdout.once('data', resolve) })
  const before = await state(THEIRS)
  const found = await inspectNamespace(LAB, namespacePath(THEIRS))
  t.like(found, { devicePrefix: 'eth', defaultRouteDevice: null })
  const guest = guestOf(found)
  t.true(await bindGuest(LAB, ID, guest))
  t.false(await bindGuest(LAB, ID, guest), 'it has its name')
  t.deepEqual(guestIds(LAB), [ID])
  const home = { style: styleOf(guest), plan: planInstance,
    ensure: async () => await bindGuest(LAB, ID, guest) }
  await convergeInstance(NAME, ONE, home)
  t.deepEqual(await state(THEIRS), { links: ['lo', 'eth0'], rules: 7, routes: 4 })
  t.is((await convergeInstance(NAME, ONE, home)).lineCount, 0)
  await t.throwsAsync(inspectNamespace(LAB, namespacePath(THEIRS)), { message: /already, as i-/ })

  await runIp('netns', 'del', NAME)
  t.true(await releaseGuest(LAB, ID), 'also when its name went before')
  t.false(existsSync(namespacePath(NAME)))
  t.deepEqual(await state(THEIRS), before)
  t.deepEqual(guestIds(LAB), [])
  t.is(child.exitCode ?? child.signalCode, null, 'its process lives')
  t.false(await releaseGuest(LAB, ID))

  const ended = new Promise((resolve) => { child.on('exit', resolve) })
  child.kill('SIGKILL')
  await ended
  await runIp('netns', 'del', THEIRS)
  t.false(isGuestThere(guest))
  await t.throwsAsync(bindGuest(LAB, ID, guest), { message: /no longer at/ })
})

rootTest('devices of somebody else keep their names, and their default route', async (t) => {
  await runIp('netns', 'add', THEIRS)
  await runIpBatch(THEIRS, ['link add eth3 type veth peer name far', 'link set eth3 up',
    'addr add 192.0.2.1/24 dev eth3', 'route add default via 192.0.2.2'])
  const before = await state(THEIRS)
  const found = await inspectNamespace(LAB, namespacePath(THEIRS))
  t.like(found, { devicePrefix: 'vpc', defaultRouteDevice: 'eth3' })
  const guest = guestOf({ ...found, devicePrefix: 'eth' })
  await bindGuest(LAB, ID, guest)
  const third = { ...desiredInterface(3, ['10.0.1.15']), sourceRouted: true }
  const home = { style: styleOf(guest), plan: planInstance,
    ensure: async () => await bindGuest(LAB, ID, guest) }
  await t.throwsAsync(convergeInstance(NAME, [third], home),
    { message: /needs the device eth3 in a namespace that has another eth3/ })
  await releaseGuest(LAB, ID)
  t.deepEqual(await state(THEIRS), before)
})

test('the process of a guest is read off its path', (t) => {
  const guest = guestOf({ inode: 1, devicePrefix: 'eth' })
  t.is(guestPid({ ...guest, path: '/proc/4711/ns/net' }), 4711)
  t.is(guestPid(guest), null)
})
