/* What the fuzz targets share: reading an input, stopping on a broken invariant, and a checksum
 * and a payload reader written apart from the product's, so that a mistake there cannot hide
 * behind itself.
 */
#ifndef VPCLAB_FUZZ_H
#define VPCLAB_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                            \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition);                      \
      abort();                                                                                     \
    }                                                                                              \
  } while (0)

/* The rest of an input. */
struct input {
  const uint8_t *at;
  size_t bytes;
};

/* Past the end every byte is 0. */
static inline uint8_t take_u8(struct input *in) {
  if (in->bytes == 0) return 0;
  in->bytes--;
  return *in->at++;
}

static inline uint16_t take_u16(struct input *in) {
  uint16_t low = take_u8(in);
  return (uint16_t)(low | take_u8(in) << 8);
}

/* A copy of the next `bytes` bytes, or of what is left, in a block of exactly that length: one
 * byte past it is an error that the sanitizer sees. `*bytes` becomes the length; the block may be
 * empty. */
static inline uint8_t *take_block(struct input *in, uint32_t *bytes) {
  if (*bytes > in->bytes) *bytes = (uint32_t)in->bytes;
  uint8_t *block = malloc(*bytes);
  MUST(block != NULL);
  if (*bytes > 0) memcpy(block, in->at, *bytes);
  in->at += *bytes;
  in->bytes -= *bytes;
  return block;
}

/* RFC 1071 over `count` parts as one, byte by byte: 0 when a checksum inside is good. */
static inline uint16_t slow_checksum(const struct iovec *parts, uint32_t count, uint32_t sum) {
  size_t index = 0;
  for (uint32_t i = 0; i < count; i++) {
    const uint8_t *at = parts[i].iov_base;
    for (size_t k = 0; k < parts[i].iov_len; k++) {
      sum += (uint32_t)at[k] << ((index++ & 1) ? 0 : 8);
      if (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
    }
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)~sum;
}

#endif
