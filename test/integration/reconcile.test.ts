/**
 * Somebody removes by hand what the daemon made; the daemon puts it back.
 *
 *     host-1 ─ a      host-2 ─ b: loses addresses, routes, its device, its namespace
 */
import test from 'ava'
import { command, eventually } from '../harness/command.ts'
import type { Instance } from '../harness/instance.ts'
import type { Lab } from '../harness/lab.ts'
import { withLab } from '../harness/with_lab.ts'

async function build (lab: Lab): Promise<{ a: Instance, b: Instance }> {
  const vpc = await lab.vpc('10.0.0.0/16', { ipv6: true })
  const subnet = await lab.subnet(vpc, '10.0.1.0/24', { ipv6Index: 0 })
  return {
    a: await lab.instance(subnet, { host: 'host-1', ipv6: true }),
    b: await lab.instance(subnet, { host: 'host-2', ipv6: true })
  }
}

const DAMAGES: Readonly<Record<string, readonly string[]>> = {
  'addresses': ['addr', 'flush', 'dev', 'eth0'],
  'the default route': ['route', 'del', 'default'],
  'the link state': ['link', 'set', 'eth0', 'down'],
  'the device': ['link', 'del', 'eth0']
}

test.serial('an instance is repaired after its network was damaged by hand',
  withLab({ expectedWarnings: [/eth0|port/] }, async (t, lab) => {
    const { a, b } = await build(lab)
    for (const [what, damage] of Object.entries(DAMAGES)) {
      t.is((await a.ping(b.ipv4)).received, 5, `before ${what} went`)
      await b.exec('ip', ...damage)
      await eventually(`${what} back`, async () =>
        (await a.ping(b.ipv4, 1)).received === 1 && (await a.ping(b.ipv6, 1)).received === 1 &&
        (await b.exec('ip', 'route', 'show', 'default')) !== '')
    }
  }))

test.serial('an instance is rebuilt after its namespace was deleted by hand',
  withLab({ expectedWarnings: [/namespace|port|eth0/] }, async (t, lab) => {
    const { a, b } = await build(lab)
    t.is((await a.ping(b.ipv4)).received, 5)
    await command('ip', 'netns', 'del', b.namespace)
    await eventually('the namespace back', async () =>
      (await a.ping(b.ipv4, 1)).received === 1)
    t.pass()
  }))

test.serial('a host is joined to the underlay again after its device was deleted by hand',
  withLab({ expectedWarnings: [/underlay/] }, async (t, lab) => {
    const { a, b } = await build(lab)
    t.is((await a.ping(b.ipv4)).received, 5)
    await command('ip', '-n', lab.hostNamespace('host-2'), 'link', 'del', 'underlay0')
    await eventually('the underlay back', async () =>
      (await a.ping(b.ipv4, 1)).received === 1)
    t.pass()
  }))

test.serial('a host whose namespace was deleted by hand is made again, and connections go on',
  withLab({ expectedWarnings: [/namespace|underlay|worker|port|device/] }, async (t, lab) => {
    const { a, b } = await build(lab)
    const server = await b.iperfServer()
    const client = a.start('iperf3', '-c', b.ipv4, '-t', '6', '-i', '1', '--forceflush')
    await client.printed(/0\.00-1\.0/)
    await command('ip', 'netns', 'del', lab.hostNamespace('host-2'))
    await eventually('the host back', async () => (await a.ping(b.ipv4, 1)).received === 1)
    t.is(await client.ended(), 0, client.output)
    t.is(await server.ended(), 0)
  }))
