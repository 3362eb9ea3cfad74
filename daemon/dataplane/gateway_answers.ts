/**
 * What a gateway tells the sender of a packet that it does not pass: that it is too big
 * (icmp_error.ts), or that nobody knows its connection (tcp_reset.ts). To an ENI of the VPC the
 * answer goes at once; to somebody outside it is made, and leaves as what the gateway sends does.
 */
import { loadU16 } from '../wire/bytes.ts'
import { IPV4_AT_FRAGMENT, IPV4_FLAG_DONT_FRAGMENT, IPV4_VERSION } from '../wire/ipv4.ts'
import { NAT64_HEADER_GAIN_BYTES } from '../wire/nat64.ts'
import { dropIsAnswered } from './action.ts'
import { DROP_NAT_IDLE, DROP_NONE } from './drop_reason.ts'
import type { IcmpErrors } from './icmp_error.ts'
import type { PacketContext } from './packet.ts'
import { runGatewayAnswerPath } from './packet_path.ts'
import type { RouterParts } from './router_parts.ts'
import { becomeIpv6Again } from './steps/nat64.ts'
import { NAT_AT_INSIDE, NAT_AT_OUTSIDE } from './tables/nat_layout.ts'
import { TcpResets } from './tcp_reset.ts'
import { REWRITE_FAMILY, REWRITE_SOURCE } from './translate.ts'
import { REWRITE_DESTINATION_PORT } from './translate_ports.ts'

export class GatewayAnswers {
  readonly #icmp: IcmpErrors
  readonly #resets = new TcpResets()

  constructor (icmp: IcmpErrors) {
    this.#icmp = icmp
  }

  /**
   * Answers a packet that was dropped for a reason, where that is due.
   * @returns whether `p` is an answer now that is still to leave the gateway
   */
  answer (p: PacketContext, reason: number, parts: RouterParts, nowMs: number): boolean {
    if (reason === DROP_NAT_IDLE) this.#resets.answer(p, parts, nowMs)
    const words = parts.tables.hyperplane?.table.words
    if (!dropIsAnswered(reason) || p.natAt < 0 || words === undefined) return false
    if ((p.rewrites & REWRITE_DESTINATION_PORT) !== 0) {
      return this.#answerOutside(p, words[p.natAt + NAT_AT_OUTSIDE + 3], parts, nowMs)
    }
    if ((p.rewrites & REWRITE_SOURCE) === 0) return false
    if ((p.rewrites & REWRITE_FAMILY) !== 0) becomeIpv6Again(p, words, p.natAt)
    p.src3 = words[p.natAt + NAT_AT_INSIDE + 3]
    this.#icmp.answerFromGateway(p, parts, nowMs)
    return false
  }

  /** What came to a NAT gateway is too big behind it: who sent it learns so from the gateway. */
  #answerOutside (
    p: PacketContext, outside: number, parts: RouterParts, nowMs: number
  ): boolean {
    const { view } = parts
    // Through two gateways of one host it may have come as IPv6: then nobody outside has sent it.
    if (view.getUint8(p.at) >>> 4 !== IPV4_VERSION ||
      (loadU16(view, p.at + IPV4_AT_FRAGMENT) & IPV4_FLAG_DONT_FRAGMENT) === 0) return false
    if ((p.rewrites & REWRITE_FAMILY) !== 0) p.mtu -= NAT64_HEADER_GAIN_BYTES
    return this.#icmp.makeOutside(p, parts, outside, nowMs) &&
      runGatewayAnswerPath(p, parts.tables, view) === DROP_NONE
  }
}
