/* See wire_keys.h. */
#include "wire_keys.h"

#include <stdlib.h>
#include <string.h>

#include "counters.h"
#include "encapsulation.h"

/* Geneve, RFC 8926 section 3.4, 3.5 */
#define AT_FLAGS                  1
#define FLAG_CRITICAL             0x40
#define OPTION_WORDS_MAX          63
#define OPTION_WORDS(byte)        ((byte)&0x3f)
#define PROTOCOL_TYPE_ENCRYPTED   0x88b6 /* IEEE 802, "local experimental 2" */
/* The two options: class, type, words; the second is critical. encap/geneve.ts has the same. */
#define FLAGS_OPTION              0xfff50301
#define FLAG_ENCRYPTED            0x00000008
#define KEY_OPTION                0xfff58503
#define OPTIONS_AT_KEY_ID         12
#define OPTIONS_AT_NUMBER         16
#define TYPE_BYTES                2
#define MAPPED_ADDRESS_IPV4_BYTES 12

_Static_assert(PEERS_MAX == 1 << PEER_BITS, "a key id names a peer");
_Static_assert(OPTIONS_AT_NUMBER + AEAD_IV_BYTES == WIRE_OPTIONS_BYTES, "the number ends them");

static uint32_t peer_of(uint32_t id) {
  return id & (PEERS_MAX - 1);
}

static void count_of(struct wire_keys *keys, uint32_t peer, uint32_t at, enum counter counter) {
  keys->counters[counter]++;
  if (peer < keys->statistics_peers) keys->statistics[peer * WIRE_STATISTICS_WORDS + at]++;
}

static void end_receive_key(struct receive_key *key) {
  key->id = 0;
  aead_close(&key->aead);
}

void wire_keys_close(struct wire_keys *keys) {
  for (uint32_t peer = 0; peer < PEERS_MAX; peer++) {
    struct peer_keys *of = keys->of[peer];
    if (of == NULL) continue;
    for (int i = 0; i < RECEIVE_KEYS_MAX; i++) end_receive_key(&of->receive[i]);
    aead_close(&of->transmit);
    free(of);
    keys->of[peer] = NULL;
  }
}

static bool set_transmit(struct wire_keys *keys, struct peer_keys *of, uint32_t peer, uint32_t id,
                         const uint8_t *key, const uint8_t *salt) {
  aead_close(&of->transmit);
  of->transmit_id = 0;
  if (!aead_open(&of->transmit, key, WIRE_KEY_BYTES, salt, WIRE_TAG_BYTES, true)) return false;
  of->transmit_id = id;
  of->number = 0;
  keys->statistics[peer * WIRE_STATISTICS_WORDS + WIRE_AT_NUMBER] = 0;
  return true;
}

bool wire_keys_set(struct wire_keys *keys, uint32_t id, uint32_t peer, bool transmits,
                   const uint8_t key[WIRE_KEY_BYTES], const uint8_t salt[AEAD_SALT_BYTES]) {
  if (id == 0 || peer >= keys->statistics_peers) return false;
  if (!transmits && peer_of(id) != peer) return false;
  struct peer_keys *of = keys->of[peer];
  if (of == NULL) of = keys->of[peer] = calloc(1, sizeof *of);
  if (of == NULL) return false;
  if (transmits) return set_transmit(keys, of, peer, id, key, salt);
  wire_keys_end(keys, id);
  struct receive_key *into = &of->receive[of->next];
  of->next = (of->next + 1) % RECEIVE_KEYS_MAX;
  end_receive_key(into);
  if (!aead_open(&into->aead, key, WIRE_KEY_BYTES, salt, WIRE_TAG_BYTES, false)) return false;
  replay_open(&into->window, REPLAY_WINDOW_MAX, 0);
  into->id = id;
  return true;
}

