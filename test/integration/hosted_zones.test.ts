/**
 *     VPC A 10.0.0.0/16   a 10.0.1.10   host-1        zone corp.example ── VPC A, later VPC B
 *     VPC B 10.0.0.0/16   b 10.0.1.10   host-2        zone db.corp.example ── VPC A
 *
 * Private hosted zones: made by Route 53's API, answered by the resolver of each host, asked by
 * dig.
 */
import { ModifyVpcAttributeCommand } from '@aws-sdk/client-ec2'
import {
  AssociateVPCWithHostedZoneCommand, ChangeResourceRecordSetsCommand, CreateHostedZoneCommand,
  DeleteHostedZoneCommand, DisassociateVPCFromHostedZoneCommand, Route53Client,
  waitUntilResourceRecordSetsChanged
} from '@aws-sdk/client-route-53'
import type { ChangeAction, ChangeInfo, RRType } from '@aws-sdk/client-route-53'
import test from 'ava'
import type { CredentialsAnswer } from '../../daemon/api/admin/contract.ts'
import { adminRequest } from '../harness/admin.ts'
import type { Instance } from '../harness/instance.ts'
import type { Lab, TestVpc } from '../harness/lab.ts'
import { withLab } from '../harness/with_lab.ts'

const DIG = ['+tries=1', '+time=5', '@169.254.169.253']

type RecordText = readonly [name: string, type: RRType, ...values: readonly string[]]

class Zones {
  readonly #client: Route53Client

  constructor (client: Route53Client) {
    this.#client = client
  }

  static async of (lab: Lab): Promise<Zones> {
    const { endpointUrl: endpoint, region, ...credentials } =
      await adminRequest<CredentialsAnswer>(lab.name, 'GET', '/credentials')
    return new Zones(new Route53Client({ endpoint, region, credentials }))
  }

  close (): void { this.#client.destroy() }

  /** As `aws route53 wait resource-record-sets-changed`: every host answers accordingly. */
  async #inSync (info: ChangeInfo | undefined): Promise<void> {
    await waitUntilResourceRecordSetsChanged(
      { client: this.#client, maxWaitTime: 30, minDelay: 1, maxDelay: 1 }, { Id: info?.Id ?? '' })
  }

  async create (name: string, vpc: TestVpc): Promise<string> {
    const { HostedZone, ChangeInfo } = await this.#client.send(new CreateHostedZoneCommand({
      Name: name, CallerReference: name, VPC: vpcOf(vpc)
    }))
    await this.#inSync(ChangeInfo)
    return HostedZone?.Id ?? ''
  }

  async change (zone: string, action: ChangeAction, ...records: readonly RecordText[]):
  Promise<void> {
    const { ChangeInfo } = await this.#client.send(new ChangeResourceRecordSetsCommand({
      HostedZoneId: zone, ChangeBatch: { Changes: records.map(([Name, Type, ...values]) => ({
        Action: action, ResourceRecordSet: {
          Name, Type, TTL: 77, ResourceRecords: values.map((Value) => ({ Value }))
        }
      })) }
    }))
    await this.#inSync(ChangeInfo)
  }

  async associate (zone: string, vpc: TestVpc): Promise<void> {
    await this.#inSync((await this.#client.send(new AssociateVPCWithHostedZoneCommand(
      { HostedZoneId: zone, VPC: vpcOf(vpc) }))).ChangeInfo)
  }

  async disassociate (zone: string, vpc: TestVpc): Promise<void> {
    await this.#inSync((await this.#client.send(new DisassociateVPCFromHostedZoneCommand(
      { HostedZoneId: zone, VPC: vpcOf(vpc) }))).ChangeInfo)
  }

  async remove (zone: string): Promise<void> {
    await this.#inSync(
      (await this.#client.send(new DeleteHostedZoneCommand({ Id: zone }))).ChangeInfo)
  }
}

function vpcOf ({ id }: TestVpc): { VPCRegion: 'us-east-1', VPCId: string } {
  return { VPCRegion: 'us-east-1', VPCId: id }
}

async function setAttribute (lab: Lab, vpc: TestVpc, isOn: boolean): Promise<void> {
  await lab.ec2.send(
    new ModifyVpcAttributeCommand({ VpcId: vpc.id, EnableDnsHostnames: { Value: isOn } }))
  await lab.waitApplied()
}

async function dig (from: Instance, ...query: readonly string[]): Promise<string> {
  return (await from.exec('dig', '+short', ...DIG, ...query)).trim()
}

