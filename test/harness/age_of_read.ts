/** How old a lab says what it reads is: the header Age of RFC 9111. */
import * as ec2 from '@aws-sdk/client-ec2'
import type { Lab } from './lab.ts'

/** Seconds by which DescribeVpcs says that its answer is old; null: it is not. */
export async function ageOfRead (lab: Lab): Promise<string | null> {
  let age: string | null = null
  const command = new ec2.DescribeVpcsCommand({})
  command.middlewareStack.add((next) => async (args) => {
    const result = await next(args)
    const { headers } = result.response as { headers: Record<string, string> }
    age = headers['age'] ?? null
    return result
  }, { step: 'deserialize', priority: 'low' })
  await lab.ec2.send(command)
  return age
}
