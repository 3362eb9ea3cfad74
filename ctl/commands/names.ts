/** `vpcctl names`: the names of VPCs, ENIs and hosts, where the Wireshark dissector finds them. */
import type { Command } from '../command.ts'
import { type NameRow, readNames, writeNames } from '../names_file.ts'
import type { Column } from '../print/table.ts'

const COLUMNS: readonly Column<NameRow>[] = [
  { header: 'kind', value: ({ kind }) => kind },
  { header: 'key', value: ({ key }) => key },
  { header: 'names', value: ({ fields }) => fields.filter((field) => field !== '').join(' ') }
]

export const namesCommand: Command = {
  name: 'names',
  summary: 'Write the names that Wireshark shows for VNIs and ENIs, and print them',
  action: 'DescribeVpcs and DescribeNetworkInterfaces into a file of this machine',
  options: [{
    flags: '-w, --write <file>',
    description: 'where to write them (default: names.tsv in the run directory of the lab)'
  }],
  note: 'The dissector tools/wireshark/vpclab.lua reads them and reads them again when they\n' +
    'change; "vpcctl capture" keeps them current while it runs. The key of a VPC is its VNI.',
  examples: ['vpcctl names', 'vpcctl names --write /tmp/names.tsv'],
  async run (context, input) {
    const rows = await readNames(context)
    const path = writeNames(context.lab, rows, input.text('write'))
    context.output.rows(rows, COLUMNS, ({ key }) => key)
    context.output.note(`Written to ${path}`)
  }
}
