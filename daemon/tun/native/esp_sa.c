/* See esp_sa.h. Keys are given to OpenSSL once; a packet then costs a new IV, the data and the
 * tag. */
#include "esp_sa.h"

#include <stdlib.h>
#include <string.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>

#include "bytes.h"

/* SPI and 32 or 64 bits of number: what GCM authenticates beside the text (RFC 4106 section 5). */
#define AAD_BYTES_MAX 12

static const EVP_CIPHER *cipher_of(const struct esp_keys *keys) {
  switch (keys->key_bytes) {
  case 16:
    return EVP_aes_128_cbc();
  case 24:
    return EVP_aes_192_cbc();
  case 32:
    return EVP_aes_256_cbc();
  default:
    return NULL;
  }
}

static const char *digest_of(enum esp_hash hash) {
  switch (hash) {
  case ESP_SHA1:
    return "SHA1";
  case ESP_SHA256:
    return "SHA2-256";
  case ESP_SHA384:
    return "SHA2-384";
  default:
    return "SHA2-512";
  }
}

static EVP_MAC_CTX *open_mac(const struct esp_keys *keys) {
  EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
  EVP_MAC_CTX *context = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
  EVP_MAC_free(mac);
  if (context == NULL) return NULL;
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
                                       (char *)(uintptr_t)digest_of(keys->hash), 0),
      OSSL_PARAM_construct_end(),
  };
  if (EVP_MAC_init(context, keys->hash_key, keys->hash_key_bytes, parameters) == 1) return context;
  EVP_MAC_CTX_free(context);
  return NULL;
}

static bool open_contexts(struct esp_sa *sa, const struct esp_keys *keys) {
  if (sa->kind == ESP_AES_GCM) {
    return aead_open(&sa->aead, keys->key, keys->key_bytes, keys->salt, keys->icv_bytes, sa->seals);
  }
  const EVP_CIPHER *cipher = cipher_of(keys);
  sa->cipher = EVP_CIPHER_CTX_new();
  if (cipher == NULL || sa->cipher == NULL) return false;
  if (EVP_CipherInit_ex(sa->cipher, cipher, NULL, keys->key, NULL, sa->seals) != 1) return false;
  EVP_CIPHER_CTX_set_padding(sa->cipher, 0);
  sa->mac = open_mac(keys);
  return sa->mac != NULL;
}

struct esp_sa *esp_sa_open(const struct esp_keys *keys, uint32_t spi, bool seals, bool esn,
                           uint32_t window, uint64_t top, struct failure *failure) {
  struct esp_sa *sa = calloc(1, sizeof *sa);
  if (sa == NULL) {
    fail(failure, "calloc");
    return NULL;
  }
  sa->kind = keys->cipher;
  sa->icv_bytes = keys->icv_bytes;
  sa->spi = spi;
  sa->seals = seals;
  sa->esn = esn;
  replay_open(&sa->window, window, top);
  if (open_contexts(sa, keys)) return sa;
  esp_sa_close(sa);
  errno = EINVAL;
  fail(failure, "OpenSSL");
  return NULL;
}

void esp_sa_close(struct esp_sa *sa) {
  aead_close(&sa->aead);
  EVP_CIPHER_CTX_free(sa->cipher);
  EVP_MAC_CTX_free(sa->mac);
  OPENSSL_cleanse(sa, sizeof *sa);
  free(sa);
}

/* Sequence numbers */

/* The 64 bits of a number of which `low` came over the wire. False when there cannot be one. */
static bool infer_number(const struct esp_sa *sa, uint32_t low, uint64_t *number) {
  if (!sa->esn) {
    *number = low;
    return true;
  }
  uint32_t top_low = (uint32_t)sa->window.top, top_high = (uint32_t)(sa->window.top >> 32);
  uint32_t window = sa->window.size > 0 ? sa->window.size : 1;
  uint32_t bottom = top_low - window + 1; /* modulo 2^32 */
  uint32_t high = top_high;
  if (top_low >= window - 1) {
    if (low < bottom) high++;
  } else if (low >= bottom) {
    if (high == 0) return false;
    high--;
  }
  *number = (uint64_t)high << 32 | low;
  return true;
}

