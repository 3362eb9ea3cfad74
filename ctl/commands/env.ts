/**
 * `vpcctl env`: what a shell needs so that stock AWS tools speak to the lab.
 *
 * Releases of the aws CLI before 2.13 (Debian 12 has 2.9) do not read AWS_ENDPOINT_URL, and would
 * speak to Amazon; a shell function named `aws` tells them. `--json` has the variables alone.
 */
import type { Command } from '../command.ts'

export const envCommand: Command = {
  name: 'env',
  summary: 'Print the shell variables that point the aws CLI and SDKs at the lab',
  action: 'GET /credentials (admin API)',
  examples: ['eval "$(vpcctl env)" && aws ec2 describe-vpcs', 'vpcctl env --json'],
  async run (context) {
    const credentials = await context.admin.credentials()
    const variables: Record<string, string> = {
      VPCLAB_LAB: context.lab,
      AWS_ENDPOINT_URL: credentials.endpointUrl,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_REGION: credentials.region,
      AWS_DEFAULT_REGION: credentials.region
    }
    if (context.output.form === 'json') context.output.json(variables)
    else context.output.text(shellExports(variables))
  }
}

/** Last, so that a shell which joins the lines (`eval $(vpcctl env)`) still has the variables. */
const AWS_FUNCTION = `\
# Releases of the aws CLI before 2.13 do not read AWS_ENDPOINT_URL: this tells them.
aws () { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }`

/** Lines for `eval` in any POSIX shell. A profile, or a token of other keys, would spoil these. */
export function shellExports (variables: Readonly<Record<string, string>>): string {
  return [
    ...Object.entries(variables).map(([name, value]) => `export ${name}=${quote(value)}`),
    'unset AWS_SESSION_TOKEN AWS_PROFILE AWS_DEFAULT_PROFILE',
    'export NO_PROXY="127.0.0.1,localhost${NO_PROXY:+,$NO_PROXY}" no_proxy="$NO_PROXY"',
    AWS_FUNCTION
  ].join('\n')
}

function quote (text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll('\'', '\'\\\'\'')}'`
}
