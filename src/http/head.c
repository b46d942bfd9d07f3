/* Reading the heads of messages. */
#include "head.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "head_inside.h"

enum { INFORMATIONAL_MOST = 16, EMPTY_LINES_MOST = 4 };

/* --- its fields --- */

const char *http_field(const struct http_head *head, const char *name)
{
    for (size_t i = 0; i < head->count; i++)
        if (strcasecmp(head->fields[i].name, name) == 0)
            return head->fields[i].value;
    return NULL;
}

static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; *at;) {
        at += strspn(at, " \t,");
        size_t size = strcspn(at, " \t,");
        if (size == length && strncasecmp(at, word, length) == 0)
            return true;
        at += size;
    }
    return false;
}

bool http_field_has(const struct http_head *head, const char *name, const char *word)
{
    for (size_t i = 0; i < head->count; i++)
        if (strcasecmp(head->fields[i].name, name) == 0 && has_word(head->fields[i].value, word))
            return true;
    return false;
}

void http_head_free(struct http_head *head)
{
    free(head->text);
    *head = (struct http_head){0};
}

/* --- requests --- */

/* To be answered with `status`. Of what it was taken apart to nothing is left: its texts may have no end yet. */
static int refuse(struct http_head *head, int status, const char *reason)
{
    http_head_free(head);
    head->status = status;
    return weir_fail(status == 431 || status == 414 ? WEIR_ERROR_LIMIT : WEIR_ERROR_SYSTEM,
                     status == 431 || status == 414 ? EMSGSIZE : EPROTO, "read", "HTTP request", "%s", reason);
}

/* Whether the first line of what has arrived is longer than one may be. */
static bool has_long_line(weir_conn *conn)
{
    char *line = malloc(HTTP_LINE_MOST);
    ssize_t length = line ? weir_recv_flags(conn, line, HTTP_LINE_MOST, MSG_PEEK | MSG_DONTWAIT) : 0;
    bool found = length > 0 && !memchr(line, '\n', (size_t)length);
    free(line);
    return found;
}

/* Whether a byte of a message has arrived. Keeps the error. */
static bool has_begun(weir_conn *conn)
{
    const weir_error_info *error = weir_error();
    weir_error_kind kind = error->kind;
    int number = error->number;
    char step[32], subject[401], reason[301], byte;
    strncpy(step, error->step, sizeof step - 1)[sizeof step - 1] = '\0';
    strncpy(subject, error->subject, sizeof subject - 1)[sizeof subject - 1] = '\0';
    strncpy(reason, error->reason, sizeof reason - 1)[sizeof reason - 1] = '\0';
    bool begun = weir_recv_flags(conn, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
    weir_fail(kind, number, step, subject, "%s", reason);
    return begun;
}

/* No whole head came. */
static int fail_request(weir_conn *conn, struct http_head *head)
{
    switch (errno) {
    case EMSGSIZE:
        return has_long_line(conn) ? refuse(head, 414, "its first line is too long")
                                   : refuse(head, 431, "its head is too long");
    case ETIMEDOUT:
        head->status = has_begun(conn) ? 408 : 0;
        return -1;
    case ENODATA:
        head->status = 400;
        return -1;
    default:
        return -1;
    }
}

static int take_request(const char *text, size_t length, struct http_head *head)
{
    const char *why = "malformed";
    int status = http_check_text(text, length, true, &why);
    if (!status)
        status = http_parse_head(text, length, true, head, &why);
    if (!status)
        status = http_understand_request(head, &why);
    return status == 0 ? 1 : status < 0 ? -1 : refuse(head, status, why);
}

/*
 * RFC 9112, 2.2: empty lines before a request are passed over. Returns how many bytes they are; where that is all that
 * came, the request is still to be read.
 */
static size_t empty_lines(const char *text, size_t length)
{
    size_t skipped = 0;
    while (length - skipped >= 2 && memcmp(text + skipped, "\r\n", 2) == 0)
        skipped += 2;
    return skipped;
}

/*
 * Who speaks TLS here would say nothing that ends a head, and wait. 1 where a connection begins so, 0 where it does not,
 * -1 with an error. Parks.
 */
static int begins_with_tls(weir_conn *conn)
{
    enum { HANDSHAKE = 0x16 };
    uint64_t received, sent;
    char byte;
    weir_conn_bytes(conn, &received, &sent);
    if (received > 0 || weir_conn_scheme(conn) == WEIR_SCHEME_HTTPS)
        return 0;
    ssize_t length = weir_recv_flags(conn, &byte, 1, MSG_PEEK);
    return length < 0 ? -1 : length > 0 && byte == HANDSHAKE;
}

int http_read_request(weir_conn *conn, struct http_head *head)
{
    *head = (struct http_head){0};
    int tls = begins_with_tls(conn);
    if (tls != 0)
        return tls < 0 ? -1 : refuse(head, 400, "TLS where http:// is spoken");
    for (int tries = 0; tries < EMPTY_LINES_MOST; tries++) {
        char *text;
        size_t length;
        int got = weir_read_until(conn, "\r\n\r\n", 4, &text, &length, HTTP_HEAD_MOST);
        if (got <= 0)
            return got < 0 ? fail_request(conn, head) : 0;
        size_t skipped = empty_lines(text, length);
        if (skipped < length)
            return take_request(text + skipped, length - skipped, head);
    }
    return refuse(head, 400, "empty lines");
}

/* --- responses --- */

static int fail_response(const char *reason)
{
    return weir_fail(WEIR_ERROR_SYSTEM, EPROTO, "read", "HTTP response", "%s", reason);
}

static int take_response(const char *text, size_t length, const char *to, struct http_head *head)
{
    const char *why = "malformed";
    int status = http_check_text(text, length, false, &why);
    if (!status)
        status = http_parse_head(text, length, false, head, &why);
    if (!status)
        status = http_understand_response(head, to, &why);
    if (status == 0)
        return 1;
    bool is_full = status < 0 && !head->text;
    http_head_free(head);
    return is_full ? -1 : fail_response(why);
}

static int read_response(weir_conn *conn, const char *to, struct http_head *head)
{
    for (int count = 0; count < INFORMATIONAL_MOST; count++) {
        char *text;
        size_t length;
        int got = weir_read_until(conn, "\r\n\r\n", 4, &text, &length, HTTP_HEAD_MOST);
        if (got == 0)
            return weir_fail(WEIR_ERROR_CLOSED, ENODATA, "read", "HTTP response", "closed without an answer");
        if (got < 0 && errno == EMSGSIZE)
            return fail_response("its head is too long, or is none of HTTP");
        if (got < 0 || take_response(text, length, to, head) < 0)
            return -1;
        if (head->status >= 200)
            return 1;
        bool switches = head->status == 101;
        http_head_free(head);
        if (switches)
            return fail_response("another protocol, which was not asked for");
    }
    return fail_response("too many informational ones");
}

int http_read_response(weir_conn *conn, const char *to, int64_t deadline, struct http_head *head)
{
    *head = (struct http_head){0};
    weir_set_deadline(conn, WEIR_READ, deadline);
    int result = read_response(conn, to, head);
    weir_set_deadline(conn, WEIR_READ, WEIR_FOREVER);
    return result;
}
