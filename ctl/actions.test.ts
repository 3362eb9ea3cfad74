/** Nothing that the EC2 API serves is out of reach of the command line. */
import test from 'ava'
import { ACTIONS } from '../daemon/api/ec2/actions/registry.ts'
import { NOUNS } from './commands/registry.ts'

/** Actions without a command, each with its reason. */
const WITHOUT_COMMAND: Readonly<Record<string, string>> = {
  CreateNetworkInsightsPath: '"can-reach" answers at once, and keeps nothing',
  DeleteNetworkInsightsPath: 'as CreateNetworkInsightsPath',
  DescribeNetworkInsightsPaths: 'as CreateNetworkInsightsPath',
  StartNetworkInsightsAnalysis: 'as CreateNetworkInsightsPath',
  DeleteNetworkInsightsAnalysis: 'as CreateNetworkInsightsPath',
  DescribeNetworkInsightsAnalyses: 'as CreateNetworkInsightsPath',
  DescribePrefixLists: '"prefix-list list" shows more of the same',
  GetSecurityGroupsForVpc: '"security-group list --vpc" shows the same'
}

/** Actions by the commands that name them. */
async function actionsOfCommands (): Promise<Set<string>> {
  const loaded = await Promise.all(NOUNS.map((noun) => noun.load()))
  return new Set(loaded.flat().flatMap((command) =>
    command.action.match(/[A-Z][A-Za-z0-9]+/g) ?? []))
}

test('every EC2 action is reached by a command, or has a reason not to be', async (t) => {
  const reached = await actionsOfCommands()
  t.deepEqual(ACTIONS.map(({ name }) => name)
    .filter((name) => !reached.has(name) && WITHOUT_COMMAND[name] === undefined), [])
})

test('what is excused is served, and reached by nothing', async (t) => {
  const reached = await actionsOfCommands()
  const served = new Set(ACTIONS.map(({ name }) => name))
  t.deepEqual(Object.keys(WITHOUT_COMMAND)
    .filter((name) => !served.has(name) || reached.has(name)), [])
})
