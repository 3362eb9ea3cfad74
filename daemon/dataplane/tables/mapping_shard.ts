/**
 * Which piece of a VPC's mapping an address lies in. Control (compile/mapping_table.ts) and worker
 * (mapping_table.ts) must agree on it, so it stands here alone.
 *
 *     shards 0..63   single addresses (/128), by a hash of the address
 *     shard 64       delegated prefixes, all of them: a prefix covers addresses of every hash, and
 *                    a VPC has few. It is asked when the address itself is not found.
 *
 * The hash is fixed: no peer chooses an address here without the control plane, and both sides have
 * to come to the same number.
 */

/** Pieces for single addresses. A power of two. */
export const MAPPING_ADDRESS_SHARDS = 64
/** The piece that holds what is shorter than an address. */
export const MAPPING_PREFIX_SHARD = MAPPING_ADDRESS_SHARDS
/** All pieces of a VPC. */
export const MAPPING_SHARDS = MAPPING_ADDRESS_SHARDS + 1

/**
 * Shard of a single address, 0..MAPPING_ADDRESS_SHARDS - 1. Multiplicative hashing with the
 * constants of MurmurHash3's finalizer, which spreads addresses that follow each other.
 * @param w0 the address as four big-endian words, IPv4 as ::ffff:a.b.c.d
 */
export function mappingShardOf (w0: number, w1: number, w2: number, w3: number): number {
  let hash = w0 ^ Math.imul(w1, 0x9e3779b1) ^ Math.imul(w2, 0x7feb352d) ^ w3
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) & (MAPPING_ADDRESS_SHARDS - 1)
}
