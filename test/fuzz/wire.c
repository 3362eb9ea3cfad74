/* Fuzzes the encrypted underlay (daemon/tun/native/wire_keys.c) with datagrams as anybody may send
 * them, and with datagrams of ours.
 *
 *     input   u8 flags, then the datagram
 *
 * FLAG_OURS: the datagram is sealed, one bit of it changed or not, and opened. Whatever comes in:
 * no byte outside it is touched, nothing is opened but what was sealed, and that is as it was.
 */
#include "fuzz.h"

#include "../../daemon/tun/native/counters.h"
#include "../../daemon/tun/native/wire_keys.h"

#define PEER 3
#define ID   (1 << PEER_BITS | PEER)

enum { FLAG_OURS = 1, FLAG_CHANGED = 2, FLAG_HALVES = 4 };

static union endpoint peers[PEERS_MAX];
static const uint8_t source[18] = {[10] = 0xff, [11] = 0xff};

static void set_keys(struct wire_keys *keys) {
  static const uint8_t key[WIRE_KEY_BYTES] = {1}, salt[AEAD_SALT_BYTES] = {2};
  peers[PEER].ipv4.sin_family = AF_INET;
  MUST(wire_keys_set(keys, ID, PEER, true, key, salt));
  MUST(wire_keys_set(keys, ID, PEER, false, key, salt));
}

static void check_ours(struct wire_keys *keys, uint8_t flags, const uint8_t *clear,
                       uint32_t bytes) {
  uint32_t half = flags & FLAG_HALVES ? bytes / 2 : bytes;
  const struct iovec parts[2] = {{(void *)(uintptr_t)clear, half},
                                 {(void *)(uintptr_t)(clear + half), bytes - half}};
  uint8_t *sealed = malloc(bytes + WIRE_OVERHEAD_BYTES), *at = sealed;
  uint32_t sealed_bytes = bytes + WIRE_OVERHEAD_BYTES;
  MUST(sealed != NULL);
  if (wire_keys_seal(keys, PEER, parts, 2, sealed)) {
    if (flags & FLAG_CHANGED) sealed[flags * 977u % sealed_bytes] ^= 1;
    bool opened = wire_keys_open(keys, source, &at, &sealed_bytes);
    /* A version that is not 0 is no datagram of ours. */
    MUST(opened == (!(flags & FLAG_CHANGED) && clear[0] >> 6 == 0));
    if (opened) {
      MUST(sealed_bytes == bytes && (at[1] | 0x40) == (clear[1] | 0x40));
      at[1] = clear[1];
      MUST(memcmp(at, clear, bytes) == 0);
    }
  }
  free(sealed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input in = {data, size};
  uint8_t flags = take_u8(&in);
  double counters[COUNTERS] = {0};
  double statistics[(PEER + 1) * WIRE_STATISTICS_WORDS] = {0};
  struct wire_keys *keys = calloc(1, sizeof *keys);
  MUST(keys != NULL);
  keys->peers = peers;
  keys->counters = counters;
  keys->statistics = statistics;
  keys->statistics_peers = PEER + 1;
  set_keys(keys);
  uint32_t bytes = (uint32_t)in.bytes;
  uint8_t *block = take_block(&in, &bytes), *at = block;
  if (flags & FLAG_OURS) {
    if (bytes > 0) check_ours(keys, flags, block, bytes);
  } else {
    MUST(!wire_keys_open(keys, source, &at, &bytes));
  }
  free(block);
  wire_keys_close(keys);
  free(keys);
  return 0;
}
