/*
 * Buffered reading: lines, and bytes up to a mark. What follows is read ahead, and any reading call takes it.
 *
 * The memory exists while something is in it or a line in it has been handed out: whoever waits for a first byte
 * holds none. It grows as far as the caller's limit asks; for what a peer sends beyond a line, within that limit, to 16 KiB.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/time.h>

#include "base/error.h"
#include "net/lines.h"

/* Most messages are short, and memory for a few of them costs malloc(3) little; who sends much gets more. */
enum { FIRST_SIZE = 960, MOST_AHEAD = 16384 };

/* What is looked for. */
struct search {
    const char *mark;
    size_t mark_length;
    size_t limit; /* how much may stand before it */
    bool line;    /* a CR before it does not count */
};

void weir__lines_free(struct weir__lines *lines)
{
    free(lines);
}

size_t weir__lines_left(const weir_conn *conn)
{
    return conn->lines == NULL ? 0 : conn->lines->end - conn->lines->start;
}

/* The memory goes as soon as nothing is in it. */
static void free_if_empty(weir_conn *conn)
{
    if (weir__lines_left(conn) > 0)
        return;
    free(conn->lines);
    conn->lines = NULL;
    conn->message_end = 0;
}

void weir__lines_settle(weir_conn *conn)
{
    struct weir__lines *lines = conn->lines;
    if (lines->terminator != 0)
        lines->data[lines->terminator] = lines->replaced;
    lines->terminator = 0;
    free_if_empty(conn);
}

ssize_t weir__lines_take(weir_conn *conn, void *buffer, size_t size, bool peek)
{
    size_t left = weir__lines_left(conn);
    if (size > left)
        size = left;
    if (size == 0)
        return 0;
    memcpy(buffer, conn->lines->data + conn->lines->start, size);
    if (peek)
        return (ssize_t)size;
    conn->lines->start += size;
    free_if_empty(conn);
    return (ssize_t)size;
}

/* --- memory --- */

/* Room for `size` bytes in all, those that are ahead moved to the front. 0 or -1. */
static int make_room(weir_conn *conn, size_t size)
{
    struct weir__lines *lines = conn->lines;
    size_t left = weir__lines_left(conn);
    if (lines != NULL && size <= lines->size) {
        memmove(lines->data, lines->data + lines->start, left);
    } else {
        lines = malloc(sizeof *lines + size + 1);
        if (lines == NULL)
            return weir__fail_memory("read");
        if (left > 0)
            memcpy(lines->data, conn->lines->data + conn->lines->start, left);
        free(conn->lines);
        lines->size = size;
        conn->lines = lines;
    }
    lines->filled = false;
    lines->start = 0;
    lines->end = left;
    lines->terminator = 0;
    return 0;
}

int weir__lines_give_back(weir_conn *conn, const void *data, size_t size)
{
    size_t left = weir__lines_left(conn);
    struct weir__lines *lines = malloc(sizeof *lines + size + left + 1);
    if (lines == NULL)
        return weir__fail_memory("read");
    *lines = (struct weir__lines){.end = size + left, .size = size + left};
    memcpy(lines->data, data, size);
    if (left > 0)
        memcpy(lines->data + size, conn->lines->data + conn->lines->start, left);
    free(conn->lines);
    conn->lines = lines;
    return 0;
}

/* What one has now; where the last receive filled it twice that, up to a bound. */
static size_t size_so_far(const struct weir__lines *lines)
{
    if (lines == NULL)
        return 0;
    return lines->filled && lines->size <= MOST_AHEAD / 2 ? lines->size * 2 : lines->size;
}

/* Room for more than is ahead, at most for `most` in all: twice as much as is there, or came at once. */
static int grow(weir_conn *conn, size_t most)
{
    size_t left = weir__lines_left(conn), so_far = size_so_far(conn->lines);
    size_t size = left < FIRST_SIZE / 2 ? FIRST_SIZE : left * 2;
    if (so_far > size)
        size = so_far;
    return make_room(conn, size < most ? size : most);
}

/* --- reading ahead --- */

