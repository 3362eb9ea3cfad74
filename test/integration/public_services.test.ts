/**
 *     VPC 10.0.0.0/16   subnet 10.0.1.0/24 ── internet gateway     a 10.0.1.10, an Elastic IP
 *                       subnet 10.0.2.0/24 ── NAT gateway          b 10.0.2.10
 *     the internet      S3 198.51.100.193, DynamoDB 198.51.100.209
 *
 * Names of public services lead to the stand-ins on the internet, which see the public address.
 */
import test from 'ava'
import type { AccessLogAnswer } from '../../daemon/api/admin/contract.ts'
import { ROOT, command } from '../harness/command.ts'
import type { Instance } from '../harness/instance.ts'
import { elasticIp, internetGateway } from '../harness/internet.ts'
import type { Lab } from '../harness/lab.ts'
import { natGateway } from '../harness/nat.ts'
import { withLab } from '../harness/with_lab.ts'

const S3 = 's3.us-east-1.amazonaws.com'
const DIG = ['+short', '+tries=1', '+time=5', '@169.254.169.253']

/** An HTTP request by a name that the VPC's resolver is asked for. @returns body and status */
async function fetch (from: Instance, host: string, path: string,
  ...options: readonly string[]): Promise<string> {
  const address = (await from.exec('dig', ...DIG, host)).trim()
  return await from.exec('curl', '-s', '--max-time', '5', '-w', '%{http_code}', ...options,
    '--resolve', `${host}:80:${address}`, `http://${host}${path}`)
}

async function log (lab: Lab): Promise<AccessLogAnswer['accesses']> {
  return JSON.parse(await command(`${ROOT}/bin/vpcctl`, '--lab', lab.name, 'internet', 'log',
    '--json')) as AccessLogAnswer['accesses']
}

test.serial('public services are reached by their names, and see a public address',
  withLab({ edges: 3 }, async (t, lab) => {
    const vpc = await lab.vpc('10.0.0.0/16')
    await internetGateway(lab, vpc)
    const front = await lab.subnet(vpc, '10.0.1.0/24')
    const back = await lab.subnet(vpc, '10.0.2.0/24')
    const a = await lab.instance(front, { address: '10.0.1.10', host: 'host-1' })
    const b = await lab.instance(back, { address: '10.0.2.10', host: 'host-2' })
    const { address } = await elasticIp(lab, a)
    const nat = await natGateway(lab, front, back)

    t.is((await a.exec('dig', ...DIG, S3)).trim(), '198.51.100.193')
    t.is((await a.exec('dig', ...DIG, `x.y.${S3}`)).trim(), '198.51.100.193')
    t.is((await a.exec('dig', ...DIG, 'dynamodb.eu-west-1.amazonaws.com')).trim(),
      '198.51.100.209')
    t.is((await a.exec('dig', ...DIG, 'sqs.us-east-1.amazonaws.com')).trim(), '')

    // By the internet gateway: the instance's Elastic IP. By the NAT gateway: the gateway's.
    t.is(await fetch(a, `data.${S3}`, '/', '-X', 'PUT'), '200')
    t.is(await fetch(a, `data.${S3}`, '/greeting', '-X', 'PUT', '--data-binary', 'hello'), '200')
    t.is(await fetch(b, `data.${S3}`, '/greeting'), 'hello200')
    t.is(await fetch(b, S3, '/data/greeting'), 'hello200', 'by path')
    t.regex(await fetch(b, `none.${S3}`, '/greeting'), /NoSuchBucket.*404$/s)
    t.is(await fetch(a, 'dynamodb.us-east-1.amazonaws.com', '/'),
      'healthy: dynamodb.us-east-1.amazonaws.com200')
    const calls = await log(lab)
    t.deepEqual(calls.map(({ service, caller, method, host, path, status }) =>
      [service, caller, method, host, path, status]), [
      ['s3', address, 'PUT', `data.${S3}`, '/', 200],
      ['s3', address, 'PUT', `data.${S3}`, '/greeting', 200],
      ['s3', nat.publicIp, 'GET', `data.${S3}`, '/greeting', 200],
      ['s3', nat.publicIp, 'GET', S3, '/data/greeting', 200],
      ['s3', nat.publicIp, 'GET', `none.${S3}`, '/greeting', 404],
      ['dynamodb', address, 'GET', 'dynamodb.us-east-1.amazonaws.com', '/', 200]
    ])

    // From the internet itself, whose ports are all free still.
    const server = lab.internetServer('python3', '-m', 'http.server', '80')
    t.is((await lab.tryInternet('curl', '-s', '-o', '/dev/null', '-w', '%{http_code}',
      '--retry', '20', '--retry-connrefused', '--retry-delay', '1', 'http://127.0.0.1/')).stdout,
    '200')
    await server.stop('SIGKILL')
  }))
