/* Node-API glue of the NIC: a class `Nic` whose methods are those of nic.h, one to one.
 *
 *     new Nic(arena, receiveBytes, rx, tx, counters, spinUs, doorbellFd, wireStatistics | null)
 *     openTun(namespacePath, name, mustExist 0 | 1) → port          closeTun(port)
 *     openTap(namespacePath, name, addresses) → port    addresses: ArrayBuffer, guest 6, router 6
 *     openUnderlay(namespacePath, address, port)   setPeer(peer, address, port)
 *     setPerPacket(0 | 1)                          features() → bits: tso 1, uso 2, gso 4, gro 8
 *     burst(txCount, timeoutMs) → rxCount          gatherRun(run, at, bytesMax) → bytes
 *     transmit(txCount)
 *     setKey(id, peer, transmits 0 | 1, key)       key: ArrayBuffer, 32 bytes and 4 of salt
 *     endKey(id)
 *     takeFailures() → [port, errno name, ...]     close()
 *
 * ../nic.ts is the only caller: it checks arguments and words errors. What is checked here keeps
 * memory safe whatever it passes. The arrays are held by references until close() or the end of
 * the object.
 */
#include "addon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "descriptor.h"
#include "nic.h"

#define ARRAYS 5

struct nic_object {
  struct nic *nic; /* NULL after close() */
  napi_ref arrays[ARRAYS];
};

enum { FEATURE_TUN_TSO = 1, FEATURE_TUN_USO = 2, FEATURE_UDP_GSO = 4, FEATURE_UDP_GRO = 8 };

bool take_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *arguments,
                    napi_value *receiver) {
  size_t given = count;
  if (napi_get_cb_info(env, info, &given, arguments, receiver, NULL) == napi_ok && given == count) {
    return true;
  }
  napi_throw_type_error(env, NULL, "wrong number of arguments");
  return false;
}

bool take_int(napi_env env, napi_value value, int32_t *out) {
  if (napi_get_value_int32(env, value, out) == napi_ok) return true;
  napi_throw_type_error(env, NULL, "not a number");
  return false;
}

bool take_text(napi_env env, napi_value value, char out[TEXT_BYTES_MAX]) {
  size_t bytes = 0;
  if (napi_get_value_string_utf8(env, value, out, TEXT_BYTES_MAX, &bytes) == napi_ok &&
      bytes < TEXT_BYTES_MAX - 1 && strlen(out) == bytes) {
    return true;
  }
  napi_throw_type_error(env, NULL, "not a text, or too long, or with a zero byte in it");
  return false;
}

bool take_buffer(napi_env env, napi_value value, size_t bytes_min, void **data, size_t *bytes) {
  if (napi_get_arraybuffer_info(env, value, data, bytes) == napi_ok && *data != NULL &&
      *bytes >= bytes_min) {
    return true;
  }
  napi_throw_range_error(env, NULL, "not an ArrayBuffer, or too short");
  return false;
}

napi_value make_int(napi_env env, int64_t value) {
  napi_value result = NULL;
  napi_create_int64(env, value, &result);
  return result;
}

const char *errno_name(int number) {
#ifdef __GLIBC__
  const char *name = strerrorname_np(number);
  if (name != NULL) return name;
#endif
  return strerror(number);
}

napi_value throw_failure(napi_env env, const struct failure *failure) {
  napi_throw_error(env, errno_name(failure->number), failure->step);
  return NULL;
}

void export_function(napi_env env, napi_value exports, const char *name, napi_callback function) {
  napi_value value;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, function, NULL, &value) == napi_ok) {
    napi_set_named_property(env, exports, name, value);
  }
}

static void release(napi_env env, struct nic_object *object) {
  if (object->nic == NULL) return;
  nic_close(object->nic);
  object->nic = NULL;
  for (int i = 0; i < ARRAYS; i++) {
    if (object->arrays[i] != NULL) napi_delete_reference(env, object->arrays[i]);
  }
}

static void finalize(napi_env env, void *data, void *hint) {
  (void)hint;
  release(env, data);
  free(data);
}

/* Memory for what is counted of each peer, or null. */
static bool take_wire_statistics(napi_env env, napi_value value, struct nic_config *config) {
  napi_valuetype type;
  void *data;
  size_t bytes;
  const size_t row = WIRE_STATISTICS_WORDS * sizeof(double);
  if (napi_typeof(env, value, &type) == napi_ok && type == napi_null) return true;
  if (!take_buffer(env, value, row, &data, &bytes)) return false;
  config->wire_statistics = data;
  config->wire_peers = bytes / row > PEERS_MAX ? PEERS_MAX : (uint32_t)(bytes / row);
  return true;
}