/* A message has begun when its first byte is there: from then on its rest has a time of its own. */
static void time_message(weir_conn *conn)
{
    if (conn->limits != NULL && conn->message_end == 0 && weir__lines_left(conn) > 0)
        conn->message_end = weir_deadline(conn->limits->message);
}

/* One receive behind what is ahead. -1 and errno, EAGAIN where nothing has arrived; no error is set. */
static ssize_t receive_now(weir_conn *conn)
{
    struct weir__lines *lines = conn->lines;
    size_t room = lines->size - lines->end;
    ssize_t length;
    do
        length = weir__conn_receive_now(conn, lines->data + lines->end, room, 0);
    while (length < 0 && errno == EINTR);
    if (length < 0)
        return -1;
    int number = length == 0 && !conn->secure ? weir__conn_false_end(conn) : 0;
    if (number != 0) {
        errno = number;
        return -1;
    }
    weir__conn_count(conn, WEIR__READABLE, (size_t)length);
    lines->end += (size_t)length;
    lines->filled = (size_t)length == room;
    if (length == 0)
        conn->ended = !conn->datagram;
    else if ((size_t)length < room && !conn->datagram)
        weir__conn_drained(conn);
    return length;
}

static bool needs_room(const struct weir__lines *lines)
{
    return lines == NULL || lines->size - lines->end <= lines->size / 4;
}

ssize_t weir__lines_read_more(weir_conn *conn, size_t most, int64_t until)
{
    bool try_first = weir__conn_maybe_readable(conn);
    time_message(conn);
    for (;;) {
        int waited = try_first ? 0 : weir__conn_wait_until(conn, WEIR__READABLE, until, "read");
        if (waited)
            return waited < 0 ? -1 : WEIR__LINES_QUIET;
        if (needs_room(conn->lines) && grow(conn, most) < 0)
            return -1;
        ssize_t length = receive_now(conn);
        int number = errno;
        free_if_empty(conn);
        if (length >= 0)
            return length;
        if (number != EAGAIN)
            return weir__conn_fail(conn, number, "read");
        weir__watch_clear(&conn->watch, WEIR__READABLE);
        try_first = false;
    }
}

/* Whether what is ahead, which has no mark, cannot be the beginning of something within the limit. */
static bool too_long(const struct search *search, const char *data, size_t left)
{
    if (left <= search->limit)
        return false;
    if (search->line)
        return left - search->limit > 1 || data[left - 1] != '\r';
    return left - search->limit >= search->mark_length;
}

static int fail_too_long(weir_conn *conn, const struct search *search)
{
    char name[WEIR_ADDRESS_TEXT];
    return weir_fail(WEIR_ERROR_LIMIT, EMSGSIZE, "read", weir__conn_name(conn, name, sizeof name),
                     search->line ? "more than %zu bytes without a newline" : "more than %zu bytes without the mark",
                     search->limit);
}

/* Where the mark begins in what is ahead, of which the first `looked_at` bytes do not hold it whole; NULL: nowhere. */
static const char *look(const struct search *search, const char *data, size_t left, size_t looked_at)
{
    size_t from = looked_at < search->mark_length ? 0 : looked_at - search->mark_length + 1;
    return left == 0 ? NULL : memmem(data + from, left - from, search->mark, search->mark_length);
}

/*
 * Reads until the mark is ahead. Returns 1 and in *length how much stands before it; 0 at the end of the stream with what
 * is left in *length; or -1.
 */
static int find_mark(weir_conn *conn, const struct search *search, size_t *length)
{
    size_t needed = search->mark_length + search->line;
    size_t most = search->limit < SIZE_MAX / 2 - needed ? search->limit + needed : SIZE_MAX / 2;
    for (size_t looked_at = 0;; looked_at = *length) {
        const char *data = conn->lines == NULL ? NULL : conn->lines->data + conn->lines->start;
        *length = weir__lines_left(conn);
        const char *mark = look(search, data, *length, looked_at);
        if (mark != NULL)
            *length = (size_t)(mark - data);
        bool any_excess_counts = mark != NULL && !search->line;
        if (any_excess_counts ? *length > search->limit : too_long(search, data, *length))
            return fail_too_long(conn, search);
        if (mark != NULL)
            return 1;
        ssize_t more = weir__lines_read_more(conn, most, WEIR_FOREVER);
        if (more <= 0)
            return (int)more;
    }
}

