/**
 * Images: what the root file system of an instance begins as. EC2 API Reference, RegisterImage.
 *
 * One is built in: `host`, the root file system of the machine the lab runs on, seen by every
 * instance as its own; there is nothing to copy or boot. Others are directories of the machine that
 * hold a root file system (busybox, debootstrap, an unpacked container), or the kernel and the
 * initial RAM disk of a virtual machine: RegisterImage takes the directory as `ImageLocation`. It
 * is only read; what an instance writes goes to a layer of its own (host/instance_root.ts), or to
 * the memory of the virtual machine. An instance outlives its image's registration, as on EC2.
 *
 * RunInstances takes the id or, [lab], the name.
 */
import { AwsError } from './aws_error.ts'
import type { Plan, PlanContext } from './plan.ts'
import { checkQuota } from './quota.ts'
import type { OwnedRecord, Tags } from './record.ts'
import { requireRecord } from './resource_kind.ts'
import { put, remove } from './snapshot.ts'
import type { AccountView } from './snapshot.ts'

export interface Image extends OwnedRecord {
  readonly name: string
  readonly description: string
  /** Absolute path on the machine; null for the machine's own root file system. */
  readonly directory: string | null
  /** What the directory holds; absent: a root file system. */
  readonly kind?: 'vm'
  readonly architecture: 'x86_64' | 'arm64'
  readonly createdMs: number
}

/** Owner of what is built in; `amazon` as an owner means it. */
export const BUILT_IN_OWNER = '000000000000'

export const HOST_IMAGE: Image = {
  id: 'ami-00000000000000001',
  region: '',
  ownerId: BUILT_IN_OWNER,
  tags: {},
  name: 'host',
  description: 'Root file system of the machine that the lab runs on',
  directory: null,
  architecture: 'x86_64',
  createdMs: Date.UTC(2026, 0, 1)
}

/** Of every image: what an instance here has in the place of a root volume. */
export const ROOT_DEVICE_NAME = '/dev/xvda'

/** EC2 API Reference, RegisterImage, `Name`. */
const NAME_PATTERN = /^[A-Za-z0-9()[\] ./'@_-]{3,128}$/
const DESCRIPTION_LENGTH_MAX = 255
/** Characters that overlayfs reads as syntax of its own in the name of a directory. */
const DIRECTORY_SYNTAX = /[:,\\\n]/

/** Everything the caller can launch from: the built-in image first, then the registered ones. */
export function allImages (view: AccountView): Image[] {
  return [HOST_IMAGE, ...view.list('image')]
}

/** The image of that id, or undefined. */
export function imageById (view: AccountView, id: string): Image | undefined {
  return id === HOST_IMAGE.id ? HOST_IMAGE : view.get('image', id)
}

/**
 * @param reference an `ami-…` id, or the name of an image
 * @throws AwsError InvalidAMIID.NotFound, InvalidAMIID.Malformed
 */
export function findImage (view: AccountView, reference: string): Image {
  if (reference.startsWith('ami-')) {
    return imageById(view, reference) ?? requireRecord(view, 'image', reference)
  }
  const images = allImages(view)
  const named = images.find(({ name }) => name === reference)
  if (named !== undefined) return named
  throw new AwsError('InvalidAMIID.NotFound',
    `The image id '[${reference}]' does not exist. This lab has ${images.map(({ id, name }) =>
      `${id} (${name})`).join(', ')}`)
}

/** What is wrong with the form of an image's directory, or null. */
export function directoryFault (directory: string): string | null {
  if (!directory.startsWith('/')) return 'is not an absolute path'
  if (directory.split('/').includes('..')) return 'contains ".."'
  if (DIRECTORY_SYNTAX.test(directory)) {
    return 'contains a colon, a comma, a backslash or a line break, which overlayfs cannot take'
  }
  return null
}

/** What an image starts: a root file system in namespaces, or a virtual machine. */
export type ImageKind = 'root' | 'vm'

export interface RegisterImageInput {
  readonly name: string
  readonly description: string
  /** Has passed `directoryFault`, and is a root file system. */
  readonly directory: string
  readonly kind: ImageKind
  readonly architecture: string
  readonly tags: Tags
}

/**
 * RegisterImage.
 * @throws AwsError InvalidAMIName.Malformed, InvalidAMIName.Duplicate, InvalidParameterValue,
 *   ResourceLimitExceeded
 */
export function planRegisterImage (view: AccountView, input: RegisterImageInput,
  context: PlanContext): Plan<string> {
  const { name, description, directory, kind, architecture, tags } = input
  if (!NAME_PATTERN.test(name)) {
    throw new AwsError('InvalidAMIName.Malformed', `AMI name "${name}" is invalid. AMI names ` +
      'must be between 3 and 128 characters long, and may contain letters, numbers, and ' +
      "()[] ./-'@_")
  }
  const images = allImages(view)
  const same = images.find((image) => image.name === name)
  if (same !== undefined) {
    throw new AwsError('InvalidAMIName.Duplicate',
      `AMI name ${name} is already in use by AMI ${same.id}`)
  }
  if (description.length > DESCRIPTION_LENGTH_MAX) {
    throw new AwsError('InvalidParameterValue',
      `The description has ${String(description.length)} characters; at most ` +
      `${String(DESCRIPTION_LENGTH_MAX)} are allowed`)
  }
  if (architecture !== 'x86_64' && architecture !== 'arm64') {
    throw new AwsError('InvalidParameterValue',
      `Value (${architecture}) for parameter architecture is invalid; expecting x86_64 or arm64`)
  }
  checkQuota(view.snapshot, 'images-per-region', images.length)
  const image: Image = {
    id: context.newId('ami'), region: view.region, ownerId: view.accountId, tags, name, description,
    directory, ...kind === 'vm' ? { kind } : {}, architecture, createdMs: context.nowMs
  }
  return { changes: [put('image', image)], result: image.id }
}

/**
 * DeregisterImage. Instances that were launched from it go on, and can be stopped and started.
 * @throws AwsError InvalidAMIID.*, AuthFailure for the built-in image
 */
export function planDeregisterImage (view: AccountView, imageId: string): Plan<null> {
  if (imageId === HOST_IMAGE.id) {
    throw new AwsError('AuthFailure', `Not authorized for image: ${imageId}: it is built in`)
  }
  return { changes: [remove('image', requireRecord(view, 'image', imageId).id)], result: null }
}
