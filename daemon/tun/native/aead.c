/* See aead.h. */
#include "aead.h"

#include <string.h>
#include <openssl/crypto.h>

#define NONCE_BYTES   (AEAD_SALT_BYTES + AEAD_IV_BYTES)
#define TAG_BYTES_MAX 16

bool aead_open(struct aead *aead, const uint8_t *key, uint32_t key_bytes,
               const uint8_t salt[AEAD_SALT_BYTES], uint32_t tag_bytes, bool seals) {
  const EVP_CIPHER *cipher = key_bytes == 16   ? EVP_aes_128_gcm()
                             : key_bytes == 24 ? EVP_aes_192_gcm()
                             : key_bytes == 32 ? EVP_aes_256_gcm()
                                               : NULL;
  *aead = (struct aead){.context = EVP_CIPHER_CTX_new(), .tag_bytes = tag_bytes};
  memcpy(aead->salt, salt, AEAD_SALT_BYTES);
  if (cipher != NULL && aead->context != NULL && tag_bytes <= TAG_BYTES_MAX &&
      EVP_CipherInit_ex(aead->context, cipher, NULL, key, NULL, seals) == 1) {
    return true;
  }
  aead_close(aead);
  return false;
}

void aead_close(struct aead *aead) {
  EVP_CIPHER_CTX_free(aead->context);
  OPENSSL_cleanse(aead, sizeof *aead);
  aead->context = NULL;
}

static void write_nonce(const struct aead *aead, const uint8_t *iv, uint8_t nonce[NONCE_BYTES]) {
  memcpy(nonce, aead->salt, AEAD_SALT_BYTES);
  memcpy(nonce + AEAD_SALT_BYTES, iv, AEAD_IV_BYTES);
}

bool aead_seal(struct aead *aead, const uint8_t iv[AEAD_IV_BYTES], const uint8_t *authenticated,
               uint32_t authenticated_bytes, const struct iovec *parts, uint32_t count,
               uint8_t *out) {
  uint8_t nonce[NONCE_BYTES];
  int done;
  write_nonce(aead, iv, nonce);
  if (EVP_EncryptInit_ex(aead->context, NULL, NULL, NULL, nonce) != 1 ||
      EVP_EncryptUpdate(aead->context, NULL, &done, authenticated, (int)authenticated_bytes) != 1) {
    return false;
  }
  for (uint32_t i = 0; i < count; i++) {
    if (EVP_EncryptUpdate(aead->context, out, &done, parts[i].iov_base, (int)parts[i].iov_len) != 1)
      return false;
    out += done;
  }
  return EVP_EncryptFinal_ex(aead->context, out, &done) == 1 &&
         EVP_CIPHER_CTX_ctrl(aead->context, EVP_CTRL_AEAD_GET_TAG, (int)aead->tag_bytes, out) == 1;
}

bool aead_unseal(struct aead *aead, const uint8_t iv[AEAD_IV_BYTES], const uint8_t *authenticated,
                 uint32_t authenticated_bytes, const uint8_t *text, uint32_t text_bytes,
                 uint8_t *out) {
  uint8_t nonce[NONCE_BYTES], tag[TAG_BYTES_MAX];
  int done;
  write_nonce(aead, iv, nonce);
  memcpy(tag, text + text_bytes, aead->tag_bytes);
  return EVP_DecryptInit_ex(aead->context, NULL, NULL, NULL, nonce) == 1 &&
         EVP_CIPHER_CTX_ctrl(aead->context, EVP_CTRL_AEAD_SET_TAG, (int)aead->tag_bytes, tag) ==
             1 &&
         EVP_DecryptUpdate(aead->context, NULL, &done, authenticated, (int)authenticated_bytes) ==
             1 &&
         EVP_DecryptUpdate(aead->context, out, &done, text, (int)text_bytes) == 1 &&
         EVP_DecryptFinal_ex(aead->context, out + done, &done) == 1;
}
