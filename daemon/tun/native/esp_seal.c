/* See esp.h: from inner packets to ESP. Order of one job: association, congestion and DF of the
 * inner header, MSS, segments, and for each: room, number, outer header or run, seal. */
#include <string.h>
#include <openssl/rand.h>

#include "checksum.h"
#include "descriptor.h"
#include "esp.h"
#include "segment.h"

#define OUTER_TTL 64

static uint8_t outer_traffic_class(const struct esp_association *a, const uint8_t *l3) {
  uint8_t inner = esp_traffic_class(l3), outer = 0;
  if (a->flags & ESP_FLAG_COPY_DSCP) outer |= inner & (uint8_t)~ECN_MASK;
  if (!(a->flags & ESP_FLAG_NO_ECN)) outer |= inner & ECN_MASK;
  return outer;
}

/* DF of the outer header: never, or as inside; IPv6 is never fragmented on its way. */
static bool outer_dont_fragment(const struct esp_association *a, const uint8_t *l3) {
  if (a->flags & ESP_FLAG_CLEAR_DF) return false;
  return l3[0] >> 4 == 6 || (read_u16(l3 + IPV4_AT_FRAGMENT) & IPV4_DONT_FRAGMENT);
}

static bool in_udp(const struct esp_association *a) {
  return a->destination_port != 0;
}

static uint32_t outer_bytes(const struct esp_association *a) {
  return (a->version == 4 ? IPV4_HEADER_BYTES_MIN : IPV6_HEADER_BYTES) +
         (in_udp(a) ? UDP_HEADER_BYTES : 0u);
}

/* Outer header without lengths and checksums, which write_lengths() adds. */
static void write_outer(struct esp *esp, const struct esp_association *a, uint8_t *l3) {
  uint8_t protocol = in_udp(a) ? PROTOCOL_UDP : PROTOCOL_ESP;
  uint8_t *l4 = l3 + (a->version == 4 ? IPV4_HEADER_BYTES_MIN : IPV6_HEADER_BYTES);
  memset(l3, 0, outer_bytes(a));
  if (a->version == 4) {
    l3[0] = 0x45;
    l3[IPV4_AT_TRAFFIC_CLASS] = esp->run.traffic_class;
    write_u16(l3 + IPV4_AT_ID, esp->id++);
    write_u16(l3 + IPV4_AT_FRAGMENT, esp->run.dont_fragment ? IPV4_DONT_FRAGMENT : 0);
    l3[IPV4_AT_TTL] = OUTER_TTL;
    l3[IPV4_AT_PROTOCOL] = protocol;
    memcpy(l3 + IPV4_AT_SOURCE, a->source, IPV4_ADDRESSES_BYTES / 2);
    memcpy(l3 + IPV4_AT_SOURCE + IPV4_ADDRESSES_BYTES / 2, a->destination,
           IPV4_ADDRESSES_BYTES / 2);
  } else {
    write_u16(l3, (uint16_t)(0x6000 | esp->run.traffic_class << 4));
    l3[IPV6_AT_NEXT_HEADER] = protocol;
    l3[IPV6_AT_NEXT_HEADER + 1] = OUTER_TTL;
    memcpy(l3 + IPV6_AT_SOURCE, a->source, ESP_ADDRESS_BYTES);
    memcpy(l3 + IPV6_AT_SOURCE + ESP_ADDRESS_BYTES, a->destination, ESP_ADDRESS_BYTES);
  }
  if (!in_udp(a)) return;
  write_u16(l4, a->source_port);
  write_u16(l4 + 2, a->destination_port);
}

/* Lengths and checksums of the packet or super-packet of `bytes` bytes at `l3`. A single datagram
 * over IPv4 has no UDP checksum (RFC 3948 section 2.1); otherwise it is left to be done. */
static void write_lengths(const struct esp_association *a, uint8_t *l3, uint32_t bytes,
                          int32_t *result) {
  uint32_t l4_at = a->version == 4 ? IPV4_HEADER_BYTES_MIN : IPV6_HEADER_BYTES;
  if (a->version == 4) {
    write_u16(l3 + IPV4_AT_TOTAL_LENGTH, (uint16_t)bytes);
    write_u16(l3 + IPV4_AT_CHECKSUM, 0);
    uint16_t checksum = checksum_finish(checksum_add(0, l3, IPV4_HEADER_BYTES_MIN));
    memcpy(l3 + IPV4_AT_CHECKSUM, &checksum, sizeof checksum);
  } else {
    write_u16(l3 + IPV6_AT_PAYLOAD_LENGTH, (uint16_t)(bytes - IPV6_HEADER_BYTES));
  }
  result[ESP_BYTES] = (int32_t)bytes;
  if (!in_udp(a)) return;
  uint8_t *l4 = l3 + l4_at;
  write_u16(l4 + UDP_AT_LENGTH, (uint16_t)(bytes - l4_at));
  if (a->version == 4 && result[ESP_SEGMENTS] == 1) return;
  uint64_t sum = (uint64_t)htons(PROTOCOL_UDP) + htons((uint16_t)(bytes - l4_at));
  sum = a->version == 4 ? checksum_add(sum, l3 + IPV4_AT_SOURCE, IPV4_ADDRESSES_BYTES)
                        : checksum_add(sum, l3 + IPV6_AT_SOURCE, IPV6_ADDRESSES_BYTES);
  uint16_t folded = checksum_fold(sum);
  memcpy(l4 + UDP_AT_CHECKSUM, &folded, sizeof folded);
  result[ESP_CSUM] = CSUM_NEEDED;
  result[ESP_CSUM_FIELD] = (int32_t)(l4_at | (uint32_t)UDP_AT_CHECKSUM << 16);
}

