/**
 * Words of a lab file that only the lab knows: instance types, reasons of drops. They are looked up
 * before anything is changed or tried; a wrong one is a fault with its place, like all others.
 */
import type { AdminClient } from '../admin_client.ts'
import type { Ec2Client } from '../ec2_client.ts'
import { asCtlError } from '../exit_codes.ts'
import { type Fault, suggestion } from './fault.ts'
import type { ReadFile } from './source.ts'

/** @throws CtlError BadLabFile for an instance type that the lab does not have */
export async function checkTypes (ec2: Ec2Client, { file, refusal }: ReadFile): Promise<void> {
  const typed = Object.entries(file.vpcs ?? {}).flatMap(([vpc, { instances }]) =>
    Object.entries(instances ?? {}).flatMap(([name, { type }]) => type === undefined
      ? []
      : [{ type, path: ['vpcs', vpc, 'instances', name, 'type'] }]))
  if (typed.length === 0) return
  const types = await ec2.all('DescribeInstanceTypes', {}, (page) => page.InstanceTypes)
  const known = types.map(({ InstanceType = '' }): string => InstanceType)
  const faults = typed.filter(({ type }) => !known.includes(type)).map(({ type, path }): Fault => ({
    message: `the lab has no instance type "${type}"` +
      (suggestion(type, known) || `; it has ${known.join(', ')}`),
    path
  }))
  if (faults.length > 0) throw refusal(faults)
}

/** @throws CtlError BadLabFile for a reason for which nothing is ever dropped */
export async function checkReasons (admin: AdminClient,
  { file, refusal }: ReadFile): Promise<void> {
  const named = (file.checks ?? []).flatMap((check, index) => {
    const reason = check['must-not-reach']?.drop
    return reason === undefined
      ? []
      : [{ reason, path: ['checks', index, 'must-not-reach', 'drop'] }]
  })
  const unknown = new Map<string, string>()
  for (const reason of new Set(named.map((one) => one.reason))) {
    const known = await otherReasons(admin, reason)
    if (known === null) continue
    unknown.set(reason, `nothing is ever dropped for the reason "${reason}"` +
      (suggestion(reason, known) || `: the reasons are ${known.join(', ')}`))
  }
  const faults = named.flatMap(({ reason, path }) => {
    const message = unknown.get(reason)
    return message === undefined ? [] : [{ message, path }]
  })
  if (faults.length > 0) throw refusal(faults)
}

/** The daemon says itself which reasons there are, when it is asked for one that is none. */
async function otherReasons (admin: AdminClient, reason: string): Promise<string[] | null> {
  try {
    await admin.drops({ reason })
    return null
  } catch (error) {
    const failure = asCtlError(error)
    if (failure?.code !== 'InvalidParameterValue') throw error
    return failure.message.split(' is not one of ')[1]?.split(', ') ?? []
  }
}
