/* The paths of requests, and which of them can be mounts. */
#ifndef STREAM_PATHS_H
#define STREAM_PATHS_H

#include "../../http/url.h"
#include "stream.h"

enum { PATH_MOST = 200 };

/* Players on other sites' pages may read it. */
#define CROSS_ORIGIN "Access-Control-Allow-Origin: *\r\n"

/* The path of what was asked for, decoded, without its query. False: it is malformed or too long. */
bool path_of(const struct http_exchange *exchange, char path[PATH_MOST]);

/* Whether a mount can be called so: letters, digits, - . _ ~ and single slashes, no name that begins with a dot. */
bool path_is_mount(const char *path);

/* Whether something else than a mount is there: see the table in routes.c. */
bool path_is_reserved(const char *path);

#endif
