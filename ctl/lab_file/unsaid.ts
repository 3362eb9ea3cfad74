/** What stands in a lab beside the kinds that files know: an export names each of it. */
import type { Ec2Client } from '../ec2_client.ts'
import { nameOf } from '../resolve.ts'

/** Items of one page, where EC2 allows fewer than in most. */
const PAGE = { MaxResults: 100 }

/** Sentences, as LiveLab.unsaid has them. */
export async function readUnsaid (ec2: Ec2Client): Promise<string[]> {
  const [lists, flowLogs, targets, filters, sessions, permissions, attributes] =
    await Promise.all([
      ec2.all('DescribeManagedPrefixLists', PAGE, (page) => page.PrefixLists),
      ec2.all('DescribeFlowLogs', {}, (page) => page.FlowLogs),
      ec2.all('DescribeTrafficMirrorTargets', {}, (page) => page.TrafficMirrorTargets),
      ec2.all('DescribeTrafficMirrorFilters', {}, (page) => page.TrafficMirrorFilters),
      ec2.all('DescribeTrafficMirrorSessions', {}, (page) => page.TrafficMirrorSessions),
      ec2.all('DescribeNetworkInterfacePermissions', PAGE,
        (page) => page.NetworkInterfacePermissions),
      ec2.call('DescribeAddressesAttribute', { Attribute: 'domain-name' })
    ])
  const own = lists.filter(({ OwnerId }) => OwnerId !== 'AWS')
  return [
    ...own.map((one) => said('prefix list', one.PrefixListId, one.PrefixListName)),
    ...flowLogs.map((one) => said('flow log', one.FlowLogId, nameOf(one))),
    ...targets.map((one) => said('mirror target', one.TrafficMirrorTargetId, nameOf(one))),
    ...filters.map((one) => said('mirror filter', one.TrafficMirrorFilterId, nameOf(one))),
    ...sessions.map((one) => said('mirror session', one.TrafficMirrorSessionId, nameOf(one))),
    ...permissions.map(({ NetworkInterfacePermissionId: id, NetworkInterfaceId: eni = '' }) =>
      `${said('permission', id, '')} on ${eni}`),
    ...(attributes.Addresses ?? []).flatMap(({ PublicIp = '', PtrRecord }) =>
      PtrRecord === undefined ? [] : [`the host name ${PtrRecord} of the Elastic IP ${PublicIp}`])
  ]
}

function said (word: string, id = '', name = ''): string {
  return `the ${word} ${id}${name === '' ? '' : ` "${name}"`}`
}
