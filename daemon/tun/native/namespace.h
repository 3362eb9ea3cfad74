/* Network namespaces. A thread enters one, makes a device or a socket there, and leaves; what it
 * made stays in that namespace. setns(2) acts on the calling thread alone. */
#ifndef VPCLAB_NAMESPACE_H
#define VPCLAB_NAMESPACE_H

#include "failure.h"

/* Opens a namespace by path (/run/netns/name); the empty path is the thread's own. The descriptor
 * holds the namespace and is the caller's to close. Returns -1 on failure. */
int namespace_open(const char *path, struct failure *failure);

/* Enters the namespace. Returns a descriptor to give to namespace_leave(), -1 on failure. */
int namespace_enter(int namespace_fd, struct failure *failure);

/* Goes back to where namespace_enter() was called, and keeps errno. It ends the process if the
 * kernel refuses: a thread in the wrong namespace would misdeliver everything from then on. */
void namespace_leave(int previous_fd);

#endif
