/* What the targets of HTTP share: a stream whose cuts an input says, and the same stream all at once. */
#ifndef FUZZ_HARNESS_HTTP_H
#define FUZZ_HARNESS_HTTP_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "http/head.h"
#include "stream.h"

/* The input's first byte says how many bytes of script come (see stream.c); then those, and the stream. */
static inline struct fuzz_stream fuzz_http_stream(struct fuzz_input *input)
{
    struct fuzz_stream stream = {.at_home = false};
    size_t length;
    const uint8_t *script = fuzz_take(input, fuzz_byte(input), &length);
    stream.script = fuzz_input(script, length);
    stream.bytes = fuzz_take(input, SIZE_MAX, &stream.length);
    return stream;
}

/* How much of the stream was consumed by whoever reads it. */
static inline size_t fuzz_http_consumed(const struct fuzz_stream *stream)
{
    return stream->given - weir__lines_left(stream->conn);
}

/*
 * Whether a call ended for what the stream holds, and not for what the script did: the same stream in other pieces
 * says the same.
 */
static inline bool fuzz_http_is_verdict(int result)
{
    return result >= 0 || errno == EPROTO || errno == EMSGSIZE;
}

static inline bool fuzz_http_is_clean(const char *text)
{
    for (; *text; text++)
        if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f)
            return false;
    return true;
}

/* What holds of any head that was taken. */
static inline void fuzz_http_require_head(const struct http_head *head)
{
    fuzz_require(head->count <= HTTP_FIELDS_MOST, "%zu", head->count);
    fuzz_require(head->major == 1, "%d", head->major);
    for (size_t i = 0; i < head->count; i++) {
        const char *name = head->fields[i].name, *value = head->fields[i].value;
        fuzz_require(*name && !strpbrk(name, " \t:()<>@,;\\\"/[]?={}"), "'%s'", name);
        fuzz_require(fuzz_http_is_clean(name) && fuzz_http_is_clean(value), "'%s: %s'", name, value);
        size_t length = strlen(value);
        fuzz_require(length == 0 || (!strchr(" \t", value[0]) && !strchr(" \t", value[length - 1])), "'%s'", value);
        fuzz_require(http_field(head, name), "'%s'", name);
    }
    bool both = http_field(head, "Content-Length") && http_field(head, "Transfer-Encoding");
    fuzz_require(!both, "%d", (int)head->body);
}

/* What was consumed is heads alone, each to its empty line, and no line ends otherwise than in CR LF. */
static inline void fuzz_http_require_consumed(const struct fuzz_stream *stream, size_t from)
{
    const char *text = (const char *)stream->bytes + from;
    size_t length = fuzz_http_consumed(stream) - from;
    fuzz_require(length >= 4 && memcmp(text + length - 4, "\r\n\r\n", 4) == 0, "%zu bytes", length);
    for (size_t i = 0; i < length; i++) {
        fuzz_require(text[i] != '\0', "byte %zu", i);
        fuzz_require(text[i] != '\n' || (i > 0 && text[i - 1] == '\r'), "byte %zu", i);
        fuzz_require(text[i] != '\r' || text[i + 1] == '\n', "byte %zu", i);
    }
}

/* Two readings of the same bytes. */
static inline void fuzz_http_require_same(const struct http_head *one, const struct http_head *other)
{
    fuzz_require(one->status == other->status && one->body == other->body && one->length == other->length &&
                     one->keep_alive == other->keep_alive && one->count == other->count && one->minor == other->minor,
                 "%d, %d; %zu, %zu", one->status, other->status, one->count, other->count);
    for (size_t i = 0; i < one->count; i++)
        fuzz_require(strcmp(one->fields[i].name, other->fields[i].name) == 0 &&
                         strcmp(one->fields[i].value, other->fields[i].value) == 0,
                     "'%s', '%s'", one->fields[i].value, other->fields[i].value);
}

#endif