/* What is authenticated before the text: SPI, and number; returns its bytes. */
static uint32_t write_aad(const struct esp_sa *sa, uint64_t number, uint8_t aad[AAD_BYTES_MAX]) {
  write_u32(aad, sa->spi);
  if (!sa->esn) {
    write_u32(aad + 4, (uint32_t)number);
    return 8;
  }
  write_u32(aad + 4, (uint32_t)(number >> 32));
  write_u32(aad + 8, (uint32_t)number);
  return 12;
}

/* HMAC over the packet from the SPI to the end of the text, and with ESN the high half of the
 * number (RFC 4303 section 2.8). */
static bool compute_icv(struct esp_sa *sa, const uint8_t *esp, uint32_t bytes, uint64_t number,
                        uint8_t icv[EVP_MAX_MD_SIZE]) {
  uint8_t high[4];
  size_t icv_bytes = 0;
  write_u32(high, (uint32_t)(number >> 32));
  return EVP_MAC_init(sa->mac, NULL, 0, NULL) == 1 && EVP_MAC_update(sa->mac, esp, bytes) == 1 &&
         (!sa->esn || EVP_MAC_update(sa->mac, high, sizeof high) == 1) &&
         EVP_MAC_final(sa->mac, icv, &icv_bytes, EVP_MAX_MD_SIZE) == 1 &&
         icv_bytes >= sa->icv_bytes;
}

/* Sealing */

/* Padding 1, 2, 3 ..., its length, and the next header. Returns the bytes of the text. */
static uint32_t write_trailer(const struct esp_sa *sa, uint8_t *text, uint32_t inner_bytes,
                              uint8_t next_header) {
  uint32_t text_bytes =
      esp_packet_bytes(sa, inner_bytes) - ESP_HEADER_BYTES - esp_iv_bytes(sa) - sa->icv_bytes;
  uint8_t padding = (uint8_t)(text_bytes - inner_bytes - ESP_TRAILER_BYTES);
  for (uint8_t i = 0; i < padding; i++) text[inner_bytes + i] = i + 1;
  text[text_bytes - 2] = padding;
  text[text_bytes - 1] = next_header;
  return text_bytes;
}

static bool seal_gcm(struct esp_sa *sa, uint8_t *esp, uint32_t text_bytes) {
  uint8_t aad[AAD_BYTES_MAX];
  uint8_t *text = esp + ESP_HEADER_BYTES + ESP_GCM_IV_BYTES;
  uint32_t aad_bytes = write_aad(sa, sa->window.top, aad);
  const struct iovec part = {text, text_bytes};
  return aead_seal(&sa->aead, esp + ESP_HEADER_BYTES, aad, aad_bytes, &part, 1, text);
}

static bool seal_cbc(struct esp_sa *sa, uint8_t *esp, uint32_t text_bytes) {
  uint8_t icv[EVP_MAX_MD_SIZE];
  uint8_t *iv = esp + ESP_HEADER_BYTES, *text = iv + ESP_CBC_BLOCK_BYTES;
  int done;
  if (EVP_EncryptInit_ex(sa->cipher, NULL, NULL, NULL, iv) != 1 ||
      EVP_EncryptUpdate(sa->cipher, text, &done, text, (int)text_bytes) != 1 ||
      !compute_icv(sa, esp, ESP_HEADER_BYTES + ESP_CBC_BLOCK_BYTES + text_bytes, sa->window.top,
                   icv)) {
    return false;
  }
  memcpy(text + text_bytes, icv, sa->icv_bytes);
  return true;
}

