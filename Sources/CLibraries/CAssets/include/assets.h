#ifndef TRACSEQ_ASSETS_H
#define TRACSEQ_ASSETS_H

#include <stddef.h>

/// One file of the repository that the program carries.
typedef struct {
  /// Its path from the repository's root, as `console/app.js`.
  const char *path;
  const unsigned char *bytes;
  size_t count;
} tracseq_asset;

/// Every file that the program carries, in the order of the paths.
const tracseq_asset *tracseq_assets(size_t *count);

#endif
