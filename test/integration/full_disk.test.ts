/**
 * The disk under the state of a lab is full, and then not any more.
 *
 *     host-1 ─ a ── ping ──▶ b ─ host-2        records on a tmpfs of their own
 */
import test from 'ava'
import * as ec2 from '@aws-sdk/client-ec2'
import { closeSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { STATE_DIRECTORY_VARIABLE } from '../../daemon/host/paths.ts'
import { command } from '../harness/command.ts'
import type { Lab } from '../harness/lab.ts'
import { withLab } from '../harness/with_lab.ts'

const DISK_BYTES = 6 * 2 ** 20
const PAGE_BYTES = 4096
/** Writes that may still find room in files that are there. */
const WRITES_MAX = 2000

const disk = mkdtempSync(join(tmpdir(), 'vpclab-disk-'))

test.before('the state is on a small disk', async () => {
  await command('mount', '-t', 'tmpfs', '-o', `size=${String(DISK_BYTES)}`, 'tmpfs', disk)
  process.env[STATE_DIRECTORY_VARIABLE] = disk
})

// Behind the lab, which with_lab.ts takes down.
test.after.always('the disk is gone', async () => {
  await command('umount', '--lazy', disk)
  rmdirSync(disk)
})

function fill (path: string): void {
  const file = openSync(path, 'w')
  try {
    for (;;) writeSync(file, Buffer.alloc(PAGE_BYTES))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  } finally {
    closeSync(file)
  }
}

async function marks (lab: Lab, vpc: string): Promise<number[]> {
  const { Tags = [] } = await lab.ec2.send(new ec2.DescribeTagsCommand({
    Filters: [{ Name: 'resource-id', Values: [vpc] }]
  }))
  return Tags.map(({ Value }) => Number(Value))
}

test.serial('a full disk refuses writes, keeps what is there, and stops no packet',
  withLab({
    environment: { [STATE_DIRECTORY_VARIABLE]: disk },
    expectedWarnings: [/api call failed/, /cannot be written/, /disk/, /ENOSPC/]
  }, async (t, lab) => {
    const vpc = await lab.vpc('10.0.0.0/16')
    const subnet = await lab.subnet(vpc, '10.0.1.0/24')
    const a = await lab.instance(subnet, { host: 'host-1' })
    const b = await lab.instance(subnet, { host: 'host-2' })
    const mark = async (value: number): Promise<unknown> =>
      await lab.ec2.send(new ec2.CreateTagsCommand({
        Resources: [vpc.id], Tags: [{ Key: 'mark', Value: String(value) }]
      }))
    fill(join(disk, 'filling'))

    let written = 0
    const refused = await t.throwsAsync(async () => {
      for (let value = 1; value <= WRITES_MAX; value++) {
        await mark(value)
        written = value
      }
    })
    t.is(refused.name, 'Unavailable', String(refused))
    t.regex(String(refused), /The store takes no writes at the moment/)
    t.deepEqual(await marks(lab, vpc.id), written === 0 ? [] : [written], 'all or nothing')
    t.is((await a.ping(b.ipv4)).received, 5)
    await t.throwsAsync(async () => { await lab.instance(subnet) }, { name: 'Unavailable' })

    rmSync(join(disk, 'filling'))
    await mark(written + 1)
    t.deepEqual(await marks(lab, vpc.id), [written + 1])
    const c = await lab.instance(subnet, { host: 'host-2' })
    t.is((await a.ping(c.ipv4)).received, 5)
    await lab.kill()
    await lab.restart()
    t.deepEqual(await marks(lab, vpc.id), [written + 1])
    t.is((await a.ping(b.ipv4)).received, 5)
  }))
