/**
 * `vpcctl wait …`: returns when something has come true, so that scripts need no sleep. Exit code 3
 * when the time is over first.
 *
 * A change is acknowledged by the API when it is stored; the hosts forward by it a moment later.
 * `wait applied` bridges that moment.
 */
import { type Command, defineCommand, parseInteger, TIMEOUT_OPTION, timeoutMs } from '../command.ts'
import {
  describeInstances, INSTANCE_COLUMNS, waitForInstances, waitForRevision
} from '../instances.ts'
import { INSTANCE, resolveIds } from '../resolve.ts'

const STATES = ['running', 'stopped', 'terminated']

export const waitCommands: readonly Command[] = [
  defineCommand({
    name: 'applied',
    summary: 'Wait until every host forwards by a revision of the store',
    action: 'GET /wait (admin API)',
    arguments: [{ syntax: '[revision]', description: 'default: the newest one' }],
    options: [TIMEOUT_OPTION],
    examples: ['vpcctl wait applied', 'vpcctl wait applied 42 --timeout 5'],
    async run (context, input) {
      const text = input.optionalArgument('revision')
      const revision = text === undefined
        ? (await context.admin.status()).revision
        : parseInteger('[revision]', text, 0, Number.MAX_SAFE_INTEGER)
      const appliedRevision = await waitForRevision(context, revision, timeoutMs(input))
      context.output.done(`Every host has applied revision ${String(appliedRevision)}.`,
        { appliedRevision })
    }
  }),
  defineCommand({
    name: 'instance',
    summary: 'Wait until instances are in a state',
    action: 'DescribeInstances until the state is reached',
    arguments: [{ syntax: '<instance...>', description: 'ids or Name tags' }],
    options: [
      { flags: '--state <state>', description: 'default: running', values: STATES },
      TIMEOUT_OPTION
    ],
    examples: ['vpcctl wait instance a b', 'vpcctl wait instance a --state stopped --timeout 10'],
    async run (context, input) {
      const state = input.text('state') ?? 'running'
      const ec2 = await context.ec2()
      const ids = await resolveIds(ec2, INSTANCE, input.rest('instance'))
      await waitForInstances(context, ec2, ids, state, timeoutMs(input))
      const instances = await describeInstances(ec2, { InstanceId: ids })
      context.output.rows(instances, INSTANCE_COLUMNS, ({ InstanceId }) => InstanceId)
    }
  })
]
