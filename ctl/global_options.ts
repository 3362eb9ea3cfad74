/** Options of `vpcctl` itself, which stand anywhere on the command line. */
import { LAB_NAME_DEFAULT } from '../daemon/host/paths.ts'
import type { CommandOption } from './command.ts'

/** What commander makes of GLOBAL_OPTIONS. */
export interface GlobalOptions {
  readonly lab?: string | undefined
  readonly json?: true
  readonly quiet?: true
  readonly query?: string
  readonly dryRun?: true
}

export const GLOBAL_OPTIONS: readonly CommandOption[] = [
  {
    flags: '--lab <lab>',
    description: `lab to speak to (default: $VPCLAB_LAB or ${LAB_NAME_DEFAULT})`
  },
  { flags: '--json', description: 'print JSON, with the names of the aws CLI' },
  { flags: '--query <expr>', description: 'filter the JSON: JMESPath, as the aws CLI' },
  { flags: '-q, --quiet', description: 'print ids alone; with --query, bare values' },
  { flags: '--dry-run', description: 'ask whether an EC2 action is allowed, do nothing' }
]
