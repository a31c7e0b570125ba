#pragma once
#include <microhttpd.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

// Swift can't call variadic functions; these give each call that is needed a plain form.

struct tracseq_mhd_callbacks {
  MHD_AccessHandlerCallback access;
  void *(*uri)(void *context, const char *uri, struct MHD_Connection *connection);
  MHD_RequestCompletedCallback completed;
  void *context;
};

static inline void tracseq_mhd_log_nothing(void *context, const char *format, va_list arguments) {
  (void)context, (void)format, (void)arguments;
}

static inline struct MHD_Daemon *tracseq_mhd_start(
    size_t memory_limit, unsigned int connection_limit, struct tracseq_mhd_callbacks callbacks) {
  unsigned int flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ERROR_LOG | MHD_USE_ITC | MHD_ALLOW_SUSPEND_RESUME |
                       MHD_USE_NO_LISTEN_SOCKET;
#ifdef __linux__
  flags |= MHD_USE_EPOLL;
#else
  flags |= MHD_USE_POLL;
#endif
  return MHD_start_daemon(
      flags, 0, NULL, NULL, callbacks.access, callbacks.context,
      // First, so that nothing is said on standard error.
      MHD_OPTION_EXTERNAL_LOGGER, tracseq_mhd_log_nothing, NULL,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, memory_limit,
      MHD_OPTION_CONNECTION_LIMIT, connection_limit,
      MHD_OPTION_URI_LOG_CALLBACK, callbacks.uri, callbacks.context,
      MHD_OPTION_NOTIFY_COMPLETED, callbacks.completed, callbacks.context,
      MHD_OPTION_END);
}

static inline int tracseq_mhd_socket(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  return info ? (int)info->connect_fd : -1;
}

// Gives libmicrohttpd a connected socket, which it closes in every case.
static inline enum MHD_Result tracseq_mhd_add_connection(struct MHD_Daemon *daemon, int connected) {
  // The address is only stored: the client's own is known to whoever accepted it.
  struct sockaddr_in nowhere = {.sin_family = AF_INET};
  return MHD_add_connection(daemon, connected, (const struct sockaddr *)&nowhere, sizeof nowhere);
}
