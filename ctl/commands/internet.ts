/**
 * `vpcctl internet …`: the other side of an internet gateway. A lab with edges has hosts on an
 * internet of its own, 198.51.100.10 to .19 and 2001:db8:ffff::10 to ::19, in one namespace, and
 * public services of AWS beside them: S3 and DynamoDB, as far as one wants to see who calls.
 */
import { existsSync } from 'node:fs'
import type { AccessLogAnswer } from '../../daemon/api/admin/contract.ts'
import { internetNamespace, namespacePath } from '../../daemon/host/paths.ts'
import { type Command, defineCommand } from '../command.ts'
import { CtlError, usageError } from '../exit_codes.ts'
import { runInside } from './instance_inside.ts'
import type { Column } from '../print/table.ts'

type Access = AccessLogAnswer['accesses'][number]

const ACCESS_COLUMNS: readonly Column<Access>[] = [
  { header: 'time', value: ({ time }) => time },
  { header: 'service', value: ({ service }) => service },
  { header: 'caller', value: ({ caller }) => caller },
  { header: 'method', value: ({ method }) => method },
  { header: 'host', value: ({ host }) => host, shrinks: true },
  { header: 'path', value: ({ path }) => path, shrinks: true },
  { header: 'status', value: ({ status }) => String(status), align: 'right' }
]

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
  }),
  defineCommand({
    name: 'log',
    summary: 'Print who called the public services: S3 and DynamoDB',
    action: 'GET /internet/log (admin API)',
    note: 'Names such as s3.us-east-1.amazonaws.com and BUCKET.s3.us-east-1.amazonaws.com\n' +
      'lead to stand-ins on the internet of the lab. The caller is whom they see: an\n' +
      'Elastic IP, or the address of a NAT gateway.',
    examples: ['vpcctl internet log', 'vpcctl internet log --json'],
    async run (context) {
      const { accesses } = await context.admin.accessLog()
      context.output.rows(accesses, ACCESS_COLUMNS, ({ caller }) => caller)
    }
  })
]
