/*
 * Bodies over random cuts, read in pieces of any size, judged by a reader that has all of the stream before it: the
 * same bytes come out, malformed is what is malformed there, and what follows a body is left to the byte.
 *
 * The input: a byte for the kind and one for the length of a body, one for the pieces, a count, that many bytes of the
 * script of the stream (see harness/stream.c), the stream's bytes.
 */
#include "http.h"
#include "http/body.h"

/* How a body ends. */
enum verdict { WHOLE, CUT, MALFORMED };

/* What the reader with all of it before him finds. */
struct expected {
    char *data;
    size_t length, consumed;
    enum verdict verdict;
};

/* --- that reader --- */

/* The line at *at, its end in *end; *at is moved behind it. */
static enum verdict take_line(const uint8_t *bytes, size_t size, size_t *at, size_t *end)
{
    const uint8_t *found = memmem(bytes + *at, size - *at, "\r\n", 2);
    size_t most = found ? (size_t)(found - bytes) - *at : size - *at;
    if (found ? most > 512 : most >= 512 + 2)
        return MALFORMED;
    if (!found)
        return CUT;
    for (const uint8_t *byte = bytes + *at; byte < found; byte++)
        if ((*byte < ' ' && *byte != '\t') || *byte == 0x7f)
            return MALFORMED;
    *end = (size_t)(found - bytes);
    *at = *end + 2;
    return WHOLE;
}

static enum verdict take_size(const uint8_t *bytes, size_t size, size_t *at, uint64_t *chunk)
{
    char line[520] = "";
    size_t start = *at, end;
    enum verdict verdict = take_line(bytes, size, at, &end);
    if (verdict != WHOLE)
        return verdict;
    memcpy(line, bytes + start, end - start);
    size_t digits = strspn(line, "0123456789abcdefABCDEF"), space = strspn(line + digits, " \t");
    if (digits == 0 || digits > 15 || (line[digits + space] ? line[digits + space] != ';' : space > 0))
        return MALFORMED;
    *chunk = strtoull(line, NULL, 16);
    return WHOLE;
}

static enum verdict take_trailers(const uint8_t *bytes, size_t size, size_t *at)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (int count = 0; count <= 100; count++) {
        char line[520] = "";
        size_t start = *at, end;
        enum verdict verdict = take_line(bytes, size, at, &end);
        if (verdict != WHOLE || end == start)
            return verdict;
        memcpy(line, bytes + start, end - start);
        size_t name = strspn(line, token);
        if (name == 0 || line[name] != ':')
            return MALFORMED;
    }
    return MALFORMED;
}

static enum verdict take_chunks(const uint8_t *bytes, size_t size, struct expected *expected)
{
    for (size_t *at = &expected->consumed;;) {
        uint64_t chunk;
        size_t end, start;
        enum verdict verdict = take_size(bytes, size, at, &chunk);
        if (verdict != WHOLE)
            return verdict;
        if (chunk == 0)
            return take_trailers(bytes, size, at);
        size_t length = chunk < size - *at ? (size_t)chunk : size - *at;
        memcpy(expected->data + expected->length, bytes + *at, length);
        expected->length += length;
        *at += length;
        if (length < chunk)
            return CUT;
        start = *at;
        if ((verdict = take_line(bytes, size, at, &end)) != WHOLE)
            return verdict;
        if (end != start)
            return MALFORMED;
    }
}

static struct expected expect(const struct fuzz_stream *stream, const struct http_head *head)
{
    struct expected expected = {.data = fuzz_alloc(stream->length + 1), .verdict = WHOLE};
    if (head->body == HTTP_CHUNKED) {
        expected.verdict = take_chunks(stream->bytes, stream->length, &expected);
        return expected;
    }
    expected.length = stream->length;
    if (head->body == HTTP_LENGTH && head->length < expected.length)
        expected.length = (size_t)head->length;
    if (head->body == HTTP_NO_BODY)
        expected.length = 0;
    if (head->body == HTTP_LENGTH && head->length > expected.length)
        expected.verdict = CUT;
    memcpy(expected.data, stream->bytes, expected.length);
    expected.consumed = expected.length;
    return expected;
}

/* --- the library's --- */

static void require_error(const struct fuzz_stream *stream, const struct expected *expected)
{
    bool told = stream->told_deadline || stream->told_cancel || stream->was_reset || stream->conn->aborted;
    if (errno == EPROTO)
        fuzz_require(expected->verdict == MALFORMED, "%s", weir_error()->sentence);
    else if (errno == ENODATA)
        fuzz_require(expected->verdict != WHOLE || told || stream->conn->ended, "%s", weir_error()->sentence);
    else
        fuzz_require(errno == ETIMEDOUT || errno == ECANCELED || errno == ECONNRESET || errno == ECONNABORTED, "%s",
                     weir_error()->sentence);
}

/* Reads to the end; calls that were only interrupted are made again. */
static void read_all(struct fuzz_stream *stream, struct http_body *body, size_t piece, const struct expected *expected)
{
    char *buffer = fuzz_alloc(piece);
    size_t length = 0;
    for (int tries = 0; tries < 1000; tries++) {
        fuzz_stream_call(stream);
        ssize_t got = http_body_read(body, buffer, piece);
        if (got < 0) {
            require_error(stream, expected);
            if (errno != ETIMEDOUT && errno != ECANCELED)
                break;
            weir_set_deadline(stream->conn, WEIR_READ, WEIR_FOREVER);
            continue;
        }
        if (got == 0) {
            fuzz_require(body->ended, "%zu bytes", length);
            bool early = body->kind == HTTP_UNTIL_CLOSE && (stream->was_reset || stream->conn->aborted);
            fuzz_require(early || (expected->verdict == WHOLE && length == expected->length), "%zu of %zu", length,
                         expected->length);
            fuzz_require(early || fuzz_http_consumed(stream) == expected->consumed, "%zu of %zu",
                         fuzz_http_consumed(stream), expected->consumed);
            break;
        }
        fuzz_require((size_t)got <= piece && length + (size_t)got <= expected->length, "%zd at %zu", got, length);
        fuzz_require(memcmp(buffer, expected->data + length, (size_t)got) == 0, "%zd at %zu", got, length);
        length += (size_t)got;
        tries = 0;
    }
    free(buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum http_body_kind kinds[] = {HTTP_CHUNKED, HTTP_LENGTH, HTTP_UNTIL_CLOSE, HTTP_CHUNKED,
                                                HTTP_NO_BODY};
    struct fuzz_input input = fuzz_input(data, size);
    struct http_head head = {.body = kinds[fuzz_below(&input, 5)]};
    head.length = 1 + fuzz_byte(&input);
    size_t piece = 1 + fuzz_byte(&input);
    struct fuzz_stream stream = fuzz_http_stream(&input);
    struct expected expected = expect(&stream, &head);
    struct http_body body;
    fuzz_stream_open(&stream);
    http_body_begin(&body, stream.conn, &head);
    read_all(&stream, &body, piece, &expected);
    fuzz_stream_close(&stream);
    free(expected.data);
    return 0;
}
