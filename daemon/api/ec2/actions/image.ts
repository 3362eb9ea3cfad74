/** EC2 actions on images. Rules: model/image.ts; the directory is looked at by host/. */
import type {
  DeregisterImageRequest, DescribeImagesRequest, DescribeImagesResult, Image as ImageOutput,
  RegisterImageRequest, RegisterImageResult
} from '@aws-sdk/client-ec2'
import { imageDirectoryFault, imageKindOf } from '../../../host/instance_image.ts'
import { AwsError } from '../../../model/aws_error.ts'
import {
  BUILT_IN_OWNER, ROOT_DEVICE_NAME, allImages, directoryFault, findImage, planDeregisterImage,
  planRegisterImage
} from '../../../model/image.ts'
import type { Image } from '../../../model/image.ts'
import type { AccountView } from '../../../model/snapshot.ts'
import { printTags, tagsFromSpecifications } from '../../../model/tag.ts'
import { defineRead, defineWrite } from '../action.ts'
import type { Action } from '../action.ts'
import { applyFilters, checkPageInput, pageOf } from '../describe.ts'
import type { FilterTable } from '../describe.ts'
import { refuseUnbuilt } from '../unbuilt.ts'

const isBuiltIn = (image: Image): boolean => image.ownerId === BUILT_IN_OWNER

function ownerAlias (image: Image): string | undefined {
  return isBuiltIn(image) ? 'amazon' : undefined
}

function printImage (image: Image): ImageOutput {
  return {
    ImageId: image.id, Name: image.name, Description: image.description, OwnerId: image.ownerId,
    ImageOwnerAlias: ownerAlias(image), Architecture: image.architecture,
    RootDeviceName: ROOT_DEVICE_NAME, RootDeviceType: 'ebs',
    CreationDate: new Date(image.createdMs).toISOString(), State: 'available',
    Public: isBuiltIn(image), ImageType: 'machine', VirtualizationType: 'hvm', Hypervisor: 'xen',
    EnaSupport: true, PlatformDetails: 'Linux/UNIX',
    ImageLocation: image.directory ?? `amazon/${image.name}`, BlockDeviceMappings: [],
    Tags: printTags(image.tags)
  }
}

const FILTERS: FilterTable<Image> = {
  architecture: ({ architecture }) => architecture,
  'creation-date': ({ createdMs }) => new Date(createdMs).toISOString(),
  description: ({ description }) => description,
  'ena-support': () => true,
  hypervisor: () => 'xen',
  'image-id': ({ id }) => id,
  'image-type': () => 'machine',
  'is-public': isBuiltIn,
  'manifest-location': ({ directory, name }) => directory ?? `amazon/${name}`,
  name: ({ name }) => name,
  'owner-alias': ownerAlias,
  'owner-id': ({ ownerId }) => ownerId,
  platform: () => undefined,
  'root-device-name': () => ROOT_DEVICE_NAME,
  'root-device-type': () => 'ebs',
  state: () => 'available',
  'virtualization-type': () => 'hvm'
}

/** `self`, `amazon`, or the 12 digits of an account. */
function hasOwner (view: AccountView, image: Image, owners: readonly string[]): boolean {
  const alias = image.ownerId === view.accountId ? 'self' : ownerAlias(image) ?? ''
  return owners.includes(image.ownerId) || owners.includes(alias)
}

const describeImages = defineRead<DescribeImagesRequest, DescribeImagesResult>({
  name: 'DescribeImages',
  read: (view, input) => {
    checkPageInput(input, 'ImageIds', input.ImageIds)
    const named = input.ImageIds === undefined || input.ImageIds.length === 0
      ? allImages(view)
      : [...new Set(input.ImageIds.map((id) => findImage(view, id)))]
    const owned = named.filter((image) =>
      input.Owners === undefined || hasOwner(view, image, input.Owners))
    const matching = applyFilters(view, owned, input.Filters,
      { filters: FILTERS, tagsOf: ({ tags }) => tags })
    const table = view.snapshot.tables.image
    const page = pageOf(matching, 'image', input, ({ id }) => [table.createRevision(id), id])
    return { Images: page.items.map(printImage), NextToken: page.nextToken }
  }
})

const registerImage = defineWrite<RegisterImageRequest, string, RegisterImageResult>({
  name: 'RegisterImage',
  plan: (view, input, context) => {
    refuseUnbuilt('RegisterImage', {
      ...input,
      EnaSupport: input.EnaSupport === true ? undefined : input.EnaSupport,
      VirtualizationType: input.VirtualizationType === 'hvm' ? undefined : input.VirtualizationType
    }, ['Name', 'ImageLocation', 'Description', 'Architecture', 'TagSpecifications'])
    const { Name, ImageLocation } = input
    if (Name === undefined) {
      throw new AwsError('MissingParameter', 'The request must contain the parameter name')
    }
    if (ImageLocation === undefined) {
      throw new AwsError('MissingParameter', 'The request must contain the parameter ' +
        'imageLocation: the absolute path of a directory with a root file system')
    }
    const kind = imageKindOf(ImageLocation)
    const fault = directoryFault(ImageLocation) ??
      (kind === 'vm' ? null : imageDirectoryFault(ImageLocation))
    if (fault !== null) {
      throw new AwsError('InvalidParameterValue',
        `Value (${ImageLocation}) for parameter imageLocation is invalid: it ${fault}; expecting ` +
        'the absolute path of a directory with a root file system, or with vmlinuz and initrd.img')
    }
    return planRegisterImage(view, {
      name: Name,
      description: input.Description ?? '',
      directory: ImageLocation.replace(/(?<=.)\/+$/, ''),
      kind,
      architecture: input.Architecture ?? 'x86_64',
      tags: tagsFromSpecifications(input.TagSpecifications, 'image')
    }, context)
  },
  print: (_view, id) => ({ ImageId: id })
})

const deregisterImage = defineWrite<DeregisterImageRequest, null, object>({
  name: 'DeregisterImage',
  plan: (view, input) => {
    refuseUnbuilt('DeregisterImage', input, ['ImageId'])
    return planDeregisterImage(view, input.ImageId ?? '')
  },
  print: () => ({ Return: true })
})

export const imageActions: readonly Action[] = [describeImages, registerImage, deregisterImage]
