/**
 * `vpcctl internet …`: the other side of an internet gateway. A lab with edges has hosts on an
 * internet of its own, 198.51.100.10 to .19 and 2001:db8:ffff::10 to ::19, in one namespace.
 */
import { existsSync } from 'node:fs'
import { internetNamespace, namespacePath } from '../../daemon/host/paths.ts'
import { type Command, defineCommand } from '../command.ts'
import { CtlError, usageError } from '../exit_codes.ts'
import { runInside } from './instance_inside.ts'

export const internetCommands: readonly Command[] = [
  defineCommand({
    name: 'exec',
    summary: 'Run a command on the hosts of the internet',
    action: 'ip netns exec on this machine',
    arguments: [{ syntax: '<command...>', description: 'the command and its arguments' }],
    endsInCommandLine: true,
    note: 'The command has the addresses 198.51.100.10 to .19 and 2001:db8:ffff::10 to ::19 and\n' +
      'reaches the public addresses of the lab. Its exit code is the command\'s own.',
    examples: [
      'vpcctl internet exec -- curl http://203.0.113.5/',
      'vpcctl internet exec -- python3 -m http.server 80'
    ],
    async run (context, input) {
      const command = input.rest('command')
      if (command.length === 0) throw usageError('<command> is missing')
      const { hosts } = await context.admin.status()
      const namespace = internetNamespace(context.lab)
      if (!hosts.some(({ roles }) => roles.includes('edge')) ||
        !existsSync(namespacePath(namespace))) {
        throw new CtlError('NameNotFound', `The lab "${context.lab}" has no internet: it was ` +
          'made without edges ("vpcctl lab up --edges 3" makes a new lab with some)')
      }
      return runInside(context, { namespace, pid: null }, command, {})
    }
  })
]
