/**
 * Regions, Availability Zones and account attributes. Rules: model/region.ts, zone.ts,
 * account.ts.
 */
import type * as Ec2 from '@aws-sdk/client-ec2'
import { accountAttributes } from '../../../model/account.ts'
import { AwsError } from '../../../model/aws_error.ts'
import type { Region } from '../../../model/region.ts'
import { REGIONS } from '../../../model/region.ts'
import type { Zone } from '../../../model/zone.ts'
import { listZones } from '../../../model/zone.ts'
import type { Action } from '../action.ts'
import { defineRead, defineWrite } from '../action.ts'
import type { FilterTable } from '../describe.ts'
import { applyFilters } from '../describe.ts'

/** All zones of the lab are ordinary ones: nobody has to opt in, and nobody can opt out. */
const OPT_IN_STATUS = 'opt-in-not-required'
const ZONE_TYPE = 'availability-zone'
const ZONE_STATE = 'available'

/** The group of a Region's ordinary zones: `us-east-1-zg-1`. */
function zoneGroup (region: string): string { return `${region}-zg-1` }

const zoneFilters: FilterTable<Zone> = {
  'group-name': (_zone, view) => zoneGroup(view.region),
  'message': () => undefined,
  'opt-in-status': () => OPT_IN_STATUS,
  'parent-zone-id': () => undefined,
  'parent-zone-name': () => undefined,
  'region-name': (_zone, view) => view.region,
  'state': () => ZONE_STATE,
  'zone-id': (zone) => zone.id,
  'zone-name': (zone) => zone.name,
  'zone-type': () => ZONE_TYPE
}

function endpoint (region: Region): string { return `ec2.${region.name}.amazonaws.com` }

const regionFilters: FilterTable<Region> = {
  'endpoint': endpoint,
  'opt-in-status': () => OPT_IN_STATUS,
  'region-name': (region) => region.name
}

/** Refuses what of `wanted` is not among `known`. */
function checkKnown (wanted: readonly string[], known: readonly string[],
  refusal: (unknown: string) => AwsError): void {
  const unknown = wanted.filter((name) => !known.includes(name))
  if (unknown.length > 0) throw refusal(unknown.join(', '))
}

export const zoneActions: readonly Action[] = [
  defineRead<Ec2.DescribeRegionsRequest, Ec2.DescribeRegionsResult>({
    name: 'DescribeRegions',
    read: (view, input) => {
      const names = input.RegionNames ?? []
      checkKnown(names, REGIONS.map(({ name }) => name), (unknown) =>
        new AwsError('InvalidParameterValue', `Invalid region(s): [${unknown}]`))
      const wanted = names.length === 0
        ? REGIONS
        : REGIONS.filter(({ name }) => names.includes(name))
      const matching = applyFilters(
        view, wanted, input.Filters, { filters: regionFilters, tagsOf: null })
      return {
        Regions: matching.map((region) => ({
          RegionName: region.name, Endpoint: endpoint(region), OptInStatus: OPT_IN_STATUS
        }))
      }
    }
  }),

  defineRead<Ec2.DescribeAvailabilityZonesRequest, Ec2.DescribeAvailabilityZonesResult>({
    name: 'DescribeAvailabilityZones',
    read: (view, input) => {
      const { ZoneNames: names = [], ZoneIds: ids = [] } = input
      const zones = listZones(view)
      const notFound = (unknown: string): AwsError =>
        new AwsError('InvalidZone.NotFound', `The zone '[${unknown}]' does not exist.`)
      checkKnown(names, zones.map(({ name }) => name), notFound)
      checkKnown(ids, zones.map(({ id }) => id), notFound)
      const wanted = zones.filter(({ id, name }) =>
        (names.length === 0 || names.includes(name)) && (ids.length === 0 || ids.includes(id)))
      const matching = applyFilters(
        view, wanted, input.Filters, { filters: zoneFilters, tagsOf: null })
      return {
        AvailabilityZones: matching.map(({ id, name }) => ({
          ZoneName: name, ZoneId: id, RegionName: view.region, State: ZONE_STATE,
          OptInStatus: OPT_IN_STATUS, ZoneType: ZONE_TYPE, GroupName: zoneGroup(view.region),
          NetworkBorderGroup: view.region, Messages: []
        }))
      }
    }
  }),

  defineWrite<Ec2.ModifyAvailabilityZoneGroupRequest, null, Ec2.ModifyAvailabilityZoneGroupResult>({
    name: 'ModifyAvailabilityZoneGroup',
    plan: (view, input) => {
      if (input.GroupName !== zoneGroup(view.region)) {
        throw new AwsError('InvalidParameterValue',
          `Value (${input.GroupName ?? ''}) for parameter groupName is invalid. ` +
          `The Region ${view.region} has the group ${zoneGroup(view.region)} alone.`)
      }
      if (input.OptInStatus !== 'opted-in') {
        throw new AwsError('InvalidParameterValue',
          `Value (${input.OptInStatus ?? ''}) for parameter optInStatus is invalid. ` +
          'A group of Availability Zones can only be opted-in.')
      }
      return { changes: [], result: null }
    },
    print: () => ({ Return: true })
  }),

  defineRead<Ec2.DescribeAccountAttributesRequest, Ec2.DescribeAccountAttributesResult>({
    name: 'DescribeAccountAttributes',
    read: (view, input) => {
      const attributes = accountAttributes(view)
      const wanted: readonly string[] = input.AttributeNames ?? []
      checkKnown(wanted, [...attributes.keys()], (unknown) => new AwsError('InvalidParameterValue',
        `Value (${unknown}) for parameter attributeName is invalid. Expecting ` +
        `${[...attributes.keys()].join(', ')}.`))
      return {
        AccountAttributes: [...attributes]
          .filter(([name]) => wanted.length === 0 || wanted.includes(name))
          .map(([name, values]) => ({
            AttributeName: name,
            AttributeValues: values.map((value) => ({ AttributeValue: value }))
          }))
      }
    }
  })
]
