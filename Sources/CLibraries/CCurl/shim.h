#pragma once
#include <curl/curl.h>

// Swift can't call variadic functions; these give each type of argument a plain form.

static inline CURLcode tracseq_curl_set_long(CURL *easy, CURLoption option, long value) {
  return curl_easy_setopt(easy, option, value);
}
static inline CURLcode tracseq_curl_set_offset(CURL *easy, CURLoption option, curl_off_t value) {
  return curl_easy_setopt(easy, option, value);
}
static inline CURLcode tracseq_curl_set_text(CURL *easy, CURLoption option, const char *value) {
  return curl_easy_setopt(easy, option, value);
}
static inline CURLcode tracseq_curl_set_pointer(CURL *easy, CURLoption option, void *value) {
  return curl_easy_setopt(easy, option, value);
}
static inline CURLcode tracseq_curl_set_list(CURL *easy, struct curl_slist *value) {
  return curl_easy_setopt(easy, CURLOPT_HTTPHEADER, value);
}
static inline CURLcode tracseq_curl_set_data(
    CURL *easy, CURLoption option, size_t (*value)(char *, size_t, size_t, void *)) {
  return curl_easy_setopt(easy, option, value);
}
static inline CURLcode tracseq_curl_set_before_request(CURL *easy, curl_prereq_callback value, void *context) {
  CURLcode code = curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, value);
  return code ? code : curl_easy_setopt(easy, CURLOPT_PREREQDATA, context);
}
// Looks at the address of each connection before it is opened: `address` has `length` bytes, as in a sockaddr.
typedef struct {
  int (*may_connect)(void *context, int family, const void *address, size_t length);
  void *context;
} tracseq_curl_peer_check;
static inline curl_socket_t tracseq_curl_open_checked(void *data, curlsocktype purpose, struct curl_sockaddr *address) {
  (void)purpose;
  const tracseq_curl_peer_check *check = data;
  const void *bytes = &address->addr;
  if (!check->may_connect(check->context, address->family, bytes, address->addrlen)) return CURL_SOCKET_BAD;
  return socket(address->family, address->socktype, address->protocol);
}
// `check` must live as long as the transfer.
static inline CURLcode tracseq_curl_set_peer_check(CURL *easy, tracseq_curl_peer_check *check) {
  CURLcode code = curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, tracseq_curl_open_checked);
  return code ? code : curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, check);
}
static inline long tracseq_curl_get_long(CURL *easy, CURLINFO info) {
  long value = 0;
  return curl_easy_getinfo(easy, info, &value) == CURLE_OK ? value : 0;
}
static inline CURLMcode tracseq_curl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
  return curl_multi_setopt(multi, option, value);
}
