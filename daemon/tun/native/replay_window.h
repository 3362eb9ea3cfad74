/* Which packet numbers have been received: a ring of bits (RFC 6479).
 *
 *              top - size + 1                    top
 *     ... old ]├──────────── window ─────────────┤ ahead: accepted, if the tag is good
 *
 * A number is looked up before its packet is opened, which costs little, and entered after its tag
 * has been verified: a forged packet moves nothing.
 */
#ifndef VPCLAB_REPLAY_WINDOW_H
#define VPCLAB_REPLAY_WINDOW_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define REPLAY_WINDOW_MAX 4096
/* Bits of the ring: window and one word more, which is cleared as the window moves on. */
#define REPLAY_RING_WORDS (REPLAY_WINDOW_MAX / 64 + 1)

struct replay_window {
  uint64_t top;  /* the highest number so far */
  uint32_t size; /* 0: nothing is checked but that a number is not 0 */
  uint64_t ring[REPLAY_RING_WORDS];
};

/* What is behind `top` counts as seen. */
static inline void replay_open(struct replay_window *w, uint32_t size, uint64_t top) {
  *w = (struct replay_window){.size = size, .top = top};
  if (top == 0) return;
  memset(w->ring, 0xff, sizeof w->ring);
  w->ring[top / 64 % REPLAY_RING_WORDS] = UINT64_MAX >> (63 - top % 64);
}

static inline uint64_t *replay_word(struct replay_window *w, uint64_t number) {
  return &w->ring[number / 64 % REPLAY_RING_WORDS];
}

static inline bool replay_is_fresh(struct replay_window *w, uint64_t number) {
  if (number == 0) return false;
  if (w->size == 0 || number > w->top) return true;
  if (w->top - number >= w->size) return false;
  return (*replay_word(w, number) >> (number % 64) & 1) == 0;
}

static inline void replay_enter(struct replay_window *w, uint64_t number) {
  if (number > w->top) {
    uint64_t words = number / 64 - w->top / 64;
    if (words > REPLAY_RING_WORDS) words = REPLAY_RING_WORDS;
    for (uint64_t i = 0; i < words; i++) *replay_word(w, number - i * 64) = 0;
    w->top = number;
  }
  *replay_word(w, number) |= UINT64_C(1) << (number % 64);
}

#endif
