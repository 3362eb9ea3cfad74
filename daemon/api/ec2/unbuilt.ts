/**
 * Parameters that EC2 has and vpclab has not. Ignoring one would be a success that did not happen,
 * so an action names the parameters it knows, and anything else in its input is refused.
 */
import { AwsError } from '../../model/aws_error.ts'

/** What every call may have; the runner looks after it. */
const COMMON = new Set(['DryRun', 'ClientToken'])

/**
 * @param built names of the SDK's members that the action acts on
 * @throws AwsError UnsupportedOperation naming the first other parameter that is not `false`
 */
export function refuseUnbuilt<Input extends object> (action: string, input: Input,
  built: readonly (keyof Input & string)[]): void {
  for (const [name, value] of Object.entries(input)) {
    if (value === undefined || value === false || COMMON.has(name) ||
      (built as readonly string[]).includes(name)) {
      continue
    }
    throw new AwsError('UnsupportedOperation',
      `The parameter ${name} of ${action} is not built in vpclab.`)
  }
}
