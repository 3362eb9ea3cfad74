/**
 * The border between the NIC addon's ESP (native/esp.h) and the router: descriptors of jobs and of
 * results, over the same arena as the NIC's. `native/esp_descriptor.h` repeats the layout, and
 * esp.test.ts compares the two.
 *
 *     sealing   job: an inner packet or super-packet, contiguous, and the SA that seals it
 *               result: an outer packet, or a super-packet of UDP; to be sent as it is
 *     opening   job: an outer packet or super-packet as it came from the uplink, contiguous
 *               result: an inner packet, or a super-packet of TCP or UDP
 *
 * Words 0 to 5 mean what they mean in the NIC's descriptors (descriptor.ts), so that a result can
 * be handed to a port. A result whose status is not ESP_DONE is about a packet that is not there:
 * dropped, for that reason, or not ESP at all.
 */

/** Where the IP header stands, a byte offset into the arena. */
export const ESP_AT = 0
/** Bytes of the packet or super-packet. */
export const ESP_BYTES = 1
export const ESP_GSO_TYPE = 2
export const ESP_GSO_SIZE = 3
export const ESP_CSUM = 4
export const ESP_CSUM_FIELD = 5
/** Result: packets that it is on the wire, or that were dropped. */
export const ESP_SEGMENTS = 6
/** Number of the SA. A sealing job names it; a result does, 0 when none was found. */
export const ESP_SA = 7
/** Result: the tunnel of that SA. */
export const ESP_TUNNEL = 8
/** Result: the job it came from; of a super-packet the first. */
export const ESP_JOB = 9
/** Result: ESP_DONE, or why there is no packet. */
export const ESP_STATUS = 10
export const ESP_WORDS = 11

/** SAs of one Esp, number 0 not used. */
export const ESP_SAS_MAX = 8192
/** Doubles for one SA: inner bytes, packets, wall clock of the last one in ms, its number. */
export const ESP_STATISTICS_WORDS = 4

export const ESP_DONE = 0
/** Opening: a packet of IKE (UDP with the non-ESP marker); it is for charon, whole. */
export const ESP_IKE = 1
/** Opening: a NAT keepalive, RFC 3948 §2.3. Nothing is to be done. */
export const ESP_KEEPALIVE = 2
/** No SA has this SPI at this address, or none has the number that a job names. */
export const ESP_NO_SA = 3
/** Cut short, or in contradiction to itself. */
export const ESP_MALFORMED = 4
/** Opening: a fragment of an outer packet. */
export const ESP_FRAGMENT = 5
/** Opening: the number has been received already, or is older than the window. */
export const ESP_REPLAY = 6
/** Opening: the tag is wrong: forged, damaged, or of other keys. */
export const ESP_AUTHENTICATION = 7
/** Sealing: larger than the tunnel's MTU. */
export const ESP_TOO_BIG = 8
/** The SA has reached its hard limit, or the last number. */
export const ESP_EXPIRED = 9
/** Opening: marked for congestion outside, and the inner sender does no ECN (RFC 6040 §4.2). */
export const ESP_CONGESTION = 10
/** The part of the arena for results is full. */
export const ESP_NO_ROOM = 11
/** Opening: a dummy packet of a peer that hides how much it sends, RFC 4303 §2.6. */
export const ESP_DUMMY = 12

/** ECN is neither copied out nor brought inside. */
export const ESP_FLAG_NO_ECN = 1
/** The outer header has no DF; otherwise it is the inner packet's. */
export const ESP_FLAG_CLEAR_DF = 2
/** DSCP is copied to the outer header; otherwise it is 0 there. */
export const ESP_FLAG_COPY_DSCP = 4
