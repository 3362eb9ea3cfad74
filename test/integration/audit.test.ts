/**
 * The audit trail and the change history next to packets: who stopped a ping, and what the route
 * table was like before.
 *
 *     host-1                         host-2
 *     └ a   subnet 10.0.1.0/24       └ r   subnet 10.0.2.0/24, check off, answers for 192.0.2.1
 *
 *     main route table:   192.0.2.0/24 → r, then no more
 */
import test from 'ava'
import { CloudTrail } from '@aws-sdk/client-cloudtrail'
import { ConfigService } from '@aws-sdk/client-config-service'
import type { ConfigurationItem } from '@aws-sdk/client-config-service'
import * as ec2 from '@aws-sdk/client-ec2'
import type { CredentialsAnswer } from '../../daemon/api/admin/contract.ts'
import { adminRequest } from '../harness/admin.ts'
import { eventually } from '../harness/command.ts'
import type { Instance } from '../harness/instance.ts'
import type { Lab, TestVpc } from '../harness/lab.ts'
import { withLab } from '../harness/with_lab.ts'

const SERVICE = '192.0.2.1'
const DESTINATION = '192.0.2.0/24'
/** How far the record may be from the last reply, ms. */
const RECORD_DISTANCE_MAX_MS = 1000

interface Past { readonly trail: CloudTrail, readonly config: ConfigService }

async function pastOf (lab: Lab): Promise<Past> {
  const { endpointUrl: endpoint, region, ...credentials } =
    await adminRequest<CredentialsAnswer>(lab.name, 'GET', '/credentials')
  const options = { endpoint, region, credentials }
  return { trail: new CloudTrail(options), config: new ConfigService(options) }
}

/** `a` reaches SERVICE behind `r` by a route of the VPC's main table. @returns the table's id */
async function routeToService (lab: Lab, vpc: TestVpc, r: Instance): Promise<string> {
  await r.exec('ip', 'addr', 'add', `${SERVICE}/32`, 'dev', 'lo')
  await lab.ec2.send(new ec2.ModifyNetworkInterfaceAttributeCommand({
    NetworkInterfaceId: r.eni, SourceDestCheck: { Value: false }
  }))
  const { RouteTables } = await lab.ec2.send(new ec2.DescribeRouteTablesCommand(
    { Filters: [{ Name: 'vpc-id', Values: [vpc.id] }] }))
  const table = RouteTables?.[0]?.RouteTableId ?? ''
  await lab.ec2.send(new ec2.CreateRouteCommand(
    { RouteTableId: table, DestinationCidrBlock: DESTINATION, NetworkInterfaceId: r.eni }))
  await lab.waitApplied()
  return table
}

/** Items of a route table, newest first, up to a time. */
async function itemsOf ({ config }: Past, table: string, laterTime?: Date):
Promise<ConfigurationItem[]> {
  const { configurationItems = [] } = await config.getResourceConfigHistory({
    resourceType: 'AWS::EC2::RouteTable', resourceId: table, laterTime, limit: 100
  })
  return configurationItems
}

/** The state of the route to SERVICE; undefined when there is no such route. */
function routeState (item: ConfigurationItem | undefined): string | undefined {
  const { routes } = JSON.parse(item?.configuration ?? '{"routes":[]}') as {
    readonly routes: readonly { readonly destinationCidrBlock: string, readonly state: string }[]
  }
  return routes.find((route) => route.destinationCidrBlock === DESTINATION)?.state
}

test.serial('the record of the call that stopped a ping is as old as the last reply',
  withLab({}, async (t, lab) => {
    const vpc = await lab.vpc('10.0.0.0/16')
    const a = await lab.instance(await lab.subnet(vpc, '10.0.1.0/24'), { host: 'host-1' })
    const r = await lab.instance(await lab.subnet(vpc, '10.0.2.0/24'), { host: 'host-2' })
    const table = await routeToService(lab, vpc, r)
    const past = await pastOf(lab)

    // -D: the time of each reply stands before it.
    const pings = a.start('ping', '-n', '-D', '-O', '-i', '0.05', '-W', '1', SERVICE)
    await pings.printed('bytes from')
    await lab.ec2.send(new ec2.DeleteRouteCommand(
      { RouteTableId: table, DestinationCidrBlock: DESTINATION }))
    await pings.printed('no answer yet')
    const replies = [...(await pings.stop('SIGINT')).matchAll(/^\[([\d.]+)\] \d+ bytes from/gm)]
    const lastReplyMs = Number(replies.at(-1)?.[1]) * 1000
    const { Events: [event] = [] } = await past.trail.lookupEvents(
      { LookupAttributes: [{ AttributeKey: 'EventName', AttributeValue: 'DeleteRoute' }] })
    const distanceMs = Math.abs((event?.EventTime?.getTime() ?? 0) - lastReplyMs)
    t.true(distanceMs < RECORD_DISTANCE_MAX_MS, `${String(distanceMs)} ms`)

    const items = await itemsOf(past, table)
    t.deepEqual(items[0]?.relatedEvents, [event?.EventId])
    t.is(routeState(items[0]), undefined, 'after')
    t.is(routeState(items[1]), 'active', 'before')
    const [atLastReply] = await itemsOf(past, table,
      new Date((event?.EventTime?.getTime() ?? 0) - RECORD_DISTANCE_MAX_MS))
    t.not(atLastReply?.configurationStateId, items[0]?.configurationStateId)
    past.trail.destroy()
    past.config.destroy()
  }))

test.serial('kill -9 of the daemon loses no change and no call; a stop shows as a blackhole',
  withLab({}, async (t, lab) => {
    const vpc = await lab.vpc('10.0.0.0/16')
    const r = await lab.instance(await lab.subnet(vpc, '10.0.2.0/24'), { host: 'host-2' })
    const table = await routeToService(lab, vpc, r)
    await lab.ec2.send(new ec2.StopInstancesCommand({ InstanceIds: [r.id] }))
    await lab.waitInstances([r.id], 'stopped')
    const past = await pastOf(lab)
    const before = await eventually('the blackhole in the history', async () => {
      const items = await itemsOf(past, table)
      return routeState(items[0]) === 'blackhole' && items
    })

    const keys = Array.from({ length: 20 }, (_, number) => `key-${String(number)}`)
    for (const Key of keys) {
      await lab.ec2.send(new ec2.CreateTagsCommand(
        { Resources: [table], Tags: [{ Key, Value: 'v' }] }))
    }
    await lab.kill()
    await lab.restart()

    const items = await itemsOf(past, table)
    t.is(items.length, before.length + keys.length, 'every change that was answered')
    t.deepEqual(items.slice(keys.length).map((item) => item.configurationStateId),
      before.map((item) => item.configurationStateId))
    const { Events = [] } = await past.trail.lookupEvents(
      { LookupAttributes: [{ AttributeKey: 'ResourceName', AttributeValue: table }] })
    const tagging = Events.filter((event) => event.EventName === 'CreateTags')
    t.is(tagging.length, keys.length, 'every call that was answered')
    t.deepEqual(items.slice(0, keys.length).map((item) => item.relatedEvents?.[0]),
      tagging.map((event) => event.EventId))
    past.trail.destroy()
    past.config.destroy()
  }))
