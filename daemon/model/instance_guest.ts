/**
 * What runs as an instance, when it is not the machine's own root file system in a namespace of the
 * lab: a root file system from an image, a virtual machine, or a *foreign guest*, a network
 * namespace or container that somebody else made and `vpcctl attach` hung on a subnet.
 *
 *     guest absent       namespace of the lab, root of the machine
 *     kind image         namespace of the lab, root from a directory (host/instance_root.ts)
 *     kind vm            a kernel of its own in qemu, beside its devices (host/vm_process.ts)
 *     kind namespace     namespace of somebody else (host/instance_guest.ts)
 *
 * A foreign guest is an instance like any other to the API and the data plane. Its processes and
 * its namespace belong to whoever made them: the lab adds devices, addresses and routes, takes them
 * away again, and ends nothing. It cannot be rebooted for the same reason. When it goes away by
 * itself, that is what EC2 calls an instance-initiated shutdown: the instance is terminated.
 */
import { AwsError } from './aws_error.ts'

/** A root file system that begins as a copy of a directory. */
export interface ImageGuest {
  readonly kind: 'image'
  /** Absolute path on the machine of the lab. */
  readonly directory: string
}

/** A virtual machine that boots a kernel and an initial RAM disk from a directory. */
export interface VmGuest {
  readonly kind: 'vm'
  /** Absolute path on the machine of the lab. */
  readonly directory: string
}

/** A network namespace that the lab did not make. */
export interface NamespaceGuest {
  readonly kind: 'namespace'
  /** Where it was found: `/run/netns/NAME`, `/proc/PID/ns/net`. */
  readonly path: string
  /** Number of the namespace: the path may lead to another one later. */
  readonly inode: number
  /** As a person calls it: `container web`. */
  readonly label: string
  /** ENI n is the device `<prefix>n`; no device of that form was inside before. */
  readonly devicePrefix: string
  /** Whether ENIs bring a default route; without it, only routes to the VPC's own blocks. */
  readonly defaultRoute: boolean
}

export type Guest = ImageGuest | VmGuest | NamespaceGuest

/** The tag that says of a foreign guest what it is. */
export const GUEST_TAG = 'vpclab:guest'

/**
 * The image of foreign guests. It is not described and nothing can be launched from it, like an
 * image that was deregistered.
 */
export const GUEST_IMAGE_ID = 'ami-00000000000000002'

/** @throws AwsError UnsupportedOperation for a foreign guest */
export function refuseForeign (
  { id, guest }: { readonly id: string, readonly guest?: Guest }, done: string
): void {
  if (guest?.kind !== 'namespace') return
  throw new AwsError('UnsupportedOperation',
    `The instance '${id}' cannot be ${done}: it is the attached ${guest.label}, whose processes ` +
    'are not the lab\'s. Use the tools that started it.')
}
