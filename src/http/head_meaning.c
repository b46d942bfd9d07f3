/* What a head's fields mean for its message: where it ends, and what of the connection then. */
#include <http_parser.h>
#include <stdlib.h>
#include <string.h>

#include "head_inside.h"

static size_t times(const struct http_head *head, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < head->count; i++)
        count += strcasecmp(head->fields[i].name, name) == 0;
    return count;
}

static bool is(const char *value, const char *word)
{
    return value && strcasecmp(value, word) == 0;
}

static int refuse(int status, const char *reason, const char **why)
{
    *why = reason;
    return status;
}

static bool knows_11(const struct http_head *head)
{
    return head->major > 1 || (head->major == 1 && head->minor >= 1);
}

/* RFC 9112, 9.3. */
static bool says_keep_alive(const struct http_head *head)
{
    if (http_field_has(head, "Connection", "close"))
        return false;
    return knows_11(head) || http_field_has(head, "Connection", "keep-alive");
}

/* Digits alone; http-parser has refused what is too large. */
static bool read_length(const char *text, uint64_t *length)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 18 || text[digits] != '\0')
        return false;
    *length = strtoull(text, NULL, 10);
    return true;
}

/*
 * What both lengths say, which two readers might take differently. NULL, or what is wrong; *kind stays where neither
 * is there.
 */
static const char *read_framing(struct http_head *head, enum http_body_kind *kind)
{
    const char *length = http_field(head, "Content-Length"), *coding = http_field(head, "Transfer-Encoding");
    if (length && coding)
        return "both Content-Length and Transfer-Encoding";
    if (times(head, "Content-Length") > 1 || times(head, "Transfer-Encoding") > 1)
        return "more than one length";
    if (length && !read_length(length, &head->length))
        return "a Content-Length that is no number";
    if (coding && !knows_11(head))
        return "a Transfer-Encoding in HTTP/1.0";
    if (length)
        *kind = HTTP_LENGTH;
    else if (coding)
        *kind = HTTP_CHUNKED;
    return NULL;
}

static bool has_unknown_coding(const struct http_head *head)
{
    const char *coding = http_field(head, "Transfer-Encoding");
    return coding && !is(coding, "chunked");
}

/* --- requests --- */

/* What may stand in Host: a name or address and a port, nothing that could be taken for more. */
static bool is_host(const char *host)
{
    return strspn(host, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:[]%!$&'()*+,;=") ==
           strlen(host);
}

static int check_host(const struct http_head *head, const char **why)
{
    size_t hosts = times(head, "Host");
    if (hosts > 1)
        return refuse(400, "several hosts", why);
    if (hosts == 0)
        return knows_11(head) ? refuse(400, "no host", why) : 0;
    return is_host(http_field(head, "Host")) ? 0 : refuse(400, "a malformed host", why);
}

static int check_body(struct http_head *head, const char **why)
{
    const char *wrong = read_framing(head, &head->body);
    if (wrong)
        return refuse(400, wrong, why);
    if (has_unknown_coding(head))
        return refuse(501, "an unknown transfer coding", why);
    if (head->body == HTTP_LENGTH && head->length == 0)
        head->body = HTTP_NO_BODY;
    return 0;
}

static int check_expectation(struct http_head *head, const char **why)
{
    const char *expected = http_field(head, "Expect");
    if (!expected || !knows_11(head))
        return 0;
    if (!is(expected, "100-continue") || times(head, "Expect") > 1)
        return refuse(417, "an unknown expectation", why);
    head->expects_continue = true;
    return 0;
}

/*
 * Of an absolute-form its path and query, which end the text: where there is no path, the last byte before them, which
 * is the host's, becomes its slash.
 */
static const char *origin_form(const char *target)
{
    struct http_parser_url url;
    http_parser_url_init(&url);
    if (http_parser_parse_url(target, strlen(target), 0, &url) != 0 || !(url.field_set & (1 << UF_HOST)))
        return NULL;
    if (url.field_set & (1 << UF_PATH))
        return target + url.field_data[UF_PATH].off;
    if (!(url.field_set & (1 << UF_QUERY)))
        return "/";
    char *slash = (char *)target + url.field_data[UF_QUERY].off - 2;
    *slash = '/';
    return slash;
}

/* "/path", "http://host/path", and of OPTIONS "*". A proxy's CONNECT is not for us. */
static int check_target(struct http_head *head, const char **why)
{
    const char *target = head->target;
    if (!target)
        return refuse(400, "no target", why);
    if (is(head->method, "CONNECT"))
        return refuse(501, "this is no proxy", why);
    if (*target == '/' || (is(target, "*") && is(head->method, "OPTIONS")))
        return 0;
    bool absolute = strncasecmp(target, "http://", 7) == 0 || strncasecmp(target, "https://", 8) == 0;
    head->target = absolute ? origin_form(target) : NULL;
    return head->target ? 0 : refuse(400, "a malformed target", why);
}

int http_understand_request(struct http_head *head, const char **why)
{
    int status = 0;
    if (head->major != 1)
        return refuse(505, "an unknown version of HTTP", why);
    if ((status = check_target(head, why)) || (status = check_host(head, why)) || (status = check_body(head, why)) ||
        (status = check_expectation(head, why)))
        return status;
    head->keep_alive = says_keep_alive(head);
    head->upgrade = http_field(head, "Upgrade") && http_field_has(head, "Connection", "upgrade");
    return 0;
}

/* --- responses --- */

static bool has_no_body(const struct http_head *head, const char *to)
{
    return is(to, "HEAD") || head->status < 200 || head->status == 204 || head->status == 304 ||
           (is(to, "CONNECT") && head->status < 300);
}

int http_understand_response(struct http_head *head, const char *to, const char **why)
{
    if (head->major != 1 || head->status < 100)
        return refuse(-1, "an unknown version of HTTP", why);
    head->body = HTTP_UNTIL_CLOSE;
    if ((*why = read_framing(head, &head->body)))
        return -1;
    if (has_unknown_coding(head))
        return refuse(-1, "an unknown transfer coding", why);
    if (has_no_body(head, to) || (head->body == HTTP_LENGTH && head->length == 0))
        head->body = HTTP_NO_BODY;
    head->keep_alive = says_keep_alive(head) && head->body != HTTP_UNTIL_CLOSE;
    head->upgrade = head->status == 101;
    return 0;
}
