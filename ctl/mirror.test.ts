/** `vpcctl mirror …` and the stock AWS command line on traffic mirroring, through a real daemon. */
import test from 'ava'
import { makeVpcctl, succeed } from './test_vpcctl.ts'

test('a session, its filter and its target are made, shown, changed and deleted', async (t) => {
  const { vpcctl } = makeVpcctl(t)
  const run = async (...words: string[]): Promise<string> => await succeed(t, vpcctl(...words))
  const shows = async (pattern: RegExp, ...words: string[]): Promise<void> => {
    t.regex(await run(...words), pattern, words.join(' '))
  }
  await run('lab', 'up', '--hosts', '0', '--api-port', '0')
  await run('vpc', 'create', '10.0.0.0/16', '--name', 'web')
  await run('subnet', 'create', 'web', '10.0.1.0/24', '--name', 'front')
  await run('eni', 'create', 'front', '--name', 'server')
  await run('eni', 'create', 'front', '--name', 'ids')

  await run('mirror-target', 'create', 'ids', '--name', 'monitor')
  await shows(/ monitor +eni-/, 'mirror-target', 'list')
  await run('mirror-filter', 'create', '--name', 'http')
  await run('mirror-filter', 'add-rule', 'http', 'ingress', '100', 'accept', '--protocol', 'tcp',
    '--to-port', '80-90')
  await run('mirror-filter', 'add-rule', 'http', 'egress', '5', 'reject', '--from', '10.0.1.0/24')
  await shows(/^ingress +100 +accept +tcp +0\.0\.0\.0\/0 +0\.0\.0\.0\/0 80-90$/m,
    'mirror-filter', 'show', 'http')
  await run('mirror-filter', 'set-rule', 'http', 'ingress', '100', '--action', 'reject',
    '--number', '90', '--from', '10.0.0.0/8', '--to-port', '443')
  await shows(/^ingress +90 +reject +tcp +10\.0\.0\.0\/8 +0\.0\.0\.0\/0 443$/m,
    'mirror-filter', 'show', 'http')
  await run('mirror-filter', 'set-rule', 'http', 'ingress', '90', '--protocol', 'all',
    '--to-port', 'all')
  await shows(/^ingress +90 +reject +all +10\.0\.0\.0\/8 +0\.0\.0\.0\/0$/m,
    'mirror-filter', 'show', 'http')
  t.is((await vpcctl('mirror-filter', 'set-rule', 'http', 'ingress', '90')).code, 2)
  t.is((await vpcctl('mirror-filter', 'set-rule', 'http', 'ingress', '100', '--to', '::/0')).code,
    1, 'there is no rule 100 any more')
  await run('mirror-filter', 'dns', 'http', 'on')
  await shows(/ http +1 +1 +amazon-dns$/m, 'mirror-filter', 'list')
  await run('mirror-filter', 'delete-rule', 'http', 'egress', '5')
  t.is((await vpcctl('mirror-filter', 'delete-rule', 'http', 'egress', '5')).code, 1)

  await run('mirror', 'create', 'server', 'monitor', 'http', '--name', 'watch', '--vni', '4242')
  await shows(/ watch +1 +eni-\w+ +tmt-\w+ +tmf-\w+ +4242 +all$/m, 'mirror', 'list')
  await run('mirror', 'set', 'watch', '--bytes', '128', '--number', '7')
  await shows(/ watch +7 .* 4242 +128$/m, 'mirror', 'list')
  const refused = await vpcctl('mirror-target', 'delete', 'monitor')
  t.regex(refused.stderr, /TrafficMirrorTargetInUseException/)
  await run('mirror', 'delete', 'watch')
  await run('mirror-target', 'delete', 'monitor')
  await run('mirror-filter', 'delete', 'http')
  t.is((await vpcctl('mirror', 'create', 'server', 'monitor', 'http')).code, 1)
  t.is((await vpcctl('mirror-filter', 'add-rule', 'http', 'ingress', '0', 'accept')).code, 2)
})

test('the AWS command line mirrors an ENI', async (t) => {
  const { vpcctl, shell } = makeVpcctl(t)
  await succeed(t, vpcctl('lab', 'up', '--hosts', '0', '--api-port', '0'))
  const script = `set -e
    eval "$(vpcctl env)"
    new () { aws ec2 "$@" --output text; }
    vpc=$(new create-vpc --cidr-block 10.0.0.0/16 --query Vpc.VpcId)
    subnet=$(new create-subnet --vpc-id $vpc --cidr-block 10.0.1.0/24 --query Subnet.SubnetId)
    eni () {
      new create-network-interface --subnet-id $subnet --query NetworkInterface.NetworkInterfaceId
    }
    source=$(eni)
    target=$(new create-traffic-mirror-target --network-interface-id $(eni) \
      --query TrafficMirrorTarget.TrafficMirrorTargetId)
    filter=$(new create-traffic-mirror-filter \
      --query TrafficMirrorFilter.TrafficMirrorFilterId)
    new create-traffic-mirror-filter-rule --traffic-mirror-filter-id $filter \
      --traffic-direction ingress --rule-number 1 --rule-action accept --protocol 6 \
      --destination-port-range FromPort=80,ToPort=80 --source-cidr-block 0.0.0.0/0 \
      --destination-cidr-block 0.0.0.0/0 --query TrafficMirrorFilterRule.RuleNumber
    new create-traffic-mirror-session --network-interface-id $source \
      --traffic-mirror-target-id $target --traffic-mirror-filter-id $filter \
      --session-number 1 --virtual-network-id 77 --packet-length 100 \
      --query 'TrafficMirrorSession.[SessionNumber,VirtualNetworkId,PacketLength]'
    new describe-traffic-mirror-sessions --filters Name=network-interface-id,Values=$source \
      --query 'length(TrafficMirrorSessions)'`
  t.is(await succeed(t, shell(script)), '1\n1\t77\t100\n1\n')
})
