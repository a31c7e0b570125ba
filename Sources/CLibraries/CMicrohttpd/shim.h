#pragma once
#include <microhttpd.h>
#include <stddef.h>
#include <stdint.h>

// Swift can't call variadic functions; these give each call that is needed a plain form.

struct tracseq_mhd_callbacks {
  MHD_AccessHandlerCallback access;
  void *(*uri)(void *context, const char *uri, struct MHD_Connection *connection);
  MHD_RequestCompletedCallback completed;
  MHD_NotifyConnectionCallback connection;
  void *context;
};

static inline void tracseq_mhd_log_nothing(void *context, const char *format, va_list arguments) {
  (void)context, (void)format, (void)arguments;
}

static inline struct MHD_Daemon *tracseq_mhd_start(
    int listen_socket, size_t memory_limit, unsigned int connection_limit, unsigned int idle_seconds,
    struct tracseq_mhd_callbacks callbacks) {
  unsigned int flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ERROR_LOG | MHD_USE_ITC | MHD_ALLOW_SUSPEND_RESUME;
#ifdef __linux__
  flags |= MHD_USE_EPOLL;
#else
  flags |= MHD_USE_POLL;
#endif
  return MHD_start_daemon(
      flags, 0, NULL, NULL, callbacks.access, callbacks.context,
      // First, so that nothing is said on standard error.
      MHD_OPTION_EXTERNAL_LOGGER, tracseq_mhd_log_nothing, NULL,
      MHD_OPTION_LISTEN_SOCKET, listen_socket,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, memory_limit,
      MHD_OPTION_CONNECTION_LIMIT, connection_limit,
      MHD_OPTION_CONNECTION_TIMEOUT, idle_seconds,
      MHD_OPTION_URI_LOG_CALLBACK, callbacks.uri, callbacks.context,
      MHD_OPTION_NOTIFY_COMPLETED, callbacks.completed, callbacks.context,
      MHD_OPTION_NOTIFY_CONNECTION, callbacks.connection, callbacks.context,
      MHD_OPTION_END);
}

static inline int tracseq_mhd_socket(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  return info ? (int)info->connect_fd : -1;
}

static inline const struct sockaddr *tracseq_mhd_peer(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  return info ? info->client_addr : NULL;
}

// A connection's own place for a pointer, set when it is accepted.
static inline void *tracseq_mhd_socket_context(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  return info ? info->socket_context : NULL;
}