/** `NOERROR`, `NXDOMAIN`, and the zone whose SOA record comes with it. */
async function statusOf (from: Instance, ...query: readonly string[]): Promise<string> {
  const text = await from.exec('dig', ...DIG, ...query)
  const soa = /^(\S+)\s+\d+\s+IN\s+SOA/m.exec(text)?.[1] ?? ''
  return `${/status: (\w+)/.exec(text)?.[1] ?? ''} ${soa}`.trim()
}

test.serial('a zone is answered in the VPCs that see it, and in no other', withLab({},
  async (t, lab) => {
    const zones = await Zones.of(lab)
    t.teardown(() => { zones.close() })
    const [vpcA, vpcB] = [await lab.vpc('10.0.0.0/16'), await lab.vpc('10.0.0.0/16')]
    const a = await lab.instance(await lab.subnet(vpcA, '10.0.1.0/24'),
      { address: '10.0.1.10', host: 'host-1' })
    const b = await lab.instance(await lab.subnet(vpcB, '10.0.1.0/24'),
      { address: '10.0.1.10', host: 'host-2' })
    const corp = await zones.create('corp.example', vpcA)
    await zones.change(corp, 'CREATE', ['app.corp.example', 'A', '10.0.1.10', '10.0.1.11'],
      ['app.corp.example', 'AAAA', '2001:db8::10'],
      ['www.corp.example', 'CNAME', 'app.corp.example'],
      ['own.corp.example', 'CNAME', 'ip-10-0-1-10.ec2.internal'],
      ['*.dev.corp.example', 'A', '10.0.1.99'], ['corp.example', 'MX', '10 mail.corp.example'],
      ['_ldap._tcp.corp.example', 'SRV', '1 2 389 app.corp.example'],
      ['corp.example', 'TXT', '"v=spf1 -all"'], ['corp.example', 'CAA', '0 issue "ca.example"'])
    t.is(await statusOf(a, 'app.corp.example'), 'NXDOMAIN .', 'not without enableDnsHostnames')
    await setAttribute(lab, vpcA, true)
    await setAttribute(lab, vpcB, true)
    t.deepEqual((await dig(a, 'App.Corp.Example')).split('\n').toSorted(),
      ['10.0.1.10', '10.0.1.11'])
    t.is(await dig(a, '+tcp', 'app.corp.example', 'AAAA'), '2001:db8::10')
    t.regex(await dig(a, 'www.corp.example'), /^app\.corp\.example\.\n10\.0\.1\.1[01]\n/)
    t.is(await dig(a, 'own.corp.example'), 'ip-10-0-1-10.ec2.internal.\n10.0.1.10')
    t.is(await dig(a, 'any.dev.corp.example'), '10.0.1.99')
    t.is(await dig(a, 'corp.example', 'MX'), '10 mail.corp.example.')
    t.is(await dig(a, '_ldap._tcp.corp.example', 'SRV'), '1 2 389 app.corp.example.')
    t.is(await dig(a, 'corp.example', 'TXT'), '"v=spf1 -all"')
    t.is(await dig(a, 'corp.example', 'CAA'), '0 issue "ca.example"')
    t.is((await dig(a, 'corp.example', 'NS')).split('\n').length, 4)
    t.regex(await a.exec('dig', ...DIG, 'app.corp.example'), /^app\.corp\.example\.\s+77\s/m)
    t.is(await statusOf(a, 'no.corp.example'), 'NXDOMAIN corp.example.')
    t.is(await statusOf(a, 'app.corp.example', 'MX'), 'NOERROR corp.example.')
    t.is(await statusOf(b, 'app.corp.example'), 'NXDOMAIN .', 'VPC B does not see the zone')

    const db = await zones.create('db.corp.example', vpcA)
    await zones.change(corp, 'CREATE', ['one.db.corp.example', 'A', '10.0.1.1'])
    t.is(await statusOf(a, 'one.db.corp.example'), 'NXDOMAIN db.corp.example.',
      'the more specific zone hides the name')
    await zones.remove(db)
    t.is(await dig(a, 'one.db.corp.example'), '10.0.1.1')

    await zones.associate(corp, vpcB)
    t.is(await dig(b, 'any.dev.corp.example'), '10.0.1.99')
    await zones.change(corp, 'UPSERT', ['*.dev.corp.example', 'A', '10.0.1.98'])
    for (const instance of [a, b]) t.is(await dig(instance, 'x.dev.corp.example'), '10.0.1.98')
    await zones.disassociate(corp, vpcA)
    t.is(await statusOf(a, 'any.dev.corp.example'), 'NXDOMAIN .')
    t.is(await dig(b, 'any.dev.corp.example'), '10.0.1.98')

    await lab.kill()
    await lab.restart()
    t.is(await dig(b, 'any.dev.corp.example'), '10.0.1.98', 'zones are there after a crash')
  }))
