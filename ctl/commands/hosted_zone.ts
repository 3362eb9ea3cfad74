/**
 * `vpcctl hosted-zone …`: private hosted zones of Route 53. Route 53 Developer Guide, "Working with
 * private hosted zones". A zone is named by its id or by its domain.
 */
import type { ChangeInfo, VPC as ZoneVpc } from '@aws-sdk/client-route-53'
import { randomBytes } from 'node:crypto'
import { type Command, type CommandOption, defineCommand, type Input } from '../command.ts'
import type { Context } from '../context.ts'
import { CtlError } from '../exit_codes.ts'
import {
  bareId, connectRoute53, listRecordSets, listZones, plainName, type RecordSet, recordSetElement,
  type RecordSetInput, type Zone
} from '../hosted_zones.ts'
import type { Column } from '../print/table.ts'
import { resolveId, VPC } from '../resolve.ts'
import type { Route53Client, XmlValue } from '../route53_client.ts'

const ZONE_ARGUMENT = { syntax: '<zone>', description: 'id or domain of a hosted zone' }
const VPC_ARGUMENT = { syntax: '<vpc>', description: 'id or name of a VPC' }
const NAME_ARGUMENT = { syntax: '<name>', description: 'whole domain name of the records' }
const TYPE_ARGUMENT = {
  syntax: '<type>', description: 'A, AAAA, CAA, CNAME, MX, NS, PTR, SOA, SRV or TXT'
}
const TTL_OPTION: CommandOption =
  { flags: '--ttl <seconds>', description: 'how long an answer may be kept (default: 60)' }
const TTL_S_DEFAULT = '60'
const TTL_S_MAX = 2_147_483_647
/** How long the hosts may take to answer accordingly. */
const WAIT_MS_MAX = 30_000

interface Submitted { readonly ChangeInfo: ChangeInfo }

const COLUMNS: readonly Column<Zone>[] = [
  { header: 'zone', value: ({ Id }) => bareId(Id) },
  { header: 'domain', value: ({ Name }) => Name ?? '' },
  { header: 'records', value: ({ ResourceRecordSetCount: count }) => count ?? '' },
  { header: 'comment', value: ({ Config }) => Config?.Comment ?? '', shrinks: true }
]

const RECORD_COLUMNS: readonly Column<RecordSet>[] = [
  { header: 'name', value: ({ Name }) => Name ?? '' },
  { header: 'type', value: ({ Type }) => Type ?? '' },
  { header: 'ttl', value: ({ TTL }) => TTL ?? '' },
  { header: 'values', value: (set) => valuesOf(set).join(', '), shrinks: true }
]

const valuesOf = ({ ResourceRecords: records = [] }: RecordSet): string[] =>
  records.map(({ Value }) => Value ?? '')

/** The id of a zone that is named by it, or by its domain. */
async function zoneIdOf (client: Route53Client, text: string): Promise<string> {
  if (/^(\/hostedzone\/)?Z[0-9A-Z]{17}$/.test(text)) return bareId(text)
  const domain = `${text.toLowerCase().replace(/\.$/, '')}.`
  const [zone, ...more] = (await listZones(client)).filter(({ Name }) => Name === domain)
  if (zone === undefined) {
    throw new CtlError('NameNotFound', `No hosted zone is called "${text}": ` +
      '"vpcctl hosted-zone list" shows them')
  }
  if (more.length > 0) {
    throw new CtlError('NameAmbiguous', `Several hosted zones are called "${text}": name one by ` +
      `its id, ${[zone, ...more].map(({ Id }) => bareId(Id)).join(' or ')}`)
  }
  return bareId(zone.Id)
}

async function vpcElement (context: Context, text: string): Promise<{ VPC: XmlValue }> {
  const [vpcId, { region }] =
    await Promise.all([resolveId(await context.ec2(), VPC, text), context.admin.credentials()])
  return { VPC: { VPCRegion: region, VPCId: vpcId } }
}

