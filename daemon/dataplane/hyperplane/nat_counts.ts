/**
 * What a node counts of each resource; names and meanings are CloudWatch's (AWS VPC User Guide,
 * "NAT gateway metrics and dimensions"). A node counts what passes it, and control adds up.
 */

/** Index = NAT_COUNT_*. */
export const NAT_COUNTS = [
  'ConnectionAttemptCount', // flows that were opened from inside
  'ConnectionEstablishedCount', // of TCP, those that the destination answered
  'ErrorPortAllocation', // flows refused because no source port was free
  'IdleTimeoutCount', // flows that ended by idling, and were not closed before
  'ActiveConnectionCount', // flows now
  'PacketsInFromSource',
  'BytesInFromSource',
  'PacketsOutToDestination',
  'BytesOutToDestination',
  'PacketsInFromDestination',
  'BytesInFromDestination',
  'PacketsOutToSource',
  'BytesOutToSource'
] as const

export const NAT_COUNT_ATTEMPTS = 0
export const NAT_COUNT_ESTABLISHED = 1
export const NAT_COUNT_PORT_ERRORS = 2
export const NAT_COUNT_IDLE = 3
export const NAT_COUNT_ACTIVE = 4
/** Packets; bytes stand after each. */
export const NAT_COUNT_IN_FROM_SOURCE = 5
export const NAT_COUNT_OUT_TO_DESTINATION = 7
export const NAT_COUNT_IN_FROM_DESTINATION = 9
export const NAT_COUNT_OUT_TO_SOURCE = 11

export const NAT_COUNT_WORDS = NAT_COUNTS.length

/** Which way a packet crosses a gateway (PacketContext.natDirection). */
export const NAT_NONE = 0
export const NAT_OUTWARD = 1
export const NAT_INWARD = 2
