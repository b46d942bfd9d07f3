/* Bytes as text that may be shown; see shown.h. */
#include "shown.h"

#include <string.h>
#include <weir/log.h>

struct output {
    char *text;
    size_t length;
};

static void put(struct output *output, const void *text, size_t length)
{
    memcpy(output->text + output->length, text, length);
    output->length += length;
}

static void put_replacement(struct output *output)
{
    put(output, "\xef\xbf\xbd", 3);
}

/* A whole character, escaped where it must be. */
static void put_character(struct output *output, const unsigned char *bytes, size_t length)
{
    char text[4 * 4 + 1];
    if (length == 1 && (bytes[0] == '\\' || bytes[0] == '\n' || bytes[0] == '\t')) {
        put(output, bytes, 1);
        return;
    }
    weir_escape(bytes, length, text, sizeof text);
    put(output, text, strlen(text));
}

/* --- characters of several bytes --- */

static void expect(struct shown *shown, unsigned char missing, unsigned char lowest, unsigned char highest)
{
    shown->missing = missing;
    shown->lowest = lowest;
    shown->highest = highest;
}

/*
 * What a first byte lets follow: Unicode's table 3-7. After E0 and F0 low values would be longer forms of what is shorter, after
 * ED come surrogates, after F4 what is beyond U+10FFFF. False: it begins no character.
 */
static bool begin(struct shown *shown, unsigned char byte)
{
    if (byte < 0xc2 || byte > 0xf4)
        return false;
    if (byte < 0xe0)
        expect(shown, 1, 0x80, 0xbf);
    else if (byte < 0xf0)
        expect(shown, 2, byte == 0xe0 ? 0xa0 : 0x80, byte == 0xed ? 0x9f : 0xbf);
    else
        expect(shown, 3, byte == 0xf0 ? 0x90 : 0x80, byte == 0xf4 ? 0x8f : 0xbf);
    shown->kept[0] = byte;
    shown->length = 1;
    return true;
}

/* The next byte of a character. Whether it was one; if not, what was kept is given up. */
static bool go_on(struct shown *shown, unsigned char byte, struct output *output)
{
    if (byte < shown->lowest || byte > shown->highest) {
        put_replacement(output);
        shown->missing = 0;
        return false;
    }
    shown->kept[shown->length++] = byte;
    expect(shown, shown->missing - 1, 0x80, 0xbf);
    if (shown->missing == 0)
        put_character(output, shown->kept, shown->length);
    return true;
}

/* --- bytes --- */

/* A CR is shown where no newline follows it. */
static void put_carriage(struct shown *shown, struct output *output)
{
    if (shown->carriage)
        put_character(output, (const unsigned char *)"\r", 1);
    shown->carriage = false;
}

static void add_byte(struct shown *shown, unsigned char byte, struct output *output)
{
    if (shown->missing && go_on(shown, byte, output))
        return;
    if (byte == '\n')
        shown->carriage = false;
    put_carriage(shown, output);
    if (byte == '\r')
        shown->carriage = true;
    else if (byte < 0x80)
        put_character(output, &byte, 1);
    else if (!begin(shown, byte))
        put_replacement(output);
}

/* How many of the bytes are printable ASCII, which stays as it is. */
static size_t plain(const char *bytes, size_t length)
{
    size_t count = 0;
    while (count < length && bytes[count] >= ' ' && bytes[count] <= '~')
        count++;
    return count;
}

size_t shown_add(struct shown *shown, const char *bytes, size_t length, size_t *used, char *text, size_t size)
{
    struct output output = {text, 0};
    size_t at = 0;
    while (at < length && size - output.length >= SHOWN_ROOM) {
        size_t room = size - output.length, left = length - at;
        size_t run = shown->missing || shown->carriage ? 0 : plain(bytes + at, left < room ? left : room);
        put(&output, bytes + at, run);
        at += run;
        if (run == 0)
            add_byte(shown, (unsigned char)bytes[at++], &output);
    }
    *used = at;
    return output.length;
}

size_t shown_end(struct shown *shown, char *text, size_t size)
{
    struct output output = {text, 0};
    if (size < SHOWN_ROOM)
        return 0;
    if (shown->missing)
        put_replacement(&output);
    put_carriage(shown, &output);
    *shown = (struct shown){0};
    return output.length;
}
