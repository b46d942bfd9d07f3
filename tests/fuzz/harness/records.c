/* Properties of the log's lines, judged by nothing of the log's. */
#include "records.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* --- text --- */

/* "2026-11-21 07:15:00,123 " */
static bool begins_with_time(const char *line, size_t length)
{
    static const char pattern[] = "dddd-dd-dd dd:dd:dd,ddd ";
    for (size_t i = 0; i < sizeof pattern - 1; i++)
        if (i >= length || (pattern[i] == 'd' ? !isdigit((unsigned char)line[i]) : line[i] != pattern[i]))
            return false;
    return true;
}

/* The only tab is the one before the message: what a sender writes cannot look like the head of a line. */
static void require_text(const char *line, size_t length)
{
    const char *tab = memchr(line, '\t', length);
    fuzz_require(begins_with_time(line, length), "'%.*s'", (int)length, line);
    fuzz_require(tab != NULL, "'%.*s'", (int)length, line);
    fuzz_require(fuzz_is_showable(line, (size_t)(tab - line)), "'%.*s'", (int)length, line);
    fuzz_require(fuzz_is_showable(tab + 1, length - (size_t)(tab + 1 - line)), "'%.*s'", (int)length, line);
}

/* --- JSON (RFC 8259) --- */

struct json {
    const char *next, *end;
};

static bool skip(struct json *json, char character)
{
    bool is_there = json->next < json->end && *json->next == character;
    json->next += is_there;
    return is_there;
}

static bool is_hexadecimal(const char *digits)
{
    for (int i = 0; i < 4; i++)
        if (!isxdigit((unsigned char)digits[i]))
            return false;
    return true;
}

static bool is_string(struct json *json)
{
    if (!skip(json, '"'))
        return false;
    while (json->next < json->end && *json->next != '"') {
        char character = *json->next++;
        if ((unsigned char)character < 0x20)
            return false;
        if (character != '\\')
            continue;
        if (json->next == json->end || !strchr("\"\\/bfnrtu", *json->next))
            return false;
        if (*json->next++ == 'u' && (json->end - json->next < 4 || !is_hexadecimal(json->next)))
            return false;
    }
    return skip(json, '"');
}

static size_t digits(struct json *json)
{
    const char *begin = json->next;
    while (json->next < json->end && isdigit((unsigned char)*json->next))
        json->next++;
    return (size_t)(json->next - begin);
}

static bool is_number(struct json *json)
{
    skip(json, '-');
    if (!skip(json, '0') && digits(json) == 0)
        return false;
    if (skip(json, '.') && digits(json) == 0)
        return false;
    if (!skip(json, 'e'))
        return true;
    if (!skip(json, '-'))
        skip(json, '+');
    return digits(json) > 0;
}

static bool is_word(struct json *json, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(json->end - json->next) < length || memcmp(json->next, word, length) != 0)
        return false;
    json->next += length;
    return true;
}

static bool is_value(struct json *json);

/* A list or an object up to its end. */
static bool are_members(struct json *json, char end)
{
    if (skip(json, end))
        return true;
    do {
        if (end == '}' && (!is_string(json) || !skip(json, ':')))
            return false;
        if (!is_value(json))
            return false;
    } while (skip(json, ','));
    return skip(json, end);
}

static bool is_value(struct json *json)
{
    if (skip(json, '{'))
        return are_members(json, '}');
    if (skip(json, '['))
        return are_members(json, ']');
    if (json->next < json->end && *json->next == '"')
        return is_string(json);
    return is_word(json, "null") || is_word(json, "true") || is_word(json, "false") || is_number(json);
}

static void require_json(const char *line, size_t length)
{
    struct json json = {line, line + length};
    fuzz_require(fuzz_is_showable(line, length), "'%.*s'", (int)length, line);
    fuzz_require(length > 0 && *line == '{' && is_value(&json), "'%.*s'", (int)length, line);
    fuzz_require(json.next == json.end, "%zu bytes are left of '%.*s'", (size_t)(json.end - json.next), (int)length,
                 line);
}

/* --- both --- */

/* Of just their sizes, so that a step beyond is seen. */
static enum record_kind try_format(enum record_format format, char *bytes, size_t length, bool truncated,
                                   int64_t arrived)
{
    struct record_writer *writer = record_writer_new(format);
    weir_datagram datagram = {.data = bytes, .length = length, .truncated = truncated};
    size_t room = record_room(length);
    char *line = fuzz_alloc(room), *again = fuzz_alloc(room);
    enum record_kind kind, same;
    fuzz_require(writer && weir_parse_address("[2001:db8::1]:514", &datagram.peer) == 0, "%d", (int)format);
    size_t written = record_write(writer, &datagram, arrived, line, &kind);
    fuzz_require(written > 0 && written <= room && line[written - 1] == '\n', "%zu of %zu", written, room);
    if (format == RECORD_TEXT)
        require_text(line, written - 1);
    else
        require_json(line, written - 1);
    /* What a writer keeps from one record to the next changes nothing. */
    size_t twice = record_write(writer, &datagram, arrived, again, &same);
    fuzz_require(twice == written && same == kind && memcmp(line, again, written) == 0, "%zu, then %zu", written,
                 twice);
    free(again);
    free(line);
    record_writer_free(writer);
    return kind;
}

enum record_kind fuzz_record(const uint8_t *bytes, size_t length, bool truncated, int64_t arrived)
{
    char *copy = fuzz_alloc(length);
    if (length > 0)
        memcpy(copy, bytes, length);
    enum record_kind text = try_format(RECORD_TEXT, copy, length, truncated, arrived);
    enum record_kind json = try_format(RECORD_JSON, copy, length, truncated, arrived);
    bool may_be_larger = text == RECORD_PYTHON && json == RECORD_UNREADABLE; /* shared values, said more than once */
    fuzz_require(text == json || may_be_larger, "%d, as JSON %d", (int)text, (int)json);
    free(copy);
    return text;
}
