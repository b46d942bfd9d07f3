/* What was read ahead of a connection, for whoever reads it by marks of its own: lines.c, messages.c. */
#ifndef WEIR_NET_LINES_H
#define WEIR_NET_LINES_H

#include "net/conn.h"

struct weir__lines {
    size_t start, end; /* of what was read ahead, in data */
    size_t size;       /* of data, but for a byte for a terminator */
    bool filled;       /* by the last receive: there may be much more */
    size_t terminator; /* where a NUL was put behind what was handed out; 0: nowhere */
    char replaced;     /* what stood there */
    char data[];
};

/* What is ahead, weir__lines_left of it. NULL if there is nothing. */
static inline const char *weir__lines_ahead(const weir_conn *conn)
{
    return conn->lines == NULL ? NULL : conn->lines->data + conn->lines->start;
}

/* Begins a reading call, which weir__conn_leave ends: takes back what the last one handed out. 0 or -1. */
int weir__lines_enter(weir_conn *conn);

enum { WEIR__LINES_QUIET = -2 }; /* nothing came until then */

/*
 * Receives what there is behind what is ahead, waiting, with room for `most` in all; nothing is held while nothing is
 * ahead. Between enter and leave. Returns its length, 0 at the end, -1 with an error, or WEIR__LINES_QUIET.
 */
ssize_t weir__lines_read_more(weir_conn *conn, size_t most, int64_t until);

/* Hands out what is at the front, with a NUL `terminator` bytes behind its beginning, and passes over `whole` bytes. */
void weir__lines_hand_out(weir_conn *conn, size_t terminator, size_t whole, char **data);

/* --- messages.c --- */

/* What ended a message. */
enum weir__message_end {
    WEIR__MESSAGE_QUIET, /* a pause, or the end of the stream */
    WEIR__MESSAGE_LF,
    WEIR__MESSAGE_CRLF,
};

/* A message that is to be read, and what came. */
struct weir__message {
    bool newline;  /* whether a newline ends it as well as a pause */
    int64_t pause; /* from its last piece on */
    size_t limit;  /* without the newlines at its end */
    enum weir__message_end end;
    char *data; /* the connection's until its next reading call; without newlines at the end, NUL-terminated */
    size_t length;
};

/*
 * Reads a message. Parks; its first byte is waited for as long as a receive would. Returns 1 (also with nothing but
 * newlines, which is then of length 0), 0 at the end of the stream; -1 with EMSGSIZE of kind LIMIT (nothing is lost),
 * ENOMEM, or as weir_recv.
 */
int weir__read_message(weir_conn *conn, struct weir__message *message);

/* Whether anything comes (or the stream ends) before `until`: 1 or 0; -1 as weir_recv. What came is ahead. Parks. */
int weir__await_message(weir_conn *conn, int64_t until);

#endif
