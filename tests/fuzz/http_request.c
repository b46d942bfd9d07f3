/*
 * Requests over random cuts: whatever is taken is one head to both the byte and any other reader, is the same however
 * it was cut, and what it says of ranges and conditions is within what there is.
 *
 * The input: a count, that many bytes of the script of the stream (see harness/stream.c), the stream's bytes.
 */
#include "http.h"
#include "services/stream/range.h"

static void require_ranges(const struct http_head *head)
{
    struct range ranges[RANGES_MOST];
    size_t count = 0;
    uint64_t size = head->count * 37, total = 0;
    const char *value = http_field(head, "Range");
    if (!value || range_parse(value, size, ranges, &count) != RANGES_SOME)
        return;
    fuzz_require(count > 0 && count <= RANGES_MOST, "%zu", count);
    for (size_t i = 0; i < count; i++) {
        fuzz_require(ranges[i].length > 0 && ranges[i].first < size && ranges[i].length <= size - ranges[i].first,
                     "%llu+%llu", (unsigned long long)ranges[i].first, (unsigned long long)ranges[i].length);
        total += ranges[i].length;
    }
    fuzz_require(total <= size, "%llu", (unsigned long long)total);
}

static void require_conditions(const struct http_head *head)
{
    static const struct validators known = {.tag = "\"a\"", .modified = 784111777, .now = 784200000};
    int status = conditions_check(head, &known);
    fuzz_require(status == 0 || status == 304 || status == 412, "%d", status);
    bool asked = http_field(head, "If-Match") || http_field(head, "If-None-Match") ||
                 http_field(head, "If-Modified-Since") || http_field(head, "If-Unmodified-Since");
    fuzz_require(asked || status == 0, "%d", status);
    fuzz_require(conditions_allow_range(head, &known) || http_field(head, "If-Range"), "%zu", head->count);
}

static void require_request(const struct http_head *head)
{
    fuzz_http_require_head(head);
    fuzz_require(head->status == 0 && *head->method, "%d", head->status);
    fuzz_require(*head->target == '/' || strcmp(head->target, "*") == 0, "'%s'", head->target);
    for (const char *byte = head->target; *byte; byte++)
        fuzz_require(*byte > ' ' && *byte < 0x7f && *byte != '#', "'%s'", head->target);
    fuzz_require(head->minor == 0 || http_field(head, "Host"), "%d", head->minor);
    fuzz_require(head->body != HTTP_UNTIL_CLOSE, "%d", (int)head->body);
    require_ranges(head);
    require_conditions(head);
}

/* Reads one. Its result; errno with -1. */
static int read_one(struct fuzz_stream *stream, struct http_head *head)
{
    size_t from = fuzz_http_consumed(stream);
    int got = http_read_request(stream->conn, head), number = errno;
    if (got == 1) {
        fuzz_http_require_consumed(stream, from);
        require_request(head);
    }
    static const int statuses[] = {0, 400, 408, 414, 417, 431, 501, 505};
    bool known = false;
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        known |= head->status == statuses[i];
    fuzz_require(known && (got < 0 || head->status == 0), "%d", head->status);
    errno = number;
    return got;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = fuzz_input(data, size);
    struct fuzz_stream cut = fuzz_http_stream(&input);
    struct fuzz_stream whole = {.bytes = cut.bytes, .length = cut.length};
    struct http_head one, other;
    fuzz_stream_open(&cut);
    int got = read_one(&cut, &one);
    bool verdict = fuzz_http_is_verdict(got) && !cut.was_reset;
    fuzz_stream_close(&cut);
    fuzz_stream_open(&whole);
    int again = read_one(&whole, &other);
    fuzz_stream_close(&whole);
    if (verdict && (got != 0 || cut.length == 0)) {
        fuzz_require(got == again, "%d, %d", got, again);
        fuzz_http_require_same(&one, &other);
    }
    http_head_free(&one);
    http_head_free(&other);
    return 0;
}
