/*
 * Responses over random cuts: what is taken is a head to the byte, is the same however it was cut, and ends where its
 * request says that it does.
 *
 * The input: a byte for the request's method, a count, that many bytes of the script of the stream (see
 * harness/stream.c), the stream's bytes.
 */
#include "http.h"

static void require_response(const struct http_head *head, const char *to)
{
    fuzz_http_require_head(head);
    fuzz_require(head->status >= 200 && head->status <= 999, "%d", head->status);
    fuzz_require(fuzz_http_is_clean(head->reason), "'%s'", head->reason);
    if (strcmp(to, "HEAD") == 0 || head->status == 204 || head->status == 304)
        fuzz_require(head->body == HTTP_NO_BODY, "%d", (int)head->body);
    fuzz_require(!head->keep_alive || head->body != HTTP_UNTIL_CLOSE, "%d", head->status);
    fuzz_require(!head->icy || head->minor == 0, "%d", head->minor);
}

static int read_one(struct fuzz_stream *stream, const char *to, struct http_head *head)
{
    int got = http_read_response(stream->conn, to, WEIR_FOREVER, head), number = errno;
    fuzz_require(got == 1 || got == -1, "%d", got);
    if (got == 1) {
        fuzz_http_require_consumed(stream, 0);
        require_response(head, to);
    }
    errno = number;
    return got;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const methods[] = {"GET", "HEAD", "CONNECT", "PUT"};
    struct fuzz_input input = fuzz_input(data, size);
    const char *to = methods[fuzz_below(&input, 4)];
    struct fuzz_stream cut = fuzz_http_stream(&input);
    struct fuzz_stream whole = {.bytes = cut.bytes, .length = cut.length};
    struct http_head one, other;
    fuzz_stream_open(&cut);
    int got = read_one(&cut, to, &one);
    bool verdict = fuzz_http_is_verdict(got) && !cut.was_reset;
    fuzz_stream_close(&cut);
    fuzz_stream_open(&whole);
    int again = read_one(&whole, to, &other);
    fuzz_stream_close(&whole);
    if (verdict)
        fuzz_require(got == again, "%d, %d", got, again);
    if (verdict && got == 1)
        fuzz_http_require_same(&one, &other);
    http_head_free(&one);
    http_head_free(&other);
    return 0;
}
