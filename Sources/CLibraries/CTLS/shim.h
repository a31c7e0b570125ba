#pragma once
#include <limits.h>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

// The server's side of TLS by OpenSSL. Most settings of OpenSSL are macros, which Swift can't call. No function here
// touches a socket: bytes go in and out through memory.

// A key that has a password can't be read: the program asks for no password.
static inline int saga_tls_no_password(char *buffer, int size, int writing, void *data) {
  (void)buffer; (void)size; (void)writing; (void)data;
  return -1;
}

// Of the protocols that a client offers (ALPN, RFC 7301), the server speaks HTTP/1.1 only.
static inline int saga_tls_choose(
    SSL *session, const unsigned char **chosen, unsigned char *length, const unsigned char *offered,
    unsigned int size, void *context) {
  static const unsigned char spoken[] = "\x08http/1.1";
  (void)session; (void)context;
  return SSL_select_next_proto((unsigned char **)chosen, length, spoken, sizeof spoken - 1, offered, size) ==
                 OPENSSL_NPN_NEGOTIATED
             ? SSL_TLSEXT_ERR_OK
             : SSL_TLSEXT_ERR_ALERT_FATAL;
}

// TLS 1.2 and 1.3 with forward secrecy. Keys of less than 112 bits of security, such as RSA with 1024 bits, are refused.
static inline SSL_CTX *saga_tls_context(void) {
  ERR_clear_error();
  SSL_CTX *context = SSL_CTX_new(TLS_server_method());
  if (context == NULL) return NULL;
  SSL_CTX_set_security_level(context, 2);
  if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 || SSL_CTX_set_max_proto_version(context, 0) != 1 ||
      SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!PSK") != 1) {
    SSL_CTX_free(context);
    return NULL;
  }
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  // A connection that is idle holds no buffers.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  // Clients keep what resumes a session themselves, in a ticket.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_alpn_select_cb(context, saga_tls_choose, NULL);
  return context;
}

static inline BIO *saga_tls_bytes(const void *bytes, size_t count) {
  return count > INT_MAX ? NULL : BIO_new_mem_buf(bytes, (int)count);
}

// Returns the next certificate of a PEM file; NULL at its end, and with an error in the queue for one that can't be read.
static inline X509 *saga_tls_next_certificate(BIO *pem) {
  ERR_clear_error();
  X509 *certificate = PEM_read_bio_X509(pem, NULL, saga_tls_no_password, NULL);
  unsigned long error = ERR_peek_last_error();
  if (certificate == NULL && ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE)
    ERR_clear_error();
  return certificate;
}

static inline EVP_PKEY *saga_tls_private_key(BIO *pem) {
  ERR_clear_error();
  return PEM_read_bio_PrivateKey(pem, NULL, saga_tls_no_password, NULL);
}

// The context takes over the certificate, when this succeeds.
static inline int saga_tls_add_issuer(SSL_CTX *context, X509 *certificate) {
  ERR_clear_error();
  return (int)SSL_CTX_add0_chain_cert(context, certificate);
}

static inline int saga_tls_use(SSL_CTX *context, X509 *certificate) {
  ERR_clear_error();
  return SSL_CTX_use_certificate(context, certificate);
}

static inline int saga_tls_use_key(SSL_CTX *context, EVP_PKEY *key) {
  ERR_clear_error();
  return SSL_CTX_use_PrivateKey(context, key);
}

static inline int saga_tls_fits(X509 *certificate, EVP_PKEY *key) {
  ERR_clear_error();
  return X509_check_private_key(certificate, key) == 1;
}

// Writes the seconds since 1970. Returns 0 for a time that can't be read.
static inline int saga_tls_seconds(const ASN1_TIME *time, int64_t *seconds) {
  struct tm parts;
  if (time == NULL || ASN1_TIME_to_tm(time, &parts) != 1) return 0;
  *seconds = (int64_t)timegm(&parts);
  return 1;
}

static inline int saga_tls_not_before(const X509 *certificate, int64_t *seconds) {
  return saga_tls_seconds(X509_get0_notBefore(certificate), seconds);
}
static inline int saga_tls_not_after(const X509 *certificate, int64_t *seconds) {
  return saga_tls_seconds(X509_get0_notAfter(certificate), seconds);
}

// Writes why the last call failed, in OpenSSL's words, and empties the queue of errors.
static inline void saga_tls_why(char *text, size_t room) {
  unsigned long error = ERR_peek_last_error();
  const char *reason = error == 0 ? NULL : ERR_reason_error_string(error);
  strncpy(text, reason == NULL ? "" : reason, room - 1);
  text[room - 1] = 0;
  ERR_clear_error();
}

// A connection that reads from memory and writes to memory.
static inline SSL *saga_tls_session(SSL_CTX *context) {
  ERR_clear_error();
  SSL *session = SSL_new(context);
  if (session == NULL) return NULL;
  BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
  if (in == NULL || out == NULL) {
    BIO_free(in);
    BIO_free(out);
    SSL_free(session);
    return NULL;
  }
  SSL_set_bio(session, in, out);
  SSL_set_accept_state(session);
  return session;
}

static inline int saga_tls_feed(SSL *session, const void *bytes, int count) {
  return BIO_write(SSL_get_rbio(session), bytes, count);
}

// Returns how many bytes were read; else 0 when more is needed, -1 when the client has ended its side, and -2 when the
// connection is broken.
static inline int saga_tls_read(SSL *session, void *room, int size) {
  ERR_clear_error();
  int count = SSL_read(session, room, size);
  if (count > 0) return count;
  switch (SSL_get_error(session, count)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: return 0;
    case SSL_ERROR_ZERO_RETURN: return -1;
    default: ERR_clear_error(); return -2;
  }
}

// Writes everything, which memory always takes. Returns whether it did.
static inline int saga_tls_write(SSL *session, const void *bytes, int count) {
  ERR_clear_error();
  if (SSL_write(session, bytes, count) == count) return 1;
  ERR_clear_error();
  return 0;
}

static inline int saga_tls_is_open(const SSL *session) { return SSL_is_init_finished(session); }

// Says that no more bytes come.
static inline void saga_tls_end(SSL *session) {
  ERR_clear_error();
  (void)SSL_shutdown(session);
  ERR_clear_error();
}

// Returns how many bytes of what is to be sent were taken.
static inline int saga_tls_take(SSL *session, void *room, int size) {
  int count = BIO_read(SSL_get_wbio(session), room, size);
  return count > 0 ? count : 0;
}
