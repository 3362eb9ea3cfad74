/* Node-API glue of ESP: a class `Esp` over the arena of a NIC.
 *
 *     new Esp(arena, outAt, outBytes, jobs, results, statistics)
 *     install(words, bytes, hardBytes, hardPackets)    remove(index)     setPerPacket(0 | 1)
 *     seal(count, nowMs) → results    open(count, nowMs) → results
 *     used() → bytes                  recycle(used)
 *     takeMappings(list) → entries    close()
 *
 * ../esp.ts is the only caller. Layout of `words` and `bytes`: INSTALL_* below, and there.
 */
#include "addon.h"

#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>

#include "esp.h"

#define ARRAYS 4

enum install_word {
  INSTALL_INDEX,
  INSTALL_SEALS,
  INSTALL_TUNNEL,
  INSTALL_SPI,
  INSTALL_VERSION,
  INSTALL_FLAGS,
  INSTALL_SOURCE_PORT,
  INSTALL_DESTINATION_PORT,
  INSTALL_MTU,
  INSTALL_CIPHER,
  INSTALL_HASH,
  INSTALL_KEY_BYTES,
  INSTALL_HASH_KEY_BYTES,
  INSTALL_ICV_BYTES,
  INSTALL_ESN,
  INSTALL_WINDOW,
  INSTALL_TOP_LOW,
  INSTALL_TOP_HIGH,
  INSTALL_WORDS
};
struct install_bytes {
  uint8_t key[ESP_KEY_BYTES_MAX];
  uint8_t hash_key[ESP_HASH_BYTES_MAX];
  uint8_t salt[AEAD_SALT_BYTES];
  uint8_t source[ESP_ADDRESS_BYTES];
  uint8_t destination[ESP_ADDRESS_BYTES];
};

/* One entry of takeMappings(): association, port, address bytes, address. */
#define MAPPING_BYTES (4 + 2 + 1 + ESP_ADDRESS_BYTES)

struct esp_object {
  struct esp *esp; /* NULL after close() */
  napi_ref arrays[ARRAYS];
};

static void release(napi_env env, struct esp_object *object) {
  if (object->esp == NULL) return;
  esp_close(object->esp);
  object->esp = NULL;
  for (int i = 0; i < ARRAYS; i++) napi_delete_reference(env, object->arrays[i]);
}

static void finalize(napi_env env, void *data, void *hint) {
  (void)hint;
  release(env, data);
  free(data);
}

static napi_value construct(napi_env env, napi_callback_info info) {
  napi_value a[6], self;
  void *data[ARRAYS];
  size_t bytes[ARRAYS];
  int32_t out_at, out_bytes;
  struct failure failure;
  const size_t statistics_bytes = (size_t)ESP_SAS_MAX * ESP_STATISTICS_WORDS * sizeof(double);
  if (!take_arguments(env, info, 6, a, &self) || !take_buffer(env, a[0], 1, &data[0], &bytes[0]) ||
      !take_int(env, a[1], &out_at) || !take_int(env, a[2], &out_bytes) ||
      !take_buffer(env, a[3], ESP_WORDS * sizeof(int32_t), &data[1], &bytes[1]) ||
      !take_buffer(env, a[4], ESP_WORDS * sizeof(int32_t), &data[2], &bytes[2]) ||
      !take_buffer(env, a[5], statistics_bytes, &data[3], &bytes[3])) {
    return NULL;
  }
  if (bytes[0] > INT32_MAX || out_at < 0 || out_bytes < 0 || (size_t)out_at > bytes[0] ||
      (size_t)out_bytes > bytes[0] - (size_t)out_at) {
    napi_throw_range_error(env, NULL, "sizes do not fit");
    return NULL;
  }
  const struct esp_config config = {
      .arena = data[0],
      .arena_bytes = (uint32_t)bytes[0],
      .out_at = (uint32_t)out_at,
      .out_bytes = (uint32_t)out_bytes,
      .jobs = data[1],
      .jobs_max = (uint32_t)(bytes[1] / (ESP_WORDS * sizeof(int32_t))),
      .results = data[2],
      .results_max = (uint32_t)(bytes[2] / (ESP_WORDS * sizeof(int32_t))),
      .statistics = data[3],
  };
  struct esp_object *object = calloc(1, sizeof *object);
  if (object != NULL) object->esp = esp_open(&config, &failure);
  if (object == NULL || object->esp == NULL) {
    free(object);
    napi_throw_error(env, NULL, "no memory");
    return NULL;
  }
  napi_value arrays[ARRAYS] = {a[0], a[3], a[4], a[5]};
  for (int i = 0; i < ARRAYS; i++) napi_create_reference(env, arrays[i], 1, &object->arrays[i]);
  if (napi_wrap(env, self, object, finalize, NULL, NULL) != napi_ok) {
    finalize(env, object, NULL);
    napi_throw_error(env, NULL, "the object cannot be made");
    return NULL;
  }
  return self;
}

