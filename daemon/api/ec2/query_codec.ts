/**
 * The EC2 query protocol, inbound: how it differs from the protocol of other query services
 * (query.ts). Names are EC2's own, and lists are flattened. Smithy 2.0, "AWS EC2 query protocol".
 *
 *     Filter.1.Name=vpc-id&Filter.1.Value.1=vpc-0a  ─▶  { Filters: [{ Name, Values }] }
 */
import type { Decoder, QueryDialect } from '../query.ts'
import { compileDecoder as compileQueryDecoder } from '../query.ts'
import type { StructureShape } from '../schema.ts'

const EC2_QUERY: QueryDialect = { keyOf: (member) => member.queryName, itemsPart: null }

/**
 * @returns a decoder that throws AwsError UnknownParameter, MissingParameter,
 *   InvalidParameterValue, InvalidParameterCombination
 */
export function compileDecoder (input: StructureShape): Decoder {
  return compileQueryDecoder(input, EC2_QUERY)
}