static struct receive_key *find_receive_key(const struct wire_keys *keys, uint32_t id) {
  struct peer_keys *of = keys->of[peer_of(id)];
  if (of == NULL || id == 0) return NULL;
  for (int i = 0; i < RECEIVE_KEYS_MAX; i++) {
    if (of->receive[i].id == id) return &of->receive[i];
  }
  return NULL;
}

void wire_keys_end(struct wire_keys *keys, uint32_t id) {
  struct receive_key *key = find_receive_key(keys, id);
  if (key != NULL) end_receive_key(key);
}

/* Sealing */

/* Geneve header with options of ours behind its own; returns its bytes. */
static uint32_t write_header(const struct peer_keys *of, const uint8_t *clear, uint32_t bytes,
                             uint8_t *out) {
  uint8_t *options = out + bytes;
  memcpy(out, clear, bytes);
  out[0] = (uint8_t)(out[0] + WIRE_OPTIONS_BYTES / 4);
  out[AT_FLAGS] |= FLAG_CRITICAL;
  write_u16(out + GENEVE_AT_PROTOCOL_TYPE, PROTOCOL_TYPE_ENCRYPTED);
  write_u32(options, FLAGS_OPTION);
  write_u32(options + 4, FLAG_ENCRYPTED);
  write_u32(options + 8, KEY_OPTION);
  write_u32(options + OPTIONS_AT_KEY_ID, of->transmit_id);
  write_u32(options + OPTIONS_AT_NUMBER, (uint32_t)(of->number >> 32));
  write_u32(options + OPTIONS_AT_NUMBER + 4, (uint32_t)of->number);
  return bytes + WIRE_OPTIONS_BYTES;
}

static bool seal(struct peer_keys *of, const struct iovec *parts, uint32_t count,
                 uint32_t header_bytes, uint8_t *out) {
  struct iovec texts[IOV_PARTS_MAX];
  uint8_t type[TYPE_BYTES];
  const uint8_t *clear = parts[0].iov_base;
  memcpy(type, clear + GENEVE_AT_PROTOCOL_TYPE, sizeof type);
  memcpy(texts, parts, count * sizeof *parts);
  texts[0].iov_base = (uint8_t *)parts[0].iov_base + header_bytes;
  texts[0].iov_len -= header_bytes;
  texts[count] = (struct iovec){type, sizeof type};
  of->number++; /* gone, whatever becomes of the packet */
  uint32_t sealed_header_bytes = write_header(of, clear, header_bytes, out);
  return aead_seal(&of->transmit, out + sealed_header_bytes - AEAD_IV_BYTES, out,
                   sealed_header_bytes, texts, count + 1, out + sealed_header_bytes);
}

bool wire_keys_seal(struct wire_keys *keys, uint32_t peer, const struct iovec *parts,
                    uint32_t count, uint8_t *out) {
  struct peer_keys *of = keys->of[peer];
  const uint8_t *clear = parts[0].iov_base;
  uint32_t words = parts[0].iov_len < GENEVE_HEADER_BYTES_MIN ? 0 : OPTION_WORDS(clear[0]);
  uint32_t header_bytes = GENEVE_HEADER_BYTES_MIN + 4 * words;
  if (parts[0].iov_len < header_bytes || words + WIRE_OPTIONS_BYTES / 4 > OPTION_WORDS_MAX ||
      count >= IOV_PARTS_MAX) {
    keys->counters[COUNTER_TX_MALFORMED]++;
    return false;
  }
  if (of == NULL || of->transmit_id == 0 || of->number >= WIRE_PACKETS_MAX ||
      !seal(of, parts, count, header_bytes, out)) {
    count_of(keys, peer, WIRE_AT_UNSENT, COUNTER_UNDERLAY_TX_NO_KEY);
    return false;
  }
  keys->statistics[peer * WIRE_STATISTICS_WORDS + WIRE_AT_NUMBER] = (double)of->number;
  count_of(keys, peer, WIRE_AT_SENT, COUNTER_UNDERLAY_TX_SEALED);
  return true;
}

/* Opening */

