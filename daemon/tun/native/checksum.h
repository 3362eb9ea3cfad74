/* The Internet checksum (RFC 1071), as a sum that is carried along in 64 bits.
 *
 * A sum is of 16-bit words in memory order, that is, in the machine's own byte order: the ones'
 * complement sum comes out the same up to a byte swap (RFC 1071 section 2 (B)), so that nothing
 * is swapped on the way. Big-endian values that do not stand in memory are added by htons().
 */
#ifndef VPCLAB_CHECKSUM_H
#define VPCLAB_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* Adds `bytes` bytes to `sum`. `bytes` is at most 2^20 and `sum` below 2^62; an odd last byte
 * counts as the high-order half of a word, as at the end of a packet. */
uint64_t checksum_add(uint64_t sum, const void *at, size_t bytes);

/* The same for a piece that stands at byte `offset` of what is summed: at an odd offset, bytes
 * change places in their words. */
uint64_t checksum_add_piece(uint64_t sum, const void *at, size_t bytes, size_t offset);

/* The sum folded to 16 bits, not inverted: what a CSUM_NEEDED field holds of the
 * pseudo-header. */
uint16_t checksum_fold(uint64_t sum);

/* The checksum as it stands in a header: folded and inverted. */
static inline uint16_t checksum_finish(uint64_t sum) {
  return (uint16_t)~checksum_fold(sum);
}

/* The same for UDP, where 0 means "none" (RFC 768) and is written as 0xffff, its equal. */
static inline uint16_t checksum_finish_udp(uint64_t sum) {
  uint16_t checksum = checksum_finish(sum);
  return checksum == 0 ? 0xffff : checksum;
}

#endif
