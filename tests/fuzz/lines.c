/*
 * Buffered reading and all other ways to receive from a stream, over random cuts, judged by where each call must end in
 * the whole byte string: no byte is lost, comes twice or out of order, and no call waits for more than it needs.
 *
 * The input: a byte of flags, two counts, that many bytes of calls and of the script of the stream (see harness/stream.c),
 * and then the stream's bytes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/time.h>

#include "stream.h"

enum { FIRST_BUFFER = 4096 }; /* what the library reads ahead into, where the limit allows that much */

struct reader {
    struct fuzz_stream stream;
    struct fuzz_input calls;
    size_t consumed;  /* of the stream, by the calls */
    size_t bound;     /* the most that may have been read ahead */
    const char *held; /* a line that was handed out, which must stay until the next reading call */
    size_t held_at, held_length;
    bool late; /* a deadline that was moved into the past */
};

static const uint8_t *next_bytes(const struct reader *reader)
{
    return reader->stream.bytes + reader->consumed;
}

static size_t ahead(const struct reader *reader)
{
    return reader->stream.given - reader->consumed;
}

/* --- what holds after every call --- */

static void require_nothing_lost(const struct reader *reader)
{
    const struct fuzz_stream *stream = &reader->stream;
    uint64_t received, sent;
    fuzz_require(reader->consumed <= stream->given, "%zu of %zu", reader->consumed, stream->given);
    fuzz_require(weir__lines_left(stream->conn) == ahead(reader), "%zu are ahead, not %zu",
                 weir__lines_left(stream->conn), ahead(reader));
    fuzz_require(ahead(reader) <= reader->bound, "%zu are ahead, %zu may be", ahead(reader), reader->bound);
    weir_conn_bytes(stream->conn, &received, &sent);
    fuzz_require(received == stream->given && sent == 0, "%llu counted of %zu", (unsigned long long)received,
                 stream->given);
    if (weir_at_end(stream->conn))
        fuzz_require(stream->finished && stream->piece == 0 && ahead(reader) == 0, "%zu are left", ahead(reader));
}

static void require_held(const struct reader *reader)
{
    if (reader->held)
        fuzz_require(memcmp(reader->held, reader->stream.bytes + reader->held_at, reader->held_length) == 0,
                     "%zu bytes at %zu", reader->held_length, reader->held_at);
}

/* The error of a call that got nothing: what it was told. */
static void require_told(const struct reader *reader, int number)
{
    const struct fuzz_stream *stream = &reader->stream;
    bool told = (number == ETIMEDOUT && (stream->told_deadline || reader->late)) ||
                (number == ECANCELED && stream->told_cancel) || (number == ECONNRESET && stream->was_reset) ||
                (number == ECONNABORTED && stream->conn->aborted);
    fuzz_require(told, "errno %d: %s", number, weir_error()->sentence);
    fuzz_require(weir_error()->number == number && *weir_error()->reason, "'%s'", weir_error()->sentence);
}

/* A call begins. What it may not be kept from by what others were told. */
static void begin(struct reader *reader, size_t most)
{
    require_held(reader);
    reader->held = NULL;
    reader->late = reader->stream.conn->side[0].deadline <= fuzz_stream_now();
    if (most > reader->bound)
        reader->bound = most;
    fuzz_stream_call(&reader->stream);
}

/* Bytes that came out. */
static void consume(struct reader *reader, const void *data, size_t length)
{
    fuzz_require(reader->consumed + length <= reader->stream.given, "%zu beyond %zu", length, reader->consumed);
    fuzz_require(length == 0 || memcmp(data, next_bytes(reader), length) == 0, "%zu bytes at %zu", length,
                 reader->consumed);
    reader->consumed += length;
}

/* --- lines and marks --- */

enum outcome { UNDECIDED, FOUND, TOO_LONG, CUT_SHORT, AT_END };

/* Where a call ends that has `length` bytes before it: what is handed out, and what is passed over. */
struct decision {
    enum outcome outcome;
    size_t shown, passed;
};

/* A line is within the limit without its LF or CR LF; a CR that may be the newline's is waited with. */
static struct decision decide_line(const uint8_t *bytes, size_t length, bool ended, size_t limit)
{
    const uint8_t *newline = length ? memchr(bytes, '\n', length) : NULL;
    size_t shown = newline ? (size_t)(newline - bytes) : length;
    if (newline && shown > 0 && bytes[shown - 1] == '\r')
        shown--;
    if (newline)
        return (struct decision){shown <= limit ? FOUND : TOO_LONG, shown, (size_t)(newline - bytes) + 1};
    if (ended)
        return (struct decision){length == 0 ? AT_END : length <= limit ? FOUND : TOO_LONG, length, length};
    bool may_be_whole = length <= limit || (length - 1 == limit && bytes[length - 1] == '\r');
    return (struct decision){may_be_whole ? UNDECIDED : TOO_LONG, 0, 0};
}

