/* One security association of ESP: keys, sequence numbers, anti-replay window.
 *
 * Packets are numbered with 64 bits inside. On the wire stand the low 32; with extended sequence
 * numbers (RFC 4303 section 2.2.1) the high ones are part of what the tag covers, and the receiver
 * infers them from its window (appendix A2).
 */
#ifndef VPCLAB_ESP_SA_H
#define VPCLAB_ESP_SA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <openssl/evp.h>

#include "aead.h"
#include "failure.h"
#include "replay_window.h"

#define ESP_KEY_BYTES_MAX   32
#define ESP_HASH_BYTES_MAX  64
#define ESP_ICV_BYTES_MAX   32

#define ESP_HEADER_BYTES    8 /* SPI, sequence number */
#define ESP_TRAILER_BYTES   2 /* pad length, next header */
#define ESP_GCM_IV_BYTES    AEAD_IV_BYTES
#define ESP_CBC_BLOCK_BYTES 16

enum esp_cipher { ESP_AES_GCM, ESP_AES_CBC };
enum esp_hash { ESP_SHA1, ESP_SHA256, ESP_SHA384, ESP_SHA512 };

struct esp_keys {
  enum esp_cipher cipher;
  enum esp_hash hash; /* of CBC */
  uint32_t key_bytes; /* 16, 24 or 32 */
  uint32_t hash_key_bytes;
  uint32_t icv_bytes;
  uint8_t key[ESP_KEY_BYTES_MAX];
  uint8_t hash_key[ESP_HASH_BYTES_MAX];
  uint8_t salt[AEAD_SALT_BYTES]; /* of GCM */
};

struct esp_sa {
  struct aead aead;       /* of GCM */
  EVP_CIPHER_CTX *cipher; /* of CBC */
  EVP_MAC_CTX *mac;       /* of CBC */
  enum esp_cipher kind;
  uint32_t icv_bytes;
  uint32_t spi;
  bool seals;
  bool esn;
  struct replay_window window; /* top: last number sent, or the highest received */
};

/* Makes an SA whose numbers go on after `top`; what is behind `top` counts as seen. */
struct esp_sa *esp_sa_open(const struct esp_keys *keys, uint32_t spi, bool seals, bool esn,
                           uint32_t window, uint64_t top, struct failure *failure);
void esp_sa_close(struct esp_sa *sa);

static inline uint32_t esp_iv_bytes(const struct esp_sa *sa) {
  return sa->kind == ESP_AES_GCM ? ESP_GCM_IV_BYTES : ESP_CBC_BLOCK_BYTES;
}

/* Bytes of an ESP packet, from the SPI to the tag, around `inner_bytes` bytes. */
static inline uint32_t esp_packet_bytes(const struct esp_sa *sa, uint32_t inner_bytes) {
  uint32_t align = sa->kind == ESP_AES_GCM ? 4 : ESP_CBC_BLOCK_BYTES;
  uint32_t text = (inner_bytes + ESP_TRAILER_BYTES + align - 1) & ~(align - 1);
  return ESP_HEADER_BYTES + esp_iv_bytes(sa) + text + sa->icv_bytes;
}

/* Whether another packet may be numbered: without ESN a number must never come twice. */
static inline bool esp_sa_has_number(const struct esp_sa *sa) {
  return sa->esn ? sa->window.top < UINT64_MAX : sa->window.top < UINT32_MAX;
}

/* Seals: writes header, IV, padding and tag around the `inner_bytes` bytes that stand at
 * esp + ESP_HEADER_BYTES + esp_iv_bytes(), and encrypts them in place. `iv`: for CBC 16 bytes that
 * nobody can predict (RFC 3602 section 3); for GCM unused, the number of the packet is the IV.
 * False when OpenSSL refuses. Precondition: esp_sa_has_number(). */
bool esp_seal(struct esp_sa *sa, uint8_t *esp, uint32_t inner_bytes, uint8_t next_header,
              const uint8_t *iv);

enum esp_opened { ESP_OPENED, ESP_CUT_SHORT, ESP_REPLAYED, ESP_FORGED, ESP_BAD_PADDING };

/* Opens the ESP packet of `bytes` bytes at `esp`: decrypts into `out` (room for `bytes`), which
 * holds something meaningful only when the result is ESP_OPENED. `*out_bytes`: payload without
 * trailer. */
enum esp_opened esp_open_packet(struct esp_sa *sa, const uint8_t *esp, uint32_t bytes, uint8_t *out,
                                uint32_t *out_bytes, uint8_t *next_header);

#endif
