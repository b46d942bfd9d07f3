/* What a reference means, seen from a URL (RFC 3986, 5.2). */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "url.h"

enum { ROOM = 4096 };

/* Goes back over the last folder of a path of `length` bytes that begins with a slash. */
static size_t without_last(const char *path, size_t length)
{
    while (length > 0 && path[length - 1] != '/')
        length--;
    return length > 0 ? length - 1 : 0;
}

/* 5.2.4: takes "." and ".." out of the path, in place; a query behind it stays. */
static void remove_dots(char *target)
{
    size_t length = 0, end = strcspn(target, "?");
    for (size_t at = 0; at < end;) {
        size_t size = 1 + strcspn(target + at + 1, "/?"); /* "/name" */
        bool last = at + size == end;
        if (size == 2 && target[at + 1] == '.') {
            if (last)
                target[length++] = '/';
        } else if (size == 3 && target[at + 1] == '.' && target[at + 2] == '.') {
            length = without_last(target, length);
            if (last)
                target[length++] = '/';
        } else {
            memmove(target + length, target + at, size);
            length += size;
        }
        at += size;
    }
    memmove(target + length, target + end, strlen(target + end) + 1);
}

/* Whether it begins with a scheme: "mailto:". */
static bool has_scheme(const char *text)
{
    size_t length = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-.");
    return length > 0 && text[length] == ':' && strchr("0123456789+-.", *text) == NULL;
}

/* The target that a reference without a host means. Returns its length as snprintf. */
static int write_target(const struct http_url *base, const char *location, char *target, size_t room)
{
    size_t path = strcspn(base->target, "?"), folder = path;
    if (*location == '/')
        return snprintf(target, room, "%s", location);
    if (*location == '?')
        return snprintf(target, room, "%.*s%s", (int)path, base->target, location);
    if (*location == '\0')
        return snprintf(target, room, "%s", base->target);
    while (folder > 0 && base->target[folder - 1] != '/')
        folder--;
    return snprintf(target, room, "%.*s%s", (int)folder, base->target, location);
}

/* Spaces and what is no ASCII, which many leave as they are, become %XX. False: there is no room. */
static bool escape_reference(const char *from, size_t size, char reference[ROOM])
{
    size_t at = 0;
    for (size_t i = 0; i < size && at + 4 <= ROOM; i++) {
        unsigned char byte = (unsigned char)from[i];
        at += (size_t)snprintf(reference + at, ROOM - at, byte == ' ' || byte > 0x7f ? "%%%02X" : "%c", byte);
    }
    reference[at] = '\0';
    return at + 4 <= ROOM;
}

static int fail_long(const char *location)
{
    char shown[200];
    return weir_fail(WEIR_ERROR_USAGE, EINVAL, "read", weir_escape(location, strlen(location), shown, sizeof shown),
                     "a URL that is too long");
}

int http_resolve_url(const struct http_url *base, const char *location, struct http_url *url)
{
    char whole[ROOM], target[ROOM], reference[ROOM];
    int length = 0;
    const char *colon = strchr(base->endpoint, ':');
    if (!escape_reference(location, strcspn(location, "#"), reference))
        return fail_long(location);
    if (has_scheme(reference))
        length = snprintf(whole, sizeof whole, "%s", reference);
    else if (strncmp(reference, "//", 2) == 0)
        length = snprintf(whole, sizeof whole, "%.*s:%s", (int)(colon - base->endpoint), base->endpoint, reference);
    else if ((length = write_target(base, reference, target, sizeof target)) < (int)sizeof target)
        length = snprintf(whole, sizeof whole, "%s%s", base->endpoint, target);
    if (length >= (int)sizeof whole)
        return fail_long(location);
    struct http_url found;
    if (http_parse_url(whole, &found) < 0)
        return -1;
    remove_dots(found.target);
    *url = found;
    return 0;
}

void http_keep_credentials(const struct http_url *from, struct http_url *to)
{
    if (!*to->credentials && strcmp(from->endpoint, to->endpoint) == 0)
        memcpy(to->credentials, from->credentials, sizeof to->credentials);
}