/** Waits until every host answers accordingly. */
async function finish (context: Context, client: Route53Client, { ChangeInfo: info }: Submitted,
  sentence: string): Promise<void> {
  await context.output.progress('Waiting for the hosts', async () => {
    const { appliedRevision, revision } = await context.admin.status()
    if (appliedRevision < revision) await context.admin.wait(revision, WAIT_MS_MAX)
  })
  const now: Submitted = await client.call({ method: 'GET', path: `change/${bareId(info.Id)}` })
  context.output.done(sentence, now.ChangeInfo)
}

async function changeRecords (context: Context, client: Route53Client, zone: string,
  action: string, set: RecordSetInput, sentence: string): Promise<void> {
  const submitted: Submitted = await client.call({
    method: 'POST', path: `hostedzone/${zone}/rrset`,
    body: ['ChangeResourceRecordSetsRequest',
      { ChangeBatch: { Changes: { Change: recordSetElement(action, set) } } }]
  })
  await finish(context, client, submitted, sentence)
}

/** The commands that say whether a VPC sees a zone. */
function associationCommand (name: string, action: string, path: string, summary: string):
Command {
  return defineCommand({
    name,
    summary,
    action: `${action} (Route 53)`,
    arguments: [ZONE_ARGUMENT, VPC_ARGUMENT],
    examples: [`vpcctl hosted-zone ${name} corp.example web`],
    async run (context, input) {
      const client = await connectRoute53(context)
      const zone = await zoneIdOf(client, input.argument('zone'))
      const vpc = input.argument('vpc')
      const submitted: Submitted = await client.call({
        method: 'POST', path: `hostedzone/${zone}/${path}`,
        body: [`${action}Request`, await vpcElement(context, vpc)]
      })
      const verb = name === 'associate' ? 'sees' : 'does not see'
      await finish(context, client, submitted, `${vpc} ${verb} ${zone}.`)
    }
  })
}

function ttlOf (input: Input): string {
  return String(input.integer('ttl', 0, TTL_S_MAX) ?? TTL_S_DEFAULT)
}

const zoneCommands: readonly Command[] = [
  defineCommand({
    name: 'create',
    summary: 'Create a private hosted zone that a VPC sees',
    action: 'CreateHostedZone (Route 53)',
    arguments: [{ syntax: '<domain>', description: 'such as corp.example' }, VPC_ARGUMENT],
    options: [{ flags: '--comment <text>', description: 'what it is for' }],
    note: 'A VPC sees its zones while both of its DNS attributes are on: "vpcctl vpc set <vpc> ' +
      '--dns-hostnames on".',
    examples: ['vpcctl hosted-zone create corp.example web'],
    async run (context, input) {
      const client = await connectRoute53(context)
      const comment = input.text('comment')
      const { HostedZone: zone } = await client.call<{ readonly HostedZone: Zone }>({
        method: 'POST', path: 'hostedzone', body: ['CreateHostedZoneRequest', {
          Name: input.argument('domain'),
          ...await vpcElement(context, input.argument('vpc')),
          CallerReference: randomBytes(16).toString('hex'),
          ...comment === undefined ? {} : { HostedZoneConfig: { Comment: comment } }
        }]
      })
      context.output.row(zone, COLUMNS, ({ Id }) => bareId(Id))
    }
  }),
  defineCommand({
    name: 'list',
    summary: 'List hosted zones',
    action: 'ListHostedZones (Route 53)',
    examples: ['vpcctl hosted-zone list'],
    async run (context) {
      const zones = await listZones(await connectRoute53(context))
      context.output.rows(zones, COLUMNS, ({ Id }) => bareId(Id))
    }
  }),
  defineCommand({
    name: 'show',
    summary: 'Show a hosted zone and the VPCs that see it',
    action: 'GetHostedZone (Route 53)',
    arguments: [ZONE_ARGUMENT],
    examples: ['vpcctl hosted-zone show corp.example'],
    async run (context, input) {
      const client = await connectRoute53(context)
      const id = await zoneIdOf(client, input.argument('zone'))
      const { HostedZone: zone, VPCs: vpcs } = await client.call<
        { readonly HostedZone: Zone, readonly VPCs: readonly ZoneVpc[] }>(
        { method: 'GET', path: `hostedzone/${id}` })
      context.output.tree({ ...zone, VPCs: vpcs }, id)
    }
  }),
  defineCommand({
    name: 'delete',
    summary: 'Delete a hosted zone that has no records of its own',
    action: 'DeleteHostedZone (Route 53)',
    arguments: [ZONE_ARGUMENT],
    examples: ['vpcctl hosted-zone delete corp.example'],
    async run (context, input) {
      const client = await connectRoute53(context)
      const id = await zoneIdOf(client, input.argument('zone'))
      const submitted: Submitted =
        await client.call({ method: 'DELETE', path: `hostedzone/${id}` })
      await finish(context, client, submitted, `Deleted ${id}.`)
    }
  }),
  associationCommand('associate', 'AssociateVPCWithHostedZone', 'associatevpc',
    'Let a VPC see a hosted zone'),
  associationCommand('disassociate', 'DisassociateVPCFromHostedZone', 'disassociatevpc',
    'Hide a hosted zone from a VPC')
]

