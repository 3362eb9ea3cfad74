/* AES-GCM with the nonce that ESP has (RFC 4106 section 4): a salt of the key, and 8 bytes that
 * come with each packet and must never come twice. The key is given to OpenSSL once; a packet then
 * costs a nonce, the data and the tag.
 */
#ifndef VPCLAB_AEAD_H
#define VPCLAB_AEAD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>
#include <openssl/evp.h>

#define AEAD_SALT_BYTES 4
#define AEAD_IV_BYTES   8

struct aead {
  EVP_CIPHER_CTX *context; /* NULL: not open */
  uint32_t tag_bytes;
  uint8_t salt[AEAD_SALT_BYTES];
};

/* False when OpenSSL refuses; `key_bytes`: 16, 24 or 32. */
bool aead_open(struct aead *aead, const uint8_t *key, uint32_t key_bytes,
               const uint8_t salt[AEAD_SALT_BYTES], uint32_t tag_bytes, bool seals);
/* Forgets the key. May be called twice. */
void aead_close(struct aead *aead);

/* Encrypts `count` parts to `out`, one after the other, and the tag behind them. A part may lie
 * where its result goes. */
bool aead_seal(struct aead *aead, const uint8_t iv[AEAD_IV_BYTES], const uint8_t *authenticated,
               uint32_t authenticated_bytes, const struct iovec *parts, uint32_t count,
               uint8_t *out);

/* Decrypts the `text_bytes` bytes at `text`, behind which the tag stands, to `out`, which may be
 * `text`. False: the tag is wrong, and `out` holds nothing meaningful. */
bool aead_unseal(struct aead *aead, const uint8_t iv[AEAD_IV_BYTES], const uint8_t *authenticated,
                 uint32_t authenticated_bytes, const uint8_t *text, uint32_t text_bytes,
                 uint8_t *out);

#endif
