/**
 * Explicit Congestion Notification across a tunnel, RFC 6040. The low two bits of the traffic
 * class: 0 Not-ECT, 1 ECT(1), 2 ECT(0), 3 CE. Egress is "normal mode" (§4.1): the outer header
 * carries the inner field, so that the underlay can mark. Ingress (§4.2) brings a mark inside:
 *
 *     arriving inner │ outer Not-ECT   ECT(0)    ECT(1)    CE
 *     Not-ECT        │  Not-ECT        Not-ECT   Not-ECT   drop
 *     ECT(0)         │  ECT(0)         ECT(0)    ECT(1)    CE
 *     ECT(1)         │  ECT(1)         ECT(1)    ECT(1)    CE
 *     CE             │  CE             CE        CE        CE
 *
 * DSCP is copied outward and, inward, ignored: the customer's marking is the customer's (RFC 2983
 * §3.1, uniform out, pipe in).
 */
export const ECN_MASK = 0x03
export const ECN_NOT_ECT = 0
export const ECN_ECT_1 = 1
export const ECN_ECT_0 = 2
export const ECN_CE = 3

/** Answer of ecnDecapsulate: the packet must be dropped. */
export const ECN_DROP = -1

/**
 * The inner ECN field after decapsulation, or ECN_DROP. Arguments are traffic classes or ECN
 * fields.
 */
export function ecnDecapsulate (inner: number, outer: number): number {
  const innerEcn = inner & ECN_MASK
  const outerEcn = outer & ECN_MASK
  if (outerEcn === ECN_CE) return innerEcn === ECN_NOT_ECT ? ECN_DROP : ECN_CE
  if (outerEcn === ECN_ECT_1 && innerEcn === ECN_ECT_0) return ECN_ECT_1
  return innerEcn
}
