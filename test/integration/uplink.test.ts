/**
 * `--uplink real`, on a machine made for it: the daemon runs in a namespace of its own.
 *
 *     <lab>-internet ── router ── machine 192.0.2.1 ── world 192.0.2.2, web server 198.18.0.1,
 *                                                            resolver that knows www.example.net
 */
import test from 'ava'
import { randomBytes } from 'node:crypto'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { adminSocketPath, internetNamespace, namespacePath } from '../../daemon/host/paths.ts'
import { Background, ROOT, command, eventually, tryCommand } from '../harness/command.ts'
import { webServer } from '../harness/internet.ts'
import { leftovers } from '../harness/leftovers.ts'

const VPCD = join(ROOT, 'bin/vpcd')
const VPCCTL = join(ROOT, 'bin/vpcctl')
const ANSWER_DNS = join(ROOT, 'test/harness/programs/answer_dns.ts')

/** `ip netns exec` would hide the lab's namespaces from everybody else. */
const onMachine = (machine: string, ...words: readonly string[]): string[] =>
  [`--net=${namespacePath(machine)}`, ...words]

async function defaultVpc (vpcctl: (...words: string[]) => Promise<string>): Promise<string> {
  return (await vpcctl('vpc', 'list', '--query', '[?IsDefault].VpcId', '-q')).trim()
}

test.serial('the internet of a lab goes on behind the machine, and is cut off without a trace',
  async (t) => {
    const lab = `t${randomBytes(3).toString('hex')}`
    const [machine, world] = [`m${lab}`, `w${lab}`]
    const forwarding = async (): Promise<string> => (await command('nsenter',
      ...onMachine(machine, 'sysctl', '-n', 'net.ipv4.conf.out0.forwarding'))).trim()
    const started: Background[] = []
    const resolvConf = join(tmpdir(), `${lab}-resolv.conf`)
    writeFileSync(resolvConf, 'nameserver 192.0.2.2\n')
    const vpcctl = async (...words: readonly string[]): Promise<string> =>
      await command('nsenter', ...onMachine(machine, VPCCTL, '--lab', lab, ...words))
    try {
      for (const name of [machine, world]) await command('ip', 'netns', 'add', name)
      await command('ip', '-n', machine, 'link', 'add', 'out0', 'type', 'veth', 'peer', 'name',
        'in0', 'netns', world)
      for (const [namespace, line] of [
        [machine, 'link set lo up'], [machine, 'addr add 192.0.2.1/24 dev out0'],
        [machine, 'link set out0 up'], [world, 'link set lo up'],
        [world, 'addr add 192.0.2.2/24 dev in0'], [world, 'link set in0 up'],
        [world, 'addr add 198.18.0.1/32 dev lo'],
        [machine, 'route add default via 192.0.2.2']
      ] as const) await command('ip', '-n', namespace, ...line.split(' '))
      started.push(new Background('ip',
        ['netns', 'exec', world, 'python3', ...webServer('world')]))
      started.push(new Background('ip', ['netns', 'exec', world, join(ROOT, 'scripts/node'),
        ANSWER_DNS, 'www.example.net', '198.18.0.1']))
      t.is(await forwarding(), '0')
      started.push(new Background('nsenter', onMachine(machine, 'env',
        `VPCLAB_RESOLV_CONF=${resolvConf}`, VPCD, '--lab', lab,
        '--hosts', '1', '--edges', '1', '--uplink', 'real', '--api-port', '0')))
      await eventually('the lab is up', () => existsSync(adminSocketPath(lab)), 60_000)
      const answer = await eventually('the world answers', async () => {
        const { stdout } = await tryCommand('ip', ['netns', 'exec', internetNamespace(lab),
          'curl', '-s', '--max-time', '3', 'http://198.18.0.1/'])
        return stdout !== '' && stdout
      })
      t.is(answer, 'world 192.0.2.1\n')

      // An instance of the default VPC asks the VPC's resolver, which asks the machine's.
      await vpcctl('instance', 'run', '--name', 'a')
      const dig = async (name: string): Promise<string> => await vpcctl('instance', 'exec', 'a',
        '--', 'dig', '+tries=1', '+time=5', '@169.254.169.253', name)
      t.regex(await dig('www.example.net'), /^www\.example\.net\.\s+60\s+IN\s+A\s+198\.18\.0\.1$/m)
      t.regex(await dig('no.example.net'), /status: NXDOMAIN/)
      await vpcctl('vpc', 'set', await defaultVpc(vpcctl), '--dns-hostnames', 'on')
      await vpcctl('hosted-zone', 'create', 'corp.example', await defaultVpc(vpcctl))
      await vpcctl('hosted-zone', 'set-record', 'corp.example', 'web.corp.example', 'CNAME',
        'www.example.net')
      t.regex(await dig('web.corp.example'), /^www\.example\.net\..*198\.18\.0\.1$/m)
      t.regex(await dig('no.corp.example'), /status: NXDOMAIN/, 'the zone hides the world')
      await command('nsenter', ...onMachine(machine, VPCD, '--lab', lab, '--teardown'))
      t.is(await forwarding(), '0')
      t.is(await command('nsenter', ...onMachine(machine, 'nft', 'list', 'ruleset')), '')
      t.notRegex(await command('ip', '-n', machine, '-br', 'link'), /vpc/)
      t.deepEqual(await leftovers(lab), [])
    } finally {
      await command('nsenter', ...onMachine(machine, VPCD, '--lab', lab, '--teardown'))
      rmSync(resolvConf, { force: true })
      for (const program of started) await program.stop('SIGKILL')
      for (const name of [machine, world]) await tryCommand('ip', ['netns', 'del', name])
    }
  })