const recordCommands: readonly Command[] = [
  defineCommand({
    name: 'records',
    summary: 'List the records of a hosted zone',
    action: 'ListResourceRecordSets (Route 53)',
    arguments: [ZONE_ARGUMENT],
    examples: ['vpcctl hosted-zone records corp.example'],
    async run (context, input) {
      const client = await connectRoute53(context)
      const sets = await listRecordSets(client, await zoneIdOf(client, input.argument('zone')))
      context.output.rows(sets, RECORD_COLUMNS, ({ Name }) => Name)
    }
  }),
  defineCommand({
    name: 'set-record',
    summary: 'Set the records of a name and type',
    action: 'ChangeResourceRecordSets (Route 53)',
    arguments: [ZONE_ARGUMENT, NAME_ARGUMENT, TYPE_ARGUMENT,
      { syntax: '<value...>', description: 'as in a zone file; a text in quotation marks' }],
    options: [TTL_OPTION],
    examples: [
      'vpcctl hosted-zone set-record corp.example app.corp.example A 10.0.1.10 10.0.1.11',
      'vpcctl hosted-zone set-record corp.example corp.example MX "10 mail.corp.example"'
    ],
    async run (context, input) {
      const client = await connectRoute53(context)
      const zone = await zoneIdOf(client, input.argument('zone'))
      const set = {
        name: input.argument('name'), type: input.argument('type').toUpperCase(),
        ttl: ttlOf(input), values: input.rest('value')
      }
      await changeRecords(context, client, zone, 'UPSERT', set, `Set ${set.type} of ${set.name}.`)
    }
  }),
  defineCommand({
    name: 'delete-record',
    summary: 'Delete the records of a name and type',
    action: 'ChangeResourceRecordSets (Route 53)',
    arguments: [ZONE_ARGUMENT, NAME_ARGUMENT, TYPE_ARGUMENT],
    examples: ['vpcctl hosted-zone delete-record corp.example app.corp.example A'],
    async run (context, input) {
      const client = await connectRoute53(context)
      const zone = await zoneIdOf(client, input.argument('zone'))
      const [name, type] = [input.argument('name'), input.argument('type').toUpperCase()]
      const set = (await listRecordSets(client, zone)).find(({ Name = '', Type }) =>
        Type === type && plainName(Name) === plainName(name))
      if (set === undefined) {
        throw new CtlError('NameNotFound', `The hosted zone has no ${type} records of "${name}": ` +
          `"vpcctl hosted-zone records ${zone}" shows what it has`)
      }
      await changeRecords(context, client, zone, 'DELETE',
        { name, type, ttl: set.TTL ?? TTL_S_DEFAULT, values: valuesOf(set) },
        `Deleted ${type} of ${name}.`)
    }
  })
]

export const hostedZoneCommands: readonly Command[] = [...zoneCommands, ...recordCommands]
