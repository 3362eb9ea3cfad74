/**
 * `vpcctl image …`: directories of the machine that hold a root file system, for instances to begin
 * from. An instance writes to a layer of its own; the directory is only read.
 */
import { basename, resolve } from 'node:path'
import type { Image } from '@aws-sdk/client-ec2'
import { type Command, defineCommand, TAG_OPTIONS } from '../command.ts'
import type { Ec2Client } from '../ec2_client.ts'
import { usageError } from '../exit_codes.ts'
import type { Column } from '../print/table.ts'
import { escapeFilter, resolveIds, resolveId, tagSpecification } from '../resolve.ts'
import type { Nameable } from '../resolve.ts'

const IMAGE_COLUMNS: readonly Column<Image>[] = [
  { header: 'image', value: ({ ImageId }) => ImageId ?? '' },
  { header: 'name', value: ({ Name }) => Name ?? '', shrinks: true },
  { header: 'location', value: ({ ImageLocation }) => ImageLocation ?? '' },
  { header: 'architecture', value: ({ Architecture }) => Architecture ?? '', hides: true },
  { header: 'created', value: ({ CreationDate }) => CreationDate ?? '', hides: true },
  { header: 'description', value: ({ Description }) => Description ?? '', shrinks: true }
]

/** Images have names of their own. */
const IMAGE: Nameable = {
  word: 'image',
  noun: 'image',
  idPrefix: 'ami-',
  nameFilters: ['name', 'tag:Name'],
  list: async (ec2, Filter) =>
    (await ec2.all('DescribeImages', { Filter }, (page) => page.Images))
      .map(({ ImageId = '', Name = '' }) => ({ id: ImageId, names: [Name] }))
}

const IMAGE_ARGUMENT = { syntax: '<image>', description: 'id or name' }

export const imageCommands: readonly Command[] = [
  defineCommand({
    name: 'register',
    summary: 'Make an image of a directory with a root file system',
    action: 'RegisterImage',
    arguments: [{ syntax: '<directory>', description: 'of the machine that runs the lab' }],
    options: [
      {
        flags: '--image-name <name>', description: 'the image\'s name (default: the directory\'s)'
      },
      { flags: '--description <description>', description: 'what it is' },
      { flags: '--arch <arch>', description: 'x86_64 (default) or arm64' },
      ...TAG_OPTIONS
    ],
    note: 'The directory has to hold /bin/sh. It is only read, and should not change while\n' +
      'instances of the image run.',
    examples: [
      'vpcctl image register /srv/images/debian',
      'vpcctl image register /srv/images/busybox --image-name busybox-1.35'
    ],
    async run (context, input) {
      const directory = resolve(input.argument('directory'))
      const name = input.text('imageName') ?? nameOfDirectory(directory)
      const ec2 = await context.ec2()
      const { ImageId: id = '' } = await ec2.call('RegisterImage', {
        Name: name,
        ImageLocation: directory,
        Description: input.text('description'),
        Architecture: input.text('arch'),
        ...tagSpecification('image', input.tags())
      })
      const { Images: images = [] } = await ec2.call('DescribeImages', { ImageId: [id] })
      context.output.rows(images, IMAGE_COLUMNS, ({ ImageId }) => ImageId)
    }
  }),
  defineCommand({
    name: 'list',
    summary: 'List images',
    action: 'DescribeImages',
    examples: ['vpcctl image list'],
    async run (context) {
      const ec2 = await context.ec2()
      const images = await ec2.all('DescribeImages', {}, (page) => page.Images)
      context.output.rows(images, IMAGE_COLUMNS, ({ ImageId }) => ImageId)
    }
  }),
  defineCommand({
    name: 'show',
    summary: 'Show everything about an image',
    action: 'DescribeImages',
    arguments: [IMAGE_ARGUMENT],
    examples: ['vpcctl image show debian'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const id = await resolveId(ec2, IMAGE, input.argument('image'))
      const { Images: [image] = [] } = await ec2.call('DescribeImages', { ImageId: [id] })
      context.output.tree(image ?? {}, id)
    }
  }),
  defineCommand({
    name: 'deregister',
    summary: 'Forget images; their directories and instances stay',
    action: 'DeregisterImage',
    arguments: [{ syntax: '<image...>', description: 'ids or names' }],
    examples: ['vpcctl image deregister debian'],
    async run (context, input) {
      const ec2 = await context.ec2()
      const ids = await resolveIds(ec2, IMAGE, input.rest('image'))
      for (const id of ids) await ec2.call('DeregisterImage', { ImageId: id })
      context.output.done(`Deregistered ${ids.join(', ')}.`, { ImageIds: ids })
    }
  })
]

/** Whether what was given for an image is a directory, and no id or name. */
export function isDirectory (image: string): boolean {
  return image.startsWith('/') || image === '.' || image.startsWith('./') || image.startsWith('../')
}

/** Id of the image registered for a directory; it is registered when it is none yet. */
export async function imageOfDirectory (ec2: Ec2Client, path: string): Promise<string> {
  const directory = resolve(path)
  const [known] = await imagesWith(ec2, 'manifest-location', directory)
  if (known?.ImageId !== undefined) return known.ImageId
  const name = nameOfDirectory(directory)
  const taken = (await imagesWith(ec2, 'name', name)).length > 0
  const { ImageId = '' } = await ec2.call('RegisterImage', {
    Name: taken ? directory.slice(0, NAME_LENGTH_MAX) : name, ImageLocation: directory
  })
  return ImageId
}

/** EC2 API Reference, RegisterImage, `Name`: 3 to 128 characters of a few kinds. */
const NAME_LENGTH_MAX = 128
const NAME_LENGTH_MIN = 3

function nameOfDirectory (directory: string): string {
  const name = basename(directory).replace(/[^A-Za-z0-9()[\] ./'@_-]/g, '-')
  if (name === '') throw usageError('the root of the machine is the image "host" already')
  return (name.length < NAME_LENGTH_MIN ? `image-${name}` : name).slice(0, NAME_LENGTH_MAX)
}

async function imagesWith (ec2: Ec2Client, filter: string, value: string): Promise<Image[]> {
  const Filter = [{ Name: filter, Value: [escapeFilter(value)] }]
  return await ec2.all('DescribeImages', { Filter }, (page) => page.Images)
}
