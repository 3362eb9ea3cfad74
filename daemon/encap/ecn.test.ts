import test from 'ava'
import { ECN_CE, ECN_DROP, ECN_ECT_0, ECN_ECT_1, ECN_NOT_ECT, ecnDecapsulate } from './ecn.ts'

const NOT = ECN_NOT_ECT
const E0 = ECN_ECT_0
const E1 = ECN_ECT_1
const CE = ECN_CE

/** RFC 6040 figure 4: rows inner, columns outer Not-ECT, ECT(0), ECT(1), CE. */
const TABLE: readonly (readonly [number, readonly number[]])[] = [
  [NOT, [NOT, NOT, NOT, ECN_DROP]],
  [E0, [E0, E0, E1, CE]],
  [E1, [E1, E1, E1, CE]],
  [CE, [CE, CE, CE, CE]]
]

for (const [inner, row] of TABLE) {
  test(`decapsulation follows RFC 6040 when the inner field is ${String(inner)}`, (t) => {
    t.deepEqual([NOT, E0, E1, CE].map((outer) => ecnDecapsulate(inner, outer)), [...row])
    // DSCP around the fields changes nothing.
    t.is(ecnDecapsulate(0xb8 | inner, 0x28 | CE), row[3])
  })
}
