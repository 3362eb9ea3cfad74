/**
 * Input of an EC2 call in the wire form of the query protocol: nested values become flat names.
 *
 *     { CidrBlock: '10.0.0.0/16', Filter: [{ Name: 'vpc-id', Value: ['vpc-1'] }] }
 *     CidrBlock=10.0.0.0/16 & Filter.1.Name=vpc-id & Filter.1.Value.1=vpc-1
 *
 * Names are the query names of the EC2 API Reference (`TagSpecification`, not the SDK's
 * `TagSpecifications`). Lists count from 1; undefined members are left out; an empty list sends
 * nothing, as in AWS's own clients. Source: Smithy, "AWS EC2 query protocol".
 */

export type QueryValue =
  string | number | boolean | undefined | readonly QueryValue[] | QueryInput

export interface QueryInput { readonly [name: string]: QueryValue }

export const EC2_API_VERSION = '2016-11-15'

/**
 * The form body of a call, names in the order of `input`.
 * @param version of the service's API; EC2's by default
 */
export function encodeQuery (action: string, input: QueryInput,
  version = EC2_API_VERSION): string {
  const pairs = [`Action=${action}`, `Version=${version}`]
  appendMembers(pairs, '', input)
  return pairs.join('&')
}

function appendMembers (pairs: string[], prefix: string, members: QueryInput): void {
  for (const [name, value] of Object.entries(members)) {
    appendValue(pairs, prefix + name, value)
  }
}

function appendValue (pairs: string[], name: string, value: QueryValue): void {
  if (value === undefined) return
  if (Array.isArray(value)) {
    const list = value as readonly QueryValue[]
    list.forEach((element, index) => {
      appendValue(pairs, `${name}.${String(index + 1)}`, element)
    })
  } else if (typeof value === 'object') {
    appendMembers(pairs, `${name}.`, value as QueryInput)
  } else {
    pairs.push(`${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`)
  }
}