static const uint8_t *next_iv(struct esp *esp, const struct esp_sa *sa) {
  if (sa->kind == ESP_AES_GCM) return NULL;
  if (esp->random_used + ESP_CBC_BLOCK_BYTES > ESP_RANDOM_BYTES) {
    if (RAND_bytes(esp->random, ESP_RANDOM_BYTES) != 1) return NULL;
    esp->random_used = 0;
  }
  esp->random_used += ESP_CBC_BLOCK_BYTES;
  return esp->random + esp->random_used - ESP_CBC_BLOCK_BYTES;
}

/* Ends the run: its lengths are final. */
static void end_run(struct esp *esp) {
  struct esp_run *run = &esp->run;
  if (run->result == NULL) return;
  const struct esp_association *a = &esp->associations[run->association];
  uint8_t *l3 = esp->config.arena + run->result[ESP_AT];
  uint32_t bytes = (uint32_t)(esp_out(esp) - l3);
  if (run->result[ESP_SEGMENTS] > 1) {
    run->result[ESP_GSO_TYPE] = GSO_UDP;
    run->result[ESP_GSO_SIZE] = (int32_t)run->segment_bytes;
  }
  write_lengths(a, l3, bytes, run->result);
  run->result = NULL;
}

/* A job, or a part of it, becomes nothing. */
static void put_drop(struct esp *esp, uint32_t job, uint32_t association, int32_t status) {
  end_run(esp);
  esp_put_result(esp, job, association, status, 1);
}

static bool run_takes(const struct esp *esp, uint32_t association, uint32_t esp_bytes,
                      uint8_t traffic_class, bool dont_fragment) {
  const struct esp_run *run = &esp->run;
  if (run->result == NULL || run->association != association || esp->per_packet) return false;
  if (!in_udp(&esp->associations[association])) return false;
  uint32_t used = (uint32_t)(esp_out(esp) - esp->config.arena) - (uint32_t)run->result[ESP_AT];
  return run->result[ESP_SEGMENTS] < ESP_RUN_SEGMENTS_MAX && esp_bytes <= run->segment_bytes &&
         used + esp_bytes <= ESP_RUN_BYTES_MAX && run->traffic_class == traffic_class &&
         run->dont_fragment == dont_fragment;
}

/* A segment that is to be sealed: its parts, and how many bytes they are together. */
struct text {
  const struct iovec *parts;
  uint32_t count;
  uint32_t bytes;
};

/* Makes ESP of one inner packet. */
static void seal_packet(struct esp *esp, uint32_t job, uint32_t association,
                        const struct text *text, uint8_t traffic_class, bool dont_fragment) {
  const struct esp_association *a = &esp->associations[association];
  struct esp_sa *sa = a->sa;
  uint32_t esp_bytes = esp_packet_bytes(sa, text->bytes);
  if (!run_takes(esp, association, esp_bytes, traffic_class, dont_fragment)) end_run(esp);
  bool begins = esp->run.result == NULL;
  uint32_t header = begins ? outer_bytes(a) : 0;
  int32_t status = ESP_DONE;
  const uint8_t *iv = next_iv(esp, sa);
  if (!esp_has_room(esp, header + esp_bytes) || (iv == NULL && sa->kind == ESP_AES_CBC))
    status = ESP_NO_ROOM;
  else if (!esp_sa_has_number(sa) || !esp_account(esp, association, text->bytes))
    status = ESP_EXPIRED;
  if (status == ESP_DONE && begins) {
    int32_t *result = esp_put_result(esp, job, association, ESP_DONE, 0);
    if (result == NULL) return;
    result[ESP_AT] = (int32_t)(esp_out(esp) - esp->config.arena);
    esp->run = (struct esp_run){.result = result,
                                .association = association,
                                .segment_bytes = esp_bytes,
                                .traffic_class = traffic_class,
                                .dont_fragment = dont_fragment};
    write_outer(esp, a, esp_out(esp));
    esp->out_used += header;
  }
  if (status != ESP_DONE) {
    put_drop(esp, job, association, status);
    return;
  }
  uint8_t *at = esp_out(esp), *inner = at + ESP_HEADER_BYTES + esp_iv_bytes(sa);
  for (uint32_t i = 0; i < text->count; i++) {
    memcpy(inner, text->parts[i].iov_base, text->parts[i].iov_len);
    inner += text->parts[i].iov_len;
  }
  uint8_t version = at[ESP_HEADER_BYTES + esp_iv_bytes(sa)] >> 4;
  if (!esp_seal(sa, at, text->bytes, version == 4 ? PROTOCOL_IPV4 : PROTOCOL_IPV6, iv)) {
    /* OpenSSL refuses only what cannot be: a packet is lost, and with it its number. */
    memset(at, 0, esp_bytes);
  }
  esp->out_used += esp_bytes;
  esp->run.result[ESP_SEGMENTS]++;
  if (esp_bytes < esp->run.segment_bytes || !in_udp(a)) end_run(esp);
}

