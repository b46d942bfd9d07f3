/* URLs of http and https, and the parts of a request's target. */
#ifndef HTTP_URL_H
#define HTTP_URL_H

#include <weir/weir.h>

/* A URL, taken apart by http-parser. A plain value. */
struct http_url {
    char endpoint[400];    /* "https://host:443", for weir_connect */
    char host[300];        /* as the field Host has it: "host", "host:8080", "[::1]:8080" */
    char target[2048];     /* path and query, as it is sent: "/radio?x=1"; "/" where there is none */
    char credentials[256]; /* "user:password", %XX decoded; "": none */
};

/* 0; -1 with EINVAL of kind USAGE, whose sentence says what is wrong. http and https alone; a fragment is dropped. */
int http_parse_url(const char *text, struct http_url *url);

/*
 * The URL that `location` means, seen from `base` (RFC 3986, 5.2): absolute, "//host/x", "/x", "x", "?x". Spaces and
 * what is no ASCII are taken for what they mean. 0 or -1.
 */
int http_resolve_url(const struct http_url *base, const char *location, struct http_url *url);

/* Where `to` has no credentials and is the same server it has those of `from`; who is elsewhere is not told them. */
void http_keep_credentials(const struct http_url *from, struct http_url *to);

/*
 * Decodes %XX of `size` bytes of text into at most `most - 1` bytes and a NUL. Returns the length; -1 with EINVAL
 * where a % is none, a NUL would come out, or there is no room. `plus`: a + is a space, as in queries.
 */
ssize_t http_unescape(const char *text, size_t size, bool plus, char *to, size_t most);

/*
 * Escapes what may not stand in a path (slashes stay) or (`query`) in a query's value. Returns the length, -1: no
 * room.
 */
ssize_t http_escape(const char *text, bool query, char *to, size_t most);

/* The decoded value of a key in a target's query. 1, 0: it is not there, -1: malformed, or no room. */
int http_query(const char *target, const char *key, char *value, size_t most);

#endif