static struct decision decide_mark(const uint8_t *bytes, size_t length, bool ended, size_t limit, const void *mark,
                                   size_t mark_length)
{
    const uint8_t *place = length ? memmem(bytes, length, mark, mark_length) : NULL;
    size_t whole = place ? (size_t)(place - bytes) + mark_length : 0;
    if (place)
        return (struct decision){whole - mark_length <= limit ? FOUND : TOO_LONG, whole, whole};
    if (length >= mark_length && length - mark_length >= limit)
        return (struct decision){TOO_LONG, 0, 0};
    return (struct decision){!ended ? UNDECIDED : length == 0 ? AT_END : CUT_SHORT, 0, 0};
}

/* A mark of no bytes stands for a line. */
static struct decision decide(const struct reader *reader, size_t given, bool ended, size_t limit, const char *mark)
{
    size_t length = given - reader->consumed;
    if (!*mark)
        return decide_line(next_bytes(reader), length, ended, limit);
    return decide_mark(next_bytes(reader), length, ended, limit, mark, strlen(mark));
}

static void require_refused(struct reader *reader, enum outcome outcome)
{
    int number = errno;
    if (number == EMSGSIZE)
        fuzz_require(outcome == TOO_LONG && weir_error()->kind == WEIR_ERROR_LIMIT, "%d", (int)outcome);
    else if (number == ENODATA)
        fuzz_require(outcome == CUT_SHORT && weir_error()->kind == WEIR_ERROR_CLOSED, "%d", (int)outcome);
    else
        require_told(reader, number);
}

static void try_find(struct reader *reader, size_t limit, const char *mark)
{
    size_t mark_length = strlen(mark), length = 77, had = reader->stream.given;
    char *data = NULL;
    begin(reader, limit + (mark_length ? mark_length : 2));
    int result = mark_length ? weir_read_until(reader->stream.conn, mark, mark_length, &data, &length, limit)
                             : weir_read_line(reader->stream.conn, &data, &length, limit);
    struct decision decision = decide(reader, reader->stream.given, reader->stream.told_end, limit, mark);
    if (reader->stream.given > had)
        fuzz_require(decide(reader, reader->stream.before, false, limit, mark).outcome == UNDECIDED,
                     "read on behind %zu", reader->stream.before);
    if (result < 0) {
        require_refused(reader, decision.outcome);
        return;
    }
    fuzz_require(result == (decision.outcome == FOUND) && (result || decision.outcome == AT_END), "%d, not %d", result,
                 (int)decision.outcome);
    if (!result)
        return;
    fuzz_require(length == decision.shown && data[length] == '\0', "%zu, not %zu", length, decision.shown);
    fuzz_require(memcmp(data, next_bytes(reader), length) == 0, "%zu bytes at %zu", length, reader->consumed);
    reader->held = data;
    reader->held_at = reader->consumed;
    reader->held_length = length;
    reader->consumed += decision.passed;
}

/* --- the other calls --- */

/* What a receive of `size` bytes said. */
static void require_received(struct reader *reader, ssize_t length, const char *data, size_t size, int flags)
{
    size_t was_ahead = reader->stream.before > reader->consumed ? reader->stream.before - reader->consumed : 0;
    if (length < 0) {
        int number = errno;
        if (number == EAGAIN)
            fuzz_require((flags & MSG_DONTWAIT) && was_ahead == 0, "%zu were ahead", was_ahead);
        else
            require_told(reader, number);
        return;
    }
    fuzz_require((size_t)length <= size, "%zd of %zu", length, size);
    if (length == 0)
        fuzz_require(size == 0 || (reader->stream.told_end && ahead(reader) == 0), "an end before the end");
    if (was_ahead > 0 && (!(flags & MSG_WAITALL) || (flags & MSG_PEEK)))
        fuzz_require((size_t)length == (was_ahead < size ? was_ahead : size), "%zd of %zu", length, was_ahead);
    if (!(flags & MSG_PEEK))
        consume(reader, data, (size_t)length);
    else /* of the socket, nothing of it counts as given yet */
        fuzz_require(memcmp(data, next_bytes(reader), (size_t)length) == 0, "%zd bytes are others", length);
}

/* All of it, unless something put an end to it, after some bytes perhaps. */
static void require_all(const struct reader *reader, ssize_t length, size_t size)
{
    const struct fuzz_stream *stream = &reader->stream;
    if (length >= 0 && (size_t)length < size)
        fuzz_require(stream->told_end || stream->was_reset || stream->told_deadline || stream->told_cancel ||
                         reader->late || stream->conn->aborted,
                     "%zd of %zu", length, size);
}

static void try_receive(struct reader *reader, size_t size, int flags, bool from)
{
    char *buffer = fuzz_alloc(size);
    weir_address sender;
    begin(reader, 0);
    ssize_t length = from ? weir_recvfrom(reader->stream.conn, buffer, size, flags, &sender)
                          : weir_recv_flags(reader->stream.conn, buffer, size, flags);
    if ((flags & MSG_WAITALL) && !(flags & MSG_PEEK))
        require_all(reader, length, size);
    require_received(reader, length, buffer, size, flags);
    free(buffer);
}

