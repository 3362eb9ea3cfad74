/** The client against a server that answers as EC2 does, on a loopback port. */
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { Ec2Client } from './ec2_client.ts'
import { INSTANCE, resolveId, VPC } from './resolve.ts'

interface Received {
  readonly headers: IncomingMessage['headers']
  readonly parameters: URLSearchParams
}

/** A client, what its server received, and the server's answers. */
async function makeClient (t: ExecutionContext, options: { dryRun?: boolean },
  answer: (parameters: URLSearchParams) => { status?: number, xml: string }):
  Promise<{ client: Ec2Client, received: Received[] }> {
  const received: Received[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => { body += chunk.toString() })
    request.on('end', () => {
      const parameters = new URLSearchParams(body)
      received.push({ headers: request.headers, parameters })
      const { status = 200, xml } = answer(parameters)
      response.writeHead(status).end(xml)
    })
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => server.close())
  const client = new Ec2Client({
    endpointUrl: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    region: 'us-east-1',
    accessKeyId: 'AKIDEXAMPLE',
    secretAccessKey: 'secret',
    clock: { nowMs: () => Date.UTC(2026, 0, 1), monotonicMs: () => 0 },
    dryRun: options.dryRun ?? false
  })
  return { client, received }
}

function vpcs (ids: readonly string[], nextToken?: string): { xml: string } {
  const items = ids.map((id) => `<item><vpcId>${id}</vpcId></item>`).join('')
  const token = nextToken === undefined ? '' : `<nextToken>${nextToken}</nextToken>`
  return { xml: `<DescribeVpcsResponse><vpcSet>${items}</vpcSet>${token}</DescribeVpcsResponse>` }
}

test('Ec2Client signs every call', async (t) => {
  const { client, received } = await makeClient(t, {}, () => vpcs([]))
  await client.call('DescribeVpcs', {})
  t.regex(received[0]?.headers.authorization ?? '',
    /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/20260101\/us-east-1\/ec2\/aws4_request, /)
  t.is(received[0]?.headers['x-amz-date'], '20260101T000000Z')
})

test('Ec2Client.all follows the tokens until there is none', async (t) => {
  const { client, received } = await makeClient(t, {}, (parameters) =>
    parameters.get('NextToken') === 'two' ? vpcs(['vpc-3']) : vpcs(['vpc-1', 'vpc-2'], 'two'))
  const found = await client.all('DescribeVpcs', {}, (page) => page.Vpcs)
  t.deepEqual(found.map(({ VpcId }) => VpcId), ['vpc-1', 'vpc-2', 'vpc-3'])
  t.deepEqual(received.map(({ parameters }) => parameters.get('NextToken')), [null, 'two'])
})

test('Ec2Client throws AWS\'s code when a call is refused', async (t) => {
  const { client } = await makeClient(t, {}, () => ({
    status: 400,
    xml: '<Response><Errors><Error><Code>VpcLimitExceeded</Code><Message>Too many.</Message>' +
      '</Error></Errors><RequestID>1</RequestID></Response>'
  }))
  await t.throwsAsync(client.call('CreateVpc', {}),
    { message: 'Too many.', code: 'VpcLimitExceeded' })
})

test('Ec2Client sends DryRun with changes alone when asked to', async (t) => {
  const { client, received } = await makeClient(t, { dryRun: true }, (parameters) =>
    parameters.get('Action') === 'DescribeVpcs'
      ? vpcs([])
      : { xml: '<DeleteVpcResponse><return>true</return></DeleteVpcResponse>' })
  await client.call('DescribeVpcs', {})
  await client.call('DeleteVpc', { VpcId: 'vpc-1' })
  t.deepEqual(received.map(({ parameters }) => parameters.get('DryRun')), [null, 'true'])
})

test('Ec2Client says which address cannot be reached', async (t) => {
  const client = new Ec2Client({
    endpointUrl: 'http://127.0.0.1:1',
    region: 'us-east-1',
    accessKeyId: 'a',
    secretAccessKey: 'b',
    clock: { nowMs: () => 0, monotonicMs: () => 0 },
    dryRun: false
  })
  await t.throwsAsync(client.call('DescribeVpcs', {}), {
    code: 'VPCLAB_ERR_LAB_DOWN', message: /http:\/\/127\.0\.0\.1:1 cannot be reached/
  })
})

test('resolveId takes an id as it is', async (t) => {
  const { client, received } = await makeClient(t, {}, () => vpcs([]))
  t.is(await resolveId(client, VPC, 'vpc-1'), 'vpc-1')
  t.is(received.length, 0)
})

test('resolveId finds the one resource with the name, wildcards taken literally', async (t) => {
  const { client, received } = await makeClient(t, {}, () => vpcs(['vpc-1']))
  t.is(await resolveId(client, VPC, 'a*b?c\\d'), 'vpc-1')
  t.is(received[0]?.parameters.get('Filter.1.Name'), 'tag:Name')
  t.is(received[0]?.parameters.get('Filter.1.Value.1'), 'a\\*b\\?c\\\\d')
})

test('resolveId refuses a name that nothing has, and one that two have', async (t) => {
  const { client } = await makeClient(t, {}, (parameters) =>
    vpcs(parameters.get('Filter.1.Value.1') === 'twice' ? ['vpc-1', 'vpc-2'] : []))
  await t.throwsAsync(resolveId(client, VPC, 'web'),
    { code: 'NameNotFound', message: 'No VPC has the Name tag "web"; an id begins with "vpc-"' })
  await t.throwsAsync(resolveId(client, VPC, 'twice'),
    { code: 'NameAmbiguous', message: /2 VPCs .* vpc-1, vpc-2$/ })
})

test('resolveId leaves terminated instances out', async (t) => {
  const { client, received } = await makeClient(t, {}, () => ({
    xml: '<DescribeInstancesResponse><reservationSet><item><instancesSet><item>' +
      '<instanceId>i-1</instanceId></item></instancesSet></item></reservationSet>' +
      '</DescribeInstancesResponse>'
  }))
  t.is(await resolveId(client, INSTANCE, 'a'), 'i-1')
  t.is(received[0]?.parameters.get('Filter.2.Name'), 'instance-state-name')
  t.false([...received[0]?.parameters.values() ?? []].includes('terminated'))
})
