/** `vpcctl apply`: the lab becomes as a lab file says (lab_file/apply.ts). */
import { type Command, TIMEOUT_OPTION, timeoutMs } from '../command.ts'

export const LAB_FILE_ARGUMENT =
  { syntax: '<file>', description: 'a lab file (docs/lab_files.md), or - for standard input' }

export const applyCommand: Command = {
  name: 'apply',
  summary: 'Make the lab as a lab file says, changing only what differs',
  action: 'the actions of the plan; vpcd on this machine when the lab is down',
  plansDryRun: true,
  arguments: [LAB_FILE_ARGUMENT],
  options: [
    { flags: '--prune', description: 'delete what the file owned before and names no more' },
    {
      flags: '--adopt',
      description: 'replace even what has a name of the file and was not made by it'
    },
    {
      flags: '--api-port <port>',
      description: 'port of the EC2 API, for a lab that is down (default: 4566)'
    },
    TIMEOUT_OPTION
  ],
  note: 'The plan: + create, ~ change, ! replace (with what is lost), - delete, > run.\n' +
    '--dry-run prints it and changes nothing. A second apply does nothing.',
  examples: [
    'vpcctl apply labs/two_tier_web/lab.yaml',
    'vpcctl apply lab.yaml --dry-run',
    'vpcctl apply lab.yaml --prune'
  ],
  async run (context, input) {
    const [{ readLabFile }, { applyLabFile }] =
      await Promise.all([import('../lab_file/read.ts'), import('../lab_file/apply.ts')])
    const read = readLabFile(input.argument('file'))
    const result = await applyLabFile(context, read, {
      prune: input.flag('prune'),
      adopt: input.flag('adopt'),
      apiPort: input.text('apiPort'),
      timeoutMs: timeoutMs(input)
    })
    const { output } = context
    if (output.form === 'json') output.json(result)
    if (output.form !== 'human') return
    if (result.dryRun) output.text('Nothing was changed.')
    else if (result.done.length > 0) {
      output.text(`Done. The lab "${context.lab}" is as the file "${read.file.name}" says.`)
    }
  }
}
