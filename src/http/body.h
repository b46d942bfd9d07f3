/* The body of an HTTP/1 message, whichever way its length is told. */
#ifndef HTTP_BODY_H
#define HTTP_BODY_H

#include "head.h"

/* Where we are in it. It needs no end: it owns nothing. */
struct http_body {
    weir_conn *conn;
    enum http_body_kind kind;
    uint64_t left;    /* of the length, or of the chunk that has begun */
    bool ended;       /* all of it was received: the next message may follow */
    uint8_t next;     /* CHUNKED: what comes next; a call that was interrupted is gone on with */
    uint8_t trailers; /* that were read */
    bool failed;      /* it is malformed or was cut: nothing more is read of it */
};

void http_body_begin(struct http_body *body, weir_conn *conn, const struct http_head *head);

/*
 * Receives some of it, as weir_recv: 0 at its end (trailers were read over), -1 with an error: ENODATA of kind CLOSED
 * where the stream ended before it, EPROTO where chunks are malformed. Parks.
 */
ssize_t http_body_read(struct http_body *body, void *buffer, size_t size);

/*
 * Reads over the rest, at most `most` bytes, within a few seconds; for what is longer or slower a closed connection is
 * the better answer. True: the connection is at the next message.
 */
bool http_body_skip(struct http_body *body, uint64_t most);

#endif