/* The ESP that a method was called on. NULL with an error pending when it is closed. */
static struct esp *take_esp(napi_env env, napi_value receiver) {
  struct esp_object *object = NULL;
  if (napi_unwrap(env, receiver, (void **)&object) == napi_ok && object->esp != NULL) {
    return object->esp;
  }
  napi_throw_error(env, NULL, "ESP is closed");
  return NULL;
}

static bool words_fit(const int32_t *w) {
  return w[INSTALL_INDEX] >= 1 && w[INSTALL_INDEX] < ESP_SAS_MAX &&
         (w[INSTALL_VERSION] == 4 || w[INSTALL_VERSION] == 6) && w[INSTALL_SOURCE_PORT] >= 0 &&
         w[INSTALL_SOURCE_PORT] <= UINT16_MAX && w[INSTALL_DESTINATION_PORT] >= 0 &&
         w[INSTALL_DESTINATION_PORT] <= UINT16_MAX && w[INSTALL_MTU] > 0 &&
         w[INSTALL_MTU] <= UINT16_MAX && w[INSTALL_CIPHER] >= ESP_AES_GCM &&
         w[INSTALL_CIPHER] <= ESP_AES_CBC && w[INSTALL_HASH] >= ESP_SHA1 &&
         w[INSTALL_HASH] <= ESP_SHA512 && w[INSTALL_KEY_BYTES] >= 0 &&
         w[INSTALL_KEY_BYTES] <= ESP_KEY_BYTES_MAX && w[INSTALL_HASH_KEY_BYTES] >= 0 &&
         w[INSTALL_HASH_KEY_BYTES] <= ESP_HASH_BYTES_MAX && w[INSTALL_ICV_BYTES] > 0 &&
         w[INSTALL_ICV_BYTES] <= ESP_ICV_BYTES_MAX && w[INSTALL_WINDOW] >= 0 &&
         w[INSTALL_WINDOW] <= REPLAY_WINDOW_MAX;
}

static struct esp_sa *open_sa(const int32_t *w, const struct install_bytes *b,
                              struct failure *failure) {
  struct esp_keys keys = {
      .cipher = (enum esp_cipher)w[INSTALL_CIPHER],
      .hash = (enum esp_hash)w[INSTALL_HASH],
      .key_bytes = (uint32_t)w[INSTALL_KEY_BYTES],
      .hash_key_bytes = (uint32_t)w[INSTALL_HASH_KEY_BYTES],
      .icv_bytes = (uint32_t)w[INSTALL_ICV_BYTES],
  };
  memcpy(keys.key, b->key, sizeof keys.key);
  memcpy(keys.hash_key, b->hash_key, sizeof keys.hash_key);
  memcpy(keys.salt, b->salt, sizeof keys.salt);
  uint64_t top = (uint64_t)(uint32_t)w[INSTALL_TOP_HIGH] << 32 | (uint32_t)w[INSTALL_TOP_LOW];
  struct esp_sa *sa = esp_sa_open(&keys, (uint32_t)w[INSTALL_SPI], w[INSTALL_SEALS] != 0,
                                  w[INSTALL_ESN] != 0, (uint32_t)w[INSTALL_WINDOW], top, failure);
  OPENSSL_cleanse(&keys, sizeof keys);
  return sa;
}

static napi_value install(napi_env env, napi_callback_info info) {
  napi_value a[4], self;
  void *words, *bytes;
  size_t length;
  double hard_bytes, hard_packets;
  struct esp *esp;
  struct failure failure;
  if (!take_arguments(env, info, 4, a, &self) || (esp = take_esp(env, self)) == NULL ||
      !take_buffer(env, a[0], INSTALL_WORDS * sizeof(int32_t), &words, &length) ||
      !take_buffer(env, a[1], sizeof(struct install_bytes), &bytes, &length)) {
    return NULL;
  }
  const int32_t *w = words;
  const struct install_bytes *b = bytes;
  if (napi_get_value_double(env, a[2], &hard_bytes) != napi_ok ||
      napi_get_value_double(env, a[3], &hard_packets) != napi_ok || !words_fit(w)) {
    napi_throw_range_error(env, NULL, "no such SA");
    return NULL;
  }
  struct esp_association association = {
      .sa = open_sa(w, b, &failure),
      .tunnel = (uint32_t)w[INSTALL_TUNNEL],
      .version = (uint8_t)w[INSTALL_VERSION],
      .flags = (uint8_t)w[INSTALL_FLAGS],
      .source_port = (uint16_t)w[INSTALL_SOURCE_PORT],
      .destination_port = (uint16_t)w[INSTALL_DESTINATION_PORT],
      .mtu = (uint16_t)w[INSTALL_MTU],
      .hard_bytes = hard_bytes,
      .hard_packets = hard_packets,
  };
  if (association.sa == NULL) return throw_failure(env, &failure);
  memcpy(association.source, b->source, ESP_ADDRESS_BYTES);
  memcpy(association.destination, b->destination, ESP_ADDRESS_BYTES);
  esp_install(esp, (uint32_t)w[INSTALL_INDEX], &association);
  return NULL;
}

