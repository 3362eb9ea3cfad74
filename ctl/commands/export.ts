/** `vpcctl export`: the lab file of the live lab (lab_file/write.ts). */
import { fileURLToPath } from 'node:url'
import type { Command } from '../command.ts'
import type { LiveLab } from '../lab_file/live.ts'
import { resolveId, VPC } from '../resolve.ts'

const SCHEMA_PATH = fileURLToPath(new URL('../../labs/schema.json', import.meta.url))

export const exportCommand: Command = {
  name: 'export',
  summary: 'Write the lab file of the live lab',
  action: 'DescribeVpcs and the other Describe actions',
  options: [
    { flags: '--vpc <vpc>', description: 'of one VPC: id or Name tag' },
    {
      flags: '--keys',
      description: 'write the pre-shared keys of VPN connections, too: who reads the file has them'
    },
    { flags: '--schema', description: 'print the JSON Schema of lab files instead, for editors' },
    {
      flags: '--name <name>',
      description: 'name of the file (default: of the one that made the lab, else the lab\'s)'
    }
  ],
  note: 'What has no Name tag gets a made-up name. "vpcctl apply" of the file on an empty lab\n' +
    'gives the same lab, but for the commands that were run inside its instances.',
  examples: ['vpcctl export > lab.yaml', 'vpcctl export --vpc web --json'],
  async run (context, input) {
    if (input.flag('schema')) {
      const { labFileJsonSchema } = await import('../lab_file/schema.ts')
      context.output.json(labFileJsonSchema())
      return
    }
    const [
      { readLab }, { readUnsaid }, { labFileOf, labFileText }, { connectClients }, { readConfig }
    ] = await Promise.all([
      import('../lab_file/live.ts'), import('../lab_file/unsaid.ts'),
      import('../lab_file/write.ts'), import('../lab_file/session.ts'),
      import('../../daemon/host/lab_config.ts')
    ])
    const clients = await connectClients(context)
    const [live, unsaid, status] = await Promise.all([
      readLab(clients, { owner: null, madeUpNames: true, wantsUserData: () => true }),
      readUnsaid(clients.ec2),
      context.admin.status()])
    const reference = input.text('vpc')
    const id = reference === undefined ? null : await resolveId(clients.ec2, VPC, reference)
    const vpc = id === null
      ? null
      : [...live.resources.values()].find((resource) => resource.id === id)?.name ?? id
    const written = labFileOf({ ...live, unsaid: [...live.unsaid, ...unsaid] }, {
      name: input.text('name') ?? onlyOwner(live) ?? context.lab,
      hosts: Object.fromEntries(status.hosts.filter(({ roles }) => roles.includes('compute'))
        .map(({ name, zoneId }) => [name, zoneId])),
      edges: status.hosts.filter(({ roles }) => roles.includes('edge')).length,
      region: status.region,
      underlayMtu: readConfig(context.lab)?.underlayMtu,
      vpc,
      keys: input.flag('keys')
    })
    const { output } = context
    if (output.form === 'json') output.json(written.file)
    else output.text(labFileText(written, SCHEMA_PATH).trimEnd())
  }
}

/** The file that owns all that is owned. */
function onlyOwner (live: LiveLab): string | undefined {
  const owners = new Set([...live.resources.values()].flatMap(({ owner }) => owner ?? []))
  const [only] = owners
  return owners.size === 1 ? only : undefined
}
