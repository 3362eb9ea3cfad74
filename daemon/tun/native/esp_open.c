/* See esp.h: from ESP to inner packets. Order of one packet: outer header, association, number,
 * tag, text, congestion, MSS, and then it joins the run or begins one. */
#include <string.h>

#include "checksum.h"
#include "descriptor.h"
#include "esp.h"

#define PROTOCOL_NONE  59 /* RFC 4303 section 2.6: a dummy packet */
#define KEEPALIVE_BYTE 0xff
#define ECN_NOT_ECT    0
#define ECN_ECT_1      1
#define ECN_ECT_0      2
#define ECN_CE         3

/* The outer packet. */
struct outer {
  uint8_t *l3;
  uint32_t bytes;
  uint8_t version;
  uint8_t protocol;
  uint8_t traffic_class;
  uint32_t l4_at;
  uint16_t source_port; /* 0: protocol 50 */
  const uint8_t *source;
  const uint8_t *destination;
  uint32_t address_bytes;
};

static int32_t read_outer(uint8_t *l3, uint32_t bytes, struct outer *o) {
  *o = (struct outer){.l3 = l3, .bytes = bytes, .version = l3[0] >> 4};
  if (o->version == 4) {
    o->l4_at = (uint32_t)(l3[0] & 0x0f) * 4;
    if (o->l4_at < IPV4_HEADER_BYTES_MIN) return ESP_MALFORMED;
    if (read_u16(l3 + IPV4_AT_FRAGMENT) & IPV4_IS_FRAGMENT) return ESP_FRAGMENT;
    o->protocol = l3[IPV4_AT_PROTOCOL];
    o->source = l3 + IPV4_AT_SOURCE;
    o->address_bytes = IPV4_ADDRESSES_BYTES / 2;
  } else if (o->version == 6 && bytes >= IPV6_HEADER_BYTES) {
    o->l4_at = IPV6_HEADER_BYTES;
    o->protocol = l3[IPV6_AT_NEXT_HEADER];
    o->source = l3 + IPV6_AT_SOURCE;
    o->address_bytes = ESP_ADDRESS_BYTES;
  } else {
    return ESP_MALFORMED;
  }
  o->traffic_class = esp_traffic_class(l3);
  o->destination = o->source + o->address_bytes;
  if (o->protocol == PROTOCOL_UDP) {
    if (bytes < o->l4_at + UDP_HEADER_BYTES) return ESP_MALFORMED;
    o->source_port = read_u16(l3 + o->l4_at);
    return ESP_DONE;
  }
  return o->protocol == PROTOCOL_ESP && o->l4_at <= bytes ? ESP_DONE : ESP_MALFORMED;
}

/* What a packet without a good SPI is, from its first bytes. */
static int32_t kind_of(const struct outer *o, const uint8_t *at, uint32_t bytes) {
  if (o->protocol == PROTOCOL_UDP) {
    if (bytes == 1 && at[0] == KEEPALIVE_BYTE) return ESP_KEEPALIVE;
    if (bytes >= 4 && read_u32(at) == 0) return ESP_IKE;
  }
  return bytes < ESP_HEADER_BYTES ? ESP_MALFORMED : ESP_DONE;
}

/* The association that opens it; 0: none. */
static uint32_t find_association(const struct esp *esp, const struct outer *o, uint32_t spi) {
  uint32_t index = esp->buckets[spi % ESP_BUCKETS];
  for (; index != 0; index = esp->associations[index].next) {
    const struct esp_association *a = &esp->associations[index];
    bool in_udp = a->destination_port != 0;
    if (a->sa->spi == spi && a->version == o->version && in_udp == (o->source_port != 0) &&
        memcmp(a->destination, o->destination, o->address_bytes) == 0) {
      return index;
    }
  }
  return 0;
}

/* Notes that the peer's packets come from elsewhere now (RFC 3947, RFC 7296 section 2.23). */
static void note_mapping(struct esp *esp, uint32_t association, const struct outer *o) {
  const struct esp_association *a = &esp->associations[association];
  if (o->source_port == 0 ||
      (a->source_port == o->source_port && memcmp(a->source, o->source, o->address_bytes) == 0)) {
    return;
  }
  if (esp->mapping_count == ESP_MAPPINGS_MAX) return;
  struct esp_mapping *m = &esp->mappings[esp->mapping_count++];
  m->association = association;
  m->port = o->source_port;
  m->address_bytes = (uint8_t)o->address_bytes;
  memcpy(m->address, o->source, o->address_bytes);
}

