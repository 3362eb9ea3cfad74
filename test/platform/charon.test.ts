/**
 * What the IPsec engine relies on of a stock charon: that the shim carries its netlink, that VICI
 * answers as its README says, and that it fails loudly when it must (daemon/ipsec).
 */
import test from 'ava'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../daemon/base/clock.ts'
import { systemRandom } from '../../daemon/base/random.ts'
import { Charon } from '../../daemon/ipsec/charon.ts'
import { exampleTunnel, PHASE } from '../../daemon/ipsec/testing/example_tunnel.ts'
import { connectionMessage, espProposals, ikeProposals } from '../../daemon/ipsec/tunnel.ts'
import type { ViciClient } from '../../daemon/ipsec/vici/client.ts'
import { XfrmServer } from '../../daemon/ipsec/xfrm/server.ts'
import { silentLog } from '../../daemon/observe/log.ts'
import { eventually } from '../harness/command.ts'
import { Namespaces } from '../harness/namespaces.ts'

interface Place extends AsyncDisposable {
  readonly charon: Charon
  readonly hellos: number[]
}

/** @param listens an XFRM server is there @param tells the supervisor hears of the hello */
async function place (listens: boolean, tells: boolean): Promise<Place> {
  await using stack = new AsyncDisposableStack()
  const net = stack.use(await Namespaces.create('ike'))
  const directory = mkdtempSync(join(tmpdir(), 'vpclab-charon-'))
  stack.defer(() => { rmSync(directory, { recursive: true, force: true }) })
  const hellos: number[] = []
  const charon = new Charon({
    directory,
    namespacePath: net.path('ike'),
    log: silentLog(),
    onUp: () => undefined,
    onDown: () => undefined,
    onEvent: () => undefined
  })
  if (listens) {
    const server = await XfrmServer.listen({
      path: charon.paths.xfrm,
      backend: {
        install: () => undefined,
        remove: () => undefined,
        select: () => undefined,
        permit: () => undefined,
        usage: () => ({ bytes: 0, packets: 0, lastUseMs: 0, sequence: 0n })
      },
      clock: systemClock,
      random: systemRandom,
      log: silentLog(),
      onHello: (pid) => {
        hellos.push(pid)
        if (tells) charon.hello(pid)
      }
    })
    stack.defer(() => server.close())
  }
  stack.defer(() => charon.stop())
  const kept = stack.move()
  return { charon, hellos, [Symbol.asyncDispose]: () => kept.disposeAsync() }
}

const clientOf = (charon: Charon): ViciClient => {
  if (charon.client === null) throw new Error('charon is not up')
  return charon.client
}

test.serial('the shim says hello for charon itself, and VICI answers', async (t) => {
  await using here = await place(true, true)
  await here.charon.start()
  t.deepEqual(here.hellos, [here.charon.pid])
  const version = await clientOf(here.charon).request('version')
  t.like(version, { daemon: 'charon-systemd', sysname: 'Linux' })
  t.regex(JSON.stringify(version), /"version":"[56]\./)
})

test.serial('VICI lists what was loaded, and says what it refuses and does not know', async (t) => {
  await using here = await place(true, true)
  await here.charon.start()
  const client = clientOf(here.charon)
  const config = exampleTunnel()
  await client.request('load-conn', connectionMessage(config))
  const conns = await client.stream('list-conns', 'list-conn')
  t.deepEqual(conns.map((message) => Object.keys(message)), [[config.name]])
  t.deepEqual(await client.stream('list-sas', 'list-sa'), [])
  await t.throwsAsync(client.request('load-conn', { x: { proposals: ['rot13'] } }),
    { code: 'VPCLAB_ERR_CHARON', message: /invalid value for: proposals/ })
  await t.throwsAsync(client.request('no-such-command'), { message: /does not know/ })
  await t.throwsAsync(client.subscribe('no-such-event'), { message: /does not know/ })
  const [a, b] = await Promise.all([client.request('version'), client.request('stats')])
  t.true('daemon' in a && 'uptime' in b, 'answers come in the order of the requests')
})

test.serial('the log of charon begins anew when it is told to', async (t) => {
  await using here = await place(true, true)
  await here.charon.start()
  const { log } = here.charon.paths
  await here.charon.rotateLog()
  t.true(readFileSync(`${log}.1`, 'utf8').includes('loaded plugins'))
  await clientOf(here.charon).request('load-conn', connectionMessage(exampleTunnel()))
  await eventually('a line in the new log', () =>
    readFileSync(log, 'utf8').includes('added vici connection'))
  t.false(readFileSync(log, 'utf8').includes('loaded plugins'))
})

test.serial('charon knows every algorithm of the tunnel options', async (t) => {
  await using here = await place(true, true)
  await here.charon.start()
  const client = clientOf(here.charon)
  const encryptions = PHASE.encryption
  for (const encryption of encryptions) {
    for (const integrity of PHASE.integrity) {
      const phase = { ...PHASE, encryption: [encryption], integrity: [integrity] }
      const lifetimes = { phase1: 28_800, phase2: 3600 }
      const config = exampleTunnel({
        phase1: { ...phase, lifetimeSeconds: lifetimes.phase1 },
        phase2: { ...phase, dhGroups: [5, ...PHASE.dhGroups], lifetimeSeconds: lifetimes.phase2 }
      })
      await t.notThrowsAsync(client.request('load-conn', connectionMessage(config)),
        `${ikeProposals(config.phase1).join()} ${espProposals(config.phase2).join()}`)
    }
  }
})

test.serial('without an XFRM server charon does not start', async (t) => {
  await using here = await place(false, false)
  await t.throwsAsync(here.charon.start(), { code: 'VPCLAB_ERR_CHARON', message: /charon ended/ })
})

test.serial('a charon whose shim is not heard is not accepted', async (t) => {
  await using here = await place(true, false)
  await t.throwsAsync(here.charon.start(),
    { code: 'VPCLAB_ERR_CHARON', message: /without the shim/ })
  t.is(here.charon.pid, null)
})
