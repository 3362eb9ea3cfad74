/**
 *     nested ── veth ── a 10.0.1.x, which forwards and masquerades for it
 *
 * The hop limit of the metadata service: how far behind an instance a token may be asked for.
 */
import { ModifyInstanceMetadataOptionsCommand } from '@aws-sdk/client-ec2'
import test from 'ava'
import { command } from '../harness/command.ts'
import { withLab } from '../harness/with_lab.ts'

const METADATA = 'http://169.254.169.254/latest'
const TTL_HEADER = 'X-aws-ec2-metadata-token-ttl-seconds: 60'

test.serial('a token survives as many hops as it may', withLab({ hosts: 'host-1:use1-az1' },
  async (t, lab) => {
    const vpc = await lab.vpc('10.0.0.0/16')
    const a = await lab.instance(await lab.subnet(vpc, '10.0.1.0/24'))
    // A container of the instance: a namespace behind it, which it forwards and masquerades for.
    const nested = `${lab.name}-nested`
    await command('ip', 'netns', 'add', nested)
    try {
      await a.exec('sysctl', '-qw', 'net.ipv4.ip_forward=1')
      await a.exec('ip', 'link', 'add', 'inner', 'type', 'veth', 'peer', 'name', 'outer',
        'netns', nested)
      await a.exec('ip', 'addr', 'add', '172.31.0.1/24', 'dev', 'inner')
      await a.exec('ip', 'link', 'set', 'inner', 'up')
      await a.exec('nft', 'add table ip hop; ' +
        'add chain ip hop out { type nat hook postrouting priority 100; }; ' +
        'add rule ip hop out oifname eth0 masquerade')
      for (const line of [['addr', 'add', '172.31.0.2/24', 'dev', 'outer'],
        ['link', 'set', 'outer', 'up'], ['route', 'add', 'default', 'via', '172.31.0.1']]) {
        await command('ip', '-n', nested, ...line)
      }
      const ask = async (...curl: readonly string[]): Promise<string> => await command('ip',
        'netns', 'exec', nested, 'sh', '-c', 'curl -s -m 3 -o /dev/null -w "%{http_code}" "$@"; :',
        'sh', ...curl)
      const put = ['-X', 'PUT', '-H', TTL_HEADER, `${METADATA}/api/token`]
      t.is(await ask(...put), '000', 'one hop: it ends at the instance')
      t.is(await ask(`${METADATA}/meta-data/instance-id`), '200', 'version 1 is not limited')
      await lab.ec2.send(new ModifyInstanceMetadataOptionsCommand(
        { InstanceId: a.id, HttpPutResponseHopLimit: 2 }))
      await lab.waitApplied()
      t.is(await ask(...put), '200')
    } finally {
      await command('ip', 'netns', 'del', nested)
    }
  }))
