/* A head that was checked, taken apart by http-parser. */
#include <errno.h>
#include <http_parser.h>
#include <stdlib.h>
#include <string.h>

#include "head_inside.h"

/* What the parser's calls fill. Lengths are kept until it has read all: a NUL within what it reads would end it. */
struct parts {
    struct http_head *head;
    size_t room; /* for fields */
    size_t *name_lengths, *value_lengths;
    size_t target_length, reason_length;
    bool whole;
};

/* --- what the parser tells --- */

static int on_target(http_parser *parser, const char *at, size_t length)
{
    struct parts *parts = parser->data;
    if (!parts->head->target)
        parts->head->target = at;
    parts->target_length += length;
    return 0;
}

static int on_reason(http_parser *parser, const char *at, size_t length)
{
    struct parts *parts = parser->data;
    if (!parts->head->reason)
        parts->head->reason = at;
    parts->reason_length += length;
    return 0;
}

static int on_name(http_parser *parser, const char *at, size_t length)
{
    struct parts *parts = parser->data;
    if (parts->head->count == parts->room)
        return -1;
    parts->head->fields[parts->head->count] = (struct http_field){.name = at, .value = at + length};
    parts->name_lengths[parts->head->count] = length;
    parts->value_lengths[parts->head->count++] = 0;
    return 0;
}

static int on_value(http_parser *parser, const char *at, size_t length)
{
    struct parts *parts = parser->data;
    if (parts->head->count == 0)
        return -1;
    if (length == 0) /* of an empty one http-parser names the place of what follows */
        return 0;
    parts->head->fields[parts->head->count - 1].value = at;
    parts->value_lengths[parts->head->count - 1] = length;
    return 0;
}

/* 1: no body is to be looked for, that is body.c's. */
static int on_whole(http_parser *parser)
{
    struct parts *parts = parser->data;
    parts->whole = true;
    return 1;
}

/* --- what came of it --- */

static void end_text(const char *text, size_t length)
{
    ((char *)text)[length] = '\0'; /* of our own copy, at what parted it from the next */
}

static size_t trimmed(const char *text, size_t length)
{
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
        length--;
    return length;
}

static void end_texts(const struct parts *parts)
{
    struct http_head *head = parts->head;
    if (head->target)
        end_text(head->target, parts->target_length);
    if (head->reason)
        end_text(head->reason, parts->reason_length);
    else
        head->reason = "";
    for (size_t i = 0; i < head->count; i++) {
        end_text(head->fields[i].name, parts->name_lengths[i]);
        end_text(head->fields[i].value, trimmed(head->fields[i].value, parts->value_lengths[i]));
    }
}

static int status_of(enum http_errno error)
{
    switch (error) {
    case HPE_INVALID_METHOD:
    case HPE_INVALID_TRANSFER_ENCODING:
        return 501;
    case HPE_HEADER_OVERFLOW:
        return 431;
    default:
        return 400;
    }
}

static int parse(struct parts *parts, const char *text, size_t length, bool request, const char **why)
{
    http_parser parser;
    http_parser_settings settings;
    http_parser_settings_init(&settings);
    settings.on_url = on_target;
    settings.on_status = on_reason;
    settings.on_header_field = on_name;
    settings.on_header_value = on_value;
    settings.on_headers_complete = on_whole;
    http_parser_init(&parser, request ? HTTP_REQUEST : HTTP_RESPONSE);
    parser.data = parts;
    size_t taken = http_parser_execute(&parser, &settings, text, length);
    *why = http_errno_description(HTTP_PARSER_ERRNO(&parser));
    if (HTTP_PARSER_ERRNO(&parser) != HPE_OK)
        return status_of(HTTP_PARSER_ERRNO(&parser));
    if (!parts->whole || taken != length) {
        *why = "its head is not whole";
        return 400;
    }
    struct http_head *head = parts->head;
    head->major = parser.http_major;
    head->minor = parser.http_minor;
    if (request)
        head->method = http_method_str((enum http_method)parser.method);
    else
        head->status = (int)parser.status_code;
    end_texts(parts);
    return 0;
}

static size_t count_lines(const char *text, size_t length)
{
    size_t lines = 0;
    for (const char *end = text + length; (text = memchr(text, '\n', (size_t)(end - text))); text++)
        lines++;
    return lines;
}

/* Its fields and behind them a copy of the text, with room for what stands for ICY. */
static char *make_room(struct http_head *head, size_t lines, size_t length)
{
    char *memory = malloc(lines * sizeof *head->fields + length + sizeof "HTTP/1.0 ");
    if (!memory)
        return NULL;
    head->text = memory;
    head->fields = (struct http_field *)(void *)memory;
    return memory + lines * sizeof *head->fields;
}

/* The text as http-parser is to see it: it does not know "ICY 200 OK". Returns its length. */
static size_t copy_text(const char *text, size_t length, bool icy, char *to)
{
    static const char version[] = "HTTP/1.0";
    size_t skipped = icy ? strlen("ICY") : 0, put = icy ? strlen(version) : 0;
    if (icy)
        memcpy(to, version, put);
    memcpy(to + put, text + skipped, length - skipped);
    return put + length - skipped;
}

int http_parse_head(const char *text, size_t length, bool request, struct http_head *head, const char **why)
{
    size_t name_lengths[HTTP_FIELDS_MOST], value_lengths[HTTP_FIELDS_MOST];
    struct parts parts = {
        .head = head, .room = HTTP_FIELDS_MOST, .name_lengths = name_lengths, .value_lengths = value_lengths};
    size_t lines = count_lines(text, length);
    char *copy = make_room(head, lines, length);
    if (!copy)
        return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "read", "", NULL);
    if (lines < parts.room)
        parts.room = lines;
    head->icy = !request && length > 4 && memcmp(text, "ICY ", 4) == 0;
    return parse(&parts, copy, copy_text(text, length, head->icy, copy), request, why);
}