bool esp_seal(struct esp_sa *sa, uint8_t *esp, uint32_t inner_bytes, uint8_t next_header,
              const uint8_t *iv) {
  sa->window.top++;
  write_u32(esp, sa->spi);
  write_u32(esp + 4, (uint32_t)sa->window.top);
  if (sa->kind == ESP_AES_GCM) {
    write_u32(esp + ESP_HEADER_BYTES, (uint32_t)(sa->window.top >> 32));
    write_u32(esp + ESP_HEADER_BYTES + 4, (uint32_t)sa->window.top);
  } else {
    memcpy(esp + ESP_HEADER_BYTES, iv, ESP_CBC_BLOCK_BYTES);
  }
  uint8_t *text = esp + ESP_HEADER_BYTES + esp_iv_bytes(sa);
  uint32_t text_bytes = write_trailer(sa, text, inner_bytes, next_header);
  return sa->kind == ESP_AES_GCM ? seal_gcm(sa, esp, text_bytes) : seal_cbc(sa, esp, text_bytes);
}

/* Opening */

static bool open_gcm(struct esp_sa *sa, const uint8_t *esp, uint32_t text_bytes, uint64_t number,
                     uint8_t *out) {
  uint8_t aad[AAD_BYTES_MAX];
  uint32_t aad_bytes = write_aad(sa, number, aad);
  return aead_unseal(&sa->aead, esp + ESP_HEADER_BYTES, aad, aad_bytes,
                     esp + ESP_HEADER_BYTES + ESP_GCM_IV_BYTES, text_bytes, out);
}

/* The tag is compared in constant time, and before anything is decrypted. */
static bool open_cbc(struct esp_sa *sa, const uint8_t *esp, uint32_t text_bytes, uint64_t number,
                     uint8_t *out) {
  uint8_t icv[EVP_MAX_MD_SIZE];
  const uint8_t *iv = esp + ESP_HEADER_BYTES, *text = iv + ESP_CBC_BLOCK_BYTES;
  int done;
  return compute_icv(sa, esp, ESP_HEADER_BYTES + ESP_CBC_BLOCK_BYTES + text_bytes, number, icv) &&
         CRYPTO_memcmp(icv, text + text_bytes, sa->icv_bytes) == 0 &&
         EVP_DecryptInit_ex(sa->cipher, NULL, NULL, NULL, iv) == 1 &&
         EVP_DecryptUpdate(sa->cipher, out, &done, text, (int)text_bytes) == 1;
}

enum esp_opened esp_open_packet(struct esp_sa *sa, const uint8_t *esp, uint32_t bytes, uint8_t *out,
                                uint32_t *out_bytes, uint8_t *next_header) {
  uint32_t around = ESP_HEADER_BYTES + esp_iv_bytes(sa) + sa->icv_bytes;
  if (bytes < around + ESP_TRAILER_BYTES) return ESP_CUT_SHORT;
  uint32_t text_bytes = bytes - around;
  uint32_t align = sa->kind == ESP_AES_GCM ? 4 : ESP_CBC_BLOCK_BYTES;
  if (text_bytes % align != 0) return ESP_CUT_SHORT;
  uint64_t number;
  if (!infer_number(sa, read_u32(esp + 4), &number) || !replay_is_fresh(&sa->window, number))
    return ESP_REPLAYED;
  bool good = sa->kind == ESP_AES_GCM ? open_gcm(sa, esp, text_bytes, number, out)
                                      : open_cbc(sa, esp, text_bytes, number, out);
  if (!good) return ESP_FORGED;
  replay_enter(&sa->window, number);
  uint32_t padding = out[text_bytes - 2];
  if (padding + ESP_TRAILER_BYTES > text_bytes) return ESP_BAD_PADDING;
  *next_header = out[text_bytes - 1];
  *out_bytes = text_bytes - ESP_TRAILER_BYTES - padding;
  return ESP_OPENED;
}
