#pragma once
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <stdlib.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#ifdef __linux__
#include <sys/epoll.h>
#include <sys/eventfd.h>
#endif

// open is variadic, which Swift can't call.
static inline int saga_open(const char *path, int flags, mode_t mode) { return open(path, flags, mode); }

// glibc gives threads up to eight heaps for each processor, and memory that one heap has free is not there for the others.
// It also keeps large blocks that were freed, once a block of their size was freed before. So a process that runs for long
// keeps a multiple of what it uses. One heap for each processor, and at least two, are enough: not more threads than that
// run at the same time. A block of 1 MiB and more goes back to the system when it is freed. The environment may set both
// otherwise (MALLOC_ARENA_MAX, MALLOC_MMAP_THRESHOLD_).
static inline void saga_limit_heaps(void) {
#ifdef __GLIBC__
  long processors = sysconf(_SC_NPROCESSORS_ONLN);
  if (getenv("MALLOC_ARENA_MAX") == NULL) mallopt(M_ARENA_MAX, processors > 2 ? (int)processors : 2);
  if (getenv("MALLOC_MMAP_THRESHOLD_") == NULL) mallopt(M_MMAP_THRESHOLD, 1 << 20);
#endif
}
