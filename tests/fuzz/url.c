/*
 * URLs, references, escapes, queries, dates and credentials: what is read is an endpoint to the library and a target
 * that can be sent, and what was written is read as the same.
 *
 * The input: two texts with a newline between them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/endpoint.h>

#include "fuzz.h"
#include "http/base64.h"
#include "http/server.h"
#include "http/url.h"

static void require_url(const struct http_url *url, const char *text)
{
    weir_endpoint endpoint;
    fuzz_require(weir_parse_endpoint(url->endpoint, NULL, &endpoint) == 0, "'%s' of '%s'", url->endpoint, text);
    fuzz_require(endpoint.scheme == WEIR_SCHEME_HTTP || endpoint.scheme == WEIR_SCHEME_HTTPS, "'%s'", url->endpoint);
    fuzz_require(endpoint.port > 0 && *url->host, "'%s'", url->endpoint);
    fuzz_require(*url->target == '/', "'%s' of '%s'", url->target, text);
    for (const char *byte = url->target; *byte; byte++)
        fuzz_require(*byte > ' ' && *byte < 0x7f && *byte != '#', "'%s' of '%s'", url->target, text);
    for (const char *byte = url->host; *byte; byte++)
        fuzz_require(*byte > ' ' && *byte < 0x7f && !strchr("/?#@", *byte), "'%s' of '%s'", url->host, text);
    fuzz_require(!*url->credentials || strchr(url->credentials, ':'), "'%s' of '%s'", url->credentials, text);
}

static void require_same(const struct http_url *one, const struct http_url *other)
{
    fuzz_require(strcmp(one->endpoint, other->endpoint) == 0 && strcmp(one->host, other->host) == 0 &&
                     strcmp(one->target, other->target) == 0,
                 "'%s%s', '%s%s'", one->endpoint, one->target, other->endpoint, other->target);
}

/* Written from its parts it is the same URL. */
static void require_round_trip(const struct http_url *url)
{
    char text[sizeof url->endpoint + sizeof url->target];
    struct http_url again;
    strcpy(stpcpy(text, url->endpoint), url->target);
    fuzz_require(http_parse_url(text, &again) == 0, "%s", weir_error()->sentence);
    require_same(url, &again);
}

static void require_refused(const char *text)
{
    fuzz_require(errno == EINVAL && weir_error()->kind == WEIR_ERROR_USAGE, "errno %d", errno);
    fuzz_require(fuzz_is_showable(weir_error()->sentence, strlen(weir_error()->sentence)), "'%s'", text);
}

/* No folder that leads up or nowhere is left in a path. */
static void require_no_dots(const char *target)
{
    size_t length = strcspn(target, "?");
    for (size_t at = 0; at < length;) {
        size_t size = 1 + strcspn(target + at + 1, "/?");
        bool dots = (size == 2 && target[at + 1] == '.') || (size == 3 && memcmp(target + at + 1, "..", 2) == 0);
        fuzz_require(!dots, "'%s'", target);
        at += size;
    }
}

static void try_reference(const char *base, const char *location)
{
    struct http_url from, to, again;
    if (http_parse_url(base, &from) < 0) {
        require_refused(base);
        return;
    }
    require_url(&from, base);
    require_round_trip(&from);
    if (http_resolve_url(&from, location, &to) < 0) {
        require_refused(location);
        return;
    }
    require_url(&to, location);
    require_no_dots(to.target);
    fuzz_require(http_resolve_url(&from, to.target, &again) == 0 || strncmp(to.target, "//", 2) == 0, "'%s'",
                 to.target);
}

static void try_escapes(const char *text)
{
    size_t length = strlen(text), room = 3 * length + 1;
    char *escaped = fuzz_alloc(room), *plain = fuzz_alloc(length + 1);
    for (int query = 0; query <= 1; query++) {
        ssize_t size = http_escape(text, query, escaped, room);
        fuzz_require(size >= 0 && (size_t)size == strlen(escaped), "%zd", size);
        fuzz_require(!strpbrk(escaped, " <>\"#?&+=\\") || (!query && !strpbrk(escaped, " <>\"#?\\")), "'%s'", escaped);
        fuzz_require(http_unescape(escaped, (size_t)size, query, plain, length + 1) == (ssize_t)length, "'%s'",
                     escaped);
        fuzz_require(strcmp(plain, text) == 0, "'%s', '%s'", plain, text);
    }
    if (http_unescape(text, length, true, plain, length + 1) >= 0)
        fuzz_require(strlen(plain) <= length, "'%s'", plain);
    free(escaped);
    free(plain);
}

static void try_query(const char *target, const char *key)
{
    char *value = fuzz_alloc(64);
    int got = http_query(target, key, value, 64);
    fuzz_require(got >= -1 && got <= 1, "%d", got);
    fuzz_require(got != 1 || (strlen(value) < 64 && strchr(target, '?')), "'%s'", target);
    free(value);
}

static void try_date(const char *text)
{
    char written[HTTP_DATE_SIZE];
    int64_t date = http_parse_date(text);
    fuzz_require(date >= -1, "'%s'", text);
    if (date < 0)
        return;
    http_date(date, written);
    fuzz_require(http_parse_date(written) == date, "'%s' of '%s'", written, text);
}

static void try_credentials(const char *text)
{
    char plain[100], written[160], again[100];
    if (!http_basic_decode(text, plain, sizeof plain))
        return;
    fuzz_require(strchr(plain, ':'), "'%s'", plain);
    fuzz_require(http_basic_encode(plain, written, sizeof written), "'%s'", plain);
    fuzz_require(http_basic_decode(written, again, sizeof again) && strcmp(plain, again) == 0, "'%s'", plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *newline = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t first = newline ? (size_t)(newline - data) : size;
    char *one = fuzz_string(data, first),
         *other = fuzz_string(data + first + (newline != NULL), size - first - (newline != NULL));
    try_reference(one, other);
    try_escapes(one);
    try_query(one, other);
    try_date(one);
    try_credentials(one);
    free(one);
    free(other);
    return 0;
}
