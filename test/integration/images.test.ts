/**
 * Instances with a root file system of their own: a busybox tree as the image.
 *
 *     host-1 ─ a: of the machine      host-2 ─ b: of the image; stops, starts, reboots, ends
 */
import test, { type ExecutionContext } from 'ava'
import * as ec2 from '@aws-sdk/client-ec2'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { InstanceAnswer } from '../../daemon/api/admin/contract.ts'
import { instanceLogPath, layerDirectory } from '../../daemon/host/paths.ts'
import { adminRequest } from '../harness/admin.ts'
import { BusyboxTree } from '../harness/busybox_tree.ts'
import { ROOT, command, eventually, tryCommand } from '../harness/command.ts'
import { Instance } from '../harness/instance.ts'
import type { Lab, TestSubnet } from '../harness/lab.ts'
import { withLab } from '../harness/with_lab.ts'

const BOOTHOOK = `#cloud-boothook
#!/bin/sh
echo booted $INSTANCE_ID >> /boots
cat /boots
httpd -p 80 -h /
`

/** Runs a command inside an instance as a person does. */
function inside (lab: Lab, id: string, ...words: readonly string[]) {
  return tryCommand(join(ROOT, 'bin/vpcctl'),
    ['--lab', lab.name, 'instance', 'exec', id, '--', ...words])
}

async function launch (lab: Lab, subnet: TestSubnet, imageId: string): Promise<Instance> {
  const { Instances: [instance] = [] } = await lab.ec2.send(new ec2.RunInstancesCommand({
    ImageId: imageId, MinCount: 1, MaxCount: 1, SubnetId: subnet.id,
    Placement: { HostId: 'host-2' }, UserData: Buffer.from(BOOTHOOK).toString('base64')
  }))
  const [description] = await lab.waitInstances([instance?.InstanceId ?? ''], 'running')
  if (description === undefined) throw new Error('RunInstances launched nothing')
  await lab.waitApplied()
  return new Instance(lab.name, description)
}

/** Waits until the user data has run `count` times, by its log. */
async function booted (lab: Lab, id: string, count: number): Promise<void> {
  const path = instanceLogPath(lab.name, id)
  await eventually(`${String(count)} boots of ${id}`, () => existsSync(path) &&
    readFileSync(path, 'utf8').split('\n').filter((line) => line === `booted ${id}`).length >=
      count * (count + 1) / 2)
}

test.serial('an image instance has a root of its own, which survives all but its end',
  async (t) => {
    using tree = new BusyboxTree()
    const before = readdirSync(tree.directory)
    const mounts = await mountsOf('layer')
    await withLab({ expectedWarnings: [/device of an interface went away/] },
      async (t, lab) => { await liveThrough(t, lab, tree.directory) })(t)
    t.deepEqual(readdirSync(tree.directory), before, 'the image is only read')
    t.deepEqual(await mountsOf('layer'), mounts, 'no mount is left, and none was ever seen')
  })

async function mountsOf (word: string): Promise<string[]> {
  return (await command('findmnt', '--noheadings', '--raw', '--output', 'TARGET'))
    .split('\n').filter((line) => line.includes(word))
}

