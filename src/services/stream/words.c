/* Texts of strangers; see words.h. */
#include "words.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <weir/weir.h>

/* C0, DEL, and C1, which is two bytes in UTF-8. */
static size_t control_at(const unsigned char *at)
{
    if (at[0] < 0x20 || at[0] == 0x7f)
        return 1;
    return at[0] == 0xc2 && at[1] < 0xa0 ? 2 : 0;
}

static void clean(char *text)
{
    for (char *at = text; *at;) {
        size_t length = control_at((const unsigned char *)at);
        if (length)
            memset(at, ' ', length);
        at += length ? length : 1;
    }
}

static void copy_whole(const char *from, size_t length, char *text, size_t most)
{
    if (length >= most)
        length = weir_utf8_span(from, most - 1);
    memcpy(text, from, length);
    text[length] = '\0';
}

char *words_of(const char *bytes, const char *charset, char *text, size_t most)
{
    size_t size = bytes ? strlen(bytes) : 0, length;
    char *decoded = charset && size ? weir_decode(bytes, size, charset, WEIR_TEXT_REPLACE, &length) : NULL;
    bool is_text = weir_utf8_span(bytes, size) == size;
    if (!decoded && !is_text)
        decoded = weir_decode(bytes, size, "latin-1", WEIR_TEXT_REPLACE, &length);
    text[0] = '\0';
    if (decoded)
        copy_whole(decoded, strnlen(decoded, length), text, most);
    else if (is_text && size)
        copy_whole(bytes, size, text, most);
    free(decoded);
    clean(text);
    return text;
}
