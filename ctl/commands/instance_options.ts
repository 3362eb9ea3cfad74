/**
 * What an instance is told about itself: its metadata service, the names that the resolver answers
 * for it, and the account's defaults. EC2 User Guide, "Instance metadata and user data".
 */
import { type Command, defineCommand, type Input } from '../command.ts'
import type { QueryInput } from '../ec2_query.ts'
import { usageError } from '../exit_codes.ts'
import { INSTANCE, resolveId } from '../resolve.ts'

const INSTANCE_ARGUMENT = { syntax: '<instance>', description: 'id or Name tag' }
const HOPS_MAX = 64
/** What takes a default away, in EC2's words; -1 for the hop limit. */
const NO_PREFERENCE = 'no-preference'

const METADATA_OPTIONS = [
  {
    flags: '--tokens <optional|required>', description: 'required: version 2 alone',
    values: ['optional', 'required']
  },
  { flags: '--hop-limit <hops>', description: 'hops that the answer with a token survives' },
  { flags: '--endpoint <on|off>', description: 'off forbids everything' },
  { flags: '--tags <on|off>', description: 'on shows the instance\'s tags' }
]

function onOffState (value: boolean | undefined): string | undefined {
  if (value === undefined) return undefined
  return value ? 'enabled' : 'disabled'
}

function metadataChanges (input: Input): QueryInput {
  return given({
    HttpTokens: input.text('tokens'),
    HttpPutResponseHopLimit: input.integer('hopLimit', 1, HOPS_MAX),
    HttpEndpoint: onOffState(input.onOff('endpoint')),
    InstanceMetadataTags: onOffState(input.onOff('tags'))
  })
}

/** Only what was given. */
function given (changes: QueryInput): QueryInput {
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined))
}

function refuseNothing (changes: QueryInput): void {
  if (Object.keys(changes).length === 0) throw usageError('an option is needed')
}

export const instanceOptionCommands: readonly Command[] = [
  defineCommand({
    name: 'set-metadata',
    summary: 'Change how an instance reaches its metadata',
    action: 'ModifyInstanceMetadataOptions',
    arguments: [INSTANCE_ARGUMENT],
    options: [
      ...METADATA_OPTIONS,
      { flags: '--ipv6 <on|off>', description: 'also at fd00:ec2::254' }
    ],
    examples: [
      'vpcctl instance set-metadata a --tokens required',
      'vpcctl instance set-metadata a --hop-limit 2 --tags on'
    ],
    async run (context, input) {
      const changes = {
        ...metadataChanges(input), ...given({ HttpProtocolIpv6: onOffState(input.onOff('ipv6')) })
      }
      refuseNothing(changes)
      const ec2 = await context.ec2()
      const InstanceId = await resolveId(ec2, INSTANCE, input.argument('instance'))
      const answer = await ec2.call('ModifyInstanceMetadataOptions', { InstanceId, ...changes })
      context.output.tree(answer, InstanceId)
    }
  }),
  defineCommand({
    name: 'set-names',
    summary: 'Change which private names of an instance are answered',
    action: 'ModifyPrivateDnsNameOptions',
    arguments: [INSTANCE_ARGUMENT],
    options: [
      {
        flags: '--hostname <kind>', description: 'what it is called; the instance must be stopped',
        values: ['ip-name', 'resource-name']
      },
      { flags: '--resource-name-a <on|off>', description: 'answer i-….ec2.internal by A records' },
      { flags: '--resource-name-aaaa <on|off>', description: 'the same by AAAA records' }
    ],
    examples: ['vpcctl instance set-names a --resource-name-a on'],
    async run (context, input) {
      const changes = given({
        PrivateDnsHostnameType: input.text('hostname'),
        EnableResourceNameDnsARecord: input.onOff('resourceNameA'),
        EnableResourceNameDnsAAAARecord: input.onOff('resourceNameAaaa')
      })
      refuseNothing(changes)
      const ec2 = await context.ec2()
      const InstanceId = await resolveId(ec2, INSTANCE, input.argument('instance'))
      await ec2.call('ModifyPrivateDnsNameOptions', { InstanceId, ...changes })
      context.output.done(`Changed ${InstanceId}.`, { InstanceId, ...changes })
    }
  }),
  defineCommand({
    name: 'metadata-defaults',
    summary: 'Show or change the metadata options of new instances',
    action: 'GetInstanceMetadataDefaults, ModifyInstanceMetadataDefaults',
    options: [
      ...METADATA_OPTIONS,
      { flags: '--clear', description: 'take every default away' }
    ],
    examples: [
      'vpcctl instance metadata-defaults', 'vpcctl instance metadata-defaults --tokens required',
      'vpcctl instance metadata-defaults --clear'
    ],
    async run (context, input) {
      const ec2 = await context.ec2()
      const changes = input.flag('clear')
        ? {
          HttpTokens: NO_PREFERENCE, HttpPutResponseHopLimit: -1, HttpEndpoint: NO_PREFERENCE,
          InstanceMetadataTags: NO_PREFERENCE
        }
        : metadataChanges(input)
      if (Object.keys(changes).length > 0) {
        await ec2.call('ModifyInstanceMetadataDefaults', changes)
      }
      const { AccountLevel } = await ec2.call('GetInstanceMetadataDefaults', {})
      context.output.tree(AccountLevel ?? {}, 'metadata defaults')
    }
  })
]
