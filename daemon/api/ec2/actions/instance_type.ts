/** EC2 actions on instance types. Table: model/instance_type.ts. */
import type {
  _InstanceType, DescribeInstanceTypesRequest, DescribeInstanceTypesResult, InstanceTypeInfo
} from '@aws-sdk/client-ec2'
import { AwsError } from '../../../model/aws_error.ts'
import { INSTANCE_TYPES } from '../../../model/instance_type.ts'
import type { InstanceType } from '../../../model/instance_type.ts'
import { defineRead } from '../action.ts'
import type { Action } from '../action.ts'
import { applyFilters, checkPageInput, pageOf } from '../describe.ts'
import type { FilterTable } from '../describe.ts'

/** `Up to 10 Gigabit`, or `25 Gigabit` for a type whose baseline is its peak. */
function networkPerformance ({ baselineGbps, peakGbps }: InstanceType): string {
  return baselineGbps < peakGbps ? `Up to ${peakGbps} Gigabit` : `${peakGbps} Gigabit`
}

function printInstanceType (type: InstanceType): InstanceTypeInfo {
  return {
    InstanceType: type.name as _InstanceType,
    CurrentGeneration: type.hypervisor === 'nitro',
    SupportedUsageClasses: ['on-demand'],
    SupportedRootDeviceTypes: ['ebs'],
    SupportedVirtualizationTypes: ['hvm'],
    BareMetal: false,
    Hypervisor: type.hypervisor,
    ProcessorInfo: { SupportedArchitectures: ['x86_64'] },
    VCpuInfo: { DefaultVCpus: type.vcpus },
    MemoryInfo: { SizeInMiB: type.memoryMiB },
    InstanceStorageSupported: false,
    BurstablePerformanceSupported: type.burstablePerformance,
    NetworkInfo: {
      NetworkPerformance: networkPerformance(type),
      MaximumNetworkInterfaces: type.interfacesMax,
      MaximumNetworkCards: 1,
      DefaultNetworkCardIndex: 0,
      NetworkCards: [{
        NetworkCardIndex: 0, NetworkPerformance: networkPerformance(type),
        MaximumNetworkInterfaces: type.interfacesMax,
        BaselineBandwidthInGbps: type.baselineGbps, PeakBandwidthInGbps: type.peakGbps
      }],
      Ipv4AddressesPerInterface: type.ipv4PerInterfaceMax,
      Ipv6AddressesPerInterface: type.ipv6PerInterfaceMax,
      Ipv6Supported: true,
      EnaSupport: type.hypervisor === 'nitro' ? 'required' : 'unsupported',
      EfaSupported: false
    }
  }
}

const FILTERS: FilterTable<InstanceType> = {
  'bare-metal': () => false,
  'burstable-performance-supported': ({ burstablePerformance }) => burstablePerformance,
  'current-generation': ({ hypervisor }) => hypervisor === 'nitro',
  hypervisor: ({ hypervisor }) => hypervisor,
  'instance-type': ({ name }) => name,
  'memory-info.size-in-mib': ({ memoryMiB }) => memoryMiB,
  'network-info.ipv4-addresses-per-interface': ({ ipv4PerInterfaceMax }) => ipv4PerInterfaceMax,
  'network-info.ipv6-addresses-per-interface': ({ ipv6PerInterfaceMax }) => ipv6PerInterfaceMax,
  'network-info.ipv6-supported': () => true,
  'network-info.maximum-network-interfaces': ({ interfacesMax }) => interfacesMax,
  'network-info.network-performance': networkPerformance,
  'processor-info.supported-architecture': () => 'x86_64',
  'vcpu-info.default-vcpus': ({ vcpus }) => vcpus
}

const describeInstanceTypes = defineRead<DescribeInstanceTypesRequest,
  DescribeInstanceTypesResult>({
  name: 'DescribeInstanceTypes',
  read: (view, input) => {
    checkPageInput(input, 'InstanceTypes', input.InstanceTypes)
    const absent = input.InstanceTypes?.filter((name) => !INSTANCE_TYPES.has(name)) ?? []
    if (absent.length > 0) {
      throw new AwsError('InvalidInstanceType',
        `The following supplied instance types do not exist: [${absent.join(', ')}]`)
    }
    const all = [...INSTANCE_TYPES.values()]
    const named = input.InstanceTypes === undefined ? all
      : all.filter(({ name }) => input.InstanceTypes?.includes(name as _InstanceType))
    const matching = applyFilters(view, named, input.Filters, { filters: FILTERS, tagsOf: null })
    const page = pageOf(matching, 'instance-type', input, ({ name }) => [0, name])
    return { InstanceTypes: page.items.map(printInstanceType), NextToken: page.nextToken }
  }
})

export const instanceTypeActions: readonly Action[] = [describeInstanceTypes]
