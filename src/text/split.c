/* Text taken apart, at white space or at a separator, as Python's str.split does. */
#include <errno.h>
#include <string.h>
#include <weir/error.h>
#include <weir/text.h>

#include "base/utf8.h"
#include "text/character.h"

/* The length of the white space character that the text begins with; 0: it begins with another one, or with none. */
static size_t space_at(const char *text, size_t length)
{
    uint32_t character;
    int found = weir__utf8_decode((const unsigned char *)text, length, &character);
    return found > 0 && weir__is_space(character) ? (size_t)found : 0;
}

/* How many bytes at the beginning are white space, or are not. */
static size_t count_space(const char *text, size_t length)
{
    size_t at = 0, step;
    while (at < length && (step = space_at(text + at, length - at)) > 0)
        at += step;
    return at;
}

/* Goes by bytes: no white space character begins within another character. */
static size_t count_others(const char *text, size_t length)
{
    size_t at = 0;
    while (at < length && ((text[at] > ' ' && text[at] < 0x7f) || space_at(text + at, length - at) == 0))
        at++;
    return at;
}

static void pass(weir_splitter *splitter, size_t length)
{
    splitter->text += length;
    splitter->length -= length;
}

/* Hands out what the text begins with, and passes over what separates it from the next part. */
static bool hand_out(weir_splitter *splitter, weir_part *part, size_t length, size_t separator)
{
    *part = (weir_part){splitter->text, length};
    pass(splitter, length + separator);
    if (splitter->most > 0)
        splitter->most--;
    return true;
}

static bool hand_out_rest(weir_splitter *splitter, weir_part *part)
{
    splitter->ended = true;
    return hand_out(splitter, part, splitter->length, 0);
}

static bool next_word(weir_splitter *splitter, weir_part *part)
{
    pass(splitter, count_space(splitter->text, splitter->length));
    if (splitter->length == 0)
        return false;
    if (splitter->most == 0)
        return hand_out_rest(splitter, part);
    return hand_out(splitter, part, count_others(splitter->text, splitter->length), 0);
}

static bool next_separated(weir_splitter *splitter, weir_part *part)
{
    size_t separator = strlen(splitter->separator);
    const char *at = separator > 0 && splitter->most != 0 && splitter->length > 0
                         ? memmem(splitter->text, splitter->length, splitter->separator, separator)
                         : NULL;
    if (!at)
        return hand_out_rest(splitter, part);
    return hand_out(splitter, part, (size_t)(at - splitter->text), separator);
}

weir_splitter weir_splitter_begin(const char *text, size_t length, const char *separator, int64_t most)
{
    return (weir_splitter){.text = text ? text : "", .length = length, .separator = separator, .most = most};
}

bool weir_splitter_next(weir_splitter *splitter, weir_part *part)
{
    if (splitter->ended)
        return false;
    return splitter->separator ? next_separated(splitter, part) : next_word(splitter, part);
}

ssize_t weir_split(const char *text, size_t length, const char *separator, int64_t most, weir_part *parts, size_t room)
{
    weir_part part;
    size_t count = 0;
    if (separator && !*separator)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "split", "", "the separator is empty");
    weir_splitter splitter = weir_splitter_begin(text, length, separator, most);
    while (weir_splitter_next(&splitter, &part)) {
        if (count == room)
            return weir_fail(WEIR_ERROR_LIMIT, E2BIG, "split", "", "there are more than %zu parts", room);
        parts[count++] = part;
    }
    return (ssize_t)count;
}
