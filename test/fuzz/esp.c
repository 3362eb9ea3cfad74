/* Fuzzes opening and sealing of ESP (daemon/tun/native/esp_open.c, esp_seal.c) with packets as a
 * stranger, or a peer that knows the keys, may send them.
 *
 *     input   u8 mode, u16 GSO size, u8 GSO type, the packet: what is left
 *
 * mode 0: the packet as it came from outside. mode 1: the packet is an inner one, and is sealed.
 * mode 2: it is sealed by the fuzzer with good keys, whatever it is, and opened: what follows the
 * tag check is reached. No byte outside the buffers is touched; results lie in their part of the
 * arena, and what a stranger sent is never among the opened.
 */
#include "fuzz.h"

#include "../../daemon/tun/native/descriptor.h"
#include "../../daemon/tun/native/esp.h"

#define IN_BYTES     (1 << 17)
#define OUT_BYTES    (1 << 18)
#define RESULTS_MAX  4096
#define SPI          0x11223344
#define OUTBOUND     1
#define INBOUND      2
#define INBOUND_UDP  3
#define ESP_AT_INNER (ESP_HEADER_BYTES + ESP_GCM_IV_BYTES)
#define OUTER_BYTES  28

static uint8_t arena[IN_BYTES + OUT_BYTES];
static int32_t jobs[ESP_WORDS], results[RESULTS_MAX * ESP_WORDS];
static double statistics[ESP_SAS_MAX * ESP_STATISTICS_WORDS];

static void install(struct esp *esp, uint32_t index, bool seals, bool udp) {
  struct failure failure;
  const struct esp_keys keys = {.cipher = ESP_AES_GCM, .key_bytes = 16, .icv_bytes = 16};
  struct esp_association a = {
      .sa = esp_sa_open(&keys, SPI, seals, false, seals ? 0 : 64, 0, &failure),
      .tunnel = 7,
      .version = 4,
      .flags = ESP_FLAG_COPY_DSCP,
      .source_port = udp ? 4500 : 0,
      .destination_port = udp ? 4500 : 0,
      .mtu = 1400,
      .hard_bytes = 1e18,
      .hard_packets = 1e18};
  MUST(a.sa != NULL);
  esp_install(esp, index, &a);
}

static void check_results(uint32_t count, bool opened_allowed) {
  for (uint32_t i = 0; i < count; i++) {
    const int32_t *r = results + i * ESP_WORDS;
    MUST(r[ESP_STATUS] >= ESP_DONE && r[ESP_STATUS] <= ESP_DUMMY && r[ESP_SEGMENTS] >= 1);
    if (r[ESP_STATUS] != ESP_DONE) continue;
    MUST(opened_allowed);
    MUST(r[ESP_AT] >= IN_BYTES && r[ESP_BYTES] >= IPV4_HEADER_BYTES_MIN);
    MUST(r[ESP_AT] + r[ESP_BYTES] <= IN_BYTES + OUT_BYTES);
    MUST((r[ESP_GSO_TYPE] == GSO_NONE) == (r[ESP_SEGMENTS] == 1));
  }
}

/* An outer packet of ESP in UDP around `inner`, sealed with good keys. Returns its bytes. */
static uint32_t seal_into_arena(const uint8_t *inner, uint32_t bytes, uint8_t next_header) {
  struct failure failure;
  const struct esp_keys keys = {.cipher = ESP_AES_GCM, .key_bytes = 16, .icv_bytes = 16};
  struct esp_sa *sa = esp_sa_open(&keys, SPI, true, false, 0, 0, &failure);
  MUST(sa != NULL);
  memset(arena, 0, OUTER_BYTES);
  arena[0] = 0x45;
  arena[IPV4_AT_PROTOCOL] = PROTOCOL_UDP;
  uint32_t esp_bytes = esp_packet_bytes(sa, bytes);
  memcpy(arena + OUTER_BYTES + ESP_AT_INNER, inner, bytes);
  MUST(esp_seal(sa, arena + OUTER_BYTES, bytes, next_header, NULL));
  esp_sa_close(sa);
  return OUTER_BYTES + esp_bytes;
}

/* One for all inputs, since opening it costs more than an input does; its SAs are made anew for
 * each. */
static struct esp *the_esp(void) {
  static struct esp *esp;
  if (esp != NULL) return esp;
  struct failure failure;
  const struct esp_config config = {.arena = arena,
                                    .arena_bytes = sizeof arena,
                                    .out_at = IN_BYTES,
                                    .out_bytes = OUT_BYTES,
                                    .jobs = jobs,
                                    .jobs_max = 1,
                                    .results = results,
                                    .results_max = RESULTS_MAX,
                                    .statistics = statistics};
  esp = esp_open(&config, &failure);
  MUST(esp != NULL);
  return esp;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input in = {data, size};
  struct esp *esp = the_esp();
  esp_recycle(esp, 0);
  install(esp, OUTBOUND, true, true);
  install(esp, INBOUND, false, false);
  install(esp, INBOUND_UDP, false, true);
  uint8_t mode = take_u8(&in) % 3;
  memset(jobs, 0, sizeof jobs);
  jobs[ESP_GSO_SIZE] = take_u16(&in);
  jobs[ESP_GSO_TYPE] = take_u8(&in);
  uint32_t bytes = (uint32_t)(in.bytes < 60000 ? in.bytes : 60000);
  if (mode == 2) {
    jobs[ESP_BYTES] = (int32_t)seal_into_arena(in.at, bytes, bytes % 2 == 0 ? 4 : 41);
    jobs[ESP_GSO_TYPE] = GSO_NONE;
    check_results(esp_open_batch(esp, 1, 1), true);
  } else {
    memcpy(arena, in.at, bytes);
    jobs[ESP_BYTES] = (int32_t)bytes;
    jobs[ESP_SA] = OUTBOUND;
    jobs[ESP_CSUM] = mode == 1 ? bytes % 2 : 0;
    jobs[ESP_CSUM_FIELD] = (int32_t)(jobs[ESP_GSO_SIZE] % 64 | 16 << 16);
    if (mode == 1)
      check_results(esp_seal_batch(esp, 1, 1), true);
    else
      check_results(esp_open_batch(esp, 1, 1), false);
  }
  return 0;
}
