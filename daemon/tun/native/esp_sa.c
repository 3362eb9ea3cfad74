/* See esp_sa.h. Keys are given to OpenSSL once; a packet then costs a new IV, the data and the
 * tag. */
#include "esp_sa.h"

#include <stdlib.h>
#include <string.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>

#include "bytes.h"

#define NONCE_BYTES   (ESP_SALT_BYTES + ESP_GCM_IV_BYTES)
/* SPI and 32 or 64 bits of number: what GCM authenticates beside the text (RFC 4106 section 5). */
#define AAD_BYTES_MAX 12

static const EVP_CIPHER *cipher_of(const struct esp_keys *keys) {
  bool gcm = keys->cipher == ESP_AES_GCM;
  switch (keys->key_bytes) {
  case 16:
    return gcm ? EVP_aes_128_gcm() : EVP_aes_128_cbc();
  case 24:
    return gcm ? EVP_aes_192_gcm() : EVP_aes_192_cbc();
  case 32:
    return gcm ? EVP_aes_256_gcm() : EVP_aes_256_cbc();
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
  const EVP_CIPHER *cipher = cipher_of(keys);
  sa->cipher = EVP_CIPHER_CTX_new();
  if (cipher == NULL || sa->cipher == NULL) return false;
  if (EVP_CipherInit_ex(sa->cipher, cipher, NULL, keys->key, NULL, sa->seals) != 1) return false;
  if (sa->kind == ESP_AES_GCM) return true;
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
  sa->window = window;
  sa->top = top;
  memcpy(sa->salt, keys->salt, sizeof sa->salt);
  if (top > 0) {
    memset(sa->ring, 0xff, sizeof sa->ring);
    sa->ring[top / 64 % ESP_RING_WORDS] = UINT64_MAX >> (63 - top % 64);
  }
  if (open_contexts(sa, keys)) return sa;
  esp_sa_close(sa);
  errno = EINVAL;
  fail(failure, "OpenSSL");
  return NULL;
}

void esp_sa_close(struct esp_sa *sa) {
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
  uint32_t top_low = (uint32_t)sa->top, top_high = (uint32_t)(sa->top >> 32);
  uint32_t window = sa->window > 0 ? sa->window : 1;
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

static uint64_t *ring_word(struct esp_sa *sa, uint64_t number) {
  return &sa->ring[number / 64 % ESP_RING_WORDS];
}

static bool is_fresh(struct esp_sa *sa, uint64_t number) {
  if (number == 0) return false;
  if (sa->window == 0 || number > sa->top) return true;
  if (sa->top - number >= sa->window) return false;
  return (*ring_word(sa, number) >> (number % 64) & 1) == 0;
}

static void enter_number(struct esp_sa *sa, uint64_t number) {
  if (number > sa->top) {
    uint64_t words = number / 64 - sa->top / 64;
    if (words > ESP_RING_WORDS) words = ESP_RING_WORDS;
    for (uint64_t i = 0; i < words; i++) *ring_word(sa, number - i * 64) = 0;
    sa->top = number;
  }
  *ring_word(sa, number) |= UINT64_C(1) << (number % 64);
}

/* What is authenticated before the text: SPI, and number; returns its bytes. */
static int write_aad(const struct esp_sa *sa, uint64_t number, uint8_t aad[AAD_BYTES_MAX]) {
  write_u32(aad, sa->spi);
  if (!sa->esn) {
    write_u32(aad + 4, (uint32_t)number);
    return 8;
  }
  write_u32(aad + 4, (uint32_t)(number >> 32));
  write_u32(aad + 8, (uint32_t)number);
  return 12;
}

static void write_nonce(const struct esp_sa *sa, const uint8_t *iv, uint8_t nonce[NONCE_BYTES]) {
  memcpy(nonce, sa->salt, ESP_SALT_BYTES);
  memcpy(nonce + ESP_SALT_BYTES, iv, ESP_GCM_IV_BYTES);
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
  uint8_t nonce[NONCE_BYTES], aad[AAD_BYTES_MAX];
  uint8_t *text = esp + ESP_HEADER_BYTES + ESP_GCM_IV_BYTES;
  int aad_bytes = write_aad(sa, sa->top, aad), done;
  write_nonce(sa, esp + ESP_HEADER_BYTES, nonce);
  return EVP_EncryptInit_ex(sa->cipher, NULL, NULL, NULL, nonce) == 1 &&
         EVP_EncryptUpdate(sa->cipher, NULL, &done, aad, aad_bytes) == 1 &&
         EVP_EncryptUpdate(sa->cipher, text, &done, text, (int)text_bytes) == 1 &&
         EVP_EncryptFinal_ex(sa->cipher, text + done, &done) == 1 &&
         EVP_CIPHER_CTX_ctrl(sa->cipher, EVP_CTRL_AEAD_GET_TAG, (int)sa->icv_bytes,
                             text + text_bytes) == 1;
}

static bool seal_cbc(struct esp_sa *sa, uint8_t *esp, uint32_t text_bytes) {
  uint8_t icv[EVP_MAX_MD_SIZE];
  uint8_t *iv = esp + ESP_HEADER_BYTES, *text = iv + ESP_CBC_BLOCK_BYTES;
  int done;
  if (EVP_EncryptInit_ex(sa->cipher, NULL, NULL, NULL, iv) != 1 ||
      EVP_EncryptUpdate(sa->cipher, text, &done, text, (int)text_bytes) != 1 ||
      !compute_icv(sa, esp, ESP_HEADER_BYTES + ESP_CBC_BLOCK_BYTES + text_bytes, sa->top, icv)) {
    return false;
  }
  memcpy(text + text_bytes, icv, sa->icv_bytes);
  return true;
}

bool esp_seal(struct esp_sa *sa, uint8_t *esp, uint32_t inner_bytes, uint8_t next_header,
              const uint8_t *iv) {
  sa->top++;
  write_u32(esp, sa->spi);
  write_u32(esp + 4, (uint32_t)sa->top);
  if (sa->kind == ESP_AES_GCM) {
    write_u32(esp + ESP_HEADER_BYTES, (uint32_t)(sa->top >> 32));
    write_u32(esp + ESP_HEADER_BYTES + 4, (uint32_t)sa->top);
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
  uint8_t nonce[NONCE_BYTES], aad[AAD_BYTES_MAX], tag[ESP_ICV_BYTES_MAX];
  const uint8_t *text = esp + ESP_HEADER_BYTES + ESP_GCM_IV_BYTES;
  int aad_bytes = write_aad(sa, number, aad), done;
  write_nonce(sa, esp + ESP_HEADER_BYTES, nonce);
  memcpy(tag, text + text_bytes, sa->icv_bytes);
  return EVP_DecryptInit_ex(sa->cipher, NULL, NULL, NULL, nonce) == 1 &&
         EVP_CIPHER_CTX_ctrl(sa->cipher, EVP_CTRL_AEAD_SET_TAG, (int)sa->icv_bytes, tag) == 1 &&
         EVP_DecryptUpdate(sa->cipher, NULL, &done, aad, aad_bytes) == 1 &&
         EVP_DecryptUpdate(sa->cipher, out, &done, text, (int)text_bytes) == 1 &&
         EVP_DecryptFinal_ex(sa->cipher, out + done, &done) == 1;
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
  if (!infer_number(sa, read_u32(esp + 4), &number) || !is_fresh(sa, number)) return ESP_REPLAYED;
  bool good = sa->kind == ESP_AES_GCM ? open_gcm(sa, esp, text_bytes, number, out)
                                      : open_cbc(sa, esp, text_bytes, number, out);
  if (!good) return ESP_FORGED;
  enter_number(sa, number);
  uint32_t padding = out[text_bytes - 2];
  if (padding + ESP_TRAILER_BYTES > text_bytes) return ESP_BAD_PADDING;
  *next_header = out[text_bytes - 1];
  *out_bytes = text_bytes - ESP_TRAILER_BYTES - padding;
  return ESP_OPENED;
}