static void try_vector(struct reader *reader, size_t size, size_t first)
{
    char *buffer = fuzz_alloc(size);
    if (first > size)
        first = size;
    const struct iovec vector[] = {{buffer, first}, {NULL, 0}, {buffer + first, size - first}};
    begin(reader, 0);
    require_received(reader, weir_recv_vector(reader->stream.conn, vector, 3), buffer, size, 0);
    free(buffer);
}

static void try_exactly(struct reader *reader, size_t size)
{
    char *buffer = fuzz_alloc(size);
    size_t had = reader->stream.given;
    begin(reader, size);
    if (weir_read_exactly(reader->stream.conn, buffer, size) == 0) {
        consume(reader, buffer, size);
        fuzz_require(reader->stream.given == had || ahead(reader) == 0, "%zu were read ahead", ahead(reader));
    } else if (errno == ENODATA) {
        fuzz_require(reader->stream.told_end && ahead(reader) < size, "%zu of %zu", ahead(reader), size);
    } else {
        require_told(reader, errno);
    }
    free(buffer);
}

/* The view is ours: what we write to it is seen by nobody. */
static void try_lent(struct reader *reader)
{
    char *view = NULL;
    begin(reader, 0);
    ssize_t length = weir_receive(reader->stream.conn, &view);
    require_received(reader, length, view, 65536, 0);
    if (length > 0)
        memset(view, 0xee, (size_t)length);
}

static void try_yield(struct reader *reader)
{
    if (ahead(reader) > 0)
        fuzz_require(weir_yield_fd(reader->stream.conn) == -1 && errno == EBUSY, "%zu were ahead", ahead(reader));
}

/* --- a run --- */

static size_t some_size(struct fuzz_input *input)
{
    unsigned code = fuzz_byte(input);
    return code < 128 ? code : code < 250 ? (code - 120) * 37 : code == 255 ? 70000 : 4000 + code;
}

static void call(struct reader *reader)
{
    static const char *const marks[] = {"\r\n", "a", "aab", "abab", "\r\n\r\n", "aaaaaaaa"};
    static const int64_t timeouts[] = {WEIR_FOREVER, WEIR_NOW, WEIR_S(1)};
    static const int flags[] = {0, MSG_PEEK, MSG_WAITALL, MSG_DONTWAIT, MSG_WAITALL | MSG_PEEK};
    struct fuzz_input *input = &reader->calls;
    unsigned kind = fuzz_byte(input), variant = kind / 16;
    weir_conn *conn = reader->stream.conn;
    switch (kind % 12) {
    case 0:
    case 1:
    case 2:
        try_find(reader, some_size(input), "");
        break;
    case 3:
    case 4:
        try_find(reader, some_size(input), marks[variant % 6]);
        break;
    case 5:
        try_exactly(reader, some_size(input));
        break;
    case 6:
        try_receive(reader, some_size(input), flags[variant % 5], kind & 1);
        break;
    case 7:
        try_vector(reader, some_size(input), variant * 9);
        break;
    case 8:
        try_lent(reader);
        break;
    case 9:
        fuzz_stream_happen(&reader->stream);
        break;
    case 10:
        weir_set_timeout(conn, timeouts[variant % 3]);
        break;
    default:
        weir_set_deadline(conn, WEIR_READ, WEIR_FOREVER);
        try_yield(reader);
        break;
    }
    require_nothing_lost(reader);
}

/* At last all that is left comes, whatever went before. */
static void read_the_rest(struct reader *reader)
{
    weir_set_timeout(reader->stream.conn, WEIR_FOREVER);
    weir__conn_set_limits(reader->stream.conn, NULL, WEIR_FOREVER);
    while (!reader->stream.conn->aborted) {
        weir_set_deadline(reader->stream.conn, WEIR_READ, WEIR_FOREVER);
        try_receive(reader, 4096, 0, false);
        require_nothing_lost(reader);
        if (reader->stream.told_end || (reader->stream.was_reset && reader->consumed == reader->stream.length))
            break;
    }
    if (!reader->stream.conn->aborted)
        fuzz_require(reader->consumed == reader->stream.length, "%zu of %zu", reader->consumed, reader->stream.length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct weir__conn_limits limits = {.idle = WEIR_S(60), .write = WEIR_FOREVER, .message = WEIR_S(5)};
    struct fuzz_input input = fuzz_input(data, size);
    unsigned flags = fuzz_byte(&input), calls = fuzz_byte(&input), cuts = fuzz_byte(&input);
    size_t length;
    struct reader reader = {.stream.at_home = flags & 1, .bound = FIRST_BUFFER};
    const uint8_t *bytes = fuzz_take(&input, calls, &length);
    reader.calls = fuzz_input(bytes, length);
    bytes = fuzz_take(&input, cuts, &length);
    reader.stream.script = fuzz_input(bytes, length);
    reader.stream.bytes = fuzz_take(&input, SIZE_MAX, &reader.stream.length);
    fuzz_stream_open(&reader.stream);
    if (flags & 2)
        weir__conn_set_limits(reader.stream.conn, &limits, flags & 4 ? WEIR_S(3600) : WEIR_FOREVER);
    while (fuzz_left(&reader.calls) > 0)
        call(&reader);
    read_the_rest(&reader);
    fuzz_stream_close(&reader.stream);
    return 0;
}