/* Does the L4 checksum that the sender left to be done. False when the job contradicts itself. */
static bool complete_checksum(uint8_t *l3, uint32_t bytes, uint32_t field) {
  uint32_t start = field & 0xffff, at = start + (field >> 16);
  if (start >= bytes || at + 2 > bytes) return false;
  uint16_t checksum = checksum_finish_udp(checksum_add(0, l3 + start, bytes - start));
  memcpy(l3 + at, &checksum, sizeof checksum);
  return true;
}

static void seal_super_packet(struct esp *esp, uint32_t job, uint32_t association,
                              struct packet *packet, uint8_t traffic_class, bool dont_fragment) {
  const struct esp_association *a = &esp->associations[association];
  struct segmenter segmenter;
  struct packet_headers headers;
  bool tcp = packet->gso_type != GSO_UDP;
  if (parse_headers(packet->at, packet->bytes, &headers) && tcp && a->mtu > headers.payload_at &&
      packet->gso_size > a->mtu - headers.payload_at) {
    packet->gso_size = (uint16_t)(a->mtu - headers.payload_at);
  }
  if (!segmenter_open(&segmenter, packet, NULL, 0)) {
    put_drop(esp, job, association, ESP_MALFORMED);
    return;
  }
  for (uint32_t bytes; (bytes = segmenter_next_bytes(&segmenter)) > 0;) {
    uint8_t header[HEADERS_BYTES_MAX];
    struct iovec iov[SEGMENT_IOV_MAX];
    uint32_t parts = segmenter_next(&segmenter, header, iov);
    if (parts == 0) return;
    if (bytes > a->mtu) {
      put_drop(esp, job, association, ESP_TOO_BIG);
      return;
    }
    const struct text text = {iov, parts, bytes};
    seal_packet(esp, job, association, &text, traffic_class, dont_fragment);
  }
}

static void seal_job(struct esp *esp, uint32_t job) {
  const int32_t *words = esp->config.jobs + (size_t)job * ESP_WORDS;
  uint32_t association = (uint32_t)words[ESP_SA];
  uint8_t *l3 = esp_job_bytes(esp, words);
  if (association == 0 || association >= ESP_SAS_MAX || esp->associations[association].sa == NULL ||
      !esp->associations[association].sa->seals) {
    put_drop(esp, job, 0, ESP_NO_SA);
    return;
  }
  uint32_t bytes = (uint32_t)words[ESP_BYTES];
  const struct esp_association *a = &esp->associations[association];
  bool known = l3 != NULL && (l3[0] >> 4 == 4 || (l3[0] >> 4 == 6 && bytes >= IPV6_HEADER_BYTES));
  bool gso = words[ESP_GSO_TYPE] != GSO_NONE, partial = words[ESP_CSUM] & CSUM_NEEDED;
  if (!known || bytes > PACKET_BYTES_MAX) {
    put_drop(esp, job, association, ESP_MALFORMED);
    return;
  }
  uint8_t traffic_class = outer_traffic_class(a, l3);
  bool dont_fragment = outer_dont_fragment(a, l3);
  esp_clamp_mss(l3, bytes, a->mtu, partial);
  if (gso) {
    struct packet packet = {.at = l3,
                            .bytes = bytes,
                            .total_bytes = bytes,
                            .gso_type = (uint8_t)words[ESP_GSO_TYPE],
                            .gso_size = (uint16_t)words[ESP_GSO_SIZE]};
    seal_super_packet(esp, job, association, &packet, traffic_class, dont_fragment);
    return;
  }
  int32_t status = bytes > a->mtu ? ESP_TOO_BIG : ESP_DONE;
  if (partial && !complete_checksum(l3, bytes, (uint32_t)words[ESP_CSUM_FIELD]))
    status = ESP_MALFORMED;
  if (status != ESP_DONE) {
    put_drop(esp, job, association, status);
    return;
  }
  const struct iovec part = {l3, bytes};
  const struct text text = {&part, 1, bytes};
  seal_packet(esp, job, association, &text, traffic_class, dont_fragment);
}

uint32_t esp_seal_batch(struct esp *esp, uint32_t count, double now_ms) {
  esp->now_ms = now_ms;
  esp->result_count = 0;
  esp->run.result = NULL;
  for (uint32_t job = 0; job < count; job++) seal_job(esp, job);
  end_run(esp);
  return esp->result_count;
}
