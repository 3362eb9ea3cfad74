/**
 * Shuffle sharding: each resource gets a small set of nodes of its own, so that what floods one
 * resource's nodes hurts only those others that share them. "Workload isolation using
 * shuffle-sharding" (Amazon Builders' Library); Thaler and Ravishankar, "Using name-based mappings
 * to increase hit rates" (1998) for the choice: each node gets a weight from (resource, node), and
 * the heaviest are taken. So the choice follows from the two names alone, every node is as likely
 * as every other, and a node that joins or leaves changes only shards that it is part of.
 *
 *     overlap of two resources' shards, probability     0        1        2        3
 *     8 nodes, 3 each                                   17.9 %   53.6 %   26.8 %   1.8 %
 */
import { createHash } from 'node:crypto'
import { VpclabError } from '../base/errors.ts'

/** Nodes of a resource, and slots of its flows. */
export const SHARD_SIZE = 3

/**
 * Nodes of a resource, the heaviest first.
 * @param nodes names, in any order, each once
 * @throws VpclabError VPCLAB_ERR_CONFIG when there are fewer nodes than `size`
 */
export function chooseShard (
  resourceId: string, nodes: readonly string[], size = SHARD_SIZE
): readonly string[] {
  if (nodes.length < size) {
    throw new VpclabError('VPCLAB_ERR_CONFIG', 'Cannot make a HyperPlane cell: it has ' +
      `${String(nodes.length)} nodes and a resource needs ${String(size)}`)
  }
  return nodes
    .map((node) => ({ node, weight: weightOf(resourceId, node) }))
    .sort((a, b) => a.weight < b.weight ? 1 : a.weight > b.weight ? -1 : 0)
    .slice(0, size)
    .map(({ node }) => node)
}

/** Number of nodes that two shards share. */
export function overlapOf (a: readonly string[], b: readonly string[]): number {
  return a.filter((node) => b.includes(node)).length
}

/** Probability that two shards of `size` among `nodes` share exactly `overlap` nodes. */
export function overlapProbability (nodes: number, size: number, overlap: number): number {
  return combinations(size, overlap) * combinations(nodes - size, size - overlap) /
    combinations(nodes, size)
}

function combinations (n: number, k: number): number {
  if (k < 0 || k > n) return 0
  let product = 1
  for (let i = 0; i < k; i++) product = product * (n - i) / (i + 1)
  return product
}

/** 128 bits, as text of equal length: two of them compare as numbers do. */
function weightOf (resourceId: string, node: string): string {
  return createHash('md5').update(`${resourceId}\n${node}`).digest('hex')
}
