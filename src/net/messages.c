/*
 * Messages that end at a newline or at a pause, whichever comes first: of people, and of programs that send no
 * newlines.
 */
#include <errno.h>
#include <string.h>
#include <weir/time.h>

#include "base/error.h"
#include "net/lines.h"

/* A CR LF, which is not of the message; and more than is ever read ahead at once. */
enum { LONGEST_NEWLINE = 2, ANY_SIZE = 1 << 20 };

static bool is_newline(char one)
{
    return one == '\n' || one == '\r';
}

/* Without the newlines at its end, however many. */
static size_t strip(const char *data, size_t length)
{
    while (length > 0 && is_newline(data[length - 1]))
        length--;
    return length;
}

static size_t most_of(size_t limit)
{
    return limit < SIZE_MAX / 2 - LONGEST_NEWLINE ? limit + LONGEST_NEWLINE : SIZE_MAX / 2;
}

static int fail_too_long(weir_conn *conn, const struct weir__message *message)
{
    char name[WEIR_ADDRESS_TEXT];
    return weir_fail(WEIR_ERROR_LIMIT, EMSGSIZE, "read", weir__conn_name(conn, name, sizeof name),
                     "a message of more than %zu bytes", message->limit);
}

/* Takes the message, `length` of `whole` bytes, from the front. Returns 1. */
static int take(weir_conn *conn, struct weir__message *message, size_t length, size_t whole, enum weir__message_end end)
{
    message->end = end;
    message->length = length;
    weir__lines_hand_out(conn, length, whole, &message->data);
    return 1;
}

static int take_line(weir_conn *conn, struct weir__message *message, const char *newline)
{
    const char *data = weir__lines_ahead(conn);
    size_t length = (size_t)(newline - data);
    bool carriage_return = length > 0 && newline[-1] == '\r';
    length -= carriage_return;
    if (length > message->limit)
        return fail_too_long(conn, message);
    return take(conn, message, length, (size_t)(newline - data) + 1,
                carriage_return ? WEIR__MESSAGE_CRLF : WEIR__MESSAGE_LF);
}

/* All that is ahead. */
static int take_all(weir_conn *conn, struct weir__message *message)
{
    size_t left = weir__lines_left(conn);
    return take(conn, message, strip(weir__lines_ahead(conn), left), left, WEIR__MESSAGE_QUIET);
}

/* Where a newline ends the message, of whose bytes the first `looked_at` hold none; NULL: nowhere. */
static const char *find_newline(const weir_conn *conn, const struct weir__message *message, size_t looked_at)
{
    size_t left = weir__lines_left(conn);
    if (!message->newline || left == looked_at)
        return NULL;
    return memchr(weir__lines_ahead(conn) + looked_at, '\n', left - looked_at);
}

/* Whether what is ahead cannot be (the beginning of) a message within the limit. */
static bool too_long(const weir_conn *conn, const struct weir__message *message)
{
    size_t left = weir__lines_left(conn);
    return left > message->limit &&
           (left > most_of(message->limit) || strip(weir__lines_ahead(conn), left) > message->limit);
}

static int read_message(weir_conn *conn, struct weir__message *message)
{
    for (size_t looked_at = 0;;) {
        const char *newline = find_newline(conn, message, looked_at);
        if (newline)
            return take_line(conn, message, newline);
        if (too_long(conn, message))
            return fail_too_long(conn, message);
        looked_at = weir__lines_left(conn);
        int64_t until = looked_at ? weir_deadline(message->pause) : WEIR_FOREVER;
        /* Room for one byte more than may come: a receive into no room would look like the end. */
        ssize_t more = weir__lines_read_more(conn, most_of(message->limit) + 1, until);
        if (more == -1 || (more == 0 && looked_at == 0))
            return (int)more;
        if (more <= 0)
            return take_all(conn, message);
    }
}

int weir__read_message(weir_conn *conn, struct weir__message *message)
{
    if (weir__lines_enter(conn) < 0)
        return -1;
    int result = read_message(conn, message);
    weir__conn_leave(conn, WEIR__READABLE);
    return result;
}

int weir__await_message(weir_conn *conn, int64_t until)
{
    if (weir__lines_enter(conn) < 0)
        return -1;
    ssize_t more = weir__lines_left(conn) ? 1 : weir__lines_read_more(conn, ANY_SIZE, until);
    weir__conn_leave(conn, WEIR__READABLE);
    return more == -1 ? -1 : more != WEIR__LINES_QUIET;
}