static bool take_config(napi_env env, napi_value *a, struct nic_config *config) {
  void *data[4];
  size_t bytes[4];
  int32_t receive_bytes, spin_us;
  if (!take_buffer(env, a[0], 1, &data[0], &bytes[0]) || !take_int(env, a[1], &receive_bytes) ||
      !take_buffer(env, a[2], RX_WORDS * sizeof(int32_t), &data[1], &bytes[1]) ||
      !take_buffer(env, a[3], TX_WORDS * sizeof(int32_t), &data[2], &bytes[2]) ||
      !take_buffer(env, a[4], COUNTERS * sizeof(double), &data[3], &bytes[3]) ||
      !take_int(env, a[5], &spin_us) || !take_int(env, a[6], &config->doorbell_fd) ||
      !take_wire_statistics(env, a[7], config)) {
    return false;
  }
  if (bytes[0] > INT32_MAX || receive_bytes < 0 || (size_t)receive_bytes > bytes[0] ||
      spin_us < 0) {
    napi_throw_range_error(env, NULL, "sizes do not fit");
    return false;
  }
  config->arena = data[0];
  config->arena_bytes = (uint32_t)bytes[0];
  config->receive_bytes = (uint32_t)receive_bytes;
  config->rx = data[1];
  config->rx_max = (uint32_t)(bytes[1] / (RX_WORDS * sizeof(int32_t)));
  config->tx = data[2];
  config->tx_max = (uint32_t)(bytes[2] / (TX_WORDS * sizeof(int32_t)));
  config->counters = data[3];
  config->spin_us = (uint32_t)spin_us;
  return true;
}

static napi_value construct(napi_env env, napi_callback_info info) {
  napi_value a[8], self;
  struct nic_config config = {0};
  struct failure failure;
  if (!take_arguments(env, info, 8, a, &self) || !take_config(env, a, &config)) return NULL;
  struct nic_object *object = calloc(1, sizeof *object);
  if (object == NULL) {
    fail(&failure, "calloc");
    return throw_failure(env, &failure);
  }
  object->nic = nic_open(&config, &failure);
  if (object->nic == NULL) {
    free(object);
    return throw_failure(env, &failure);
  }
  napi_value arrays[ARRAYS] = {a[0], a[2], a[3], a[4], a[7]};
  for (int i = 0; i < ARRAYS; i++) {
    if (i < 4 || config.wire_statistics != NULL)
      napi_create_reference(env, arrays[i], 1, &object->arrays[i]);
  }
  if (napi_wrap(env, self, object, finalize, NULL, NULL) != napi_ok) {
    finalize(env, object, NULL);
    napi_throw_error(env, NULL, "the object cannot be made");
    return NULL;
  }
  return self;
}

/* The NIC a method was called on. NULL with an error pending when it is closed. */
static struct nic *take_nic(napi_env env, napi_value receiver) {
  struct nic_object *object = NULL;
  if (napi_unwrap(env, receiver, (void **)&object) == napi_ok && object->nic != NULL) {
    return object->nic;
  }
  napi_throw_error(env, NULL, "the NIC is closed");
  return NULL;
}

/* The first two arguments are a namespace and the name of a device in it. */
static napi_value open_device(napi_env env, struct nic *nic, napi_value *a, const struct link *link,
                              bool must_exist) {
  char namespace_path[TEXT_BYTES_MAX], name[TEXT_BYTES_MAX];
  struct failure failure;
  if (!take_text(env, a[0], namespace_path) || !take_text(env, a[1], name)) return NULL;
  int port = nic_open_tun(nic, namespace_path, name, link, must_exist, &failure);
  return port < 0 ? throw_failure(env, &failure) : make_int(env, port);
}

static napi_value open_tun(napi_env env, napi_callback_info info) {
  napi_value a[3], self;
  int32_t must_exist;
  struct nic *nic;
  struct link link = {.bytes = 0};
  if (!take_arguments(env, info, 3, a, &self) || (nic = take_nic(env, self)) == NULL ||
      !take_int(env, a[2], &must_exist)) {
    return NULL;
  }
  return open_device(env, nic, a, &link, must_exist != 0);
}

/* The device must exist. */
static napi_value open_tap(napi_env env, napi_callback_info info) {
  napi_value a[3], self;
  struct nic *nic;
  struct link link = {.bytes = ETHERNET_BYTES};
  void *addresses;
  size_t bytes;
  if (!take_arguments(env, info, 3, a, &self) || (nic = take_nic(env, self)) == NULL ||
      !take_buffer(env, a[2], 2 * ETHERNET_ADDRESS_BYTES, &addresses, &bytes)) {
    return NULL;
  }
  memcpy(link.guest, addresses, ETHERNET_ADDRESS_BYTES);
  memcpy(link.router, (uint8_t *)addresses + ETHERNET_ADDRESS_BYTES, ETHERNET_ADDRESS_BYTES);
  return open_device(env, nic, a, &link, true);
}

