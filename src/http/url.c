/* URLs and the parts of targets; http-parser takes them apart. */
#include "url.h"

#include <errno.h>
#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { URL_MOST = 4096 };

/* --- escapes --- */

static int digit(char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

ssize_t http_unescape(const char *text, size_t size, bool plus, char *to, size_t most)
{
    size_t length = 0;
    for (size_t i = 0; i < size; i++, length++) {
        int byte = plus && text[i] == '+' ? ' ' : (unsigned char)text[i];
        if (text[i] == '%') {
            int high = i + 2 < size ? digit(text[i + 1]) : -1, low = high < 0 ? -1 : digit(text[i + 2]);
            byte = low < 0 ? 0 : high * 16 + low;
            i += 2;
        }
        if (byte == 0 || length + 1 >= most) {
            errno = EINVAL;
            return -1;
        }
        to[length] = (char)byte;
    }
    if (most == 0) {
        errno = EINVAL;
        return -1;
    }
    to[length] = '\0';
    return (ssize_t)length;
}

/* RFC 3986: unreserved, and in a path what has no meaning there of its own. */
static bool stays(char byte, bool query)
{
    bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9');
    return plain || (byte && strchr(query ? "-._~" : "-._~/!$'()*,:@", byte));
}

ssize_t http_escape(const char *text, bool query, char *to, size_t most)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t length = 0;
    for (; *text; text++) {
        size_t needed = stays(*text, query) ? 1 : 3;
        if (length + needed >= most)
            return -1;
        if (needed == 1) {
            to[length++] = *text;
            continue;
        }
        to[length++] = '%';
        to[length++] = digits[(unsigned char)*text >> 4];
        to[length++] = digits[(unsigned char)*text & 15];
    }
    if (most == 0)
        return -1;
    to[length] = '\0';
    return (ssize_t)length;
}

/* --- queries --- */

static bool is_key(const char *text, size_t length, const char *key)
{
    char name[128];
    return http_unescape(text, length, true, name, sizeof name) >= 0 && strcmp(name, key) == 0;
}

int http_query(const char *target, const char *key, char *value, size_t most)
{
    const char *at = strchr(target, '?');
    while (at) {
        at++;
        size_t length = strcspn(at, "&"), name = strcspn(at, "=&");
        if (is_key(at, name, key)) {
            size_t skipped = name < length ? name + 1 : length;
            return http_unescape(at + skipped, length - skipped, true, value, most) < 0 ? -1 : 1;
        }
        at = at[length] == '&' ? at + length : NULL;
    }
    return 0;
}

/* --- URLs --- */

static int fail(const char *text, const char *reason)
{
    char shown[200];
    return weir_fail(WEIR_ERROR_USAGE, EINVAL, "read", weir_escape(text, strlen(text), shown, sizeof shown), "%s",
                     reason);
}

/* ASCII, whether char has a sign or not. */
static bool is_visible(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text <= ' ' || (unsigned char)*text >= 0x7f)
            return false;
    return true;
}

/* A part of `text`; its length is 0 where it has none. */
static weir_part part_of(const char *text, const struct http_parser_url *parts, int which)
{
    if (!(parts->field_set & (1 << which)))
        return (weir_part){text, 0};
    return (weir_part){text + parts->field_data[which].off, parts->field_data[which].len};
}

static int read_credentials(weir_part user, struct http_url *url)
{
    size_t room = sizeof url->credentials - 1; /* for a colon where it has none */
    if (user.length == 0)
        return 0;
    ssize_t length = http_unescape(user.text, user.length, false, url->credentials, room);
    if (length >= 0 && !memchr(user.text, ':', user.length))
        memcpy(url->credentials + length, ":", 2);
    return length < 0 ? -1 : 0;
}

/* The host as it is written in endpoints: an IPv6 address in its brackets. */
static int read_host(weir_part host, unsigned port, bool secure, struct http_url *url)
{
    bool bare = memchr(host.text, ':', host.length) != NULL;
    unsigned usual = secure ? 443 : 80;
    char name[256 + 2];
    if (host.length == 0 || host.length > 253)
        return -1;
    snprintf(name, sizeof name, bare ? "[%.*s]" : "%.*s", (int)host.length, host.text);
    snprintf(url->endpoint, sizeof url->endpoint, "%s://%s:%u", secure ? "https" : "http", name, port ? port : usual);
    if (port == 0 || port == usual)
        snprintf(url->host, sizeof url->host, "%s", name);
    else
        snprintf(url->host, sizeof url->host, "%s:%u", name, port);
    return 0;
}

static int read_target(weir_part path, weir_part query, struct http_url *url)
{
    int length = snprintf(url->target, sizeof url->target, "%.*s%s%.*s", path.length ? (int)path.length : 1,
                          path.length ? path.text : "/", query.length ? "?" : "", (int)query.length, query.text);
    return length < (int)sizeof url->target ? 0 : -1;
}

/* Whether the endpoint is one to the library too, which knows better what a host is. */
static bool is_endpoint(const char *text)
{
    weir_endpoint endpoint;
    return weir_parse_endpoint(text, NULL, &endpoint) == 0 && endpoint.port != 0;
}

int http_parse_url(const char *text, struct http_url *url)
{
    struct http_parser_url parts;
    *url = (struct http_url){0};
    if (strlen(text) >= URL_MOST)
        return fail(text, "a URL that is too long");
    bool secure = strncasecmp(text, "https://", 8) == 0;
    if (!secure && strncasecmp(text, "http://", 7) != 0)
        return fail(text, "not a URL of http:// or https://");
    http_parser_url_init(&parts);
    if (!is_visible(text) || http_parser_parse_url(text, strlen(text), 0, &parts) != 0)
        return fail(text, "not a URL; what is no letter, digit or sign is written as %XX in one");
    if ((parts.field_set & (1 << UF_PORT)) && parts.port == 0)
        return fail(text, "port 0");
    if (read_credentials(part_of(text, &parts, UF_USERINFO), url) < 0)
        return fail(text, "its user and password are malformed or too long");
    if (read_host(part_of(text, &parts, UF_HOST), parts.port, secure, url) < 0 || !is_endpoint(url->endpoint))
        return fail(text, "its host is malformed");
    if (read_target(part_of(text, &parts, UF_PATH), part_of(text, &parts, UF_QUERY), url) < 0)
        return fail(text, "its path is too long");
    return 0;
}
