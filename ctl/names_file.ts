/**
 * The names that the Wireshark dissector (tools/wireshark/vpclab.lua) shows: a file of lines with
 * tabs between the fields, in the lab's run directory. It is replaced whole, so that a reader sees
 * the old names or the new ones.
 *
 *     vpc   <VNI>    <vpc-…>  <name>
 *     eni   <eni-…>  <name>   <i-…>   <vpc-…>  <addresses, commas between>
 *     host  <name>   <underlay address>
 */
import { chmodSync, renameSync, writeFileSync } from 'node:fs'
import { namesPath } from '../daemon/host/paths.ts'
import type { Context } from './context.ts'
import { describeInstances } from './instances.ts'
import { nameOf } from './resolve.ts'

/** Tag under which DescribeVpcs tells the VNI. */
const VNI_TAG = 'vpclab:vni'
/** ms between two looks at whether something has changed. */
const WATCH_MS = 1000

export interface NameRow {
  readonly kind: 'vpc' | 'eni' | 'host'
  /** VNI, ENI id, name of the host. */
  readonly key: string
  /** The further fields of the line. */
  readonly fields: readonly string[]
}

/** Every name of the lab. */
export async function readNames (context: Context): Promise<NameRow[]> {
  const ec2 = await context.ec2()
  const [{ hosts }, vpcs, enis, instances] = await Promise.all([
    context.admin.status(),
    ec2.all('DescribeVpcs', {}, (page) => page.Vpcs),
    ec2.all('DescribeNetworkInterfaces', {}, (page) => page.NetworkInterfaces),
    describeInstances(ec2, {})
  ])
  const instanceNames = new Map(
    instances.map((instance) => [instance.InstanceId ?? '', nameOf(instance)]))
  return [
    ...vpcs.map((vpc): NameRow => ({
      kind: 'vpc',
      key: vpc.Tags?.find(({ Key }) => Key === VNI_TAG)?.Value ?? '',
      fields: [vpc.VpcId ?? '', nameOf(vpc)]
    })),
    ...enis.map((eni): NameRow => {
      const instanceId = eni.Attachment?.InstanceId ?? ''
      const addresses = [
        ...(eni.PrivateIpAddresses ?? []).map(({ PrivateIpAddress }) => PrivateIpAddress),
        ...(eni.Ipv6Addresses ?? []).map(({ Ipv6Address }) => Ipv6Address)
      ]
      const name = nameOf({ Tags: eni.TagSet }) || (instanceNames.get(instanceId) ?? '')
      return {
        kind: 'eni',
        key: eni.NetworkInterfaceId ?? '',
        fields: [name, instanceId, eni.VpcId ?? '', addresses.join(',')]
      }
    }),
    ...hosts.map((host): NameRow =>
      ({ kind: 'host', key: host.name, fields: [host.underlayAddress] }))
  ]
}

/** The lines of the file. Tabs and line ends inside a name become spaces. */
export function formatNames (lab: string, rows: readonly NameRow[]): string {
  const lines = rows.map(({ kind, key, fields }) =>
    [kind, key, ...fields].map((field) => field.replace(/[\t\r\n]/g, ' ')).join('\t'))
  return [`# names of the lab "${lab}", written by vpcctl`, ...lines, ''].join('\n')
}

/**
 * Writes the names, whole.
 * @param path default: where the dissector looks
 * @returns the path
 */
export function writeNames (lab: string, rows: readonly NameRow[], path = namesPath(lab)): string {
  const fresh = `${path}.${String(process.pid)}`
  writeFileSync(fresh, formatNames(lab, rows))
  chmodSync(fresh, 0o644)
  renameSync(fresh, path)
  return path
}

/**
 * Keeps the file current until the returned function is called. That something fails once, the lab
 * being busy or going down, is no reason to give up.
 */
export function watchNames (context: Context, path?: string): () => void {
  let isEnded = false
  let writtenRevision = -1
  const look = async (): Promise<void> => {
    try {
      const { revision } = await context.admin.status()
      if (revision !== writtenRevision) {
        writeNames(context.lab, await readNames(context), path)
        writtenRevision = revision
      }
    } catch { /* the names stay as they were */ }
    if (!isEnded) setTimeout(() => { void look() }, WATCH_MS).unref()
  }
  void look()
  return () => { isEnded = true }
}