async function liveThrough (t: ExecutionContext, lab: Lab, directory: string): Promise<void> {
  const subnet = await lab.subnet(await lab.vpc('10.0.0.0/16'), '10.0.1.0/24')
  const a = await lab.instance(subnet, { host: 'host-1' })
  const { ImageId: imageId = '' } = await lab.ec2.send(
    new ec2.RegisterImageCommand({ Name: 'busybox', ImageLocation: directory }))
  const b = await launch(lab, subnet, imageId)
  const ids = { InstanceIds: [b.id] }
  await booted(lab, b.id, 1)

  t.is((await a.ping(b.ipv4)).received, 5)
  t.regex((await inside(lab, b.id, 'ping', '-c', '1', a.ipv4)).stdout, /1 packets received/)
  t.regex(await a.exec('curl', '-s', '-m', '5', `http://${b.ipv4}/boots`), /^booted i-/)
  t.is((await inside(lab, b.id, 'hostname')).stdout, `ip-${b.ipv4.replaceAll('.', '-')}\n`)
  t.is((await inside(lab, b.id, 'cat', '/etc/resolv.conf')).stdout,
    'search ec2.internal\nnameserver 10.0.0.2\n')
  t.regex((await inside(lab, b.id, 'ls', '/')).stdout, /^bin\nboots\ndev\netc\nproc\nrun\nsys\ntmp/)
  t.regex((await inside(lab, b.id, 'ps')).stdout, /^ +1 .*init/m)
  t.is((await inside(lab, b.id, 'sh', '-c', 'exit 7')).code, 7)
  t.is((await inside(lab, b.id, 'no-such-program')).code, 127)
  t.false(existsSync(join(directory, 'boots')))

  await lab.kill()
  await lab.restart()
  t.regex((await inside(lab, b.id, 'cat', '/boots')).stdout, /^booted i-\w+\n$/, 'no second boot')

  const first = await firstProcess(lab, b.id)
  process.kill(first, 'SIGKILL')
  await eventually('another first process', async () =>
    await firstProcess(lab, b.id).catch(() => first) !== first)
  t.regex((await inside(lab, b.id, 'cat', '/boots')).stdout, /^booted i-\w+\n$/, 'the same layer')

  await lab.ec2.send(new ec2.RebootInstancesCommand(ids))
  await booted(lab, b.id, 2)
  await lab.ec2.send(new ec2.DeregisterImageCommand({ ImageId: imageId }))
  await lab.ec2.send(new ec2.StopInstancesCommand(ids))
  await lab.waitInstances([b.id], 'stopped')
  t.deepEqual(await processesNaming(layerDirectory(lab.name, b.id)), [])
  await lab.ec2.send(new ec2.StartInstancesCommand(ids))
  await lab.waitInstances([b.id], 'running')
  await booted(lab, b.id, 3)
  t.is((await a.ping(b.ipv4)).received, 5)

  await lab.ec2.send(new ec2.TerminateInstancesCommand(ids))
  await lab.waitInstances([b.id], 'terminated')
  await eventually('the layer gone', () => !existsSync(layerDirectory(lab.name, b.id)))
  t.deepEqual(await processesNaming(layerDirectory(lab.name, b.id)), [])
}

async function firstProcess (lab: Lab, id: string): Promise<number> {
  const { pid } = await adminRequest<InstanceAnswer>(lab.name, 'GET', `/instances/${id}`)
  if (pid === null) throw new Error(`${id} has no process 1`)
  return pid
}

/** Processes whose command line has a word. */
async function processesNaming (word: string): Promise<string[]> {
  const { stdout } = await tryCommand('pgrep', ['--full', '--', word])
  return stdout.split('\n').filter((line) => line !== '')
}

test.serial('a reset and a teardown leave nothing of image instances', async (t) => {
  using tree = new BusyboxTree()
  let layers = ''
  await withLab({}, async (t, lab) => {
    const subnet = await lab.subnet(await lab.vpc('10.0.0.0/16'), '10.0.1.0/24')
    const register = async (Name: string): Promise<string> => (await lab.ec2.send(
      new ec2.RegisterImageCommand({ Name, ImageLocation: tree.directory }))).ImageId ?? ''
    const first = await launch(lab, subnet, await register('one'))
    layers = join(layerDirectory(lab.name, first.id), '..')
    t.true(existsSync(layerDirectory(lab.name, first.id)))
    await command(join(ROOT, 'bin/vpcctl'), '--lab', lab.name, 'lab', 'reset')
    t.false(existsSync(layers), 'the reset')

    const vpc = await lab.vpc('10.0.0.0/16')
    await launch(lab, await lab.subnet(vpc, '10.0.1.0/24'), await register('one'))
    t.true(existsSync(layers))
  })(t)
  t.false(existsSync(layers), 'the teardown')
  t.deepEqual(await processesNaming(layers), [])
})

test.serial('an image that is gone fails the launch with the reason',
  withLab({ expectedWarnings: [/could not be brought in line/] }, async (t, lab) => {
    const tree = new BusyboxTree()
    const subnet = await lab.subnet(await lab.vpc('10.0.0.0/16'), '10.0.1.0/24')
    const { ImageId: imageId = '' } = await lab.ec2.send(
      new ec2.RegisterImageCommand({ Name: 'busybox', ImageLocation: tree.directory }))
    tree[Symbol.dispose]()
    const { Instances: [instance] = [] } = await lab.ec2.send(new ec2.RunInstancesCommand({
      ImageId: imageId, MinCount: 1, MaxCount: 1, SubnetId: subnet.id
    }))
    const [failed] = await lab.waitInstances([instance?.InstanceId ?? ''], 'terminated')
    t.regex(failed?.StateReason?.Message ?? '', /image directory .* does not exist/)
  }))
