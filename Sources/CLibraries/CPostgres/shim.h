#pragma once
#include <errno.h>
#include <libpq-fe.h>
#include <pg_config.h>
#include <poll.h>

/// Waits until the connection's socket can be read (or written, when asked), for at most so many milliseconds.
/// Returns the ready events, 0 when the time ran out, -1 when the socket can't be waited on.
static inline int postgres_wait(const PGconn *connection, int reading, int writing, int milliseconds) {
  struct pollfd entry;
  entry.fd = PQsocket(connection);
  entry.events = (short)((reading ? POLLIN : 0) | (writing ? POLLOUT : 0));
  entry.revents = 0;
  if (entry.fd < 0) return -1;
  int ready = poll(&entry, 1, milliseconds);
  if (ready < 0) return errno == EINTR ? 0 : -1;
  return ready == 0 ? 0 : entry.revents;
}

static inline void postgres_drop_notice(void *context, const PGresult *notice) {
  (void)context;
  (void)notice;
}

/// Keeps the server's notices ("relation exists, skipping") off the standard error stream of the program.
static inline void postgres_silence_notices(PGconn *connection) {
  PQsetNoticeReceiver(connection, postgres_drop_notice, 0);
}

/// Begins a connection: first which kind of server is wanted among several, which the URL may say otherwise; then the
/// URL, which libpq expands; then what wins over anything that stands in it. A dead peer is noticed within some seconds.
static inline PGconn *postgres_start(const char *url, const char *application_name, const char *target) {
  const char *const keywords[] = {"target_session_attrs", "dbname",          "application_name",    "client_encoding",
                                  "keepalives",           "keepalives_idle", "keepalives_interval", "keepalives_count",
                                  "tcp_user_timeout",     0};
  const char *const values[] = {target, url, application_name, "UTF8", "1", "5", "2", "3", "8000", 0};
  return PQconnectStartParams(keywords, values, 1);
}

/// The version of the headers, as 150018 for 15.18.
static inline int postgres_header_version(void) { return PG_VERSION_NUM; }