static bool is_from(const union endpoint *peer, const uint8_t *source) {
  if (peer->any.sa_family == AF_INET6) {
    return memcmp(source, &peer->ipv6.sin6_addr, sizeof peer->ipv6.sin6_addr) == 0;
  }
  return peer->any.sa_family == AF_INET &&
         memcmp(source + MAPPED_ADDRESS_IPV4_BYTES, &peer->ipv4.sin_addr,
                sizeof peer->ipv4.sin_addr) == 0;
}

/* Bytes of the header of a sealed datagram, both options of ours included; 0 when it is none. */
static uint32_t sealed_header_bytes(const uint8_t *at, uint32_t bytes) {
  if (bytes < GENEVE_HEADER_BYTES_MIN || at[0] >> 6 != 0 ||
      read_u16(at + GENEVE_AT_PROTOCOL_TYPE) != PROTOCOL_TYPE_ENCRYPTED) {
    return 0;
  }
  uint32_t header_bytes = GENEVE_HEADER_BYTES_MIN + 4 * (uint32_t)OPTION_WORDS(at[0]);
  if (header_bytes < GENEVE_HEADER_BYTES_MIN + WIRE_OPTIONS_BYTES ||
      header_bytes + TYPE_BYTES + WIRE_TAG_BYTES > bytes) {
    return 0;
  }
  const uint8_t *options = at + header_bytes - WIRE_OPTIONS_BYTES;
  bool ours = read_u32(options) == FLAGS_OPTION && read_u32(options + 4) == FLAG_ENCRYPTED &&
              read_u32(options + 8) == KEY_OPTION;
  return ours ? header_bytes : 0;
}

bool wire_keys_open(struct wire_keys *keys, const uint8_t *source, uint8_t **at, uint32_t *bytes) {
  uint8_t *header = *at;
  uint32_t header_bytes = sealed_header_bytes(header, *bytes);
  if (header_bytes == 0) {
    keys->counters[COUNTER_UNDERLAY_RX_CLEAR]++;
    return false;
  }
  const uint8_t *options = header + header_bytes - WIRE_OPTIONS_BYTES;
  uint32_t id = read_u32(options + OPTIONS_AT_KEY_ID), peer = peer_of(id);
  struct receive_key *key = find_receive_key(keys, id);
  if (key == NULL || !is_from(&keys->peers[peer], source)) {
    keys->counters[COUNTER_UNDERLAY_RX_UNKNOWN_KEY]++;
    return false;
  }
  const uint8_t *iv = options + OPTIONS_AT_NUMBER;
  uint64_t number = (uint64_t)read_u32(iv) << 32 | read_u32(iv + 4);
  if (!replay_is_fresh(&key->window, number)) {
    count_of(keys, peer, WIRE_AT_REPLAYED, COUNTER_UNDERLAY_RX_REPLAYED);
    return false;
  }
  uint8_t *text = header + header_bytes;
  uint32_t text_bytes = *bytes - header_bytes - WIRE_TAG_BYTES;
  if (!aead_unseal(&key->aead, iv, header, header_bytes, text, text_bytes, text)) {
    count_of(keys, peer, WIRE_AT_FORGED, COUNTER_UNDERLAY_RX_FORGED);
    return false;
  }
  replay_enter(&key->window, number);
  count_of(keys, peer, WIRE_AT_RECEIVED, COUNTER_UNDERLAY_RX_OPENED);
  memcpy(header + GENEVE_AT_PROTOCOL_TYPE, text + text_bytes - TYPE_BYTES, TYPE_BYTES);
  header[0] = (uint8_t)(header[0] - WIRE_OPTIONS_BYTES / 4);
  header[AT_FLAGS] &= (uint8_t)~FLAG_CRITICAL;
  memmove(header + WIRE_OPTIONS_BYTES, header, header_bytes - WIRE_OPTIONS_BYTES);
  *at = header + WIRE_OPTIONS_BYTES;
  *bytes -= WIRE_OVERHEAD_BYTES;
  return true;
}