static napi_value remove_sa(napi_env env, napi_callback_info info) {
  napi_value a[1], self;
  int32_t index;
  struct esp *esp;
  if (!take_arguments(env, info, 1, a, &self) || (esp = take_esp(env, self)) == NULL ||
      !take_int(env, a[0], &index)) {
    return NULL;
  }
  if (index >= 1 && index < ESP_SAS_MAX) esp_remove(esp, (uint32_t)index);
  return NULL;
}

static napi_value set_per_packet(napi_env env, napi_callback_info info) {
  napi_value a[1], self;
  int32_t on;
  struct esp *esp;
  if (take_arguments(env, info, 1, a, &self) && (esp = take_esp(env, self)) != NULL &&
      take_int(env, a[0], &on)) {
    esp->per_packet = on != 0;
  }
  return NULL;
}

typedef uint32_t batch_function(struct esp *esp, uint32_t count, double now_ms);

static napi_value run_batch(napi_env env, napi_callback_info info, batch_function *batch) {
  napi_value a[2], self;
  int32_t count;
  double now_ms;
  struct esp *esp;
  if (!take_arguments(env, info, 2, a, &self) || (esp = take_esp(env, self)) == NULL ||
      !take_int(env, a[0], &count)) {
    return NULL;
  }
  if (napi_get_value_double(env, a[1], &now_ms) != napi_ok || count < 0 ||
      (uint32_t)count > esp->config.jobs_max) {
    napi_throw_range_error(env, NULL, "more jobs than the array has");
    return NULL;
  }
  return make_int(env, batch(esp, (uint32_t)count, now_ms));
}

static napi_value seal(napi_env env, napi_callback_info info) {
  return run_batch(env, info, esp_seal_batch);
}

static napi_value open_batch(napi_env env, napi_callback_info info) {
  return run_batch(env, info, esp_open_batch);
}

static napi_value used(napi_env env, napi_callback_info info) {
  napi_value self;
  struct esp *esp;
  if (!take_arguments(env, info, 0, NULL, &self) || (esp = take_esp(env, self)) == NULL)
    return NULL;
  return make_int(env, esp->out_used);
}

static napi_value recycle(napi_env env, napi_callback_info info) {
  napi_value a[1], self;
  int32_t used;
  struct esp *esp;
  if (take_arguments(env, info, 1, a, &self) && (esp = take_esp(env, self)) != NULL &&
      take_int(env, a[0], &used) && used >= 0) {
    esp_recycle(esp, (uint32_t)used);
  }
  return NULL;
}

static napi_value take_mappings(napi_env env, napi_callback_info info) {
  napi_value a[1], self;
  void *data;
  size_t length;
  struct esp *esp;
  if (!take_arguments(env, info, 1, a, &self) || (esp = take_esp(env, self)) == NULL ||
      !take_buffer(env, a[0], (size_t)ESP_MAPPINGS_MAX * MAPPING_BYTES, &data, &length)) {
    return NULL;
  }
  uint8_t *at = data;
  uint32_t count = esp->mapping_count;
  for (uint32_t i = 0; i < count; i++, at += MAPPING_BYTES) {
    const struct esp_mapping *m = &esp->mappings[i];
    write_u32(at, m->association);
    write_u16(at + 4, m->port);
    at[6] = m->address_bytes;
    memcpy(at + 7, m->address, ESP_ADDRESS_BYTES);
  }
  esp->mapping_count = 0;
  return make_int(env, count);
}

static napi_value close_esp(napi_env env, napi_callback_info info) {
  napi_value self;
  struct esp_object *object = NULL;
  if (take_arguments(env, info, 0, NULL, &self) &&
      napi_unwrap(env, self, (void **)&object) == napi_ok) {
    release(env, object);
  }
  return NULL;
}

void export_esp(napi_env env, napi_value exports) {
  const napi_property_descriptor methods[] = {
      {.utf8name = "install", .method = install},
      {.utf8name = "remove", .method = remove_sa},
      {.utf8name = "setPerPacket", .method = set_per_packet},
      {.utf8name = "seal", .method = seal},
      {.utf8name = "open", .method = open_batch},
      {.utf8name = "used", .method = used},
      {.utf8name = "recycle", .method = recycle},
      {.utf8name = "takeMappings", .method = take_mappings},
      {.utf8name = "close", .method = close_esp},
  };
  napi_value esp_class;
  if (napi_define_class(env, "Esp", NAPI_AUTO_LENGTH, construct, NULL,
                        sizeof methods / sizeof *methods, methods, &esp_class) == napi_ok) {
    napi_set_named_property(env, exports, "Esp", esp_class);
  }
}
