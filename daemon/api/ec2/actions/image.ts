/** EC2 actions on images: there is one, and it is only described. Rules: model/image.ts. */
import type {
  DescribeImagesRequest, DescribeImagesResult, Image as ImageOutput
} from '@aws-sdk/client-ec2'
import { findImage, IMAGES } from '../../../model/image.ts'
import type { Image } from '../../../model/image.ts'
import { defineRead } from '../action.ts'
import type { Action } from '../action.ts'
import { applyFilters, checkPageInput, pageOf } from '../describe.ts'
import type { FilterTable } from '../describe.ts'

function printImage (image: Image): ImageOutput {
  return {
    ImageId: image.id, Name: image.name, Description: image.description, OwnerId: image.ownerId,
    ImageOwnerAlias: image.ownerAlias, Architecture: image.architecture,
    RootDeviceName: image.rootDeviceName,
    RootDeviceType: 'ebs', CreationDate: image.createdAt, State: 'available', Public: true,
    ImageType: 'machine',
    VirtualizationType: 'hvm', Hypervisor: 'xen', EnaSupport: true, PlatformDetails: 'Linux/UNIX',
    ImageLocation: `${image.ownerAlias}/${image.name}`, BlockDeviceMappings: [], Tags: []
  }
}

const FILTERS: FilterTable<Image> = {
  architecture: ({ architecture }) => architecture,
  'creation-date': ({ createdAt }) => createdAt,
  description: ({ description }) => description,
  hypervisor: () => 'xen',
  'image-id': ({ id }) => id,
  'image-type': () => 'machine',
  'is-public': () => true,
  name: ({ name }) => name,
  'owner-alias': ({ ownerAlias }) => ownerAlias,
  'owner-id': ({ ownerId }) => ownerId,
  platform: () => undefined,
  'root-device-name': ({ rootDeviceName }) => rootDeviceName,
  'root-device-type': () => 'ebs',
  state: () => 'available',
  'virtualization-type': () => 'hvm'
}

const describeImages = defineRead<DescribeImagesRequest, DescribeImagesResult>({
  name: 'DescribeImages',
  read: (view, input) => {
    checkPageInput(input, 'ImageIds', input.ImageIds)
    const named = input.ImageIds === undefined ? IMAGES
      : [...new Set(input.ImageIds.map(findImage))]
    const owned = named.filter(({ ownerId, ownerAlias }) => input.Owners === undefined ||
      input.Owners.includes(ownerId) || input.Owners.includes(ownerAlias))
    const matching = applyFilters(view, owned, input.Filters,
      { filters: FILTERS, tagsOf: () => ({}) })
    const page = pageOf(matching, 'image', input, ({ id }) => [0, id])
    return { Images: page.items.map(printImage), NextToken: page.nextToken }
  }
})

export const imageActions: readonly Action[] = [describeImages]
