#pragma once
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/epoll.h>
#include <sys/eventfd.h>
#endif

// open is variadic, which Swift can't call.
static inline int saga_open(const char *path, int flags, mode_t mode) { return open(path, flags, mode); }
