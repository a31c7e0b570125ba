#pragma once
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

// A key that has a password can't be read: nobody is asked for one.
static inline int saga_no_password(char *buffer, int size, int writing, void *data) {
  (void)buffer; (void)size; (void)writing; (void)data;
  return -1;
}
static inline EVP_PKEY *saga_read_private_key(BIO *bio) {
  return PEM_read_bio_PrivateKey(bio, NULL, saga_no_password, NULL);
}
static inline EVP_PKEY *saga_read_public_key(BIO *bio) { return PEM_read_bio_PUBKEY(bio, NULL, saga_no_password, NULL); }
