/* The underlay's encryption: each datagram between two hosts under AES-256-GCM.
 *
 *     0      8 + options       + 8        + 16
 *     ┌──────┬─────────┬───────┬──────────┬──────────────────────────────┬─────┐
 *     │Geneve│ options │ flags │ key id,  │ what was inside │ its type 2 │ tag │
 *     │      │         │       │ number   │       encrypted              │  16 │
 *     └──────┴─────────┴───────┴──────────┴──────────────────────────────┴─────┘
 *      authenticated, in clear ──────────┘
 *
 * The Geneve header stays in clear so that people can read the wire, and nothing in it can be
 * changed. Its protocol type is one that nobody decodes ("local experimental 2"); the true one
 * follows what is inside. The number is the nonce (aead.h) and what the replay window looks at.
 * A key is for one direction of one pair of hosts, and a card never goes on with a key that an
 * earlier one has had: control agrees on new ones.
 *
 * The card takes the two options off what it opens: whoever looks at a received packet sees what
 * the other host's router wrote. A key id names its peer, PEERS_MAX being a power of two:
 *
 *     key id = epoch << 14 | peer
 *
 * A peer has one key to send with and a few to receive with, so that both ends have the next one
 * before either sends with it. While encryption is required, nothing leaves without a key and
 * nothing in clear is taken.
 */
#ifndef VPCLAB_WIRE_KEYS_H
#define VPCLAB_WIRE_KEYS_H

#include "aead.h"
#include "failure.h"
#include "replay_window.h"
#include "underlay.h"

#define PEERS_MAX             16384
#define PEER_BITS             14
#define WIRE_KEY_BYTES        32
#define WIRE_TAG_BYTES        16
/* Flags option, key option. */
#define WIRE_OPTIONS_BYTES    24
/* What a sealed datagram is longer than the same in clear. */
#define WIRE_OVERHEAD_BYTES   (WIRE_OPTIONS_BYTES + 2 + WIRE_TAG_BYTES)
/* Keys that a peer may send with: now, before, and as many of handshakes that crossed. */
#define RECEIVE_KEYS_MAX      4
/* Parts of one datagram. */
#define IOV_PARTS_MAX         16
/* Packets under one key; control agrees on another long before. */
#define WIRE_PACKETS_MAX      (UINT64_C(1) << 32)

/* Statistics of a peer: doubles in shared memory, by the number of the peer. */
#define WIRE_AT_SENT          0 /* packets sealed */
#define WIRE_AT_RECEIVED      1 /* packets opened */
#define WIRE_AT_UNSENT        2 /* packets dropped for want of a key */
#define WIRE_AT_REPLAYED      3
#define WIRE_AT_FORGED        4
#define WIRE_AT_NUMBER        5 /* last number under the key that is sent with */
#define WIRE_STATISTICS_WORDS 8

struct receive_key {
  uint32_t id; /* 0: none */
  struct aead aead;
  struct replay_window window;
};

struct peer_keys {
  uint32_t transmit_id; /* 0: none */
  struct aead transmit;
  uint64_t number; /* last one sent */
  struct receive_key receive[RECEIVE_KEYS_MAX];
  uint32_t next; /* where the next key to receive with goes */
};

struct wire_keys {
  const union endpoint *peers; /* [PEERS_MAX] */
  double *counters;
  double *statistics; /* [statistics_peers * WIRE_STATISTICS_WORDS]; NULL: nothing is encrypted */
  uint32_t statistics_peers;
  struct peer_keys *of[PEERS_MAX];
};

/* Whether encryption is required. */
static inline bool wire_keys_required(const struct wire_keys *keys) {
  return keys->statistics != NULL;
}

void wire_keys_close(struct wire_keys *keys);

/* Takes a key into use; the number of packets begins at 1. False when OpenSSL refuses it, or the
 * id is of no peer that statistics are for. */
bool wire_keys_set(struct wire_keys *keys, uint32_t id, uint32_t peer, bool transmits,
                   const uint8_t key[WIRE_KEY_BYTES], const uint8_t salt[AEAD_SALT_BYTES]);
/* Ends a key that is received with. Harmless for one that is not there. */
void wire_keys_end(struct wire_keys *keys, uint32_t id);

/* Seals the datagram of `count` parts, of which the first begins with the whole Geneve header, to
 * `out`: WIRE_OVERHEAD_BYTES more than all parts have. False: dropped, and counted. */
bool wire_keys_seal(struct wire_keys *keys, uint32_t peer, const struct iovec *parts,
                    uint32_t count, uint8_t *out);

/* Opens a datagram where it stands: `*at` and `*bytes` become those of the same in clear. `source`:
 * its sender's cell (coalesce.h). False: dropped, and counted. */
bool wire_keys_open(struct wire_keys *keys, const uint8_t *source, uint8_t **at, uint32_t *bytes);

#endif
