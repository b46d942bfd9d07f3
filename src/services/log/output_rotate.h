/* Files that have grown: renamed to PATH.1, that to PATH.2, and so on. */
#ifndef SERVICES_LOG_OUTPUT_ROTATE_H
#define SERVICES_LOG_OUTPUT_ROTATE_H

#include <stdint.h>

/*
 * Moves an open file away from its path, `keep` of its predecessors included, unless another process has done so already. On
 * the pool: parks. 0, or -1 with an error.
 */
int output_rotate(const char *path, int64_t keep, int fd);

#endif
