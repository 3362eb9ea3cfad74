/**
 * Somebody sets the machine's clock, by days, forth and back: the daemon's wall clock jumps, its
 * monotonic clock goes on.
 *
 *     host-1 ─ a ── iperf3, TCP ──▶ b ─ host-2
 */
import test from 'ava'
import * as ec2 from '@aws-sdk/client-ec2'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ROOT, eventually } from '../harness/command.ts'
import type { Instance } from '../harness/instance.ts'
import { withLab } from '../harness/with_lab.ts'

const DAY_MS = 86_400_000
const TRANSFER_SECONDS = 12

const directory = mkdtempSync(join(tmpdir(), 'vpclab-clock-'))
const offsetFile = join(directory, 'offset')
writeFileSync(offsetFile, '0')
const environment = {
  CLOCK_OFFSET_FILE: offsetFile,
  NODE_OPTIONS: `--import=${join(ROOT, 'test/harness/programs/jumping_clock.ts')}`
}

test.after.always('the clock is gone', () => { rmSync(directory, { recursive: true }) })

/** A token of the metadata service, for a minute. */
async function token (instance: Instance): Promise<string> {
  return await instance.exec('curl', '-s', '-X', 'PUT', '-H',
    'X-aws-ec2-metadata-token-ttl-seconds: 60', 'http://169.254.169.254/latest/api/token')
}

async function statusWith (instance: Instance, held: string): Promise<string> {
  return await instance.exec('curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', '-H',
    `X-aws-ec2-metadata-token: ${held}`, 'http://169.254.169.254/latest/meta-data/')
}

test.serial('connections and the lab live through a clock that jumps; old signatures do not',
  withLab({ environment }, async (t, lab) => {
    const subnet = await lab.subnet(await lab.vpc('10.0.0.0/16'), '10.0.1.0/24')
    const a = await lab.instance(subnet, { host: 'host-1' })
    const b = await lab.instance(subnet, { host: 'host-2' })
    const server = await b.iperfServer()
    const client = a.start('iperf3', '-c', b.ipv4, '-b', '10M', '-t', String(TRANSFER_SECONDS),
      '--forceflush')
    await client.printed(/ 1\.\d\d-2\.\d\d +sec/)
    const held = await token(a)
    t.is(await statusWith(a, held), '200')

    // The SDK sets it by the Date of each answer, which Node takes from the machine.
    let signedAt = 0
    Object.defineProperty(lab.ec2.config, 'systemClockOffset',
      { get: () => signedAt, set: () => undefined })
    const vpcs = async (): Promise<number> =>
      (await lab.ec2.send(new ec2.DescribeVpcsCommand({}))).Vpcs?.length ?? 0

    for (const offsetMs of [2 * DAY_MS, -2 * DAY_MS]) {
      writeFileSync(offsetFile, String(offsetMs))
      signedAt = offsetMs
      await eventually('the clock has jumped', () => vpcs().then(() => true, () => false))
      signedAt = offsetMs + (offsetMs > 0 ? -DAY_MS : DAY_MS)
      await t.throwsAsync(vpcs, { name: 'RequestExpired' })
      signedAt = offsetMs
      const c = await lab.instance(subnet, { host: 'host-2' })
      t.is((await a.ping(c.ipv4)).received, 5)
      t.is(await statusWith(a, await token(a)), '200', 'a new token is taken')
      if (offsetMs > 0) t.is(await statusWith(a, held), '401', 'its minute is over')
    }
    t.is(await client.ended(), 0, 'the connection lived')
    t.is(await server.ended(), 0)
    t.is(await vpcs(), 1)
  }))
