#include "CCurl.h"
#include <dlfcn.h>

#ifdef __APPLE__
static const char name[] = "libcurl.4.dylib";
#else
static const char name[] = "libcurl.so.4";
#endif

struct ccurl_functions ccurl;

int ccurl_open(void) {
  void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (!library) return 0;
  const struct {
    const char *name;
    void **function;
  } functions[] = {
      {"curl_global_init", (void **)&ccurl.global_init},
      {"curl_easy_init", (void **)&ccurl.easy_init},
      {"curl_easy_cleanup", (void **)&ccurl.easy_cleanup},
      {"curl_easy_perform", (void **)&ccurl.easy_perform},
      {"curl_easy_strerror", (void **)&ccurl.easy_strerror},
      {"curl_easy_setopt", (void **)&ccurl.easy_setopt},
      {"curl_easy_getinfo", (void **)&ccurl.easy_getinfo},
      {"curl_slist_append", (void **)&ccurl.slist_append},
      {"curl_slist_free_all", (void **)&ccurl.slist_free_all},
  };
  for (size_t index = 0; index < sizeof functions / sizeof *functions; index++) {
    *functions[index].function = dlsym(library, functions[index].name);
    if (!*functions[index].function) return 0;
  }
  return ccurl.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}
