/* How a failed call is reported to whoever asked for it: the step, and its errno. */
#ifndef VPCLAB_FAILURE_H
#define VPCLAB_FAILURE_H

#include <errno.h>

struct failure {
  const char *step; /* a literal: "ioctl TUNSETIFF" */
  int number;       /* errno */
};

/* Notes the present errno. Returns -1, so that a function can end with it. */
static inline int fail(struct failure *failure, const char *step) {
  failure->number = errno;
  failure->step = step;
  return -1;
}

#endif
