/*
 * What a proxy answers, over random cuts: whether the way stands is the same whatever the cuts, and not a byte behind
 * the answer is read. Judged by a reader that has all of the answer at once.
 *
 * The input: a byte that says which kind of proxy and whether there is a user, a count, that many bytes of the script
 * of the stream (see harness/stream.c), and then what the proxy says.
 */
#include <errno.h>
#include <string.h>
#include <weir/time.h>

#include "net/lines.h"
#include "net/via.h"
#include "stream.h"

#define SECRET "hush"

enum { MOST_HEAD = 16384, PIECE = 512, STATUS_LINE = 199 };

/* How it ends by all that the proxy says: where its answer ends if the way stands. */
struct verdict {
    bool stands, whole; /* neither: something is missing */
    size_t end;
};

static const struct verdict refused = {.whole = true}, missing = {0};

static struct verdict stands_at(size_t end)
{
    return (struct verdict){.stands = true, .whole = true, .end = end};
}

/* --- SOCKS --- */

static struct verdict judge_reply(const uint8_t *bytes, size_t length, size_t at)
{
    if (length < at + 2)
        return missing;
    if (bytes[at] != 5 || bytes[at + 1] != 0)
        return refused;
    if (length < at + 5)
        return missing;
    unsigned kind = bytes[at + 3];
    size_t end = at + 6 + (kind == 1 ? 4 : kind == 4 ? 16 : 1U + bytes[at + 4]);
    if (kind != 1 && kind != 3 && kind != 4)
        return refused;
    return length < end ? missing : stands_at(end);
}

static struct verdict judge_socks(const uint8_t *bytes, size_t length, bool user)
{
    if (length < 2)
        return missing;
    if (bytes[0] != 5 || (bytes[1] != 0 && !(bytes[1] == 2 && user)))
        return refused;
    if (bytes[1] == 0)
        return judge_reply(bytes, length, 2);
    if (length < 4)
        return missing;
    return bytes[2] != 1 || bytes[3] != 0 ? refused : judge_reply(bytes, length, 4);
}

/* --- HTTP --- */

/* Where the line ends that begins there, its newline included; 0: it does not. */
static size_t end_of_line(const uint8_t *bytes, size_t length, size_t at)
{
    const uint8_t *newline = at < length ? memchr(bytes + at, '\n', length - at) : NULL;
    return newline ? (size_t)(newline - bytes) + 1 : 0;
}

/* The status that a line begins with, its CRs apart; -1: none. */
static int status_of(const uint8_t *bytes, size_t length)
{
    char line[STATUS_LINE + 1] = "";
    size_t kept = 0;
    for (size_t i = 0; i < length && bytes[i] != '\n' && kept < STATUS_LINE; i++)
        if (bytes[i] != '\r')
            line[kept++] = (char)bytes[i];
    for (int i = 0; i < 12; i++) {
        static const char like[] = "HTTP/1.# ###";
        if (like[i] == '#' ? line[i] < '0' || line[i] > '9' : line[i] != like[i])
            return -1;
    }
    int status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + line[11] - '0';
    return status < 100 || (line[12] && line[12] != ' ') ? -1 : status;
}

/* Whether nothing but CRs stands there before its newline. */
static bool is_empty(const uint8_t *bytes, size_t from, size_t end)
{
    while (from < end && bytes[from] == '\r')
        from++;
    return from + 1 == end;
}

static size_t end_of_head(const uint8_t *bytes, size_t length, size_t at)
{
    size_t end = end_of_line(bytes, length, at), from = at;
    while (end && (from == at || !is_empty(bytes, from, end))) {
        from = end;
        end = end_of_line(bytes, length, from);
    }
    return end;
}

static struct verdict judge_http(const uint8_t *bytes, size_t length)
{
    for (size_t at = 0;;) {
        size_t end = end_of_head(bytes, length, at);
        if (end == 0)
            return missing;
        int status = status_of(bytes + at, length - at);
        if (status >= 200 && status < 300)
            return stands_at(end);
        if (status < 100 || status >= 200 || status == 101)
            return refused;
        at = end;
    }
}

/* --- a run --- */

static struct weir__system table;

static ssize_t take_all(int fd, const void *data, size_t size, int flags)
{
    (void)fd, (void)data, (void)flags;
    return (ssize_t)size;
}

/* What may end it beside the proxy. */
static bool disturbed(const struct fuzz_stream *stream)
{
    return stream->told_deadline || stream->told_cancel || stream->was_reset || stream->conn->aborted ||
           stream->conn->side[0].deadline <= fuzz_stream_now();
}

static void require_failure(const struct fuzz_stream *stream, struct verdict verdict, bool http)
{
    weir_error_kind kind = weir_error()->kind;
    bool long_head = http && stream->length > MOST_HEAD - PIECE;
    fuzz_require(!verdict.stands || long_head || disturbed(stream), "%s", weir_error()->sentence);
    fuzz_require(kind == WEIR_ERROR_PROXY || disturbed(stream), "%s", weir_error()->sentence);
    fuzz_require(fuzz_is_showable(weir_error()->sentence, strlen(weir_error()->sentence)), "%s",
                 weir_error()->sentence);
    /* Unless it is the proxy that says it. */
    fuzz_require(!strstr(weir_error()->sentence, SECRET) || memmem(stream->bytes, stream->length, SECRET, 4), "%s",
                 weir_error()->sentence);
    fuzz_require(stream->given <= MOST_HEAD + PIECE, "%zu bytes", stream->given);
}

static void require_way(const struct fuzz_stream *stream, struct verdict verdict)
{
    fuzz_require(verdict.stands && stream->given == verdict.end, "%zu, not %zu", stream->given, verdict.end);
    fuzz_require(weir__lines_left(stream->conn) == 0, "%zu are ahead", weir__lines_left(stream->conn));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = fuzz_input(data, size);
    unsigned flags = fuzz_byte(&input), cuts = fuzz_byte(&input);
    bool http = flags & 1, user = flags & 2;
    struct fuzz_stream stream = {.at_home = flags & 4};
    struct weir__via proxy = {.shown = "proxy", .has_user = user, .user = "me", .password = SECRET};
    weir_endpoint to;
    size_t length;
    const uint8_t *script = fuzz_take(&input, cuts, &length);
    stream.script = fuzz_input(script, length);
    stream.bytes = fuzz_take(&input, SIZE_MAX, &stream.length);
    struct verdict verdict =
        http ? judge_http(stream.bytes, stream.length) : judge_socks(stream.bytes, stream.length, user);
    weir_parse_endpoint("tcp://host:80", NULL, &to);
    fuzz_stream_open(&stream);
    table = *weir__system();
    table.send = take_all;
    weir__system_here = &table;
    fuzz_stream_call(&stream);
    int result = (http ? weir__via_http : weir__via_socks5)(stream.conn, &proxy, &to, weir_deadline(WEIR_S(60)));
    if (result == 0)
        require_way(&stream, verdict);
    else
        require_failure(&stream, verdict, http);
    fuzz_stream_close(&stream);
    return 0;
}
