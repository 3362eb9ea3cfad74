/** The options by which a reading of counters is narrowed to an ENI, an instance or a host. */
import type { CommandOption, Input } from './command.ts'
import type { Context } from './context.ts'
import { usageError } from './exit_codes.ts'
import { INSTANCE, NETWORK_INTERFACE, resolveId } from './resolve.ts'

export const ENI_FILTER_OPTIONS: readonly CommandOption[] = [
  { flags: '--eni <eni>', description: 'of one network interface: id or Name tag' },
  { flags: '--instance <instance>', description: 'of one instance: id or Name tag' },
  { flags: '--host <host>', description: 'of one host' }
]

export interface EniFilter {
  /** `eni-…` */
  readonly eni?: string
  /** `i-…` */
  readonly instance?: string
  readonly host?: string
}

/** @throws CtlError NameNotFound, NameAmbiguous; Usage for a host that the lab does not have */
export async function eniFilter (context: Context, input: Input): Promise<EniFilter> {
  const [eni, instance, host] = [input.text('eni'), input.text('instance'), input.text('host')]
  if (host !== undefined) {
    const hosts = (await context.admin.status()).hosts.map(({ name }) => name)
    if (!hosts.includes(host)) {
      throw usageError(`the lab has no host "${host}": it has ${hosts.join(', ') || 'none'}`)
    }
  }
  return {
    ...eni === undefined
      ? {}
      : { eni: await resolveId(await context.ec2(), NETWORK_INTERFACE, eni) },
    ...instance === undefined
      ? {}
      : { instance: await resolveId(await context.ec2(), INSTANCE, instance) },
    ...host === undefined ? {} : { host }
  }
}

/** What a row of a reading says of whom it is about. */
interface Subject {
  readonly host: string
  readonly eni: string | null
  readonly instance: string | null
}

/** Whether a row of a reading is wanted. */
export function isWanted (filter: EniFilter, row: Subject): boolean {
  return (filter.host ?? row.host) === row.host && (filter.eni ?? row.eni) === row.eni &&
    (filter.instance ?? row.instance) === row.instance
}

/** What a person calls the ENI: its own name, or that of its instance. */
export function ownerName (
  { eniName, instanceName }: { readonly eniName: string, readonly instanceName: string }
): string {
  return eniName || instanceName
}
