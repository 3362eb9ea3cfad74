/* See namespace.h. */
#include "namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OWN_NAMESPACE "/proc/thread-self/ns/net"

int namespace_open(const char *path, struct failure *failure) {
  int fd = open(path[0] == '\0' ? OWN_NAMESPACE : path, O_RDONLY | O_CLOEXEC);
  return fd < 0 ? fail(failure, "open namespace") : fd;
}

int namespace_enter(int namespace_fd, struct failure *failure) {
  int previous = open(OWN_NAMESPACE, O_RDONLY | O_CLOEXEC);
  if (previous < 0) return fail(failure, "open " OWN_NAMESPACE);
  if (setns(namespace_fd, CLONE_NEWNET) < 0) {
    fail(failure, "setns");
    close(previous);
    return -1;
  }
  return previous;
}

void namespace_leave(int previous_fd) {
  int kept = errno;
  if (setns(previous_fd, CLONE_NEWNET) < 0) {
    perror("vpclab: cannot return to the network namespace of the thread");
    abort();
  }
  close(previous_fd);
  errno = kept;
}
