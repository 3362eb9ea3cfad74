/**
 * Counters of the NIC: what each index of `Nic.counters` counts, from the moment it was opened.
 * `native/counters.h` has the same list in the same order; `descriptor.test.ts` compares the two.
 *
 * `packets` are packets as they are on a wire; a super-packet of a TUN counts as one there, since
 * the kernel handed it over as one. A loss has a counter of its own; nothing is dropped silently.
 */

export interface NicCounter {
  /** As it is printed and exported. */
  readonly name: string
  readonly meaning: string
}

/** Index = place in `Nic.counters`. */
export const NIC_COUNTERS: readonly NicCounter[] = ([
  ['bursts', 'Calls of burst().'],
  ['polls', 'Calls of epoll_wait, asleep and awake.'],
  ['spins', 'Turns of waiting awake for a packet.'],
  ['sleeps', 'Times that the thread went to sleep until a packet or the timeout.'],
  ['wakeups', 'Sleeps that something ended before the timeout.'],
  ['doorbells', 'Times that another thread rang.'],
  ['rx-full', 'Bursts that left packets waiting because descriptors or arena ran out.'],
  ['tun-reads', 'Read calls on TUN devices, those that found nothing included.'],
  ['tun-rx-packets', 'Packets and super-packets read from TUN devices.'],
  ['tun-rx-bytes', 'Bytes of those, from the IP header on.'],
  ['tun-rx-malformed', 'Packets dropped because their virtio-net header makes no sense.'],
  ['tun-writes', 'Write calls on TUN devices.'],
  ['tun-tx-packets', 'Packets and super-packets that TUN devices took.'],
  ['tun-tx-bytes', 'Bytes of those, from the IP header on.'],
  ['tun-tx-segmented', 'UDP super-packets cut here because the kernel\'s TUN takes none.'],
  ['tun-tx-down', 'Packets dropped because the device is down (EIO).'],
  ['tun-tx-closed', 'Packets dropped because the port is closed or its device gone (EBADFD).'],
  ['tun-tx-busy', 'Packets dropped because the kernel had no memory or no room.'],
  ['tun-tx-rejected', 'Packets dropped because the kernel found them malformed (EINVAL).'],
  ['underlay-receives', 'Receive calls on the underlay socket.'],
  ['underlay-rx-datagrams', 'Messages received: datagrams, or lumps of them.'],
  ['underlay-rx-packets', 'Encapsulated packets in those.'],
  ['underlay-rx-bytes', 'Bytes of those, encapsulation headers included.'],
  ['underlay-rx-coalesced', 'Packets that became part of a super-packet.'],
  ['underlay-rx-empty', 'Datagrams dropped because nothing is in them.'],
  ['underlay-rx-overflow', 'Datagrams the kernel dropped because the receive buffer was full.'],
  ['underlay-sends', 'Send calls on underlay sockets.'],
  ['underlay-gso-sends', 'Of those, runs that the kernel cut into datagrams (UDP_SEGMENT).'],
  ['underlay-tx-packets', 'Encapsulated packets that the kernel took.'],
  ['underlay-tx-bytes', 'Bytes of those, encapsulation headers included.'],
  ['underlay-tx-busy', 'Packets dropped because socket or device stayed full.'],
  ['underlay-tx-too-big', 'Packets dropped because they exceed the underlay\'s MTU (EMSGSIZE).'],
  ['underlay-tx-unreachable', 'Packets dropped because the underlay has no route to the peer.'],
  ['underlay-tx-errors', 'Packets dropped because the kernel refused them for another reason.'],
  ['underlay-gso-refused', 'Runs that the kernel would not cut and that were sent one by one.'],
  ['source-sockets', 'Sockets opened, one for each source port in use.'],
  ['source-socket-failures', 'Source ports that could not be opened; port 6081 was used.'],
  ['tx-malformed', 'Transmit descriptors dropped because they contradict themselves.'],
  ['underlay-tx-sealed', 'Packets encrypted for the underlay.'],
  ['underlay-tx-no-key', 'Packets dropped because no key was agreed on with their host.'],
  ['underlay-rx-opened', 'Packets decrypted from the underlay.'],
  ['underlay-rx-clear', 'Datagrams dropped because they are not encrypted.'],
  ['underlay-rx-unknown-key', 'Datagrams dropped because their sender has no key of that id.'],
  ['underlay-rx-replayed', 'Datagrams dropped because their number has been received.'],
  ['underlay-rx-forged', 'Datagrams dropped because their tag is wrong.']
] as const).map(([name, meaning]) => ({ name, meaning }))

/** Indices of what counts packets that the underlay socket did not take. */
export const NIC_LOSSES_UNDERLAY = indicesOf([
  'underlay-tx-busy', 'underlay-tx-too-big', 'underlay-tx-unreachable', 'underlay-tx-errors'
])
/** Indices of what counts packets that the encryption of the underlay dropped, each by itself. */
export const NIC_TX_NO_KEY = indexOf('underlay-tx-no-key')
export const NIC_RX_CLEAR = indexOf('underlay-rx-clear')
export const NIC_RX_UNKNOWN_KEY = indexOf('underlay-rx-unknown-key')
export const NIC_RX_REPLAYED = indexOf('underlay-rx-replayed')
export const NIC_RX_FORGED = indexOf('underlay-rx-forged')
/** Indices of what counts packets that the device of an ENI did not take. */
export const NIC_LOSSES_TUN = indicesOf([
  'tun-tx-down', 'tun-tx-closed', 'tun-tx-busy', 'tun-tx-rejected'
])

function indicesOf (names: readonly string[]): readonly number[] {
  return names.map(indexOf)
}

function indexOf (name: string): number {
  return NIC_COUNTERS.findIndex((counter) => counter.name === name)
}

/** Indices of `spins` and `sleeps`: a burst that raised one of them has waited. */
export const NIC_COUNTER_SPINS = 2
export const NIC_COUNTER_SLEEPS = 3
/** Index of `doorbells`: tells a loop that has no message port to ask that it was rung. */
export const NIC_COUNTER_DOORBELLS = 5
