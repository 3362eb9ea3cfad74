/* Node-API glue of program.h:
 *
 *     runProgram(arguments, input, timeoutMs, outputBytesMax) → Promise of
 *         [exit code or -1, signal, 0 | 1 timed out | 2 printed too much, output, errors]
 *
 *     arguments, input  texts; the first argument is the program
 *
 * The Promise is rejected with an errno's name as its code when the program cannot be started.
 * Each has a thread of its own: those of libuv's pool are few, and files are read there.
 * ../program.ts is the only caller.
 */
#include "addon.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "program.h"

#define STACK_BYTES (256 << 10)

enum { ENDED, TIMED_OUT, PRINTED_TOO_MUCH };

struct task {
  struct program program;
  napi_threadsafe_function done;
  napi_deferred deferred;
};

static void free_list(char **list) {
  if (list == NULL) return;
  for (char **item = list; *item != NULL; item++) free(*item);
  free(list);
}

static void free_task(struct task *task) {
  if (task == NULL) return;
  free_list(task->program.arguments);
  free_list(task->program.environment);
  free((void *)task->program.input);
  program_release(&task->program);
  free(task);
}

/* A copy with a final zero that `bytes` does not count; NULL with an exception pending. */
static char *copy_text(napi_env env, napi_value value, size_t *bytes) {
  char *text = NULL;
  if (napi_get_value_string_utf8(env, value, NULL, 0, bytes) == napi_ok) text = malloc(*bytes + 1);
  if (text == NULL) {
    napi_throw_type_error(env, NULL, "not a text");
    return NULL;
  }
  napi_get_value_string_utf8(env, value, text, *bytes + 1, bytes);
  return text;
}

static char **copy_arguments(napi_env env, napi_value value) {
  uint32_t count = 0;
  char **list = NULL;
  if (napi_get_array_length(env, value, &count) == napi_ok && count > 0) {
    list = calloc(count + 1, sizeof *list);
  }
  if (list == NULL) {
    napi_throw_type_error(env, NULL, "not a list of arguments");
    return NULL;
  }
  for (uint32_t i = 0; i < count; i++) {
    napi_value item;
    size_t bytes = 0;
    napi_get_element(env, value, i, &item);
    list[i] = copy_text(env, item, &bytes);
    if (list[i] != NULL && strlen(list[i]) == bytes) continue;
    if (list[i] != NULL) napi_throw_type_error(env, NULL, "an argument has a zero byte in it");
    free_list(list);
    return NULL;
  }
  return list;
}

/* The environment may change on Node's thread while another starts the program. */
static char **copy_environment(void) {
  size_t count = 0;
  while (environ[count] != NULL) count++;
  char **list = calloc(count + 1, sizeof *list);
  for (size_t i = 0; list != NULL && i < count; i++) {
    list[i] = strdup(environ[i]);
    if (list[i] != NULL) continue;
    free_list(list);
    return NULL;
  }
  return list;
}

static napi_value make_text(napi_env env, const struct program_text *text) {
  napi_value value;
  napi_create_string_utf8(env, text->data == NULL ? "" : text->data, text->bytes, &value);
  return value;
}

static napi_value make_result(napi_env env, const struct program *program) {
  int status = program->status;
  int why = program->timed_out ? TIMED_OUT : program->printed_too_much ? PRINTED_TOO_MUCH : ENDED;
  napi_value items[] = {make_int(env, WIFEXITED(status) ? WEXITSTATUS(status) : -1),
                        make_int(env, WIFSIGNALED(status) ? WTERMSIG(status) : 0),
                        make_int(env, why), make_text(env, &program->output),
                        make_text(env, &program->errors)};
  napi_value result;
  napi_create_array(env, &result);
  for (uint32_t i = 0; i < sizeof items / sizeof *items; i++) {
    napi_set_element(env, result, i, items[i]);
  }
  return result;
}

/* On Node's thread. The environment is NULL when it is being torn down: nobody waits any more. */
static void complete(napi_env env, napi_value function, void *context, void *data) {
  (void)function;
  (void)context;
  struct task *task = data;
  if (env != NULL && task->program.failed) {
    napi_value error;
    throw_failure(env, &task->program.failure);
    napi_get_and_clear_last_exception(env, &error);
    napi_reject_deferred(env, task->deferred, error);
  } else if (env != NULL) {
    napi_resolve_deferred(env, task->deferred, make_result(env, &task->program));
  }
  free_task(task);
}

static void *execute(void *data) {
  struct task *task = data;
  napi_threadsafe_function done = task->done;
  program_run(&task->program);
  if (napi_call_threadsafe_function(done, task, napi_tsfn_nonblocking) != napi_ok) free_task(task);
  napi_release_threadsafe_function(done, napi_tsfn_release);
  return NULL;
}

static bool begin(struct task *task) {
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  int error = pthread_create(&thread, &attributes, execute, task);
  pthread_attr_destroy(&attributes);
  return error == 0;
}

static bool take_program(napi_env env, napi_value *a, struct program *program) {
  int32_t output_bytes_max;
  program->arguments = copy_arguments(env, a[0]);
  if (program->arguments == NULL) return false;
  program->input = copy_text(env, a[1], &program->input_bytes);
  if (program->input == NULL || !take_int(env, a[2], &program->timeout_ms) ||
      !take_int(env, a[3], &output_bytes_max)) {
    return false;
  }
  program->output_bytes_max = output_bytes_max < 0 ? 0 : (size_t)output_bytes_max;
  program->environment = copy_environment();
  if (program->environment != NULL) return true;
  napi_throw_error(env, NULL, "out of memory");
  return false;
}

static napi_value run_program(napi_env env, napi_callback_info info) {
  napi_value a[4], name, promise = NULL;
  if (!take_arguments(env, info, 4, a, NULL)) return NULL;
  struct task *task = calloc(1, sizeof *task);
  if (task == NULL || !take_program(env, a, &task->program)) {
    free_task(task);
    return NULL;
  }
  napi_create_string_utf8(env, "runProgram", NAPI_AUTO_LENGTH, &name);
  if (napi_create_threadsafe_function(env, NULL, NULL, name, 0, 1, NULL, NULL, NULL, complete,
                                      &task->done) != napi_ok) {
    free_task(task);
    napi_throw_error(env, NULL, "this Node cannot be called from another thread");
    return NULL;
  }
  napi_create_promise(env, &task->deferred, &promise);
  if (begin(task)) return promise;
  napi_release_threadsafe_function(task->done, napi_tsfn_abort);
  free_task(task);
  napi_throw_error(env, NULL, "no thread can be made");
  return NULL;
}

void export_program(napi_env env, napi_value exports) {
  export_function(env, exports, "runProgram", run_program);
}
