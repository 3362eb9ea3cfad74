/** Metadata options and private DNS name options of instances at the border. */
import type {
  Instance as InstanceOutput, InstanceMetadataOptionsRequest, InstanceMetadataOptionsResponse
} from '@aws-sdk/client-ec2'
import type { Instance } from '../../model/instance.ts'
import { privateDnsOptionsOf } from '../../model/instance_dns.ts'
import { metadataOptionsOf } from '../../model/instance_metadata.ts'
import type { MetadataOptions, MetadataOptionsInput } from '../../model/instance_metadata.ts'
import type { FilterTable } from './describe.ts'

export function metadataFromInput (input: InstanceMetadataOptionsRequest): MetadataOptionsInput {
  return {
    httpTokens: input.HttpTokens,
    httpPutResponseHopLimit: input.HttpPutResponseHopLimit,
    httpEndpoint: input.HttpEndpoint,
    httpProtocolIpv6: input.HttpProtocolIpv6,
    instanceMetadataTags: input.InstanceMetadataTags
  }
}

export function printMetadataOptions (options: MetadataOptions): InstanceMetadataOptionsResponse {
  return {
    State: 'applied',
    HttpTokens: options.httpTokens,
    HttpPutResponseHopLimit: options.httpPutResponseHopLimit,
    HttpEndpoint: options.httpEndpoint,
    HttpProtocolIpv6: options.httpProtocolIpv6,
    InstanceMetadataTags: options.instanceMetadataTags
  }
}

export function printDnsOptions (instance: Instance): InstanceOutput['PrivateDnsNameOptions'] {
  const options = privateDnsOptionsOf(instance)
  return {
    HostnameType: options.hostnameType,
    EnableResourceNameDnsARecord: options.enableResourceNameDnsARecord,
    EnableResourceNameDnsAAAARecord: options.enableResourceNameDnsAaaaRecord
  }
}

/** Filters of DescribeInstances on metadata options. */
export const METADATA_FILTERS: FilterTable<Instance> = {
  'metadata-options.http-tokens': (instance) => metadataOptionsOf(instance).httpTokens,
  'metadata-options.http-put-response-hop-limit': (instance) =>
    metadataOptionsOf(instance).httpPutResponseHopLimit,
  'metadata-options.http-endpoint': (instance) => metadataOptionsOf(instance).httpEndpoint,
  'metadata-options.instance-metadata-tags': (instance) =>
    metadataOptionsOf(instance).instanceMetadataTags
}
