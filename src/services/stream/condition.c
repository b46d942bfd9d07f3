/* What a request makes its answer depend on (RFC 9110, 13); see range.h. */
#include <string.h>

#include "range.h"

/*
 * Whether a list of entity tags has this one. `weakly`: as If-None-Match compares, where W/"x" is as good as "x". What
 * is no list of tags has none.
 */
static bool lists_tag(const char *list, const char *tag, bool weakly)
{
    size_t length = strlen(tag);
    for (const char *at = list + strspn(list, " \t,"); *at; at += strspn(at, " \t,")) {
        bool weak = strncmp(at, "W/", 2) == 0;
        at += weak ? 2 : 0;
        const char *end = *at == '"' ? strchr(at + 1, '"') : NULL;
        if (!end)
            return false;
        if ((weakly || !weak) && (size_t)(end + 1 - at) == length && memcmp(at, tag, length) == 0)
            return true;
        at = end + 1;
    }
    return false;
}

/* Whether any of the lines that a field may have names it, or is a star. */
static bool names_tag(const struct http_head *request, const char *name, const char *tag, bool weakly)
{
    for (size_t i = 0; i < request->count; i++)
        if (strcasecmp(request->fields[i].name, name) == 0 &&
            (strcmp(request->fields[i].value, "*") == 0 || lists_tag(request->fields[i].value, tag, weakly)))
            return true;
    return false;
}

/* The date that a field is; -1: it is not there, or none. */
static int64_t date_of(const struct http_head *request, const char *name)
{
    const char *value = http_field(request, name);
    return value ? http_parse_date(value) : -1;
}

static bool has_failed(const struct http_head *request, const struct validators *validators)
{
    if (http_field(request, "If-Match"))
        return !names_tag(request, "If-Match", validators->tag, false);
    int64_t since = date_of(request, "If-Unmodified-Since");
    return since >= 0 && validators->modified > since;
}

static bool is_known(const struct http_head *request, const struct validators *validators)
{
    if (http_field(request, "If-None-Match"))
        return names_tag(request, "If-None-Match", validators->tag, true);
    int64_t since = date_of(request, "If-Modified-Since");
    return since >= 0 && validators->modified >= 0 && validators->modified <= since;
}

int conditions_check(const struct http_head *request, const struct validators *validators)
{
    if (has_failed(request, validators))
        return 412;
    return is_known(request, validators) ? 304 : 0;
}

/* A date is good for it only where nothing can have changed in the same second (13.1.5). */
bool conditions_allow_range(const struct http_head *request, const struct validators *validators)
{
    const char *value = http_field(request, "If-Range");
    if (!value)
        return true;
    if (*value == '"')
        return strcmp(value, validators->tag) == 0;
    return validators->modified >= 0 && http_parse_date(value) == validators->modified &&
           validators->modified < validators->now;
}
