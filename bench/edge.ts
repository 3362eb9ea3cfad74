/**
 * Bench `edge`: what the way through an edge costs, against the same two-host path without it.
 *
 *     npm run bench -- edge [--json] [--runs 3] [--seconds 2]
 *
 * A part is a file of `edge/` that gives some figures by name, and a line in PARTS.
 */
import { parseArgs } from 'node:util'
import { measureDns } from './edge/dns.ts'
import { measureInternetGateway } from './edge/internet_gateway.ts'
import { measureNatGateway } from './edge/nat_gateway.ts'
import { significant } from './statistics.ts'

export interface EdgeOptions {
  readonly runs: number
  /** Duration of each transfer. */
  readonly seconds: number
}

type Part = (options: EdgeOptions) => Promise<Readonly<Record<string, number>>>

const PARTS: readonly Part[] = [measureInternetGateway, measureNatGateway, measureDns]

export async function run (args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: 'boolean', default: false },
      runs: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '2' }
    }
  })
  const options: EdgeOptions = { runs: Number(values.runs), seconds: Number(values.seconds) }
  const figures: Record<string, number> = {}
  for (const part of PARTS) Object.assign(figures, await part(options))
  for (const [name, value] of Object.entries(figures)) {
    figures[name] = significant(value)
    console.error(`${name} ${String(figures[name])}`)
  }
  if (values.json) console.log(JSON.stringify(figures))
}
