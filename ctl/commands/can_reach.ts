/**
 * `vpcctl can-reach A B tcp/443`: whether A can open a conversation with B and hear the answer, as
 * the rules, routes and ACLs stand now. Nothing is sent. When it cannot, the first thing in the way
 * is named, and the command that takes it away.
 */
import type { ReachAnswer } from '../../daemon/api/admin/contract.ts'
import { defineCommand } from '../command.ts'
import type { Output } from '../print/output.ts'
import { oneLine } from '../print/one_line.ts'
import { wrapText } from '../print/wrap.ts'
import { packetText, parseTraffic, printRemedy, resolveEnd } from '../walk.ts'

/** Exit codes by verdict. */
const EXIT_OF = { yes: 0, no: 1, unknown: 2 } as const

export const canReachCommand = defineCommand({
  name: 'can-reach',
  summary: 'Tell whether two ends can talk, both ways, and what is in the way',
  action: 'POST /reach (admin API)',
  arguments: [
    { syntax: '<from>', description: 'who opens it: instance, ENI (id or Name tag) or address' },
    { syntax: '<to>', description: 'whom to reach: instance, ENI or address' },
    { syntax: '<traffic>', description: 'tcp/443, udp/53, icmp, or a protocol number' }
  ],
  note: 'Exit codes: 0 yes, 1 no, 2 cannot say, because an instance in between decides. Nothing ' +
    'is sent, and what runs behind the port is not asked.',
  examples: [
    'vpcctl can-reach web db tcp/5432',
    'vpcctl can-reach web 10.0.2.20 icmp --json'
  ],
  async run (context, input) {
    const traffic = parseTraffic(input.argument('traffic'))
    const [from, to] = await Promise.all(
      ['from', 'to'].map((name) => resolveEnd(context, input.argument(name))))
    const answer = await context.admin.reach({ from: from ?? '', to: to ?? '', ...traffic })
    print(context.output, answer)
    return EXIT_OF[answer.verdict]
  }
})

function print (output: Output, answer: ReachAnswer): void {
  if (output.form === 'json') output.json(answer)
  else if (output.form === 'quiet') output.text(answer.verdict)
  else {
    const word = answer.verdict === 'unknown' ? 'cannot say' : answer.verdict
    output.text(wrapText(oneLine(`${word}: ${answer.text}`), output.width))
    const walk = answer.answer ?? answer.forward
    if (walk !== null && answer.verdict !== 'yes') output.text(`  ${packetText(walk.packet)}`)
    if (answer.obstacle !== null) printRemedy(output, answer.obstacle)
  }
}
