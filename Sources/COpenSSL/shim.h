#pragma once
#include <string.h>
#include <openssl/ssl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ec.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/objects.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <openssl/x509_vfy.h>
#include <openssl/pem.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>

// OpenSSL offers much of its API as macros and variadic functions, which Swift cannot call. These say the same.

static inline int shim_ssl_ctx_set_protocols(SSL_CTX *ctx, int lowest, int highest) {
  return SSL_CTX_set_min_proto_version(ctx, lowest) && SSL_CTX_set_max_proto_version(ctx, highest);
}
static inline void shim_ssl_ctx_set_mode(SSL_CTX *ctx, long mode) { SSL_CTX_set_mode(ctx, mode); }
static inline void shim_ssl_ctx_set_session_cache_mode(SSL_CTX *ctx, long mode) {
  SSL_CTX_set_session_cache_mode(ctx, mode);
}
static inline int shim_ssl_ctx_add1_chain_cert(SSL_CTX *ctx, X509 *certificate) {
  return (int)SSL_CTX_add1_chain_cert(ctx, certificate);
}
static inline int shim_ssl_ctx_set_groups(SSL_CTX *ctx, const char *groups) {
  return (int)SSL_CTX_set1_groups_list(ctx, groups);
}
static inline void shim_ssl_ctx_set_server_name_callback(
    SSL_CTX *ctx, int (*callback)(SSL *, int *, void *), void *argument) {
  SSL_CTX_set_tlsext_servername_callback(ctx, callback);
  SSL_CTX_set_tlsext_servername_arg(ctx, argument);
}
static inline int shim_ssl_set_server_name(SSL *ssl, const char *name) {
  return (int)SSL_set_tlsext_host_name(ssl, name);
}
static inline int shim_ssl_extms(SSL *ssl) { return (int)SSL_get_extms_support(ssl); }
static inline int shim_err_lib(unsigned long code) { return ERR_GET_LIB(code); }
static inline int shim_err_reason(unsigned long code) { return ERR_GET_REASON(code); }
static inline EVP_PKEY *shim_new_p256_key(void) { return EVP_EC_gen("P-256"); }
static inline int shim_general_names_count(GENERAL_NAMES *names) { return sk_GENERAL_NAME_num(names); }
/// The name at `index` if it is a dNSName, otherwise null.
static inline const ASN1_STRING *shim_dns_name(GENERAL_NAMES *names, int index) {
  GENERAL_NAME *name = sk_GENERAL_NAME_value(names, index);
  return name != NULL && name->type == GEN_DNS ? name->d.dNSName : NULL;
}
static inline int shim_email_count(STACK_OF(OPENSSL_STRING) *emails) { return sk_OPENSSL_STRING_num(emails); }
static inline const char *shim_email(STACK_OF(OPENSSL_STRING) *emails, int index) {
  return sk_OPENSSL_STRING_value(emails, index);
}
static inline STACK_OF(OPENSSL_STRING) *shim_x509_emails(X509 *certificate) { return X509_get1_email(certificate); }
static inline void shim_emails_free(STACK_OF(OPENSSL_STRING) *emails) { X509_email_free(emails); }
static inline BIO *shim_bio_for_reading(const void *bytes, int count) { return BIO_new_mem_buf(bytes, count); }
static inline long shim_bio_contents(BIO *bio, char **start) { return BIO_get_mem_data(bio, start); }
static inline void shim_bio_clear_retry(BIO *bio) { BIO_clear_retry_flags(bio); }
static inline void shim_bio_set_retry_read(BIO *bio) { BIO_set_retry_read(bio); }
static inline EVP_PKEY *shim_new_rsa_key(size_t bits) { return EVP_RSA_gen(bits); }
static inline EVP_PKEY *shim_new_ed25519_key(void) { return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"); }
