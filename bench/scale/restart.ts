/**
 * How long a host forwards nothing when its daemon is killed: from the start of the next one to the
 * first answer of a ping between two hosts of a real lab, with MAPPINGS addresses in the VPC.
 */
import * as ec2 from '@aws-sdk/client-ec2'
import { eventually } from '../../test/harness/command.ts'
import { Lab } from '../../test/harness/lab.ts'
import { median } from '../statistics.ts'

const INSTANCES = 14
/** Of the type: interfaces, and addresses of each. */
const TYPE = 'm5.16xlarge'
const ENIS = 15
const ADDRESSES = 50
export const MAPPINGS = INSTANCES * ENIS * ADDRESSES
const RESTARTS = 3
const PING_INTERVAL_S = 0.01
const IMAGE_ID = 'ami-00000000000000001'

/** @returns median of ms */
export async function measureRestart (): Promise<number> {
  const lab = await Lab.start()
  try {
    const subnet = await lab.subnet(await lab.vpc('10.0.0.0/16'), '10.0.0.0/17')
    const NetworkInterfaces = Array.from({ length: ENIS }, (_eni, DeviceIndex) => ({
      DeviceIndex, SubnetId: subnet.id, SecondaryPrivateIpAddressCount: ADDRESSES - 1
    }))
    const { Instances = [] } = await lab.ec2.send(new ec2.RunInstancesCommand({
      ImageId: IMAGE_ID, InstanceType: TYPE, MinCount: INSTANCES, MaxCount: INSTANCES,
      NetworkInterfaces
    }))
    await lab.waitInstances(Instances.map(({ InstanceId = '' }) => InstanceId), 'running')
    const [from, to] = await Promise.all(['host-1', 'host-2'].map(async (host) =>
      await lab.instance(subnet, { host })))
    if (from === undefined || to === undefined) throw new Error('two instances were asked for')
    await from.ping(to.ipv4, 1)
    const tookMs: number[] = []
    for (let count = 0; count < RESTARTS; count++) {
      await lab.kill()
      const ping = from.start('ping', '-D', '-i', String(PING_INTERVAL_S), to.ipv4)
      const startMs = Date.now()
      await lab.restart()
      const answerS = await eventually('the ping is answered', () =>
        Promise.resolve(/\[([\d.]+)\] \d+ bytes from/.exec(ping.output)?.[1]))
      tookMs.push(Number(answerS) * 1000 - startMs)
      await ping.stop('SIGINT')
      await lab.waitApplied()
    }
    return median(tookMs)
  } finally {
    await lab.down()
  }
}
