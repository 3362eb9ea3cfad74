/**
 * A lab that is taken down leaves nothing, whatever state it is in. (Every other test checks this
 * for a healthy lab: harness/with_lab.ts.)
 *
 *     host-1 ─ a: runs a program      host-2 ─ b
 */
import test from 'ava'
import { join } from 'node:path'
import { ROOT, command } from '../harness/command.ts'
import { Lab } from '../harness/lab.ts'
import { leftovers } from '../harness/leftovers.ts'

test.serial('nothing is left after kill -9 of the daemon while instances ran', async (t) => {
  const lab = await Lab.start()
  const subnet = await lab.subnet(await lab.vpc('10.0.0.0/16'), '10.0.1.0/24')
  const a = await lab.instance(subnet, { host: 'host-1' })
  await lab.instance(subnet, { host: 'host-2' })
  const ping = a.start('ping', '127.0.0.1')
  await ping.printed('bytes from')
  t.true((await leftovers(lab.name)).length > 0, 'the check sees a lab that is up')
  await lab.kill()
  t.deepEqual(await lab.down(), [])
  t.false(ping.running, 'programs inside instances have ended')
  await command(join(ROOT, 'bin/vpcd'), '--lab', lab.name, '--teardown')
  t.deepEqual(await leftovers(lab.name), [])
})
