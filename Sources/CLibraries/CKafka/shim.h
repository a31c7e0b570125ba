#pragma once
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stddef.h>
#include <stdint.h>

// Swift can't call variadic functions; this gives the one that sends a message a plain form.
// The message's headers are the client's from here on when the call succeeds, and the caller's when it doesn't.
static inline rd_kafka_resp_err_t tracseq_kafka_produce(
    rd_kafka_t *client, const char *topic, int32_t partition, const void *key, size_t key_length, const void *value,
    size_t value_length, rd_kafka_headers_t *headers, void *token) {
  rd_kafka_vu_t arguments[7];
  size_t count = 0;
  arguments[count].vtype = RD_KAFKA_VTYPE_TOPIC;
  arguments[count++].u.cstr = topic;
  arguments[count].vtype = RD_KAFKA_VTYPE_PARTITION;
  arguments[count++].u.i32 = partition;
  arguments[count].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  arguments[count++].u.i = RD_KAFKA_MSG_F_COPY;
  arguments[count].vtype = RD_KAFKA_VTYPE_KEY;
  arguments[count].u.mem.ptr = (void *)key;
  arguments[count++].u.mem.size = key_length;
  arguments[count].vtype = RD_KAFKA_VTYPE_VALUE;
  arguments[count].u.mem.ptr = (void *)value;
  arguments[count++].u.mem.size = value_length;
  arguments[count].vtype = RD_KAFKA_VTYPE_OPAQUE;
  arguments[count++].u.ptr = token;
  if (headers) {
    arguments[count].vtype = RD_KAFKA_VTYPE_HEADERS;
    arguments[count++].u.headers = headers;
  }
  // The error is read from the call that made it, not from the thread's state.
  rd_kafka_error_t *error = rd_kafka_produceva(client, arguments, count);
  rd_kafka_resp_err_t code = rd_kafka_error_code(error);
  if (error) rd_kafka_error_destroy(error);
  return code;
}

// Which things a client tells through its queue.
static inline void tracseq_kafka_set_events(rd_kafka_conf_t *configuration, int is_consumer) {
  int events = RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG | RD_KAFKA_EVENT_STATS;
  events |= is_consumer ? RD_KAFKA_EVENT_FETCH | RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_OFFSET_COMMIT
                        : RD_KAFKA_EVENT_DR;
  rd_kafka_conf_set_events(configuration, events);
}
