/* RFC 1071 sums at the speed of the cache.
 *
 * A software segmentation passes over every payload byte once, here. Each 64-bit lane is split
 * into its 32-bit halves, which are added to 64-bit accumulators: no carry is lost before 2^32
 * additions. The vector code is written once, in the compiler's vector extension; on x86 the
 * function exists for AVX2 and for the baseline, and the loader picks one (target_clones: glibc's
 * ifunc). */
#include "checksum.h"

#include <string.h>
#include <arpa/inet.h>

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_EACH_MACHINE __attribute__((target_clones("avx2", "default")))
#else
#define FOR_EACH_MACHINE
#endif

typedef uint64_t lanes __attribute__((vector_size(32)));

#define BLOCK_BYTES (2 * sizeof(lanes))

FOR_EACH_MACHINE
uint64_t checksum_add(uint64_t sum, const void *at, size_t bytes) {
  const uint8_t *from = at;
  if (bytes >= BLOCK_BYTES) {
    const lanes low_half = {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff};
    lanes low = {0}, high = {0};
    for (; bytes >= BLOCK_BYTES; from += BLOCK_BYTES, bytes -= BLOCK_BYTES) {
      lanes a, b;
      memcpy(&a, from, sizeof a);
      memcpy(&b, from + sizeof a, sizeof b);
      low += (a & low_half) + (b & low_half);
      high += (a >> 32) + (b >> 32);
    }
    low += high;
    sum += low[0] + low[1] + low[2] + low[3];
  }
  for (; bytes >= 4; from += 4, bytes -= 4) {
    uint32_t word;
    memcpy(&word, from, sizeof word);
    sum += word;
  }
  if (bytes >= 2) {
    uint16_t word;
    memcpy(&word, from, sizeof word);
    sum += word;
    from += 2;
    bytes -= 2;
  }
  if (bytes == 1) sum += htons((uint16_t)(*from << 8));
  return sum;
}

uint64_t checksum_add_piece(uint64_t sum, const void *at, size_t bytes, size_t offset) {
  if ((offset & 1) == 0) return checksum_add(sum, at, bytes);
  uint16_t folded = checksum_fold(checksum_add(0, at, bytes));
  return sum + (uint16_t)(folded << 8 | folded >> 8);
}

uint16_t checksum_fold(uint64_t sum) {
  sum = (sum & 0xffffffff) + (sum >> 32); /* at most 0x1fffffffe */
  sum = (sum & 0xffff) + (sum >> 16);     /* at most 0x2fffd */
  sum = (sum & 0xffff) + (sum >> 16);     /* at most 0x10000 */
  sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)sum;
}