/* The inner packet's own length, which traffic flow padding may follow; 0 when it is none. */
static uint32_t inner_bytes(const uint8_t *l3, uint32_t bytes, uint8_t next_header) {
  uint32_t length;
  if (next_header == PROTOCOL_IPV4) {
    if (bytes < IPV4_HEADER_BYTES_MIN || l3[0] >> 4 != 4) return 0;
    length = read_u16(l3 + IPV4_AT_TOTAL_LENGTH);
    if (length < IPV4_HEADER_BYTES_MIN) return 0;
  } else if (next_header == PROTOCOL_IPV6) {
    if (bytes < IPV6_HEADER_BYTES || l3[0] >> 4 != 6) return 0;
    length = IPV6_HEADER_BYTES + (uint32_t)read_u16(l3 + IPV6_AT_PAYLOAD_LENGTH);
  } else {
    return 0;
  }
  return length <= bytes ? length : 0;
}

/* Brings a congestion mark inside (RFC 6040 section 4.2). False: the packet must be dropped. */
static bool bring_mark_inside(uint8_t *l3, uint8_t outer) {
  bool ipv4 = l3[0] >> 4 == 4;
  uint8_t inner = esp_traffic_class(l3);
  uint8_t inner_ecn = inner & ECN_MASK, outer_ecn = outer & ECN_MASK, ecn = inner_ecn;
  if (outer_ecn == ECN_CE) {
    if (inner_ecn == ECN_NOT_ECT) return false;
    ecn = ECN_CE;
  } else if (outer_ecn == ECN_ECT_1 && inner_ecn == ECN_ECT_0) {
    ecn = ECN_ECT_1;
  }
  if (ecn == inner_ecn) return true;
  if (!ipv4) {
    write_u16(l3, (uint16_t)((read_u16(l3) & ~(ECN_MASK << 4)) | ecn << 4));
    return true;
  }
  uint32_t header_bytes = (uint32_t)(l3[0] & 0x0f) * 4;
  if (header_bytes < IPV4_HEADER_BYTES_MIN || header_bytes > read_u16(l3 + IPV4_AT_TOTAL_LENGTH))
    return true; /* the router drops it */
  l3[IPV4_AT_TRAFFIC_CLASS] = (uint8_t)((inner & ~ECN_MASK) | ecn);
  write_u16(l3 + IPV4_AT_CHECKSUM, 0);
  uint16_t checksum = checksum_finish(checksum_add(0, l3, header_bytes));
  memcpy(l3 + IPV4_AT_CHECKSUM, &checksum, sizeof checksum);
  return true;
}

/* Ends the run: headers of a super-packet are written. */
static void end_run(struct esp *esp) {
  struct esp_run *run = &esp->run;
  if (run->result == NULL) return;
  if (run->result[ESP_SEGMENTS] > 1) {
    struct join_offload offload;
    join_write_headers(&run->first, run->payload_bytes, run->last_flags, &offload);
    run->result[ESP_GSO_TYPE] = offload.gso_type;
    run->result[ESP_GSO_SIZE] = offload.gso_size;
    run->result[ESP_CSUM] = offload.csum;
    run->result[ESP_CSUM_FIELD] =
        (int32_t)(offload.csum_start | (uint32_t)offload.csum_offset << 16);
  }
  run->result = NULL;
}

/* The packet `p`, which stands where the used part of `out` ends, joins the run or does not. */
static bool join_run(struct esp *esp, uint32_t association, const struct join_packet *p) {
  struct esp_run *run = &esp->run;
  if (run->result == NULL || run->association != association) return false;
  uint32_t segments = (uint32_t)run->result[ESP_SEGMENTS];
  if (segments == ESP_RUN_SEGMENTS_MAX ||
      !join_follows(&run->first, p, segments, run->payload_bytes)) {
    return false;
  }
  if (!run->verified && !(run->verified = join_checksum_is_good(&run->first))) return false;
  if (!join_checksum_is_good(p)) return false;
  run->last_flags = join_last_flags(p);
  bool ends = join_ends(p, run->first.payload_bytes);
  memmove(p->l3, p->l3 + p->headers.payload_at, p->payload_bytes);
  run->payload_bytes += p->payload_bytes;
  run->result[ESP_BYTES] += (int32_t)p->payload_bytes;
  run->result[ESP_SEGMENTS]++;
  esp->out_used += p->payload_bytes;
  if (ends) end_run(esp);
  return true;
}

