/* Bytes as text that may be shown; see shown.h. */
#include "shown.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ESCAPED = 4 }; /* a byte of text as \xHH */

struct output {
    char *text;
    size_t length;
};

int shown_check(const char *encoding)
{
    size_t length = 0;
    char *newline = weir_encode("\n", 1, encoding, WEIR_TEXT_STRICT, &length);
    if (!newline)
        return -1;
    bool is_byte = length == 1 && newline[0] == '\n';
    free(newline);
    if (is_byte)
        return 0;
    return weir_fail(WEIR_ERROR_USAGE, EINVAL, "", encoding, "an encoding whose newline is not a byte of its own");
}

int shown_begin(struct shown *shown, const char *encoding, weir_text_errors errors)
{
    *shown = (struct shown){.decoder = weir_decoder_new(encoding, errors)};
    return shown->decoder ? 0 : -1;
}

void shown_free(struct shown *shown)
{
    weir_decoder_free(shown->decoder);
}

/* --- characters --- */

static void put(struct output *output, const char *text, size_t length)
{
    memcpy(output->text + output->length, text, length);
    output->length += length;
}

/* A CR is shown where no newline follows it. */
static void put_carriage(struct shown *shown, struct output *output)
{
    if (shown->carriage)
        put(output, "\\x0d", ESCAPED);
    shown->carriage = false;
}

/* A character, escaped where it must be. */
static void put_character(struct shown *shown, const char *bytes, size_t length, struct output *output)
{
    char text[4 * ESCAPED + 1];
    if (*bytes == '\n')
        shown->carriage = false;
    put_carriage(shown, output);
    if (*bytes == '\r') {
        shown->carriage = true;
    } else if (*bytes == '\n' || *bytes == '\t') {
        put(output, bytes, 1);
    } else {
        weir_escape(bytes, length, text, sizeof text);
        put(output, text, strlen(text));
    }
}

/* The length of the character that text begins with. */
static size_t character(const char *text)
{
    unsigned char first = (unsigned char)*text;
    return first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* How many bytes of text are printable ASCII, which stays as it is; so does a backslash. */
static size_t plain(const char *text, size_t length)
{
    size_t count = 0;
    while (count < length && text[count] >= ' ' && text[count] <= '~')
        count++;
    return count;
}

static void put_text(struct shown *shown, const char *text, size_t length, struct output *output)
{
    if (shown->plain) {
        put(output, text, length);
        return;
    }
    for (size_t at = 0; at < length;) {
        size_t run = plain(text + at, length - at);
        if (run) {
            put_carriage(shown, output);
            put(output, text + at, run);
        } else {
            put_character(shown, text + at, run = character(text + at), output);
        }
        at += run;
    }
}

/* --- pieces --- */

/* Room in which to decode, so that what it becomes has room as well, a CR from before included. */
static size_t decoding_room(size_t size, size_t most)
{
    size_t room = (size - ESCAPED) / ESCAPED;
    return room < most ? room : most;
}

size_t shown_add(struct shown *shown, const char *bytes, size_t length, size_t *used, char *text, size_t size)
{
    struct output output = {text, 0};
    *used = shown->refused ? length : 0;
    while (*used < length && size - output.length >= SHOWN_ROOM) {
        char decoded[512];
        size_t taken, room = decoding_room(size - output.length, sizeof decoded);
        ssize_t got = weir_decoder_decode(shown->decoder, bytes + *used, length - *used, &taken, decoded, room);
        put_text(shown, decoded, got > 0 ? (size_t)got : 0, &output);
        *used += got < 0 ? length - *used : taken;
        shown->refused = got < 0;
    }
    if (*used)
        shown->begun = bytes[*used - 1] != '\n';
    return output.length;
}

size_t shown_end(struct shown *shown, char *text, size_t size)
{
    struct output output = {text, 0};
    char decoded[SHOWN_ROOM / ESCAPED - ESCAPED];
    if (size < SHOWN_ROOM)
        return 0;
    ssize_t got = shown->refused ? 0 : weir_decoder_finish(shown->decoder, decoded, sizeof decoded);
    shown->refused |= got < 0;
    put_text(shown, decoded, got > 0 ? (size_t)got : 0, &output);
    put_carriage(shown, &output);
    shown->begun = false;
    return output.length;
}