static napi_value close_tun(napi_env env, napi_callback_info info) {
  napi_value a[1], self;
  int32_t port;
  struct nic *nic;
  if (!take_arguments(env, info, 1, a, &self) || (nic = take_nic(env, self)) == NULL ||
      !take_int(env, a[0], &port)) {
    return NULL;
  }
  if (!nic_port_is_open(nic, (uint32_t)port)) {
    napi_throw_range_error(env, NULL, "no such port");
    return NULL;
  }
  nic_close_tun(nic, (uint32_t)port);
  return NULL;
}

/* Two arguments, an address in text form and a port. */
static bool take_endpoint(napi_env env, napi_value *a, union endpoint *out) {
  char address[TEXT_BYTES_MAX];
  int32_t port;
  if (!take_text(env, a[0], address) || !take_int(env, a[1], &port)) return false;
  if (port > 0 && port <= UINT16_MAX && endpoint_parse(address, (uint16_t)port, out)) return true;
  napi_throw_range_error(env, NULL, "not an address and UDP port");
  return false;
}

static napi_value open_underlay(napi_env env, napi_callback_info info) {
  napi_value a[3], self;
  char namespace_path[TEXT_BYTES_MAX];
  union endpoint address;
  struct nic *nic;
  struct failure failure;
  if (!take_arguments(env, info, 3, a, &self) || (nic = take_nic(env, self)) == NULL ||
      !take_text(env, a[0], namespace_path) || !take_endpoint(env, a + 1, &address)) {
    return NULL;
  }
  if (nic_open_underlay(nic, namespace_path, &address, &failure) < 0) throw_failure(env, &failure);
  return NULL;
}

static napi_value set_peer(napi_env env, napi_callback_info info) {
  napi_value a[3], self;
  int32_t peer;
  union endpoint endpoint;
  struct nic *nic;
  if (!take_arguments(env, info, 3, a, &self) || (nic = take_nic(env, self)) == NULL ||
      !take_int(env, a[0], &peer) || !take_endpoint(env, a + 1, &endpoint)) {
    return NULL;
  }
  if (peer < 0 || peer >= PEERS_MAX)
    napi_throw_range_error(env, NULL, "no such peer");
  else
    nic->peers[peer] = endpoint;
  return NULL;
}

/* A key id has 32 bits: it comes as the int32 of the same bits. */
static napi_value set_key(napi_env env, napi_callback_info info) {
  napi_value a[4], self;
  int32_t id, peer, transmits;
  void *key;
  size_t bytes;
  struct nic *nic;
  if (!take_arguments(env, info, 4, a, &self) || (nic = take_nic(env, self)) == NULL ||
      !take_int(env, a[0], &id) || !take_int(env, a[1], &peer) ||
      !take_int(env, a[2], &transmits) ||
      !take_buffer(env, a[3], WIRE_KEY_BYTES + AEAD_SALT_BYTES, &key, &bytes)) {
    return NULL;
  }
  if (!wire_keys_set(&nic->keys, (uint32_t)id, (uint32_t)peer, transmits != 0, key,
                     (uint8_t *)key + WIRE_KEY_BYTES)) {
    napi_throw_range_error(env, NULL, "not a key of a peer");
  }
  return NULL;
}

static napi_value end_key(napi_env env, napi_callback_info info) {
  napi_value a[1], self;
  int32_t id;
  struct nic *nic;
  if (take_arguments(env, info, 1, a, &self) && (nic = take_nic(env, self)) != NULL &&
      take_int(env, a[0], &id)) {
    wire_keys_end(&nic->keys, (uint32_t)id);
  }
  return NULL;
}

static napi_value set_per_packet(napi_env env, napi_callback_info info) {
  napi_value a[1], self;
  int32_t on;
  struct nic *nic;
  if (take_arguments(env, info, 1, a, &self) && (nic = take_nic(env, self)) != NULL &&
      take_int(env, a[0], &on)) {
    nic_set_per_packet(nic, on != 0);
  }
  return NULL;
}

