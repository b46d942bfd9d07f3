/*
 * Conversations' messages over random cuts and pauses, judged by where each must end in the whole byte string. By
 * lines the messages are the same whatever the cuts; else they are what had come when a pause was told; no byte is
 * lost, and nobody is asked who has said something.
 *
 * The input: a byte of flags, one of the limit, a count, that many bytes of the script of the stream (see
 * harness/stream.c, where a deadline is a pause), and then the stream's bytes.
 */
#include <errno.h>
#include <string.h>
#include <weir/conversation.h>
#include <weir/time.h>

#include "stream.h"

/* Beyond the limit there may be a CR LF, and a byte that shows that it is none. */
enum { BEYOND = 3 };

struct listener {
    struct fuzz_stream stream;
    weir_conversation conversation;
    size_t consumed; /* of the stream, by messages */
    bool late;       /* a deadline was moved into the past */
    bool prompts;
};

static struct weir__system table;
static unsigned prompts; /* how many the running call has sent */

static ssize_t note_prompt(int fd, const void *data, size_t size, int flags)
{
    (void)fd, (void)flags;
    fuzz_require(size == 1 && *(const char *)data == '?', "%zu bytes", size);
    prompts++;
    return (ssize_t)size;
}

static const char *next_bytes(const struct listener *listener)
{
    return (const char *)listener->stream.bytes + listener->consumed;
}

static size_t ahead(const struct listener *listener)
{
    return listener->stream.given - listener->consumed;
}

static bool is_newline(char one)
{
    return one == '\n' || one == '\r';
}

static size_t without_newlines(const char *bytes, size_t length)
{
    while (length > 0 && is_newline(bytes[length - 1]))
        length--;
    return length;
}

/* --- what each call may say --- */

/* The line that stands first: all bytes of the stream decide it, not what has been given of them. */
static void require_line(struct listener *listener, const char *message, size_t length)
{
    const char *bytes = next_bytes(listener),
               *newline = memchr(bytes, '\n', listener->stream.length - listener->consumed);
    size_t whole = newline ? (size_t)(newline - bytes) : listener->stream.length - listener->consumed;
    size_t shown = newline && whole > 0 && bytes[whole - 1] == '\r' ? whole - 1 : whole;
    fuzz_require(newline || listener->stream.finished, "%zu bytes without a newline", length);
    fuzz_require(length == shown && memcmp(message, bytes, length) == 0, "%zu bytes, not %zu", length, shown);
    listener->consumed += whole + (newline != NULL);
}

/* The first, if it is a line, decides the newline of answers. */
static void require_first_line(struct listener *listener, const char *message, size_t length)
{
    size_t before = listener->consumed;
    require_line(listener, message, length);
    bool crlf = listener->consumed - before == length + 2;
    fuzz_require(listener->conversation.newline == (crlf ? WEIR_NEWLINE_CRLF : WEIR_NEWLINE_LF), "%d",
                 (int)listener->conversation.newline);
}

/* All that had come: newlines before it may have been messages of nothing, and those behind it are none of it. */
static void require_piece(struct listener *listener, const char *message, size_t length)
{
    const struct fuzz_stream *stream = &listener->stream;
    const char *bytes = next_bytes(listener);
    size_t shown = without_newlines(bytes, ahead(listener));
    fuzz_require(stream->told_deadline || stream->told_end || stream->was_reset, "nothing had ended it");
    fuzz_require(length > 0 && length <= shown, "%zu of %zu", length, shown);
    fuzz_require(memcmp(message, bytes + shown - length, length) == 0, "%zu bytes are others", length);
    fuzz_require(without_newlines(bytes, shown - length) == 0, "%zu bytes are lost", shown - length);
    listener->consumed = stream->given;
}

static void require_too_long(const struct listener *listener, weir_newline before)
{
    const char *bytes = next_bytes(listener);
    size_t limit = listener->conversation.limit, length = ahead(listener);
    bool by_lines = before == WEIR_NEWLINE_LF || before == WEIR_NEWLINE_CRLF;
    const char *newline = before == WEIR_NEWLINE_NONE ? NULL : memchr(bytes, '\n', length);
    size_t shown = newline ? (size_t)(newline - bytes) : length;
    if (newline && shown > 0 && bytes[shown - 1] == '\r')
        shown--;
    fuzz_require(weir_error()->kind == WEIR_ERROR_LIMIT, "%s", weir_error()->sentence);
    fuzz_require(shown > limit, "%zu of %zu", shown, limit);
    if (!by_lines && !newline)
        fuzz_require(without_newlines(bytes, length) > limit || length >= limit + BEYOND, "%zu of %zu", length, limit);
}

static void require_told(const struct listener *listener, int number)
{
    const struct fuzz_stream *stream = &listener->stream;
    bool told = (number == ETIMEDOUT && (stream->told_deadline || listener->late)) ||
                (number == ECANCELED && stream->told_cancel) || (number == ECONNRESET && stream->was_reset) ||
                (number == ECONNABORTED && stream->conn->aborted);
    fuzz_require(told, "errno %d: %s", number, weir_error()->sentence);
}

