/**
 * `vpcctl trace` and `can-reach` against real packets: what they say is what happens, and the
 * command that they give makes it happen.
 *
 *     host-1                host-2
 *     └ a  10.0.1.10        └ b  10.0.2.20
 */
import test from 'ava'
import * as ec2 from '@aws-sdk/client-ec2'
import { join } from 'node:path'
import type { ReachAnswer, TraceAnswer } from '../../daemon/api/admin/contract.ts'
import { Background, ROOT, tryCommand, type CommandResult } from '../harness/command.ts'
import type { Instance } from '../harness/instance.ts'
import type { Lab } from '../harness/lab.ts'
import { withLab } from '../harness/with_lab.ts'

const VPCCTL = join(ROOT, 'bin/vpcctl')
const A = '10.0.1.10'
const B = '10.0.2.20'
const NOWHERE = '192.0.2.9'

function vpcctl (lab: Lab, ...words: string[]): Promise<CommandResult> {
  return tryCommand(VPCCTL, ['--lab', lab.name, ...words])
}

async function trace (lab: Lab, ...words: string[]): Promise<TraceAnswer> {
  const { stdout } = await vpcctl(lab, 'trace', ...words, '--json')
  return JSON.parse(stdout) as TraceAnswer
}

async function canReach (lab: Lab, from: Instance, to: Instance): Promise<ReachAnswer> {
  const { stdout, code } = await vpcctl(lab, 'can-reach', from.id, to.id, 'icmp', '--json')
  const answer = JSON.parse(stdout) as ReachAnswer
  if ({ yes: 0, no: 1, unknown: 2 }[answer.verdict] !== code) {
    throw new Error(`verdict ${answer.verdict} with exit code ${String(code)}`)
  }
  return answer
}

async function pings (from: Instance, address: string): Promise<boolean> {
  return (await from.ping(address, 1)).received === 1
}

test.serial('what stands in the way is named, and its command takes it away',
  withLab({}, async (t, lab) => {
    const vpc = await lab.vpc('10.0.0.0/16')
    const a = await lab.instance(await lab.subnet(vpc, '10.0.1.0/24'),
      { host: 'host-1', address: A })
    const servers = await lab.subnet(vpc, '10.0.2.0/24')
    const b = await lab.instance(servers, { host: 'host-2', address: B })
    const { GroupId = '' } = await lab.ec2.send(new ec2.CreateSecurityGroupCommand({
      VpcId: vpc.id, GroupName: 'closed', Description: 'closed'
    }))
    await lab.ec2.send(new ec2.ModifyNetworkInterfaceAttributeCommand({
      NetworkInterfaceId: b.eni, Groups: [GroupId]
    }))
    const { NetworkAcl } = await lab.ec2.send(
      new ec2.CreateNetworkAclCommand({ VpcId: vpc.id }))
    await vpcctl(lab, 'network-acl', 'associate', NetworkAcl?.NetworkAclId ?? '', servers.id)
    await lab.waitApplied()

    // The ACL both ways, and the group: each refusal gives the command for the next one.
    const reasons: string[] = []
    for (let turn = 0; turn < 4; turn++) {
      const reach = await canReach(lab, a, b)
      t.is(await pings(a, B), reach.verdict === 'yes', reach.text)
      if (reach.obstacle === null) break
      reasons.push(reach.obstacle.reason)
      const [, ...words] = (reach.obstacle.remedy.command ?? '').split(' ')
      t.is((await vpcctl(lab, ...words)).code, 0, words.join(' '))
      await lab.waitApplied()
    }
    t.deepEqual(reasons,
      ['network-acl-ingress', 'security-group-ingress', 'network-acl-egress'])
    t.true(await pings(a, B))
  }))

test.serial('a trace names host, group, ACL and route, sends nothing and makes no flow',
  withLab({}, async (t, lab) => {
    const vpc = await lab.vpc('10.0.0.0/16')
    const a = await lab.instance(await lab.subnet(vpc, '10.0.1.0/24'),
      { host: 'host-1', address: A })
    const b = await lab.instance(await lab.subnet(vpc, '10.0.2.0/24'),
      { host: 'host-2', address: B })
    const flowsBefore = (await lab.status()).hosts.map(({ flows }) => flows)
    const walk = await trace(lab, a.id, 'tcp', `${B}:80`)
    t.is(walk.deliveredTo, b.eni)
    t.deepEqual(walk.sides.map(({ host, eni, direction }) => [host, eni, direction]),
      [['host-1', a.eni, 'egress'], ['host-2', b.eni, 'ingress']])
    const step = (side: number, name: string): string =>

      String(walk.sides[side]?.steps.find(({ step }) => step === name)?.rule)
    t.regex(step(0, 'security-groups'), /^sgr-/)
    t.is(step(0, 'network-acl'), '100')
    t.is(step(0, 'route'), '10.0.0.0/16')
    t.regex(step(1, 'security-groups'), /^sgr-/)
    t.deepEqual((await lab.status()).hosts.map(({ flows }) => flows), flowsBefore)

    const human = await vpcctl(lab, 'trace', a.id, 'udp', `${NOWHERE}:53`)
    t.is(human.code, 1)
    t.regex(human.stdout, /x route +no route of rtb-\S+ leads to 192\.0\.2\.9/)
    t.regex(human.stdout, /no-route/)
    t.is((await vpcctl(lab, 'trace', a.id, 'tcp', B)).code, 1, 'TCP needs a port')
    t.is((await vpcctl(lab, 'can-reach', a.id, 'nobody', 'tcp/80')).code, 1)
  }))

test.serial('live traces follow the packets of an ENI', withLab({}, async (t, lab) => {
  const vpc = await lab.vpc('10.0.0.0/16')
  const subnet = await lab.subnet(vpc, '10.0.1.0/24')
  const a = await lab.instance(subnet, { host: 'host-1', address: A })
  const live = new Background(VPCCTL,
    ['--lab', lab.name, 'trace', a.id, '--live', '--count', '1', '--json'])
  try {
    // Until the capture has begun, packets pass unseen.
    while (live.running && live.output === '') await pings(a, NOWHERE)
    t.is(await live.ended(), 0)
    const walk = JSON.parse(live.output.slice(live.output.indexOf('{'))) as TraceAnswer
    t.is(walk.packet.destination, NOWHERE)
    t.is(walk.obstacle?.reason, 'no-route')
  } finally {
    await live.stop('SIGINT')
  }
}))
