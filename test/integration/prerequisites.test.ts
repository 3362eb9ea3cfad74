/**
 * What cannot work says so in one sentence, ends with exit code 2, and leaves nothing behind.
 *
 *     unshare --user    a process without root
 *     unshare --mount   a process whose /dev/net is empty: no /dev/net/tun
 */
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { join } from 'node:path'
import { ROOT, tryCommand } from '../harness/command.ts'
import { leftovers } from '../harness/leftovers.ts'

const LAB = 'tprereq'
const EXIT_PREREQUISITE = 2
const HIDE_TUN = 'mount -t tmpfs none /dev/net && exec "$@"'

const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  'scripts/setup': [join(ROOT, 'scripts/setup')],
  'vpcd': [join(ROOT, 'bin/vpcd'), '--lab', LAB, '--api-port', '0'],
  'vpcctl lab up': [join(ROOT, 'bin/vpcctl'), '--lab', LAB, 'lab', 'up', '--api-port', '0']
}

async function checkRefusal (
  t: ExecutionContext, unshare: readonly string[], command: readonly string[], names: RegExp):
Promise<void> {
  const { code, stdout, stderr } = await tryCommand('unshare', [...unshare, ...command])
  t.is(code, EXIT_PREREQUISITE, stdout + stderr)
  t.is(stderr.split('\n').filter((line) => names.test(line)).length, 1, stderr)
  t.deepEqual(await leftovers(LAB), [])
}

for (const [name, command] of Object.entries(COMMANDS)) {
  test.serial(`${name} names root when it is not root`, (t) =>
    checkRefusal(t, ['--user'], command, /root/))

  test.serial(`${name} names /dev/net/tun when it is missing`, (t) =>
    checkRefusal(t, ['--mount', 'sh', '-c', HIDE_TUN, 'sh'], command, /\/dev\/net\/tun/))
}