static void require_message(struct listener *listener, weir_newline before, const char *message, size_t length)
{
    weir_newline now = listener->conversation.newline;
    fuzz_require(message[length] == '\0' && length <= listener->conversation.limit, "%zu bytes", length);
    if (now == WEIR_NEWLINE_NONE)
        require_piece(listener, message, length);
    else if (before == WEIR_NEWLINE_UNKNOWN)
        require_first_line(listener, message, length);
    else
        require_line(listener, message, length);
    fuzz_require(now != WEIR_NEWLINE_UNKNOWN && (before == WEIR_NEWLINE_UNKNOWN || now == before), "%d, then %d",
                 (int)before, (int)now);
}

/* --- a run --- */

/* What was passed over as nothing but newlines, where no message came of it. */
static void pass_over_nothing(struct listener *listener)
{
    size_t left = weir__lines_left(listener->stream.conn);
    fuzz_require(left <= ahead(listener), "%zu of %zu", left, ahead(listener));
    size_t passed = ahead(listener) - left;
    fuzz_require(passed == 0 || listener->conversation.newline == WEIR_NEWLINE_NONE, "%zu bytes are lost", passed);
    fuzz_require(without_newlines(next_bytes(listener), passed) == 0, "%zu bytes are lost", passed);
    listener->consumed += passed;
}

static int ask(struct listener *listener, char **message, size_t *length)
{
    prompts = 0;
    listener->late = listener->stream.conn->side[0].deadline <= fuzz_stream_now();
    fuzz_stream_call(&listener->stream);
    if (!listener->prompts)
        return weir_read_message(&listener->conversation, message, length);
    size_t had = ahead(listener);
    int result = weir_prompt(&listener->conversation, "?", message, length);
    fuzz_require(prompts <= 1 && (prompts == 0 || listener->stream.told_deadline), "%u prompts", prompts);
    fuzz_require(prompts == 0 || without_newlines(next_bytes(listener), had) == 0, "%zu bytes were there", had);
    return result;
}

/* Whether a call may go better after one that failed so: a limit that was passed stays so. */
static bool may_go_on(const struct listener *listener, int number)
{
    const weir_conn *conn = listener->stream.conn;
    return number != EMSGSIZE && !(number == ETIMEDOUT && conn->limits) && !conn->aborted &&
           !listener->stream.was_reset;
}

/* Reads one. Whether to go on. */
static bool listen_once(struct listener *listener)
{
    char *message;
    size_t length;
    weir_newline before = listener->conversation.newline;
    int result = ask(listener, &message, &length);
    if (result > 0) {
        require_message(listener, before, message, length);
        fuzz_require(weir__lines_left(listener->stream.conn) == ahead(listener), "%zu are ahead",
                     weir__lines_left(listener->stream.conn));
        return true;
    }
    int number = errno;
    pass_over_nothing(listener);
    if (result == 0)
        fuzz_require(ahead(listener) == 0 && listener->stream.told_end, "%zu are left", ahead(listener));
    else if (number == EMSGSIZE)
        require_too_long(listener, listener->conversation.newline);
    else
        require_told(listener, number);
    if (result < 0)
        weir_set_deadline(listener->stream.conn, WEIR_READ, WEIR_FOREVER);
    return result < 0 && may_go_on(listener, number);
}

static size_t limit_of(unsigned code)
{
    return code < 100 ? code : code < 250 ? (code - 99) * 41 : code == 255 ? SIZE_MAX : 4090 + (code - 250) * 4;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct weir__conn_limits limits = {.idle = WEIR_S(60), .write = WEIR_FOREVER, .message = WEIR_S(5)};
    struct fuzz_input input = fuzz_input(data, size);
    unsigned flags = fuzz_byte(&input), limit = fuzz_byte(&input), cuts = fuzz_byte(&input);
    size_t length;
    struct listener listener = {.stream.at_home = flags & 1, .prompts = flags & 4};
    const uint8_t *script = fuzz_take(&input, cuts, &length);
    listener.stream.script = fuzz_input(script, length);
    listener.stream.bytes = fuzz_take(&input, SIZE_MAX, &listener.stream.length);
    fuzz_stream_open(&listener.stream);
    table = *weir__system();
    table.send = note_prompt;
    weir__system_here = &table;
    if (flags & 2)
        weir__conn_set_limits(listener.stream.conn, &limits, WEIR_FOREVER);
    listener.conversation = weir_conversation_begin(listener.stream.conn);
    listener.conversation.limit = limit_of(limit);
    /* Each turn takes a byte or an event of the script, or ends it: a bound all the same. */
    size_t turns = 2 * size + 600;
    while (listen_once(&listener))
        fuzz_require(turns-- > 0, "%zu of %zu", listener.consumed, listener.stream.length);
    fuzz_stream_close(&listener.stream);
    return 0;
}
