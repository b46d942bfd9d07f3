/*
 * The head of an HTTP/1 message: a request's or a response's, read within limits, taken apart by http-parser, and
 * checked for what that lets through and smuggling lives on: both lengths, two different ones, folded lines, a bare CR
 * or LF, NULs, spaces before a colon, several hosts, unknown codings. A stranger's bytes all of it.
 *
 * This folder stands between the library, of which it sees the public headers alone, and services and commands.
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include <weir/weir.h>

/* Above them the answer is 431 (or 414, of the target), and the connection ends. */
enum { HTTP_HEAD_MOST = 32768, HTTP_LINE_MOST = 8192, HTTP_FIELDS_MOST = 100 };

struct http_field {
    const char *name;  /* as it was sent; names are compared whatever their case */
    const char *value; /* without spaces around it; bytes above 0x7f as they came */
};

/* What follows the head. */
enum http_body_kind { HTTP_NO_BODY, HTTP_LENGTH, HTTP_CHUNKED, HTTP_UNTIL_CLOSE };

struct http_head {
    char *text;                  /* allocated; all below points into it */
    const char *method, *target; /* of requests: "GET", "/radio?x=1" as sent (of an absolute-form its path and query) */
    int status;                  /* of responses; and of a request that cannot be served, what is to be answered */
    const char *reason;          /* of responses */
    int major, minor;            /* HTTP/major.minor; ICE/1.0 and "ICY 200 OK" are 1.0 */
    bool icy;                    /* it said ICY */
    bool keep_alive;             /* the connection may be used again after this message */
    bool upgrade, expects_continue;
    enum http_body_kind body;
    uint64_t length; /* of HTTP_LENGTH */
    struct http_field *fields;
    size_t count;
};

/*
 * Reads a request: 1; 0 where the stream ended before its first byte; -1 with an error. Where head->status is not 0
 * then, that is to be answered before the connection is closed (400, 408, 414, 417, 431, 501, 505). Parks: for the
 * first byte as long as the connection may be idle, for the rest within the server's message_timeout. http_head_free
 * is due in any case.
 */
int http_read_request(weir_conn *conn, struct http_head *head);

/*
 * Reads a response, informational ones (1xx) passed over; `to` is the method of the request it answers ("HEAD": no
 * body). 1, or -1 with an error (the stream's end: ENODATA of kind CLOSED). Within `deadline`.
 */
int http_read_response(weir_conn *conn, const char *to, int64_t deadline, struct http_head *head);

/* The field's value, the first where there are several; NULL: none. */
const char *http_field(const struct http_head *head, const char *name);

/* Whether a field that is a list of words with commas has this one, in any of its lines: Connection: close, TE. */
bool http_field_has(const struct http_head *head, const char *name, const char *word);

void http_head_free(struct http_head *head);

#endif
