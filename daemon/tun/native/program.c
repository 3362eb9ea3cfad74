#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define READ_BYTES 16384
#define STREAMS    3

/* Ends of the three pipes, by descriptor of the child. */
struct pipes {
  int ours[STREAMS], theirs[STREAMS];
};

static long long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void close_end(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

static void close_pipes(struct pipes *pipes) {
  for (int i = 0; i < STREAMS; i++) {
    close_end(&pipes->ours[i]);
    close_end(&pipes->theirs[i]);
  }
}

/* All six are above the child's standard descriptors: Node keeps those open. */
static bool open_pipes(struct pipes *pipes, struct failure *failure) {
  for (int i = 0; i < STREAMS; i++) pipes->ours[i] = pipes->theirs[i] = -1;
  for (int i = 0; i < STREAMS; i++) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) {
      fail(failure, "pipe2");
      close_pipes(pipes);
      return false;
    }
    bool is_input = i == STDIN_FILENO;
    pipes->ours[i] = ends[is_input ? 1 : 0];
    pipes->theirs[i] = ends[is_input ? 0 : 1];
    fcntl(pipes->ours[i], F_SETFL, O_NONBLOCK);
  }
  return true;
}

/* @returns 0 or an errno */
static int spawn(const struct program *program, const struct pipes *pipes, pid_t *pid) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t all, none;
  sigfillset(&all);
  sigemptyset(&none);
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  for (int i = 0; i < STREAMS; i++) {
    posix_spawn_file_actions_adddup2(&actions, pipes->theirs[i], i);
  }
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  int error = posix_spawnp(pid, program->arguments[0], &actions, &attributes, program->arguments,
                           program->environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

/* Closes the end when everything is written, or when nobody reads it. */
static void write_input(const struct program *program, size_t *written, int *fd) {
  ssize_t bytes = write(*fd, program->input + *written, program->input_bytes - *written);
  if (bytes > 0) *written += (size_t)bytes;
  bool is_over = bytes < 0 && errno != EAGAIN && errno != EINTR;
  if (is_over || *written == program->input_bytes) close_end(fd);
}

static bool grow(struct program_text *text) {
  if (text->capacity - text->bytes >= READ_BYTES) return true;
  size_t capacity = 2 * text->capacity + READ_BYTES;
  char *data = realloc(text->data, capacity);
  if (data == NULL) return false;
  text->data = data;
  text->capacity = capacity;
  return true;
}

/* Closes the end at its end. Returns false when it is more than may be kept. */
static bool read_output(struct program_text *text, size_t bytes_max, int *fd) {
  if (!grow(text)) return false;
  ssize_t bytes = read(*fd, text->data + text->bytes, READ_BYTES);
  if (bytes > 0)
    text->bytes += (size_t)bytes;
  else if (bytes == 0 || (errno != EAGAIN && errno != EINTR))
    close_end(fd);
  return text->bytes <= bytes_max;
}

/* Feeds and drains the child until it has closed its output, or is not worth waiting for. */
static void exchange(struct program *program, struct pipes *pipes) {
  long long deadline_ms = now_ms() + program->timeout_ms;
  size_t written = 0;
  if (program->input_bytes == 0) close_end(&pipes->ours[STDIN_FILENO]);
  while (pipes->ours[STDOUT_FILENO] >= 0 || pipes->ours[STDERR_FILENO] >= 0) {
    struct pollfd ends[STREAMS] = {{pipes->ours[STDIN_FILENO], POLLOUT, 0},
                                   {pipes->ours[STDOUT_FILENO], POLLIN, 0},
                                   {pipes->ours[STDERR_FILENO], POLLIN, 0}};
    long long left_ms = deadline_ms - now_ms();
    program->timed_out = left_ms <= 0;
    if (program->timed_out) return;
    if (poll(ends, STREAMS, (int)left_ms) <= 0) continue;
    if (ends[STDIN_FILENO].revents != 0) {
      write_input(program, &written, &pipes->ours[STDIN_FILENO]);
    }
    for (int i = STDOUT_FILENO; i <= STDERR_FILENO; i++) {
      if (ends[i].revents == 0) continue;
      struct program_text *text = i == STDOUT_FILENO ? &program->output : &program->errors;
      program->printed_too_much = !read_output(text, program->output_bytes_max, &pipes->ours[i]);
      if (program->printed_too_much) return;
    }
  }
}

void program_run(struct program *program) {
  struct pipes pipes;
  pid_t pid;
  program->failed = !open_pipes(&pipes, &program->failure);
  if (program->failed) return;
  int error = spawn(program, &pipes, &pid);
  for (int i = 0; i < STREAMS; i++) close_end(&pipes.theirs[i]);
  if (error != 0) {
    program->failed = true;
    errno = error;
    fail(&program->failure, "posix_spawn");
  } else {
    exchange(program, &pipes);
    if (program->timed_out || program->printed_too_much) kill(pid, SIGKILL);
    while (waitpid(pid, &program->status, 0) < 0 && errno == EINTR) continue;
  }
  close_pipes(&pipes);
}

void program_release(struct program *program) {
  free(program->output.data);
  free(program->errors.data);
}
