/* Multi-byte fields of packets: big-endian, at any alignment. */
#ifndef VPCLAB_BYTES_H
#define VPCLAB_BYTES_H

#include <stdint.h>
#include <string.h>
#include <arpa/inet.h>

static inline uint16_t read_u16(const uint8_t *at) {
  uint16_t value;
  memcpy(&value, at, sizeof value);
  return ntohs(value);
}

static inline uint32_t read_u32(const uint8_t *at) {
  uint32_t value;
  memcpy(&value, at, sizeof value);
  return ntohl(value);
}

static inline void write_u16(uint8_t *at, uint16_t value) {
  value = htons(value);
  memcpy(at, &value, sizeof value);
}

static inline void write_u32(uint8_t *at, uint32_t value) {
  value = htonl(value);
  memcpy(at, &value, sizeof value);
}

#endif
