/* Runs a program to its end and keeps what it printed.
 *
 * Why not Node's child_process: it forks, and a fork copies the page tables of the daemon, on the
 * thread that everything waits for: tens of milliseconds each time. Here the child shares the
 * memory until it executes (posix_spawn), and all of it happens on the thread of the caller, which
 * is one that may wait.
 */
#ifndef VPCLAB_PROGRAM_H
#define VPCLAB_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

#include "failure.h"

struct program_text {
  char *data; /* malloc, or NULL while there is nothing */
  size_t bytes, capacity;
};

struct program {
  /* In. Both lists end with NULL; the first argument is the program, looked for in PATH. */
  char **arguments;
  char **environment;
  const char *input;
  size_t input_bytes;
  int timeout_ms;
  size_t output_bytes_max; /* of each stream */
  /* Out: either failed, or a wait status and how it came to it. */
  bool failed;
  struct failure failure;
  int status;
  bool timed_out, printed_too_much; /* it was killed for this */
  struct program_text output, errors;
};

/* Never returns before the process has ended and was waited for. */
void program_run(struct program *program);

/* What program_run allocated. */
void program_release(struct program *program);

#endif