void weir__lines_hand_out(weir_conn *conn, size_t terminator, size_t whole, char **data)
{
    struct weir__lines *lines = conn->lines;
    *data = lines->data + lines->start;
    lines->terminator = lines->start + terminator;
    lines->start += whole;
    lines->replaced = lines->data[lines->terminator];
    lines->data[lines->terminator] = '\0';
    conn->message_end = 0;
}

/* --- the calls --- */

int weir__lines_enter(weir_conn *conn)
{
    if (weir__conn_enter(conn, WEIR__READABLE, "read") < 0)
        return -1;
    weir_release(conn);
    return 0;
}

static int read_line(weir_conn *conn, char **line, size_t *length, size_t limit)
{
    const struct search search = {"\n", 1, limit, true};
    int found = find_mark(conn, &search, length);
    if (found < 0 || (found == 0 && *length == 0))
        return found;
    if (found == 0 && *length > limit)
        return fail_too_long(conn, &search);
    size_t whole = *length + (size_t)found;
    if (found && *length > 0 && conn->lines->data[conn->lines->start + *length - 1] == '\r')
        --*length;
    weir__lines_hand_out(conn, *length, whole, line);
    return 1;
}

int weir_read_line(weir_conn *conn, char **line, size_t *length, size_t limit)
{
    size_t unwanted;
    if (weir__lines_enter(conn) < 0)
        return -1;
    int result = read_line(conn, line, length ? length : &unwanted, limit);
    weir__conn_leave(conn, WEIR__READABLE);
    return result;
}

static int read_until(weir_conn *conn, const struct search *search, char **data, size_t *length)
{
    int found = find_mark(conn, search, length);
    if (found == 0 && *length > 0) {
        char name[WEIR_ADDRESS_TEXT];
        return weir_fail(WEIR_ERROR_CLOSED, ENODATA, "read", weir__conn_name(conn, name, sizeof name),
                         "the stream ended before the mark");
    }
    if (found <= 0)
        return found;
    *length += search->mark_length;
    weir__lines_hand_out(conn, *length, *length, data);
    return 1;
}

int weir_read_until(weir_conn *conn, const void *mark, size_t mark_length, char **data, size_t *length, size_t limit)
{
    const struct search search = {mark, mark_length, limit, false};
    size_t unwanted;
    if (mark_length == 0)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "read", "", "the mark is empty");
    if (weir__lines_enter(conn) < 0)
        return -1;
    int result = read_until(conn, &search, data, length ? length : &unwanted);
    weir__conn_leave(conn, WEIR__READABLE);
    return result;
}

/* What a call that failed has read already is ahead again. Keeps the error, unless there is no memory for the bytes. */
static void put_back(weir_conn *conn, const char *bytes, size_t length)
{
    int number = errno;
    if (length == 0 || make_room(conn, length) < 0)
        return;
    memcpy(conn->lines->data, bytes, length);
    conn->lines->end = length;
    errno = number;
}

static int read_exactly(weir_conn *conn, char *buffer, size_t size)
{
    size_t done = (size_t)weir__lines_take(conn, buffer, size, false);
    while (done < size) {
        ssize_t length = weir__conn_receive(conn, buffer + done, size - done, 0, NULL);
        if (length == 0) {
            char name[WEIR_ADDRESS_TEXT];
            weir_fail(WEIR_ERROR_CLOSED, ENODATA, "read", weir__conn_name(conn, name, sizeof name),
                      "the stream ended after %zu of %zu bytes", done, size);
        }
        if (length <= 0) {
            put_back(conn, buffer, done);
            return -1;
        }
        done += (size_t)length;
    }
    return 0;
}

int weir_read_exactly(weir_conn *conn, void *buffer, size_t size)
{
    if (weir__lines_enter(conn) < 0)
        return -1;
    int result = read_exactly(conn, buffer, size);
    weir__conn_leave(conn, WEIR__READABLE);
    return result;
}
