/**
 * Bench `policy`: what groups, ACLs and flow logs cost.
 *
 *     npm run bench -- policy [--json] [--parts memory,throughput,changes] [--runs 5]
 *                             [--seconds 2] [--enis 100] [--changes 50]
 *
 * Part `memory` needs no root:
 *
 *     fastPathNs          a packet of a known conversation with all rules in force, as
 *                         bench/pipeline.ts measures it; fastPathOpenNs: the same without rules
 *     newFlowsPerSecond   conversations that one worker can open in a second with all rules, on the
 *                         dearer side (policy/new_flows.ts); newFlowNs: what each side costs
 *     bytesPerFlow        growth of the process with 1,000,000 live conversations, by each
 *     …FullGroups         with 60 + 60 rules in each of the five groups
 *     …FlowLog            with a flow log on the ENI
 *
 * Parts `throughput` and `changes` start labs of two hosts:
 *
 *     throughputKept      TCP throughput of established connections with rules, as a part of that
 *                         without; also with a flow log, and with a mirror session beside it
 *                         (policy/throughput.ts)
 *     ruleChangeMs        from the API call to the acknowledgement of all agents, for a rule of a
 *                         group that 100 ENIs carry and that names itself (policy/rule_change.ts)
 *
 * Figures of a shared machine are rough: ratios and medians mean something, single ones do not.
 */
import { parseArgs } from 'node:util'
import { measurePipeline } from './pipeline.ts'
import { measureNewFlows } from './policy/new_flows.ts'
import { measureRuleChanges } from './policy/rule_change.ts'
import { pipelinePolicy, RULES_PER_GROUP_MAX } from './policy/rules.ts'
import { measureThroughput } from './policy/throughput.ts'
import { significant } from './statistics.ts'

const PARTS = ['memory', 'throughput', 'changes']

interface Options {
  readonly json: boolean
  readonly parts: readonly string[]
  readonly runs: number
  readonly seconds: number
  readonly enis: number
  readonly changes: number
}

/** @param args `--json` prints the result to standard output */
export async function run (args: readonly string[]): Promise<void> {
  const options = readOptions(args)
  const result: Record<string, number> = {}
  if (options.parts.includes('memory')) Object.assign(result, measureMemory())
  if (options.parts.includes('throughput')) {
    Object.assign(result, await measureThroughput(options))
  }
  if (options.parts.includes('changes')) Object.assign(result, await measureRuleChanges(options))
  const rounded = Object.fromEntries(
    Object.entries(result).map(([name, value]) => [name, significant(value)]))
  for (const [name, value] of Object.entries(rounded)) {
    console.error(`  ${name.padEnd(28)} ${String(value)}`)
  }
  if (options.json) console.log(JSON.stringify(rounded))
}

function readOptions (args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: 'boolean', default: false },
      parts: { type: 'string', default: PARTS.join() },
      runs: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '2' },
      enis: { type: 'string', default: '100' },
      changes: { type: 'string', default: '50' }
    }
  })
  const parts = values.parts.split(',')
  const unknown = parts.find((part) => !PARTS.includes(part))
  if (unknown !== undefined) {
    throw new Error(`Cannot measure "${unknown}": the parts are ${PARTS.join()}`)
  }
  return {
    json: values.json, parts, runs: Number(values.runs), seconds: Number(values.seconds),
    enis: Number(values.enis), changes: Number(values.changes)
  }
}

function measureMemory (): Record<string, number> {
  const policy = pipelinePolicy()
  // First, as bench `pipeline` does: what else has run in a process changes its machine code.
  const judged = measurePipeline(policy)
  const open = measurePipeline()
  const flows = measureNewFlows({ policy })
  const fullGroups = measureNewFlows({ policy: pipelinePolicy(RULES_PER_GROUP_MAX) })
  const flowLog = measureNewFlows({ policy, flowLog: true })
  return {
    fastPathNs: judged.fastPathNs,
    fastPathOpenNs: open.fastPathNs,
    newFlowsPerSecond: flows.perSecond,
    newFlowNsEgress: flows.egressNs,
    newFlowNsIngress: flows.ingressNs,
    bytesPerFlow: flows.bytesPerFlow,
    newFlowsPerSecondFullGroups: fullGroups.perSecond,
    newFlowsPerSecondFlowLog: flowLog.perSecond
  }
}