static napi_value features(napi_env env, napi_callback_info info) {
  napi_value self;
  struct nic *nic;
  if (!take_arguments(env, info, 0, NULL, &self) || (nic = take_nic(env, self)) == NULL)
    return NULL;
  return make_int(env, (nic->offloads.tso ? FEATURE_TUN_TSO : 0) |
                           (nic->offloads.uso ? FEATURE_TUN_USO : 0) |
                           (nic->underlay.gso ? FEATURE_UDP_GSO : 0) |
                           (nic->underlay.gro ? FEATURE_UDP_GRO : 0));
}

/* A number of transmit descriptors. */
static bool take_tx_count(napi_env env, napi_value value, const struct nic *nic, int32_t *count) {
  if (!take_int(env, value, count)) return false;
  if (*count >= 0 && (uint32_t)*count <= nic->config.tx_max) return true;
  napi_throw_range_error(env, NULL, "more descriptors than the array has");
  return false;
}

static napi_value burst(napi_env env, napi_callback_info info) {
  napi_value a[2], self;
  int32_t tx_count, timeout_ms;
  struct nic *nic;
  if (!take_arguments(env, info, 2, a, &self) || (nic = take_nic(env, self)) == NULL ||
      !take_tx_count(env, a[0], nic, &tx_count) || !take_int(env, a[1], &timeout_ms)) {
    return NULL;
  }
  return make_int(env, nic_burst(nic, (uint32_t)tx_count, timeout_ms));
}

static napi_value transmit(napi_env env, napi_callback_info info) {
  napi_value a[1], self;
  int32_t tx_count;
  struct nic *nic;
  if (take_arguments(env, info, 1, a, &self) && (nic = take_nic(env, self)) != NULL &&
      take_tx_count(env, a[0], nic, &tx_count)) {
    nic_transmit(nic, (uint32_t)tx_count);
  }
  return NULL;
}

static napi_value gather_run(napi_env env, napi_callback_info info) {
  napi_value a[3], self;
  int32_t run, at, bytes_max;
  struct nic *nic;
  if (!take_arguments(env, info, 3, a, &self) || (nic = take_nic(env, self)) == NULL ||
      !take_int(env, a[0], &run) || !take_int(env, a[1], &at) || !take_int(env, a[2], &bytes_max)) {
    return NULL;
  }
  if (run < 0 || at < 0 || bytes_max < 0) return make_int(env, -1);
  return make_int(env, nic_gather_run(nic, (uint32_t)run, (uint32_t)at, (uint32_t)bytes_max));
}

static napi_value take_failures(napi_env env, napi_callback_info info) {
  napi_value self, list, item;
  struct nic *nic;
  if (!take_arguments(env, info, 0, NULL, &self) || (nic = take_nic(env, self)) == NULL)
    return NULL;
  napi_create_array(env, &list);
  for (uint32_t i = 0; i < nic->failure_count; i++) {
    napi_set_element(env, list, 2 * i, make_int(env, nic->failures[i].port));
    napi_create_string_utf8(env, errno_name(nic->failures[i].number), NAPI_AUTO_LENGTH, &item);
    napi_set_element(env, list, 2 * i + 1, item);
  }
  nic->failure_count = 0;
  return list;
}

static napi_value close_nic(napi_env env, napi_callback_info info) {
  napi_value self;
  struct nic_object *object = NULL;
  if (take_arguments(env, info, 0, NULL, &self) &&
      napi_unwrap(env, self, (void **)&object) == napi_ok) {
    release(env, object);
  }
  return NULL;
}

NAPI_MODULE_INIT() {
  const napi_property_descriptor methods[] = {
      {.utf8name = "openTun", .method = open_tun},
      {.utf8name = "openTap", .method = open_tap},
      {.utf8name = "closeTun", .method = close_tun},
      {.utf8name = "openUnderlay", .method = open_underlay},
      {.utf8name = "setPeer", .method = set_peer},
      {.utf8name = "setKey", .method = set_key},
      {.utf8name = "endKey", .method = end_key},
      {.utf8name = "setPerPacket", .method = set_per_packet},
      {.utf8name = "features", .method = features},
      {.utf8name = "burst", .method = burst},
      {.utf8name = "transmit", .method = transmit},
      {.utf8name = "gatherRun", .method = gather_run},
      {.utf8name = "takeFailures", .method = take_failures},
      {.utf8name = "close", .method = close_nic},
  };
  napi_value nic_class;
  if (napi_define_class(env, "Nic", NAPI_AUTO_LENGTH, construct, NULL,
                        sizeof methods / sizeof *methods, methods, &nic_class) == napi_ok) {
    napi_set_named_property(env, exports, "Nic", nic_class);
  }
  export_system(env, exports);
  export_esp(env, exports);
  export_datagrams(env, exports);
  export_program(env, exports);
  return exports;
}
