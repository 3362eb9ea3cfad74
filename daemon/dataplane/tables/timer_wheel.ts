/**
 * A timer wheel (Varghese and Lauck, 1987, scheme 6): one doubly linked list of items per tick,
 * O(1) to arm and to cancel. Deadlines beyond the wheel's horizon wait in its last slot and are
 * armed again when they come up; and whoever owns an item may let it fire early and arm it again,
 * so that a packet never touches a timer (flow_table.ts).
 *
 *     heads   [WHEEL_SLOTS]  first item + 1 of each tick, by tick & mask
 *     next    [capacity]     item + 1
 *     before  [capacity]     item + 1; 0 for the first of a list
 *     slot    [capacity]     slot + 1 in which the item stands; 0 = not armed
 *
 * Memory: 12 bytes × capacity + 16 KiB.
 */

/** 4,096 ticks of 100 ms: 410 s. */
export const WHEEL_SLOTS = 4096

export class TimerWheel {
  readonly #heads = new Int32Array(WHEEL_SLOTS)
  readonly #next: Int32Array
  readonly #before: Int32Array
  readonly #slot: Int32Array
  /** The tick whose list is taken next. */
  #tick: number

  constructor (capacity: number, nowTick: number) {
    this.#next = new Int32Array(capacity)
    this.#before = new Int32Array(capacity)
    this.#slot = new Int32Array(capacity)
    this.#tick = nowTick
  }

  /**
   * Arms an item, or arms it anew. It fires at `deadlineTick`, at the horizon if that is earlier.
   */
  arm (item: number, deadlineTick: number): void {
    if (this.#slot[item] !== 0) this.cancel(item)
    let ahead = deadlineTick - this.#tick
    if (ahead < 0) ahead = 0
    if (ahead >= WHEEL_SLOTS) ahead = WHEEL_SLOTS - 1
    const slot = (this.#tick + ahead) & (WHEEL_SLOTS - 1)
    const first = this.#heads[slot]
    this.#next[item] = first
    this.#before[item] = 0
    if (first !== 0) this.#before[first - 1] = item + 1
    this.#heads[slot] = item + 1
    this.#slot[item] = slot + 1
  }

  cancel (item: number): void {
    const slot = this.#slot[item] - 1
    if (slot < 0) return
    const next = this.#next[item]
    const before = this.#before[item]
    if (before === 0) this.#heads[slot] = next
    else this.#next[before - 1] = next
    if (next !== 0) this.#before[next - 1] = before
    this.#slot[item] = 0
  }

  /**
   * Takes one item that is due at `nowTick`, disarmed.
   * @returns the item, or -1 when no more are due. After a long pause each slot is looked at once.
   */
  takeDue (nowTick: number): number {
    if (nowTick - this.#tick >= WHEEL_SLOTS) this.#tick = nowTick - WHEEL_SLOTS + 1
    while (this.#tick <= nowTick) { // at most WHEEL_SLOTS turns
      const first = this.#heads[this.#tick & (WHEEL_SLOTS - 1)]
      if (first !== 0) {
        this.cancel(first - 1)
        return first - 1
      }
      if (this.#tick === nowTick) return -1
      this.#tick++
    }
    return -1
  }
}