static void put_inner(struct esp *esp, uint32_t job, uint32_t association, uint8_t *l3,
                      uint32_t bytes) {
  struct join_packet p;
  join_parse(&p, l3, bytes);
  if (join_run(esp, association, &p)) return;
  end_run(esp);
  int32_t *result = esp_put_result(esp, job, association, ESP_DONE, 1);
  if (result == NULL) return;
  result[ESP_AT] = (int32_t)(l3 - esp->config.arena);
  result[ESP_BYTES] = (int32_t)bytes;
  esp->out_used += bytes;
  if (!p.joinable || join_ends(&p, p.payload_bytes)) return;
  esp->run = (struct esp_run){
      .result = result, .association = association, .first = p, .payload_bytes = p.payload_bytes};
}

/* Opens the ESP packet of `bytes` bytes at `at` behind the outer header. Returns ESP_DONE when
 * its inner packet is among the results. */
static int32_t open_packet(struct esp *esp, uint32_t job, const struct outer *o, const uint8_t *at,
                           uint32_t bytes, uint32_t *association) {
  int32_t kind = kind_of(o, at, bytes);
  if (kind != ESP_DONE) return kind;
  uint32_t index = find_association(esp, o, read_u32(at));
  if (index == 0) return ESP_NO_SA;
  *association = index;
  const struct esp_association *a = &esp->associations[index];
  if (!esp_has_room(esp, bytes)) return ESP_NO_ROOM;
  uint8_t *l3 = esp_out(esp), next_header;
  uint32_t text_bytes;
  switch (esp_open_packet(a->sa, at, bytes, l3, &text_bytes, &next_header)) {
  case ESP_OPENED:
    break;
  case ESP_REPLAYED:
    return ESP_REPLAY;
  case ESP_FORGED:
    return ESP_AUTHENTICATION;
  default:
    return ESP_MALFORMED;
  }
  note_mapping(esp, index, o);
  if (!esp_account(esp, index, text_bytes)) return ESP_EXPIRED;
  if (next_header == PROTOCOL_NONE) return ESP_DUMMY;
  uint32_t length = inner_bytes(l3, text_bytes, next_header);
  if (length == 0) return ESP_MALFORMED;
  if (!(a->flags & ESP_FLAG_NO_ECN) && !bring_mark_inside(l3, o->traffic_class))
    return ESP_CONGESTION;
  esp_clamp_mss(l3, length, a->mtu, false);
  put_inner(esp, job, index, l3, length);
  return ESP_DONE;
}

static void put_drop(struct esp *esp, uint32_t job, uint32_t association, int32_t status) {
  end_run(esp);
  esp_put_result(esp, job, association, status, 1);
}

static void open_job(struct esp *esp, uint32_t job) {
  const int32_t *words = esp->config.jobs + (size_t)job * ESP_WORDS;
  uint8_t *l3 = esp_job_bytes(esp, words);
  struct outer outer;
  int32_t status = l3 == NULL ? ESP_MALFORMED : read_outer(l3, (uint32_t)words[ESP_BYTES], &outer);
  if (status != ESP_DONE) {
    put_drop(esp, job, 0, status);
    return;
  }
  uint32_t at = outer.l4_at + (outer.protocol == PROTOCOL_UDP ? UDP_HEADER_BYTES : 0);
  uint32_t left = outer.bytes - at, segment = left;
  bool lump = outer.protocol == PROTOCOL_UDP && words[ESP_GSO_TYPE] == GSO_UDP;
  if (lump && words[ESP_GSO_SIZE] > 0) segment = (uint32_t)words[ESP_GSO_SIZE];
  for (uint32_t bytes; left > 0; at += bytes, left -= bytes) {
    uint32_t association = 0;
    bytes = left < segment ? left : segment;
    status = open_packet(esp, job, &outer, l3 + at, bytes, &association);
    if (status != ESP_DONE) put_drop(esp, job, association, status);
    /* A packet of IKE is handed on whole, with whatever came in one lump with it. */
    if (status == ESP_IKE) return;
  }
}

uint32_t esp_open_batch(struct esp *esp, uint32_t count, double now_ms) {
  esp->now_ms = now_ms;
  esp->result_count = 0;
  esp->run.result = NULL;
  for (uint32_t job = 0; job < count; job++) open_job(esp, job);
  end_run(esp);
  return esp->result_count;
}
