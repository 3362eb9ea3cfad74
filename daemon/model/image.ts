/**
 * Images. The lab has one: `host`, the root file system of the machine the lab runs on, seen by
 * every instance as its own. An instance is a network namespace, so there is nothing to copy or
 * boot. RunInstances takes the id or, [lab], the name.
 */
import { AwsError } from './aws_error.ts'

export interface Image {
  readonly id: string
  readonly name: string
  readonly description: string
  readonly ownerId: string
  readonly ownerAlias: string
  readonly architecture: 'x86_64'
  readonly rootDeviceName: string
  /** ISO 8601, as DescribeImages shows it. */
  readonly createdAt: string
}

export const IMAGES: readonly Image[] = [{
  id: 'ami-00000000000000001',
  name: 'host',
  description: 'Root file system of the machine that the lab runs on',
  ownerId: '000000000000',
  ownerAlias: 'amazon',
  architecture: 'x86_64',
  rootDeviceName: '/dev/xvda',
  createdAt: '2026-01-01T00:00:00.000Z'
}]

const IMAGE_ID_PATTERN = /^ami-(?:[0-9a-f]{8}|[0-9a-f]{17})$/

/**
 * @param reference an `ami-…` id, or the name of an image
 * @throws AwsError InvalidAMIID.NotFound, InvalidAMIID.Malformed
 */
export function findImage (reference: string): Image {
  const image = IMAGES.find(({ id, name }) => id === reference || name === reference)
  if (image !== undefined) return image
  if (reference.startsWith('ami-') && !IMAGE_ID_PATTERN.test(reference)) {
    throw new AwsError('InvalidAMIID.Malformed',
      `Invalid id: "${reference}" (expecting "ami-" and 8 or 17 hexadecimal digits)`)
  }
  throw new AwsError('InvalidAMIID.NotFound',
    `The image id '[${reference}]' does not exist. This lab has ${IMAGES.map(({ id, name }) =>
      `${id} (${name})`).join(', ')}`)
}
