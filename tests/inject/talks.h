/* What conversations have in common: the end that talks, and the one that says the same again. */
#ifndef WEIR_TESTS_INJECT_TALKS_H
#define WEIR_TESTS_INJECT_TALKS_H

#include <string.h>

#include "engine/engine.h"
#include "inject.h"

/* The other end has gone, or said less than it should: right only where something was injected. */
static inline bool cut_short(const char *call)
{
    return has_harmed() ? false : wrong("%s: the other end has gone", call);
}

/* Whether the bytes are those that were expected. */
static inline bool is_text(const char *call, const char *got, size_t length, const char *expected)
{
    if (length == strlen(expected) && memcmp(got, expected, length) == 0)
        return true;
    return wrong("%s says \"%.*s\" in place of \"%s\"", call, (int)length, got, expected);
}

static inline weir_conn *connect_to(const char *endpoint)
{
    weir_conn *conn = weir_connect(endpoint, WEIR_OPTIONS(weir_connect_options, .timeout = PATIENCE));
    if (conn)
        weir_set_timeout(conn, PATIENCE);
    else
        failed("weir_connect");
    return conn;
}

static inline bool read_text(weir_conn *conn, const char *expected)
{
    char got[64];
    size_t length = strlen(expected);
    if (weir_read_exactly(conn, got, length) < 0)
        return failed("weir_read_exactly");
    return is_text("weir_read_exactly", got, length, expected);
}

static inline bool read_line(weir_conn *conn, const char *expected)
{
    char *line;
    size_t length;
    int got = weir_read_line(conn, &line, &length, 100);
    if (got < 0)
        return failed("weir_read_line");
    return got ? is_text("weir_read_line", line, length, expected) : cut_short("weir_read_line");
}

static inline bool read_end(weir_conn *conn)
{
    char got[8];
    ssize_t length = weir_recv(conn, got, sizeof got);
    if (length < 0)
        return failed("weir_recv");
    return length == 0 || wrong("weir_recv gives %zd bytes behind the end", length);
}

static inline bool send_text(weir_conn *conn, const char *text)
{
    return weir_send_all(conn, text, strlen(text)) == 0 || failed("weir_send_all");
}

static inline bool end_writing(weir_conn *conn)
{
    return weir_shutdown(conn, SHUT_WR) == 0 || failed("weir_shutdown");
}

/* Says two lines to one who echoes, ends its side, and reads to the other's. */
static inline bool converse_on(weir_conn *conn)
{
    return send_text(conn, "one\ntwo\n") && read_line(conn, "one") && read_text(conn, "two\n") && end_writing(conn) &&
           read_end(conn);
}

static inline bool converse(const char *endpoint)
{
    weir_auto weir_conn *conn = connect_to(endpoint);
    return conn && converse_on(conn);
}

/* Says the same again until the end. */
static inline bool echo_all(weir_conn *conn)
{
    char *data;
    ssize_t length;
    while ((length = weir_receive(conn, &data)) > 0)
        if (weir_send_all(conn, data, (size_t)length) < 0)
            return failed("weir_send_all");
    return length == 0 || failed("weir_receive");
}

static inline void echo_handler(weir_conn *conn, void *arg)
{
    (void)arg;
    echo_all(conn);
}

/*
 * Waits for a fiber's end, and says whether it returned 0. Who was cancelled (its loop has failed) cannot wait by public calls
 * for those whom it lent its stack, and has them end.
 */
static inline bool join(weir_fiber *fiber)
{
    int result;
    if (weir_join(fiber, &result, WEIR_FOREVER) == 0)
        return result == 0;
    failed("weir_join");
    weir_cancel_fiber(fiber);
    weir__join_uncancelled(fiber);
    return false;
}

/* The next line that fails returns; what is on the way is cleaned up by who calls. */
#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        if ((call) < 0)                                                                                                \
            return failed(#call);                                                                                      \
    } while (0)

#endif
