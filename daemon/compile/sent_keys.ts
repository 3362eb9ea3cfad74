/** Which objects of one table the worker has, and of which VPC each is. */
export class SentKeys {
  readonly #vpcOf = new Map<string, string>()
  readonly #keysOf = new Map<string, Set<string>>()

  keys (): Iterable<string> { return this.#vpcOf.keys() }

  /** Objects of a VPC. */
  keysOf (vpcId: string): Iterable<string> { return this.#keysOf.get(vpcId) ?? [] }

  /** Precondition: an object does not change its VPC. */
  add (key: string, vpcId: string): void {
    if (this.#vpcOf.has(key)) return
    this.#vpcOf.set(key, vpcId)
    const keys = this.#keysOf.get(vpcId)
    if (keys === undefined) this.#keysOf.set(vpcId, new Set([key]))
    else keys.add(key)
  }

  /** @returns false when the worker did not have the object */
  delete (key: string): boolean {
    const vpcId = this.#vpcOf.get(key)
    if (vpcId === undefined) return false
    this.#vpcOf.delete(key)
    const keys = this.#keysOf.get(vpcId)
    keys?.delete(key)
    if (keys?.size === 0) this.#keysOf.delete(vpcId)
    return true
  }
}
