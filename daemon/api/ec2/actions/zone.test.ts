/** Regions, zones and account attributes through the SDK's client. */
import {
  DescribeAccountAttributesCommand, DescribeAvailabilityZonesCommand, DescribeRegionsCommand,
  ModifyAvailabilityZoneGroupCommand
} from '@aws-sdk/client-ec2'
import type { EC2Client } from '@aws-sdk/client-ec2'
import test from 'ava'
import { TestWorld } from '../../../model/test_world.ts'
import { refusalOf, testClient } from '../test_caller.ts'

async function zones (ec2: EC2Client, name: string, value: string): Promise<string[]> {
  const Filters = [{ Name: name, Values: [value] }]
  const { AvailabilityZones = [] } =
    await ec2.send(new DescribeAvailabilityZonesCommand({ Filters }))
  return AvailabilityZones.map(({ ZoneName, ZoneId }) => `${ZoneName ?? ''} ${ZoneId ?? ''}`)
}

test('every account has an "a" zone, and not everybody\'s is the same place', async (t) => {
  const world = new TestWorld()
  const places = new Set<string>()
  for (let n = 1; n <= 9; n++) {
    const ec2 = testClient(world, String(n).padStart(12, '0'))
    const found = await zones(ec2, 'zone-name', 'us-east-1a')
    t.is(found.length, 1)
    t.deepEqual(await zones(ec2, 'zone-id', found[0]?.split(' ')[1] ?? ''), found)
    places.add(found[0] ?? '')
  }
  t.true(places.size > 1)
})

test('zones are found by every filter of EC2, and unknown ones are refused', async (t) => {
  const ec2 = testClient(new TestWorld())
  for (const [name, value, count] of [
    ['group-name', 'us-east-1-zg-1', 6], ['opt-in-status', 'opt-in-not-required', 6],
    ['region-name', 'us-east-1', 6], ['region-name', 'eu-west-1', 0], ['state', 'available', 6],
    ['zone-type', 'availability-zone', 6], ['zone-type', 'wavelength-zone', 0],
    ['parent-zone-id', '*', 0], ['parent-zone-name', '*', 0], ['message', '*', 0]
  ] as const) t.is((await zones(ec2, name, value)).length, count, `${name}=${value}`)
  t.is(await refusalOf(zones(ec2, 'colour', 'red')), 'InvalidParameterValue')
  t.is(await refusalOf(ec2.send(new DescribeAvailabilityZonesCommand(
    { ZoneIds: ['euw1-az1'] }))), 'InvalidZone.NotFound')
})

test('the one group of a Region is opted in and stays so', async (t) => {
  const ec2 = testClient(new TestWorld())
  const modify = async (GroupName: string, OptInStatus: 'opted-in' | 'not-opted-in'):
  Promise<string> => await refusalOf(
    ec2.send(new ModifyAvailabilityZoneGroupCommand({ GroupName, OptInStatus })))
  t.is(await modify('us-east-1-zg-1', 'opted-in'), '')
  t.is(await modify('us-east-1-zg-1', 'not-opted-in'), 'InvalidParameterValue')
  t.is(await modify('us-east-1-wl1', 'opted-in'), 'InvalidParameterValue')
})

test('Regions and account attributes are shown by name, and others are refused', async (t) => {
  const world = new TestWorld()
  world.setQuota('security-groups-per-network-interface', 7)
  const ec2 = testClient(world)
  const regions = await ec2.send(new DescribeRegionsCommand({ RegionNames: ['eu-west-1'] }))
  t.deepEqual(regions.Regions?.map(({ RegionName }) => RegionName), ['eu-west-1'])
  t.is(await refusalOf(ec2.send(new DescribeRegionsCommand({ RegionNames: ['mars-1'] }))),
    'InvalidParameterValue')
  const { AccountAttributes = [] } = await ec2.send(new DescribeAccountAttributesCommand({}))
  t.deepEqual(AccountAttributes.map(({ AttributeName, AttributeValues }) =>
    [AttributeName, AttributeValues?.[0]?.AttributeValue]), [
    ['supported-platforms', 'VPC'], ['default-vpc', 'none'], ['max-elastic-ips', '5'],
    ['vpc-max-elastic-ips', '5'], ['max-instances', '1000'],
    ['vpc-max-security-groups-per-interface', '7']
  ])
})
