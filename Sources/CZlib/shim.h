#pragma once
#include <zlib.h>

// deflateInit2 is a macro, which Swift cannot call. 16 more window bits mean the gzip format.

static inline int shim_deflate_init_gzip(z_stream *stream) {
  return deflateInit2(stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
}
