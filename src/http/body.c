/* The bodies of messages, by their length, in chunks or to the stream's end. */
#include "body.h"

#include <errno.h>
#include <string.h>

#include "head_inside.h"

enum {
    SIZE_LINE_MOST = 512, /* a chunk's size and what extensions follow it */
    TRAILERS_MOST = 100,
    SKIP_PIECE = 4096,
};

/* What comes next of chunks. */
enum { SIZE, DATA, DATA_END, TRAILERS };

#define SKIP_TIME WEIR_S(5)

void http_body_begin(struct http_body *body, weir_conn *conn, const struct http_head *head)
{
    *body = (struct http_body){.conn = conn, .kind = head->body};
    body->left = head->body == HTTP_LENGTH ? head->length : 0;
    body->ended = head->body == HTTP_NO_BODY;
}

static int fail(struct http_body *body, const char *reason)
{
    body->failed = true;
    return weir_fail(WEIR_ERROR_SYSTEM, EPROTO, "read", "HTTP body", "%s", reason);
}

static int fail_cut(struct http_body *body)
{
    body->failed = true;
    return weir_fail(WEIR_ERROR_CLOSED, ENODATA, "read", "HTTP body", "the stream ended before it did");
}

/* --- chunks --- */

/* A line that ends in CR LF and holds no other control character but tabs. 0 or -1. */
static int read_line(struct http_body *body, char **line, size_t *length)
{
    int got = weir_read_until(body->conn, "\r\n", 2, line, length, SIZE_LINE_MOST);
    if (got == 0 || (got < 0 && errno == ENODATA))
        return fail_cut(body);
    if (got < 0 && errno == EMSGSIZE)
        return fail(body, "a line of it is too long");
    if (got < 0)
        return -1;
    *length -= 2;
    for (size_t i = 0; i < *length; i++)
        if (((unsigned char)(*line)[i] < ' ' && (*line)[i] != '\t') || (*line)[i] == 0x7f)
            return fail(body, "a control character between chunks");
    return 0;
}

static int digit(char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/*
 * "1a2b", and maybe extensions behind a semicolon, which are read over. At most 15 digits: no size that anybody means
 * is larger.
 */
static int read_size(struct http_body *body)
{
    char *line;
    size_t length, digits = 0;
    if (read_line(body, &line, &length) < 0)
        return -1;
    for (body->left = 0; digits < length && digit(line[digits]) >= 0; digits++) {
        if (digits == 15)
            return fail(body, "a chunk that is too large");
        body->left = body->left * 16 + (uint64_t)digit(line[digits]);
    }
    size_t rest = digits;
    while (rest < length && (line[rest] == ' ' || line[rest] == '\t'))
        rest++;
    if (digits == 0 || (rest < length && line[rest] != ';') || (rest == length && rest > digits))
        return fail(body, "a malformed chunk");
    return 0;
}

/* They are read over, but as strictly as a head's: who sends what is no trailer means something else by it. */
static int skip_trailers(struct http_body *body)
{
    for (; body->trailers <= TRAILERS_MOST; body->trailers++) {
        char *line;
        size_t length;
        if (read_line(body, &line, &length) < 0)
            return -1;
        if (length == 0) {
            body->ended = true;
            return 0;
        }
        const char *colon = memchr(line, ':', length);
        if (!colon || !http_is_token(line, (size_t)(colon - line)))
            return fail(body, "a malformed trailer");
    }
    return fail(body, "too many trailers");
}

static int end_data(struct http_body *body)
{
    char *line;
    size_t length;
    if (read_line(body, &line, &length) < 0)
        return -1;
    body->next = SIZE;
    return length == 0 ? 0 : fail(body, "a chunk is longer than its size");
}

/* What comes before data again, or the end of all. 0 or -1. */
static int begin_chunk(struct http_body *body)
{
    if (body->next == DATA_END && end_data(body) < 0)
        return -1;
    if (body->next == SIZE) {
        if (read_size(body) < 0)
            return -1;
        body->next = body->left > 0 ? DATA : TRAILERS;
    }
    return body->next == TRAILERS ? skip_trailers(body) : 0;
}

/* --- reading --- */

static ssize_t read_bounded(struct http_body *body, void *buffer, size_t size)
{
    ssize_t length = weir_recv(body->conn, buffer, size < body->left ? size : (size_t)body->left);
    if (length == 0 && size > 0)
        return fail_cut(body);
    if (length > 0)
        body->left -= (uint64_t)length;
    if (length > 0 && body->kind == HTTP_LENGTH)
        body->ended = body->left == 0;
    else if (length > 0 && body->left == 0)
        body->next = DATA_END;
    return length;
}

static ssize_t read_to_end(struct http_body *body, void *buffer, size_t size)
{
    ssize_t length = weir_recv(body->conn, buffer, size);
    body->ended |= length == 0 && size > 0;
    return length;
}

ssize_t http_body_read(struct http_body *body, void *buffer, size_t size)
{
    if (body->failed)
        return fail(body, "it was malformed");
    if (body->ended)
        return 0;
    if (body->kind == HTTP_UNTIL_CLOSE)
        return read_to_end(body, buffer, size);
    if (body->kind == HTTP_CHUNKED && body->next != DATA && begin_chunk(body) < 0)
        return -1;
    return body->ended ? 0 : read_bounded(body, buffer, size);
}

bool http_body_skip(struct http_body *body, uint64_t most)
{
    char piece[SKIP_PIECE];
    ssize_t length = 0;
    if (body->ended)
        return true;
    if (body->failed || body->kind == HTTP_UNTIL_CLOSE || (body->kind == HTTP_LENGTH && body->left > most))
        return false;
    weir_set_deadline(body->conn, WEIR_READ, weir_deadline(SKIP_TIME));
    for (uint64_t skipped = 0; skipped <= most && !body->ended && length >= 0; skipped += (uint64_t)length)
        if ((length = http_body_read(body, piece, sizeof piece)) < 0)
            break;
    weir_set_deadline(body->conn, WEIR_READ, WEIR_FOREVER);
    return body->ended;
}
