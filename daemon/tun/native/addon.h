/* Node-API helpers of the glue: arguments in, errors out. Only addon*.c see Node. */
#ifndef VPCLAB_ADDON_H
#define VPCLAB_ADDON_H

#include <node_api.h>
#include <stdbool.h>
#include <stdint.h>

#include "failure.h"

/* The longest path or address that is passed in, with its final zero. */
#define TEXT_BYTES_MAX 4096

/* Reads exactly `count` arguments; otherwise a TypeError is pending and the result is false. */
bool take_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *arguments,
                    napi_value *receiver);
bool take_int(napi_env env, napi_value value, int32_t *out);
bool take_text(napi_env env, napi_value value, char out[TEXT_BYTES_MAX]);

/* Memory of an ArrayBuffer of at least `bytes_min` bytes. */
bool take_buffer(napi_env env, napi_value value, size_t bytes_min, void **data, size_t *bytes);

napi_value make_int(napi_env env, int64_t value);

/* Makes an Error pending: `code` is the errno's name, `message` the step that failed. Returns
 * NULL. */
napi_value throw_failure(napi_env env, const struct failure *failure);
/* Name of an errno, "EBADFD". */
const char *errno_name(int number);

/* Adds a function to the exports. */
void export_function(napi_env env, napi_value exports, const char *name, napi_callback function);

/* addon_system.c: doorbell, shared memory, files of namespaces. */
void export_system(napi_env env, napi_value exports);
/* addon_datagrams.c: many datagrams by one call. */
void export_datagrams(napi_env env, napi_value exports);

/* addon_esp.c: ESP over an arena. */
void export_esp(napi_env env, napi_value exports);

/* addon_program.c: programs that run to their end. */
void export_program(napi_env env, napi_value exports);

#endif
