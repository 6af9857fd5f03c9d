#pragma once
// Its checks are macros that name the functions.
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

// libcurl brings some forty libraries, which cost every process ten megabytes, and most never fetch anything. So it is
// opened when the first document is, and its functions are called through this table. A call of one by its own name
// does not link.

#undef curl_easy_setopt
#undef curl_easy_getinfo

struct ccurl_functions {
  CURLcode (*global_init)(long);
  CURL *(*easy_init)(void);
  void (*easy_cleanup)(CURL *);
  CURLcode (*easy_perform)(CURL *);
  const char *(*easy_strerror)(CURLcode);
  CURLcode (*easy_setopt)(CURL *, CURLoption, ...);
  CURLcode (*easy_getinfo)(CURL *, CURLINFO, ...);
  struct curl_slist *(*slist_append)(struct curl_slist *, const char *);
  void (*slist_free_all)(struct curl_slist *);
};

/// Filled by `ccurl_open`.
extern struct ccurl_functions ccurl;

/// Opens the library and prepares it. To be called once, before anything else here; never undone.
/// Returns 0 where it is not installed, or lacks a function.
int ccurl_open(void);

static inline CURL *shim_curl_init(void) { return ccurl.easy_init(); }
static inline void shim_curl_cleanup(CURL *handle) { ccurl.easy_cleanup(handle); }
static inline CURLcode shim_curl_perform(CURL *handle) { return ccurl.easy_perform(handle); }
static inline const char *shim_curl_words(CURLcode code) { return ccurl.easy_strerror(code); }
static inline struct curl_slist *shim_curl_append(struct curl_slist *list, const char *text) {
  return ccurl.slist_append(list, text);
}
static inline void shim_curl_free(struct curl_slist *list) { ccurl.slist_free_all(list); }

// curl_easy_setopt and curl_easy_getinfo are variadic, which Swift cannot call. These say the same.

static inline CURLcode shim_curl_set_number(CURL *handle, CURLoption option, long value) {
  return ccurl.easy_setopt(handle, option, value);
}
/// For options whose text curl copies.
static inline CURLcode shim_curl_set_text(CURL *handle, CURLoption option, const char *value) {
  return ccurl.easy_setopt(handle, option, value);
}
static inline CURLcode shim_curl_set_list(CURL *handle, CURLoption option, struct curl_slist *value) {
  return ccurl.easy_setopt(handle, option, value);
}
/// PEM certificates that are trusted in place of the system's. curl copies them.
static inline CURLcode shim_curl_set_authorities(CURL *handle, const void *pem, size_t count) {
  struct curl_blob blob = {(void *)pem, count, CURL_BLOB_COPY};
  return ccurl.easy_setopt(handle, CURLOPT_CAINFO_BLOB, &blob);
}
/// What is posted. curl copies it; the size goes first, for there may be zeros in it.
static inline CURLcode shim_curl_set_post(CURL *handle, const void *bytes, size_t count) {
  CURLcode result = ccurl.easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)count);
  return result != CURLE_OK ? result : ccurl.easy_setopt(handle, CURLOPT_COPYPOSTFIELDS, bytes);
}
static inline CURLcode shim_curl_set_writer(
    CURL *handle, size_t (*write)(char *, size_t, size_t, void *), void *argument) {
  CURLcode result = ccurl.easy_setopt(handle, CURLOPT_WRITEFUNCTION, write);
  return result != CURLE_OK ? result : ccurl.easy_setopt(handle, CURLOPT_WRITEDATA, argument);
}
static inline CURLcode shim_curl_set_progress(
    CURL *handle, int (*progress)(void *, curl_off_t, curl_off_t, curl_off_t, curl_off_t), void *argument) {
  CURLcode result = ccurl.easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, progress);
  if (result == CURLE_OK) result = ccurl.easy_setopt(handle, CURLOPT_XFERINFODATA, argument);
  return result != CURLE_OK ? result : ccurl.easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
}
static inline CURLcode shim_curl_set_error_buffer(CURL *handle, char *buffer) {
  return ccurl.easy_setopt(handle, CURLOPT_ERRORBUFFER, buffer);
}
static inline long shim_curl_status(CURL *handle) {
  long status = 0;
  ccurl.easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  return status;
}
static inline const char *shim_curl_content_type(CURL *handle) {
  char *type = NULL;
  ccurl.easy_getinfo(handle, CURLINFO_CONTENT_TYPE, &type);
  return type;
}
