/** Images through the AWS SDK: a directory is registered, launched from and deregistered. */
import test from 'ava'
import { EC2 } from '@aws-sdk/client-ec2'
import { BusyboxTree } from '../harness/busybox_tree.ts'
import { ALICE, openEndpoint } from './endpoint.ts'

test('an image made of a directory is launched from, and forgotten', async (t) => {
  using tree = new BusyboxTree()
  const endpoint = await openEndpoint({ hostZoneIds: ['use1-az1'] })
  t.teardown(async () => { await endpoint.close() })
  const ec2 = new EC2({
    endpoint: endpoint.url, region: 'us-east-1', credentials: ALICE, maxAttempts: 1
  })
  const { ImageId = '' } =
    await ec2.registerImage({ Name: 'busybox', ImageLocation: tree.directory })
  const { Vpc: vpc } = await ec2.createVpc({ CidrBlock: '10.0.0.0/16' })
  const { Subnet: subnet } = await ec2.createSubnet({ VpcId: vpc?.VpcId, CidrBlock: '10.0.1.0/24' })
  const launch = { ImageId, SubnetId: subnet?.SubnetId, MinCount: 1, MaxCount: 1 }
  const { Instances: [instance] = [] } = await ec2.runInstances(launch)
  t.is(instance?.ImageId, ImageId)
  const { Images: [image] = [] } = await ec2.describeImages({ Owners: ['self'] })
  t.is(image?.ImageLocation, tree.directory)
  await ec2.deregisterImage({ ImageId })
  await t.throwsAsync(ec2.runInstances(launch), { name: 'InvalidAMIID.NotFound' })
  await t.throwsAsync(ec2.registerImage({ Name: 'bad', ImageLocation: '/etc/hostname' }),
    { name: 'InvalidParameterValue', message: /it is no directory/ })
})
