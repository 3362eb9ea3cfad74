/** Images through the SDK's client, with a directory of the test as a root file system. */
import {
  CreateTagsCommand, DeregisterImageCommand, DescribeImagesCommand, RegisterImageCommand,
  RunInstancesCommand
} from '@aws-sdk/client-ec2'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deviceOf } from '../../../model/instance_device.ts'
import { TestNetwork } from '../../../model/test_network.ts'
import { refusalOf, testClient } from '../test_caller.ts'

const HOST = 'ami-00000000000000001'

/** A directory with a shell, gone when the test ends. */
function rootDirectory (t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'vpclab-image-'))
  t.teardown(() => { rmSync(directory, { recursive: true }) })
  mkdirSync(join(directory, 'usr/bin'), { recursive: true })
  writeFileSync(join(directory, 'usr/bin/dash'), '', { mode: 0o755 })
  symlinkSync('/usr/bin', join(directory, 'bin'))
  symlinkSync('dash', join(directory, 'usr/bin/sh'))
  return directory
}

/** A directory with what a virtual machine boots. */
function vmDirectory (t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'vpclab-image-'))
  t.teardown(() => { rmSync(directory, { recursive: true }) })
  for (const name of ['vmlinuz', 'initrd.img']) writeFileSync(join(directory, name), '')
  return directory
}

test.serial('a virtual machine is refused where there is no qemu, and has TAPs where there is',
  async (t) => {
    const net = new TestNetwork()
    const ec2 = testClient(net)
    const { ImageId = '' } = await ec2.send(
      new RegisterImageCommand({ Name: 'machine', ImageLocation: vmDirectory(t) }))
    const run = new RunInstancesCommand(
      { ImageId, MinCount: 1, MaxCount: 1, InstanceType: 't3.small', SubnetId: net.subnetId })
    const path = process.env['PATH']
    t.teardown(() => { process.env['PATH'] = path })
    const directory = mkdtempSync(join(tmpdir(), 'vpclab-path-'))
    t.teardown(() => { rmSync(directory, { recursive: true }) })
    process.env['PATH'] = directory
    const error = await t.throwsAsync(ec2.send(run))
    t.regex(error.message, /install the Debian package qemu-system-x86/)
    writeFileSync(join(directory, 'qemu-system-x86_64'), '', { mode: 0o755 })
    const { Instances: [instance] = [] } = await ec2.send(run)
    const record = net.view().get('instance', instance?.InstanceId ?? '')
    t.is(record?.guest?.kind, 'vm')
    t.is(record === undefined ? null : deviceOf(record), 'tap')
  })

test('an image is registered from a directory, found, launched from and forgotten', async (t) => {
  const net = new TestNetwork()
  const ec2 = testClient(net)
  const ImageLocation = rootDirectory(t)
  const { ImageId = '' } = await ec2.send(new RegisterImageCommand({
    Name: 'debian 12', ImageLocation: `${ImageLocation}/`, Description: 'small',
    TagSpecifications: [{ ResourceType: 'image', Tags: [{ Key: 'Name', Value: 'deb' }] }]
  }))
  const { Images: [image] = [] } =
    await ec2.send(new DescribeImagesCommand({ ImageIds: [ImageId] }))
  t.like(image, { ImageId, Name: 'debian 12', ImageLocation, Description: 'small', Public: false,
    State: 'available', Architecture: 'x86_64', OwnerId: net.view().accountId })
  await ec2.send(new CreateTagsCommand({
    Resources: [ImageId], Tags: [{ Key: 'tier', Value: 'base' }] }))
  for (const [name, value, found] of [
    ['name', 'debian*', [ImageId]], ['tag:tier', 'base', [ImageId]],
    ['manifest-location', ImageLocation, [ImageId]], ['is-public', 'true', [HOST]],
    ['state', 'available', [HOST, ImageId]], ['name', 'none', []]
  ] as const) {
    const { Images = [] } = await ec2.send(
      new DescribeImagesCommand({ Filters: [{ Name: name, Values: [value] }] }))
    t.deepEqual(Images.map((entry) => entry.ImageId), [...found], `${name} ${value}`)
  }
  const own = await ec2.send(new DescribeImagesCommand({ Owners: ['self'] }))
  t.deepEqual(own.Images?.map((entry) => entry.ImageId), [ImageId])

  const { Instances: [instance] = [] } = await ec2.send(new RunInstancesCommand({
    ImageId, MinCount: 1, MaxCount: 1, SubnetId: net.subnetId }))
  await ec2.send(new DeregisterImageCommand({ ImageId }))
  t.is(await refusalOf(ec2.send(new DescribeImagesCommand({ ImageIds: [ImageId] }))),
    'InvalidAMIID.NotFound')
  t.deepEqual(net.view().get('instance', instance?.InstanceId ?? '')?.guest,
    { kind: 'image', directory: ImageLocation }, 'the instance outlives it')
})

test('what is no root file system is refused, with what is wrong', async (t) => {
  const ec2 = testClient(new TestNetwork())
  const directory = rootDirectory(t)
  const shell = join(directory, 'usr/bin/dash')
  const empty = join(directory, 'empty')
  mkdirSync(empty)
  for (const [ImageLocation, fault] of [
    ['srv/image', /not an absolute path/], ['/srv/a,b', /a comma/], [`${directory}/..`, /"\.\."/],
    ['/no/such/directory', /does not exist/], ['/etc/hostname', /no directory/],
    [empty, /has no \/bin\/sh/], ['/', /already is/]
  ] as const) {
    const error = await t.throwsAsync(
      ec2.send(new RegisterImageCommand({ Name: 'bad', ImageLocation })))
    t.is(error.name, 'InvalidParameterValue')
    t.regex(error.message, fault)
  }
  chmodSync(shell, 0o644)
  await t.throwsAsync(
    ec2.send(new RegisterImageCommand({ Name: 'bad', ImageLocation: directory })),
    { message: /cannot be executed/ })
})

test('names are unique and of EC2\'s form, and the built-in image stays', async (t) => {
  const ec2 = testClient(new TestNetwork())
  const ImageLocation = rootDirectory(t)
  const register = (Name: string | undefined, more: object = {}) =>
    ec2.send(new RegisterImageCommand({ Name, ImageLocation, ...more }))
  await register('one')
  t.is(await refusalOf(register('one')), 'InvalidAMIName.Duplicate')
  t.is(await refusalOf(register('host')), 'InvalidAMIName.Duplicate')
  t.is(await refusalOf(register('a')), 'InvalidAMIName.Malformed')
  t.is(await refusalOf(register('semi;colon')), 'InvalidAMIName.Malformed')
  t.is(await refusalOf(register(undefined)), 'MissingParameter')
  t.is(await refusalOf(register('two', { Architecture: 'i386' })), 'InvalidParameterValue')
  t.is(await refusalOf(register('two', { RamdiskId: 'ari-1' })), 'UnsupportedOperation')
  t.is(await refusalOf(ec2.send(new RegisterImageCommand({ Name: 'two' }))), 'MissingParameter')
  t.is(await refusalOf(ec2.send(new DeregisterImageCommand({ ImageId: HOST }))), 'AuthFailure')
})
