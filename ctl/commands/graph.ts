/** `vpcctl graph`: a picture of the lab as it is now, or the model behind it. */
import { writeFile } from 'node:fs/promises'
import type { Command } from '../command.ts'
import { CtlError, usageError } from '../exit_codes.ts'
import type { Drawing } from '../graph/drawing.ts'
import { drawGraph } from '../graph/drawing.ts'
import { toDot, toSvg } from '../graph/dot.ts'
import { toMermaid } from '../graph/mermaid.ts'
import { readGraph } from '../graph/model.ts'

const FORMATS: Readonly<Record<string, (drawing: Drawing) => string | Promise<string>>> = {
  mermaid: toMermaid, dot: toDot, svg: toSvg
}
const FORMAT_NAMES = [...Object.keys(FORMATS), 'json']

export const graphCommand: Command = {
  name: 'graph',
  summary: 'Draw the lab: VPCs, subnets, ENIs, routes, gateways, connections and hosts',
  action: 'DescribeVpcs and others of the EC2 API, GET /status (admin API)',
  options: [
    {
      flags: '--format <format>',
      description: `${FORMAT_NAMES.join(', ')} (default: by the name of the file, or mermaid)`
    },
    { flags: '--vpc <vpc>', description: 'one VPC alone: id or Name tag' },
    { flags: '-o, --output <file>', description: 'write to a file' },
    { flags: '--no-ids', description: 'names alone: the same picture when a lab is built anew' }
  ],
  note: 'A blue edge is a route to an ENI or gateway, a red dashed one a blackhole, a violet\n' +
    'one joins a peering or VPN connection to its ends.',
  examples: [
    'vpcctl graph',
    'vpcctl graph --vpc web -o web.svg',
    'vpcctl graph --format dot | dot -Tpdf -o lab.pdf'
  ],
  async run (context, input) {
    const file = input.text('output')
    const format = input.text('format') ?? (context.output.form === 'json' ? 'json'
      : formatOf(file))
    const write = FORMATS[format]
    if (write === undefined && format !== 'json') {
      throw usageError(`--format is one of ${FORMAT_NAMES.join(', ')}, not "${format}"`)
    }
    const graph = await readGraph(context, input.text('vpc'))
    if (write === undefined && file === undefined) {
      context.output.json(graph)
      return
    }
    const text = write === undefined
      ? `${JSON.stringify(graph, null, 2)}\n`
      : await write(drawGraph(graph, { ids: input.flag('ids') }))
    if (file === undefined) context.output.text(text.trimEnd())
    else {
      await save(file, text)
      context.output.done(`Wrote ${file}.`, { File: file, Format: format })
    }
  }
}

const FORMAT_OF_END: Readonly<Record<string, string>> = {
  svg: 'svg', dot: 'dot', gv: 'dot', json: 'json', mmd: 'mermaid', mermaid: 'mermaid', md: 'mermaid'
}

/** By the end of a file's name; mermaid where it has none. */
function formatOf (file = ''): string {
  const end = /\.(\w+)$/.exec(file)?.[1]?.toLowerCase()
  if (end === undefined) return 'mermaid'
  const format = FORMAT_OF_END[end]
  if (format !== undefined) return format
  throw usageError(`No format goes with the end of ${file}; known are ` +
    `.${Object.keys(FORMAT_OF_END).join(', .')}; or say --format`)
}

async function save (file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text)
  } catch (error) {
    throw new CtlError('Usage', `Cannot write ${file}: ${(error as Error).message}`)
  }
}
