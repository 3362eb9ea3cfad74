/**
 * What tests of internet gateways do again and again: a gateway with its route, an Elastic IP, a
 * web server that says who it is and who calls.
 */
import * as ec2 from '@aws-sdk/client-ec2'
import { type Background, eventually } from './command.ts'
import type { Instance } from './instance.ts'
import type { Lab, TestVpc } from './lab.ts'

/** A host on the internet of a lab. */
export const OUTSIDE = '198.51.100.10'
export const OUTSIDE_IPV6 = '2001:db8:ffff::10'

/** Answers every request with its name and the address of the caller. */
const WEB_SERVER = `
import http.server, socket, sys
class Handler(http.server.BaseHTTPRequestHandler):
  def do_GET(self):
    caller = self.client_address[0].replace('::ffff:', '')
    body = (sys.argv[1] + ' ' + caller + '\\n').encode()
    self.send_response(200)
    self.send_header('Content-Length', str(len(body)))
    self.end_headers()
    self.wfile.write(body)
  def log_message(self, *words):
    pass
class Server(http.server.ThreadingHTTPServer):
  address_family = socket.AF_INET6
Server(('::', 80), Handler).serve_forever()
`

/** Arguments of `python3` for a web server of that name on port 80. */
export function webServer (name: string): string[] { return ['-c', WEB_SERVER, name] }

/** An internet gateway of the VPC, with a route to it in the main table, in both families. */
export async function internetGateway (
  lab: Lab, vpc: TestVpc): Promise<{ id: string, routeTableId: string }> {
  const { InternetGateway } = await lab.ec2.send(new ec2.CreateInternetGatewayCommand({}))
  const id = InternetGateway?.InternetGatewayId ?? ''
  await lab.ec2.send(new ec2.AttachInternetGatewayCommand(
    { InternetGatewayId: id, VpcId: vpc.id }))
  const { RouteTables = [] } = await lab.ec2.send(new ec2.DescribeRouteTablesCommand({
    Filters: [
      { Name: 'vpc-id', Values: [vpc.id] }, { Name: 'association.main', Values: ['true'] }
    ]
  }))
  const routeTableId = RouteTables[0]?.RouteTableId ?? ''
  const families = [
    { DestinationCidrBlock: '0.0.0.0/0' },
    ...vpc.ipv6Cidr === '' ? [] : [{ DestinationIpv6CidrBlock: '::/0' }]
  ]
  for (const destination of families) {
    await lab.ec2.send(new ec2.CreateRouteCommand(
      { RouteTableId: routeTableId, GatewayId: id, ...destination }))
  }
  return { id, routeTableId }
}

export interface ElasticIp { readonly address: string, readonly allocationId: string }

/** A new Elastic IP, of an instance's primary address. */
export async function elasticIp (lab: Lab, instance: Instance): Promise<ElasticIp> {
  const { PublicIp = '', AllocationId = '' } =
    await lab.ec2.send(new ec2.AllocateAddressCommand({ Domain: 'vpc' }))
  await associate(lab, AllocationId, instance)
  return { address: PublicIp, allocationId: AllocationId }
}

/** Gives an Elastic IP to an instance, whoever has it now. */
export async function associate (
  lab: Lab, allocationId: string, instance: Instance): Promise<void> {
  await lab.ec2.send(new ec2.AssociateAddressCommand({
    AllocationId: allocationId, InstanceId: instance.id, AllowReassociation: true
  }))
  await lab.waitApplied()
}

/** The default group of a VPC, open to everybody. */
export async function openGroup (lab: Lab, vpc: TestVpc): Promise<void> {
  const { SecurityGroups = [] } = await lab.ec2.send(new ec2.DescribeSecurityGroupsCommand({
    Filters: [{ Name: 'vpc-id', Values: [vpc.id] }]
  }))
  await lab.ec2.send(new ec2.AuthorizeSecurityGroupIngressCommand({
    GroupId: SecurityGroups[0]?.GroupId ?? '',
    IpPermissions: [{
      IpProtocol: '-1', IpRanges: [{ CidrIp: '0.0.0.0/0' }], Ipv6Ranges: [{ CidrIpv6: '::/0' }]
    }]
  }))
}

/** Waits until a web server answers on the machine's side of `fetch`. */
export async function listening (
  server: Background, fetch: () => Promise<string>): Promise<void> {
  await eventually('the web server listens', async () => {
    if (!server.running) throw new Error(`the web server ended: ${server.output}`)
    return await fetch().then(() => true, () => false)
  })
}
