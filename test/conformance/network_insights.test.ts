/**
 * Reachability Analyzer by the stock AWS command line:
 *
 *     two instances in two subnets ─▶ path ─▶ analysis: found ─▶ a rule goes ─▶ analysis: why not
 */
import test from 'ava'
import { commandLine } from './command_line.ts'
import { openEndpoint } from './endpoint.ts'

interface Component {
  readonly Component?: { readonly Id: string }
  readonly SecurityGroupRule?: { readonly Cidr: string, readonly Direction: string }
  readonly AclRule?: { readonly RuleNumber: number }
  readonly RouteTableRoute?: { readonly DestinationCidr: string }
}
interface Analysis {
  readonly NetworkInsightsAnalysisId: string
  readonly Status: string
  readonly NetworkPathFound: boolean
  readonly ForwardPathComponents: readonly Component[]
  readonly ReturnPathComponents: readonly Component[]
  readonly Explanations: readonly {
    readonly ExplanationCode: string
    readonly Direction: string
    readonly SecurityGroups?: readonly { readonly Id: string }[]
    readonly Acl?: { readonly Id: string }
  }[]
}

test('the AWS command line asks whether an instance can reach another one', async (t) => {
  const endpoint = await openEndpoint({ hostZoneIds: ['use1-az1', 'use1-az2'] })
  t.teardown(async () => { await endpoint.close() })
  const aws = commandLine(endpoint)
  const done = async (...words: string[]): Promise<Record<string, unknown>> => {
    const { code, output } = await aws(...words)
    t.is(code, '', words.join(' '))
    return output
  }
  const made = async (noun: string, ...words: string[]): Promise<Record<string, string>> =>
    (await done(...words))[noun] as Record<string, string>
  const vpc = (await made('Vpc', 'create-vpc', '--cidr-block', '10.0.0.0/16'))['VpcId'] ?? ''
  const run = async (cidr: string, zone: string): Promise<string> => {
    const subnet = await made('Subnet', 'create-subnet', '--vpc-id', vpc, '--cidr-block', cidr,
      '--availability-zone', zone)
    const { Instances } = await done('run-instances', '--image-id', 'ami-00000000000000001',
      '--instance-type', 't3.micro', '--subnet-id', subnet['SubnetId'] ?? '')
    return (Instances as { InstanceId: string }[])[0]?.InstanceId ?? ''
  }
  const web = await run('10.0.1.0/24', 'us-east-1a')
  const db = await run('10.0.2.0/24', 'us-east-1b')
  const { SecurityGroups: groups } = await done('describe-security-groups')
  const [{ GroupId: group } = { GroupId: '' }] = groups as { GroupId: string }[]

  const { NetworkInsightsPathId: path = '' } = await made('NetworkInsightsPath',
    'create-network-insights-path', '--source', web, '--destination', db, '--protocol', 'tcp',
    '--destination-port', '5432')
  t.regex(path, /^nip-0[0-9a-f]{16}$/)
  const start = async (): Promise<Analysis> => {
    const { NetworkInsightsAnalysis: begun } = await done('start-network-insights-analysis',
      '--network-insights-path-id', path)
    const { NetworkInsightsAnalyses: all } = await done('describe-network-insights-analyses',
      '--network-insights-analysis-ids', (begun as Analysis).NetworkInsightsAnalysisId)
    return (all as Analysis[])[0]!
  }

  const found = await start()
  t.is(found.Status, 'succeeded')
  t.true(found.NetworkPathFound)
  t.deepEqual(found.Explanations, [])
  const ids = found.ForwardPathComponents.map(({ Component: component }) => component?.Id)
  t.is(ids[0], web)
  t.is(ids.at(-1), db)
  t.true(found.ForwardPathComponents.some(({ RouteTableRoute: route }) =>
    route?.DestinationCidr === '10.0.0.0/16'))
  t.true(found.ForwardPathComponents.some(({ AclRule: rule }) => rule?.RuleNumber === 100))
  t.is(found.ReturnPathComponents[0]?.Component?.Id, db)

  await done('revoke-security-group-ingress', '--group-id', group, '--protocol', '-1',
    '--source-group', group)
  const refused = await start()
  t.false(refused.NetworkPathFound)
  const [why] = refused.Explanations
  t.is(why?.ExplanationCode, 'ENI_SG_RULES_MISMATCH')
  t.is(why?.Direction, 'ingress')
  t.deepEqual(why?.SecurityGroups?.map(({ Id }) => Id), [group])

  t.is((await aws('delete-network-insights-path', '--network-insights-path-id', path)).code,
    'AnalysisExistsForNetworkInsightsPath')
  for (const { NetworkInsightsAnalysisId: id } of [found, refused]) {
    await done('delete-network-insights-analysis', '--network-insights-analysis-id', id)
  }
  await done('delete-network-insights-path', '--network-insights-path-id', path)
  t.is((await aws('start-network-insights-analysis', '--network-insights-path-id', path)).code,
    'InvalidNetworkInsightsPathId.NotFound')
})
