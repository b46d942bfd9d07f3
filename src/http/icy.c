/* ICY metadata, read and written; see icy.h. */
#include "icy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BEGINNING "StreamTitle='"
#define ENDING    "';"

/* Nobody sends titles further apart than that; what is larger is nonsense, or a number that overflows. */
#define INTERVAL_MOST (INT64_C(1) << 30)

int icy_interval(const char *field, const char *subject, uint64_t *interval)
{
    int64_t number;
    *interval = 0;
    if (!field)
        return 0;
    if (weir_parse_int(field, strlen(field), 10, &number) < 0 || number < 0 || number > INTERVAL_MOST)
        return weir_fail(WEIR_ERROR_SYSTEM, EPROTO, "receive", subject, "its icy-metaint is no number of bytes");
    *interval = (uint64_t)number;
    return number > 0;
}

void icy_begin(struct icy_reader *reader, uint64_t interval)
{
    memset(reader, 0, sizeof *reader);
    reader->interval = reader->until = interval;
}

/* --- text --- */

/* A title while it is written: whole characters, and none once one did not fit. */
struct text {
    char *to;
    size_t length, most;
    bool full;
};

static void put(struct text *text, const char *character, size_t size)
{
    if (text->full || text->length + size > text->most) {
        text->full = true;
        return;
    }
    memcpy(text->to + text->length, character, size);
    text->length += size;
}

/* The length of the character of UTF-8 that valid text begins with. */
static size_t character_length(const char *text)
{
    unsigned char first = (unsigned char)*text;
    return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* U+0000 to U+001F and U+007F to U+009F. */
static bool is_control(const char *character, size_t size)
{
    unsigned char first = (unsigned char)character[0];
    return size == 1 ? first < 0x20 || first == 0x7f : size == 2 && first == 0xc2 && (unsigned char)character[1] < 0xa0;
}

static void put_visible(struct text *text, const char *character, size_t size)
{
    if (is_control(character, size))
        put(text, " ", 1);
    else
        put(text, character, size);
}

static void put_utf8(struct text *text, const char *from, size_t size)
{
    for (size_t i = 0, length; i < size; i += length) {
        length = character_length(from + i);
        put_visible(text, from + i, length);
    }
}

static void put_latin1(struct text *text, const char *from, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)from[i];
        const char pair[] = {(char)(0xc0 | byte >> 6), (char)(0x80 | (byte & 0x3f))};
        if (byte < 0x80)
            put_visible(text, from + i, 1);
        else
            put_visible(text, pair, 2);
    }
}

static void put_text(struct text *text, const char *from, size_t size)
{
    if (weir_utf8_span(from, size) == size)
        put_utf8(text, from, size);
    else
        put_latin1(text, from, size);
}

/* --- reading --- */

/* Where it ends: at "';"; where there is none (some forget it) at the last apostrophe, or where the NULs begin. */
static size_t title_length(const char *from, size_t size)
{
    const char *end = memmem(from, size, ENDING, strlen(ENDING));
    if (end)
        return (size_t)(end - from);
    size = strnlen(from, size);
    end = memrchr(from, '\'', size);
    return end ? (size_t)(end - from) : size;
}

bool icy_title(const char *block, size_t size, char title[ICY_TITLE_MOST])
{
    struct text text = {.to = title, .most = ICY_TITLE_MOST - 1};
    const char *from = memmem(block, size, BEGINNING, strlen(BEGINNING));
    if (from) {
        from += strlen(BEGINNING);
        put_text(&text, from, title_length(from, size - (size_t)(from - block)));
    }
    title[text.length] = '\0';
    return from != NULL;
}

/* The byte that says how long the block is; an empty one says that nothing has changed. */
static void begin_block(struct icy_reader *reader, char length)
{
    reader->block_length = 16 * (size_t)(unsigned char)length;
    reader->block_have = 0;
    if (reader->block_length == 0)
        reader->until = reader->interval;
}

static const char *end_block(struct icy_reader *reader)
{
    bool has_title = icy_title(reader->block, reader->block_length, reader->title);
    reader->until = reader->interval;
    reader->block_length = 0;
    return has_title ? reader->title : NULL;
}

static size_t read_block(struct icy_reader *reader, const char *data, size_t size, const char **title)
{
    if (reader->block_length == 0) {
        begin_block(reader, *data);
        return 1;
    }
    size_t left = reader->block_length - reader->block_have, taken = size < left ? size : left;
    memcpy(reader->block + reader->block_have, data, taken);
    reader->block_have += taken;
    if (taken == left)
        *title = end_block(reader);
    return taken;
}

size_t icy_read(struct icy_reader *reader, const char *data, size_t size, const char **at, size_t *audio,
                const char **title)
{
    *at = data;
    *audio = 0;
    *title = NULL;
    if (size == 0)
        return 0;
    if (reader->interval > 0 && reader->until == 0)
        return read_block(reader, data, size, title);
    *audio = reader->interval > 0 && reader->until < size ? (size_t)reader->until : size;
    if (reader->interval > 0)
        reader->until -= *audio;
    return *audio;
}

/* --- writing --- */

/* The title as it may stand between the marks: its end would be taken for that of the field. */
static void put_title(struct text *text, const char *title)
{
    char clean[ICY_TITLE_MOST];
    struct text first = {.to = clean, .most = sizeof clean - 1};
    put_text(&first, title, strlen(title));
    for (size_t i = 0, length; i < first.length; i += length) {
        length = character_length(clean + i);
        if (clean[i] == ';' && i > 0 && clean[i - 1] == '\'')
            put(text, " ;", 2);
        else
            put(text, clean + i, length);
    }
}

size_t icy_block(const char *title, char block[ICY_BLOCK_MOST])
{
    char clean[ICY_TITLE_MOST];
    struct text text = {.to = clean, .most = sizeof clean - 1};
    put_title(&text, title);
    clean[text.length] = '\0';
    memset(block, 0, ICY_BLOCK_MOST);
    int length = snprintf(block + 1, ICY_BLOCK_MOST - 1, BEGINNING "%s" ENDING, clean);
    size_t units = ((size_t)length + 15) / 16;
    block[0] = (char)units;
    return 1 + 16 * units;
}
