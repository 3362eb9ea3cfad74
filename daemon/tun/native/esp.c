/* See esp.h: associations, results, and what sealing and opening share. */
#include "esp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "checksum.h"

#define TCP_OPTION_END  0
#define TCP_OPTION_NONE 1
#define TCP_OPTION_MSS  2
#define TCP_MSS_BYTES   4
#define TCP_SYN         0x02

#define BYTES           0
#define PACKETS         1
#define LAST_USE_MS     2
#define SEQUENCE        3

struct esp *esp_open(const struct esp_config *config, struct failure *failure) {
  struct esp *esp = calloc(1, sizeof *esp);
  if (esp == NULL) {
    fail(failure, "calloc");
    return NULL;
  }
  esp->config = *config;
  esp->random_used = ESP_RANDOM_BYTES;
  return esp;
}

void esp_close(struct esp *esp) {
  for (uint32_t i = 1; i < ESP_SAS_MAX; i++) esp_remove(esp, i);
  free(esp);
}

static uint32_t *bucket_of(struct esp *esp, const struct esp_association *a) {
  return &esp->buckets[a->sa->spi % ESP_BUCKETS];
}

void esp_install(struct esp *esp, uint32_t index, const struct esp_association *a) {
  esp_remove(esp, index);
  struct esp_association *into = &esp->associations[index];
  *into = *a;
  into->next = 0;
  esp->config.statistics[(size_t)index * ESP_STATISTICS_WORDS + SEQUENCE] =
      (double)a->sa->window.top;
  if (a->sa->seals) return;
  uint32_t *bucket = bucket_of(esp, into);
  into->next = *bucket;
  *bucket = index;
}

void esp_remove(struct esp *esp, uint32_t index) {
  struct esp_association *a = &esp->associations[index];
  if (a->sa == NULL) return;
  if (!a->sa->seals) {
    uint32_t *link = bucket_of(esp, a);
    while (*link != index) link = &esp->associations[*link].next;
    *link = a->next;
  }
  /* The next SA of this number is known elsewhere before it is installed here. */
  memset(esp->config.statistics + (size_t)index * ESP_STATISTICS_WORDS, 0,
         ESP_STATISTICS_WORDS * sizeof(double));
  esp_sa_close(a->sa);
  *a = (struct esp_association){.sa = NULL};
}

int32_t *esp_put_result(struct esp *esp, uint32_t job, uint32_t association, int32_t status,
                        uint32_t segments) {
  esp->run.result = NULL;
  if (esp->result_count == esp->config.results_max) return NULL;
  int32_t *result = esp->config.results + (size_t)esp->result_count++ * ESP_WORDS;
  memset(result, 0, ESP_WORDS * sizeof *result);
  result[ESP_JOB] = (int32_t)job;
  result[ESP_SA] = (int32_t)association;
  result[ESP_TUNNEL] = (int32_t)esp->associations[association].tunnel;
  result[ESP_STATUS] = status;
  result[ESP_SEGMENTS] = (int32_t)segments;
  return result;
}

uint8_t *esp_job_bytes(const struct esp *esp, const int32_t *job) {
  int32_t at = job[ESP_AT], bytes = job[ESP_BYTES];
  if (at < 0 || bytes < IPV4_HEADER_BYTES_MIN || (uint32_t)at > esp->config.arena_bytes ||
      (uint32_t)bytes > esp->config.arena_bytes - (uint32_t)at) {
    return NULL;
  }
  return esp->config.arena + at;
}

bool esp_account(struct esp *esp, uint32_t association, uint32_t bytes) {
  const struct esp_association *a = &esp->associations[association];
  double *statistics = esp->config.statistics + (size_t)association * ESP_STATISTICS_WORDS;
  if (statistics[BYTES] >= a->hard_bytes || statistics[PACKETS] >= a->hard_packets) return false;
  statistics[BYTES] += bytes;
  statistics[PACKETS]++;
  statistics[LAST_USE_MS] = esp->now_ms;
  /* Of a packet that is about to be sealed, the number that it will have. */
  statistics[SEQUENCE] = (double)(a->sa->window.top + (a->sa->seals ? 1 : 0));
  return true;
}

/* Replaces the 16-bit word at `at`, and mends the checksum at `checksum` (RFC 1624). */
static void replace_u16(uint8_t *at, uint16_t value, uint8_t *checksum) {
  uint32_t sum = (uint16_t)~read_u16(checksum);
  sum += (uint16_t)~read_u16(at);
  sum += value;
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  write_u16(at, value);
  write_u16(checksum, (uint16_t)~sum);
}

void esp_clamp_mss(uint8_t *l3, uint32_t bytes, uint32_t mtu, bool checksum_is_partial) {
  struct packet_headers h;
  if (!parse_headers(l3, bytes, &h) || h.protocol != PROTOCOL_TCP) return;
  uint8_t *l4 = l3 + h.l4_at;
  uint32_t headers = (uint32_t)h.l4_at + TCP_HEADER_BYTES_MIN;
  if (!(l4[TCP_AT_FLAGS] & TCP_SYN) || mtu <= headers) return;
  uint32_t end = (uint32_t)(h.payload_at - h.l4_at);
  for (uint32_t at = TCP_HEADER_BYTES_MIN; at < end;) {
    if (l4[at] == TCP_OPTION_END) return;
    if (l4[at] == TCP_OPTION_NONE) {
      at++;
      continue;
    }
    if (at + 1 >= end || l4[at + 1] < 2 || at + l4[at + 1] > end) return;
    if (l4[at] != TCP_OPTION_MSS || l4[at + 1] != TCP_MSS_BYTES) {
      at += l4[at + 1];
      continue;
    }
    uint8_t *mss = l4 + at + 2;
    if (read_u16(mss) <= mtu - headers) return;
    /* At an odd offset the word straddles two words of the sum; options that stand there are
     * preceded by padding in practice, and a SYN whose are not keeps its MSS. */
    if (checksum_is_partial)
      write_u16(mss, (uint16_t)(mtu - headers));
    else if ((h.l4_at + at) % 2 == 0)
      replace_u16(mss, (uint16_t)(mtu - headers), l4 + TCP_AT_CHECKSUM);
    return;
  }
}
