/**
 * What every record of the model has in common.
 *
 * A record is plain JSON: what the store keeps, what a plan returns, what a compile reads. It is
 * never mutated; a change is a new record. One record is one aggregate: a route table with its
 * routes and associations is one record, so one key changes in one transaction. AWS's wire types
 * never appear here (they stop at `api/ec2`). What can be derived is not stored: whether a route is
 * a blackhole, whether a VPC is still `pending`, how many addresses a subnet has left.
 */

/** Tags of one resource, key to value. At most 50 (model/tag.ts). */
export type Tags = Readonly<Record<string, string>>

/** A resource of one account in one Region. `id` is `<prefix>-` and 17 hex digits. */
export interface OwnedRecord {
  readonly id: string
  /** Region name, `us-east-1`. */
  readonly region: string
  /** 12-digit account id. */
  readonly ownerId: string
  readonly tags: Tags
  /**
   * The second owner of what two accounts or Regions share (a peering connection): it sees the
   * record too, and has tags of its own on it.
   */
  readonly accepter?: { readonly ownerId: string, readonly region: string }
  readonly accepterTags?: Tags
}
