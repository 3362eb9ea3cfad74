/* Node-API glue of small things that Node itself cannot do:
 *
 *     createDoorbell() → fd            an eventfd, non-blocking
 *     closeDescriptor(fd)              of one that was opened here
 *     mapSharedFile(path, bytes) → ArrayBuffer    MAP_SHARED over a file
 *     openInNamespace(namespacePath, path) → fd   a file of /proc that shows the opener's namespace
 *     openSocket(namespacePath, isStream, address, port) → fd    bound, inside the namespace
 *     setHopLimit(fd, isIpv6, hops)    TTL or hop limit of what the socket sends from now on
 *
 * ../doorbell.ts, ../shared_memory.ts, ../packet_sockets.ts and ../sockets.ts say what for.
 */
#include "addon.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "namespace.h"
#include "underlay.h"

/* Room in the kernel for datagrams that wait for Node, bytes. */
#define SOCKET_BUFFER_BYTES (4 << 20)
#define HOPS_MAX            255

static napi_value create_doorbell(napi_env env, napi_callback_info info) {
  struct failure failure;
  if (!take_arguments(env, info, 0, NULL, NULL)) return NULL;
  int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd >= 0) return make_int(env, fd);
  fail(&failure, "eventfd");
  return throw_failure(env, &failure);
}

static napi_value close_descriptor(napi_env env, napi_callback_info info) {
  napi_value a[1];
  int32_t fd;
  struct failure failure;
  if (!take_arguments(env, info, 1, a, NULL) || !take_int(env, a[0], &fd)) return NULL;
  if (close(fd) == 0) return NULL;
  fail(&failure, "close");
  return throw_failure(env, &failure);
}

static void unmap(napi_env env, void *data, void *hint) {
  (void)env;
  munmap(data, (size_t)(uintptr_t)hint);
}

/* Opens the file, 0600, makes it `bytes` long (longer: with zeros; shorter: cut), and maps it. */
static void *map_file(const char *path, size_t bytes, struct failure *failure) {
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    fail(failure, "open");
    return NULL;
  }
  void *data = MAP_FAILED;
  if (ftruncate(fd, (off_t)bytes) < 0) {
    fail(failure, "ftruncate");
  } else {
    data = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED) fail(failure, "mmap");
  }
  close(fd);
  return data == MAP_FAILED ? NULL : data;
}

static napi_value map_shared_file(napi_env env, napi_callback_info info) {
  napi_value a[2], buffer;
  char path[TEXT_BYTES_MAX];
  double bytes;
  struct failure failure;
  if (!take_arguments(env, info, 2, a, NULL) || !take_text(env, a[0], path)) return NULL;
  if (napi_get_value_double(env, a[1], &bytes) != napi_ok || !(bytes >= 1 && bytes <= 1e12)) {
    napi_throw_range_error(env, NULL, "not a length");
    return NULL;
  }
  size_t length = (size_t)bytes;
  void *data = map_file(path, length, &failure);
  if (data == NULL) return throw_failure(env, &failure);
  void *hint = (void *)(uintptr_t)length;
  if (napi_create_external_arraybuffer(env, data, length, unmap, hint, &buffer) == napi_ok) {
    return buffer;
  }
  munmap(data, length);
  napi_throw_error(env, NULL, "this Node cannot make an ArrayBuffer over foreign memory");
  return NULL;
}

static napi_value open_in_namespace(napi_env env, napi_callback_info info) {
  napi_value a[2];
  char namespace_path[TEXT_BYTES_MAX], path[TEXT_BYTES_MAX];
  struct failure failure;
  if (!take_arguments(env, info, 2, a, NULL) || !take_text(env, a[0], namespace_path) ||
      !take_text(env, a[1], path)) {
    return NULL;
  }
  int namespace_fd = namespace_open(namespace_path, &failure);
  if (namespace_fd < 0) return throw_failure(env, &failure);
  int previous = namespace_enter(namespace_fd, &failure);
  close(namespace_fd);
  if (previous < 0) return throw_failure(env, &failure);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail(&failure, "open");
  namespace_leave(previous);
  return fd < 0 ? throw_failure(env, &failure) : make_int(env, fd);
}

/* Precondition: the thread is in the socket's namespace. */
static int open_bound(bool is_stream, const union endpoint *address, struct failure *failure) {
  int family = address->any.sa_family, on = 1, buffer = SOCKET_BUFFER_BYTES;
  int type = is_stream ? SOCK_STREAM : SOCK_DGRAM;
  int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(failure, "socket");
  if (is_stream) {
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  } else {
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer);
  }
  if (family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (bind(fd, &address->any, endpoint_bytes(address)) == 0) return fd;
  fail(failure, "bind");
  close(fd);
  return -1;
}

static napi_value open_socket(napi_env env, napi_callback_info info) {
  napi_value a[4];
  char namespace_path[TEXT_BYTES_MAX], text[TEXT_BYTES_MAX];
  int32_t is_stream, port;
  union endpoint address;
  struct failure failure;
  if (!take_arguments(env, info, 4, a, NULL) || !take_text(env, a[0], namespace_path) ||
      !take_int(env, a[1], &is_stream) || !take_text(env, a[2], text) ||
      !take_int(env, a[3], &port)) {
    return NULL;
  }
  if (port < 0 || port > UINT16_MAX || !endpoint_parse(text, (uint16_t)port, &address)) {
    napi_throw_range_error(env, NULL, "not an address and port");
    return NULL;
  }
  int namespace_fd = namespace_open(namespace_path, &failure);
  if (namespace_fd < 0) return throw_failure(env, &failure);
  int previous = namespace_enter(namespace_fd, &failure);
  close(namespace_fd);
  if (previous < 0) return throw_failure(env, &failure);
  int fd = open_bound(is_stream != 0, &address, &failure);
  namespace_leave(previous);
  return fd < 0 ? throw_failure(env, &failure) : make_int(env, fd);
}

static napi_value set_hop_limit(napi_env env, napi_callback_info info) {
  napi_value a[3];
  int32_t fd, is_ipv6, hops;
  struct failure failure;
  if (!take_arguments(env, info, 3, a, NULL) || !take_int(env, a[0], &fd) ||
      !take_int(env, a[1], &is_ipv6) || !take_int(env, a[2], &hops)) {
    return NULL;
  }
  if (hops < 1 || hops > HOPS_MAX) {
    napi_throw_range_error(env, NULL, "not a hop limit");
    return NULL;
  }
  int level = is_ipv6 != 0 ? IPPROTO_IPV6 : IPPROTO_IP;
  int name = is_ipv6 != 0 ? IPV6_UNICAST_HOPS : IP_TTL;
  if (setsockopt(fd, level, name, &hops, sizeof hops) == 0) return NULL;
  fail(&failure, "setsockopt hop limit");
  return throw_failure(env, &failure);
}

void export_system(napi_env env, napi_value exports) {
  export_function(env, exports, "createDoorbell", create_doorbell);
  export_function(env, exports, "closeDescriptor", close_descriptor);
  export_function(env, exports, "mapSharedFile", map_shared_file);
  export_function(env, exports, "openInNamespace", open_in_namespace);
  export_function(env, exports, "openSocket", open_socket);
  export_function(env, exports, "setHopLimit", set_hop_limit);
}
