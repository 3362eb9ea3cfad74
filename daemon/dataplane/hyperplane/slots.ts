/** Slots of a shard: each flow of a resource belongs to one, by its outside end. */
export const SHARD_SLOTS = 3
