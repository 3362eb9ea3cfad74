/**
 * EC2 actions on what an instance is told about itself: metadata options, their defaults, private
 * DNS names. Rules: model/instance_metadata.ts, model/instance_dns.ts.
 */
import type {
  GetInstanceMetadataDefaultsRequest, GetInstanceMetadataDefaultsResult,
  ModifyInstanceMetadataDefaultsRequest, ModifyInstanceMetadataDefaultsResult,
  ModifyInstanceMetadataOptionsRequest, ModifyInstanceMetadataOptionsResult,
  ModifyPrivateDnsNameOptionsRequest, ModifyPrivateDnsNameOptionsResult
} from '@aws-sdk/client-ec2'
import { planModifyPrivateDnsNameOptions } from '../../../model/instance_dns.ts'
import {
  metadataDefaultsOf, planModifyMetadataDefaults, planModifyMetadataOptions
} from '../../../model/instance_metadata.ts'
import type { MetadataOptions } from '../../../model/instance_metadata.ts'
import { defineRead, defineWrite } from '../action.ts'
import type { Action } from '../action.ts'
import { metadataFromInput, printMetadataOptions } from '../instance_options_shape.ts'

const modifyMetadataOptions = defineWrite<ModifyInstanceMetadataOptionsRequest,
  { readonly instanceId: string, readonly options: MetadataOptions },
  ModifyInstanceMetadataOptionsResult>({
  name: 'ModifyInstanceMetadataOptions',
  plan: (view, input) => {
    const instanceId = input.InstanceId ?? ''
    const { changes, result } =
      planModifyMetadataOptions(view, instanceId, metadataFromInput(input))
    return { changes, result: { instanceId, options: result } }
  },
  print: (_view, { instanceId, options }) => ({
    InstanceId: instanceId, InstanceMetadataOptions: printMetadataOptions(options)
  })
})

const modifyMetadataDefaults = defineWrite<ModifyInstanceMetadataDefaultsRequest, null,
  ModifyInstanceMetadataDefaultsResult>({
  name: 'ModifyInstanceMetadataDefaults',
  plan: (view, input) => planModifyMetadataDefaults(view, {
    httpTokens: input.HttpTokens,
    httpPutResponseHopLimit: input.HttpPutResponseHopLimit,
    httpEndpoint: input.HttpEndpoint,
    instanceMetadataTags: input.InstanceMetadataTags
  }),
  print: () => ({ Return: true })
})

const getMetadataDefaults = defineRead<GetInstanceMetadataDefaultsRequest,
  GetInstanceMetadataDefaultsResult>({
  name: 'GetInstanceMetadataDefaults',
  read: (view) => {
    const defaults = metadataDefaultsOf(view)
    return {
      AccountLevel: {
        HttpTokens: defaults.httpTokens,
        HttpPutResponseHopLimit: defaults.httpPutResponseHopLimit,
        HttpEndpoint: defaults.httpEndpoint,
        InstanceMetadataTags: defaults.instanceMetadataTags,
        ManagedBy: 'account'
      }
    }
  }
})

const modifyPrivateDnsNameOptions = defineWrite<ModifyPrivateDnsNameOptionsRequest, null,
  ModifyPrivateDnsNameOptionsResult>({
  name: 'ModifyPrivateDnsNameOptions',
  plan: (view, input) => planModifyPrivateDnsNameOptions(view, input.InstanceId ?? '', {
    hostnameType: input.PrivateDnsHostnameType,
    enableResourceNameDnsARecord: input.EnableResourceNameDnsARecord,
    enableResourceNameDnsAaaaRecord: input.EnableResourceNameDnsAAAARecord
  }),
  print: () => ({ Return: true })
})

export const instanceOptionActions: readonly Action[] = [
  modifyMetadataOptions, modifyMetadataDefaults, getMetadataDefaults, modifyPrivateDnsNameOptions
]
