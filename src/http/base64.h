/* Basic credentials (RFC 7617). */
#ifndef HTTP_BASE64_H
#define HTTP_BASE64_H

#include <weir/weir.h>

/* "Basic dXNlcjpwYXNz" as "user:pass" (by libsodium). True if that is what it was and there was room. */
bool http_basic_decode(const char *authorization, char *credentials, size_t most);

/* "user:pass" as "Basic dXNlcjpwYXNz". */
bool http_basic_encode(const char *credentials, char *authorization, size_t most);

#endif
